//! The loop: one thread, and one wait for everything that can happen to any of the services.
//!
//! A service has its turn when one of its files is ready, its time has come, or one of its children has died. A turn costs
//! the same however many services there are, but for what moves behind a new name, pid or time in a sorted list; and each has
//! one in a round, so that none holds up another.

mod course;
mod open;
mod requests;
mod services;
mod upgrade;

use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use common::epoll::EVENTS;
use common::{Voice, Words, memory, process, signals};
use nix::errno::Errno;

use super::clients::Clients;
use super::command_line::Manner;
use super::events::{Events, Token};
use super::hosted::{Hosted, Turn};
use super::needs::Graph;
use super::program::Program;
use super::queue::Queue;
use super::scan::Scan;
use super::slots::Slots;
use super::template::Template;
use crate::supervise::{Access, Now, Role, Show};
use course::Course;
pub(super) use open::Inherited;
use services::Waiting;

/// How long it has to be quiet before what is not needed for the wait is given back, in milliseconds.
const QUIET: u64 = 1000;
/// What is on its way out is shown so when nothing has happened for a moment, since most of it ends in that: then its end
/// alone is to be shown. And after a while, whatever happens. In milliseconds.
const MOMENT: u64 = 1;
const WHILE: u64 = 250;
/// How many deaths are learnt of in a round: there may be any number.
const DEATHS: u32 = 64;

/// Whether children may have died of whom nobody knows yet.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Deaths {
    /// None has.
    None,
    /// Some may have.
    Due,
    /// Also of those that the program before us has started: how these have died is for their services, once all of
    /// them are hosted again.
    OfAnother,
}

/// A tree of services at work.
pub(super) struct Tree {
    voice: Voice,
    manner: Manner,
    role: Role,
    /// How long the stop may take, in milliseconds, and the signal that has asked for it.
    budget: u64,
    asked: i32,
    signals: OwnedFd,
    events: Events,
    /// The scan directory, as it was at the start.
    directory: Option<OwnedFd>,
    scan: Option<Scan>,
    /// What is waited for of the scan.
    scanned: Option<RawFd>,
    template: Template,
    program: Option<Program>,
    graph: Graph,
    slots: Slots,
    /// How often the directory was looked at.
    looks: u64,
    /// What has vanished before that was looked for.
    sought: bool,
    /// Why there was no room for all, which was reported.
    full: Option<Errno>,
    /// Those that are not hosted yet.
    waiting: VecDeque<Waiting>,
    serial: u32,
    queue: Queue,
    /// The slots that have a turn in this round.
    awake: Vec<usize>,
    /// The slots of those of which clients cannot read yet what has changed, and when they are to at the latest.
    unshown: Vec<usize>,
    show_at: u64,
    course: Course,
    /// Held as long as we live.
    lock: Option<OwnedFd>,
    /// The command line.
    line: Words,
    socket: Option<OwnedFd>,
    /// Whom it serves.
    access: Access,
    clients: Clients,
    /// When clients are let in again: there was no fd or no memory for one.
    crowded: Option<u64>,
    /// There are signals.
    signalled: bool,
    deaths: Deaths,
    /// Nothing has happened for a second.
    resting: bool,
}

impl Tree {
    /// Works until all has ended, or is left to another tree: the status to exit with.
    pub(super) fn run(&mut self) -> u8 {
        // A death before our signal dispositions were set has sent us nothing.
        self.signalled = true;
        loop {
            self.turns();
            self.learn();
            let status = self.go_on(Now::read());
            self.let_in_again();
            if let Err(errno) = self.clients.rest(&self.events) {
                self.voice.unable(&[b"wait for a client"], errno);
            }
            self.listen_to_services();
            if let Some(status) = status {
                return status;
            }
            self.wait();
        }
    }

    /// Gives a service a turn in this round.
    fn wake(&mut self, slot: usize) {
        if let Some(hosted) = self.slots.get_mut(slot).filter(|hosted| !hosted.awake) {
            hosted.awake = true;
            self.awake.push(slot);
        }
    }

    /// Something was asked of a service outside of its turn, which may have closed files of it and opened others. What
    /// is waited for follows at once: a number that it has lost may be that of another's file a moment later.
    fn touched(&mut self, slot: usize) {
        self.follow(slot);
        self.wake(slot);
    }

    /// Waits for what a service waits for now, and knows its children: one that was just started may be dead already.
    fn follow(&mut self, slot: usize) {
        let Some(hosted) = self.slots.get_mut(slot) else { return };
        let voice = self.template.voice(hosted.name);
        hosted.rest(slot, &self.events, &mut self.queue, voice);
        let pids = hosted.service.pids();
        self.slots.set_pids(slot, pids);
    }

    /// Waits, and notes whose turn it is.
    fn wait(&mut self) {
        let timeout = self.timeout(Now::read());
        let mut ready = [None; EVENTS];
        let mut count = 0;
        let waited = self.events.wait(timeout, |token| {
            ready[count] = Some(token);
            count += 1;
        });
        if let Err(errno) = waited {
            // Never seen; but a loop that fails at once must not eat the machine.
            self.voice.unable(&[b"wait for events"], errno);
            common::lock::pause_1ms();
        }
        self.resting &= count == 0;
        for token in ready.into_iter().flatten() {
            match token {
                Token::Signals => self.signalled = true,
                Token::Scan => self.scan_is_ready(),
                Token::Socket => self.let_in(),
                Token::Client(place) => self.hear(place as usize),
                Token::Service(slot, serial) => {
                    let slot = slot as usize;
                    if self.slots.get(slot).is_some_and(|hosted| hosted.serial == serial) {
                        self.wake(slot);
                    }
                }
            }
        }
        let now = Now::read();
        let due: Vec<usize> = self.queue.due(now.monotonic).collect();
        for slot in due {
            self.wake(slot);
        }
        let rests = count == 0 && self.awake.is_empty() && self.deaths != Deaths::Due;
        if rests || self.show_at <= now.monotonic {
            self.show();
        }
    }

    /// Lets clients read what has changed of all.
    fn show(&mut self) {
        for slot in std::mem::take(&mut self.unshown) {
            let Some(hosted) = self.slots.get_mut(slot) else { continue };
            if std::mem::take(&mut hosted.unshown) {
                hosted.service.show(Now::read());
                self.follow(slot);
            }
        }
    }

    /// A service has had its turn: whether clients cannot read yet what has changed.
    fn note_unshown(&mut self, slot: usize, now: Now) {
        let Some(hosted) = self.slots.get_mut(slot).filter(|hosted| hosted.service.is_unshown()) else {
            return;
        };
        if !std::mem::replace(&mut hosted.unshown, true) {
            if self.unshown.is_empty() {
                self.show_at = now.monotonic + WHILE;
            }
            self.unshown.push(slot);
        }
    }

    /// Something has happened in the scan directory.
    fn scan_is_ready(&mut self) {
        if let Some(scan) = &mut self.scan {
            scan.ready(Now::read().monotonic);
        }
        self.watch_scan();
    }

    /// Waits for the scan directory, or does not while a look is due soon.
    fn watch_scan(&mut self) {
        let watch = self.scan.as_ref().and_then(Scan::watch).map(|fd| fd.as_raw_fd());
        let before = std::mem::replace(&mut self.scanned, watch);
        if before == watch {
            return;
        }
        let forgotten = before.map_or(Ok(()), |before| self.events.delete(before));
        let waited = watch.map_or(Ok(()), |watch| self.events.add(watch, Token::Scan));
        if let Err(errno) = forgotten.and(waited) {
            self.voice.unable(&[b"wait for changes of the scan directory"], errno);
        }
    }

    /// For how many milliseconds to wait at most, if time alone will lead to something. After a quiet second, memory
    /// that the wait does not need is given back: under load it would be fetched again and again.
    fn timeout(&mut self, now: Now) -> Option<u64> {
        if self.deaths == Deaths::Due || !self.awake.is_empty() || self.clients.lists() {
            return Some(0);
        }
        let show_at = Some(now.monotonic + MOMENT).filter(|_| !self.unshown.is_empty());
        let due = [self.queue.first(), self.deadline(), self.crowded, show_at].into_iter().flatten().min();
        let timeout = due.map(|due| due.saturating_sub(now.monotonic));
        if timeout.is_some() || !self.resting {
            self.resting = timeout.is_none();
            return timeout.or(Some(QUIET));
        }
        memory::give_back();
        None
    }

    /// Lets each service that is awake have its turn.
    fn turns(&mut self) {
        for slot in std::mem::take(&mut self.awake) {
            self.turn(slot);
        }
    }

    fn turn(&mut self, slot: usize) {
        let Some(hosted) = self.slots.get_mut(slot) else { return };
        hosted.awake = false;
        let voice = self.template.voice(hosted.name);
        // An event is never ahead of the files.
        let show = if self.clients.has_followers() { Show::Now } else { Show::Later };
        match hosted.turn(show, voice) {
            Turn::Goes => {}
            Turn::Over(_) => return self.over(slot),
            Turn::Upgrade(client) => {
                // What is learnt of others is to be dealt with first, and what the program before us has handed on.
                if self.awake.is_empty() && (self.is_complete() || !self.course.goes()) {
                    let why = self.upgrade(Now::read());
                    if let Some(hosted) = self.slots.get_mut(slot) {
                        hosted.service.refuse_upgrade(client, why.bytes());
                    }
                }
                return self.touched(slot);
            }
        }
        self.follow(slot);
        let now = Now::read();
        self.note_draining(slot, now);
        self.note_unshown(slot, now);
        self.changed(slot, now);
    }

    /// Takes notice of the signals that have arrived, and of deaths. What follows from them happens in the turns of the
    /// services, once everything else has been looked at again.
    fn learn(&mut self) {
        if std::mem::take(&mut self.signalled) {
            for signal in signals::next(self.signals.as_fd()) {
                self.signal(signal, Now::read());
            }
            // Also where CHLD was not heard: one signal may stand for many.
            if self.deaths == Deaths::None {
                self.deaths = Deaths::Due;
            }
        }
        if self.deaths == Deaths::OfAnother && self.is_complete() {
            self.deaths = Deaths::Due;
        }
        if self.deaths != Deaths::Due {
            return;
        }
        for _ in 0..DEATHS {
            let Ok(Some((pid, status))) = process::reap() else {
                self.deaths = Deaths::None;
                return;
            };
            self.lost(pid, status);
        }
    }

    /// A child has died.
    fn lost(&mut self, pid: u32, status: i32) {
        if let Some(slot) = self.slots.of_pid(pid) {
            if self.slots.get_mut(slot).is_some_and(|hosted| hosted.service.lost(pid, status)) {
                return self.wake(slot);
            }
        }
        if self.lost_own(pid, status) {
            return;
        }
        // Nobody has started it: it concerns those alone that wait for the end of what they left behind.
        for slot in self.slots.in_order().collect::<Vec<_>>() {
            let waits = |hosted: &&mut Hosted| hosted.service.awaits_leftovers();
            if let Some(hosted) = self.slots.get_mut(slot).filter(waits) {
                hosted.service.lost(pid, status);
                self.wake(slot);
            }
        }
    }
}
