//! The mask, the dispositions, and signals as a fd to read.

use std::ffi::{c_int, c_ulong};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::{mem, ptr};

use nix::errno::Errno;

/// These signals as a fd to read them from, signalfd(2). They must be blocked.
pub fn as_fd(list: &[i32]) -> nix::Result<OwnedFd> {
    mask_as_fd(mask_of(list))
}

/// As [`as_fd`], for the signals of a mask.
pub fn mask_as_fd(mask: u64) -> nix::Result<OwnedFd> {
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
    exchange_mask(u64::MAX).map(drop)
}

/// Blocks none.
pub fn block_none() -> nix::Result<()> {
    exchange_mask(0).map(drop)
}

/// Blocks this signal, and no other.
pub fn block_only(signal: i32) -> nix::Result<()> {
    exchange_mask(mask_of(&[signal])).map(drop)
}

/// Blocks these signals too.
pub fn block(list: &[i32]) -> nix::Result<()> {
    change_mask(libc::SIG_BLOCK, mask_of(list)).map(drop)
}

/// Blocks the signals of this mask, a bit for each, and no others. Returns those that were blocked.
pub fn exchange_mask(mask: u64) -> nix::Result<u64> {
    change_mask(libc::SIG_SETMASK, mask)
}

/// These signals as a mask.
#[must_use]
pub const fn mask_of(list: &[i32]) -> u64 {
    let (mut mask, mut at) = (0, 0);
    while at < list.len() {
        mask |= 1 << (list[at] - 1);
        at += 1;
    }
    mask
}

fn change_mask(how: c_int, mask: u64) -> nix::Result<u64> {
    let mut before = 0;
    let (set, old) = (&raw const mask, &raw mut before);
    // SAFETY: two masks of eight bytes, as the kernel takes them.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, set, old, mem::size_of::<u64>()) };
    Errno::result(result).map(|_| before)
}

/// Waits until one of these signals, which must be blocked, has arrived, and returns it, sigwaitinfo(2). An
/// ignored one arrives too, as long as it is blocked.
pub fn wait_for(list: &[i32]) -> nix::Result<i32> {
    let mask = mask_of(list);
    let (set, information, time) =
        (&raw const mask, ptr::null_mut::<libc::siginfo_t>(), ptr::null::<libc::timespec>());
    loop {
        // SAFETY: a mask of eight bytes, as the kernel takes it; nothing to write, and no end of the time.
        let result = unsafe {
            libc::syscall(libc::SYS_rt_sigtimedwait, set, information, time, mem::size_of::<u64>())
        };
        match Errno::result(result) {
            Err(Errno::EINTR) => {} // stopped and continued
            other => return other.map(|signal| i32::try_from(signal).unwrap_or(0)), // it is one of the list
        }
    }
}

/// Ignores a signal, or gives it its default disposition. Returns whether it was ignored.
pub fn set_ignored(signal: c_int, ignored: bool) -> nix::Result<bool> {
    // SAFETY: all zeros are a disposition without flags and signals.
    let mut new: libc::sigaction = unsafe { mem::zeroed() };
    let mut old = new;
    new.sa_sigaction = if ignored { libc::SIG_IGN } else { libc::SIG_DFL };
    // SAFETY: two dispositions, of which one is read and one written.
    Errno::result(unsafe { libc::sigaction(signal, &raw const new, &raw mut old) })?;
    Ok(old.sa_sigaction == libc::SIG_IGN)
}

/// The signals that are ignored, as a mask. As raw calls: libc's refuses some signals.
#[must_use]
pub fn ignored() -> u64 {
    let mut mask = 0;
    for signal in 1..=64 {
        let (none, mut old) = (ptr::null::<usize>(), [0usize; 8]);
        let size = mem::size_of::<u64>();
        // SAFETY: the kernel's struct sigaction, whose first word is the handler, is smaller. It fails for no signal of
        // these.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, none, old.as_mut_ptr(), size) };
        if old[0] == libc::SIG_IGN {
            mask |= mask_of(&[signal]);
        }
    }
    mask
}

/// Ignores the signals of a mask. Those that cannot be ignored are not in what [`ignored`] returns.
pub fn ignore(mask: u64) -> nix::Result<()> {
    dispose(mask, libc::SIG_IGN)
}

/// Gives every signal its default disposition.
pub fn default_all() -> nix::Result<()> {
    dispose(!mask_of(&[libc::SIGKILL, libc::SIGSTOP]), libc::SIG_DFL) // those two have no other
}

/// Sets the disposition of the signals of a mask. As raw calls: libc's refuses some signals.
fn dispose(mask: u64, handler: libc::sighandler_t) -> nix::Result<()> {
    let new = [handler, 0, 0, 0, 0, 0, 0, 0];
    for signal in (1..=64).filter(|signal| mask & mask_of(&[*signal]) != 0) {
        let (old, size) = (ptr::null_mut::<usize>(), mem::size_of::<u64>());
        // SAFETY: the kernel's struct sigaction: the handler, no flags, no signals.
        Errno::result(unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new.as_ptr(), old, size) })?;
    }
    Ok(())
}

/// As [`default_all`]: those that are ignored would stay so in every child.
pub fn reset_all() {
    let _ = default_all(); // the kernel knows all of them
}

/// The parent-death signal, 0 for none. nix's knows no real-time signals.
pub fn parent_death_signal() -> nix::Result<c_int> {
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
pub fn raise(signal: c_int) -> nix::Result<()> {
    // SAFETY: two integers.
    Errno::result(unsafe { libc::kill(libc::getpid(), signal) }).map(drop)
}
