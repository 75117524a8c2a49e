//! svtree: a tree of services in one process.
#![allow(dead_code, unused_imports)]

mod needs;
mod stop;
