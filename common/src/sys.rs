//! The system calls that nix does not offer in the form that a link needs: with the vectors as
//! the kernel gave them, on fd numbers instead of owned fds, or without what libc adds. A file for each subject.
#![allow(unsafe_code)]

pub(crate) mod account;
pub mod clock;
pub mod epoll;
pub(crate) mod errno;
pub(crate) mod fd;
pub mod file;
pub(crate) mod ids;
pub mod inotify;
pub(crate) mod landlock;
pub mod memory;
pub mod namespace;
pub mod poll;
pub mod process;
pub mod random;
pub(crate) mod signal;
pub mod socket;
pub(crate) mod spawn;
pub(crate) mod words;
