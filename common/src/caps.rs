//! Capability sets, capabilities(7).

use std::borrow::Cow;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::sys::prctl::set_keepcaps;
use nix::unistd::{geteuid, getresuid};

pub use self::wanted::{Form, Wanted};
use crate::exit::{Exit, OrFail};
pub use crate::sys::ids::securebits; // what a chain must not change: for the tests
use crate::sys::ids::{Capabilities, ambient, bounding, capget, capset};

mod wanted;

/// A set of capabilities: a bit for each, numbered as in linux/capability.h.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Set(u64);

impl Set {
    /// No capability.
    pub const NONE: Self = Self(0);
    /// Every capability, those that no kernel has yet too.
    pub const ALL: Self = Self(u64::MAX);
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

    /// The number of each.
    fn numbers(self) -> impl Iterator<Item = u8> {
        (0..64).filter(move |number| !self.within(Self::of(*number)).is_empty())
    }
}

/// What a program is to have, where all else is taken away before it is executed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given {
    inheritable: Set,
    /// Which is permitted and in effect with it.
    ambient: Set,
}

impl Given {
    /// No capability.
    pub const NONE: Self = Self { inheritable: Set::NONE, ambient: Set::NONE };

    /// The set of this that is inheritable, and the one that is permitted.
    #[must_use]
    pub const fn sets(self) -> (Set, Set) {
        (self.inheritable, self.ambient)
    }

    /// This, but for those in `other`.
    #[must_use]
    pub const fn without(self, other: Set) -> Self {
        Self { inheritable: self.inheritable.without(other), ambient: self.ambient.without(other) }
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

/// What to do where the right to a deed is missing: root lacks this capability, an account is told `hint`.
pub(crate) fn hint(capability: &str, hint: &'static str) -> Cow<'static, str> {
    if geteuid().is_root() {
        format!("root has no {capability} here, as in a container that was started without it").into()
    } else {
        hint.into()
    }
}

/// Those that this process may use: the permitted set.
pub fn permitted() -> Result<Set, Exit> {
    Ok(Set(capget().or_fail("read capabilities")?.permitted))
}

/// Whether whoever started this has forbidden to keep any capability when ids change.
pub fn is_keeping_locked() -> Result<bool, Exit> {
    Ok(securebits().or_fail("read the securebits")? & SECBIT_KEEP_CAPS_LOCKED != 0)
}

/// Lets a change of ids leave the permitted set as it is, until this is called again or the next exec.
pub(crate) fn keep_across_ids(keep: bool) -> Result<(), Exit> {
    set_keepcaps(keep).or_fail("keep capabilities")
}

/// Leaves `lent` permitted, of which `needed` alone is in effect, and nothing in any other set but bounding, what is
/// `given` apart.
pub fn lend(lent: Set, needed: Set, given: Given) -> Result<(), Exit> {
    lend_as("lend capabilities", lent, needed, given)
}

/// Empties every set but bounding, `given` apart.
pub fn leave(given: Given) -> Result<(), Exit> {
    lend_as("give up capabilities", Set::NONE, given.ambient, given)
}

fn lend_as(action: &str, lent: Set, needed: Set, given: Given) -> Result<(), Exit> {
    let permitted = lent.with(given.ambient);
    let effective = needed.within(permitted).0;
    set(action, Capabilities { effective, permitted: permitted.0, inheritable: given.inheritable.0 })
}

/// Makes the sets those that are `wanted`, and permitted and effective what an exec then makes of them, for links that
/// this process applies before it. `lent` stays permitted. Whether all of it is allowed is asked before anything
/// changes. Returns what the program is to have.
pub fn give(wanted: Wanted, lent: Set) -> Result<Given, Exit> {
    let before = capget().or_fail("read capabilities")?;
    let permitted = Set(before.permitted);
    let bounding = bounding_set()?;
    let wanted = wanted.among(permitted.within(bounding.with(Set(before.inheritable))));
    let dropped = wanted.bounding.map_or(Set::NONE, |kept| bounding.without(kept));
    refuse(&wanted, dropped, before, bounding, lent)?;
    let Wanted { inheritable, ambient, .. } = wanted;
    let effective = Set(before.effective).with(Set::SETPCAP.within(permitted)).0;
    set("make capabilities inheritable", Capabilities { effective, inheritable: inheritable.0, ..before })?;
    for number in dropped.numbers() {
        bounding::drop(number).or_fail("take capabilities out of the bounding set")?;
    }
    set_ambient(ambient)?;
    // What an exec by uid 0 gives it, capabilities(7), unless securebits say that it is a uid as any other.
    let uids = getresuid().or_fail("read the uids")?;
    let is_root =
        uids.effective.is_root() && securebits().or_fail("read the securebits")? & SECBIT_NOROOT == 0;
    let executed = if is_root { inheritable.with(bounding.without(dropped)) } else { ambient };
    let left = executed.within(permitted);
    let permitted = left.with(lent.within(permitted)).0;
    set("give up capabilities", Capabilities { effective: left.0, permitted, inheritable: inheritable.0 })?;
    Ok(Given { inheritable, ambient })
}

const SECBIT_NOROOT: i32 = 1;
const SECBIT_KEEP_CAPS_LOCKED: i32 = 1 << 5;
const SECBIT_NO_CAP_AMBIENT_RAISE: i32 = 1 << 6;

/// Refuses what the kernel would, capabilities(7), of what [`give`] does.
fn refuse(wanted: &Wanted, dropped: Set, before: Capabilities, bounding: Set, lent: Set) -> Result<(), Exit> {
    let permitted = Set(before.permitted);
    let raised = wanted.inheritable.without(Set(before.inheritable));
    let privileged = !permitted.within(Set::SETPCAP).is_empty();
    let needed = wanted.ambient.with(if privileged { Set::NONE } else { raised });
    let lacking = needed.without(permitted);
    if !lacking.is_empty() {
        let error = wanted.refusal(lacking, "is not permitted here");
        return Err(error.hint(if geteuid().is_root() || !lent.is_empty() {
            "root has not got it here, as in a container that was started without it"
        } else {
            "only root may: put caps right after setuidgid, which lends it"
        }));
    }
    if !dropped.is_empty() && !privileged {
        let text = "the bounding set cannot be made smaller: CAP_SETPCAP is not permitted here";
        return Err(Exit::fatal(text).hint("-B leaves the bounding set as it is"));
    }
    let barred = raised.without(bounding);
    if barred.is_empty() { Ok(()) } else { Err(wanted.refusal(barred, "is not in the bounding set")) }
}

/// The capabilities that this process and its children can ever get.
fn bounding_set() -> Result<Set, Exit> {
    let mut set = Set::NONE;
    for number in 0..64 {
        match bounding::has(number) {
            Ok(false) => {}
            Ok(true) => set = set.with(Set::of(number)),
            Err(Errno::EINVAL) => break, // the kernel has no more
            Err(errno) => return Err(Exit::system("read the bounding set", errno)),
        }
    }
    Ok(set)
}

fn set_ambient(set: Set) -> Result<(), Exit> {
    ambient::clear().or_fail("clear the ambient set")?;
    for number in set.numbers() {
        if let Err(errno) = ambient::raise(number) {
            let error = Exit::system("make capabilities ambient", errno);
            let forbidden = securebits().is_ok_and(|bits| bits & SECBIT_NO_CAP_AMBIENT_RAISE != 0);
            let hint = "the securebit no_cap_ambient_raise forbids it, which whoever started this has set";
            return Err(if forbidden { error.hint(hint) } else { error });
        }
    }
    Ok(())
}

/// Takes `CAP_SYS_CHROOT` out of every set but bounding, unless this is root, which would get it back.
pub fn give_up_chroot() -> Result<(), Exit> {
    if getresuid().or_fail("read the uids")?.effective.is_root() {
        return Ok(());
    }
    let Capabilities { effective, permitted, inheritable } = capget().or_fail("read capabilities")?;
    let left = |set| Set(set).without(Set::SYS_CHROOT).0;
    set(
        "give up capabilities",
        Capabilities {
            effective: left(effective),
            permitted: left(permitted),
            inheritable: left(inheritable),
        },
    )
}

fn set(action: &str, sets: Capabilities) -> Result<(), Exit> {
    capset(sets).or_fail(action)
}
