//! The root folder.

use std::ffi::CStr;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::Mode;
use nix::unistd::{chroot, fchdir};

use crate::error::{Error, OrFail, shown};
use crate::{caps, fds};

const HINT: &str = "only root may: put chroot right after setuidgid, which lends it the right, or before it";

/// Makes `path` the root folder and the current one. One fd serves both, so it is one folder whatever
/// happens to its name. Who is not root gives up `CAP_SYS_CHROOT` then: who may chroot can leave a chroot.
pub fn change(path: &CStr) -> Result<(), Error> {
    let name = shown(path.to_bytes());
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let folder =
        fds::open(AT_FDCWD, path, flags, Mode::empty()).or_fail(format_args!("open folder {name}"))?;
    fchdir(&folder).or_fail(format_args!("enter {name}"))?;
    chroot(c".").map_err(|errno| {
        let error = Error::system(format_args!("change root to {name}"), errno);
        match errno {
            Errno::EPERM => error.hint(HINT),
            _ => error,
        }
    })?;
    caps::give_up_chroot()
}
