#![cfg_attr(not(test), no_main)]
//! The program `pdeathsig`.
common::main!(catena::pdeathsig::LINK);
