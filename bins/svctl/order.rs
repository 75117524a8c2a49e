//! What all services of a command share, and what one step towards its goal comes to.

use std::time::{Duration, Instant};

use common::Words;
use nix::errno::Errno;

use super::command::{Command, Goal};
use super::failure::Failure;
use super::names::Names;
use super::status::Status;
use super::style::Dialect;

/// How often to look where no change is reported.
pub(super) const TICK: Duration = Duration::from_millis(20);
/// How often to look for a supervisor that is absent, or has no place for us.
pub(super) const ABSENT: Duration = Duration::from_millis(100);

/// A command, for any number of services.
pub(super) struct Order<'a> {
    pub(super) names: &'a Names,
    pub(super) command: &'a Command,
    pub(super) env: &'a Words,
    /// Whether to wait for the goal.
    pub(super) waits: bool,
    pub(super) report: Report,
    /// Whether to wait for a supervisor too.
    pub(super) patient: bool,
    pub(super) dialect: Dialect,
    /// Until when.
    pub(super) end: Instant,
    /// Until when a supervisor has to answer.
    pub(super) answered: Instant,
}

/// For which services there is a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Report {
    All,
    /// Those alone whose goal is not reached.
    Problems,
    /// Those alone that fail: the command is a part of another one.
    Failures,
}

/// The outcome of a step.
pub(super) enum Step {
    /// Something has to happen first, or time to pass.
    Wait,
    /// It can go on at once.
    On,
    /// From the beginning, in a while.
    Restart(Duration),
    /// The connection is lost: over another one, with the request of this number.
    Resume(usize),
    /// Through the FIFO.
    Fifo,
    /// By its own supervisor: its tree does not host it.
    Unhosted,
    /// The supervisor has to open its socket again.
    Return,
    Done(Status),
    Gone,
    Fail(Failure),
}

impl Order<'_> {
    /// Whether a service that cannot be found may be there soon enough.
    pub(super) fn may_come(&self, failure: &Failure) -> bool {
        self.patient && failure.errno == Some(Errno::ENOENT) && Instant::now() < self.end
    }

    /// No supervisor has the service: the end, or one may come.
    pub(super) fn without_supervisor(&self) -> Step {
        match self.command.goal {
            Goal::Gone => Step::Gone,
            _ if self.patient => Step::Restart(ABSENT),
            _ => Step::Fail(Failure::gone()),
        }
    }
}
