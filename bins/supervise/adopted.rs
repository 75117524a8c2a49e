//! A process that another supervisor has started: no child of ours, and known by its pidfd.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use common::process;
use nix::errno::Errno;

use super::death;
use super::fresh::Fresh;
use super::machine::Death;

/// How long the exit status is asked for, in milliseconds: the parent of the process has to reap it first.
const PATIENCE: u64 = 500;
/// How long until it is asked for again.
const AGAIN: u64 = 5;

/// A process that was adopted.
#[derive(Debug)]
pub(super) struct Adopted {
    pidfd: Fresh,
    /// Since when its exit status is asked for.
    asking: Option<u64>,
}

impl Adopted {
    /// The process that `pidfd` refers to.
    pub(super) fn new(pidfd: OwnedFd) -> Self {
        Self { pidfd: pidfd.into(), asking: None }
    }

    /// `pidfd_send_signal(2)`: never to another process that has got its pid since.
    pub(super) fn signal(&self, signal: i32) -> nix::Result<()> {
        process::signal_pidfd(self.pidfd.as_fd(), signal)
    }

    /// How it has died, once it was reaped or that takes too long; `now` in milliseconds.
    pub(super) fn death(&mut self, now: u64) -> Option<Death> {
        let since = *self.asking.get_or_insert(now);
        match process::exit_status(self.pidfd.as_fd()) {
            Ok(status) => Some(death::from_wait_status(status)),
            Err(Errno::ESRCH) if now < since + PATIENCE => None,
            Err(_) => Some(Death::Unknown), // the kernel does not show it, or it was not reaped in time
        }
    }

    /// The fd that is ready at its death; -1 once that is known.
    pub(super) fn death_fd(&self) -> RawFd {
        if self.is_asked() { -1 } else { self.pidfd.as_raw_fd() }
    }

    /// Whether nobody has asked this before.
    pub(super) fn is_new(&mut self) -> bool {
        self.pidfd.take_new()
    }

    /// Whether its exit status is asked for.
    pub(super) fn is_asked(&self) -> bool {
        self.asking.is_some()
    }

    /// When it is asked for again.
    pub(super) fn deadline(&self, now: u64) -> Option<u64> {
        self.asking.map(|_| now + AGAIN)
    }
}
