#![no_main]
//! The program `sigclean`.
common::main!(catena::sigclean::LINK);
