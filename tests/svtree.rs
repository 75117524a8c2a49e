//! svtree: a tree of services in one process.

mod crowd;
pub(crate) mod harness;
mod kills;
mod needs;
mod places;
mod scan;
mod socket;
mod stop;
mod thousand;
