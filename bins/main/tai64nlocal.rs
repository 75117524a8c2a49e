#![cfg_attr(not(test), no_main)]
//! The program `tai64nlocal`.
common::main!(malloc catena::tai64nlocal::PROGRAM);
