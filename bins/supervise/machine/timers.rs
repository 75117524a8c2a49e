//! The timers of a process: events that come with time alone.

/// A timer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::supervise) enum Timer {
    /// The next start, in `Wait`.
    Start,
    /// Another try of finish, in `Finish`.
    Finish,
    /// KILL for the process.
    Kill,
    /// The end of the control script.
    Script,
    /// The end of the time in which run has to announce that it is ready.
    Ready,
    /// The end of the time in which run has to show that it lives.
    Watchdog,
}

/// One time for each of them, monotonic, in milliseconds; [`NEVER`] where it is not set.
#[derive(Clone, Copy, Debug)]
pub(in crate::supervise) struct Timers([u64; 6]);

/// No time.
const NEVER: u64 = u64::MAX;

impl Default for Timers {
    fn default() -> Self {
        Self([NEVER; 6])
    }
}

impl Timers {
    /// When it is due.
    pub(in crate::supervise) fn get(&self, timer: Timer) -> Option<u64> {
        Some(self.0[timer as usize]).filter(|time| *time != NEVER)
    }

    /// Makes it due at `time`, instead of any other; never, if that is none.
    pub(in crate::supervise) fn set(&mut self, timer: Timer, time: impl Into<Option<u64>>) {
        self.0[timer as usize] = time.into().unwrap_or(NEVER);
    }

    /// Makes it due never.
    pub(in crate::supervise) fn stop(&mut self, timer: Timer) {
        self.set(timer, None);
    }

    /// Whether it is due.
    pub(in crate::supervise) fn is_due(&self, timer: Timer, now: u64) -> bool {
        self.get(timer).is_some_and(|time| time <= now)
    }

    /// Whether it is due; it is so once.
    pub(super) fn fires(&mut self, timer: Timer, now: u64) -> bool {
        let due = self.is_due(timer, now);
        if due {
            self.stop(timer);
        }
        due
    }

    /// When the first of them is due.
    pub(super) fn next(&self) -> Option<u64> {
        self.0.into_iter().min().filter(|time| *time != NEVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_fires_once_and_the_first_is_the_next() {
        let mut timers = Timers::default();
        assert_eq!(timers.next(), None);
        timers.set(Timer::Kill, 7);
        timers.set(Timer::Script, 5);
        timers.set(Timer::Start, 9);
        timers.stop(Timer::Start);
        assert_eq!(timers.next(), Some(5));
        assert_eq!((timers.fires(Timer::Script, 4), timers.fires(Timer::Script, 5)), (false, true));
        assert_eq!((timers.fires(Timer::Script, 5), timers.fires(Timer::Start, 10)), (false, false));
        assert!(timers.is_due(Timer::Kill, 7) && timers.is_due(Timer::Kill, 8));
        assert_eq!(timers.next(), Some(7));
    }
}
