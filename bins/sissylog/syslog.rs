//! The way to syslogd: the socket /dev/log.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use common::Voice;
use common::clock::monotonic;
use common::socket::{connect, connect_datagrams, send};
use nix::errno::Errno;

const PATH: &[u8] = b"/dev/log";

/// How long to wait for a syslogd that is not there before the next look, in milliseconds.
const PAUSE: u64 = 1000;

/// What has become of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sent {
    /// It is syslogd's.
    All,
    /// Syslogd is not so fast, or stopped: it can go on when there is room behind this fd.
    NoRoom(RawFd),
    /// Syslogd is not there; the next attempt is in so many milliseconds.
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
    /// Not to be tried before.
    again: u64,
    /// What was said last of why it is not there.
    said: Option<Errno>,
}

impl Syslog {
    pub(super) fn new(voice: Voice) -> Self {
        Self { voice, socket: None, again: 0, said: None }
    }

    /// Sends a message, or goes on with it: until it is sent, or cannot be, it must be the same. It ends in a
    /// NUL, which is sent where messages come in a stream.
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

    /// How long it is to the next attempt, in milliseconds.
    fn pause(&self) -> Option<u64> {
        if self.socket.is_some() {
            return None;
        }
        self.again.checked_sub(monotonic()).filter(|pause| *pause > 0)
    }

    /// Leaves syslogd alone until the next attempt: in so many milliseconds.
    pub(super) fn give_up(&mut self, errno: Errno) -> u64 {
        self.socket = None;
        self.again = monotonic() + PAUSE;
        if self.said.replace(errno) != Some(errno) {
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
            self.said = None;
        }
        Ok(sent)
    }
}
