//! Terminals, and programs on them.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::unistd::tcgetpgrp;

use super::{DEADLINE, prepared, status_of};

/// A pair of fds that no program gets which another test starts meanwhile, as it would those of openpty(3).
pub(crate) struct Pty {
    pub(crate) master: File,
    pub(crate) slave: File,
}

impl Pty {
    /// A terminal with 24 rows.
    pub(crate) fn new(columns: u16) -> Self {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname_r(&master).unwrap();
        let slave =
            File::options().read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits()).open(name).unwrap();
        let columns = columns.to_string();
        let mut size = prepared("stty");
        size.args(["rows", "24", "columns", &columns]).stdin(slave.try_clone().unwrap());
        assert!(size.status().unwrap().success());
        Self { master: OwnedFd::from(master).into(), slave }
    }
}

/// A terminal, and a program in a session that has it as its controlling one.
pub(crate) struct Terminal {
    master: File,
    pub(crate) child: Child,
    /// What has come.
    pub(crate) seen: String,
    /// The same as bytes: the last letter of what was read may not be whole.
    bytes: Vec<u8>,
}

impl Terminal {
    /// Starts `setsid`, with words to come, on a terminal with so many columns.
    pub(crate) fn of(columns: u16, mut setsid: Command) -> Self {
        let pty = Pty::new(columns);
        let slave = || pty.slave.try_clone().unwrap();
        let child = setsid.stdin(slave()).stdout(slave()).stderr(slave()).spawn().unwrap();
        Self { master: pty.master, child, seen: String::new(), bytes: Vec::new() }
    }

    /// Reads until this holds of what has come.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, holds: impl Fn(&str) -> bool) {
        while !holds(&self.seen) {
            assert!(self.read(), "{what}: {:?}", self.seen);
        }
    }

    /// Reads until these words have come.
    #[track_caller]
    pub(crate) fn until_words(&mut self, words: &str) {
        self.until(words, |seen| seen.contains(words));
    }

    /// Forgets what has come.
    pub(crate) fn forget(&mut self) {
        self.bytes.clear();
        self.seen.clear();
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// The process group in the foreground.
    pub(crate) fn foreground(&self) -> u32 {
        tcgetpgrp(&self.master).unwrap().as_raw().unsigned_abs()
    }

    /// Reads to the end of the program, which must succeed.
    #[track_caller]
    pub(crate) fn finish(mut self) -> String {
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
            Ok(count) => {
                self.bytes.extend(&buffer[..count]);
                self.seen = String::from_utf8_lossy(&self.bytes).into_owned();
            }
            Err(error) if error.raw_os_error() == Some(nix::libc::EIO) => return false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error}: {:?}", self.seen),
        }
        true
    }
}
