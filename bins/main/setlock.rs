#![no_main]
//! The program `setlock`.
common::main!(catena::setlock::LINK);
