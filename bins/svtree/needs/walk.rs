//! Walks through the graph.

use super::{Graph, step};

/// A direction in the graph.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    /// From a service to those that it needs.
    Needs,
    /// From a service to those that need it.
    Dependents,
}

impl Graph {
    /// Visits the neighbours of a service, itself excepted.
    pub(crate) fn each(&self, slot: usize, way: Way, visit: &mut dyn FnMut(usize)) {
        let Some(service) = self.service(slot) else { return };
        let mut visit_other = |other| {
            step();
            if other != slot {
                visit(other);
            }
        };
        match way {
            Way::Needs => {
                service.needs.iter().filter_map(|need| self.names[need.name].holder).for_each(visit_other);
            }
            Way::Dependents => {
                let Some(name) = service.name else { return };
                self.names[name].needed_by.iter().for_each(|&other| visit_other(other));
            }
        }
    }

    /// Whether another service needs it.
    pub(crate) fn is_needed(&self, slot: usize) -> bool {
        // At most one is itself.
        let needed_by =
            self.service(slot).and_then(|service| service.name).map(|name| &self.names[name].needed_by);
        needed_by.is_some_and(|needed_by| needed_by.iter().take(2).any(|&other| other != slot))
    }

    /// All that is reached from a service, itself included, by slot.
    pub(crate) fn reached(&self, slot: usize, way: Way) -> Vec<bool> {
        let mut reached = vec![false; self.services.len()];
        reached[slot] = true;
        let mut left = vec![slot];
        while let Some(at) = left.pop() {
            self.each(at, way, &mut |other| {
                if !std::mem::replace(&mut reached[other], true) {
                    left.push(other);
                }
            });
        }
        reached
    }

    /// The services that are in a cycle or between two, by slot: what is left once all were taken away that need
    /// nobody, or nobody needs, again and again.
    pub(crate) fn knot(&self) -> Vec<bool> {
        let mut knot: Vec<bool> = self.services.iter().map(Option::is_some).collect();
        self.peel(&mut knot, Way::Needs);
        self.peel(&mut knot, Way::Dependents);
        knot
    }

    fn peel(&self, knot: &mut [bool], way: Way) {
        let back = if way == Way::Needs { Way::Dependents } else { Way::Needs };
        let mut degree = vec![0_usize; knot.len()];
        for (slot, degree) in degree.iter_mut().enumerate() {
            self.each(slot, way, &mut |other| *degree += usize::from(knot[other]));
        }
        let mut loose: Vec<usize> = (0..knot.len()).filter(|&slot| knot[slot] && degree[slot] == 0).collect();
        while let Some(slot) = loose.pop() {
            knot[slot] = false;
            self.each(slot, back, &mut |other| {
                degree[other] -= 1;
                if degree[other] == 0 && knot[other] {
                    loose.push(other);
                }
            });
        }
    }
}
