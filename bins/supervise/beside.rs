//! What clients look for beside a state directory that lies elsewhere.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::symlinkat;

use super::service::{exists, make_directory};

/// Links in a state directory that lies elsewhere to what clients look for beside it; `path`: that of the service
/// directory, from the root.
pub(crate) fn link_beside(state: &OwnedFd, service: &OwnedFd, path: &Path) -> nix::Result<()> {
    let log = exists(service.as_fd(), c"log");
    if log {
        make_directory(state, c"log", 0o755)?;
    }
    for file in [c"down", c"check", c"log/down"].into_iter().take(if log { 3 } else { 2 }) {
        match symlinkat(&path.join(OsStr::from_bytes(file.to_bytes())), state, file) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
