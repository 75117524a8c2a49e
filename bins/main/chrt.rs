#![no_main]
//! The program `chrt`.
common::main!(catena::chrt::LINK);
