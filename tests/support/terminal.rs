//! Terminals.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};

use super::prepared;

/// A pair of fds that no program gets which another test starts meanwhile, as it would those of openpty(3).
pub(crate) struct Pty {
    pub(crate) master: File,
    pub(crate) slave: File,
}

impl Pty {
    /// A terminal with 24 rows.
    pub(crate) fn new(columns: u16) -> Self {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname_r(&master).unwrap();
        let slave =
            File::options().read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits()).open(name).unwrap();
        let columns = columns.to_string();
        let mut size = prepared("stty");
        size.args(["rows", "24", "columns", &columns]).stdin(slave.try_clone().unwrap());
        assert!(size.status().unwrap().success());
        Self { master: OwnedFd::from(master).into(), slave }
    }
}
