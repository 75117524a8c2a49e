#![cfg_attr(not(test), no_main)]
//! The program `redirfd`.
common::main!(catena::redirfd::LINK);
