#![no_main]
//! The program `pgrphack`.
common::main!(catena::pgrphack::LINK);
