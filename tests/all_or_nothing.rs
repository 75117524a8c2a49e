//! all_or_nothing.
