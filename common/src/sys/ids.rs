//! Ids and capabilities.

use std::ffi::c_int;
use std::ptr;

use nix::errno::Errno;

// Ids. As raw calls: musl's wrappers block every signal around the call, to change all threads together,
// and that would be nine more calls whose failure could reach the program. A link has one thread.

#[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
use libc::{SYS_setgroups as SYS_SETGROUPS, SYS_setresgid as SYS_SETRESGID, SYS_setresuid as SYS_SETRESUID};
#[cfg(any(target_arch = "x86", target_arch = "arm"))]
use libc::{
    SYS_setgroups32 as SYS_SETGROUPS, SYS_setresgid32 as SYS_SETRESGID, SYS_setresuid32 as SYS_SETRESUID,
};

/// setgroups(2).
pub(crate) fn setgroups(groups: &[u32]) -> nix::Result<()> {
    // SAFETY: the pointer and the length are those of one slice.
    Errno::result(unsafe { libc::syscall(SYS_SETGROUPS, groups.len(), groups.as_ptr()) }).map(drop)
}

/// getgroups(2). nix's asks for the system's limit too.
pub(crate) fn getgroups() -> nix::Result<Vec<u32>> {
    // SAFETY: with 0 nothing is written.
    let count = Errno::result(unsafe { libc::getgroups(0, ptr::null_mut()) })?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut groups = vec![0; usize::try_from(count).unwrap_or(0)];
    // SAFETY: there is room for as many as there are.
    let count = Errno::result(unsafe { libc::getgroups(count, groups.as_mut_ptr()) })?;
    groups.truncate(usize::try_from(count).unwrap_or(0));
    Ok(groups)
}

/// setresgid(2), with all three the same.
pub(crate) fn setresgid(gid: u32) -> nix::Result<()> {
    // SAFETY: three integers.
    Errno::result(unsafe { libc::syscall(SYS_SETRESGID, gid, gid, gid) }).map(drop)
}

/// setresuid(2), with all three the same.
pub(crate) fn setresuid(uid: u32) -> nix::Result<()> {
    // SAFETY: three integers.
    Errno::result(unsafe { libc::syscall(SYS_SETRESUID, uid, uid, uid) }).map(drop)
}

/// The securebits, as capabilities(7) numbers them: `PR_GET_SECUREBITS` in prctl(2).
pub fn securebits() -> nix::Result<c_int> {
    super::process::prctl(libc::PR_GET_SECUREBITS, 0)
}

/// Three of the capability sets, a bit for each capability; lowering one of the last two lowers the ambient
/// set with it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Capabilities {
    pub(crate) effective: u64,
    pub(crate) permitted: u64,
    pub(crate) inheritable: u64,
}

/// What capget(2) and capset(2) take first: version 3, which has 64 bits a set, and this process.
const CAPABILITY_HEADER: [u32; 2] = [0x2008_0522, 0];

/// capget(2).
pub(crate) fn capget() -> nix::Result<Capabilities> {
    let mut header = CAPABILITY_HEADER;
    let mut data = [[0u32; 3]; 2];
    // SAFETY: header and data have the layout of version 3: two words, and two times three.
    Errno::result(unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), data.as_mut_ptr()) })?;
    let set = |i: usize| u64::from(data[1][i]) << 32 | u64::from(data[0][i]);
    Ok(Capabilities { effective: set(0), permitted: set(1), inheritable: set(2) })
}

/// capset(2).
pub(crate) fn capset(sets: Capabilities) -> nix::Result<()> {
    let half = |shift: u32| {
        [sets.effective, sets.permitted, sets.inheritable]
            .map(|set| u32::try_from(set >> shift & 0xffff_ffff).unwrap_or(0)) // it fits: 32 bits are left
    };
    let (mut header, data) = (CAPABILITY_HEADER, [half(0), half(32)]);
    // SAFETY: as for capget.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), data.as_ptr()) }).map(drop)
}

/// One capability of the bounding set, prctl(2). By number: the kernel may have some that no library knows.
pub(crate) mod bounding {
    use crate::sys::process::prctl;

    /// Whether it is there; EINVAL if the kernel has no such capability.
    pub(crate) fn has(number: u8) -> nix::Result<bool> {
        Ok(prctl(libc::PR_CAPBSET_READ, number.into())? != 0)
    }

    /// Takes it out.
    pub(crate) fn drop(number: u8) -> nix::Result<()> {
        prctl(libc::PR_CAPBSET_DROP, number.into()).map(|_| ())
    }
}

/// The ambient set, `PR_CAP_AMBIENT` in prctl(2).
pub(crate) mod ambient {
    use std::ffi::c_int;

    use crate::sys::process::prctl_with;

    /// Whether a capability is in it; EINVAL if the kernel has no such one.
    pub(crate) fn has(number: u8) -> nix::Result<bool> {
        Ok(call(libc::PR_CAP_AMBIENT_IS_SET, number)? != 0)
    }

    /// Empties it.
    pub(crate) fn clear() -> nix::Result<()> {
        call(libc::PR_CAP_AMBIENT_CLEAR_ALL, 0).map(drop)
    }

    /// Adds a capability, which has to be permitted and inheritable.
    pub(crate) fn raise(number: u8) -> nix::Result<()> {
        call(libc::PR_CAP_AMBIENT_RAISE, number).map(drop)
    }

    fn call(what: c_int, number: u8) -> nix::Result<c_int> {
        prctl_with(libc::PR_CAP_AMBIENT, what.unsigned_abs().into(), number.into())
    }
}
