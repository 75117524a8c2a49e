//! The rules of one service.

use super::{Readiness, Reloading, SCRIPT_LIMIT};
use crate::supervise::sparse::Usual;
use common::signals;

/// How long a run has to live after the signal for a reload: as long as runit's sv waits between two looks.
const PROOF: u64 = 420;

/// The files that say how a service is restarted and stopped. Times are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::supervise) struct Rules {
    /// `restart-delay`: after the first, second, … short run; none: a second after a run that was shorter.
    pub(in crate::supervise) delays: [u32; 16],
    /// How many delays there are.
    pub(in crate::supervise) delay_count: usize,
    /// `restart-reset`: a run shorter than this is short.
    pub(in crate::supervise) reset: u64,
    /// `restart-max`: this many short runs in a row are too many; 0: never.
    pub(in crate::supervise) max: u32,
    /// `down-signal`.
    pub(in crate::supervise) down_signal: i32,
    /// `timeout-kill`; 0: never.
    pub(in crate::supervise) timeout_kill: u64,
    /// `timeout-finish`; 0: never.
    pub(in crate::supervise) timeout_finish: u64,
    /// `timeout-setup`; 0: never.
    pub(in crate::supervise) timeout_setup: u64,
    /// `timeout-ready`; 0: never, or there is no way to announce it.
    pub(in crate::supervise) timeout_ready: u64,
    /// What a run is that is not ready by then.
    pub(in crate::supervise) unready: Readiness,
    /// `watchdog`; 0: never.
    pub(in crate::supervise) watchdog: u64,
    /// `reload`, `reload-signal`.
    pub(in crate::supervise) reload: Reloading,
    /// How long run has to live on after it where it announces nothing.
    pub(in crate::supervise) reload_proof: u64,
    /// `timeout-reload`; 0: never.
    pub(in crate::supervise) timeout_reload: u64,
}

impl Usual for Rules {
    const USUAL: &'static Self = &Self {
        delays: [0; 16],
        delay_count: 0,
        reset: 10_000,
        max: 0,
        down_signal: signals::TERM,
        timeout_kill: 0,
        timeout_finish: 0,
        timeout_setup: 0,
        timeout_ready: 0,
        unready: Readiness::Failed,
        watchdog: 0,
        reload: Reloading::Signal(signals::HUP),
        reload_proof: PROOF,
        timeout_reload: SCRIPT_LIMIT,
    };
}

#[cfg(test)]
impl Default for Rules {
    fn default() -> Self {
        *Self::USUAL
    }
}
