#![no_main]
//! The program `redirfd`.
common::main!(catena::redirfd::LINK);
