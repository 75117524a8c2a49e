//! A simulated tree: services that start, fail, crash, hang, appear and vanish as chance will have it, driven by the
//! graph and the stop as the tree does it.

use std::collections::BTreeSet;

use super::super::needs::{Flaw, Graph};
use super::Stop;
use crate::supervise::Standing;

/// Numbers that look like chance (`SplitMix64`, Steele, Lea and Flood 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Want {
    Up,
    Once,
    Down,
    Exit,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Life {
    /// No process; a start is due as soon as it is wanted up.
    Off,
    /// Runs, and is not ready.
    Starting,
    Ready,
    /// Asked to end, or its finish runs.
    Ending,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Nature {
    Good,
    NeverReady,
    /// It does not end when it is asked to.
    Deaf,
}

#[derive(Clone, Debug)]
struct Service {
    /// Another one has another number.
    number: usize,
    name: &'static str,
    needs: Vec<&'static str>,
    life: Life,
    want: Want,
    /// Its directory is gone.
    vanished: bool,
    /// `up alone`: the next start does not wait.
    alone: bool,
    nature: Nature,
}

impl Service {
    fn wanted(&self) -> bool {
        matches!(self.want, Want::Up | Want::Once)
    }

    fn standing(&self) -> Standing {
        match self.life {
            _ if !self.wanted() || self.vanished => Standing::Down,
            Life::Ready => Standing::Ready,
            _ => Standing::Coming,
        }
    }
}

const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
const SLOTS: usize = 8;
const PROGRAM: usize = SLOTS;

/// What was seen of the world, so that a test can tell that it has tested something.
#[derive(Debug, Default)]
struct Seen {
    starts: usize,
    held: usize,
    flaws: usize,
    cycles: usize,
    stopped: usize,
    together: usize,
    hurried: usize,
    pulled: usize,
}

#[derive(Default)]
struct World {
    services: [Option<Service>; SLOTS + 1],
    numbers: usize,
    graph: Graph,
    stop: Option<Stop>,
    hurried: bool,
    /// The flaws reported and not gone: the services by number, with the unknown name.
    unknown: BTreeSet<(usize, &'static str)>,
    itself: BTreeSet<usize>,
    cycles: BTreeSet<Vec<usize>>,
}

impl World {
    fn here(&self) -> impl Iterator<Item = (usize, &Service)> {
        self.services.iter().enumerate().filter_map(|(slot, service)| Some((slot, service.as_ref()?)))
    }

    /// The service that has a name now.
    fn named(&self, name: &str) -> Option<usize> {
        let mut all = self
            .here()
            .filter(|(slot, service)| *slot != PROGRAM && !service.vanished && service.name == name);
        Some(all.next()?.0)
    }

    fn ready(&self, name: &str) -> bool {
        let holder = self.named(name).and_then(|slot| self.services[slot].as_ref());
        holder.is_some_and(|service| service.standing() == Standing::Ready)
    }

    /// Whether a service may start, by definition.
    fn may_start(&self, slot: usize, service: &Service) -> bool {
        if slot == PROGRAM {
            return self
                .here()
                .all(|(other, service)| other == PROGRAM || service.standing() != Standing::Coming);
        }
        service.needs.iter().all(|need| self.ready(need))
    }

    /// Whether one service needs another, by way of any.
    fn reaches(&self, from: usize, to: usize) -> bool {
        self.needs(from, |_| true) >> to & 1 == 1
    }

    /// Whether one service waits for another, by way of any, or is it.
    fn waits(&self, from: usize, to: usize) -> bool {
        from == to || self.needs(from, |need| !self.ready(need)) >> to & 1 == 1
    }

    /// What a service needs by way of such names, a bit for each slot.
    fn needs(&self, from: usize, such: impl Fn(&str) -> bool) -> usize {
        let (mut reached, mut left) = (0, 1_usize << from);
        while left != 0 {
            let slot = left.trailing_zeros() as usize;
            left &= left - 1;
            for need in self.services[slot].iter().flat_map(|service| &service.needs) {
                let need = self.named(need).filter(|_| such(need)).map_or(0, |need| 1 << need);
                left |= need & !reached;
                reached |= need;
            }
        }
        reached
    }

    /// Whether a service may be stopped, by definition.
    fn may_stop(&self, slot: usize) -> bool {
        if self.services[PROGRAM].is_some() {
            return slot == PROGRAM;
        }
        self.here().all(|(other, _)| other == slot || !self.reaches(other, slot) || self.reaches(slot, other))
    }

    fn put(&mut self, slot: usize, name: &'static str, chance: &mut Chance) {
        self.numbers += 1;
        let want = if chance.one_in(4) { Want::Down } else { Want::Up };
        self.services[slot] = Some(Service {
            number: self.numbers,
            name,
            needs: Vec::new(),
            life: Life::Off,
            want,
            vanished: false,
            alone: false,
            nature: [Nature::NeverReady, Nature::Deaf, Nature::Good][chance.below(10).min(2)],
        });
        if slot == PROGRAM {
            self.graph.set_program(slot);
        } else {
            self.need(slot, chance);
        }
    }

    /// Gives a service other needs.
    fn need(&mut self, slot: usize, chance: &mut Chance) {
        let needs: Vec<&str> = (0..chance.below(4)).map(|_| NAMES[chance.below(NAMES.len())]).collect();
        let Some(service) = self.services[slot].as_mut() else { return };
        service.needs = needs;
        // What is not in the file any more was gone, even if it is back before the next report.
        let number = service.number;
        self.unknown.retain(|(other, need)| *other != number || service.needs.contains(need));
        if !service.needs.contains(&service.name) {
            self.itself.remove(&number);
        }
        self.graph.set(slot, service.name.as_bytes(), service.needs.iter().map(|need| need.as_bytes()));
    }

    fn vanish(&mut self, slot: usize) {
        let Some(service) = self.services[slot].as_mut() else { return };
        service.vanished = true;
        self.graph.vanish(slot);
        self.ask(slot, Want::Exit);
    }

    /// A command, as the engine carries it out.
    fn ask(&mut self, slot: usize, want: Want) {
        let Some(service) = self.services[slot].as_mut() else { return };
        service.want = want;
        if !service.wanted() && matches!(service.life, Life::Starting | Life::Ready) {
            service.life = Life::Ending;
        }
    }

    fn up(&mut self, slot: usize, seen: &mut Seen) {
        let wanted = |slot: usize| self.services[slot].as_ref().is_some_and(Service::wanted);
        let order = self.graph.to_start(slot, wanted);
        for (at, &need) in order.iter().enumerate() {
            assert!(!wanted(need) && need != slot && !order[..at].contains(&need), "{order:?}");
        }
        seen.pulled += order.len();
        for need in order.into_iter().chain([slot]) {
            self.ask(need, Want::Up);
        }
        // All that it waits for is wanted up now, and all that these wait for.
        for (other, service) in self.here() {
            let missing =
                service.needs.iter().filter(|need| !self.ready(need)).filter_map(|need| self.named(need));
            if service.wanted() && (other == slot || self.reaches(slot, other)) && service.life == Life::Off {
                for need in missing {
                    let reached = self.waits(slot, other);
                    assert!(
                        !reached || self.services[need].as_ref().is_some_and(Service::wanted),
                        "{slot} {need}"
                    );
                }
            }
        }
    }

    /// Time passes for one service.
    fn live(&mut self, slot: usize, chance: &mut Chance) {
        let Some(service) = self.services[slot].as_mut() else { return };
        service.life = match service.life {
            Life::Starting if service.nature != Nature::NeverReady && !chance.one_in(3) => Life::Ready,
            Life::Starting | Life::Ready => Life::Ending,
            Life::Ending if service.nature == Nature::Deaf => Life::Ending,
            Life::Off | Life::Ending => Life::Off,
        };
        if service.life == Life::Off && service.want == Want::Once {
            service.want = Want::Down;
        }
    }

    fn kill(&mut self, slot: usize) {
        if let Some(service) = self.services[slot].as_mut() {
            service.life = Life::Off;
        }
    }

    /// One round of the tree: until nothing follows from anything any more.
    fn round(&mut self, seen: &mut Seen) {
        for _ in 0..100 {
            let mut busy = false;
            for slot in 0..=PROGRAM {
                let Some(service) = &self.services[slot] else { continue };
                if service.life == Life::Off && service.want == Want::Exit {
                    self.services[slot] = None;
                    match &mut self.stop {
                        Some(stop) => stop.over(&mut self.graph, slot),
                        None => self.graph.remove(slot),
                    }
                    busy = true;
                } else {
                    self.graph.stands(slot, service.standing());
                }
            }
            while let Some(slot) = self.graph.next_changed() {
                assert!(self.services[slot].is_some(), "{slot} is over");
            }
            if let Some(stop) = &mut self.stop {
                let together: Vec<usize> = std::iter::from_fn(|| stop.next(&self.graph)).collect();
                for &slot in &together {
                    assert!(self.services[slot].is_some(), "{slot} is over");
                    assert!(self.hurried || self.may_stop(slot), "{slot} is needed");
                }
                seen.stopped += together.len();
                seen.together += usize::from(together.iter().any(|&slot| self.in_cycle(slot)));
                busy |= !together.is_empty();
                for slot in together {
                    self.ask(slot, Want::Exit);
                }
            }
            if !busy && !self.start(seen) {
                return;
            }
        }
        panic!("the round has no end");
    }

    fn in_cycle(&self, slot: usize) -> bool {
        self.here().any(|(other, _)| other != slot && self.reaches(slot, other) && self.reaches(other, slot))
    }

    /// Starts the first service that waits for nothing.
    fn start(&mut self, seen: &mut Seen) -> bool {
        for slot in 0..=PROGRAM {
            let Some(service) = &self.services[slot] else { continue };
            if service.life != Life::Off || !service.wanted() {
                continue;
            }
            let may = self.may_start(slot, service);
            assert_eq!(self.graph.holds(slot), !may, "{slot} {service:?}");
            assert_eq!(self.graph.waits_for(slot).next().is_some(), !may, "{slot} {service:?}");
            seen.held += usize::from(!may);
            if may || service.alone {
                seen.starts += 1;
                let service = self.services[slot].as_mut().unwrap();
                (service.life, service.alone) = (Life::Starting, false);
                return true;
            }
        }
        false
    }

    /// The tree has looked at its directory, and reports the flaws.
    fn report(&mut self, seen: &mut Seen) {
        let mut unknown = BTreeSet::new();
        let mut itself = BTreeSet::new();
        for (slot, service) in self.here().filter(|(slot, service)| *slot != PROGRAM && !service.vanished) {
            for &need in &service.needs {
                match self.named(need) {
                    None => _ = unknown.insert((service.number, need)),
                    Some(other) if other == slot => _ = itself.insert(service.number),
                    Some(_) => {}
                }
            }
        }
        let here: Vec<Service> =
            self.here().map(|(_, service)| service.clone()).filter(|service| !service.vanished).collect();
        let find = |name: &[u8]| here.iter().find(|service| service.name.as_bytes() == name).unwrap();
        let mut cycles = self.cycles.clone();
        cycles.retain(|cycle| {
            let all: Vec<&Service> = cycle
                .iter()
                .filter_map(|number| here.iter().find(|service| service.number == *number))
                .collect();
            all.len() == cycle.len()
                && (0..all.len()).all(|at| all[at].needs.contains(&all[(at + 1) % all.len()].name))
        });
        let (mut reported_unknown, mut reported_itself) =
            (std::mem::take(&mut self.unknown), std::mem::take(&mut self.itself));
        reported_unknown.retain(|flaw| unknown.contains(flaw));
        reported_itself.retain(|flaw| itself.contains(flaw));
        self.graph.flaws(|flaw| {
            seen.flaws += 1;
            match flaw {
                Flaw::Unknown { service, need } => {
                    let need = NAMES.iter().find(|name| name.as_bytes() == *need).unwrap();
                    assert!(
                        reported_unknown.insert((find(service).number, need)),
                        "{flaw:?} is reported twice"
                    );
                }
                Flaw::Itself { service } => {
                    assert!(reported_itself.insert(find(service).number), "{flaw:?} is reported twice");
                }
                Flaw::Cycle(names) => {
                    let all: Vec<usize> = names.iter().map(|name| find(name).number).collect();
                    for (at, name) in names.iter().enumerate() {
                        let next = std::str::from_utf8(names[(at + 1) % names.len()]).unwrap();
                        assert!(find(name).needs.contains(&next), "{flaw:?} is no cycle");
                    }
                    seen.cycles += 1;
                    assert!(cycles.insert(all), "{flaw:?} is reported twice");
                }
            }
        });
        assert_eq!((&reported_unknown, &reported_itself), (&unknown, &itself));
        (self.unknown, self.itself) = (unknown, itself);
        for (slot, service) in self.here() {
            let named = cycles.iter().flatten().any(|&number| number == service.number);
            assert_eq!(named, self.in_cycle(slot), "{service:?} {cycles:?}");
        }
        self.cycles = cycles;
    }

    fn happen(&mut self, chance: &mut Chance, seen: &mut Seen) {
        let slot = chance.below(SLOTS);
        let here = self.services[slot].is_some();
        let stopping = self.stop.is_some();
        match chance.below(16) {
            // The directory: new ones, others under the same name, other needs.
            0..=2 if !here => {
                let name = NAMES[chance.below(NAMES.len())];
                if let Some(other) = self.named(name) {
                    self.vanish(other);
                }
                self.put(slot, name, chance);
            }
            0 => self.vanish(slot),
            1 if self.services[slot].as_ref().is_some_and(|service| !service.vanished) => {
                self.need(slot, chance);
            }
            2 => self.report(seen),
            // Commands; a stop of the tree takes no orders back.
            3 if !stopping
                && here
                && self.services[slot].as_ref().is_some_and(|service| !service.vanished) =>
            {
                self.up(slot, seen);
            }
            4 if !stopping
                && self.services[slot].as_ref().is_some_and(|service| service.want != Want::Exit) =>
            {
                let alone = self.services[slot].as_mut().unwrap();
                alone.alone = alone.life == Life::Off;
                self.ask(slot, [Want::Up, Want::Once][chance.below(2)]);
            }
            5 if self.services[slot].as_ref().is_some_and(|service| service.want != Want::Exit) => {
                self.ask(slot, Want::Down);
            }
            6 if self.services[slot].as_ref().is_some_and(|service| service.want != Want::Exit) => {
                self.ask(slot, Want::Down);
                self.ask(slot, Want::Up);
            }
            7 if chance.one_in(4) => self.kill(slot),
            8 if self.services[PROGRAM].is_none() && !stopping && chance.one_in(4) => {
                self.put(PROGRAM, "", chance);
            }
            _ => self.live(chance.below(SLOTS + 1), chance),
        }
    }
}

#[test]
fn in_a_world_of_chance_nothing_starts_too_early_stops_too_early_or_hangs() {
    let mut seen = Seen::default();
    for seed in 0..10_000 {
        let mut chance = Chance(seed);
        let mut world = World::default();
        let first = chance.below(SLOTS + 1);
        for (slot, name) in NAMES.into_iter().enumerate().take(first) {
            world.put(slot, name, &mut chance);
        }
        for _ in 0..chance.below(60) {
            world.happen(&mut chance, &mut seen);
            world.round(&mut seen);
        }
        world.report(&mut seen);
        world.stop = Some(Stop::default());
        for _ in 0..chance.below(20) {
            world.round(&mut seen);
            world.happen(&mut chance, &mut seen);
        }
        // What does not end by itself now is killed in the end.
        let mut rounds = 0;
        while world.here().next().is_some() {
            world.round(&mut seen);
            (0..=PROGRAM).for_each(|slot| world.live(slot, &mut chance));
            rounds += 1;
            if rounds == 40 {
                let deaf = world
                    .here()
                    .any(|(_, service)| service.nature == Nature::Deaf && service.want == Want::Exit);
                assert!(deaf, "seed {seed}: it hangs");
                seen.hurried += 1;
                world.hurried = true;
                world.stop.as_mut().unwrap().hurry();
            }
            if rounds > 40 {
                (0..=PROGRAM).for_each(|slot| world.kill(slot));
            }
            assert!(rounds < 45, "seed {seed}: it hangs");
        }
        assert_eq!(world.graph.len(), 0, "seed {seed}");
    }
    // All of it has happened, and often.
    let Seen { starts, held, flaws, cycles, stopped, together, hurried, pulled } = seen;
    for count in [starts, held, flaws, cycles, stopped, together, hurried, pulled] {
        assert!(count > 1000, "{seen:?}");
    }
}
