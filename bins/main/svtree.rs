#![cfg_attr(not(test), no_main)]
//! The program `svtree`.
common::main!(malloc catena::svtree::PROGRAM);
