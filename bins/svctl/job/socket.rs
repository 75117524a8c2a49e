//! A job over the socket: requests, their answers, and what is said later.

use std::time::Instant;

use common::shown;

use super::{AGAIN, Goal, Job, Order, Stage, Step, Way, look};
use crate::svctl::json::Value;
use crate::svctl::socket::{Conn, Received};
use crate::svctl::status::{State, Status};
use crate::svctl::trouble::Trouble;

impl Job {
    /// Goes on with what the supervisor says.
    pub(super) fn hear(&mut self, order: &Order, mut conn: Conn, stage: Stage) -> Step {
        match stage {
            Stage::Asked(count) => self.answered(order, conn, count),
            Stage::Ending(events, status) => self.ending(order, conn, events, status),
            Stage::Waiting => match conn.receive() {
                Received::Nothing => self.keep(Way::Socket(conn), Stage::Waiting),
                // It may have become another program, which does not know that we wait.
                Received::End if order.deed.requests.is_empty() => Step::Wait,
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
                    // There are more clients than it has places for. The FIFO takes any number of commands,
                    // but cannot say when a service is ready.
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
