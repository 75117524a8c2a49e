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
mod names;
#[cfg(test)]
pub(super) mod small;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::VecDeque;

use crate::supervise::Standing;
pub(crate) use flaws::Flaw;
use names::Names;
pub(crate) use walk::Way;

/// A name in the `needs` of a service.
#[derive(Clone, Debug)]
struct Need {
    name: usize,
    /// It is reported that no other service has the name.
    reported: bool,
}

#[derive(Clone, Debug, Default)]
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
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    services: Vec<Option<Service>>,
    count: usize,
    names: Names,
    /// The program of the container, which needs everything.
    program: Option<usize>,
    /// How many services are wanted up and not ready.
    coming: usize,
    queue: VecDeque<usize>,
    /// Counts the changes to services and needs, not to standings.
    changes: usize,
    flaws: flaws::Reported,
}

impl Graph {
    /// A service has appeared, or is looked at again: its name and its needs. A name counts once. If another service
    /// has the name, its directory is gone.
    pub(crate) fn set<'a>(&mut self, slot: usize, name: &[u8], needs: impl IntoIterator<Item = &'a [u8]>) {
        self.place(slot);
        if self.name(slot) != Some(name) {
            let standing = self.standing(slot);
            self.claim(slot, name);
            self.stands(slot, standing);
        }
        let mut new: Vec<usize> = Vec::new();
        for need in needs {
            let need = self.names.intern(need);
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
        self.names.release(name);
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
        let everything = (self.program == Some(slot)).then(|| self.names.in_order());
        let coming = everything.into_iter().flatten().filter(|&name| {
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
        if self.service(slot).is_none() {
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
        self.names[self.names.find(name)?].holder
    }

    /// The name of a service, as long as its directory is there.
    pub(crate) fn name(&self, slot: usize) -> Option<&[u8]> {
        Some(&self.names[self.service(slot)?.name?].text)
    }

    /// The services in the order of their names.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = usize> {
        self.names.in_order().filter_map(|name| self.names[name].holder)
    }

    /// How many services there are, with the program and those whose directory is gone.
    #[cfg(test)]
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
        let name = self.names.intern(name);
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
            self.names.release(need.name);
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
}

/// Counts the work, for the tests.
fn step() {
    #[cfg(test)]
    small::STEPS.set(small::STEPS.get() + 1);
}
