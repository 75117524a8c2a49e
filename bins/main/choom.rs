#![cfg_attr(not(test), no_main)]
//! The program `choom`.
common::main!(catena::choom::LINK);
