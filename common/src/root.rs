//! The root directory.

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::Mode;
use nix::unistd::{chroot, fchdir};

use crate::caps::{self, Set};
use crate::exit::{Exit, OrFail};
use crate::fds;
use crate::procfs;
use crate::word::Word;

/// Makes `path` the root directory and the working directory. One fd serves both, so it is one directory whatever
/// happens to its name. A process that is not root gives up `CAP_SYS_CHROOT` then, with which it could leave the
/// chroot, unless it is `lent`, and so taken back by who lends it. `hint` says what to do where the right to it is missing.
pub fn change(path: Word, lent: Set, hint: &'static str) -> Result<(), Exit> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let directory =
        fds::open(AT_FDCWD, &path, flags, Mode::empty()).or_fail(format_args!("open directory {path}"))?;
    fchdir(&directory).or_fail(format_args!("enter {path}"))?;
    chroot(c".").map_err(|errno| {
        let error = Exit::system(format_args!("change root to {path}"), errno);
        match errno {
            Errno::EPERM => error.hint(hint),
            _ => error,
        }
    })?;
    procfs::root_has_changed();
    if lent.within(Set::SYS_CHROOT).is_empty() { caps::give_up_chroot() } else { Ok(()) }
}
