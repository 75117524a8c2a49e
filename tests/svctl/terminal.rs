//! A terminal of some size, with a program on it.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::harness::*;
use crate::support::*;

/// A terminal with 24 rows.
pub(super) struct Terminal {
    master: File,
    child: Child,
    pub(super) seen: String,
}

impl Terminal {
    /// Starts a command line of the shell with these variables; the services are those of `house`.
    pub(super) fn start(house: &House, columns: u16, variables: &str, line: &str) -> Self {
        let pty = Pty::new(columns);
        let slave = || pty.slave.try_clone().unwrap();
        let mut command: Command = house.command("setsid", "--ctty sh -c");
        command.arg(line);
        for name in ["LC_ALL", "LC_CTYPE", "LANG"] {
            command.env_remove(name);
        }
        for (name, value) in variables.split_whitespace().map(|variable| variable.split_once('=').unwrap()) {
            command.env(name, value);
        }
        let child = command.stdin(slave()).stdout(slave()).stderr(slave()).spawn().unwrap();
        Self { master: pty.master, child, seen: String::new() }
    }

    /// What the whole command line prints.
    pub(super) fn show(house: &House, columns: u16, variables: &str, line: &str) -> String {
        Self::start(house, columns, variables, line).finish()
    }

    /// Reads until this holds of what has come.
    #[track_caller]
    pub(super) fn until(&mut self, what: &str, holds: impl Fn(&str) -> bool) {
        while !holds(&self.seen) {
            assert!(self.read(), "{what}: {:?}", self.seen);
        }
    }

    /// Forgets what has come.
    pub(super) fn forget(&mut self) {
        self.seen.clear();
    }

    pub(super) fn types(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Reads to the end of the program, which must succeed.
    #[track_caller]
    pub(super) fn finish(mut self) -> String {
        while self.read() {}
        assert_eq!(status_of(&mut self.child), Some(0), "{:?}", self.seen);
        self.seen.replace("\r\n", "\n")
    }

    /// Whether more has come; not once the last process has closed the terminal.
    #[track_caller]
    fn read(&mut self) -> bool {
        let mut ready = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        let limit = PollTimeout::try_from(DEADLINE).unwrap();
        assert!(poll(&mut ready, limit).unwrap() > 0, "nothing comes behind {:?}", self.seen);
        let mut buffer = [0; 4096];
        match self.master.read(&mut buffer) {
            Ok(count) => self.seen += &String::from_utf8_lossy(&buffer[..count]),
            Err(error) if error.raw_os_error() == Some(nix::libc::EIO) => return false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error}: {:?}", self.seen),
        }
        true
    }
}
