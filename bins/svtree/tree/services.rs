//! The services of a tree: which there are, and what a change of one means for the others.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use common::fds;
use common::poll::{self, POLLNVAL, watch};
use common::supervise::{Part, named};
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};

use super::{Deaths, Tree};
use crate::supervise::{self, Names, Now};
use crate::svtree::hosted::{Hosted, Stay};
use crate::svtree::scan::{Change, Scan};
use crate::svtree::service_needs;

/// How many fds are kept for what the services need from time to time, and for clients.
const SPARE: usize = 24;
/// How many fds a service takes at most before it has clients.
const FDS: usize = 24;
/// How many services are opened in a round.
const ROUND: usize = 16;
/// How long a service that cannot be opened is tried in short intervals, before that is reported, in milliseconds.
const PATIENCE: u64 = 2000;
/// That interval, which is also that of those for which there was no room during the stop.
const SOON: u64 = 50;
/// How long until it is tried again then, in milliseconds.
const AGAIN: u64 = 1000;

/// A service that is to be hosted, and why that could not be done, if that was reported.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) name: &'static CStr,
    directory: OwnedFd,
    pub(super) slot: usize,
    stay: Stay,
    /// When it is tried, and since when that has failed.
    again: u64,
    since: Option<u64>,
    told: Option<Told>,
}

impl Waiting {
    /// Whether it is the service whose directory has this name.
    fn is(&self, name: &CStr) -> bool {
        self.stay == Stay::Hosted && self.name == name
    }
}

/// What could not be done, and why.
type Told = (&'static str, Option<Errno>);

/// How many fds are known to be free beside [`SPARE`], in one round.
#[derive(Debug, Default)]
struct Room(usize);

impl Room {
    /// Whether there are fds for another service, which takes `count` of them, and for what those that run need from time
    /// to time.
    fn has(&mut self, count: usize) -> bool {
        let known = self.0.checked_sub(count);
        let free = if known.is_some() { SPARE } else { free_fds(SPARE + ROUND * FDS) };
        self.0 = known.unwrap_or(free.saturating_sub(SPARE + count));
        free >= SPARE
    }
}

/// How many fds are free, of those up to the limit; no more than about `most` are counted.
fn free_fds(most: usize) -> usize {
    const CHUNK: usize = 64;
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    let (mut free, mut end) = (0, RawFd::try_from(limit).unwrap_or(RawFd::MAX));
    // From the highest number on, since the lowest are given out first.
    while end > 0 && free < most {
        let mut numbers = [watch(-1, 0); CHUNK];
        for number in &mut numbers {
            end -= 1;
            *number = watch(end, 0);
        }
        // An fd that is not open is said to be that; a number below 0 is passed over.
        if poll::poll(&mut numbers, Some(0)).is_err() {
            return 0;
        }
        free += numbers.iter().filter(|number| number.revents & POLLNVAL != 0).count();
    }
    free
}

impl Tree {
    /// Looks at the directory, and follows what has changed there; at the end nothing new comes.
    pub(super) fn look(&mut self, now: Now) {
        // But for what a former tree may have left running, which a stop is to end.
        let may = !self.course.ends() || !self.sought;
        let Some(scan) = self.scan.as_mut().filter(|_| may) else { return };
        self.looks += 1;
        scan.look(now.monotonic);
        // That whose names were read: the path may be that of another a moment later.
        let read = scan.directory().filter(|_| !self.sought).map(|read| fds::copy_from(read, 3));
        let mut room = Room::default();
        while let Some(change) = self.scan.as_mut().and_then(Scan::next) {
            match change {
                Change::Appeared { name, directory, .. } => self.appear(&name, directory, &mut room),
                Change::Renamed { from, to } => self.rename(&from, &to),
                Change::Vanished { name } => self.vanish(&name, now),
                Change::Notice(notice) => notice.report(self.voice),
            }
        }
        match read.map(|read| self.template.vanished(&read?)) {
            Some(Ok(found)) => self.find_vanished(found, now),
            Some(Err(errno)) => {
                self.sought = true;
                self.voice.unable(&[b"look for services that are gone in the state directory"], errno);
            }
            None => {}
        }
        self.watch_scan();
    }

    /// Those whose directories have gone since a former tree has hosted them, where their state is still there: they are
    /// hosted in a moment, to end as those do that vanish now. In a directory without services nobody is missed: it may
    /// be that on which they are not mounted yet. But this very process, before an upgrade, has seen them vanish.
    fn find_vanished(&mut self, found: Vec<(CString, OwnedFd)>, now: Now) {
        let Some(scan) = &mut self.scan else { return };
        let sure = scan.has_services() || self.course.ends() || self.deaths == Deaths::OfAnother;
        self.sought = sure || found.is_empty();
        if !self.sought {
            scan.look_again(now.monotonic);
            if self.looks == 1 {
                self.voice.warning(&[
                    b"no services in the scan directory; what runs of former ones goes on; looking every 5 s",
                ]);
            }
            return;
        }
        for (name, directory) in found {
            // It is needed by nobody, and orders nothing.
            let waiting = self.reserve(&name, directory, Stay::Leaving);
            self.waiting.push_back(waiting);
        }
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

    fn reserve(&mut self, name: &CStr, directory: OwnedFd, stay: Stay) -> Waiting {
        let (name, slot) = (self.template.names.get(name), self.slots.reserve());
        Waiting { name, directory, slot, stay, again: 0, since: None, told: None }
    }

    /// A service was found: it is hosted in a moment.
    fn appear(&mut self, name: &CStr, directory: OwnedFd, room: &mut Room) {
        let waiting = self.reserve(name, directory, Stay::Hosted);
        if !room.has(1) {
            return self.put_back(&waiting, Now::read());
        }
        self.read_needs(waiting.slot, waiting.name, waiting.directory.as_fd());
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
            if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.slot == slot) {
                waiting.name = name;
            }
            let directory = self.directory_of(slot);
            self.slots.rename(slot, name);
            if let Some(hosted) = self.slots.get_mut(slot) {
                hosted.service.speak_as(self.template.voice(name));
            }
            if let Some(directory) = directory {
                if let Err(errno) = self.template.renew_links(name, &directory) {
                    self.template.voice(name).unable(&[b"link down and check in its state directory"], errno);
                }
                self.read_needs(slot, name, directory.as_fd());
            }
            // Those that need it by this name learn how it stands.
            self.wake(slot);
        }
    }

    /// The slot of the service of this name, hosted or not yet.
    fn slot_of(&self, name: &CStr) -> Option<usize> {
        let waiting = self.waiting.iter().find(|waiting| waiting.is(name));
        waiting.map(|waiting| waiting.slot).or_else(|| self.slots.named(name.to_bytes()))
    }

    /// The directory of a service is gone, or another one has its name.
    fn vanish(&mut self, name: &CStr, now: Now) {
        if let Some(at) = self.waiting.iter().position(|waiting| waiting.is(name)) {
            if let Some(waiting) = self.waiting.remove(at) {
                self.forget(&waiting);
                self.name_is_free(name, now);
            }
        }
        let Some(slot) = self.slots.named(name.to_bytes()) else { return };
        self.graph.vanish(slot);
        if let Some(hosted) = self.slots.get_mut(slot) {
            hosted.leave();
            self.touched(slot);
        }
    }

    /// Another service may have this name now.
    pub(super) fn name_is_free(&mut self, name: &CStr, now: Now) {
        if let Some(scan) = &mut self.scan {
            scan.ended(name, now.monotonic);
            self.full = self.full.filter(|_| scan.refused() > 0);
        }
    }

    /// Hosts those that are due, but no more in a round than leave the others their turn.
    pub(super) fn host_waiting(&mut self, now: Now) {
        let mut room = Room::default();
        for _ in 0..self.waiting.len().min(ROUND) {
            match self.waiting.pop_front() {
                Some(waiting) if waiting.again <= now.monotonic => self.host(waiting, &mut room, now),
                Some(waiting) => self.waiting.push_back(waiting),
                None => return,
            }
        }
    }

    /// Hosts a service now, if its turn is still to come: who asks for it, as after an upgrade, does not wait for the others.
    pub(super) fn host_first(&mut self, is_it: impl Fn(&Waiting) -> bool, now: Now) {
        let turn_to_come = |waiting: &Waiting| waiting.stay == Stay::Hosted && waiting.since.is_none();
        let is_next = |waiting: &Waiting| is_it(waiting) && turn_to_come(waiting);
        let at = self.waiting.iter().position(is_next).filter(|_| self.course.goes());
        if let Some(waiting) = at.and_then(|at| self.waiting.remove(at)) {
            self.host(waiting, &mut Room::default(), now);
        }
    }

    /// The stop begins. Of those that are not hosted yet, what a former tree has left is hosted to be stopped; the others
    /// never are.
    pub(super) fn find_what_is_left(&mut self, now: Now) {
        if !self.sought {
            self.look(now);
        }
        for waiting in std::mem::take(&mut self.waiting) {
            if waiting.told.is_none() && self.template.has_left(waiting.name, &waiting.directory) {
                self.waiting.push_back(waiting);
            } else {
                self.forget(&waiting);
            }
        }
    }

    fn forget(&mut self, waiting: &Waiting) {
        self.graph.remove(waiting.slot);
        self.slots.release(waiting.slot);
    }

    /// Whether all that were found at first are hosted, or were tried.
    pub(super) fn is_complete(&self) -> bool {
        let looked = self.looks > 0 || self.scan.is_none();
        looked && self.waiting.iter().all(|waiting| waiting.since.is_some())
    }

    /// When the first of them is due.
    pub(super) fn waiting_deadline(&self) -> Option<u64> {
        self.waiting.iter().map(|waiting| waiting.again).min()
    }

    fn host(&mut self, mut waiting: Waiting, room: &mut Room, now: Now) {
        if !room.has(FDS) {
            return self.host_later(waiting, now);
        }
        let (ends, leaves) = (self.course.ends(), waiting.stay == Stay::Leaving);
        // What is hosted for its end must not start.
        let held = ends || leaves || self.graph.holds(waiting.slot);
        let needs = held.then(|| Names::of(self.names_of_needs(waiting.slot)));
        match self.template.open(waiting.name, &waiting.directory, needs, now) {
            Ok(mut service) => {
                if self.clients.has_followers() {
                    // What has happened to it so far is in its state.
                    service.listen(true);
                    if let Some(report) = service.describe(Part::Service, now) {
                        self.clients.publish(&named(waiting.name.to_bytes(), report.object().line()));
                    }
                }
                self.serial = self.serial.wrapping_add(1);
                let mut hosted = Hosted::new(waiting.name, self.serial, service);
                if leaves {
                    hosted.leave_vanished(self.template.voice(waiting.name));
                }
                self.slots.put(waiting.slot, Box::new(hosted));
                if ends && !leaves {
                    // Its turn to stop may have come before it was hosted: it comes once more.
                    self.graph.remove(waiting.slot);
                    self.read_needs(waiting.slot, waiting.name, waiting.directory.as_fd());
                }
                self.touched(waiting.slot);
            }
            Err(refusal) if matches!(refusal.cause().1, Some(Errno::EMFILE | Errno::ENFILE)) => {
                self.host_later(waiting, now);
            }
            Err(refusal) => {
                // A child of a killed tree that has not executed yet may hold the lock, and a pid namespace may be on its
                // way out. The loop does not wait for that: it tries again soon, and says so if it lasts.
                let since = *waiting.since.get_or_insert(now.monotonic);
                let lasts = now.monotonic >= since + PATIENCE || self.course.is_late(now);
                let told = refusal.cause();
                if lasts && waiting.told.replace(told) != Some(told) {
                    refusal.warning(self.template.voice(waiting.name));
                }
                // The state directory of one that is gone may be that of another supervisor.
                if lasts && (ends || leaves) {
                    return self.forget(&waiting);
                }
                waiting.again = now.monotonic + if lasts { AGAIN } else { SOON };
                self.waiting.push_back(waiting);
            }
        }
    }

    /// There are too few fds for a service, but in a stop there may be more in a moment.
    fn host_later(&mut self, mut waiting: Waiting, now: Now) {
        if self.course.ends() && self.slots.count() > 0 && !self.course.is_late(now) {
            waiting.again = now.monotonic + SOON;
            return self.waiting.push_back(waiting);
        }
        self.put_back(&waiting, now);
    }

    /// There are too few fds for a service. It is found again when there may be more; until then it holds none.
    fn put_back(&mut self, waiting: &Waiting, now: Now) {
        let errno = Errno::EMFILE;
        if self.full.replace(errno).is_none() {
            let what: [&[u8]; 2] = [b"open service ", waiting.name.to_bytes()];
            self.voice.unable_so(&what, errno, b"it and all that do not fit start when there is room");
        }
        self.forget(waiting);
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
            self.host_first(|waiting| waiting.slot == need, now);
            if let Some(hosted) = self.slots.get_mut(need).filter(|hosted| !hosted.service.is_wanted()) {
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
