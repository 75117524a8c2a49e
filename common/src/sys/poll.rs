//! Waiting for events, without allocating.

use std::os::fd::RawFd;
use std::ptr;
use std::time::Duration;

use nix::errno::Errno;

pub use libc::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, pollfd};

/// A pollfd for `fd`; one below 0 is passed over.
#[must_use]
pub fn watch(fd: RawFd, events: i16) -> pollfd {
    pollfd { fd, events, revents: 0 }
}

/// ppoll(2), at most for `timeout` milliseconds. False where it was interrupted.
pub fn poll(fds: &mut [pollfd], timeout: Option<u64>) -> nix::Result<bool> {
    poll_for(fds, timeout.map(Duration::from_millis))
}

/// ppoll(2). False where it was interrupted.
pub fn poll_for(fds: &mut [pollfd], timeout: Option<Duration>) -> nix::Result<bool> {
    let time = timeout.map(|time| libc::timespec {
        tv_sec: i32::try_from(time.as_secs()).unwrap_or(i32::MAX).into(),
        tv_nsec: i32::try_from(time.subsec_nanos()).unwrap_or(0).into(),
    });
    let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    // No more than there are: where few files may be open the kernel refuses a longer list.
    let used = fds.iter().rposition(|fd| fd.fd >= 0).map_or(0, |last| last + 1);
    let count = libc::nfds_t::try_from(used).map_err(|_| Errno::EINVAL)?;
    // SAFETY: pointer and length are of one slice; the time, where there is one, lives on.
    match Errno::result(unsafe { libc::ppoll(fds.as_mut_ptr(), count, time, ptr::null()) }) {
        Ok(_) => Ok(true),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno),
    }
}
