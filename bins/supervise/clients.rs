//! The clients of the socket: lines in, JSON objects out, without waiting for any of them.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use common::{Text, fds, poll, socket};
use nix::unistd::read;

use common::supervise::{GAVE_UP, Object, key};

use super::access::Rights;
use super::fresh::Fresh;
use super::machine::{Event, Machine, Phase, Unreloaded};
use super::now::Now;
use super::order::{Ask, Late};
use super::report::{self, View};
use common::supervise::Part;

/// How many clients there can be.
pub(super) const CLIENTS: usize = 16;
/// How many of them may be such as may only look.
const READERS: usize = CLIENTS / 2;
/// The longest line, with its newline.
pub(super) const LINE: usize = 256;

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Condition {
    /// That run runs, or that setup has done its work where there is no run.
    Up,
    /// That nothing runs, and nothing is due.
    Down,
    /// That neither run nor finish nor setup runs, and that nothing is to be undone.
    Finished,
    /// That the service has announced that it is ready; that it runs, if it cannot announce it.
    Ready,
    /// That a start which is under way is over, and the control script of this letter.
    Settled(Option<u8>),
    /// That this many reloads are over.
    Reloaded(u64),
}

impl Condition {
    /// Whether it holds.
    pub(super) fn holds(self, view: &View) -> bool {
        let machine = view.machine;
        match self {
            Self::Up => machine.phase == Phase::Run || machine.is_done(),
            Self::Down => machine.phase == Phase::Down,
            Self::Finished => {
                !matches!(machine.phase, Phase::Run | Phase::Finish | Phase::Setup | Phase::Done)
            }
            Self::Ready => Self::Up.holds(view) && view.ready != Some(false),
            Self::Settled(letter) => {
                !machine.preparing() && !letter.is_some_and(|letter| machine.asks(letter))
            }
            Self::Reloaded(count) => machine.reload.done >= count,
        }
    }
}

/// What a client does. Unless it is idle, what else it sends has to wait.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Doing {
    /// Nothing: its next line is read.
    Idle,
    /// It waits for a condition of a part, until a time.
    Waits(Part, Condition, Option<u64>),
    /// The condition holds, or never will because the part was given up: the answer follows once the state is
    /// written.
    Reached(Part, Reached),
    /// It follows the events of a part.
    Follows(Part),
    /// It has asked for the upgrade.
    Upgrades,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Reached {
    Holds,
    GaveUp,
    /// It has failed.
    Unreloaded(Unreloaded),
}

#[derive(Debug)]
struct Client {
    fd: Fresh,
    rights: Rights,
    filled: usize,
    doing: Doing,
    /// When it was last heard from: monotonic, ms.
    last: u64,
    /// It has asked for the exit, whose sign is the end of its connection.
    ends_with_us: bool,
    /// It will send no more.
    ended: bool,
    /// How much of what it has sent was overtaken by a stop that others asked for, for each part.
    late: [Late; 2],
}

/// The place of a client, with what it has sent.
#[derive(Debug)]
struct Slot {
    client: Option<Client>,
    buffer: [u8; LINE],
}

/// The clients.
#[derive(Debug, Default)]
pub(super) struct Clients {
    /// Up to [`CLIENTS`], each made for its first client and kept for the next: so memory stays bounded.
    #[allow(clippy::vec_box, reason = "a vector of slots would have room for four at the first")]
    slots: Vec<Box<Slot>>,
    /// What the followers of either part get, kept for the holder while it listens.
    heard: Option<Vec<(Part, Line)>>,
}

/// An object with its newline.
pub(crate) type Line = Box<[u8]>;

/// A line of a client.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nothing is allocated for a line")]
pub(super) enum Input {
    /// A line, without its newline; the stops of the service and of the logger that have overtaken it.
    Line(Text<LINE>, [Option<Ask>; 2]),
    /// There is none yet.
    Nothing,
    /// It was too long.
    TooLong,
}

impl Clients {
    /// Adds a client. If there are too many, it replaces the one that has been idle longest; if all of them
    /// wait for something, it is refused. Those who may only look get half of the places, and replace none that may
    /// control.
    pub(super) fn add(&mut self, fd: OwnedFd, rights: Rights, now: Now) -> Option<usize> {
        let controls = rights == Rights::Control;
        let room = controls || self.all().filter(|client| client.rights == rights).count() < READERS;
        let idle = |i: usize| match self.client(i) {
            None => room.then_some(0),
            Some(client) if client.doing == Doing::Idle && !client.ends_with_us => {
                (controls || client.rights == rights).then_some(client.last + 1)
            }
            Some(_) => None,
        };
        let (_, i) = (0..CLIENTS).filter_map(|i| Some((idle(i)?, i))).min()?;
        if i == self.slots.len() {
            self.slots.push(Box::new(Slot { client: None, buffer: [0; LINE] }));
        }
        self.slots[i].client = Some(Client {
            fd: fd.into(),
            rights,
            filled: 0,
            doing: Doing::Idle,
            last: now.monotonic,
            ends_with_us: false,
            ended: false,
            late: [Late::default(); 2],
        });
        Some(i)
    }

    fn client(&self, i: usize) -> Option<&Client> {
        self.slots.get(i)?.client.as_ref()
    }

    fn client_mut(&mut self, i: usize) -> Option<&mut Client> {
        self.slots.get_mut(i)?.client.as_mut()
    }

    /// Whether there are none.
    pub(super) fn are_none(&self) -> bool {
        self.all().next().is_none()
    }

    fn all(&self) -> impl Iterator<Item = &Client> {
        (0..CLIENTS).filter_map(|i| self.client(i))
    }

    /// The fd of a client and the events to wait for; below 0 where there is none.
    pub(super) fn watched(&self, i: usize) -> (RawFd, i16) {
        match self.client(i) {
            // Without room, no more is read; POLLIN would report it again and again.
            Some(client) if client.ended || client.filled == LINE => (client.fd.as_raw_fd(), 0),
            Some(client) => (client.fd.as_raw_fd(), poll::POLLIN),
            None => (-1, 0),
        }
    }

    /// Whether a client may ask for this.
    pub(super) fn may_ask(&self, i: usize, request: &[u8]) -> bool {
        self.client(i).is_some_and(|client| client.rights.allow(request))
    }

    /// Whether nobody has asked this of a client before.
    pub(super) fn is_new(&mut self, i: usize) -> bool {
        self.client_mut(i).is_some_and(|client| client.fd.take_new())
    }

    /// Closes the connection of a client.
    pub(super) fn drop(&mut self, i: usize) {
        if let Some(slot) = self.slots.get_mut(i) {
            slot.client = None;
        }
    }

    /// All of them.
    pub(super) fn drop_all(&mut self) {
        (0..CLIENTS).for_each(|i| self.drop(i));
    }

    /// Reads what a client has sent. Whether that was as much as there was room for.
    pub(super) fn fill(&mut self, i: usize, now: Now) -> bool {
        let Some(Slot { client: Some(client), buffer }) = self.slots.get_mut(i).map(Box::as_mut) else {
            return false;
        };
        client.last = now.monotonic;
        if client.filled == buffer.len() {
            return false;
        }
        match read(&client.fd, &mut buffer[client.filled..]) {
            Ok(0) => client.ended = true,
            Ok(count) => client.filled += count,
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => {}
            Err(_) => self.drop(i),
        }
        self.client(i).is_some_and(|client| client.filled == LINE)
    }

    /// A stop of `part` overtakes what a client has sent and nobody has answered yet.
    pub(super) fn overtake(&mut self, i: usize, part: Part, stop: Ask) {
        let Some(client) = self.client_mut(i) else { return };
        let unread = fds::unread(client.fd.as_fd()).unwrap_or(0); // a socket can always be asked
        client.late[part as usize].overtaken(stop, client.filled + unread);
    }

    /// The next line of a client that is not waiting for the answer to the one before. One that has ended,
    /// and whose lines are all answered, is closed.
    pub(super) fn line(&mut self, i: usize) -> Input {
        let Some(Slot { client: Some(client), buffer }) = self.slots.get_mut(i).map(Box::as_mut) else {
            return Input::Nothing;
        };
        if client.doing != Doing::Idle {
            return Input::Nothing;
        }
        let filled = &buffer[..client.filled];
        match filled.iter().position(|b| *b == b'\n') {
            Some(end) => {
                let line = Text::of(&filled[..end]);
                buffer.copy_within(end + 1..client.filled, 0);
                client.filled -= end + 1;
                Input::Line(line, client.late.each_mut().map(|late| late.take(end + 1)))
            }
            None if client.filled == LINE => Input::TooLong,
            None => {
                if client.ended {
                    self.drop(i);
                }
                Input::Nothing
            }
        }
    }

    /// Sends a line; a client that does not take it at once is too slow, and dropped.
    pub(super) fn send(&mut self, i: usize, line: &[u8]) {
        let Some(client) = self.client(i) else { return };
        if socket::send(client.fd.as_fd(), line) != Ok(line.len()) {
            self.drop(i);
        }
    }

    /// Sends why a command was not carried out.
    pub(super) fn refuse(&mut self, i: usize, why: &[u8]) {
        self.send(i, Object::error(why).line());
    }

    /// Lets a client wait, at most this many milliseconds, unless what it waits for holds already.
    pub(super) fn wait(
        &mut self,
        i: usize,
        condition: Condition,
        milliseconds: Option<u64>,
        view: &View,
        now: Now,
    ) {
        let until = milliseconds.map(|milliseconds| now.monotonic.saturating_add(milliseconds));
        if let Some(client) = self.client_mut(i) {
            client.doing = Doing::Waits(view.part, condition, until);
        }
        self.changed(view);
    }

    /// A client's connection is to end with the supervisor, and not before.
    pub(super) fn keep(&mut self, i: usize) {
        if let Some(client) = self.client_mut(i) {
            client.ends_with_us = true;
        }
    }

    /// A client has asked for the upgrade.
    pub(super) fn upgrade(&mut self, i: usize) {
        if let Some(client) = self.client_mut(i) {
            client.doing = Doing::Upgrades;
        }
    }

    /// A client that has asked for it.
    pub(super) fn upgrading(&self) -> Option<usize> {
        (0..CLIENTS).find(|i| self.client(*i).is_some_and(|client| client.doing == Doing::Upgrades))
    }

    /// Sends why there is no upgrade.
    pub(super) fn refuse_upgrade(&mut self, i: usize, why: &[u8]) {
        if let Some(client) = self.client_mut(i) {
            client.doing = Doing::Idle;
        }
        self.refuse(i, why);
    }

    /// Lets a client follow the events of what `view` shows.
    #[inline(never)]
    pub(super) fn follow(&mut self, i: usize, view: &View, now: Now) {
        self.show(i, view, now);
        if let Some(client) = self.client_mut(i) {
            client.doing = Doing::Follows(view.part);
        }
    }

    /// Sends a client the state.
    #[inline(never)]
    pub(super) fn show(&mut self, i: usize, view: &View, now: Now) {
        self.send(i, report::status(view, now).object().line());
    }

    /// Whether the holder listens to what followers get.
    pub(super) fn listen(&mut self, listens: bool) {
        match (listens, &self.heard) {
            (true, None) => self.heard = Some(Vec::new()),
            (true, Some(_)) => {}
            (false, _) => self.heard = None,
        }
    }

    /// What was heard since this was asked last.
    pub(super) fn take_heard(&mut self) -> Vec<(Part, Line)> {
        self.heard.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn is_followed(&self, part: Part) -> bool {
        self.heard.is_some() || self.all().any(|client| client.doing == Doing::Follows(part))
    }

    /// Sends the object that `object` makes to the followers of a part, if there are any.
    fn publish(&mut self, part: Part, object: impl FnOnce() -> Object) {
        if self.is_followed(part) {
            self.send_followers(part, object().line());
        }
    }

    fn send_followers(&mut self, part: Part, line: &[u8]) {
        for i in 0..CLIENTS {
            if self.client(i).is_some_and(|client| client.doing == Doing::Follows(part)) {
                self.send(i, line);
            }
        }
        if let Some(heard) = &mut self.heard {
            heard.push((part, line.into()));
        }
    }

    /// Publishes what `event` has changed of a process that was `before`, and notes which clients have waited for that.
    pub(super) fn state_changed(&mut self, view: &View, before: &Machine, event: Event, now: Now) {
        self.changed(view);
        if self.is_followed(view.part) {
            report::changes(view, before, event, now, |mut object| {
                self.send_followers(view.part, object.line());
            });
        }
    }

    /// Publishes that its readiness has changed, and notes which clients have waited for that.
    #[inline(never)]
    pub(super) fn readiness_changed(&mut self, view: &View, now: Now) {
        self.changed(view);
        self.publish(view.part, || report::readiness(view, now));
    }

    /// Publishes that the names of what its start waits for have changed.
    #[inline(never)]
    pub(super) fn needs_changed(&mut self, view: &View, now: Now) {
        self.publish(view.part, || report::hold(view, now));
    }

    /// Publishes what it says of itself.
    #[inline(never)]
    pub(super) fn words_changed(&mut self, view: &View, now: Now) {
        self.publish(view.part, || report::announcement(view, now));
    }

    /// Notes which clients have waited for what `view` shows. They are answered once the state is written.
    fn changed(&mut self, view: &View) {
        for i in 0..CLIENTS {
            let Some(client) = self.client_mut(i) else { continue };
            let Doing::Waits(part, condition, _) = client.doing else { continue };
            if part != view.part {
                continue;
            }
            let up = matches!(condition, Condition::Up | Condition::Ready);
            if up && view.machine.hold.gave_up() {
                client.doing = Doing::Reached(part, Reached::GaveUp);
            } else if condition.holds(view) {
                let failure =
                    view.machine.reload.failure.filter(|_| matches!(condition, Condition::Reloaded(_)));
                let reached = failure.map_or(Reached::Holds, Reached::Unreloaded);
                client.doing = Doing::Reached(part, reached);
            }
        }
    }

    /// Answers those who have waited long enough for this part. Whether there were any.
    #[inline(never)] // its buffers would be part of the frame that waits
    pub(super) fn answer(&mut self, view: &View, now: Now) -> bool {
        let mut any = false;
        for i in 0..CLIENTS {
            let Some(client) = self.client_mut(i) else { continue };
            let Doing::Reached(part, reached) = client.doing else { continue };
            if part != view.part {
                continue;
            }
            client.doing = Doing::Idle;
            any = true;
            match reached {
                Reached::GaveUp => {
                    let mut object = Object::error(GAVE_UP.as_bytes());
                    self.send(i, object.text(key::REASON, view.machine.hold.reason()).line());
                }
                Reached::Unreloaded(why) => self.send(i, report::reload_failure(Some(why)).line()),
                Reached::Holds => self.show(i, view, now),
            }
        }
        any
    }

    /// When the first wait ends.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.all().filter_map(Client::until).min()
    }

    /// Answers those whose time is up.
    #[inline(never)]
    pub(super) fn expire(&mut self, now: Now) {
        for i in 0..CLIENTS {
            let Some(client) = self.client_mut(i) else { continue };
            if client.until().is_some_and(|until| until <= now.monotonic) {
                client.doing = Doing::Idle;
                self.refuse(i, b"timeout");
            }
        }
    }
}

impl Client {
    /// Until when it waits.
    fn until(&self) -> Option<u64> {
        match self.doing {
            Doing::Waits(_, _, until) => until,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use super::super::machine::{Hold, Want};
    use super::*;

    fn at(monotonic: u64) -> Now {
        Now { monotonic, ..Now::default() }
    }

    fn client(clients: &mut Clients, now: u64) -> (Option<usize>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (clients.add(ours.into(), Rights::Control, at(now)), theirs)
    }

    fn received(mut stream: &UnixStream) -> String {
        stream.set_nonblocking(true).unwrap();
        let mut text = String::new();
        // It is not at its end: what has come so far.
        let _ = stream.read_to_string(&mut text);
        text
    }

    fn view(machine: &Machine) -> View<'_> {
        View {
            part: Part::Service,
            machine,
            since: (0, 0),
            died: ((0, 0), 0),
            stopped: false,
            ready: None,
            needs: b"",
            words: b"",
            control: (0, None),
            reset: 0,
            log: false,
            supervisor: 1,
        }
    }

    #[test]
    fn a_wait_ends_with_its_condition_or_its_time_and_no_clock_is_read() {
        let mut clients = Clients::default();
        let down = Machine::new(Want::Down);
        let (first, stream) = client(&mut clients, 0);
        let first = first.unwrap();
        clients.wait(first, Condition::Up, Some(500), &view(&down), at(1000));
        assert_eq!(clients.deadline(), Some(1500));
        clients.expire(at(1499));
        assert_eq!(received(&stream), "");
        clients.expire(at(1500));
        assert_eq!(received(&stream), "{\"ok\":false,\"error\":\"timeout\"}\n");
        assert_eq!(clients.deadline(), None);

        clients.wait(first, Condition::Up, None, &view(&down), at(2000));
        let mut up = down;
        up.phase = Phase::Run;
        clients.state_changed(&view(&up), &down, Event::Started(7), at(2001));
        assert_eq!(received(&stream), "", "not before the state is written");
        assert!(clients.answer(&view(&up), at(2001)));
        assert!(received(&stream).starts_with("{\"ok\":true,\"state\":\"run\""));
        assert!(!clients.answer(&view(&up), at(2001)));
    }

    #[test]
    fn a_wait_for_what_was_given_up_is_refused() {
        let mut clients = Clients::default();
        let (first, stream) = client(&mut clients, 0);
        let mut machine = Machine::new(Want::Down);
        machine.hold = Hold::GaveUp;
        clients.wait(first.unwrap(), Condition::Ready, None, &view(&machine), at(0));
        clients.answer(&view(&machine), at(0));
        assert_eq!(received(&stream), "{\"ok\":false,\"error\":\"gave up\",\"reason\":\"restart-max\"}\n");
    }

    #[test]
    fn who_listens_gets_the_lines_of_a_follower_and_nothing_is_kept_for_nobody() {
        let mut clients = Clients::default();
        let (first, stream) = client(&mut clients, 0);
        let down = Machine::new(Want::Down);
        clients.follow(first.unwrap(), &view(&down), at(0));
        received(&stream);
        let mut up = down;
        (up.phase, up.want) = (Phase::Run, Want::Up);
        for listens in [false, true, true, false] {
            clients.listen(listens);
            clients.state_changed(&view(&up), &down, Event::Started(7), at(2001));
            let ready = View { ready: Some(true), ..view(&up) };
            clients.readiness_changed(&ready, at(2002));
            let lines = received(&stream);
            assert_eq!(lines.lines().count(), 3, "{lines}");
            let heard = clients.take_heard();
            assert!(heard.iter().all(|(part, _)| *part == Part::Service));
            let heard: Vec<u8> = heard.into_iter().flat_map(|(_, line)| line).collect();
            assert_eq!(String::from_utf8(heard).unwrap(), if listens { lines } else { String::new() });
        }
    }

    #[test]
    fn the_longest_idle_client_makes_room_and_none_that_waits() {
        let mut clients = Clients::default();
        let down = Machine::new(Want::Down);
        let streams: Vec<_> = (0..CLIENTS as u64).map(|i| client(&mut clients, 100 - i).1).collect();
        let (last, _new) = client(&mut clients, 200);
        assert_eq!(last, Some(CLIENTS - 1), "heard of last at 85");
        for i in 0..CLIENTS {
            clients.wait(i, Condition::Up, None, &view(&down), at(300));
        }
        assert_eq!(client(&mut clients, 400).0, None);
        drop(streams);
    }

    #[test]
    fn who_may_only_look_leaves_places_to_others_and_takes_none_of_theirs() {
        let mut clients = Clients::default();
        let mut streams = Vec::new();
        let mut add = |clients: &mut Clients, rights, now| {
            let (ours, theirs) = UnixStream::pair().unwrap();
            streams.push(theirs);
            clients.add(ours.into(), rights, at(now))
        };
        assert_eq!(add(&mut clients, Rights::Control, 0), Some(0));
        for i in 1..=READERS {
            assert_eq!(add(&mut clients, Rights::Look, 100), Some(i));
        }
        assert_eq!(add(&mut clients, Rights::Look, 200), Some(1), "the place of another");
        let down = Machine::new(Want::Down);
        for i in 1..=READERS {
            clients.wait(i, Condition::Up, None, &view(&down), at(300));
        }
        assert_eq!(add(&mut clients, Rights::Look, 400), None);
        for i in READERS + 1..CLIENTS {
            assert_eq!(add(&mut clients, Rights::Control, 400), Some(i));
        }
        assert_eq!(add(&mut clients, Rights::Look, 400), None);
        assert_eq!(add(&mut clients, Rights::Control, 400), Some(0));
        assert!(clients.may_ask(1, b"status") && !clients.may_ask(1, b"up") && clients.may_ask(0, b"up"));
    }
}
