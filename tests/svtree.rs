//! svtree: a tree of services in one process.

mod containers;
mod crowd;
pub(crate) mod harness;
mod needs;
mod oci;
mod places;
mod program;
mod scan;
mod socket;
mod stop;
mod surroundings;
mod tini;
