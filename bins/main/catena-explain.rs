#![cfg_attr(not(test), no_main)]
//! The program `catena-explain`.
common::main!(catena::explain::PROGRAM);
