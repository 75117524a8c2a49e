//! Waiting for any number of files, epoll(7): by number, as [`super::poll`] does.

use std::os::fd::{BorrowedFd, RawFd};

use libc::c_int;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll as Raw, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// How many events are taken at once: the next wait reports the others.
pub const EVENTS: usize = 64;

/// The files that are waited for, each with a number that its events bring back.
#[derive(Debug)]
pub struct Epoll(Raw);

impl Epoll {
    /// Waits for nothing yet.
    ///
    /// # Errors
    /// `epoll_create1(2)`'s.
    pub fn new() -> nix::Result<Self> {
        Raw::new(EpollCreateFlags::EPOLL_CLOEXEC).map(Self)
    }

    /// Waits for these events of `fd` too, in the bits of poll(2).
    ///
    /// # Errors
    /// `epoll_ctl(2)`'s: ENOSPC beyond `fs.epoll.max_user_watches`, EPERM for a regular file.
    pub fn add(&self, fd: RawFd, events: i16, data: u64) -> nix::Result<()> {
        self.0.add(borrow(&fd), event(events, data))
    }

    /// Waits for these events of `fd` instead.
    ///
    /// # Errors
    /// `epoll_ctl(2)`'s: ENOENT where it is not waited for.
    pub fn modify(&self, fd: RawFd, events: i16, data: u64) -> nix::Result<()> {
        self.0.modify(borrow(&fd), &mut event(events, data))
    }

    /// Does not wait for `fd` any more, which may be closed by now.
    ///
    /// # Errors
    /// `epoll_ctl(2)`'s, but for those that say that it is not waited for.
    pub fn delete(&self, fd: RawFd) -> nix::Result<()> {
        match self.0.delete(borrow(&fd)) {
            Err(Errno::ENOENT | Errno::EBADF) => Ok(()),
            other => other,
        }
    }

    /// Waits, at most for `timeout` milliseconds, and gives the numbers of what is ready: none where it was interrupted.
    ///
    /// # Errors
    /// `epoll_wait(2)`'s.
    pub fn wait(&self, timeout: Option<u64>, give: impl FnMut(u64)) -> nix::Result<()> {
        let longest = EpollTimeout::MAX;
        let timeout =
            timeout.map_or(EpollTimeout::NONE, |time| EpollTimeout::try_from(time).unwrap_or(longest));
        let mut events = [EpollEvent::empty(); EVENTS];
        match self.0.wait(&mut events, timeout) {
            Ok(count) => events.iter().take(count).map(EpollEvent::data).for_each(give),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        Ok(())
    }
}

fn event(events: i16, data: u64) -> EpollEvent {
    // Those that poll(2) has too have the same bits.
    EpollEvent::new(EpollFlags::from_bits_truncate(c_int::from(events)), data)
}

fn borrow(fd: &RawFd) -> BorrowedFd<'_> {
    // SAFETY: it is used as a number alone; where it is closed, or below 0, the kernel says EBADF. -1 is never given:
    // by the callers, who pass over such places.
    unsafe { BorrowedFd::borrow_raw(*fd) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poll::{POLLIN, POLLOUT};
    use std::os::fd::AsRawFd;

    fn ready(epoll: &Epoll) -> Vec<u64> {
        let mut ready = Vec::new();
        epoll.wait(Some(0), |data| ready.push(data)).unwrap();
        ready
    }

    #[test]
    fn what_is_ready_is_given_by_its_number_until_it_is_read_or_not_waited_for() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let epoll = Epoll::new().unwrap();
        epoll.add(reader.as_raw_fd(), POLLIN, 7 << 40).unwrap();
        assert_eq!(ready(&epoll), []);
        nix::unistd::write(&writer, b"x").unwrap();
        assert_eq!((ready(&epoll), ready(&epoll)), (vec![7 << 40], vec![7 << 40]));
        epoll.modify(reader.as_raw_fd(), POLLOUT, 8).unwrap();
        assert_eq!(ready(&epoll), []);
        epoll.modify(reader.as_raw_fd(), POLLIN, 8).unwrap();
        assert_eq!(ready(&epoll), [8]);
        epoll.delete(reader.as_raw_fd()).unwrap();
        assert_eq!(ready(&epoll), []);
        let number = reader.as_raw_fd();
        drop(reader);
        assert_eq!(epoll.delete(number), Ok(()));
    }
}
