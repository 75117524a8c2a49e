#![cfg_attr(not(test), no_main)]
//! The program `svlog`.
common::main!(long catena::svlog::PROGRAM);
