//! The service directory: the small files that say how a service is run.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use common::quantity::{COUNT, MILLISECONDS, SECONDS};
use common::{Text, Voice, fds, signals};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat, mkdirat};
use nix::sys::time::TimeSpec;
use nix::unistd::read;

use super::lookalikes::{self, Company};
use super::machine::{Readiness, Reloading, Rules};
use common::supervise::Part;

/// What is done about what a service leaves behind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    /// This signal is sent.
    Signal(i32),
    /// A wait, in milliseconds.
    Wait(u64),
}

/// How many steps there can be.
pub(super) const STEPS: usize = 6;

/// Which file it is, and which state of it: its inode, and when that has changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stamp(u64, TimeSpec);

impl Stamp {
    /// The stamp of a file.
    pub(super) fn of(stat: &FileStat) -> Self {
        Self(fds::inode(stat), TimeSpec::new(stat.st_ctime, stat.st_ctime_nsec))
    }
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
    /// `leftovers`, step by step; none: they are counted and named.
    pub(super) leftovers: [Option<Step>; STEPS],
    /// Whose value was reported as bad.
    reported: u32,
    /// Whose value was doubted.
    doubted: u32,
    /// The files that are missing, and the state of the directory when they were; none if it may change unseen.
    absent: u32,
    /// There are none of these files, whatever the directory holds.
    fixed: bool,
    seen: Option<Stamp>,
    /// The names that were looked at: in which state of the directory.
    listed: Option<Stamp>,
    names: lookalikes::Reported,
}

/// How long run has to live on after a reload where it may announce one, in milliseconds.
const SECOND: u64 = 1000;
/// A stop in less milliseconds than this cannot be meant: seconds were.
const HASTE: u64 = 100;

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
    Setup,
    TimeoutSetup,
    TimeoutReady,
    Watchdog,
    Reload,
    ReloadSignal,
    TimeoutReload,
}

/// Opens a file of a service directory for reading. Where an fd or memory is short, what is not there is
/// missing all the same.
pub(super) fn open(directory: BorrowedFd, name: &CStr) -> nix::Result<OwnedFd> {
    match open_now(directory, name) {
        Err(errno) if fds::passes(errno) && !exists(directory, name) => Err(Errno::ENOENT),
        other => other,
    }
}

fn open_now(directory: BorrowedFd, name: &CStr) -> nix::Result<OwnedFd> {
    fds::open(directory, name, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC, Mode::empty())
}

/// Makes a directory, if there is nothing by its name.
pub(crate) fn make_directory(parent: impl AsFd, path: &CStr, mode: u32) -> nix::Result<()> {
    match mkdirat(parent, path, Mode::from_bits_truncate(mode)) {
        Err(Errno::EEXIST) => Ok(()),
        other => other,
    }
}

/// Whether there is a file of this name. What cannot be looked at is there: so a service whose `down` is
/// unreadable stays down.
pub(crate) fn exists(directory: BorrowedFd, name: &CStr) -> bool {
    !matches!(fstatat(directory, name, AtFlags::empty()), Err(Errno::ENOENT | Errno::ENOTDIR))
}

impl Settings {
    /// The settings of a process that has none of these files: all defaults.
    pub(super) fn none() -> Self {
        Self { absent: !0, fixed: true, ..Self::default() }
    }

    /// Before the files are read: what was missing is not looked for again where the directory has not changed
    /// since. A change in the present second may be followed by another that leaves the same time.
    pub(super) fn look(&mut self, directory: BorrowedFd, now: u64, company: Company, voice: Voice) {
        if self.fixed {
            return;
        }
        let stat = fstat(directory).ok(); // without it nothing is known to be missing, and all is looked for
        let second = stat.map_or(0, |stat| stat.st_ctime);
        let old = u64::try_from(second).is_ok_and(|second| second > 0 && second + 1 < now);
        let stamp = stat.as_ref().map(Stamp::of);
        if self.seen != stamp || !old {
            self.absent = 0;
            self.seen = stamp.filter(|_| old);
        }
        if self.listed != stamp {
            self.listed = stamp;
            self.names.look(directory, Part::Service, company, voice);
        }
    }

    /// As [`Settings::look`], for a logger, which has no files but `run` and `down`.
    pub(super) fn look_at_names(&mut self, directory: BorrowedFd, voice: Voice) {
        let stamp = fstat(directory).map(|stat| Stamp::of(&stat)).ok(); // then it is looked at once
        if self.listed.is_none() || self.listed != stamp {
            self.listed = Some(stamp.unwrap_or(Stamp(0, TimeSpec::new(0, 0))));
            self.names.look(directory, Part::Log, Company::Alone, voice);
        }
    }

    /// Whether a file is known to be missing.
    pub(super) fn misses(&self, file: Optional) -> bool {
        self.absent & 1 << file as u32 != 0
    }

    /// A file was not there; a link that leads nowhere is, and may lead somewhere the next time.
    pub(super) fn missed(&mut self, directory: BorrowedFd, file: Optional, name: &CStr) {
        let link = || fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok();
        if self.seen.is_some() && !link() {
            self.absent |= 1 << file as u32;
        }
    }

    /// Reads what counts for the next restart.
    pub(super) fn for_restart(&mut self, directory: BorrowedFd, voice: Voice) {
        let (default, last) = (Rules::default(), self.rules);
        let list = |text: &[u8]| {
            let (mut delays, mut count) = (default.delays, 0);
            for word in words(text) {
                *delays.get_mut(count)? = SECONDS.parse(word)?.try_into().ok()?;
                count += 1;
            }
            (count > 0).then_some((delays, count))
        };
        let delay =
            File(Optional::Delay, c"restart-delay", "up to 16 of: seconds, or times with their units");
        let both = [(default.delays, 0), (last.delays, last.delay_count)];
        (self.rules.delays, self.rules.delay_count) = self.file(directory, voice, delay, both, list);
        let reset = File(Optional::Reset, c"restart-reset", SECONDS.expected);
        let parse = |text: &[u8]| SECONDS.parse(one(text)?);
        self.rules.reset = self.file(directory, voice, reset, [default.reset, last.reset], parse);
        let max = File(Optional::Max, c"restart-max", COUNT.expected);
        let parse = |text: &[u8]| COUNT.parse(one(text)?)?.try_into().ok();
        self.rules.max = self.file(directory, voice, max, [default.max, last.max], parse);
    }

    /// Reads what counts for a stop.
    pub(super) fn for_stop(&mut self, directory: BorrowedFd, voice: Voice) {
        let (default, last) = (Rules::default(), self.rules);
        let signal = File(Optional::DownSignal, c"down-signal", "one signal, by name or number");
        let parse = |text: &[u8]| signals::parse(one(text)?);
        let both = [default.down_signal, last.down_signal];
        self.rules.down_signal = self.file(directory, voice, signal, both, parse);
        let kill = File(Optional::TimeoutKill, c"timeout-kill", MILLISECONDS.expected);
        let both = [default.timeout_kill, last.timeout_kill];
        self.rules.timeout_kill = self.limit(directory, voice, kill, both);
        let finish = File(Optional::TimeoutFinish, c"timeout-finish", MILLISECONDS.expected);
        let both = [default.timeout_finish, last.timeout_finish];
        self.rules.timeout_finish = self.limit(directory, voice, finish, both);
    }

    /// Reads what counts for a reload.
    pub(super) fn for_reload(&mut self, directory: BorrowedFd, voice: Voice) {
        let (default, last) = (Rules::default(), self.rules);
        let file = File(Optional::TimeoutReload, c"timeout-reload", MILLISECONDS.expected);
        let both = [default.timeout_reload, last.timeout_reload];
        self.rules.timeout_reload =
            self.file(directory, voice, file, both, |text| MILLISECONDS.parse(one(text)?));
        self.rules.reload_proof = if self.sd_notify { SECOND } else { default.reload_proof };
        if !self.misses(Optional::Reload) {
            if exists(directory, c"reload") {
                self.rules.reload = Reloading::Script;
                return;
            }
            self.missed(directory, Optional::Reload, c"reload");
        }
        let expected = "one signal, by name or number, and maybe the word notify behind it";
        let file = File(Optional::ReloadSignal, c"reload-signal", expected);
        // What was read last may have been ./reload, of another time.
        let last = if last.reload == Reloading::Script { default.reload } else { last.reload };
        self.rules.reload = self.file(directory, voice, file, [default.reload, last], |text| {
            let mut words = words(text);
            let signal = signals::parse(words.next()?)?;
            match (words.next(), words.next()) {
                (None, None) => Some(Reloading::Signal(signal)),
                (Some(b"notify"), None) => Some(Reloading::Announced(signal)),
                _ => None,
            }
        });
        if let (Reloading::Announced(signal), false) = (self.rules.reload, self.sd_notify) {
            self.rules.reload = Reloading::Signal(signal); // there is no way to announce it
        }
    }

    /// Reads what counts for a start.
    pub(super) fn for_start(&mut self, directory: BorrowedFd, voice: Voice) {
        // 0 to 2 are stdin, stdout and stderr: no number to announce it on.
        let fd = File(Optional::NotificationFd, c"notification-fd", "a number from 3 to 1023");
        let parse = |text: &[u8]| {
            let fd = COUNT.parse(one(text)?)?.try_into().ok()?;
            (3..1024).contains(&fd).then_some(Some(fd))
        };
        self.notification = self.file(directory, voice, fd, [None, self.notification], parse);
        if !self.misses(Optional::SdNotify) {
            self.sd_notify = exists(directory, c"sd-notify");
            if !self.sd_notify {
                self.missed(directory, Optional::SdNotify, c"sd-notify");
            }
        }
        self.for_watch(directory, voice);
        self.for_leftovers(directory, voice);
    }

    /// The time limits of what run announces: without a way to announce it there are none.
    fn for_watch(&mut self, directory: BorrowedFd, voice: Voice) {
        let (default, last) = (Rules::default(), self.rules);
        (self.rules.timeout_ready, self.rules.unready) = (default.timeout_ready, default.unready);
        if self.notification.is_some() || self.sd_notify {
            let expected = "a time in milliseconds, or with its unit, and maybe the word continue behind it";
            let file = File(Optional::TimeoutReady, c"timeout-ready", expected);
            let both = [default, last].map(|rules| (rules.timeout_ready, rules.unready));
            (self.rules.timeout_ready, self.rules.unready) =
                self.file(directory, voice, file, both, |text| {
                    let mut words = words(text);
                    let time = MILLISECONDS.parse(words.next()?)?;
                    let unready = match (words.next(), words.next()) {
                        (None, None) => Readiness::Failed,
                        (Some(b"continue"), None) => Readiness::Excused,
                        _ => return None,
                    };
                    Some((time, unready))
                });
        }
        self.rules.watchdog = default.watchdog;
        if self.sd_notify {
            let file = File(Optional::Watchdog, c"watchdog", SECONDS.expected);
            let parse = |text: &[u8]| SECONDS.parse(one(text)?);
            let both = [default.watchdog, last.watchdog];
            self.rules.watchdog = self.file(directory, voice, file, both, parse);
        }
    }

    /// Whether there is a setup.
    pub(super) fn has_setup(&mut self, directory: BorrowedFd) -> bool {
        if self.misses(Optional::Setup) {
            return false;
        }
        let there = exists(directory, c"setup");
        if !there {
            self.missed(directory, Optional::Setup, c"setup");
        }
        there
    }

    /// Reads what counts for setup.
    pub(super) fn for_setup(&mut self, directory: BorrowedFd, voice: Voice) {
        let file = File(Optional::TimeoutSetup, c"timeout-setup", MILLISECONDS.expected);
        let both = [Rules::default().timeout_setup, self.rules.timeout_setup];
        self.rules.timeout_setup = self.limit(directory, voice, file, both);
    }

    /// Signals, and the times between them. At a start it says whether run leads a process group, at its death
    /// what is done.
    pub(super) fn for_leftovers(&mut self, directory: BorrowedFd, voice: Voice) {
        let expected = "signals by name, and times to wait before them, as kill or term 2s kill";
        let file = File(Optional::Leftovers, c"leftovers", expected);
        self.leftovers = self.file(directory, voice, file, [[None; STEPS], self.leftovers], steps);
        let waits = self.leftovers.iter().flatten().filter_map(|step| match step {
            Step::Wait(time) => Some(*time),
            Step::Signal(_) => None,
        });
        let shortest = waits.min();
        self.doubt(voice, file, shortest);
    }

    /// A time limit of a stop.
    fn limit(&mut self, directory: BorrowedFd, voice: Voice, file: File, both: [u64; 2]) -> u64 {
        let limit = self.file(directory, voice, file, both, |text| MILLISECONDS.parse(one(text)?));
        self.doubt(voice, file, Some(limit).filter(|limit| *limit != 0)); // which means never
        limit
    }

    /// Reports once that a time is shorter than can be meant.
    fn doubt(&mut self, voice: Voice, File(which, name, _): File, time: Option<u64>) {
        let bit = 1 << which as u32;
        let Some(time) = time.filter(|time| *time < HASTE) else {
            self.doubted &= !bit;
            return;
        };
        if self.doubted & bit == 0 {
            self.doubted |= bit;
            let mut number = Text::<24>::new();
            number.number(time);
            let number = number.bytes();
            let what = b" milliseconds leave no time to stop in; write ";
            voice.warning(&[name.to_bytes(), b": ", number, what, number, b"s if seconds are meant"]);
        }
    }

    /// What `parse` makes of a file; `default` where there is no file, or a bad one, which is reported once; `last`, the
    /// value until now, where it cannot be read for a reason that passes.
    fn file<T>(
        &mut self,
        directory: BorrowedFd,
        voice: Voice,
        File(which, name, expected): File,
        [default, last]: [T; 2],
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> T {
        let bit = which as u32;
        if self.misses(which) {
            return default;
        }
        let mut buffer = [0; 128];
        let (value, errno, length) = match open(directory, name).and_then(|file| read(file, &mut buffer)) {
            Err(Errno::ENOENT) => {
                self.missed(directory, which, name);
                self.reported &= !(1 << bit);
                return default;
            }
            Ok(count) if count < buffer.len() => (parse(&buffer[..count]), None, count),
            Ok(count) => (None, None, count),
            Err(errno) => (None, Some(errno), 0),
        };
        if let Some(value) = value {
            self.reported &= !(1 << bit);
            return value;
        }
        let passes = errno.is_some_and(fds::passes);
        if self.reported & 1 << bit == 0 {
            self.reported |= 1 << bit;
            let keeps: &[u8] = if passes { b"keeping its last value" } else { b"" };
            match errno {
                Some(errno) => voice.unable_so(&[b"read ", name.to_bytes()], errno, keeps),
                None => voice.invalid(name.to_bytes(), buffer[..length].trim_ascii(), expected),
            }
        }
        if passes { last } else { default }
    }
}

/// A file that holds a value: its bit, its name, and what is expected in it.
#[derive(Clone, Copy, Debug)]
struct File(Optional, &'static CStr, &'static str);

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The one word of a file.
fn one(text: &[u8]) -> Option<&[u8]> {
    let mut words = words(text);
    words.next().filter(|_| words.next().is_none())
}

/// The words of `leftovers`. The last one is a signal: a wait that nothing follows means nothing.
fn steps(text: &[u8]) -> Option<[Option<Step>; STEPS]> {
    let mut steps = [None; STEPS];
    let mut count = 0;
    for word in words(text) {
        // A number is a time: signals have names here.
        let step = if word[0].is_ascii_digit() {
            Step::Wait(MILLISECONDS.parse(word)?)
        } else {
            Step::Signal(signals::parse(word)?)
        };
        *steps.get_mut(count)? = Some(step);
        count += 1;
    }
    matches!(steps[..count], [.., Some(Step::Signal(_))]).then_some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_signals_and_the_times_before_them() {
        let (term, kill) = (Some(Step::Signal(signals::TERM)), Some(Step::Signal(signals::KILL)));
        let wait = |time| Some(Step::Wait(time));
        for (text, expected) in [
            ("kill\n", [kill, None, None, None, None, None]),
            ("term", [term, None, None, None, None, None]),
            ("term 2000 kill\n", [term, wait(2000), kill, None, None, None]),
            ("2s SIGTERM 1m\nkill", [wait(2000), term, wait(60_000), kill, None, None]),
        ] {
            assert_eq!(steps(text.as_bytes()), Some(expected), "{text}");
        }
        for bad in ["", "keep", "2s", "term 2s", "term 2x kill", "15", "term 1 kill 1 kill 1 kill"] {
            assert_eq!(steps(bad.as_bytes()), None, "{bad}");
        }
    }
}
