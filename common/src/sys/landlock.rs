//! Landlock, landlock(7): a process gives up access to files and ports, for itself and what it starts.

use std::ffi::{c_int, c_long, c_uint};
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::errno::Errno;

use super::fd;

/// `struct landlock_ruleset_attr`, the first two members: of those that follow none is restricted.
#[repr(C)]
struct Handled {
    files: u64,
    ports: u64,
}

/// `struct landlock_path_beneath_attr`, which is packed.
#[repr(C, packed)]
struct Beneath {
    allowed: u64,
    path: c_int,
}

/// `struct landlock_net_port_attr`.
#[repr(C)]
struct Port {
    allowed: u64,
    port: u64,
}

const PATH_BENEATH: c_int = 1;
const NET_PORT: c_int = 2;

/// The version of the interface, from 1 up. ENOSYS or EOPNOTSUPP where the kernel has none, or it is switched off.
pub(crate) fn version() -> nix::Result<u32> {
    const VERSION: c_uint = 1;
    let none = ptr::null::<Handled>();
    // SAFETY: with this flag no attributes are read.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0usize, VERSION) };
    Errno::result(version).map(|version| u32::try_from(version).unwrap_or(0))
}

/// A ruleset that handles these rights, of files and of ports: of each those alone will be left that a rule allows.
pub(crate) fn ruleset(files: u64, ports: u64) -> nix::Result<OwnedFd> {
    let handled = Handled { files, ports };
    let size = size_of::<Handled>(); // an older kernel takes more than it knows, if that is 0
    // SAFETY: a structure of this size to read.
    let new =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const handled, size, 0 as c_uint) };
    let new = RawFd::try_from(Errno::result(new)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the new fd, close-on-exec, is nobody else's.
    fd::above_standard(unsafe { OwnedFd::from_raw_fd(new) }, true)
}

/// Allows these rights of a file, or of a directory and all that is below it.
pub(crate) fn allow_path(ruleset: BorrowedFd, path: BorrowedFd, allowed: u64) -> nix::Result<()> {
    let rule = Beneath { allowed, path: path.as_raw_fd() };
    // SAFETY: the structure of this kind of rule.
    Errno::result(unsafe { add(ruleset, PATH_BENEATH, &raw const rule) }).map(drop)
}

/// Allows these rights of a port.
pub(crate) fn allow_port(ruleset: BorrowedFd, port: u16, allowed: u64) -> nix::Result<()> {
    let rule = Port { allowed, port: port.into() };
    // SAFETY: the structure of this kind of rule.
    Errno::result(unsafe { add(ruleset, NET_PORT, &raw const rule) }).map(drop)
}

/// # Safety
/// `rule` must be the structure that the kernel reads for this kind.
unsafe fn add<T>(ruleset: BorrowedFd, kind: c_int, rule: *const T) -> c_long {
    let fd = ruleset.as_raw_fd();
    // SAFETY: by the contract above.
    unsafe { libc::syscall(libc::SYS_landlock_add_rule, fd, kind, rule, 0 as c_uint) }
}

/// Leaves this process and what it will start what the rules allow. It must have given up new privileges.
pub(crate) fn restrict_self(ruleset: BorrowedFd) -> nix::Result<()> {
    // SAFETY: two integers.
    Errno::result(unsafe {
        libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0 as c_uint)
    })
    .map(drop)
}
