#![cfg_attr(not(test), no_main)]
//! The program `landlock`.
common::main!(catena::landlock::LINK);
