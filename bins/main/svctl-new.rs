#![cfg_attr(not(test), no_main)]
//! The program `svctl-new`.
common::main!(malloc catena::svctl::new::PROGRAM);
