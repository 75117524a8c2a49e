//! svrun, beside runit's runsv where both behave alike.

mod commands;
mod control;
mod files;
mod finish;
mod log;
mod readiness;
mod restart;
mod service;
mod setup;
mod signals;
mod words;
