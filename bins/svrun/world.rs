//! What both processes of a service share.

use common::{Voice, Words, clock};

use super::clients::Clients;
use super::era::Era;
use super::pipe::Pipe;

/// What both processes of a service share.
#[derive(Debug)]
pub(super) struct World {
    /// Who speaks.
    pub(super) voice: Voice,
    /// The environment, as it was received.
    pub(super) env: Words,
    /// The pipe between the two, if there is a logger.
    pub(super) pipe: Option<Pipe>,
    /// In what world pids count.
    pub(super) era: Era,
    /// Who is connected.
    pub(super) clients: Clients,
    /// The logger's pid, which is no leftover.
    pub(super) logger: u32,
    /// The service is down for good.
    pub(super) service_gone: bool,
    /// The logger is.
    pub(super) logger_gone: bool,
}

impl World {
    /// Monotonic time in milliseconds.
    #[allow(clippy::unused_self, reason = "time is one of the things that a world has")]
    pub(super) fn now(&self) -> u64 {
        clock::monotonic()
    }

    /// Wall clock time.
    #[allow(clippy::unused_self, reason = "as above")]
    pub(super) fn wall(&self) -> (u64, u32) {
        clock::wall()
    }

    /// Whether a new supervisor could take over: not through an anonymous pipe, which dies with us.
    pub(super) fn adoption(&self) -> bool {
        self.pipe.as_ref().is_none_or(Pipe::has_name)
    }

    /// A process is down for good.
    pub(super) fn gone(&mut self, logger: bool) {
        if logger { self.logger_gone = true } else { self.service_gone = true }
    }
}
