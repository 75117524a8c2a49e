//! Capability sets, capabilities(7).

use std::sync::OnceLock;

use nix::sys::prctl::set_keepcaps;
use nix::unistd::getresuid;

use crate::exit::{Exit, OrFail};
pub use crate::sys::ids::securebits; // what a chain must not change: for the tests
use crate::sys::ids::{Capabilities, capget, capset};

/// `CAP_SYS_CHROOT` of linux/capability.h, as a bit of a set.
const CHROOT: u64 = 1 << 18;

/// `CAP_SYS_ADMIN` or `CAP_SYS_RESOURCE`.
const LARGE_PIPES: u64 = 1 << 21 | 1 << 24;

/// Whether the pages of this process's pipes are not counted against its user's few, pipe(7). Where that cannot be
/// known they are. Asked for once: the programs that live on change no capabilities.
#[must_use]
pub fn may_have_large_pipes() -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    *MAY.get_or_init(|| capget().is_ok_and(|sets| sets.effective & LARGE_PIPES != 0))
}

/// Whether this process could chroot: `CAP_SYS_CHROOT` is permitted.
pub fn may_chroot() -> Result<bool, Exit> {
    Ok(capget().or_fail("read capabilities")?.permitted & CHROOT != 0)
}

/// Lets a change of ids leave the permitted set as it is, until this is called again or the next exec.
pub(crate) fn keep_across_ids(keep: bool) -> Result<(), Exit> {
    set_keepcaps(keep).or_fail("keep capabilities")
}

/// Leaves `CAP_SYS_CHROOT` in the permitted and effective sets, and nothing else in any set but bounding.
pub(crate) fn only_chroot() -> Result<(), Exit> {
    set(Capabilities { effective: CHROOT, permitted: CHROOT, inheritable: 0 })
}

/// Empties every set but bounding.
pub fn clear() -> Result<(), Exit> {
    set(Capabilities::default())
}

/// Takes `CAP_SYS_CHROOT` out of every set but bounding, unless this is root, which would get it back.
pub(crate) fn give_up_chroot() -> Result<(), Exit> {
    if getresuid().or_fail("read the uids")?.effective.is_root() {
        return Ok(());
    }
    let Capabilities { effective, permitted, inheritable } = capget().or_fail("read capabilities")?;
    set(Capabilities {
        effective: effective & !CHROOT,
        permitted: permitted & !CHROOT,
        inheritable: inheritable & !CHROOT,
    })
}

fn set(sets: Capabilities) -> Result<(), Exit> {
    capset(sets).or_fail("give up capabilities")
}
