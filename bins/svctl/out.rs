//! What is printed: a line for each service, or an object, and hints for people.

use std::io::{stderr, stdout};
use std::os::fd::AsRawFd;

use common::poll::{POLLOUT, poll, watch};
use common::{Error, OrFail, shown};
use nix::errno::Errno;
use nix::unistd::write;

use super::job::PROOF;
use super::json::{of_service, quoted};
use super::names::Names;
use super::status::{State, Status};
use super::trouble::{Trouble, words};

/// Whom the program is called as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Style {
    Svctl,
    /// runit's sv.
    Sv,
    /// sv under a service's name, as an init script.
    Script,
}

/// How results are told, and how many were failures.
pub(super) struct Out {
    pub(super) style: Style,
    pub(super) json: bool,
    failed: i32,
    hints: Vec<String>, // those given: nobody needs one twice
}

impl Out {
    pub(super) fn new(style: Style, json: bool) -> Self {
        Self { style, json, failed: 0, hints: Vec::new() }
    }

    /// The exit status: how many services failed.
    pub(super) fn exit(&self) -> Error {
        Error::answer(self.failed.min(99), "")
    }

    /// Counts a failure.
    pub(super) fn failed(&mut self) {
        self.failed += 1;
    }

    /// A command is done for a service.
    pub(super) fn done(&self, sign: &str, name: &[u8], status: &Status) -> Result<(), Error> {
        if self.json {
            return print(of_service(name, &status.json).as_bytes());
        }
        print(&[sign.as_bytes(), &self.line(name, status), b"\n"].concat())
    }

    /// A command has not reached its goal in time; of one that a run comes up, how the last one ended.
    pub(super) fn late(&mut self, sign: &str, name: &[u8], status: &Status, run: bool) -> Result<(), Error> {
        self.failed += 1;
        let last = if run && (status.state != State::Run || status.age < PROOF) {
            status.last_end()
        } else {
            String::new()
        };
        let line = [sign.as_bytes(), &self.line(name, status)].concat();
        if self.style == Style::Svctl {
            return print(&[&line, last.as_bytes(), b"\n"].concat());
        }
        // sv's line has no place for it.
        if let Some(last) = last.strip_prefix(", ") {
            complain(format!("warning: {}: {last}\n", shown(name)).as_bytes());
        }
        print(&[&line[..], b"\n"].concat())
    }

    /// A service has no supervisor any more, as was asked for.
    pub(super) fn gone(&self, name: &[u8]) -> Result<(), Error> {
        if self.json {
            return print(of_service(name, "{\"ok\":true,\"supervisor\":null}").as_bytes());
        }
        print(
            format!("ok: {}: {}\n", shown(name), Trouble::gone().reason(self.style != Style::Svctl))
                .as_bytes(),
        )
    }

    /// A status in one line. The current directory has to be the service's.
    pub(super) fn line(&self, name: &[u8], status: &Status) -> Vec<u8> {
        status.line(name, self.normally(name), self.style == Style::Svctl)
    }

    /// Whether the service here is up without a command.
    fn normally(&self, name: &[u8]) -> Option<bool> {
        match nix::sys::stat::stat(c"down") {
            Ok(_) => Some(false),
            Err(Errno::ENOENT) => Some(true),
            Err(errno) => {
                let reason = words(errno, self.style != Style::Svctl);
                complain(format!("warning: unable to stat {}/down: {reason}\n", shown(name)).as_bytes());
                None
            }
        }
    }

    /// A command failed for a service.
    pub(super) fn trouble(&mut self, names: &Names, name: &[u8], trouble: &Trouble) -> Result<(), Error> {
        self.failed += 1;
        let (reason, advice) = (trouble.reason(self.style != Style::Svctl), trouble.advice(names, name));
        if self.json {
            let hint = advice.map_or_else(|| "null".to_owned(), |hint| quoted(hint.as_bytes()));
            let object = format!("{{\"ok\":false,\"error\":{},\"hint\":{hint}}}", quoted(reason.as_bytes()));
            return print(of_service(name, &object).as_bytes());
        }
        let runit = self.style != Style::Svctl;
        let sign = if !runit && trouble.is_gone() { "fail" } else { trouble.sign };
        print(format!("{sign}: {}: {reason}\n", shown(name)).as_bytes())?;
        self.hint(advice);
        Ok(())
    }

    /// Says what to do, once.
    pub(super) fn hint(&mut self, hint: Option<String>) {
        let new = |hint: &String| self.style == Style::Svctl && !self.json && !self.hints.contains(hint);
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

/// Writes to stdout. Where nobody reads any more, there is nobody to be told.
pub(super) fn print(mut bytes: &[u8]) -> Result<(), Error> {
    let stdout = stdout();
    while !bytes.is_empty() {
        match write(&stdout, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                poll(&mut [watch(stdout.as_raw_fd(), POLLOUT)], None).or_fail("wait for stdout")?;
            }
            Err(Errno::EPIPE) => return Err(Error::answer(111, "")),
            Err(errno) => return Err(Error::system("write", errno)),
        }
    }
    Ok(())
}

/// Writes to stderr. Where that is closed, the lines on stdout and the status have to do.
pub(super) fn complain(bytes: &[u8]) {
    let _ = write(stderr(), bytes);
}
