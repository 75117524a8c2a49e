//! Becoming the program that is now in our own file's place. The children stay ours, and the lock is free for the
//! moment that the exec takes.

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use common::{Text, Voice, Words, fds, process, procfs};
use nix::errno::Errno;
use nix::unistd::fchdir;

use crate::supervise::Supervised;

/// What this program was started with, for the one that it becomes.
#[derive(Debug)]
pub(super) struct Origin {
    /// The command line.
    pub(super) words: Words,
    /// The working directory in which it counts.
    pub(super) directory: OwnedFd,
    /// The environment.
    pub(super) env: Words,
}

impl Origin {
    /// Becomes the next program, which takes over what this one holds. Returns why it did not.
    #[inline(never)] // its buffer would be part of the frame that waits
    pub(super) fn become_next(&self, service: &Supervised, voice: Voice) -> Errno {
        let mut path = Text::<512>::new();
        let (Ok(errno) | Err(errno)) = own_path(&mut path).and_then(|path| self.execute(path, service));
        if let Err(errno) = fchdir(service.directory()) {
            voice.unable(&[b"change back to the service directory"], errno);
        }
        errno
    }

    fn execute(&self, path: &CStr, service: &Supervised) -> nix::Result<Errno> {
        fchdir(&self.directory)?;
        // With -k a pipe that is handed on would be the service's too.
        let pipes = !self.words.clone().any(|word| word == c"-k");
        let handed = service.hand_on(pipes)?;
        // Clients see their end: the new program listens in a moment.
        let errno = process::execve(path, &self.words, &self.env);
        handed.into_iter().flatten().rev().try_for_each(fds::Handed::take_back)?;
        Ok(errno)
    }
}

/// The path of our own file: of what is there now, if it was replaced.
fn own_path(buffer: &mut Text<512>) -> nix::Result<&CStr> {
    let path = procfs::This::open()?.path(c"exe")?;
    let path = path.as_os_str().as_bytes();
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    buffer.add(path).add("\0");
    CStr::from_bytes_with_nul(buffer.bytes()).map_err(|_| Errno::ENAMETOOLONG)
}
