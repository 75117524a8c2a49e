//! svtree: a tree of services in one process.

#[allow(dead_code, unused_imports, reason = "the tree is to come")]
mod scan;
