#![no_main]
//! The program `unshare`.
common::main!(catena::unshare::LINK);
