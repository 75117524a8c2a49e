//! A file's lines, read in pieces.

use std::ffi::CStr;
use std::ops::Range;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::Mode;
use nix::unistd::read;

use crate::fds;

/// A text file of which one line at a time is in memory, whole whatever its length.
#[derive(Debug)]
pub(super) struct Pieces {
    file: Option<OwnedFd>, // until its end was read
    buffer: Vec<u8>,
    next: usize, // of the buffer
    count: u64,
}

impl Pieces {
    /// What is read at once, at least.
    const PIECE: usize = 1024;

    /// The file at `path`; without lines where there is none. An editor that does not replace a file by rename(2)
    /// leaves none for a moment: absent is what is not there when it is looked for again.
    pub(super) fn of(path: &CStr) -> nix::Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
        let open = || match fds::open(AT_FDCWD, path, flags, Mode::empty()) {
            Err(Errno::ENOENT) => Ok(None),
            other => other.map(Some),
        };
        let file = match open()? {
            None => open()?,
            found => found,
        };
        Ok(Self { file, buffer: Vec::new(), next: 0, count: 0 })
    }

    /// The next line, without its newline; the last one of a file may have none.
    pub(super) fn line(&mut self) -> nix::Result<Option<&[u8]>> {
        let mut seen = self.next;
        let line = loop {
            let newline = self.buffer[seen..].iter().position(|b| *b == b'\n');
            if let Some(length) = newline {
                break Range { start: self.next, end: seen + length };
            }
            seen = self.buffer.len() - self.next;
            if !self.more()? {
                if seen == 0 {
                    return Ok(None);
                }
                break Range { start: 0, end: seen };
            }
        };
        self.next = self.buffer.len().min(line.end + 1);
        self.count += 1;
        Ok(Some(&self.buffer[line]))
    }

    /// How many lines there were up to this one.
    #[must_use]
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Moves the unread rest to the beginning of the buffer, and reads more after it. Returns whether there was
    /// any.
    fn more(&mut self) -> nix::Result<bool> {
        self.buffer.drain(..self.next);
        self.next = 0;
        let Some(file) = &self.file else { return Ok(false) };
        let there = self.buffer.len();
        self.buffer.resize(there + there.max(Self::PIECE), 0);
        let count = read(file, &mut self.buffer[there..])?;
        self.buffer.truncate(there + count);
        if count == 0 {
            self.file = None;
        }
        Ok(count > 0)
    }
}
