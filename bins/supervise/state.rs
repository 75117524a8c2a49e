//! The state directory `supervise`: what clients read, how they reach us, and what a new supervisor finds.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use common::door::{self, Owner};
use common::supervise;
use common::{Text, fds, file};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, renameat};
use nix::libc::{dev_t, ino_t, off_t};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat, mkdirat};
use nix::unistd::{AccessFlags, UnlinkatFlags, Whence, faccessat, lseek, read, unlinkat, write};

use super::access::Access;
use super::fresh::Fresh;
use super::lock::{Lock, NotOurs, Origin, Patience};
use super::machine::Machine;
use super::now::Wall;
use super::report;
use common::Voice;

/// A state directory that is ours: we hold its lock.
#[derive(Debug)]
pub(super) struct State {
    directory: OwnedFd,
    /// Whether others may have left something in it.
    pub(super) origin: Origin,
    _lock: Lock,
    /// Control bytes come out of here.
    pub(super) control: Option<Fresh>,
    ok: Option<OwnedFd>,
    /// The record of children, if they can be adopted.
    pub(super) record: Option<OwnedFd>,
    /// It is a new one.
    blank: bool,
    /// What clients read may be as it has to be: another supervisor has written it of a process that lives.
    pub(super) inherited: bool,
    /// One that cannot be written, with which adoption ends; and whether it is believed.
    unwritten: Option<(OwnedFd, bool)>,
    access: Access,
    status: [u8; 20],
    /// The pid that was written, [`UNWRITTEN`] before that.
    pid: u32,
    words: Text<64>,
    refused: Option<Errno>,
    deaths: Option<Deaths>,
}

/// The file `deaths`, once it has been read.
#[derive(Debug)]
struct Deaths {
    file: OwnedFd,
    /// Its device and inode.
    identity: (dev_t, ino_t),
    lines: u8,
}

/// More than any pid.
const UNWRITTEN: u32 = u32::MAX;
/// How many lines `deaths` keeps.
const DEATHS: usize = 32;
/// How much of `deaths` is read: more than that many lines of ours take.
const TAIL: off_t = 256 * 32;

impl State {
    /// Takes the state directory below `parent`, as [`State::lock`], and serves these clients.
    pub(super) fn take(parent: BorrowedFd, access: Access, patience: Patience) -> Result<Self, NotOurs> {
        let mut state = Self::lock(parent, patience)?;
        state.serve(access);
        Ok(state)
    }

    /// Locks the state directory below `parent`, which is made if it is not there. A lock that is busy may
    /// be that of a child that has not executed yet: that is what `patience` is for.
    pub(super) fn lock(parent: BorrowedFd, patience: Patience) -> Result<Self, NotOurs> {
        let mode = Mode::from_bits_truncate(0o700);
        let made = mkdirat(parent, supervise::DIRECTORY, mode);
        let open = || fds::open_directory(parent, supervise::DIRECTORY);
        let mut opened = open();
        // A link may point to where nothing is yet, as to a directory in /run.
        if made == Err(Errno::EEXIST) && matches!(opened, Err(Errno::ENOENT)) {
            let mut buffer = [0; 1023]; // nix copies a path of this length without allocating
            if let Ok(target) = file::read_link(parent, supervise::DIRECTORY, &mut buffer) {
                let _ = mkdirat(parent, target, mode); // opening it reports
            }
            opened = open();
        }
        let directory = opened.map_err(|errno| match made {
            Err(why) if why != Errno::EEXIST => NotOurs::Unusable("make supervise", why),
            _ => NotOurs::Unusable("open supervise/lock", errno),
        })?;
        let origin = if made.is_ok() { Origin::Made } else { Origin::Found };
        let stat = fstat(&directory).map_err(|errno| NotOurs::Unusable("look at supervise", errno))?;
        let lock = Lock::take(&directory, &stat, origin, patience)?;
        let mut state = Self {
            directory,
            origin,
            _lock: lock,
            control: None,
            ok: None,
            record: None,
            blank: false,
            inherited: false,
            unwritten: None,
            access: Access::default(),
            status: [0; 20],
            pid: UNWRITTEN,
            words: Text::new(),
            refused: None,
            deaths: None,
        };
        match state.open_record(&stat) {
            Ok((file, blank)) => (state.record, state.blank) = (Some(file), blank),
            // There is none, and no room for one: it is tried again, and reported.
            Err(Errno::ENOENT | Errno::ENOSPC | Errno::EDQUOT) => {}
            // One that we cannot write, or that others can, may be there all the same.
            Err(Errno::EROFS | Errno::EACCES | Errno::EPERM) => state.look_at_record()?,
            Err(errno) => return Err(NotOurs::Unusable("open supervise/record", errno)),
        }
        Ok(state)
    }

    /// From now on it serves these clients, and hears what they write to `control`.
    pub(super) fn serve(&mut self, access: Access) {
        self.access = access;
        self.control = self.control_fifo(supervise::CONTROL, OFlag::O_RDWR).ok().map(Fresh::from); // open_fifos tries again, and reports
    }

    /// The directory, for what else lies in it.
    pub(super) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Why nothing can be written in it, if that lies in the directory or its file system.
    pub(super) fn refuses_writing(&self) -> Option<Errno> {
        if self.origin == Origin::Made {
            return None;
        }
        let may = faccessat(&self.directory, c".", AccessFlags::W_OK, AtFlags::empty());
        may.err().filter(|errno| matches!(errno, Errno::EROFS | Errno::EACCES | Errno::EPERM))
    }

    /// Whether it was removed: no file can be made in it.
    pub(super) fn is_lost(&self) -> bool {
        self.refused == Some(Errno::ENOENT)
    }

    /// The record of another supervisor, and whether it is believed: not if others may write it.
    pub(super) fn left(&self) -> Option<(BorrowedFd<'_>, bool)> {
        match (&self.record, &self.unwritten) {
            (Some(_), _) if self.blank => None,
            (Some(file), _) => Some((file.as_fd(), true)),
            (None, Some((file, believed))) => Some((file.as_fd(), *believed)),
            (None, None) => None,
        }
    }

    /// Opens a record that cannot be written.
    fn look_at_record(&mut self) -> Result<(), NotOurs> {
        let directory = ours_alone(&self.directory);
        let looked = match door::file(self.directory(), c"record", OFlag::O_RDONLY, Owner::Any) {
            Ok(file) => directory.and_then(|directory| Ok((directory && ours_alone(&file)?, file))),
            Err(Errno::ENOENT) => return Ok(()),
            // The owner of the directory has put something else there.
            Err(Errno::ELOOP | Errno::EEXIST | Errno::ENXIO) if directory == Ok(false) => return Ok(()),
            Err(errno) => Err(errno),
        };
        let (believed, file) = looked.map_err(|errno| NotOurs::Unusable("open supervise/record", errno))?;
        self.unwritten = Some((file, believed));
        Ok(())
    }

    /// The record, if nobody else may write it, and whether there was none. `directory`: what was seen of that.
    fn open_record(&self, directory: &FileStat) -> nix::Result<(OwnedFd, bool)> {
        if !is_ours_alone(directory) {
            return Err(Errno::EPERM);
        }
        let open = || door::seen_file_or_new(self.directory(), c"record", OFlag::O_RDWR, 0o600, Owner::Us);
        let (mut file, stat) = open()?;
        let mut blank = stat.st_size == 0;
        if !blank && !super::record::claim(file.as_fd(), &stat)? {
            // A new file: one from a lower layer of an overlay has other numbers once the kernel has forgotten it.
            unlinkat(&self.directory, c"record", UnlinkatFlags::NoRemoveDir)?;
            (file, _) = open()?;
            blank = true;
        }
        if blank {
            // All of its room now: a child must not fail for a full disk.
            super::record::clear(file.as_fd())?;
        }
        Ok((file, blank))
    }

    /// Makes the record, if there was none so far, or none is left: true where it is new.
    pub(super) fn make_record(&mut self) -> nix::Result<bool> {
        if let Some(file) = &self.record {
            if fstat(file)?.st_nlink > 0 {
                return Ok(false);
            }
        }
        // A record of another time does not count, nor does one that is not ours.
        self.record = None;
        let (file, _) =
            door::replacing(self.directory(), c"record", || self.open_record(&fstat(&self.directory)?))?;
        super::record::clear(file.as_fd())?;
        self.record = Some(file);
        Ok(true)
    }

    /// Makes and opens what clients reach us by. After the first status: a client that gets through has to find one.
    pub(super) fn open_fifos(&mut self) -> nix::Result<()> {
        if let Some(grant) = self.access.directory().filter(|_| self.ok.is_none()) {
            self.show_old(supervise::DEATHS)?;
            self.show_old(supervise::READY)?;
            grant.give(&self.directory)?;
        }
        if self.control.is_none() {
            self.control = Some(self.control_fifo(supervise::CONTROL, OFlag::O_RDWR)?.into());
        }
        if self.ok.is_none() {
            self.ok = Some(self.control_fifo(supervise::OK, OFlag::O_RDONLY)?);
        }
        Ok(())
    }

    fn control_fifo(&self, name: &CStr, flags: OFlag) -> nix::Result<OwnedFd> {
        let open = || door::fifo_or_new(self.directory(), name, flags, 0o600, Owner::Any);
        let fifo = door::replacing(self.directory(), name, open)?;
        let grant = if name == supervise::OK { self.access.ok() } else { self.access.control() };
        grant.map_or(Ok(()), |grant| grant.give(&fifo))?;
        Ok(fifo)
    }

    /// Gives a file that shows the state to those who may read it. It is ours: nobody else can have put it here.
    fn show_file(&self, file: &OwnedFd) -> nix::Result<()> {
        self.access.shown().map_or(Ok(()), |grant| grant.give(file))
    }

    /// The same for a file of an earlier time, before the directory is open to others.
    fn show_old(&self, name: &CStr) -> nix::Result<()> {
        if self.access.shown().is_none() || !ours_alone(&self.directory)? {
            return Ok(());
        }
        match door::file(self.directory(), name, OFlag::O_RDONLY, Owner::Us) {
            Ok(file) => self.show_file(&file),
            Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Shows `machine` to all readers: the pid, the words, and the 20 bytes, each only if it changed; `needs`: the names
    /// of what its start waits for. An
    /// old file stays until the new one is whole. True where all is written.
    pub(super) fn show(&mut self, machine: &Machine, needs: &[u8], since: Wall, voice: Voice) -> bool {
        let (status, words) = (report::status_bytes(machine, since), report::stat(machine, needs));
        let (pid, status) = (status.pid, status.pack());
        if status == self.status && words.bytes() == self.words.bytes() {
            return true;
        }
        match self.write(pid, &words, &status) {
            Ok(()) => self.refused = None,
            Err((name, errno)) => {
                self.complain(voice, &[b"write supervise/", name.as_bytes()], errno, b"trying again");
            }
        }
        self.refused.is_none()
    }

    /// Says that something cannot be done here, once until all is well again: the next thing will fail for
    /// the same reason.
    pub(super) fn complain(&mut self, voice: Voice, what: &[&[u8]], errno: Errno, consequence: &[u8]) {
        // A directory that is gone is another matter.
        if self.refused != Some(errno) && errno != Errno::ENOENT {
            voice.unable_so(what, errno, consequence);
        }
        self.refused = Some(errno);
    }

    fn write(&mut self, pid: u32, words: &Text<64>, status: &[u8; 20]) -> Result<(), (&'static str, Errno)> {
        let of = |name| move |errno| (name, errno);
        let mut text = Text::<16>::new();
        if pid != 0 {
            text.number(pid).add("\n");
        }
        let same = std::mem::take(&mut self.inherited) && self.access.shown().is_none(); // else they are others' to read
        // It is written last, and what the others say of a process that runs and is to run is in it; of one that is not it has
        // one word, whether the supervisor goes too or not.
        if same && pid != 0 && status[17] == b'u' && self.shows(status) {
            (self.pid, self.words, self.status) = (pid, words.clone(), *status);
            return Ok(());
        }
        if self.pid != pid {
            self.replace(c"pid.new", supervise::PID, text.bytes()).map_err(of("pid"))?;
            self.pid = pid;
        }
        if self.words.bytes() != words.bytes() {
            self.replace(c"stat.new", supervise::STAT, words.bytes()).map_err(of("stat"))?;
            self.words = Text::of(words.bytes());
        }
        self.replace(c"status.new", supervise::STATUS, status).map_err(of("status"))?;
        self.status = *status;
        Ok(())
    }

    /// Whether this is the status that can be read already. One that cannot be read is written anew.
    #[inline(never)]
    fn shows(&self, status: &[u8; 20]) -> bool {
        let mut buffer = [0; 21]; // longer than it
        let found = door::read_file(self.directory(), supervise::STATUS, Owner::Us, &mut buffer);
        found.is_ok_and(|found| found == status)
    }

    fn replace(&self, new: &CStr, name: &CStr, bytes: &[u8]) -> nix::Result<()> {
        // If the new file is gone before it has its name, somebody is clearing up: try again. ENOENT means that
        // the directory is gone, in which no file can be made.
        for _ in 0..2 {
            let file = door::new_file(self.directory(), new, 0o644)?;
            self.show_file(&file)?;
            whole(write(&file, bytes), bytes.len())?;
            match renameat(&self.directory, new, &self.directory, name) {
                Err(Errno::ENOENT) => {}
                other => return other,
            }
        }
        Err(Errno::EAGAIN)
    }

    /// Says in `ready` since when the service is, or takes that back.
    pub(super) fn show_ready(&self, since: Option<Wall>) -> nix::Result<()> {
        match since {
            Some(time) => {
                let mut text = Text::<32>::new();
                self.replace(c"ready.new", supervise::READY, text.instant(time).add("\n").bytes())
            }
            None => match unlinkat(&self.directory, supervise::READY, UnlinkatFlags::NoRemoveDir) {
                Err(Errno::ENOENT) => Ok(()),
                other => other,
            },
        }
    }

    /// The next death opens the file `deaths` again.
    pub(super) fn close_deaths(&mut self) {
        self.deaths = None;
    }

    /// Adds a line to `deaths`, which keeps the last 32.
    pub(super) fn add_death(&mut self, line: &[u8]) -> nix::Result<()> {
        if let Some(deaths) = self.deaths.as_mut().filter(|deaths| usize::from(deaths.lines) < DEATHS) {
            match fstatat(&self.directory, supervise::DEATHS, AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(stat) if deaths.identity == (stat.st_dev, stat.st_ino) => {
                    deaths.lines += 1;
                    return whole(write(&deaths.file, line), line.len());
                }
                Ok(_) | Err(Errno::ENOENT) => {} // it is another
                Err(errno) => return Err(errno),
            }
        }
        self.deaths = None;
        let access = OFlag::O_RDWR | OFlag::O_APPEND;
        let open = || door::seen_file_or_new(self.directory(), supervise::DEATHS, access, 0o644, Owner::Any);
        let (file, stat) = door::replacing(self.directory(), supervise::DEATHS, open)?;
        // The last lines alone, however long the file is: others may write to it.
        let from = (stat.st_size - TAIL).max(0);
        let (lines, keep) = if stat.st_size == 0 { (0, 0) } else { last_lines(&file, from)? };
        // Another owner of the directory may have moved a file of ours here: nothing is added to that.
        if from == 0 && lines < DEATHS && ours_alone(&self.directory)? {
            self.show_file(&file)?;
            whole(write(&file, line), line.len())?;
            let lines = u8::try_from(lines + 1).unwrap_or(u8::MAX); // it is fewer than that
            self.deaths = Some(Deaths { file, identity: (stat.st_dev, stat.st_ino), lines });
            return Ok(());
        }
        // Nor may the copy be read by more than could read it.
        let mode = if stat.st_mode & 0o004 == 0 { 0o600 } else { 0o644 };
        let new = door::new_file(self.directory(), c"deaths.new", mode)?;
        if ours_alone(&self.directory)? {
            self.show_file(&new)?;
        }
        lseek(&file, keep, Whence::SeekSet)?;
        let mut part = [0; 256];
        for _ in 0..DEATHS {
            match read(&file, &mut part)? {
                0 => break,
                count => whole(write(&new, &part[..count]), count)?,
            }
        }
        whole(write(&new, line), line.len())?;
        renameat(&self.directory, c"deaths.new", &self.directory, supervise::DEATHS)
    }
}

/// How many whole lines a file has behind the offset `from`, and where the last of them begin that are kept
/// beside a new one. What stands there is the rest of a line, unless the file begins there.
fn last_lines(file: &OwnedFd, from: off_t) -> nix::Result<(usize, off_t)> {
    let mut starts = [from; DEATHS];
    let mut part = [0; 256];
    let (mut lines, mut at, mut begun) = (0, from, from == 0);
    lseek(file, from, Whence::SeekSet)?;
    // Bounded also where somebody writes to it meanwhile.
    while at < from + TAIL {
        let count = read(file, &mut part)?;
        if count == 0 {
            break;
        }
        for byte in &part[..count] {
            at += 1;
            if *byte == b'\n' {
                lines += usize::from(begun);
                begun = true;
                starts[lines % DEATHS] = at;
            }
        }
    }
    let first = lines.saturating_sub(DEATHS - 1);
    Ok((lines, if begun { starts[first % DEATHS] } else { at }))
}

/// Whether a file is ours, and nobody else may write it.
fn ours_alone(file: &OwnedFd) -> nix::Result<bool> {
    fstat(file).map(|stat| is_ours_alone(&stat))
}

fn is_ours_alone(stat: &FileStat) -> bool {
    stat.st_uid == door::us() && stat.st_mode & 0o022 == 0
}

fn whole(written: nix::Result<usize>, length: usize) -> nix::Result<()> {
    if written? == length { Ok(()) } else { Err(Errno::ENOSPC) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deaths_keeps_the_last_32_of_however_many() {
        let directory = tempfile::tempdir().unwrap();
        let parent = std::fs::File::open(directory.path()).unwrap();
        let mut state = State::take(parent.as_fd(), Access::default(), Patience::None).unwrap();
        let file = directory.path().join("supervise/deaths");
        let lines =
            |range: std::ops::Range<u32>| range.map(|i| format!("line {i}\n")).collect::<Vec<_>>().concat();
        std::fs::write(&file, lines(0..5000)).unwrap();
        for i in 5000..5040 {
            state.add_death(format!("line {i}\n").as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), lines(i - 31..i + 1));
        }
    }

    #[test]
    fn control_is_a_fifo_and_what_else_has_its_name_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let parent = std::fs::File::open(directory.path()).unwrap();
        let mut state = State::take(parent.as_fd(), Access::default(), Patience::None).unwrap();
        let control = directory.path().join("supervise/control");
        let mut replaced = || {
            state.control = None;
            let opened = state.open_fifos();
            let kind = control.symlink_metadata().unwrap().file_type();
            opened.map(|()| std::os::unix::fs::FileTypeExt::is_fifo(&kind))
        };
        std::fs::remove_file(&control).unwrap();
        std::fs::write(&control, "").unwrap();
        assert_eq!(replaced(), Ok(true));
        std::fs::remove_file(&control).unwrap();
        std::os::unix::fs::symlink("status", &control).unwrap();
        assert_eq!(replaced(), Ok(true));
        std::fs::remove_file(&control).unwrap();
        std::fs::create_dir(&control).unwrap();
        assert_eq!(replaced(), Err(Errno::EISDIR));
    }

    #[test]
    fn a_record_that_is_a_copy_makes_room_for_a_new_file() {
        use std::os::fd::BorrowedFd;
        let directory = tempfile::tempdir().unwrap();
        let parent = std::fs::File::open(directory.path()).unwrap();
        let take = || State::take(parent.as_fd(), Access::default(), Patience::None).unwrap();
        let path = directory.path().join("supervise/record");
        let open = || std::fs::File::open(&path).unwrap();
        let links = |file: BorrowedFd| fstat(file).unwrap().st_nlink;
        drop(take());
        let found = open();
        assert!(take().left().is_some());
        assert_eq!(links(found.as_fd()), 1, "it is its own");
        let text = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, text).unwrap();
        // A test beside this one that binds a socket has the umask 0 for a moment.
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let copy = open();
        let state = take();
        assert!(state.left().is_none());
        assert_eq!((links(copy.as_fd()), links(state.record.as_ref().unwrap().as_fd())), (0, 1));
        drop(state);
        assert!(take().left().is_some());
    }

    #[test]
    fn of_deaths_no_more_than_the_end_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let parent = std::fs::File::open(directory.path()).unwrap();
        let mut state = State::take(parent.as_fd(), Access::default(), Patience::None).unwrap();
        let path = directory.path().join("supervise/deaths");
        std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        state.add_death(b"one\n").unwrap();
        state.add_death(b"two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        // One that was removed, or is another, is not written to any more.
        std::fs::rename(&path, directory.path().join("old")).unwrap();
        state.add_death(b"three\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
    }
}
