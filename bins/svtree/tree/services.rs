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

/// A service that could not be opened yet, and why that was reported.
#[derive(Debug)]
pub(super) struct Waiting {
    found: Found,
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
    /// Hosts a service that was found, or tries that again in a while.
    pub(in crate::svtree) fn appear(&mut self, found: Found, now: Now) {
        self.waiting.retain(|waiting| waiting.found.name != found.name);
        self.host(Waiting { found, again: 0, told: None }, Patience::Brief, now);
    }

    fn host(&mut self, mut waiting: Waiting, patience: Patience, now: Now) {
        match self.template.open(&waiting.found, patience, now) {
            Ok(service) => {
                let Found { name, identity, .. } = waiting.found;
                self.serial = self.serial.wrapping_add(1);
                let hosted = Hosted::new(name.to_bytes(), identity, self.serial, service);
                let slot = self.slots.add(Box::new(hosted));
                self.awake.push(slot);
            }
            Err(refusal) => {
                let told = refusal.cause();
                if waiting.told.replace(told) != Some(told) {
                    refusal.warning(self.template.voice(waiting.found.name));
                }
                waiting.again = now.monotonic + AGAIN;
                self.waiting.push(waiting);
            }
        }
    }

    /// Tries again what could not be opened.
    pub(super) fn host_waiting(&mut self, now: Now) {
        let (due, rest) = std::mem::take(&mut self.waiting).into_iter().partition(|waiting: &Waiting| waiting.again <= now.monotonic);
        self.waiting = rest;
        let due: Vec<Waiting> = due;
        due.into_iter().for_each(|waiting| self.host(waiting, Patience::None, now));
    }

    /// The directory of a service is gone, or another one has its name.
    pub(in crate::svtree) fn vanish(&mut self, name: &CStr) {
        self.waiting.retain(|waiting| waiting.found.name != name);
        let Some(slot) = self.slots.named(name.to_bytes()) else { return };
        if let Some(hosted) = self.slots.get_mut(slot) {
            hosted.leaves = true;
            hosted.service.stop();
            self.wake(slot);
        }
    }
}
