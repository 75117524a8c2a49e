#![no_main]
//! The program `listen`.
common::main!(catena::listen::LINK);
