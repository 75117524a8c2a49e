#![cfg_attr(not(test), no_main)]
//! The program `svctl-enable`.
common::main!(malloc catena::svctl::enable::PROGRAM);
