#![cfg_attr(not(test), no_main)]
//! The program `fdmove`.
common::main!(catena::fdmove::LINK);
