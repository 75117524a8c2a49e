//! The life of one process, as a pure function of events: what runs it carries the actions out.
//!
//! | phase \ event | `u` | `d` | `x` | `o` | signal bytes | death | time |
//! |---|---|---|---|---|---|---|---|
//! | Down: nothing runs, nothing is due | prepare | want | want, gone | prepare | flags alone | - | - |
//! | Wait: a start is due later | prepare | Down | Down, gone | prepare | flags alone | - | prepare |
//! | Prepare: control/u runs before a start | want | Down | Down, gone | want | flags alone | - | - |
//! | Run: run runs | want | stop | stop | want | script or signal | finish, else next | KILL |
//! | Finish: finish runs | want | want | want | want | signal | next | KILL |
//!
//! *prepare* runs control/u and then starts run. *want* remembers what is wanted and does nothing else.
//! *stop* is control/t or else the down signal, then CONT, then control/d (control/x). *next* is Down where
//! the service is not wanted up (and gone where the exit is), Prepare at once, or Wait. *gone* is the end of
//! this process, once no control script runs any more. A script asked for while another runs has to wait its
//! turn, and of two of a kind the last one counts; `k` ends the one that runs and calls off those that wait;
//! a start ends one that was to stop or signal what is dead by now.
//! A supervisor that takes a process over ([`Event::Resume`]) lets the scripts run again that were under way or
//! had to wait ([`Asked`]), and what follows from each of them happens: a stop is never lost.
//! An action that is answered by an event ([`Action::Try`], [`Action::Start`], [`Action::Finish`]) is the
//! last of its step.

use common::signals;

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
}

impl Phase {
    /// What of it clients see, as byte 19 of the status: 0 down, 1 run, 2 finish.
    pub(super) fn state(self) -> u8 {
        match self {
            Self::Down | Self::Wait | Self::Prepare => 0,
            Self::Run => 1,
            Self::Finish => 2,
        }
    }

    /// The same in a word.
    pub(super) fn word(self) -> &'static str {
        ["down", "run", "finish"][usize::from(self.state())]
    }
}

/// What its clients want, from that which stops least.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub(super) enum Want {
    /// That it runs, again and again.
    Up,
    /// That it does not run, or not again.
    #[default]
    Down,
    /// That it is down for good, and the supervisor leaves.
    Exit,
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

/// Why a service that is wanted up does not run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Hold {
    /// It does, or is not wanted up.
    #[default]
    None,
    /// The wait for the next start is longer than a second.
    BackingOff,
    /// There were too many short runs.
    GaveUp,
    /// finish said so by its status.
    FinishGaveUp,
}

impl Hold {
    /// Whether it is not even waited for.
    pub(super) fn gave_up(self) -> bool {
        matches!(self, Self::GaveUp | Self::FinishGaveUp)
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Death {
    /// It exited.
    Exit(u8),
    /// A signal killed it; whether its core was dumped.
    Signal(u8, bool),
    /// It could not be executed: the errno.
    Exec(i32),
    /// Nobody knows.
    Unknown,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Event {
    /// A control byte: one of `udoxtkpchaiq12`. Others do nothing.
    Byte(u8),
    /// As `t` for a process that runs, but with the down signal, and as `u`.
    Restart,
    /// A signal that has no byte.
    Signal(i32),
    /// The control script tried is over, or there was none: whether its exit status was 0.
    Script(bool),
    /// run was started, or finish.
    Started(u32),
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
    /// Another supervisor has taken the process over, run or finish, of which this was left to do.
    Resume(Asked),
}

/// What a process was asked for and is not done yet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Asked {
    /// When KILL follows: monotonic, ms; [`ANEW`]: the time limit begins anew.
    pub(super) kill_at: Option<u64>,
    /// The letters of the control scripts that are under way or have to wait, in their order and then zeros; `T`
    /// for that of a stop.
    pub(super) letters: [u8; WAITING + 1],
}

/// See [`Asked`].
pub(super) const ANEW: u64 = u64::MAX;
/// How many scripts may have to wait: one for every signal's letter and a stop's.
const WAITING: usize = 11;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action {
    /// Run control/C, if there is one: answered by [`Event::Script`].
    Try(u8),
    /// Kill the control script that runs.
    KillScript,
    /// Start run: answered by [`Event::Started`] or [`Event::NotStarted`].
    Start,
    /// Tell the log how run died, and what follows.
    Tell,
    /// Start finish: answered by [`Event::Started`], [`Event::NotStarted`], [`Event::NoFinish`] or
    /// [`Event::Later`].
    Finish,
    /// Send a signal to the process.
    Signal(i32),
    /// The process is down for good.
    Gone,
}

/// The files that say how a service is restarted and stopped. Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// `restart-delay`: after the first, second, … short run; none: a second after a run that was shorter.
    pub(super) delays: [u32; 16],
    /// How many delays there are.
    pub(super) delay_count: usize,
    /// `restart-reset`: a run shorter than this is short.
    pub(super) reset: u64,
    /// `restart-max`: so many short runs in a row are too many; 0: never.
    pub(super) max: u32,
    /// `down-signal`.
    pub(super) down_signal: i32,
    /// `timeout-kill`; 0: never.
    pub(super) timeout_kill: u64,
    /// `timeout-finish`; 0: never.
    pub(super) timeout_finish: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            delays: [0; 16],
            delay_count: 0,
            reset: 10_000,
            max: 0,
            down_signal: signals::TERM,
            timeout_kill: 0,
            timeout_finish: 0,
        }
    }
}

/// How long a control script may run, in milliseconds.
pub(super) const SCRIPT_LIMIT: u64 = 30_000;
/// What a run has to last to be started again at once, and the wait of one that does not.
const SECOND: u64 = 1000;

/// What is to be done after one event, in order.
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
    /// What is wanted.
    pub(super) want: Want,
    /// Why it waits, or does not even wait.
    pub(super) hold: Hold,
    /// The process that runs, run or finish; 0: none.
    pub(super) pid: u32,
    /// `p` came, and since then neither `c` nor a start.
    pub(super) paused: bool,
    /// The stop signal was sent by us.
    pub(super) termed: bool,
    /// When run was started, or what ran ended: monotonic, ms.
    pub(super) since: u64,
    /// How long run ran.
    pub(super) lived: u64,
    /// How run died last.
    pub(super) death: Option<Death>,
    /// Short runs in a row.
    pub(super) shorts: u32,
    /// How often run was started after it had died.
    pub(super) restarts: u32,
    /// When the next start is due, in [`Phase::Wait`]; when finish is tried again, in [`Phase::Finish`].
    pub(super) due: Option<u64>,
    /// How often it is to run.
    pub(super) runs: Runs,
    /// Whether the process is gone: until something else than the exit is wanted.
    pub(super) gone: bool,
    kill_at: Option<u64>,
    script: Option<Script>,
    queue: [u8; WAITING],
    queued: usize,
}

#[derive(Clone, Copy, Debug)]
struct Script {
    letter: u8,
    /// It is a part of a stop, whose signal is the down signal.
    stop: bool,
    /// What it was asked for is over or has been overtaken: its status does not matter.
    void: bool,
    kill_at: Option<u64>,
}

/// The signal that a control byte sends.
#[must_use]
pub(super) fn signal(byte: u8) -> Option<i32> {
    Some(match byte {
        b't' => signals::TERM,
        b'k' => signals::KILL,
        b'p' => signals::STOP,
        b'c' => signals::CONT,
        b'h' => signals::HUP,
        b'a' => signals::ALRM,
        b'i' => signals::INT,
        b'q' => signals::QUIT,
        b'1' => signals::USR1,
        b'2' => signals::USR2,
        _ => return None,
    })
}

impl Machine {
    /// A process that nothing is known of, wanted up or down.
    #[must_use]
    pub(super) fn new(want: Want) -> Self {
        Self { want, ..Self::default() }
    }

    /// What is not done yet, for whoever takes the process over.
    #[must_use]
    pub(super) fn asked(&self) -> Asked {
        let mut letters = [0; WAITING + 1];
        let running = self.script.filter(|script| !script.void);
        let running = running.map(|script| if script.stop { b'T' } else { script.letter });
        let all = running.into_iter().chain(self.queue[..self.queued].iter().copied());
        for (place, letter) in letters.iter_mut().zip(all) {
            *place = letter;
        }
        Asked { kill_at: self.kill_at, letters }
    }

    /// What `event` leads to at `now`, a monotonic time in milliseconds.
    pub(super) fn step(&mut self, event: Event, now: u64, rules: &Rules) -> Actions {
        let mut actions = Actions::default();
        self.apply(event, now, rules, &mut actions);
        let gone = self.phase == Phase::Down && self.want == Want::Exit && self.script.is_none();
        if gone && !self.gone {
            actions.push(Action::Gone);
        }
        self.gone = gone;
        actions
    }

    /// When time alone will lead to something.
    #[must_use]
    pub(super) fn deadline(&self) -> Option<u64> {
        [self.due, self.kill_at, self.script.and_then(|script| script.kill_at)].into_iter().flatten().min()
    }

    /// How run died last, where that was the end of it, and nobody has asked for that end: it was given up, or ran
    /// for once.
    #[must_use]
    pub(super) fn ended(&self) -> Option<Death> {
        let over = self.phase == Phase::Down && self.script.is_none();
        self.death.filter(|_| over && (self.hold.gave_up() || self.runs == Runs::Once))
    }

    /// Whether a start is under way: control/u runs.
    #[must_use]
    pub(super) fn preparing(&self) -> bool {
        self.phase == Phase::Prepare
    }

    /// Whether a control script runs, on whose exit status it depends what follows.
    #[must_use]
    pub(super) fn scripted(&self) -> bool {
        self.script.is_some()
    }

    /// Whether control/`letter` runs or has to wait its turn, and the signal is still to come.
    #[must_use]
    pub(super) fn asks(&self, letter: u8) -> bool {
        let runs = self.script.is_some_and(|script| script.letter == letter && !script.void);
        runs || self.queue[..self.queued].contains(&letter)
    }

    fn apply(&mut self, event: Event, now: u64, rules: &Rules, actions: &mut Actions) {
        match event {
            Event::Byte(b'u') => self.up(actions),
            Event::Byte(b'd') => self.down(Want::Down, now, rules, actions),
            Event::Byte(b'x') => self.down(Want::Exit, now, rules, actions),
            Event::Byte(b'o') => {
                self.wants(Want::Down);
                self.runs = Runs::Once;
                match self.phase {
                    Phase::Down | Phase::Wait => self.prepare(actions),
                    Phase::Prepare | Phase::Run => {}
                    Phase::Finish => self.limit_finish(now, rules),
                }
            }
            Event::Byte(byte) => self.byte(byte, actions),
            Event::Signal(signal) => {
                if self.pid != 0 {
                    actions.push(Action::Signal(signal));
                }
            }
            Event::Restart => {
                if self.phase == Phase::Run {
                    self.wants(Want::Up);
                    self.stop(now, rules, actions);
                } else {
                    self.up(actions);
                }
            }
            Event::Script(handled) => self.script_over(handled, rules, actions),
            Event::Started(pid) => self.started(pid, now, rules),
            Event::NotStarted => {
                if self.phase == Phase::Prepare {
                    self.phase = Phase::Wait;
                }
                self.due = Some(now + SECOND);
            }
            Event::NoFinish => self.next(now, rules, actions),
            Event::Later(time) => {
                if self.phase == Phase::Finish && self.pid == 0 {
                    self.due = Some(time);
                }
            }
            Event::Died(death) => self.died(death, now, rules, actions),
            Event::Time => self.time(now, actions),
            Event::Resume(asked) => self.resume(asked, now, rules, actions),
        }
    }

    /// Goes on with what was left to do. A time limit has the time that is left of it, so that no upgrade and no
    /// crash puts the end off; that of a stop whose signal is still to come begins anew, so that KILL is not the
    /// first that the process hears of it.
    fn resume(&mut self, asked: Asked, now: u64, rules: &Rules, actions: &mut Actions) {
        let left = |limit| asked.kill_at.and_then(|at| Some(after(now, limit)?.min(at)));
        match self.phase {
            Phase::Run => {
                self.kill_at = left(rules.timeout_kill);
                if asked.letters.contains(&b'T') && !self.termed {
                    self.kill_at = after(now, rules.timeout_kill);
                }
                let down = self.want == Want::Down;
                let wanted =
                    |letter: &u8| signal(letter.to_ascii_lowercase()).is_some() || *letter == b'd' && down;
                for letter in asked.letters.into_iter().filter(wanted) {
                    self.enqueue(letter);
                }
                self.next_script(actions);
            }
            Phase::Finish => {
                self.kill_at = left(rules.timeout_finish).filter(|_| self.want != Want::Up);
                self.limit_finish(now, rules);
            }
            _ => {}
        }
    }

    /// A new want ends what holds the service back; one that gave up begins to count anew.
    fn wants(&mut self, want: Want) {
        if self.hold.gave_up() {
            self.shorts = 0;
        }
        (self.want, self.hold, self.runs) = (want, Hold::None, Runs::Asked);
    }

    fn up(&mut self, actions: &mut Actions) {
        self.wants(Want::Up);
        match self.phase {
            Phase::Down | Phase::Wait => self.prepare(actions),
            Phase::Prepare | Phase::Run => {}
            Phase::Finish => self.kill_at = None,
        }
    }

    fn down(&mut self, want: Want, now: u64, rules: &Rules, actions: &mut Actions) {
        self.wants(want);
        match self.phase {
            Phase::Down => {}
            Phase::Wait | Phase::Prepare => (self.phase, self.due) = (Phase::Down, None),
            Phase::Run => self.stop(now, rules, actions),
            Phase::Finish => self.limit_finish(now, rules),
        }
    }

    fn prepare(&mut self, actions: &mut Actions) {
        self.phase = Phase::Prepare;
        self.due = None;
        // A script that was to stop or signal what is dead by now must not keep the next start.
        if let Some(script) = self.script.as_mut().filter(|script| !b"udx".contains(&script.letter)) {
            if !script.void {
                script.void = true;
                actions.push(Action::KillScript);
            }
        }
        self.hold = Hold::None;
        self.script(b'u', false, actions);
    }

    /// control/t or the down signal, CONT, control/d or control/x; KILL in time.
    fn stop(&mut self, now: u64, rules: &Rules, actions: &mut Actions) {
        // A stop that is asked for again does not put the end off.
        self.kill_at = self.kill_at.or_else(|| after(now, rules.timeout_kill));
        self.script(b't', true, actions);
    }

    fn limit_finish(&mut self, now: u64, rules: &Rules) {
        if self.want != Want::Up && self.pid != 0 && self.kill_at.is_none() {
            self.kill_at = after(now, rules.timeout_finish);
        }
    }

    /// A control byte that sends a signal.
    fn byte(&mut self, byte: u8, actions: &mut Actions) {
        let Some(signal) = signal(byte) else { return };
        match byte {
            b'p' => self.paused = true,
            b'c' => self.paused = false,
            _ => {}
        }
        match self.phase {
            Phase::Run => self.script(byte, false, actions),
            // A script that hangs before a start, or after the end.
            _ if byte == b'k' && self.script.is_some() && self.pid == 0 => actions.push(Action::KillScript),
            Phase::Finish if self.pid != 0 => actions.push(Action::Signal(signal)),
            _ => {}
        }
    }

    /// Runs control/`letter`, now or after the one that runs.
    fn script(&mut self, letter: u8, stop: bool, actions: &mut Actions) {
        let Some(running) = &mut self.script else {
            self.script = Some(Script { letter, stop, void: false, kill_at: None });
            actions.push(Action::Try(letter));
            return;
        };
        if letter == b'u' && running.letter == b'u' {
            return; // that of a start that was called off and is wanted again
        }
        if letter == b'k' {
            actions.push(Action::KillScript);
            if running.letter == b'k' {
                return; // KILL follows, as after any script that fails
            }
            running.void = true;
            self.queued = 0;
        }
        // A stop is remembered by a letter of its own: the signal that follows is another.
        self.enqueue(if stop { b'T' } else { letter });
    }

    fn enqueue(&mut self, letter: u8) {
        // The last of its kind counts: after `p`, `c` and `p` the process has to be stopped.
        if let Some(at) = self.queue[..self.queued].iter().position(|other| *other == letter) {
            self.queue.copy_within(at + 1..self.queued, at);
            self.queued -= 1;
        }
        if self.queued < self.queue.len() {
            self.queue[self.queued] = letter;
            self.queued += 1;
        }
    }

    /// A script was started, and may run for so long.
    pub(super) fn script_runs(&mut self, now: u64) {
        if let Some(script) = &mut self.script {
            script.kill_at = Some(now + SCRIPT_LIMIT);
        }
    }

    fn script_over(&mut self, handled: bool, rules: &Rules, actions: &mut Actions) {
        let Some(script) = self.script.take() else { return };
        let alive = self.phase == Phase::Run && !script.void;
        match script.letter {
            b'u' => {
                if self.phase == Phase::Prepare && !script.void {
                    actions.push(Action::Start);
                    return;
                }
            }
            b't' => {
                let wanted_down = self.want != Want::Up;
                if alive {
                    if !handled {
                        self.termed = true;
                        actions.push(Action::Signal(if script.stop {
                            rules.down_signal
                        } else {
                            signals::TERM
                        }));
                    }
                    if script.stop || wanted_down {
                        actions.push(Action::Signal(signals::CONT));
                    }
                }
                // Also where the service was gone before its script was, as after a script that waits for it.
                let again = self.queue[..self.queued].contains(&b'T');
                if wanted_down && !script.void && !again && self.queued < self.queue.len() {
                    let letter = if self.want == Want::Exit { b'x' } else { b'd' };
                    self.queue.copy_within(..self.queued, 1);
                    self.queue[0] = letter;
                    self.queued += 1;
                }
            }
            letter => {
                if let Some(signal) = signal(letter).filter(|_| alive && !handled) {
                    actions.push(Action::Signal(signal));
                }
            }
        }
        self.next_script(actions);
    }

    fn next_script(&mut self, actions: &mut Actions) {
        while self.queued > 0 && self.script.is_none() {
            let letter = self.queue[0];
            self.queue.copy_within(1..self.queued, 0);
            self.queued -= 1;
            match letter {
                b'T' => self.script(b't', true, actions),
                b'u' if self.phase != Phase::Prepare => {} // the start was called off
                letter => self.script(letter, false, actions),
            }
        }
    }

    fn started(&mut self, pid: u32, now: u64, rules: &Rules) {
        self.pid = pid;
        self.due = None;
        if self.phase == Phase::Prepare {
            self.restarts = self.restarts.saturating_add(u32::from(self.death.is_some()));
            (self.phase, self.hold, self.since) = (Phase::Run, Hold::None, now);
            (self.paused, self.termed, self.kill_at) = (false, false, None);
        } else {
            self.paused = false;
            self.limit_finish(now, rules);
        }
    }

    fn died(&mut self, death: Death, now: u64, rules: &Rules, actions: &mut Actions) {
        self.pid = 0;
        (self.kill_at, self.termed) = (None, false);
        match self.phase {
            Phase::Run => {
                self.lived = now.saturating_sub(self.since);
                self.death = Some(death);
                self.shorts = if self.lived < rules.reset { self.shorts.saturating_add(1) } else { 0 };
                self.queued = 0;
                self.phase = Phase::Finish;
                actions.push(Action::Tell);
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

    /// When the next start is due after the death of run, in milliseconds; `None`: never.
    #[must_use]
    pub(super) fn delay(&self, rules: &Rules) -> Option<u64> {
        if rules.max != 0 && self.shorts >= rules.max {
            return None;
        }
        Some(match rules.delay_count {
            0 if self.lived >= SECOND => 0,
            0 => SECOND,
            _ if self.shorts == 0 => 0,
            count => {
                let nth = usize::try_from(self.shorts).unwrap_or(count).min(count);
                u64::from(rules.delays[nth - 1])
            }
        })
    }

    /// After run and its finish.
    fn next(&mut self, now: u64, rules: &Rules, actions: &mut Actions) {
        let died = self.since.saturating_add(self.lived); // of a record, which may hold anything
        (self.phase, self.since, self.kill_at, self.due) = (Phase::Down, now, None, None);
        if self.want != Want::Up {
            return;
        }
        match self.delay(rules).map(|delay| died.saturating_add(delay)) {
            None => self.give_up(Hold::GaveUp),
            Some(due) if due <= now => self.prepare(actions),
            Some(due) => {
                self.phase = Phase::Wait;
                self.due = Some(due);
                self.hold = if due - now > SECOND { Hold::BackingOff } else { Hold::None };
            }
        }
    }

    fn time(&mut self, now: u64, actions: &mut Actions) {
        let over = |time: Option<u64>| time.is_some_and(|time| time <= now);
        if over(self.kill_at) {
            self.kill_at = None;
            if self.pid != 0 {
                actions.push(Action::Signal(signals::KILL));
            }
        }
        if let Some(script) = self.script.as_mut().filter(|script| over(script.kill_at)) {
            script.kill_at = None;
            actions.push(Action::KillScript);
        }
        if over(self.due) {
            self.due = None;
            match self.phase {
                Phase::Wait => self.prepare(actions),
                Phase::Finish if self.pid == 0 => actions.push(Action::Finish),
                _ => {}
            }
        }
    }
}

/// The time that is `limit` after `now`; none where there is no limit.
fn after(now: u64, limit: u64) -> Option<u64> {
    (limit != 0).then(|| now.saturating_add(limit))
}

#[cfg(test)]
mod tests;
