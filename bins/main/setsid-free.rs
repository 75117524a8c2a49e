#![no_main]
//! The program `setsid-free`.
common::main!(catena::setsid_free::LINK);
