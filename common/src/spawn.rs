//! Starting programs.

use std::convert::Infallible;
use std::ffi::CStr;
use std::os::fd::{BorrowedFd, RawFd};

use nix::errno::Errno;
use nix::unistd::{Pid, fchdir, setpgid};

use crate::procfs;
use crate::sys::words::Words;
use crate::sys::{fd, file, signal, spawn as raw};
use crate::text::Text;

/// What a child does before it executes, in this order.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Whether it leads a process group of its own.
    pub group: bool,
    /// Its working directory.
    pub directory: BorrowedFd<'a>,
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

    fn write(&self, pid: u32) -> nix::Result<()> {
        // Without /proc, or with that of another pid namespace: 0, by which no process is believed to be dead
        // or alive.
        let start = procfs::this(pid).map_or(0, |process| process.start);
        let mut text = Text::<{ Slot::SIZE }>::of(self.head);
        text.number(pid).add(" ").number(start).add(self.tail).fill(Self::SIZE - 1).add("\n");
        file::write_at(self.file, text.bytes(), self.offset)
    }
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

/// Starts a child that shares our memory until it has executed, or failed to; this process waits for that.
/// All signals must be blocked here. The child gets them unblocked.
///
/// # Errors
/// clone(2)'s.
pub fn spawn(plan: &Plan) -> nix::Result<Spawned> {
    let mut record = None;
    let (pid, exec) = raw::share_until_exec(&mut |pid| match become_program(plan, pid, &mut record) {
        Err(errno) => errno,
    })?;
    Ok(Spawned { pid, exec, record })
}

fn become_program(plan: &Plan, pid: u32, record: &mut Option<Errno>) -> nix::Result<Infallible> {
    if plan.group {
        let this = Pid::from_raw(0);
        setpgid(this, this)?;
    }
    fchdir(plan.directory)?;
    if let Some(slot) = &plan.record {
        // Before the exec: until then this process holds the lock of the one that started it, so that
        // nobody looks for a record that is not there yet.
        *record = slot.write(pid).err();
    }
    for &(from, to) in plan.fds {
        if from == to {
            fd::clear_cloexec(to)?;
        } else {
            fd::dup2(from, to)?;
        }
    }
    signal::block_none()?;
    Err(raw::execve(plan.path, plan.argv, plan.env))
}
