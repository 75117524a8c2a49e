#![no_main]
//! The program `caps`.
common::main!(catena::caps::LINK);
