#![cfg_attr(not(test), no_main)]
//! The program `envuidgid`.
common::main!(catena::envuidgid::LINK);
