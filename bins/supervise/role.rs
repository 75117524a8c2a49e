//! The role of a supervisor among the programs beside it.

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
