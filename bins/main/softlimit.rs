#![cfg_attr(not(test), no_main)]
//! The program `softlimit`.
common::main!(catena::softlimit::LINK);
