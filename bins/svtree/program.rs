//! The program of a container, the words behind `--`: a process in a group of its own, which gets what the tree itself was
//! started with and is in the foreground of the terminal. Its end is the end of the tree.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use common::spawn::{Inheritance, spawn_chain};
use common::{Chain, Exit, OrFail, Voice, fds, process, signals};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::resource::{Resource, getrlimit, rlim_t};
use nix::sys::stat::Mode;
use nix::unistd::{getpgrp, read, tcgetpgrp, tcsetpgrp};

use crate::supervise::{HEARD, exit_status, from_wait_status};

/// Whether the tree has a scan directory, which HUP has it look at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Directory {
    Given,
    None,
}

/// Those that say something about this process alone: its faults and its limits, its terminal, a write of its own into a
/// pipe without a reader. KILL and STOP are never seen.
const OURS_ALONE: [i32; 14] = [
    signals::ILL,
    signals::TRAP,
    signals::ABRT,
    signals::BUS,
    signals::FPE,
    signals::SEGV,
    signals::SYS,
    signals::XCPU,
    signals::XFSZ,
    signals::TTIN,
    signals::TTOU,
    signals::PIPE,
    signals::KILL,
    signals::STOP,
];

/// The signals that are passed on to the program, as a mask: all that mean nothing to the tree.
pub(super) fn passed_on(directory: Directory) -> u64 {
    let hangup = if directory == Directory::None { signals::mask_of(&[signals::HUP]) } else { 0 };
    !(signals::mask_of(&HEARD) | signals::mask_of(&OURS_ALONE)) | hangup
}

/// The signal by which the program is asked to end where `asked` has asked the tree: QUIT is the graceful stop of those
/// whose images choose it, nginx and php-fpm, whom TERM would interrupt.
fn stop_signal(asked: i32) -> i32 {
    if asked == signals::QUIT { signals::QUIT } else { signals::TERM }
}

/// What this process was started with and changes for itself. It is kept for the program, and the limit of open files
/// for the services too.
#[derive(Debug)]
pub(super) struct Received {
    /// fds 0 to 2, where they are open.
    standard: [Option<OwnedFd>; 3],
    directory: OwnedFd,
    /// `RLIMIT_NOFILE`, soft and hard.
    pub(super) files: (rlim_t, rlim_t),
    ignored: u64,
    blocked: u64,
}

impl Received {
    /// Keeps it, and blocks all signals: to be called first, before any of it is changed.
    pub(super) fn take() -> Result<Self, Exit> {
        let blocked = signals::exchange_mask(u64::MAX).or_fail("block signals")?;
        let keep = |fd: BorrowedFd| match fds::copy_from(fd, 3) {
            Err(Errno::EBADF) => Ok(None), // closed, and so it will be for the program
            other => other.map(Some).or_fail("keep the standard fds"),
        };
        let standard = [keep(fds::stdin())?, keep(fds::stdout())?, keep(std::io::stderr().as_fd())?];
        // It need not be readable.
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = fds::open(AT_FDCWD, c".", flags, Mode::empty()).or_fail("open .")?;
        let files = getrlimit(Resource::RLIMIT_NOFILE).or_fail("read RLIMIT_NOFILE")?;
        Ok(Self { standard, directory, files, ignored: signals::ignored(), blocked })
    }

    /// The terminal that the program gets to its foreground: stdin, if that is our controlling terminal, and we are in
    /// the foreground ourselves. From the background we would take it away from others.
    fn terminal(&self) -> Option<BorrowedFd<'_>> {
        let stdin = self.standard[0].as_ref()?.as_fd();
        // It fails where stdin is no terminal, or not our controlling one.
        let foreground = tcgetpgrp(stdin).ok()?;
        // Of another pid namespace, as below an unshare(1) that has made no session: all of its groups are 0 here.
        let nameless = foreground.as_raw() == 0;
        (foreground == getpgrp() && (!nameless || is_in_foreground())).then_some(stdin)
    }
}

/// Whether this process is in the foreground of its controlling terminal, whatever the numbers of process groups: the
/// kernel refuses a read by one in the background, with EIO where TTIN is blocked as it is here, before it looks for
/// how much is to be read; here it is nothing.
fn is_in_foreground() -> bool {
    // A file description of our own, which does not wait for another reader.
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    // Where there is no such file, as in a chroot, the terminal is left to those that have it.
    let Ok(terminal) = fds::open(AT_FDCWD, c"/dev/tty", flags, Mode::empty()) else { return false };
    matches!(read(&terminal, &mut []), Ok(_) | Err(Errno::EAGAIN))
}

/// How far it has come.
enum State {
    /// Not started yet.
    Due(Box<Chain>),
    /// It runs, as this pid, which is that of its process group.
    Runs(u32),
    /// It has ended, or could not be started: the status for the tree.
    Ended(u8),
}

/// The program.
pub(super) struct Program {
    received: Received,
    state: State,
    /// It was put into the foreground of the terminal.
    foreground: bool,
}

impl Program {
    /// The program of a chain, as the command line gives it, with at least one word.
    pub(super) fn new(chain: Chain, received: Received) -> Self {
        Self { received, state: State::Due(Box::new(chain)), foreground: false }
    }

    /// Starts it, once. Where that fails it has ended at once: with 127 if it was not found, 126 if it cannot be
    /// executed, 111 if the system refuses.
    pub(super) fn start(&mut self, voice: Voice) {
        let Self { received, state, foreground } = self;
        // Whatever becomes of it, it is not due any more.
        let State::Due(chain) = std::mem::replace(state, State::Ended(111)) else { return };
        let inheritance = Inheritance {
            terminal: received.terminal(),
            directory: received.directory.as_fd(),
            standard: received.standard.each_ref().map(|fd| fd.as_ref().map(OwnedFd::as_fd)),
            files: received.files,
            ignored: received.ignored,
            blocked: received.blocked,
        };
        *foreground = inheritance.terminal.is_some();
        match spawn_chain(*chain, &inheritance) {
            Ok((pid, None)) => *state = State::Runs(pid),
            Ok((_, Some(error))) => {
                voice.refused(&error);
                *state = State::Ended(u8::try_from(error.status()).unwrap_or(111));
                self.give_terminal_back(voice);
            }
            Err(errno) => voice.fatal(&[b"fork"], errno),
        }
    }

    /// Whether it was not started yet.
    pub(super) fn is_due(&self) -> bool {
        matches!(self.state, State::Due(_))
    }

    /// Whether it runs.
    pub(super) fn is_running(&self) -> bool {
        matches!(self.state, State::Runs(_))
    }

    /// The status that it leaves to the tree, once it has ended: its own, or 128 and the signal that killed it.
    pub(super) fn status(&self) -> Option<u8> {
        match self.state {
            State::Ended(status) => Some(status),
            _ => None,
        }
    }

    /// A child has died: whether it was the program.
    pub(super) fn lost(&mut self, pid: u32, status: i32, voice: Voice) -> bool {
        let its = matches!(self.state, State::Runs(own) if own == pid);
        if its {
            self.state = State::Ended(exit_status(from_wait_status(status)));
            self.give_terminal_back(voice);
        }
        its
    }

    /// Passes a signal on, to its process group.
    pub(super) fn pass(&self, signal: i32, voice: Voice) {
        let State::Runs(pid) = self.state else { return };
        match process::kill_group(pid, signal) {
            // It has died, and was not waited for yet.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => voice.unable(&[b"send a signal to the program"], errno),
        }
    }

    /// Asks it to end, as this signal has asked the tree.
    pub(super) fn stop(&self, asked: i32, voice: Voice) {
        self.pass(stop_signal(asked), voice);
        self.pass(signals::CONT, voice); // one that is stopped learns of it, too
    }

    /// Kills it and its process group: the time for the stop is over.
    pub(super) fn kill(&self, voice: Voice) {
        self.pass(signals::KILL, voice);
    }

    /// Puts our own process group into the foreground again: ^C means us now.
    fn give_terminal_back(&mut self, voice: Voice) {
        let Some(terminal) = self.received.standard[0].as_ref().filter(|_| self.foreground) else { return };
        self.foreground = false;
        let own = getpgrp();
        if own.as_raw() == 0 {
            return; // it belongs to another pid namespace, where a shell takes the terminal back itself
        }
        // All signals are blocked: from the background this would stop us by TTOU.
        match tcsetpgrp(terminal, own) {
            Ok(()) | Err(Errno::EIO | Errno::ENOTTY) => {} // it has hung up
            Err(errno) => voice.unable(&[b"take the terminal back"], errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use signals::{ABRT, ALRM, CHLD, CONT, HUP, INT, KILL, PIPE, PWR, QUIT, RTMIN, SEGV, STOP, TERM};
    use signals::{TSTP, TTIN, TTOU, USR1, USR2, WINCH};

    #[test]
    fn every_signal_is_the_trees_or_passed_on() {
        let passed = |signal, directory| passed_on(directory) & signals::mask_of(&[signal]) != 0;
        let both = |signal| [Directory::Given, Directory::None].map(|directory| passed(signal, directory));
        for signal in [USR1, USR2, WINCH, CONT, TSTP, ALRM, RTMIN, RTMIN + 30] {
            assert_eq!(both(signal), [true, true], "{signal}");
        }
        for signal in [TERM, INT, QUIT, PWR, RTMIN + 3, CHLD, KILL, STOP, SEGV, ABRT, PIPE, TTIN, TTOU] {
            assert_eq!(both(signal), [false, false], "{signal}");
        }
        assert_eq!(both(HUP), [false, true], "it is a look at the scan directory, if there is one");
    }

    #[test]
    fn the_program_is_asked_to_end_by_the_signal_that_it_knows() {
        let asked = [TERM, INT, PWR, RTMIN + 3, QUIT].map(stop_signal);
        assert_eq!(asked, [TERM, TERM, TERM, TERM, QUIT]);
    }
}
