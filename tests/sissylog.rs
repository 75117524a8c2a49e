//! sissylog, before a syslogd of the test's own and before busybox's.

mod away;
mod ends;
mod lines;
mod peers;
mod pid;
mod usage;
pub(crate) mod world;
