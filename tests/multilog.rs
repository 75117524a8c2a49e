//! svlog by the name multilog, beside daemontools' own.

mod differences;
mod harness;
mod kills;
mod outlets;
mod same;
mod takeover;
mod usage;
