#![cfg_attr(not(test), no_main)]
//! The program `sissylog`.
common::main!(malloc catena::sissylog::PROGRAM);
