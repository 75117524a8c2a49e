//! The archives of a log directory: `@`, 24 hexadecimal digits of the TAI64N time at which each was made, and
//! its kind.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use common::tai::Label;
use common::{clock, fds};
use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};

/// The mode of an archive that a processor has made, as svlogd's.
pub(super) const SAFE: Mode = Mode::from_bits_truncate(0o744);

/// The length of a name.
const LENGTH: usize = 27;

/// The name of an archive. Names sort as their times do.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Name([u8; LENGTH + 1]);

impl Name {
    fn new(label: Label, kind: Kind) -> Self {
        let mut name = [0; LENGTH + 1];
        name[0] = b'@';
        name[1..25].copy_from_slice(&label.digits());
        name[25] = b'.';
        name[26] = kind as u8;
        Self(name)
    }

    /// A name that svlogd or we could have made: no other file is counted, removed or shown.
    fn parse(name: &CStr) -> Option<Self> {
        let bytes = name.to_bytes();
        let right = bytes.len() == LENGTH
            && (bytes[0], bytes[25]) == (b'@', b'.')
            && bytes[1..25].iter().all(u8::is_ascii_hexdigit)
            && b"sut".contains(&bytes[26]);
        right.then(|| Self(std::array::from_fn(|i| bytes.get(i).copied().unwrap_or(0))))
    }

    /// Its time, as one number.
    fn number(self) -> u128 {
        let digits = self.0[1..25].iter().map(|digit| char::from(*digit).to_digit(16).unwrap_or(0));
        digits.fold(0, |number, digit| number << 4 | u128::from(digit))
    }

    /// The same time as another kind.
    pub(super) fn of_kind(mut self, kind: Kind) -> Self {
        self.0[26] = kind as u8;
        self
    }

    pub(super) fn path(&self) -> &CStr {
        CStr::from_bytes_with_nul(&self.0).unwrap_or(c"@")
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0[..LENGTH]
    }
}

/// The kinds of archives.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Safely written.
    Safe = b's',
    /// Not yet processed, or not known to be whole.
    Unprocessed = b'u',
    /// The output of a processor that runs.
    Temporary = b't',
}

/// fsync(2), where there is a disk.
pub(super) fn sync(file: &OwnedFd) -> nix::Result<()> {
    match fsync(file) {
        Err(Errno::EINVAL | Errno::EROFS) => Ok(()),
        other => other,
    }
}

/// Archives of one kind.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// How many there are.
    pub(super) count: u64,
    /// The oldest.
    pub(super) oldest: Option<Name>,
}

impl Group {
    fn add(&mut self, name: Name) {
        self.count += 1;
        self.oldest = Some(self.oldest.map_or(name, |oldest| oldest.min(name)));
    }
}

/// The archives in a log directory.
#[derive(Debug, Default)]
pub(super) struct Archives {
    /// How many there are.
    pub(super) count: u64,
    /// The oldest that may go.
    pub(super) oldest: Option<Name>,
    /// The safe ones.
    pub(super) safe: Group,
    /// Those that have not been processed, but for the one that is being processed.
    pub(super) unprocessed: Group,
    newest: u128,
}

impl Archives {
    /// Looks. `busy` is being processed: it is not to go, and neither is the output of its processor; output
    /// that other processors have left is removed.
    pub(super) fn look(directory: &OwnedFd, busy: Option<Name>) -> nix::Result<Self> {
        let mut found = Self::default();
        fds::each_name(directory.as_fd(), |name| {
            let Some(name) = Name::parse(name) else { return };
            if name == name.of_kind(Kind::Temporary) {
                if busy.map(|busy| busy.of_kind(Kind::Temporary)) != Some(name) {
                    // It does no harm where it stays: the next processor needs that name, and says so.
                    let _ = unlinkat(directory, name.path(), UnlinkatFlags::NoRemoveDir);
                }
                return;
            }
            if busy == Some(name) {
                found.count(name);
            } else {
                found.add(name);
            }
        })?;
        Ok(found)
    }

    fn count(&mut self, name: Name) {
        self.count += 1;
        self.newest = self.newest.max(name.number());
    }

    /// One more, which may go.
    pub(super) fn add(&mut self, name: Name) {
        self.count(name);
        self.oldest = Some(self.oldest.map_or(name, |oldest| oldest.min(name)));
        if name == name.of_kind(Kind::Unprocessed) {
            self.unprocessed.add(name);
        } else {
            self.safe.add(name);
        }
    }

    /// The name of the next one: now, but after all that are there, whatever the clock says.
    pub(super) fn next(&self, kind: Kind) -> Name {
        let now = Label::of(clock::wall());
        let after = Label((self.newest + 1) & ((1 << 96) - 1));
        Name::new(now.max(after), kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_name_comes_after_all_others() {
        let dir = tempfile::tempdir().unwrap();
        let fd = OwnedFd::from(std::fs::File::open(dir.path()).unwrap());
        let touch = |name: &str| std::fs::write(dir.path().join(name), "").unwrap();
        let now = Archives::look(&fd, None).unwrap().next(Kind::Safe);
        assert!(now.bytes().starts_with(b"@40000000") && now.bytes().ends_with(b".s"), "{now:?}");
        let future = "@4000000090000000ffffffff";
        for name in
            ["@4000000010000000000000ff.s", &format!("{future}.u"), "@zzzz", "@400000001000000000000000.t"]
        {
            touch(name);
        }
        let found = Archives::look(&fd, None).unwrap();
        assert_eq!((found.count, found.oldest.unwrap().bytes()), (2, &b"@4000000010000000000000ff.s"[..]));
        assert_eq!(found.next(Kind::Unprocessed).bytes(), b"@400000009000000100000000.u");
        assert!(!dir.path().join("@400000001000000000000000.t").exists());
        // The archive that is being processed stays.
        let busy = found.unprocessed.oldest.unwrap();
        assert_eq!(busy.bytes(), format!("{future}.u").as_bytes());
        touch(&format!("{future}.t"));
        std::fs::remove_file(dir.path().join("@4000000010000000000000ff.s")).unwrap();
        let found = Archives::look(&fd, Some(busy)).unwrap();
        assert_eq!((found.count, found.oldest, found.unprocessed.count), (1, None, 0));
        assert!(dir.path().join(format!("{future}.t")).exists());
        // A name that was not made of a time does not count as one.
        touch("@zzzzzzzzzzzzzzzzzzzzzzzz.s");
        touch("@ffffffffffffffffffffffff.s");
        let next = Archives::look(&fd, None).unwrap().next(Kind::Safe);
        assert!(next.bytes().starts_with(b"@40000000"), "{next:?}");
    }
}
