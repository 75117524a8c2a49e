//! The socket of a supervisor: lines of words to it, lines of JSON back.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use common::poll::{POLLIN, poll, pollfd, watch};
use common::socket::send;
use common::supervise::Part;
use nix::errno::Errno;
use nix::unistd::read;

use super::place::Place;

/// More bytes than any answer has.
const LONGEST: usize = 1 << 16;

/// A connection.
pub(super) struct Conn {
    fd: OwnedFd,
    buffer: Vec<u8>,
    part: Part,
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
    /// Connects to the supervisor of a service; `None` where it has no socket, or none for us.
    pub(super) fn open(place: &Place) -> Option<Self> {
        // Whatever the error, there is another way.
        let fd = place.connect().ok()?;
        Some(Self { fd, buffer: Vec::new(), part: place.part, unsent: false })
    }

    /// Sends a request for the service or for its log. A failure shows as the end of the connection.
    pub(super) fn send(&mut self, request: &str) {
        let line = format!("{}{request}\n", self.part.prefix());
        self.unsent = send(self.fd.as_fd(), line.as_bytes()).is_err();
    }

    /// The next line, if it is there.
    pub(super) fn receive(&mut self) -> Received {
        loop {
            if let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Received::Line(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            let mut part = [0; 1024];
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
        let end = Instant::now() + limit;
        self.send(request);
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
