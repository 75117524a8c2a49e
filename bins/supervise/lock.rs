//! The lock of a state directory: that of the file `lock`, as runit's and daemontools' supervisors take it. A
//! user with mere read access can lock a directory, but cannot open this file.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use common::door::{self, Owner};
use common::identity::same;
use common::lock::{TRIES, TRIES_OF_SUPERVISORS, flock_within};
use common::supervise;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FileStat, fstatat};

/// Why a state directory is not ours.
#[derive(Debug)]
pub(super) enum NotOurs {
    /// Another supervisor holds the lock.
    Locked,
    /// It cannot be used: what cannot be done, and why.
    Unusable(&'static str, Errno),
}

/// Whether a lock that is busy is waited for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Patience {
    /// Not at all.
    None,
    /// For 200 ms: it may be that of a child which has not executed yet.
    Brief,
    /// For two seconds: without it the supervisor ends.
    Long,
}

/// Where a state directory comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Origin {
    /// It was there.
    Found,
    /// We have made it just now: nobody has left anything in it.
    Made,
}

/// A lock that is held, on the file, or where there can be none on the directory.
#[derive(Debug)]
pub(super) struct Lock {
    _file: Option<OwnedFd>,
}

impl Lock {
    /// Takes the lock of a state directory, of which `stat` was seen.
    pub(super) fn take(
        directory: &OwnedFd,
        stat: &FileStat,
        origin: Origin,
        patience: Patience,
    ) -> Result<Self, NotOurs> {
        let mut tries = match patience {
            Patience::None => 1,
            Patience::Brief => TRIES,
            Patience::Long => TRIES_OF_SUPERVISORS,
        };
        let file = loop {
            let Some((file, found, new)) = open(directory.as_fd(), origin)? else { break None };
            wait(file.as_fd(), &mut tries)?;
            // A file that was removed meanwhile keeps nobody out.
            if !is_there(directory.as_fd(), &found) {
                continue;
            }
            // One may have been removed long ago while its holder goes on.
            if new && origin == Origin::Found && has_reader(directory.as_fd()) {
                return Err(NotOurs::Locked);
            }
            break Some(file);
        };
        // Nobody else can lock a directory that nobody else can open; so it keeps others out without the file.
        let private = stat.st_uid == door::us() && stat.st_mode & 0o044 == 0;
        if file.is_none() || private {
            wait(directory.as_fd(), &mut tries)?;
        }
        Ok(Self { _file: file })
    }
}

/// The file, what it is, and whether it is new; none where there can be none, as on a full disk.
fn open(directory: BorrowedFd, origin: Origin) -> Result<Option<(OwnedFd, FileStat, bool)>, NotOurs> {
    let access = OFlag::O_WRONLY | OFlag::O_APPEND;
    let there = |access| door::seen_file(directory, supervise::LOCK, access, Owner::Any);
    let found = match origin {
        Origin::Made => Err(Errno::ENOENT),
        Origin::Found => there(access),
    };
    let found = match found {
        // A file that cannot be written can be locked by anybody who may open it.
        Err(Errno::EROFS) => there(OFlag::O_RDONLY),
        other => other,
    };
    match found {
        Ok((file, stat)) => Ok(Some((file, stat, false))),
        Err(Errno::ENOENT) => {
            let new = access | OFlag::O_EXCL;
            match door::seen_file_or_new(directory, supervise::LOCK, new, 0o600, Owner::Any) {
                Ok((file, stat)) => Ok(Some((file, stat, true))),
                Err(Errno::EEXIST) => open(directory, Origin::Found), // another was first
                Err(errno) if is_for_want_of_room(errno) => Ok(None),
                Err(errno) => Err(NotOurs::Unusable("make supervise/lock", errno)),
            }
        }
        Err(errno) => Err(NotOurs::Unusable("open supervise/lock", errno)),
    }
}

fn is_for_want_of_room(errno: Errno) -> bool {
    matches!(errno, Errno::ENOSPC | Errno::EDQUOT | Errno::EROFS | Errno::EACCES | Errno::EPERM)
}

fn wait(file: BorrowedFd, tries: &mut u32) -> Result<(), NotOurs> {
    match flock_within(file, tries) {
        Ok(true) => Ok(()),
        Ok(false) => Err(NotOurs::Locked),
        Err(errno) => Err(NotOurs::Unusable("lock supervise/lock", errno)),
    }
}

fn is_there(directory: BorrowedFd, file: &FileStat) -> bool {
    match fstatat(directory, supervise::LOCK, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(other) => same(file, &other),
        Err(errno) => errno != Errno::ENOENT, // without an answer the lock counts as good
    }
}

/// Whether a supervisor has `ok` open: the sign for every client that it is there.
fn has_reader(directory: BorrowedFd) -> bool {
    door::fifo(directory, supervise::OK, OFlag::O_WRONLY, Owner::Any).is_ok()
}
