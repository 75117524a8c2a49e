//! svtree: a tree of services in one process.
#![allow(dead_code, reason = "the tree is not here yet")]

mod own;
mod program;
mod sweep;
