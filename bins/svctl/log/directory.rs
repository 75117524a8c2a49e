//! A log directory, of svlog, svlogd, multilog or s6-log: `current`, and archives whose names are their times.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use common::door::{self, Owner};
use common::fds;
use common::identity::same;
use common::tai::Label;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{fstat, fstatat};

/// The newest lines.
pub(super) const CURRENT: &CStr = c"current";
/// To multilog and s6-log what was current, until it has the name of an archive.
const PREVIOUS: &CStr = c"previous";
/// What their processor has made of that: for a moment it is all that there is of those lines.
const PROCESSED: &CStr = c"processed";

/// How often a directory that changes meanwhile is looked at, and how long the pause between is.
const LOOKS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(1);

/// An archive: it becomes another file when a processor has finished with it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Archive {
    pub(super) label: Label,
    name: CString,
}

impl Archive {
    /// By a name that a logger could have made, or made and a processor compressed: `@`, 24 digits, `.s` or `.u`, and
    /// maybe a suffix.
    fn parse(name: &CStr) -> Option<Self> {
        let (digits, kind) = name.to_bytes().strip_prefix(b"@")?.split_at_checked(Label::DIGITS)?;
        let (label, length) = Label::read(digits);
        let right =
            length == Label::DIGITS && matches!(kind, [b'.', b's' | b'u'] | [b'.', b's' | b'u', b'.', ..]);
        right.then(|| Self { label, name: name.to_owned() })
    }

    /// Its name before or after it was processed.
    fn other(&self) -> CString {
        let mut name = self.name.to_bytes()[..Label::DIGITS + 3].to_owned();
        if let Some(kind) = name.last_mut() {
            *kind = if *kind == b's' { b'u' } else { b's' };
        }
        CString::new(name).unwrap_or_default() // made of a C string
    }
}

/// A file of the log, in the order of its lines.
#[derive(Debug)]
pub(super) enum Part {
    Archive(Archive),
    /// `processed`: an archive that has no name yet.
    Processed(File),
    /// `previous`, or `current`.
    Open(File),
}

impl Part {
    /// The label of its name, which an archive has.
    pub(super) fn label(&self) -> Option<Label> {
        match self {
            Self::Archive(archive) => Some(archive.label),
            Self::Processed(_) | Self::Open(_) => None,
        }
    }
}

/// The newest archive among the files of a log, and how many others there are in front of the last one, `current`.
pub(super) fn newest(parts: &[Part]) -> (Option<Label>, usize) {
    let others = parts.iter().filter(|part| part.label().is_none()).count();
    (parts.iter().rev().find_map(Part::label), others.saturating_sub(1))
}

/// A log directory.
#[derive(Debug)]
pub(super) struct Directory {
    fd: OwnedFd,
    /// How many seconds the labels of its logger are ahead.
    pub(super) ahead: i64,
}

impl Directory {
    /// An open directory, if it is that of a log.
    pub(super) fn new(directory: OwnedFd) -> nix::Result<Self> {
        match (Self { fd: directory, ahead: 0 }) {
            // In this order: at its first rotation the only file goes from name to name.
            this if this.find(CURRENT)?.is_some()
                || this.before_current()?.is_some()
                || !this.archives()?.is_empty() =>
            {
                Ok(this)
            }
            _ => Err(Errno::ENOENT),
        }
    }

    /// The same, of a logger whose labels are so many seconds ahead.
    pub(super) fn ahead(self, ahead: i64) -> Self {
        Self { ahead, ..self }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Whether both are one.
    pub(super) fn is(&self, other: &Self) -> bool {
        // An open fd can be looked at.
        fstat(&self.fd).ok().zip(fstat(&other.fd).ok()).is_some_and(|(one, other)| same(&one, &other))
    }

    /// Whether its `config` leaves lines out: by a pattern, or since they go elsewhere.
    pub(super) fn is_selective(&self) -> bool {
        let mut config = [0; 4096];
        // Without one, or one for us, there is nothing to know.
        let config = door::read_file(self.fd(), c"config", Owner::Any, &mut config).unwrap_or_default();
        config.split(|byte| *byte == b'\n').any(|line| matches!(line.first(), Some(b'-' | b'U')))
    }

    /// Whether it has been removed: open as it is, it stays, and reports nothing.
    pub(super) fn is_removed(&self) -> bool {
        // An open fd can be looked at.
        fstat(&self.fd).is_ok_and(|this| this.st_nlink == 0)
    }

    /// Opens a file; none where it is not there. For a moment one that multilog or s6-log rotates has two names.
    fn find(&self, name: &CStr) -> nix::Result<Option<File>> {
        let mut looks = 0;
        loop {
            match door::file(self.fd(), name, OFlag::O_RDONLY, Owner::Any) {
                Ok(file) => return Ok(Some(file.into())),
                Err(Errno::ENOENT) => return Ok(None),
                Err(Errno::EEXIST) => {}
                Err(errno) => return Err(errno),
            }
            let other = self.other_name(name)?;
            match other.map(|other| door::file_between(self.fd(), name, &other)) {
                Some(Ok(file)) => return Ok(Some(file.into())),
                // It has another one by now, or it has one only.
                Some(Err(Errno::ENOENT)) | None if looks < LOOKS => {
                    looks += 1;
                    std::thread::sleep(PAUSE);
                }
                Some(Err(errno)) => return Err(errno),
                None => return Err(Errno::EEXIST),
            }
        }
    }

    /// The second name of a file that a logger rotates, if it has one here: that of an archive, or where this is one
    /// that before it.
    fn other_name(&self, name: &CStr) -> nix::Result<Option<CString>> {
        let Some(stat) = door::entry(self.fd(), name)? else { return Ok(None) };
        let is = |other: &CStr| Ok(door::entry(self.fd(), other)?.is_some_and(|there| same(&there, &stat)));
        for other in [PREVIOUS, PROCESSED, CURRENT] {
            if other != name && is(other)? {
                return Ok(Some(other.to_owned()));
            }
        }
        for archive in self.archives()?.into_iter().rev() {
            if *archive.name != *name && is(&archive.name)? {
                return Ok(Some(archive.name));
            }
        }
        Ok(None)
    }

    /// Opens an archive; none where the logger has removed it.
    pub(super) fn open(&self, archive: &Archive) -> nix::Result<Option<File>> {
        // It is one or the other at each moment, so the third look finds it, whatever happens between.
        for name in [&archive.name, &archive.other(), &archive.name] {
            if let Some(file) = self.find(name)? {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    /// The archives, the oldest first, each once.
    fn archives(&self) -> nix::Result<Vec<Archive>> {
        let mut archives = Vec::new();
        // In a large directory one that is renamed meanwhile may be passed over, but not by two looks.
        for _ in 0..2 {
            if fds::each_name_at_once(self.fd(), |name| archives.extend(Archive::parse(name)))? {
                break;
            }
        }
        archives.sort(); // and so .s is in front of .u
        archives.dedup_by_key(|archive| archive.label);
        Ok(archives)
    }

    /// Whether `current` is another file than this one.
    pub(super) fn is_rotated(&self, current: &File) -> nix::Result<bool> {
        Ok(!self.has(CURRENT, current)?)
    }

    /// Whether this file has this name.
    fn has(&self, name: &CStr, file: &File) -> nix::Result<bool> {
        match fstatat(self.fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(there) => Ok(same(&there, &fstat(file)?)),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// What is `previous`, or was and is processed.
    fn before_current(&self) -> nix::Result<Option<Part>> {
        if let Some(file) = self.find(PREVIOUS)? {
            return Ok(Some(Part::Open(file)));
        }
        Ok(self.find(PROCESSED)?.map(Part::Processed))
    }

    /// All files of the log at one moment: while they are looked at nothing is rotated, or they are looked at again.
    /// The last one is `current`, if there is one.
    pub(super) fn look(&self) -> nix::Result<Vec<Part>> {
        let mut looks = 0;
        loop {
            let current = self.find(CURRENT)?;
            // In this order: what is `previous` no more is `processed` or an archive by then.
            let previous = self.before_current()?;
            let mut archives = self.archives()?;
            let rotated = match &current {
                Some(current) => self.is_rotated(current)?,
                None => true, // between two names of current there is none
            };
            // Its processor has made another file of it, which may be among the archives.
            let archived = match &previous {
                Some(Part::Processed(file)) => !self.has(PROCESSED, file)?,
                Some(Part::Open(file)) => !self.has(PREVIOUS, file)?,
                Some(Part::Archive(_)) | None => false,
            };
            if (rotated || archived) && looks < LOOKS {
                looks += 1;
                std::thread::sleep(if current.is_some() { Duration::ZERO } else { PAUSE });
                continue;
            }
            if let Some(Part::Processed(file) | Part::Open(file)) = &previous {
                self.forget(file, &mut archives)?;
            }
            let parts = archives.into_iter().map(Part::Archive);
            return Ok(parts.chain(previous).chain(current.map(Part::Open)).collect());
        }
    }

    /// Leaves out the archive that is this file, by its new name.
    fn forget(&self, file: &File, archives: &mut Vec<Archive>) -> nix::Result<()> {
        if let Some(last) = archives.last() {
            if self.has(&last.name, file)? {
                archives.pop();
            }
        }
        Ok(())
    }

    /// Which of these files is this one, as far as it has not become another by a processor.
    pub(super) fn place_of(&self, file: &File, parts: &[Part]) -> nix::Result<Option<usize>> {
        let own = fstat(file)?;
        for (place, part) in parts.iter().enumerate().rev() {
            let is = match part {
                Part::Processed(file) | Part::Open(file) => same(&fstat(file)?, &own),
                // Renamed meanwhile, it has the other name.
                Part::Archive(archive) => {
                    self.has(&archive.name, file)? || self.has(&archive.other(), file)?
                }
            };
            if is {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_have_the_names_that_loggers_give() {
        let label = Label::read(b"400000006b02c4333ade68b1").0;
        for name in [
            c"@400000006b02c4333ade68b1.s",
            c"@400000006b02c4333ade68b1.u",
            c"@400000006b02c4333ade68b1.s.gz",
        ] {
            assert_eq!(Archive::parse(name).map(|archive| archive.label), Some(label));
        }
        let archive = Archive::parse(c"@400000006b02c4333ade68b1.u").unwrap();
        assert_eq!(&*archive.other(), c"@400000006b02c4333ade68b1.s");
        for name in [
            c"current",
            c"@400000006b02c4333ade68b.s",
            c"@400000006b02c4333ade68b1",
            c"@400000006b02c4333ade68b1.t",
            c"@400000006b02c4333ade68b1.sx",
            c"@400000006b02c4333ade68bg.s",
        ] {
            assert_eq!(Archive::parse(name), None);
        }
    }
}
