#![no_main]
//! The program `setuidgid`.
common::main!(catena::setuidgid::LINK);
