//! Who is connected to the socket: lines in, JSON objects out, and nobody is waited for.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use common::supervise::{GAVE_UP, LastDeath, Object, Report, key};
use common::{Text, clock, fds, poll, socket};
use nix::unistd::read;

use super::death;
use super::machine::{Phase, Timer};
use super::order::{Ask, Late};
use super::process::Process;

/// How many clients there can be.
pub(super) const CLIENTS: usize = 16;
/// The longest line, with its newline.
pub(super) const LINE: usize = 256;

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Condition {
    /// That run runs.
    Up,
    /// That nothing runs, and nothing is due.
    Down,
    /// That neither run nor finish runs.
    Finished,
    /// That the service has said that it is ready; that it runs, where it cannot say so.
    Ready,
    /// That a start which is under way is over, and the control script of this letter.
    Settled(Option<u8>),
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    condition: Condition,
    logger: bool,
    until: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Answer {
    logger: bool,
    gave_up: bool,
}

#[derive(Debug)]
struct Client {
    fd: OwnedFd,
    filled: usize,
    wait: Option<Wait>,
    /// What it has waited for has come, or never will.
    answer: Option<Answer>,
    /// It follows the events of the service, or of its logger.
    follows: Option<bool>,
    last: u64,
    /// It has asked for the exit, whose sign is the end of its connection.
    stays: bool,
    /// It will send no more.
    ended: bool,
    /// What it has sent before a stop of the service, or of the logger, that others have asked for.
    late: [Late; 2],
}

/// The place of a client, with what it has sent.
#[derive(Debug)]
struct Slot {
    client: Option<Client>,
    buffer: [u8; LINE],
}

/// Who is connected.
#[derive(Debug, Default)]
pub(super) struct Clients {
    /// Each is made for its first client and kept for the next: memory that is never given back ends there.
    slots: [Option<Box<Slot>>; CLIENTS],
    /// Whether there is a logger.
    pub(super) has_logger: bool,
}

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

impl Client {
    /// It waits for an answer, or follows events: what else it sends has to wait.
    fn busy(&self) -> bool {
        self.wait.is_some() || self.answer.is_some() || self.follows.is_some()
    }
}

impl Clients {
    /// A new client. Where there are too many it takes the place of that which has been idle longest; where
    /// all of them wait for something it is turned away.
    pub(super) fn add(&mut self, fd: OwnedFd) -> Option<usize> {
        let idle = |i: usize| match self.client(i) {
            None => Some(0),
            Some(client) if !client.busy() && !client.stays => Some(client.last + 1),
            Some(_) => None,
        };
        let last = clock::monotonic();
        let (_, i) = (0..CLIENTS).filter_map(|i| Some((idle(i)?, i))).min()?;
        let empty = || Box::new(Slot { client: None, buffer: [0; LINE] });
        self.slots[i].get_or_insert_with(empty).client = Some(Client {
            fd,
            filled: 0,
            wait: None,
            answer: None,
            follows: None,
            last,
            stays: false,
            ended: false,
            late: [Late::default(); 2],
        });
        Some(i)
    }

    fn client(&self, i: usize) -> Option<&Client> {
        self.slots[i].as_ref()?.client.as_ref()
    }

    fn client_mut(&mut self, i: usize) -> Option<&mut Client> {
        self.slots[i].as_mut()?.client.as_mut()
    }

    fn all(&self) -> impl Iterator<Item = &Client> {
        (0..CLIENTS).filter_map(|i| self.client(i))
    }

    /// The fd of a client and the events to wait for; below 0 where there is none.
    pub(super) fn watched(&self, i: usize) -> (RawFd, i16) {
        match self.client(i) {
            // What there is no room for has to wait: else we would be told of it again and again.
            Some(client) if client.ended || client.filled == LINE => (client.fd.as_raw_fd(), 0),
            Some(client) => (client.fd.as_raw_fd(), poll::POLLIN),
            None => (-1, 0),
        }
    }

    /// A client is gone.
    pub(super) fn drop(&mut self, i: usize) {
        if let Some(slot) = &mut self.slots[i] {
            slot.client = None;
        }
    }

    /// All of them.
    pub(super) fn drop_all(&mut self) {
        (0..CLIENTS).for_each(|i| self.drop(i));
    }

    /// Reads what a client has sent. Whether that was as much as there was room for.
    pub(super) fn fill(&mut self, i: usize) -> bool {
        let Some(Slot { client: Some(client), buffer }) = self.slots[i].as_deref_mut() else { return false };
        client.last = clock::monotonic();
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

    /// A stop overtakes what a client has sent and nobody has answered yet.
    pub(super) fn overtake(&mut self, i: usize, logger: bool, stop: Ask) {
        let Some(client) = self.client_mut(i) else { return };
        let unread = fds::unread(client.fd.as_fd()).unwrap_or(0); // a socket can always be asked
        client.late[usize::from(logger)].overtaken(stop, client.filled + unread);
    }

    /// The next line of a client that is not waiting for the answer to the one before. One that has ended,
    /// and whose lines are all answered, is closed.
    pub(super) fn line(&mut self, i: usize) -> Input {
        let Some(Slot { client: Some(client), buffer }) = self.slots[i].as_deref_mut() else {
            return Input::Nothing;
        };
        if client.busy() {
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

    /// Lets a client wait, unless what it waits for holds already.
    pub(super) fn wait(&mut self, i: usize, condition: Condition, seconds: Option<u64>, process: &Process) {
        let until = seconds.map(|milliseconds| clock::monotonic().saturating_add(milliseconds));
        if let Some(client) = self.client_mut(i) {
            client.wait = Some(Wait { condition, logger: process.logger, until });
        }
        self.changed(process);
    }

    /// A client's connection is to end with the supervisor, and not before.
    pub(super) fn keep(&mut self, i: usize) {
        if let Some(client) = self.client_mut(i) {
            client.stays = true;
        }
    }

    /// Lets a client follow the events of `process`.
    pub(super) fn follow(&mut self, i: usize, process: &Process) {
        self.send(i, status(process, self.has_logger).line());
        if let Some(client) = self.client_mut(i) {
            client.follows = Some(process.logger);
        }
    }

    /// Whether anybody follows the events of the service, or of its logger.
    pub(super) fn anybody_listens(&self, logger: bool) -> bool {
        self.all().any(|client| client.follows == Some(logger))
    }

    /// Sends an event to who follows.
    pub(super) fn publish(&mut self, logger: bool, line: &[u8]) {
        for i in 0..CLIENTS {
            if self.client(i).is_some_and(|client| client.follows == Some(logger)) {
                self.send(i, line);
            }
        }
    }

    /// Notes who has waited for what `process` is now. They are answered once its state is written.
    pub(super) fn changed(&mut self, process: &Process) {
        for i in 0..CLIENTS {
            let Some(client) = self.client_mut(i) else { continue };
            let Some(wait) = client.wait.filter(|wait| wait.logger == process.logger) else { continue };
            let up = matches!(wait.condition, Condition::Up | Condition::Ready);
            let gave_up = up && process.machine.hold.gave_up();
            if gave_up || holds(wait.condition, process) {
                client.wait = None;
                client.answer = Some(Answer { logger: process.logger, gave_up });
            }
        }
    }

    /// Answers those who have waited long enough. Whether there were any.
    #[inline(never)] // its buffers would be part of the frame that waits
    pub(super) fn answer(&mut self, process: &Process) -> bool {
        let mut any = false;
        for i in 0..CLIENTS {
            let Some(client) = self.client_mut(i) else { continue };
            let Some(answer) = client.answer.filter(|answer| answer.logger == process.logger) else {
                continue;
            };
            client.answer = None;
            any = true;
            if answer.gave_up {
                let mut object = Object::error(GAVE_UP.as_bytes());
                self.send(i, object.text(key::REASON, process.machine.hold.reason()).line());
            } else {
                self.send(i, status(process, self.has_logger).line());
            }
        }
        any
    }

    /// When the first wait ends.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.all().filter_map(|client| client.wait?.until).min()
    }

    /// Tells those whose time is up.
    #[inline(never)]
    pub(super) fn expire(&mut self, now: u64) {
        for i in 0..CLIENTS {
            let Some(client) = self.client_mut(i) else { continue };
            if client.wait.and_then(|wait| wait.until).is_some_and(|until| until <= now) {
                client.wait = None;
                self.refuse(i, b"timeout");
            }
        }
    }
}

fn holds(condition: Condition, process: &Process) -> bool {
    let phase = process.machine.phase;
    match condition {
        Condition::Up => phase == Phase::Run,
        Condition::Down => phase == Phase::Down,
        Condition::Finished => !matches!(phase, Phase::Run | Phase::Finish),
        Condition::Ready => phase == Phase::Run && (process.notify.ready || !process.notify.told),
        Condition::Settled(letter) => {
            !process.machine.preparing() && !letter.is_some_and(|letter| process.machine.asks(letter))
        }
    }
}

/// The state of a process as one JSON object.
pub(super) fn status(process: &Process, has_logger: bool) -> Object {
    let (machine, now) = (&process.machine, clock::monotonic());
    let age = now.saturating_sub(machine.since);
    // A run that has lasted is the end of the row.
    let lasts = machine.phase == Phase::Run && age >= process.settings.rules.reset;
    let death = |how| LastDeath {
        time: process.died.0,
        pid: process.died.1,
        how,
        lived: machine.ran_for,
        stopped: process.stopped,
    };
    let (letter, failure) = process.control;
    let report = Report {
        state: machine.phase.state(),
        pid: machine.pid,
        want: Some(machine.want),
        since: process.wall,
        age,
        paused: machine.paused,
        term: machine.stop_sent,
        hold: (machine.hold.words(), machine.hold.reason()),
        next: machine.timers.get(Timer::Start).map(|due| due.saturating_sub(now)),
        ready: process.notify.told.then_some(process.notify.ready),
        words: process.notify.words.bytes(),
        restarts: Some(machine.restarts),
        short: Some(if lasts { 0 } else { machine.short_runs }),
        death: machine.death.map(death),
        control: failure.map(|status| (letter, death::of(status))),
        log: Some(has_logger && !process.logger),
        supervisor: Some(std::process::id()),
    };
    report.object()
}
