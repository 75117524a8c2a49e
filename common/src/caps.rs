//! Capability sets, capabilities(7).

use std::sync::OnceLock;

use nix::sys::prctl::set_keepcaps;
use nix::unistd::getresuid;

use crate::exit::{Exit, OrFail};
pub use crate::sys::ids::securebits; // what a chain must not change: for the tests
use crate::sys::ids::{Capabilities, capget, capset};

/// A set of capabilities: a bit for each, numbered as in linux/capability.h.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Set(u64);

impl Set {
    /// No capability.
    pub const NONE: Self = Self(0);
    /// `CAP_DAC_OVERRIDE`.
    pub const DAC_OVERRIDE: Self = Self::of(1);
    /// `CAP_SETPCAP`.
    pub const SETPCAP: Self = Self::of(8);
    /// `CAP_NET_BIND_SERVICE`.
    pub const NET_BIND_SERVICE: Self = Self::of(10);
    /// `CAP_SYS_CHROOT`.
    pub const SYS_CHROOT: Self = Self::of(18);
    /// `CAP_SYS_ADMIN`.
    pub const SYS_ADMIN: Self = Self::of(21);
    /// `CAP_SYS_NICE`.
    pub const SYS_NICE: Self = Self::of(23);
    /// `CAP_SYS_RESOURCE`.
    pub const SYS_RESOURCE: Self = Self::of(24);

    /// The capability of a number below 64.
    #[must_use]
    pub const fn of(number: u8) -> Self {
        Self(1 << number)
    }

    /// These and those.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of these that are in `other` too.
    #[must_use]
    pub const fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// These, but for those in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// A bit for each.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether there is none in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// `CAP_SYS_ADMIN` or `CAP_SYS_RESOURCE`.
const LARGE_PIPES: Set = Set::SYS_ADMIN.with(Set::SYS_RESOURCE);

/// Whether the pages of this process's pipes are not counted against its user's few, pipe(7). Where that cannot be
/// known they are. Asked for once: the programs that live on change no capabilities.
#[must_use]
pub fn may_have_large_pipes() -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    *MAY.get_or_init(|| capget().is_ok_and(|sets| !Set(sets.effective).within(LARGE_PIPES).is_empty()))
}

/// Those that this process may use: the permitted set.
pub fn permitted() -> Result<Set, Exit> {
    Ok(Set(capget().or_fail("read capabilities")?.permitted))
}

/// Lets a change of ids leave the permitted set as it is, until this is called again or the next exec.
pub(crate) fn keep_across_ids(keep: bool) -> Result<(), Exit> {
    set_keepcaps(keep).or_fail("keep capabilities")
}

/// Leaves `lent` permitted, of which `needed` alone is in effect, and nothing in any other set but bounding, the
/// inheritable and ambient ones of `given` apart.
pub fn lend(lent: Set, needed: Set, given: Set) -> Result<(), Exit> {
    let permitted = lent.with(given);
    set(Capabilities { effective: needed.within(permitted).0, permitted: permitted.0, inheritable: given.0 })
}

/// Empties every set but bounding, `given` apart, which is permitted, in effect and inheritable.
pub fn leave(given: Set) -> Result<(), Exit> {
    lend(Set::NONE, given, given)
}

/// Takes `CAP_SYS_CHROOT` out of every set but bounding, unless this is root, which would get it back.
pub fn give_up_chroot() -> Result<(), Exit> {
    if getresuid().or_fail("read the uids")?.effective.is_root() {
        return Ok(());
    }
    let Capabilities { effective, permitted, inheritable } = capget().or_fail("read capabilities")?;
    let left = |set| Set(set).without(Set::SYS_CHROOT).0;
    set(Capabilities {
        effective: left(effective),
        permitted: left(permitted),
        inheritable: left(inheritable),
    })
}

fn set(sets: Capabilities) -> Result<(), Exit> {
    capset(sets).or_fail("give up capabilities")
}
