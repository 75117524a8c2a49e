#![cfg_attr(not(test), no_main)]
//! The program `svrun`.
common::main!(catena::svrun::PROGRAM);
