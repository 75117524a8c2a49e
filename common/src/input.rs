//! Standard input of a logger. Nothing is taken out of a pipe before it has been processed: tee(2) copies what is
//! there into a pipe of our own, and what has been processed is consumed. A logger that is killed in between has lost
//! nothing.

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, tee};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::stat::{SFlag, fstat};
use nix::sys::uio::readv;
use nix::unistd::{dup2_stdin, pipe2, read};

use crate::fds::{self, stdin};
use crate::procfs;
use crate::sys::poll;

/// What a look at the input finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Look {
    /// There are bytes.
    Bytes,
    /// There are none yet.
    Nothing,
    /// There will be none any more.
    End,
}

/// Whether more can be seen before something is consumed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Room {
    /// Once there is more.
    Left,
    /// Not at all.
    Full,
}

/// Whether an unfinished line may be waited for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum More {
    /// What is there may go on.
    Awaited,
    /// The logger leaves.
    NotAwaited,
}

/// What is to be processed next: so many of the bytes that have been seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Due {
    /// Whole lines, or a piece of one that is longer than what can be seen.
    Lines(usize),
    /// A last line that nothing ends.
    Unended(usize),
    /// Nothing yet.
    Nothing,
    /// Nothing any more: the input has ended, or what is there is left to the next logger.
    Over,
}

/// Standard input.
#[derive(Debug)]
pub struct Input {
    pipe: Option<Looking>,
    buffer: Vec<u8>,
    /// The part of the buffer that has been seen and not consumed.
    seen: std::ops::Range<usize>,
    closed: bool,
    /// How often in a row a look has found what was there before.
    quiet: u32,
    /// Somebody has waited for news.
    waited: bool,
}

/// What it takes to look into a pipe.
#[derive(Debug)]
struct Looking {
    reader: OwnedFd,
    writer: OwnedFd,
    /// Becomes readable when something new has come into the pipe, also where something is in it already.
    news: Epoll,
}

impl Looking {
    fn new() -> nix::Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let news = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        news.add(stdin(), EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0))?;
        Ok(Self { reader, writer, news })
    }

    /// Copies what is in the pipe into `buffer`, as far as it fits. Returns how much, and whether no more
    /// would have fitted into our pipe.
    fn copy(&self, buffer: &mut [u8], ask: bool) -> nix::Result<(usize, bool)> {
        let count = tee(stdin(), &self.writer, buffer.len(), SpliceFFlags::SPLICE_F_NONBLOCK)?;
        let mut room = [poll::watch(self.writer.as_raw_fd(), poll::POLLOUT)];
        // If poll(2) fails there is room: then another look copies no more, and finds nothing new.
        let full = ask && poll::poll(&mut room, Some(0)).is_ok() && room[0].revents == 0;
        let mut filled = 0;
        while filled < count {
            match read(&self.reader, &mut buffer[filled..count])? {
                0 => return Err(Errno::EIO),
                read => filled += read,
            }
        }
        Ok((count, full))
    }
}

impl Input {
    /// Standard input, at which is looked `size` bytes at a time.
    pub fn new(size: usize) -> nix::Result<Self> {
        // Not without a pipe of our own: read as a file is, a kill would lose what is in a pipe.
        let is_pipe = fds::is(&fstat(stdin())?, SFlag::S_IFIFO);
        let pipe = is_pipe.then(Looking::new).transpose()?;
        Ok(Self { pipe, buffer: vec![0; size], seen: 0..0, closed: false, quiet: 0, waited: false })
    }

    /// Looks at what is there, without waiting.
    pub fn look(&mut self) -> nix::Result<Look> {
        let Some(pipe) = &self.pipe else { return self.read() };
        if std::mem::take(&mut self.waited) {
            let mut events = [EpollEvent::empty()];
            // Before the look: what comes after it is news again.
            if pipe.news.wait(&mut events, EpollTimeout::ZERO)? > 0 {
                self.closed |= events[0].events().contains(EpollFlags::EPOLLHUP);
            }
        }
        let (count, _) = match pipe.copy(&mut self.buffer, false) {
            Err(Errno::EAGAIN) => (0, false),
            Ok((0, _)) => {
                (self.seen, self.closed) = (0..0, true);
                return Ok(Look::End);
            }
            other => other?,
        };
        self.quiet = if self.seen == (0..count) { self.quiet + 1 } else { 0 };
        self.seen = 0..count;
        Ok(if count == 0 { Look::Nothing } else { Look::Bytes })
    }

    /// Looks at what is there, without waiting, and decides what of it is to be processed. A line that has begun is whole
    /// or waited for, as long as it fits.
    pub fn due(&mut self, more: More) -> nix::Result<Due> {
        match self.look()? {
            Look::End => return Ok(Due::Over),
            Look::Nothing if more == More::NotAwaited => return Ok(Due::Over),
            Look::Nothing => return Ok(Due::Nothing),
            Look::Bytes => {}
        }
        Ok(match self.bytes().iter().rposition(|byte| *byte == b'\n') {
            Some(last) => Due::Lines(last + 1),
            None if self.look_further() == Room::Full => Due::Lines(self.seen.len()),
            None if self.closed || more == More::NotAwaited && self.is_only_reader() => {
                Due::Unended(self.seen.len())
            }
            None if more == More::NotAwaited => Due::Over, // the next logger gets it whole
            None => Due::Nothing,
        })
    }

    fn read(&mut self) -> nix::Result<Look> {
        self.buffer.copy_within(self.seen.clone(), 0);
        self.seen = 0..self.seen.len();
        let mut ready = [poll::watch(0, poll::POLLIN)];
        let room = self.seen.end < self.buffer.len() && !self.closed;
        if room && poll::poll(&mut ready, Some(0))? && ready[0].revents != 0 {
            match read(stdin(), &mut self.buffer[self.seen.end..]) {
                Ok(0) => self.closed = true,
                Ok(count) => self.seen.end += count,
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(match (self.seen.is_empty(), self.closed) {
            (false, _) => Look::Bytes,
            (true, true) => Look::End,
            (true, false) => Look::Nothing,
        })
    }

    /// The bytes that have been seen and not consumed.
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.buffer[self.seen.clone()]
    }

    /// Whether all writers have closed the pipe: there will be no more than what is in it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether nobody writes any more, asked where what has been seen cannot be processed, so that no look comes
    /// to the end.
    pub fn has_ended(&mut self) -> bool {
        // If either is unknown, the next try asks again.
        if self.pipe.is_none() {
            return self.read().is_ok() && self.closed;
        }
        let mut end = [poll::watch(0, 0)];
        poll::poll(&mut end, Some(0)).is_ok() && end[0].revents & poll::POLLHUP != 0
    }

    /// Looks as far as can be seen before something is consumed.
    pub fn look_further(&mut self) -> Room {
        if self.seen.len() == self.buffer.len() {
            return Room::Full;
        }
        // A pipe has few places, and some writers fill each with few bytes. Ours has no more than it.
        let Some(pipe) = &self.pipe else { return Room::Left };
        if let Ok(size) = fcntl(stdin(), FcntlArg::F_GETPIPE_SZ) {
            // Where there may be no larger one, ours is full earlier, and a long line comes in parts.
            let _ = fcntl(&pipe.writer, FcntlArg::F_SETPIPE_SZ(size.min(1 << 16)));
        }
        match pipe.copy(&mut self.buffer, true) {
            Ok((count, full)) => {
                self.seen = 0..count;
                if full { Room::Full } else { Room::Left }
            }
            Err(_) => Room::Left, // the next look fails too, and returns the error
        }
    }

    /// Takes the first `count` bytes out of the pipe, for good. The last of them is read into `mark`, if there is one:
    /// by the kernel, together with the others, so that `mark` says whether they are gone whenever this process is
    /// killed.
    pub fn consume(&mut self, count: usize, mark: Option<&mut u8>) -> nix::Result<()> {
        let taken = self.seen.start..self.seen.start + count;
        self.seen.start = taken.end;
        if self.pipe.is_none() || count == 0 {
            return Ok(());
        }
        let (most, last) = self.buffer[taken].split_at_mut(count - 1);
        let last = mark.map_or(last, std::slice::from_mut);
        let gone = readv(stdin(), &mut [IoSliceMut::new(most), IoSliceMut::new(last)])?;
        if gone == count { Ok(()) } else { Err(Errno::EIO) }
    }

    /// What to poll for more, with `POLLIN`.
    pub fn watched(&mut self) -> RawFd {
        self.waited = true;
        self.pipe.as_ref().map_or(0, |pipe| pipe.news.0.as_raw_fd())
    }

    /// How long to wait at most where what is there is not enough. The kernel reports every write to a pipe, but
    /// not each piece of one that is larger than the room in it.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        let first = Duration::from_micros(100);
        let time = first.saturating_mul(1 << self.quiet.min(14)).min(Duration::from_secs(1));
        (self.pipe.is_some() && !self.seen.is_empty()).then_some(time)
    }

    /// Whether it is a pipe at which we can look without taking from it.
    #[must_use]
    pub fn is_pipe(&self) -> bool {
        self.pipe.is_some()
    }

    /// How many bytes are in the pipe.
    #[must_use]
    pub fn unread(&self) -> usize {
        fds::unread(stdin()).unwrap_or(0) // which only fails where it is none
    }

    /// Whether nobody else could read what we leave in the pipe, asked at the end: no more can be seen then.
    /// Where the pipe is that of another account it cannot be found out: its maker, another process, holds it.
    pub fn is_only_reader(&mut self) -> bool {
        if self.pipe.is_none() {
            return true;
        }
        match only_reader() {
            Ok(None) => false,
            Ok(Some(back)) => {
                if !back {
                    // The pipe goes with us; what has been seen of it is what there is.
                    (self.pipe, self.closed) = (None, true);
                }
                true
            }
            // In doubt we are: a line that is cut is better than one that is lost.
            Err(errno) => errno != Errno::EACCES,
        }
    }
}

/// A pipe without a reader is an error for its writers (POLLERR). So we open it as a writer in place of our own end for
/// reading, and poll that: without POLLERR there is another reader. `None` if there is; else whether we could open our
/// end again, by /proc/self/fd, which another account's pipe refuses.
fn only_reader() -> nix::Result<Option<bool>> {
    let (own, flags) = (c"fd/0", OFlag::O_WRONLY | OFlag::O_NONBLOCK);
    let writer = procfs::This::open()?.file(own, flags)?;
    dup2_stdin(&writer)?;
    let mut other = [poll::watch(writer.as_raw_fd(), 0)];
    poll::poll(&mut other, Some(0))?;
    if other[0].revents & poll::POLLERR == 0 {
        return Ok(None);
    }
    let back = procfs::This::open().and_then(|this| this.file(own, OFlag::O_RDONLY | OFlag::O_NONBLOCK));
    Ok(Some(back.and_then(|reader| dup2_stdin(&reader)).is_ok()))
}
