//! A process that shares our memory until it executes: clone(2).
#![allow(
    clippy::cast_possible_wrap,
    clippy::large_stack_arrays,
    reason = "numbers of the kernel's interface, whose types differ between libcs"
)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;

use nix::errno::Errno;

use super::words::Words;

/// The table of fds of a new process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Table {
    /// A copy of ours.
    Copied,
    /// Ours, until it leaves that.
    Shared,
}

struct Task<'a> {
    child: &'a mut dyn FnMut(u32) -> Errno,
    pid: libc::pid_t,
    failed: c_int,
}

/// Runs `child`, which gets its pid, in a process of its own that shares our memory until it has executed; this process
/// waits for that. Where `child` returns it could not execute: the new process exits 111, and the reason is
/// returned with the pid. All signals must be blocked here.
///
/// # Errors
/// clone(2)'s.
pub(crate) fn share_until_exec(
    table: Table,
    child: &mut dyn FnMut(u32) -> Errno,
) -> nix::Result<(u32, Option<Errno>)> {
    const STACK: usize = if cfg!(debug_assertions) { 1 << 16 } else { 3 << 10 };
    #[repr(align(16))]
    struct Stack([MaybeUninit<u8>; STACK]);
    let mut task = Task { child, pid: 0, failed: 0 };
    let mut stack = Stack([MaybeUninit::uninit(); STACK]);
    let files = if table == Table::Shared { libc::CLONE_FILES } else { 0 };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PARENT_SETTID | libc::SIGCHLD | files;
    // SAFETY: with CLONE_VFORK this process does not run on before the child has left our memory, so that
    // its stack and the task outlive it; the child touches nothing of ours but what `child` borrows. No signal
    // handler can run in it: there are none.
    let pid = Errno::result(unsafe {
        let top = stack.0.as_mut_ptr().add(STACK).cast();
        let pid = &raw mut task.pid; // written before the child runs, which so knows it
        libc::clone(start, top, flags, (&raw mut task).cast(), pid)
    })?;
    // SAFETY: the child has written here behind the compiler's back.
    let failed = unsafe { ptr::read_volatile(&raw const task.failed) };
    Ok((u32::try_from(pid).unwrap_or(0), (failed != 0).then(|| Errno::from_raw(failed))))
}

extern "C" fn start(task: *mut c_void) -> c_int {
    // SAFETY: share_until_exec gives its task, and waits.
    let task = unsafe { &mut *task.cast::<Task>() };
    task.failed = (task.child)(task.pid.unsigned_abs()) as c_int;
    // SAFETY: ends this process; nothing is buffered.
    unsafe { libc::_exit(111) }
}

/// execve(2) with an argv of a few words, without allocating. Returns why it failed.
pub(crate) fn execve(path: &CStr, argv: &[&CStr], env: &Words) -> Errno {
    const WORDS: usize = 6;
    let mut words: [*const c_char; WORDS] = [ptr::null(); WORDS];
    if argv.len() >= WORDS {
        return Errno::E2BIG;
    }
    for (place, word) in words.iter_mut().zip(argv) {
        *place = word.as_ptr();
    }
    // SAFETY: C strings, and null-terminated vectors of them.
    unsafe { libc::execve(path.as_ptr(), words.as_ptr(), env.as_ptr()) };
    Errno::last()
}
