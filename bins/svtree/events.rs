//! What the loop waits for: every file has a token that says whose it is.

use std::os::fd::RawFd;

use common::epoll::Epoll;
use common::poll::{POLLIN, pollfd};

/// Whose an event is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token {
    /// A signal has arrived.
    Signals,
    /// The scan directory, or one in it that is not whole yet, has changed.
    Scan,
    /// A client asks to be let in at the socket of the tree.
    Socket,
    /// The client of the tree in this place.
    Client(u32),
    /// The service in this slot, and its number: a slot is used again.
    Service(u32, u32),
}

impl Token {
    fn pack(self) -> u64 {
        let (kind, number, serial) = match self {
            Self::Signals => (1, 0, 0),
            Self::Scan => (2, 0, 0),
            Self::Socket => (3, 0, 0),
            Self::Client(client) => (4, client, 0),
            Self::Service(slot, serial) => (5, slot, serial),
        };
        // A slot has 24 bits: there cannot be so many fds.
        kind << 56 | u64::from(number & SLOTS) << 32 | u64::from(serial)
    }

    fn unpack(data: u64) -> Self {
        let low = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(0);
        let number = low(data >> 32) & SLOTS;
        match data >> 56 {
            1 => Self::Signals,
            2 => Self::Scan,
            3 => Self::Socket,
            4 => Self::Client(number),
            _ => Self::Service(number, low(data)),
        }
    }
}

const SLOTS: u32 = (1 << 24) - 1;

/// What is waited for of a service: of its places most are empty.
#[derive(Debug, Default)]
pub(super) struct Watched(Vec<Place>);

/// A place that has a file.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    fd: RawFd,
    events: i16,
    at: u8,
}

/// Those of these places that have a file.
fn places(all: &[pollfd]) -> impl Iterator<Item = Place> + Clone + '_ {
    let place = |(at, place): (u8, &pollfd)| Place { fd: place.fd, events: place.events, at };
    (0..).zip(all).map(place).filter(|place| place.fd >= 0)
}

impl Watched {
    fn become_these(&mut self, new: &[pollfd]) {
        self.0.clear();
        self.0.reserve_exact(places(new).count());
        self.0.extend(places(new));
    }
}

/// The files that are waited for.
#[derive(Debug)]
pub(super) struct Events(Epoll);

impl Events {
    /// Waits for nothing yet.
    pub(super) fn new() -> nix::Result<Self> {
        Epoll::new().map(Self)
    }

    /// Waits for what there is to read of `fd`, too.
    pub(super) fn add(&self, fd: RawFd, token: Token) -> nix::Result<()> {
        self.0.add(fd, POLLIN, token.pack())
    }

    /// Does not wait for `fd` any more.
    pub(super) fn delete(&self, fd: RawFd) -> nix::Result<()> {
        self.0.delete(fd)
    }

    /// Waits for these events of `fd` instead.
    pub(super) fn modify(&self, fd: RawFd, events: i16, token: Token) -> nix::Result<()> {
        self.0.modify(fd, events, token.pack())
    }

    /// Waits for the places of `new` instead of what is `watched`, which is these from then on, also where the kernel
    /// has refused one. A bit of `renewed`: this place has another file, though its number may be the same.
    pub(super) fn update(
        &self,
        watched: &mut Watched,
        new: &[pollfd],
        renewed: u32,
        token: Token,
    ) -> nix::Result<()> {
        let done = self.exchange(watched, new, renewed, token);
        watched.become_these(new);
        done
    }

    fn exchange(&self, old: &Watched, new: &[pollfd], renewed: u32, token: Token) -> nix::Result<()> {
        let stays = |old: &Place| old.fd == new[usize::from(old.at)].fd && renewed >> old.at & 1 == 0;
        // All that leave before any that come, which may have got their numbers.
        for old in old.0.iter().filter(|old| !stays(old)) {
            self.0.delete(old.fd)?;
        }
        for new in places(new) {
            match old.0.iter().find(|old| old.at == new.at && stays(old)) {
                Some(old) if *old == new => {}
                Some(_) => self.0.modify(new.fd, new.events, token.pack())?,
                None => self.0.add(new.fd, new.events, token.pack())?,
            }
        }
        Ok(())
    }

    /// Waits, at most for `timeout` milliseconds, and gives the tokens of what is ready.
    pub(super) fn wait(&self, timeout: Option<u64>, mut give: impl FnMut(Token)) -> nix::Result<()> {
        self.0.wait(timeout, |data| give(Token::unpack(data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::poll::watch;
    use std::os::fd::{AsFd, AsRawFd, OwnedFd};

    /// A pipe with something to read, whose end has a number that other tests' files do not get.
    fn pipe() -> (OwnedFd, OwnedFd) {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        nix::unistd::write(&writer, b"x").unwrap();
        (common::fds::copy_from(reader.as_fd(), 777).unwrap(), writer)
    }

    fn ready(events: &Events) -> Vec<Token> {
        let mut ready = Vec::new();
        events.wait(Some(0), |token| ready.push(token)).unwrap();
        ready
    }

    /// Waits until nothing is ready: a child that another test has just forked may still have a copy of what was closed.
    fn until_none(events: &Events) {
        while !ready(events).is_empty() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_token_comes_back_as_it_was() {
        for token in [
            Token::Signals,
            Token::Scan,
            Token::Socket,
            Token::Client(9),
            Token::Service(0, 0),
            Token::Service(SLOTS, u32::MAX),
        ] {
            assert_eq!(Token::unpack(token.pack()), token);
        }
    }

    #[test]
    fn a_file_that_got_the_number_of_one_just_closed_is_waited_for() {
        let events = Events::new().unwrap();
        let token = Token::Service(3, 4);
        let none = [watch(-1, 0); 3];
        let (reader, writer) = pipe();
        let at = reader.as_raw_fd();
        let first = [watch(at, POLLIN), watch(-1, 0), watch(-1, 0)];
        let mut watched = Watched::default();
        events.update(&mut watched, &first, 0, token).unwrap();
        assert_eq!(ready(&events), [token]);
        drop((reader, writer));
        until_none(&events);
        // In the same place; then in another one.
        let (reader, writer) = pipe();
        assert_eq!(reader.as_raw_fd(), at);
        events.update(&mut watched, &first, 1, token).unwrap();
        assert_eq!(ready(&events), [token]);
        drop((reader, writer));
        let (reader, _writer) = pipe();
        assert_eq!(reader.as_raw_fd(), at);
        let moved = [watch(-1, 0), watch(-1, 0), watch(at, POLLIN)];
        events.update(&mut watched, &moved, 0, token).unwrap();
        assert_eq!(ready(&events), [token]);
        // Without events none are reported.
        let idle = [watch(-1, 0), watch(-1, 0), watch(at, 0)];
        events.update(&mut watched, &idle, 0, token).unwrap();
        assert_eq!(ready(&events), []);
        events.update(&mut watched, &none, 0, token).unwrap();
        assert_eq!(ready(&events), []);
    }
}
