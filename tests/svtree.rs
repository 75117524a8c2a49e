//! svtree: a tree of services in one process.

pub(crate) mod harness;
mod crowd;
mod kills;
mod needs;
mod places;
mod scan;
mod socket;
mod stop;
