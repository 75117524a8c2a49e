//! Capability sets, capabilities(7).

use caps::errors::CapsError;
use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::sys::prctl::set_keepcaps;
use nix::unistd::geteuid;

use crate::{Error, OrFail, sys};

const CHROOT: Capability = Capability::CAP_SYS_CHROOT;

/// Whether this process could chroot: `CAP_SYS_CHROOT` is permitted.
pub fn may_chroot() -> Result<bool, Error> {
    caps::has_cap(None, CapSet::Permitted, CHROOT).map_err(|error| refused(&error))
}

/// Lets a change of ids leave the permitted set as it is, until it is told otherwise or the next exec.
pub fn keep_across_ids(keep: bool) -> Result<(), Error> {
    set_keepcaps(keep).or_fail("keep capabilities")
}

/// Leaves `CAP_SYS_CHROOT` in the permitted and effective sets, and nothing else in any set but bounding.
pub fn only_chroot() -> Result<(), Error> {
    sys::keep_capabilities(CHROOT.bitmask()).or_fail("give up capabilities")
}

/// Empties every set but bounding.
pub fn clear() -> Result<(), Error> {
    sys::keep_capabilities(0).or_fail("give up capabilities")
}

/// Takes `CAP_SYS_CHROOT` out of every set but bounding, unless this is root, who would get it back.
pub fn give_up_chroot() -> Result<(), Error> {
    if geteuid().is_root() {
        return Ok(());
    }
    // Effective before permitted, which must hold it; ambient loses what permitted or inheritable lose.
    for set in [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable] {
        caps::drop(None, set, CHROOT).map_err(|error| refused(&error))?;
    }
    Ok(())
}

/// The securebits, as capabilities(7) numbers them.
pub fn securebits() -> Result<i32, Error> {
    sys::securebits().or_fail("read the securebits")
}

/// The errors of the caps crate are strings; the errno is still there.
fn refused(_: &CapsError) -> Error {
    Error::system("change capabilities", Errno::last())
}
