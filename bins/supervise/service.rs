//! The service directory: the small files that say how a service is run.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use common::quantity::{COUNT, MILLISECONDS, SECONDS};
use common::{Text, Voice, cgroup, fds, procfs, signals};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat, mkdirat};
use nix::unistd::read;

use super::lookalikes::{self, Company};
use super::machine::{Readiness, Reloading, Rules};
use super::sparse::{Sparse, Usual};
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

/// What is done, step by step; none: they are counted and named.
pub(super) type Steps = [Option<Step>; STEPS];

/// What `leftovers` asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Remedy {
    /// These steps.
    Steps(Steps),
    /// All that is in this cgroup is killed.
    Cgroup(GroupPath),
}

impl Remedy {
    /// Its steps.
    pub(super) fn steps(&self) -> &Steps {
        match self {
            Self::Steps(steps) => steps,
            Self::Cgroup(_) => Self::USUAL.steps(),
        }
    }
}

impl Usual for Remedy {
    const USUAL: &'static Self = &Self::Steps([None; STEPS]);
}

/// The path of a cgroup, which takes no more memory than the steps do; of no length: that of the service's name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct GroupPath {
    bytes: [u8; 80],
    length: u8,
}

impl GroupPath {
    fn parse(text: &[u8]) -> Option<Self> {
        let mut path = Self { bytes: [0; 80], length: u8::try_from(text.len()).ok()? };
        path.bytes.get_mut(..text.len())?.copy_from_slice(text);
        (text.is_empty() || cgroup::Path::parse(text).is_ok()).then_some(path)
    }

    /// It, for the service in this directory.
    #[inline(never)] // its buffer would be part of the frame of what starts finish
    pub(super) fn of(&self, directory: BorrowedFd, voice: Voice) -> Text<264> {
        if self.length > 0 {
            return Text::of(&self.bytes[..usize::from(self.length)]);
        }
        let last = |path: &[u8]| {
            let mut names = path.rsplit(|b| *b == b'/').skip_while(|name| name.is_empty());
            let name = names.next().filter(|name| !matches!(*name, b"." | b".."))?;
            let mut text = Text::of("./");
            text.add(name);
            Some(text)
        };
        // As it was given, so that a link has the name by which the service is known.
        last(voice.directory).unwrap_or_else(|| {
            let mut file = Text::<16>::of("fd/");
            file.number(directory.as_raw_fd().unsigned_abs()).add("\0");
            let file = CStr::from_bytes_with_nul(file.bytes()).unwrap_or(c"");
            let path = procfs::This::open().and_then(|this| this.path(file)).unwrap_or_default();
            last(path.as_encoded_bytes()).unwrap_or_default()
        })
    }
}

/// Which file it is, and which state of it: its inode, and when that has changed, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stamp(u64, i64);

impl Stamp {
    /// The stamp of a file.
    #[allow(clippy::useless_conversion, reason = "on some systems they have 32 bits")]
    pub(super) fn of(stat: &FileStat) -> Self {
        let changed = i64::from(stat.st_ctime).wrapping_mul(1_000_000_000);
        Self(fds::inode(stat), changed.wrapping_add(i64::from(stat.st_ctime_nsec)))
    }
}

/// The settings of a service directory, and which of its files were found bad.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// How it is restarted and stopped.
    pub(super) rules: Sparse<Rules>,
    /// `notification-fd`.
    pub(super) notification: Option<i32>,
    /// `sd-notify`.
    pub(super) sd_notify: bool,
    /// `leftovers`.
    pub(super) leftovers: Sparse<Remedy>,
    /// Whose value was reported as bad.
    reported: u32,
    /// Whose value was doubted.
    doubted: u32,
    /// The files that are missing.
    absent: u32,
    /// There are none of these files, whatever the directory holds.
    fixed: bool,
    /// The state of the directory at the last look, and whether it cannot change from then on without another time.
    seen: Option<Stamp>,
    settled: bool,
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
    Operators,
    Readers,
    Down,
    Log,
}

impl Optional {
    /// All of them.
    const ALL: [Self; 22] = [
        Self::Delay,
        Self::Reset,
        Self::Max,
        Self::DownSignal,
        Self::TimeoutKill,
        Self::TimeoutFinish,
        Self::NotificationFd,
        Self::Leftovers,
        Self::SdNotify,
        Self::Finish,
        Self::Control,
        Self::Setup,
        Self::TimeoutSetup,
        Self::TimeoutReady,
        Self::Watchdog,
        Self::Reload,
        Self::ReloadSignal,
        Self::TimeoutReload,
        Self::Operators,
        Self::Readers,
        Self::Down,
        Self::Log,
    ];

    /// Its name.
    pub(super) const fn name(self) -> &'static CStr {
        match self {
            Self::Delay => c"restart-delay",
            Self::Reset => c"restart-reset",
            Self::Max => c"restart-max",
            Self::DownSignal => c"down-signal",
            Self::TimeoutKill => c"timeout-kill",
            Self::TimeoutFinish => c"timeout-finish",
            Self::NotificationFd => c"notification-fd",
            Self::Leftovers => c"leftovers",
            Self::SdNotify => c"sd-notify",
            Self::Finish => c"finish",
            Self::Control => c"control",
            Self::Setup => c"setup",
            Self::TimeoutSetup => c"timeout-setup",
            Self::TimeoutReady => c"timeout-ready",
            Self::Watchdog => c"watchdog",
            Self::Reload => c"reload",
            Self::ReloadSignal => c"reload-signal",
            Self::TimeoutReload => c"timeout-reload",
            Self::Operators => c"operators",
            Self::Readers => c"readers",
            Self::Down => c"down",
            Self::Log => c"log",
        }
    }

    fn bit(self) -> u32 {
        debug_assert!(Self::ALL.contains(&self), "it would be missing always");
        1 << self as u32
    }

    /// The bit of the file of this name; 0 where there is none.
    fn bit_of(name: &[u8]) -> u32 {
        let found = Self::ALL.into_iter().find(|file| file.name().to_bytes() == name);
        found.map_or(0, Self::bit)
    }
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

    /// Before the files are read: what has no name in the directory is not looked for, until the next look. That looks at
    /// the names again where the directory has changed since, or may have: a change in the present second may be followed
    /// by another that leaves the same time.
    pub(super) fn look(&mut self, directory: BorrowedFd, now: u64, company: Company, voice: Voice) {
        if self.fixed {
            return;
        }
        let stat = fstat(directory).ok(); // without it nothing is known to be missing, and all is looked for
        let second = stat.map_or(0, |stat| stat.st_ctime);
        let old = u64::try_from(second).is_ok_and(|second| second > 0 && second + 1 < now);
        let stamp = stat.as_ref().map(Stamp::of);
        let known = self.seen == stamp && self.settled && old;
        (self.seen, self.settled) = (stamp, old);
        if !known {
            let mut there = 0;
            let see = |name: &[u8]| there |= Optional::bit_of(name);
            let all = self.names.look(directory, Part::Service, company, voice, see);
            self.absent = if all { !there } else { 0 };
        }
    }

    /// As [`Settings::look`], for a logger, which has no files but `run` and `down`.
    pub(super) fn look_at_names(&mut self, directory: BorrowedFd, voice: Voice) {
        let stamp = fstat(directory).map(|stat| Stamp::of(&stat)).ok(); // then it is looked at once
        if self.seen.is_none() || self.seen != stamp {
            self.seen = Some(stamp.unwrap_or(Stamp(0, 0)));
            self.names.look(directory, Part::Log, Company::Alone, voice, |_| {});
        }
    }

    /// Whether a file is known to be missing.
    pub(super) fn misses(&self, file: Optional) -> bool {
        self.absent & file.bit() != 0
    }

    /// Whether the value of a file was understood, if there is one.
    pub(super) fn takes(&self, file: Optional) -> bool {
        self.reported & file.bit() == 0
    }

    /// Reads all of them.
    pub(super) fn for_all(&mut self, directory: BorrowedFd, voice: Voice) {
        self.for_restart(directory, voice);
        self.for_stop(directory, voice);
        self.for_start(directory, voice);
        self.for_setup(directory, voice);
        self.for_reload(directory, voice); // sd-notify, which counts there too, was looked for at the start
    }

    /// Reads what counts for the next restart.
    pub(super) fn for_restart(&mut self, directory: BorrowedFd, voice: Voice) {
        let (default, last) = (Rules::USUAL, *self.rules);
        let list = |text: &[u8]| {
            let (mut delays, mut count) = (default.delays, 0);
            for word in words(text) {
                *delays.get_mut(count)? = SECONDS.parse(word)?.try_into().ok()?;
                count += 1;
            }
            (count > 0).then_some((delays, count))
        };
        let delay = File(Optional::Delay, "up to 16 of: seconds, or times with their units");
        let both = [(default.delays, 0), (last.delays, last.delay_count)];
        let delays = self.file(directory, voice, delay, both, list);
        let reset = File(Optional::Reset, SECONDS.expected);
        let parse = |text: &[u8]| SECONDS.parse(one(text)?);
        let reset = self.file(directory, voice, reset, [default.reset, last.reset], parse);
        let max = File(Optional::Max, COUNT.expected);
        let parse = |text: &[u8]| COUNT.parse(one(text)?)?.try_into().ok();
        let max = self.file(directory, voice, max, [default.max, last.max], parse);
        self.rules.change(|rules| {
            (rules.delays, rules.delay_count) = delays;
            (rules.reset, rules.max) = (reset, max);
        });
    }

    /// Reads what counts for a stop.
    pub(super) fn for_stop(&mut self, directory: BorrowedFd, voice: Voice) {
        let (default, last) = (Rules::USUAL, *self.rules);
        let signal = File(Optional::DownSignal, "one signal, by name or number");
        let parse = |text: &[u8]| signals::parse(one(text)?);
        let both = [default.down_signal, last.down_signal];
        let down_signal = self.file(directory, voice, signal, both, parse);
        let kill = File(Optional::TimeoutKill, MILLISECONDS.expected);
        let both = [default.timeout_kill, last.timeout_kill];
        let timeout_kill = self.limit(directory, voice, kill, both);
        let finish = File(Optional::TimeoutFinish, MILLISECONDS.expected);
        let both = [default.timeout_finish, last.timeout_finish];
        let timeout_finish = self.limit(directory, voice, finish, both);
        self.rules.change(|rules| {
            rules.down_signal = down_signal;
            (rules.timeout_kill, rules.timeout_finish) = (timeout_kill, timeout_finish);
        });
    }

    /// Reads what counts for a reload.
    pub(super) fn for_reload(&mut self, directory: BorrowedFd, voice: Voice) {
        let (default, last) = (Rules::USUAL, *self.rules);
        let file = File(Optional::TimeoutReload, MILLISECONDS.expected);
        let both = [default.timeout_reload, last.timeout_reload];
        let limit = self.file(directory, voice, file, both, |text| MILLISECONDS.parse(one(text)?));
        let proof = if self.sd_notify { SECOND } else { default.reload_proof };
        let reload = self.reloading(directory, voice);
        self.rules.change(|rules| {
            (rules.timeout_reload, rules.reload_proof, rules.reload) = (limit, proof, reload);
        });
    }

    /// How it is reloaded.
    fn reloading(&mut self, directory: BorrowedFd, voice: Voice) -> Reloading {
        if !self.misses(Optional::Reload) && exists(directory, c"reload") {
            return Reloading::Script;
        }
        let expected = "one signal, by name or number, and maybe the word notify behind it";
        let file = File(Optional::ReloadSignal, expected);
        // What was read last may have been ./reload, of another time.
        let default = Rules::USUAL.reload;
        let last = if self.rules.reload == Reloading::Script { default } else { self.rules.reload };
        let reload = self.file(directory, voice, file, [default, last], |text| {
            let mut words = words(text);
            let signal = signals::parse(words.next()?)?;
            match (words.next(), words.next()) {
                (None, None) => Some(Reloading::Signal(signal)),
                (Some(b"notify"), None) => Some(Reloading::Announced(signal)),
                _ => None,
            }
        });
        match reload {
            Reloading::Announced(signal) if !self.sd_notify => Reloading::Signal(signal), // it has no way to
            reload => reload,
        }
    }

    /// Reads what counts for a start.
    pub(super) fn for_start(&mut self, directory: BorrowedFd, voice: Voice) {
        // 0 to 2 are stdin, stdout and stderr: no number to announce it on.
        let fd = File(Optional::NotificationFd, "a number from 3 to 1023");
        let parse = |text: &[u8]| {
            let fd = COUNT.parse(one(text)?)?.try_into().ok()?;
            (3..1024).contains(&fd).then_some(Some(fd))
        };
        self.notification = self.file(directory, voice, fd, [None, self.notification], parse);
        self.sd_notify = !self.misses(Optional::SdNotify) && exists(directory, c"sd-notify");
        self.for_watch(directory, voice);
        self.for_leftovers(directory, voice);
    }

    /// The time limits of what run announces: without a way to announce it there are none.
    fn for_watch(&mut self, directory: BorrowedFd, voice: Voice) {
        let (default, last) = (Rules::USUAL, *self.rules);
        let mut ready = (default.timeout_ready, default.unready);
        if self.notification.is_some() || self.sd_notify {
            let expected = "a time in milliseconds, or with its unit, and maybe the word continue behind it";
            let file = File(Optional::TimeoutReady, expected);
            let both = [*default, last].map(|rules| (rules.timeout_ready, rules.unready));
            ready = self.file(directory, voice, file, both, |text| {
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
        let mut watchdog = default.watchdog;
        if self.sd_notify {
            let file = File(Optional::Watchdog, SECONDS.expected);
            let parse = |text: &[u8]| SECONDS.parse(one(text)?);
            let both = [default.watchdog, last.watchdog];
            watchdog = self.file(directory, voice, file, both, parse);
        }
        self.rules.change(|rules| {
            (rules.timeout_ready, rules.unready) = ready;
            rules.watchdog = watchdog;
        });
    }

    /// Whether there is a setup.
    pub(super) fn has_setup(&self, directory: BorrowedFd) -> bool {
        !self.misses(Optional::Setup) && exists(directory, c"setup")
    }

    /// Reads what counts for setup.
    pub(super) fn for_setup(&mut self, directory: BorrowedFd, voice: Voice) {
        let file = File(Optional::TimeoutSetup, MILLISECONDS.expected);
        let both = [Rules::USUAL.timeout_setup, self.rules.timeout_setup];
        let limit = self.limit(directory, voice, file, both);
        self.rules.change(|rules| rules.timeout_setup = limit);
    }

    /// Signals, and the times between them, or a cgroup. At a start it says whether run leads a process group, at its
    /// death what is done.
    pub(super) fn for_leftovers(&mut self, directory: BorrowedFd, voice: Voice) {
        let expected = "signals by name, and times to wait before them, as kill or term 2s kill; or cgroup, maybe with its path";
        let file = File(Optional::Leftovers, expected);
        let found = self.file(directory, voice, file, [*Remedy::USUAL, *self.leftovers], remedy);
        self.leftovers.change(|remedy| *remedy = found);
        let waits = self.leftovers.steps().iter().flatten().filter_map(|step| match step {
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
    fn doubt(&mut self, voice: Voice, File(which, _): File, time: Option<u64>) {
        let bit = which.bit();
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
            let name = which.name().to_bytes();
            voice.warning(&[name, b": ", number, what, number, b"s if seconds are meant"]);
        }
    }

    /// What `parse` makes of a file; `default` where there is no file, or a bad one, which is reported once; `last`, the
    /// value until now, where it cannot be read for a reason that passes.
    fn file<T>(
        &mut self,
        directory: BorrowedFd,
        voice: Voice,
        File(which, expected): File,
        [default, last]: [T; 2],
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> T {
        let (bit, name) = (which.bit(), which.name());
        if self.misses(which) {
            self.reported &= !bit;
            return default;
        }
        let mut buffer = [0; 128];
        let (value, errno, length) = match open(directory, name).and_then(|file| read(file, &mut buffer)) {
            Err(Errno::ENOENT) => {
                self.reported &= !bit;
                return default;
            }
            Ok(count) if count < buffer.len() => (parse(&buffer[..count]), None, count),
            Ok(count) => (None, None, count),
            Err(errno) => (None, Some(errno), 0),
        };
        if let Some(value) = value {
            self.reported &= !bit;
            return value;
        }
        let passes = errno.is_some_and(fds::passes);
        if self.reported & bit == 0 {
            self.reported |= bit;
            let keeps: &[u8] = if passes { b"keeping its last value" } else { b"" };
            match errno {
                Some(errno) => voice.unable_so(&[b"read ", name.to_bytes()], errno, keeps),
                None => voice.invalid(name.to_bytes(), buffer[..length].trim_ascii(), expected),
            }
        }
        if passes { last } else { default }
    }
}

/// A file that holds a value, and what is expected in it.
#[derive(Clone, Copy, Debug)]
struct File(Optional, &'static str);

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The one word of a file.
fn one(text: &[u8]) -> Option<&[u8]> {
    let mut words = words(text);
    words.next().filter(|_| words.next().is_none())
}

/// What `leftovers` asks for.
fn remedy(text: &[u8]) -> Option<Remedy> {
    let mut words = words(text);
    if words.next() != Some(b"cgroup") {
        return steps(text).map(Remedy::Steps);
    }
    let path = GroupPath::parse(words.next().unwrap_or_default())?;
    words.next().is_none().then_some(Remedy::Cgroup(path))
}

/// The steps of `leftovers`. The last one is a signal: a wait that nothing follows means nothing.
fn steps(text: &[u8]) -> Option<Steps> {
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
    fn every_file_is_known_by_its_name_and_has_a_bit_of_its_own() {
        for file in Optional::ALL {
            assert_eq!(Optional::bit_of(file.name().to_bytes()), file.bit());
        }
        let all = Optional::ALL.into_iter().fold(0, |bits, file| bits | file.bit());
        assert_eq!(all.count_ones() as usize, Optional::ALL.len());
        assert_eq!(Optional::bit_of(b"run"), 0);
    }

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

    #[test]
    fn leftovers_may_name_a_cgroup_in_place_of_steps() {
        let service = std::fs::File::open("/usr/bin/..").unwrap();
        let path = |text: &str, directory: &'static [u8]| match remedy(text.as_bytes()) {
            Some(Remedy::Cgroup(path)) => {
                let voice = Voice { called: b"", directory, part: b"" };
                let path = path.of(service.as_fd(), voice);
                Some(String::from_utf8(path.bytes().to_vec()).unwrap())
            }
            _ => None,
        };
        for (text, directory, expected) in [
            ("cgroup\n", &b"/etc/sv/web/"[..], Some("./web")),
            ("cgroup", b"getty@tty1", Some("./getty@tty1")),
            ("cgroup", b"web/.", Some("./usr")),
            ("cgroup", b"", Some("./usr")),
            (" cgroup  /services/web\n", b"x", Some("/services/web")),
            ("cgroup ./web", b"x", Some("./web")),
            ("cgroup web", b"x", None),
            ("cgroup /", b"x", None),
            ("cgroup ./../web", b"x", None),
            ("cgroup ./web kill", b"x", None),
            ("kill cgroup", b"x", None),
        ] {
            assert_eq!(path(text, directory).as_deref(), expected, "{text}");
        }
        let long = |length: usize| path(&format!("cgroup /{}", "x".repeat(length)), b"x");
        assert!(long(79).is_some() && long(80).is_none());
        assert_eq!(size_of::<Remedy>(), size_of::<Steps>(), "a service that names none takes no more for it");
    }
}
