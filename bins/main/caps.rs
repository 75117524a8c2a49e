#![cfg_attr(not(test), no_main)]
//! The program `caps`.
common::main!(catena::caps::LINK);
