#![cfg_attr(not(test), no_main)]
//! The program `umask`.
common::main!(catena::umask::LINK);
