//! svlog, beside runit's svlogd where both behave alike.

mod better;
mod config;
mod disk;
mod exchange;
mod files;
mod goes_on;
mod kills;
mod lines;
pub(crate) mod log;
mod patterns;
mod processor;
mod signals;
mod tracer;
mod udp;
mod words;
