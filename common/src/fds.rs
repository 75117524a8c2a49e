//! File descriptors.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, FcntlArg, FdFlag, OFlag, fcntl, openat};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::stat::{FileStat, Mode, SFlag};
use nix::unistd::read;

use crate::exit::{Exit, OrFail};
use crate::procfs;
use crate::quantity::number;
use crate::sys::{fd as raw, file, process};

pub use crate::sys::fd::{
    close_others, die_with_reader, give, is_open, owner, set_nonblocking, stdin, stdout, unread, write_all,
};

/// Opens a file on a fd from 3 up, though 0-2 be closed: there it would receive our own messages, or be the
/// program's stdin.
pub fn open(directory: BorrowedFd, path: &CStr, flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
    raw::above_standard(openat(directory, path, flags, mode)?, flags.contains(OFlag::O_CLOEXEC))
}

/// Whether a refusal passes: it says nothing about the file, which may well be there and be as it should, and the same
/// call may succeed a moment later. Where it counts whether there is a file it is asked for again.
///
/// An fd or memory is short; EINTR and EAGAIN are what a call ends with that had to wait, as on a network file system;
/// EIO is a disk or a server that does not answer, and nobody knows what is there: to take the file for missing would
/// be worse than to wait for it, even if that takes until somebody has mended the disk.
#[must_use]
pub fn passes(errno: Errno) -> bool {
    use Errno::{EAGAIN, EINTR, EIO, EMFILE, ENFILE, ENOMEM};
    matches!(errno, EMFILE | ENFILE | ENOMEM | EINTR | EAGAIN | EIO)
}

/// Opens a directory, as [`open`], to read it and to reach what is in it.
pub fn open_directory(directory: BorrowedFd, path: &CStr) -> nix::Result<OwnedFd> {
    open(directory, path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
}

/// Whether a file could be opened for reading, by its permissions: this takes no fd.
pub fn may_read(directory: BorrowedFd, path: &CStr) -> nix::Result<()> {
    file::may_read(directory.as_raw_fd(), path)
}

/// Reports the names in a directory but `.` and `..`, without allocating.
pub fn each_name(directory: BorrowedFd, report: impl FnMut(&CStr)) -> nix::Result<()> {
    read_names(directory, report).map(drop)
}

/// As [`each_name`]. True where all names have come in one read, in which the kernel lets nobody change one: then no name
/// was missed that was there all the time.
pub fn each_name_at_once(directory: BorrowedFd, report: impl FnMut(&CStr)) -> nix::Result<bool> {
    Ok(read_names(directory, report)? <= 1)
}

fn read_names(directory: BorrowedFd, report: impl FnMut(&CStr)) -> nix::Result<u32> {
    let all = open_directory(directory, c".")?; // which is read from its beginning
    file::each_name(all.as_fd(), report)
}

/// Makes sure that fds 0 to 2 are open: what a program that lives on opens must not land there. /dev/null takes
/// the place of those that are closed; where none is, it need not be there.
pub fn open_standard() -> nix::Result<()> {
    for fd in 0..=2 {
        if !raw::is_open(fd) {
            // The lowest that is free, as those below are open by now.
            let _ = openat(AT_FDCWD, c"/dev/null", OFlag::O_RDWR, Mode::empty())?.into_raw_fd(); // it stays
        }
    }
    Ok(())
}

/// Another fd for the same open file, the lowest free one from `least` up, close-on-exec.
pub fn copy_from(fd: BorrowedFd, least: RawFd) -> nix::Result<OwnedFd> {
    raw::copy_from(fd.as_raw_fd(), least, libc::F_DUPFD_CLOEXEC)
}

/// Another fd for what is open at a number, close-on-exec.
pub fn copy_of(fd: RawFd) -> nix::Result<OwnedFd> {
    raw::copy_from(fd, fd, libc::F_DUPFD_CLOEXEC)
}

/// What a file holds from where it stands, up to its end or to `most` bytes.
pub fn read_up_to(file: impl AsFd, most: usize) -> nix::Result<Vec<u8>> {
    let (mut text, mut part) = (Vec::new(), [0; 4096]);
    while text.len() < most {
        match read(&file, &mut part) {
            Ok(0) => break,
            Ok(count) => text.extend_from_slice(&part[..count]),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    text.truncate(most);
    Ok(text)
}

/// Whether a file is of this kind, as `S_IFREG`.
#[must_use]
pub fn is(file: &FileStat, kind: SFlag) -> bool {
    file.st_mode & SFlag::S_IFMT.bits() == kind.bits()
}

/// The number of a file's inode, which has 32 bits on some systems.
#[must_use]
#[allow(clippy::useless_conversion, reason = "on the others it has 64")]
pub fn inode(file: &FileStat) -> u64 {
    file.st_ino.into()
}

/// Whether there may be a `fd`: EBADF above the limit of open files, as dup2(2) says.
pub fn check(fd: RawFd) -> nix::Result<()> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if libc::rlim_t::try_from(fd).is_ok_and(|fd| fd < limit) { Ok(()) } else { Err(Errno::EBADF) }
}

/// Makes `to` the same file as `from`, open across exec. If both are one number, it must be open, and stays.
pub fn copy_to(from: RawFd, to: RawFd) -> nix::Result<()> {
    if from == to { raw::clear_cloexec(to) } else { raw::dup2(from, to) }
}

/// As [`copy_to`], and closes `from`, unless both are one number.
pub fn move_to(from: RawFd, to: RawFd) -> nix::Result<()> {
    copy_to(from, to)?;
    if from == to { Ok(()) } else { raw::close(from) }
}

/// Moves a new fd, close-on-exec or not, to the highest number that is free, of 3 to `most` and below the limit of
/// open files; there it is open across exec.
pub fn move_to_top(fd: OwnedFd, most: RawFd) -> nix::Result<OwnedFd> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let highest = RawFd::try_from(limit).unwrap_or(RawFd::MAX).saturating_sub(1).min(most);
    let mut least = highest.max(libc::STDERR_FILENO + 1);
    let moved = loop {
        match raw::copy_from(fd.as_raw_fd(), least, libc::F_DUPFD) {
            // All from there up to the limit are taken.
            Err(Errno::EMFILE) if least > libc::STDERR_FILENO + 1 => least -= 1,
            other => break other?,
        }
    };
    raw::close(fd.into_raw_fd())?;
    Ok(moved)
}

static KEPT: AtomicI32 = AtomicI32::new(RawFd::MAX);

/// Says that the fds from this number up are this program's own, which no link closes with all others.
pub fn keep_from(fd: RawFd) {
    KEPT.fetch_min(fd, Ordering::Relaxed);
}

/// The number from which on no link may close all: [`keep_from`].
#[must_use]
pub fn kept_from() -> RawFd {
    KEPT.load(Ordering::Relaxed)
}

/// The lowest number of those that [`out_of_the_way`] gives, where the limit allows it: a program finds none there.
const FAR: RawFd = 1100;

/// Moves a new fd to a number where a chain finds none, which stays open across exec. The limit of open files may be
/// below it: it is raised meanwhile.
pub fn out_of_the_way(fd: OwnedFd) -> nix::Result<RawFd> {
    let far = || raw::copy_from(fd.as_raw_fd(), FAR, libc::F_DUPFD);
    let moved = far().or_else(|_| {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        process::set_limit(Resource::RLIMIT_NOFILE, hard, hard)?;
        let moved = far();
        process::set_limit(Resource::RLIMIT_NOFILE, soft, hard)?;
        moved
    });
    match moved {
        Ok(moved) => Ok(moved.into_raw_fd()),
        Err(_) => move_to_top(fd, RawFd::MAX).map(IntoRawFd::into_raw_fd),
    }
}

/// Closes a fd of ours, and makes sure of it: where close(2) fails it has closed the fd all the same, as a second call
/// shows.
pub fn close_surely(fd: OwnedFd) -> nix::Result<()> {
    let fd = fd.into_raw_fd();
    raw::close(fd).or_else(|_| close(fd))
}

/// A fd that the program which this process becomes finds again: see [`hand_on`].
#[derive(Debug)]
pub struct Handed {
    at: RawFd,
    before: Option<OwnedFd>,
}

/// Puts a copy of `fd` on the first number from 3 up that does not survive exec as it is.
pub fn hand_on(fd: BorrowedFd) -> nix::Result<Handed> {
    let mut at = libc::STDERR_FILENO + 1;
    let before = loop {
        match raw::is_cloexec(at) {
            Ok(true) => break Some(raw::copy_from(at, at + 1, libc::F_DUPFD_CLOEXEC)?),
            Ok(false) => at += 1, // that of another, with which we were started
            Err(Errno::EBADF) => break None,
            Err(errno) => return Err(errno),
        }
    };
    copy_to(fd.as_raw_fd(), at)?;
    Ok(Handed { at, before })
}

impl Handed {
    /// If the exec failed: restores what was at its number.
    pub fn take_back(self) -> nix::Result<()> {
        match self.before {
            Some(before) => raw::dup_cloexec(before.as_raw_fd(), self.at),
            None => raw::close(self.at),
        }
    }
}

/// How many fds are handed on at most: what was taken before leaves a hole in the row.
const HANDED: usize = 3;

/// Takes the first fd that was handed on and is `wanted`; it is close-on-exec from now on.
pub fn handed_on(wanted: impl Fn(RawFd) -> bool) -> nix::Result<Option<OwnedFd>> {
    let mut holes = 0;
    let mut at = libc::STDERR_FILENO + 1;
    while holes <= HANDED {
        match raw::is_cloexec(at) {
            Ok(false) if wanted(at) => {
                let own = raw::copy_from(at, at + 1, libc::F_DUPFD_CLOEXEC)?;
                raw::close(at)?;
                return Ok(Some(own));
            }
            Ok(_) => {} // that of another, or what has been taken already
            Err(_) => holes += 1,
        }
        at += 1;
    }
    Ok(None)
}

/// Lets a fd of ours be open, on its number, in the program that this process becomes: see [`all_handed_on`].
pub fn leave_to_next(fd: BorrowedFd) -> nix::Result<()> {
    raw::clear_cloexec(fd.as_raw_fd())
}

/// If the exec failed: takes that back.
pub fn close_on_exec(fd: BorrowedFd) -> nix::Result<()> {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map(drop)
}

/// Up to which number fds are looked for where /proc does not list them.
const SEARCHED: RawFd = 1 << 16;

/// Takes all fds that were left to this program and are `wanted`, whatever their numbers; they are close-on-exec from
/// now on.
pub fn all_handed_on(wanted: impl Fn(RawFd) -> bool) -> nix::Result<Vec<OwnedFd>> {
    let mut found = Vec::new();
    let mut look = |fd: RawFd| {
        if fd > libc::STDERR_FILENO && raw::is_cloexec(fd) == Ok(false) && wanted(fd) {
            found.push(fd);
        }
    };
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    let list = procfs::This::open().and_then(|this| this.file(c"fd", flags));
    match list {
        Ok(list) => file::each_name(list.as_fd(), |name| {
            number::<u32>(name.to_bytes())
                .and_then(|fd| RawFd::try_from(fd).ok())
                .into_iter()
                .for_each(&mut look);
        })
        .map(drop)?,
        Err(_) => (0..SEARCHED).for_each(look), // there is no /proc
    }
    let own = |at: RawFd| {
        let own = raw::copy_from(at, at + 1, libc::F_DUPFD_CLOEXEC)?;
        raw::close(at)?;
        Ok(own)
    };
    found.into_iter().map(own).collect()
}

/// Whether a number is that of a regular file.
#[must_use]
pub fn is_regular(fd: RawFd) -> bool {
    raw::kind(fd).is_ok_and(|kind| kind == SFlag::S_IFREG.bits())
}

/// Whether a number is that of a FIFO which is open with these flags.
#[must_use]
pub fn is_open_fifo(fd: RawFd, flags: OFlag) -> bool {
    raw::open_fifo_flags(fd)
        .is_ok_and(|open| open & (OFlag::O_ACCMODE | OFlag::O_NONBLOCK).bits() == flags.bits())
}

/// Closes `fd`, open or not.
pub fn close(fd: RawFd) -> nix::Result<()> {
    match raw::close(fd) {
        Err(Errno::EBADF) => Ok(()),
        other => other,
    }
}

/// Closes every fd from `first` up, as the user has asked; where `close_range(2)` is not to be had, those that /proc
/// lists.
pub fn close_from(first: RawFd) -> Result<(), Exit> {
    match raw::close_range(first, kept_from().saturating_sub(1).max(first)) {
        // Before Linux 5.9, or under a filter that does not know it.
        Err(errno @ (Errno::ENOSYS | Errno::EPERM)) => close_listed(first, errno),
        closed => closed.or_fail(format_args!("close all fds from {first} up")),
    }
}

fn close_listed(first: RawFd, errno: Errno) -> Result<(), Exit> {
    let failed = |errno| Exit::system(format_args!("close all fds from {first} up"), errno);
    // If all are taken there are some for the list now.
    for fd in first..first + 4 {
        close(fd).or_else(|errno| if raw::is_open(fd) { Err(failed(errno)) } else { Ok(()) })?;
    }
    let list = procfs::This::open().and_then(|this| this.file(c"fd", OFlag::O_RDONLY | OFlag::O_DIRECTORY));
    let list = list.map_err(|_| failed(errno).hint("without close_range(2) this needs /proc"))?;
    let mut left = None;
    file::each_name(list.as_fd(), |name| {
        let fd = number::<RawFd>(name.to_bytes()).filter(|fd| *fd >= first && *fd != list.as_raw_fd());
        let Some(fd) = fd else { return };
        match close(fd) {
            // What the file says as it is closed is not for this process to hear.
            Err(errno) if raw::is_open(fd) => left = Some(errno),
            _ => {}
        }
    })
    .map_err(failed)?;
    left.map_or(Ok(()), |errno| Err(failed(errno)))
}

/// Closes fds of ours whose numbers are free then for what the program gets.
pub fn close_all<const N: usize>(fds: [OwnedFd; N]) -> nix::Result<()> {
    fds.into_iter().try_for_each(|fd| raw::close(fd.into_raw_fd()))
}

/// Leaves an open fd to the program: on the number `at`, whatever is open there, or where it is.
pub fn leave(fd: OwnedFd, at: Option<RawFd>) -> nix::Result<()> {
    let from = fd.into_raw_fd();
    match at {
        Some(to) if to != from => move_to(from, to),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{pipe, write};

    #[test]
    fn what_was_left_to_the_next_program_is_found_wherever_it_is() {
        let (low, mut into) = pipe().unwrap();
        let (low, high) = (low.into_raw_fd(), 900);
        copy_to(low, high).unwrap();
        let wanted = |fd: RawFd| [low, high].contains(&fd);
        let taken = all_handed_on(wanted).unwrap();
        assert_eq!(taken.len(), 2);
        assert!(all_handed_on(wanted).unwrap().is_empty(), "their numbers are free");
        write(&mut into, b"ab").unwrap();
        for fd in taken {
            assert_eq!(raw::is_cloexec(fd.as_raw_fd()), Ok(true));
            assert_eq!(nix::unistd::read(&fd, &mut [0]), Ok(1));
            leave_to_next(fd.as_fd()).unwrap();
            assert_eq!(raw::is_cloexec(fd.as_raw_fd()), Ok(false));
            close_on_exec(fd.as_fd()).unwrap();
            assert_eq!(raw::is_cloexec(fd.as_raw_fd()), Ok(true));
        }
    }
}
