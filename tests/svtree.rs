//! svtree: a tree of services in one process.

mod containers;
mod crowd;
pub(crate) mod harness;
mod kills;
mod leftovers;
mod needs;
mod oci;
mod places;
mod program;
mod readers;
mod runsvdir;
mod scan;
mod socket;
mod stop;
mod surroundings;
mod svrun;
mod thousand;
mod tini;
mod upgrade;
