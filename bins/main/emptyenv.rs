#![cfg_attr(not(test), no_main)]
//! The program `emptyenv`.
common::main!(catena::emptyenv::LINK);
