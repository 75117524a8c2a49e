//! Session, process group and controlling terminal.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::Mode;

use crate::{Error, OrFail, fds, sys};

/// The pid of this process.
pub fn id() -> nix::Result<u32> {
    sys::getpid()
}

/// Gives up the controlling terminal of this process, which must not lead its session; does nothing without
/// one.
pub fn give_up_terminal() -> Result<(), Error> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    match fds::open(AT_FDCWD, c"/dev/tty", flags, Mode::empty()) {
        Err(Errno::ENXIO) => Ok(()), // what the kernel says where there is no controlling terminal
        terminal => {
            let terminal =
                terminal.or_fail("open /dev/tty to see whether there is a controlling terminal")?;
            sys::give_up_terminal(terminal.as_fd()).or_fail("give up the controlling terminal")
        }
    }
}
