//! The services by slot, name, and pid of a child. A slot keeps its number while its service is there.

use std::ffi::CStr;

use super::hosted::Hosted;
use super::ordered::Ordered;
use crate::supervise::CHILDREN;

/// The slot of the program of the container.
pub(super) const PROGRAM: usize = 0;

/// The hosted services.
#[derive(Debug, Default)]
pub(super) struct Slots {
    all: Vec<Option<Box<Hosted>>>,
    free: Vec<usize>,
    names: Ordered<&'static [u8], usize>,
    pids: Ordered<u32, usize>,
}

impl Slots {
    /// A slot for a service that is still to be opened.
    pub(super) fn reserve(&mut self) -> usize {
        self.reserve_program();
        self.free.pop().unwrap_or_else(|| {
            self.all.push(None);
            self.all.len() - 1
        })
    }

    /// Keeps the first slot for the program.
    pub(super) fn reserve_program(&mut self) {
        if self.all.is_empty() {
            self.all.push(None);
        }
    }

    /// A service is called so from now on.
    pub(super) fn rename(&mut self, slot: usize, name: &'static CStr) {
        let Some(hosted) = self.all.get_mut(slot).and_then(Option::as_deref_mut) else { return };
        let before = std::mem::replace(&mut hosted.name, name).to_bytes();
        if self.named(before) == Some(slot) {
            self.names.remove(before); // else another has it by now
        }
        self.names.set(name.to_bytes(), slot);
    }

    /// Gives up a slot for which no service was opened.
    pub(super) fn release(&mut self, slot: usize) {
        self.free.push(slot);
    }

    /// Puts a service into the slot that is reserved for it.
    pub(super) fn put(&mut self, slot: usize, hosted: Box<Hosted>) {
        self.names.set(hosted.name.to_bytes(), slot);
        self.all[slot] = Some(hosted);
    }

    /// Takes a service out. Its children, if there are any left, are nobody's.
    pub(super) fn take(&mut self, slot: usize) -> Option<Box<Hosted>> {
        let hosted = self.all.get_mut(slot)?.take()?;
        for pid in hosted.pids.into_iter().filter(|pid| *pid != 0) {
            self.pids.remove(&pid);
        }
        self.names.remove(hosted.name.to_bytes());
        self.free.push(slot);
        Some(hosted)
    }

    /// The service in a slot.
    pub(super) fn get(&self, slot: usize) -> Option<&Hosted> {
        self.all.get(slot)?.as_deref()
    }

    /// As [`Slots::get`].
    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut Hosted> {
        self.all.get_mut(slot)?.as_deref_mut()
    }

    /// The slot of the service of this name.
    pub(super) fn named(&self, name: &[u8]) -> Option<usize> {
        self.names.get(name)
    }

    /// The slot of the service whose child has this pid.
    pub(super) fn of_pid(&self, pid: u32) -> Option<usize> {
        self.pids.get(&pid)
    }

    /// The children of a service are these now.
    pub(super) fn set_pids(&mut self, slot: usize, pids: [u32; CHILDREN]) {
        let Some(hosted) = self.all.get_mut(slot).and_then(Option::as_deref_mut) else { return };
        if hosted.pids == pids {
            return;
        }
        for pid in std::mem::replace(&mut hosted.pids, pids) {
            // A pid may have passed to a child of another service by now.
            if pid != 0 && self.of_pid(pid) == Some(slot) {
                self.pids.remove(&pid);
            }
        }
        for pid in pids.into_iter().filter(|pid| *pid != 0) {
            self.pids.set(pid, slot);
        }
    }

    /// The slots that are in use, in the order of the names.
    pub(super) fn in_order(&self) -> impl Iterator<Item = usize> + '_ {
        self.names.iter().map(|(_, slot)| slot)
    }

    /// The name that follows `name` in their order, and its slot.
    pub(super) fn after(&self, name: Option<&[u8]>) -> Option<(&'static [u8], usize)> {
        self.names.after(name)
    }

    /// How many services there are.
    pub(super) fn count(&self) -> usize {
        self.names.count()
    }
}
