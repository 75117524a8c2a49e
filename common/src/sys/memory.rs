//! Memory: mapped, given back, and a page of a file, which outlives the process.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::{mem, slice};

use nix::errno::Errno;

/// When the pages of a mapping come.
#[derive(Clone, Copy)]
pub(crate) enum Pages {
    /// Each when it is touched first.
    One,
    /// All at once, which takes a fifth of the time for those that will be touched.
    All,
}

/// The address of a new anonymous mapping of `length` bytes.
pub(crate) fn map(length: usize, pages: Pages) -> Option<usize> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE
        | libc::MAP_ANONYMOUS
        | match pages {
            Pages::One => 0,
            Pages::All => libc::MAP_POPULATE,
        };
    // SAFETY: a new mapping touches nothing that is there.
    let memory = unsafe { libc::mmap(ptr::null_mut(), length, access, kind, -1, 0) };
    (memory != libc::MAP_FAILED).then_some(memory as usize)
}

/// The size of a page.
#[must_use]
pub fn page() -> u64 {
    // SAFETY: takes an integer.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(1 << 12)
}

unsafe extern "C" {
    // The linker's names for where the code begins and ends.
    static __executable_start: u8;
    static etext: u8;
}

/// Gives back what deeper calls have used of the stack, and the pages of code that are mapped: a program that waits for
/// days needs neither. What is needed again is found in the page cache.
#[inline(never)] // whatever is in the frame of the caller lies above it
pub fn give_back() {
    const PAGE: usize = 1 << 12;
    const MARGIN: usize = 1 << 9;
    let here = 0u8;
    // Below us there is nothing but the frame of the call that follows, for which there is the margin.
    let end = (&raw const here as usize - MARGIN) & !(PAGE - 1);
    let code = &raw const __executable_start as usize;
    let length = (&raw const etext as usize - code) & !(PAGE - 1);
    for (start, length) in [(end - 16 * PAGE, 16 * PAGE), (code, length)] {
        // SAFETY: nobody has a pointer into what lies below on the stack, of which the kernel gives a new
        // program 128 KiB; what is not mapped it refuses. Code is mapped from a file and not written.
        unsafe { libc::madvise(ptr::without_provenance_mut(start), length, libc::MADV_DONTNEED) };
    }
}

/// Whose turn it is: a number that this process and the children that it forks later count up together.
#[derive(Debug)]
pub struct Turns(NonNull<AtomicUsize>);

impl Turns {
    /// Begins at 0.
    ///
    /// # Errors
    /// mmap(2)'s.
    pub fn new() -> nix::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping touches nothing that is there.
        let memory = unsafe { libc::mmap(ptr::null_mut(), Page::SIZE, access, kind, -1, 0) };
        if memory == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        NonNull::new(memory.cast()).map(Self).ok_or(Errno::ENOMEM)
    }

    /// The next number, which nobody else gets.
    #[must_use]
    pub fn next(&self) -> usize {
        // SAFETY: a page, all zeros at first, which is there as long as we.
        unsafe { self.0.as_ref() }.fetch_add(1, Ordering::Relaxed)
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        // SAFETY: ours; another process has it still.
        unsafe { libc::munmap(self.0.as_ptr().cast(), Page::SIZE) };
    }
}

/// A page of a file. What is stored in it is there for the next process that looks, also where this one is
/// killed right after the store.
#[derive(Debug)]
pub struct Page {
    address: NonNull<u64>,
}

impl Page {
    /// The bytes of a page.
    pub const SIZE: usize = 4096;

    /// Maps the first page of a file, which must be open for both and have all its bytes: a store where there
    /// are none kills.
    ///
    /// # Errors
    /// mmap(2)'s: ENODEV where the file system cannot.
    pub fn map(file: BorrowedFd) -> nix::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping touches nothing that is there.
        let memory =
            unsafe { libc::mmap(ptr::null_mut(), Self::SIZE, access, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        if memory == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        NonNull::new(memory.cast()).map(|address| Self { address }).ok_or(Errno::ENOMEM)
    }

    /// Makes sure that it can be written, `MADV_POPULATE_WRITE` in madvise(2): what fails here would be a signal
    /// in a store. Before Linux 5.14 that is not found out.
    ///
    /// # Errors
    /// madvise(2)'s: EFAULT where the file has no such bytes any more, or no room for them.
    pub fn populate(&self) -> nix::Result<()> {
        // SAFETY: the mapping is ours; nothing in it changes.
        let done =
            unsafe { libc::madvise(self.address.as_ptr().cast(), Self::SIZE, libc::MADV_POPULATE_WRITE) };
        match Errno::result(done) {
            Err(Errno::EINVAL) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Its bytes, to read.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: the mapping is ours alone in this process, and lives as long as we.
        unsafe { slice::from_raw_parts(self.address.as_ptr().cast(), Self::SIZE) }
    }

    /// Stores one of its words, all of it at once on 32-bit systems too: a kill finds the old one or the new one.
    ///
    /// # Panics
    /// Where the page has no such word.
    pub fn store(&mut self, word: usize, value: u64) {
        assert!(word < Self::SIZE / mem::size_of::<u64>());
        // SAFETY: it is within the mapping, which is ours alone and begins where a page does.
        let word = unsafe { AtomicU64::from_ptr(self.address.as_ptr().add(word)) };
        word.store(value, Ordering::Relaxed);
    }

    /// Its bytes.
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the mapping is ours alone in this process, and lives as long as we.
        unsafe { slice::from_raw_parts_mut(self.address.as_ptr().cast(), Self::SIZE) }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: ours, and nobody has its bytes any more.
        unsafe { libc::munmap(self.address.as_ptr().cast(), Self::SIZE) };
    }
}
