#![cfg_attr(not(test), no_main)]
//! The program `chroot`.
common::main!(catena::chroot::LINK);
