#![cfg_attr(not(test), no_main)]
//! The program `sigclean`.
common::main!(catena::sigclean::LINK);
