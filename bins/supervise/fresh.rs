//! An fd that is waited for, and whether that is known already.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// An fd that is waited for. It is new until that was asked: its number may be that of another
/// file, which was closed just before.
#[derive(Debug)]
pub(super) struct Fresh {
    fd: OwnedFd,
    new: bool,
}

impl Fresh {
    /// Whether nobody has asked this before.
    pub(super) fn take_new(&mut self) -> bool {
        std::mem::take(&mut self.new)
    }
}

impl From<OwnedFd> for Fresh {
    fn from(fd: OwnedFd) -> Self {
        Self { fd, new: true }
    }
}

impl AsFd for Fresh {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Fresh {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}
