//! End-to-end tests: every test runs built programs and looks at all of their outcome.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

mod accounts;
mod all_or_nothing;
mod chpst;
mod argv0;
mod chdir;
mod chroot;
mod common_rules;
mod corpus;
mod docs;
mod envdir;
mod envuidgid;
mod fdclose;
mod fdmove;
mod fghack;
mod handover;
mod interop;
mod mkrundir;
mod multicall;
mod nice;
mod pgrphack;
mod pause;
mod pidlock;
mod redirfd;
mod reference;
mod setlock;
mod setsid_free;
mod setuidgid;
mod sissylog;
mod softlimit;
mod svctl;
mod svlog;
mod svrun;
mod svrun_with_loggers;
mod tai64n;
mod tai64nlocal;
mod transparency;
mod umask;
mod utmpset;
