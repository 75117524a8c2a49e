//! The socket of a supervisor: lines of words to it, lines of JSON back.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use common::poll::{POLLIN, poll, pollfd, watch};
use common::socket::send;
use common::{door, supervise};
use nix::errno::Errno;
use nix::unistd::read;

use super::names::Names;
use super::place::Place;

/// More bytes than any answer has.
const LONGEST: usize = 1 << 16;

/// The other end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum To {
    /// The supervisor of the service.
    Service,
    /// The tree that hosts it.
    Tree,
}

/// A connection.
pub(super) struct Conn {
    fd: OwnedFd,
    buffer: Vec<u8>,
    /// How many bytes of it were given out.
    read: usize,
    to: To,
    /// What stands before each request.
    prefix: String,
    /// The last request could not be sent.
    unsent: bool,
}

/// A line or the end of a connection.
#[derive(Debug)]
pub(super) enum Received {
    Line(String),
    /// Nothing yet.
    Nothing,
    /// The supervisor closed it.
    End,
    /// It closed it and has not read the last request: it needs the place for another client.
    Unread,
}

impl Conn {
    /// Connects to the supervisor of a service, by its own socket or else by that of its tree; `None` where there is
    /// none, or none for us.
    pub(super) fn open(place: &Place) -> Option<Self> {
        Self::to_service(place).or_else(|| Self::to_host(place))
    }

    /// Connects by the socket of the service alone.
    pub(super) fn to_service(place: &Place) -> Option<Self> {
        // Whatever the error, there is another way.
        let fd = place.connect().ok()?;
        Some(Self::new(fd, To::Service, place.part.prefix().to_owned()))
    }

    /// Connects by the socket of the tree alone.
    pub(super) fn to_host(place: &Place) -> Option<Self> {
        let host = place.host.as_ref()?;
        // As above.
        let fd = host.connect().ok()?;
        Some(Self::new(fd, To::Tree, host.prefix() + place.part.prefix()))
    }

    /// Connects to the tree of SVDIR itself.
    pub(super) fn to_tree(names: &Names) -> nix::Result<Self> {
        let tree = names.tree()?;
        Ok(Self::new(door::socket(tree.as_fd(), supervise::SOCKET)?, To::Tree, String::new()))
    }

    fn new(fd: OwnedFd, to: To, prefix: String) -> Self {
        Self { fd, buffer: Vec::new(), read: 0, to, prefix, unsent: false }
    }

    /// The other end.
    pub(super) fn to(&self) -> To {
        self.to
    }

    /// Sends a request. A failure shows as the end of the connection.
    pub(super) fn send(&mut self, request: &str) {
        let line = format!("{}{request}\n", self.prefix);
        self.unsent = send(self.fd.as_fd(), line.as_bytes()).is_err();
    }

    /// The next line, if it is there.
    pub(super) fn receive(&mut self) -> Received {
        loop {
            let new = &self.buffer[self.read..];
            if let Some(end) = new.iter().position(|b| *b == b'\n') {
                self.read += end + 1;
                return Received::Line(String::from_utf8_lossy(&new[..end]).into_owned());
            }
            self.buffer.drain(..self.read);
            self.read = 0;
            let mut part = [0; 1 << 14];
            match read(&self.fd, &mut part) {
                Ok(count) if count > 0 && self.buffer.len() < LONGEST => self.buffer.extend(&part[..count]),
                Ok(count) if count > 0 => return Received::Line(String::new()), // longer than any answer
                Err(Errno::EAGAIN) => return Received::Nothing,
                Err(Errno::EINTR) => {}
                // So Linux says that a peer has closed a socket with something unread in it.
                Err(Errno::ECONNRESET) => return Received::Unread,
                _ if self.unsent => return Received::Unread,
                _ => return Received::End,
            }
        }
    }

    /// The answer to a request; `None` if there is none in time.
    pub(super) fn ask(&mut self, request: &str, limit: Duration) -> Option<String> {
        self.send(request);
        self.next(Instant::now() + limit)
    }

    /// The next line; `None` if there is none in time.
    pub(super) fn next(&mut self, end: Instant) -> Option<String> {
        loop {
            match self.receive() {
                Received::Line(line) => return Some(line),
                Received::End | Received::Unread => return None,
                Received::Nothing => {
                    let left = end.checked_duration_since(Instant::now())?;
                    wait(&mut [watch(self.fd(), POLLIN)], left);
                }
            }
        }
    }

    /// To wait for the next line.
    pub(super) fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Waits until one of these is ready, at most this long. A signal may end it earlier.
pub(super) fn wait(fds: &mut [pollfd], limit: Duration) {
    let milliseconds = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    // Rounded up. Where it fails, the caller looks at its fds all the same.
    let _ = poll(fds, Some(milliseconds.saturating_add(1)));
}
