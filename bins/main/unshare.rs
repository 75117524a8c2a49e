#![cfg_attr(not(test), no_main)]
//! The program `unshare`.
common::main!(catena::unshare::LINK);
