//! redirfd.
