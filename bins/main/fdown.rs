#![no_main]
//! The program `fdown`.
common::main!(catena::fdown::LINK);
