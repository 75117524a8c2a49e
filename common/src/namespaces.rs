//! Namespaces, namespaces(7): what a process shares with others, and what is its own.

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{self, CloneFlags};

use crate::caps;
use crate::exit::{Exit, OrFail};

/// Gives this process new namespaces of these kinds. In one of mounts all are private, so that none made there appears
/// outside, nor the other way round. `hint` says what to do where the right to it is missing.
pub fn unshare(kinds: CloneFlags, hint: &'static str) -> Result<(), Exit> {
    if kinds.is_empty() {
        return Ok(());
    }
    sched::unshare(kinds).map_err(|errno| {
        let error = Exit::system("make new namespaces", errno);
        match errno {
            Errno::EPERM => error.hint(caps::hint("CAP_SYS_ADMIN", hint)),
            Errno::ENOSPC => error.hint("there are as many as a limit in /proc/sys/user allows"),
            _ => error,
        }
    })?;
    if !kinds.contains(CloneFlags::CLONE_NEWNS) {
        return Ok(());
    }
    let none = None::<&std::ffi::CStr>;
    match mount(none, c"/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none) {
        Err(Errno::EINVAL) => Err(Exit::system("make all mounts private", Errno::EINVAL)
            .hint("the root directory is none that is mounted: put unshare before chroot")),
        other => other.or_fail("make all mounts private"),
    }
}
