//! svtree: a tree of services in one process.

mod containers;
pub(crate) mod harness;
mod oci;
mod scan;
mod surroundings;
mod tini;
