//! The file `supervise/record`: what a new supervisor has to know where the old one was killed.
//!
//! It has two places of fixed size, each written by one pwrite(2). The first is the supervisor's: where the
//! process is in its life. The second is the child's own, written between fork and exec: which run of the
//! service it is, its pid and start time, and the boot and pid namespace in which these count.

use std::os::fd::BorrowedFd;

use common::child::{self, Slot};
use common::cli::number;
use common::{Text, procfs};
use nix::errno::Errno;

use super::machine::{Death, Hold, Machine, Phase, Want};

/// Where the child's place begins.
pub(super) const CHILD: usize = 384;
/// The size of the file.
pub(super) const SIZE: usize = CHILD + Slot::SIZE;

/// In what world pids count: the boot, and the pid namespace, with a `+` where we are its process 1: with
/// that the kernel kills all others in it.
#[derive(Debug)]
pub(super) struct Era(Text<96>);

impl Era {
    /// The present one; unknown where /proc is not there, which equals no other.
    #[must_use]
    pub(super) fn now() -> Self {
        let mut text = Text::new();
        let mut buffer = [0; 64];
        text.add(child::boot_id(&mut buffer)).add(" ");
        let namespace =
            procfs::Root::open().and_then(|proc| proc.stat(c"self/ns/pid")).map_or(0, |stat| stat.st_ino);
        text.number(namespace).add(if std::process::id() == 1 { "+" } else { "" });
        Self(text)
    }

    fn known(&self) -> bool {
        let text = self.0.bytes();
        text.first() != Some(&b' ') && !without_plus(text).ends_with(b" 0")
    }
}

fn without_plus(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"+").unwrap_or(text)
}

/// What a child says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Child {
    /// It is finish, and not run.
    pub(super) finish: bool,
    /// Its pid.
    pub(super) pid: u32,
    /// When it started, in ticks since boot.
    pub(super) start: u64,
    /// The how-manieth run it belongs to.
    pub(super) serial: u32,
    /// When it was started: monotonic, ms.
    pub(super) since: u64,
    /// The same as wall clock time.
    pub(super) wall: (u64, u32),
}

/// What the supervisor says of a process.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    /// Its life so far, as far as it lives on.
    pub(super) machine: Machine,
    /// The how-manieth run it is.
    pub(super) serial: u32,
    /// The wall clock time of `machine.since`.
    pub(super) wall: (u64, u32),
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
pub(super) fn head(finish: bool) -> &'static [u8] {
    if finish { b"finish " } else { b"run " }
}

/// The tail of a child's place.
#[must_use]
pub(super) fn tail(serial: u32, since: u64, wall: (u64, u32), era: &Era) -> Text<160> {
    let mut text = Text::of(" ");
    text.number(serial).add(" ").number(since).add(" ").number(wall.0).add(" ").number(wall.1);
    text.add(" ").add(era.0.bytes()).add(" ");
    text
}

/// Writes the supervisor's place.
pub(super) fn write(file: BorrowedFd, memory: &Memory, era: &Era) -> nix::Result<()> {
    let Memory { machine, serial, wall, died, dead, notify, ready } = memory;
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
        machine.want as u64,
        machine.hold as u64,
        u64::from(machine.paused),
        u64::from(machine.termed),
        machine.since,
        machine.due.unwrap_or(0),
        u64::from(machine.shorts),
        u64::from(machine.restarts),
        machine.lived,
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
    text.add(era.0.bytes()).add(" ").fill(CHILD - 1).add("\n");
    child::write_at(file, text.bytes(), 0)
}

/// Writes the child's place in its stead: it runs already.
pub(super) fn write_child(file: BorrowedFd, child: &Child, era: &Era) -> nix::Result<()> {
    let mut text = Text::<{ Slot::SIZE }>::of(head(child.finish));
    text.number(child.pid).add(" ").number(child.start);
    text.add(tail(child.serial, child.since, child.wall, era).bytes()).fill(Slot::SIZE - 1).add("\n");
    child::write_at(file, text.bytes(), CHILD as u64)
}

/// Forgets what the supervisor knew: after a clean exit only the files of the service directory count.
pub(super) fn clear(file: BorrowedFd) -> nix::Result<()> {
    let mut blank = Text::<SIZE>::new();
    child::write_at(file, blank.fill(SIZE).bytes(), 0)
}

/// What is recorded, of this boot; pids of another pid namespace mean nothing here, and may run: that is
/// EXDEV.
pub(super) fn read(file: BorrowedFd, era: &Era) -> nix::Result<(Option<Memory>, Option<Child>)> {
    let mut bytes = [0; SIZE];
    let count = nix::sys::uio::pread(file, &mut bytes, 0)?;
    if count < SIZE {
        return Ok((None, None));
    }
    let (memory, child) = bytes.split_at(CHILD);
    let of_now = |place: &[u8]| {
        let mut tail = place.rsplit(|b| *b == b' ').filter(|word| !matches!(*word, b"" | b"\n"));
        let (namespace, boot) = (tail.next()?, tail.next()?);
        let mut now = era.0.bytes().rsplit(|b| *b == b' ');
        let same_namespace = now.next().map(without_plus) == Some(without_plus(namespace));
        // Its process 1 held the lock that is ours now: it is dead, and so are all in that namespace.
        let died_with_it = !same_namespace && namespace.ends_with(b"+");
        Some((now.next() == Some(boot) && !died_with_it, same_namespace))
    };
    let era_of = |place: &[u8]| match of_now(place) {
        Some((true, true)) => Ok(true),
        Some((true, false)) => Err(Errno::EXDEV),
        Some((false, _)) if !era.known() => Err(Errno::EXDEV),
        _ => Ok(false),
    };
    let memory = if era_of(memory)? { parse_memory(memory) } else { None };
    let child = if era_of(child)? { parse_child(child) } else { None };
    Ok((memory, child))
}

fn parse_memory(place: &[u8]) -> Option<Memory> {
    let mut words = place.split(|b| *b == b' ');
    if words.next()? != b"state" {
        return None;
    }
    let mut numbers = [0; 20];
    for place in &mut numbers {
        *place = number::<u64>(words.next()?)?;
    }
    let [serial, phase, want, hold, paused, termed, since, due, rest @ ..] = numbers;
    let [shorts, restarts, lived, wall, nanoseconds, kind, value, core, died, dead, notify, ready] = rest;
    let small = |number: u64| u32::try_from(number).unwrap_or(0);
    let mut machine = Machine::new(match want {
        0 => Want::Up,
        1 => Want::Down,
        _ => Want::Exit,
    });
    machine.phase = match phase {
        1 => Phase::Wait,
        2 => Phase::Prepare,
        3 => Phase::Run,
        4 => Phase::Finish,
        _ => Phase::Down,
    };
    machine.hold = match hold {
        1 => Hold::BackingOff,
        2 => Hold::GaveUp,
        _ => Hold::None,
    };
    (machine.paused, machine.termed) = (paused != 0, termed != 0);
    (machine.since, machine.due, machine.lived) = (since, (due != 0).then_some(due), lived);
    (machine.shorts, machine.restarts) = (small(shorts), small(restarts));
    let byte = u8::try_from(value).unwrap_or(0);
    machine.death = match kind {
        1 => Some(Death::Exit(byte)),
        2 => Some(Death::Signal(byte, core != 0)),
        3 => Some(Death::Exec(i32::try_from(value).unwrap_or(0))),
        4 => Some(Death::Unknown),
        _ => None,
    };
    let (serial, wall, dead) = (small(serial), (wall, small(nanoseconds)), small(dead));
    Some(Memory { machine, serial, wall, died, dead, notify, ready: ready != 0 })
}

fn parse_child(place: &[u8]) -> Option<Child> {
    let mut words = place.split(|b| *b == b' ');
    let finish = match words.next()? {
        b"run" => false,
        b"finish" => true,
        _ => return None,
    };
    let mut next = || number::<u64>(words.next()?);
    let (pid, start, serial) = (next()?, next()?, next()?);
    let (since, wall, nanoseconds) = (next()?, next()?, next()?);
    Some(Child {
        finish,
        pid: u32::try_from(pid).ok()?,
        start,
        serial: u32::try_from(serial).ok()?,
        since,
        wall: (wall, u32::try_from(nanoseconds).ok()?),
    })
}

impl Child {
    /// Whether it lives. An error where that cannot be said.
    pub(super) fn lives(&self) -> nix::Result<bool> {
        match child::process(self.pid) {
            // A process without a start time could not read it: /proc was not there.
            Ok(_) if self.start == 0 => Err(Errno::ENODATA),
            // A child of ours that is dead already has a status, which we get when we reap it.
            Ok(process) => {
                Ok(process.start == self.start && (!process.zombie || process.parent == std::process::id()))
            }
            Err(Errno::ENOENT | Errno::ESRCH) => match child::kill_child(self.pid, 0) {
                Err(Errno::ESRCH) => Ok(false),
                _ => Err(Errno::ENODATA), // it is there, but not in /proc
            },
            Err(errno) => Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn what_was_written_is_read_again() {
        let file = tempfile::tempfile().unwrap();
        let era = Era::now();
        let mut machine = Machine::new(Want::Down);
        machine.phase = Phase::Wait;
        machine.hold = Hold::BackingOff;
        (machine.paused, machine.since, machine.due, machine.shorts) = (true, 77, Some(99), 3);
        machine.death = Some(Death::Signal(11, true));
        let (wall, notify) = ((1_764_000_000, 999_999_999), u64::MAX);
        let memory = Memory { machine, serial: 5, wall, died: 8, dead: 9, notify, ready: true };
        clear(file.as_fd()).unwrap();
        assert!(matches!(read(file.as_fd(), &era), Ok((None, None))));
        write(file.as_fd(), &memory, &era).unwrap();
        let expected = Child { finish: true, pid: 812, start: 4711, serial: 5, since: 77, wall };
        write_child(file.as_fd(), &expected, &era).unwrap();
        let (Some(again), child) = read(file.as_fd(), &era).unwrap() else { panic!("no memory") };
        assert_eq!(format!("{again:?}"), format!("{memory:?}"));
        assert_eq!(child, Some(expected));
    }

    #[test]
    fn another_boot_is_forgotten_and_another_namespace_is_refused() {
        let file = tempfile::tempfile().unwrap();
        let era = |text: &str| Era(Text::of(text));
        let memory = Memory {
            machine: Machine::new(Want::Up),
            serial: 1,
            wall: (1, 2),
            died: 0,
            dead: 0,
            notify: 0,
            ready: false,
        };
        clear(file.as_fd()).unwrap();
        write(file.as_fd(), &memory, &era("boot-a 4026531836")).unwrap();
        assert!(matches!(read(file.as_fd(), &era("boot-b 4026531836")), Ok((None, None))));
        assert!(matches!(read(file.as_fd(), &era("boot-a 7")), Err(Errno::EXDEV)));
        assert!(matches!(read(file.as_fd(), &era("boot-a 4026531836+")), Ok((Some(_), None))));
        assert!(matches!(read(file.as_fd(), &era("boot-a 4026531836")), Ok((Some(_), None))));
    }

    #[test]
    fn with_process_1_all_of_its_namespace_has_died() {
        let file = tempfile::tempfile().unwrap();
        let era = |text: &str| Era(Text::of(text));
        clear(file.as_fd()).unwrap();
        let child = Child { finish: false, pid: 7, start: 4711, serial: 5, since: 77, wall: (1, 2) };
        write_child(file.as_fd(), &child, &era("boot-a 4026531836+")).unwrap();
        for (now, found) in
            [("boot-a 4026531836+", Some(child)), ("boot-a 4026531836", Some(child)), ("boot-a 7+", None)]
        {
            assert_eq!(read(file.as_fd(), &era(now)).unwrap().1, found, "{now}");
        }
    }
}
