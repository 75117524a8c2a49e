#![no_main]
//! The program `svctl`.
common::main!(pool catena::svctl::PROGRAM);
