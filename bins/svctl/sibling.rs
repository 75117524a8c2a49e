//! Programs of the same installation, which this one runs for a part of its work.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd};

use common::procfs::This;
use common::signals::{self, block_only};
use common::spawn::{Plan, spawn};
use common::{Words, fds};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::unistd::{Pid, pipe2};

/// The most that is read of one.
const MOST: usize = 1 << 20;

/// What the program with this word in place of our own prints, as `svctl-log` beside `svctl-show`. ENOENT where there is
/// none beside us.
pub(super) fn output(own: &str, word: &str, arguments: &[&CStr], env: &Words) -> nix::Result<Vec<u8>> {
    let path = This::open()?.program()?;
    let before = path.strip_suffix(own.as_bytes()).ok_or(Errno::ENOENT)?;
    let path = CString::new([before, word.as_bytes()].concat()).map_err(|_| Errno::EINVAL)?;
    let directory = fds::open_directory(AT_FDCWD, c".")?;
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    let mut argv = vec![&*path];
    argv.extend(arguments);
    let plan = Plan {
        group: false,
        directory: directory.as_fd(),
        record: None,
        files: None,
        // What it says of itself belongs to what it prints.
        fds: [Some((writer.as_raw_fd(), 1)), Some((writer.as_raw_fd(), 2)), None, None],
        path: &path,
        argv: &argv,
        env,
    };
    signals::block_all()?;
    let spawned = spawn(&plan);
    block_only(signals::PIPE)?;
    let spawned = spawned?;
    drop(writer);
    let text = if spawned.exec.is_none() { fds::read_up_to(&reader, MOST) } else { Ok(Vec::new()) };
    drop(reader);
    // It is our child, and ends where nobody reads it any more.
    let _ = nix::sys::wait::waitpid(Pid::from_raw(i32::try_from(spawned.pid).unwrap_or(0)), None);
    spawned.exec.map_or(text, Err)
}
