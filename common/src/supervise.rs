//! The supervise protocol: what a supervisor and its clients have to agree on, for both ends to read.
//!
//! Commands come as letters through the FIFO [`CONTROL`] and as words through the socket ([`Control`]). The state goes
//! out as 20 bytes in a file ([`Status`]) and as a JSON object through the socket ([`Report`]). daemontools has defined
//! the directory, the FIFOs and the first 18 bytes, runit the other two; the socket is svrun's own, see service(5).

use std::ffi::CStr;

mod address;
mod control;
pub mod json;
mod object;
mod report;
mod status;

pub use address::{address, addressed};
pub use control::Control;
pub use object::{Object, key, named};
pub use report::{LastDeath, Report};
pub use status::Status;

/// The state directory in a service directory, or in its `log`.
pub const DIRECTORY: &CStr = c"supervise";
/// Below it: the FIFO through which letters come.
pub const CONTROL: &CStr = c"control";
/// The FIFO that has a reader as long as a supervisor serves.
pub const OK: &CStr = c"ok";
/// The state in 20 bytes.
pub const STATUS: &CStr = c"status";
/// The pid, and the state in words: of runit.
pub const PID: &CStr = c"pid";
/// See [`PID`].
pub const STAT: &CStr = c"stat";
/// What a supervisor locks.
pub const LOCK: &CStr = c"lock";
/// The socket, since when the service is ready, and how run has ended: of svrun.
pub const SOCKET: &CStr = c"socket";
/// What a tree has in its scan directory, or in the state directory of all its services: with a socket of its own.
pub const TREE: &CStr = c".tree";
/// See [`SOCKET`].
pub const READY: &CStr = c"ready";
/// See [`SOCKET`].
pub const DEATHS: &CStr = c"deaths";

/// Which process of a service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part {
    /// The daemon.
    Service,
    /// Its logger, in the directory `log`.
    Log,
}

impl Part {
    /// Both, in the order in which they are handled.
    pub const BOTH: [Self; 2] = [Self::Service, Self::Log];

    /// What stands before a request for it on the socket.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Service => "",
            Self::Log => "log ",
        }
    }

    /// What follows the name of the service directory in a message about it.
    #[must_use]
    pub fn suffix(self) -> &'static [u8] {
        match self {
            Self::Service => b"",
            Self::Log => b"/log",
        }
    }
}

/// What runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum State {
    /// Neither run nor finish.
    #[default]
    Down,
    /// run.
    Run,
    /// finish.
    Finish,
    /// A state that no supervisor known to us has.
    Unknown,
    /// setup, before run: down in the bytes of the status.
    Setup,
    /// Nothing, after a setup without a run: up, but down in the bytes of the status.
    Done,
}

impl State {
    /// All that have a byte in the status, in the order of these.
    const KNOWN: [Self; 3] = [Self::Down, Self::Run, Self::Finish];
    /// All that have a word.
    const WORDS: [Self; 5] = [Self::Down, Self::Run, Self::Finish, Self::Setup, Self::Done];

    /// The word for it; empty for one that is not known.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Run => "run",
            Self::Finish => "finish",
            Self::Unknown => "",
            Self::Setup => "setup",
            Self::Done => "done",
        }
    }

    /// Whether the service is up: run runs, or there is none and setup has done its work.
    #[must_use]
    pub fn is_up(self) -> bool {
        matches!(self, Self::Run | Self::Done)
    }

    /// Its byte in the status.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Setup | Self::Done => Self::Down as u8,
            state => state as u8,
        }
    }

    /// The state that has this word.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        Self::WORDS.into_iter().find(|state| state.word() == word).unwrap_or(Self::Unknown)
    }
}

/// What is wanted of a service, from the least stop to the greatest.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub enum Want {
    /// That it runs, again and again.
    Up,
    /// That it does not run, or not again.
    #[default]
    Down,
    /// That it is down for good, and the supervisor leaves.
    Exit,
}

impl Want {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Exit => "exit",
        }
    }

    /// What is wanted by this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Up, Self::Down, Self::Exit].into_iter().find(|want| want.word() == word)
    }
}

/// Why a service that is wanted up does not run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Hold {
    /// It does, or is not wanted up.
    #[default]
    None,
    /// The wait for the next start is longer than a second.
    BackingOff,
    /// There were too many short runs.
    GaveUp,
    /// finish said so by its status.
    FinishGaveUp,
    /// What it needs is not ready.
    Needs,
}

impl Hold {
    /// Whether it is not even waited for.
    #[must_use]
    pub fn gave_up(self) -> bool {
        matches!(self, Self::GaveUp | Self::FinishGaveUp)
    }

    /// The words for it, before the names for [`Hold::Needs`]; empty for none.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "",
            Self::BackingOff => "backing off",
            Self::GaveUp | Self::FinishGaveUp => GAVE_UP,
            Self::Needs => "waiting for",
        }
    }

    /// The file of the service directory by which it is given up; empty where it is not.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::None | Self::BackingOff | Self::Needs => "",
            Self::GaveUp => RESTART_MAX,
            Self::FinishGaveUp => FINISH,
        }
    }
}

/// The words for [`Hold::GaveUp`], which are an error too, and its reasons.
pub const GAVE_UP: &str = "gave up";
/// See [`Hold::reason`].
pub const RESTART_MAX: &str = "restart-max";
/// See [`Hold::reason`].
pub const FINISH: &str = "finish";

/// The error of a reload, which has a reason too.
pub const RELOAD_FAILED: &str = "reload failed";

/// The error of a tree that has no service of this name.
pub const NO_SERVICE: &str = "no such service";

/// The error of a tree to which a service has closed the connection before it has answered.
pub const HAS_LEFT: &str = "the service has left";

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Death {
    /// It exited.
    Exit(u8),
    /// A signal killed it; whether its core was dumped.
    Signal(u8, bool),
    /// It could not be executed: the errno.
    Exec(i32),
    /// Nobody knows.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_stands_for_one_state_and_one_want() {
        for state in State::WORDS {
            assert_eq!(State::from_word(state.word()), state);
        }
        assert_eq!(State::WORDS.map(State::byte), [0, 1, 2, 0, 0]);
        assert_eq!(State::from_word(""), State::Unknown);
        for want in [Want::Up, Want::Down, Want::Exit] {
            assert_eq!(Want::from_word(want.word()), Some(want));
        }
        assert_eq!(Want::from_word("once"), None);
    }
}
