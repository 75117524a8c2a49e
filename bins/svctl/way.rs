//! The two ways to a supervisor.

pub(super) mod fifo;
pub(super) mod socket;
