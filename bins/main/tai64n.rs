#![cfg_attr(not(test), no_main)]
//! The program `tai64n`.
common::main!(malloc catena::tai64n::PROGRAM);
