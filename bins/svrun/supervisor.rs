//! The loop: one thread, one wait for everything that can happen, and no other.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use common::poll::{self, POLLIN, watch};
use common::{Voice, memory, process, signals};
use nix::errno::Errno;

use super::upgrade::Origin;
use crate::supervise::{Ending, FIXED_FDS, Next, Now, Role, Show, Supervised, next_program};

/// How long it has to be quiet before what is not needed for the wait is given back, in milliseconds.
const QUIET: u64 = 1000;
/// How many deaths are learnt of in a round: there may be any number.
const DEATHS: u32 = 32;

/// A supervisor at work.
#[derive(Debug)]
pub(super) struct Supervisor {
    pub(super) service: Box<Supervised>,
    pub(super) signals: OwnedFd,
    pub(super) role: Role,
    pub(super) voice: Voice,
    /// For the upgrade.
    pub(super) origin: Origin,
    /// Nothing has happened for a second.
    pub(super) resting: bool,
    /// There may be more deaths.
    pub(super) unreaped: bool,
}

impl Supervisor {
    /// Works until the service has ended, or is left to another supervisor.
    #[inline(never)]
    pub(super) fn run(&mut self) -> Ending {
        let mut watched = [watch(-1, 0); 1 + FIXED_FDS];
        let mut refused = None;
        // A death before our signal dispositions were set has sent us nothing.
        self.learn();
        loop {
            match self.service.settle(Show::Now, Now::read()) {
                Next::Wait => {}
                Next::Again => continue,
                Next::Upgrade(client) => {
                    let errno = self.origin.become_next(&self.service, self.voice);
                    self.service.refuse_upgrade(client, next_program::failure(errno).bytes());
                    continue;
                }
                Next::Over(outcome) => return outcome,
            }
            let timeout = self.watch(&mut watched);
            let timeout = self.idle_timeout(timeout);
            let polled = poll::poll(&mut watched, timeout);
            let now = Now::read();
            match polled {
                Ok(true) => {
                    refused = None;
                    self.resting &= watched.iter().all(|fd| fd.revents == 0);
                    if let Some(outcome) = self.service.ready(&watched[1..], now) {
                        return outcome;
                    }
                    if watched[0].revents != 0 || self.unreaped {
                        self.learn();
                    }
                }
                Ok(false) => {}
                Err(errno) => {
                    // Never seen; but a loop that fails at once must not eat the machine.
                    if refused.replace(errno) != Some(errno) {
                        self.report_refused(errno);
                    }
                    common::lock::pause_1ms();
                }
            }
            self.service.fire_timers(now);
        }
    }

    /// Writes what is waited for into `watched`, the signals first, which are handled last. For how many milliseconds
    /// at most, if time alone will lead to something.
    #[inline(never)]
    fn watch(&self, watched: &mut [poll::pollfd]) -> Option<u64> {
        let now = Now::read();
        watched[0] = watch(self.signals.as_raw_fd(), POLLIN);
        self.service.watch(&mut watched[1..], now);
        if self.unreaped {
            return Some(0);
        }
        self.service.deadline(now).map(|deadline| deadline.saturating_sub(now.monotonic))
    }

    /// If nothing is due, memory that the wait does not need is given back after a quiet second: under load it
    /// would be fetched again and again.
    fn idle_timeout(&mut self, timeout: Option<u64>) -> Option<u64> {
        if timeout.is_some() || !self.resting {
            self.resting = timeout.is_none();
            return timeout.or(Some(QUIET));
        }
        memory::give_back();
        None
    }

    #[inline(never)] // its buffers would be part of the frame that waits
    fn report_refused(&self, errno: Errno) {
        self.voice.unable(&[b"wait for events"], errno);
    }

    /// Takes notice of the signals that have arrived and of deaths. What follows from them happens once
    /// everything else has been looked at again.
    #[inline(never)]
    fn learn(&mut self) {
        for signal in signals::next(self.signals.as_fd()) {
            match signal {
                signals::CHLD => {}
                signals::PWR | signals::RTMIN_3 if self.role == Role::Part => {}
                signals::QUIT if self.role == Role::Part => self.service.leave(),
                _ => self.service.stop(),
            }
        }
        // Also where CHLD was not heard: one signal may stand for many.
        self.unreaped = true;
        for _ in 0..DEATHS {
            let Ok(Some((pid, status))) = process::reap() else {
                self.unreaped = false;
                break;
            };
            self.service.lost(pid, status);
        }
    }
}
