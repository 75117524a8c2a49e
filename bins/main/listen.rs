#![cfg_attr(not(test), no_main)]
//! The program `listen`.
common::main!(catena::listen::LINK);
