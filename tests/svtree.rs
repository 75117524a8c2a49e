//! svtree: a tree of services in one process.

mod containers;
pub(crate) mod harness;
mod scan;
