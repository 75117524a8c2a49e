//! Tests of the graph of needs.

use std::cell::Cell;

thread_local! {
    /// The work so far: see [`super::step`].
    pub(crate) static STEPS: Cell<usize> = const { Cell::new(0) };
}
