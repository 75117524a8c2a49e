#![no_main]
//! The program `umask`.
common::main!(catena::umask::LINK);
