//! A logger in the hands of a tracer, which can kill it anywhere: ptrace(2).

use std::fs::File;
use std::os::unix::fs::FileExt;

use nix::libc::{SYS_exit_group, c_long};
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use super::harness::*;
use crate::support::call_of;

/// A logger that goes from one system call to the next, or instruction by instruction, as the tracer wants it.
pub(crate) struct Traced<'a> {
    log: &'a mut Log,
    pid: Pid,
    /// It stands at the entry of a system call.
    inside: bool,
}

impl<'a> Traced<'a> {
    /// Starts a logger, which stands where it begins.
    pub(crate) fn start(log: &'a mut Log) -> Self {
        log.spawn(log.command_behind("kill -s STOP $$; exec \"$@\""));
        let pid = Pid::from_raw(i32::try_from(log.pid()).unwrap());
        let mut traced = Self { log, pid, inside: true };
        assert_eq!(traced.wait(), WaitStatus::Stopped(pid, Signal::SIGSTOP));
        ptrace::seize(pid, Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_TRACESYSGOOD).unwrap();
        kill(pid, Signal::SIGCONT).unwrap();
        let exec = WaitStatus::PtraceEvent(pid, Signal::SIGTRAP, Event::PTRACE_EVENT_EXEC as i32);
        while traced.wait() != exec {
            ptrace::cont(pid, None).unwrap();
        }
        traced.cross();
        traced
    }

    /// Waits for the next stop, or the end; that stays for [`Log::ended`].
    fn wait(&self) -> WaitStatus {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED;
        let found = waitid(Id::Pid(self.pid), flags | WaitPidFlag::WNOWAIT).unwrap();
        if matches!(found, WaitStatus::Exited(..) | WaitStatus::Signaled(..)) {
            return found;
        }
        waitpid(self.pid, Some(WaitPidFlag::WUNTRACED)).unwrap()
    }

    /// On to the entry of a system call, or the return from it.
    fn cross(&mut self) {
        let mut signal = None;
        loop {
            ptrace::syscall(self.pid, signal).unwrap();
            match self.wait() {
                WaitStatus::PtraceSyscall(_) => break,
                WaitStatus::Stopped(_, other) => signal = Some(other),
                other => panic!("{other:?}\n{}", self.log.report()),
            }
        }
        self.inside = !self.inside;
    }

    /// On to the entry of the next system call. Returns its number, or nothing where it exits.
    pub(crate) fn call(&mut self) -> Option<c_long> {
        if self.inside {
            self.cross();
        }
        self.cross();
        let number = call_of(u32::try_from(self.pid.as_raw()).unwrap()).unwrap();
        (number != SYS_exit_group).then_some(number)
    }

    /// On to the entry of the next system call of this number; false where there is none.
    pub(crate) fn before(&mut self, number: c_long) -> bool {
        std::iter::from_fn(|| self.call()).any(|call| call == number)
    }

    /// On behind the next system call of this number; false where there is none.
    pub(crate) fn behind(&mut self, number: c_long) -> bool {
        let there = self.before(number);
        self.cross();
        there
    }

    /// On, instruction by instruction, until the contents of a file in the directory change; false where it exits.
    pub(crate) fn step_to_a_change(&mut self, name: &str) -> bool {
        let file = File::open(self.log.path(name)).unwrap();
        let look = || {
            let mut bytes = [0; 256];
            file.read_at(&mut bytes, 0).unwrap();
            bytes
        };
        let before = look();
        while look() == before {
            ptrace::step(self.pid, None).unwrap();
            match self.wait() {
                WaitStatus::Stopped(_, Signal::SIGTRAP) => {}
                WaitStatus::Exited(_, 0) => return false,
                other => panic!("{other:?}\n{}", self.log.report()),
            }
        }
        true
    }

    /// Whether it has said so.
    pub(crate) fn said(&self, words: &str) -> bool {
        self.log.stderr().contains(words)
    }

    /// Kills it where it stands.
    pub(crate) fn kill(self) {
        kill(self.pid, Signal::SIGKILL).unwrap();
        self.log.ended();
    }

    /// Lets it go on alone, to its end.
    pub(crate) fn end(self) {
        ptrace::detach(self.pid, None).unwrap();
        assert_eq!(self.log.ended(), 0, "{}", self.log.report());
    }
}
