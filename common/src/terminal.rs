//! The controlling terminal, and what a program needs that draws on one.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::Mode;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

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

/// How many columns and rows the terminal behind `fd` has; 0 where it does not know.
pub fn window(fd: impl AsFd) -> nix::Result<(u16, u16)> {
    process::window(fd.as_fd())
}

/// A terminal that gives each key at once, and shows none. Dropped, it is as it was before.
#[derive(Debug)]
pub struct Keys {
    terminal: OwnedFd,
    before: Termios,
}

impl Keys {
    /// Takes the keys of a terminal.
    ///
    /// # Errors
    /// tcgetattr(3)'s: ENOTTY where it is none.
    pub fn of(terminal: impl AsFd) -> nix::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let terminal = fds::copy_from(terminal.as_fd(), 3)?;
        let keys = Self { terminal, before };
        keys.take()?;
        Ok(keys)
    }

    /// Takes them again, as after somebody else had the terminal.
    pub fn take(&self) -> nix::Result<()> {
        let mut each = self.before.clone();
        each.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        tcsetattr(&self.terminal, SetArg::TCSANOW, &each)
    }

    /// Gives them back for a while.
    pub fn give_back(&self) {
        // The terminal is gone, with all its settings.
        let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.before);
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.give_back();
    }
}
