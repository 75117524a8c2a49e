//! A log directory: `current`, its rotation, and what is written there.

use std::ffi::CStr;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};

use common::door::{self, Owner};
use common::{Text, Voice, Words, clock, fds, identity};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, mkdirat};
use nix::sys::statvfs::{Statvfs, fstatvfs};
use nix::unistd::{UnlinkatFlags, ftruncate, unlinkat, write};

use super::archive::{Archives, Kind, Name};
use super::config::{Config, Full};
use super::entrance::{self, beside, take, unable};
use super::lines::{Maker, Place, Stamp};
use super::processor::{Processor, sync};
use super::record::{Entry, Id, Record, id};

/// The mode of what a processor has made, as svlogd's.
pub(super) const SAFE: Mode = Mode::from_bits_truncate(0o744);
/// What a `current` that was left in order has more than one that is being written, and so has an archive.
const ORDER: Mode = Mode::S_IXUSR;
/// The mode of a new `current`.
const OPEN: Mode = Mode::from_bits_truncate(0o644);
/// How long to wait before what has failed is tried again, in milliseconds, and between two looks whether all
/// is where it was.
const PAUSE: u64 = 1000;

/// A log directory.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Folder {
    path: &'static CStr,
    fd: OwnedFd,
    pub(super) id: Id,
    /// Held by its lock.
    lock: OwnedFd,
    pub(super) config: Config,
    current: Option<OwnedFd>,
    /// The size of `current`.
    pub(super) size: u64,
    pub(super) place: Place,
    /// The size of the last batch.
    pub(super) wrote: usize,
    /// Which file `current` is.
    stat: Option<FileStat>,
    looked: u64,
    /// When its age demands a rotation: monotonic, ms.
    rotate: Option<u64>,
    /// A rotation waits for the end of a line.
    late: bool,
    /// The folder of its name is another one, or there is none; this was said.
    gone: bool,
    /// The end of a line that has begun was dropped.
    torn: bool,
    /// `current` has been opened once.
    pub(super) started: bool,
    /// The last line in `current` is still to be ended.
    unended: bool,
    pub(super) processor: Processor,
    /// When what has failed is tried again: monotonic, ms.
    pub(super) stuck: Option<u64>,
    /// Lines that were dropped, and why.
    dropped: u64,
    why: Option<Errno>,
    voice: Voice,
    loud: bool,
}

/// What has become of a batch.
pub(super) enum Delivered {
    /// It is written, or the lines were dropped.
    Done,
    /// There is room now: it is to be tried again at once.
    Again,
    /// It is to be tried again when `stuck` says.
    Stuck,
}

/// What a folder shares with the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Common<'a> {
    pub(super) env: &'a Words,
    /// The form of the time stamps.
    pub(super) stamp: Stamp,
    /// How many bytes of a line patterns see.
    pub(super) length: usize,
}

impl Folder {
    /// Opens the folder, locks it and reads its `config`; the reason why not was told.
    pub(super) fn open(path: &'static CStr, voice: Voice, loud: bool) -> Option<Self> {
        let voice = Voice { folder: path.to_bytes(), ..voice };
        let (folder, lock) = entrance::enter(path, voice)?;
        let id = match fstat(&folder) {
            Ok(stat) => id(&stat),
            Err(errno) => {
                voice.unable(&[b"look at the log directory"], errno);
                return None;
            }
        };
        let mut new = Self {
            path,
            id,
            fd: folder,
            lock,
            config: Config::default(),
            current: None,
            size: 0,
            place: Place::default(),
            wrote: 0,
            stat: None,
            looked: 0,
            rotate: None,
            late: false,
            gone: false,
            torn: false,
            started: false,
            unended: false,
            processor: Processor::default(),
            stuck: None,
            dropped: 0,
            why: None,
            voice,
            loud,
        };
        new.configure();
        Some(new)
    }

    /// The folder's fd.
    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Its name as it was given.
    pub(super) fn voice(&self) -> Voice {
        self.voice
    }

    /// Reads `config`.
    pub(super) fn configure(&mut self) {
        let (voice, folder) = (self.voice, &self.fd);
        let mut believed = false;
        let fill = |text: &mut Vec<u8>| {
            believed = entrance::read_config(folder, text)?;
            Ok(())
        };
        let complain = |line: &[u8], expected: &str| voice.invalid(b"config", line, expected);
        if let Err(errno) = self.config.read(fill, complain) {
            unable(voice, "read config", errno, beside(errno, "all is the default"));
        }
        if !believed && self.config.processor().is_some() {
            self.config.without_processor();
            voice.warning(&[
                b"config: the processor is left out: root executes no command of another account; ",
                b"run svlog as that account, or make directory and config root's alone",
            ]);
        }
        self.rotate = self.due();
    }

    fn due(&self) -> Option<u64> {
        (self.config.age > 0).then(|| clock::monotonic().saturating_add(self.config.age))
    }

    /// Opens `current`. One that was not left in order is an archive of its own, unless the record says that
    /// nothing but the process that wrote it has come to an end.
    pub(super) fn start(&mut self, record: Option<&mut Record>) -> nix::Result<()> {
        let opened = self.open_left(record);
        if opened.is_err() {
            self.no_current();
        } else {
            self.started = true;
        }
        opened
    }

    fn open_left(&mut self, record: Option<&mut Record>) -> nix::Result<()> {
        let there = self.there()?;
        if let Some(stat) = &there {
            door::look(stat, SFlag::S_IFREG, Owner::Any)?;
        }
        let left = record.as_ref().zip(there).and_then(|(record, stat)| record.left(self.id, id(&stat)));
        if left.is_none() && there.is_some_and(|stat| stat.st_size > 0 && stat.st_mode & 0o100 == 0) {
            self.archive(Kind::Unprocessed)?;
        }
        self.open_current()?;
        match (left, &record) {
            // Of an empty file it may be another one that is told: its number is free again once it is removed.
            (Some((entry, comes)), _) if comes || self.size > 0 => self.go_on(entry, comes)?,
            // It was killed between a rotation within a line and the rest of the line.
            (_, Some(record)) if self.size == 0 => {
                self.place = Some(record.place(self.id)).filter(|place| place.within).unwrap_or_default();
            }
            _ => {}
        }
        if !self.place.within {
            self.end_line()?;
        }
        if let Some(record) = record {
            record.file(self.id, self.entry(0, self.place));
        }
        // Not before the record knows it: else a kill would leave a file that is taken for one after a crash.
        self.mark(false)
    }

    /// Gives `current` the mode of one that is in order, or is being written. Who may read what is in it stays: it
    /// may be another file, which the owner of the directory has moved here.
    fn mark(&mut self, in_order: bool) -> nix::Result<()> {
        let (Some(file), Some(stat)) = (&self.current, &mut self.stat) else { return Ok(()) };
        let mode = match Mode::from_bits_truncate(stat.st_mode) {
            _ if self.size == 0 && !in_order => OPEN,
            mode if in_order => mode | ORDER,
            mode => mode - ORDER,
        };
        fchmod(file, mode)?;
        stat.st_mode = stat.st_mode & SFlag::S_IFMT.bits() | mode.bits();
        Ok(())
    }

    /// Brings `current` to where the process before us was, without the batch that comes once more.
    fn go_on(&mut self, entry: Entry, comes: bool) -> nix::Result<()> {
        let end = entry.offset.saturating_add(entry.length);
        if comes && (entry.offset..=end).contains(&self.size) {
            self.cut(entry.offset)?;
            (self.size, self.place) = (entry.offset, entry.before);
        } else if self.size == end {
            self.place = entry.after;
        }
        Ok(())
    }

    /// What `current` is, by its name.
    fn there(&self) -> nix::Result<Option<FileStat>> {
        match fstatat(&self.fd, c"current", AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn open_current(&mut self) -> nix::Result<()> {
        let access = OFlag::O_WRONLY | OFlag::O_APPEND;
        let file = door::file_or_new(self.fd.as_fd(), c"current", access, OPEN.bits(), Owner::Any)?;
        let stat = fstat(&file)?;
        self.size = u64::try_from(stat.st_size).unwrap_or(0);
        if self.loud {
            self.voice.info(&[if self.size == 0 { b"new current" } else { b"appending to current" }]);
        }
        self.current = Some(file);
        self.stat = Some(stat);
        Ok(())
    }

    fn no_current(&mut self) {
        (self.current, self.stat, self.size, self.unended) = (None, None, 0, false);
    }

    /// Ends a line that has no end and gets none any more.
    pub(super) fn end_line(&mut self) -> nix::Result<()> {
        if self.size == 0 {
            return Ok(());
        }
        let file = door::file(self.fd.as_fd(), c"current", OFlag::O_RDONLY, Owner::Any)?;
        let mut last = *b"\n";
        nix::sys::uio::pread(
            &file,
            &mut last,
            nix::libc::off_t::try_from(self.size - 1).map_err(|_| Errno::EFBIG)?,
        )?;
        self.unended = last != *b"\n";
        let _ = self.append(b""); // where there is no room it is ended before the next line
        Ok(())
    }

    /// Makes sure that `current` is open, is the file of that name, and has room; before each batch. The record is
    /// for one that could not be opened at the start.
    pub(super) fn prepare(
        &mut self,
        now: u64,
        common: Common,
        record: Option<&mut Record>,
    ) -> nix::Result<()> {
        let current = self.current.as_ref().map(fstat).transpose()?;
        if let Some(stat) = current {
            self.size = u64::try_from(stat.st_size).unwrap_or(0); // somebody may have cut it
            self.stat = Some(stat);
        }
        if current.is_none_or(|stat| stat.st_nlink == 0) || now >= self.looked + PAUSE {
            self.looked = now;
            self.look_after(current.as_ref(), false)?;
        }
        if self.current.is_none() {
            self.start(record.filter(|_| !self.started))?;
        }
        let (max, line) = (self.config.size, self.place);
        if max > 0 && self.size >= max && (!line.within || line.length >= max) {
            return self.rotate(now, common);
        }
        Ok(())
    }

    /// Finds out whether folder and `current` are still those of their names, and opens what is there now.
    /// A folder that is out of reach is used on, unless `strict`.
    fn look_after(&mut self, current: Option<&FileStat>, strict: bool) -> nix::Result<()> {
        let folder = match nix::sys::stat::stat(self.path) {
            Ok(stat) => identity::same(&stat, &fstat(&self.fd)?),
            Err(Errno::ENOENT | Errno::ENOTDIR) => false,
            Err(_) => true, // it cannot be told, and what is open is good
        };
        if !folder {
            if !std::mem::replace(&mut self.gone, true) {
                self.voice.warning(&[b"the log directory was removed or replaced"]);
            }
            return match self.reopen() {
                Err(_) if !strict && fstat(&self.fd)?.st_nlink > 0 => Ok(()),
                other => other,
            };
        }
        self.gone = false;
        let Some(current) = current else { return Ok(()) };
        if !self.there()?.is_some_and(|stat| identity::same(&stat, current)) {
            self.voice.warning(&[b"current was removed or replaced"]);
            self.place = Place::default();
            self.no_current();
        }
        Ok(())
    }

    /// Goes to what has the name of the folder now, and makes one if there is none.
    fn reopen(&mut self) -> nix::Result<()> {
        let mode = Mode::from_bits_truncate(fstat(&self.fd)?.st_mode & 0o7777);
        match mkdirat(AT_FDCWD, self.path, mode) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
        let folder = fds::open_directory(AT_FDCWD, self.path)?;
        let lock = take(&folder, 1)?.ok_or(Errno::EBUSY)?;
        self.id = id(&fstat(&folder)?);
        (self.fd, self.lock, self.place) = (folder, lock, Place::default());
        self.no_current();
        self.configure();
        Ok(())
    }

    /// After SIGHUP: the folder of that name, its config, and its `current`. Whether it can be used on.
    pub(super) fn again(&mut self, now: u64, common: Common) -> bool {
        if self.loud {
            self.voice.info(&[b"reading config"]);
        }
        (self.looked, self.stuck) = (0, None);
        self.configure();
        match self.look_after(None, true).and_then(|()| self.prepare(now, common, None)) {
            Err(errno) => {
                self.voice.unable(&[b"use the log directory"], errno);
                // Where a disk is full there will be room.
                matches!(errno, Errno::ENOSPC | Errno::EDQUOT | Errno::EIO | Errno::EROFS)
            }
            Ok(()) => true,
        }
    }

    /// Whether it is the one of this path.
    pub(super) fn is_at(&self, path: &CStr) -> bool {
        self.path == path
    }

    /// Whether a rotation is due behind so many bytes more: at the end of a line, or in one that alone is longer
    /// than `current` may be.
    pub(super) fn is_enough(&self, more: usize, line: Place, length: usize) -> bool {
        let (max, size, length) = (self.config.size, self.size + more as u64, length as u64);
        if line.within {
            return max > 0 && line.length >= max;
        }
        max > 0 && (size >= max || max >= length && size >= max - length)
    }

    /// Rotates if the last line that was written demands it, or its end was waited for.
    pub(super) fn after(&mut self, now: u64, common: Common) {
        let full = self.config.size >= common.length as u64 && self.is_enough(0, self.place, common.length);
        if !self.place.within && (self.wrote > 0 && full || self.late) {
            if let Err(errno) = self.rotate(now, common) {
                self.voice.unable(&[b"rotate current"], errno);
            }
        }
    }

    /// Makes an archive of `current`, unless it is empty.
    fn rotate(&mut self, now: u64, common: Common) -> nix::Result<()> {
        self.rotate = self.due();
        self.late = false;
        if self.size == 0 {
            return Ok(());
        }
        let mut kind = if self.config.processor().is_some() { Kind::Unprocessed } else { Kind::Safe };
        if let Some(file) = &self.current {
            if let Err(errno) = sync(file) {
                unable(self.voice, "bring current to the disk", errno, "its archive ends in .u");
                kind = Kind::Unprocessed;
            }
            self.mark(true)?;
        }
        self.archive(kind)?;
        self.start(None)?;
        self.process(now, common);
        Ok(())
    }

    /// Gives `current` the name of an archive, and removes the oldest if there are too many.
    fn archive(&mut self, kind: Kind) -> nix::Result<()> {
        let mut found = Archives::look(&self.fd, self.processor.busy())?;
        let name = found.next(kind);
        renameat(&self.fd, c"current", &self.fd, name.path())?;
        if self.loud {
            let mut size = Text::<24>::of(" ");
            self.voice.info(&[b"current is ", name.bytes(), size.number(self.size).bytes()]);
        }
        self.no_current();
        // Of those that wait for the processor, as many are kept as of those that it is done with.
        found.add(name);
        self.prune(found);
        Ok(())
    }

    /// Removes the oldest archive of each group in which there are too many.
    fn prune(&self, found: Archives) {
        for group in [found.safe, found.unprocessed] {
            let many = self.config.keep > 0 && group.count > self.config.keep;
            if let Some(oldest) = group.oldest.filter(|_| many) {
                self.remove(oldest);
            }
        }
    }

    /// Returns whether it has gone.
    fn remove(&self, oldest: Name) -> bool {
        if self.loud {
            self.voice.info(&[b"removing ", oldest.bytes()]);
        }
        let removed = unlinkat(&self.fd, oldest.path(), UnlinkatFlags::NoRemoveDir);
        removed.map_err(|errno| self.voice.unable(&[b"remove ", oldest.bytes()], errno)).is_ok()
    }

    /// Starts the processor if there is something to do for it. Returns whether it runs.
    pub(super) fn process(&mut self, now: u64, common: Common) -> bool {
        let Some(command) = self.config.processor() else { return false };
        self.processor.start(&self.fd, command, common.env, now, self.voice)
    }

    /// A child has ended.
    pub(super) fn ended(&mut self, pid: u32, status: i32, now: u64) -> bool {
        let ended = self.processor.ended(&self.fd, pid, status, now, self.voice, self.loud);
        if ended && !self.processor.has_failed() {
            // What was one of those that wait is one of the others now.
            match Archives::look(&self.fd, self.processor.busy()) {
                Ok(found) => self.prune(found),
                Err(errno) => self.voice.unable(&[b"look at the archives"], errno),
            }
        }
        ended
    }

    /// After SIGALRM. Where it is `busy`, a batch that was written here is still in the pipe: until it is out of it
    /// all stays as the record says.
    pub(super) fn rotate_now(&mut self, now: u64, common: Common, busy: bool) {
        if self.place.within || busy {
            (self.rotate, self.late) = (self.due(), true); // at the end of the line, or of the batch
            return;
        }
        if let Err(errno) = self.prepare(now, common, None).and_then(|()| self.rotate(now, common)) {
            // Not at once again, also where it has not come as far as `rotate`.
            self.rotate = self.rotate.map(|due| due.max(now + PAUSE));
            if !self.gone {
                self.voice.unable(&[b"rotate current"], errno);
            }
        }
    }

    /// Does what is due, `busy` as in [`Folder::rotate_now`]. Returns when the next thing is.
    pub(super) fn tick(&mut self, now: u64, common: Common, busy: bool) -> Option<u64> {
        if self.rotate.is_some_and(|due| now >= due) {
            self.rotate_now(now, common, busy);
        }
        if self.processor.again.is_some_and(|again| now >= again) {
            self.process(now, common);
        }
        if self.dropped > 0 && self.stuck.is_none_or(|due| now >= due) {
            if !busy && self.has_room() && self.prepare(now, common, None).is_ok() {
                let _ = self.append_all(b"", common); // it is tried again
            }
            self.stuck = (self.dropped > 0).then_some(now + PAUSE);
        }
        let due = [self.rotate, self.processor.again, self.stuck.filter(|_| self.dropped > 0)];
        due.into_iter().flatten().min()
    }

    /// What the record is to say of a batch of so many bytes.
    pub(super) fn entry(&self, length: usize, after: Place) -> Entry {
        // With room for what says how many lines are missing, and for the end of the last one.
        let more = if self.dropped > 0 || self.unended { 129 } else { 0 };
        let file = self.stat.as_ref().map_or([0; 2], id); // also where there is none: the line goes on
        Entry { file, offset: self.size, length: length as u64 + more, before: self.place, after }
    }

    /// Writes a batch, all or nothing.
    pub(super) fn deliver(
        &mut self,
        fault: Option<Errno>,
        bytes: &[u8],
        now: u64,
        common: Common,
    ) -> Delivered {
        let done = match fault {
            _ if bytes.is_empty() => Ok(()),
            Some(errno) => Err(errno),
            None => self.append_all(bytes, common),
        };
        let Err(errno) = done else {
            self.stuck = None;
            return Delivered::Done;
        };
        if self.make_room(errno) {
            return Delivered::Again;
        }
        if self.config.full == Full::New {
            if self.dropped == 0 {
                unable(self.voice, "write to current", errno, "new lines are dropped");
            }
            self.dropped += bytes.split(|byte| *byte == b'\n').count() as u64 - 1;
            // Of a line that goes on a part is missing.
            self.dropped = self.dropped.max(1);
            self.torn |= self.place.within && bytes.contains(&b'\n');
            self.why = Some(errno);
            return Delivered::Done;
        }
        if self.stuck.is_none() {
            unable(self.voice, "write to current", errno, "the log waits");
        }
        self.stuck = Some(now + PAUSE);
        Delivered::Stuck
    }

    /// Removes an archive where the disk is full and the policy allows it. Returns whether one has gone.
    fn make_room(&self, errno: Errno) -> bool {
        if !matches!(errno, Errno::ENOSPC | Errno::EDQUOT) {
            return false;
        }
        let least = match self.config.full {
            Full::Oldest => 0,
            _ if self.config.least < self.config.keep => self.config.least,
            _ => return false,
        };
        let found = Archives::look(&self.fd, self.processor.busy()).ok(); // else the next try may see them
        let oldest = found.filter(|found| found.count > least).and_then(|found| found.oldest);
        oldest.is_some_and(|oldest| {
            self.voice.warning(&[b"the disk is full: removing ", oldest.bytes()]);
            self.remove(oldest)
        })
    }

    /// What says in the log how many lines are missing, if any are.
    fn notice(&self, common: Common) -> Option<Text<128>> {
        let errno = self.why.filter(|_| self.dropped > 0 && !self.place.within)?;
        let mut text = Text::of(if self.torn { "\n" } else { "" });
        text.add(common.stamp.text(clock::wall()).bytes())
            .add(self.voice.called)
            .add(": warning: ")
            .number(self.dropped)
            .add(" lines dropped: ")
            .errno(errno);
        text.add("\n");
        Some(text)
    }

    /// Appends what is missing and these bytes, all of it or nothing.
    fn append_all(&mut self, bytes: &[u8], common: Common) -> nix::Result<()> {
        let (start, unended, notice) = (self.size, self.unended, self.notice(common));
        if let Some(notice) = &notice {
            self.append(notice.bytes())?;
        }
        if let Err(errno) = self.append(bytes) {
            if self.size > start {
                self.cut(start)?;
                (self.size, self.unended) = (start, unended);
            }
            return Err(errno);
        }
        if notice.is_some() {
            (self.dropped, self.torn) = (0, false);
        }
        Ok(())
    }

    /// Whether there is room for more than a few lines.
    fn has_room(&self) -> bool {
        let room = |stat: Statvfs| u128::from(stat.blocks_available()) * u128::from(stat.fragment_size());
        // Where it cannot be told, the next line to be written finds out.
        fstatvfs(&self.fd).is_ok_and(|stat| room(stat) >= 1 << 14)
    }

    /// Appends all of it, or nothing, behind the end of a line that has none.
    fn append(&mut self, bytes: &[u8]) -> nix::Result<()> {
        if std::mem::take(&mut self.unended) {
            self.append(b"\n").inspect_err(|_| self.unended = true)?;
        }
        let file = self.current.as_ref().ok_or(Errno::EBADF)?;
        let mut written = 0;
        while written < bytes.len() {
            match write(file, &bytes[written..]) {
                Ok(count) if count > 0 => written += count,
                other => {
                    if written > 0 {
                        self.cut(self.size)?;
                    }
                    return Err(other.err().unwrap_or(Errno::ENOSPC));
                }
            }
        }
        self.size += bytes.len() as u64;
        Ok(())
    }

    fn cut(&self, size: u64) -> nix::Result<()> {
        let file = self.current.as_ref().ok_or(Errno::EBADF)?;
        ftruncate(file, nix::libc::off_t::try_from(size).map_err(|_| Errno::EFBIG)?)
    }

    /// At the end: says in the log how many lines were dropped, if any were. Whether that could be said.
    pub(super) fn confess(&mut self, common: Common) -> bool {
        if self.dropped == 0 {
            return true;
        }
        let said = self.append_all(b"", common).is_ok() && self.dropped == 0;
        if !said {
            let mut text = Text::<64>::new();
            text.number(self.dropped).add(" lines were dropped, and the log does not say so");
            self.voice.warning(&[text.bytes()]);
        }
        said
    }

    /// Leaves all in order. Whether what was written is on the disk.
    pub(super) fn close(&mut self) -> bool {
        self.processor.kill(&self.fd, self.voice);
        let Some(file) = &self.current else { return true };
        let safe = sync(file).and_then(|()| self.mark(true));
        self.no_current();
        safe.map_err(|errno| self.voice.unable(&[b"bring current to the disk"], errno)).is_ok()
    }

    /// Sends a line to where `config` wants it, if that is possible at once.
    pub(super) fn send(&self, socket: &mut Option<UdpSocket>, text: &[u8]) -> bool {
        let Some(address) = self.config.udp else { return true };
        if socket.is_none() {
            // Whatever fails, the line has not been sent, which the log says; the next one tries again.
            let new = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0));
            *socket = new.and_then(|new| new.set_nonblocking(true).map(|()| new)).ok();
        }
        socket.as_ref().is_some_and(|socket| socket.send_to(text, address).ok() == Some(text.len()))
    }

    /// What makes its lines.
    pub(super) fn maker<'a>(&'a self, stamp: &'a [u8], length: usize) -> Maker<'a> {
        Maker { config: &self.config, stamp, length }
    }
}
