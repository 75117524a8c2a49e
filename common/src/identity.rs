//! Which files are this program's own.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;

use nix::fcntl::readlink;
use nix::sys::stat::{FileStat, stat};

/// The file of the program `other` beside the file of this one, which is `own`, both with the same prefix
/// to their names if this one has any. `None` if there is none, or without /proc.
#[must_use]
pub fn sibling(own: &str, other: &str) -> Option<FileStat> {
    let file = readlink(c"/proc/self/exe").ok()?;
    let prefix = file.as_bytes().strip_suffix(own.as_bytes())?;
    stat(CString::new([prefix, other.as_bytes()].concat()).ok()?.as_c_str()).ok()
}

/// Whether two files are one.
#[must_use]
pub fn same(one: &FileStat, other: &FileStat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}
