//! transparency.
