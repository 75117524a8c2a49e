//! For the tests: all graphs of a few services, and what is true of them by definition.

use std::cell::Cell;

use super::Graph;

thread_local! {
    /// The work so far: see [`super::step`].
    pub(crate) static STEPS: Cell<usize> = const { Cell::new(0) };
}

/// How much work something is.
pub(crate) fn steps(work: impl FnOnce()) -> usize {
    let before = STEPS.get();
    work();
    STEPS.get() - before
}

pub(crate) const NAMES: [&[u8]; 4] = [b"a", b"b", b"c", b"d"];

/// A set of services, a bit each.
pub(crate) type Set = usize;

pub(crate) fn members(set: Set) -> impl Iterator<Item = usize> {
    (0..usize::BITS as usize).filter(move |&slot| set >> slot & 1 == 1)
}

/// What each of a few services needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Small {
    pub(crate) count: usize,
    needs: [Set; 4],
}

impl Small {
    /// All graphs of `count` services; `itself`: also those in which one needs itself.
    pub(crate) fn all(count: usize, itself: bool) -> impl Iterator<Item = Self> {
        (0..1_usize << (count * count))
            .map(move |bits| {
                let mut needs = [0; 4];
                for (slot, needs) in needs.iter_mut().enumerate().take(count) {
                    *needs = bits >> (slot * count) & ((1 << count) - 1);
                }
                Self { count, needs }
            })
            .filter(move |small| itself || (0..count).all(|slot| small.needs[slot] >> slot & 1 == 0))
    }

    pub(crate) fn everyone(&self) -> Set {
        (1 << self.count) - 1
    }

    pub(crate) fn needs(&self, slot: usize) -> Set {
        self.needs[slot]
    }

    pub(crate) fn dependents(&self, slot: usize) -> Set {
        (0..self.count).filter(|&other| self.needs[other] >> slot & 1 == 1).map(|other| 1 << other).sum()
    }

    /// What a service of `left` needs, also by way of others of `left`.
    pub(crate) fn transitive(&self, slot: usize, left: Set) -> Set {
        let mut all = self.needs[slot] & left;
        loop {
            let more = members(all).fold(all, |more, slot| more | self.needs[slot] & left);
            if more == all {
                return all;
            }
            all = more;
        }
    }

    /// Puts it in a graph, service number n in the slot `slots[n]`, the last one first.
    pub(crate) fn graph(&self, slots: [usize; 4]) -> Graph {
        let mut graph = Graph::default();
        for slot in (0..self.count).rev() {
            graph.set(slots[slot], NAMES[slot], members(self.needs[slot]).map(|need| NAMES[need]));
        }
        graph
    }
}

pub(crate) const STRAIGHT: [usize; 4] = [0, 1, 2, 3];

/// The services to look at.
pub(crate) fn drain(graph: &mut Graph) -> Set {
    let mut set = 0;
    while let Some(slot) = graph.next_changed() {
        assert_eq!(set >> slot & 1, 0, "{slot} is looked at twice");
        set |= 1 << slot;
    }
    set
}
