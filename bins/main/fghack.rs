#![no_main]
//! The program `fghack`.
common::main!(catena::fghack::LINK);
