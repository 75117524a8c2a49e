#![cfg_attr(not(test), no_main)]
//! The program `svlog`.
common::main!(catena::svlog::PROGRAM);
