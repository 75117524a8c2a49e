#![no_main]
//! The program `nice`.
common::main!(catena::nice::LINK);
