//! softlimit.
