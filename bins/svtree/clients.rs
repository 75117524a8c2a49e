//! The clients of the tree's socket: lines in, objects out. None of them is waited for: what a client does not take is
//! kept for it, up to a limit.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use common::poll::{POLLIN, POLLOUT, poll, watch};
use common::socket;
use common::supervise::Part;
use nix::errno::Errno;
use nix::unistd::read;

use super::events::{Events, Token};
use crate::supervise::Rights;

/// How many clients there can be.
pub(super) const CLIENTS: usize = 32;
/// How many of them may be such as may only look.
const READERS: usize = CLIENTS / 2;
/// The longest line: a name of 255 bytes, each escaped, and a request.
const LINE: usize = 1280;
/// How much is kept for a client that follows the events; one that lags further behind is dropped.
const MOST: usize = 1 << 20;
/// With less than this left to send, a list goes on.
pub(super) const LITTLE: usize = 1 << 14;

/// What a client waits for; its next line is read when that is over.
#[derive(Debug)]
pub(super) enum Doing {
    /// Nothing.
    Idle,
    /// The rest of a list.
    Lists(List),
    /// The answer of a service, which comes by a connection of the tree's own.
    Relays(OwnedFd, &'static [u8], Vec<u8>),
    /// The end of the tree.
    Ends,
    /// The upgrade.
    Upgrades,
}

/// A list that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    /// Of which parts.
    pub(super) part: Part,
    /// The name of the service that was listed last.
    pub(super) last: Option<&'static [u8]>,
    /// How many were listed.
    pub(super) count: u32,
    /// Whether events follow, and so no word about its end.
    pub(super) events: bool,
}

impl List {
    /// A list that begins.
    pub(super) fn of(part: Part) -> Self {
        Self { part, last: None, count: 0, events: false }
    }
}

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    fd: OwnedFd,
    /// What it may do.
    pub(super) rights: Rights,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Its request that is under way.
    pub(super) doing: Doing,
    /// It gets all events.
    pub(super) follows: bool,
    /// It will send no more.
    ended: bool,
    end: End,
    /// The events of its fd that are waited for.
    waits: i16,
}

/// How far a client is gone.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// It is there.
    Here,
    /// It has closed its connection: nobody takes its answers. What it has sent is carried out still.
    Deaf,
    /// It is broken, or too slow.
    Gone,
}

/// A line of a client.
#[derive(Debug, PartialEq)]
pub(super) enum Input {
    /// A line, without its newline.
    Line(Vec<u8>),
    /// There is none yet, or the one before is still under way.
    Nothing,
    /// It was too long.
    TooLong,
}

impl Client {
    fn new(fd: OwnedFd, rights: Rights) -> Self {
        let (input, output, doing) = (Vec::new(), Vec::new(), Doing::Idle);
        Self { fd, rights, input, output, doing, follows: false, ended: false, end: End::Here, waits: POLLIN }
    }

    /// Reads what it has sent.
    fn fill(&mut self) {
        // epoll(7) reports this whatever is waited for, again and again.
        let mut hung_up = [watch(self.fd.as_raw_fd(), 0)];
        if self.end == End::Here && (poll(&mut hung_up, Some(0)).is_err() || hung_up[0].revents != 0) {
            self.end = End::Deaf;
        }
        let mut buffer = [0; LINE];
        let room = LINE - self.input.len();
        if room == 0 || self.ended {
            return;
        }
        match read(&self.fd, &mut buffer[..room]) {
            Ok(0) => self.ended = true,
            Ok(count) => self.input.extend(&buffer[..count]),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            // ECONNRESET, where it has gone before it has read all its answers: what it has sent is carried out still.
            Err(_) => (self.ended, self.end) = (true, End::Deaf),
        }
    }

    /// Its next line, once the one before is answered.
    pub(super) fn line(&mut self) -> Input {
        // An upgrade is carried out; for an answer alone nobody waits.
        if self.end != End::Here && !matches!(self.doing, Doing::Upgrades) {
            (self.doing, self.follows, self.output) = (Doing::Idle, false, Vec::new());
        }
        if !matches!(self.doing, Doing::Idle) {
            return Input::Nothing;
        }
        match self.input.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let mut line: Vec<u8> = self.input.drain(..=end).collect();
                line.pop();
                Input::Line(line)
            }
            None if self.input.len() == LINE => Input::TooLong,
            None => Input::Nothing,
        }
    }

    /// Sends bytes, or keeps them for it.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.output.extend(bytes);
        if self.output.len() > MOST {
            self.end = End::Gone;
        }
    }

    /// How much it has not taken yet.
    pub(super) fn unsent(&self) -> usize {
        self.output.len()
    }

    /// It is to be closed once it has taken what was sent.
    pub(super) fn end(&mut self) {
        (self.doing, self.follows, self.ended) = (Doing::Idle, false, true);
        self.input.clear();
    }

    fn flush(&mut self) {
        while !self.output.is_empty() {
            match socket::send(self.fd.as_fd(), &self.output) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(Errno::EAGAIN) => return,
                Err(Errno::EINTR) => {}
                Err(_) => {
                    self.end = if self.end == End::Gone { End::Gone } else { End::Deaf };
                    break;
                }
            }
        }
        self.output = Vec::new(); // a list of thousands is not kept
    }

    fn is_over(&self) -> bool {
        let idle = matches!(self.doing, Doing::Idle) && !self.input.contains(&b'\n');
        self.end == End::Gone || self.ended && idle && !self.follows && self.output.is_empty()
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Clients {
    all: [Option<Box<Client>>; CLIENTS],
    /// The services give their events.
    listen: bool,
}

impl Clients {
    /// Whether there is a place for a client of these rights.
    pub(super) fn has_place(&self, rights: Rights) -> bool {
        let readers = self.all.iter().flatten().filter(|client| client.rights == Rights::Look).count();
        (rights == Rights::Control || readers < READERS) && self.all.iter().any(Option::is_none)
    }

    /// Adds a client. False where there is no place.
    pub(super) fn add(&mut self, fd: OwnedFd, rights: Rights, events: &Events) -> nix::Result<bool> {
        if !self.has_place(rights) {
            return Ok(false);
        }
        let Some(i) = self.all.iter().position(Option::is_none) else { return Ok(false) };
        events.add(fd.as_raw_fd(), token(i))?;
        self.all[i] = Some(Box::new(Client::new(fd, rights)));
        Ok(true)
    }

    /// The client in a place.
    pub(super) fn get_mut(&mut self, i: usize) -> Option<&mut Client> {
        self.all.get_mut(i)?.as_deref_mut()
    }

    /// The places that are taken.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> + use<> {
        let taken = std::array::from_fn::<bool, CLIENTS, _>(|i| self.all[i].is_some());
        (0..CLIENTS).filter(move |i| taken[*i])
    }

    /// Whether a list that is under way can go on at once.
    pub(super) fn lists(&self) -> bool {
        let goes_on = |client: &Client| {
            matches!(client.doing, Doing::Lists(_)) && client.unsent() < LITTLE && client.end == End::Here
        };
        self.all.iter().flatten().any(|client| goes_on(client))
    }

    /// Reads what the client in a place has sent.
    pub(super) fn fill(&mut self, i: usize) {
        if let Some(client) = self.get_mut(i) {
            client.fill();
        }
    }

    /// Whether anybody follows the events.
    pub(super) fn has_followers(&self) -> bool {
        self.all.iter().flatten().any(|client| client.follows)
    }

    /// Whether the services are to give their events from now on, where that is new.
    pub(super) fn listening(&mut self) -> Option<bool> {
        let listen = self.has_followers();
        (std::mem::replace(&mut self.listen, listen) != listen).then_some(listen)
    }

    /// Sends an event to all followers.
    pub(super) fn publish(&mut self, line: &[u8]) {
        self.all.iter_mut().flatten().filter(|client| client.follows).for_each(|client| client.send(line));
    }

    /// Sends what is left to send, and waits from now on for what each of them waits for.
    pub(super) fn rest(&mut self, events: &Events) -> nix::Result<()> {
        for (i, place) in self.all.iter_mut().enumerate() {
            let Some(client) = place else { continue };
            client.flush();
            if client.is_over() {
                *place = None;
                continue;
            }
            let reads = !client.ended && client.input.len() < LINE;
            // A list goes on once the client has taken what there was.
            let writes = !client.output.is_empty() || matches!(client.doing, Doing::Lists(..));
            let waits = if reads { POLLIN } else { 0 } | if writes { POLLOUT } else { 0 };
            if std::mem::replace(&mut client.waits, waits) != waits {
                events.modify(client.fd.as_raw_fd(), waits, token(i))?;
            }
        }
        Ok(())
    }
}

fn token(i: usize) -> Token {
    Token::Client(u32::try_from(i).unwrap_or(u32::MAX))
}
