//! The way of sv: the FIFOs and the status bytes, which every supervisor of the family has.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::SystemTime;

use common::door::{self, Owner};
use common::{fds, supervise};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::unistd::write;

use super::names::Names;
use super::status::Status;
use super::trouble::Trouble;

/// The state of the service; `None` where no supervisor has it any more. The current directory is then the
/// service's.
pub(super) fn status(names: &Names, name: &[u8]) -> Result<Option<Status>, Trouble> {
    names.enter(name)?;
    here()
}

/// The same for the service in the current directory.
pub(super) fn here() -> Result<Option<Status>, Trouble> {
    match fifo(supervise::OK, "open supervise/ok") {
        Ok(_) => {}
        Err(Trouble { errno: Some(Errno::ENXIO), .. }) => return Ok(None),
        Err(trouble) => return Err(trouble),
    }
    let state = state().map_err(|errno| refused("open supervise/status", errno))?;
    let mut bytes = [0; 64];
    let bytes = door::read_file(state.as_fd(), supervise::STATUS, Owner::Any, &mut bytes)
        .map_err(|errno| refused("open supervise/status", errno))?;
    let status = Status::from_bytes(bytes, SystemTime::now());
    status.map(Some).ok_or_else(|| {
        Trouble::warns("unable to read supervise/status: bad format", None).hint(
            "neither runit's nor daemontools' format: s6 and others have control programs of their own"
                .into(),
        )
    })
}

/// The state directory of the service here, which may be reached through a link: it is the administrator's.
/// What is in it may be anybody's, to whom the administrator has given it.
pub(super) fn state() -> nix::Result<OwnedFd> {
    fds::open_directory(AT_FDCWD, supervise::DIRECTORY)
}

/// Opens a FIFO of the state for writing. What is a link, or no FIFO, is left alone: a byte written there
/// would be written with our rights, not with those of whoever has put it there.
fn fifo(name: &CStr, action: &str) -> Result<OwnedFd, Trouble> {
    let fifo = state().and_then(|state| door::fifo(state.as_fd(), name, OFlag::O_WRONLY, Owner::Any));
    fifo.map_err(|errno| refused(action, errno))
}

/// Why a file of the state could not be opened.
fn refused(action: &str, errno: Errno) -> Trouble {
    match errno {
        Errno::ELOOP | Errno::EEXIST => {
            Trouble::warns(&format!("unable to {action}: not what a supervisor has made"), None).hint(
                "a link, or of another kind, or with a second name: see who may write to supervise".into(),
            )
        }
        errno => Trouble::warns(&format!("unable to {action}"), Some(errno)),
    }
}

/// Why a command that needs the socket cannot be given to a service that has none.
pub(super) fn no_socket(names: &Names, name: &[u8]) -> Trouble {
    match status(names, name) {
        Ok(Some(_)) => Trouble::fails("its supervisor has no socket", None)
            .hint("svrun alone understands this command".into()),
        Ok(None) => Trouble::gone(),
        Err(trouble) => trouble,
    }
}

/// Sends command bytes to the service here, all in one write; `false` where no supervisor has it any more.
pub(super) fn control(bytes: &str) -> Result<bool, Trouble> {
    let fifo = match fifo(supervise::CONTROL, "open supervise/control") {
        Ok(fifo) => fifo,
        Err(Trouble { errno: Some(Errno::ENXIO), .. }) => return Ok(false),
        Err(trouble) => return Err(trouble),
    };
    match write(&fifo, bytes.as_bytes()) {
        Ok(count) if count == bytes.len() => Ok(true),
        Ok(_) => Err(Trouble::warns("unable to write to supervise/control", None)),
        Err(errno) => Err(Trouble::warns("unable to write to supervise/control", Some(errno))),
    }
}
