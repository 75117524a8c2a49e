#![no_main]
//! The program `svlog`.
common::main!(catena::svlog::PROGRAM);
