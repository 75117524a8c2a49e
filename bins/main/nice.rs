#![cfg_attr(not(test), no_main)]
//! The program `nice`.
common::main!(catena::nice::LINK);
