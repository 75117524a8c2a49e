//! Work that is done beside this process, by a child on another processor: threads would need locks for all that is shared.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2};

use crate::fds;
use crate::sys::process;

/// A child at work. It is ended where nobody waits for that.
#[derive(Debug)]
pub struct Beside {
    pipe: OwnedFd,
    /// None once it has been waited for.
    child: Option<u32>,
}

impl Beside {
    /// Begins work that is a text: nothing else of it is seen here.
    pub fn begin(work: impl FnOnce() -> Vec<u8>) -> nix::Result<Self> {
        let (pipe, end) = pipe2(OFlag::O_CLOEXEC)?;
        if let Some(child) = process::fork()? {
            return Ok(Self { pipe, child: Some(child) });
        }
        drop(pipe);
        let written = fds::write_all(end.as_raw_fd(), &work());
        process::exit(written.is_err().into())
    }

    /// Waits for the text.
    ///
    /// # Errors
    /// That it is not whole: ECHILD, where the child was killed too.
    pub fn end(mut self) -> nix::Result<Vec<u8>> {
        let text = fds::read_up_to(&self.pipe, usize::MAX)?;
        self.child.take().map_or(Err(Errno::ECHILD), wait_for)?;
        Ok(text)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let Some(child) = self.child.take() else { return };
        // It may have ended, which is as well.
        let _ = process::kill_child(child, libc::SIGKILL);
        let _ = wait_for(child);
    }
}

fn wait_for(child: u32) -> nix::Result<()> {
    let child = Pid::from_raw(i32::try_from(child).map_err(|_| Errno::ECHILD)?);
    loop {
        match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, 0)) => return Ok(()),
            Err(Errno::EINTR) => {}
            _ => return Err(Errno::ECHILD),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn the_text_comes_whole_or_is_an_error() {
        let text = vec![b'x'; 1 << 20];
        assert_eq!(Beside::begin(|| text.clone()).unwrap().end(), Ok(text));
        let killed = Beside::begin(|| {
            let _ = process::kill_child(std::process::id(), libc::SIGKILL);
            Vec::new()
        });
        assert_eq!(killed.unwrap().end(), Err(Errno::ECHILD));
    }

    #[test]
    fn a_child_for_which_nobody_waits_is_ended() {
        let start = Instant::now();
        drop(Beside::begin(|| {
            std::thread::sleep(Duration::from_secs(600));
            Vec::new()
        }));
        assert!(start.elapsed() < Duration::from_secs(300));
    }
}
