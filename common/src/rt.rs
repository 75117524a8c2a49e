//! The entry point of every program, in place of std's.
//!
//! Before `fn main` std opens /dev/null on closed fds 0-2 and ignores SIGPIPE, and both would pass through
//! exec. A link hands on what it was given, so the programs take `main` from the C runtime, and nothing may
//! depend on std's start-up code.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ffi::c_char;
use std::ptr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use nix::errno::Errno;
use nix::sys::stat::{SFlag, stat};

use crate::{Chain, Cli, Env, Error, OrFail, Words, sys};

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
    /// Applies the change. The caller executes the rest, so that several links can be applied in one
    /// process.
    pub run: fn(&mut Cli) -> Outcome,
}

impl Link {
    pub(crate) const NONE: Self =
        Self { name: "catena", usage: "", summary: "", options: &[], run: |cli| cli.rest() };

    /// Applies the link named by the first of `words`, which the others are the arguments of.
    pub fn apply(&'static self, words: Words, env: Env) -> Outcome {
        (self.run)(&mut Cli::new(self, words, env)).map_err(|error| error.of(self))
    }
}

/// Defines the C `main` of a link's program: `common::main!(catena::fdmove::LINK);`
#[macro_export]
macro_rules! main {
    ($link:path) => {
        static LINK: $crate::Link = $link;

        #[cfg(not(test))]
        #[global_allocator]
        static ALLOCATOR: $crate::rt::Block = $crate::rt::Block::new();

        #[cfg(test)]
        const _: &$crate::Link = &LINK; // the test harness has its own main

        #[cfg(not(test))]
        #[allow(unsafe_code, reason = "C calls main by this name")]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn main(
            _: ::core::ffi::c_int,
            argv: *const *const ::core::ffi::c_char,
            envp: *const *const ::core::ffi::c_char,
        ) -> ::core::ffi::c_int {
            // SAFETY: the C runtime calls main once, with the vectors that it got from the kernel.
            unsafe { $crate::rt::start(&LINK, argv, envp) }
        }
    };
}

/// Applies `link`, executes the rest, and leaves the process with a message and a status if that fails.
///
/// # Safety
/// `argv` and `envp` must be the vectors that the C runtime got from the kernel.
pub unsafe fn start(link: &'static Link, argv: *const *const c_char, envp: *const *const c_char) -> ! {
    // SAFETY: the kernel ends both in a null pointer, they live as long as the process, and nothing here
    // changes them.
    let (words, env) = unsafe { (Words::new(argv), Env::new(Words::new(envp))) };
    let error = match never_a_way_up().and_then(|()| link.apply(words, env)) {
        Ok(chain) => chain.exec(),
        Err(error) => error,
    };
    sys::exit(error.of(link).report())
}

/// Refuses to work where this program's own file is set-id or has file capabilities: it would run anybody's
/// command line with them. `AT_SECURE` alone is no proof: it is also set for a link under a set-id program
/// that runs it on purpose.
fn never_a_way_up() -> Result<(), Error> {
    if !sys::at_secure() {
        return Ok(());
    }
    let own = c"/proc/self/exe";
    let mode = SFlag::from_bits_retain(stat(own).or_fail("look at this program's own file")?.st_mode);
    let capabilities = match sys::xattr_size(own, c"security.capability") {
        Ok(_) => true,
        Err(Errno::ENODATA | Errno::ENOTSUP) => false,
        Err(errno) => return Err(Error::system("look at this program's own file", errno)),
    };
    if capabilities || mode.bits() & (libc::S_ISUID | libc::S_ISGID) != 0 {
        return Err(Error::fatal("this program's file is set-id or has file capabilities")
            .hint("it would give them to anybody: remove them with 'chmod ug-s' and 'setcap -r'"));
    }
    Ok(())
}

/// The allocator of a link, which lives for microseconds: it hands out a static block in order and never
/// takes anything back, and asks malloc once that is used up. So a link needs no brk and no mmap.
#[repr(C, align(16))]
#[derive(Debug)]
pub struct Block {
    memory: UnsafeCell<[u8; Self::SIZE]>,
    used: AtomicUsize,
}

impl Block {
    const SIZE: usize = 1 << 16;

    /// A block of which nothing is used.
    #[must_use]
    #[allow(
        clippy::new_without_default,
        clippy::large_stack_arrays,
        reason = "for a static, where it is all zeros"
    )]
    pub const fn new() -> Self {
        Self { memory: UnsafeCell::new([0; Self::SIZE]), used: AtomicUsize::new(0) }
    }
}

// SAFETY: a link has one thread.
unsafe impl Sync for Block {}

// SAFETY: every byte of the block is handed out at most once, aligned and inside it; what malloc gives is
// never freed.
unsafe impl GlobalAlloc for Block {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.used.load(Relaxed).next_multiple_of(layout.align());
        match start.checked_add(layout.size()) {
            Some(end) if end <= Self::SIZE && layout.align() <= 16 => {
                self.used.store(end, Relaxed);
                // SAFETY: start is below the end of the block.
                unsafe { self.memory.get().cast::<u8>().add(start) }
            }
            // SAFETY: malloc aligns for every type of C, which is 16 bytes at least.
            _ if layout.align() <= 16 => unsafe { libc::malloc(layout.size()).cast() },
            _ => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
