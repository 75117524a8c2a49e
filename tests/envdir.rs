//! envdir.
