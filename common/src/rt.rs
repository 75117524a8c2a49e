//! The entry point of every program, in place of std's.
//!
//! Before `fn main` std opens /dev/null on closed fds 0-2 and ignores SIGPIPE, and both would pass through
//! exec. A link hands on what it was given, so the programs take `main` from the C runtime, and nothing may
//! depend on std's start-up code.
#![allow(unsafe_code)]

use std::ffi::c_char;

use nix::fcntl::OFlag;

use crate::env::Env;
use crate::exec::Chain;
use crate::exit::{Exit, OrFail};
use crate::identity::{SelfMatch, gives_rights_away};
use crate::link::Link;
use crate::multicall::{self, CATENA};
use crate::procfs;
use crate::sys::process;
use crate::sys::words::Words;

/// Defines the C `main` of a link's program, `common::main!(catena::fdmove::LINK);`, or of the multi-call
/// program: `common::main!(many catena::LINKS);` or of a program with libc's allocator, which takes back what is freed:
/// `common::main!(malloc catena::svtree::PROGRAM);`; or with one of ours that does so too, which is small and for one thread:
/// `common::main!(pool catena::svctl::PROGRAM);`
#[macro_export]
macro_rules! main {
    ($link:path) => {
        static LINK: $crate::Link = $link;
        $crate::main!(@ $crate::rt::start, &LINK);
    };
    (many $links:path) => {
        $crate::main!(@ $crate::rt::start_many, $links);
    };
    (malloc $program:path) => {
        static PROGRAM: $crate::Link = $program;
        $crate::main!(main $crate::rt::start, &PROGRAM);
    };
    (pool $program:path) => {
        static PROGRAM: $crate::Link = $program;
        $crate::main!(main $crate::rt::start, &PROGRAM);
        $crate::main!(allocator Pool);
    };
    (@ $start:path, $what:expr) => {
        $crate::main!(main $start, $what);
        $crate::main!(allocator Block);
    };
    (allocator $kind:ident) => {
        #[cfg(not(test))]
        #[allow(unsafe_code, reason = "a promise, see its `new`, and the name of a section")]
        #[unsafe(link_section = ".bss.block")] // which a static build puts last, see scripts/block.ld
        #[global_allocator]
        static ALLOCATOR: $crate::block::$kind = {
            // SAFETY: a link, svctl and svctl-list have one thread.
            unsafe { $crate::block::$kind::new() }
        };

        /// The first of all variables: a static build puts it at the beginning of a page.
        #[cfg(not(test))]
        #[allow(unsafe_code, reason = "the name of a section")]
        #[unsafe(link_section = ".data.page")]
        #[used]
        static PAGE: ::core::sync::atomic::AtomicU8 = ::core::sync::atomic::AtomicU8::new(1);

        $crate::block::libc_malloc!(ALLOCATOR);
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

/// Applies `link`, executes the rest, and leaves the process with a message and a status if that fails.
///
/// # Safety
/// `argv` and `envp` must be the vectors that the C runtime got from the kernel.
pub unsafe fn start(link: &'static Link, argv: *const *const c_char, envp: *const *const c_char) -> ! {
    // SAFETY: by the contract.
    unsafe {
        start_with(link, argv, envp, |words, env| {
            let mut chain = Chain::new(words, env, SelfMatch::Alone);
            link.apply(&mut chain).map(|()| (link, chain))
        })
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

/// As [`start`], with a function that applies the links and returns the last; `name` speaks until then.
///
/// # Safety
/// As [`start`].
unsafe fn start_with(
    name: &'static Link,
    argv: *const *const c_char,
    envp: *const *const c_char,
    apply: impl FnOnce(Words, Env) -> Result<(&'static Link, Chain), Exit>,
) -> ! {
    // SAFETY: the kernel ends both in a null pointer, they live as long as the process, and nothing here
    // changes them.
    let (words, env) = unsafe { (Words::new(argv), Env::new(Words::new(envp))) };
    let (error, link) = match never_a_way_up().and_then(|()| apply(words, env)) {
        Ok((last, chain)) => (chain.exec(), last),
        Err(error) => (error, name),
    };
    process::exit(error.of(link.name, link.usage).report())
}

/// Refuses to work where this program's own file is set-id or has file capabilities: it would run anybody's
/// command line with them. `AT_SECURE` alone is no proof: it is also set for a link under a set-id program
/// that runs it on purpose.
fn never_a_way_up() -> Result<(), Exit> {
    if !process::at_secure() {
        return Ok(());
    }
    let action = "look at this program's own file";
    let open = procfs::This::open().and_then(|this| this.file(c"exe", OFlag::O_RDONLY)).or_fail(action)?;
    if gives_rights_away(&open).or_fail(action)? {
        return Err(Exit::fatal("this program's file is set-id or has file capabilities")
            .hint("it would give them to anybody: remove them with 'chmod ug-s' and 'setcap -r'"));
    }
    Ok(())
}
