//! The script ./check, which a client runs to learn whether a service does its work.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Instant;

use common::process::{kill_child, pidfd};
use common::signals::{self, block_only};
use common::spawn::{Plan, spawn};
use common::{Words, fds, shown};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::failure::words;
use super::out::complain;
use super::place::Place;
use super::style::Dialect;

/// Whether the service does its work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    Works,
    Fails,
}

/// Why no script runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum NoCheck {
    /// There is none, or none that could say anything.
    None,
    /// It could not be started now.
    Later,
}

/// A script that runs. Dropped, it is killed.
pub(super) struct Check {
    /// None once it has ended.
    child: Option<Pid>,
    /// Readable when it ends; none on a kernel that has no pidfds.
    pidfd: Option<OwnedFd>,
    /// When it has had its time.
    end: Instant,
}

impl Check {
    /// Starts the script of a service, in its directory; its stdout is nobody's. Warnings have the words of
    /// `dialect`.
    pub(super) fn start(place: &Place, env: &Words, end: Instant, dialect: Dialect) -> Result<Self, NoCheck> {
        let warn = |unable: &str, errno| {
            let (name, reason) = (shown(&place.name), words(errno, dialect));
            complain(format!("warning: unable to {unable} {name}/check: {reason}\n").as_bytes());
        };
        match place.has(c"check") {
            Ok(true) => {}
            Ok(false) => return Err(NoCheck::None),
            Err(errno) => {
                warn("stat", errno);
                return Err(NoCheck::Later);
            }
        }
        let (child, exec) = start(place, env).map_err(|errno| {
            warn("start", errno);
            NoCheck::Later
        })?;
        if let Some(errno) = exec {
            warn("run", errno);
            let _ = waitpid(child, None); // it has ended, and is our child
            return Err(NoCheck::None); // as to sv
        }
        // Without a pidfd it is looked at again and again.
        let pidfd = u32::try_from(child.as_raw()).ok().and_then(|pid| pidfd(pid).ok());
        Ok(Self { child: Some(child), pidfd, end })
    }

    /// The verdict of the script, once it is there; a script that takes too long has failed.
    pub(super) fn result(&mut self) -> Option<Verdict> {
        let status = waitpid(self.child?, Some(WaitPidFlag::WNOHANG));
        if matches!(status, Ok(WaitStatus::StillAlive) | Err(Errno::EINTR)) {
            return (Instant::now() >= self.end).then_some(Verdict::Fails);
        }
        self.child = None;
        let works = matches!(status, Ok(WaitStatus::Exited(_, 0)));
        Some(if works { Verdict::Works } else { Verdict::Fails })
    }

    /// To wait for its end.
    pub(super) fn fd(&self) -> Option<RawFd> {
        self.pidfd.as_ref().map(AsRawFd::as_raw_fd)
    }
}

/// The pid, and why it could not be executed.
fn start(place: &Place, env: &Words) -> nix::Result<(Pid, Option<Errno>)> {
    let null = fds::open(AT_FDCWD, c"/dev/null", OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let plan = Plan {
        group: false,
        directory: place.own()?.as_fd(),
        record: None,
        files: None,
        fds: [Some((null.as_raw_fd(), 1)), None, None, None],
        path: c"./check",
        argv: &[c"./check"],
        env,
    };
    signals::block_all()?;
    let spawned = spawn(&plan);
    block_only(signals::PIPE)?;
    let spawned = spawned?;
    Ok((Pid::from_raw(i32::try_from(spawned.pid).unwrap_or(0)), spawned.exec))
}

impl Drop for Check {
    fn drop(&mut self) {
        if let Some(child) = self.child {
            // Our child: it is there until we wait for it.
            let _ = kill_child(child.as_raw().unsigned_abs(), signals::KILL);
            let _ = waitpid(child, None);
        }
    }
}
