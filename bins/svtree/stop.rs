//! The order in which the services of a tree are stopped: the reverse of their needs, side by side where nothing
//! orders, as a pure value.
//!
//! - A service may be stopped once no other service that is left needs it. One that is over holds up nobody.
//! - The services of a cycle are stopped together, once nobody outside of it needs one of them.
//! - The program of the container is stopped before all others.
//!
//! Among the services that are left there is always one that may be stopped, or that is being stopped: cycles taken as
//! one, somebody is needed by nobody. That holds for any graph, so nothing that appears, vanishes or changes its
//! needs on the way can make the stop hang.

#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;

use std::collections::VecDeque;

use super::needs::{Graph, Way};

/// What orders the stop.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Order {
    #[default]
    Needs,
    /// Nothing any more.
    None,
}

/// The stop of a tree on its way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop {
    order: Order,
    /// By slot: the identity of the service that is asked to stop, or in `next`.
    asked: Vec<Option<usize>>,
    next: VecDeque<usize>,
    /// By slot: it may be in a cycle.
    knot: Vec<bool>,
    /// The change of the graph up to which this is right.
    changes: Option<usize>,
}

impl Stop {
    /// The next service that may be stopped now; it counts as asked to. None: wait until one is over.
    pub(crate) fn next(&mut self, graph: &Graph) -> Option<usize> {
        if self.changes != Some(graph.changes()) {
            self.look_at_all(graph);
        }
        loop {
            let slot = self.next.pop_front()?;
            if graph.identity(slot).is_some() {
                return Some(slot);
            }
        }
    }

    /// A service is over: it is removed from the graph.
    pub(crate) fn over(&mut self, graph: &mut Graph, slot: usize) {
        let known = self.changes == Some(graph.changes()) && graph.program().is_none();
        let mut needs = Vec::new();
        graph.each(slot, Way::Needs, &mut |need| needs.push(need));
        graph.remove(slot);
        if !known {
            return;
        }
        self.changes = Some(graph.changes());
        if self.order == Order::Needs {
            for need in needs {
                self.look_at(graph, need);
            }
        }
    }

    /// Patience is over: all that is left may be stopped now.
    pub(crate) fn hurry(&mut self) {
        self.order = Order::None;
        self.changes = None;
    }

    fn look_at_all(&mut self, graph: &Graph) {
        for slot in self.next.drain(..) {
            self.asked[slot] = None;
        }
        self.changes = Some(graph.changes());
        self.asked.resize(graph.slots(), None);
        self.knot = graph.knot();
        match (self.order, graph.program()) {
            (Order::Needs, Some(program)) => self.ask(graph, program),
            (Order::Needs, None) => (0..graph.slots()).for_each(|slot| self.look_at(graph, slot)),
            (Order::None, _) => (0..graph.slots()).for_each(|slot| self.ask(graph, slot)),
        }
    }

    fn look_at(&mut self, graph: &Graph, slot: usize) {
        if !graph.is_needed(slot) {
            self.ask(graph, slot);
        } else if self.knot[slot] {
            let dependents = graph.reached(slot, Way::Dependents);
            let needs = graph.reached(slot, Way::Needs);
            if dependents.iter().zip(&needs).all(|(&dependent, &need)| need || !dependent) {
                for slot in (0..dependents.len()).filter(|&slot| dependents[slot]) {
                    self.ask(graph, slot);
                    // All of its cycle are asked: there is nothing more to find out.
                    self.knot[slot] = false;
                }
            }
        }
    }

    fn ask(&mut self, graph: &Graph, slot: usize) {
        let service = graph.identity(slot);
        if service.is_some() && std::mem::replace(&mut self.asked[slot], service) != service {
            self.next.push_back(slot);
        }
    }
}
