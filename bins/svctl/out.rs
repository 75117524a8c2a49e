//! The output: a line for each service, or an object, and hints for people.

use std::io::stderr;
use std::os::fd::AsRawFd;

use common::poll::{POLLOUT, poll, watch};
use common::supervise::key;
use common::{Exit, OrFail, fds, shown};
use nix::errno::Errno;
use nix::unistd::write;

use super::failure::{Failure, Sign, words};
use super::hint::advice;
use super::json::{self, Value, of_service};
use super::place::Place;
use super::status::{State, Status};
use super::style::Style;

/// How results are printed, and how many were failures.
pub(super) struct Out {
    pub(super) style: Style,
    pub(super) json: bool,
    failed: i32,
    /// Those that were given: nobody needs one twice.
    hints: Vec<String>,
    /// Whether problems are not reported.
    quiet: bool,
}

impl Out {
    pub(super) fn new(style: Style, json: bool) -> Self {
        Self { style, json, failed: 0, hints: Vec::new(), quiet: false }
    }

    /// For one who looks again and again at what was reported once.
    pub(super) fn quiet() -> Self {
        Self { quiet: true, ..Self::new(Style::Svctl, false) }
    }

    /// The exit status: how many services failed.
    pub(super) fn exit(&self) -> Exit {
        Exit::answer(self.failed.min(99), "")
    }

    /// The exit status of a health check, which has two.
    pub(super) fn health(&self) -> Exit {
        Exit::answer(self.failed.min(1), "")
    }

    /// Counts a failure.
    pub(super) fn failed(&mut self) {
        self.failed += 1;
    }

    /// A command is done for a service.
    pub(super) fn done(&self, sign: &str, place: &Place, status: &Status) -> Result<(), Exit> {
        if self.json {
            return print(of_service(&place.name, &status.said).as_bytes());
        }
        print(&[sign.as_bytes(), &self.line(&place.name, place, status), b"\n"].concat())
    }

    /// A command has not reached its goal in time; `last` is how the last run ended, empty where that does not
    /// matter.
    pub(super) fn late(
        &mut self,
        sign: &str,
        place: &Place,
        status: &Status,
        last: &str,
    ) -> Result<(), Exit> {
        self.failed += 1;
        let line = [sign.as_bytes(), &self.line(&place.name, place, status)].concat();
        if self.style == Style::Svctl {
            return print(&[&line, last.as_bytes(), b"\n"].concat());
        }
        // sv's line has no place for it.
        if let Some(last) = last.strip_prefix(", ") {
            complain(format!("warning: {}: {last}\n", shown(&place.name)).as_bytes());
        }
        print(&[&line[..], b"\n"].concat())
    }

    /// A service has no supervisor any more, as was asked for.
    pub(super) fn gone(&self, place: &Place) -> Result<(), Exit> {
        if self.json {
            return print(of_service(&place.name, &json::gone()).as_bytes());
        }
        let reason = Failure::gone().reason(self.style.dialect());
        print(format!("ok: {}: {reason}\n", shown(&place.name)).as_bytes())
    }

    /// A service is enabled or disabled, in a word.
    pub(super) fn turned(&self, name: &[u8], word: &str) -> Result<(), Exit> {
        if self.json {
            return print(of_service(name, &json::enabled(word == "enabled")).as_bytes());
        }
        print(format!("ok: {}: {word}\n", shown(name)).as_bytes())
    }

    /// A tree has looked at its directory, and says how many services it has.
    pub(super) fn counted(&self, directory: &[u8], said: &Value) -> Result<(), Exit> {
        if self.json {
            return print(of_service(directory, said).as_bytes());
        }
        let count = said.get(key::SERVICES).digits();
        print(format!("ok: {}: {count} services\n", shown(directory)).as_bytes())
    }

    /// A status in one line, that of `place` under this name.
    pub(super) fn line(&self, name: &[u8], place: &Place, status: &Status) -> Vec<u8> {
        status.line(name, self.normally_up(name, place), self.style.dialect())
    }

    /// Whether a service is up without a command, if that can be known.
    fn normally_up(&self, name: &[u8], place: &Place) -> Option<bool> {
        match place.has(c"down") {
            Ok(down) => Some(!down),
            Err(errno) => {
                let reason = words(errno, self.style.dialect());
                complain(format!("warning: unable to stat {}/down: {reason}\n", shown(name)).as_bytes());
                None
            }
        }
    }

    /// A command failed for a service.
    pub(super) fn failure(&mut self, place: &Place, failure: &Failure) -> Result<(), Exit> {
        self.report(&place.name, failure, advice(failure, place))
    }

    /// There is no service of this name.
    pub(super) fn not_found(&mut self, name: &[u8], failure: &Failure) -> Result<(), Exit> {
        self.report(name, failure, failure.hint.clone())
    }

    fn report(&mut self, name: &[u8], failure: &Failure, hint: Option<String>) -> Result<(), Exit> {
        self.failed += 1;
        if self.quiet {
            return Ok(());
        }
        let reason = failure.reason(self.style.dialect());
        if self.json {
            let said = json::failure(reason.as_bytes(), hint.as_deref());
            return print(of_service(name, &said).as_bytes());
        }
        // sv warns where it cannot tell; that there is no supervisor is a failure.
        let sign = if self.style == Style::Svctl && failure.is_gone() { Sign::Fail } else { failure.sign };
        print(format!("{}: {}: {reason}\n", sign.word(), shown(name)).as_bytes())?;
        self.hint(hint);
        Ok(())
    }

    /// Says what to do, once.
    pub(super) fn hint(&mut self, hint: Option<String>) {
        let new = |hint: &String| {
            self.style == Style::Svctl && !self.json && !self.quiet && !self.hints.contains(hint)
        };
        if let Some(hint) = hint.filter(new) {
            complain(format!("svctl: hint: {hint}\n").as_bytes());
            self.hints.push(hint);
        }
    }

    /// The status that an init script's `status` exits with.
    pub(super) fn script(status: &Status) -> i32 {
        if status.state == State::Down && status.pid == 0 { 3 } else { 0 }
    }
}

/// Writes to stdout. Where nobody reads it any more, the program ends without a message.
pub(super) fn print(mut bytes: &[u8]) -> Result<(), Exit> {
    let stdout = fds::stdout();
    while !bytes.is_empty() {
        match write(stdout, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                poll(&mut [watch(stdout.as_raw_fd(), POLLOUT)], None).or_fail("wait for stdout")?;
            }
            Err(Errno::EPIPE) => return Err(Exit::answer(111, "")),
            Err(errno) => return Err(Exit::system("write", errno)),
        }
    }
    Ok(())
}

/// Writes to stderr. Where that is closed, the lines on stdout and the status have to do.
pub(super) fn complain(bytes: &[u8]) {
    let _ = write(stderr(), bytes); // see above
}
