//! The role of a supervisor among the programs beside it, and the signals by which these reach it.

use common::signals;

/// The signals that a supervisor acts on. It blocks all others.
pub(crate) const HEARD: [i32; 7] =
    [signals::CHLD, signals::TERM, signals::INT, signals::HUP, signals::QUIT, signals::PWR, signals::RTMIN_3];

/// The role of a supervisor among the programs beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Role {
    /// One program of several: it stays until it is asked to leave.
    Part,
    /// Process 1 of a container, or in the place of it: it ends with what it is there for, and every signal that an
    /// engine may be configured to send is a stop.
    Whole,
}

impl Role {
    /// The role of this process, as far as nobody has said another.
    pub(crate) fn now() -> Self {
        if std::process::id() == 1 { Self::Whole } else { Self::Part }
    }
}
