//! A command for one service, whichever way it goes.

use super::command::{Command, Goal};
use super::conn::{Conn, To};
use super::place::Place;
use super::run::Runs;

/// Whether the tree beside a service hosts it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Hosted {
    Maybe,
    /// It has said that it does not.
    No,
}

/// The service, and the state of the command.
pub(super) struct Task {
    pub(super) place: Place,
    pub(super) runs: Runs,
    /// The requests to the socket, one after the other.
    pub(super) requests: Vec<String>,
    pub(super) hosted: Hosted,
}

impl Task {
    pub(super) fn new(place: Place, command: &Command) -> Self {
        let mut requests = command.requests.clone();
        // The run that is to end must be known before it does; and a command that sends nothing asks for the state.
        if requests.is_empty() || matches!(command.goal, Goal::Restarted | Goal::Ended) {
            requests.insert(0, "status".to_owned());
        }
        Self { place, runs: Runs::default(), requests, hosted: Hosted::Maybe }
    }

    /// Connects to the process that takes the request of this number: the tree for a start that concerns other services
    /// too, and else the supervisor of the service.
    pub(super) fn connect(&self, command: &Command, request: usize) -> Option<Conn> {
        let starts = command.starts && request < self.requests.len();
        match self.hosted {
            Hosted::No => Conn::to_service(&self.place),
            Hosted::Maybe if starts && (command.alone || self.place.may_need()) => {
                Conn::to_host(&self.place).or_else(|| Conn::to_service(&self.place))
            }
            Hosted::Maybe => Conn::open(&self.place),
        }
    }

    /// Leaves the tree to others once it has started the service, if the supervisor can be asked itself.
    pub(super) fn move_on(&self, conn: &mut Conn) {
        if conn.to() == To::Tree {
            if let Some(own) = Conn::to_service(&self.place) {
                *conn = own;
            }
        }
    }
}
