//! The script ./check, which a client runs to see whether a service does its work.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Instant;

use common::process::{kill_child, pidfd};
use common::signals::{self, block_only};
use common::spawn::{Plan, spawn};
use common::{Words, fds, shown};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::{Mode, stat};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::out::complain;
use super::trouble::words;

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
    /// Starts the script of the service here; its stdout is nobody's. `runit` is for warnings in its words.
    pub(super) fn start(name: &[u8], env: &Words, end: Instant, runit: bool) -> Result<Self, NoCheck> {
        let warn = |unable: &str, errno| {
            let text =
                format!("warning: unable to {unable} {}/check: {}\n", shown(name), words(errno, runit));
            complain(text.as_bytes());
        };
        match stat(c"check") {
            Ok(_) => {}
            Err(Errno::ENOENT) => return Err(NoCheck::None),
            Err(errno) => {
                warn("stat", errno);
                return Err(NoCheck::Later);
            }
        }
        let (child, exec) = start(env).map_err(|errno| {
            warn("start", errno);
            NoCheck::Later
        })?;
        if let Some(errno) = exec {
            warn("run", errno);
            let _ = waitpid(child, None);
            return Err(NoCheck::None); // as to sv
        }
        let pidfd = u32::try_from(child.as_raw()).ok().and_then(|pid| pidfd(pid).ok());
        Ok(Self { child: Some(child), pidfd, end })
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

    /// What can be waited for.
    pub(super) fn fd(&self) -> Option<RawFd> {
        self.pidfd.as_ref().map(AsRawFd::as_raw_fd)
    }
}

/// The pid, and why it could not be executed.
fn start(env: &Words) -> nix::Result<(Pid, Option<Errno>)> {
    let open = |path, flags| fds::open(AT_FDCWD, path, flags | OFlag::O_CLOEXEC, Mode::empty());
    let null = open(c"/dev/null", OFlag::O_WRONLY)?;
    let folder = open(c".", OFlag::O_PATH | OFlag::O_DIRECTORY)?;
    let plan = Plan {
        group: false,
        folder: folder.as_fd(),
        record: None,
        fds: &[(null.as_raw_fd(), 1)],
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
