//! inotify(7), without allocating.

use std::ffi::CStr;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::unistd::read;

use super::fd;

pub use libc::{
    IN_ATTRIB, IN_CLOSE_WRITE, IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_DONT_FOLLOW, IN_IGNORED, IN_MASK_ADD,
    IN_MASK_CREATE, IN_MODIFY, IN_MOVE_SELF, IN_MOVED_FROM, IN_MOVED_TO, IN_ONLYDIR, IN_Q_OVERFLOW,
};

/// An inotify instance; it never blocks.
#[derive(Debug)]
pub struct Inotify(OwnedFd);

/// What happened.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// What [`Inotify::watch`] returned; -1 with `IN_Q_OVERFLOW`.
    pub watch: i32,
    /// Of the `IN_` constants.
    pub mask: u32,
    /// The name in the watched directory, or nothing where it is about the watched file itself.
    pub name: &'a [u8],
}

impl Inotify {
    /// Makes an instance.
    ///
    /// # Errors
    /// `inotify_init1(2)`'s: EMFILE also where the user has too many of them, ENOSYS where the kernel has none.
    pub fn new() -> nix::Result<Self> {
        // SAFETY: an integer.
        let fd = Errno::result(unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) })?;
        // SAFETY: a fd that the kernel has just opened.
        fd::above_standard(unsafe { OwnedFd::from_raw_fd(fd) }, true).map(Self)
    }

    /// Watches a file. A file that is watched already keeps its number.
    ///
    /// # Errors
    /// `inotify_add_watch(2)`'s: ENOSPC where the user has too many watches.
    pub fn watch(&self, path: &CStr, mask: u32) -> nix::Result<i32> {
        // SAFETY: a C string and two integers.
        Errno::result(unsafe { libc::inotify_add_watch(self.0.as_raw_fd(), path.as_ptr(), mask) })
    }

    /// Ends a watch.
    ///
    /// # Errors
    /// EINVAL where there is no such watch: it has ended with the file.
    pub fn unwatch(&self, watch: i32) -> nix::Result<()> {
        // SAFETY: two integers.
        Errno::result(unsafe { libc::inotify_rm_watch(self.0.as_raw_fd(), watch) }).map(drop)
    }

    /// Reports the events of at most `reads` calls of read(2), of 4 KiB each. False where there may be more.
    ///
    /// # Errors
    /// read(2)'s, but EAGAIN.
    pub fn events(&self, reads: usize, mut report: impl FnMut(Event)) -> nix::Result<bool> {
        const HEAD: usize = mem::size_of::<libc::inotify_event>();
        let mut buffer = [0u8; 4096];
        for _ in 0..reads {
            let filled = match read(&self.0, &mut buffer) {
                Ok(filled) => filled,
                Err(Errno::EAGAIN) => return Ok(true),
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno),
            };
            let mut rest = &buffer[..filled];
            while let Some((head, behind)) = rest.split_at_checked(HEAD) {
                let word = |at: usize| [head[at], head[at + 1], head[at + 2], head[at + 3]];
                let length = u32::from_ne_bytes(word(mem::offset_of!(libc::inotify_event, len)));
                let length = usize::try_from(length).unwrap_or(usize::MAX).min(behind.len());
                let (name, next) = behind.split_at(length);
                report(Event {
                    watch: i32::from_ne_bytes(word(mem::offset_of!(libc::inotify_event, wd))),
                    mask: u32::from_ne_bytes(word(mem::offset_of!(libc::inotify_event, mask))),
                    name: name.split(|byte| *byte == 0).next().unwrap_or(b""), // padded with zeros
                });
                rest = next;
            }
        }
        Ok(false)
    }
}

impl AsFd for Inotify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
