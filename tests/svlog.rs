//! svlog, beside runit's svlogd where both behave alike.

mod better;
mod config;
mod disk;
mod errno;
mod exchange;
mod files;
mod goes_on;
mod kills;
mod lines;
pub(crate) mod log;
mod order;
mod owner;
mod patterns;
mod processor;
mod signals;
mod tracer;
mod udp;
mod words;
