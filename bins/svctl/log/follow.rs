//! The lines that come: logs are watched by inotify, and read on where they were read before.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, stdout};
use std::os::fd::{AsFd, AsRawFd};

use common::inotify::{
    IN_CREATE, IN_DELETE, IN_MASK_ADD, IN_MODIFY, IN_MOVE_SELF, IN_MOVED_FROM, IN_MOVED_TO, IN_ONLYDIR,
    Inotify,
};
use common::poll::{POLLERR, POLLIN, poll, watch};
use common::tai::Label;
use common::{Exit, OrFail};
use nix::errno::Errno;

use super::blocks::{Forward, last_end};
use super::directory::{Directory, Part, newest};
use super::filter::{Filter, Scanner};
use super::keys::{Keys, Pressed};
use super::read::{End, Log, Notes, Rest, Zone, errno};
use super::show::Show;
use super::stamp::Stamps;
use super::unpack::{Unpacked, packer};

/// What is of interest in a log directory: all that happens to names, and to the bytes of files.
const EVENTS: u32 = IN_MODIFY | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO;
/// The end of the name of a directory. That of the directory itself is reported where it was: not by what is held open.
const END: u32 = IN_MOVE_SELF;

/// How many reads of events there are before their lines are read.
const READS: usize = 4;

/// The logs that are watched, from before they were read for the first time.
pub(super) struct Watches(Inotify);

/// The numbers of the watches of a log directory, and of the directory in which it is, if that is for us.
#[derive(Clone, Copy)]
pub(super) struct Watch {
    own: i32,
    above: Option<i32>,
}

impl Watches {
    pub(super) fn new() -> Result<Self, Exit> {
        Inotify::new().or_fail("make an inotify instance").map(Self)
    }

    /// Watches a log.
    pub(super) fn add(&self, directory: &Directory) -> nix::Result<Watch> {
        let watch = |name: &str, events: u32| {
            let path = format!("/proc/self/fd/{}{name}", directory.fd().as_raw_fd());
            // One may be above another.
            self.0.watch(&CString::new(path).unwrap_or_default(), events | IN_ONLYDIR | IN_MASK_ADD)
        };
        let own = watch("", EVENTS | END)?;
        let above = match watch("/..", IN_DELETE) {
            Err(Errno::EACCES) => None,
            other => Some(other?),
        };
        Ok(Watch { own, above })
    }
}

/// A log that is followed.
pub(super) struct Follower {
    name: Vec<u8>,
    directory: Directory,
    watch: Watch,
    /// What is current, and how far it has been read.
    current: Option<(File, u64)>,
    /// The newest archive.
    newest: Option<Label>,
    /// How many files between the two were shown before they are archives.
    unnamed: usize,
    scanner: Scanner,
    /// Whether something has happened.
    due: bool,
    ended: bool,
}

/// All that is followed, and how it is shown.
pub(super) struct Followed<'a> {
    pub(super) filter: &'a Filter,
    pub(super) notes: &'a Notes,
    pub(super) show: &'a mut Show,
}

impl Follower {
    pub(super) fn new(log: Log, watch: Watch, zone: Zone) -> Self {
        let Rest { name, directory, current, newest, unnamed } = log.into_rest();
        let scanner = Scanner::new(Stamps::new(zone).ahead(directory.ahead));
        Self { name, directory, watch, current, newest, unnamed, scanner, due: true, ended: false }
    }

    /// Shows what has come since the last time.
    fn advance(&mut self, followed: &mut Followed) -> Result<(), Exit> {
        loop {
            self.read_current(End::Whole, followed)?;
            let rotated = match &self.current {
                Some((current, _)) => self.directory.is_rotated(current),
                None => Ok(true),
            };
            match rotated {
                Ok(false) => return Ok(()),
                Ok(true) if !self.turn(followed)? => return Ok(()),
                Ok(true) => {}
                Err(errno) => {
                    self.give_up(errno, followed);
                    return Ok(());
                }
            }
        }
    }

    /// Goes on to the files that have come after what was current. False if there is none.
    fn turn(&mut self, followed: &mut Followed) -> Result<bool, Exit> {
        let parts = match self.directory.look() {
            Ok(parts) => parts,
            Err(errno) => {
                self.give_up(errno, followed);
                return Ok(false);
            }
        };
        let older = |part: &&Part| part.label().is_some_and(|label| Some(label) <= self.newest);
        let mut first = parts.iter().take_while(older).count();
        if let Some((old, _)) = &self.current {
            match self.directory.place_of(old, &parts) {
                // It has been renamed, and maybe not replaced yet.
                Ok(Some(place)) => first = place + 1,
                // A processor has made another file of it: the first one that is new, behind those of files that were
                // shown.
                Ok(None) => {
                    let made = parts[first..].iter().take_while(|part| !matches!(part, Part::Open(_)));
                    first += made.take(self.unnamed + 1).count();
                }
                Err(errno) => {
                    self.give_up(errno, followed);
                    return Ok(false);
                }
            }
            if first >= parts.len() {
                return Ok(false);
            }
            // Whatever was written to it was written before it was replaced.
            self.read_current(End::Now, followed)?;
            self.current = None;
        }
        let (newest, unnamed) = newest(&parts);
        (self.newest, self.unnamed) = (newest.or(self.newest), unnamed);
        for part in parts.into_iter().skip(first) {
            let file = match part {
                Part::Processed(file) | Part::Open(file) => Ok(Some(file)),
                Part::Archive(archive) => self.directory.open(&archive),
            };
            match file {
                Ok(Some(file)) => {
                    // The one before it is complete.
                    self.read_current(End::Now, followed)?;
                    self.current = Some((file, 0));
                }
                Ok(None) => {}
                Err(errno) => self.give_up(errno, followed),
            }
        }
        Ok(self.current.is_some())
    }

    /// Shows the lines of what is current, from where it was read before: all that are whole, or also the last one.
    fn read_current(&mut self, end: End, followed: &mut Followed) -> Result<(), Exit> {
        let Some((file, at)) = self.current.take() else { return Ok(()) };
        let (mut blocks, end) = match part(&file, at, end) {
            Ok(part) => part,
            Err(error) => {
                self.give_up(errno(&error), followed);
                return Ok(());
            }
        };
        loop {
            match blocks.advance() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if error.raw_os_error().is_none() => {
                    followed.notes.unread(&self.name, &error);
                    break;
                }
                Err(error) => {
                    self.give_up(errno(&error), followed);
                    return Ok(());
                }
            }
            let mut within = 0;
            while let Some(found) = self.scanner.next(followed.filter, blocks.block(), &mut within) {
                let text = &blocks.block()[found.text.clone()];
                followed.show.line(&self.name, found.time, found.level, text)?;
            }
        }
        self.current = Some((file, end));
        Ok(())
    }

    fn give_up(&mut self, errno: Errno, followed: &Followed) {
        if self.directory.is_removed() {
            self.say_gone(followed);
        } else {
            followed.notes.unable(&self.name, "read its log, which is followed no more", errno);
        }
        self.ended = true;
    }

    fn say_gone(&self, followed: &Followed) {
        let gone = "its log directory has another name or is gone, and is followed no more";
        followed.notes.say(&self.name, gone);
    }
}

/// What there is to read of a file from here on, and where that ends.
fn part(file: &File, at: u64, end: End) -> io::Result<(Forward, u64)> {
    let size = file.metadata()?.len();
    let at = if size < at { 0 } else { at }; // it was truncated
    if let Some(packer) = packer(file).filter(|_| at == 0) {
        return Ok((Forward::of_unpacked(Unpacked::new(file.try_clone()?, packer)?), size));
    }
    let end = if end == End::Whole { last_end(file, at, size)? } else { size };
    Ok((Forward::of(file.try_clone()?, at, end), end))
}

/// Shows lines as they come until the user, or the reader of the output, or all logs have ended.
pub(super) fn follow(
    watches: &Watches,
    mut logs: Vec<Follower>,
    followed: &mut Followed,
) -> Result<(), Exit> {
    let mut keys = Keys::new();
    loop {
        for log in &mut logs {
            if std::mem::take(&mut log.due) {
                log.advance(followed)?;
            }
        }
        logs.retain(|log| !log.ended);
        followed.show.flush()?;
        if logs.is_empty() {
            return Ok(());
        }
        let mut fds = [
            watch(watches.0.as_fd().as_raw_fd(), POLLIN),
            watch(stdout().as_raw_fd(), 0), // of which only an error is of interest: nobody reads it any more
            watch(keys.input(), POLLIN),
            watch(keys.signals(), POLLIN),
        ];
        poll(&mut fds, None).or_fail("wait for lines")?;
        if fds[1].revents & POLLERR != 0 {
            return Err(Exit::answer(111, ""));
        }
        if (fds[2].revents != 0 || fds[3].revents != 0) && keys.read() == Pressed::Quit {
            return Ok(());
        }
        let all = watches.0.events(READS, |event| {
            for log in &mut logs {
                // After an overflow nobody knows whose events there were.
                let lost = event.watch < 0;
                if log.watch.own == event.watch || lost {
                    log.due = true;
                    log.ended |= event.mask & END != 0;
                }
                if log.watch.above == Some(event.watch) || lost {
                    log.ended |= log.directory.is_removed();
                }
            }
        });
        all.or_fail("read what has happened")?;
        for log in logs.iter_mut().filter(|log| log.ended) {
            log.advance(followed)?;
            log.say_gone(followed);
        }
    }
}
