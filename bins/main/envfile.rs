#![cfg_attr(not(test), no_main)]
//! The program `envfile`.
common::main!(catena::envfile::LINK);
