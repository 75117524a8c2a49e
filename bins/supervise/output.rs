//! Standard output and error as they were given to a supervisor, which its services get too.

use std::os::fd::{AsFd, BorrowedFd};

use common::fds;
use nix::errno::Errno;
use nix::sys::stat::{Mode, SFlag, fchmod, fstat};
use nix::sys::statfs::{FsType, fstatfs};
use nix::unistd::geteuid;

/// Lets a service that has changed its user open `/dev/stdout` and `/dev/stderr` again where they are pipes.
///
/// The kernel checks the mode of the pipe then, 0600 and owned by its creator, though the service has it open
/// already. It can only be reached by processes that have it open, through /proc: the mode gives nothing to
/// others. A FIFO that has a name keeps what its owner has chosen.
pub(crate) fn let_reopen() {
    for fd in [fds::stdout(), std::io::stderr().as_fd()] {
        // Where it is refused nothing is lost but that: the page says what to do.
        let _ = let_write(fd);
    }
}

fn let_write(fd: BorrowedFd) -> nix::Result<()> {
    const PIPEFS: FsType = FsType(0x5049_5045); // PIPEFS_MAGIC of linux/magic.h
    const WRITE: u32 = 0o022;
    let stat = fstat(fd)?;
    let ours = fds::is(&stat, SFlag::S_IFIFO) && stat.st_uid == geteuid().as_raw();
    if !ours || stat.st_mode & WRITE == WRITE || fstatfs(fd)?.filesystem_type() != PIPEFS {
        return Err(Errno::EPERM);
    }
    fchmod(fd, Mode::from_bits_truncate(stat.st_mode & 0o7777 | WRITE))
}
