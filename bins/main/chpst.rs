#![cfg_attr(not(test), no_main)]
//! The program `chpst`.
common::main!(catena::chpst::LINK);
