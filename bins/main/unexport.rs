#![cfg_attr(not(test), no_main)]
//! The program `unexport`.
common::main!(catena::unexport::LINK);
