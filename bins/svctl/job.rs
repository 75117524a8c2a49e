//! A command on its way to one service: over the socket, or the way of sv.
//!
//! A job never waits. It goes as far as it can, and says what has to happen before it can go on.

mod bytes;
mod run;
mod socket;

use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use common::{Error, Words};

use super::check::Check;
use super::command::{Deed, Goal};
use super::names::Names;
use super::out::Out;
use super::socket::Conn;
use super::status::Status;
use super::trouble::Trouble;
use super::{look, sv};
pub(super) use run::PROOF;
use run::Runs;

/// How often what tells nobody is looked at.
pub(super) const TICK: Duration = Duration::from_millis(20);
/// After a ./check that failed, the next one.
const AGAIN: Duration = Duration::from_millis(200);
/// How often a supervisor is looked for that is not there, or has no place for us.
const ABSENT: Duration = Duration::from_millis(100);

/// What all jobs of a command share.
pub(super) struct Order<'a> {
    pub(super) names: &'a Names,
    pub(super) deed: &'a Deed,
    pub(super) env: &'a Words,
    /// Whether to wait for the goal.
    pub(super) waits: bool,
    /// Whether to wait for a supervisor too.
    pub(super) patient: bool,
    /// Whether runit's words are expected.
    pub(super) runit: bool,
    /// Until when.
    pub(super) end: Instant,
    /// Until when a supervisor has to answer.
    pub(super) answered: Instant,
}

/// How the supervisor is reached.
enum Way {
    Socket(Conn),
    /// The status bytes, as they were before the command.
    Bytes(Status),
}

/// How far it is.
enum Stage {
    Start,
    /// There is no supervisor: to be looked for again.
    Absent(Instant),
    /// Its place went to another client: so many requests were answered, and the next one is to be sent over
    /// another connection, not before this.
    Evicted(usize, Instant),
    /// So many requests were answered.
    Asked(usize),
    /// The socket will say when the condition holds.
    Waiting,
    /// The supervisor will close the connection when it leaves.
    Leaving,
    /// The status bytes will say it, or events on the socket, or it is to be asked at a time.
    Looking(Option<Instant>),
    /// The state after an event, on a connection of its own; until when that may take, be the time up or not.
    Asking(Conn, Instant),
    Checking(Check, Status),
    /// ./check has failed.
    Resting(Instant),
    /// The supervisor is to open its socket anew.
    Returning,
}

/// What becomes of a job.
enum Step {
    /// It has to wait; where there is no way to go on, to begin anew.
    Wait,
    /// It can go on.
    On(Way, Stage),
    Done(Status),
    Gone,
    Fail(Trouble),
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    Not,
    Well,
    Badly,
}

/// A command for one service.
pub(super) struct Job {
    name: &'static [u8],
    way: Option<Way>,
    stage: Stage,
    runs: Runs,
    requests: Vec<String>,
    pub(super) end: End,
}

impl Job {
    pub(super) fn new(name: &'static [u8], deed: &Deed) -> Self {
        let mut requests = deed.requests.clone();
        // Who is to end must be known before it does; and who sends nothing asks how it is.
        if requests.is_empty() || matches!(deed.goal, Goal::Restarted | Goal::Ended | Goal::Reloaded) {
            requests.insert(0, "status".to_owned());
        }
        Self { name, way: None, stage: Stage::Start, runs: Runs::default(), requests, end: End::Not }
    }

    /// What has to be readable before it can go on; `None` where it has to look again.
    pub(super) fn fd(&self) -> Option<RawFd> {
        match (&self.stage, &self.way) {
            (Stage::Checking(check, _), _) => check.fd(),
            (Stage::Asking(conn, _), _)
            | (
                Stage::Asked(_) | Stage::Waiting | Stage::Leaving | Stage::Looking(_),
                Some(Way::Socket(conn)),
            ) => Some(conn.fd()),
            _ => None,
        }
    }

    /// When it has to look again, whatever becomes readable.
    pub(super) fn due(&self) -> Option<Instant> {
        match (&self.stage, &self.way) {
            (Stage::Absent(until) | Stage::Evicted(_, until) | Stage::Resting(until), _) => Some(*until),
            (Stage::Looking(until), Some(Way::Socket(_))) => *until,
            _ if self.fd().is_none() => Some(Instant::now() + TICK),
            _ => None,
        }
    }

    /// Goes as far as it can.
    pub(super) fn go(&mut self, order: &Order, out: &mut Out) -> Result<(), Error> {
        while self.end == End::Not {
            match self.step(order) {
                Step::Wait => break,
                Step::On(way, stage) => (self.way, self.stage) = (Some(way), stage),
                Step::Fail(trouble) => {
                    self.end = End::Badly;
                    let _ = order.names.enter(self.name); // for what its hint looks at
                    out.trouble(order.names, self.name, &trouble)?;
                }
                Step::Done(status) => {
                    self.end = End::Well;
                    if order.waits || out.json {
                        let _ = order.names.enter(self.name); // for what the line looks at
                        out.done("ok: ", self.name, &status)?;
                    }
                }
                Step::Gone => {
                    self.end = End::Well;
                    out.gone(self.name)?;
                }
            }
        }
        let end = match self.stage {
            Stage::Asked(_) => order.answered,
            Stage::Asking(_, until) => order.end.max(until),
            Stage::Checking(..) => return Ok(()), // it has an end of its own
            _ => order.end,
        };
        if self.end == End::Not && Instant::now() >= end { self.give_up(order, out) } else { Ok(()) }
    }

    fn step(&mut self, order: &Order) -> Step {
        let stage = std::mem::replace(&mut self.stage, Stage::Start);
        match (self.way.take(), stage) {
            (None, stage @ (Stage::Absent(until) | Stage::Evicted(_, until))) if Instant::now() < until => {
                self.stage = stage;
                Step::Wait
            }
            (None, Stage::Evicted(count, _)) => self.go_on(order, count),
            (None, _) => self.start(order),
            (Some(Way::Socket(conn)), stage) => self.hear(order, conn, stage),
            (Some(Way::Bytes(before)), stage) => self.see(order, before, stage),
        }
    }

    /// Keeps things as they are until something happens.
    fn keep(&mut self, way: Way, stage: Stage) -> Step {
        (self.way, self.stage) = (Some(way), stage);
        Step::Wait
    }

    fn start(&mut self, order: &Order) -> Step {
        if let Some(mut conn) = Conn::open(order.names, self.name) {
            conn.send(&self.requests[0]);
            return Step::On(Way::Socket(conn), Stage::Asked(0));
        }
        self.by_bytes(order)
    }

    /// No supervisor has the service: the end, or one may come.
    fn without_supervisor(&mut self, order: &Order) -> Step {
        match order.deed.goal {
            Goal::Gone => Step::Gone,
            _ if order.patient => {
                self.stage = Stage::Absent(Instant::now() + ABSENT);
                Step::Wait
            }
            _ => Step::Fail(Trouble::gone()),
        }
    }

    /// Its time is up.
    fn give_up(&mut self, order: &Order, out: &mut Out) -> Result<(), Error> {
        self.end = End::Badly;
        let sign = if order.deed.kills { "kill: " } else { "timeout: " };
        match look::status(order.names, self.name) {
            Ok(Some(status)) if !out.json => {
                let _ = order.names.enter(self.name); // for what the line looks at
                out.late(sign, self.name, &status, order.deed.goal.is_a_run())?;
            }
            Ok(Some(status)) => {
                let last = if order.deed.goal.is_a_run() { status.last_end() } else { String::new() };
                out.trouble(order.names, self.name, &Trouble::fails("timeout".to_owned() + &last, None))?;
            }
            Ok(None) => out.trouble(order.names, self.name, &Trouble::gone())?,
            Err(trouble) => out.trouble(order.names, self.name, &trouble)?,
        }
        if !order.deed.kills {
            return Ok(());
        }
        if let Some(mut conn) = Conn::open(order.names, self.name) {
            conn.ask("signal KILL", look::LIMIT);
        } else if order.names.enter(self.name).is_ok() {
            let _ = sv::control("k"); // that it did not end is told already
        }
        Ok(())
    }
}
