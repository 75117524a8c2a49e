//! svtree: a tree of services in one process.

mod crowd;
pub(crate) mod harness;
mod needs;
mod places;
mod scan;
mod socket;
mod stop;
