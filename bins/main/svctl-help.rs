#![cfg_attr(not(test), no_main)]
//! The program `svctl-help`.
common::main!(malloc catena::svctl::help::PROGRAM);
