#![cfg_attr(not(test), no_main)]
//! The program `chdir`.
common::main!(catena::chdir::LINK);
