//! envuidgid.
