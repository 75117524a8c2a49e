//! The values that the logger shares with its directories.

use std::os::fd::BorrowedFd;

use common::Words;

use super::lines::Stamp;

/// The same for all directories in one round of the loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shared<'a> {
    /// Monotonic, ms.
    pub(super) now: u64,
    pub(super) env: &'a Words,
    pub(super) signals: BorrowedFd<'a>,
    /// The form of the time stamps.
    pub(super) stamp: Stamp,
    /// How many bytes of a line patterns see.
    pub(super) length: usize,
}
