//! The file of a Unix socket, in a directory that may be another's.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use common::credentials::Account;
use common::{Exit, OrFail, Word, door, fds, identity};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::{FileStat, Mode, SFlag};
use nix::unistd::{Gid, Uid, UnlinkatFlags, unlinkat};

/// A name in a directory.
pub(super) struct Entry {
    address: Word,
    path: &'static CStr,
    directory: OwnedFd,
    name: CString,
}

impl Entry {
    pub(super) fn find(address: Word, path: &'static CStr) -> nix::Result<Self> {
        let text = path.to_bytes();
        let slash = text.iter().rposition(|b| *b == b'/').unwrap_or(0);
        let (directory, name) = (&text[..slash.max(1)], &text[slash + 1..]);
        let [directory, name] = [directory, name].map(|part| CString::new(part).unwrap_or_default()); // no NUL
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = fds::open(AT_FDCWD, &directory, flags, Mode::empty())?;
        Ok(Self { address, path, directory, name })
    }

    /// Makes sure that nothing has the name; `remove`: a socket on which nobody listens is removed.
    pub(super) fn make_free(&self, remove: bool) -> Result<(), Exit> {
        let unable = |errno| Exit::system(format_args!("listen at {}", self.address), errno);
        let Some(found) = door::entry(&self.directory, &self.name).map_err(unable)? else { return Ok(()) };
        if !fds::is(&found, SFlag::S_IFSOCK) {
            return Err(unable(Errno::EADDRINUSE).hint("there is a file of that name, and it is no socket"));
        }
        if !remove {
            let hint = "there is a socket of that name: -r removes one that nobody listens on";
            return Err(unable(Errno::EADDRINUSE).hint(hint));
        }
        match self.reach() {
            Err(Errno::ECONNREFUSED) => {}
            // A socket of another kind is there, or its queue is full.
            Ok(()) | Err(Errno::EPROTOTYPE | Errno::EAGAIN) => {
                return Err(unable(Errno::EADDRINUSE).hint("another process listens there"));
            }
            Err(errno) => {
                return Err(Exit::system(
                    format_args!("see whether anybody listens at {}", self.address),
                    errno,
                ));
            }
        }
        self.remove_if(|now| identity::same(now, &found))
            .or_fail(format_args!("remove the old {}", self.address))
    }

    /// Whether the name can be reached by a datagram: of this no listener hears.
    fn reach(&self) -> nix::Result<()> {
        match door::reach(self.directory.as_fd(), &self.name) {
            // On loan the files of this process in /proc are root's. By its path it can be another one's, but only
            // the account's own rights are at stake then.
            Err(Errno::EACCES) => common::socket::connect_datagrams(self.path.to_bytes()),
            other => other,
        }
        .map(drop)
    }

    /// Gives the socket to an account: one that has come to the name since it was free, and that is ours.
    pub(super) fn give(&self, account: &Account) -> Result<(), Exit> {
        let (uid, gid) = (account.uid, account.gid);
        let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        door::give_socket(self.directory.as_fd(), &self.name, owner).map_err(|errno| {
            let error = Exit::system(format_args!("give {} to uid {uid}, gid {gid}", self.address), errno);
            if errno == Errno::EPERM {
                error.hint("only root may: put listen before setuidgid")
            } else {
                error
            }
        })
    }

    /// Removes the socket that was made, so that the next one need not. The message is still that of what failed.
    pub(super) fn remove(&self) {
        let _ = self.remove_if(|now| fds::is(now, SFlag::S_IFSOCK));
    }

    fn remove_if(&self, is: impl Fn(&FileStat) -> bool) -> nix::Result<()> {
        match door::entry(&self.directory, &self.name)? {
            Some(now) if is(&now) => {
                unlinkat(&self.directory, self.name.as_c_str(), UnlinkatFlags::NoRemoveDir)
            }
            Some(_) => Err(Errno::EEXIST),
            None => Ok(()),
        }
    }
}
