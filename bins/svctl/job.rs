//! A command on its way to one service: over the socket, or the way of sv.
//!
//! A job never waits. It goes as far as it can, and says what has to happen before it can go on.

use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use common::{Error, Words, shown};

use super::check::Check;
use super::command::{Deed, Goal};
use super::json::Value;
use super::names::Names;
use super::out::Out;
use super::socket::{Conn, Received};
use super::status::{State, Status};
use super::trouble::Trouble;
use super::{look, sv};

/// How often what tells nobody is looked at.
pub(super) const TICK: Duration = Duration::from_millis(20);
/// After a ./check that failed, the next one.
const AGAIN: Duration = Duration::from_millis(200);
/// What a ./check gets at least, be the time up or not.
const CHECK: Duration = Duration::from_secs(1);

/// What all jobs of a command share.
pub(super) struct Order<'a> {
    pub(super) names: &'a Names,
    pub(super) deed: &'a Deed,
    pub(super) env: &'a Words,
    /// Whether to wait for the goal.
    pub(super) waits: bool,
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
    /// So many requests were answered.
    Asked(usize),
    /// The process of before still runs: events tell its end. How the service was.
    Ending(Conn, Status),
    /// The socket will say when the condition holds.
    Waiting,
    /// The supervisor will close the connection when it leaves.
    Leaving,
    /// The status bytes will say it.
    Looking,
    Checking(Check, Status),
    /// ./check has failed.
    Resting(Instant, Status),
    /// The supervisor is to open its socket anew.
    Returning,
}

/// What becomes of a job.
enum Step {
    /// It has to wait.
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
    /// The process before the command, 0 for none.
    old: u32,
    requests: Vec<String>,
    pub(super) end: End,
}

impl Job {
    pub(super) fn new(name: &'static [u8], deed: &Deed) -> Self {
        let mut requests = deed.requests.clone();
        // Who is to end must be known before it does; and who sends nothing asks how it is.
        if requests.is_empty() || matches!(deed.goal, Goal::Restarted | Goal::Ended) {
            requests.insert(0, "status".to_owned());
        }
        Self { name, way: None, stage: Stage::Start, old: 0, requests, end: End::Not }
    }

    /// What has to be readable before it can go on; `None` where it has to look again.
    pub(super) fn fd(&self) -> Option<RawFd> {
        match (&self.stage, &self.way) {
            (Stage::Checking(check, _), _) => check.fd(),
            (Stage::Ending(conn, _), _)
            | (Stage::Asked(_) | Stage::Waiting | Stage::Leaving, Some(Way::Socket(conn))) => Some(conn.fd()),
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
            Stage::Checking(..) => return Ok(()), // it has an end of its own
            _ => order.end,
        };
        if self.end == End::Not && Instant::now() >= end { self.give_up(order, out) } else { Ok(()) }
    }

    fn step(&mut self, order: &Order) -> Step {
        let stage = std::mem::replace(&mut self.stage, Stage::Start);
        match (self.way.take(), stage) {
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
        let Some(bytes) = order.deed.bytes else {
            return Step::Fail(sv::no_socket(order.names, self.name));
        };
        let told = sv::status(order.names, self.name).and_then(|status| match status {
            Some(status) if bytes.is_empty() => Ok(Some(status)),
            Some(status) if order.deed.strict && status.pid == 0 => Err(Trouble::fails("not running", None)),
            Some(status) => Ok(sv::control(bytes)?.then_some(status)),
            None => Ok(None),
        });
        match told {
            Err(trouble) => Step::Fail(trouble),
            Ok(None) => without_supervisor(order),
            Ok(Some(before)) if order.waits => Step::On(Way::Bytes(before), Stage::Looking),
            Ok(Some(before)) => Step::Done(before),
        }
    }

    // The way of sv.

    fn see(&mut self, order: &Order, before: Status, stage: Stage) -> Step {
        match stage {
            Stage::Checking(mut check, status) => match check.result() {
                None => self.keep(Way::Bytes(before), Stage::Checking(check, status)),
                Some(true) => Step::Done(status),
                Some(false) => Step::On(Way::Bytes(before), Stage::Resting(Instant::now() + AGAIN, status)),
            },
            Stage::Resting(until, _) if Instant::now() < until => self.keep(Way::Bytes(before), stage),
            _ => match sv::status(order.names, self.name) {
                Err(Trouble { errno: Some(nix::errno::Errno::ENOENT), .. })
                    if order.deed.goal == Goal::Gone =>
                {
                    Step::Gone
                }
                Err(trouble) => Step::Fail(trouble),
                Ok(None) => without_supervisor(order),
                Ok(Some(now)) if order.deed.goal.is_reached(&before, &now) => {
                    self.check(order, Way::Bytes(before), now)
                }
                Ok(Some(_)) => self.keep(Way::Bytes(before), Stage::Looking),
            },
        }
    }

    /// The goal is reached if ./check agrees.
    fn check(&self, order: &Order, way: Way, status: Status) -> Step {
        if !order.deed.goal.is_checked() || status.state != State::Run {
            return Step::Done(status);
        }
        if order.names.enter(self.name).is_err() {
            return Step::Fail(Trouble::gone());
        }
        let end = order.end.max(Instant::now() + CHECK);
        match Check::start(self.name, order.env, end, order.runit) {
            Ok(check) => Step::On(way, Stage::Checking(check, status)),
            Err(true) => Step::Done(status),
            Err(false) => Step::On(way, Stage::Resting(Instant::now() + AGAIN, status)),
        }
    }

    // The way over the socket.

    fn hear(&mut self, order: &Order, mut conn: Conn, stage: Stage) -> Step {
        match stage {
            Stage::Asked(count) => self.answered(order, conn, count),
            Stage::Ending(events, status) => self.ending(order, conn, events, status),
            Stage::Waiting => match conn.receive() {
                Received::Nothing => self.keep(Way::Socket(conn), Stage::Waiting),
                Received::End => Step::Fail(left()),
                Received::Line(line) => match Status::from_json(&line) {
                    Some(status) => self.check(order, Way::Socket(conn), status),
                    None => Step::Fail(refused(&line)),
                },
            },
            Stage::Leaving => match conn.receive() {
                Received::End => Step::Gone,
                _ => self.keep(Way::Socket(conn), Stage::Leaving),
            },
            Stage::Checking(mut check, status) => match check.result() {
                None => self.keep(Way::Socket(conn), Stage::Checking(check, status)),
                Some(true) => Step::Done(status),
                Some(false) => Step::On(Way::Socket(conn), Stage::Resting(Instant::now() + AGAIN, status)),
            },
            Stage::Resting(until, _) if Instant::now() < until => self.keep(Way::Socket(conn), stage),
            Stage::Resting(_, status) => Self::wait(order, conn, status),
            Stage::Returning => match look::by_socket(order.names, self.name) {
                Some(status) => Step::Done(status),
                None => self.keep(Way::Socket(conn), Stage::Returning),
            },
            Stage::Start | Stage::Looking => Step::On(Way::Socket(conn), Stage::Asked(0)),
        }
    }

    fn answered(&mut self, order: &Order, mut conn: Conn, count: usize) -> Step {
        let line = match conn.receive() {
            Received::Nothing => return self.keep(Way::Socket(conn), Stage::Asked(count)),
            Received::Line(line) => line,
            Received::End => {
                return match order.deed.goal {
                    Goal::Upgraded => Step::On(Way::Socket(conn), Stage::Returning),
                    Goal::Gone => Step::Gone,
                    _ => Step::Fail(left()),
                };
            }
        };
        let status = Status::from_json(&line);
        // As with sv, a signal to what does not run is no failure; but this answer says no status.
        if status.is_none() && (error(&line) != "not running" || order.deed.strict) {
            return Step::Fail(refused(&line));
        }
        let next = count + 1;
        if status.is_none() && next == self.requests.len() {
            self.requests.push("status".to_owned());
        }
        if count == 0 {
            self.old = status.as_ref().map_or(0, |status| status.pid);
        }
        match (self.requests.get(next), status) {
            (None, Some(status)) if order.waits => self.reach(order, conn, status),
            (None, Some(status)) => Step::Done(status),
            (request, _) => {
                conn.send(request.map_or("status", String::as_str));
                Step::On(Way::Socket(conn), Stage::Asked(next))
            }
        }
    }

    /// All is told. What is left is to wait for the goal.
    fn reach(&self, order: &Order, conn: Conn, status: Status) -> Step {
        let goal = order.deed.goal;
        let old = match goal {
            Goal::Restarted | Goal::Ended => self.old == status.pid,
            Goal::Up => status.term,
            _ => false,
        };
        let ends = old && status.state == State::Run && goal.condition(&status) != Some("wait down");
        match goal {
            // It is down, but not because anybody wanted it.
            Goal::AsWanted if status.hold == "gave up" => Step::Fail(gave_up()),
            Goal::Gone => Step::On(Way::Socket(conn), Stage::Leaving),
            _ if ends => match Conn::open(order.names, self.name) {
                Some(mut events) => {
                    events.send("events");
                    Step::On(Way::Socket(conn), Stage::Ending(events, status))
                }
                None => Step::Fail(left()),
            },
            _ => Self::wait(order, conn, status),
        }
    }

    fn wait(order: &Order, mut conn: Conn, status: Status) -> Step {
        let Some(condition) = order.deed.goal.condition(&status) else { return Step::Done(status) };
        conn.send(condition);
        Step::On(Way::Socket(conn), Stage::Waiting)
    }

    /// Waits for the end of the process that runs: the first line is the state since which events follow.
    fn ending(&mut self, order: &Order, conn: Conn, mut events: Conn, status: Status) -> Step {
        let line = match events.receive() {
            Received::Nothing => return self.keep(Way::Socket(conn), Stage::Ending(events, status)),
            Received::End => return Step::Fail(left()),
            Received::Line(line) => line,
        };
        let over = match Status::from_json(&line) {
            Some(now) => now.state != State::Run || now.pid != self.old,
            None => Value::parse(&line).is_some_and(|event| event.get("event").text() == "death"),
        };
        if over {
            Self::wait(order, conn, status)
        } else {
            Step::On(Way::Socket(conn), Stage::Ending(events, status))
        }
    }

    /// Its time is up.
    fn give_up(&mut self, order: &Order, out: &mut Out) -> Result<(), Error> {
        self.end = End::Badly;
        let sign = if order.deed.kills { "kill: " } else { "timeout: " };
        match look::status(order.names, self.name) {
            Ok(Some(status)) if !out.json => {
                let _ = order.names.enter(self.name); // for what the line looks at
                out.failed();
                out.done(sign, self.name, &status)?;
            }
            Ok(Some(_)) => out.trouble(order.names, self.name, &Trouble::fails("timeout", None))?,
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

fn without_supervisor(order: &Order) -> Step {
    if order.deed.goal == Goal::Gone { Step::Gone } else { Step::Fail(Trouble::gone()) }
}

/// What the socket says that is wrong.
fn error(line: &str) -> String {
    Value::parse(line).map_or_else(String::new, |value| value.get("error").text().to_owned())
}

fn refused(line: &str) -> Trouble {
    match error(line).as_str() {
        "" => Trouble::fails("no answer that can be understood", None),
        "gave up" => gave_up(),
        "no log" => Trouble::fails("no log", None).hint("the service has no log/run".into()),
        error => Trouble::fails(shown(error).to_string(), None),
    }
}

fn gave_up() -> Trouble {
    Trouble::fails("gave up", None)
        .hint("it ended too soon too often: see why with 'svctl list' and in its log".into())
}

fn left() -> Trouble {
    Trouble::fails("the supervisor closed the connection", None)
}
