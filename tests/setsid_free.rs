//! setsid_free.
