//! The requests of clients over the tree's socket.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use common::poll::POLLIN;
use common::supervise::{Object, Part, key, named};
use common::{door, signals, socket, supervise};
use nix::errno::Errno;
use nix::unistd::{UnlinkatFlags, read, unlinkat};

use super::Tree;
use crate::supervise::{NOT_PERMITTED, Now, Rights, Standing};
use crate::svtree::clients::{Client, Doing, Input, LITTLE, List};
use crate::svtree::events::Token;

/// How many clients are let in in a round.
const MOST: usize = 16;
/// How long until clients are let in again for which there was no fd or no memory, in milliseconds.
const AGAIN: u64 = 1000;

impl Tree {
    /// Listens at `socket` in the directory of the tree.
    pub(in crate::svtree) fn listen(&mut self, directory: &OwnedFd) -> nix::Result<()> {
        // It is a dead one's: we hold the lock.
        match unlinkat(directory, supervise::SOCKET, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno),
        }
        let socket = door::listen(directory.as_fd(), supervise::SOCKET, self.access.socket())?;
        self.events.add(socket.as_raw_fd(), Token::Socket)?;
        self.socket = Some(socket);
        Ok(())
    }

    /// Lets clients in.
    pub(super) fn let_in(&mut self) {
        for _ in 0..MOST {
            let Some(socket) = &self.socket else { return };
            match socket::accept(socket.as_fd()) {
                Ok(client) => match self.access.rights(client.as_fd()) {
                    Some(rights) => {
                        if !self.clients.has_place(rights) {
                            self.make_room();
                        }
                        // Without a place or memory for it, the end of its connection says so.
                        let _ = self.clients.add(client, rights, &self.events);
                    }
                    // It is closed in any case.
                    None => drop(socket::send(client.as_fd(), Object::error(NOT_PERMITTED).line())),
                },
                Err(Errno::ECONNABORTED | Errno::EINTR) => {}
                Err(Errno::EAGAIN) if self.crowded.is_some() => return self.crowd(None),
                Err(Errno::EAGAIN) => return,
                // It stays in the queue, which would be reported again and again.
                Err(_) => return self.crowd(Some(Now::read().monotonic + AGAIN)),
            }
        }
    }

    /// Lets those clients go that have gone: of that and of those who come after them one may learn in one round, in any
    /// order.
    fn make_room(&mut self) {
        for i in self.clients.places() {
            self.hear(i);
        }
        if let Err(errno) = self.clients.rest(&self.events) {
            self.voice.unable(&[b"wait for a client"], errno);
        }
    }

    /// Waits for no client until then; or again, from now on.
    fn crowd(&mut self, until: Option<u64>) {
        self.crowded = until;
        let Some(socket) = &self.socket else { return };
        let events = if until.is_none() { POLLIN } else { 0 };
        if let Err(errno) = self.events.modify(socket.as_raw_fd(), events, Token::Socket) {
            self.voice.unable(&[b"wait for clients"], errno);
        }
    }

    /// Lets clients in for whom there was no room: after each round, which may have made some.
    pub(super) fn let_in_again(&mut self) {
        if self.crowded.is_some() {
            self.let_in();
        }
    }

    /// Hears a client, and the service that answers it.
    pub(super) fn hear(&mut self, i: usize) {
        self.clients.fill(i);
        if let Some(client) = self.clients.get_mut(i) {
            relay(client);
        }
        self.serve(i);
    }

    /// Answers a client's lines.
    pub(super) fn serve(&mut self, i: usize) {
        loop {
            let Some(client) = self.clients.get_mut(i) else { return };
            match client.line() {
                Input::Nothing => return,
                Input::TooLong => {
                    refuse(client, b"too long");
                    client.end();
                }
                Input::Line(line) => self.answer(i, &line),
            }
        }
    }

    fn answer(&mut self, i: usize, line: &[u8]) {
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect();
        let now = Now::read();
        let Some(client) = self.clients.get_mut(i) else { return };
        let looks = match words[..] {
            // Whether its service may be asked for it is said with the name of that.
            [name, ..] if name.starts_with(b"@") => true,
            [b"status" | b"events" | b"list"] | [b"list", b"log"] => true,
            _ => false,
        };
        if client.rights == Rights::Look && !looks {
            return refuse(client, NOT_PERMITTED);
        }
        match words[..] {
            [b"status"] => {
                // What it counts is what is shown.
                self.show();
                let mut object = self.describe();
                self.send(i, object.line());
            }
            [b"list"] => client.doing = Doing::Lists(List::of(Part::Service)),
            [b"list", b"log"] => client.doing = Doing::Lists(List::of(Part::Log)),
            [b"events"] => {
                client.follows = true;
                client.doing = Doing::Lists(List { events: true, ..List::of(Part::Service) });
                self.listen_to_services();
            }
            [b"rescan"] => {
                self.rescan(now);
                self.look(now);
                let mut object = Object::answer(true);
                object.number(key::SERVICES, u32::try_from(self.slots.count()).ok());
                self.send(i, object.line());
            }
            [b"stop"] => {
                client.doing = Doing::Ends;
                self.stop(signals::TERM, now);
            }
            [b"upgrade"] => client.doing = Doing::Upgrades,
            [name, ..] if name.len() > 1 && name[0] == b'@' => {
                let request = line.trim_ascii_start().get(name.len()..).unwrap_or_default();
                match supervise::addressed(&name[1..]) {
                    Some(name) => self.pass_on(i, &name, request.trim_ascii(), now),
                    None => self.refuse_about(i, &name[1..], supervise::NO_SERVICE.as_bytes()),
                }
            }
            _ => {
                refuse(client, b"unknown command");
                client.end();
            }
        }
    }

    /// Puts a request to a service, which answers it as one of its own clients'.
    fn pass_on(&mut self, i: usize, name: &[u8], request: &[u8], now: Now) {
        self.host_first(|waiting| waiting.name.to_bytes() == name, now);
        let Some(slot) = self.slots.named(name) else {
            return self.refuse_about(i, name, supervise::NO_SERVICE.as_bytes());
        };
        let Some(rights) = self.clients.get_mut(i).map(|client| client.rights) else { return };
        if !rights.allow(request) {
            return self.refuse_about(i, name, NOT_PERMITTED);
        }
        let request = match request {
            // Its answer is one line.
            b"events" | b"log events" => {
                return self.refuse_about(i, name, b"unknown command");
            }
            b"up alone" => {
                self.start_alone(slot, now);
                b"up"
            }
            b"up" | b"restart" => {
                self.start_needs(slot, now);
                request
            }
            request => request,
        };
        let passed = self.connect_to(slot, request, rights, now);
        let Some(client) = self.clients.get_mut(i) else { return };
        match (passed, self.slots.get(slot)) {
            (Ok(ours), Some(hosted)) => {
                let token = Token::Client(u32::try_from(i).unwrap_or(u32::MAX));
                match self.events.add(ours.as_raw_fd(), token) {
                    Ok(()) => client.doing = Doing::Relays(ours, hosted.name.to_bytes(), Vec::new()),
                    Err(errno) => refuse(client, errno.desc().as_bytes()),
                }
            }
            (Err(errno), _) => refuse(client, errno.desc().as_bytes()),
            (Ok(_), None) => refuse(client, supervise::NO_SERVICE.as_bytes()),
        }
    }

    /// Sends why a request to the service of this name was not carried out.
    fn refuse_about(&mut self, i: usize, name: &[u8], why: &[u8]) {
        self.send(i, &named(name, Object::error(why).line()));
    }

    /// A connection to a service, by which it was sent a request.
    fn connect_to(&mut self, slot: usize, request: &[u8], rights: Rights, now: Now) -> nix::Result<OwnedFd> {
        let (ours, its) = socket::pair()?;
        let line = [request, b"\n"].concat();
        if socket::send(ours.as_fd(), &line)? != line.len() {
            return Err(Errno::EAGAIN);
        }
        let hosted = self.slots.get_mut(slot).ok_or(Errno::ENOENT)?;
        let added = hosted.service.add_client(its, rights, now);
        self.touched(slot);
        if added { Ok(ours) } else { Err(Errno::EBUSY) }
    }

    /// Goes on with the lists that are under way, as far as they are taken.
    pub(super) fn go_on_listing(&mut self, now: Now) {
        if self.clients.lists() {
            self.show(); // nobody is to read less than is listed
        }
        for i in self.clients.places() {
            while let Some(client) = self.clients.get_mut(i).filter(|client| client.unsent() < LITTLE) {
                let Doing::Lists(mut list) = client.doing else { break };
                let Some((name, slot)) = self.slots.after(list.last) else {
                    client.doing = Doing::Idle;
                    if !list.events {
                        let mut object = Object::answer(true);
                        client.send(object.number(key::SERVICES, Some(list.count)).line());
                    }
                    self.serve(i);
                    break;
                };
                list.last = Some(name);
                let report = self.slots.get(slot).and_then(|hosted| hosted.service.describe(list.part, now));
                if let Some(report) = report {
                    list.count += 1;
                    client.send(&named(name, report.object().line()));
                }
                client.doing = Doing::Lists(list);
            }
        }
    }

    /// The state of the tree.
    fn describe(&self) -> Object {
        let all = || self.slots.in_order().filter_map(|slot| self.slots.get(slot));
        let ready = all().filter(|hosted| hosted.standing == Standing::Ready).count();
        let failed = all().filter(|hosted| hosted.service.ended().is_some()).count();
        let count = |number: usize| u32::try_from(number).ok();
        let mut object = Object::default();
        object
            .text(key::TREE, self.voice.directory)
            .text(key::STATE, self.course.word())
            .number(key::SERVICES, count(self.slots.count()))
            .number(key::READY, count(ready))
            .number(key::FAILED, count(failed))
            .number(key::SUPERVISOR, Some(std::process::id()));
        object
    }

    fn send(&mut self, i: usize, line: &[u8]) {
        if let Some(client) = self.clients.get_mut(i) {
            client.send(line);
        }
    }

    /// The services give their events from now on, where somebody follows them.
    pub(super) fn listen_to_services(&mut self) {
        let Some(listens) = self.clients.listening() else { return };
        for slot in self.slots.in_order().collect::<Vec<_>>() {
            if let Some(hosted) = self.slots.get_mut(slot) {
                hosted.service.listen(listens);
            }
        }
    }

    /// Sends what has happened to a service to all followers.
    pub(super) fn publish(&mut self, slot: usize) {
        let Some(hosted) = self.slots.get_mut(slot) else { return };
        for (_, event) in hosted.service.take_events() {
            self.clients.publish(&named(hosted.name.to_bytes(), &event));
        }
    }
}

/// Sends why a request was not carried out.
fn refuse(client: &mut Client, why: &[u8]) {
    client.send(Object::error(why).line());
}

/// Sends a client the answer of a service, if it is there.
fn relay(client: &mut Client) {
    let Doing::Relays(from, name, answer) = &mut client.doing else { return };
    let mut buffer = [0; 2048];
    loop {
        match read(&*from, &mut buffer) {
            Ok(0) => {
                let mut object = Object::error(supervise::HAS_LEFT.as_bytes());
                let line = named(name, object.line());
                client.doing = Doing::Idle;
                return client.send(&line);
            }
            Ok(count) => answer.extend(&buffer[..count]),
            Err(Errno::EINTR) => continue,
            Err(_) => return,
        }
        if answer.ends_with(b"\n") {
            let line = named(name, answer);
            client.doing = Doing::Idle;
            return client.send(&line);
        }
    }
}
