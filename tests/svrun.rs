//! svrun, beside runit's runsv where both behave alike.

mod adoption;
mod commands;
mod containers;
mod control;
mod faults;
mod few_fds;
mod files;
mod finish;
pub(crate) mod harness;
mod hints;
mod kills;
mod leftovers;
mod log;
mod messages;
mod one_shots;
mod order;
mod readiness;
mod restart;
mod security;
mod setup;
mod signals;
mod socket;
mod statedir;
mod succession;
mod values;
