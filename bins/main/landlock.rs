#![no_main]
//! The program `landlock`.
common::main!(catena::landlock::LINK);
