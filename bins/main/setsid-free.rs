#![cfg_attr(not(test), no_main)]
//! The program `setsid-free`.
common::main!(catena::setsid_free::LINK);
