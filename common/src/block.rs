//! The allocators of the links, and of svctl and svctl-list.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::{Cell, UnsafeCell};
use std::ffi::{CStr, c_char, c_void};
use std::io::{IoSlice, stderr};
use std::ops::Deref;
use std::ptr;

use nix::errno::Errno;
use nix::sys::uio::writev;

use crate::sys::memory::Pages;
use crate::sys::{errno, file, memory, process};

/// Makes `$block` libc's malloc, in a static program. In a dynamic one, modules of the account database may
/// have threads.
#[doc(hidden)]
#[macro_export]
macro_rules! libc_malloc {
    ($block:ident) => {
        #[cfg(all(not(test), target_env = "musl", target_feature = "crt-static"))]
        #[allow(unsafe_code, reason = "C calls them by these names")]
        mod libc_malloc {
            use ::core::ffi::c_void;

            use super::$block;

            #[unsafe(no_mangle)]
            extern "C" fn malloc(size: usize) -> *mut c_void {
                $block.malloc(size)
            }

            #[unsafe(no_mangle)]
            extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
                $block.calloc(count, size)
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn realloc(memory: *mut c_void, size: usize) -> *mut c_void {
                // SAFETY: C gives null or what it got from these.
                unsafe { $block.realloc(memory, size) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn free(memory: *mut c_void) {
                if !memory.is_null() {
                    // SAFETY: C gives what it got from these, once.
                    unsafe { $block.free(memory) };
                }
            }
        }
    };
}
pub use libc_malloc;

/// The allocator of a link, which lives for microseconds: it hands out a small static block in order, then larger
/// mappings, and takes back at most what it gave last. So most links need no brk and no mmap. In a static
/// program it is libc's malloc as well: what reads the account database would bring its own.
#[repr(C)]
#[derive(Debug)]
pub struct Block {
    /// The address of the first byte that is free, 0 before the first use.
    next: Cell<usize>,
    end: Cell<usize>,
    memory: UnsafeCell<Memory>,
}

#[repr(C, align(16))]
#[derive(Debug)]
struct Memory([u8; Block::SIZE]);

impl Block {
    /// What a chain of a few links takes, and as much as lies on the page of the variables: for one page more the kernel
    /// would make a mapping of its own at each exec, which costs as much as the mmap of those that need more.
    const SIZE: usize = 3 << 10;
    /// What one mapping has at least, once the block is used up.
    const MORE: usize = 1 << 16;
    /// In front of what malloc gave: its size. As long as the alignment that malloc owes.
    const HEAD: usize = 16;

    /// A block of which nothing is used.
    ///
    /// # Safety
    /// The process must have one thread.
    #[must_use]
    #[allow(
        clippy::new_without_default,
        clippy::large_stack_arrays,
        reason = "for a static, where it is all zeros"
    )]
    pub const unsafe fn new() -> Self {
        Self { memory: UnsafeCell::new(Memory([0; Self::SIZE])), next: Cell::new(0), end: Cell::new(0) }
    }

    /// `size` bytes, aligned to `align`, or null.
    fn take(&self, size: usize, align: usize) -> *mut c_void {
        self.take_by(size, align, Self::MORE, Pages::One)
    }

    /// The same, by mappings that have so many bytes at least.
    fn take_by(&self, size: usize, align: usize, least: usize, pages: Pages) -> *mut c_void {
        if self.next.get() == 0 {
            self.next.set(self.memory.get() as usize);
            self.end.set(self.next.get() + Self::SIZE);
        }
        let room = |start: usize| start.checked_add(size).filter(|end| *end <= self.end.get());
        let mut start = self.next.get().next_multiple_of(align);
        if room(start).is_none() {
            let Some(length) = size.checked_add(align) else { return ptr::null_mut() };
            let length = length.max(least);
            let Some(more) = memory::map(length, pages) else { return ptr::null_mut() };
            start = more.next_multiple_of(align);
            if more + length - start - size < self.end.get() - self.next.get() {
                // Of the one before more is left.
                return start as *mut c_void;
            }
            self.end.set(more + length);
        }
        self.next.set(start + size);
        start as *mut c_void
    }

    /// Whether there is no mapping yet.
    fn is_first(&self) -> bool {
        let end = self.end.get();
        end == 0 || end == self.memory.get() as usize + Self::SIZE
    }

    /// malloc(3).
    #[must_use]
    pub fn malloc(&self, size: usize) -> *mut c_void {
        let Some(whole) = size.checked_add(Self::HEAD) else { return ptr::null_mut() };
        let head = self.take(whole, Self::HEAD);
        if head.is_null() {
            return ptr::null_mut();
        }
        // SAFETY: the head was just taken, aligned, and is followed by `size` bytes.
        unsafe {
            head.cast::<usize>().write(size);
            head.byte_add(Self::HEAD)
        }
    }

    /// calloc(3).
    #[must_use]
    pub fn calloc(&self, count: usize, size: usize) -> *mut c_void {
        let Some(size) = count.checked_mul(size) else { return ptr::null_mut() };
        let memory = self.malloc(size);
        if !memory.is_null() {
            // SAFETY: these bytes were just taken. What was taken back before is not zero any more.
            unsafe { memory.write_bytes(0, size) };
        }
        memory
    }

    /// realloc(3).
    ///
    /// # Safety
    /// `memory` must be null or from this allocator's malloc.
    pub unsafe fn realloc(&self, memory: *mut c_void, size: usize) -> *mut c_void {
        // SAFETY: by the contract there is a head, and as many bytes as it says; the new ones do not overlap
        // them, or start where they do.
        unsafe {
            let next = self.next.get();
            let old = if memory.is_null() { 0 } else { self.free(memory) };
            let new = self.malloc(size);
            if new.is_null() {
                self.next.set(next);
            } else if new != memory {
                new.copy_from(memory, old.min(size));
            }
            new
        }
    }

    /// free(3), and the size of what it freed.
    ///
    /// # Safety
    /// `memory` must be from this allocator's malloc, and not be used any more.
    pub unsafe fn free(&self, memory: *mut c_void) -> usize {
        // SAFETY: by the contract there is a head.
        let size = unsafe { memory.byte_sub(Self::HEAD).cast::<usize>().read() };
        if memory as usize + size == self.next.get() {
            self.next.set(memory as usize - Self::HEAD);
        }
        size
    }
}

// SAFETY: by the contract of `new` there is one thread.
unsafe impl Sync for Block {}

// SAFETY: every byte is handed out at most once, aligned and inside a block or a mapping.
unsafe impl GlobalAlloc for Block {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let memory = self.take(layout.size(), layout.align());
        if memory.is_null() {
            used_up();
        }
        memory.cast()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

/// Ends the process as whatever the system refuses does. std would abort it, by a signal that looks like a fault.
#[cold]
fn used_up() -> ! {
    unsafe extern "C" {
        static program_invocation_short_name: *const c_char;
    }
    // SAFETY: libc sets it before main, to the end of argv[0].
    let name = unsafe { CStr::from_ptr(program_invocation_short_name) };
    let parts = [name.to_bytes(), b": fatal: unable to allocate memory: ", errno::text(Errno::ENOMEM), b"\n"];
    file::outlive_writes();
    // Where stderr is closed the status alone has to do.
    let _ = writev(stderr(), &parts.map(IoSlice::new));
    process::exit(111)
}

/// The allocator of a control program, which lives for as long as somebody waits, and then needs no more than at first:
/// a block, of which it gives out again what it got back. There are four sizes from each power of two to the next, so that
/// what is free fits and little is wasted.
#[repr(C)]
#[derive(Debug)]
pub struct Pool {
    block: Block,
    /// For each size what was taken back last, or null. In its first word is what was before it.
    free: [Cell<*mut c_void>; Self::SHELVES],
}

impl Pool {
    /// The least size, and the alignment of all that is given out again.
    const UNIT: usize = 16;
    /// The sizes up to 3.5 GiB.
    const SHELVES: usize = 4 * (32 - Self::UNIT.ilog2() as usize);
    /// What one mapping has at least, behind the first: what takes so much takes it all soon, so that its pages are best had
    /// at once.
    const MUCH: usize = 1 << 18;

    /// A pool of which nothing is used.
    ///
    /// # Safety
    /// The process must have one thread.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "for a static, where it is all zeros")]
    pub const unsafe fn new() -> Self {
        // SAFETY: by the contract.
        let block = unsafe { Block::new() };
        Self { block, free: [const { Cell::new(ptr::null_mut()) }; Self::SHELVES] }
    }

    /// As of a block. Of what is larger than a mapping not all may be used.
    fn take(&self, size: usize, align: usize) -> *mut c_void {
        if self.block.is_first() || size > Self::MUCH {
            return self.block.take(size, align);
        }
        self.block.take_by(size, align, Self::MUCH, Pages::All)
    }

    /// What is free of a size, and that size; none where more than its alignment is needed, or it is huge, which is rare.
    fn shelf(&self, layout: Layout) -> Option<(&Cell<*mut c_void>, usize)> {
        let size = layout.size().max(Self::UNIT);
        let step = (size.checked_next_power_of_two()? / 8).max(Self::UNIT);
        // The next multiple of a power of two: a division, as for that of any number, would be most of the time.
        let size = size.checked_add(step - 1)? & !(step - 1);
        let log = size.ilog2();
        let quarter = size >> (log - 2) & 3;
        let shelf = self.free.get(4 * (log - Self::UNIT.ilog2()) as usize + quarter)?;
        (layout.align() <= Self::UNIT).then_some((shelf, size))
    }
}

/// What C takes is of the block itself: it asks for a path now and then.
impl Deref for Pool {
    type Target = Block;

    fn deref(&self) -> &Block {
        &self.block
    }
}

// SAFETY: by the contract of `new` there is one thread.
unsafe impl Sync for Pool {}

// SAFETY: what is on a shelf was given out with that size, aligned, and is given out once, until it comes back.
unsafe impl GlobalAlloc for Pool {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let memory = match self.shelf(layout) {
            Some((free, size)) if free.get().is_null() => self.take(size, Self::UNIT),
            Some((free, _)) => {
                let memory = free.get();
                // SAFETY: its first word was written when it came back, and is not anybody's.
                free.set(unsafe { memory.cast::<*mut c_void>().read() });
                memory
            }
            None => self.take(layout.size(), layout.align()),
        };
        if memory.is_null() {
            used_up();
        }
        memory.cast()
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if let Some((free, _)) = self.shelf(layout) {
            let memory: *mut c_void = memory.cast();
            // SAFETY: by the contract of the trait it is ours again, and no size is less than a word.
            unsafe { memory.cast::<*mut c_void>().write(free.get()) };
            free.set(memory);
        }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: by the contract of the trait `size` fits the alignment; `memory` has the bytes of `layout`, and what is
        // new lies elsewhere.
        unsafe {
            let wanted = Layout::from_size_align_unchecked(size, layout.align());
            if self.shelf(layout).zip(self.shelf(wanted)).is_some_and(|(is, wants)| is.1 == wants.1) {
                return memory;
            }
            let new = self.alloc(wanted);
            new.copy_from_nonoverlapping(memory, layout.size().min(size));
            self.dealloc(memory, layout);
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_gives_out_again_what_it_got_back() {
        // SAFETY: this thread alone uses it.
        let pool = Box::new(unsafe { Pool::new() });
        let layout = |size, align| Layout::from_size_align(size, align).unwrap();
        // SAFETY: each is given back with the layout that it has, once, and written within its size.
        unsafe {
            let (first, second) = (pool.alloc(layout(40, 8)), pool.alloc(layout(64, 1)));
            assert_eq!((first as usize % 16, second as usize % 16), (0, 0));
            first.write_bytes(b'a', 40);
            second.write_bytes(b'b', 64);
            assert_eq!(
                pool.realloc(first, layout(40, 8), 48),
                first,
                "it has had as much from the beginning"
            );
            let grown = pool.realloc(first, layout(48, 8), 100_000);
            assert_eq!(bytes(grown.cast(), 40), [b'a'; 40]);
            assert_eq!(bytes(second.cast(), 64), [b'b'; 64]);
            assert_eq!(pool.alloc(layout(33, 8)), first);
            pool.dealloc(second, layout(64, 1));
            pool.dealloc(first, layout(33, 8));
            assert_eq!([pool.alloc(layout(48, 1)), pool.alloc(layout(50, 1))], [first, second]);
            pool.dealloc(grown, layout(100_000, 8));
            assert_eq!(pool.alloc(layout(99_000, 8)), grown);
        }
    }

    #[test]
    fn a_size_of_a_pool_wastes_a_fifth_at_most_and_has_a_shelf_of_its_own() {
        // SAFETY: nothing is taken of it.
        let pool = unsafe { Pool::new() };
        let shelf = |size| pool.shelf(Layout::from_size_align(size, 1).unwrap());
        let mut sizes = std::collections::BTreeMap::new();
        for size in (1..5000).chain((12..31).flat_map(|log| (1 << log) - 1..=(1 << log) + 1)) {
            let (shelf, given) = shelf(size).unwrap();
            assert!(given >= size && given - size < (given / 5).max(Pool::UNIT), "{size}: {given}");
            assert_eq!(*sizes.entry(given).or_insert(ptr::from_ref(shelf)), ptr::from_ref(shelf), "{given}");
        }
        let shelves: std::collections::BTreeSet<_> = sizes.values().collect();
        assert_eq!(shelves.len(), sizes.len());
        #[cfg(target_pointer_width = "64")]
        assert!(shelf(1 << 32).is_none());
    }

    #[test]
    fn a_pool_does_not_grow_while_the_same_is_done_again_and_again() {
        // SAFETY: this thread alone uses it.
        let pool = Box::new(unsafe { Pool::new() });
        let layout = |size| Layout::from_size_align(size, 8).unwrap();
        let mut last = None;
        for _ in 0..3 {
            // SAFETY: as above.
            unsafe {
                let mut text = pool.alloc(layout(1));
                for size in 1..5000 {
                    text = pool.realloc(text, layout(size), size + 1);
                }
                pool.dealloc(text, layout(5000));
            }
            let next = pool.block.next.get();
            assert_eq!(last.replace(next).unwrap_or(next), next);
        }
    }

    #[test]
    fn what_a_pool_gives_has_the_alignment_that_is_asked_for() {
        // SAFETY: this thread alone uses it.
        let pool = Box::new(unsafe { Pool::new() });
        let layout = Layout::from_size_align(64, 64).unwrap();
        // SAFETY: as above.
        unsafe {
            let small = pool.alloc(Layout::from_size_align(64, 16).unwrap());
            pool.dealloc(small, Layout::from_size_align(64, 16).unwrap());
            let memory = pool.alloc(layout);
            assert_eq!(memory as usize % 64, 0);
            pool.dealloc(memory, layout);
            assert_eq!(pool.alloc(Layout::from_size_align(64, 16).unwrap()), small);
        }
    }

    fn bytes(memory: *mut c_void, count: usize) -> Vec<u8> {
        // SAFETY: the tests ask for no more than they allocated and wrote.
        unsafe { std::slice::from_raw_parts(memory.cast(), count).to_vec() }
    }

    #[test]
    fn memory_is_apart_aligned_and_kept_when_it_grows() {
        // SAFETY: this thread alone uses it.
        let block = Box::new(unsafe { Block::new() });
        let first = block.malloc(5);
        // SAFETY: as above, and five bytes are there.
        unsafe { first.write_bytes(b'a', 5) };
        let second = block.calloc(3, 2);
        assert_eq!((first as usize % 16, second as usize % 16), (0, 0));
        assert_eq!(bytes(second, 6), [0; 6]);
        // SAFETY: both are from this block; the first is not the last that it gave.
        let grown = unsafe { block.realloc(first, 200_000) };
        assert_ne!(grown, first);
        assert_eq!(bytes(grown, 5), *b"aaaaa");
        // SAFETY: as above; 200,000 bytes are there.
        unsafe { grown.cast::<u8>().add(199_999).write(1) };
        assert_eq!(bytes(second, 6), [0; 6], "what is larger than the block lies elsewhere");
    }

    #[test]
    fn what_was_given_last_is_taken_back_and_grows_where_it_is() {
        // SAFETY: this thread alone uses it.
        let block = Box::new(unsafe { Block::new() });
        let first = block.malloc(100);
        // SAFETY: it is from this block, and a hundred bytes are there.
        unsafe {
            first.write_bytes(b'x', 100);
            assert_eq!(block.realloc(first, 1000), first);
            assert_eq!(bytes(first, 100), [b'x'; 100]);
            assert_eq!(block.free(first), 1000);
        }
        let again = block.calloc(100, 1);
        assert_eq!(again, first);
        assert_eq!(bytes(again, 100), [0; 100], "calloc clears what is used again");
    }

    #[test]
    fn what_cannot_be_had_is_null_and_leaves_the_old() {
        // SAFETY: this thread alone uses it.
        let block = Box::new(unsafe { Block::new() });
        let first = block.malloc(8);
        // SAFETY: it is from this block.
        assert!(unsafe { block.realloc(first, usize::MAX / 2) }.is_null());
        assert!(block.malloc(usize::MAX).is_null() && block.calloc(usize::MAX, 2).is_null());
        assert_ne!(block.malloc(8), first);
    }
}
