//! Starting programs.

use std::convert::Infallible;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::resource::{Resource, rlim_t};
use nix::unistd::{Pid, fchdir, getpid, setpgid, tcsetpgrp};

use crate::exec::Chain;
use crate::exit::Exit;
use crate::sys::process::set_limit;
use crate::sys::spawn::Table;
use crate::sys::words::Words;
use crate::sys::{fd, file, signal, spawn as raw};
use crate::text::Text;
use crate::{fds, procfs};

/// What a child does before it executes, in this order.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Whether it leads a process group of its own.
    pub group: bool,
    /// Its working directory.
    pub directory: BorrowedFd<'a>,
    /// Where it writes its record, if anywhere, and what it puts around its pid and start time.
    pub record: Option<Slot<'a>>,
    /// What it has of our many files; a copy of all and our limit if there are few.
    pub files: Option<&'a FewFiles>,
    /// The fds that it gets, in this order: none gets a number that one behind it comes from.
    pub fds: [Given; MOST_GIVEN],
    /// The file that it executes, from its working directory.
    pub path: &'a CStr,
    /// Its argv.
    pub argv: &'a [&'a CStr],
    /// Its environment.
    pub env: &'a Words,
}

/// A fd that a child gets, and the number that it has there.
pub type Given = Option<(RawFd, RawFd)>;

const MOST_GIVEN: usize = 4;

/// `RLIMIT_NOFILE`, soft and hard.
pub type Files = (rlim_t, rlim_t);

/// What a child of a process with thousands of files has of them: a copy of their table, to be closed fd by fd at the exec,
/// would cost more than the rest of a start, and the room for it would stay with the child.
#[derive(Debug)]
pub struct FewFiles {
    /// The limit of open files that the child gets.
    pub limit: Files,
    /// Low numbers, kept for what a child gets. What is above them it has not.
    kept: [OwnedFd; MOST_GIVEN],
}

impl FewFiles {
    /// Keeps the lowest free numbers. To be called before many files are opened, and where fds 0 to 2 are open. All others
    /// that the program of a child is to have come by [`Plan::fds`].
    ///
    /// # Errors
    /// fcntl(2)'s.
    pub fn new(limit: Files) -> nix::Result<Self> {
        let keep = || fds::copy_from(fds::stdin(), libc::STDERR_FILENO + 1);
        Ok(Self { limit, kept: [keep()?, keep()?, keep()?, keep()?] })
    }

    /// In a child that shares our table: leaves that for one with these fds. Returns them by their numbers in it.
    fn leave_table(&self, mut fds: [Given; MOST_GIVEN]) -> nix::Result<[Given; MOST_GIVEN]> {
        for (given, kept) in fds.iter_mut().zip(&self.kept) {
            if let Some((from, _)) = given {
                fd::dup_cloexec(*from, kept.as_raw_fd())?;
                *from = kept.as_raw_fd();
            }
        }
        fd::leave_table(self.kept.iter().map(AsRawFd::as_raw_fd).max().unwrap_or(libc::STDERR_FILENO))?;
        Ok(fds)
    }

    /// After a child: what it has got is not held open here too, as the end of a pipe would be.
    fn take_back(&self, fds: [Given; MOST_GIVEN]) {
        for (_, kept) in fds.iter().zip(&self.kept).filter(|(given, _)| given.is_some()) {
            // Both are open and below our limit, and no signal arrives.
            let _ = fd::dup_cloexec(libc::STDIN_FILENO, kept.as_raw_fd());
        }
    }
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
    let table = if plan.files.is_some() { Table::Shared } else { Table::Copied };
    let spawned = raw::share_until_exec(table, &mut |pid| match become_program(plan, pid, &mut record) {
        Err(errno) => errno,
    });
    if let Some(files) = plan.files {
        files.take_back(plan.fds);
    }
    spawned.map(|(pid, exec)| Spawned { pid, exec, record })
}

/// The state of a process that [`spawn_chain`] gives to its program, taken in this order.
#[derive(Clone, Copy, Debug)]
pub struct Inheritance<'a> {
    /// The terminal whose foreground the process group of the program becomes, if it is to.
    pub terminal: Option<BorrowedFd<'a>>,
    /// Its working directory.
    pub directory: BorrowedFd<'a>,
    /// Its fds 0 to 2, where they are open. None of these is below 3.
    pub standard: [Option<BorrowedFd<'a>>; 3],
    /// `RLIMIT_NOFILE`, soft and hard.
    pub files: (rlim_t, rlim_t),
    /// The signals that it ignores, as a mask.
    pub ignored: u64,
    /// The signals that it blocks, as a mask.
    pub blocked: u64,
}

/// Starts the program of a chain, searched as [`Chain::exec`] does, as the leader of a process group of its own.
/// Otherwise as [`spawn`]. Where it could not be executed, the pid comes with the reason, whose status is the one to
/// report: the child exits 111 then.
///
/// # Errors
/// clone(2)'s.
pub fn spawn_chain(mut chain: Chain, inheritance: &Inheritance) -> nix::Result<(u32, Option<Exit>)> {
    chain.prepare();
    let mut refusal = None;
    let (pid, failed) = raw::share_until_exec(Table::Copied, &mut |_| match inheritance.take() {
        Ok(()) => refusal.insert(chain.try_all()).errno,
        Err(errno) => errno,
    })?;
    Ok((
        pid,
        failed.map(|errno| match refusal {
            Some(refusal) => chain.not_executed(refusal),
            None => Exit::system("give the program the state that it is to have", errno),
        }),
    ))
}

impl Inheritance<'_> {
    fn take(&self) -> nix::Result<()> {
        let this = Pid::from_raw(0);
        setpgid(this, this)?;
        if let Some(terminal) = self.terminal {
            // All signals are blocked: from the background this would stop us by TTOU.
            match tcsetpgrp(terminal, getpid()) {
                // The terminal has hung up, which the program learns from itself.
                Ok(()) | Err(Errno::EIO | Errno::ENOTTY) => {}
                Err(errno) => return Err(errno),
            }
        }
        fchdir(self.directory)?;
        for (from, to) in self.standard.iter().zip(0..) {
            match from {
                Some(from) => fd::dup2(from.as_raw_fd(), to)?,
                None => fds::close(to)?,
            }
        }
        set_limit(Resource::RLIMIT_NOFILE, self.files.0, self.files.1)?;
        signal::ignore(self.ignored)?;
        signal::exchange_mask(self.blocked).map(drop)
    }
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
    let mut fds = plan.fds;
    if let Some(files) = plan.files {
        // Behind what needs fds of ours, and one that is free below our limit.
        fds = files.leave_table(fds)?;
        set_limit(Resource::RLIMIT_NOFILE, files.limit.0, files.limit.1)?;
    }
    for (from, to) in fds.into_iter().flatten() {
        fds::copy_to(from, to)?;
    }
    signal::block_none()?;
    Err(raw::execve(plan.path, plan.argv, plan.env))
}
