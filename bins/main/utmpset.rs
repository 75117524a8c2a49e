#![cfg_attr(not(test), no_main)]
//! The program `utmpset`.
common::main!(malloc catena::utmpset::PROGRAM);
