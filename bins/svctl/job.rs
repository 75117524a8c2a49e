//! A command on its way to one service: over the socket, or the way of sv.
//!
//! A job never waits. It goes as far as it can, and names the fd or the time at which it can go on.

use std::os::fd::RawFd;
use std::time::Instant;

use common::Exit;

use super::command::{Command, Patience};
use super::conn::Conn;
use super::failure::Failure;
use super::order::{ABSENT, Order, Report, Step, TICK};
use super::out::Out;
use super::place::Place;
use super::run::{PROOF, Watch};
use super::status::{State, Status};
use super::style::Dialect;
use super::task::{Hosted, Task};
use super::way::fifo::Look;
use super::way::socket::{Talk, closed};
use super::{files, look};

/// How the supervisor is reached.
enum Way {
    /// Not yet.
    Begin,
    /// Not before this: the service is found again, and the command begins.
    Restart(Instant),
    /// Over another connection, not before this: with the request of this number.
    Resume(usize, Instant),
    /// As soon as it has opened its socket again.
    Return,
    Socket(Talk),
    /// By the FIFO, into which nothing is written yet.
    Control,
    Fifo(Look),
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
    task: Task,
    way: Way,
    pub(super) end: End,
}

impl Job {
    pub(super) fn new(place: Place, command: &Command) -> Self {
        Self { task: Task::new(place, command), way: Way::Begin, end: End::Not }
    }

    pub(super) fn into_place(self) -> Place {
        self.task.place
    }

    /// The fd that has to be readable before it can go on; `None` where it has to look again.
    pub(super) fn fd(&self) -> Option<RawFd> {
        match &self.way {
            Way::Socket(talk) => talk.fd(),
            Way::Fifo(Look { watch: Watch::Checking(check, _), .. }) => check.fd(),
            _ => None,
        }
    }

    /// When it has to look again, whatever becomes readable.
    pub(super) fn due(&self) -> Option<Instant> {
        let due = match &self.way {
            Way::Restart(at) | Way::Resume(_, at) => Some(*at),
            Way::Fifo(Look { watch: Watch::Resting(until), .. }) => Some(*until),
            Way::Socket(talk) => talk.due(),
            _ => None,
        };
        due.or_else(|| self.fd().is_none().then(|| Instant::now() + TICK))
    }

    /// Goes as far as it can.
    pub(super) fn go(&mut self, order: &Order, out: &mut Out) -> Result<(), Exit> {
        while self.end == End::Not {
            match self.step(order) {
                Step::Wait => break,
                Step::On => {}
                Step::Restart(pause) => self.way = Way::Restart(Instant::now() + pause),
                Step::Resume(request) => self.way = Way::Resume(request, Instant::now() + ABSENT),
                Step::Return => self.way = Way::Return,
                Step::Fifo => self.way = Way::Control,
                Step::Unhosted => {
                    self.task.hosted = Hosted::No;
                    self.way = Way::Begin;
                }
                Step::Fail(failure) => {
                    self.end = End::Badly;
                    out.failure(&self.task.place, &failure)?;
                }
                Step::Done(status) => {
                    self.end = End::Well;
                    let reports = match order.report {
                        Report::All => order.waits || out.json,
                        Report::Problems => out.json,
                        Report::Failures => false,
                    };
                    if reports {
                        out.done("ok: ", &self.task.place, &status)?;
                    }
                }
                Step::Gone => {
                    self.end = End::Well;
                    if order.report != Report::Failures {
                        out.gone(&self.task.place)?;
                    }
                }
            }
        }
        let end = match &self.way {
            Way::Socket(talk) => talk.end(order),
            Way::Fifo(Look { watch: Watch::Checking(..), .. }) => None, // it has an end of its own
            _ => Some(order.end),
        };
        let late = end.is_some_and(|end| Instant::now() >= end);
        if self.end == End::Not && late { self.give_up(order, out) } else { Ok(()) }
    }

    fn step(&mut self, order: &Order) -> Step {
        let task = &mut self.task;
        match &mut self.way {
            Way::Begin => self.begin(order, 0),
            Way::Restart(at) | Way::Resume(_, at) if Instant::now() < *at => Step::Wait,
            Way::Restart(_) => match order.names.find(&task.place.name) {
                Ok(place) => {
                    task.place = place;
                    task.hosted = Hosted::Maybe;
                    self.begin(order, 0)
                }
                Err(failure) if order.may_come(&failure) => Step::Restart(ABSENT),
                Err(failure) => Step::Fail(failure),
            },
            Way::Resume(request, _) => {
                let request = *request;
                self.begin(order, request)
            }
            Way::Return => look::by_socket(&task.place).map_or(Step::Wait, Step::Done),
            Way::Socket(talk) => talk.step(task, order),
            Way::Control => match Look::begin(task, order) {
                Ok(look) => {
                    self.way = Way::Fifo(look);
                    Step::On
                }
                Err(step) => step,
            },
            Way::Fifo(look) => look.step(task, order),
        }
    }

    /// Sends the request of this number, and goes on from there.
    fn begin(&mut self, order: &Order, request: usize) -> Step {
        let task = &self.task;
        match task.connect(order.command, request) {
            Some(conn) => {
                self.way = Way::Socket(Talk::begin(conn, task, order, request));
                Step::On
            }
            None if matches!(self.way, Way::Resume(..)) => match files::status(&task.place) {
                Ok(Some(_)) => Step::Resume(request), // it may be about to open its socket again
                _ if order.patient => order.without_supervisor(),
                _ => Step::Fail(closed()),
            },
            None => Step::Fifo,
        }
    }

    /// Its time is up.
    fn give_up(&mut self, order: &Order, out: &mut Out) -> Result<(), Exit> {
        self.end = End::Badly;
        let place = &self.task.place;
        let sign = if order.command.patience == Patience::Kills { "kill: " } else { "timeout: " };
        let run = order.command.goal.is_a_run();
        let last = |status: &Status, matters: bool| if matters { status.last_end() } else { String::new() };
        // sv has no words for it.
        let why = |status: &Status| match order.dialect {
            Dialect::Own if run => self.task.runs.missing(order.command.goal, status),
            _ => String::new(),
        };
        match look::status(place) {
            Ok(Some(status)) if out.json => {
                let hold = if run && !status.hold.is_empty() {
                    ", ".to_owned() + &status.hold
                } else {
                    String::new()
                };
                let text = ["timeout", &hold, &why(&status), &last(&status, run)].concat();
                out.failure(place, &Failure::fails(text))?;
            }
            Ok(Some(status)) => {
                let is_new = status.state != State::Run || status.age < PROOF;
                out.late(sign, place, &status, &(why(&status) + &last(&status, run && is_new)))?;
            }
            Ok(None) => out.failure(place, &Failure::gone())?,
            Err(failure) => out.failure(place, &failure)?,
        }
        if order.command.patience != Patience::Kills {
            return Ok(());
        }
        if let Some(mut conn) = Conn::open(place) {
            conn.ask("signal KILL", look::LIMIT);
        } else {
            // That it did not end in time is reported already.
            let _ = files::control(place, "k");
        }
        Ok(())
    }
}
