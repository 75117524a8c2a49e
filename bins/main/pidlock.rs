#![cfg_attr(not(test), no_main)]
//! The program `pidlock`.
common::main!(catena::pidlock::LINK);
