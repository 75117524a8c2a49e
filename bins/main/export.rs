#![cfg_attr(not(test), no_main)]
//! The program `export`.
common::main!(catena::export::LINK);
