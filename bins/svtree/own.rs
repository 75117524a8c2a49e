//! The files of the tree itself, in `.tree/` of the scan directory: its scripts `setup` and `finish`, as children that the
//! loop does not wait for, and its `timeout`.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use common::door::{self, Owner};
use common::quantity::MILLISECONDS;
use common::spawn::{self, FewFiles, Plan};
use common::supervise::Death;
use common::{Text, Voice, Words, flaw, process, signals};
use nix::errno::Errno;

use crate::supervise::{exists, exit_status, from_wait_status};

/// How long the whole stop may take where `.tree/timeout` does not say, in milliseconds: less than the ten seconds that
/// Docker gives a container.
pub(super) const TIMEOUT: u64 = 9000;

/// The time limit of the whole stop, in milliseconds: what `.tree/timeout` says, else 9000. A value that cannot be read is
/// reported.
pub(crate) fn timeout(directory: BorrowedFd, voice: Voice) -> u64 {
    let mut buffer = [0; 64];
    match door::read_file(directory, c".tree/timeout", Owner::Any, &mut buffer) {
        Ok(text) => time_limit(text).unwrap_or_else(|| {
            voice.invalid(b".tree/timeout", text.trim_ascii(), MILLISECONDS.expected);
            TIMEOUT
        }),
        Err(Errno::ENOENT | Errno::ENOTDIR) => TIMEOUT,
        Err(errno) => {
            voice.unable_so(&[b"read .tree/timeout"], errno, b"using the default");
            TIMEOUT
        }
    }
}

/// The one time in a file.
fn time_limit(text: &[u8]) -> Option<u64> {
    MILLISECONDS.parse(text.trim_ascii())
}

/// Which script of the tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Which {
    /// Executed before anything else.
    Setup,
    /// Executed when everything is down, with the status of the tree as its argument.
    Finish {
        /// That status.
        status: u8,
    },
}

impl Which {
    fn path(self) -> &'static CStr {
        match self {
            Self::Setup => c".tree/setup",
            Self::Finish { .. } => c".tree/finish",
        }
    }
}

/// How far a script has come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// It runs, as this pid, which is that of its process group.
    Runs(u32),
    /// It has been sent TERM or KILL, so that its death is no news.
    Stopped(u32),
    /// It has ended: its status, or 128 and its signal; 111 if it could not be started.
    Ended(u8),
}

/// A script of the tree.
#[derive(Debug)]
pub(super) struct Script {
    which: Which,
    state: State,
}

impl Script {
    /// Starts it, with the scan directory as its working directory. Where there is no such script, or no
    /// directory, it has ended with 0.
    pub(super) fn start(
        which: Which,
        directory: Option<BorrowedFd>,
        files: &FewFiles,
        env: &Words,
        voice: Voice,
    ) -> Self {
        let path = which.path();
        let Some(directory) = directory else { return Self { which, state: State::Ended(0) } };
        if !exists(directory, path) {
            return Self { which, state: State::Ended(0) };
        }
        let mut number = Text::<8>::new();
        let mut argv = [path, c""];
        let argv = match which {
            Which::Setup => &argv[..1],
            Which::Finish { status } => {
                number.number(status).add("\0");
                argv[1] = CStr::from_bytes_with_nul(number.bytes()).unwrap_or(c""); // its NUL is at its end
                &argv[..]
            }
        };
        // A group, so that a stop reaches what it has started.
        let plan = Plan {
            group: true,
            directory,
            record: None,
            files: Some(files),
            fds: [None; 4],
            path,
            argv,
            env,
        };
        let state = match spawn::spawn(&plan) {
            Ok(spawned) => {
                if let Some(errno) = spawned.exec {
                    let hint = flaw::of(directory, path, errno);
                    voice.unable_hint(&[b"start ", path.to_bytes()], errno, hint);
                    State::Stopped(spawned.pid) // it exits 111, which was reported
                } else {
                    State::Runs(spawned.pid)
                }
            }
            Err(errno) => {
                voice.unable(&[b"start ", path.to_bytes()], errno);
                State::Ended(111)
            }
        };
        Self { which, state }
    }

    /// Whether it is there, alive or not waited for yet.
    pub(super) fn is_running(&self) -> bool {
        self.status().is_none()
    }

    /// The status with which it has ended, once it has.
    pub(super) fn status(&self) -> Option<u8> {
        match self.state {
            State::Ended(status) => Some(status),
            _ => None,
        }
    }

    /// A child has died: whether it was this one. A failure that nobody has asked for is reported.
    pub(super) fn lost(&mut self, pid: u32, status: i32, voice: Voice) -> bool {
        let (own, asked) = match self.state {
            State::Runs(own) => (own, false),
            State::Stopped(own) => (own, true),
            State::Ended(_) => return false,
        };
        if own != pid {
            return false;
        }
        let death = from_wait_status(status);
        if death != Death::Exit(0) && !asked {
            voice.warning(&[self.which.path().to_bytes(), describe(death).bytes()]);
        }
        self.state = State::Ended(exit_status(death));
        true
    }

    /// Asks it and its process group to end.
    pub(super) fn stop(&mut self, voice: Voice) {
        self.send(signals::TERM, voice);
        self.send(signals::CONT, voice); // one that is stopped learns of it, too
    }

    /// Kills it and its process group: the time for the stop is over.
    pub(super) fn kill(&mut self, voice: Voice) {
        self.send(signals::KILL, voice);
    }

    fn send(&mut self, signal: i32, voice: Voice) {
        let (State::Runs(pid) | State::Stopped(pid)) = self.state else { return };
        self.state = State::Stopped(pid);
        match process::kill_group(pid, signal) {
            Ok(()) | Err(Errno::ESRCH) => {} // it could not be executed, and had no group
            Err(errno) => voice.unable(&[b"send a signal to ", self.which.path().to_bytes()], errno),
        }
    }
}

/// How it has ended, behind its name.
fn describe(death: Death) -> Text<48> {
    let mut text = Text::new();
    match death {
        Death::Exit(code) => text.add(" exited ").number(code),
        Death::Signal(signal, _) => match signals::name(signal.into()) {
            Some(name) => text.add(" was killed by SIG").add(name),
            None => text.add(" was killed by signal ").number(signal),
        },
        Death::Exec(_) | Death::Unknown => text.add(" ended"),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOICE: Voice = Voice { called: b"svtree", directory: b"", part: b"" };

    #[test]
    fn a_time_limit_is_one_time() {
        assert_eq!(time_limit(b"5000\n"), Some(5000));
        assert_eq!(time_limit(b" 30s "), Some(30_000));
        for bad in ["", "9 s", "fast", "5s 5s"] {
            assert_eq!(time_limit(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn only_its_own_death_is_its_end() {
        let mut script = Script { which: Which::Setup, state: State::Runs(7) };
        assert!(!script.lost(8, 0, VOICE));
        assert!(script.is_running());
        assert!(script.lost(7, 0, VOICE));
        assert_eq!(script.status(), Some(0));
        assert!(!script.lost(7, 0, VOICE), "the pid may be another's by now");
    }

    #[test]
    fn the_status_is_its_own_or_128_and_the_signal() {
        for (status, expected) in [(0, 0), (3 << 8, 3), (0xff << 8, 255), (15, 143), (9, 137), (0x8b, 139)] {
            let mut script = Script { which: Which::Setup, state: State::Stopped(7) }; // which reports nothing
            assert!(script.lost(7, status, VOICE));
            assert_eq!(script.status(), Some(expected), "{status:#x}");
        }
    }

    #[test]
    fn how_it_ended_is_said_in_words() {
        let says = |death| String::from_utf8(describe(death).bytes().to_vec()).unwrap();
        assert_eq!(says(Death::Exit(3)), " exited 3");
        assert_eq!(says(Death::Signal(15, false)), " was killed by SIGTERM");
        assert_eq!(says(Death::Signal(40, false)), " was killed by signal 40");
    }
}
