#![no_main]
//! The program `sissylog`.
common::main!(malloc catena::sissylog::PROGRAM);
