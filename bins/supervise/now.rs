//! The time as a value: read once per wake-up, and again after what may have taken long.

use common::clock;

/// Wall clock time: seconds since 1970, and nanoseconds.
pub(crate) type Wall = (u64, u32);

/// A moment, on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Now {
    /// Milliseconds since boot, `CLOCK_MONOTONIC`.
    pub(crate) monotonic: u64,
    /// `CLOCK_REALTIME`.
    pub(crate) wall: Wall,
}

impl Now {
    /// Reads both clocks.
    pub(crate) fn read() -> Self {
        Self { monotonic: clock::monotonic(), wall: clock::wall() }
    }
}
