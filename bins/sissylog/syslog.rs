//! The way to syslogd: the socket /dev/log.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use common::Voice;
use common::clock::monotonic;
use common::socket::{connect, connect_datagrams, send};
use nix::errno::Errno;

const PATH: &[u8] = b"/dev/log";

/// The pause before the next look for a syslogd that does not run, in milliseconds.
const PAUSE: u64 = 1000;

/// The result of sending a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sent {
    /// Syslogd has it.
    All,
    /// Syslogd is slow, or stopped: there is more to send when there is room behind this fd.
    NoRoom(RawFd),
    /// Syslogd cannot be reached; the next attempt is in this many milliseconds.
    Away(u64),
    /// It is too long.
    TooLong,
}

enum Socket {
    Datagrams(OwnedFd),
    /// And how much of the present message has been sent.
    Stream(OwnedFd, usize),
}

pub(super) struct Syslog {
    voice: Voice,
    socket: Option<Socket>,
    /// No attempt before then: monotonic, ms.
    retry_at: u64,
    /// The last error that was reported.
    reported: Option<Errno>,
}

impl Syslog {
    pub(super) fn new(voice: Voice) -> Self {
        Self { voice, socket: None, retry_at: 0, reported: None }
    }

    /// Sends a message, or the rest of it: the message must stay the same until it is sent or refused. It ends
    /// in a NUL, which is sent where messages come in a stream.
    pub(super) fn send(&mut self, message: &[u8]) -> Sent {
        let mut old = self.socket.is_some();
        loop {
            if let Some(pause) = self.pause() {
                return Sent::Away(pause);
            }
            match self.try_to_send(message) {
                Ok(sent) => return sent,
                // Syslogd has ended, and it may have been started again.
                Err(Errno::ECONNREFUSED | Errno::ECONNRESET | Errno::ENOTCONN | Errno::EPIPE) if old => {
                    self.socket = None;
                    old = false;
                }
                Err(errno) => return Sent::Away(self.give_up(errno)),
            }
        }
    }

    /// The milliseconds until the next attempt.
    fn pause(&self) -> Option<u64> {
        if self.socket.is_some() {
            return None;
        }
        self.retry_at.checked_sub(monotonic()).filter(|pause| *pause > 0)
    }

    /// Puts off the next attempt. Returns the milliseconds until then.
    pub(super) fn give_up(&mut self, errno: Errno) -> u64 {
        self.socket = None;
        self.retry_at = monotonic() + PAUSE;
        if self.reported.replace(errno) != Some(errno) {
            self.voice.unable(&[b"reach /dev/log"], errno);
        }
        PAUSE
    }

    fn try_to_send(&mut self, message: &[u8]) -> nix::Result<Sent> {
        if self.socket.is_none() {
            self.socket = Some(match connect_datagrams(PATH) {
                Err(Errno::EPROTOTYPE) => Socket::Stream(connect(PATH)?, 0),
                other => Socket::Datagrams(other?),
            });
        }
        let sent = match &mut self.socket {
            Some(Socket::Datagrams(socket)) => {
                let text = message.strip_suffix(b"\0").unwrap_or(message);
                match send(socket.as_fd(), text) {
                    Err(Errno::EAGAIN) => Sent::NoRoom(socket.as_raw_fd()),
                    Err(Errno::EMSGSIZE) => Sent::TooLong,
                    other => other.map(|_| Sent::All)?,
                }
            }
            Some(Socket::Stream(socket, gone)) => loop {
                match send(socket.as_fd(), &message[*gone..]) {
                    Err(Errno::EAGAIN) => break Sent::NoRoom(socket.as_raw_fd()),
                    other => *gone += other?,
                }
                if *gone == message.len() {
                    *gone = 0;
                    break Sent::All;
                }
            },
            None => return Err(Errno::ENOTCONN),
        };
        if sent == Sent::All {
            self.reported = None;
        }
        Ok(sent)
    }
}
