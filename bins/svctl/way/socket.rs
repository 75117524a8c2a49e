//! The way of svrun: requests over the socket, their answers, and later reports.

use std::ops::ControlFlow::{Break, Continue};
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::Instant;

use common::shown;
use common::supervise::{self, Control, RELOAD_FAILED, key};
use nix::errno::Errno;

use crate::svctl::command::{Command, Goal};
use crate::svctl::conn::{Conn, Received, To};
use crate::svctl::failure::Failure;
use crate::svctl::json::Value;
use crate::svctl::look::LIMIT;
use crate::svctl::order::{ABSENT, Order, Step, TICK};
use crate::svctl::run::{Watch, failed_for_good, of};
use crate::svctl::status::Status;
use crate::svctl::task::Task;

/// How many lines of a supervisor are read though the time is up: one that talks without end must not stop it.
const LATE: usize = 1000;

/// A connection on which something is awaited.
pub(in crate::svctl) struct Talk {
    conn: Conn,
    stage: Stage,
    /// How many lines were read when the time was up.
    late: usize,
}

/// The line or the end that is awaited.
enum Stage {
    /// The answer to the request of this number.
    Answer(usize),
    /// The line that comes once the condition holds.
    Condition,
    /// The end of the connection, with that of the supervisor.
    Leaving,
    /// Events, for a run to come up.
    Events(Watch),
    /// The state after an event, on a connection of its own; until when that may take, be the time up or not.
    State(Conn, Instant),
}

impl Talk {
    /// Sends the request of this number. Once all are answered, asks for what is to be waited for: nothing that has
    /// happened meanwhile is missed, as the first answer to that is the state.
    pub(in crate::svctl) fn begin(mut conn: Conn, task: &Task, order: &Order, request: usize) -> Self {
        let goal = order.command.goal;
        let stage = match task.requests.get(request) {
            Some(text) => {
                conn.send(&order.command.request(text, conn.to()));
                Stage::Answer(request)
            }
            None if goal.is_a_run() => {
                conn.send(if conn.to() == To::Service { "events" } else { "status" });
                Stage::Events(Watch::Looking(None))
            }
            None => {
                conn.send(goal.condition().unwrap_or("status"));
                Stage::Condition
            }
        };
        Self { conn, stage, late: 0 }
    }

    /// The fd that has to be readable before it can go on.
    pub(in crate::svctl) fn fd(&self) -> Option<RawFd> {
        match &self.stage {
            Stage::State(conn, _) => Some(conn.fd()),
            Stage::Events(Watch::Checking(check, _)) => check.fd(),
            Stage::Events(Watch::Resting(_)) => None,
            _ => Some(self.conn.fd()),
        }
    }

    /// When it has to look again, whatever becomes readable.
    pub(in crate::svctl) fn due(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Events(Watch::Looking(until)) => *until,
            Stage::Events(Watch::Resting(until)) => Some(*until),
            _ => None,
        }
    }

    /// When its time is up; `None` where it has an end of its own.
    pub(in crate::svctl) fn end(&self, order: &Order) -> Option<Instant> {
        match &self.stage {
            Stage::Answer(_) => Some(order.answered),
            Stage::State(_, until) => Some(order.end.max(*until)),
            Stage::Events(Watch::Checking(..)) => None,
            _ => Some(order.end),
        }
    }

    /// Goes on with the lines that have come.
    pub(in crate::svctl) fn step(&mut self, task: &mut Task, order: &Order) -> Step {
        match &mut self.stage {
            Stage::Answer(request) => {
                let request = *request;
                self.answered(task, order, request)
            }
            Stage::Condition => match receive(&mut self.conn) {
                Received::Nothing => Step::Wait,
                Received::End | Received::Unread => ask_again(task, order),
                Received::Line(line) => match Status::from_json(&line) {
                    Some(status) => Step::Done(status),
                    None => Step::Fail(refused(&line)),
                },
            },
            Stage::Leaving => match receive(&mut self.conn) {
                Received::End | Received::Unread => Step::Gone,
                _ => Step::Wait,
            },
            Stage::Events(Watch::Looking(until)) => {
                let until = *until;
                self.listen(task, order, until)
            }
            Stage::Events(watch) => match task.runs.go_on(watch) {
                None => Step::Wait,
                Some(watch) => {
                    self.stage = Stage::Events(watch);
                    Step::On
                }
            },
            Stage::State(conn, _) => match receive(conn) {
                Received::Nothing => Step::Wait,
                // There was no place for a second connection. The first takes one too, and others may wait for ours
                // as we for theirs: leave it.
                Received::End | Received::Unread => ask_again(task, order),
                Received::Line(line) => match Status::from_json(&line) {
                    Some(status) => self.judge(task, order, status),
                    None => Step::Fail(refused(&line)),
                },
            },
        }
    }

    fn answered(&mut self, task: &mut Task, order: &Order, request: usize) -> Step {
        let may_write = request == 0 && self.conn.to() == To::Service;
        let line = match receive(&mut self.conn) {
            Received::Nothing => return Step::Wait,
            Received::Line(line) => line,
            // The FIFO takes any number of commands, but cannot say when a service is ready.
            Received::Unread if may_write && order.command.bytes.is_some() && !order.waits => {
                return Step::Fifo;
            }
            Received::Unread => return Step::Resume(request),
            Received::End => {
                return match order.command.goal {
                    Goal::Upgraded => Step::Return,
                    Goal::Gone => Step::Gone,
                    Goal::Sent => Step::Fifo,
                    _ if may_write && !order.waits => Step::Fifo,
                    _ if request == 0 => Step::Restart(TICK),
                    _ => Step::Fail(closed()),
                };
            }
        };
        let said = Rc::new(Value::parse(&line).unwrap_or(Value::Null));
        if self.conn.to() == To::Tree && said.get(key::ERROR).text() == supervise::NO_SERVICE {
            return Step::Unhosted;
        }
        let status = Status::from_object(&said);
        if task.requests[request] == Control::Reload.request() {
            return match (status, said.get(key::ERROR).text()) {
                (Some(status), _) => Step::Done(status),
                (None, "unknown command") => {
                    task.requests = Command::old_reload();
                    Step::Resume(0)
                }
                (None, _) => Step::Fail(refused(&line)),
            };
        }
        // As with sv, a signal to what does not run is no failure; but this answer has no status.
        if status.is_none() && (said.get(key::ERROR).text() != "not running" || order.command.strict) {
            return Step::Fail(refused(&line));
        }
        // The work of control/h before the signal was not done, whatever the service makes of the signal.
        let failed = status.as_ref().filter(|_| task.requests[request] == "signal HUP");
        if let Some(how) =
            failed.and_then(|status| status.failed_script("h")).filter(|_| order.command.strict)
        {
            return Step::Fail(Failure::fails(format!("control/h failed: {how}; HUP was sent")));
        }
        let next = request + 1;
        if status.is_none() && next == task.requests.len() {
            task.requests.push("status".to_owned());
        }
        if request == 0 {
            let up = |status: &&Status| status.pid != 0 || status.state.is_up();
            task.runs.old = status.as_ref().filter(up).map(of);
        }
        match (task.requests.get(next), status) {
            (None, Some(status)) if order.waits => {
                task.move_on(&mut self.conn);
                self.reach(task, order, status)
            }
            (None, Some(status)) => Step::Done(status),
            (request, _) => {
                let text = request.map_or("status", String::as_str);
                self.conn.send(&order.command.request(text, self.conn.to()));
                self.stage = Stage::Answer(next);
                Step::On
            }
        }
    }

    /// All requests are answered. What is left is to wait for the goal.
    fn reach(&mut self, task: &mut Task, order: &Order, status: Status) -> Step {
        let goal = order.command.goal;
        if goal.is_a_run() {
            let step = self.judge(task, order, status);
            if matches!(step, Step::On) && self.conn.to() == To::Service {
                self.conn.send("events");
            }
            return step;
        }
        match goal.condition() {
            _ if goal == Goal::Gone => self.stage = Stage::Leaving,
            None => return Step::Done(status),
            Some(condition) => {
                self.conn.send(condition);
                self.stage = Stage::Condition;
            }
        }
        Step::On
    }

    /// Waits for the reports of the supervisor: the first line is the state, and each later one means that it is
    /// another. So no change is missed, and none is looked for in vain.
    fn listen(&mut self, task: &mut Task, order: &Order, until: Option<Instant>) -> Step {
        let mut changed = until.is_some_and(|until| Instant::now() >= until);
        let mut state = None;
        loop {
            if self.late >= LATE {
                return Step::Wait; // the time is up
            }
            self.late += usize::from(Instant::now() >= order.end);
            match receive(&mut self.conn) {
                Received::Nothing => break,
                Received::End | Received::Unread => return ask_again(task, order),
                Received::Line(line) => match Status::from_json(&line) {
                    Some(status) => state = Some(status),
                    None if Value::parse(&line).is_some_and(|line| line.get(key::EVENT).text() != "") => {
                        changed = true;
                    }
                    None => return Step::Fail(refused(&line)),
                },
            }
        }
        match state {
            _ if changed => {} // it is another by now, or may be
            Some(status) => return self.judge(task, order, status),
            None => return Step::Wait,
        }
        let Some(mut conn) = Conn::open(&task.place) else {
            self.stage = Stage::Events(Watch::Looking(Some(Instant::now() + TICK)));
            return Step::Wait;
        };
        conn.send("status");
        self.stage = Stage::State(conn, Instant::now() + LIMIT);
        Step::On
    }

    fn judge(&mut self, task: &mut Task, order: &Order, status: Status) -> Step {
        match task.runs.judge(&task.place, order, status) {
            Break(step) => step,
            Continue(watch) => {
                self.stage = Stage::Events(match watch {
                    // A tree passes requests on, but not events.
                    Watch::Looking(until) if self.conn.to() == To::Tree => {
                        let soon = Instant::now() + ABSENT;
                        Watch::Looking(Some(until.map_or(soon, |until| until.min(soon))))
                    }
                    watch => watch,
                });
                Step::On
            }
        }
    }
}

/// What has come. A tree has a connection of its own to the service, of which it says what would be seen of ours: that
/// it was closed, or that there is no place for it.
fn receive(conn: &mut Conn) -> Received {
    let received = conn.receive();
    let Received::Line(line) = &received else { return received };
    let said = if conn.to() == To::Tree { Value::parse(line) } else { None };
    match said.as_ref().map_or("", |said| said.get(key::ERROR).text()) {
        supervise::HAS_LEFT => Received::End,
        error if error == Errno::EBUSY.desc() => Received::Unread,
        _ => received,
    }
}

/// The connection on which something was awaited is closed: its place was needed for another client, or the
/// supervisor has become another program, which does not know that we wait.
fn ask_again(task: &Task, order: &Order) -> Step {
    if order.command.requests.is_empty() { Step::Restart(TICK) } else { Step::Resume(task.requests.len()) }
}

fn refused(line: &str) -> Failure {
    let said = Value::parse(line).unwrap_or(Value::Null);
    match said.get(key::ERROR).text() {
        "" => Failure::fails("no answer that can be understood"),
        "gave up" => failed_for_good("", &said),
        RELOAD_FAILED => {
            let why = shown(said.get(key::REASON).text()).to_string();
            Failure::fails(format!("{RELOAD_FAILED}: {why}"))
        }
        "not permitted" => Failure::fails("not permitted")
            .hint("readers may look, operators control: see the files of these names"),
        "no log" => Failure::fails("no log").hint("the service has no log/run"),
        error => Failure::fails(shown(error).to_string()),
    }
}

pub(in crate::svctl) fn closed() -> Failure {
    Failure::fails("the supervisor closed the connection")
}
