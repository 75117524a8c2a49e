#![cfg_attr(not(test), no_main)]
//! The program `setuidgid`.
common::main!(catena::setuidgid::LINK);
