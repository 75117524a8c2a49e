//! When to look: a value without system calls. Times are milliseconds since boot.

/// Between two looks at least: so that a flood of events is no flood of looks.
const PAUSE: u64 = 10;
/// After a look that took long the pause is longer: this many times as long as the look, up to [`LONGEST`].
const SHARE: u64 = 4;
/// The longest pause.
pub(super) const LONGEST: u64 = 1000;
/// After which what cannot be watched is looked at again.
pub(super) const POLL: u64 = 5000;

/// When to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    due: Option<u64>,
    poll: Option<u64>,
    /// When the last look began, and until when there is none.
    started: u64,
    rested: u64,
    /// Something has happened that was not looked at yet.
    woken: bool,
}

impl Pace {
    /// At once.
    pub(super) fn at_once(now: u64) -> Self {
        Self { due: Some(now), poll: None, started: now, rested: now, woken: false }
    }

    /// When a look is due.
    pub(super) fn due(&self) -> Option<u64> {
        self.due
    }

    /// When the last look began.
    pub(super) fn started(&self) -> u64 {
        self.started
    }

    /// Whether something has happened for which a look is due.
    pub(super) fn is_woken(&self) -> bool {
        self.woken
    }

    /// Something has happened.
    pub(super) fn wake(&mut self, now: u64) {
        self.woken = true;
        self.at(now);
    }

    /// A look then, or as soon as there may be one.
    pub(super) fn at(&mut self, time: u64) {
        let time = time.max(self.rested);
        self.due = Some(self.due.map_or(time, |due| due.min(time)));
    }

    /// A look at what cannot be watched, unless there is to be one already.
    pub(super) fn poll(&mut self, now: u64) {
        let at = *self.poll.get_or_insert(now + POLL);
        self.at(at);
    }

    /// A look begins; returns whether it is one at what cannot be watched.
    pub(super) fn begin(&mut self, now: u64) -> bool {
        (self.due, self.started) = (None, now);
        let polled = self.poll.take_if(|at| *at <= now).is_some();
        if let Some(at) = self.poll {
            self.at(at);
        }
        if std::mem::take(&mut self.woken) {
            // That a directory is removed which somebody has open is not reported.
            self.at(now + POLL);
        }
        polled
    }

    /// The look is over.
    pub(super) fn end(&mut self, now: u64) {
        let now = now.max(self.started);
        self.rested = now + ((now - self.started) * SHARE).clamp(PAUSE, LONGEST);
        self.due = self.due.map(|due| due.max(self.rested));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_due_at_once_and_after_a_pause_that_grows_with_what_it_took() {
        let mut pace = Pace::at_once(100);
        assert_eq!(pace.due(), Some(100));
        assert!(!pace.begin(100));
        pace.end(101);
        assert_eq!(pace.due(), None);
        pace.wake(102);
        assert_eq!((pace.due(), pace.is_woken()), (Some(111), true));
        assert!(!pace.begin(111));
        pace.end(211);
        assert_eq!((pace.due(), pace.is_woken()), (Some(111 + POLL), false));
        pace.at(212);
        assert_eq!(pace.due(), Some(611));
        pace.begin(700);
        pace.end(9700);
        pace.at(9700);
        assert_eq!(pace.due(), Some(9700 + LONGEST));
    }

    #[test]
    fn a_flood_of_events_does_not_put_off_what_cannot_be_watched() {
        let mut pace = Pace::at_once(0);
        pace.begin(0);
        pace.poll(0);
        pace.end(0);
        for now in (10..POLL).step_by(10) {
            pace.wake(now);
            assert!(!pace.begin(now), "{now}");
            pace.poll(now);
            pace.end(now);
        }
        assert_eq!(pace.due(), Some(POLL));
        assert!(pace.begin(POLL));
    }
}
