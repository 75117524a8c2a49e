//! Session, process group and controlling terminal.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::Mode;

use nix::unistd::Pid;

use crate::{Error, OrFail, Words, fds, shown, sys};

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

/// Starts the program at `path` in a child with this stdout, and with SIGPIPE unblocked. A child that cannot
/// execute it says so on stderr, after `complaint`, and exits with `status`.
pub fn spawn(
    path: &'static CStr,
    env: &Words,
    stdout: BorrowedFd,
    complaint: &str,
    status: i32,
) -> nix::Result<Pid> {
    let argv = Words::from_iter([path]);
    sys::spawn(path, &argv, env, stdout, |errno| {
        let message = format!("{complaint}: {}\n", shown(sys::strerror(errno)));
        let _ = sys::write_last(libc::STDERR_FILENO, message.as_bytes());
        status
    })
}
