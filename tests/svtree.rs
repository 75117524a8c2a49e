//! svtree.

mod program;
