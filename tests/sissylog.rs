//! sissylog, before a syslogd of the test's own and before busybox's.

pub(crate) mod harness;
mod lines;
mod log_run;
mod peers;
mod pid;
mod shutdown;
mod syslogd_down;
mod usage;
