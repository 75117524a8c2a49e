//! Services that are down for good, and whose loggers read the rest.

use std::collections::VecDeque;

use super::ordered::Ordered;

/// How long what such a service needs waits for its logger, in milliseconds: it may write there. What the service has
/// left behind can keep the log open for ever, and is ended when all services are down.
const PATIENCE: u64 = 500;

/// By slot.
#[derive(Debug, Default)]
pub(super) struct Draining {
    slots: Ordered<usize, ()>,
    /// When patience with each is over: monotonic, ms, in order.
    due: VecDeque<(u64, usize)>,
}

impl Draining {
    /// A service is one of them, or is not.
    pub(super) fn note(&mut self, slot: usize, drains: bool, now: u64) {
        if drains {
            if self.slots.set(slot, ()) {
                self.due.push_back((now.saturating_add(PATIENCE), slot));
            }
        } else if self.slots.remove(&slot) {
            self.due.retain(|(_, other)| *other != slot);
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.slots.count()
    }

    /// The next one with which patience is over; each comes once.
    pub(super) fn next(&mut self, now: u64) -> Option<usize> {
        self.due.front().filter(|(time, _)| *time <= now)?;
        self.due.pop_front().map(|(_, slot)| slot)
    }

    /// When patience with the first is over: monotonic, ms.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.due.front().map(|(time, _)| *time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_with_each_ends_once() {
        let mut draining = Draining::default();
        assert_eq!((draining.deadline(), draining.next(u64::MAX)), (None, None));
        draining.note(7, true, 1000);
        draining.note(3, true, 1100);
        draining.note(7, true, 1200);
        assert_eq!((draining.count(), draining.deadline(), draining.next(1499)), (2, Some(1500), None));
        assert_eq!(
            (draining.next(1500), draining.next(1500), draining.deadline()),
            (Some(7), None, Some(1600))
        );
        // One that is over, or is wanted again, comes no more; there may be another in its slot.
        draining.note(3, false, 1550);
        draining.note(7, false, 1550);
        assert_eq!((draining.count(), draining.deadline()), (0, None));
        draining.note(7, true, 2000);
        assert_eq!((draining.count(), draining.next(2500)), (1, Some(7)));
    }
}
