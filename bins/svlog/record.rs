//! The file `batch` in the first log directory, mapped, for the next svlog where this one is killed. A batch of
//! lines stands in it from before it is written until it has been taken out of the pipe.
//!
//! A kill may fall between any two stores, so their order is the point of this file: [`barrier`] stands wherever
//! one must not come before another. [`layout`] says which word is which.

mod hash;
mod layout;

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{Ordering, fence};

use common::door::{self, Owner};
use common::identity::Identity;
use common::input::{Input, Look};
use common::memory::Page;
use common::{fds, file, procfs};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::FileStat;
use nix::sys::uio::pread;
use nix::unistd::{UnlinkatFlags, unlinkat};

use self::hash::hash;
use self::layout::{BOOT, EntryAt, HASH, LENGTH, MAGIC, MARK, MOST, OPEN, PIPE, Slot, pack, unpack};
use super::lines::Place;

/// The name of the file. svlogd takes no notice of it.
const NAME: &std::ffi::CStr = c"batch";

/// The beginning of the file in any version.
const OURS: &[u8] = b"svlog ";
const WORD: u64 = u64::from_ne_bytes(*b"svlog 4\n");

/// The record: that of the previous process until [`Record::ready`], then that of this one.
#[derive(Debug)]
pub(super) struct Record {
    page: Page,
    directory: OwnedFd,
    /// That of the batch, or of our start before the first one. It goes on from one process to the next.
    number: u64,
    /// The last batch was written, in part or in whole, and is still in the pipe.
    unfinished: bool,
}

/// An entry for a `current`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) file: Identity,
    /// Where the batch began.
    pub(super) offset: u64,
    /// How many bytes it is, or is to be at most.
    pub(super) length: u64,
    /// Where the log was in a line before it.
    pub(super) before: Place,
    /// Where it is after it.
    pub(super) after: Place,
}

/// It as words of the record.
fn words(id: Identity) -> [u64; 2] {
    [id.device, id.inode]
}

/// Whatever was stored before it is there, wherever this process is killed, before what is stored after it.
fn barrier() {
    fence(Ordering::SeqCst);
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
    /// The record in this directory, with what another one has left of this boot. `None` where there are too
    /// many log directories for it; an error also where this boot has no name, without which none is of use.
    pub(super) fn open(directory: &OwnedFd, count: usize, pipe: &FileStat) -> nix::Result<Option<Self>> {
        if count > MOST {
            return Ok(None);
        }
        let boot = boot()?;
        let pipe = words(Identity::of(pipe));
        // Ours alone: it decides where the files of other directories are cut, and to truncate it ends us by
        // SIGBUS.
        let file = door::file_or_new(directory.as_fd(), NAME, OFlag::O_RDWR, 0o600, Owner::Us)?;
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
        let directory = fds::copy_from(directory.as_fd(), 3)?;
        let page = Page::map(file.as_fd())?;
        page.populate()?;
        let mut record = Self { page, directory, number: 0, unfinished: false };
        if record.get(MAGIC) != WORD || !record.has(BOOT, &boot) {
            // In this order: after a kill in between it is still ours, and of no boot or another one.
            record.page.bytes()[8..].fill(0);
            barrier();
            record.set(MAGIC, WORD);
            barrier();
            record.set_all(BOOT, &boot);
        }
        if !record.has(PIPE, &pipe) {
            // That batch was in another pipe, and the lines that had begun do not go on in this one.
            record.end();
            EntryAt::all().for_each(|at| record.set(at.places(), 0));
            barrier();
            record.set_all(PIPE, &pipe);
        }
        let last = EntryAt::all().map(|at| record.get(at.number())).max().unwrap_or(0);
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

    /// The last entry of this `current` in this directory; and whether the batch of that entry is still in the
    /// pipe, and comes once more.
    pub(super) fn left(&self, directory: Identity, file: Identity) -> Option<(Entry, bool)> {
        let at = self.last(directory, |record, at| record.has(at.file(), &words(file)))?;
        let (before, after) = unpack(self.get(at.places()));
        let (offset, length) = (self.get(at.offset()), self.get(at.length()));
        let comes_again = self.unfinished && self.get(at.number()) == self.get(OPEN);
        Some((Entry { file, offset, length, before, after }, comes_again))
    }

    /// Where the log was last in a line in this directory, whatever file that was in.
    pub(super) fn place(&self, directory: Identity) -> Place {
        self.last(directory, |_, _| true).map_or(Place::default(), |at| unpack(self.get(at.places())).1)
    }

    /// The slot of a directory.
    fn slot(&self, directory: Identity) -> Option<Slot> {
        Slot::all().find(|slot| self.has(slot.directory(), &words(directory)))
    }

    /// The last entry of a directory for which `is` holds.
    fn last(&self, directory: Identity, is: impl Fn(&Self, EntryAt) -> bool) -> Option<EntryAt> {
        let there = |at: &EntryAt| self.get(at.number()) != 0 && is(self, *at);
        self.slot(directory)?.entries().into_iter().filter(there).max_by_key(|at| self.get(at.number()))
    }

    /// The record is that of this process from now on. Call it once all that was left is dealt with: after a
    /// kill before that, the next logger deals with it again.
    pub(super) fn ready(&mut self) {
        self.end();
        self.unfinished = false;
        // The lines of directories that have no part in this go on without them.
        for slot in Slot::all() {
            let entries = slot.entries();
            if !entries.iter().any(|at| self.get(at.number()) == self.number) {
                for at in entries {
                    self.set(at.places(), 0);
                }
            }
        }
    }

    /// Removes a record from a directory that is not the first one any more: it will not be true later.
    pub(super) fn discard(directory: &OwnedFd) {
        let mut begin = [0; OURS.len()];
        // A file that cannot be read is not known to be ours.
        let read = door::read_file(directory.as_fd(), NAME, Owner::Any, &mut begin);
        if read == Ok(OURS) {
            let _ = unlinkat(directory, NAME, UnlinkatFlags::NoRemoveDir); // there is no harm in one of no use
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

    /// Whether it can be written: where the file was truncated, or the disk has no room for a page that is to be
    /// copied, a store would kill.
    pub(super) fn check(&self) -> nix::Result<()> {
        self.page.populate()
    }

    /// A batch is about to be written: these bytes, as they are in the pipe.
    pub(super) fn begin(&mut self, batch: &[u8]) {
        self.end();
        self.unfinished = false;
        self.number = self.number.wrapping_add(1).max(1);
        // Twice a byte that is not its last one.
        let mark = batch.last().map_or(0, |last| !last);
        let mark = u64::from_ne_bytes([mark, mark, 0, 0, 0, 0, 0, 0]);
        self.set_all(MARK, &[mark, batch.len() as u64, hash(batch)]);
        barrier();
        self.set(OPEN, self.number);
    }

    /// It is about to be written to `current` in this directory; or, before the first batch, that is how it is.
    /// The other entry stays true until all of this one is.
    pub(super) fn file(&mut self, directory: Identity, entry: Entry) {
        let at = self.present(directory).unwrap_or_else(|| self.oldest(directory));
        self.set(at.number(), 0);
        barrier();
        self.set_all(at.file(), &words(entry.file));
        self.set(at.offset(), entry.offset);
        self.set(at.length(), entry.length);
        self.set(at.places(), pack(entry.before, entry.after));
        barrier();
        self.set(at.number(), self.number);
    }

    /// As many bytes were written there.
    pub(super) fn wrote(&mut self, directory: Identity, length: u64) {
        if let Some(at) = self.present(directory) {
            self.set(at.length(), length);
        }
    }

    /// It was not written there.
    pub(super) fn forget(&mut self, directory: Identity) {
        if let Some(at) = self.present(directory) {
            let (before, _) = unpack(self.get(at.places()));
            self.set(at.length(), 0);
            self.set(at.places(), pack(before, before));
        }
    }

    /// The entry of this batch.
    fn present(&self, directory: Identity) -> Option<EntryAt> {
        let number = self.number;
        self.last(directory, |record, at| record.get(at.number()) == number)
    }

    /// The older entry of a directory. A directory without a slot gets the one that has not been used for
    /// longest.
    fn oldest(&mut self, directory: Identity) -> EntryAt {
        let slot = self.slot(directory).unwrap_or_else(|| self.take_slot(directory));
        let [one, other] = slot.entries();
        if self.get(one.number()) <= self.get(other.number()) { one } else { other }
    }

    fn take_slot(&mut self, directory: Identity) -> Slot {
        let last_used = |slot: &Slot| slot.entries().map(|at| self.get(at.number())).into_iter().max();
        let slot = Slot::all().min_by_key(last_used).unwrap_or(Slot::FIRST);
        slot.entries().iter().for_each(|at| self.set(at.number(), 0));
        barrier();
        self.set_all(slot.directory(), &words(directory));
        slot
    }

    /// The byte that becomes the last one of the batch in the very moment at which that is taken out of the
    /// pipe.
    pub(super) fn mark(&mut self) -> &mut u8 {
        &mut self.page.bytes()[8 * MARK]
    }

    /// The batch has been written, and taken out of the pipe.
    pub(super) fn end(&mut self) {
        barrier();
        self.set(OPEN, 0);
        barrier();
    }

    /// Nothing is left to know.
    pub(super) fn remove(self) {
        let _ = unlinkat(&self.directory, NAME, UnlinkatFlags::NoRemoveDir); // it does no harm
    }
}
