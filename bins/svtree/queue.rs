//! The timer queue: when the first of any number of slots is due.

use super::ordered::Ordered;

/// A time for each slot that has one: monotonic, in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Queue {
    times: Ordered<(u64, usize), ()>,
}

impl Queue {
    /// Makes a slot due at `time` instead of `before`, at which it was; never, where that is none.
    pub(super) fn set(&mut self, slot: usize, before: &mut Option<u64>, time: Option<u64>) {
        if *before == time {
            return;
        }
        if let Some(before) = *before {
            self.times.remove(&(before, slot));
        }
        if let Some(time) = time {
            self.times.set((time, slot), ());
        }
        *before = time;
    }

    /// When the first slot is due.
    pub(super) fn first(&self) -> Option<u64> {
        self.times.iter().next().map(|((time, _), ())| time)
    }

    /// The slots that are due at `now`, the first of them first.
    pub(super) fn due(&self, now: u64) -> impl Iterator<Item = usize> + '_ {
        let due = self.times.iter().take_while(move |((time, _), ())| *time <= now);
        due.map(|((_, slot), ())| slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_due_in_the_order_of_their_times_and_each_has_one() {
        let mut queue = Queue::default();
        let mut times = [None; 4];
        for (slot, time) in [(0, Some(9)), (1, Some(5)), (2, Some(7)), (3, Some(5)), (0, Some(6)), (2, None)]
        {
            queue.set(slot, &mut times[slot], time);
        }
        assert_eq!(times, [Some(6), Some(5), None, Some(5)]);
        assert_eq!(queue.first(), Some(5));
        let due = |queue: &Queue, now| queue.due(now).collect::<Vec<_>>();
        assert_eq!((due(&queue, 4), due(&queue, 5), due(&queue, 6)), (vec![], vec![1, 3], vec![1, 3, 0]));
        for slot in [1, 3] {
            queue.set(slot, &mut times[slot], None);
        }
        assert_eq!((due(&queue, 9), queue.first()), (vec![0], Some(6)));
    }
}
