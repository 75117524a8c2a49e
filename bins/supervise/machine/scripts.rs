//! The control scripts of a process: one runs, and others wait for their turn.

use common::signals;
use common::supervise::Control;

/// A control script, by its reason.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::supervise) enum Script {
    /// control/u, before a start.
    Up,
    /// control/t, as a part of a stop: the signal that follows is the down signal.
    Stop,
    /// control/d, at the end of a stop.
    Down,
    /// control/x, likewise.
    Exit,
    /// That of the letter that sends this signal.
    Signal(i32),
}

impl Script {
    /// The command that it has its name from.
    fn control(self) -> Control {
        match self {
            Self::Up => Control::Up,
            Self::Stop => Control::Signal(signals::TERM),
            Self::Down => Control::Down,
            Self::Exit => Control::Exit,
            Self::Signal(signal) => Control::Signal(signal),
        }
    }

    /// The letter that is its name in `control`; 0 where no letter sends the signal.
    pub(in crate::supervise) fn letter(self) -> u8 {
        self.control().letter().unwrap_or(0)
    }

    /// Its sign in a record: its letter, or `T` for a stop, whose letter is that of another.
    pub(in crate::supervise) fn sign(self) -> u8 {
        if self == Self::Stop { b'T' } else { self.letter() }
    }

    /// The script with this sign.
    pub(in crate::supervise) fn from_sign(sign: u8) -> Option<Self> {
        if sign == b'T' {
            return Some(Self::Stop);
        }
        match Control::from_letter(sign)? {
            Control::Up => Some(Self::Up),
            Control::Down => Some(Self::Down),
            Control::Exit => Some(Self::Exit),
            Control::Signal(signal) => Some(Self::Signal(signal)),
            Control::Once | Control::Restart => None,
        }
    }

    /// Whether it is for a process that runs, and in place of a signal.
    pub(in crate::supervise) fn is_for_signal(self) -> bool {
        matches!(self, Self::Stop | Self::Signal(_))
    }
}

/// How many scripts may have to wait: one for every signal that has a letter, and that of a stop.
pub(super) const WAITING: usize = 11;

const KILL: Script = Script::Signal(signals::KILL);

/// The turn of a script that is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Turn {
    /// It runs now.
    Now,
    /// It waits, or does not run at all.
    Later,
    /// It waits for the end of the one that runs, which has to be killed.
    Kill,
}

/// The script that runs and those that wait. Of two of a kind that wait the last one counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scripts {
    running: Option<Running>,
    waiting: Queue<WAITING>,
}

/// The script that runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Running {
    pub(super) script: Script,
    /// Its reason is over or has been overtaken: its status does not matter.
    pub(super) void: bool,
}

impl Scripts {
    /// Asks for a script: it runs now, or after the one that runs.
    pub(super) fn ask(&mut self, script: Script) -> Turn {
        let Some(running) = &mut self.running else {
            self.running = Some(Running { script, void: false });
            return Turn::Now;
        };
        if script == Script::Up && running.script == Script::Up {
            return Turn::Later; // that of a start that was called off and is wanted again
        }
        if script != KILL {
            // After pause, continue and pause the process has to be paused.
            self.waiting.push(script);
            return Turn::Later;
        }
        // Of a control/k that is killed the failure is followed by KILL, as of any script.
        if running.script != KILL {
            running.void = true;
            self.waiting = Queue::default();
            self.waiting.push(script);
        }
        Turn::Kill
    }

    /// Lets a script wait for its turn.
    pub(super) fn wait(&mut self, script: Script) {
        self.waiting.push(script);
    }

    /// The script that runs and is not overtaken, and those that wait, in order.
    pub(super) fn all(&self) -> impl Iterator<Item = Script> + '_ {
        let running = self.running.filter(|running| !running.void).map(|running| running.script);
        running.into_iter().chain(self.waiting.iter())
    }

    /// The script that runs is over; nothing where none did.
    pub(super) fn end(&mut self) -> Option<Running> {
        self.running.take()
    }

    /// The script whose turn it is; `starts`: a start is still wanted.
    pub(super) fn next(&mut self, starts: bool) -> Option<Script> {
        while self.running.is_none() {
            let script = self.waiting.pop()?;
            if script != Script::Up || starts {
                self.running = Some(Running { script, void: false });
                return Some(script);
            }
        }
        None
    }

    /// Lets a script have the next turn, if there is room.
    pub(super) fn put_first(&mut self, script: Script) {
        self.waiting.push_first(script);
    }

    /// The next start overtakes a script that was to stop or signal the last run. Whether that has to be killed.
    pub(super) fn overtake(&mut self) -> bool {
        let found = self.running.as_mut().filter(|running| running.script.is_for_signal() && !running.void);
        found.is_some_and(|running| !std::mem::replace(&mut running.void, true))
    }

    /// Nobody is left for those that wait.
    pub(super) fn call_off(&mut self) {
        self.waiting = Queue::default();
    }

    /// Whether a script runs.
    pub(super) fn runs(&self) -> bool {
        self.running.is_some()
    }

    /// Whether this one waits for its turn.
    pub(super) fn waits(&self, script: Script) -> bool {
        self.waiting.contains(script)
    }

    /// Whether none waits.
    #[cfg(test)]
    pub(super) fn none_waits(&self) -> bool {
        self.waiting.iter().next().is_none()
    }

    /// Whether control/`letter` runs and is not overtaken. One that waits does not count: the signal may be asked for by
    /// the script that runs, which waits for the answer.
    pub(super) fn asks(&self, letter: u8) -> bool {
        self.running.is_some_and(|running| running.script.letter() == letter && !running.void)
    }
}

/// At most `N` scripts in a row, in order, by their signs, and 0 behind them. One that does not fit is left out.
#[derive(Clone, Copy, Debug)]
struct Queue<const N: usize>([u8; N]);

impl<const N: usize> Default for Queue<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> Queue<N> {
    fn iter(&self) -> impl Iterator<Item = Script> + '_ {
        self.0.iter().copied().map_while(Script::from_sign)
    }

    fn contains(&self, script: Script) -> bool {
        self.0.contains(&script.sign())
    }

    /// Adds it at the end, instead of where it was.
    fn push(&mut self, script: Script) {
        if let Some(at) = self.0.iter().position(|other| *other == script.sign()) {
            self.take(at);
        }
        if let Some(place) = self.0.iter_mut().find(|place| **place == 0) {
            *place = script.sign();
        }
    }

    fn push_first(&mut self, script: Script) {
        if self.0[N - 1] == 0 {
            self.0.copy_within(..N - 1, 1);
            self.0[0] = script.sign();
        }
    }

    fn pop(&mut self) -> Option<Script> {
        self.take(0)
    }

    fn take(&mut self, at: usize) -> Option<Script> {
        let script = Script::from_sign(self.0[at]);
        self.0.copy_within(at + 1.., at);
        self.0[N - 1] = 0;
        script
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUP: Script = Script::Signal(signals::HUP);
    const TERM: Script = Script::Signal(signals::TERM);

    /// Those that wait, in order.
    fn waiting(scripts: &Scripts) -> Vec<Script> {
        scripts.waiting.iter().collect()
    }

    #[test]
    fn one_runs_and_of_two_of_a_kind_the_last_waits() {
        let mut scripts = Scripts::default();
        assert_eq!(scripts.ask(HUP), Turn::Now);
        for script in [TERM, HUP, Script::Stop, TERM] {
            assert_eq!(scripts.ask(script), Turn::Later);
        }
        assert_eq!(waiting(&scripts), [HUP, Script::Stop, TERM]);
        assert_eq!(scripts.next(false), None);
        assert_eq!(scripts.end(), Some(Running { script: HUP, void: false }));
        assert_eq!(scripts.next(false), Some(HUP));
        assert_eq!(waiting(&scripts), [Script::Stop, TERM]);
    }

    #[test]
    fn kill_ends_what_runs_and_calls_off_what_waits() {
        let mut scripts = Scripts::default();
        scripts.ask(HUP);
        scripts.ask(TERM);
        assert_eq!(scripts.ask(KILL), Turn::Kill);
        assert_eq!(waiting(&scripts), [KILL]);
        assert_eq!(scripts.end(), Some(Running { script: HUP, void: true }));
        assert_eq!(scripts.next(false), Some(KILL));
        assert_eq!((scripts.ask(KILL), scripts.ask(TERM)), (Turn::Kill, Turn::Later));
        assert_eq!(scripts.end(), Some(Running { script: KILL, void: false }));
    }

    #[test]
    fn control_u_runs_once_for_a_start_and_not_for_one_that_was_called_off() {
        let mut scripts = Scripts::default();
        scripts.ask(Script::Up);
        assert_eq!(scripts.ask(Script::Up), Turn::Later);
        assert!(!scripts.overtake(), "a start overtakes what was meant for the last run alone");
        scripts.end();
        assert_eq!(scripts.next(true), None);
        for (starts, next) in [(true, Some(Script::Up)), (false, Some(Script::Down))] {
            scripts.ask(HUP);
            assert_eq!((scripts.overtake(), scripts.overtake()), (true, false));
            scripts.ask(Script::Up);
            scripts.ask(Script::Down);
            scripts.end();
            assert_eq!(scripts.next(starts), next);
            scripts.call_off();
            scripts.end();
        }
    }

    #[test]
    fn a_signal_is_still_to_come_while_its_script_runs_and_is_accepted_while_another_does() {
        let mut scripts = Scripts::default();
        scripts.ask(Script::Stop);
        scripts.ask(HUP);
        assert!(scripts.asks(b't') && !scripts.asks(b'h') && !scripts.asks(b'd'));
        scripts.end();
        scripts.next(false);
        assert!(scripts.asks(b'h') && !scripts.asks(b't'));
        scripts.overtake();
        assert!(!scripts.asks(b'h'));
    }

    #[test]
    fn there_is_room_for_every_signal_and_a_stop() {
        let mut scripts = Scripts::default();
        scripts.ask(HUP);
        let signals = b"tkpchaiq12".map(|letter| match Control::from_letter(letter) {
            Some(Control::Signal(signal)) => Script::Signal(signal),
            other => panic!("{other:?} is no signal"),
        });
        scripts.ask(KILL);
        for script in signals.into_iter().filter(|script| *script != KILL) {
            scripts.ask(script);
        }
        scripts.ask(Script::Stop);
        assert_eq!((waiting(&scripts).len(), waiting(&scripts)[0]), (11, KILL));
        // What does not fit is left out, and nothing else.
        scripts.put_first(Script::Down);
        scripts.ask(Script::Exit);
        assert_eq!((waiting(&scripts)[0], waiting(&scripts)[10]), (KILL, Script::Stop));
        scripts.end();
        scripts.next(false);
        scripts.put_first(Script::Down);
        assert_eq!((waiting(&scripts).len(), waiting(&scripts)[0]), (11, Script::Down));
        assert_eq!(signals.map(Script::letter), *b"tkpchaiq12");
    }

    #[test]
    fn a_script_is_known_by_its_sign_again() {
        for sign in *b"udxTtkpchaiq12" {
            assert_eq!(Script::from_sign(sign).map(Script::sign), Some(sign));
        }
        assert_eq!((0..=255).filter_map(Script::from_sign).count(), 14);
    }
}
