#![cfg_attr(not(test), no_main)]
//! The program `fdown`.
common::main!(catena::fdown::LINK);
