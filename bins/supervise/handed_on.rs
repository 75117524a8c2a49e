//! What the program before us has handed on of any number of services.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use common::door::{self, Owner};
use common::{fds, supervise};
use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::now::Now;
use super::pid_space::PidSpace;
use super::supervised::Places;
use super::{notify, pipe, record};

/// The notification sockets and the FIFOs of services, to be held until all of these have been opened again: no FIFO
/// lacks a reader meanwhile, and nobody else gets the name of a socket, or what was sent to it.
#[derive(Debug, Default)]
pub(crate) struct HandedOn {
    /// With the random part of the name.
    sockets: Vec<(u64, OwnedFd)>,
    fifos: Vec<OwnedFd>,
}

impl HandedOn {
    /// Takes all that is there. Before anything else is opened.
    pub(crate) fn take() -> nix::Result<Self> {
        let number = |fd: &OwnedFd| notify::number_of(fd.as_raw_fd());
        let (mut sockets, mut fifos) = (Vec::new(), Vec::new());
        for fd in fds::all_handed_on(|fd| pipe::is_ours(fd) || notify::number_of(fd).is_some())? {
            match number(&fd) {
                Some(number) => sockets.push((number, fd)),
                None => fifos.push(fd),
            }
        }
        Ok(Self { sockets, fifos })
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &OwnedFd> + Clone {
        self.sockets.iter().map(|(_, socket)| socket).chain(&self.fifos)
    }

    /// The notification socket of the service in `places`, if its record names one of these.
    pub(crate) fn socket_of(&mut self, places: &Places, space: &PidSpace, now: Now) -> Option<OwnedFd> {
        if self.sockets.is_empty() {
            return None;
        }
        // Where there is no record of ours, nothing is adopted either: run starts with a new one.
        let parent = places.state.as_ref().unwrap_or(&places.service);
        let directory = fds::open_directory(parent.as_fd(), supervise::DIRECTORY).ok()?;
        let file = door::file(directory.as_fd(), c"record", OFlag::O_RDONLY, Owner::Us).ok()?;
        let (snapshot, _) = record::read(file.as_fd(), space, now.monotonic).ok()?;
        let name = snapshot?.notify;
        let at = self.sockets.iter().position(|(number, _)| *number == name)?;
        Some(self.sockets.swap_remove(at).1)
    }
}

/// Whether a former supervisor may have left something of the service whose state directory lies in `parent`: it runs,
/// or something is to be done for it still. A service that has ended in order has an empty record.
pub(crate) fn has_left(parent: BorrowedFd) -> bool {
    let record = || {
        let directory = fds::open_directory(parent, supervise::DIRECTORY)?;
        let mut text = [0; record::SIZE];
        let text = door::read_file(directory.as_fd(), c"record", Owner::Any, &mut text)?;
        Ok(!text[..text.len().min(record::HOME)].trim_ascii().is_empty())
    };
    !matches!(record(), Ok(false) | Err(Errno::ENOENT))
}

/// Whether a process lives that a former supervisor has left, of the service whose state directory lies in `parent` or of
/// its logger; also where nobody can say.
pub(crate) fn may_live(parent: BorrowedFd, space: &PidSpace) -> bool {
    let (supervisor, now) = (std::process::id(), Now::read());
    let lives = |parent: BorrowedFd| record::lives_below(parent, space, supervisor, now.monotonic);
    let log = fds::open_directory(parent, c"log").and_then(|log| lives(log.as_fd()));
    [lives(parent), log].iter().any(|lives| !matches!(lives, Ok(false) | Err(Errno::ENOENT | Errno::ENOTDIR)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::machine::{Asked, Machine, Want};
    use super::super::record::Snapshot;
    use super::*;
    use common::socket;

    #[test]
    fn a_service_gets_the_socket_that_its_record_names_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let (now, space) = (Now::read(), PidSpace::now().unwrap());
        fs::create_dir(directory.path().join("supervise")).unwrap();
        let file = fs::File::create_new(directory.path().join("supervise/record")).unwrap();
        record::clear(file.as_fd()).unwrap();
        let (machine, asked, wall) = (Machine::new(Want::Up), Asked::default(), now.wall);
        let snapshot =
            Snapshot { machine, asked, serial: 1, wall, died: 0, dead: 0, notify: 9, ready: false };
        record::write(file.as_fd(), &snapshot, &space).unwrap();

        let unique = std::process::id();
        let socket = |number: u64| {
            let name = format!("\0catena-test-{unique}-{number}");
            (number, socket::datagrams(name.as_bytes()).unwrap())
        };
        let mut handed = HandedOn { sockets: vec![socket(7), socket(9), socket(11)], fifos: Vec::new() };
        let expected = handed.sockets[1].1.as_raw_fd();
        let service = || fs::File::open(directory.path()).unwrap().into();
        let places = || Places { service: service(), state: None };
        let its = handed.socket_of(&places(), &space, now).unwrap();
        assert_eq!(its.as_raw_fd(), expected);
        assert!(handed.socket_of(&places(), &space, now).is_none());
        assert_eq!(handed.iter().count(), 2);
        // One that cannot be adopted gets none.
        fs::remove_file(directory.path().join("supervise/record")).unwrap();
        assert!(handed.socket_of(&places(), &space, now).is_none());
    }
}
