//! The programs of catena: links, which apply one change to the process state and execute the rest of their
//! argv, the supervisor with its control program, and the loggers.
#![forbid(unsafe_code)]

use common::Link;

pub mod argv0;
pub mod caps;
pub mod cgroup;
pub mod chdir;
pub mod choom;
pub mod chpst;
pub mod chroot;
pub mod chrt;
pub mod emptyenv;
pub mod envdir;
pub mod envfile;
pub mod envuidgid;
pub mod explain;
pub mod export;
pub mod fdclose;
pub mod fdmove;
pub mod fdown;
pub mod fghack;
pub mod ionice;
pub mod landlock;
pub mod listen;
pub mod mkrundir;
pub mod nice;
pub mod no_new_privs;
pub mod pause;
pub mod pdeathsig;
pub mod pgrphack;
pub mod pidlock;
pub mod redirfd;
pub mod setlock;
pub mod setsid_free;
pub mod setuidgid;
pub mod sigclean;
pub mod sissylog;
pub mod softlimit;
pub mod state;
mod supervise;
pub mod svctl;
pub mod svlog;
pub mod svrun;
pub mod svtree;
pub mod tai64n;
pub mod tai64nlocal;
pub mod taskset;
pub mod umask;
pub mod unexport;
pub mod unshare;
pub mod utmpset;

/// Every link, by name.
pub static LINKS: &[Link] = &[
    argv0::LINK,
    caps::LINK,
    cgroup::LINK,
    chdir::LINK,
    choom::LINK,
    chpst::LINK,
    chroot::LINK,
    chrt::LINK,
    emptyenv::LINK,
    envdir::LINK,
    envfile::LINK,
    envuidgid::LINK,
    export::LINK,
    fdclose::LINK,
    fdmove::LINK,
    fdown::LINK,
    fghack::LINK,
    ionice::LINK,
    landlock::LINK,
    listen::LINK,
    mkrundir::LINK,
    nice::LINK,
    no_new_privs::LINK,
    pdeathsig::LINK,
    pgrphack::LINK,
    pidlock::LINK,
    redirfd::LINK,
    setlock::LINK,
    setsid_free::LINK,
    setuidgid::LINK,
    sigclean::LINK,
    softlimit::LINK,
    taskset::LINK,
    umask::LINK,
    unexport::LINK,
    unshare::LINK,
];

/// Every program that is no link, by name.
pub static PROGRAMS: &[Link] = &[
    explain::PROGRAM,
    pause::PROGRAM,
    sissylog::PROGRAM,
    state::PROGRAM,
    svctl::PROGRAM,
    svctl::disable::PROGRAM,
    svctl::enable::PROGRAM,
    svctl::events::PROGRAM,
    svctl::help::PROGRAM,
    svctl::lint::PROGRAM,
    svctl::list::PROGRAM,
    svctl::log::PROGRAM,
    svctl::new::PROGRAM,
    svctl::show::PROGRAM,
    svctl::svc::PROGRAM,
    svlog::PROGRAM,
    svrun::PROGRAM,
    svtree::PROGRAM,
    tai64n::PROGRAM,
    tai64nlocal::PROGRAM,
    utmpset::PROGRAM,
];

#[cfg(test)]
mod tests {
    #[test]
    fn the_links_are_in_the_order_of_their_names() {
        // catena finds them by that.
        assert!(super::LINKS.is_sorted_by(|one, other| one.name < other.name));
    }
}
