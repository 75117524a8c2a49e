//! The file `current` of a log directory, to which bytes are appended whole or not at all.

use std::os::fd::{AsFd, OwnedFd};

use common::door::{self, Owner};
use common::identity::{Identity, same};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc::off_t;
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat};
use nix::sys::uio::pread;
use nix::unistd::{ftruncate, write};

use super::archive::sync;

const NAME: &std::ffi::CStr = c"current";

/// The mode bit that a `current` that was closed cleanly has, and one that is being written lacks; archives have
/// it too.
const CLOSED: Mode = Mode::S_IXUSR;
/// The mode of a new `current`.
const OPEN: Mode = Mode::from_bits_truncate(0o644);

/// The file of that name, before it is opened.
#[derive(Debug)]
pub(super) struct Found(FileStat);

impl Found {
    /// `None`: there is none. An error also where it is of another kind, or has a second name.
    pub(super) fn look(directory: &OwnedFd) -> nix::Result<Option<Self>> {
        let found = door::entry(directory, NAME)?;
        if let Some(stat) = &found {
            door::look(stat, SFlag::S_IFREG, Owner::Any)?;
        }
        Ok(found.map(Self))
    }

    pub(super) fn id(&self) -> Identity {
        Identity::of(&self.0)
    }

    pub(super) fn size(&self) -> u64 {
        size(&self.0)
    }

    pub(super) fn was_closed(&self) -> bool {
        self.0.st_mode & CLOSED.bits() != 0
    }
}

fn size(stat: &FileStat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0) // which is never negative
}

/// A `current` that is open.
#[derive(Debug)]
pub(super) struct Current {
    fd: OwnedFd,
    stat: FileStat,
    size: u64,
    /// Its last line has no end, and gets none but ours.
    unended: bool,
}

impl Current {
    /// Opens the file of that name, or makes it.
    pub(super) fn open(directory: &OwnedFd) -> nix::Result<Self> {
        let access = OFlag::O_WRONLY | OFlag::O_APPEND;
        let fd = door::file_or_new(directory.as_fd(), NAME, access, OPEN.bits(), Owner::Any)?;
        let stat = fstat(&fd)?;
        Ok(Self { fd, size: size(&stat), stat, unended: false })
    }

    pub(super) fn id(&self) -> Identity {
        Identity::of(&self.stat)
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn is_unended(&self) -> bool {
        self.unended
    }

    /// Looks at the file again: another process may have changed its size.
    pub(super) fn refresh(&mut self) -> nix::Result<()> {
        self.stat = fstat(&self.fd)?;
        self.size = size(&self.stat);
        Ok(())
    }

    /// Whether it had no name any more when it was last looked at.
    pub(super) fn is_removed(&self) -> bool {
        self.stat.st_nlink == 0
    }

    /// Whether it is still the file of that name.
    pub(super) fn has_its_name(&self, directory: &OwnedFd) -> nix::Result<bool> {
        Ok(door::entry(directory, NAME)?.is_some_and(|stat| same(&stat, &self.stat)))
    }

    /// Appends both, or nothing; first the end of a last line that has none.
    pub(super) fn append(&mut self, notice: &[u8], bytes: &[u8]) -> nix::Result<()> {
        let end: &[u8] = if self.unended { b"\n" } else { b"" };
        let mut written = 0;
        for mut rest in [end, notice, bytes] {
            while !rest.is_empty() {
                match write(&self.fd, rest) {
                    Ok(count) if count > 0 => {
                        written += count as u64;
                        rest = &rest[count..];
                    }
                    failed => {
                        if written > 0 {
                            self.cut(self.size)?;
                        }
                        // A write of no bytes has found no room.
                        return Err(failed.err().unwrap_or(Errno::ENOSPC));
                    }
                }
            }
        }
        self.size += written;
        self.unended = false;
        Ok(())
    }

    /// Truncates it to `size` bytes.
    pub(super) fn cut(&mut self, size: u64) -> nix::Result<()> {
        ftruncate(&self.fd, offset(size)?)?;
        self.size = size;
        Ok(())
    }

    /// Ends a last line that has no end and is not going on.
    pub(super) fn end_line(&mut self, directory: &OwnedFd) -> nix::Result<()> {
        if self.size == 0 {
            return Ok(());
        }
        let reader = door::file(directory.as_fd(), NAME, OFlag::O_RDONLY, Owner::Any)?;
        let mut last = *b"\n";
        pread(&reader, &mut last, offset(self.size - 1)?)?;
        self.unended = last != *b"\n";
        let _ = self.append(b"", b""); // where there is no room the next line ends it first
        Ok(())
    }

    /// Gives it the mode of one that is being written.
    pub(super) fn mark_open(&mut self) -> nix::Result<()> {
        let mode = self.mode();
        self.set_mode(if self.size == 0 { OPEN } else { mode - CLOSED })
    }

    /// Gives it the mode of one that was closed cleanly.
    pub(super) fn mark_closed(&mut self) -> nix::Result<()> {
        self.set_mode(self.mode() | CLOSED)
    }

    /// Its permissions stay: it may be another file, which the owner of the directory has moved here.
    fn mode(&self) -> Mode {
        Mode::from_bits_truncate(self.stat.st_mode)
    }

    fn set_mode(&mut self, mode: Mode) -> nix::Result<()> {
        fchmod(&self.fd, mode)?;
        self.stat.st_mode = self.stat.st_mode & SFlag::S_IFMT.bits() | mode.bits();
        Ok(())
    }

    pub(super) fn sync(&self) -> nix::Result<()> {
        sync(&self.fd)
    }
}

fn offset(size: u64) -> nix::Result<off_t> {
    off_t::try_from(size).map_err(|_| Errno::EFBIG)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn current(text: &str) -> (tempfile::TempDir, OwnedFd, Current) {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join("current"), text).unwrap();
        let directory = OwnedFd::from(std::fs::File::open(scratch.path()).unwrap());
        let current = Current::open(&directory).unwrap();
        (scratch, directory, current)
    }

    #[test]
    fn a_line_without_an_end_is_ended_once_and_before_what_follows() {
        for (text, expected) in
            [("", "notice\nnew\n"), ("a\n", "a\nnotice\nnew\n"), ("a", "a\nnotice\nnew\n")]
        {
            let (scratch, directory, mut current) = current(text);
            current.end_line(&directory).unwrap();
            assert!(!current.is_unended());
            current.append(b"notice\n", b"new\n").unwrap();
            assert_eq!(std::fs::read_to_string(scratch.path().join("current")).unwrap(), expected);
            assert_eq!(current.size(), expected.len() as u64);
        }
    }

    #[test]
    fn what_was_cut_is_seen_and_what_was_removed_too() {
        let (scratch, directory, mut current) = current("a line\n");
        let path = scratch.path().join("current");
        current.cut(2).unwrap();
        assert_eq!((current.size(), std::fs::read(&path).unwrap()), (2, b"a ".to_vec()));
        std::fs::write(&path, "").unwrap();
        current.refresh().unwrap();
        assert_eq!((current.size(), current.is_removed()), (0, false));
        assert!(current.has_its_name(&directory).unwrap());
        std::fs::remove_file(&path).unwrap();
        current.refresh().unwrap();
        assert!(current.is_removed() && !current.has_its_name(&directory).unwrap());
    }

    #[test]
    fn the_mode_says_whether_it_was_closed_cleanly() {
        let (_scratch, directory, mut current) = current("a\n");
        let closed = || Found::look(&directory).unwrap().unwrap().was_closed();
        current.mark_closed().unwrap();
        assert!(closed());
        current.mark_open().unwrap();
        assert!(!closed());
    }
}
