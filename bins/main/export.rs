#![no_main]
//! The program `export`.
common::main!(catena::export::LINK);
