//! svtree: a tree of services in one process.

pub(crate) mod harness;
mod scan;
