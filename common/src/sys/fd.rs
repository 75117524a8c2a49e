//! File descriptors, most of them by number.

use std::ffi::c_int;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

/// Standard input. std's own brings a buffer with it.
#[must_use]
pub fn stdin() -> BorrowedFd<'static> {
    // SAFETY: a number that stays valid: long-lived programs open it if it is closed.
    unsafe { BorrowedFd::borrow_raw(libc::STDIN_FILENO) }
}

/// Standard output, likewise.
#[must_use]
pub fn stdout() -> BorrowedFd<'static> {
    // SAFETY: as above.
    unsafe { BorrowedFd::borrow_raw(libc::STDOUT_FILENO) }
}

// File descriptors by number: a link works on the numbers that it was given, open or not.

/// dup2(2).
pub(crate) fn dup2(from: RawFd, to: RawFd) -> nix::Result<()> {
    // SAFETY: two integers; what was open at `to` is not ours, the user has asked to replace it.
    Errno::result(unsafe { libc::dup2(from, to) }).map(drop)
}

/// close(2).
pub(crate) fn close(fd: RawFd) -> nix::Result<()> {
    // SAFETY: an integer; the fd is not ours, the user has asked to close it.
    Errno::result(unsafe { libc::close(fd) }).map(drop)
}

/// Whether there is anything on `fd`.
#[must_use]
pub fn is_open(fd: RawFd) -> bool {
    // SAFETY: F_GETFD takes nothing.
    unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
}

/// Lets `fd` survive exec; EBADF where it is not open.
pub(crate) fn clear_cloexec(fd: RawFd) -> nix::Result<()> {
    // SAFETY: F_SETFD takes an integer.
    Errno::result(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) }).map(drop)
}

/// Whether `fd` is closed by exec; EBADF where it is not open.
pub(crate) fn is_cloexec(fd: RawFd) -> nix::Result<bool> {
    // SAFETY: F_GETFD takes nothing.
    Errno::result(unsafe { libc::fcntl(fd, libc::F_GETFD) }).map(|flags| flags & libc::FD_CLOEXEC != 0)
}

/// dup3(2) with `O_CLOEXEC`.
pub(crate) fn dup_cloexec(from: RawFd, to: RawFd) -> nix::Result<()> {
    // SAFETY: as for dup2.
    Errno::result(unsafe { libc::dup3(from, to, libc::O_CLOEXEC) }).map(drop)
}

/// Makes `fd` wait (or not) where it is not ready, for all that share its open file: `O_NONBLOCK`.
pub fn set_nonblocking(fd: RawFd, on: bool) -> nix::Result<()> {
    // SAFETY: F_GETFL takes nothing and F_SETFL an integer.
    let flags = Errno::result(unsafe { libc::fcntl(fd, libc::F_GETFL) })?;
    let flags = if on { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
    // SAFETY: as above.
    Errno::result(unsafe { libc::fcntl(fd, libc::F_SETFL, flags) }).map(drop)
}

/// Has the kernel kill this process as soon as nobody can read from the pipe `fd` any more, in the place of the process
/// that asked so last. EPIPE where that is so already.
pub fn die_with_reader(fd: RawFd) -> nix::Result<()> {
    const F_SETSIG: c_int = 10; // of Linux, which the libraries leave out
    // SAFETY: these commands take integers, or nothing.
    unsafe {
        Errno::result(libc::fcntl(fd, libc::F_SETOWN, libc::getpid()))?;
        Errno::result(libc::fcntl(fd, F_SETSIG, libc::SIGKILL))?;
        let flags = Errno::result(libc::fcntl(fd, libc::F_GETFL))?;
        Errno::result(libc::fcntl(fd, libc::F_SETFL, flags | libc::O_ASYNC))?;
    }
    let mut pipe = libc::pollfd { fd, events: 0, revents: 0 };
    // SAFETY: one structure, which is ours.
    Errno::result(unsafe { libc::poll(&raw mut pipe, 1, 0) })?;
    if pipe.revents & libc::POLLERR == 0 { Ok(()) } else { Err(Errno::EPIPE) }
}

/// The kind of what is open there, as `S_IFREG`.
pub(crate) fn kind(fd: RawFd) -> nix::Result<libc::mode_t> {
    // SAFETY: an integer, of which the kernel says whether it is open.
    nix::sys::stat::fstat(unsafe { BorrowedFd::borrow_raw(fd) }).map(|stat| stat.st_mode & libc::S_IFMT)
}

/// The flags with which a FIFO is open; ESPIPE for anything else.
pub(crate) fn open_fifo_flags(fd: RawFd) -> nix::Result<c_int> {
    // SAFETY: an integer, and F_GETFL takes nothing.
    let (stat, flags) =
        unsafe { (nix::sys::stat::fstat(BorrowedFd::borrow_raw(fd))?, libc::fcntl(fd, libc::F_GETFL)) };
    if stat.st_mode & libc::S_IFMT != libc::S_IFIFO {
        return Err(Errno::ESPIPE);
    }
    Errno::result(flags)
}

/// Moves a newly opened fd to 3 or above; it keeps its close-on-exec flag, which must be `cloexec`.
pub(crate) fn above_standard(fd: OwnedFd, cloexec: bool) -> nix::Result<OwnedFd> {
    if fd.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(fd);
    }
    let command = if cloexec { libc::F_DUPFD_CLOEXEC } else { libc::F_DUPFD };
    let moved = copy_from(fd.as_raw_fd(), libc::STDERR_FILENO + 1, command)?;
    close(fd.into_raw_fd())?;
    Ok(moved)
}

/// `F_DUPFD` or `F_DUPFD_CLOEXEC` of fcntl(2): a new fd from `least` up.
pub(crate) fn copy_from(fd: RawFd, least: RawFd, command: c_int) -> nix::Result<OwnedFd> {
    // SAFETY: these commands take an integer and return a new fd that nobody else owns.
    Errno::result(unsafe { libc::fcntl(fd, command, least) }).map(|new| unsafe { OwnedFd::from_raw_fd(new) })
}

/// Closes all fds from 3 up but `kept`, `close_range(2)`; before Linux 5.9 none.
pub fn close_others<'a>(kept: &(impl Iterator<Item = &'a OwnedFd> + Clone)) {
    let mut first = libc::STDERR_FILENO + 1;
    loop {
        let next = kept.clone().map(AsRawFd::as_raw_fd).filter(|fd| *fd >= first).min();
        let last = next.map_or(c_int::MAX, |next| next - 1);
        if first <= last {
            let _ = close_range(first, last); // before anything else is opened
        }
        match next {
            Some(next) => first = next + 1,
            None => return,
        }
    }
}

/// Closes all fds of a range, `close_range(2)`: not ours, the user has asked to close them. ENOSYS before Linux 5.9.
pub(crate) fn close_range(first: RawFd, last: RawFd) -> nix::Result<()> {
    // SAFETY: integers.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).map(drop)
}

/// Gives the file of a fd to a user and a group, fchown(2).
pub fn give(fd: RawFd, uid: u32, gid: u32) -> nix::Result<()> {
    // SAFETY: integers.
    Errno::result(unsafe { libc::fchown(fd, uid, gid) }).map(drop)
}

/// The user and the group of the file of a fd.
pub fn owner(fd: RawFd) -> nix::Result<(u32, u32)> {
    // SAFETY: an integer, of which the kernel says whether it is open.
    nix::sys::stat::fstat(unsafe { BorrowedFd::borrow_raw(fd) }).map(|stat| (stat.st_uid, stat.st_gid))
}

/// Leaves the table of fds that this process shares for one of its own, with a copy of what is open up to `last`,
/// `close_range(2)`; before Linux 5.9 of all.
pub(crate) fn leave_table(last: RawFd) -> nix::Result<()> {
    // SAFETY: integers. What this closes stays open in the other table.
    let left =
        unsafe { libc::syscall(libc::SYS_close_range, last + 1, c_int::MAX, libc::CLOSE_RANGE_UNSHARE) };
    if left == 0 {
        return Ok(());
    }
    // SAFETY: an integer.
    Errno::result(unsafe { libc::unshare(libc::CLONE_FILES) }).map(drop)
}

/// How many bytes wait in a pipe, `FIONREAD`.
pub fn unread(pipe: BorrowedFd) -> nix::Result<usize> {
    let mut count: c_int = 0;
    // SAFETY: FIONREAD writes one integer.
    Errno::result(unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut count) })?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// write(2) of all the bytes, to whatever is open there.
pub fn write_all(fd: RawFd, mut bytes: &[u8]) -> nix::Result<()> {
    while !bytes.is_empty() {
        // SAFETY: the pointer and the length are those of one slice.
        let count = Errno::result(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) })?;
        bytes = &bytes[usize::try_from(count).unwrap_or(0)..];
    }
    Ok(())
}
