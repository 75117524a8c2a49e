#![cfg_attr(not(test), no_main)]
//! The program `envdir`.
common::main!(catena::envdir::LINK);
