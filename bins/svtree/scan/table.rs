//! The names of a scan directory, and what they stand for: a value without system calls.

use std::cmp::Ordering;
use std::ffi::{CStr, CString};

use common::identity::Identity;

/// What follows the first `@` of a service's name: the first argument of its run.
pub(crate) fn argument(name: &CStr) -> Option<&[u8]> {
    let name = name.to_bytes();
    name.iter().position(|byte| *byte == b'@').map(|at| &name[at + 1..])
}

/// Whether a name can be that of a service: none that is hidden, and no template.
pub(crate) fn is_service(name: &CStr) -> bool {
    !name.to_bytes().starts_with(b".") && !is_template(name.to_bytes())
}

/// Whether a name is that of a template: a directory to which its instances are links.
pub(super) fn is_template(name: &[u8]) -> bool {
    name.ends_with(b"@")
}

/// A service is stopped when it was missing at two looks in a row, or at this many where names were changed meanwhile.
const MISSING: u16 = 1000;
/// How many of these a look counts for during which no name was changed.
const SURE: u16 = MISSING / 2;

/// What is made of a name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    /// Nothing yet.
    New,
    /// Nothing yet: there is nothing to run, or it is being written, since then (milliseconds). The watch on it.
    Half { growing: Option<u64>, watch: Option<i32> },
    /// Nothing: its directory is hosted by another name.
    Twin,
    /// Nothing: it could not be opened, or not be hosted.
    Refused,
    /// The service with this identity; `missing` grows with each look that did not see it.
    Hosted { identity: Identity, missing: u16 },
    /// A service that was told to end, and has not.
    Leaving { identity: Identity },
}

/// A name.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: CString,
    /// The directory that has this name.
    pub(super) at: Option<Identity>,
    pub(super) state: State,
    /// To be looked up, and into.
    pub(super) dirty: bool,
    seen: bool,
}

impl Entry {
    /// The service that is called so, if one is hosted or ends.
    fn service(&self) -> Option<Identity> {
        match self.state {
            State::Hosted { identity, .. } | State::Leaving { identity } => Some(identity),
            _ => None,
        }
    }

    /// Whether the name stands for a directory of which nothing was made so far.
    pub(super) fn is_pending(&self) -> bool {
        self.service().is_none()
    }
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// The service of the first entry is the second's from now on, and the other way round.
    Renamed(usize, usize),
    /// The service has to end.
    Vanished(usize),
    /// The directory is hosted by the name of the second entry.
    Twin(usize, usize),
    /// The directory is to be looked into.
    Open(usize),
}

/// The names, in their order.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) entries: Vec<Entry>,
    sorted: usize,
    moved: usize,
    opened: usize,
    /// A service was not seen, for the first time: it is looked for once more.
    pub(super) doubtful: bool,
    /// Names were changed while they were read, or just before: a service may have one that was not read.
    pub(super) unsure: bool,
    /// Watches of directories that are half made no more.
    pub(super) stale: Vec<i32>,
}

impl Table {
    /// The entry with a name.
    pub(super) fn find(&self, name: &[u8]) -> Option<usize> {
        self.entries[..self.sorted].binary_search_by(|entry| entry.name.to_bytes().cmp(name)).ok()
    }

    /// Before the names are read: all are looked up, or those that are dirty.
    pub(super) fn begin(&mut self, all: bool) {
        self.entries.truncate(self.sorted); // what a look has left that failed
        for entry in &mut self.entries {
            entry.seen = false;
            entry.dirty |= all;
        }
        (self.doubtful, self.unsure) = (false, false);
    }

    /// A name was read. `look_up` is called where it is not known to whom it belongs: `Ok(None)` where it is no directory,
    /// an error where that cannot be said.
    pub(super) fn see<E>(&mut self, name: &CStr, look_up: impl FnOnce() -> Result<Option<Identity>, E>) {
        if let Some(known) = self.find(name.to_bytes()) {
            let entry = &mut self.entries[known];
            entry.seen = true;
            if entry.dirty {
                // What cannot be looked up stays what it was: nothing is stopped for an error.
                entry.at = look_up().unwrap_or(entry.at.or(entry.service()).or(Some(Identity::NONE)));
            }
        } else if let at @ Some(_) = look_up().unwrap_or(Some(Identity::NONE)) {
            let name = name.to_owned();
            self.entries.push(Entry { name, at, state: State::New, dirty: true, seen: true });
        }
    }

    /// All names were read.
    pub(super) fn end(&mut self) {
        let by_name = |one: &Entry, other: &Entry| -> Ordering { one.name.cmp(&other.name) };
        if self.entries.len() > self.sorted {
            self.entries.sort_by(by_name);
            self.entries.dedup_by(|later, first| later.name == first.name); // renamed while they were read
            self.sorted = self.entries.len();
        }
        for entry in &mut self.entries {
            if !entry.seen {
                entry.at = None;
            }
            if !entry.is_pending() {
                entry.dirty = false;
            }
        }
        (self.moved, self.opened) = (0, 0);
    }

    /// Forgets the names that are gone.
    pub(super) fn forget(&mut self) {
        for entry in 0..self.entries.len() {
            if self.entries[entry].at.is_none() && self.entries[entry].is_pending() {
                self.set(entry, State::New);
            }
        }
        self.entries.retain(|entry| entry.at.is_some() || !entry.is_pending());
        self.sorted = self.entries.len();
    }

    /// Changes the state of an entry; returns the one before.
    pub(super) fn set(&mut self, entry: usize, state: State) -> State {
        let before = std::mem::replace(&mut self.entries[entry].state, state);
        if let State::Half { watch: Some(watch), .. } = before {
            self.stale.push(watch);
        }
        before
    }

    /// What is to be done next, when all names were read; nothing when all is done. The state of an entry to open is left
    /// to the caller.
    pub(super) fn step(&mut self) -> Option<Step> {
        while self.moved < self.entries.len() {
            if let Some(step) = self.follow(self.moved) {
                return Some(step); // and the same entry once more: another service may be called so now
            }
            self.moved += 1;
        }
        while self.opened < self.entries.len() {
            let this = self.opened;
            self.opened += 1;
            if let Some(step) = self.judge(this) {
                return Some(step);
            }
        }
        None
    }

    /// Where the service of an entry is now.
    fn follow(&mut self, this: usize) -> Option<Step> {
        let entry = &self.entries[this];
        let State::Hosted { identity, missing } = entry.state else { return None };
        if entry.at == Some(identity) {
            self.entries[this].state = State::Hosted { identity, missing: 0 };
            return None;
        }
        let mut places = self.places(this, identity).peekable();
        let waits = places.peek().is_some();
        let free = places.find(|place| {
            let there = &self.entries[*place];
            match there.state {
                // It goes elsewhere itself: the two change places, and the rest is seen then.
                State::Hosted { identity, .. } => self.places(*place, identity).next().is_some(),
                State::Leaving { .. } => false,
                _ => true,
            }
        });
        drop(places);
        if let Some(place) = free {
            let other = self.set(place, State::Hosted { identity, missing: 0 });
            let entry = &mut self.entries[this];
            entry.state = if matches!(other, State::Hosted { .. }) { other } else { State::New };
            entry.dirty = entry.is_pending();
            return Some(Step::Renamed(this, place));
        }
        if waits {
            return None; // until the service that is called so has ended
        }
        let missing = missing + if self.unsure { 1 } else { SURE };
        if missing >= MISSING {
            self.entries[this].state = State::Leaving { identity };
            return Some(Step::Vanished(this));
        }
        self.entries[this].state = State::Hosted { identity, missing };
        self.doubtful = true;
        None
    }

    /// The names under which the service of an entry would be the same.
    fn places(&self, this: usize, identity: Identity) -> impl Iterator<Item = usize> {
        let argument_of = |entry: usize| argument(&self.entries[entry].name);
        (0..self.entries.len()).filter(move |other| {
            self.entries[*other].at == Some(identity) && argument_of(*other) == argument_of(this)
        })
    }

    /// What becomes of a name of which nothing was made so far.
    fn judge(&mut self, this: usize) -> Option<Step> {
        let entry = &self.entries[this];
        let at = entry.at.filter(|_| entry.dirty && entry.is_pending())?;
        let mut others = self.entries.iter().enumerate();
        let host = others.find(|(_, other)| other.service() == Some(at) && is_one(&entry.name, &other.name));
        let host = host.map(|(place, other)| (place, matches!(other.state, State::Leaving { .. })));
        self.entries[this].dirty = false;
        let Some((place, leaving)) = host else { return Some(Step::Open(this)) };
        if leaving {
            self.set(this, State::New); // until that has ended
            return None;
        }
        (self.set(this, State::Twin) != State::Twin).then_some(Step::Twin(this, place))
    }

    /// A service has ended: its name is free, and what waited for that is looked into.
    pub(super) fn ended(&mut self, name: &CStr) {
        for entry in &mut self.entries {
            if !entry.is_pending() && entry.name.as_c_str() == name {
                entry.state = State::New;
            }
            entry.dirty |=
                !matches!(entry.state, State::Hosted { .. } | State::Leaving { .. } | State::Half { .. });
        }
    }
}

/// Whether two names of one directory stand for one service. Those with an argument each are instances of a template.
pub(super) fn is_one(name: &CStr, other: &CStr) -> bool {
    match (argument(name), argument(other)) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}
