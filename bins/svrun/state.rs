//! The state directory `supervise`: what clients read, how they reach us, and what a new supervisor finds.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use common::child;
use common::lock::try_flock;
use common::{Text, fds, socket};
use nix::errno::Errno;
use nix::fcntl::{OFlag, renameat};
use nix::sys::stat::{Mode, fchmod, fstat, mkdirat};
use nix::unistd::{Gid, UnlinkatFlags, fchown, geteuid, mkfifoat, unlinkat, write};

use super::machine::{Hold, Machine, Want};
use common::Voice;

/// A state directory that is ours: we hold its lock.
#[derive(Debug)]
pub(super) struct State {
    folder: OwnedFd,
    _lock: Option<OwnedFd>,
    /// Control bytes come out of here.
    pub(super) control: Option<OwnedFd>,
    ok: Option<OwnedFd>,
    /// The record of children, if they can be adopted.
    pub(super) record: Option<OwnedFd>,
    operators: Option<Gid>,
    status: [u8; 20],
    pid: Option<u32>,
    words: Text<64>,
    refused: Option<Errno>,
    /// How many lines `deaths` has, once that is known.
    deaths: Option<usize>,
}

/// How many lines `deaths` keeps.
const DEATHS: usize = 32;

/// Why a state directory is not ours.
#[derive(Debug)]
pub(super) enum NotOurs {
    /// Another supervisor holds the lock.
    Locked,
    /// It cannot be used: what cannot be done, and why.
    Unusable(&'static str, Errno),
}

/// Opens a file of the state directory: never one elsewhere that a link names, whoever has put it there.
fn open(folder: BorrowedFd, name: &CStr, flags: OFlag, mode: u32) -> nix::Result<OwnedFd> {
    let mode = Mode::from_bits_truncate(mode);
    fds::open(folder, name, flags | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW, mode)
}

impl State {
    /// Takes the state directory below `parent`, which is made if it is not there. A lock that is busy may
    /// be that of a child that has not executed yet: it is tried for 200 ms.
    pub(super) fn take(parent: BorrowedFd, operators: Option<Gid>, patience: bool) -> Result<Self, NotOurs> {
        let mode = Mode::from_bits_truncate(0o700);
        let made = mkdirat(parent, c"supervise", mode);
        // A link may point to where nothing is yet, as to a folder in /run.
        if made == Err(Errno::EEXIST) {
            let mut buffer = [0; 1023]; // nix copies a path so long without allocating
            if let Ok(target) = child::read_link(parent, c"supervise", &mut buffer) {
                let _ = mkdirat(parent, target, mode); // opening it tells
            }
        }
        let folder = fds::open_folder(parent, c"supervise").map_err(|errno| match made {
            Err(why) if why != Errno::EEXIST => NotOurs::Unusable("make supervise", why),
            _ => NotOurs::Unusable("open supervise/lock", errno),
        })?;
        let append = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT;
        let lock = open(folder.as_fd(), c"lock", append, 0o600).ok();
        // The folder always, and the file, which others lock, where there can be one.
        let mut tries = if patience { 200 } else { 1 };
        for fd in [Some(&folder), lock.as_ref()].into_iter().flatten() {
            while !try_flock(fd.as_fd()).map_err(|errno| NotOurs::Unusable("lock supervise/lock", errno))? {
                tries -= 1;
                if tries <= 0 {
                    return Err(NotOurs::Locked);
                }
                common::lock::nap();
            }
        }
        let mut state = Self {
            folder,
            _lock: lock,
            control: None,
            ok: None,
            record: None,
            operators,
            status: [0; 20],
            pid: None,
            words: Text::new(),
            refused: None,
            deaths: None,
        };
        state.record = state.open_record().ok(); // else it is tried again, and told
        state.control = state.door(c"control", OFlag::O_RDWR).ok(); // else open_doors tries again, and tells
        if let Some(group) = operators {
            let _ = fchown(&state.folder, None, Some(group));
            let _ = fchmod(&state.folder, Mode::from_bits_truncate(0o710));
        }
        Ok(state)
    }

    /// The folder, for what else lies in it.
    pub(super) fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    /// Whether it was removed: there is no room for a name in it any more.
    pub(super) fn is_lost(&self) -> bool {
        self.refused == Some(Errno::ENOENT)
    }

    /// The record, if nobody else may write it.
    fn open_record(&self) -> nix::Result<OwnedFd> {
        let file = open(self.folder(), c"record", OFlag::O_RDWR | OFlag::O_CREAT, 0o600)?;
        let ours = |stat: nix::sys::stat::FileStat| {
            let ours = stat.st_uid == geteuid().as_raw() && stat.st_mode & 0o022 == 0;
            if ours { Ok(stat) } else { Err(Errno::EPERM) }
        };
        ours(fstat(&self.folder)?)?;
        if ours(fstat(&file)?)?.st_size == 0 {
            // All of its room now: a child must not fail for a full disk.
            super::record::clear(file.as_fd())?;
        }
        Ok(file)
    }

    /// Makes the record, if there was none so far: true where it is new.
    pub(super) fn make_record(&mut self) -> nix::Result<bool> {
        if self.record.is_some() {
            return Ok(false);
        }
        let file = self.open_record()?;
        // What it says is of another time.
        super::record::clear(file.as_fd())?;
        self.record = Some(file);
        Ok(true)
    }

    /// Makes and opens what clients reach us by. After the first status: who gets through has to find one.
    pub(super) fn open_doors(&mut self) -> nix::Result<()> {
        if self.control.is_none() {
            self.control = Some(self.door(c"control", OFlag::O_RDWR)?);
        }
        if self.ok.is_none() {
            self.ok = Some(self.door(c"ok", OFlag::O_RDONLY)?);
        }
        Ok(())
    }

    fn door(&self, name: &CStr, flags: OFlag) -> nix::Result<OwnedFd> {
        match mkfifoat(&self.folder, name, Mode::from_bits_truncate(0o600)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
        let door = open(self.folder(), name, flags, 0)?;
        super::pipe::is_fifo(&door)?;
        if let Some(group) = self.operators {
            fchown(&door, None, Some(group))?;
            fchmod(&door, Mode::from_bits_truncate(0o620))?;
        }
        Ok(door)
    }

    /// Shows `machine` to whoever reads: the pid, the words, and the 20 bytes, each only if it changed. An
    /// old file stays until the new one is whole. True where all is written.
    pub(super) fn show(&mut self, machine: &Machine, since: (u64, u32), voice: Voice) -> bool {
        let (status, words) = (status(machine, since), words(machine));
        if status == self.status && words.bytes() == self.words.bytes() {
            return true;
        }
        match self.write(machine.pid, &words, &status) {
            Ok(()) => self.refused = None,
            Err(errno) => self.complain(voice, b"write supervise/status, trying again", errno),
        }
        self.refused.is_none()
    }

    /// Says that something cannot be done here, once until all is well again: the next thing will fail for
    /// the same reason.
    pub(super) fn complain(&mut self, voice: Voice, what: &[u8], errno: Errno) {
        // A folder that is gone is another matter.
        if self.refused != Some(errno) && errno != Errno::ENOENT {
            voice.unable(&[what], errno);
        }
        self.refused = Some(errno);
    }

    fn write(&mut self, pid: u32, words: &Text<64>, status: &[u8; 20]) -> nix::Result<()> {
        if self.pid != Some(pid) {
            let mut text = Text::<16>::new();
            if pid != 0 {
                text.number(pid).add("\n");
            }
            self.replace(c"pid.new", c"pid", text.bytes())?;
            self.pid = Some(pid);
        }
        if self.words.bytes() != words.bytes() {
            self.replace(c"stat.new", c"stat", words.bytes())?;
            self.words = Text::of(words.bytes());
        }
        self.replace(c"status.new", c"status", status)?;
        self.status = *status;
        Ok(())
    }

    fn replace(&self, new: &CStr, name: &CStr, bytes: &[u8]) -> nix::Result<()> {
        let create = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC;
        let file = open(self.folder(), new, create, 0o644)?;
        whole(write(&file, bytes), bytes.len())?;
        renameat(&self.folder, new, &self.folder, name)
    }

    /// Says in `ready` since when the service is, or takes that back.
    pub(super) fn show_ready(&self, since: Option<(u64, u32)>) -> nix::Result<()> {
        match since {
            Some(time) => {
                let mut text = Text::<32>::new();
                super::events::instant(&mut text, time);
                self.replace(c"ready.new", c"ready", text.add("\n").bytes())
            }
            None => match unlinkat(&self.folder, c"ready", UnlinkatFlags::NoRemoveDir) {
                Err(Errno::ENOENT) => Ok(()),
                other => other,
            },
        }
    }

    /// Adds a line to `deaths`, which keeps the last 32.
    pub(super) fn add_death(&mut self, line: &[u8]) -> nix::Result<()> {
        let deaths = open(self.folder(), c"deaths", OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_APPEND, 0o644)?;
        let mut part = [0; 256];
        // Counted once; and again where they are too many, to find where the last ones begin.
        let mut starts = [0u64; DEATHS];
        if self.deaths.is_none_or(|lines| lines >= DEATHS) {
            let (mut lines, mut at) = (0, 0);
            loop {
                let count = nix::unistd::read(&deaths, &mut part)?;
                if count == 0 {
                    break;
                }
                for byte in &part[..count] {
                    at += 1;
                    if *byte == b'\n' {
                        lines += 1;
                        starts[lines % DEATHS] = at;
                    }
                }
            }
            self.deaths = Some(lines);
        }
        let lines = self.deaths.take().unwrap_or(0);
        if lines < DEATHS {
            whole(write(&deaths, line), line.len())?;
            self.deaths = Some(lines + 1);
            return Ok(());
        }
        let create = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC;
        let new = open(self.folder(), c"deaths.new", create, 0o644)?;
        let skip = nix::libc::off_t::try_from(starts[(lines + 1) % DEATHS]).map_err(|_| Errno::EFBIG)?;
        nix::unistd::lseek(&deaths, skip, nix::unistd::Whence::SeekSet)?;
        loop {
            let count = nix::unistd::read(&deaths, &mut part)?;
            if count == 0 {
                break;
            }
            whole(write(&new, &part[..count]), count)?;
        }
        whole(write(&new, line), line.len())?;
        renameat(&self.folder, c"deaths.new", &self.folder, c"deaths")?;
        self.deaths = Some(DEATHS);
        Ok(())
    }
}

fn whole(written: nix::Result<usize>, length: usize) -> nix::Result<()> {
    if written? == length { Ok(()) } else { Err(Errno::ENOSPC) }
}

/// The 20 bytes of runit's `supervise/status`: a TAI64N label (big endian), the pid (little endian), whether
/// it is paused, what is wanted, whether the stop signal was sent, and the state.
fn status(machine: &Machine, (seconds, nanoseconds): (u64, u32)) -> [u8; 20] {
    let mut status = [0; 20];
    status[..8].copy_from_slice(&seconds.saturating_add(socket::TAI64).to_be_bytes());
    status[8..12].copy_from_slice(&nanoseconds.to_be_bytes());
    status[12..16].copy_from_slice(&machine.pid.to_le_bytes());
    status[16] = u8::from(machine.paused);
    // sv writes no `u` where it reads one: a start that is far off has to look unwanted.
    status[17] = if machine.want == Want::Up && machine.hold == Hold::None { b'u' } else { b'd' };
    status[18] = u8::from(machine.termed);
    status[19] = machine.phase.state();
    status
}

/// The text of `supervise/stat`.
fn words(machine: &Machine) -> Text<64> {
    let mut text = Text::of(machine.phase.word());
    if machine.paused {
        text.add(", paused");
    }
    if machine.termed {
        text.add(", got TERM");
    }
    match machine.want {
        _ if machine.phase.state() == 0 => {}
        Want::Up => {}
        Want::Down => drop(text.add(", want down")),
        Want::Exit => drop(text.add(", want exit")),
    }
    match machine.hold {
        Hold::None => {}
        Hold::BackingOff => drop(text.add(", backing off")),
        Hold::GaveUp => drop(text.add(", gave up")),
    }
    text.add("\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deaths_keeps_the_last_32_of_however_many() {
        let folder = tempfile::tempdir().unwrap();
        let parent = std::fs::File::open(folder.path()).unwrap();
        let mut state = State::take(parent.as_fd(), None, false).unwrap();
        let file = folder.path().join("supervise/deaths");
        let lines =
            |range: std::ops::Range<u32>| range.map(|i| format!("line {i}\n")).collect::<Vec<_>>().concat();
        std::fs::write(&file, lines(0..5000)).unwrap();
        for i in 5000..5040 {
            state.add_death(format!("line {i}\n").as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), lines(i - 31..i + 1));
        }
    }

    #[test]
    fn a_door_is_a_fifo_and_no_link_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let parent = std::fs::File::open(folder.path()).unwrap();
        let mut state = State::take(parent.as_fd(), None, false).unwrap();
        state.control = None;
        let control = folder.path().join("supervise/control");
        std::fs::remove_file(&control).unwrap();
        std::fs::write(&control, "").unwrap();
        assert_eq!(state.open_doors(), Err(Errno::EEXIST));
        std::fs::remove_file(&control).unwrap();
        std::os::unix::fs::symlink("ok", &control).unwrap();
        assert_eq!(state.open_doors(), Err(Errno::ELOOP));
        std::fs::remove_file(&control).unwrap();
        assert_eq!(state.open_doors(), Ok(()));
    }
}
