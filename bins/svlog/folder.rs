//! A log directory: `current`, its rotation, and what is written there.

use std::ffi::CStr;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};

use common::{Text, Voice, Words, fds, identity, lock, socket};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, mkdirat};
use nix::sys::statvfs::{Statvfs, fstatvfs};
use nix::unistd::{UnlinkatFlags, ftruncate, read, unlinkat, write};

use super::archive::{Archives, Kind, Name};
use super::config::{Config, Full};
use super::lines::{Maker, Place, Stamp};
use super::processor::{Processor, sync};
use super::record::{Entry, Left, Record};

/// The mode of a `current` that was left in order, and of an archive, as svlogd's.
const SAFE: Mode = Mode::from_bits_truncate(0o744);
/// The mode of a `current` that is being written.
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
    /// Held by its lock.
    lock: OwnedFd,
    pub(super) config: Config,
    current: Option<OwnedFd>,
    /// The size of `current`.
    size: u64,
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
    pub(super) processor: Processor,
    /// When what has failed is tried again: monotonic, ms.
    pub(super) stuck: Option<u64>,
    /// Lines that were dropped, and why.
    dropped: u64,
    why: Option<Errno>,
    voice: Voice,
    loud: bool,
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
        let folder = fds::open_folder(AT_FDCWD, path)
            .map_err(|errno| voice.unable(&[b"open the log directory"], errno));
        let folder = folder.ok()?;
        let lock = match take(&folder) {
            Ok(Some(lock)) => lock,
            Ok(None) => {
                voice.warning(&[b"another process has the lock of this log directory, and writes to it"]);
                return None;
            }
            Err(errno) => {
                voice.unable(&[b"lock the log directory"], errno);
                return None;
            }
        };
        let mut new = Self {
            path,
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
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let file = match fds::open(self.fd.as_fd(), c"config", flags, Mode::empty()) {
            Err(Errno::ENOENT) => None,
            other => Some(other),
        };
        let voice = self.voice;
        let fill = |text: &mut Vec<u8>| file.map_or(Ok(()), |file| read_all(&file?, text));
        let complain =
            |line: &[u8]| voice.warning(&[b"config: this means nothing, the default stays: ", line]);
        if let Err(errno) = self.config.read(fill, complain) {
            voice.unable(&[b"read config: all is the default"], errno);
        }
        self.rotate = self.due();
    }

    fn due(&self) -> Option<u64> {
        (self.config.age > 0)
            .then(|| socket::monotonic().saturating_add(self.config.age.saturating_mul(1000)))
    }

    /// Opens `current`. One that was not left in order is an archive of its own, unless the record, with the
    /// place of this folder in it, says that nothing but the process that wrote it has come to an end.
    pub(super) fn start(&mut self, record: Option<(&mut Record, usize)>) -> nix::Result<()> {
        let there = self.there()?;
        let (record, folder) = record.unzip();
        let mut record = record;
        let left = record.as_mut().zip(there).and_then(|(record, stat)| record.left(&stat));
        if left.is_none() && there.is_some_and(|stat| stat.st_size > 0 && stat.st_mode & 0o100 == 0) {
            self.archive(Kind::Unprocessed)?;
        }
        self.open_current()?;
        if let Some((record, folder)) = record.zip(folder) {
            self.go_on(record, folder, left)?;
        }
        if self.place.within { Ok(()) } else { self.end_line() }
    }

    /// Brings `current` to where the process before us was, without the batch that comes once more.
    fn go_on(&mut self, record: &mut Record, folder: usize, left: Option<Left>) -> nix::Result<()> {
        let Some(left) = left else {
            // It was killed between a rotation within a line and the rest of the line.
            if self.size == 0 {
                self.place = Some(record.place(folder)).filter(|place| place.within).unwrap_or_default();
            }
            return Ok(());
        };
        let Entry { offset, length, before, after } = left.entry;
        let end = offset.saturating_add(length);
        if left.comes && (offset..=end).contains(&self.size) {
            self.cut(offset)?;
            (self.size, self.place) = (offset, before);
            record.undo(&left);
        } else if self.size == end {
            self.place = after;
        }
        Ok(())
    }

    /// What `current` is, by its name.
    fn there(&self) -> nix::Result<Option<FileStat>> {
        match fstatat(&self.fd, c"current", AtFlags::empty()) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn open_current(&mut self) -> nix::Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let file = fds::open(self.fd.as_fd(), c"current", flags, OPEN)?;
        let stat = fstat(&file)?;
        if !fds::is(&stat, SFlag::S_IFREG) {
            return Err(Errno::EINVAL);
        }
        fchmod(&file, OPEN)?;
        self.size = u64::try_from(stat.st_size).unwrap_or(0);
        if self.loud {
            self.voice.info(&[if self.size == 0 { b"new current" } else { b"appending to current" }]);
        }
        self.current = Some(file);
        self.stat = Some(stat);
        Ok(())
    }

    /// Ends a line that somebody else has left without its end.
    fn end_line(&mut self) -> nix::Result<()> {
        if self.size == 0 {
            return Ok(());
        }
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let file = fds::open(self.fd.as_fd(), c"current", flags, Mode::empty())?;
        let mut last = *b"\n";
        nix::sys::uio::pread(&file, &mut last, i64::try_from(self.size - 1).map_err(|_| Errno::EFBIG)?)?;
        if last == *b"\n" { Ok(()) } else { self.append(b"\n") }
    }

    /// Makes sure that `current` is open, is the file of that name, and has room; before each batch.
    pub(super) fn prepare(&mut self, now: u64, common: Common) -> nix::Result<()> {
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
            self.start(None)?;
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
            (self.current, self.place) = (None, Place::default());
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
        let folder = fds::open_folder(AT_FDCWD, self.path)?;
        let lock = take(&folder)?.ok_or(Errno::EBUSY)?;
        (self.fd, self.lock, self.current, self.place) = (folder, lock, None, Place::default());
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
        match self.look_after(None, true).and_then(|()| self.prepare(now, common)) {
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
        if self.wrote > 0 && !self.place.within && (full || self.late) {
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
                self.voice.unable(&[b"bring current to the disk: its archive ends in .u"], errno);
                kind = Kind::Unprocessed;
            }
            fchmod(file, SAFE)?;
        }
        self.archive(kind)?;
        self.open_current()?;
        self.process(now, common);
        Ok(())
    }

    /// Gives `current` the name of an archive, and removes the oldest if there are too many.
    fn archive(&mut self, kind: Kind) -> nix::Result<()> {
        let mut found = Archives::look(&self.fd, self.processor.busy())?;
        let name = found.next(kind);
        renameat(&self.fd, c"current", &self.fd, name.path())?;
        self.current = None;
        if self.loud {
            let mut size = Text::<24>::of(" ");
            self.voice.info(&[b"current is ", name.bytes(), size.number(self.size).bytes()]);
        }
        // Of those that wait for the processor, as many are kept as of those that it is done with.
        found.add(name);
        for group in [found.safe, found.unprocessed] {
            let many = self.config.keep > 0 && group.count > self.config.keep;
            if let Some(oldest) = group.oldest.filter(|_| many) {
                self.remove(oldest);
            }
        }
        Ok(())
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
        self.processor.ended(&self.fd, pid, status, now, self.voice, self.loud)
    }

    /// After SIGALRM.
    pub(super) fn rotate_now(&mut self, now: u64, common: Common) {
        if self.place.within {
            (self.rotate, self.late) = (self.due(), true); // at the end of the line
            return;
        }
        if let Err(errno) = self.prepare(now, common).and_then(|()| self.rotate(now, common)) {
            // Not at once again, also where it has not come as far as `rotate`.
            self.rotate = self.rotate.map(|due| due.max(now + PAUSE));
            if !self.gone {
                self.voice.unable(&[b"rotate current"], errno);
            }
        }
    }

    /// Does what is due. Returns when the next thing is.
    pub(super) fn tick(&mut self, now: u64, common: Common) -> Option<u64> {
        if self.rotate.is_some_and(|due| now >= due) {
            self.rotate_now(now, common);
        }
        if self.processor.again.is_some_and(|again| now >= again) {
            self.process(now, common);
        }
        if self.dropped > 0 && self.stuck.is_none_or(|due| now >= due) {
            if self.has_room() && self.prepare(now, common).is_ok() {
                let _ = self.append_all(b"", common); // it is tried again
            }
            self.stuck = (self.dropped > 0).then_some(now + PAUSE);
        }
        let due = [self.rotate, self.processor.again, self.stuck.filter(|_| self.dropped > 0)];
        due.into_iter().flatten().min()
    }

    /// Where `bytes`, the batch, would begin, for the record.
    pub(super) fn entry(&self, length: usize, after: Place) -> Option<(FileStat, Entry)> {
        // With room for what says how many lines are missing.
        let length = length as u64 + if self.dropped > 0 { 128 } else { 0 };
        Some((self.stat?, Entry { offset: self.size, length, before: self.place, after }))
    }

    /// Writes a batch, all or nothing. True if that is done, or the lines were dropped; false if it is to be
    /// tried again when `stuck` says.
    pub(super) fn deliver(&mut self, fault: Option<Errno>, bytes: &[u8], now: u64, common: Common) -> bool {
        let errno = match self.with_room(fault, bytes, now, common) {
            Ok(()) => {
                self.stuck = None;
                return true;
            }
            Err(errno) => errno,
        };
        if self.config.full == Full::New {
            if self.dropped == 0 {
                self.voice.unable(&[b"write to current: new lines are dropped"], errno);
            }
            self.dropped += bytes.split(|byte| *byte == b'\n').count() as u64 - 1;
            // Of a line that goes on a part is missing.
            self.dropped = self.dropped.max(1);
            self.torn |= self.place.within && bytes.contains(&b'\n');
            self.why = Some(errno);
            return true;
        }
        if self.stuck.is_none() {
            self.voice.unable(&[b"write to current: the log waits"], errno);
        }
        self.stuck = Some(now + PAUSE);
        false
    }

    /// Writes, and makes room where the disk is full as far as the policy allows.
    fn with_room(&mut self, fault: Option<Errno>, bytes: &[u8], now: u64, common: Common) -> nix::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut done = fault.map_or_else(|| self.append_all(bytes, common), Err);
        loop {
            let errno = match done {
                Err(errno @ (Errno::ENOSPC | Errno::EDQUOT)) => errno,
                other => return other,
            };
            let found = Archives::look(&self.fd, self.processor.busy())?;
            let least = match self.config.full {
                Full::Oldest => 0,
                _ if self.config.least < self.config.keep => self.config.least,
                _ => return Err(errno),
            };
            let Some(oldest) = found.oldest.filter(|_| found.count > least) else { return Err(errno) };
            self.voice.warning(&[b"the disk is full: removing ", oldest.bytes()]);
            if !self.remove(oldest) {
                return Err(errno);
            }
            done = self.prepare(now, common).and_then(|()| self.append_all(bytes, common));
        }
    }

    /// What says in the log how many lines are missing, if any are.
    fn notice(&self, common: Common) -> Option<Text<128>> {
        let errno = self.why.filter(|_| self.dropped > 0 && !self.place.within)?;
        let mut text = Text::of(if self.torn { "\n" } else { "" });
        text.add(common.stamp.text(socket::wall()).bytes())
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
        let (start, notice) = (self.size, self.notice(common));
        if let Some(notice) = &notice {
            self.append(notice.bytes())?;
        }
        if let Err(errno) = self.append(bytes) {
            if self.size > start {
                self.cut(start)?;
                self.size = start;
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
        let room = |stat: Statvfs| stat.blocks_available().saturating_mul(stat.fragment_size());
        fstatvfs(&self.fd).is_ok_and(|stat| room(stat) >= 1 << 14)
    }

    /// Appends all of it, or nothing.
    fn append(&mut self, bytes: &[u8]) -> nix::Result<()> {
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
        ftruncate(file, i64::try_from(size).map_err(|_| Errno::EFBIG)?)
    }

    /// Leaves all in order.
    pub(super) fn close(&mut self) {
        self.processor.kill(&self.fd, self.voice);
        let Some(file) = self.current.take() else { return };
        let safe = sync(&file).and_then(|()| fchmod(&file, SAFE));
        if let Err(errno) = safe {
            self.voice.unable(&[b"bring current to the disk"], errno);
        }
    }

    /// Sends a line to where `config` wants it, if that is possible at once.
    pub(super) fn send(&self, socket: &mut Option<UdpSocket>, text: &[u8]) -> bool {
        let Some(address) = self.config.udp else { return true };
        if socket.is_none() {
            *socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok();
            let _ = socket.as_ref().map(|socket| socket.set_nonblocking(true)); // else it may wait a little
        }
        socket.as_ref().is_some_and(|socket| socket.send_to(text, address).ok() == Some(text.len()))
    }

    /// What makes its lines.
    pub(super) fn maker<'a>(&'a self, stamp: &'a [u8], length: usize) -> Maker<'a> {
        Maker { config: &self.config, stamp, length }
    }
}

fn read_all(file: &OwnedFd, text: &mut Vec<u8>) -> nix::Result<()> {
    let mut buffer = [0; 512];
    loop {
        match read(file, &mut buffer)? {
            0 => return Ok(()),
            count => text.extend_from_slice(&buffer[..count]),
        }
    }
}

/// The lock of a log directory, as svlogd takes it, if it is free.
fn take(folder: &OwnedFd) -> nix::Result<Option<OwnedFd>> {
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = fds::open(folder.as_fd(), c"lock", flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
    Ok(lock::try_flock(file.as_fd())?.then_some(file))
}
