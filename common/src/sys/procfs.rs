//! What is read below /proc, believed only where that is a procfs: in a chroot, or before it is mounted, whoever
//! may write there says what is in a plain file of the same name. One that is not on a procfs is not there
//! (ENOENT), as if nothing were mounted.

use std::ffi::{CStr, OsString};
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstatat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use crate::fds;
use crate::text::Text;

/// Opens a file of a procfs to read it, by its whole path. Close-on-exec, and never waits for the other end of
/// a FIFO.
pub fn open(path: &CStr) -> nix::Result<OwnedFd> {
    believed(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)
}

/// The beginning of a file of a procfs.
pub fn read<'a>(path: &CStr, buffer: &'a mut [u8]) -> nix::Result<&'a [u8]> {
    let count = nix::unistd::read(open(path)?, buffer)?;
    Ok(&buffer[..count])
}

/// Whether /proc is that of our own pid namespace: whether `/proc/self` is the pid that we know ourselves by. In
/// another one's each pid is that of somebody else.
pub fn is_own() -> nix::Result<bool> {
    let mut buffer = [0; 16];
    let root = Root::open()?;
    let name = super::child::read_link(root.0.as_fd(), c"self", &mut buffer)?;
    Ok(name == Text::<16>::new().number(super::getpid()?).bytes())
}

fn believed(path: &CStr, flags: OFlag) -> nix::Result<OwnedFd> {
    let file = fds::open(AT_FDCWD, path, flags | OFlag::O_CLOEXEC, Mode::empty())?;
    if fstatfs(&file)?.filesystem_type() == PROC_SUPER_MAGIC { Ok(file) } else { Err(Errno::ENOENT) }
}

/// The root of the procfs on /proc, to reach from it what is on other file systems: where its links lead the
/// kernel alone decides. No other directory of a procfs has a `self`.
#[derive(Debug)]
pub struct Root(OwnedFd);

impl Root {
    /// Opens it.
    pub fn open() -> nix::Result<Self> {
        believed(c"/proc", OFlag::O_PATH | OFlag::O_DIRECTORY).map(Self)
    }

    /// What `path`, as `self/exe`, leads to: stat(2).
    pub fn stat(&self, path: &CStr) -> nix::Result<FileStat> {
        fstatat(&self.0, path, AtFlags::empty())
    }

    /// Opens what `path` leads to, close-on-exec.
    pub fn file(&self, path: &CStr, flags: OFlag) -> nix::Result<OwnedFd> {
        fds::open(self.0.as_fd(), path, flags | OFlag::O_CLOEXEC, Mode::empty())
    }

    /// The name of what `path` leads to, readlinkat(2).
    pub fn name(&self, path: &CStr) -> nix::Result<OsString> {
        readlinkat(&self.0, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_file_system_is_not_there() {
        let mut buffer = [0; 64];
        assert!(
            read(c"/proc/self/stat", &mut buffer)
                .unwrap()
                .starts_with(std::process::id().to_string().as_bytes())
        );
        // These lead out of it.
        assert_eq!(read(c"/proc/self/exe", &mut buffer).unwrap_err(), Errno::ENOENT);
        assert_eq!(believed(c"/dev", OFlag::O_PATH).unwrap_err(), Errno::ENOENT);
        assert_eq!(read(c"/proc/none", &mut buffer).unwrap_err(), Errno::ENOENT);
    }

    #[test]
    fn the_root_leads_to_what_is_our_own() {
        let root = Root::open().unwrap();
        let own = std::env::current_exe().unwrap();
        assert_eq!(root.name(c"self/exe").unwrap(), own);
        let file = nix::sys::stat::stat(&own).unwrap();
        let found = root.stat(c"self/exe").unwrap();
        assert_eq!((found.st_dev, found.st_ino), (file.st_dev, file.st_ino));
        assert!(is_own().unwrap());
    }
}
