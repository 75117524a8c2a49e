//! The file `batch` in the first log directory, mapped: what a next svlog has to know where this one is
//! killed. A batch of lines stands in it from before it is written until it has been taken out of the pipe.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{Ordering, fence};

use common::door::{self, Owner};
use common::input::{Input, Look};
use common::memory::Page;
use common::{fds, file, procfs};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::FileStat;
use nix::sys::uio::pread;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::lines::Place;

/// The name of the file. svlogd takes no notice of it.
const NAME: &std::ffi::CStr = c"batch";

// Its words, each of eight bytes in the order of this machine.
const MAGIC: usize = 0; // what the file begins with
const OPEN: usize = 1; // the number of the batch while it is being written, else 0
const MARK: usize = 2; // two bytes, which are the same until the batch has been taken out of the pipe
const LENGTH: usize = 3; // bytes of the batch
const HASH: usize = 4;
const PIPE: usize = 5; // device and inode
const BOOT: usize = 7; // five words
const FOLDERS: usize = 12;

// A log directory: its device and inode, and two entries, so that one is whole while the other is made.
const FOLDER: usize = 2 + 2 * ENTRY;
const MOST: usize = (Page::SIZE / 8 - FOLDERS) / FOLDER;

// An entry: device and inode of `current`.
const OFFSET: usize = 2;
const BYTES: usize = 3;
const PLACES: usize = 4; // before and after
const NUMBER: usize = 5; // of the batch, or of the start of a process; 0: this is none
const ENTRY: usize = 6;

/// What it begins with in any version.
const OURS: &[u8] = b"svlog ";
const WORD: u64 = u64::from_ne_bytes(*b"svlog 4\n");

/// What names a file or a folder: device and inode.
pub(super) type Id = [u64; 2];

/// The record: what another process has left until [`Record::ready`], then that of this one.
#[derive(Debug)]
pub(super) struct Record {
    page: Page,
    folder: OwnedFd,
    /// Of the batch, or of our start before the first one. It goes on from one process to the next.
    number: u64,
    /// The last batch was written, in part or in whole, and is still in the pipe.
    unfinished: bool,
}

/// What it says of a `current`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) file: Id,
    /// Where the batch began.
    pub(super) offset: u64,
    /// How many bytes it is, or is to be at most.
    pub(super) length: u64,
    /// Where the log was in a line before it.
    pub(super) before: Place,
    /// Where it is behind it.
    pub(super) after: Place,
}

/// Two places in one word.
fn pack(before: Place, after: Place) -> u64 {
    [before.within, before.selected, after.within, after.selected]
        .iter()
        .enumerate()
        .fold(0, |word, (i, bit)| word | u64::from(*bit) << i)
}

fn unpack(word: u64) -> (Place, Place) {
    let place =
        |at: u32| Place { within: word >> at & 1 != 0, selected: word >> (at + 1) & 1 != 0, length: 0 };
    (place(0), place(2))
}

/// What names it.
pub(super) fn id(stat: &FileStat) -> Id {
    [stat.st_dev, fds::inode(stat)]
}

/// Where what is said of each folder begins, and each entry.
fn folders() -> impl Iterator<Item = usize> {
    (0..MOST).map(|i| FOLDERS + FOLDER * i)
}

fn entries() -> impl Iterator<Item = usize> {
    folders().flat_map(|start| [start + 2, start + 2 + ENTRY])
}

/// FNV-1a, 64 bits, of whole words in place of bytes, in the order of this machine and the last one with zeros
/// behind it; what only its high bits know is folded into the low ones. The next version must have the same.
fn hash(bytes: &[u8]) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let step = |hash: u64, word: [u8; 8]| {
        let hash = (hash ^ u64::from_ne_bytes(word)).wrapping_mul(PRIME);
        hash ^ hash >> 32
    };
    let words = bytes.chunks_exact(8);
    let mut last = [0; 8];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    let word = |word: &[u8]| word.try_into().unwrap_or(last); // which is eight bytes
    step(words.map(word).fold(BASIS, step), last)
}

/// This boot, in words.
fn boot() -> nix::Result<[u64; 5]> {
    let mut buffer = [0; 64];
    let id = procfs::boot_id(&mut buffer)?;
    let byte = |at: usize| id.get(at).copied().unwrap_or(0);
    let word = |i: usize| u64::from_ne_bytes(std::array::from_fn(|j| byte(8 * i + j)));
    if id.is_empty() { Err(Errno::ENODATA) } else { Ok(std::array::from_fn(word)) }
}

impl Record {
    /// The record in this folder, with what another one has left of this boot. `None` where there are too many
    /// log directories for it; an error also where this boot has no name, without which none is of use.
    pub(super) fn open(folder: &OwnedFd, count: usize, pipe: &FileStat) -> nix::Result<Option<Self>> {
        if count > MOST {
            return Ok(None);
        }
        let boot = boot()?;
        let pipe = id(pipe);
        // Ours alone: what it says cuts the files of other directories too, and who may cut it ends us by SIGBUS.
        let file = door::file_or_new(folder.as_fd(), NAME, OFlag::O_RDWR, 0o600, Owner::Us)?;
        let mut bytes = [0; Page::SIZE];
        let there = pread(&file, &mut bytes, 0)?;
        let ours = bytes.starts_with(OURS) || bytes.iter().all(|byte| *byte == 0);
        if !ours {
            return Err(Errno::EEXIST); // something else of that name
        }
        if there < Page::SIZE {
            bytes.fill(0);
            // All of it, and now: a store into the mapping finds no room later.
            file::write_at(file.as_fd(), &bytes, 0)?;
        }
        let folder = fds::copy_from(folder.as_fd(), 3)?;
        let page = Page::map(file.as_fd())?;
        page.populate()?;
        let mut record = Self { page, folder, number: 0, unfinished: false };
        if record.get(MAGIC) != WORD || !record.has(BOOT, &boot) {
            // In this order: where we are killed it is still ours, and of no boot or another one.
            record.page.bytes()[8..].fill(0);
            fence(Ordering::SeqCst);
            record.set(MAGIC, WORD);
            fence(Ordering::SeqCst);
            record.set_all(BOOT, &boot);
        }
        if !record.has(PIPE, &pipe) {
            // That batch was in another pipe, and the lines that had begun do not go on in this one.
            record.end();
            entries().for_each(|at| record.set(at + PLACES, 0));
            fence(Ordering::SeqCst);
            record.set_all(PIPE, &pipe);
        }
        let last = entries().map(|at| record.get(at + NUMBER)).max().unwrap_or(0);
        record.number = last.max(record.get(OPEN)).wrapping_add(1).max(1);
        Ok(Some(record))
    }

    /// Finds out whether the last batch is still in the pipe: it had not been taken out, and the pipe begins
    /// with the same bytes.
    pub(super) fn compare(&mut self, input: &mut Input) {
        let Ok(length) = usize::try_from(self.get(LENGTH)) else { return };
        let [mark, same, ..] = self.get(MARK).to_ne_bytes();
        if self.get(OPEN) == 0 || mark != same || length == 0 {
            return;
        }
        if input.look() == Ok(Look::Bytes) {
            let hash = input.bytes().get(..length).map(hash);
            self.unfinished = hash == Some(self.get(HASH));
        }
    }

    /// What it says last of a `current` in this folder; and whether that is of the batch that is still in the
    /// pipe, and comes once more.
    pub(super) fn left(&self, folder: Id, file: Id) -> Option<(Entry, bool)> {
        let at = self.last(folder, |record, at| record.has(at, &file))?;
        let (before, after) = unpack(self.get(at + PLACES));
        let entry =
            Entry { file, offset: self.get(at + OFFSET), length: self.get(at + BYTES), before, after };
        Some((entry, self.unfinished && self.get(at + NUMBER) == self.get(OPEN)))
    }

    /// Where the log was last in a line in this folder, whatever file that was in.
    pub(super) fn place(&self, folder: Id) -> Place {
        self.last(folder, |_, _| true).map_or(Place::default(), |at| unpack(self.get(at + PLACES)).1)
    }

    /// The last of the entries of a folder that are so.
    fn last(&self, folder: Id, is: impl Fn(&Self, usize) -> bool) -> Option<usize> {
        let start = folders().find(|start| self.has(*start, &folder))?;
        let there = |at: &usize| self.get(at + NUMBER) != 0 && is(self, *at);
        [start + 2, start + 2 + ENTRY].into_iter().filter(there).max_by_key(|at| self.get(at + NUMBER))
    }

    /// All that was left has been seen to. Not before: who is killed earlier is followed by one that sees to it
    /// again.
    pub(super) fn ready(&mut self) {
        self.end();
        self.unfinished = false;
        // The lines of folders that have no part in this go on without them.
        for start in folders() {
            let entries = [start + 2, start + 2 + ENTRY];
            if !entries.iter().any(|at| self.get(at + NUMBER) == self.number) {
                for at in entries {
                    self.set(at + PLACES, 0);
                }
            }
        }
    }

    /// Removes a record from a folder that is not the first one any more: it will not be true later.
    pub(super) fn discard(folder: &OwnedFd) {
        let mut begin = [0; OURS.len()];
        // What cannot be read is not known to be ours.
        let read = door::read_file(folder.as_fd(), NAME, Owner::Any, &mut begin);
        if read == Ok(OURS) {
            let _ = unlinkat(folder, NAME, UnlinkatFlags::NoRemoveDir); // there is no harm in one of no use
        }
    }

    fn get(&self, word: usize) -> u64 {
        let bytes = &self.page.as_slice()[8 * word..8 * word + 8];
        bytes.try_into().map_or(0, u64::from_ne_bytes)
    }

    fn has(&self, from: usize, values: &[u64]) -> bool {
        values.iter().enumerate().all(|(i, value)| self.get(from + i) == *value)
    }

    fn set(&mut self, word: usize, value: u64) {
        self.page.store(word, value);
    }

    fn set_all(&mut self, from: usize, values: &[u64]) {
        values.iter().enumerate().for_each(|(i, value)| self.set(from + i, *value));
    }

    /// Whether it can be written: where somebody has cut the file, or the disk has no room for a page that is to
    /// be copied, a store would kill.
    pub(super) fn check(&self) -> nix::Result<()> {
        self.page.populate()
    }

    /// A batch is about to be written: these bytes, as they are in the pipe.
    pub(super) fn begin(&mut self, batch: &[u8]) {
        self.end();
        self.unfinished = false;
        self.number = self.number.wrapping_add(1).max(1);
        // What is not its last byte, twice.
        let mark = batch.last().map_or(0, |last| !last);
        let mark = u64::from_ne_bytes([mark, mark, 0, 0, 0, 0, 0, 0]);
        self.set_all(MARK, &[mark, batch.len() as u64, hash(batch)]);
        fence(Ordering::SeqCst);
        self.set(OPEN, self.number);
    }

    /// It is about to be written to `current` in this folder; or, before the first batch, that is how it is. What
    /// was said of it before is true until all of this is.
    pub(super) fn file(&mut self, folder: Id, entry: Entry) {
        let at = self.present(folder).unwrap_or_else(|| self.oldest(folder));
        self.set(at + NUMBER, 0);
        fence(Ordering::SeqCst);
        self.set_all(at, &entry.file);
        self.set_all(at + OFFSET, &[entry.offset, entry.length, pack(entry.before, entry.after)]);
        fence(Ordering::SeqCst);
        self.set(at + NUMBER, self.number);
    }

    /// So many bytes were written there.
    pub(super) fn wrote(&mut self, folder: Id, length: u64) {
        if let Some(at) = self.present(folder) {
            self.set(at + BYTES, length);
        }
    }

    /// It was not written there.
    pub(super) fn forget(&mut self, folder: Id) {
        if let Some(at) = self.present(folder) {
            let (before, _) = unpack(self.get(at + PLACES));
            self.set_all(at + BYTES, &[0, pack(before, before)]);
        }
    }

    /// The entry of this batch.
    fn present(&self, folder: Id) -> Option<usize> {
        let number = self.number;
        self.last(folder, |record, at| record.get(at + NUMBER) == number)
    }

    /// The older entry of a folder, which gets a place of its own if it has none: the one that was not used for
    /// the longest time.
    fn oldest(&mut self, folder: Id) -> usize {
        let start = folders().find(|start| self.has(*start, &folder)).unwrap_or_else(|| {
            let used = |start: &usize| self.get(start + 2 + NUMBER).max(self.get(start + 2 + ENTRY + NUMBER));
            let start = folders().min_by_key(used).unwrap_or(FOLDERS);
            self.set(start + 2 + NUMBER, 0);
            self.set(start + 2 + ENTRY + NUMBER, 0);
            fence(Ordering::SeqCst);
            self.set_all(start, &folder);
            start
        });
        let [one, other] = [start + 2, start + 2 + ENTRY];
        if self.get(one + NUMBER) <= self.get(other + NUMBER) { one } else { other }
    }

    /// What becomes the last byte of the batch in the very moment at which that is taken out of the pipe.
    pub(super) fn mark(&mut self) -> &mut u8 {
        &mut self.page.bytes()[8 * MARK]
    }

    /// The batch has been written, and taken out of the pipe.
    pub(super) fn end(&mut self) {
        fence(Ordering::SeqCst);
        self.set(OPEN, 0);
        fence(Ordering::SeqCst);
    }

    /// Nothing is left to know.
    pub(super) fn remove(self) {
        let _ = unlinkat(&self.folder, NAME, UnlinkatFlags::NoRemoveDir); // it does no harm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_hash_is_the_same_in_every_version_and_from_every_compiler() {
        assert_eq!(hash(b""), 0xaf63_bd4c_2962_0a93);
        assert_eq!(hash(b"one\n"), 0xd48d_e25d_17a5_b6e3);
        assert_eq!(hash(b"eight by"), 0xae2f_cec7_1010_95f4);
        assert_eq!(hash(b"a line of the log\nand another one\n"), 0xf15b_fdcf_a265_15f4);
    }

    #[test]
    fn each_byte_counts_wherever_it_stands() {
        let text = [b'x'; 40];
        let changed = |at: usize, bit: u8| {
            let mut text = text;
            text[at] ^= bit;
            hash(&text)
        };
        let mut all: Vec<u64> = (0..40).flat_map(|at| [1, 64, 128].map(|bit| changed(at, bit))).collect();
        all.push(hash(&text));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 3 * 40 + 1);
    }
}
