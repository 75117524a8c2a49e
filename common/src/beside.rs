//! Work that is done beside this process, by a child on another processor: threads would need locks for all that is shared.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2};

use crate::fds;
use crate::sys::process;

/// A child at work. It ends with that, whether or not anybody waits for it.
#[derive(Debug)]
pub struct Beside {
    pipe: OwnedFd,
    child: u32,
}

impl Beside {
    /// Begins work that is a text: nothing else of it is seen here.
    pub fn begin(work: impl FnOnce() -> Vec<u8>) -> nix::Result<Self> {
        let (pipe, end) = pipe2(OFlag::O_CLOEXEC)?;
        if let Some(child) = process::fork()? {
            return Ok(Self { pipe, child });
        }
        drop(pipe);
        let written = fds::write_all(end.as_raw_fd(), &work());
        process::exit(written.is_err().into())
    }

    /// Waits for the text.
    ///
    /// # Errors
    /// That it is not whole: ECHILD, where the child was killed too.
    pub fn end(self) -> nix::Result<Vec<u8>> {
        let text = fds::read_up_to(&self.pipe, usize::MAX)?;
        let child = Pid::from_raw(i32::try_from(self.child).map_err(|_| Errno::ECHILD)?);
        loop {
            match waitpid(child, None) {
                Ok(WaitStatus::Exited(_, 0)) => return Ok(text),
                Err(Errno::EINTR) => {}
                _ => return Err(Errno::ECHILD),
            }
        }
    }
}
