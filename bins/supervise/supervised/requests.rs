//! The requests of clients over the socket.

use common::quantity::SECONDS;
use common::signals;
use common::supervise::Control;

use super::{Next, Supervised, Way};
use crate::supervise::access::NOT_PERMITTED;
use crate::supervise::clients::{Condition, Input};
use crate::supervise::machine::Want;
use crate::supervise::now::Now;
use crate::supervise::order::Ask;
use common::supervise::Part;

impl Supervised {
    /// Answers a client's lines.
    #[inline(never)] // its buffers would be part of the frame that waits
    pub(super) fn serve(&mut self, i: usize, now: Now) {
        loop {
            match self.clients.line(i) {
                Input::Nothing => return,
                Input::TooLong => {
                    self.clients.refuse(i, b"too long");
                    self.clients.drop(i);
                }
                Input::Line(line, late) => self.answer(i, line.bytes(), late, now),
            }
        }
    }

    fn answer(&mut self, i: usize, line: &[u8], late: [Option<Ask>; 2], now: Now) {
        let (part, line) = match line.strip_prefix(Part::Log.prefix().as_bytes()) {
            Some(rest) => (Part::Log, rest),
            None => (Part::Service, line),
        };
        let Some(process) = self.parts.get(part) else {
            return self.clients.refuse(i, b"no log");
        };
        if !self.clients.may_ask(i, line) {
            return self.clients.refuse(i, NOT_PERMITTED);
        }
        let runs = process.machine.pid != 0;
        let mut words = line.split(|b| *b == b' ').filter(|word| !word.is_empty());
        let list = [words.next(), words.next(), words.next(), words.next()];
        let control = match list {
            [Some(b"status"), None, ..] => {
                self.save(now); // the files are never behind an answer
                return self.reply(i, part, None, now);
            }
            [Some(b"events"), None, ..] => {
                self.save(now);
                if let Some(view) = self.parts.view(part, &self.shared) {
                    self.clients.follow(i, &view, now);
                }
                return;
            }
            [Some(b"wait"), Some(condition), seconds, None] => {
                return self.wait(i, part, condition, seconds, now);
            }
            [Some(b"upgrade"), None, ..] if part == Part::Service => return self.clients.upgrade(i),
            [Some(b"exit"), None, ..] if part == Part::Log => {
                return self.clients.refuse(i, b"not for the log");
            }
            [Some(b"signal"), Some(name), None, _] => match signals::parse(name) {
                Some(signal) => Some(Control::Signal(signal)),
                None => return self.clients.refuse(i, b"unknown signal"),
            },
            [Some(word), None, ..] => Control::from_word(word),
            _ => None,
        };
        let Some(control) = control else { return self.unknown(i) };
        if control == Control::Reload {
            return self.reload(i, part, now);
        }
        let signal = matches!(control, Control::Signal(_));
        if signal && !runs {
            self.save(now);
            return self.clients.refuse(i, b"not running");
        }
        if control == Control::Exit {
            self.clients.keep(i);
        }
        self.ask(part, control, late[part as usize], Some(Way::Client(i)), now);
        self.save(now);
        self.reply(i, part, control.letter().filter(|_| signal), now);
    }

    /// Reloads a part, and answers once that is done.
    fn reload(&mut self, i: usize, part: Part, now: Now) {
        let done = |this: &Self| this.parts.get(part).map_or(0, |process| process.machine.reload.done);
        let before = done(self);
        self.ask(part, Control::Reload, None, None, now);
        let last = self.parts.get(part).map_or(0, |process| process.machine.reload.last());
        self.save(now);
        if last == before {
            return self.clients.refuse(i, b"not running");
        }
        if let Some(view) = self.parts.view(part, &self.shared) {
            self.clients.wait(i, Condition::Reloaded(last), None, &view, now);
        }
    }

    /// Answers with the state, once a start that is under way is over, and the control script of this letter.
    fn reply(&mut self, i: usize, part: Part, letter: Option<u8>, now: Now) {
        let Some(view) = self.parts.view(part, &self.shared) else { return };
        let settled = Condition::Settled(letter);
        if settled.holds(&view) {
            self.clients.show(i, &view, now);
        } else {
            self.clients.wait(i, settled, None, &view, now);
        }
    }

    /// A request with an unknown command, or unknown arguments, is the last of its connection.
    fn unknown(&mut self, i: usize) {
        self.clients.refuse(i, b"unknown command");
        self.clients.drop(i);
    }

    fn wait(&mut self, i: usize, part: Part, condition: &[u8], seconds: Option<&[u8]>, now: Now) {
        let condition = match condition {
            b"up" => Condition::Up,
            b"down" => Condition::Down,
            b"finished" => Condition::Finished,
            b"ready" => Condition::Ready,
            _ => return self.unknown(i),
        };
        let milliseconds = match seconds.map(|text| SECONDS.parse(text)) {
            None => None,
            Some(Some(milliseconds)) => Some(milliseconds),
            Some(None) => return self.clients.refuse(i, b"not a number of seconds"),
        };
        if let Some(view) = self.parts.view(part, &self.shared) {
            self.clients.wait(i, condition, milliseconds, &view, now);
        }
    }

    /// Makes ready for the upgrade that a client has asked for, if one has: all is written that the next program has
    /// to know.
    pub(super) fn prepare_upgrade(&mut self, now: Now) -> Option<Next> {
        let i = self.clients.upgrading()?;
        match self.make_ready_for_upgrade(now) {
            Ok(()) => Some(Next::Upgrade(i)),
            Err(why) => {
                self.clients.refuse_upgrade(i, why.as_bytes());
                Some(Next::Again)
            }
        }
    }

    /// Makes ready for an upgrade: all is written that the next program has to know. Why there can be none now.
    pub(crate) fn make_ready_for_upgrade(&mut self, now: Now) -> Result<(), &'static str> {
        // The next program would start from the beginning, and stay.
        let leaves = self.asked.stop || self.asked.leave || self.parts.service.machine.want == Want::Exit;
        if !leaves {
            // What we know of them dies with this program.
            self.bury([false; 2], now);
        }
        match () {
            () if leaves => return Err("unable to upgrade: leaving"),
            () if !self.is_adoptable() => return Err("unable to upgrade: this service cannot be adopted"),
            () if self.parts.service.machine.scripted() => {
                return Err("unable to upgrade: a control script runs, try again");
            }
            () if self.parts.iter().any(|process| process.machine.reload.is_awaited()) => {
                return Err("unable to upgrade: a reload is under way, try again");
            }
            () => {}
        }
        self.save(now);
        Ok(())
    }

    /// The program could not become another, which it was to do for a client.
    pub(crate) fn refuse_upgrade(&mut self, client: usize, why: &[u8]) {
        self.clients.refuse_upgrade(client, why);
    }
}
