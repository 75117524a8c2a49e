#![cfg_attr(not(test), no_main)]
//! The program `svctl-lint`.
common::main!(malloc catena::svctl::lint::PROGRAM);
