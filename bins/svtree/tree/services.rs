//! The services of a tree: which there are, and what a change of one means for the others.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use common::poll::{self, POLLNVAL, watch};
use common::spawn::Files;
use common::supervise::Part;
use common::{Voice, Words, fds, file};
use nix::errno::Errno;
use nix::fcntl::renameat;
use nix::sys::resource::{Resource, getrlimit};

use super::Tree;
use crate::supervise::{
    self, DefaultLog, Ends, HandedOn, Homeless, Names, Now, Options, Orphans, Patience, PidSpace, Places,
    Program, Refusal, Supervised,
};
use crate::svtree::clients::named;
use crate::svtree::hosted::{Hosted, Stay};
use crate::svtree::scan::{Change, Scan, argument};
use crate::svtree::service_needs;

/// How many fds are kept for what the services need from time to time, and for clients.
const SPARE: usize = 24;
/// How many services are opened in a round.
const ROUND: usize = 16;
/// How long a service that cannot be opened is tried in short intervals, before that is reported, in milliseconds.
const PATIENCE: u64 = 2000;
/// That interval.
const SOON: u64 = 50;
/// How long until it is tried again then, in milliseconds.
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
    /// `.tree`, with the state of those that share their directory with others.
    pub(in crate::svtree) own: Option<OwnedFd>,
    /// Where recorded pids mean anything.
    pub(in crate::svtree) space: PidSpace,
    /// The limit of open files that their programs get, soft and hard.
    pub(in crate::svtree) files: Files,
    /// What logs a service that has no logger of its own.
    pub(in crate::svtree) log: Log,
    /// What the program before us has left of those that it had.
    pub(in crate::svtree) handed_on: HandedOn,
    /// Names that services have or had: the engine keeps them for good, each once.
    pub(in crate::svtree) names: Interned,
}

/// What logs a service that has no logger of its own.
#[derive(Clone, Debug)]
pub(in crate::svtree) enum Log {
    /// Nothing: it writes where the tree does.
    Nothing,
    /// `run` in this directory, which gets its name.
    Directory(BorrowedFd<'static>),
    /// svlog, at this path, which puts its name in front of each line and writes where the tree does.
    Prefix(BorrowedFd<'static>, &'static CStr),
}

impl Log {
    fn of(&self, name: &'static CStr) -> Option<DefaultLog> {
        let (directory, program) = match self {
            Self::Nothing => return None,
            Self::Directory(directory) => (*directory, Program::Run(Some(name))),
            Self::Prefix(directory, path) => (*directory, Program::Command([path, c"-p", name, c"-"])),
        };
        Some(DefaultLog { directory, program })
    }
}

/// Strings that live as long as the process.
#[derive(Debug, Default)]
pub(in crate::svtree) struct Interned(BTreeSet<&'static CStr>);

impl Interned {
    /// This one.
    fn get(&mut self, name: &CStr) -> &'static CStr {
        if let Some(known) = self.0.get(name) {
            return known;
        }
        let new: &'static CStr = Box::leak(name.to_owned().into_boxed_c_str());
        self.0.insert(new);
        new
    }
}

/// A service that is to be hosted, and why that could not be done, if that was reported.
#[derive(Debug)]
pub(super) struct Waiting {
    name: &'static CStr,
    directory: OwnedFd,
    pub(super) slot: usize,
    /// When it is tried, and since when that has failed.
    again: u64,
    since: Option<u64>,
    told: Option<Told>,
}

/// What could not be done, and why.
type Told = (&'static str, Option<Errno>);

impl Template {
    /// Opens a service; `needs`: what its start waits for.
    fn open(
        &mut self,
        waiting: &Waiting,
        needs: Option<Names>,
        now: Now,
    ) -> Result<Box<Supervised>, Refusal> {
        let name = waiting.name;
        let copy = waiting.directory.try_clone();
        let service = copy.map_err(|_| unable("open its directory", Errno::EMFILE))?;
        // Services that share a directory cannot share their state.
        let shares = argument(name).is_some();
        let all = self.state.as_ref().or(self.own.as_ref().filter(|_| shares));
        let state = all.map(|all| self.state_of(all, waiting)).transpose();
        let state = state.map_err(|errno| unable("make its state directory", errno))?;
        let space = self.space.clone();
        let places = Places { service, state };
        let notify = self.handed_on.socket_of(&places, &space, now);
        let argument = argument(name).map(|argument| CString::new(argument).unwrap_or_default()); // of a C string
        let options = Options {
            voice: self.voice(name),
            env: self.env.clone(),
            files: Some(self.files),
            supervisor: std::process::id(),
            space,
            ends: Ends::WhenAsked,
            orphans: Orphans::Anybodys,
            patience: Patience::None,
            needs,
            homeless: Homeless::Supervised,
            argument: argument.map(|argument| self.names.get(&argument)),
            log: self.log.of(name),
            notify,
        };
        Supervised::open(places, options, now)
    }

    fn state_of(&self, all: &OwnedFd, waiting: &Waiting) -> nix::Result<OwnedFd> {
        supervise::make_directory(all, waiting.name, 0o755)?;
        let state = fds::open_directory(all.as_fd(), waiting.name)?;
        let path = self.path.join(OsStr::from_bytes(waiting.name.to_bytes()));
        supervise::link_beside(&state, &waiting.directory, &path)?;
        Ok(state)
    }

    /// The state directory of a service goes with its name; that of another one of the new name takes its place, also
    /// where it is left from former times.
    fn rename_state(&self, from: &CStr, to: &CStr) -> nix::Result<()> {
        let Some(state) = &self.state else { return Ok(()) };
        let renamed = match file::exchange(state.as_fd(), from, to) {
            Err(Errno::ENOENT) => renameat(state, from, state, to),
            renamed => renamed,
        };
        match renamed {
            Err(Errno::ENOENT) => Ok(()), // it was not hosted yet
            renamed => renamed,
        }
    }

    /// The prefix of messages about a service.
    pub(super) fn voice(&self, name: &'static CStr) -> Voice {
        Voice { called: self.called, directory: name.to_bytes(), part: b"" }
    }
}

fn unable(what: &'static str, errno: Errno) -> Refusal {
    Refusal::unable(Part::Service, what, errno)
}

/// Whether there are fds for another service, and for what those that run need from time to time.
fn has_room() -> bool {
    const CHUNK: usize = 64;
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    let (mut free, mut end) = (0, RawFd::try_from(limit).unwrap_or(RawFd::MAX));
    // From the highest number on, since the lowest are given out first.
    while end > 0 && free < SPARE {
        let mut numbers = [watch(-1, 0); CHUNK];
        for number in &mut numbers {
            end -= 1;
            *number = watch(end, 0);
        }
        // An fd that is not open is said to be that; a number below 0 is passed over.
        if poll::poll(&mut numbers, Some(0)).is_err() {
            return false;
        }
        free += numbers.iter().filter(|number| number.revents & POLLNVAL != 0).count();
    }
    free >= SPARE
}

impl Tree {
    /// Looks at the directory, and follows what has changed there; at the end nothing new comes.
    pub(super) fn look(&mut self, now: Now) {
        if self.course.ends() && !self.is_unseen() {
            return;
        }
        let Some(scan) = &mut self.scan else { return };
        self.looks += 1;
        scan.look(now.monotonic);
        while let Some(change) = self.scan.as_mut().and_then(Scan::next) {
            match change {
                Change::Appeared { name, directory, .. } => self.appear(&name, directory),
                Change::Renamed { from, to } => self.rename(&from, &to),
                Change::Vanished { name } => self.vanish(&name, now),
                Change::Notice(notice) => notice.report(self.voice),
            }
        }
        self.watch_scan();
    }

    /// Looks at all there is as soon as possible, and at the needs of all.
    pub(super) fn rescan(&mut self, now: Now) {
        if let Some(scan) = &mut self.scan {
            scan.rescan(now.monotonic);
        }
        for slot in self.slots.in_order().collect::<Vec<_>>() {
            let Some(hosted) = self.slots.get(slot).filter(|hosted| hosted.stay == Stay::Hosted) else {
                continue;
            };
            let (name, Some(directory)) = (hosted.name, self.directory_of(slot)) else { continue };
            self.read_needs(slot, name, directory.as_fd());
        }
    }

    /// The directory of a service; none for want of fds, where nothing can be read there.
    fn directory_of(&self, slot: usize) -> Option<OwnedFd> {
        let waiting = self.waiting.iter().find(|waiting| waiting.slot == slot);
        match waiting {
            Some(waiting) => waiting.directory.try_clone().ok(),
            None => self.slots.get(slot)?.service.directory().try_clone_to_owned().ok(),
        }
    }

    /// A service was found: it is hosted in a moment.
    fn appear(&mut self, name: &CStr, directory: OwnedFd) {
        let (name, slot) = (self.template.names.get(name), self.slots.reserve());
        let waiting = Waiting { name, directory, slot, again: 0, since: None, told: None };
        if !has_room() {
            return self.put_back(&waiting, Now::read());
        }
        self.read_needs(slot, name, waiting.directory.as_fd());
        self.waiting.push_back(waiting);
    }

    /// The directory of a service has another name; where another service has that, the two change names.
    fn rename(&mut self, from: &CStr, to: &CStr) {
        let (from, to) = (self.template.names.get(from), self.template.names.get(to));
        let [one, other] = [from, to].map(|name| self.slot_of(name));
        if let Err(errno) = self.template.rename_state(from, to) {
            let voice = self.template.voice(to);
            voice.unable_so(&[b"rename its state directory"], errno, b"it cannot be adopted");
        }
        for (slot, name) in [(one, to), (other, from)] {
            let Some(slot) = slot else { continue };
            let waiting = self.waiting.iter_mut().find(|waiting| waiting.slot == slot);
            let directory = match waiting {
                Some(waiting) => {
                    waiting.name = name;
                    waiting.directory.try_clone().ok()
                }
                None => self.directory_of(slot),
            };
            self.slots.rename(slot, name);
            if let Some(hosted) = self.slots.get_mut(slot) {
                hosted.service.speak_as(self.template.voice(name));
            }
            if let Some(directory) = directory {
                self.read_needs(slot, name, directory.as_fd());
            }
            // Those that need it by this name learn how it stands.
            self.wake(slot);
        }
    }

    /// The slot of the service of this name, hosted or not yet.
    fn slot_of(&self, name: &CStr) -> Option<usize> {
        let waiting = self.waiting.iter().find(|waiting| waiting.name == name);
        waiting.map(|waiting| waiting.slot).or_else(|| self.slots.named(name.to_bytes()))
    }

    /// The directory of a service is gone, or another one has its name.
    fn vanish(&mut self, name: &CStr, now: Now) {
        if let Some(at) = self.waiting.iter().position(|waiting| waiting.name == name) {
            if let Some(waiting) = self.waiting.remove(at) {
                self.graph.remove(waiting.slot);
                self.slots.release(waiting.slot);
                self.name_is_free(name, now);
            }
        }
        let Some(slot) = self.slots.named(name.to_bytes()) else { return };
        self.graph.vanish(slot);
        if let Some(hosted) = self.slots.get_mut(slot) {
            hosted.stay = Stay::Leaving;
            hosted.service.stop();
            self.touched(slot);
        }
    }

    /// Another service may have this name now.
    pub(super) fn name_is_free(&mut self, name: &CStr, now: Now) {
        if let Some(scan) = &mut self.scan {
            scan.ended(name, now.monotonic);
            self.full &= scan.refused() > 0;
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

    /// In the stop those that cannot be hosted never are; when its time is over, none is.
    pub(super) fn forget_waiting(&mut self, all: bool) {
        for waiting in std::mem::take(&mut self.waiting) {
            if all || waiting.told.is_some() {
                self.graph.remove(waiting.slot);
                self.slots.release(waiting.slot);
            } else {
                self.waiting.push_back(waiting);
            }
        }
    }

    /// Whether all that were found at first are hosted, or were tried.
    pub(super) fn is_complete(&self) -> bool {
        !self.is_unseen() && self.waiting.iter().all(|waiting| waiting.since.is_some())
    }

    /// Whether nobody has looked at the directory yet.
    pub(super) fn is_unseen(&self) -> bool {
        self.scan.is_some() && self.looks == 0
    }

    /// Whether some are still to be hosted.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When the first of them is due.
    pub(super) fn waiting_deadline(&self) -> Option<u64> {
        self.waiting.iter().map(|waiting| waiting.again).min()
    }

    fn host(&mut self, mut waiting: Waiting, now: Now) {
        if !has_room() {
            return self.put_back(&waiting, now);
        }
        // In the stop nothing is started any more; but what lives from a former tree is taken over, and stopped.
        let held = !self.course.goes() || self.graph.holds(waiting.slot);
        let needs = held.then(|| Names::of(self.names_of_needs(waiting.slot)));
        match self.template.open(&waiting, needs, now) {
            Ok(mut service) => {
                if self.clients.has_followers() {
                    // What has happened to it so far is in its state.
                    service.listen(true);
                    if let Some(mut object) = service.describe(Part::Service, now) {
                        self.clients.publish(&named(waiting.name.to_bytes(), object.line()));
                    }
                }
                self.serial = self.serial.wrapping_add(1);
                let hosted = Hosted::new(waiting.name, self.serial, service);
                self.slots.put(waiting.slot, Box::new(hosted));
                self.touched(waiting.slot);
            }
            Err(refusal) if matches!(refusal.cause().1, Some(Errno::EMFILE | Errno::ENFILE)) => {
                self.put_back(&waiting, now);
            }
            Err(refusal) => {
                // A child of a killed tree that has not executed yet may hold the lock, and a pid namespace may be on its
                // way out. The loop does not wait for that: it tries again soon, and says so if it lasts.
                let since = *waiting.since.get_or_insert(now.monotonic);
                let lasts = now.monotonic >= since + PATIENCE;
                let told = refusal.cause();
                if lasts && waiting.told.replace(told) != Some(told) {
                    refusal.warning(self.template.voice(waiting.name));
                }
                waiting.again = now.monotonic + if lasts { AGAIN } else { SOON };
                self.waiting.push_back(waiting);
            }
        }
    }

    /// There are too few fds for a service. It is found again when there may be more; until then it holds none.
    fn put_back(&mut self, waiting: &Waiting, now: Now) {
        if !std::mem::replace(&mut self.full, true) {
            let errno = Errno::EMFILE;
            let what: [&[u8]; 2] = [b"open service ", waiting.name.to_bytes()];
            self.voice.unable_so(&what, errno, b"it and all that do not fit start when there is room");
        }
        self.graph.remove(waiting.slot);
        self.slots.release(waiting.slot);
        if let Some(scan) = &mut self.scan {
            scan.put_back(waiting.name, now.monotonic);
        }
    }

    /// Reads whom a service needs.
    fn read_needs(&mut self, slot: usize, name: &'static CStr, directory: BorrowedFd) {
        let text = service_needs::read(directory, self.template.voice(name));
        self.graph.set(slot, name.to_bytes(), service_needs::names(&text));
    }

    /// The names of what a service waits for.
    fn names_of_needs(&self, slot: usize) -> Vec<u8> {
        self.graph.waits_for(slot).collect::<Vec<_>>().join(&b' ')
    }

    /// Something may have changed for a service: those that need it are looked at next.
    pub(super) fn changed(&mut self, slot: usize, now: Now) {
        self.publish(slot);
        let Some(hosted) = self.slots.get_mut(slot) else { return };
        let standing = hosted.service.standing();
        hosted.standing = standing;
        if hosted.alone && hosted.service.runs() {
            hosted.alone = false;
            if self.graph.holds(slot) {
                let names = self.names_of_needs(slot);
                self.hold_back(slot, &names, now);
            }
        }
        let Some(hosted) = self.slots.get(slot) else { return };
        if hosted.stay == Stay::Hosted {
            self.graph.stands(slot, standing);
        }
        let essential = |hosted: &Hosted| supervise::exists(hosted.service.directory(), c"essential");
        if let Some(death) = hosted.service.ended().filter(|_| essential(hosted)) {
            self.end_with(supervise::exit_status(death), now);
        }
    }

    /// Holds back those whose needs are not met, and lets the others start.
    pub(super) fn hold_or_release(&mut self, now: Now) {
        while let Some(slot) = self.graph.next_changed() {
            let needs = self.graph.holds(slot).then(|| self.names_of_needs(slot));
            let Some(hosted) = self.slots.get_mut(slot) else { continue };
            match needs {
                Some(names) => hosted.service.hold_back(&names, now),
                None => hosted.service.release(now),
            }
            self.touched(slot);
        }
        let voice = self.voice;
        self.graph.flaws(|flaw| voice.warning(&[&flaw.words()]));
    }

    /// Lets those start that a service needs, and that are not wanted up.
    pub(super) fn start_needs(&mut self, slot: usize, now: Now) {
        let slots = &self.slots;
        let wanted = |slot: usize| slots.get(slot).is_some_and(|hosted| hosted.service.is_wanted());
        for need in self.graph.to_start(slot, wanted) {
            if let Some(hosted) = self.slots.get_mut(need) {
                hosted.service.up(now);
                self.touched(need);
            }
        }
    }

    fn hold_back(&mut self, slot: usize, names: &[u8], now: Now) {
        if let Some(hosted) = self.slots.get_mut(slot) {
            hosted.service.hold_back(names, now);
            self.touched(slot);
        }
    }

    /// Lets a service start once, whatever it needs.
    pub(super) fn start_alone(&mut self, slot: usize, now: Now) {
        if let Some(hosted) = self.slots.get_mut(slot) {
            hosted.alone = !hosted.service.runs();
            hosted.service.release(now);
            self.touched(slot);
        }
    }
}
