//! The pipe between a service and its logger, held so that neither the death of one of them nor our own
//! loses a byte.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use common::door::{self, Owner};
use common::{Text, Voice, caps, fds, procfs};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice, tee};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, pipe2, read, unlinkat, write};

use super::fresh::Fresh;

/// How large the pipe is made where the kernel counts no user's pages.
const SIZE: i32 = 1 << 20;

/// A pipe whose ends are opened separately for each process, so that nobody shares `O_NONBLOCK` with us.
#[derive(Debug)]
pub(super) struct Pipe {
    /// `pipe` in the state directory; none where there can be no FIFO.
    directory: Option<OwnedFd>,
    name: &'static CStr,
    /// Both ends, without waiting. So there is always a reader.
    both: Fresh,
    /// An anonymous pipe's ends, where there can be no FIFO.
    ends: Option<(OwnedFd, OwnedFd)>,
    /// It has taken the place of another, which the logger still reads.
    replaces: bool,
}

/// An end of a pipe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    /// For the logger, which gets the end of file once nobody may write any more.
    Read,
    /// For the service, which cannot take out what it or another part of it has written.
    Write,
}

impl End {
    fn access(self) -> OFlag {
        if self == Self::Read { OFlag::O_RDONLY } else { OFlag::O_WRONLY }
    }
}

/// The pipes that the program before us has handed on, so that they never lack a reader: held until they have
/// been opened by their names.
pub(crate) fn handed_on() -> nix::Result<[Option<OwnedFd>; 2]> {
    Ok([fds::handed_on(is_ours)?, fds::handed_on(is_ours)?])
}

/// Whether a fd may be one of ours.
pub(super) fn is_ours(fd: RawFd) -> bool {
    fds::is_open_fifo(fd, OFlag::O_RDWR | OFlag::O_NONBLOCK)
}

/// Whether the name does not lead to the FIFO any more, and the error does not pass.
fn is_lost(errno: Errno) -> bool {
    !fds::passes(errno)
}

impl Pipe {
    /// The pipe for the log, `pipe/fifo` in the state directory; an anonymous one where there can be none, which
    /// is reported, and where there is no state directory.
    pub(super) fn for_log(state: Option<BorrowedFd>, voice: Voice) -> nix::Result<Self> {
        let name = c"fifo";
        let refused = match state.map(|state| Self::fifo(state, name)) {
            Some(Ok(pipe)) => return Ok(pipe),
            Some(Err(errno)) => Some(errno),
            None => None,
        };
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
        let both = writer.try_clone().map_err(|_| Errno::EMFILE)?.into();
        if let Some(errno) = refused {
            voice.unable_so(&[b"make supervise/pipe/fifo"], errno, b"this service cannot be adopted");
        }
        Ok(Self { directory: None, name, both, ends: Some((reader, writer)), replaces: false })
    }

    /// An anonymous pipe that is read here, without waiting, where there is no place for a FIFO.
    pub(super) fn to_us() -> nix::Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let both = reader.try_clone().map_err(|_| Errno::EMFILE)?.into();
        let ends = Some((reader, writer));
        Ok(Self { directory: None, name: c"", both, ends, replaces: false })
    }

    /// The FIFO of this name in `pipe`, which is made if it is not there, or not ours.
    pub(super) fn fifo(state: BorrowedFd, name: &'static CStr) -> nix::Result<Self> {
        let directory = door::replacing(state, c"pipe", || door::own_directory(state, c"pipe"))?;
        // A user whom the service has become must be able to open /dev/stdout, so all may write to it; the
        // directory keeps everybody else out.
        let mode = 0o622;
        let make = || door::fifo_or_new(directory.as_fd(), name, OFlag::O_RDWR, mode, Owner::Us);
        let both = door::replacing(directory.as_fd(), name, make)?;
        if name == c"fifo" && caps::may_have_large_pipes() {
            let _ = fcntl(&both, FcntlArg::F_SETPIPE_SZ(SIZE)); // the usual size serves too
        }
        Ok(Self { directory: Some(directory), name, both: both.into(), ends: None, replaces: false })
    }

    /// An end for the next run. Where the name has been lost, or is another's, it is that of a new pipe: the old
    /// one lives as long as those who have it open, and the logger reads it to its end. Where there can be no
    /// new one, in the state directory `state`, it stays the old one, so that no log holds a service back.
    pub(super) fn end_or_new(&mut self, state: Option<BorrowedFd>, voice: Voice) -> nix::Result<OwnedFd> {
        if let (Some(directory), Some(state)) = (&self.directory, state) {
            match self.named(directory.as_fd(), End::Write) {
                Err(errno) if is_lost(errno) => match Self::fifo(state, self.name) {
                    Ok(new) => {
                        voice.warning(&[b"supervise/pipe/fifo is gone; made a new one"]);
                        *self = Self { replaces: true, ..new };
                    }
                    // The directory is gone too, which is reported elsewhere.
                    Err(Errno::ENOENT) => {}
                    Err(errno) => {
                        voice.unable_so(&[b"make a new supervise/pipe/fifo"], errno, b"using the old one");
                    }
                },
                other => return other,
            }
        }
        self.end(End::Write)
    }

    /// An end of this very pipe, though its name has been lost.
    pub(super) fn end(&self, end: End) -> nix::Result<OwnedFd> {
        if let Some(directory) = &self.directory {
            match self.named(directory.as_fd(), end) {
                Err(errno) if is_lost(errno) => {}
                other => return other,
            }
            let mut path = Text::<24>::of("fd/");
            path.number(self.both.as_raw_fd().unsigned_abs()).add("\0");
            let path = CStr::from_bytes_with_nul(path.bytes()).map_err(|_| Errno::EINVAL)?;
            return procfs::This::open()?.file(path, end.access());
        }
        let end = match (&self.ends, end) {
            (Some((reader, _)), End::Read) => reader.as_fd(),
            (Some((_, writer)), End::Write) => writer.as_fd(),
            (None, _) => self.both.as_fd(),
        };
        fds::copy_from(end, 3)
    }

    fn named(&self, directory: BorrowedFd, end: End) -> nix::Result<OwnedFd> {
        let file = door::fifo(directory, self.name, end.access(), Owner::Us)?;
        fcntl(&file, FcntlArg::F_SETFL(OFlag::empty()))?; // its process waits
        Ok(file)
    }

    /// Whether it can be opened by its name.
    pub(super) fn is_there(&self) -> bool {
        self.directory.as_ref().is_some_and(|directory| self.named(directory.as_fd(), End::Write).is_ok())
    }

    /// Another takes its name.
    pub(super) fn give_up_name(&self) -> nix::Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        match unlinkat(directory, self.name, UnlinkatFlags::NoRemoveDir) {
            Err(Errno::ENOENT) => Ok(()),
            other => other,
        }
    }

    /// Both ends of a FIFO, to wait for what comes and to read it without waiting.
    pub(super) fn both(&self) -> &Fresh {
        &self.both
    }

    /// Whether nobody has asked this before.
    pub(super) fn is_new(&mut self) -> bool {
        self.both.take_new()
    }

    /// Whether it has taken the place of another since this was asked.
    pub(super) fn has_replaced(&mut self) -> bool {
        std::mem::take(&mut self.replaces)
    }

    /// Whether a new supervisor could open it.
    pub(super) fn has_name(&self) -> bool {
        self.directory.is_some()
    }

    /// How many bytes nobody has read.
    pub(super) fn unread(&self) -> usize {
        fds::unread(self.both.as_fd()).unwrap_or(0) // FIONREAD of a pipe cannot fail
    }

    /// Adds a line of our own, if there is room for it; in a line of its own where the last byte of the
    /// service is known not to end one.
    pub(super) fn write_line(&self, line: &[u8]) -> nix::Result<()> {
        if self.ends_in_mid_line() == Ok(true) {
            self.write(b"\n")?;
        }
        self.write(line)
    }

    fn write(&self, bytes: &[u8]) -> nix::Result<()> {
        if self.ends.is_some() {
            // Shared with the service: it must not be made not to wait, and we must not wait.
            let mut fds = [common::poll::watch(self.both.as_raw_fd(), common::poll::POLLOUT)];
            common::poll::poll(&mut fds, Some(0))?;
            if fds[0].revents & common::poll::POLLOUT == 0 {
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
