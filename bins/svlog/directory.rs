//! A log directory: batches are written to its `current`, which is rotated; and the recovery where that fails.

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use common::identity::Identity;
use common::{Text, Voice, clock};
use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{Mode, mkdirat, stat};

use super::archive::Kind;
use super::config::{Config, Dialect, OnFull};
use super::current::Current;
use super::dropped::Dropped;
use super::leftovers;
use super::lines::{Maker, Place};
use super::processor::Processor;
use super::record::{Entry, Record};
use super::resume::{Left, Verdict};
use super::rotation::{Limits, Rotation};
use super::shared::Shared;
use super::shelf::Shelf;
use super::site::Site;

/// The pause before something that has failed is tried again, in milliseconds, and between two looks whether all
/// is where it was.
const PAUSE: u64 = 1000;

/// A log directory.
#[derive(Debug)]
pub(super) struct Directory {
    site: Site,
    config: Config,
    current: Option<Current>,
    /// Where the log is in a line.
    place: Place,
    /// The size of the last batch.
    wrote: usize,
    /// When it was last looked whether all is where it was: monotonic, ms.
    looked: u64,
    rotation: Rotation,
    /// `current` has been opened once.
    started: bool,
    processor: Processor,
    /// When a write that has failed is tried again: monotonic, ms.
    retry_at: Option<u64>,
    dropped: Dropped,
}

/// The result of a try to write a batch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Delivered {
    /// It is written, or the lines were dropped.
    Done,
    /// There is room now: it is to be tried again at once.
    Retry,
    /// It is to be tried again then: monotonic, ms.
    Stuck(u64),
}

impl Directory {
    /// Opens the directory, locks it and reads its `config`, if `config` is not that of multilog, which also makes
    /// the directory. `None`: why not has been reported.
    pub(super) fn open(path: &'static CStr, config: &Config, voice: Voice, verbose: bool) -> Option<Self> {
        if config.dialect == Dialect::Multilog {
            match mkdirat(AT_FDCWD, path, Mode::S_IRWXU) {
                Ok(()) | Err(Errno::EEXIST | Errno::ENOENT) => {}
                Err(errno) if stat(path) == Err(Errno::ENOENT) => {
                    let voice = Voice { directory: path.to_bytes(), ..voice };
                    voice.unable(&[b"make the log directory"], errno);
                    return None;
                }
                Err(_) => {} // what is there, or above it, is judged where it is opened next
            }
        }
        let mut new = Self {
            site: Site::enter(path, voice, verbose)?,
            config: config.clone(),
            current: None,
            place: Place::default(),
            wrote: 0,
            looked: 0,
            rotation: Rotation::At(None),
            started: false,
            processor: Processor::default(),
            retry_at: None,
            dropped: Dropped::default(),
        };
        new.configure();
        Some(new)
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        self.site.fd()
    }

    pub(super) fn id(&self) -> Identity {
        self.site.id()
    }

    /// For messages about it.
    pub(super) fn voice(&self) -> Voice {
        self.site.voice()
    }

    /// Whether it was given by this path.
    pub(super) fn is_at(&self, path: &CStr) -> bool {
        self.site.is_at(path)
    }

    /// Whether `current` has been opened once.
    pub(super) fn has_started(&self) -> bool {
        self.started
    }

    /// Where the log is in a line.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// The size of `current`.
    pub(super) fn size(&self) -> u64 {
        self.current.as_ref().map_or(0, Current::size)
    }

    /// The maker of its lines.
    pub(super) fn maker<'a>(&'a self, stamp: &'a [u8], length: usize) -> Maker<'a> {
        Maker { config: &self.config, stamp, length }
    }

    /// Reads `config`.
    pub(super) fn configure(&mut self) {
        if self.config.dialect == Dialect::Multilog {
            return;
        }
        self.site.configure(&mut self.config);
        if !self.rotation.is_late() {
            self.rotation = self.by_age();
        }
    }

    /// After SIGHUP: the directory of that name, its config, and its `current`. Whether it stays in use.
    pub(super) fn reload(&mut self, shared: Shared) -> bool {
        self.site.info(&[b"reading config"]);
        (self.looked, self.retry_at) = (0, None);
        self.configure();
        let Err(errno) = self.follow_name().and_then(|()| self.prepare(shared, None)) else { return true };
        self.voice().unable(&[b"use the log directory"], errno);
        // Where a disk is full there will be room.
        matches!(errno, Errno::ENOSPC | Errno::EDQUOT | Errno::EIO | Errno::EROFS)
    }

    /// Opens `current`, and goes on where the log was.
    pub(super) fn start(&mut self, record: Option<&mut Record>) -> nix::Result<()> {
        let opened = self.open_current(record);
        if opened.is_ok() {
            self.started = true;
        } else {
            self.current = None;
        }
        opened
    }

    fn open_current(&mut self, record: Option<&mut Record>) -> nix::Result<()> {
        if !self.started && self.config.dialect == Dialect::Multilog {
            leftovers::put_away(&self.site, self.shelf(), &self.config)?;
        }
        let verdict = Left::look(&self.site, record.as_deref(), self.place)?.verdict();
        if let Verdict::Archive(_) = verdict {
            self.archive(Kind::Unprocessed)?;
        }
        let current = self.current.insert(Current::open(self.site.fd())?);
        self.site.info(&[if current.size() == 0 { b"new current" } else { b"appending to current" }]);
        if let Verdict::Cut(size, _) = verdict {
            current.cut(size)?;
        }
        self.place = verdict.place();
        if !self.place.within {
            current.end_line(self.site.fd())?;
        }
        let entry = self.entry(0, self.place);
        if let Some(record) = record {
            record.file(self.id(), entry);
        }
        // Not before the record knows it: else a kill would leave a file that is taken for one after a crash.
        self.current.as_mut().map_or(Ok(()), Current::mark_open)
    }

    /// Makes sure that `current` is open, is the file of that name, and has room; before each batch. The record
    /// is for one that could not be opened at the start.
    pub(super) fn prepare(&mut self, shared: Shared, record: Option<&mut Record>) -> nix::Result<()> {
        self.current.as_mut().map_or(Ok(()), Current::refresh)?;
        let removed = self.current.as_ref().is_none_or(Current::is_removed);
        if removed || shared.now >= self.looked + PAUSE {
            self.looked = shared.now;
            self.look_after()?;
        }
        if self.current.is_none() {
            self.start(record.filter(|_| !self.started))?;
        }
        if self.limits(shared).is_overdue(self.size(), self.place) {
            return self.rotate(shared);
        }
        Ok(())
    }

    /// Finds out whether directory and `current` are still those of their names, and opens what is there now. A
    /// directory that is out of reach is used on.
    fn look_after(&mut self) -> nix::Result<()> {
        if let Err(errno) = self.follow_name() {
            return if self.site.exists()? { Ok(()) } else { Err(errno) };
        }
        let Some(current) = &self.current else { return Ok(()) };
        if !current.has_its_name(self.fd())? {
            self.voice().warning(&[b"current was removed or replaced"]);
            (self.place, self.current) = (Place::default(), None);
        }
        Ok(())
    }

    /// Changes to the directory that has the name now, if that is another one.
    fn follow_name(&mut self) -> nix::Result<()> {
        if !self.site.has_its_name()? {
            self.site.reopen()?;
            (self.place, self.current) = (Place::default(), None);
            self.configure();
        }
        Ok(())
    }

    /// The entry in the record for a batch of `length` bytes, after which the log is at this place.
    pub(super) fn entry(&self, length: usize, after: Place) -> Entry {
        let unended = self.current.as_ref().is_some_and(Current::is_unended);
        // With room for the notice of missing lines, and for the end of the last one.
        let more = if !self.dropped.is_none() || unended { 129 } else { 0 };
        // Also where there is none: the line goes on.
        let file = self.current.as_ref().map_or(Identity::NONE, Current::id);
        Entry { file, offset: self.size(), length: length as u64 + more, before: self.place, after }
    }

    /// Writes a batch, all or nothing, after which the log is at this place; or does not, where it is not
    /// `prepared`.
    pub(super) fn deliver(
        &mut self,
        prepared: nix::Result<()>,
        bytes: &[u8],
        after: Place,
        shared: Shared,
    ) -> Delivered {
        let appended = match prepared {
            _ if bytes.is_empty() => Ok(()),
            Ok(()) => self.append(bytes, shared),
            failed => failed,
        };
        match appended {
            Ok(()) => self.retry_at = None,
            Err(errno) if self.make_room(errno) => return Delivered::Retry,
            Err(errno) if self.config.on_full == OnFull::DropNew => {
                if self.dropped.is_none() {
                    self.voice().unable_so(&[b"write to current"], errno, b"dropping new lines");
                }
                self.dropped.add(bytes, self.place.within, errno);
            }
            Err(errno) => {
                let then = shared.now + PAUSE;
                if self.retry_at.replace(then).is_none() {
                    self.voice().unable_so(&[b"write to current"], errno, b"retrying every second");
                }
                return Delivered::Stuck(then);
            }
        }
        (self.place, self.wrote) = (after, bytes.len());
        Delivered::Done
    }

    /// Appends the notice of missing lines and these bytes, all of it or nothing.
    fn append(&mut self, bytes: &[u8], shared: Shared) -> nix::Result<()> {
        let called = self.voice().called;
        let current = self.current.as_mut().ok_or(Errno::EBADF)?;
        if self.dropped.is_none() || self.place.within {
            return current.append(b"", bytes);
        }
        let stamp = shared.stamp.text(clock::wall());
        current.append(self.dropped.notice(stamp.bytes(), called).bytes(), bytes)?;
        self.dropped = Dropped::default();
        Ok(())
    }

    /// Removes an archive where the disk is full and the policy allows it. Returns whether one is removed.
    fn make_room(&self, errno: Errno) -> bool {
        let full = matches!(errno, Errno::ENOSPC | Errno::EDQUOT);
        let least = self.config.kept_on_full().filter(|_| full);
        least.is_some_and(|least| self.shelf().make_room(least))
    }

    fn by_age(&self) -> Rotation {
        Rotation::by_age(self.config.age, clock::monotonic())
    }

    fn limits(&self, shared: Shared) -> Limits {
        let margin = match self.config.dialect {
            Dialect::Svlogd => shared.length as u64,
            Dialect::Multilog => 2000,
        };
        Limits { size: self.config.size, margin }
    }

    /// Whether a rotation is due at this place, once `more` bytes are written.
    pub(super) fn is_enough(&self, more: usize, line: Place, shared: Shared) -> bool {
        self.limits(shared).is_enough(self.size() + more as u64, line)
    }

    /// After a batch: rotates if its last line demands it, or its end was waited for.
    pub(super) fn after_batch(&mut self, shared: Shared) {
        let Limits { size, margin } = self.limits(shared);
        let full = size >= margin && self.is_enough(0, self.place, shared);
        if !self.place.within && (self.wrote > 0 && full || self.rotation.is_late()) {
            if let Err(errno) = self.rotate(shared) {
                self.voice().unable(&[b"rotate current"], errno);
            }
        }
    }

    /// After SIGALRM, or at its age. Where it is `busy`, a batch that was written here is still in the pipe:
    /// until it is out of it all stays as the record says.
    pub(super) fn rotate_now(&mut self, shared: Shared, busy: bool) {
        if self.place.within || busy {
            self.rotation = Rotation::Late;
            return;
        }
        if let Err(errno) = self.prepare(shared, None).and_then(|()| self.rotate(shared)) {
            // Not at once again, also where it has not come as far as `rotate`.
            self.rotation = self.rotation.postponed(shared.now + PAUSE);
            if !self.site.is_gone() {
                self.voice().unable(&[b"rotate current"], errno);
            }
        }
    }

    /// Makes an archive of `current`, unless it is empty.
    fn rotate(&mut self, shared: Shared) -> nix::Result<()> {
        self.rotation = self.by_age();
        if self.size() == 0 {
            return Ok(());
        }
        let mut kind = if self.config.processor().is_some() { Kind::Unprocessed } else { Kind::Safe };
        if let Some(current) = &mut self.current {
            if let Err(errno) = current.sync() {
                self.site.voice().unable_so(&[b"sync current"], errno, b"its archive ends in .u");
                kind = Kind::Unprocessed;
            }
            current.mark_closed()?;
        }
        self.archive(kind)?;
        self.start(None)?;
        self.process(shared);
        Ok(())
    }

    fn shelf(&self) -> Shelf<'_> {
        Shelf::new(&self.site, self.processor.busy())
    }

    /// Gives `current` the name of an archive.
    fn archive(&mut self, kind: Kind) -> nix::Result<()> {
        self.shelf().put(kind, self.size(), &self.config)?;
        self.current = None;
        Ok(())
    }

    /// Starts the processor if there is an archive for it. Returns whether it runs.
    pub(super) fn process(&mut self, shared: Shared) -> bool {
        let Some(command) = self.config.processor() else { return false };
        self.processor.start(&self.site, command, shared.env, shared.now)
    }

    /// As [`Directory::process`], unless the processor has failed.
    pub(super) fn process_unless_failed(&mut self, shared: Shared) -> bool {
        !self.processor.has_failed() && self.process(shared)
    }

    /// A child has ended: if that was the processor, it starts on the next archive.
    pub(super) fn ended(&mut self, pid: u32, status: i32, shared: Shared) {
        if !self.processor.ended(&self.site, pid, status, shared.now) {
            return;
        }
        if !self.processor.has_failed() {
            // One of those that wait has become one of the others.
            self.shelf().prune(&self.config);
        }
        self.process(shared);
    }

    /// Does what is due, `busy` as in [`Directory::rotate_now`]. Returns when the next thing is.
    pub(super) fn tick(&mut self, shared: Shared, busy: bool) -> Option<u64> {
        let now = shared.now;
        if self.rotation.due().is_some_and(|due| now >= due) {
            self.rotate_now(shared, busy);
        }
        if self.processor.retry_at().is_some_and(|due| now >= due) {
            self.process(shared);
        }
        if !self.dropped.is_none() && self.retry_at.is_none_or(|due| now >= due) {
            if !busy && self.site.has_room() && self.prepare(shared, None).is_ok() {
                let _ = self.append(b"", shared); // it is tried again
            }
            self.retry_at = (!self.dropped.is_none()).then_some(now + PAUSE);
        }
        let notice = self.retry_at.filter(|_| !self.dropped.is_none());
        [self.rotation.due(), self.processor.retry_at(), notice].into_iter().flatten().min()
    }

    /// At the end: ends a line that is not going on.
    pub(super) fn end_line(&mut self) {
        if let Some(current) = self.current.as_mut().filter(|_| self.place.within) {
            let _ = current.end_line(self.site.fd()); // else the next logger does it
        }
    }

    /// At the end: says in the log how many lines were dropped, if any were. Whether that was possible.
    pub(super) fn report_dropped(&mut self, shared: Shared) -> bool {
        if self.dropped.is_none() {
            return true;
        }
        let said = self.append(b"", shared).is_ok() && self.dropped.is_none();
        if !said {
            let mut text = Text::<64>::new();
            text.number(self.dropped.count()).add(" lines were dropped; the log does not say so");
            self.voice().warning(&[text.bytes()]);
        }
        said
    }

    /// Closes all cleanly. Whether what was written is on the disk.
    pub(super) fn close(&mut self) -> bool {
        self.processor.kill(&self.site);
        let Some(mut current) = self.current.take() else { return true };
        let safe = current.sync().and_then(|()| current.mark_closed());
        safe.map_err(|errno| self.voice().unable(&[b"sync current"], errno)).is_ok()
    }
}
