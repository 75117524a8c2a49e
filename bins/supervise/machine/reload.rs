//! A reload: asked for by a client, or announced by run itself.
//!
//! | stage \ event | `Reload` | ./reload is over | signal sent | `Reloading` | `Ready` | time | stop, death |
//! |---|---|---|---|---|---|---|---|
//! | None | Script or Signal | - | - | Announced | - | - | - |
//! | Script: ./reload runs | again | Proof, or failed | - | noted | - | killed, failed | killed, failed |
//! | Signal: its control script runs or waits | again | - | Proof or Awaited | noted | - | failed | failed |
//! | Proof: run has to live on | again | - | - | Announced | - | done | failed |
//! | Awaited: run has to announce its reload | again | - | - | Announced | - | failed | failed |
//! | Announced: run has to be ready | again | - | - | - | done | failed | failed |
//!
//! *again*: another one follows, once for all who ask meanwhile: what the present one has read may be out of date.
//! *noted*: Announced is next, in place of Proof or Awaited.
//! Where there is no run (Done), ./reload alone reloads, and its end is that of the reload.

use super::{Action, Actions, Death, Machine, Phase, Rules, Script, Timer, after};
use common::signals;
use common::supervise::Control;

/// How a service is reloaded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::supervise) enum Reloading {
    /// By this signal, `reload-signal`: run has to live on, or to end what it announces meanwhile.
    Signal(i32),
    /// By this signal, at which run announces its reload.
    Announced(i32),
    /// By ./reload.
    Script,
}

impl Default for Reloading {
    fn default() -> Self {
        Self::Signal(signals::HUP)
    }
}

/// How far a reload is: see the table above.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Stage {
    #[default]
    None,
    Script,
    Signal(i32),
    Proof,
    Awaited,
    Announced,
}

/// Why a reload has failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::supervise) enum Unreloaded {
    /// ./reload has ended so; none: it could not be started.
    Script(Option<Death>),
    /// The control script of this signal has ended so, and the signal was sent.
    Control(i32, Death),
    /// run has ended so.
    Died(Death),
    /// It is being stopped.
    Stopped,
    /// Its time is over.
    Late,
}

/// The reload that is under way, or the last one.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::supervise) struct Reload {
    stage: Stage,
    how: Reloading,
    /// It was asked for again meanwhile.
    again: bool,
    /// It has failed, but ./reload has not ended yet.
    failing: Option<Unreloaded>,
    /// run has announced that it reloads, and not yet that it is ready.
    announced: bool,
    /// run was paused when it had to have lived on.
    slept: bool,
    /// When ./reload was started, or the signal sent: monotonic, ms.
    since: u64,
    /// How many are over.
    pub(in crate::supervise) done: u64,
    /// Why the last of them has failed, if it has.
    pub(in crate::supervise) failure: Option<Unreloaded>,
}

impl Reload {
    /// Whether one is under way.
    pub(in crate::supervise) fn is_under_way(&self) -> bool {
        self.stage != Stage::None
    }

    /// Whether one is under way that somebody may have asked for.
    pub(in crate::supervise) fn is_awaited(&self) -> bool {
        self.again || !matches!(self.stage, Stage::None | Stage::Announced)
    }

    /// How many are over once what was asked for last is.
    pub(in crate::supervise) fn last(&self) -> u64 {
        self.done + u64::from(self.is_under_way()) + u64::from(self.again)
    }

    /// Whether ./reload runs.
    pub(super) fn is_scripted(&self) -> bool {
        self.stage == Stage::Script
    }

    /// It is over.
    fn over(&mut self, failure: Option<Unreloaded>) {
        (self.done, self.failure) = (self.done + 1, failure);
    }
}

impl Machine {
    /// Somebody asks for a reload.
    pub(super) fn ask_reload(&mut self, now: u64, rules: &Rules, actions: &mut Actions) {
        if self.reload.is_under_way() || self.reload.again {
            self.reload.again = true;
        } else if self.reloads(rules) {
            self.begin_reload(now, rules, actions);
        }
    }

    /// Whether there is something to reload.
    fn reloads(&self, rules: &Rules) -> bool {
        match self.phase {
            Phase::Run => !self.stop_sent && self.scripts.all().all(|script| script != Script::Stop),
            Phase::Done => self.is_done() && rules.reload == Reloading::Script,
            _ => false,
        }
    }

    fn begin_reload(&mut self, now: u64, rules: &Rules, actions: &mut Actions) {
        (self.reload.how, self.reload.since) = (rules.reload, now);
        self.timers.set(Timer::Reload, after(now, rules.timeout_reload));
        match rules.reload {
            Reloading::Script => {
                self.reload.stage = Stage::Script;
                actions.push(Action::StartReload);
            }
            Reloading::Signal(signal) | Reloading::Announced(signal) => {
                self.reload.stage = Stage::Signal(signal);
                self.signal(signal, actions);
                if Control::Signal(signal).letter().is_none() {
                    self.reload_signal_sent(signal, None, now, rules, actions);
                }
            }
        }
    }

    /// A signal was sent, after its control script has ended so; none: there was none.
    pub(super) fn reload_signal_sent(
        &mut self,
        signal: i32,
        script: Option<Death>,
        now: u64,
        rules: &Rules,
        actions: &mut Actions,
    ) {
        if self.reload.stage != Stage::Signal(signal) {
            return;
        }
        match script {
            None => {
                self.reload.since = now;
                self.await_run(now, rules);
            }
            Some(Death::Exit(0)) => self.await_run(now, rules),
            Some(how) => self.end_reload(Some(Unreloaded::Control(signal, how)), now, actions),
        }
    }

    /// ./reload has ended so; none: it could not be started.
    pub(super) fn reload_script_over(
        &mut self,
        how: Option<Death>,
        now: u64,
        rules: &Rules,
        actions: &mut Actions,
    ) {
        let failure = match (self.reload.failing, how) {
            (None, Some(Death::Exit(0))) if self.phase == Phase::Run => return self.await_run(now, rules),
            (None, Some(Death::Exit(0))) => None,
            (None, how) => Some(Unreloaded::Script(how)),
            (failing, _) => failing,
        };
        self.end_reload(failure, now, actions);
    }

    /// What is left is for run to do.
    fn await_run(&mut self, now: u64, rules: &Rules) {
        self.reload.stage = match self.reload.how {
            _ if self.reload.announced => Stage::Announced,
            Reloading::Announced(_) => Stage::Awaited,
            Reloading::Signal(_) | Reloading::Script => {
                self.reload.slept = false;
                self.timers.set(Timer::Proof, now + rules.reload_proof);
                Stage::Proof
            }
        };
    }

    /// run has announced that it reloads; `at`: since when, monotonic, ms, if it has said so. What it has begun before
    /// it was asked to is no answer to that.
    pub(super) fn reload_announced(&mut self, at: Option<u64>, now: u64, rules: &Rules) {
        let is_other = self.reload.is_under_way() && at.is_some_and(|at| at < self.reload.since);
        if self.phase != Phase::Run || is_other {
            return;
        }
        match self.reload.stage {
            Stage::None if self.reload.again => {} // the one that was asked for is due, and has not begun
            Stage::None => {
                self.timers.set(Timer::Reload, after(now, rules.timeout_reload));
                self.reload.stage = Stage::Announced;
            }
            Stage::Proof | Stage::Awaited => {
                self.timers.stop(Timer::Proof);
                self.reload.stage = Stage::Announced;
            }
            Stage::Script | Stage::Signal(_) => self.reload.announced = true,
            Stage::Announced => {}
        }
    }

    /// run has announced that it is ready.
    pub(super) fn reload_ready(&mut self, now: u64, actions: &mut Actions) {
        self.reload.announced = false;
        if self.reload.stage == Stage::Announced {
            self.end_reload(None, now, actions);
        }
    }

    /// It cannot succeed any more. It is over once ./reload is, which is killed.
    pub(super) fn fail_reload(&mut self, why: Unreloaded, now: u64, actions: &mut Actions) {
        if self.reload.failing.is_some() {
            return;
        }
        if self.reload.is_scripted() {
            self.reload.failing = Some(why);
            actions.push(Action::KillReload);
        } else if self.reload.is_under_way() {
            self.end_reload(Some(why), now, actions);
        } else if std::mem::take(&mut self.reload.again) {
            self.timers.stop(Timer::Reload);
            self.reload.over(Some(why));
        }
    }

    fn end_reload(&mut self, failure: Option<Unreloaded>, now: u64, actions: &mut Actions) {
        self.timers.stop(Timer::Reload);
        self.timers.stop(Timer::Proof);
        (self.reload.stage, self.reload.failing, self.reload.announced) = (Stage::None, None, false);
        self.reload.over(failure);
        if matches!(failure, Some(Unreloaded::Script(_) | Unreloaded::Control(..) | Unreloaded::Late)) {
            actions.push(Action::ReportReload);
        }
        match failure {
            _ if !self.reload.again => {}
            Some(Unreloaded::Died(_) | Unreloaded::Stopped) => {
                self.reload.again = false;
                self.reload.over(failure);
            }
            _ => self.timers.set(Timer::Reload, now + 1),
        }
    }

    /// What time leads to.
    pub(super) fn reload_time(&mut self, now: u64, rules: &Rules, actions: &mut Actions) {
        // Paused, it can read nothing, and proves nothing.
        let lives_on = self.reload.stage == Stage::Proof && !self.paused && !self.reload.slept;
        if self.timers.fires(Timer::Proof, now) {
            if lives_on {
                return self.end_reload(None, now, actions);
            }
            self.reload.slept = self.paused;
            self.timers.set(Timer::Proof, now + rules.reload_proof);
        }
        if self.reload.is_under_way() && self.timers.fires(Timer::Reload, now) {
            // A limit that is over before the proof is leaves less to prove.
            if lives_on {
                self.end_reload(None, now, actions);
            } else {
                self.fail_reload(Unreloaded::Late, now, actions);
            }
        }
    }

    /// The reload that was asked for during the last one. What begins it may have to be answered, and so it has a step of
    /// its own.
    pub(super) fn reload_again(&mut self, now: u64, rules: &Rules, actions: &mut Actions) {
        if self.reload.is_under_way() || !self.timers.fires(Timer::Reload, now) {
            return;
        }
        if actions.count > 0 {
            self.timers.set(Timer::Reload, now + 1);
            return;
        }
        self.reload.again = false;
        if self.reloads(rules) {
            self.begin_reload(now, rules, actions);
        } else {
            self.reload.over(Some(Unreloaded::Script(None))); // ./reload is not there any more
        }
    }
}
