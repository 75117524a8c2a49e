//! The mask, the dispositions, and signals as a fd to read.

use std::ffi::{c_int, c_ulong};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::{mem, ptr};

use nix::errno::Errno;

/// The signals of `mask`, a bit for each, as a fd to read them from, signalfd(2). They must be blocked.
pub fn as_fd(list: &[i32]) -> nix::Result<OwnedFd> {
    let mask = list.iter().fold(0u64, |mask, signal| mask | 1 << (signal - 1));
    let (set, flags) = (&raw const mask, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
    // SAFETY: a mask of eight bytes, as the kernel takes it; a new fd.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_signalfd4, -1, set, 8, flags) })?;
    let fd = c_int::try_from(fd).map_err(|_| Errno::EBADF)?;
    // SAFETY: as above.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The next signals that have arrived, some of them; what is left is there the next time.
pub fn next(fd: BorrowedFd) -> impl Iterator<Item = i32> + use<> {
    const SIZE: usize = mem::size_of::<libc::signalfd_siginfo>();
    let mut information = [0; 3 * SIZE];
    // It fails where none has arrived, and in no other way: the fd is ours, and does not wait.
    let count = nix::unistd::read(fd, &mut information).unwrap_or(0) / SIZE;
    // The number is the first member.
    let number = move |i: usize| i32::from_ne_bytes(std::array::from_fn(|at| information[i * SIZE + at]));
    (0..count).map(number)
}

/// Blocks all signals. As a raw call: libc's leaves out those that it uses itself.
pub fn block_all() -> nix::Result<()> {
    set_mask(u64::MAX)
}

/// Blocks none.
pub(crate) fn block_none() -> nix::Result<()> {
    set_mask(0)
}

/// Blocks this signal, and no other.
pub fn block_only(signal: i32) -> nix::Result<()> {
    set_mask(1 << (signal - 1))
}

fn set_mask(mask: u64) -> nix::Result<()> {
    let (set, old) = (&raw const mask, ptr::null_mut::<u64>());
    // SAFETY: a mask of eight bytes, as the kernel takes it.
    let result = unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, set, old, mem::size_of::<u64>())
    };
    Errno::result(result).map(drop)
}

/// Gives every signal its default disposition: those that are ignored would stay so in every child.
pub fn reset_all() {
    // The kernel's struct sigaction: no handler, no flags, no signals. libc's call refuses some signals.
    let default = [0u64; 4];
    for signal in 1..=64 {
        let (new, old) = (default.as_ptr(), ptr::null_mut::<u64>());
        // SAFETY: as above. For signals that have no disposition it fails, and nothing is lost.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, old, mem::size_of::<u64>()) };
    }
}

/// The parent-death signal, 0 for none. nix's knows no real-time signals.
pub(crate) fn parent_death_signal() -> nix::Result<c_int> {
    let mut signal: c_int = 0;
    // SAFETY: PR_GET_PDEATHSIG writes one int.
    Errno::result(unsafe { libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal) })?;
    Ok(signal)
}

/// Sets the parent-death signal, `PR_SET_PDEATHSIG` in prctl(2).
pub(crate) fn set_parent_death_signal(signal: c_int) -> nix::Result<()> {
    let signal = c_ulong::try_from(signal).unwrap_or(0);
    super::process::prctl(libc::PR_SET_PDEATHSIG, signal).map(drop)
}

/// Sends this process a signal, kill(2).
pub(crate) fn raise(signal: c_int) -> nix::Result<()> {
    // SAFETY: two integers.
    Errno::result(unsafe { libc::kill(libc::getpid(), signal) }).map(drop)
}
