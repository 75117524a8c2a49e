#![cfg_attr(not(test), no_main)]
//! The program `state`.
common::main!(catena::state::PROGRAM);
