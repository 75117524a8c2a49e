//! setlock.
