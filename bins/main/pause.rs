#![cfg_attr(not(test), no_main)]
//! The program `pause`.
common::main!(catena::pause::PROGRAM);
