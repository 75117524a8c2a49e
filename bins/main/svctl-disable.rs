#![cfg_attr(not(test), no_main)]
//! The program `svctl-disable`.
common::main!(malloc catena::svctl::disable::PROGRAM);
