//! svctl: with every supervisor that it knows, beside runit's sv, and against supervisors that misbehave.

mod bytes;
mod completion;
mod daemontools;
mod harness;
mod hosted;
mod hostile;
mod lint;
mod list;
mod look;
mod new;
mod program;
mod show;
mod socket;
mod start;
mod sv;
mod svwaitup;
mod terminal;
mod tree;
