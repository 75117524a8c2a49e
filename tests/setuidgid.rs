//! setuidgid.
