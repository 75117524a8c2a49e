//! Tests of the order of the stop.

use super::super::needs::Graph;
use super::super::needs::small::{NAMES, STRAIGHT, Set, Small, members, steps};
use std::collections::HashSet;

use super::Stop;

fn next(stop: &mut Stop, graph: &Graph) -> Set {
    let mut set = 0;
    while let Some(slot) = stop.next(graph) {
        assert_eq!(set >> slot & 1, 0, "{slot} is asked twice");
        set |= 1 << slot;
    }
    set
}

/// By definition: those of `left` that nobody of `left` needs who is not needed by them in turn.
fn may_stop(small: &Small, left: Set) -> Set {
    let unneeded = |slot: usize| {
        let cycle = small.transitive(slot, left);
        members(left & !cycle & !(1 << slot)).all(|other| small.transitive(other, left) >> slot & 1 == 0)
    };
    members(left).filter(|&slot| unneeded(slot)).map(|slot| 1 << slot).sum()
}

/// The tree tells the stop what is over, or only the graph.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tell {
    Stop,
    Graph,
}

/// Where a stop was already, and with what in mind.
type Seen = HashSet<(Set, Set, Vec<bool>)>;

/// Lets each of the services end next, asked or not, and so on.
fn end_each(
    small: &Small,
    graph: &Graph,
    stop: &Stop,
    (left, asked): (Set, Set),
    tell: Tell,
    seen: &mut Seen,
) {
    if !seen.insert((left, asked, stop.knot.clone())) {
        return;
    }
    let (mut stop, mut asked) = (stop.clone(), asked);
    let new = next(&mut stop, graph);
    assert_eq!(new & asked, 0, "{small:?} {left:b}: asked twice");
    asked |= new;
    assert_eq!(new & !left, 0, "{small:?} {left:b}: {new:b} is over");
    let may = may_stop(small, left);
    assert_eq!(new & !may, 0, "{small:?} {left:b}: {new:b} is needed");
    assert_eq!(may & !asked, 0, "{small:?} {left:b}: may be stopped, and is not");
    assert_eq!(left == 0, asked & left == 0, "{small:?} {left:b}: it hangs");
    for slot in members(left) {
        let (mut graph, mut stop) = (graph.clone(), stop.clone());
        match tell {
            Tell::Stop => stop.over(&mut graph, slot),
            Tell::Graph => graph.remove(slot),
        }
        end_each(small, &graph, &stop, (left & !(1 << slot), asked & !(1 << slot)), tell, seen);
    }
}

#[test]
fn in_every_order_of_ends_none_is_stopped_before_those_that_need_it_and_all_are_in_the_end() {
    for small in (1..=3).flat_map(|count| Small::all(count, true)).chain(Small::all(4, false)) {
        for tell in [Tell::Stop, Tell::Graph] {
            let graph = small.graph(STRAIGHT);
            end_each(&small, &graph, &Stop::default(), (small.everyone(), 0), tell, &mut Seen::new());
        }
    }
}

#[test]
fn whatever_changes_its_needs_on_the_way_all_are_stopped_in_the_end() {
    let all: Vec<Small> = Small::all(4, false).collect();
    for (number, before) in all.iter().enumerate() {
        // Each becomes another one.
        let after = &all[number * 1_365 % all.len()];
        let (mut graph, mut stop) = (before.graph(STRAIGHT), Stop::default());
        let (mut left, mut asked) = (0b1111, next(&mut stop, &graph));
        let first = asked.trailing_zeros() as usize;
        stop.over(&mut graph, first);
        left &= !(1 << first);
        for slot in members(left) {
            graph.set(slot, NAMES[slot], members(after.needs(slot)).map(|need| NAMES[need]));
        }
        // And a new one in the slot that is free.
        graph.set(first, NAMES[first], members(after.needs(first)).map(|need| NAMES[need]));
        left |= 1 << first;
        asked &= left & !(1 << first);
        while left != 0 {
            let new = next(&mut stop, &graph);
            assert_eq!(new & (asked | !may_stop(after, left)), 0, "{before:?} {after:?} {left:b}");
            asked |= new;
            assert_eq!(may_stop(after, left) & !asked, 0, "{before:?} {after:?} {left:b}");
            let over = (asked & left).trailing_zeros() as usize;
            stop.over(&mut graph, over);
            (left, asked) = (left & !(1 << over), asked & !(1 << over));
        }
    }
}

#[test]
fn the_program_is_stopped_before_all_others() {
    let mut graph = Graph::default();
    graph.set(0, b"db", []);
    graph.set_program(1);
    graph.set(2, b"web", [&b"db"[..]]);
    let mut stop = Stop::default();
    assert_eq!(next(&mut stop, &graph), 0b10);
    graph.set(3, b"new", []);
    stop.over(&mut graph, 2);
    assert_eq!(next(&mut stop, &graph), 0);
    stop.over(&mut graph, 1);
    assert_eq!(next(&mut stop, &graph), 0b1001);
}

#[test]
fn once_patience_is_over_nothing_is_waited_for() {
    let mut graph = Graph::default();
    graph.set(0, b"db", []);
    graph.set(1, b"web", [&b"db"[..]]);
    graph.set(2, b"shop", [&b"web"[..]]);
    graph.set_program(3);
    let mut stop = Stop::default();
    assert_eq!(next(&mut stop, &graph), 0b1000);
    stop.hurry();
    assert_eq!(next(&mut stop, &graph), 0b0111);
    stop.over(&mut graph, 0);
    assert_eq!(next(&mut stop, &graph), 0);
    graph.set(0, b"late", []);
    assert_eq!(next(&mut stop, &graph), 0b0001);
}

#[test]
fn what_is_over_before_its_turn_is_not_asked() {
    let mut graph = Graph::default();
    graph.set(0, b"db", []);
    graph.set(1, b"web", []);
    let mut stop = Stop::default();
    assert_eq!(stop.next(&graph), Some(0));
    stop.over(&mut graph, 1);
    assert_eq!(stop.next(&graph), None);
}

#[test]
fn what_is_on_its_way_out_holds_up_what_it_needs() {
    let mut graph = Graph::default();
    graph.set(0, b"db", []);
    graph.set(1, b"web", [&b"db"[..]]);
    graph.vanish(1);
    graph.set(2, b"web", [&b"db"[..]]);
    let mut stop = Stop::default();
    assert_eq!(next(&mut stop, &graph), 0b110);
    stop.over(&mut graph, 2);
    assert_eq!(next(&mut stop, &graph), 0);
    stop.over(&mut graph, 1);
    assert_eq!(next(&mut stop, &graph), 0b001);
}

#[test]
fn the_stop_of_a_thousand_costs_a_few_steps_each() {
    for shape in ["chain", "star", "ring", "chain above a cycle", "chain below a cycle"] {
        let mut graph = Graph::default();
        let names: Vec<String> = (0..1000).map(|at| format!("s{at}")).collect();
        for at in 0..1000 {
            let need = match (shape, at) {
                ("ring", 0) => Some(999),
                ("chain above a cycle", 0) => Some(1),
                (_, 0) => None,
                ("star", _) => Some(0),
                _ => Some(at - 1),
            };
            graph.set(at, names[at].as_bytes(), need.map(|need| names[need].as_bytes()));
        }
        if shape == "chain below a cycle" {
            graph.set(998, b"s998", [&b"s997"[..], b"s999"]);
        }
        let mut stop = Stop::default();
        let mut asked = Vec::new();
        let work = steps(|| {
            let mut over = 0;
            loop {
                while let Some(slot) = stop.next(&graph) {
                    asked.push(slot);
                }
                let Some(&slot) = asked.get(over) else { break };
                stop.over(&mut graph, slot);
                over += 1;
            }
        });
        assert_eq!((asked.len(), graph.len()), (1000, 0), "{shape}");
        assert!(work < 50_000, "{shape}: {work} steps");
    }
}
