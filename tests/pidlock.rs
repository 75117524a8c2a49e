//! pidlock.
