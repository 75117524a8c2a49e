//! The requests of clients over the socket.

use std::ffi::CStr;

use common::quantity::SECONDS;
use common::supervise::Control;
use common::{Text, process, procfs, signals};
use nix::errno::Errno;
use nix::unistd::fchdir;

use super::{Supervisor, Way, one_of};
use crate::svrun::clients::{Condition, Input, status};
use crate::svrun::machine::Want;
use crate::svrun::order::Ask;
use crate::svrun::pipe::Pipe;

impl Supervisor {
    /// Answers a client's lines.
    #[inline(never)] // its buffers would be part of the frame that waits
    pub(super) fn serve(&mut self, i: usize) {
        loop {
            match self.world.clients.line(i) {
                Input::Nothing => return,
                Input::TooLong => {
                    self.world.clients.refuse(i, b"too long");
                    self.world.clients.drop(i);
                }
                Input::Line(line, late) => self.answer(i, line.bytes(), late),
            }
        }
    }

    fn answer(&mut self, i: usize, line: &[u8], late: [Option<Ask>; 2]) {
        let (logger, line) = match line.strip_prefix(b"log ") {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        if logger && self.logger.is_none() {
            return self.world.clients.refuse(i, b"no log");
        }
        let mut words = line.split(|b| *b == b' ').filter(|word| !word.is_empty());
        let list = [words.next(), words.next(), words.next(), words.next()];
        let control = match list {
            [Some(b"status"), None, ..] => {
                self.save(); // the files are never behind an answer
                return self.reply(i, logger, None);
            }
            [Some(b"events"), None, ..] => {
                self.save();
                if let Some(process) = one_of(&self.service, self.logger.as_ref(), logger) {
                    self.world.clients.follow(i, process);
                }
                return;
            }
            [Some(b"wait"), Some(condition), seconds, None] => {
                return self.wait(i, logger, condition, seconds);
            }
            [Some(b"upgrade"), None, ..] if !logger => return self.upgrade(i),
            [Some(b"exit"), None, ..] if logger => return self.world.clients.refuse(i, b"not for the log"),
            [Some(b"signal"), Some(name), None, _] => match signals::parse(name) {
                Some(signal) => Some(Control::Signal(signal)),
                None => return self.world.clients.refuse(i, b"unknown signal"),
            },
            [Some(word), None, ..] => Control::from_word(word),
            _ => None,
        };
        let Some(control) = control else {
            self.world.clients.refuse(i, b"unknown command");
            return self.world.clients.drop(i);
        };
        let signal = matches!(control, Control::Signal(_));
        if signal
            && one_of(&self.service, self.logger.as_ref(), logger)
                .is_none_or(|process| process.machine.pid == 0)
        {
            return self.world.clients.refuse(i, b"not running");
        }
        if control == Control::Exit {
            self.world.clients.keep(i);
        }
        self.ask(logger, control, late[usize::from(logger)], Some(Way::Client(i)));
        self.save();
        self.reply(i, logger, control.letter().filter(|_| signal));
    }

    /// Answers with the state, once a start that is under way is over, and the control script of this letter.
    fn reply(&mut self, i: usize, logger: bool, letter: Option<u8>) {
        let Some(process) = one_of(&self.service, self.logger.as_ref(), logger) else { return };
        if process.machine.preparing() || letter.is_some_and(|letter| process.machine.asks(letter)) {
            return self.world.clients.wait(i, Condition::Settled(letter), None, process);
        }
        let mut status = status(process, self.world.clients.has_logger);
        self.world.clients.send(i, status.line());
    }

    fn wait(&mut self, i: usize, logger: bool, condition: &[u8], seconds: Option<&[u8]>) {
        let condition = match condition {
            b"up" => Condition::Up,
            b"down" => Condition::Down,
            b"finished" => Condition::Finished,
            b"ready" => Condition::Ready,
            _ => return self.world.clients.refuse(i, b"unknown command"),
        };
        let milliseconds = match seconds.map(|text| SECONDS.parse(text)) {
            None => None,
            Some(Some(milliseconds)) => Some(milliseconds),
            Some(None) => return self.world.clients.refuse(i, b"not a number of seconds"),
        };
        if let Some(process) = one_of(&self.service, self.logger.as_ref(), logger) {
            self.world.clients.wait(i, condition, milliseconds, process);
        }
    }

    /// Becomes the program that is now in our own file's place. The children stay ours, and the lock is free
    /// for the moment that the exec takes.
    fn upgrade(&mut self, i: usize) {
        // The next program would begin anew, and stay.
        if self.told.exit || self.told.leave || self.service.machine.want == Want::Exit {
            return self.world.clients.refuse(i, b"unable to upgrade: leaving");
        }
        // What we know of them dies with this program.
        self.bury([false; 2]);
        if self.service.machine.scripted() {
            return self.world.clients.refuse(i, b"unable to upgrade: a control script runs, try again");
        }
        self.save();
        let mut path = Text::<512>::new();
        let become_it = |path: &CStr| -> nix::Result<Errno> {
            fchdir(&self.origin)?;
            // With -k a pipe that is handed on would be the service's too.
            let closes = !self.words.clone().any(|word| word == c"-k");
            let notify = self.service.notify.hand_on(closes)?;
            let pipe = self.world.pipe.as_ref().filter(|_| closes).map(Pipe::hand_on).transpose()?;
            // Clients see their end: the new program listens in a moment.
            let errno = process::execve(path, &self.words, &self.world.env);
            for handed in pipe.into_iter().chain(notify.into_iter().rev().flatten()) {
                handed.take_back()?;
            }
            Err(errno)
        };
        let errno = match own_path(&mut path).and_then(become_it) {
            Ok(never) => never,
            Err(errno) => errno,
        };
        if let Err(errno) = fchdir(&self.service.folder) {
            self.world.voice.unable(&[b"change back to the service directory"], errno);
        }
        let mut why = Text::<128>::of("unable to execute the supervisor's file: ");
        self.world.clients.refuse(i, why.errno(errno).bytes());
    }
}

/// The path of our own file: of what is there now, if it was replaced.
fn own_path(buffer: &mut Text<512>) -> nix::Result<&CStr> {
    let path = procfs::This::open()?.path(c"exe")?;
    let path = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str());
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    buffer.add(path).add("\0");
    CStr::from_bytes_with_nul(buffer.bytes()).map_err(|_| Errno::ENAMETOOLONG)
}
