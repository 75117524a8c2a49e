#![no_main]
//! The program `chpst`.
common::main!(catena::chpst::LINK);
