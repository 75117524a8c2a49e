//! The files of a state directory: the FIFOs and the status bytes, which every supervisor of the family has.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::SystemTime;

use common::door::{self, Owner};
use common::supervise;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::write;

use super::failure::Failure;
use super::place::{self, Place};
use super::status::Status;

/// The state directory of a service that a supervisor has; `None` where none has it any more.
pub(super) fn served(place: &Place) -> Result<Option<OwnedFd>, Failure> {
    let open_ok = "open supervise/ok";
    let state = state(place, open_ok)?;
    match fifo(state.as_fd(), supervise::OK, open_ok) {
        Ok(_) => Ok(Some(state)),
        Err(Failure { errno: Some(Errno::ENXIO), .. }) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The state of a service; `None` where no supervisor has it any more.
pub(super) fn status(place: &Place) -> Result<Option<Status>, Failure> {
    let Some(state) = served(place)? else { return Ok(None) };
    let mut bytes = [0; 64];
    let bytes = door::read_file(state.as_fd(), supervise::STATUS, Owner::Any, &mut bytes)
        .map_err(|errno| refused("open supervise/status", errno))?;
    let status = Status::from_bytes(bytes, SystemTime::now());
    status.map(Some).ok_or_else(|| {
        Failure::warns("unable to read supervise/status: bad format")
            .hint("neither runit's nor daemontools' format: s6 and others have control programs of their own")
    })
}

/// Opens the state directory, which may be reached through a link: it is the administrator's. What is in it may
/// be anybody's, to whom the administrator has given it.
fn state(place: &Place, action: &str) -> Result<OwnedFd, Failure> {
    place::directory(place.directory().map_err(Failure::clone)?, supervise::DIRECTORY.to_bytes())
        .map_err(|errno| refused(action, errno))
}

/// Opens a FIFO of the state for writing. A link, or anything but a FIFO, is left alone: a byte written there
/// would be written with our rights, not with those of its owner.
fn fifo(state: BorrowedFd, name: &CStr, action: &str) -> Result<OwnedFd, Failure> {
    let fifo = door::fifo(state, name, OFlag::O_WRONLY, Owner::Any);
    fifo.map_err(|errno| refused(action, errno))
}

/// Why a file of the state could not be opened.
fn refused(action: &str, errno: Errno) -> Failure {
    match errno {
        Errno::ELOOP | Errno::EEXIST => {
            Failure::warns(format!("unable to {action}: not what a supervisor has made"))
                .hint("a link, or of another kind, or with a second name: see who may write to supervise")
        }
        errno => Failure::state(action, errno),
    }
}

/// Why a command that needs the socket cannot be given to a service that has none.
pub(super) fn no_socket(place: &Place) -> Failure {
    match status(place) {
        Ok(Some(_)) => {
            Failure::fails("its supervisor has no socket").hint("svrun alone understands this command")
        }
        Ok(None) => Failure::gone(),
        Err(failure) => failure,
    }
}

/// Sends command bytes to a service, all in one write; `None` where no supervisor has it any more.
pub(super) fn control(place: &Place, bytes: &str) -> Result<Option<()>, Failure> {
    let action = "open supervise/control";
    let fifo = match fifo(state(place, action)?.as_fd(), supervise::CONTROL, action) {
        Ok(fifo) => fifo,
        Err(Failure { errno: Some(Errno::ENXIO), .. }) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let refused = Failure::warns("unable to write to supervise/control");
    match write(&fifo, bytes.as_bytes()) {
        Ok(count) if count == bytes.len() => Ok(Some(())),
        Ok(_) => Err(refused),
        Err(errno) => Err(refused.because(errno)),
    }
}
