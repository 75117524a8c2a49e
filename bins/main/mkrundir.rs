#![cfg_attr(not(test), no_main)]
//! The program `mkrundir`.
common::main!(catena::mkrundir::LINK);
