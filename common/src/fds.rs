//! File descriptors.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::stat::{FileStat, Mode, SFlag};

use crate::sys;

/// Standard input. std's own brings a buffer with it.
#[must_use]
pub fn stdin() -> BorrowedFd<'static> {
    sys::stdin()
}

/// Opens a file on a fd from 3 up, though 0-2 be closed: there it would receive our own messages, or be the
/// program's stdin.
pub fn open(folder: BorrowedFd, path: &CStr, flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
    sys::above_standard(openat(folder, path, flags, mode)?, flags.contains(OFlag::O_CLOEXEC))
}

/// Opens a folder, as [`open`], to read it and to reach what is in it.
pub fn open_folder(folder: BorrowedFd, path: &CStr) -> nix::Result<OwnedFd> {
    open(folder, path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
}

/// Tells the names in a folder but `.` and `..`, without allocating.
pub fn each_name(folder: BorrowedFd, tell: impl FnMut(&CStr)) -> nix::Result<()> {
    let all = open_folder(folder, c".")?; // which is read from its beginning
    sys::each_name(all.as_fd(), tell)
}

/// Makes sure that fds 0 to 2 are open: what a program that lives on opens must not land there.
pub fn open_standard() -> nix::Result<()> {
    loop {
        let fd = openat(AT_FDCWD, c"/dev/null", OFlag::O_RDWR, Mode::empty())?;
        if fd.as_raw_fd() > 2 {
            return Ok(());
        }
        let _ = fd.into_raw_fd(); // it stays
    }
}

/// Another fd for the same open file, the lowest free one from `least` up, close-on-exec.
pub fn copy_from(fd: BorrowedFd, least: RawFd) -> nix::Result<OwnedFd> {
    sys::copy_from(fd.as_raw_fd(), least, libc::F_DUPFD_CLOEXEC)
}

/// Whether a file is of this kind, as `S_IFREG`.
#[must_use]
pub fn is(file: &FileStat, kind: SFlag) -> bool {
    file.st_mode & SFlag::S_IFMT.bits() == kind.bits()
}

/// Whether there may be a `fd`: EBADF above the limit of open files, as dup2(2) says.
pub fn check(fd: RawFd) -> nix::Result<()> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if libc::rlim_t::try_from(fd).is_ok_and(|fd| fd < limit) { Ok(()) } else { Err(Errno::EBADF) }
}

/// Makes `to` the same file as `from`, open across exec; unless `copy`, `from` is closed then. Nothing
/// happens where both are one number, which must be open.
pub fn duplicate(from: RawFd, to: RawFd, copy: bool) -> nix::Result<()> {
    if from == to {
        return sys::clear_cloexec(to);
    }
    sys::dup2(from, to)?;
    if copy { Ok(()) } else { sys::close(from) }
}

/// Closes `fd`, open or not.
pub fn close(fd: RawFd) -> nix::Result<()> {
    match sys::close(fd) {
        Err(Errno::EBADF) => Ok(()),
        other => other,
    }
}

/// Leaves an open fd to the program: on the number `at`, whatever is open there, or where it is.
pub fn leave(fd: OwnedFd, at: Option<RawFd>) -> nix::Result<()> {
    let from = fd.into_raw_fd();
    match at {
        Some(to) if to != from => duplicate(from, to, false),
        _ => Ok(()),
    }
}

/// Makes `fd` wait (or not) where it is not ready, for everyone who shares its open file.
pub fn set_nonblocking(fd: RawFd, on: bool) -> nix::Result<()> {
    sys::set_nonblocking(fd, on)
}
