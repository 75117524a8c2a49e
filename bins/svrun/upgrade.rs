//! Becoming the program that is now in our own file's place. The children stay ours, and the lock is free for the
//! moment that the exec takes.

use std::os::fd::OwnedFd;

use common::{Voice, Words, fds};
use nix::errno::Errno;
use nix::unistd::fchdir;

use crate::supervise::{Supervised, next_program};

/// What this program was started with, for the one that it becomes.
#[derive(Debug)]
pub(super) struct Origin {
    /// The command line.
    pub(super) line: Words,
    /// The working directory in which it counts.
    pub(super) directory: OwnedFd,
    /// The environment.
    pub(super) env: Words,
    /// Whether the service inherits our fds: a pipe that is handed on would be the service's too.
    pub(super) keep: bool,
}

impl Origin {
    /// Becomes the next program, which takes over what this one holds. Returns why it did not.
    pub(super) fn become_next(&self, service: &Supervised, voice: Voice) -> Errno {
        let (Ok(errno) | Err(errno)) = self.execute(service);
        if let Err(errno) = fchdir(service.directory()) {
            voice.unable(&[b"change back to the service directory"], errno);
        }
        errno
    }

    fn execute(&self, service: &Supervised) -> nix::Result<Errno> {
        fchdir(&self.directory)?;
        let handed = service.hand_on(!self.keep)?;
        // Clients see their end: the new program listens in a moment.
        let errno = next_program::execute(&self.line, &self.env);
        handed.into_iter().flatten().rev().try_for_each(fds::Handed::take_back)?;
        Ok(errno)
    }
}
