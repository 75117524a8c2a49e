//! svtree: a tree of services in one process.

mod containers;
mod crowd;
pub(crate) mod harness;
mod kills;
mod needs;
mod places;
mod program;
mod runsvdir;
mod scan;
mod socket;
mod stop;
mod thousand;
mod upgrade;
