#![cfg_attr(not(test), no_main)]
//! The program `svctl-log`.
common::main!(malloc catena::svctl::log::PROGRAM);
