#![cfg_attr(not(test), no_main)]
//! The program `fghack`.
common::main!(catena::fghack::LINK);
