#![cfg_attr(not(test), no_main)]
//! The program `chrt`.
common::main!(catena::chrt::LINK);
