//! The services of a tree: which there are, and what a change of one means for the others.

use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use common::supervise::Death;
use common::{Voice, Words, fds};
use nix::errno::Errno;

use super::Tree;
use crate::supervise::{self, Ends, Now, Options, Orphans, Patience, PidSpace, Places, Supervised};
use crate::svtree::hosted::{Hosted, Identity};

/// How many services are opened in a round.
const ROUND: usize = 16;
/// How much of a file `needs` is read.
const NEEDS: usize = 8192;
/// How long until a service that could not be opened is tried again, in milliseconds.
const AGAIN: u64 = 1000;

/// What all services of a tree have in common.
#[derive(Debug)]
pub(in crate::svtree) struct Template {
    /// The name that the tree was called by.
    pub(in crate::svtree) called: &'static [u8],
    /// The environment of their programs.
    pub(in crate::svtree) env: Words,
    /// The scan directory, from the root.
    pub(in crate::svtree) path: PathBuf,
    /// Where their state directories lie, if that is not in their own.
    pub(in crate::svtree) state: Option<OwnedFd>,
}

/// A service that was found in the scan directory.
#[derive(Debug)]
pub(in crate::svtree) struct Found {
    /// Its name.
    pub(in crate::svtree) name: &'static CStr,
    /// Its directory.
    pub(in crate::svtree) directory: OwnedFd,
    /// Which directory that is.
    pub(in crate::svtree) identity: Identity,
}

/// A service that is to be hosted, and why that could not be done, if that was reported.
#[derive(Debug)]
pub(super) struct Waiting {
    found: Found,
    slot: usize,
    /// When it is tried.
    again: u64,
    told: Option<Told>,
}

/// What could not be done, and why.
type Told = (&'static str, Option<Errno>);

impl Template {
    /// Opens a service.
    fn open(&self, found: &Found, patience: Patience, now: Now) -> Result<Box<Supervised>, Refusal> {
        let service = found.directory.try_clone().map_err(|_| unable("open its directory", Errno::EMFILE))?;
        let state = match &self.state {
            Some(all) => Some(self.state_of(all, found).map_err(|errno| unable("make its state directory", errno))?),
            None => None,
        };
        let space = PidSpace::now().map_err(|errno| unable("identify the boot and the namespaces", errno))?;
        let options = Options {
            voice: self.voice(found.name),
            env: self.env.clone(),
            supervisor: std::process::id(),
            space,
            ends: Ends::WhenAsked,
            orphans: Orphans::Anybodys,
            patience,
            notify: None,
        };
        Supervised::open(Places { service, state }, options, now)
    }

    fn state_of(&self, all: &OwnedFd, found: &Found) -> nix::Result<OwnedFd> {
        supervise::make_directory(all, found.name, 0o755)?;
        let state = fds::open_directory(all.as_fd(), found.name)?;
        let path = self.path.join(OsStr::from_bytes(found.name.to_bytes()));
        supervise::link_beside(&state, &found.directory, &path)?;
        Ok(state)
    }

    /// The prefix of messages about a service.
    fn voice(&self, name: &'static CStr) -> Voice {
        Voice { called: self.called, directory: name.to_bytes(), part: b"" }
    }
}

fn unable(what: &'static str, errno: Errno) -> Refusal {
    Refusal::unable(common::supervise::Part::Service, what, errno)
}

impl Tree {
    /// A service was found: it is hosted in a moment.
    pub(in crate::svtree) fn appear(&mut self, found: Found) {
        let slot = self.slots.reserve();
        self.read_needs(slot, &found);
        self.waiting.push_back(Waiting { found, slot, again: 0, told: None });
    }

    /// The directory of a service is gone, or another one has its name.
    pub(in crate::svtree) fn vanish(&mut self, name: &CStr, now: Now) {
        if let Some(at) = self.waiting.iter().position(|waiting| waiting.found.name == name) {
            if let Some(waiting) = self.waiting.remove(at) {
                self.graph.remove(waiting.slot);
                self.slots.release(waiting.slot);
            }
        }
        let Some(slot) = self.slots.named(name.to_bytes()) else { return };
        self.graph.vanish(slot);
        if let Some(hosted) = self.slots.get_mut(slot) {
            hosted.leaves = true;
            hosted.service.stop();
            self.wake(slot);
        }
    }

    /// Hosts those that are due, but no more in a round than leave the others their turn.
    pub(super) fn host_waiting(&mut self, now: Now) {
        for _ in 0..self.waiting.len().min(ROUND) {
            match self.waiting.pop_front() {
                Some(waiting) if waiting.again <= now.monotonic => self.host(waiting, now),
                Some(waiting) => self.waiting.push_back(waiting),
                None => return,
            }
        }
    }

    /// When the first of them is due.
    pub(super) fn waiting_deadline(&self) -> Option<u64> {
        self.waiting.iter().map(|waiting| waiting.again).min()
    }

    fn host(&mut self, mut waiting: Waiting, now: Now) {
        let held = self.graph.holds(waiting.slot);
        match self.template.open(&waiting.found, held, now) {
            Ok(service) => {
                let Found { name, identity, .. } = waiting.found;
                self.serial = self.serial.wrapping_add(1);
                let mut hosted = Hosted::new(name.to_bytes(), identity, self.serial, service);
                hosted.service.listen(self.clients.has_followers());
                self.slots.put(waiting.slot, Box::new(hosted));
                self.awake.push(waiting.slot);
            }
            Err(refusal) => {
                let told = refusal.cause();
                if waiting.told.replace(told) != Some(told) {
                    refusal.warning(self.template.voice(waiting.found.name));
                }
                waiting.again = now.monotonic + AGAIN;
                self.waiting.push_back(waiting);
            }
        }
    }

    /// Reads whom a service needs.
    fn read_needs(&mut self, slot: usize, found: &Found) {
        let mut buffer = [0; NEEDS];
        let text = match door::read_file(found.directory.as_fd(), c"needs", Owner::Any, &mut buffer) {
            Ok(text) => text,
            Err(Errno::ENOENT) => b"",
            Err(errno) => {
                self.template.voice(found.name).unable_so(&[b"read needs"], errno, b"starting without");
                b""
            }
        };
        let names = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty());
        self.graph.set(slot, found.name.to_bytes(), names);
    }

    /// Something may have changed for a service: those that need it are looked at next.
    pub(super) fn changed(&mut self, slot: usize, now: Now) {
        self.publish(slot);
        let Some(hosted) = self.slots.get_mut(slot) else { return };
        let standing = hosted.service.standing();
        hosted.standing = standing;
        if !hosted.leaves {
            self.graph.stands(slot, standing);
        }
        if let Some(death) = hosted.service.ended() {
            if supervise::exists(hosted.service.directory(), c"essential") {
                self.end_with(exit_status(death), now);
            }
        }
    }

    /// Holds back those whose needs are not met, and lets the others start.
    pub(super) fn hold_or_release(&mut self, now: Now) {
        while let Some(slot) = self.graph.next_changed() {
            let names: Vec<&[u8]> = self.graph.waits_for(slot).collect();
            let Some(hosted) = self.slots.get_mut(slot) else { continue };
            if names.is_empty() {
                hosted.service.release(now);
            } else {
                hosted.service.hold_back(&names.join(&b' '), now);
            }
            self.wake(slot);
        }
        let voice = self.voice;
        for flaw in self.graph.new_flaws() {
            voice.warning(&[&flaw.words()]);
        }
    }

    /// Lets those start that a service needs, and that are not wanted up.
    pub(super) fn start_needs(&mut self, slot: usize, now: Now) {
        let slots = &self.slots;
        let wanted = |slot: usize| slots.get(slot).is_some_and(|hosted| hosted.service.is_wanted());
        for need in self.graph.to_start(slot, wanted) {
            if let Some(hosted) = self.slots.get_mut(need) {
                hosted.service.up(now);
                self.wake(need);
            }
        }
    }

    /// Lets a service start, whatever it needs.
    pub(super) fn start_alone(&mut self, slot: usize, now: Now) {
        if let Some(hosted) = self.slots.get_mut(slot) {
            hosted.service.release(now);
            self.wake(slot);
        }
    }
}
