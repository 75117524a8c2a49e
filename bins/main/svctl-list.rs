#![cfg_attr(not(test), no_main)]
//! The program `svctl-list`.
common::main!(pool catena::svctl::list::PROGRAM);
