//! The space of pids in which a record counts: the boot, the pid namespace and the time namespace; and whether the
//! other pid namespace of a record is still alive.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

use common::door::{self, Owner};
use common::quantity::number;
use common::{Text, fds, namespace, procfs};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, SpliceFFlags, tee};
use nix::sys::stat::{Mode, fstatat};
use nix::unistd::pipe2;

/// Where pids and start times count. A copy takes little: it is one for all services.
#[derive(Clone, Debug)]
pub(crate) struct PidSpace {
    here: Rc<Here>,
    /// Whether any process has the service's log pipe open: a sign that processes of another pid namespace
    /// live.
    held: bool,
}

/// The present space.
#[derive(Debug)]
struct Here {
    boot: Text<48>,
    place: Place,
}

/// The numbers of a pid space; 0 is one that is not known, or that the kernel does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Place {
    /// The inode number of the pid namespace, which another gets when this one is gone.
    namespace: u64,
    /// When process 1 started, in ticks since boot: where the numbers are the same it distinguishes two namespaces.
    first: u64,
    /// The inode number of the time namespace, by which start times are shifted.
    time: u64,
    /// The number of the pid namespace that no other gets in this boot.
    id: u64,
    /// Whether the supervisor is process 1, with which the kernel kills all others in the namespace.
    one: bool,
}

/// The relation of a record's pid space to the present one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Then {
    /// The same.
    Now,
    /// Its pids are ours; when they started cannot be compared.
    Undated,
    /// Over: no process of that time lives.
    Over,
    /// Another pid namespace, which may live.
    Elsewhere,
}

impl PidSpace {
    /// The present one. A number that the kernel does not show is 0; an error if it may show it another time.
    pub(crate) fn now() -> nix::Result<Self> {
        let mut buffer = [0; 64];
        let boot = shown(procfs::boot_id(&mut buffer))?.map_or_else(|| Text::of("-"), Text::of);
        let this = shown(procfs::This::open())?;
        let inode = |name| match &this {
            Some(this) => Ok(shown(this.stat(name))?.map_or(0, |stat| fds::inode(&stat))),
            None => Ok(0),
        };
        let place = Place {
            namespace: inode(c"ns/pid")?,
            first: shown(procfs::process(1))?.map_or(0, |process| process.start),
            time: inode(c"ns/time")?,
            id: namespace::id(c"/proc/self/ns/pid").unwrap_or(0), // no more than one way of two to know it
            one: std::process::id() == 1,
        };
        Ok(Self { here: Rc::new(Here { boot, place }), held: false })
    }

    /// Looks whether a process has the log pipe below this state directory open: before we open it ourselves.
    pub(super) fn look_for_sign(&mut self, state: BorrowedFd) {
        self.held = match is_held(state) {
            Ok(held) => held,
            Err(errno) => errno != Errno::ENOENT, // else nobody can say
        };
    }

    /// Adds it to a record.
    pub(super) fn add<const N: usize>(&self, text: &mut Text<N>) {
        let Place { namespace, first, time, id, one } = self.here.place;
        text.add(self.here.boot.bytes())
            .add(" ")
            .number(namespace)
            .add(".")
            .number(first)
            .add(".")
            .number(time);
        text.add(".").number(id).add(if one { "+" } else { "" });
    }

    /// The relation of the pid space at the end of `record` to this one.
    pub(super) fn then(&self, record: &[u8]) -> Then {
        let mut words = record.rsplit(|b| *b == b' ').filter(|word| !matches!(*word, b"" | b"\n"));
        let (Some(place), Some(boot)) = (words.next().and_then(Place::parse), words.next()) else {
            return Then::Over; // nothing was recorded
        };
        let now = self.here.boot.bytes();
        let known = now != b"-" && boot != b"-";
        if known && now != boot {
            return Then::Over;
        }
        match self.here.place.of(place, known) {
            Then::Elsewhere if !self.lives(place) => Then::Over,
            then => then,
        }
    }

    /// Whether another pid namespace lives, or, where the kernel does not show it, whether there is a sign of it.
    fn lives(&self, there: Place) -> bool {
        if there.namespace == namespace::INITIAL {
            return true;
        }
        let lives = |place: Place| namespace::lives(place.id, place.namespace);
        if there.id != 0 && self.here.place.id != 0 {
            match lives(there) {
                Ok(lives) => return lives,
                // EPERM is for one that lives and is not below us; if our own is refused too, it means nothing.
                Err(Errno::EPERM) if lives(self.here.place) == Ok(true) => return true,
                Err(_) => {} // the signs are asked instead
            }
        }
        self.held || sees(there)
    }
}

/// Whether a process of another pid namespace is among those that /proc shows.
fn sees(there: Place) -> bool {
    let Ok(proc) = fds::open_directory(AT_FDCWD, c"/proc") else { return true }; // nobody can say
    let mut seen = false;
    let looked = fds::each_name(proc.as_fd(), |name| {
        let Some(pid) = number::<u32>(name.to_bytes()).filter(|_| !seen) else { return };
        let mut path = Text::<32>::new();
        path.number(pid).add("/ns/pid\0");
        let Ok(path) = CStr::from_bytes_with_nul(path.bytes()) else { return };
        // A process that is gone by now, or not shown to us, is no sign.
        seen = fstatat(&proc, path, AtFlags::empty()).is_ok_and(|stat| fds::inode(&stat) == there.namespace);
    });
    seen || looked.is_err()
}

impl Place {
    fn parse(text: &[u8]) -> Option<Self> {
        let (one, text) = text.strip_suffix(b"+").map_or((false, text), |text| (true, text));
        let mut numbers = text.split(|b| *b == b'.').map(number::<u64>);
        let namespace = numbers.next().flatten()?;
        let mut next = || numbers.next().flatten().unwrap_or(0); // older records have no more than that
        Some(Self { namespace, first: next(), time: next(), id: next(), one })
    }

    /// The relation of the place `then` to this one; `known`: it is of the same boot.
    fn of(self, then: Self, known: bool) -> Then {
        let other = |now: u64, then: u64| now != 0 && then != 0 && now != then;
        let unknown = !known || self.namespace == 0 || then.namespace == 0;
        let same = !unknown && self.namespace == then.namespace;
        let timed = !other(self.time, then.time);
        if same && (other(self.id, then.id) || timed && other(self.first, then.first)) {
            return Then::Over; // the number was given again
        }
        match (same, timed) {
            (true, true) => Then::Now,
            (true, false) => Then::Undated,
            // Its process 1 held the lock that is ours now: it is dead, and so are all in that namespace.
            (false, _) if then.one => Then::Over,
            (false, _) if unknown => Then::Undated,
            (false, _) => Then::Elsewhere,
        }
    }
}

/// Whether anybody has the log pipe open, to read or to write. Nothing is taken out of it.
fn is_held(state: BorrowedFd) -> nix::Result<bool> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let pipe = fds::open(state, c"pipe", flags, Mode::empty())?;
    match door::fifo(pipe.as_fd(), c"fifo", OFlag::O_WRONLY, Owner::Any) {
        Ok(_) => return Ok(true),
        Err(Errno::ENXIO) => {} // nobody reads
        Err(errno) => return Err(errno),
    }
    let fifo = door::fifo(pipe.as_fd(), c"fifo", OFlag::O_RDONLY, Owner::Any)?;
    let (_reader, copy) = pipe2(OFlag::O_CLOEXEC)?;
    match tee(&fifo, &copy, 1, SpliceFFlags::SPLICE_F_NONBLOCK) {
        Ok(count) => Ok(count > 0), // 0: it is empty, and nobody writes
        Err(Errno::EAGAIN) => Ok(true),
        Err(errno) => Err(errno),
    }
}

/// The value that the kernel shows; `None` if it does not show it, to anybody or to us.
fn shown<T>(result: nix::Result<T>) -> nix::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ESRCH | Errno::EACCES | Errno::EPERM) => Ok(None),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_of_now() {
        let space = PidSpace::now().unwrap();
        let mut text = Text::<160>::of("run 7 ");
        space.add(&mut text);
        text.fill(150).add("\n");
        assert_eq!(space.then(text.bytes()), Then::Now);
        assert_eq!(space.then(b"                \n"), Then::Over, "nothing was written");
    }

    #[test]
    fn a_record_counts_where_its_boot_and_namespaces_are_ours() {
        let space = |text: &str| {
            let (boot, place) = text.split_once(' ').unwrap();
            let place = Place::parse(place.as_bytes()).unwrap();
            PidSpace { here: Rc::new(Here { boot: Text::of(boot), place }), held: false }
        };
        for (now, then, answer) in [
            ("a 7.1.3.0", "a 7.1.3.0", Then::Now),
            ("a 7.1.3.0+", "a 7.1.3.0", Then::Now),
            ("a 7.1.3.0", "a 7.1.3.0+", Then::Now),
            ("a 7.1.3.0", "a 7", Then::Now),
            ("a 7.0.3.0", "a 7.1.3.0", Then::Now),
            ("a 7.1.3.0", "b 7.1.3.0", Then::Over),
            // The number was given again.
            ("a 7.2.3.0", "a 7.1.3.0", Then::Over),
            ("a 7.1.3.5", "a 7.1.3.6", Then::Over),
            // Another time namespace, where the start of process 1 cannot be compared either.
            ("a 7.2.4.0", "a 7.1.3.0", Then::Undated),
            // With process 1 all of its namespace has died.
            ("a 8.1.3.0", "a 7.1.3.0+", Then::Over),
            ("a 8.1.3.0", "a 4026531836.1.3.0", Then::Elsewhere),
            // Nobody can say.
            ("- 0.0.0.0", "a 7.1.3.0", Then::Undated),
            ("a 7.1.3.0", "- 0.0.0.0", Then::Undated),
            ("- 7.1.3.0", "- 7.1.3.0", Then::Undated),
            ("a 7.1.3.0", "- 0.0.0.0+", Then::Over),
        ] {
            assert_eq!(space(now).then(format!("run 7 {then}   \n").as_bytes()), answer, "{now}: {then}");
        }
    }

    #[test]
    fn another_namespace_of_which_the_kernel_tells_nothing_lives_where_there_is_a_sign() {
        for (held, answer) in [(false, Then::Over), (true, Then::Elsewhere)] {
            let place = Place { namespace: 8, ..Place::default() };
            let space = PidSpace { here: Rc::new(Here { boot: Text::of("a"), place }), held };
            assert_eq!(space.then(b"run 7 a 7.1.3.0\n"), answer);
        }
    }
}
