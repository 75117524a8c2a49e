//! svlog, beside runit's svlogd where both behave alike.

mod beyond_svlogd;
mod config;
mod disk;
mod errno;
mod files;
mod handover_to_svlogd;
pub(crate) mod harness;
mod kills;
mod lines;
mod messages;
mod order;
mod owner;
mod patterns;
mod processor;
mod resume;
mod signals;
mod stdout;
pub(crate) mod tracer;
mod udp;
