//! A script beside a process that runs, or ran last: that of a control command, service(5), control/, or ./reload.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use common::spawn::{self, Plan};
use common::supervise::Death;
use common::{Text, Voice, process, signals};
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::fstatat;

use super::death;
use super::failure::{Failures, START};
use super::machine::Script;
use super::pipe::End;
use super::service::{Optional, Settings};
use super::shared::Shared;

/// A control script, or ./reload. One of each runs at a time.
#[derive(Debug, Default)]
pub(super) struct ControlScript {
    /// 0: none runs.
    pid: u32,
    /// Its wait status, while the machine does not know that it is dead.
    lost: Option<i32>,
    /// The letter of the one that was asked for last, and, once it has failed, its wait status.
    outcome: (u8, Option<i32>),
    /// Why it could not be executed, if it could not.
    exec: Option<Errno>,
    /// What was reported of those that could not be started.
    failures: Failures,
}

impl ControlScript {
    /// The pid of the one that runs; 0: none.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// The letter of the one that was asked for last, and, once it has failed, its wait status.
    pub(super) fn outcome(&self) -> (u8, Option<i32>) {
        self.outcome
    }

    /// Whether `script` is in the service directory and may be executed by its owner, as runsv decides.
    pub(super) fn is_there(
        &mut self,
        script: Script,
        directory: BorrowedFd,
        settings: &Settings,
        voice: Voice,
    ) -> bool {
        let letter = script.letter();
        self.outcome = (letter, None);
        if settings.misses(Optional::Control) {
            return false;
        }
        let name = name(letter);
        let path = path(&name);
        match fstatat(directory, path, AtFlags::empty()) {
            Ok(stat) => stat.st_mode & 0o100 != 0,
            Err(Errno::ENOENT | Errno::ENOTDIR) => false,
            Err(errno) => {
                self.failures.report(voice, (letter, "look at"), (directory, path), errno);
                false
            }
        }
    }

    /// Starts `script`, with the pid of its process, `target`, as its argument. Whether it runs.
    pub(super) fn start(
        &mut self,
        script: Script,
        directory: BorrowedFd,
        target: Option<u32>,
        shared: &Shared,
        voice: Voice,
    ) -> bool {
        self.start_path(path(&name(script.letter())), directory, target, shared, voice)
    }

    /// The same for the script at `path`.
    pub(super) fn start_path(
        &mut self,
        path: &CStr,
        directory: BorrowedFd,
        target: Option<u32>,
        shared: &Shared,
        voice: Voice,
    ) -> bool {
        let letter = self.outcome.0;
        let mut pid = Text::<16>::new();
        pid.number(target.unwrap_or(0)).add("\0");
        let words = [path, CStr::from_bytes_with_nul(pid.bytes()).unwrap_or(c"")];
        // No pid where nothing runs: 0 would be kill(1)'s own process group.
        let argv = &words[..=usize::from(target.is_some())];
        // Without its pipe the script runs all the same, as what it is to do must not be lost, and its output goes where
        // our own words for the log go by then: standard output belongs to nobody who expects them. The errno is
        // reported by whatever needs the pipe next.
        let end = shared.pipe.as_ref().map(|pipe| pipe.end(End::Write));
        let output = end.as_ref().map(|end| (end.as_ref().map_or(2, AsRawFd::as_raw_fd), 1));
        let plan = Plan {
            group: shared.is_one_of_many(),
            directory,
            record: None,
            files: shared.files,
            fds: [output, None, None, None],
            path,
            argv,
            env: &shared.env,
        };
        let failed = match spawn::spawn(&plan) {
            Ok(spawned) => {
                self.pid = spawned.pid;
                spawned.exec
            }
            Err(errno) => Some(errno),
        };
        self.exec = failed;
        match failed {
            Some(errno) => self.failures.report(voice, (letter, START), (directory, path), errno),
            None => self.failures.clear(),
        }
        self.pid != 0
    }

    /// Kills the one that runs. Whether one does.
    pub(super) fn kill(&self) -> bool {
        if self.pid != 0 && self.lost.is_none() {
            let _ = process::kill_child(self.pid, signals::KILL); // it is ours, not reaped yet
        }
        self.pid != 0
    }

    /// A child has died: whether it was this one. What follows from that is for [`ControlScript::bury`].
    pub(super) fn lost(&mut self, pid: u32, status: i32) -> bool {
        let is_this = pid == self.pid && self.lost.is_none();
        if is_this {
            self.lost = Some(status);
        }
        is_this
    }

    /// Whether its death is to be buried.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Its death, if that was noticed, happens now.
    pub(super) fn bury(&mut self) -> Option<Death> {
        let status = self.lost.take()?;
        self.pid = 0;
        self.outcome.1 = Some(status).filter(|status| *status != 0);
        let exec = self.exec.take().map(|errno| Death::Exec(errno as i32));
        Some(exec.unwrap_or(death::from_wait_status(status)))
    }
}

fn name(letter: u8) -> [u8; 10] {
    [b'c', b'o', b'n', b't', b'r', b'o', b'l', b'/', letter, 0]
}

fn path(name: &[u8; 10]) -> &CStr {
    CStr::from_bytes_until_nul(name).unwrap_or(c"")
}
