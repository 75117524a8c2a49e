#![no_main]
//! The program `no-new-privs`.
common::main!(catena::no_new_privs::LINK);
