#![no_main]
//! The program `taskset`.
common::main!(catena::taskset::LINK);
