//! Whether a run has come up: it is ready, or ./check agrees, or, where neither is there, it lives on.
//!
//! A run that fails at its start must not be called started, and most of those fail within the time that
//! runit's sv lets pass between two looks. So a run that has nothing to say has to live that long; then it is as
//! good as there. One that dies does not end the wait: another may follow, until the time is up.

use std::ops::ControlFlow::{self, Break, Continue};
use std::time::{Duration, Instant};

use common::supervise::key;

use super::check::{Check, NoCheck, Verdict};
use super::command::Goal;
use super::failure::Failure;
use super::json::Value;
use super::order::{Order, Step};
use super::place::Place;
use super::status::{State, Status, Want};

/// How long a run has to live that has no other way to say that it is up: as long as runit's sv waits between
/// two looks.
pub(super) const PROOF: Duration = Duration::from_millis(420);
/// daemontools' supervise takes no notice of anything for this long behind each start, of an end neither.
const BLIND: Duration = Duration::from_secs(1);
/// The least time of a ./check, be the time of the command up or not.
const CHECK: Duration = Duration::from_secs(1);
/// After a ./check that failed, the next one.
const AGAIN: Duration = Duration::from_millis(200);
/// How often the count of short runs is asked for where it is all that is missing: no event reports it.
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

/// The rest of a time; none where it has passed.
fn left(time: Duration, passed: Duration) -> Option<Duration> {
    time.checked_sub(passed).filter(|left| !left.is_zero())
}

/// The runs of a service, as far as they are known.
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
    /// The last ./check has failed.
    refused: bool,
}

/// How a run is watched that may come up.
pub(super) enum Watch {
    /// Until its state changes, or this moment comes.
    Looking(Option<Instant>),
    Checking(Check, Status),
    /// ./check has failed.
    Resting(Instant),
}

impl Runs {
    /// For how long this run lives, by its label or, where a clock was set, at least as long as we see it.
    fn lived(&mut self, status: &Status) -> Duration {
        let run = of(status);
        let since = self.seen.filter(|seen| seen.0 == run).map_or_else(Instant::now, |seen| seen.1);
        self.seen = Some((run, since));
        status.age.max(since.elapsed())
    }

    /// Something runs as it is wanted, and it has come up if it says so, or ./check, or its age.
    pub(super) fn check(&mut self, place: &Place, order: &Order, status: Status) -> ControlFlow<Step, Watch> {
        if !order.command.goal.is_a_run() || status.state != State::Run {
            return Break(Step::Done(status));
        }
        let lived = self.lived(&status);
        let agreed = self.agreed == Some(of(&status));
        if !agreed && !self.unchecked {
            let end = order.end.max(Instant::now() + CHECK);
            match Check::start(place, order.env, end, order.dialect) {
                Ok(check) => return Continue(Watch::Checking(check, status)),
                Err(NoCheck::Later) => return Continue(Watch::Resting(Instant::now() + AGAIN)),
                Err(NoCheck::None) => self.unchecked = true,
            }
        }
        match left(proof(&status, agreed || status.ready == Some(true)), lived) {
            Some(left) => Continue(Watch::Looking(Some(Instant::now() + left))),
            None => Break(Step::Done(status)),
        }
    }

    /// Goes on where a ./check has ended, or a rest; `None` where it has to be waited for. A run to which ./check
    /// agrees has to be there still.
    pub(super) fn go_on(&mut self, watch: &mut Watch) -> Option<Watch> {
        let now = Instant::now();
        match watch {
            Watch::Looking(_) => None,
            Watch::Resting(until) => (now >= *until).then_some(Watch::Looking(Some(*until))),
            Watch::Checking(check, status) => {
                let verdict = check.result()?;
                self.refused = verdict == Verdict::Fails;
                Some(match verdict {
                    Verdict::Works => {
                        self.agreed = Some(of(status));
                        Watch::Looking(Some(now))
                    }
                    Verdict::Fails => Watch::Resting(now + AGAIN),
                })
            }
        }
    }

    /// What a run that is there lacks to have come up, each behind a comma, in the words of svctl alone.
    pub(super) fn missing(&self, goal: Goal, status: &Status) -> String {
        if status.state != State::Run {
            return String::new();
        }
        let mut words = String::new();
        if status.ready == Some(false) {
            words.push_str(", not ready");
        }
        if goal == Goal::AsWanted && status.is_crash_loop() {
            words.push_str(", crash loop");
        }
        if self.refused {
            words.push_str(", ./check fails");
        }
        words
    }

    /// The run that got a signal is to live on.
    pub(super) fn lives_on(&mut self, status: Status) -> ControlFlow<Step, Watch> {
        if status.state != State::Run || self.old != Some(of(&status)) {
            let text = "it did not keep running".to_owned() + &status.last_end();
            return Break(Step::Fail(Failure::fails(text)));
        }
        let lived = self.lived(&status);
        let seen = self.seen.map_or(Duration::ZERO, |(_, since)| since.elapsed());
        match left(PROOF, seen).max(left(proof(&status, true), lived)) {
            Some(left) => Continue(Watch::Looking(Some(Instant::now() + left))),
            None => Break(Step::Done(status)),
        }
    }

    /// Whether the goal is reached in a state that the socket gives, may be yet, or never.
    pub(super) fn judge(&mut self, place: &Place, order: &Order, status: Status) -> ControlFlow<Step, Watch> {
        let goal = order.command.goal;
        if goal == Goal::Reloaded {
            return self.lives_on(status);
        }
        let wanted = status.want == Some(Want::Up) || goal == Goal::Ready;
        let gave_up = status.hold == "gave up";
        if status.state == State::Down && (!wanted || gave_up) {
            return Break(match goal {
                // A service that had given up before the command was not up.
                Goal::Ended if gave_up && self.old.is_none() => Step::Done(status),
                _ if gave_up => Step::Fail(failed_for_good(&status.last_end(), &status.said)),
                _ if goal.is_also_down() => Step::Done(status),
                _ => Step::Fail(Failure::fails("is wanted down".to_owned() + &status.last_end())),
            });
        }
        let old = matches!(goal, Goal::Restarted | Goal::Ended) && self.old == Some(of(&status));
        let runs = status.state.is_up() && !status.term && wanted && !old;
        if !runs || status.ready == Some(false) {
            return Continue(Watch::Looking(None));
        }
        if goal == Goal::AsWanted && status.is_crash_loop() {
            return Continue(Watch::Looking(Some(Instant::now() + CALM)));
        }
        self.check(place, order, status)
    }
}

/// It gave up: `last` is how run ended, and `said` has the file that is the reason.
pub(super) fn failed_for_good(last: &str, said: &Value) -> Failure {
    let why = match said.get(key::REASON).text() {
        "finish" => "its finish exited 125",
        "restart-max" => "it ended too soon too often",
        _ => "it ended too soon too often, or finish said so", // an older supervisor
    };
    let hint = format!("{why}: see more with 'svctl list' and in its log");
    Failure::fails(format!("gave up{last}")).hint(hint)
}
