//! A job over the socket: requests, their answers, and what is said later.

use std::time::Instant;

use common::shown;

use super::{ABSENT, Goal, Job, Order, Stage, Step, Way, look, run, sv};
use crate::svctl::json::Value;
use crate::svctl::socket::{Conn, Received};
use crate::svctl::status::Status;
use crate::svctl::trouble::Trouble;

impl Job {
    /// Goes on with what the supervisor says.
    pub(super) fn hear(&mut self, order: &Order, mut conn: Conn, stage: Stage) -> Step {
        match stage {
            Stage::Asked(count) => self.answered(order, conn, count),
            Stage::Waiting => match conn.receive() {
                Received::Nothing => self.keep(Way::Socket(conn), Stage::Waiting),
                Received::End | Received::Unread => self.ask_again(order),
                Received::Line(line) => match Status::from_json(&line) {
                    Some(status) => Step::Done(status),
                    None => Step::Fail(refused(&line)),
                },
            },
            Stage::Leaving => match conn.receive() {
                Received::End | Received::Unread => Step::Gone,
                _ => self.keep(Way::Socket(conn), Stage::Leaving),
            },
            Stage::Looking(until) => self.watch(order, conn, until),
            Stage::Asking(asked, until) => self.asking(order, conn, asked, until),
            Stage::Checking(check, status) => self.checking(Way::Socket(conn), check, status),
            Stage::Resting(until) if Instant::now() < until => self.keep(Way::Socket(conn), stage),
            Stage::Resting(until) => Step::On(Way::Socket(conn), Stage::Looking(Some(until))),
            Stage::Returning => match look::by_socket(order.names, self.name) {
                Some(status) => Step::Done(status),
                None => self.keep(Way::Socket(conn), Stage::Returning),
            },
            Stage::Start | Stage::Absent(_) | Stage::Evicted(..) => {
                Step::On(Way::Socket(conn), Stage::Asked(0))
            }
        }
    }

    fn answered(&mut self, order: &Order, mut conn: Conn, count: usize) -> Step {
        let line = match conn.receive() {
            Received::Nothing => return self.keep(Way::Socket(conn), Stage::Asked(count)),
            Received::Line(line) => line,
            // The FIFO takes any number of commands, but cannot say when a service is ready.
            Received::Unread if count == 0 && order.deed.bytes.is_some() && !order.waits => {
                return self.by_bytes(order);
            }
            Received::Unread => return self.evicted(count),
            Received::End => {
                return match order.deed.goal {
                    Goal::Upgraded => Step::On(Way::Socket(conn), Stage::Returning),
                    Goal::Gone => Step::Gone,
                    Goal::Told => self.by_bytes(order),
                    _ if count == 0 && !order.waits => self.by_bytes(order),
                    _ if count == 0 => Step::Wait,
                    _ => Step::Fail(left()),
                };
            }
        };
        let status = Status::from_json(&line);
        // As with sv, a signal to what does not run is no failure; but this answer says no status.
        if status.is_none() && (error(&line) != "not running" || order.deed.strict) {
            return Step::Fail(refused(&line));
        }
        // What it was to see to before the signal was not done, whatever the service makes of the signal.
        let failed = status.as_ref().filter(|_| self.requests[count] == "signal HUP");
        if let Some(how) = failed.and_then(|status| status.failed_script("h")).filter(|_| order.deed.strict) {
            return Step::Fail(Trouble::fails(format!("control/h failed: {how}; HUP was sent"), None));
        }
        let next = count + 1;
        if status.is_none() && next == self.requests.len() {
            self.requests.push("status".to_owned());
        }
        if count == 0 {
            self.runs.old = status.as_ref().filter(|status| status.pid != 0).map(run::of);
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
    fn reach(&mut self, order: &Order, mut conn: Conn, status: Status) -> Step {
        let goal = order.deed.goal;
        if goal.is_a_run() {
            return match self.judge(order, conn, status) {
                Step::On(Way::Socket(mut bell), stage) => {
                    bell.send("events");
                    Step::On(Way::Socket(bell), stage)
                }
                step => step,
            };
        }
        match goal.condition() {
            _ if goal == Goal::Gone => Step::On(Way::Socket(conn), Stage::Leaving),
            None => Step::Done(status),
            Some(condition) => {
                conn.send(condition);
                Step::On(Way::Socket(conn), Stage::Waiting)
            }
        }
    }

    /// The connection over which we waited is closed: the place was needed for another client, or the
    /// supervisor has become another program, which does not know that we wait.
    pub(super) fn ask_again(&mut self, order: &Order) -> Step {
        if order.deed.requests.is_empty() { Step::Wait } else { self.evicted(self.requests.len()) }
    }

    /// So many requests were answered; the next one waits for a place.
    fn evicted(&mut self, count: usize) -> Step {
        self.stage = Stage::Evicted(count, Instant::now() + ABSENT);
        Step::Wait
    }

    /// Goes on over another connection, where `count` requests were answered before. Once all are, nothing that
    /// has happened meanwhile is missed: the first that is said for either question is how the service is now.
    pub(super) fn go_on(&mut self, order: &Order, count: usize) -> Step {
        let Some(mut conn) = Conn::open(order.names, self.name) else {
            return match sv::status(order.names, self.name) {
                Ok(Some(_)) => self.evicted(count), // it may be about to open its socket anew
                _ if order.patient => self.without_supervisor(order),
                _ => Step::Fail(left()),
            };
        };
        let goal = order.deed.goal;
        match self.requests.get(count) {
            Some(request) => {
                conn.send(request);
                Step::On(Way::Socket(conn), Stage::Asked(count))
            }
            None if goal.is_a_run() => {
                conn.send("events");
                Step::On(Way::Socket(conn), Stage::Looking(None))
            }
            None => {
                conn.send(goal.condition().unwrap_or("status"));
                Step::On(Way::Socket(conn), Stage::Waiting)
            }
        }
    }
}

/// What the socket says that is wrong.
fn error(line: &str) -> String {
    Value::parse(line).map_or_else(String::new, |value| value.get("error").text().to_owned())
}

pub(super) fn refused(line: &str) -> Trouble {
    match error(line).as_str() {
        "" => Trouble::fails("no answer that can be understood", None),
        "gave up" => gave_up("", line),
        "no log" => Trouble::fails("no log", None).hint("the service has no log/run".into()),
        error => Trouble::fails(shown(error).to_string(), None),
    }
}

/// It was given up; `last` is how it ended, `line` is what tells by which file.
pub(super) fn gave_up(last: &str, line: &str) -> Trouble {
    let value = Value::parse(line).unwrap_or(Value::Null);
    let why = match value.get("reason").text() {
        "finish" => "its finish exited 125",
        "restart-max" => "it ended too soon too often",
        _ => "it ended too soon too often, or finish said so", // an older supervisor
    };
    let hint = format!("{why}: see more with 'svctl list' and in its log");
    Trouble::fails(format!("gave up{last}"), None).hint(hint)
}

fn left() -> Trouble {
    Trouble::fails("the supervisor closed the connection", None)
}
