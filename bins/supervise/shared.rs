//! What both processes of a service share.

use std::ffi::CStr;

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
    /// The argument of run and setup, if they get one.
    pub(super) argument: Option<&'static CStr>,
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

    /// Whether what is started leads a process group of its own, though no file asks for it: a signal of one service to
    /// its own group must not reach us, and so all others.
    pub(super) fn own_groups(&self) -> bool {
        self.orphans == Orphans::Anybodys
    }

    /// Whether a new supervisor could take over: not through an anonymous pipe, which dies with us.
    pub(super) fn adoption(&self) -> bool {
        self.pipe.as_ref().is_none_or(Pipe::has_name)
    }
}
