//! A command for one service, whichever way it goes.

use super::command::{Command, Goal};
use super::place::Place;
use super::run::Runs;

/// The service, and the state of the command.
pub(super) struct Task {
    pub(super) place: Place,
    pub(super) runs: Runs,
    /// The requests to the socket, one after the other.
    pub(super) requests: Vec<String>,
}

impl Task {
    pub(super) fn new(place: Place, command: &Command) -> Self {
        let mut requests = command.requests.clone();
        // The run that is to end must be known before it does; and a command that sends nothing asks for the state.
        if requests.is_empty() || matches!(command.goal, Goal::Restarted | Goal::Ended | Goal::Reloaded) {
            requests.insert(0, "status".to_owned());
        }
        Self { place, runs: Runs::default(), requests }
    }
}
