//! The file `supervise/record`: what a new supervisor has to know where the old one was killed.
//!
//! It has three places of fixed size, each written by one pwrite(2). The first is the supervisor's: where the
//! process is in its life. The second is the child's own, written between fork and exec: which run of the
//! service it is, its pid and start time, and the pid space in which these count. The third is `file`, the device and
//! the inode of the file itself, written once: what has other ones is a copy, as by cp(1) or of a backup, which says
//! nothing about the directory where it lies. A rename keeps both. Not those of a directory: on layered file systems
//! these may change while nobody has it open. Without the third place it is the record of an older supervisor, which is
//! believed, and gets that place from the first newer one.
//!
//! The supervisor's is `state`, numbers, words, and the pid space. What a word is of is in its first part, and one
//! that is not known is passed over: so older and newer supervisors read each other's. The words are `kill:`, the
//! time of the KILL that ends a stop or finish, 0 where there is none; `asked:`, the control scripts that run or
//! have to wait; `late:`, 1 or 2, a run that was not ready in time; `cause:`, 1, one whose end a command has asked for;
//! and `watchdog:`, how often run has to show that it lives.

use std::os::fd::{AsFd, BorrowedFd};

use common::door::{self, Owner};
use common::quantity::number;
use common::spawn::Slot;
use common::{Text, fds, file, process, procfs, supervise};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc::off_t;
use nix::sys::stat::{FileStat, fstat};
use nix::sys::uio::pread;

use super::machine::{
    Asked, Cause, Death, FROM_NOW, Hold, Machine, Phase, Readiness, Runs, Script, Timer, Want,
};
use super::now::Wall;
use super::pid_space::{PidSpace, Then};

/// Where the child's place begins.
pub(super) const CHILD: usize = 384;
/// Where the place of the file itself begins. An older record ends there.
pub(super) const HOME: usize = CHILD + Slot::SIZE;
/// The size of the file.
pub(super) const SIZE: usize = HOME + 64;
/// In the place of what is wanted: down, after one run.
const ONCE: u64 = 3;

/// What a child says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Child {
    /// What it is: `Run`, `Finish` or `Setup`.
    pub(super) phase: Phase,
    /// Its pid.
    pub(super) pid: u32,
    /// When it started, in ticks since boot; 0 where that is not known, or cannot be compared.
    pub(super) start: u64,
    /// Which run it belongs to, counting from 1; setup to the run that follows.
    pub(super) serial: u32,
    /// When it was started: monotonic, ms.
    pub(super) since: u64,
    /// The same as wall clock time.
    pub(super) wall: Wall,
}

/// What the supervisor says of a process.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    /// Its life so far, as far as it lives on.
    pub(super) machine: Machine,
    /// What it was asked for and is not done yet.
    pub(super) asked: Asked,
    /// Which run this is, counting from 1.
    pub(super) serial: u32,
    /// The wall clock time of `machine.since`.
    pub(super) wall: Wall,
    /// Wall clock seconds of the last death.
    pub(super) died: u64,
    /// The pid that died.
    pub(super) dead: u32,
    /// The random part of the name of the notification socket; 0: none.
    pub(super) notify: u64,
    /// Whether the service has said that it is ready.
    pub(super) ready: bool,
}

/// The head of a child's place.
#[must_use]
pub(super) fn head(phase: Phase) -> &'static [u8] {
    match phase {
        Phase::Finish => b"finish ",
        Phase::Setup => b"setup ",
        _ => b"run ",
    }
}

/// The tail of a child's place.
#[must_use]
pub(super) fn tail(serial: u32, since: u64, wall: Wall, space: &PidSpace) -> Text<160> {
    let mut text = Text::of(" ");
    text.number(serial).add(" ").number(since).add(" ").number(wall.0).add(" ").number(wall.1);
    text.add(" ");
    space.add(&mut text);
    text.add(" ");
    text
}

/// Writes the supervisor's place.
pub(super) fn write(file: BorrowedFd, snapshot: &Snapshot, space: &PidSpace) -> nix::Result<()> {
    let Snapshot { machine, asked, serial, wall, died, dead, notify, ready } = snapshot;
    let (kind, value, core) = match machine.death {
        None => (0, 0, false),
        Some(Death::Exit(code)) => (1, u32::from(code), false),
        Some(Death::Signal(signal, core)) => (2, u32::from(signal), core),
        Some(Death::Exec(errno)) => (3, u32::try_from(errno).unwrap_or(0), false),
        Some(Death::Unknown) => (4, 0, false),
    };
    let mut text = Text::<{ CHILD }>::of("state ");
    let numbers = [
        u64::from(*serial),
        machine.phase as u64,
        if machine.runs == Runs::Once { ONCE } else { machine.want as u64 },
        machine.hold as u64,
        u64::from(machine.paused),
        u64::from(machine.stop_sent),
        machine.since,
        machine.timers.get(Timer::Start).unwrap_or(0),
        u64::from(machine.short_runs),
        u64::from(machine.restarts),
        machine.ran_for,
        wall.0,
        u64::from(wall.1),
        kind,
        u64::from(value),
        u64::from(core),
        *died,
        u64::from(*dead),
        *notify,
        u64::from(*ready),
    ];
    for number in numbers {
        text.number(number).add(" ");
    }
    text.add("kill:").number(asked.kill_at.unwrap_or(0)).add(" ");
    if asked.scripts[0].is_some() {
        text.add("asked:");
        for script in asked.scripts.into_iter().flatten() {
            text.add([script.sign()]);
        }
        text.add(" ");
    }
    if machine.readiness != Readiness::InTime {
        text.add("late:").number(machine.readiness as u32).add(" ");
    }
    if machine.cause == Cause::Command {
        text.add("cause:1 ");
    }
    if machine.watchdog != 0 {
        text.add("watchdog:").number(machine.watchdog).add(" ");
    }
    space.add(&mut text);
    text.add(" ").fill(CHILD - 1).add("\n");
    file::write_at(file, text.bytes(), 0)
}

/// Writes the child's place in its stead: it runs already.
pub(super) fn write_child(file: BorrowedFd, child: &Child, space: &PidSpace) -> nix::Result<()> {
    let mut text = Text::<{ Slot::SIZE }>::of(head(child.phase));
    text.number(child.pid).add(" ").number(child.start);
    text.add(tail(child.serial, child.since, child.wall, space).bytes()).fill(Slot::SIZE - 1).add("\n");
    file::write_at(file, text.bytes(), CHILD as u64)
}

/// Forgets what the supervisor knew: after a clean exit only the files of the service directory count.
pub(super) fn clear(file: BorrowedFd) -> nix::Result<()> {
    let mut blank = Text::<SIZE>::new();
    file::write_at(file, blank.fill(HOME).add(Home::of(&fstat(file)?).words().bytes()).bytes(), 0)
}

/// Whether a record that was found is that of this file, of which `stat` was seen, and no copy. One that does not say so
/// is from then on.
pub(super) fn claim(file: BorrowedFd, stat: &FileStat) -> nix::Result<bool> {
    let mut place = [0; SIZE - HOME];
    let offset = off_t::try_from(HOME).unwrap_or(off_t::MAX); // it is small
    let count = pread(file, &mut place, offset)?;
    let home = Home::of(stat);
    if let Some(its) = Home::parse(&place[..count]) {
        return Ok(its == home);
    }
    // Where there is no room for it, it stays what it is: the record of an older supervisor.
    let _ = file::write_at(file, home.words().bytes(), HOME as u64);
    Ok(true)
}

/// The file that a record was written in.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Home {
    device: u64,
    inode: u64,
}

impl Home {
    #[allow(clippy::useless_conversion, reason = "on some systems the number of a device has 32 bits")]
    fn of(file: &FileStat) -> Self {
        Self { device: file.st_dev.into(), inode: fds::inode(file) }
    }

    fn parse(place: &[u8]) -> Option<Self> {
        let mut words = place.split(|b| *b == b' ');
        let is_one = words.next()? == b"file";
        let mut next = || number::<u64>(words.next()?);
        Some(Self { device: next()?, inode: next()? }).filter(|_| is_one)
    }

    fn words(self) -> Text<{ SIZE - HOME }> {
        let mut text = Text::of("file ");
        text.number(self.device).add(" ").number(self.inode).add(" ").fill(SIZE - HOME - 1).add("\n");
        text
    }
}

/// What is recorded and may live; nothing in a copy. EXDEV where that is in another pid namespace, whose pids mean
/// nothing here. `now`: for what another clock has dated, monotonic, ms.
pub(super) fn read(
    file: BorrowedFd,
    space: &PidSpace,
    now: u64,
) -> nix::Result<(Option<Snapshot>, Option<Child>)> {
    let mut bytes = [0; SIZE];
    let count = pread(file, &mut bytes, 0)?;
    let home = Home::of(&fstat(file)?);
    if count < HOME || Home::parse(&bytes[HOME..count]).is_some_and(|its| its != home) {
        return Ok((None, None));
    }
    let (snapshot, child) = bytes[..HOME].split_at(CHILD);
    let then = space.then(snapshot);
    let mut snapshot = counts(then)?.then(|| parse_snapshot(snapshot)).flatten();
    if let Some(Snapshot { machine, asked, .. }) = snapshot.as_mut().filter(|_| then == Then::Undated) {
        // Its times are of another clock.
        machine.since = now;
        let due = machine.timers.get(Timer::Start).map(|_| machine.since);
        machine.timers.set(Timer::Start, due);
        asked.kill_at = asked.kill_at.map(|_| FROM_NOW);
    }
    let then = space.then(child);
    let mut child = counts(then)?.then(|| parse_child(child)).flatten();
    if let Some(child) = child.as_mut().filter(|_| then == Then::Undated) {
        (child.start, child.since) = (0, now);
    }
    Ok((snapshot, child))
}

/// Whether a place of this pid space counts.
fn counts(then: Then) -> nix::Result<bool> {
    match then {
        Then::Now | Then::Undated => Ok(true),
        Then::Over => Ok(false),
        Then::Elsewhere => Err(Errno::EXDEV),
    }
}

fn parse_snapshot(place: &[u8]) -> Option<Snapshot> {
    let mut words = place.split(|b| *b == b' ');
    if words.next()? != b"state" {
        return None;
    }
    let mut numbers = [0; 20];
    for place in &mut numbers {
        *place = number::<u64>(words.next()?)?;
    }
    let [serial, phase, want, hold, paused, stop_sent, since, due, rest @ ..] = numbers;
    let [short_runs, restarts, ran_for, wall, nanoseconds, kind, value, core, died, dead, notify, ready] =
        rest;
    let small = |number: u64| u32::try_from(number).unwrap_or(0);
    let mut machine = Machine::new(match want {
        0 => Want::Up,
        1 | ONCE => Want::Down,
        _ => Want::Exit,
    });
    machine.runs = if want == ONCE { Runs::Once } else { Runs::Asked };
    machine.phase = match phase {
        1 => Phase::Wait,
        2 => Phase::Prepare,
        3 => Phase::Run,
        4 => Phase::Finish,
        5 => Phase::Setup,
        6 => Phase::Done,
        _ => Phase::Down,
    };
    machine.hold = match hold {
        1 => Hold::BackingOff,
        2 => Hold::GaveUp,
        3 => Hold::FinishGaveUp,
        4 => Hold::Needs,
        _ => Hold::None,
    };
    (machine.paused, machine.stop_sent) = (paused != 0, stop_sent != 0);
    machine.timers.set(Timer::Start, (due != 0).then_some(due));
    (machine.since, machine.ran_for) = (since, ran_for);
    (machine.short_runs, machine.restarts) = (small(short_runs), small(restarts));
    let byte = u8::try_from(value).unwrap_or(0);
    machine.death = match kind {
        1 => Some(Death::Exit(byte)),
        2 => Some(Death::Signal(byte, core != 0)),
        3 => Some(Death::Exec(i32::try_from(value).unwrap_or(0))),
        4 => Some(Death::Unknown),
        _ => None,
    };
    let (serial, wall, dead) = (small(serial), (wall, small(nanoseconds)), small(dead));
    // An older record, without the words, has a stop alone.
    let stopped = machine.stop_sent && machine.want != Want::Up;
    let mut asked = Asked { kill_at: stopped.then_some(FROM_NOW), ..Asked::default() };
    for word in words {
        if let Some(time) = word.strip_prefix(b"kill:") {
            asked.kill_at = number::<u64>(time).filter(|time| *time != 0);
        } else if let Some(letters) = word.strip_prefix(b"asked:") {
            let scripts = letters.iter().filter_map(|sign| Script::from_sign(*sign));
            asked.scripts.iter_mut().zip(scripts).for_each(|(place, script)| *place = Some(script));
        } else if let Some(late) = word.strip_prefix(b"late:") {
            machine.readiness = match late {
                b"1" => Readiness::Failed,
                b"2" => Readiness::Excused,
                _ => Readiness::InTime,
            };
        } else if word == b"cause:1" {
            machine.cause = Cause::Command;
        } else if let Some(time) = word.strip_prefix(b"watchdog:") {
            machine.watchdog = number(time).unwrap_or(0); // of a record that was spoilt
        }
    }
    Some(Snapshot { machine, asked, serial, wall, died, dead, notify, ready: ready != 0 })
}

fn parse_child(place: &[u8]) -> Option<Child> {
    let mut words = place.split(|b| *b == b' ');
    let phase = match words.next()? {
        b"run" => Phase::Run,
        b"finish" => Phase::Finish,
        b"setup" => Phase::Setup,
        _ => return None,
    };
    let mut next = || number::<u64>(words.next()?);
    let (pid, start, serial) = (next()?, next()?, next()?);
    let (since, wall, nanoseconds) = (next()?, next()?, next()?);
    Some(Child {
        phase,
        pid: u32::try_from(pid).ok()?,
        start,
        serial: u32::try_from(serial).ok()?,
        since,
        wall: (wall, u32::try_from(nanoseconds).ok()?),
    })
}

impl Child {
    /// Whether it lives, seen by the process `supervisor`. An error where that cannot be said.
    pub(super) fn lives(&self, supervisor: u32) -> nix::Result<bool> {
        match procfs::process(self.pid) {
            // A child of ours that is dead already has a status, which we get when we reap it.
            Ok(process) if process.zombie && process.parent != supervisor => Ok(false),
            Ok(_) if self.start == 0 => Err(Errno::ENODATA),
            Ok(process) => Ok(process.start == self.start),
            // Nothing is there; or /proc does not show it.
            Err(Errno::ENOENT | Errno::ESRCH) => match process::has_ended(self.pid) {
                Ok(true) | Err(Errno::ESRCH) => Ok(false),
                Ok(false) => Err(Errno::ENODATA),
                Err(errno) => Err(errno),
            },
            Err(errno) => Err(errno),
        }
    }
}

/// Whether the process lives that is recorded in the state directory below `parent`, seen by the process `supervisor`.
pub(super) fn lives_below(
    parent: BorrowedFd,
    space: &PidSpace,
    supervisor: u32,
    now: u64,
) -> nix::Result<bool> {
    let directory = fds::open_directory(parent, supervise::DIRECTORY)?;
    let file = door::file(directory.as_fd(), c"record", OFlag::O_RDONLY, Owner::Us)?;
    let (_, child) = read(file.as_fd(), space, now)?;
    child.map_or(Ok(false), |child| child.lives(supervisor))
}

/// The state of the file: it has to name the run that was started last, since a new supervisor takes the rest
/// to be about that run.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Which run was started last, counting from 1.
    pub(super) serial: u32,
    /// When that was: monotonic, ms, and wall clock.
    pub(super) spawned: (u64, Wall),
    /// The file does not name the process that runs: the file is new, or the child could not write its place.
    pub(super) unrecorded: bool,
}

impl Book {
    /// Writes what a new supervisor has to know, the child's place first if it is not there; `adopts`: whether what
    /// runs can be adopted at all. False where that has to be tried again.
    pub(super) fn keep(
        &mut self,
        file: BorrowedFd,
        snapshot: &Snapshot,
        space: &PidSpace,
        adopts: bool,
    ) -> bool {
        let Snapshot { machine, .. } = snapshot;
        let (since, wall) = self.spawned;
        let name = || {
            let start = procfs::process(machine.pid)?.start;
            let child =
                Child { phase: machine.phase, pid: machine.pid, start, serial: self.serial, since, wall };
            write_child(file, &child, space)
        };
        let named = !self.unrecorded || machine.pid == 0 || !adopts || name().is_ok();
        self.unrecorded &= !named;
        // If it is not written, a new supervisor relies on the child's place.
        write(file, snapshot, space).is_ok() && named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let file = tempfile::tempfile().unwrap();
        let space = PidSpace::now().unwrap();
        let mut machine = Machine::new(Want::Down);
        machine.runs = Runs::Once;
        machine.phase = Phase::Wait;
        machine.hold = Hold::BackingOff;
        (machine.readiness, machine.watchdog) = (Readiness::Excused, 30_000);
        (machine.paused, machine.since, machine.short_runs, machine.cause) = (true, 77, 3, Cause::Command);
        machine.timers.set(Timer::Start, 99);
        machine.death = Some(Death::Signal(11, true));
        let (wall, notify) = ((1_764_000_000, 999_999_999), u64::MAX);
        let mut asked = Asked { kill_at: Some(99_999), ..Asked::default() };
        asked.scripts[..3].copy_from_slice(&b"hT1".map(Script::from_sign));
        let snapshot = Snapshot { machine, asked, serial: 5, wall, died: 8, dead: 9, notify, ready: true };
        clear(file.as_fd()).unwrap();
        assert!(matches!(read(file.as_fd(), &space, 5), Ok((None, None))));
        write(file.as_fd(), &snapshot, &space).unwrap();
        let expected = Child { phase: Phase::Finish, pid: 812, start: 4711, serial: 5, since: 77, wall };
        write_child(file.as_fd(), &expected, &space).unwrap();
        let (Some(again), child) = read(file.as_fd(), &space, 5).unwrap() else { panic!("no snapshot") };
        assert_eq!(format!("{again:?}"), format!("{snapshot:?}"));
        assert_eq!(child, Some(expected));
    }

    #[test]
    fn a_copy_is_not_believed_and_a_record_that_was_renamed_or_is_older_is() {
        use std::fs::{self, OpenOptions};
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let open = |name: &str| OpenOptions::new().read(true).write(true).open(path(name)).unwrap();
        let space = PidSpace::now().unwrap();
        let expected = Child { phase: Phase::Run, pid: 812, start: 4711, serial: 5, since: 77, wall: (0, 0) };
        let child = |name: &str| read(open(name).as_fd(), &space, 5).unwrap().1;
        let claimed = |name: &str| claim(open(name).as_fd(), &fstat(open(name)).unwrap());
        fs::write(path("record"), "").unwrap();
        clear(open("record").as_fd()).unwrap();
        write_child(open("record").as_fd(), &expected, &space).unwrap();
        assert_eq!(child("record"), Some(expected));

        fs::copy(path("record"), path("copy")).unwrap();
        assert_eq!(child("copy"), None);
        assert_eq!(claimed("copy"), Ok(false));

        fs::rename(path("record"), path("renamed")).unwrap();
        assert_eq!(claimed("renamed"), Ok(true));
        assert_eq!(child("renamed"), Some(expected));

        // An older one ends where this place begins: it is believed where it was found first.
        fs::copy(path("renamed"), path("older")).unwrap();
        open("older").set_len(HOME as u64).unwrap();
        assert_eq!(child("older"), Some(expected));
        assert_eq!(claimed("older"), Ok(true));
        assert_eq!(child("older"), Some(expected));
        fs::copy(path("older"), path("copy")).unwrap();
        assert_eq!(child("copy"), None);
        let size = open("older").metadata().unwrap().len();
        assert_eq!(size, SIZE as u64);
    }

    #[test]
    fn every_phase_and_every_hold_has_its_number() {
        use Phase::{Done, Down, Finish, Prepare, Run, Setup, Wait};
        let file = tempfile::tempfile().unwrap();
        let space = PidSpace::now().unwrap();
        let holds = [Hold::None, Hold::BackingOff, Hold::GaveUp, Hold::FinishGaveUp, Hold::Needs];
        clear(file.as_fd()).unwrap();
        for (number, phase) in [Down, Wait, Prepare, Run, Finish, Setup, Done].into_iter().enumerate() {
            for hold in holds {
                let mut machine = Machine::new(Want::Up);
                (machine.phase, machine.hold) = (phase, hold);
                let snapshot = Snapshot {
                    machine,
                    asked: Asked::default(),
                    serial: 5,
                    wall: (0, 0),
                    died: 0,
                    dead: 0,
                    notify: 0,
                    ready: false,
                };
                write(file.as_fd(), &snapshot, &space).unwrap();
                let (Some(again), _) = read(file.as_fd(), &space, 5).unwrap() else { panic!("no snapshot") };
                assert_eq!((again.machine.phase, again.machine.hold), (phase, hold));
            }
            assert_eq!(phase as usize, number, "older and newer supervisors read each other's");
        }
        for phase in [Run, Finish, Setup] {
            let child = Child { phase, pid: 812, start: 4711, serial: 5, since: 77, wall: (0, 0) };
            write_child(file.as_fd(), &child, &space).unwrap();
            assert_eq!(read(file.as_fd(), &space, 5).unwrap().1, Some(child));
        }
    }

    #[test]
    fn an_older_record_tells_of_a_stop_alone_and_unknown_words_are_passed_over() {
        let asked = |place: &[u8]| parse_snapshot(place).map(|snapshot| snapshot.asked);
        let stop = |signs: &[u8], kill_at| {
            let mut asked = Asked { kill_at, ..Asked::default() };
            let scripts = signs.iter().map(|sign| Script::from_sign(*sign));
            asked.scripts.iter_mut().zip(scripts).for_each(|(place, script)| *place = script);
            Some(asked)
        };
        for (want, termed, words, expected) in [
            (0, 0, "", stop(b"", None)),
            (0, 1, "", stop(b"", None)),
            (1, 1, "", stop(b"", Some(FROM_NOW))),
            (1, 1, "kill:0 ", stop(b"", None)),
            (1, 1, "later:7 kill:4711 asked ", stop(b"", Some(4711))),
            (1, 0, "asked:Th kill:9 ", stop(b"Th", Some(9))),
            (0, 0, "asked:0123456789abcdefgh ", stop(b"12acdh", None)),
            (0, 0, "asked:tkpchaiq12tkpch ", stop(b"tkpchaiq12tk", None)),
        ] {
            let numbers = format!("5 3 {want} 0 0 {termed}") + &" 0".repeat(14);
            let place = format!("state {numbers} {words}0a1b-2c 7.1.3.0   \n");
            assert_eq!(asked(place.as_bytes()), expected, "{place}");
        }
    }
}
