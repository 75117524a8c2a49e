#![no_main]
//! The program `envuidgid`.
common::main!(catena::envuidgid::LINK);
