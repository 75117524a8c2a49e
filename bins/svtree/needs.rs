//! Which service needs which, and for whom each of them waits: a pure value.
//!
//! The tree reports what it sees: services ([`Graph::set`]), their standing ([`Graph::stands`]), the end of each
//! ([`Graph::vanish`], [`Graph::remove`]). The graph answers with the services to look at again
//! ([`Graph::next_changed`]): only those that a change concerns, however many there are.
//!
//! A need is a name. Whether a service has that name, or will have it later, is no concern of the one that waits for
//! it. Hence a need that no service has, a need of oneself and a cycle hold back exactly those concerned, and what
//! needs these, without a rule of their own; they are reported by [`Graph::flaws`].

mod flaws;
#[cfg(test)]
pub(super) mod small;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crate::supervise::Standing;

/// A name that a service has, or that one needs.
#[derive(Debug, Default)]
struct Name {
    text: Box<[u8]>,
    /// The service of that name.
    holder: Option<usize>,
    /// The services that need it, in the order of slots.
    needed_by: Vec<usize>,
}

/// A name in the `needs` of a service.
#[derive(Debug)]
struct Need {
    name: usize,
    /// It is reported that no other service has the name.
    reported: bool,
}

#[derive(Debug, Default)]
struct Service {
    /// None: nobody can need it. The program, and a service whose directory is gone.
    name: Option<usize>,
    needs: Box<[Need]>,
    /// How many of its needs are not ready.
    missing: usize,
    standing: Standing,
    /// The change with which it appeared.
    born: usize,
    /// It is in the queue of those to look at.
    queued: bool,
}

/// The services of a tree and their needs.
///
/// Services are known by their slot, a small number that stays the same as long as the service exists.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    services: Vec<Option<Service>>,
    count: usize,
    names: Vec<Name>,
    /// The names that are in use, in the order of bytes.
    by_name: Vec<usize>,
    /// The places in `names` that are not in use.
    unused: Vec<usize>,
    /// The program of the container, which needs everything.
    program: Option<usize>,
    /// How many services are wanted up and not ready.
    coming: usize,
    queue: VecDeque<usize>,
    /// Counts the changes to services and needs, not to standings.
    changes: usize,
    flaws: flaws::Reported,
}

/// A direction in the graph.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Way {
    /// From a service to those that it needs.
    Needs,
    /// From a service to those that need it.
    Dependents,
}

impl Graph {
    /// A service has appeared, or is looked at again: its name and its needs. A name counts once. If another service
    /// has the name, its directory is gone.
    pub(crate) fn set<'a>(&mut self, slot: usize, name: &[u8], needs: impl IntoIterator<Item = &'a [u8]>) {
        self.place(slot);
        if self.name(slot) != Some(name) {
            self.claim(slot, name);
        }
        let mut new: Vec<usize> = Vec::new();
        for need in needs {
            let need = self.intern(need);
            if !new.contains(&need) {
                new.push(need);
            }
        }
        self.set_needs(slot, &new);
    }

    /// The program of the container is in this slot: it has no name, waits until no service is coming any more, and
    /// is stopped before all others.
    pub(crate) fn set_program(&mut self, slot: usize) {
        self.place(slot);
        self.program = Some(slot);
        self.changes += 1;
        self.look_at(slot);
    }

    /// The directory of a service is gone: nobody can need it any more. Its own needs count until it is over.
    pub(crate) fn vanish(&mut self, slot: usize) {
        self.stands(slot, Standing::Down);
        let Some(name) = self.service_mut(slot).and_then(|service| service.name.take()) else { return };
        self.names[name].holder = None;
        self.release(name);
        self.flaws.forget(slot);
        self.changes += 1;
    }

    /// A service is over. The slot is free.
    pub(crate) fn remove(&mut self, slot: usize) {
        self.vanish(slot);
        if self.service(slot).is_none() {
            return;
        }
        self.set_needs(slot, &[]);
        self.services[slot] = None;
        self.count -= 1;
        self.changes += 1;
        self.program = self.program.filter(|&program| program != slot);
    }

    /// How far a service is now.
    pub(crate) fn stands(&mut self, slot: usize, standing: Standing) {
        let Some(service) = self.service_mut(slot) else { return };
        let Some(name) = service.name else { return };
        let was = std::mem::replace(&mut service.standing, standing);
        if was == standing {
            return;
        }
        self.coming += usize::from(standing == Standing::Coming);
        self.coming -= usize::from(was == Standing::Coming);
        if let Some(program) = self.program {
            self.look_at(program);
        }
        if was != Standing::Ready && standing != Standing::Ready {
            return;
        }
        for at in 0..self.names[name].needed_by.len() {
            let dependent = self.names[name].needed_by[at];
            step();
            if let Some(service) = self.service_mut(dependent) {
                if standing == Standing::Ready {
                    service.missing -= 1;
                } else {
                    service.missing += 1;
                }
            }
            self.look_at(dependent);
        }
    }

    /// The next service that has to be looked at: it is new, or one of its needs has changed.
    pub(crate) fn next_changed(&mut self) -> Option<usize> {
        loop {
            let slot = self.queue.pop_front()?;
            if let Some(service) = self.service_mut(slot) {
                service.queued = false;
                return Some(slot);
            }
        }
    }

    /// Whether a service has to wait with a start.
    pub(crate) fn holds(&self, slot: usize) -> bool {
        if self.program == Some(slot) {
            return self.coming > 0;
        }
        self.service(slot).is_some_and(|service| service.missing > 0)
    }

    /// The names for which it waits, in the order of its file.
    pub(crate) fn waits_for(&self, slot: usize) -> impl Iterator<Item = &[u8]> {
        let everything: &[usize] = if self.program == Some(slot) { &self.by_name } else { &[] };
        let coming = everything.iter().copied().filter(|&name| {
            self.names[name].holder.is_some_and(|holder| self.standing(holder) == Standing::Coming)
        });
        let needs = self.service(slot).map_or(&[][..], |service| &service.needs);
        let missing = needs.iter().map(|need| need.name).filter(|&name| !self.is_ready(name));
        coming.chain(missing).map(|name| &*self.names[name].text)
    }

    /// What has to be started before a service, so that it can start: those of its needs, and of theirs, that are not
    /// `wanted` up, needs first.
    pub(crate) fn to_start(&self, slot: usize, wanted: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut order = Vec::new();
        if self.service(slot).is_none_or(|service| service.needs.is_empty()) {
            return order;
        }
        let mut seen = vec![false; self.services.len()];
        seen[slot] = true;
        let mut path = vec![(slot, 0)];
        while let Some((at, next)) = path.last_mut() {
            let Some(need) = self.service(*at).and_then(|service| service.needs.get(*next)) else {
                if *at != slot && !wanted(*at) {
                    order.push(*at);
                }
                path.pop();
                continue;
            };
            step();
            *next += 1;
            let Some(need) = self.names[need.name].holder else { continue };
            let done = wanted(need) && self.standing(need) == Standing::Ready;
            if !std::mem::replace(&mut seen[need], true) && !done {
                path.push((need, 0));
            }
        }
        order
    }

    /// The service of a name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<usize> {
        self.names[self.by_name[self.search(name).ok()?]].holder
    }

    /// The name of a service, as long as its directory is there.
    pub(crate) fn name(&self, slot: usize) -> Option<&[u8]> {
        Some(&self.names[self.service(slot)?.name?].text)
    }

    /// The services in the order of their names.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = usize> {
        self.by_name.iter().filter_map(|&name| self.names[name].holder)
    }

    /// How many services there are, with the program and those whose directory is gone.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The program of the container.
    pub(super) fn program(&self) -> Option<usize> {
        self.program
    }

    /// The slots, used or not.
    pub(super) fn slots(&self) -> usize {
        self.services.len()
    }

    /// Which service is in this slot, if there is one: a number that no other one had or will have.
    pub(super) fn identity(&self, slot: usize) -> Option<usize> {
        self.service(slot).map(|service| service.born)
    }

    /// A number that is another one after each change to services and needs.
    pub(super) fn changes(&self) -> usize {
        self.changes
    }

    /// Visits the neighbours of a service, itself excepted.
    pub(super) fn each(&self, slot: usize, way: Way, visit: &mut dyn FnMut(usize)) {
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
    pub(super) fn is_needed(&self, slot: usize) -> bool {
        // At most one is itself.
        let needed_by =
            self.service(slot).and_then(|service| service.name).map(|name| &self.names[name].needed_by);
        needed_by.is_some_and(|needed_by| needed_by.iter().take(2).any(|&other| other != slot))
    }

    /// All that is reached from a service, itself included, by slot.
    pub(super) fn reached(&self, slot: usize, way: Way) -> Vec<bool> {
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
    pub(super) fn knot(&self) -> Vec<bool> {
        let mut knot: Vec<bool> = self.services.iter().map(Option::is_some).collect();
        self.peel(&mut knot, Way::Needs);
        self.peel(&mut knot, Way::Dependents);
        knot
    }

    fn peel(&self, knot: &mut [bool], way: Way) {
        let back = if way == Way::Needs { Way::Dependents } else { Way::Needs };
        let mut degree = vec![0_usize; knot.len()];
        for slot in 0..knot.len() {
            self.each(slot, way, &mut |other| degree[slot] += usize::from(knot[other]));
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

    fn service(&self, slot: usize) -> Option<&Service> {
        self.services.get(slot)?.as_ref()
    }

    fn service_mut(&mut self, slot: usize) -> Option<&mut Service> {
        self.services.get_mut(slot)?.as_mut()
    }

    fn standing(&self, slot: usize) -> Standing {
        self.service(slot).map_or(Standing::Down, |service| service.standing)
    }

    fn is_ready(&self, name: usize) -> bool {
        self.names[name].holder.is_some_and(|holder| self.standing(holder) == Standing::Ready)
    }

    fn look_at(&mut self, slot: usize) {
        if let Some(service) = self.service_mut(slot) {
            if !std::mem::replace(&mut service.queued, true) {
                self.queue.push_back(slot);
            }
        }
    }

    /// Makes a service where none is.
    fn place(&mut self, slot: usize) {
        if self.services.len() <= slot {
            self.services.resize_with(slot + 1, || None);
        }
        if self.services[slot].is_none() {
            self.changes += 1;
            self.services[slot] = Some(Service { born: self.changes, ..Service::default() });
            self.count += 1;
            self.look_at(slot);
        }
    }

    /// Gives a service a name, which it takes from another one.
    fn claim(&mut self, slot: usize, name: &[u8]) {
        self.vanish(slot);
        if let Some(other) = self.find(name) {
            self.vanish(other);
        }
        let name = self.intern(name);
        self.names[name].holder = Some(slot);
        if let Some(service) = self.service_mut(slot) {
            service.name = Some(name);
        }
        self.changes += 1;
    }

    fn set_needs(&mut self, slot: usize, new: &[usize]) {
        let Some(service) = self.service_mut(slot) else { return };
        if service.needs.iter().map(|need| need.name).eq(new.iter().copied()) {
            return;
        }
        let mut old = std::mem::take(&mut service.needs);
        old.sort_unstable_by_key(|need| need.name);
        for need in &old {
            let needed_by = &mut self.names[need.name].needed_by;
            if let Ok(at) = needed_by.binary_search(&slot) {
                needed_by.remove(at);
            }
        }
        for &name in new {
            let needed_by = &mut self.names[name].needed_by;
            if let Err(at) = needed_by.binary_search(&slot) {
                needed_by.insert(at, slot);
            }
        }
        for need in &old {
            self.release(need.name);
        }
        let missing = new.iter().filter(|&&name| !self.is_ready(name)).count();
        if let Some(service) = self.service_mut(slot) {
            service.missing = missing;
            service.needs = (new.iter())
                .map(|&name| {
                    let known = old.binary_search_by_key(&name, |need| need.name);
                    Need { name, reported: known.is_ok_and(|at| old[at].reported) }
                })
                .collect();
        }
        self.changes += 1;
        self.look_at(slot);
    }

    /// Where a name is in `by_name`, or would be.
    fn search(&self, name: &[u8]) -> Result<usize, usize> {
        self.by_name.binary_search_by(|&id| {
            step();
            (*self.names[id].text).cmp(name)
        })
    }

    /// The place of a name in `names`.
    fn intern(&mut self, name: &[u8]) -> usize {
        let at = match self.search(name) {
            Ok(at) => return self.by_name[at],
            Err(at) => at,
        };
        let id = self.unused.pop().unwrap_or_else(|| {
            self.names.push(Name::default());
            self.names.len() - 1
        });
        self.names[id].text = name.into();
        self.by_name.insert(at, id);
        id
    }

    /// Forgets a name that no service has and none needs.
    fn release(&mut self, id: usize) {
        let name = &self.names[id];
        if name.holder.is_some() || !name.needed_by.is_empty() {
            return;
        }
        if let Ok(at) = self.search(&self.names[id].text) {
            self.by_name.remove(at);
            self.names[id] = Name::default();
            self.unused.push(id);
        }
    }
}

/// Counts the work, for the tests.
fn step() {
    #[cfg(test)]
    small::STEPS.set(small::STEPS.get() + 1);
}
