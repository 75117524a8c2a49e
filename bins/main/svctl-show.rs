#![cfg_attr(not(test), no_main)]
//! The program `svctl-show`.
common::main!(malloc catena::svctl::show::PROGRAM);
