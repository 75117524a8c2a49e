//! The controlling terminal.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::Mode;

use crate::exit::{Exit, OrFail};
use crate::fds;
use crate::sys::process;

/// Gives up the controlling terminal of this process, which must not lead its session; does nothing without
/// one.
pub fn give_up() -> Result<(), Exit> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    match fds::open(AT_FDCWD, c"/dev/tty", flags, Mode::empty()) {
        Err(Errno::ENXIO) => Ok(()), // what the kernel says where there is no controlling terminal
        terminal => {
            let terminal =
                terminal.or_fail("open /dev/tty to see whether there is a controlling terminal")?;
            process::give_up_terminal(terminal.as_fd()).or_fail("give up the controlling terminal")
        }
    }
}
