//! umask.
