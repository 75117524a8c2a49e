#![cfg_attr(not(test), no_main)]
//! The program `sissylog`.
common::main!(long catena::sissylog::PROGRAM);
