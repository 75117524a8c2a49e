//! Directories and files that others may own: nothing but regular files is opened, no open waits, and no more than a
//! part of a long file is read.
//!
//! Links are followed, as the supervisor follows them. So that nobody learns by a link of his what is in a file that he may
//! not read, a file of another owner than that of its directory is read only if everybody may.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use common::fds;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::unistd::geteuid;

/// How many bytes of a file are read.
pub(super) const MOST: usize = 1 << 16;

/// What a link is whose file is not there.
pub(super) const LEADS_NOWHERE: &str = "a link that leads nowhere";

/// An open directory.
#[derive(Debug)]
pub(super) struct Dir {
    pub(super) fd: OwnedFd,
    /// As it is shown.
    pub(super) path: Vec<u8>,
    /// Of whom it is.
    owner: u32,
}

/// What is there by a name.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing.
    Missing,
    /// What is not a regular file: what it is, or why that is not known.
    Other(String),
    /// A regular file.
    Regular(FileStat),
}

/// The text of a file.
#[derive(Debug)]
pub(super) enum Text {
    /// All of it.
    Whole(Vec<u8>),
    /// The beginning of a longer one.
    Beginning(Vec<u8>),
    /// It is not read: why not.
    Unread(String),
}

impl Dir {
    /// Opens a directory by its path from the working directory.
    ///
    /// # Errors
    /// open(2)'s.
    pub(super) fn open(path: &CStr) -> nix::Result<Self> {
        Self::of(fds::open_directory(AT_FDCWD, path)?, path.to_bytes().to_owned())
    }

    /// Opens a directory in this one, or one to which a link leads.
    ///
    /// # Errors
    /// open(2)'s.
    pub(super) fn enter(&self, name: &CStr) -> nix::Result<Self> {
        Self::of(fds::open_directory(self.fd.as_fd(), name)?, self.at(name.to_bytes()))
    }

    fn of(fd: OwnedFd, path: Vec<u8>) -> nix::Result<Self> {
        let owner = fstat(&fd)?.st_uid;
        Ok(Self { fd, path, owner })
    }

    /// Opens the directory to which a path leads, from this one or from the root.
    ///
    /// # Errors
    /// open(2)'s.
    pub(super) fn to(&self, path: &[u8]) -> nix::Result<Self> {
        let name = CString::new(path).map_err(|_| Errno::ENOENT)?; // no path has a NUL
        let opened = fds::open_directory(self.fd.as_fd(), &name)?;
        Self::of(opened, self.path_to(path))
    }

    /// The path to which a path leads, from this directory or from the root.
    pub(super) fn path_to(&self, path: &[u8]) -> Vec<u8> {
        if path.starts_with(b"/") {
            path.to_owned()
        } else {
            self.at(path.strip_prefix(b"./").unwrap_or(path))
        }
    }

    /// The path of a name in it.
    pub(super) fn at(&self, name: &[u8]) -> Vec<u8> {
        let end = self.path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
        [&self.path[..end], b"/", name].concat()
    }

    /// What is there by a name, behind links.
    pub(super) fn look(&self, name: &CStr) -> Found {
        let stat = match fstatat(&self.fd, name, AtFlags::empty()) {
            Ok(stat) => stat,
            Err(Errno::ENOENT) if self.has(name) => return Found::Other(LEADS_NOWHERE.into()),
            Err(Errno::ENOENT) => return Found::Missing,
            Err(errno) => return Found::Other(format!("unknown: {}", common::exit::reason(errno))),
        };
        let kind = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
        match kind {
            SFlag::S_IFREG => Found::Regular(stat),
            SFlag::S_IFDIR => Found::Other("a directory".into()),
            SFlag::S_IFIFO => Found::Other("a FIFO".into()),
            SFlag::S_IFSOCK => Found::Other("a socket".into()),
            _ => Found::Other("a device".into()),
        }
    }

    /// Whether a name is there, even a link that leads nowhere.
    pub(super) fn has(&self, name: &CStr) -> bool {
        fstatat(&self.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok()
    }

    /// Whether this file may be read for what its directory says.
    pub(super) fn may_be_read(&self, file: &FileStat) -> bool {
        let us = geteuid().as_raw();
        self.owner == 0 || self.owner == us || self.owner == file.st_uid || file.st_mode & 0o004 != 0
    }

    /// The text of a regular file.
    pub(super) fn text(&self, name: &CStr) -> Text {
        self.text_up_to(name, MOST)
    }

    /// The text of a regular file, or this much of it.
    pub(super) fn text_up_to(&self, name: &CStr, most: usize) -> Text {
        match self.read(name, most) {
            Ok(Some(text)) if text.len() < most => Text::Whole(text),
            Ok(Some(text)) => Text::Beginning(text),
            Ok(None) => Text::Unread("a file of another owner, which not everybody may read".into()),
            Err(errno) => Text::Unread(common::exit::reason(errno).to_string()),
        }
    }

    fn read(&self, name: &CStr, most: usize) -> nix::Result<Option<Vec<u8>>> {
        // It is looked at first: to open what is no regular file may do something.
        if !matches!(self.look(name), Found::Regular(_)) {
            return Err(Errno::EINVAL);
        }
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let file = fds::open(self.fd.as_fd(), name, flags, Mode::empty())?;
        let stat = fstat(&file)?;
        if !fds::is(&stat, SFlag::S_IFREG) || !self.may_be_read(&stat) {
            return Ok(None);
        }
        fds::read_up_to(&file, most).map(Some)
    }
}
