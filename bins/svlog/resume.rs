//! How a log goes on after the previous logger: a verdict on the `current` that it has left, for
//! [`super::directory`] to carry out.

use super::current::Found;
use super::lines::Place;
use super::record::{Entry, Record};
use super::site::Site;

/// How `current` is used, and at which place in a line the log is then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// It is used as it is, or made if there is none.
    Keep(Place),
    /// It is truncated to this size first: the rest is the batch that comes once more.
    Cut(u64, Place),
    /// It becomes an archive of its own first.
    Archive(Place),
}

impl Verdict {
    /// Where the log is then.
    pub(super) fn place(self) -> Place {
        match self {
            Self::Keep(place) | Self::Cut(_, place) | Self::Archive(place) => place,
        }
    }
}

/// The `current` that was left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    /// The bytes of `current`; 0: or there is none.
    pub(super) size: u64,
    /// It was closed cleanly.
    pub(super) closed: bool,
    /// The entry of the record for this very file, if there is one.
    pub(super) entry: Option<Entry>,
    /// The batch of that entry is still in the pipe.
    pub(super) comes_again: bool,
    /// Where the log goes on in an empty file, and in one that the record does not explain.
    pub(super) in_empty: Place,
    pub(super) in_other: Place,
}

impl Left {
    /// Looks at it. Without a record the log is at `place`.
    pub(super) fn look(site: &Site, record: Option<&Record>, place: Place) -> nix::Result<Self> {
        let found = Found::look(site.fd())?;
        let known = record.zip(found.as_ref()).and_then(|(record, found)| record.left(site.id(), found.id()));
        // Within a line where the previous logger was killed between a rotation there and the rest of the line.
        let last =
            |record: &Record| Some(record.place(site.id())).filter(|last| last.within).unwrap_or_default();
        Ok(Self {
            size: found.as_ref().map_or(0, Found::size),
            closed: found.as_ref().is_some_and(Found::was_closed),
            entry: known.map(|(entry, _)| entry),
            comes_again: known.is_some_and(|(_, comes_again)| comes_again),
            in_empty: record.map_or(place, last),
            in_other: place,
        })
    }

    /// One that was not closed cleanly is an archive of its own, unless the record says that nothing but the
    /// process that wrote it has ended.
    pub(super) fn verdict(self) -> Verdict {
        let Some(entry) = self.entry else {
            return match self.size {
                0 => Verdict::Keep(self.in_empty),
                _ if self.closed => Verdict::Keep(self.in_other),
                _ => Verdict::Archive(self.in_empty),
            };
        };
        let end = entry.offset.saturating_add(entry.length);
        match self.size {
            size if self.comes_again && (entry.offset..=end).contains(&size) => {
                Verdict::Cut(entry.offset, entry.before)
            }
            // An inode number is free again once its file is removed: an empty file may be another one.
            0 if !self.comes_again => Verdict::Keep(self.in_empty),
            size if size == end => Verdict::Keep(entry.after),
            _ => Verdict::Keep(self.in_other),
        }
    }
}

#[cfg(test)]
mod tests {
    use common::identity::Identity;

    use super::*;

    #[test]
    fn the_verdict_follows_from_size_mode_and_record() {
        let place = |length| Place { within: true, selected: true, length };
        let [empty, other, before, after] = [1, 2, 3, 4].map(place);
        let file = Identity { device: 7, inode: 7 };
        let entry = |offset, length| Some(Entry { file, offset, length, before, after });
        let (keep, archive) = (Verdict::Keep, Verdict::Archive);
        for (size, closed, entry, comes_again, expected) in [
            // No record of this file.
            (0, false, None, false, keep(empty)),
            (0, true, None, false, keep(empty)),
            (9, true, None, false, keep(other)),
            (9, false, None, false, archive(empty)),
            // Its last batch has left the pipe: the log is after it, if all of it is there.
            (15, false, entry(10, 5), false, keep(after)),
            (14, false, entry(10, 5), false, keep(other)),
            (16, true, entry(10, 5), false, keep(other)),
            (0, false, entry(10, 5), false, keep(empty)),
            (0, false, entry(0, 0), false, keep(empty)),
            // It comes once more: any part of it that is there goes.
            (10, false, entry(10, 5), true, Verdict::Cut(10, before)),
            (12, false, entry(10, 5), true, Verdict::Cut(10, before)),
            (15, false, entry(10, 5), true, Verdict::Cut(10, before)),
            (0, false, entry(0, 5), true, Verdict::Cut(0, before)),
            // But not where another process has written or truncated.
            (16, false, entry(10, 5), true, keep(other)),
            (9, false, entry(10, 5), true, keep(other)),
            (0, false, entry(10, 5), true, keep(other)),
            (u64::MAX, false, entry(10, u64::MAX), true, Verdict::Cut(10, before)),
        ] {
            let left = Left { size, closed, entry, comes_again, in_empty: empty, in_other: other };
            assert_eq!(left.verdict(), expected, "{left:?}");
        }
    }
}
