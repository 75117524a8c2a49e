#![cfg_attr(not(test), no_main)]
//! The program `catena`: all links in one.
common::main!(many catena::LINKS);
