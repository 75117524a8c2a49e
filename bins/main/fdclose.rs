#![cfg_attr(not(test), no_main)]
//! The program `fdclose`.
common::main!(catena::fdclose::LINK);
