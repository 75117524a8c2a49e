//! What multilog does with lines beside its log directories: `e`, to stderr, and `=file`, the latest in a file.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use common::door::{self, Owner};
use common::text::{Text, first_line};
use common::{Exit, Voice, file, shown};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::fstat;

use super::alerts::to_stderr;
use super::config::Config;
use super::lines::{Maker, STAMPED};
use super::site::beside;

/// How many bytes of a line stderr gets.
const ALERT: usize = 200;

/// An action, and which lines it is for.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) config: Config,
    pub(super) to: To,
}

/// Where lines go.
#[derive(Debug)]
pub(super) enum To {
    /// The beginning of each.
    Stderr,
    /// The beginning of the latest.
    File(Status),
}

/// A file that has the latest line.
#[derive(Debug)]
pub(super) struct Status {
    path: &'static CStr,
    file: Option<OwnedFd>,
    /// The line, and newlines behind it.
    line: Vec<u8>,
    /// It is not in the file yet.
    due: bool,
    /// The file could not be written, which was said.
    failed: bool,
}

impl Status {
    pub(super) fn new(path: &'static CStr) -> Self {
        Self { path, file: None, line: vec![b'\n'; STAMPED + 1], due: false, failed: false }
    }

    fn set(&mut self, line: &[u8]) {
        self.line.fill(b'\n');
        self.line[..line.len()].copy_from_slice(line);
        self.due = true;
    }

    fn open(&mut self) -> nix::Result<()> {
        self.file = Some(door::file_or_new(AT_FDCWD, self.path, OFlag::O_WRONLY, 0o600, Owner::Any)?);
        Ok(())
    }

    /// In one write, so that a reader sees one line. Where that fails the next batch of lines tries again. A file
    /// that was removed, or replaced by another one, would have no reader.
    fn write(&mut self, voice: Voice) {
        if !self.due {
            return;
        }
        self.file.take_if(|file| fstat(file).is_ok_and(|stat| stat.st_nlink == 0));
        let ready = if self.file.is_none() { self.open() } else { Ok(()) };
        let written = ready.and_then(|()| {
            let file = self.file.as_ref().ok_or(Errno::EBADF)?;
            file::write_at(file.as_fd(), &self.line, 0)
        });
        self.due = written.is_err();
        match written {
            Err(errno) if !self.failed => {
                let consequence = beside(errno, b"retrying with the next lines");
                voice.unable_so(&[b"write ", self.path.to_bytes()], errno, consequence);
            }
            _ => {}
        }
        self.failed = self.due;
    }
}

/// All of a script, in its order.
#[derive(Debug)]
pub(super) struct Outlets {
    all: Vec<Outlet>,
    voice: Voice,
    /// The last line has not ended yet, and has been passed on.
    within: bool,
}

impl Outlets {
    /// Opens the files.
    pub(super) fn open(mut all: Vec<Outlet>, voice: Voice) -> Result<Self, Exit> {
        for outlet in &mut all {
            if let To::File(status) = &mut outlet.to {
                status.open().map_err(|errno| {
                    let exit = Exit::system(format_args!("open {}", shown(status.path.to_bytes())), errno);
                    match beside(errno, b"") {
                        b"" => exit,
                        why => exit.hint(String::from_utf8_lossy(why)),
                    }
                })?;
            }
        }
        Ok(Self { all, voice, within: false })
    }

    /// The first line is the rest of one that another logger has passed on.
    pub(super) fn go_on_within(&mut self) {
        self.within = true;
    }

    /// Passes on the lines of a batch. A signal ends the wait for stderr.
    pub(super) fn pass_on(&mut self, batch: &[u8], stamp: &[u8], signals: BorrowedFd) {
        if self.all.is_empty() {
            return;
        }
        let mut rest = batch;
        while !rest.is_empty() {
            let (line, behind) = rest.split_at(first_line(rest).len());
            if !self.within {
                self.all.iter_mut().for_each(|outlet| outlet.take(line, stamp, signals));
            }
            self.within = !line.ends_with(b"\n");
            rest = behind;
        }
        self.write();
    }

    /// After SIGHUP: the next line of each file goes to the one that has its name then.
    pub(super) fn reload(&mut self) {
        for outlet in &mut self.all {
            if let To::File(status) = &mut outlet.to {
                status.file = None;
            }
        }
    }

    /// Writes what could not be written yet.
    pub(super) fn write(&mut self) {
        for outlet in &mut self.all {
            if let To::File(status) = &mut outlet.to {
                status.write(self.voice);
            }
        }
    }
}

impl Outlet {
    fn take(&mut self, line: &[u8], stamp: &[u8], signals: BorrowedFd) {
        let maker = Maker { config: &self.config, stamp, length: STAMPED };
        if !maker.selects(line) {
            return;
        }
        let mut text = Text::<STAMPED>::of(stamp);
        let text = text.add(maker.seen(line)).bytes();
        match &mut self.to {
            To::File(status) => status.set(text),
            To::Stderr => {
                let (shown, more): (_, &[u8]) =
                    if text.len() > ALERT { (&text[..ALERT], b"...\n") } else { (text, b"\n") };
                to_stderr(signals, Text::<{ ALERT + 4 }>::of(shown).add(more).bytes());
            }
        }
    }
}
