//! The service directory: the small files that say how a service is run.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use common::cli::number;
use common::{fds, signals};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat, mkdirat};
use nix::unistd::read;

use super::machine::Rules;
use common::Voice;

/// What is done with what a service leaves behind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Leftovers {
    /// They are counted and named.
    #[default]
    Told,
    /// They get this signal too.
    Signalled(i32),
}

/// The settings of a service directory, and which of its files were found bad.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// How it is restarted and stopped.
    pub(super) rules: Rules,
    /// `notification-fd`.
    pub(super) notification: Option<i32>,
    /// `sd-notify`.
    pub(super) sd_notify: bool,
    /// `leftovers`.
    pub(super) leftovers: Leftovers,
    told: u32,
    /// What was not there, and the time of the last change of the folder by then.
    absent: u32,
    changed: (u64, u64),
}

/// The files of a service directory that may be missing, each a bit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Optional {
    Delay,
    Reset,
    Max,
    DownSignal,
    TimeoutKill,
    TimeoutFinish,
    NotificationFd,
    Leftovers,
    SdNotify,
    Finish,
    Control,
}

/// Opens a file of a service directory for reading.
pub(super) fn open(folder: BorrowedFd, name: &CStr) -> nix::Result<OwnedFd> {
    fds::open(folder, name, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC, Mode::empty())
}

/// Whether the system lacks something for the moment: the file itself may well be there.
pub(super) fn passes(errno: Errno) -> bool {
    matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::EINTR | Errno::EAGAIN)
}

/// Makes a folder, if there is nothing by its name.
pub(super) fn make_folder(parent: impl AsFd, path: &CStr, mode: u32) -> nix::Result<()> {
    match mkdirat(parent, path, Mode::from_bits_truncate(mode)) {
        Err(Errno::EEXIST) => Ok(()),
        other => other,
    }
}

/// Whether there is a file of this name.
pub(super) fn exists(folder: BorrowedFd, name: &CStr) -> bool {
    fstatat(folder, name, AtFlags::empty()).is_ok()
}

impl Settings {
    /// Before the files are read: what was missing is not looked for again where the folder has not changed
    /// since. A change in the present second may be followed by another that leaves the same time.
    pub(super) fn look(&mut self, folder: BorrowedFd, now: u64) {
        // A time before 1970 is none.
        let time = |stat: FileStat| (u64::try_from(stat.st_ctime), u64::try_from(stat.st_ctime_nsec));
        let changed = match fstat(folder).map(time) {
            Ok((Ok(second), Ok(nanosecond))) => (second, nanosecond),
            _ => (0, 0),
        };
        let old = changed.0 > 0 && changed.0 + 1 < now;
        if self.changed != changed || !old {
            self.absent = 0;
            self.changed = if old { changed } else { (0, 0) };
        }
    }

    /// Whether a file is known to be missing.
    pub(super) fn misses(&self, file: Optional) -> bool {
        self.absent & 1 << file as u32 != 0
    }

    /// A file was not there; a link that leads nowhere is, and may lead somewhere the next time.
    pub(super) fn missed(&mut self, folder: BorrowedFd, file: Optional, name: &CStr) {
        let link = || fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok();
        if self.changed != (0, 0) && !link() {
            self.absent |= 1 << file as u32;
        }
    }

    /// Reads what counts for the next restart.
    pub(super) fn for_restart(&mut self, folder: BorrowedFd, voice: Voice) {
        let default = Rules::default();
        let mut delays = default.delays;
        let list = |text: &[u8]| {
            let mut count = 0;
            for word in words(text) {
                *delays.get_mut(count)? = milliseconds(word)?.try_into().ok()?;
                count += 1;
            }
            (count > 0).then_some(count)
        };
        self.rules.delay_count =
            self.file(folder, voice, Optional::Delay, c"restart-delay", list).unwrap_or(0);
        self.rules.delays = delays;
        let reset = |text: &[u8]| milliseconds(text.trim_ascii());
        self.rules.reset =
            self.file(folder, voice, Optional::Reset, c"restart-reset", reset).unwrap_or(default.reset);
        let max = |text: &[u8]| one(text)?.try_into().ok();
        self.rules.max = self.file(folder, voice, Optional::Max, c"restart-max", max).unwrap_or(default.max);
    }

    /// Reads what counts for a stop.
    pub(super) fn for_stop(&mut self, folder: BorrowedFd, voice: Voice) {
        let default = Rules::default();
        let signal = |text: &[u8]| words(text).next().and_then(signals::parse);
        self.rules.down_signal = self
            .file(folder, voice, Optional::DownSignal, c"down-signal", signal)
            .unwrap_or(default.down_signal);
        self.rules.timeout_kill = self
            .file(folder, voice, Optional::TimeoutKill, c"timeout-kill", one)
            .unwrap_or(default.timeout_kill);
        self.rules.timeout_finish = self
            .file(folder, voice, Optional::TimeoutFinish, c"timeout-finish", one)
            .unwrap_or(default.timeout_finish);
    }

    /// Reads what counts for a start.
    pub(super) fn for_start(&mut self, folder: BorrowedFd, voice: Voice) {
        // 0 to 2 are stdin, stdout and stderr: no number to be told on.
        let fd = |text: &[u8]| one(text)?.try_into().ok().filter(|fd| (3..1024).contains(fd));
        self.notification = self.file(folder, voice, Optional::NotificationFd, c"notification-fd", fd);
        let missing = self.misses(Optional::SdNotify);
        self.sd_notify = !missing && exists(folder, c"sd-notify");
        if !self.sd_notify && !missing {
            self.missed(folder, Optional::SdNotify, c"sd-notify");
        }
        let signal = |text: &[u8]| match words(text).next()? {
            b"term" => Some(signals::TERM),
            b"kill" => Some(signals::KILL),
            _ => None,
        };
        let signal = self.file(folder, voice, Optional::Leftovers, c"leftovers", signal);
        self.leftovers = signal.map_or(Leftovers::Told, Leftovers::Signalled);
    }

    /// What `parse` makes of a file; `None` where there is no file. What is bad is said once.
    fn file<T>(
        &mut self,
        folder: BorrowedFd,
        voice: Voice,
        which: Optional,
        name: &CStr,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let bit = which as u32;
        if self.misses(which) {
            return None;
        }
        let mut buffer = [0; 128];
        let (value, errno) = match open(folder, name).and_then(|file| read(file, &mut buffer)) {
            Err(Errno::ENOENT) => {
                self.missed(folder, which, name);
                self.told &= !(1 << bit);
                return None;
            }
            Ok(count) if count < buffer.len() => (parse(&buffer[..count]), None),
            Ok(_) => (None, None),
            Err(errno) => (None, Some(errno)),
        };
        if value.is_some() {
            self.told &= !(1 << bit);
        } else if self.told & 1 << bit == 0 {
            self.told |= 1 << bit;
            match errno {
                Some(errno) => voice.unable(&[b"read ", name.to_bytes()], errno),
                None => voice.warning(&[name.to_bytes(), b": bad contents, the default is taken"]),
            }
        }
        value
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// A file that holds one number.
fn one(text: &[u8]) -> Option<u64> {
    let mut words = words(text);
    let first = number(words.next()?)?;
    words.next().is_none().then_some(first)
}

/// A time in seconds, with a fraction after a point if there is one.
pub(super) fn milliseconds(text: &[u8]) -> Option<u64> {
    let time = common::cli::seconds(text)?;
    u64::try_from(time.as_millis()).ok()
}
