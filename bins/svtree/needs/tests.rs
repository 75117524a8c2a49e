//! Tests of the graph of needs.

use super::small::{NAMES, STRAIGHT, Small, drain, members, steps};
use super::{Graph, Standing};

fn names(graph: &Graph, slot: usize) -> Vec<&[u8]> {
    graph.waits_for(slot).collect()
}

fn flaws(graph: &mut Graph) -> Vec<String> {
    let mut all = Vec::new();
    graph.flaws(|flaw| all.push(String::from_utf8(flaw.words()).unwrap()));
    all
}

fn nothing() -> [&'static [u8]; 0] {
    []
}

#[test]
fn a_service_waits_for_exactly_those_of_its_needs_that_are_not_ready() {
    for small in (1..=3).flat_map(|count| Small::all(count, true)).chain(Small::all(4, false)) {
        let mut graph = small.graph(STRAIGHT);
        assert_eq!(drain(&mut graph), small.everyone(), "{small:?}: all are new");
        let mut ready = 0;
        // Each change of a standing from each set of ready ones: the walk comes by all sets, and flips each bit there.
        for step in 1..=1_usize << small.count {
            let walk = (step.trailing_zeros() as usize).min(small.count - 1);
            for slot in (0..small.count).flat_map(|slot| [slot, slot]).chain([walk]) {
                ready ^= 1 << slot;
                let standing = if ready >> slot & 1 == 1 { Standing::Ready } else { Standing::Coming };
                graph.stands(slot, standing);
                assert_eq!(drain(&mut graph), small.dependents(slot), "{small:?}: {slot} changed");
                for other in 0..small.count {
                    let missing = small.needs(other) & !ready;
                    let right = graph.waits_for(other).eq(members(missing).map(|need| NAMES[need]));
                    assert!(right, "{small:?} {ready:b} {other}: {:?}", names(&graph, other));
                    assert_eq!(graph.holds(other), missing != 0, "{small:?} {ready:b} {other}");
                }
            }
        }
    }
}

#[test]
fn up_starts_all_that_is_needed_and_not_wanted_up_needs_first() {
    for small in Small::all(4, false) {
        let mut graph = small.graph(STRAIGHT);
        for wanted in 0..1_usize << 4 {
            // Of those that are wanted up, the first two are ready: what these need does not matter.
            let ready = wanted & 0b11;
            for slot in 0..4 {
                let standing = if ready >> slot & 1 == 1 { Standing::Ready } else { Standing::Coming };
                graph.stands(slot, standing);
            }
            for slot in 0..4 {
                let order = graph.to_start(slot, |other| wanted >> other & 1 == 1);
                let way = small.everyone() & !ready;
                let needs = members(small.transitive(slot, way) | 1 << slot)
                    .filter(|&member| way >> member & 1 == 1 || member == slot)
                    .fold(0, |all, member| all | small.needs(member));
                let expected = needs & !wanted & !(1 << slot);
                let set: usize = order.iter().map(|&other| 1 << other).sum();
                assert_eq!(
                    (set, order.len()),
                    (expected, expected.count_ones() as usize),
                    "{small:?} {wanted:b} {slot}"
                );
                for (at, &other) in order.iter().enumerate() {
                    let later: usize = order[at + 1..].iter().map(|&other| 1 << other).sum();
                    for need in members(small.needs(other) & later) {
                        let back = small.transitive(need, small.everyone());
                        assert_eq!(
                            back >> other & 1,
                            1,
                            "{small:?} {wanted:b} {slot}: {other} before {need}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn each_service_in_a_cycle_is_named_and_each_cycle_only_once() {
    for small in (1..=3).flat_map(|count| Small::all(count, true)).chain(Small::all(4, false)) {
        let mut graph = small.graph(STRAIGHT);
        let reported = flaws(&mut graph);
        assert_eq!(reported, flaws(&mut small.graph([7, 2, 5, 3])), "{small:?}: whatever the slots");
        let mut named = 0;
        for flaw in &reported {
            if let Some(name) = flaw.strip_suffix(": needs itself") {
                let slot = usize::from(name.as_bytes()[0] - b'a');
                assert_eq!(small.needs(slot) >> slot & 1, 1, "{small:?} {flaw}");
                continue;
            }
            let cycle: Vec<usize> = flaw
                .strip_prefix("needs in a cycle: ")
                .unwrap()
                .split(" -> ")
                .map(|name| usize::from(name.as_bytes()[0] - b'a'))
                .collect();
            assert!(
                cycle.windows(2).all(|edge| small.needs(edge[0]) >> edge[1] & 1 == 1),
                "{small:?} {flaw}"
            );
            assert!(cycle.len() > 2 && cycle.first() == cycle.last(), "{small:?} {flaw}");
            assert_eq!(cycle.iter().min(), cycle.first(), "{small:?} {flaw}");
            named = cycle.iter().fold(named, |named, slot| named | 1 << slot);
        }
        let itself = (0..small.count).filter(|&slot| small.needs(slot) >> slot & 1 == 1).count();
        assert_eq!(reported.iter().filter(|flaw| flaw.ends_with("itself")).count(), itself, "{small:?}");
        for slot in 0..small.count {
            let others = small.everyone() & !(1 << slot);
            let way = members(small.needs(slot) & others)
                .fold(0, |way, need| way | 1 << need | small.transitive(need, others));
            let is_in = members(way).any(|member| small.needs(member) >> slot & 1 == 1);
            assert_eq!(named >> slot & 1 == 1, is_in, "{small:?} {slot} {reported:?}");
        }
        let mut once = reported.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), reported.len(), "{small:?} {reported:?}");
        // A new service, and a need that nothing comes of, report nothing anew.
        graph.set(9, b"z", [&b"a"[..]]);
        assert_eq!(flaws(&mut graph), [""; 0], "{small:?}");
    }
}

#[test]
fn a_flaw_is_reported_again_once_it_was_gone() {
    let mut graph = Graph::default();
    graph.set(0, b"web", [&b"db"[..], b"cache"]);
    assert_eq!(flaws(&mut graph), ["web: needs db: no such service", "web: needs cache: no such service"]);
    graph.set(1, b"db", [&b"web"[..]]);
    assert_eq!(flaws(&mut graph), ["needs in a cycle: db -> web -> db"]);
    graph.set(0, b"web", [&b"cache"[..], b"db"]);
    assert_eq!(flaws(&mut graph), [""; 0], "another order is no other flaw");
    graph.remove(1);
    assert_eq!(flaws(&mut graph), ["web: needs db: no such service"]);
    graph.set(1, b"db", [&b"web"[..], b"db"]);
    assert_eq!(flaws(&mut graph), ["db: needs itself", "needs in a cycle: db -> web -> db"]);
    graph.set(1, b"db", nothing());
    graph.set(0, b"web", nothing());
    assert_eq!(flaws(&mut graph), [""; 0]);
    graph.set(0, b"web", [&b"cache"[..]]);
    assert_eq!(flaws(&mut graph), ["web: needs cache: no such service"]);
}

#[test]
fn a_cycle_that_another_one_had_hidden_is_reported_when_that_is_gone() {
    let mut graph = Graph::default();
    graph.set(0, b"a", [&b"b"[..], b"c"]);
    graph.set(1, b"b", [&b"a"[..], b"c"]);
    graph.set(2, b"c", [&b"a"[..]]);
    assert_eq!(flaws(&mut graph), ["needs in a cycle: a -> b -> a", "needs in a cycle: a -> c -> a"]);
    graph.set(0, b"a", [&b"b"[..]]);
    assert_eq!(flaws(&mut graph), ["needs in a cycle: a -> b -> c -> a"]);
}

#[test]
fn a_service_whose_directory_is_gone_satisfies_nobody_and_one_of_its_name_is_another_one() {
    let mut graph = Graph::default();
    graph.set(0, b"db", nothing());
    graph.set(1, b"web", [&b"db"[..]]);
    graph.stands(0, Standing::Ready);
    drain(&mut graph);
    assert!(!graph.holds(1));
    graph.vanish(0);
    assert_eq!((drain(&mut graph), graph.holds(1), graph.find(b"db")), (0b10, true, None));
    graph.stands(0, Standing::Ready);
    assert!(graph.holds(1), "it is on its way out");
    assert_eq!(flaws(&mut graph), ["web: needs db: no such service"]);
    graph.set(2, b"db", nothing());
    assert_eq!((graph.find(b"db"), graph.holds(1), graph.len()), (Some(2), true, 3));
    graph.stands(2, Standing::Ready);
    graph.remove(0);
    assert_eq!((graph.holds(1), graph.find(b"db"), graph.len()), (false, Some(2), 2));
    // Without notice, the name goes to the one that is set last.
    graph.set(0, b"db", nothing());
    assert_eq!((graph.find(b"db"), graph.name(2), graph.holds(1)), (Some(0), None, true));
}

#[test]
fn a_service_with_another_name_stands_as_before() {
    let mut graph = Graph::default();
    graph.set(0, b"db", nothing());
    graph.set(1, b"web", [&b"store"[..]]);
    graph.set(2, b"shop", [&b"db"[..]]);
    graph.stands(0, Standing::Ready);
    assert_eq!((graph.holds(1), graph.holds(2)), (true, false));
    drain(&mut graph);
    graph.set(0, b"store", nothing());
    assert_eq!((drain(&mut graph), graph.holds(1), graph.holds(2)), (0b110, false, true));
}

#[test]
fn the_program_waits_as_long_as_anything_is_coming() {
    let mut graph = Graph::default();
    graph.set_program(3);
    graph.set(0, b"db", nothing());
    graph.set(1, b"web", [&b"db"[..]]);
    assert!(!graph.holds(3), "nothing is wanted up");
    graph.stands(0, Standing::Coming);
    graph.stands(1, Standing::Coming);
    assert_eq!((graph.holds(3), names(&graph, 3)), (true, vec![&b"db"[..], b"web"]));
    drain(&mut graph);
    graph.stands(0, Standing::Ready);
    assert_eq!((drain(&mut graph), names(&graph, 3)), (0b1010, vec![&b"web"[..]]));
    graph.vanish(1);
    assert_eq!(
        (drain(&mut graph), graph.holds(3)),
        (0b1000, false),
        "what is on its way out is not waited for"
    );
}

#[test]
fn nothing_is_left_of_services_and_names_that_are_gone() {
    let mut graph = Graph::default();
    for round in 0..100_usize {
        let name = [b"x".as_slice(), round.to_string().as_bytes()].concat();
        graph.set(0, &name, [&b"y"[..], &name, b"y"]);
        graph.set(1, b"w", [&name[..]]);
        graph.remove(0);
        graph.remove(1);
        drain(&mut graph);
    }
    assert_eq!((graph.len(), graph.names.in_order().count(), graph.names.places()), (0, 0, 3));
    graph.remove(5);
    graph.vanish(5);
    graph.stands(5, Standing::Ready);
    assert_eq!((graph.holds(5), names(&graph, 5).len(), graph.to_start(5, |_| false).len()), (false, 0, 0));
}

/// A chain of a thousand, and a star: all need one, and one needs all.
fn thousand(star: bool) -> Vec<(String, Vec<String>)> {
    (0..1000)
        .map(|at| match (star, at) {
            (_, 0) => (format!("s{at}"), vec![]),
            (true, 999) => (format!("s{at}"), (0..999).map(|at| format!("s{at}")).collect()),
            (true, _) => (format!("s{at}"), vec!["s0".into()]),
            (false, _) => (format!("s{at}"), vec![format!("s{}", at - 1)]),
        })
        .collect()
}

fn set(graph: &mut Graph, slot: usize, (name, needs): &(String, Vec<String>)) {
    graph.set(slot, name.as_bytes(), needs.iter().map(String::as_bytes));
}

#[test]
fn a_thousand_services_cost_a_few_steps_each_in_any_order() {
    // A step is a neighbour that is visited, or a name that is compared: ten or so for a search among a thousand.
    for star in [false, true] {
        let all = thousand(star);
        let edges: usize = all.iter().map(|(_, needs)| needs.len()).sum();
        for stride in [1, 7, 389, 999] {
            let mut graph = Graph::default();
            let order = |at: usize| at * stride % 1000;
            let added = steps(|| (0..1000).for_each(|at| set(&mut graph, order(at), &all[order(at)])));
            assert!(added < 25 * (1000 + edges), "{star} {stride}: {added} steps to add");
            let again = steps(|| (0..1000).for_each(|at| set(&mut graph, order(at), &all[order(at)])));
            assert!(again < 25 * (1000 + edges), "{star} {stride}: {again} steps to look again");
            let looked = steps(|| assert!(flaws(&mut graph).is_empty()));
            assert!(looked < 10 * (1000 + edges), "{star} {stride}: {looked} steps for the flaws");
            assert_eq!(steps(|| assert!(flaws(&mut graph).is_empty())), 0, "nothing has changed");
            while graph.next_changed().is_some() {}
            let stood = steps(|| {
                for slot in 0..1000 {
                    graph.stands(slot, Standing::Coming);
                    assert!(!graph.holds(slot));
                    graph.stands(slot, Standing::Ready);
                    while let Some(slot) = graph.next_changed() {
                        graph.holds(slot);
                    }
                }
            });
            assert_eq!(stood, edges, "{star} {stride}: each need becomes ready once");
            let start = steps(|| assert_eq!(graph.to_start(999, |_| false).len(), 999));
            assert_eq!(start, edges, "{star} {stride}");
            let removed = steps(|| (0..1000).for_each(|at| graph.remove(order(at))));
            assert!(removed < 25 * (1000 + edges), "{star} {stride}: {removed} steps to remove");
        }
    }
}

#[test]
fn a_cycle_of_two_or_of_a_thousand_is_one_flaw_and_few_steps() {
    for last in [1, 999] {
        let mut all = thousand(false);
        all[0].1.push(format!("s{last}"));
        let mut graph = Graph::default();
        (0..1000).for_each(|slot| set(&mut graph, slot, &all[slot]));
        let looked = steps(|| assert_eq!(flaws(&mut graph).len(), 1));
        assert!(looked < 20_000, "{last}: {looked} steps");
    }
}
