//! Starting processes: clone(2).
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::large_stack_arrays,
    reason = "numbers of the kernel's interface, whose types differ between libcs"
)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use nix::errno::Errno;

use super::words::Words;
use super::{fd, file, signal};
use crate::procfs;
use crate::text::Text;

/// What a child does before it executes, in this order.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Whether it leads a process group of its own.
    pub group: bool,
    /// Its working directory.
    pub folder: BorrowedFd<'a>,
    /// Where it writes its record, if anywhere, and what it puts around its pid and start time.
    pub record: Option<Slot<'a>>,
    /// The fds that it gets: from, to.
    pub fds: &'a [(RawFd, RawFd)],
    /// The file that it executes, from its working directory.
    pub path: &'a CStr,
    /// Its argv.
    pub argv: &'a [&'a CStr],
    /// Its environment.
    pub env: &'a Words,
}

/// A place of [`Slot::SIZE`] bytes in a file.
#[derive(Debug)]
pub struct Slot<'a> {
    /// The file.
    pub file: BorrowedFd<'a>,
    /// Where in it.
    pub offset: u64,
    /// What stands before the pid.
    pub head: &'a [u8],
    /// What stands behind the start time.
    pub tail: &'a [u8],
}

impl Slot<'_> {
    /// The size of what is written: the text, blanks, and a newline.
    pub const SIZE: usize = 192;
}

/// What became of a child.
#[derive(Clone, Copy, Debug)]
pub struct Spawned {
    /// Its pid: it has to be waited for, also if it could not execute.
    pub pid: u32,
    /// Why it could not execute; it exits 111 then.
    pub exec: Option<Errno>,
    /// Why it could not write its record.
    pub record: Option<Errno>,
}

const WORDS: usize = 5;

struct Task<'a> {
    plan: &'a Plan<'a>,
    argv: [*const c_char; WORDS],
    pid: libc::pid_t,
    exec: c_int,
    record: c_int,
}

/// Starts a child that shares our memory until it has executed, or failed to; this process waits for that.
/// All signals must be blocked here. The child gets them unblocked.
///
/// # Errors
/// clone(2)'s.
pub fn spawn(plan: &Plan) -> nix::Result<Spawned> {
    const STACK: usize = if cfg!(debug_assertions) { 1 << 16 } else { 3 << 10 };
    #[repr(align(16))]
    struct Stack([MaybeUninit<u8>; STACK]);
    let mut task = Task { plan, argv: [ptr::null(); WORDS], pid: 0, exec: 0, record: 0 };
    for (place, word) in task.argv[..WORDS - 1].iter_mut().zip(plan.argv) {
        *place = word.as_ptr();
    }
    let mut stack = Stack([MaybeUninit::uninit(); STACK]);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PARENT_SETTID | libc::SIGCHLD;
    // SAFETY: with CLONE_VFORK this process does not run on before the child has left our memory, so that
    // its stack and the task outlive it; the child touches nothing else of ours. No signal handler can run
    // in it: there are none.
    let pid = Errno::result(unsafe {
        let top = stack.0.as_mut_ptr().add(STACK).cast();
        let pid = &raw mut task.pid; // written before the child runs, which so knows it
        libc::clone(child, top, flags, (&raw mut task).cast(), pid)
    })?;
    // SAFETY: the child has written here behind the compiler's back.
    let (exec, record) =
        unsafe { (ptr::read_volatile(&raw const task.exec), ptr::read_volatile(&raw const task.record)) };
    let failed = |errno: c_int| (errno != 0).then(|| Errno::from_raw(errno));
    Ok(Spawned { pid: u32::try_from(pid).unwrap_or(0), exec: failed(exec), record: failed(record) })
}

extern "C" fn child(task: *mut c_void) -> c_int {
    // SAFETY: spawn gives its task, and waits.
    let task = unsafe { &mut *task.cast::<Task>() };
    let Err(errno) = become_program(task) else { return 111 };
    task.exec = errno as c_int;
    // SAFETY: ends this process; nothing is buffered.
    unsafe { libc::_exit(111) }
}

fn become_program(task: &mut Task) -> nix::Result<()> {
    let plan = task.plan;
    if plan.group {
        // SAFETY: two integers.
        Errno::result(unsafe { libc::setpgid(0, 0) })?;
    }
    // SAFETY: an open fd.
    Errno::result(unsafe { libc::fchdir(plan.folder.as_raw_fd()) })?;
    if let Some(slot) = &plan.record {
        // Before the exec: until then this process holds the lock of the one that started it, so that
        // nobody looks for a record that is not there yet.
        if let Err(errno) = write_record(slot, task.pid) {
            task.record = errno as c_int;
        }
    }
    for &(from, to) in plan.fds {
        if from == to {
            fd::clear_cloexec(to)?;
        } else {
            fd::dup2(from, to)?;
        }
    }
    signal::block_none()?;
    // SAFETY: C strings, and null-terminated vectors of them.
    unsafe { libc::execve(plan.path.as_ptr(), task.argv.as_ptr(), plan.env.as_ptr()) };
    Err(Errno::last())
}

fn write_record(slot: &Slot, pid: libc::pid_t) -> nix::Result<()> {
    // Where /proc is not there, or another pid namespace's: 0, with which nobody is believed to be dead or alive.
    let start = procfs::this(pid.unsigned_abs()).map_or(0, |process| process.start);
    let mut text = Text::<{ Slot::SIZE }>::of(slot.head);
    text.number(pid.unsigned_abs()).add(" ").number(start).add(slot.tail).fill(Slot::SIZE - 1).add("\n");
    file::write_at(slot.file, text.bytes(), slot.offset)
}
