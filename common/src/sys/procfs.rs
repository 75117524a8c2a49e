//! What is read below /proc, believed only where that is a procfs: in a chroot, or before it is mounted, whoever
//! may write there says what is in a plain file of the same name. One that is not on a procfs is not there
//! (ENOENT), as if nothing were mounted.

use std::ffi::{CStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstatat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs, statfs};

use crate::fds;
use crate::text::Text;

/// Opens a file of a procfs to read it, by its whole path. Close-on-exec, and never waits for the other end of
/// a FIFO.
pub fn open(path: &CStr) -> nix::Result<OwnedFd> {
    believed(AT_FDCWD, path, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)
}

/// The beginning of a file of a procfs.
pub fn read<'a>(path: &CStr, buffer: &'a mut [u8]) -> nix::Result<&'a [u8]> {
    let count = nix::unistd::read(open(path)?, buffer)?;
    Ok(&buffer[..count])
}

/// Whether /proc is that of our own pid namespace: whether `/proc/self` is the pid that we know ourselves by. In
/// another one's each pid is that of somebody else.
pub fn is_own() -> nix::Result<bool> {
    // What has been ours stays so: only who may mount over it could change it.
    static OWN: AtomicBool = AtomicBool::new(false);
    if OWN.load(Ordering::Relaxed) {
        return Ok(true);
    }
    let mut buffer = [0; 16];
    let name = super::child::read_link(root()?.as_fd(), c"self", &mut buffer)?;
    let own = name == Text::<16>::new().number(super::getpid()?).bytes();
    OWN.store(own, Ordering::Relaxed);
    Ok(own)
}

/// The directory of this process, to reach from it what is on other file systems, as `exe`: where its links lead
/// the kernel alone decides.
#[derive(Debug)]
pub struct This(OwnedFd);

impl This {
    /// Opens it.
    pub fn open() -> nix::Result<Self> {
        // From the root, whose `self` is made by the kernel: who may write in / could make one of /proc that
        // leads to another process.
        believed(root()?.as_fd(), c"self", DIRECTORY).map(Self)
    }

    /// What `name` leads to: stat(2).
    pub fn stat(&self, name: &CStr) -> nix::Result<FileStat> {
        fstatat(&self.0, name, AtFlags::empty())
    }

    /// Opens what `name` leads to, close-on-exec.
    pub fn file(&self, name: &CStr, flags: OFlag) -> nix::Result<OwnedFd> {
        fds::open(self.0.as_fd(), name, flags | OFlag::O_CLOEXEC, Mode::empty())
    }

    /// The path of what `name` leads to, readlinkat(2).
    pub fn path(&self, name: &CStr) -> nix::Result<OsString> {
        readlinkat(&self.0, name)
    }
}

/// Whether there is a procfs on /proc, for what is no more than a matter of speed: who may write in / could
/// change it before it is used by name.
#[must_use]
pub(crate) fn is_there() -> bool {
    statfs(c"/proc/self").is_ok_and(|system| system.filesystem_type() == PROC_SUPER_MAGIC)
}

const DIRECTORY: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY);

/// The root of the procfs on /proc. No other directory of a procfs has a `self`.
fn root() -> nix::Result<OwnedFd> {
    believed(AT_FDCWD, c"/proc", DIRECTORY)
}

fn believed(folder: BorrowedFd, path: &CStr, flags: OFlag) -> nix::Result<OwnedFd> {
    let file = fds::open(folder, path, flags | OFlag::O_CLOEXEC, Mode::empty())?;
    if fstatfs(&file)?.filesystem_type() == PROC_SUPER_MAGIC { Ok(file) } else { Err(Errno::ENOENT) }
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
        assert_eq!(believed(AT_FDCWD, c"/dev", OFlag::O_PATH).unwrap_err(), Errno::ENOENT);
        assert_eq!(read(c"/proc/none", &mut buffer).unwrap_err(), Errno::ENOENT);
    }

    #[test]
    fn the_directory_of_this_process_leads_to_what_is_its_own() {
        let this = This::open().unwrap();
        let own = std::env::current_exe().unwrap();
        assert_eq!(this.path(c"exe").unwrap(), own);
        let (file, found) = (nix::sys::stat::stat(&own).unwrap(), this.stat(c"exe").unwrap());
        assert_eq!((found.st_dev, found.st_ino), (file.st_dev, file.st_ino));
        assert!(is_own().unwrap());
    }
}
