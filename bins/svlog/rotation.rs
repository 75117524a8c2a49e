//! When `current` is rotated.

use super::lines::Place;

/// The next rotation but for those that the size demands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rotation {
    /// Then: monotonic, ms; or never.
    At(Option<u64>),
    /// At the end of the line, or of the batch.
    Late,
}

impl Rotation {
    /// When `current` is older than `age` milliseconds; 0: never.
    pub(super) fn by_age(age: u64, now: u64) -> Self {
        Self::At((age > 0).then(|| now.saturating_add(age)))
    }

    /// Not before `then`.
    pub(super) fn postponed(self, then: u64) -> Self {
        match self {
            Self::At(due) => Self::At(due.map(|due| due.max(then))),
            Self::Late => Self::Late,
        }
    }

    pub(super) fn due(self) -> Option<u64> {
        match self {
            Self::At(due) => due,
            Self::Late => None,
        }
    }

    pub(super) fn is_late(self) -> bool {
        matches!(self, Self::Late)
    }
}

/// The sizes at which `current` is rotated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The size in bytes that it is to have at most; 0: any.
    pub(super) size: u64,
    /// How close to that is close enough.
    pub(super) margin: u64,
}

impl Limits {
    /// Whether a rotation is due at this size: at the end of a line, or in one that alone is longer than
    /// `current` may be.
    pub(super) fn is_enough(self, size: u64, line: Place) -> bool {
        let Self { size: max, margin } = self;
        if line.within {
            return max > 0 && line.length >= max;
        }
        max > 0 && (size >= max || max >= margin && size >= max - margin)
    }

    /// Whether it is due before a batch is written.
    pub(super) fn is_overdue(self, size: u64, line: Place) -> bool {
        self.size > 0 && size >= self.size && (!line.within || line.length >= self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_enough_close_to_the_maximum_or_where_one_line_has_passed_it() {
        let line = |length| Place { within: true, selected: true, length };
        let none = Place::default();
        for (max, size, place, enough, overdue) in [
            (0, u64::MAX, none, false, false),
            (0, 9, line(9), false, false),
            (100, 89, none, false, false),
            (100, 90, none, true, false),
            (100, 100, none, true, true),
            (5, 4, none, false, false),
            (5, 5, none, true, true),
            (100, 100, line(50), false, false),
            (100, 100, line(100), true, true),
            (100, 20, line(100), true, false),
        ] {
            let limits = Limits { size: max, margin: 10 };
            assert_eq!(limits.is_enough(size, place), enough, "{max} {size} {place:?}");
            assert_eq!(limits.is_overdue(size, place), overdue, "{max} {size} {place:?}");
        }
    }

    #[test]
    fn a_rotation_that_waits_for_the_end_of_a_line_has_no_time() {
        assert_eq!((Rotation::by_age(0, 7).due(), Rotation::by_age(3, 7).due()), (None, Some(10)));
        assert_eq!(Rotation::by_age(3, 7).postponed(20).due(), Some(20));
        assert_eq!(Rotation::by_age(3, 7).postponed(2).due(), Some(10));
        assert!(Rotation::Late.postponed(20).is_late() && Rotation::Late.due().is_none());
    }
}
