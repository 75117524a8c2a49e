//! End-to-end tests: every test runs built programs and looks at all of their outcome.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

mod accounts;
mod all_or_nothing;
mod argv0;
mod chdir;
mod chpst;
mod chpst_beside_runit;
mod chroot;
mod common_rules;
mod corpus;
mod docs;
mod emptyenv;
mod envdir;
mod envfile;
mod envuidgid;
mod explain;
mod export;
mod fdclose;
mod fdmove;
mod fghack;
mod handover;
mod interop;
mod mkrundir;
mod multicall;
mod multilog;
mod nice;
mod pause;
mod pgrphack;
mod pidlock;
mod redirfd;
mod reference;
mod setlock;
mod setsid_free;
mod setuidgid;
mod shortage;
mod sissylog;
mod softlimit;
mod state;
mod svctl;
mod svlog;
mod svrun;
mod svrun_with_loggers;
mod svtree;
mod tai64n;
mod tai64nlocal;
mod transparency;
mod umask;
mod unexport;
mod utmpset;
