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
use nix::sys::stat::{FileStat, stat};

use crate::identity::Own;
use crate::multicall::{self, CATENA};
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
/// program: `common::main!(many catena::LINKS);`
#[macro_export]
macro_rules! main {
    ($link:path) => {
        static LINK: $crate::Link = $link;
        $crate::main!(@ $crate::rt::start, &LINK);
    };
    (many $links:path) => {
        $crate::main!(@ $crate::rt::start_many, &$links);
    };
    (@ $start:path, $what:expr) => {
        #[cfg(test)]
        const _: () = {
            let _ = $start;
        }; // the test harness has its own main

        #[cfg(not(test))]
        #[allow(unsafe_code, reason = "a promise, see Block::new, and the name of a section")]
        #[unsafe(link_section = ".bss.block")] // which a static build puts last, see scripts/block.ld
        #[global_allocator]
        static ALLOCATOR: $crate::rt::Block = {
            // SAFETY: a link has one thread.
            unsafe { $crate::rt::Block::new() }
        };

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
    if sys::at_secure() { own_file().map(drop) } else { Ok(()) }
}

/// The file that this process runs, which must be neither set-id nor have file capabilities.
pub(crate) fn own_file() -> Result<FileStat, Error> {
    let (own, action) = (c"/proc/self/exe", "look at this program's own file");
    let file = stat(own).or_fail(action)?;
    let capabilities = match sys::xattr_size(own, c"security.capability") {
        Ok(_) => true,
        Err(Errno::ENODATA | Errno::ENOTSUP) => false,
        Err(errno) => return Err(Error::system(action, errno)),
    };
    if capabilities || file.st_mode & (libc::S_ISUID | libc::S_ISGID) != 0 {
        return Err(Error::fatal("this program's file is set-id or has file capabilities")
            .hint("it would give them to anybody: remove them with 'chmod ug-s' and 'setcap -r'"));
    }
    Ok(file)
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

/// The allocator of a link, which lives for microseconds: it hands out a static block in order and never
/// takes anything back, and asks malloc once that is used up. So a link needs no brk and no mmap.
#[repr(C)]
#[derive(Debug)]
pub struct Block {
    used: AtomicUsize,
    memory: UnsafeCell<Memory>,
}

#[repr(C, align(16))]
#[derive(Debug)]
struct Memory([u8; Block::SIZE]);

impl Block {
    const SIZE: usize = 1 << 16;

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
        Self { memory: UnsafeCell::new(Memory([0; Self::SIZE])), used: AtomicUsize::new(0) }
    }
}

// SAFETY: by the contract of `new` there is one thread.
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
