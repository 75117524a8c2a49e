#![cfg_attr(not(test), no_main)]
//! The program `argv0`.
common::main!(catena::argv0::LINK);
