#![cfg_attr(not(test), no_main)]
//! The program `pgrphack`.
common::main!(catena::pgrphack::LINK);
