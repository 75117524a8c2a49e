//! What is wrong with the needs of a tree: each flaw is reported once, until it is gone.

use std::collections::VecDeque;

use super::{Graph, Way};

/// Something because of which a service never starts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Flaw<'a> {
    /// It needs a name that no service has.
    Unknown { service: &'a [u8], need: &'a [u8] },
    /// It needs itself.
    Itself { service: &'a [u8] },
    /// Each of these needs the next one, and the last one the first, which has the least name.
    Cycle(Vec<&'a [u8]>),
}

impl Flaw<'_> {
    /// The words for it, without an end of line.
    pub(crate) fn words(&self) -> Vec<u8> {
        match self {
            Self::Unknown { service, need } => {
                [service, &b": needs "[..], need, b": no such service"].concat()
            }
            Self::Itself { service } => [service, &b": needs itself"[..]].concat(),
            Self::Cycle(names) => {
                let mut words = b"needs in a cycle: ".to_vec();
                for name in names {
                    words.extend_from_slice(name);
                    words.extend_from_slice(b" -> ");
                }
                words.extend_from_slice(names.first().unwrap_or(&&b""[..]));
                words
            }
        }
    }
}

/// What was reported.
#[derive(Clone, Debug, Default)]
pub(super) struct Reported {
    /// The cycles, as slots, each of which needs the next.
    cycles: Vec<Vec<usize>>,
    /// The graph had seen this many changes.
    changes: usize,
}

impl Reported {
    /// A service is another one from now on.
    pub(super) fn forget(&mut self, slot: usize) {
        self.cycles.retain(|cycle| !cycle.contains(&slot));
    }
}

impl Graph {
    /// Reports the flaws that are new since the last call, in the order of names; once the directory was looked at, so
    /// that a service may appear after the one that needs it.
    ///
    /// Of the cycles there may be more than anybody can read. Each service that is in one is named at least once, in
    /// the shortest; the others are reported when that is gone.
    pub(crate) fn flaws(&mut self, mut report: impl FnMut(&Flaw<'_>)) {
        if std::mem::replace(&mut self.flaws.changes, self.changes) == self.changes {
            return;
        }
        self.report_needs(&mut report);
        let mut cycles = std::mem::take(&mut self.flaws.cycles);
        cycles.retain(|cycle| self.is_cycle(cycle));
        let knot = self.knot();
        let mut named = vec![false; knot.len()];
        cycles.iter().flatten().for_each(|&slot| named[slot] = true);
        for slot in self.in_order() {
            if !knot[slot] || named[slot] {
                continue;
            }
            let Some(cycle) = self.shortest_cycle(slot, &knot) else { continue };
            report(&Flaw::Cycle(cycle.iter().filter_map(|&slot| self.name(slot)).collect()));
            for &slot in &cycle {
                named[slot] = true;
            }
            cycles.push(cycle);
        }
        self.flaws.cycles = cycles;
    }

    fn report_needs(&mut self, report: &mut impl FnMut(&Flaw<'_>)) {
        for name in self.names.in_order() {
            let Some(slot) = self.names[name].holder else { continue };
            let Some(service) = self.services[slot].as_mut() else { continue };
            let text = &*self.names[name].text;
            for need in &mut service.needs {
                let other = &self.names[need.name];
                let flaw = match other.holder {
                    None => Flaw::Unknown { service: text, need: &other.text },
                    Some(holder) if holder == slot => Flaw::Itself { service: text },
                    Some(_) => {
                        need.reported = false;
                        continue;
                    }
                };
                if !std::mem::replace(&mut need.reported, true) {
                    report(&flaw);
                }
            }
        }
    }

    fn is_cycle(&self, cycle: &[usize]) -> bool {
        cycle.iter().zip(cycle.iter().cycle().skip(1)).all(|(&slot, &next)| {
            let mut found = false;
            self.each(slot, Way::Needs, &mut |other| found |= other == next);
            found
        })
    }

    /// The shortest cycle that a service is in, from the least name on.
    fn shortest_cycle(&self, slot: usize, knot: &[bool]) -> Option<Vec<usize>> {
        let mut from = vec![None; knot.len()];
        let mut left = VecDeque::from([slot]);
        while let Some(at) = left.pop_front() {
            let mut closed = false;
            self.each(at, Way::Needs, &mut |other| {
                closed |= other == slot;
                if knot[other] && other != slot && from[other].is_none() {
                    from[other] = Some(at);
                    left.push_back(other);
                }
            });
            if closed {
                let mut cycle: Vec<usize> =
                    std::iter::successors(Some(at), |&at| from[at].filter(|_| at != slot)).collect();
                cycle.reverse();
                let least = (0..cycle.len()).min_by_key(|&at| self.name(cycle[at]))?;
                cycle.rotate_left(least);
                return Some(cycle);
            }
        }
        None
    }
}
