//! Locks on files.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use lexopt::Arg::Short;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::sys::stat::{Mode, fstat, fstatat};

use crate::exit::{Exit, OrFail};
use crate::link::Cli;
use crate::sys::{clock, fd as raw, file, process};
use crate::word::{Word, shown};
use crate::{fds, identity};

/// How long to wait for a lock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wait {
    /// Until it is free.
    Forever,
    /// Not at all.
    Never,
    /// At most this long.
    For(Duration),
}

/// Which others may hold the lock at the same time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Nobody.
    Exclusive,
    /// Others that share it.
    Shared,
}

mod holder;

/// The options of setlock and pidlock: those that both have, and those of one of them in front of and behind `-d`.
#[macro_export]
macro_rules! lock_options {
    ([$($before:tt),*], [$($behind:tt),*]) => {
        $crate::options![
            ("-n", "fail at once if the lock is taken"),
            ("-N", "wait for the lock (this is the default)"),
            ("-t seconds", "wait at most this long"),
            ("-x", "exit 0 silently if the lock cannot be acquired"),
            ("-X", "exit 111 with a message then (this is the default)"),
            $($before,)*
            ("-d fd", "hold the lock on this file descriptor"),
            $($behind,)*
        ]
    };
}

/// The option that only one of the two has.
#[derive(Clone, Copy, Debug)]
pub enum Flag {
    /// `-r`: share the lock.
    Shared = b'r' as isize,
    /// `-c`: ask for the holder.
    Check = b'c' as isize,
}

/// What setlock and pidlock are asked for.
#[derive(Debug)]
pub struct Request {
    wait: Wait,
    quiet: bool,
    at: Option<RawFd>,
    file: Word,
    see: &'static str, // behind the hint where the lock is taken
}

impl Request {
    /// Reads [`lock_options!`](crate::lock_options) and the program's own `flag`, then the operand `file`. Returns also
    /// whether the flag was there.
    pub fn parse(cli: &mut Cli, flag: Flag) -> Result<(Self, bool), Exit> {
        let (mut wait, mut quiet, mut at, mut flagged) = (Wait::Forever, false, None, false);
        while let Some(option) = cli.option()? {
            match option {
                Short('n') => wait = Wait::Never,
                Short('N') => wait = Wait::Forever,
                Short('t') => wait = Wait::For(cli.seconds()?),
                Short('x') => quiet = true,
                Short('X') => quiet = false,
                Short('d') => at = Some(cli.fd_value()?),
                Short(option) if option == flag as u8 as char => flagged = true,
                other => return Err(Exit::unexpected(other)),
            }
        }
        if let Some(fd @ 0..=2) = at {
            return Err(Exit::usage(format_args!("a lock on fd {fd} would be lost with it: use 3 or above")));
        }
        Ok((Self { wait, quiet, at, file: cli.operand("file")?, see: ": see -d" }, flagged))
    }

    /// What chpst asks for.
    #[must_use]
    pub fn of(file: Word, wait: Wait) -> Self {
        Self { wait, quiet: false, at: None, file, see: "" }
    }

    /// Takes the lock, lets `then` work on the file, and leaves its fd to the program, which so holds the
    /// lock.
    pub fn take(&self, kind: Kind, then: impl Fn(&OwnedFd) -> nix::Result<()>) -> Result<(), Exit> {
        let file = self.file;
        let locked = match acquire(file, kind, self.wait) {
            Ok(Some(fd)) => Ok(fd),
            Ok(None) if self.quiet => return Err(Exit::answer(0, "")),
            Ok(None) => return Err(self.taken()),
            Err(error) => Err(error),
        };
        let fd = match locked {
            // Not only where it is locked: daemontools' -x is silent too where the file cannot be opened.
            Err(_) if self.quiet => return Err(Exit::answer(0, "")),
            other => other?,
        };
        then(&fd).or_fail(format_args!("write {file}"))?;
        fds::leave(fd, self.at).or_fail(format_args!("keep the lock on {file}"))
    }

    /// The message where somebody else has the lock.
    #[cold]
    fn taken(&self) -> Exit {
        let error = Exit::fatal(format_args!("unable to lock {}: it is locked", self.file));
        match holder::find(&self.file) {
            Ok(Some((pid, _))) if process::id() == Ok(pid) => error.hint(format!(
                "this process holds it itself, by a descriptor that it has already{}",
                self.see
            )),
            Ok(Some((pid, name))) => error.hint(format!(
                "process {pid} ({}) holds it, as does each that inherits its descriptor{}",
                shown(&name),
                self.see
            )),
            _ => error, // it was for a hint, and /proc shows each account its own processes
        }
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> Word {
        self.file
    }
}

/// How long to wait between two tries while a time limit runs. What interrupts a wait in the kernel is a
/// signal handler, and musl's sigaction(3) unblocks signals of the program when it sets the first one.
const PAUSE: Duration = Duration::from_millis(10);

/// Takes flock(2)'s exclusive lock on an open file, if it is free.
fn try_flock(fd: BorrowedFd) -> nix::Result<bool> {
    match file::flock(fd, libc::LOCK_EX | libc::LOCK_NB) {
        Ok(()) => Ok(true),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// How often a lock is tried, a millisecond apart, that may be held by what its last holder has started and that
/// has not executed yet: until then it has the holder's fds.
pub const TRIES: u32 = 200;
/// The same for the lock without which a supervisor ends: where many wait for a processor it takes a while until a child
/// executes.
pub const TRIES_OF_SUPERVISORS: u32 = 2000;

/// As `try_flock`, as often as `tries` says, of which it takes off what it has needed.
pub fn flock_within(fd: BorrowedFd, tries: &mut u32) -> nix::Result<bool> {
    while !try_flock(fd)? {
        *tries = tries.saturating_sub(1);
        if *tries == 0 {
            return Ok(false);
        }
        pause_1ms();
    }
    Ok(true)
}

/// Waits a millisecond, between two tries.
pub fn pause_1ms() {
    // Where it cannot wait it tries again at once.
    let _ = clock::sleep(Duration::from_millis(1));
}

/// Opens `file`, creating it if missing, and locks it; `None` if the lock could not be acquired in time.
fn acquire(file: Word, kind: Kind, wait: Wait) -> Result<Option<OwnedFd>, Exit> {
    let failed = |errno| Exit::system(format_args!("lock {file}"), errno);
    // No clock is asked without need: to a process that may not read the time stamp counter it is death.
    let (limit, each) = match wait {
        Wait::For(time) => (Some((time, Instant::now())), Wait::Never),
        other => (None, other),
    };
    loop {
        let fd = open(file, kind)?;
        match lock(&fd, kind, each) {
            Ok(()) if still_at(&fd, &file).map_err(failed)? => return Ok(Some(fd)),
            Err(Errno::EAGAIN | Errno::EACCES) => {
                let left = limit.map(|(time, start)| time.saturating_sub(start.elapsed()));
                match left.filter(|left| !left.is_zero()) {
                    Some(left) => clock::sleep(left.min(PAUSE)).map_err(failed)?,
                    None => return Ok(None),
                }
            }
            // Again after a signal, and where somebody removed or replaced the file while we waited: what
            // we have is nobody's lock any more.
            Ok(()) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(failed(errno)),
        }
        // With it goes what it may have locked of the two. It is not close-on-exec, so it must not stay
        // open.
        raw::close(fd.into_raw_fd()).map_err(failed)?;
    }
}

/// Opens a lock file, as narrowly as its lock can do with: never truncated, never through a symbolic link,
/// never waiting for the other end of a FIFO.
fn open(file: Word, kind: Kind) -> Result<OwnedFd, Exit> {
    let access = match kind {
        Kind::Exclusive => OFlag::O_WRONLY,
        Kind::Shared => OFlag::O_RDONLY,
    };
    let flags = access | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    fds::open(AT_FDCWD, &file, flags, Mode::S_IRUSR | Mode::S_IWUSR).map_err(|errno| not_opened(file, errno))
}

fn not_opened(file: Word, errno: Errno) -> Exit {
    let error = Exit::system(format_args!("open {file}"), errno);
    if errno == Errno::ELOOP { error.hint("a lock file may not be a symbolic link") } else { error }
}

/// Takes both locks that others use, on one open file: flock(2), as daemontools, runit and flock(1) do, and
/// the open file description lock of fcntl(2), which keeps the process locks of s6 and perp out. Always in
/// this order, so that two of us never wait for each other.
fn lock(fd: &OwnedFd, kind: Kind, wait: Wait) -> nix::Result<()> {
    let (flock, ofd) = match kind {
        Kind::Exclusive => (libc::LOCK_EX, libc::F_WRLCK),
        Kind::Shared => (libc::LOCK_SH, libc::F_RDLCK),
    };
    let (no_wait, command) = match wait {
        Wait::Never => (libc::LOCK_NB, libc::F_OFD_SETLK),
        _ => (0, libc::F_OFD_SETLKW),
    };
    file::flock(fd.as_fd(), flock | no_wait)?;
    file::ofd_lock(fd.as_fd(), command, ofd).map(drop)
}

/// Takes both locks on a file that is open for writing and stays where it is, for this process alone. Returns whether
/// they could be had in time.
pub fn within(fd: &OwnedFd, time: Duration) -> nix::Result<bool> {
    let start = Instant::now();
    loop {
        match lock(fd, Kind::Exclusive, Wait::Never) {
            Ok(()) => return Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES | Errno::EINTR) if start.elapsed() < time => {
                clock::sleep(PAUSE)?;
            }
            Err(Errno::EAGAIN | Errno::EACCES | Errno::EINTR) => return Ok(false),
            Err(errno) => return Err(errno),
        }
    }
}

/// Whether `path` is still the file that `fd` is.
fn still_at(fd: &OwnedFd, path: &CStr) -> nix::Result<bool> {
    let ours = fstat(fd)?;
    match fstatat(AT_FDCWD, path, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(there) => Ok(identity::same(&there, &ours)),
        Err(Errno::ENOENT) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// The pid of a process that holds a lock of fcntl(2) on `file`, without touching the lock: -1 where an
/// open file description holds it, as a lock of ours; `None` if none does or there is no file.
pub fn holder(file: Word) -> Result<Option<(OwnedFd, i32)>, Exit> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let fd = match fds::open(AT_FDCWD, &file, flags, Mode::empty()) {
        Err(Errno::ENOENT) => return Ok(None),
        other => other.map_err(|errno| not_opened(file, errno))?,
    };
    let (kind, pid) = file::ofd_lock(fd.as_fd(), libc::F_OFD_GETLK, libc::F_WRLCK)
        .or_fail(format_args!("query the lock on {file}"))?;
    Ok((kind != libc::F_UNLCK).then_some((fd, pid)))
}
