//! The programs of catena: links, which apply one change to the process state and execute the rest of their
//! argv, the supervisor with its control program, and the loggers.
#![forbid(unsafe_code)]

use common::Link;

pub mod chroot;
pub mod emptyenv;
pub mod envdir;
pub mod envfile;
pub mod envuidgid;
pub mod export;
pub mod fdclose;
pub mod fdmove;
pub mod nice;
pub mod pidlock;
pub mod redirfd;
pub mod setlock;
pub mod setsid_free;
pub mod setuidgid;
pub mod sissylog;
pub mod softlimit;
mod supervise;
pub mod svctl;
pub mod svlog;
pub mod svrun;
pub mod umask;
pub mod unexport;

/// Every link, by name.
pub static LINKS: &[Link] = &[
    chroot::LINK,
    emptyenv::LINK,
    envdir::LINK,
    envfile::LINK,
    envuidgid::LINK,
    export::LINK,
    fdclose::LINK,
    fdmove::LINK,
    nice::LINK,
    pidlock::LINK,
    redirfd::LINK,
    setlock::LINK,
    setsid_free::LINK,
    setuidgid::LINK,
    softlimit::LINK,
    umask::LINK,
    unexport::LINK,
];

/// Every program that is no link, by name.
pub static PROGRAMS: &[Link] = &[sissylog::PROGRAM, svctl::PROGRAM, svlog::PROGRAM, svrun::PROGRAM];
