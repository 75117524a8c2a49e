#![cfg_attr(not(test), no_main)]
//! The program `svctl-list`.
common::main!(malloc catena::svctl::list::PROGRAM);
