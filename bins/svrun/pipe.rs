//! The pipe between a service and its logger, held so that neither the death of one of them nor our own
//! loses a byte.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use common::{caps, child, fds};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice, tee};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::{mkfifoat, pipe2, read, write};

use super::service::make_folder;

/// How large the pipe is made where the kernel counts no user's pages.
const SIZE: i32 = 1 << 20;

/// A pipe whose ends are opened anew for each process, so that nobody shares `O_NONBLOCK` with us.
#[derive(Debug)]
pub(super) struct Pipe {
    folder: Option<OwnedFd>,
    /// Both ends, without waiting.
    both: OwnedFd,
    /// An anonymous pipe's ends, where there can be no FIFO.
    ends: Option<(OwnedFd, OwnedFd)>,
}

impl Pipe {
    /// The FIFO below the state directory; an anonymous pipe where there can be none, with the reason.
    pub(super) fn open(state: BorrowedFd) -> nix::Result<(Self, Option<Errno>)> {
        match Self::fifo(state) {
            Ok(pipe) => Ok((pipe, None)),
            Err(errno) => {
                let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
                let both = writer.try_clone().map_err(|_| Errno::EMFILE)?;
                Ok((Self { folder: None, both, ends: Some((reader, writer)) }, Some(errno)))
            }
        }
    }

    fn fifo(state: BorrowedFd) -> nix::Result<Self> {
        let folder = folder(state)?;
        // A user whom the service has become must be able to open /dev/stdout, so all may write to it; the
        // folder keeps everybody else out.
        let both = open_fifo(folder.as_fd(), c"fifo")?;
        if caps::may_have_large_pipes() {
            let _ = fcntl(&both, FcntlArg::F_SETPIPE_SZ(SIZE)); // the usual size serves too
        }
        Ok(Self { folder: Some(folder), both, ends: None })
    }

    /// An end for the service. Open for reading too: so it never lacks a reader, also while nobody else has
    /// the pipe open, and SIGPIPE does not come.
    pub(super) fn for_service(&self) -> nix::Result<OwnedFd> {
        self.end(OFlag::O_RDWR)
    }

    /// An end for the logger, which gets the end of file once nobody may write any more.
    pub(super) fn for_logger(&self) -> nix::Result<OwnedFd> {
        self.end(OFlag::O_RDONLY)
    }

    fn end(&self, flags: OFlag) -> nix::Result<OwnedFd> {
        let copy = |end: &OwnedFd| end.try_clone().map_err(|_| Errno::EMFILE);
        match (&self.folder, &self.ends) {
            (Some(folder), _) => fds::open(folder.as_fd(), c"fifo", flags | OFlag::O_CLOEXEC, Mode::empty()),
            (None, Some((reader, _))) if flags == OFlag::O_RDONLY => copy(reader),
            (None, Some((_, writer))) => copy(writer),
            (None, None) => copy(&self.both),
        }
    }

    /// Whether a new supervisor could open it.
    pub(super) fn has_name(&self) -> bool {
        self.folder.is_some()
    }

    /// How many bytes nobody has read.
    pub(super) fn unread(&self) -> usize {
        child::unread(self.both.as_fd()).unwrap_or(0) // FIONREAD of a pipe cannot fail
    }

    /// Adds a line of our own, if there is room for it; in a line of its own where the last byte of the
    /// service is known not to end one.
    pub(super) fn tell(&self, line: &[u8]) -> nix::Result<()> {
        if self.ends_in_mid_line() == Ok(true) {
            self.write(b"\n")?;
        }
        self.write(line)
    }

    fn write(&self, bytes: &[u8]) -> nix::Result<()> {
        if self.ends.is_some() {
            // Shared with the service: it must not be made not to wait, and we must not wait.
            let mut fds = [common::socket::watch(self.both.as_raw_fd(), common::socket::POLLOUT)];
            common::socket::poll(&mut fds, Some(0))?;
            if fds[0].revents & common::socket::POLLOUT == 0 {
                return Err(Errno::EAGAIN);
            }
        }
        write(&self.both, bytes).map(drop)
    }

    /// Whether the last of the bytes that nobody has read is no newline. Looked at in a copy, which tee(2)
    /// makes without taking them out.
    fn ends_in_mid_line(&self) -> nix::Result<bool> {
        let unread = self.unread();
        if unread == 0 || self.ends.is_some() {
            return Ok(false);
        }
        let (copy, into) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let copied = tee(&self.both, &into, unread, SpliceFFlags::SPLICE_F_NONBLOCK)?;
        if copied < unread {
            return Ok(false); // the end of it does not fit
        }
        let nowhere =
            fds::open(nix::fcntl::AT_FDCWD, c"/dev/null", OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        let mut left = copied - 1;
        while left > 0 {
            match splice(&copy, None, &nowhere, None, left, SpliceFFlags::empty())? {
                0 => return Ok(false),
                gone => left -= gone,
            }
        }
        let mut last = [0];
        Ok(read(&copy, &mut last)? == 1 && last != *b"\n")
    }
}

/// The folder of the FIFOs, which only we may enter.
pub(super) fn folder(state: BorrowedFd) -> nix::Result<OwnedFd> {
    make_folder(state, c"pipe", 0o700)?;
    fds::open_folder(state, c"pipe")
}

/// Both ends of the FIFO `name`, which is made if it is not there.
pub(super) fn open_fifo(folder: BorrowedFd, name: &std::ffi::CStr) -> nix::Result<OwnedFd> {
    let mode = Mode::from_bits_truncate(0o622);
    match mkfifoat(folder, name, mode) {
        // The umask has taken something from it.
        Ok(()) => nix::sys::stat::fchmodat(folder, name, mode, nix::sys::stat::FchmodatFlags::FollowSymlink)?,
        Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno),
    }
    let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let fifo = fds::open(folder, name, flags, Mode::empty())?;
    is_fifo(&fifo)?;
    Ok(fifo)
}

/// Anything else by the name of a FIFO is no use: who waits for a file to become readable never sleeps.
pub(super) fn is_fifo(file: &OwnedFd) -> nix::Result<()> {
    if fds::is(&fstat(file)?, SFlag::S_IFIFO) { Ok(()) } else { Err(Errno::EEXIST) }
}
