#![cfg_attr(not(test), no_main)]
//! The program `no-new-privs`.
common::main!(catena::no_new_privs::LINK);
