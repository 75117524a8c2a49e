#![cfg_attr(not(test), no_main)]
//! The program `setlock`.
common::main!(catena::setlock::LINK);
