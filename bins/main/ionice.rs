#![cfg_attr(not(test), no_main)]
//! The program `ionice`.
common::main!(catena::ionice::LINK);
