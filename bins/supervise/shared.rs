//! What both processes of a service share.

use common::spawn::FewFiles;
use common::{Voice, Words};

use super::leftovers::Orphans;
use super::pid_space::PidSpace;
use super::pipe::Pipe;
use common::supervise::Part;

/// What both processes of a service share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The prefix of every message.
    pub(super) voice: Voice,
    /// The environment, as it was received.
    pub(super) env: Words,
    /// What its programs have of our open files, where those are many.
    pub(super) files: Option<&'static FewFiles>,
    /// The pid of the supervisor.
    pub(super) supervisor: u32,
    /// Where recorded pids mean anything.
    pub(super) space: PidSpace,
    /// Whose the children are that nobody has started here.
    pub(super) orphans: Orphans,
    /// The pipe between the two, if there is a logger.
    pub(super) pipe: Option<Pipe>,
}

impl Shared {
    /// The prefix of a message about `part`.
    pub(super) fn voice(&self, part: Part) -> Voice {
        Voice { part: part.suffix(), ..self.voice }
    }

    /// The program that a line in a log names, whatever it was called by: so one pattern finds them.
    pub(super) fn program(&self) -> &'static str {
        if self.is_one_of_many() { "svtree" } else { "svrun" }
    }

    /// Whether this process holds other services too. Then all that is started leads a process group of its own, though
    /// no file asks for it: a signal of one service to its own group must not reach us, and so all others. And few fds
    /// count for more than few system calls.
    pub(super) fn is_one_of_many(&self) -> bool {
        self.orphans == Orphans::Anybodys
    }

    /// Whether a new supervisor could take over: not through an anonymous pipe, which dies with us.
    pub(super) fn adoption(&self) -> bool {
        self.pipe.as_ref().is_none_or(Pipe::has_name)
    }
}
