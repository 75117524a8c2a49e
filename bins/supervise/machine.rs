//! The life of one process, as a pure function of events. Its caller carries out the actions.
//!
//! | phase \ event | `Up` | `Down` | `Exit` | `Once` | `Signal` | `Reload` | death | time |
//! |---|---|---|---|---|---|---|---|---|
//! | Down: nothing runs, nothing is due | prepare | want | want, gone | prepare | flags alone | - | - | - |
//! | Wait: a start is due later, or held back | prepare | Down | Down, gone | prepare | flags alone | - | - | prepare |
//! | Prepare: control/u runs before a start | want | Down | Down, gone | want | flags alone | - | - | - |
//! | Run: run runs | want | stop | stop | want | script or signal | reload | finish, else next | KILL |
//! | Finish: finish runs | want | want | want | want | signal | - | next | KILL |
//! | Setup: setup runs | want | end | end | want | signal | - | run, else finish | KILL |
//! | Done: setup has done its work | want | finish | finish | want | flags alone | - | - | - |
//!
//! *prepare* runs control/u and then starts run; while starts are held back ([`Event::Hold`]) it is a Wait that ends
//! with the hold. *want* changes the want alone.
//! Where there is a setup, it runs before run (*run*: [`Action::Run`]); where there is no run besides, the service is
//! Done: up, without a process. *end* is the down signal, then CONT: control scripts are for run. A setup that fails
//! is a run that has failed.
//! *stop* is control/t or else the down signal, then CONT, then control/d (control/x). *next* is Down where
//! the service is not wanted up (and gone where the exit is), Prepare at once, or Wait. *gone* is the end of
//! this process, once no control script runs any more. A script asked for while another runs has to wait its
//! turn, and of two of a kind the last one counts; KILL ends the one that runs and calls off those that wait;
//! a start ends one that was to stop or signal the last run.
//! A supervisor that takes a process over ([`Event::Resume`]) lets the scripts run again that were under way or
//! had to wait ([`Asked`]), with all their consequences: a stop is never lost.
//! A run that is not ready in time is stopped, or taken for ready, as the rules say; one that does not show that it
//! lives gets ABRT, CONT, and KILL in time.
//! *reload* is ./reload, also of what is Done, or else the signal of `reload-signal`, by way of its control script; what
//! follows is in [`reload`]. A stop and a death are the end of it.
//! An action that is answered by an event ([`Action::Try`], [`Action::Start`], [`Action::Finish`]) is the
//! last of its step.

mod reload;
mod rules;
mod scripts;
mod timers;

use common::signals;
use common::supervise::{Control, State};
pub(super) use common::supervise::{Death, Hold, Want};
use reload::Reload;
pub(super) use reload::{Reloading, Unreloaded};
pub(super) use rules::Rules;
pub(super) use scripts::Script;
use scripts::{Scripts, Turn, WAITING};
pub(super) use timers::{Timer, Timers};

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Phase {
    /// Nothing runs and nothing is due.
    #[default]
    Down,
    /// Nothing runs until a time.
    Wait,
    /// control/u runs, or run is about to be started.
    Prepare,
    /// run runs.
    Run,
    /// run has died, and finish runs or is about to be started.
    Finish,
    /// setup runs.
    Setup,
    /// setup has done its work: a start of run is under way or due, or there is no run, and this is all.
    Done,
}

impl Phase {
    /// What of it clients see.
    pub(super) fn state(self) -> State {
        match self {
            Self::Down | Self::Wait | Self::Prepare => State::Down,
            Self::Run => State::Run,
            Self::Finish => State::Finish,
            Self::Setup => State::Setup,
            Self::Done => State::Done,
        }
    }
}

/// How often a process is to run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Runs {
    /// As long as it is wanted up.
    #[default]
    Asked,
    /// Once, and then it is over of itself: it was not stopped.
    Once,
}

/// What becomes of a start that is due.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Starts {
    /// It happens.
    #[default]
    Free,
    /// It waits: something that the service needs is not ready.
    HeldBack,
}

/// An event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Event {
    /// Somebody asks for something. A restart is a stop of a process that runs, and up in any case.
    Control(Control),
    /// The control script tried is over, and how it has ended; none: there was none, or it could not be started.
    Script(Option<Death>),
    /// The same for ./reload.
    ReloadScript(Option<Death>),
    /// run has announced that it reloads; since when, monotonic, ms, if it has said so.
    Reloading(Option<u64>),
    /// run was started, or finish.
    Started(u32),
    /// setup was started.
    SetupStarted(u32),
    /// There is no run: setup was all.
    NoRun,
    /// run has announced that it is ready.
    Ready,
    /// It could not be started: no memory, or too many processes.
    NotStarted,
    /// There is no finish.
    NoFinish,
    /// finish is to be asked for again at this time: what run left behind comes first.
    Later(u64),
    /// The process died.
    Died(Death),
    /// Time has passed.
    Time,
    /// Starts are held back from now on: something that the service needs is not ready. What runs goes on.
    Hold,
    /// They are not held back any longer.
    Release,
    /// Another supervisor has taken the process over, run, finish or setup, with these commands unfinished.
    Resume(Asked),
}

/// The commands to a process that are not done yet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Asked {
    /// When KILL follows: monotonic, ms; [`FROM_NOW`]: the time limit starts now.
    pub(super) kill_at: Option<u64>,
    /// The control scripts that are under way or have to wait, in their order.
    pub(super) scripts: [Option<Script>; WAITING + 1],
}

/// See [`Asked`].
pub(super) const FROM_NOW: u64 = u64::MAX;

/// An action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action {
    /// Run a control script, if it is there: answered by [`Event::Script`].
    Try(Script),
    /// Kill the control script that runs.
    KillScript,
    /// Start ./reload: answered by [`Event::ReloadScript`] where it could not be started.
    StartReload,
    /// Kill ./reload, which runs.
    KillReload,
    /// Start setup, or run if there is none: answered by [`Event::SetupStarted`], [`Event::Started`] or
    /// [`Event::NotStarted`].
    Start,
    /// Start run, after its setup: answered by [`Event::Started`], [`Event::NotStarted`] or [`Event::NoRun`].
    Run,
    /// Report the death of run or setup, and what follows, in the log.
    Report,
    /// Start finish: answered by [`Event::Started`], [`Event::NotStarted`], [`Event::NoFinish`] or
    /// [`Event::Later`].
    Finish,
    /// Report in the log that run was not ready in time, and what follows.
    ReportLate,
    /// Report in the log that run has not shown that it lives, and what follows.
    ReportStarved,
    /// Report in the log that the reload has failed.
    ReportReload,
    /// Send a signal to the process.
    Signal(i32),
}

/// What is known of the readiness of a run by its time limit, `timeout-ready`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Readiness {
    /// It has one, or has time left, or there is no limit.
    #[default]
    InTime,
    /// It was not ready in time, which is a failure: it is stopped, and was too short however long it ran.
    Failed,
    /// It was not ready in time, and is taken for ready.
    Excused,
}

/// Why a run ends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Cause {
    /// It is its own matter: it may be a short run.
    #[default]
    Own,
    /// A command has asked for it, by a stop or by TERM, which says nothing about the service.
    Command,
}

/// How long a run that did not show that it lives may take to end at ABRT where there is no `timeout-kill`.
const ABORTING: u64 = 10_000;
/// How long a control script may run, in milliseconds.
pub(super) const SCRIPT_LIMIT: u64 = 30_000;
/// What a run has to last to be started again at once, and the wait of one that does not.
const SECOND: u64 = 1000;

/// The actions after one event, in order.
#[derive(Debug, Default)]
pub(super) struct Actions {
    list: [Option<Action>; 6],
    count: usize,
}

impl Actions {
    fn push(&mut self, action: Action) {
        self.list[self.count] = Some(action);
        self.count += 1;
    }

    /// The actions.
    pub(super) fn iter(&self) -> impl Iterator<Item = Action> + '_ {
        self.list.iter().take(self.count).filter_map(|action| *action)
    }
}

/// One process: the service's or its logger's.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Machine {
    /// Where it is.
    pub(super) phase: Phase,
    /// Its want.
    pub(super) want: Want,
    /// Why it waits, or does not even wait.
    pub(super) hold: Hold,
    /// What becomes of a start that is due.
    pub(super) starts: Starts,
    /// The process that runs, run, finish or setup; 0: none.
    pub(super) pid: u32,
    /// `p` came, and since then neither `c` nor a start.
    pub(super) paused: bool,
    /// The stop signal was sent by us.
    pub(super) stop_sent: bool,
    /// Why run or setup ends.
    pub(super) cause: Cause,
    /// When run or setup was started, or what ran ended: monotonic, ms.
    pub(super) since: u64,
    /// How long run ran.
    pub(super) ran_for: u64,
    /// How run died last, or its setup.
    pub(super) death: Option<Death>,
    /// Short runs in a row, without those that a command has ended.
    pub(super) short_runs: u32,
    /// How often run was started after it had died.
    pub(super) restarts: u32,
    /// What is known of its readiness by its time limit.
    pub(super) readiness: Readiness,
    /// How often run has to show that it lives, as it was started, in milliseconds; 0: never.
    pub(super) watchdog: u64,
    /// Its timers.
    pub(super) timers: Timers,
    /// How often it is to run.
    pub(super) runs: Runs,
    /// The reload that is under way, or the last one.
    pub(super) reload: Reload,
    /// Whether the process is gone: until something else than the exit is wanted.
    pub(super) gone: bool,
    scripts: Scripts,
}

impl Machine {
    /// A process that nothing is known of, wanted up or down.
    #[must_use]
    pub(super) fn new(want: Want) -> Self {
        Self { want, ..Self::default() }
    }

    /// The unfinished commands, for a supervisor that takes the process over.
    #[must_use]
    pub(super) fn asked(&self) -> Asked {
        let mut asked = Asked { kill_at: self.timers.get(Timer::Kill), ..Asked::default() };
        for (place, script) in asked.scripts.iter_mut().zip(self.scripts.all()) {
            *place = Some(script);
        }
        asked
    }

    /// What `event` leads to at `now`, a monotonic time in milliseconds.
    pub(super) fn step(&mut self, event: Event, now: u64, rules: &Rules) -> Actions {
        let mut actions = Actions::default();
        self.apply(event, now, rules, &mut actions);
        let scripted = self.scripts.runs() || self.reload.is_scripted();
        self.gone = self.phase == Phase::Down && self.want == Want::Exit && !scripted;
        actions
    }

    /// When time alone will lead to something.
    #[must_use]
    pub(super) fn deadline(&self) -> Option<u64> {
        self.timers.next()
    }

    /// Whether it is time for a start, or for another try of finish.
    #[must_use]
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.timers.is_due(Timer::Start, now) || self.timers.is_due(Timer::Finish, now)
    }

    /// How run died last, where that was the end of it, and nobody has asked for that end: it was given up, or ran
    /// for once.
    #[must_use]
    pub(super) fn ended(&self) -> Option<Death> {
        let over = self.phase == Phase::Down && !self.scripts.runs();
        self.death.filter(|_| over && (self.hold.gave_up() || self.runs == Runs::Once))
    }

    /// run has shown that it lives.
    pub(super) fn fed(&mut self, now: u64) {
        if self.timers.get(Timer::Watchdog).is_some() {
            self.timers.set(Timer::Watchdog, now.saturating_add(self.watchdog));
        }
    }

    /// Another supervisor has taken over run, which was `ready` or was not. It has the time that is left of its limit
    /// to become ready, and may have shown that it lives while nobody has listened.
    pub(super) fn watch_again(&mut self, ready: bool, now: u64, rules: &Rules) {
        let waits = !ready && self.readiness == Readiness::InTime && !self.stop_sent;
        self.timers.set(Timer::Ready, after(self.since, rules.timeout_ready).filter(|_| waits));
        self.timers.set(Timer::Watchdog, after(now, self.watchdog).filter(|_| !self.stop_sent));
    }

    /// Whether setup has done its work, and there is no run.
    #[must_use]
    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done && self.timers.get(Timer::Start).is_none()
    }

    /// Whether `death` would be that of a setup which has done its work. One that was stopped has not, whatever it
    /// says.
    #[must_use]
    pub(super) fn sets_up(&self, death: Death) -> bool {
        self.phase == Phase::Setup && death == Death::Exit(0) && !self.stop_sent
    }

    /// Whether a start is under way: control/u runs.
    #[must_use]
    pub(super) fn preparing(&self) -> bool {
        self.phase == Phase::Prepare
    }

    /// Whether a start would be under way if it were not held back.
    #[must_use]
    pub(super) fn waits_for_needs(&self) -> bool {
        self.phase == Phase::Wait && self.hold == Hold::Needs
    }

    /// Whether a control script runs, whose exit status decides what follows.
    #[must_use]
    pub(super) fn scripted(&self) -> bool {
        self.scripts.runs()
    }

    /// Whether control/`letter` runs, and the signal is still to come.
    #[must_use]
    pub(super) fn asks(&self, letter: u8) -> bool {
        self.scripts.asks(letter)
    }

    fn apply(&mut self, event: Event, now: u64, rules: &Rules, actions: &mut Actions) {
        match event {
            Event::Control(control) => self.control(control, now, rules, actions),
            Event::Script(how) => self.script_over(how, now, rules, actions),
            Event::ReloadScript(how) => self.reload_script_over(how, now, rules, actions),
            Event::Reloading(at) => self.reload_announced(at, now, rules),
            Event::Started(pid) => self.started(pid, now, rules),
            Event::SetupStarted(pid) => self.setup_started(pid, now, rules),
            Event::NoRun => {
                self.timers.stop(Timer::Start);
                (self.since, self.short_runs) = (now, 0);
            }
            Event::NotStarted => {
                let timer = match self.phase {
                    Phase::Prepare => {
                        self.phase = Phase::Wait;
                        Timer::Start
                    }
                    Phase::Done => Timer::Start,
                    _ => Timer::Finish,
                };
                self.timers.set(timer, now + SECOND);
            }
            Event::NoFinish => self.next(now, rules, actions),
            Event::Later(time) => {
                if self.phase == Phase::Finish && self.pid == 0 {
                    self.timers.set(Timer::Finish, time);
                }
            }
            Event::Died(death) => self.died(death, now, rules, actions),
            Event::Time => self.time(now, rules, actions),
            Event::Ready => {
                self.timers.stop(Timer::Ready);
                if self.readiness == Readiness::Excused {
                    self.readiness = Readiness::InTime;
                }
                self.reload_ready(now, actions);
            }
            Event::Hold => self.starts = Starts::HeldBack,
            Event::Release => {
                self.starts = Starts::Free;
                if self.waits_for_needs() {
                    self.prepare(actions);
                }
            }
            Event::Resume(asked) => self.resume(asked, now, rules, actions),
        }
    }

    /// Goes on with the unfinished commands. A time limit has the time that is left of it, so that no upgrade and no
    /// crash puts the end off; that of a stop whose signal is still to come starts now, so that KILL is not the
    /// first sign of it.
    fn resume(&mut self, asked: Asked, now: u64, rules: &Rules, actions: &mut Actions) {
        let left = |limit| asked.kill_at.and_then(|at| Some(after(now, limit)?.min(at)));
        match self.phase {
            Phase::Run => {
                let from_now = asked.scripts.contains(&Some(Script::Stop)) && !self.stop_sent;
                let limit = if from_now { after(now, rules.timeout_kill) } else { left(rules.timeout_kill) };
                self.timers.set(Timer::Kill, limit);
                let down = self.want == Want::Down;
                let wanted = |script: &Script| script.is_for_signal() || *script == Script::Down && down;
                for script in asked.scripts.into_iter().flatten().filter(wanted) {
                    self.scripts.wait(script);
                }
                self.next_script(actions);
            }
            Phase::Finish => {
                let limit = left(rules.timeout_finish).filter(|_| self.want != Want::Up);
                self.timers.set(Timer::Kill, limit);
                self.limit_finish(now, rules);
            }
            Phase::Setup => {
                let stops = self.stop_sent && rules.timeout_kill != 0;
                let limit = if stops { rules.timeout_kill } else { rules.timeout_setup };
                self.timers.set(Timer::Kill, left(limit));
            }
            _ => {}
        }
    }

    fn control(&mut self, control: Control, now: u64, rules: &Rules, actions: &mut Actions) {
        match control {
            Control::Restart if matches!(self.phase, Phase::Run | Phase::Setup) => {
                self.set_want(Want::Up);
                self.stop(now, rules, actions);
            }
            Control::Restart if self.phase == Phase::Done => {
                self.set_want(Want::Up);
                self.undo(now, actions);
            }
            Control::Up | Control::Restart => self.up(actions),
            Control::Down => self.down(Want::Down, now, rules, actions),
            Control::Exit => self.down(Want::Exit, now, rules, actions),
            Control::Once => {
                self.set_want(Want::Down);
                self.runs = Runs::Once;
                match self.phase {
                    Phase::Down | Phase::Wait => self.prepare(actions),
                    Phase::Prepare | Phase::Run | Phase::Setup | Phase::Done => {}
                    Phase::Finish => self.limit_finish(now, rules),
                }
            }
            Control::Signal(signal) => self.signal(signal, actions),
            Control::Reload => self.ask_reload(now, rules, actions),
        }
    }

    /// A new want lifts the hold; after a hold that gave up the short runs count from 0.
    fn set_want(&mut self, want: Want) {
        if self.hold.gave_up() {
            self.short_runs = 0;
        }
        (self.want, self.hold, self.runs) = (want, Hold::None, Runs::Asked);
    }

    fn up(&mut self, actions: &mut Actions) {
        self.set_want(Want::Up);
        match self.phase {
            Phase::Down | Phase::Wait => self.prepare(actions),
            Phase::Prepare | Phase::Run | Phase::Setup | Phase::Done => {}
            Phase::Finish => self.timers.stop(Timer::Kill),
        }
    }

    fn down(&mut self, want: Want, now: u64, rules: &Rules, actions: &mut Actions) {
        self.set_want(want);
        match self.phase {
            Phase::Down => {}
            Phase::Wait | Phase::Prepare => {
                self.phase = Phase::Down;
                self.timers.stop(Timer::Start);
            }
            Phase::Run | Phase::Setup => self.stop(now, rules, actions),
            Phase::Done => self.undo(now, actions),
            Phase::Finish => self.limit_finish(now, rules),
        }
    }

    fn prepare(&mut self, actions: &mut Actions) {
        self.timers.stop(Timer::Start);
        if self.starts == Starts::HeldBack {
            (self.phase, self.hold) = (Phase::Wait, Hold::Needs);
            return;
        }
        (self.phase, self.hold) = (Phase::Prepare, Hold::None);
        if self.scripts.overtake() {
            actions.push(Action::KillScript);
        }
        self.script(Script::Up, actions);
    }

    /// Starts run after its setup; it stays due until the answer has come.
    fn run(&mut self, now: u64, actions: &mut Actions) {
        self.timers.set(Timer::Start, now + SECOND);
        actions.push(Action::Run);
    }

    /// control/t or the down signal, CONT, control/d or control/x; KILL in time. setup gets the signals alone, and
    /// keeps its own time limit.
    fn stop(&mut self, now: u64, rules: &Rules, actions: &mut Actions) {
        if self.phase == Phase::Setup {
            let limits = [self.timers.get(Timer::Kill), after(now, rules.timeout_kill)];
            self.timers.set(Timer::Kill, limits.into_iter().flatten().min());
            self.stop_sent = true;
            actions.push(Action::Signal(rules.down_signal));
            actions.push(Action::Signal(signals::CONT));
            return;
        }
        self.is_asked_to_end();
        self.timers.stop(Timer::Ready);
        self.timers.stop(Timer::Watchdog);
        self.fail_reload(Unreloaded::Stopped, now, actions);
        // A stop that is asked for again does not put the end off.
        let limit = self.timers.get(Timer::Kill).or_else(|| after(now, rules.timeout_kill));
        self.timers.set(Timer::Kill, limit);
        self.script(Script::Stop, actions);
    }

    /// What setup has done is to be undone: as if a run had ended well.
    fn undo(&mut self, now: u64, actions: &mut Actions) {
        self.fail_reload(Unreloaded::Stopped, now, actions);
        self.timers.stop(Timer::Start);
        (self.ran_for, self.death) = (now.saturating_sub(self.since), Some(Death::Exit(0)));
        self.phase = Phase::Finish;
        actions.push(Action::Finish);
    }

    fn limit_finish(&mut self, now: u64, rules: &Rules) {
        if self.want != Want::Up && self.pid != 0 && self.timers.get(Timer::Kill).is_none() {
            self.timers.set(Timer::Kill, after(now, rules.timeout_finish));
        }
    }

    /// A signal: by way of its control script, if it has a letter.
    fn signal(&mut self, signal: i32, actions: &mut Actions) {
        match signal {
            signals::STOP => self.paused = true,
            signals::CONT => self.paused = false,
            _ => {}
        }
        let scripted = Control::Signal(signal).letter().is_some();
        match self.phase {
            Phase::Run if scripted => self.script(Script::Signal(signal), actions),
            // A script that hangs before a start, or after the end.
            _ if signal == signals::KILL && self.scripts.runs() && self.pid == 0 => {
                actions.push(Action::KillScript);
            }
            Phase::Run | Phase::Finish | Phase::Setup if self.pid != 0 => {
                actions.push(Action::Signal(signal));
            }
            _ => {}
        }
    }

    /// Runs a control script, now or after the one that runs.
    fn script(&mut self, script: Script, actions: &mut Actions) {
        match self.scripts.ask(script) {
            Turn::Now => actions.push(Action::Try(script)),
            Turn::Kill => actions.push(Action::KillScript),
            Turn::Later => {}
        }
    }

    /// A script was started, and has this long to end.
    pub(super) fn script_runs(&mut self, now: u64) {
        if self.scripts.runs() {
            self.timers.set(Timer::Script, now + SCRIPT_LIMIT);
        }
    }

    fn script_over(&mut self, how: Option<Death>, now: u64, rules: &Rules, actions: &mut Actions) {
        let handled = how == Some(Death::Exit(0));
        let Some(ended) = self.scripts.end() else { return };
        self.timers.stop(Timer::Script);
        let alive = self.phase == Phase::Run && !ended.void;
        match ended.script {
            Script::Up if self.phase == Phase::Prepare && !ended.void => {
                actions.push(Action::Start);
                return;
            }
            Script::Up | Script::Down | Script::Exit => {}
            Script::Stop | Script::Signal(signals::TERM) => {
                let stop = ended.script == Script::Stop;
                if alive && !handled {
                    self.stop_sent = true;
                    actions.push(Action::Signal(if stop { rules.down_signal } else { signals::TERM }));
                }
                if alive && (stop || self.want != Want::Up) {
                    actions.push(Action::Signal(signals::CONT));
                }
                // Also where the service was gone before its script was, as after a script that waits for it.
                if !ended.void && !self.scripts.waits(Script::Stop) {
                    match self.want {
                        Want::Up => {}
                        Want::Down => self.scripts.put_first(Script::Down),
                        Want::Exit => self.scripts.put_first(Script::Exit),
                    }
                }
            }
            Script::Signal(signal) => {
                if alive && !handled {
                    actions.push(Action::Signal(signal));
                }
            }
        }
        if let Script::Signal(signal) = ended.script {
            // Another of the kind that waits is that of the reload.
            if alive && !self.scripts.waits(ended.script) {
                self.reload_signal_sent(signal, how, now, rules, actions);
            }
        }
        self.next_script(actions);
    }

    fn next_script(&mut self, actions: &mut Actions) {
        if let Some(script) = self.scripts.next(self.phase == Phase::Prepare) {
            actions.push(Action::Try(script));
        }
    }

    fn started(&mut self, pid: u32, now: u64, rules: &Rules) {
        self.pid = pid;
        self.timers.stop(Timer::Finish);
        match self.phase {
            Phase::Prepare => {
                self.count_start();
                self.run_begins(now, rules);
            }
            Phase::Done => self.run_begins(now, rules),
            _ => {
                self.paused = false;
                self.limit_finish(now, rules);
            }
        }
    }

    fn run_begins(&mut self, now: u64, rules: &Rules) {
        self.begins(Phase::Run, now);
        self.watchdog = rules.watchdog;
        self.timers.set(Timer::Ready, after(now, rules.timeout_ready));
        self.timers.set(Timer::Watchdog, after(now, rules.watchdog));
    }

    fn setup_started(&mut self, pid: u32, now: u64, rules: &Rules) {
        self.pid = pid;
        self.count_start();
        self.begins(Phase::Setup, now);
        self.timers.set(Timer::Kill, after(now, rules.timeout_setup));
    }

    fn count_start(&mut self) {
        self.restarts = self.restarts.saturating_add(u32::from(self.death.is_some()));
    }

    /// run or setup has begun.
    fn begins(&mut self, phase: Phase, now: u64) {
        (self.phase, self.hold, self.since) = (phase, Hold::None, now);
        (self.paused, self.stop_sent, self.readiness) = (false, false, Readiness::InTime);
        self.cause = Cause::Own;
        self.timers.stop(Timer::Start);
        self.timers.stop(Timer::Kill);
    }

    /// A stop or TERM is on its way to run or setup: its end is none of its own, unless it is stopped for a failure.
    fn is_asked_to_end(&mut self) {
        self.cause = if self.readiness == Readiness::Failed { Cause::Own } else { Cause::Command };
    }

    fn died(&mut self, death: Death, now: u64, rules: &Rules, actions: &mut Actions) {
        let sets_up = self.sets_up(death);
        if self.stop_sent {
            self.is_asked_to_end();
        }
        (self.pid, self.stop_sent) = (0, false);
        for timer in [Timer::Kill, Timer::Ready, Timer::Watchdog] {
            self.timers.stop(timer);
        }
        match self.phase {
            Phase::Setup if sets_up => {
                self.phase = Phase::Done;
                self.run(now, actions);
            }
            Phase::Run | Phase::Setup => {
                self.ran_for = now.saturating_sub(self.since);
                self.death = Some(death);
                let short = self.ran_for < rules.reset || self.readiness == Readiness::Failed;
                self.short_runs = match (short, self.cause) {
                    (true, Cause::Own) => self.short_runs.saturating_add(1),
                    (true, Cause::Command) => self.short_runs,
                    (false, _) => 0,
                };
                self.scripts.call_off();
                self.fail_reload(Unreloaded::Died(death), now, actions);
                self.phase = Phase::Finish;
                actions.push(Action::Report);
                actions.push(Action::Finish);
            }
            Phase::Finish => {
                if death == Death::Exit(125) {
                    self.give_up(Hold::FinishGaveUp);
                }
                self.next(now, rules, actions);
            }
            _ => {}
        }
    }

    fn give_up(&mut self, hold: Hold) {
        if self.want == Want::Up {
            self.want = Want::Down;
            self.hold = hold;
        }
    }

    /// When the next start is due after the death of run or setup, in milliseconds; `None`: never. What a command has
    /// ended says nothing about the service: it is neither given up for it nor started later.
    #[must_use]
    pub(super) fn delay(&self, rules: &Rules) -> Option<u64> {
        if rules.max != 0 && self.short_runs >= rules.max && self.cause == Cause::Own {
            return None;
        }
        Some(match rules.delay_count {
            0 if self.ran_for >= SECOND => 0,
            0 => SECOND,
            _ if self.short_runs == 0 || self.cause == Cause::Command => 0,
            count => {
                let nth = usize::try_from(self.short_runs).unwrap_or(count).min(count);
                u64::from(rules.delays[nth - 1])
            }
        })
    }

    /// After run and its finish.
    fn next(&mut self, now: u64, rules: &Rules, actions: &mut Actions) {
        let died = self.since.saturating_add(self.ran_for); // of a record, which may hold anything
        (self.phase, self.since) = (Phase::Down, now);
        for timer in [Timer::Kill, Timer::Start, Timer::Finish] {
            self.timers.stop(timer);
        }
        if self.want != Want::Up {
            return;
        }
        match self.delay(rules).map(|delay| died.saturating_add(delay)) {
            None => self.give_up(Hold::GaveUp),
            Some(due) if due <= now => self.prepare(actions),
            Some(due) => {
                self.phase = Phase::Wait;
                self.timers.set(Timer::Start, due);
                self.hold = if due - now > SECOND { Hold::BackingOff } else { Hold::None };
            }
        }
    }

    /// run has not shown that it lives.
    fn starve(&mut self, now: u64, rules: &Rules, actions: &mut Actions) {
        if self.paused {
            self.timers.set(Timer::Watchdog, after(now, self.watchdog)); // it cannot
            return;
        }
        self.timers.stop(Timer::Ready);
        let limit = if rules.timeout_kill == 0 { ABORTING } else { rules.timeout_kill };
        let limits = [self.timers.get(Timer::Kill), after(now, limit)];
        self.timers.set(Timer::Kill, limits.into_iter().flatten().min());
        actions.push(Action::ReportStarved);
        actions.push(Action::Signal(signals::ABRT));
        actions.push(Action::Signal(signals::CONT));
    }

    fn time(&mut self, now: u64, rules: &Rules, actions: &mut Actions) {
        self.reload_time(now, rules, actions);
        if self.timers.fires(Timer::Kill, now) && self.pid != 0 {
            actions.push(Action::Signal(signals::KILL));
        }
        if self.timers.fires(Timer::Script, now) {
            actions.push(Action::KillScript);
        }
        if self.timers.fires(Timer::Finish, now) && self.phase == Phase::Finish && self.pid == 0 {
            actions.push(Action::Finish);
        }
        if self.timers.fires(Timer::Watchdog, now) {
            self.starve(now, rules, actions);
        }
        match self.phase {
            Phase::Run if self.timers.fires(Timer::Ready, now) => {
                self.readiness = rules.unready;
                actions.push(Action::ReportLate);
                if self.readiness == Readiness::Failed {
                    self.stop(now, rules, actions);
                }
            }
            Phase::Wait if self.timers.fires(Timer::Start, now) => self.prepare(actions),
            Phase::Done if self.timers.fires(Timer::Start, now) => self.run(now, actions),
            _ => {}
        }
        self.reload_again(now, rules, actions);
    }
}

/// The time that is `limit` after `now`; none where there is no limit.
fn after(now: u64, limit: u64) -> Option<u64> {
    (limit != 0).then(|| now.saturating_add(limit))
}

#[cfg(test)]
mod tests;
