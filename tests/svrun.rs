//! svrun, beside runit's runsv where both behave alike.

mod adoption;
mod commands;
mod containers;
mod control;
mod faults;
mod few_fds;
mod files;
mod finish;
mod hints;
mod leftovers;
mod log;
mod order;
mod readiness;
pub(crate) mod restart;
mod security;
pub(crate) mod service;
mod setup;
mod signals;
mod socket;
mod statedir;
mod succession;
mod values;
mod words;
