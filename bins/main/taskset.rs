#![cfg_attr(not(test), no_main)]
//! The program `taskset`.
common::main!(catena::taskset::LINK);
