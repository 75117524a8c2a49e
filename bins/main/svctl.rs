#![cfg_attr(not(test), no_main)]
//! The program `svctl`.
common::main!(pool catena::svctl::PROGRAM);
