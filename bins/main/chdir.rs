#![no_main]
//! The program `chdir`.
common::main!(catena::chdir::LINK);
