//! fdclose.
