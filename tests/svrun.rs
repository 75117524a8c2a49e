//! svrun, beside runit's runsv where both behave alike.

mod commands;
mod control;
mod files;
mod finish;
mod log;
mod restart;
mod service;
mod setup;
