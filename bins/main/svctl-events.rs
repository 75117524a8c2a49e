#![cfg_attr(not(test), no_main)]
//! The program `svctl-events`.
common::main!(malloc catena::svctl::events::PROGRAM);
