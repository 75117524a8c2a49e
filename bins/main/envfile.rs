#![no_main]
//! The program `envfile`.
common::main!(catena::envfile::LINK);
