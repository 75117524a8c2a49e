//! Whether a run has come up: it is ready, or ./check agrees, or, where neither is there, it lives on.
//!
//! What fails at its start must not be called started, and most of what fails does so within the time that
//! runit's sv lets pass between two looks. So a run that has nothing to say has to live for so long; then it
//! is as good as there. One that dies is no end of the wait: another may follow, until the time is up.

use std::time::{Duration, Instant};

use super::{AGAIN, Conn, Goal, Job, Order, Stage, Step, TICK, Way};
use crate::svctl::check::{Check, NoCheck};
use crate::svctl::json::Value;
use crate::svctl::look::LIMIT;
use crate::svctl::socket::Received;
use crate::svctl::status::{State, Status, Want};
use crate::svctl::trouble::Trouble;

/// How long run has to live that has no other way to say that it is up: as long as runit's sv waits between
/// two looks.
pub(in crate::svctl) const PROOF: Duration = Duration::from_millis(420);
/// daemontools' supervise takes no notice of anything for so long behind each start, of an end neither.
const BLIND: Duration = Duration::from_secs(1);
/// What a ./check gets at least, be the time up or not.
const CHECK: Duration = Duration::from_secs(1);
/// How many lines of a supervisor are read though the time is up: who talks without end must not stop it.
const LATE: usize = 1000;
/// How often the count of short runs is asked for where it is all that is missing: no event tells of it.
const CALM: Duration = Duration::from_millis(500);

/// One run among others: the process, and since when it runs.
pub(super) type Run = (u32, [u8; 12]);

/// Which run it is.
pub(super) fn of(status: &Status) -> Run {
    (status.pid, status.label)
}

/// For how long it has to live to have come up; `said` is whether there is a word for that, its own or that of
/// ./check.
fn proof(status: &Status, said: bool) -> Duration {
    match (status.daemontools, said) {
        (true, _) => BLIND + PROOF, // before, what has died is shown as alive
        (false, true) => Duration::ZERO,
        (false, false) => PROOF,
    }
}

/// What is left of a time; none where nothing is.
fn left(time: Duration, passed: Duration) -> Option<Duration> {
    time.checked_sub(passed).filter(|left| !left.is_zero())
}

/// What is known of the runs of a service.
#[derive(Default)]
pub(super) struct Runs {
    /// Before the command.
    pub(super) old: Option<Run>,
    /// The last one seen, and since when.
    seen: Option<(Run, Instant)>,
    /// ./check has agreed to this one.
    agreed: Option<Run>,
    /// There is no ./check, or none that can be run.
    unchecked: bool,
    /// How many lines were read when the time was up.
    late: usize,
}

impl Runs {
    /// For how long this run lives, by its label or, where a clock was set, at least as long as we see it.
    fn lived(&mut self, status: &Status) -> Duration {
        let run = of(status);
        let since = self.seen.filter(|seen| seen.0 == run).map_or_else(Instant::now, |seen| seen.1);
        self.seen = Some((run, since));
        status.age.max(since.elapsed())
    }
}

impl Job {
    /// Something runs as it is wanted, and it has come up if it says so, or ./check, or its age.
    pub(super) fn check(&mut self, order: &Order, way: Way, status: Status) -> Step {
        if !order.deed.goal.is_a_run() || status.state != State::Run {
            return Step::Done(status);
        }
        let lived = self.runs.lived(&status);
        let agreed = self.runs.agreed == Some(of(&status));
        if !agreed && !self.runs.unchecked {
            if order.names.enter(self.name).is_err() {
                return Step::Fail(Trouble::gone());
            }
            let end = order.end.max(Instant::now() + CHECK);
            match Check::start(self.name, order.env, end, order.runit) {
                Ok(check) => return Step::On(way, Stage::Checking(check, status)),
                Err(NoCheck::Later) => return Step::On(way, Stage::Resting(Instant::now() + AGAIN)),
                Err(NoCheck::None) => self.runs.unchecked = true,
            }
        }
        match left(proof(&status, agreed || status.ready == Some(true)), lived) {
            Some(left) => Step::On(way, Stage::Looking(Some(Instant::now() + left))),
            None => Step::Done(status),
        }
    }

    /// ./check may have said what it thinks of a run. If it agrees, that run has to be there still.
    pub(super) fn checking(&mut self, way: Way, mut check: Check, status: Status) -> Step {
        match check.result() {
            None => self.keep(way, Stage::Checking(check, status)),
            Some(true) => {
                self.runs.agreed = Some(of(&status));
                Step::On(way, Stage::Looking(Some(Instant::now())))
            }
            Some(false) => Step::On(way, Stage::Resting(Instant::now() + AGAIN)),
        }
    }

    /// The run that got a signal is to live on.
    pub(super) fn told(&mut self, way: Way, status: Status) -> Step {
        if status.state != State::Run || self.runs.old != Some(of(&status)) {
            let text = "it did not live on".to_owned() + &status.last_end();
            return Step::Fail(Trouble::fails(text, None));
        }
        let lived = self.runs.lived(&status);
        let seen = self.runs.seen.map_or(Duration::ZERO, |(_, since)| since.elapsed());
        match left(PROOF, seen).max(left(proof(&status, true), lived)) {
            Some(left) => Step::On(way, Stage::Looking(Some(Instant::now() + left))),
            None => Step::Done(status),
        }
    }

    /// Waits for what the supervisor says of the service: the first line is its state, and each later one
    /// tells that it is another. So no change is missed, and none is looked for in vain.
    pub(super) fn watch(&mut self, order: &Order, mut bell: Conn, until: Option<Instant>) -> Step {
        let mut rings = until.is_some_and(|until| Instant::now() >= until);
        let mut state = None;
        loop {
            if self.runs.late >= LATE {
                return self.keep(Way::Socket(bell), Stage::Looking(until)); // the time is up
            }
            self.runs.late += usize::from(Instant::now() >= order.end);
            match bell.receive() {
                Received::Nothing => break,
                Received::End | Received::Unread => return self.ask_again(order),
                Received::Line(line) => match Status::from_json(&line) {
                    Some(status) => state = Some(status),
                    None if Value::parse(&line).is_some_and(|line| line.get("event").text() != "") => {
                        rings = true;
                    }
                    None => return Step::Fail(super::socket::refused(&line)),
                },
            }
        }
        match state {
            _ if rings => {} // it is another by now, or may be
            Some(status) => return self.judge(order, bell, status),
            None => return self.keep(Way::Socket(bell), Stage::Looking(until)),
        }
        let Some(mut conn) = Conn::open(order.names, self.name) else {
            return self.keep(Way::Socket(bell), Stage::Looking(Some(Instant::now() + TICK)));
        };
        conn.send("status");
        Step::On(Way::Socket(bell), Stage::Asking(conn, Instant::now() + LIMIT))
    }

    /// The state after a change.
    pub(super) fn asking(&mut self, order: &Order, bell: Conn, mut conn: Conn, until: Instant) -> Step {
        match conn.receive() {
            Received::Nothing => self.keep(Way::Socket(bell), Stage::Asking(conn, until)),
            // There was no place for a second connection. The first takes one too, and others may wait for ours
            // as we for theirs: leave it.
            Received::End | Received::Unread => self.ask_again(order),
            Received::Line(line) => match Status::from_json(&line) {
                Some(status) => self.judge(order, bell, status),
                None => Step::Fail(super::socket::refused(&line)),
            },
        }
    }

    /// Whether the goal is reached in this state, may be yet, or never.
    pub(super) fn judge(&mut self, order: &Order, bell: Conn, status: Status) -> Step {
        let goal = order.deed.goal;
        if goal == Goal::Reloaded {
            return self.told(Way::Socket(bell), status);
        }
        let wanted = status.want == Some(Want::Up) || goal == Goal::Ready;
        let gave_up = status.hold == "gave up";
        if status.state == State::Down && (!wanted || gave_up) {
            return match goal {
                // What had given up before the command was not up.
                Goal::Ended if gave_up && self.runs.old.is_none() => Step::Done(status),
                _ if gave_up => Step::Fail(super::socket::gave_up(&status.last_end(), &status.json)),
                _ if goal.is_also_down() => Step::Done(status),
                _ => Step::Fail(Trouble::fails("is wanted down".to_owned() + &status.last_end(), None)),
            };
        }
        let old = matches!(goal, Goal::Restarted | Goal::Ended) && self.runs.old == Some(of(&status));
        let runs = status.state == State::Run && !status.term && wanted && !old;
        if !runs || status.ready == Some(false) {
            return Step::On(Way::Socket(bell), Stage::Looking(None));
        }
        if goal == Goal::AsWanted && status.is_crash_loop() {
            return Step::On(Way::Socket(bell), Stage::Looking(Some(Instant::now() + CALM)));
        }
        self.check(order, Way::Socket(bell), status)
    }
}
