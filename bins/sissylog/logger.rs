//! The loop: reads lines, sends messages, and consumes the lines that are sent. In each round the pipe comes
//! before the signals: bytes that are in it when a signal is seen were there before the signal, and are sent.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use common::clock::monotonic;
use common::input::{Input, Look, Room};
use common::level::{NOTICE, level};
use common::poll::{POLLIN, POLLOUT, poll, poll_for, watch};
use common::{Text, Voice, signals};
use nix::errno::Errno;

use super::header::Header;
use super::line::Line;
use super::message::{IDENT, LEAST, LIMIT, Message, whole};
use super::service::Service;
use super::syslog::{Sent, Syslog};

/// The signals that end it.
pub(super) const ENDS: [i32; 2] = [signals::TERM, signals::INT];

/// How long to wait at the end for a syslogd that reads nothing, in milliseconds.
const PATIENCE: u64 = 1000;

/// What the command line asks for.
pub(super) struct Options {
    pub(super) ident: Text<IDENT>,
    pub(super) facility: u8,
    /// Whether the pid of the service follows the ident.
    pub(super) pid: bool,
    /// Whether to say in syslog why the logger ends.
    pub(super) last_word: bool,
}

/// What to wait for before more can be sent.
enum Wait {
    /// Room behind this fd.
    Room(RawFd),
    /// This many milliseconds.
    Time(u64),
    /// More input.
    Input,
}

/// The result of a look at the input.
#[derive(PartialEq)]
enum Seen {
    /// Something to send.
    Lines,
    /// Nothing, or a line that is not finished.
    Nothing,
    /// The end.
    End,
}

/// Why it ends.
enum End {
    Input,
    Signal(i32),
}

pub(super) struct Logger {
    voice: Voice,
    signals: OwnedFd,
    input: Input,
    syslog: Syslog,
    service: Service,
    /// Whether the pid of the service follows the ident.
    pid: bool,
    /// Whether to say in syslog why the logger ends.
    last_word: bool,
    header: Header,
    /// The bytes that a text has at most.
    limit: usize,
    line: Option<Line>,
    /// The piece of the line that is to be sent next, or nothing.
    message: Message,
    /// The level of a line whose first parts have been sent and taken.
    long: Option<u8>,
    /// How many bytes have been taken from the input.
    taken: u64,
    /// Since when syslogd has had no room: monotonic, ms.
    full_since: Option<u64>,
}

impl Logger {
    pub(super) fn new(options: Options, voice: Voice, signals: OwnedFd, input: Input) -> Self {
        let Options { ident, facility, pid, last_word } = options;
        Self {
            syslog: Syslog::new(voice),
            voice,
            signals,
            input,
            service: Service::default(),
            pid,
            last_word,
            header: Header::new(facility, ident),
            limit: LIMIT,
            line: None,
            message: Message::new(),
            long: None,
            taken: 0,
            full_since: None,
        }
    }

    /// Sends lines until the input or a signal ends it. Returns the exit status.
    pub(super) fn run(mut self) -> i32 {
        let mut status = 0;
        let end = self.serve().and_then(|end| {
            if let End::Signal(_) = end {
                status = self.leave()?;
            }
            Ok(end)
        });
        match end {
            Ok(End::Input) => self.last_word(&["end of input"]),
            Ok(End::Signal(signal)) => self.last_word(&["SIG", signals::name(signal).unwrap_or("")]),
            Err(errno) => {
                self.voice.fatal(&[b"read the standard input"], errno);
                self.last_word(&["trouble with the input"]);
                return 111;
            }
        }
        status
    }

    fn serve(&mut self) -> nix::Result<End> {
        // There may be more than one look has seen.
        let mut at_once = true;
        loop {
            let wait = self.work()?;
            let (mut input, mut room, mut timeout) = (-1, -1, None);
            match wait {
                Wait::Room(fd) => room = fd,
                Wait::Time(time) => timeout = Some(Duration::from_millis(time)),
                Wait::Input if at_once => timeout = Some(Duration::ZERO),
                Wait::Input => (input, timeout) = (self.input.watched(), self.input.patience()),
            }
            let signals = watch(self.signals.as_raw_fd(), POLLIN);
            let mut events = [signals, watch(input, POLLIN), watch(room, POLLOUT)];
            poll_for(&mut events, timeout)?;
            if events[0].revents != 0 {
                if let Some(signal) = signals::next(self.signals.as_fd()).next() {
                    return Ok(End::Signal(signal));
                }
            }
            if let Wait::Input = wait {
                at_once = match self.see()? {
                    Seen::Lines => true,
                    Seen::Nothing => false,
                    Seen::End => return Ok(End::Input),
                };
            }
        }
    }

    /// Looks at the input, and begins with a line that is not finished where that is to be sent.
    fn see(&mut self) -> nix::Result<Seen> {
        match self.input.look()? {
            Look::End => return Ok(Seen::End),
            Look::Nothing => return Ok(Seen::Nothing),
            Look::Bytes => {}
        }
        if self.pid {
            self.header.set_pid(self.service.pid(self.voice));
        }
        if self.has_line() {
            return Ok(Seen::Lines);
        }
        let room = self.input.look_further();
        if self.has_line() {
            return Ok(Seen::Lines);
        }
        let bytes = self.input.bytes();
        if room == Room::Full {
            let length = Some(whole(bytes)).filter(|whole| *whole > 0).unwrap_or(bytes.len());
            self.begin_part(length);
        } else if self.input.is_closed() {
            let length = self.input.bytes().len();
            self.begin(length);
        } else {
            return Ok(Seen::Nothing);
        }
        Ok(Seen::Lines)
    }

    /// Whether a finished line has been seen.
    fn has_line(&mut self) -> bool {
        self.input.bytes().contains(&b'\n')
    }

    /// Begins with the line in the first `end` bytes, or with the last part of one; a newline may follow.
    fn begin(&mut self, end: usize) {
        self.begin_with(end);
        self.long = None;
    }

    /// Begins with the first `end` bytes, a part of a line that goes on.
    fn begin_part(&mut self, end: usize) {
        self.long = Some(self.begin_with(end));
    }

    /// Returns the level of the line.
    fn begin_with(&mut self, end: usize) -> u8 {
        let bytes = self.input.bytes();
        let newline = usize::from(bytes.get(end) == Some(&b'\n'));
        let continued = self.long.is_some();
        let (level, text) = match self.long {
            Some(level) => (level, &bytes[..end]),
            None => level(&bytes[..end]),
        };
        let next = end - text.len();
        self.line = Some(Line::new(level, continued, next, end, end + newline));
        level
    }

    /// Sends lines while there are any and syslogd takes them.
    fn work(&mut self) -> nix::Result<Wait> {
        loop {
            if let Some(wait) = self.send()? {
                return Ok(wait);
            }
            match self.input.bytes().iter().position(|byte| *byte == b'\n') {
                Some(end) => self.begin(end),
                None => return Ok(Wait::Input),
            }
        }
    }

    /// Sends the line that was begun, if one was, and takes it from the input.
    fn send(&mut self) -> nix::Result<Option<Wait>> {
        while self.write_piece() {
            match self.syslog.send(self.message.bytes()) {
                Sent::All => {
                    self.message.clear();
                    self.full_since = None;
                    self.line.iter_mut().for_each(Line::piece_sent);
                }
                Sent::NoRoom(fd) => {
                    self.full_since.get_or_insert_with(monotonic);
                    return Ok(Some(Wait::Room(fd)));
                }
                Sent::Away(time) => return Ok(Some(Wait::Time(time))),
                Sent::TooLong => {
                    self.message.clear();
                    if self.limit / 2 <= LEAST {
                        self.limit = LIMIT; // for the next syslogd
                        return Ok(Some(Wait::Time(self.syslog.give_up(Errno::EMSGSIZE))));
                    }
                    self.limit /= 2;
                }
            }
        }
        if let Some(line) = self.line.take() {
            self.input.consume(line.size(), None)?;
            self.taken += line.size() as u64;
        }
        Ok(None)
    }

    /// Writes the next message of the line, unless it is written. False if there is none.
    fn write_piece(&mut self) -> bool {
        let Self { line, message, header, input, limit, .. } = self;
        line.as_mut().is_some_and(|line| line.write_piece(message, header, input.bytes(), *limit))
    }

    /// After a signal: sends what no other logger would. Returns the exit status.
    fn leave(&mut self) -> nix::Result<i32> {
        let sent = self.send_what_is_there()?;
        if self.waiting() == 0 || !self.input.is_only_reader() {
            return Ok(0);
        }
        // Nobody else will send it.
        if sent && self.work_with_patience()? {
            let rest = self.input.bytes().len();
            if rest > 0 {
                self.begin(rest);
                self.work_with_patience()?;
            }
        }
        let lost = self.waiting();
        if lost == 0 {
            return Ok(0);
        }
        let mut count = Text::<24>::new();
        count.number(lost as u64);
        self.voice.fatal(&[count.bytes(), b" bytes of the input were not sent and are lost"], None);
        Ok(111)
    }

    /// Sends what is in the input now, as far as lines are finished. Whether syslogd has taken it.
    fn send_what_is_there(&mut self) -> nix::Result<bool> {
        let end = self.taken + self.waiting() as u64;
        loop {
            if !self.work_with_patience()? {
                return Ok(false);
            }
            if self.taken >= end || self.see()? != Seen::Lines {
                return Ok(true);
            }
        }
    }

    /// As [`Logger::work`], but waits for a slow syslogd. Whether it takes all lines.
    fn work_with_patience(&mut self) -> nix::Result<bool> {
        loop {
            match self.work()? {
                Wait::Input => return Ok(true),
                Wait::Time(_) => return Ok(false),
                Wait::Room(fd) => {
                    let since = self.full_since.unwrap_or_else(monotonic);
                    let mut room = [watch(fd, POLLOUT)];
                    let time = (since + PATIENCE).saturating_sub(monotonic());
                    if poll(&mut room, Some(time))? && room[0].revents == 0 {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// How many bytes of the input are still to be sent.
    fn waiting(&mut self) -> usize {
        let read = if self.input.is_pipe() { 0 } else { self.input.bytes().len() };
        read + self.input.unread()
    }

    /// Says in syslog why the logger ends, if that is wanted, and possible without waiting.
    fn last_word(&mut self, reason: &[&str]) {
        if !self.last_word || self.line.is_some() {
            return;
        }
        self.header.write(&mut self.message, NOTICE);
        self.message.add("sissylog ends: ");
        for part in reason {
            self.message.add(part);
        }
        self.message.add("\0");
        let _ = self.syslog.send(self.message.bytes()); // it is said only where that is possible at once
    }
}
