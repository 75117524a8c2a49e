#![cfg_attr(not(test), no_main)]
//! The program `cgroup`.
common::main!(catena::cgroup::LINK);
