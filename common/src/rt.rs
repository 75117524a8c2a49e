//! The entry point of every program, in place of std's.
//!
//! Before `fn main` std opens /dev/null on closed fds 0-2 and ignores SIGPIPE, and both would pass through
//! exec. A link hands on what it was given, so the programs take `main` from the C runtime, and nothing may
//! depend on std's start-up code.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::{Cell, UnsafeCell};
use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, fstat};

use crate::identity::Own;
use crate::multicall::{self, CATENA};
use crate::{Chain, Cli, Env, Error, OrFail, Words, procfs, sys};

/// What a link's `run` returns: what is left to execute, or why nothing is executed.
pub type Outcome = Result<Chain, Error>;

/// A link: one change to the process state, by name.
#[derive(Debug)]
pub struct Link {
    /// The program's name.
    pub name: &'static str,
    /// What follows the name in the usage line.
    pub usage: &'static str,
    /// What it does, in the words of its page's NAME section.
    pub summary: &'static str,
    /// Each option with its argument as the page writes it, and a line that says what it does.
    pub options: &'static [(&'static str, &'static str)],
    /// Whether it opens files that the command line names.
    pub opens: bool,
    /// Applies the change. The caller executes the rest, so that several links can be applied in one
    /// process.
    pub run: fn(&mut Cli) -> Outcome,
}

impl Link {
    /// Applies the link, which is the first word of `chain`.
    pub fn apply(&'static self, chain: Chain) -> Outcome {
        (self.run)(&mut Cli::new(self, chain)).map_err(|error| error.of(self))
    }
}

/// Defines the C `main` of a link's program, `common::main!(catena::fdmove::LINK);`, or of the multi-call
/// program: `common::main!(many catena::LINKS);` or of a program that lives on, with libc's allocator:
/// `common::main!(long catena::svctl::PROGRAM);`
#[macro_export]
macro_rules! main {
    ($link:path) => {
        static LINK: $crate::Link = $link;
        $crate::main!(@ $crate::rt::start, &LINK);
    };
    (many $links:path) => {
        $crate::main!(@ $crate::rt::start_many, &$links);
    };
    (long $program:path) => {
        static PROGRAM: $crate::Link = $program;
        $crate::main!(main $crate::rt::start, &PROGRAM);
    };
    (@ $start:path, $what:expr) => {
        $crate::main!(main $start, $what);

        #[cfg(not(test))]
        #[allow(unsafe_code, reason = "a promise, see Block::new, and the name of a section")]
        #[unsafe(link_section = ".bss.block")] // which a static build puts last, see scripts/block.ld
        #[global_allocator]
        static ALLOCATOR: $crate::rt::Block = {
            // SAFETY: a link has one thread.
            unsafe { $crate::rt::Block::new() }
        };

        /// The first of all variables: a static build puts it at the beginning of a page.
        #[cfg(not(test))]
        #[allow(unsafe_code, reason = "the name of a section")]
        #[unsafe(link_section = ".data.page")]
        #[used]
        static PAGE: ::core::sync::atomic::AtomicU8 = ::core::sync::atomic::AtomicU8::new(1);

        $crate::rt::libc_malloc!(ALLOCATOR);
    };
    (main $start:path, $what:expr) => {
        #[cfg(test)]
        const _: () = {
            let _ = $start;
        }; // the test harness has its own main

        #[cfg(not(test))]
        #[allow(unsafe_code, reason = "C calls main by this name")]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn main(
            _: ::core::ffi::c_int,
            argv: *const *const ::core::ffi::c_char,
            envp: *const *const ::core::ffi::c_char,
        ) -> ::core::ffi::c_int {
            // SAFETY: the C runtime calls main once, with the vectors that it got from the kernel.
            unsafe { $start($what, argv, envp) }
        }
    };
}

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

/// Applies `link`, executes the rest, and leaves the process with a message and a status if that fails.
///
/// # Safety
/// `argv` and `envp` must be the vectors that the C runtime got from the kernel.
pub unsafe fn start(link: &'static Link, argv: *const *const c_char, envp: *const *const c_char) -> ! {
    // SAFETY: by the contract.
    unsafe {
        start_with(link, argv, envp, |words, env| Ok((link, link.apply(Chain::new(words, env, Own::Alone))?)))
    }
}

/// As [`start`], for the multi-call program.
///
/// # Safety
/// As [`start`].
pub unsafe fn start_many(
    links: &'static [Link],
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> ! {
    // SAFETY: by the contract.
    unsafe { start_with(&CATENA, argv, envp, |words, env| multicall::called(links, words, env)) }
}

/// As [`start`], with what applies the links and says which was the last; `name` is who speaks until then.
///
/// # Safety
/// As [`start`].
unsafe fn start_with(
    name: &'static Link,
    argv: *const *const c_char,
    envp: *const *const c_char,
    apply: impl FnOnce(Words, Env) -> Result<(&'static Link, Chain), Error>,
) -> ! {
    // SAFETY: the kernel ends both in a null pointer, they live as long as the process, and nothing here
    // changes them.
    let (words, env) = unsafe { (Words::new(argv), Env::new(Words::new(envp))) };
    let error = match never_a_way_up().and_then(|()| apply(words, env)) {
        Ok((last, chain)) => chain.exec().of(last),
        Err(error) => error.of(name),
    };
    sys::exit(error.report())
}

/// Refuses to work where this program's own file is set-id or has file capabilities: it would run anybody's
/// command line with them. `AT_SECURE` alone is no proof: it is also set for a link under a set-id program
/// that runs it on purpose.
fn never_a_way_up() -> Result<(), Error> {
    if !sys::at_secure() {
        return Ok(());
    }
    let action = "look at this program's own file";
    let open = procfs::This::open().and_then(|this| this.file(c"exe", OFlag::O_RDONLY)).or_fail(action)?;
    let file = fstat(&open).or_fail(action)?;
    if gives_rights(&file, sys::xattr_size_of(&open, CAPABILITIES)).or_fail(action)? {
        return Err(Error::fatal("this program's file is set-id or has file capabilities")
            .hint("it would give them to anybody: remove them with 'chmod ug-s' and 'setcap -r'"));
    }
    Ok(())
}

/// The extended attribute that holds the capabilities of a file.
pub(crate) const CAPABILITIES: &CStr = c"security.capability";

/// Whether a file is set-id, or has capabilities by the size of that attribute.
pub(crate) fn gives_rights(file: &FileStat, capabilities: nix::Result<isize>) -> nix::Result<bool> {
    let set_id = file.st_mode & (libc::S_ISUID | libc::S_ISGID) != 0;
    match capabilities {
        Ok(_) => Ok(true),
        Err(Errno::ENODATA | Errno::ENOTSUP) => Ok(set_id),
        Err(errno) => Err(errno),
    }
}

/// What `--help` prints.
pub(crate) fn help(link: &Link) -> String {
    let text = format!("usage: {} {}\n{}\n", link.name, link.usage, link.summary);
    with_columns(text, link.options.iter().copied())
}

/// `text` with a line for each row, the second column under itself.
pub(crate) fn with_columns(
    mut text: String,
    rows: impl Iterator<Item = (&'static str, &'static str)> + Clone,
) -> String {
    let width = rows.clone().map(|(left, _)| left.len()).max().unwrap_or(0);
    for (left, right) in rows {
        text.extend(["  ", left, &" ".repeat(width - left.len()), "  ", right, "\n"]);
    }
    text
}

/// What `--version` prints.
pub(crate) fn version(link: &Link) -> String {
    format!("{} (catena) {}\n", link.name, env!("CARGO_PKG_VERSION"))
}

/// The allocator of a link, which lives for microseconds: it hands out a static block in order, then large
/// mappings, and takes back at most what it gave last. So a link needs no brk and no mmap. In a static
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
    const SIZE: usize = 1 << 16;
    /// What one mapping has at least, once the block is used up.
    const MORE: usize = 1 << 20;
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
        if self.next.get() == 0 {
            self.next.set(self.memory.get() as usize);
            self.end.set(self.next.get() + Self::SIZE);
        }
        let room = |start: usize| start.checked_add(size).filter(|end| *end <= self.end.get());
        let mut start = self.next.get().next_multiple_of(align);
        if room(start).is_none() {
            let Some(length) = size.checked_add(align) else { return ptr::null_mut() };
            let length = length.max(Self::MORE);
            let Some(more) = sys::map(length) else { return ptr::null_mut() };
            self.end.set(more + length);
            start = more.next_multiple_of(align);
        }
        self.next.set(start + size);
        start as *mut c_void
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
        self.take(layout.size(), layout.align()).cast()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[cfg(test)]
mod tests {
    use super::*;

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
