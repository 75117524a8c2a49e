//! Which files are one; and which words in a program's place this process applies itself: the links that are in it.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::fcntl::readlink;
use nix::sys::stat::{FileStat, fstat, stat};

use crate::sys::{file, process};
use crate::{fds, procfs};

/// What a file is known by, whatever its name.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Identity {
    /// Of the file system.
    pub device: u64,
    /// In it.
    pub inode: u64,
}

impl Identity {
    /// That of none.
    pub const NONE: Self = Self { device: 0, inode: 0 };

    /// That of a file.
    #[must_use]
    #[allow(clippy::useless_conversion, reason = "on some systems the number of a device has 32 bits")]
    pub fn of(file: &FileStat) -> Self {
        Self { device: file.st_dev.into(), inode: fds::inode(file) }
    }
}

/// How a link in this process is recognized.
#[derive(Clone, Copy)]
pub enum SelfMatch {
    /// Not at all: this program is one link.
    Alone,
    /// As [`SelfMatch::Alone`], if the program were this file.
    At(&'static CStr),
    /// By its name without a slash, as the user asked by calling `catena`.
    Named,
    /// By its file: exec's search finds this one, which this process runs.
    File(Identity),
}

impl SelfMatch {
    /// This process's own file: `None` without a real /proc, where an exec of the file would refuse to
    /// work, and where the real and effective ids differ, which no change of ids here leaves them.
    #[must_use]
    pub(crate) fn file() -> Option<Self> {
        if process::real_ids_differ() {
            return None;
        }
        // Where it cannot be known each link is executed, which gives the same.
        let own = c"/proc/self/exe";
        let found = stat(own).ok().filter(|_| procfs::is_there())?;
        let plain = gives_rights(&found, file::xattr_size(own, CAPABILITIES)) == Ok(false);
        plain.then(|| Self::of(&found))
    }

    /// Recognition by this file.
    #[must_use]
    pub fn of(file: &FileStat) -> Self {
        Self::File(Identity::of(file))
    }

    /// Whether `word` is written as the link of this name.
    #[must_use]
    pub fn is_called(&self, word: &CStr, name: &str) -> bool {
        match self {
            Self::Named => word.to_bytes() == name.as_bytes(),
            _ => is_called(word, name),
        }
    }

    /// What `word` has to be to be the link of this name, which is in this process; `None` if it cannot
    /// be. `this` is the name of the link that asks.
    #[must_use]
    pub fn expect(&self, word: &CStr, this: &str, name: &str) -> Option<Self> {
        match self {
            _ if !self.is_called(word, name) => None,
            Self::Named | Self::File(_) => Some(*self),
            Self::Alone => sibling(this, name),
            Self::At(file) => beside(file.to_bytes(), this, name),
        }
    }

    /// Whether the program that would be executed is what was expected.
    #[must_use]
    pub(crate) fn is(&self, program: impl FnOnce() -> Option<FileStat>) -> bool {
        match self {
            Self::Alone | Self::At(_) => false,
            Self::Named => true,
            Self::File(own) => program().is_some_and(|found| Identity::of(&found) == *own),
        }
    }
}

/// Whether a program called `word` is the link of this name: by the end of its file name, since a package may
/// put a prefix in front.
#[must_use]
pub(crate) fn is_called(word: &CStr, name: &str) -> bool {
    word.to_bytes().ends_with(name.as_bytes()) // which has no slash
}

/// The file of the program `other` beside the file of this one, which is `own`, both with the same prefix
/// to their names if this one has any. `None` if there is none, without /proc, and where it cannot be looked at: then it
/// is another program, which is executed.
fn sibling(own: &str, other: &str) -> Option<SelfMatch> {
    let file = readlink(c"/proc/self/exe").ok().filter(|_| procfs::is_there())?;
    beside(file.as_bytes(), own, other)
}

/// The same of a program that is `file`.
fn beside(file: &[u8], own: &str, other: &str) -> Option<SelfMatch> {
    let prefix = file.strip_suffix(own.as_bytes())?;
    let file = CString::new([prefix, other.as_bytes()].concat()).ok()?;
    stat(file.as_c_str()).ok().map(|found| SelfMatch::of(&found))
}

/// Whether two files are one.
#[must_use]
pub fn same(one: &FileStat, other: &FileStat) -> bool {
    Identity::of(one) == Identity::of(other)
}

/// Whether this program's own file, which is open, would give rights to whoever runs it.
pub fn gives_rights_away(own: &OwnedFd) -> nix::Result<bool> {
    gives_rights(&fstat(own)?, file::xattr_size_of(own, CAPABILITIES))
}

/// The extended attribute that holds the capabilities of a file.
const CAPABILITIES: &CStr = c"security.capability";

/// Whether a file is set-id, or has capabilities by the size of that attribute.
fn gives_rights(file: &FileStat, capabilities: nix::Result<isize>) -> nix::Result<bool> {
    let set_id = file.st_mode & (libc::S_ISUID | libc::S_ISGID) != 0;
    match capabilities {
        Ok(_) => Ok(true),
        Err(Errno::ENODATA | Errno::ENOTSUP) => Ok(set_id),
        Err(errno) => Err(errno),
    }
}
