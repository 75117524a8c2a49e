//! The words of the page that is the record, each of eight bytes in the order of this machine.
//!
//! ```text
//! 0      what the file begins with
//! 1      the number of the batch while it is being written, else 0
//! 2      the mark: two bytes, which are the same until the batch has been taken out of the pipe
//! 3      bytes of the batch
//! 4      its hash
//! 5-6    device and inode of the pipe
//! 7-11   the boot
//! 12-    slots of 14 words, one for each log directory: its device and inode, and two entries, so that one is
//!        whole while the other is made
//! ```
//!
//! An entry has six words: device and inode of `current`, the offset of the batch and its length there, the
//! places in a line before and after it, and the number of the batch, or of the start of a process; 0: this is
//! none.

use common::memory::Page;

use crate::svlog::lines::Place;

pub(super) const MAGIC: usize = 0;
pub(super) const OPEN: usize = 1;
pub(super) const MARK: usize = 2;
pub(super) const LENGTH: usize = 3;
pub(super) const HASH: usize = 4;
pub(super) const PIPE: usize = 5;
pub(super) const BOOT: usize = 7;
const SLOTS: usize = 12;

const SLOT: usize = 2 + 2 * ENTRY;
const ENTRY: usize = 6;

/// How many log directories have a slot.
pub(super) const MOST: usize = (Page::SIZE / 8 - SLOTS) / SLOT;

/// The words of a log directory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Slot(usize);

impl Slot {
    pub(super) const FIRST: Self = Self(SLOTS);

    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..MOST).map(|i| Self(SLOTS + SLOT * i))
    }

    /// The first of two words: its device and inode.
    pub(super) fn directory(self) -> usize {
        self.0
    }

    pub(super) fn entries(self) -> [EntryAt; 2] {
        [EntryAt(self.0 + 2), EntryAt(self.0 + 2 + ENTRY)]
    }
}

/// The words of an entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct EntryAt(usize);

impl EntryAt {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Slot::all().flat_map(Slot::entries)
    }

    /// The first of two words: device and inode of `current`.
    pub(super) fn file(self) -> usize {
        self.0
    }

    pub(super) fn offset(self) -> usize {
        self.0 + 2
    }

    pub(super) fn length(self) -> usize {
        self.0 + 3
    }

    pub(super) fn places(self) -> usize {
        self.0 + 4
    }

    pub(super) fn number(self) -> usize {
        self.0 + 5
    }
}

/// Two places in one word.
pub(super) fn pack(before: Place, after: Place) -> u64 {
    [before.within, before.selected, after.within, after.selected]
        .iter()
        .enumerate()
        .fold(0, |word, (i, bit)| word | u64::from(*bit) << i)
}

pub(super) fn unpack(word: u64) -> (Place, Place) {
    let place =
        |at: u32| Place { within: word >> at & 1 != 0, selected: word >> (at + 1) & 1 != 0, length: 0 };
    (place(0), place(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_words_are_one_and_all_are_in_the_page() {
        let header = [MAGIC, OPEN, MARK, LENGTH, HASH, PIPE, PIPE + 1].into_iter().chain(BOOT..BOOT + 5);
        let slots = Slot::all().flat_map(|slot| [slot.directory(), slot.directory() + 1]);
        let entry =
            |at: EntryAt| [at.file(), at.file() + 1, at.offset(), at.length(), at.places(), at.number()];
        let mut words: Vec<usize> = header.chain(slots).chain(EntryAt::all().flat_map(entry)).collect();
        words.sort_unstable();
        assert_eq!(words, (0..SLOTS + MOST * SLOT).collect::<Vec<_>>());
        assert!(words.len() <= Page::SIZE / 8 && MOST == 35);
    }

    #[test]
    fn two_places_fit_into_a_word() {
        for word in 0..16 {
            let (before, after) = unpack(word);
            assert_eq!(pack(before, after), word);
        }
    }
}
