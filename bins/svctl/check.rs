//! The script ./check, which a client runs to see whether a service does its work.

use std::time::Instant;

use common::{OrFail, Words, process, shown};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, stat};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::out::complain;

/// A script that runs. Dropped, it is killed.
pub(super) struct Check {
    child: Option<Pid>,
    /// When it has had its time.
    pub(super) end: Instant,
}

impl Check {
    /// Starts the script of the service here; its stdout is nobody's. Whether the service does its work is
    /// known at once where there is none, or where it cannot be run.
    pub(super) fn start(name: &[u8], env: &Words, end: Instant) -> Result<Self, bool> {
        let warn = |text: &str| complain(format!("warning: {text}\n").as_bytes());
        match stat(c"check") {
            Ok(_) => {}
            Err(Errno::ENOENT) => return Err(true),
            Err(errno) => {
                let reason = common::error::reason(errno);
                warn(&format!("unable to stat {}/check: {reason}", shown(name)));
                return Err(false);
            }
        }
        let null =
            common::fds::open(AT_FDCWD, c"/dev/null", OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty());
        let complaint = format!("warning: unable to run {}/check", shown(name));
        let started = null
            .and_then(|null| process::spawn(c"./check", env, std::os::fd::AsFd::as_fd(&null), &complaint, 0))
            .or_fail("");
        match started {
            Ok(child) => Ok(Self { child: Some(child), end }),
            Err(_) => {
                warn(&format!("unable to start {}/check", shown(name)));
                Err(false)
            }
        }
    }

    /// Whether the service does its work, once that is known.
    pub(super) fn result(&mut self) -> Option<bool> {
        let status = waitpid(self.child?, Some(WaitPidFlag::WNOHANG));
        if matches!(status, Ok(WaitStatus::StillAlive) | Err(Errno::EINTR)) {
            return (Instant::now() >= self.end).then_some(false);
        }
        self.child = None;
        Some(matches!(status, Ok(WaitStatus::Exited(_, 0))))
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        if let Some(child) = self.child {
            let _ = kill(child, Signal::SIGKILL); // it is our child: it is there until we wait for it
            let _ = waitpid(child, None);
        }
    }
}
