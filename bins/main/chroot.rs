#![no_main]
//! The program `chroot`.
common::main!(catena::chroot::LINK);
