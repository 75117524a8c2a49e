#![no_main]
//! The program `softlimit`.
common::main!(catena::softlimit::LINK);
