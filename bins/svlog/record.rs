//! The file `batch` in the first log directory, mapped: what a next svlog has to know where this one is
//! killed. A batch of lines stands in it from before it is written until it has been taken out of the pipe.

use std::hash::{DefaultHasher, Hasher};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{Ordering, fence};

use common::input::{Input, Look};
use common::page::Page;
use common::{child, fds};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::sys::uio::pread;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::lines::Place;

/// The name of the file. svlogd takes no notice of it.
const NAME: &std::ffi::CStr = c"batch";

// Its words, each of eight bytes in the order of this machine.
const MAGIC: usize = 0; // what the file begins with
const OPEN: usize = 1; // the number of the batch while it is being written, else 0
const MARK: usize = 2; // its first byte: 0 until the batch has been taken out of the pipe
const LENGTH: usize = 3; // bytes of the batch
const HASH: usize = 4;
const PIPE: usize = 5; // device and inode
const BOOT: usize = 7; // five words
const FILES: usize = 12;
const FILE: usize = 6; // words a file: device, inode, offset, bytes, the places before and after, number of the batch
const MOST: usize = (Page::SIZE / 8 - FILES) / FILE;

const WORD: u64 = u64::from_ne_bytes(*b"svlog 2\n");

/// The record: what another process has left until [`Record::ready`], then that of this one.
#[derive(Debug)]
pub(super) struct Record {
    page: Page,
    folder: OwnedFd,
    /// Device and inode of standard input.
    pipe: [u64; 2],
    /// Of the batch. It goes on from one process to the next: a number is never that of two batches.
    number: u64,
    /// The last batch was written, in part or in whole, and is still in the pipe.
    unfinished: bool,
}

/// What it says of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    /// Where the batch began.
    pub(super) offset: u64,
    /// How many bytes it was to be.
    pub(super) length: u64,
    /// Where the log was in a line before it.
    pub(super) before: Place,
    /// Where it is behind it.
    pub(super) after: Place,
}

/// What another process has left to be known of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    at: usize,
    pub(super) entry: Entry,
    /// The batch is the one that is still in the pipe: it comes once more.
    pub(super) comes: bool,
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

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// This boot, in words; none where it cannot be named.
fn boot() -> Option<[u64; 5]> {
    let mut buffer = [0; 64];
    let id = child::boot_id(&mut buffer);
    let byte = |at: usize| id.get(at).copied().unwrap_or(0);
    let word = |i: usize| u64::from_ne_bytes(std::array::from_fn(|j| byte(8 * i + j)));
    (!id.is_empty()).then(|| std::array::from_fn(word))
}

impl Record {
    /// The record in this folder, with what another one has left of this boot. `None` where there are too many
    /// log directories for it.
    pub(super) fn open(folder: &OwnedFd, count: usize, pipe: &FileStat) -> nix::Result<Option<Self>> {
        let Some(boot) = boot().filter(|_| count <= MOST) else { return Ok(None) };
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = fds::open(folder.as_fd(), NAME, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
        let stat = fstat(&file)?;
        let mut bytes = [0; Page::SIZE];
        let there = pread(&file, &mut bytes, 0)?;
        let ours = bytes.starts_with(&WORD.to_ne_bytes()) || bytes.iter().all(|byte| *byte == 0);
        if !ours || !fds::is(&stat, SFlag::S_IFREG) || stat.st_nlink != 1 {
            return Err(Errno::EEXIST); // something else of that name
        }
        if there < Page::SIZE {
            bytes.fill(0);
            // All of it, and now: a store into the mapping finds no room later.
            child::write_at(file.as_fd(), &bytes, 0)?;
        }
        let folder = folder.try_clone().map_err(|_| Errno::EMFILE)?;
        let page = Page::map(file.as_fd())?;
        page.populate()?;
        let pipe = [pipe.st_dev, pipe.st_ino];
        let mut record = Self { page, folder, pipe, number: 0, unfinished: false };
        if record.get(MAGIC) != WORD || !record.has(BOOT, &boot) {
            // In this order: where we are killed it is still ours, and of no boot or another one.
            record.page.bytes()[8..].fill(0);
            fence(Ordering::SeqCst);
            record.set(MAGIC, WORD);
            fence(Ordering::SeqCst);
            record.set_all(BOOT, &boot);
        }
        record.number = (0..MOST).map(|i| record.get(FILES + FILE * i + 5)).max().unwrap_or(0);
        record.number = record.number.max(record.get(OPEN));
        Ok(Some(record))
    }

    /// Finds out whether the last batch is still in the pipe: it had not been taken out, and the pipe begins
    /// with the same bytes.
    pub(super) fn compare(&mut self, input: &mut Input, replace: impl Fn(&mut [u8])) {
        let Ok(length) = usize::try_from(self.get(LENGTH)) else { return };
        let pipe = self.pipe;
        if !self.has(PIPE, &pipe) || self.get(OPEN) == 0 || self.get(MARK) != 0 || length == 0 {
            return;
        }
        if input.look() != Ok(Look::Bytes) {
            return;
        }
        let Some(batch) = input.bytes().get_mut(..length) else { return };
        replace(batch);
        self.unfinished = hash(batch) == self.get(HASH);
    }

    /// What it says of a file, if that is one that was being written.
    pub(super) fn left(&mut self, stat: &FileStat) -> Option<Left> {
        let is = |record: &mut Self, at| record.get(at) == stat.st_dev && record.get(at + 1) == stat.st_ino;
        let at = (0..MOST).map(|i| FILES + FILE * i).find(|at| is(self, *at))?;
        let last = self.get(at + 5) != 0 && self.get(at + 5) == self.get(OPEN);
        let (before, after) = unpack(self.get(at + 4));
        let entry = Entry { offset: self.get(at + 2), length: self.get(at + 3), before, after };
        Some(Left { at, entry, comes: last && self.unfinished })
    }

    /// The batch was cut off this file, which ends where it began. Until [`Record::ready`] who comes after us cuts
    /// it off again, and needs no more than the offset and the place before, which stay.
    pub(super) fn undo(&mut self, left: &Left) {
        let before = left.entry.before;
        self.set(left.at + 3, 0);
        self.set(left.at + 4, pack(before, before));
    }

    /// Where the log was in a line behind what it says of the file in a folder, whichever that was.
    pub(super) fn place(&mut self, folder: usize) -> Place {
        unpack(self.get(FILES + FILE * folder + 4)).1
    }

    /// All that was left has been seen to. Not before: who is killed earlier is followed by one that sees to it
    /// again.
    pub(super) fn ready(&mut self) {
        self.end();
        let pipe = self.pipe;
        self.set_all(PIPE, &pipe);
    }

    fn get(&mut self, word: usize) -> u64 {
        let bytes = &self.page.bytes()[8 * word..8 * word + 8];
        bytes.try_into().map_or(0, u64::from_ne_bytes)
    }

    fn has(&mut self, from: usize, values: &[u64]) -> bool {
        values.iter().enumerate().all(|(i, value)| self.get(from + i) == *value)
    }

    fn set(&mut self, word: usize, value: u64) {
        self.page.bytes()[8 * word..8 * word + 8].copy_from_slice(&value.to_ne_bytes());
    }

    fn set_all(&mut self, from: usize, values: &[u64]) {
        values.iter().enumerate().for_each(|(i, value)| self.set(from + i, *value));
    }

    /// Whether it can be written: where somebody has cut the file, or the disk has no room for a page that is to
    /// be copied, a store would kill.
    pub(super) fn check(&self) -> nix::Result<()> {
        self.page.populate()
    }

    /// A batch is about to be written.
    pub(super) fn begin(&mut self, batch: &[u8]) {
        self.end();
        self.number = self.number.wrapping_add(1).max(1);
        self.set_all(MARK, &[0, batch.len() as u64, hash(batch)]);
        fence(Ordering::SeqCst);
        self.set(OPEN, self.number);
    }

    /// It is about to be written to this file.
    pub(super) fn file(&mut self, i: usize, stat: &FileStat, entry: Entry) {
        let at = FILES + FILE * i;
        self.set(at + 5, 0);
        fence(Ordering::SeqCst);
        let places = pack(entry.before, entry.after);
        self.set_all(at, &[stat.st_dev, stat.st_ino, entry.offset, entry.length, places]);
        fence(Ordering::SeqCst);
        self.set(at + 5, self.number);
    }

    /// It was not written to this file.
    pub(super) fn forget(&mut self, i: usize) {
        self.set(FILES + FILE * i + 3, 0);
    }

    /// What becomes a newline in the very moment at which the batch is taken out of the pipe.
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
