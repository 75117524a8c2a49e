//! A service that the tree hosts: the engine, and what the tree knows of it.

use std::ffi::CStr;

use common::Voice;
use common::poll::{self, pollfd, watch};

use super::events::{Events, Token, Watched};
use super::queue::Queue;
use crate::supervise::{CHILDREN, Ending, FIXED_FDS, Next, Now, Show, Standing, Supervised};

/// A hosted service.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Hosted {
    /// Its name in the scan directory, which lives as long as the process.
    pub(super) name: &'static CStr,
    /// The engine.
    pub(super) service: Box<Supervised>,
    /// How long it is hosted.
    pub(super) stay: Stay,
    /// Distinguishes it from the one that was in its slot before.
    pub(super) serial: u32,
    /// What is waited for.
    watched: Watched,
    /// When it is due.
    pub(super) deadline: Option<u64>,
    /// Its children, as the tree has them.
    pub(super) pids: [u32; CHILDREN],
    /// Clients cannot read yet what has changed.
    pub(super) unshown: bool,
    /// It has its turn in this round.
    pub(super) awake: bool,
    /// How it stood after its last turn.
    pub(super) standing: Standing,
    /// Its next start does not wait for its needs.
    pub(super) alone: bool,
    /// It may not be waited for: not all was registered, which was reported.
    unwatched: bool,
}

/// How long a service is hosted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stay {
    /// As long as the tree goes on.
    Hosted,
    /// It was told to end, since its directory has gone.
    Leaving,
}

/// How often a service is looked at whose events cannot be waited for, in milliseconds.
const AGAIN: u64 = 1000;

/// What a turn has led to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Turn {
    /// It goes on.
    Goes,
    /// It has ended.
    Over(Ending),
    /// This client of it asks for the upgrade.
    Upgrade(usize),
}

impl Hosted {
    /// A service that was opened just now.
    pub(super) fn new(name: &'static CStr, serial: u32, service: Box<Supervised>) -> Self {
        Self {
            name,
            service,
            stay: Stay::Hosted,
            serial,
            watched: Watched::default(),
            deadline: None,
            pids: [0; CHILDREN],
            unshown: false,
            awake: false,
            standing: Standing::Down,
            alone: false,
            unwatched: false,
        }
    }

    /// Its directory is gone: it has to end.
    pub(super) fn leave(&mut self) {
        self.stay = Stay::Leaving;
        self.service.stop();
    }

    /// As [`Hosted::leave`], of one whose directory had gone before this tree was started, which nobody has seen.
    pub(super) fn leave_vanished(&mut self, voice: Voice) {
        let [process, ..] = self.service.pids();
        if process != 0 {
            voice.warning(&[b"its directory is gone; stopping what runs of it"]);
        }
        self.leave();
    }

    /// Lets it do all that is due now. Whatever is ready is handled in the engine's own order, deaths and what the tree
    /// has asked for last.
    pub(super) fn turn(&mut self, show: Show, voice: Voice) -> Turn {
        // What epoll has reported may have been dealt with meanwhile, and there may be more now.
        let mut watched = self.watches(Now::read());
        let ended = match poll::poll(&mut watched, Some(0)) {
            Ok(_) => self.service.ready(&watched, Now::read()),
            Err(errno) => {
                voice.unable(&[b"look at its fds"], errno);
                None
            }
        };
        if let Some(ending) = ended {
            return Turn::Over(ending);
        }
        self.service.fire_timers(Now::read());
        loop {
            match self.service.settle(show, Now::read()) {
                Next::Wait => return Turn::Goes,
                Next::Again => {}
                Next::Upgrade(client) => return Turn::Upgrade(client),
                Next::Over(ending) => return Turn::Over(ending),
            }
        }
    }

    fn watches(&self, now: Now) -> [pollfd; FIXED_FDS] {
        let mut watched = [watch(-1, 0); FIXED_FDS];
        self.service.watch(&mut watched, now);
        watched
    }

    /// Waits from now on for what it waits for. Where the kernel refuses that, it is looked at from time to time.
    pub(super) fn rest(&mut self, slot: usize, events: &Events, queue: &mut Queue, voice: Voice) {
        let now = Now::read();
        let watched = self.watches(now);
        let token = Token::Service(u32::try_from(slot).unwrap_or(u32::MAX), self.serial);
        let renewed = if self.unwatched { u32::MAX } else { 0 } | self.service.renewed();
        let updated = events.update(&mut self.watched, &watched, renewed, token);
        let mut deadline = self.service.deadline(now);
        match updated {
            Ok(()) => self.unwatched = false,
            Err(errno) => {
                deadline = [deadline, Some(now.monotonic + AGAIN)].into_iter().flatten().min();
                if !std::mem::replace(&mut self.unwatched, true) {
                    voice.unable_so(&[b"wait for its events"], errno, b"looking each second");
                }
            }
        }
        queue.set(slot, &mut self.deadline, deadline);
    }
}
