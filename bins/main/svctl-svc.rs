#![cfg_attr(not(test), no_main)]
//! The program `svctl-svc`.
common::main!(malloc catena::svctl::svc::PROGRAM);
