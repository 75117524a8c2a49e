//! A supervisor in the hands of a tracer, which can kill it before any of its system calls: ptrace(2).

use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc::{SYS_exit_group, c_long};
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use super::{DEADLINE, call_of, sh, share, state};

/// A child of the test that goes from one system call to the next, as the tracer wants it. What it starts is not traced.
pub(crate) struct Traced {
    pid: Pid,
    /// It stands at the entry of a system call.
    inside: bool,
}

/// What a child is asked to do before it executes a program: wait for its tracer.
pub(crate) fn to_be_traced(program: &Command) -> Command {
    let mut command = sh("kill -s STOP $$; exec \"$@\"");
    command.arg("sh").arg(program.get_program()).args(program.get_args());
    command
}

impl Traced {
    /// A child that was started by the words of [`to_be_traced`]; it stands where its program begins.
    pub(crate) fn from_start(child: &Child) -> Self {
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let mut traced = Self { pid, inside: true };
        assert_eq!(traced.wait(), WaitStatus::Stopped(pid, Signal::SIGSTOP));
        ptrace::seize(pid, Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_TRACESYSGOOD).unwrap();
        kill(pid, Signal::SIGCONT).unwrap();
        let exec = WaitStatus::PtraceEvent(pid, Signal::SIGTRAP, Event::PTRACE_EVENT_EXEC as i32);
        while traced.wait() != exec {
            ptrace::cont(pid, None).unwrap();
        }
        assert!(traced.cross(&mut || false));
        traced
    }

    /// A child that waits for events; it stands still from now on.
    pub(crate) fn at_rest(pid: u32) -> Self {
        let pid = Pid::from_raw(i32::try_from(pid).unwrap());
        ptrace::seize(pid, Options::PTRACE_O_TRACESYSGOOD).unwrap();
        ptrace::interrupt(pid).unwrap();
        let traced = Self { pid, inside: false };
        assert!(matches!(traced.wait(), WaitStatus::PtraceEvent(..)));
        traced
    }

    fn wait(&self) -> WaitStatus {
        loop {
            if let Some(found) = self.look() {
                return found;
            }
            thread::sleep(Duration::from_micros(20));
        }
    }

    /// The next stop, or the end, which stays for whoever waits for the child.
    fn look(&self) -> Option<WaitStatus> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED;
        match waitid(Id::Pid(self.pid), flags | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG).unwrap() {
            WaitStatus::StillAlive => None,
            end @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => Some(end),
            _ => Some(waitpid(self.pid, Some(WaitPidFlag::WUNTRACED)).unwrap()),
        }
    }

    /// On to the entry of a system call, or the return from it; false where it ends, or sleeps and `rests` holds.
    fn cross(&mut self, rests: &mut dyn FnMut() -> bool) -> bool {
        let mut signal = None;
        loop {
            ptrace::syscall(self.pid, signal).unwrap();
            let began = Instant::now();
            let mut pause = 20;
            let found = loop {
                if let Some(found) = self.look() {
                    break found;
                }
                thread::sleep(Duration::from_micros(pause));
                pause = (pause * 2).min(1000);
                let pid = u32::try_from(self.pid.as_raw()).unwrap();
                if self.inside && pause == 1000 && state(pid) == Some('S') && rests() {
                    return false;
                }
                assert!(began.elapsed() < DEADLINE, "the traced process does not come to rest");
            };
            match found {
                WaitStatus::PtraceSyscall(_) => break,
                WaitStatus::Stopped(_, other) => signal = Some(other),
                WaitStatus::PtraceEvent(..) => signal = None,
                _ => return false,
            }
        }
        self.inside = !self.inside;
        true
    }

    /// On to the entry of the next system call. Returns its number, or nothing where it ends, or comes to rest.
    pub(crate) fn call(&mut self, mut rests: impl FnMut() -> bool) -> Option<c_long> {
        if self.inside && !self.cross(&mut rests) || !self.cross(&mut rests) {
            return None;
        }
        let number = call_of(u32::try_from(self.pid.as_raw()).unwrap())?;
        (number != SYS_exit_group).then_some(number)
    }

    /// Kills it where it stands.
    pub(crate) fn kill(self) {
        let _ = kill(self.pid, Signal::SIGKILL); // it may have ended
    }
}

/// The moments at which a test kills that could do so before each of many system calls: one in `stride`, of which this run
/// has its share. With `CATENA_KILLS=K/N` one in N, from the Kth on, so that without `CATENA_SHARE` `0/1` is all of them.
pub(crate) fn moments(stride: usize) -> impl Iterator<Item = usize> {
    let asked = std::env::var("CATENA_KILLS").ok();
    let asked = asked.map(|value| {
        let (first, of) = value.split_once('/').expect("CATENA_KILLS=K/N");
        (first.parse().unwrap(), of.parse().unwrap())
    });
    let (first, stride) = asked.unwrap_or((stride / 2, stride));
    share((first..).step_by(stride))
}
