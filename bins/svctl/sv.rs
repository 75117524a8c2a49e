//! The way of sv: the FIFOs and the status bytes, which every supervisor of the family has.

use std::time::SystemTime;

use common::fds;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::Mode;
use nix::unistd::{read, write};

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
    let open =
        |file, flags| fds::open(AT_FDCWD, file, flags | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC, Mode::empty());
    match open(c"supervise/ok", OFlag::O_WRONLY) {
        Ok(_) => {}
        Err(Errno::ENXIO) => return Ok(None),
        Err(errno) => return Err(Trouble::warns("unable to open supervise/ok", Some(errno))),
    }
    let file = open(c"supervise/status", OFlag::O_RDONLY);
    let file = file.map_err(|errno| Trouble::warns("unable to open supervise/status", Some(errno)))?;
    let mut bytes = [0; 64];
    let count = read(&file, &mut bytes)
        .map_err(|errno| Trouble::warns("unable to read supervise/status", Some(errno)))?;
    let status = Status::from_bytes(&bytes[..count], SystemTime::now());
    status.map(Some).ok_or_else(|| {
        Trouble::warns("unable to read supervise/status: bad format", None).hint(
            "neither runit's nor daemontools' format: s6 and others have control programs of their own"
                .into(),
        )
    })
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
    let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let fifo = match fds::open(AT_FDCWD, c"supervise/control", flags, Mode::empty()) {
        Ok(fifo) => fifo,
        Err(Errno::ENXIO) => return Ok(false),
        Err(errno) => return Err(Trouble::warns("unable to open supervise/control", Some(errno))),
    };
    match write(&fifo, bytes.as_bytes()) {
        Ok(count) if count == bytes.len() => Ok(true),
        Ok(_) => Err(Trouble::warns("unable to write to supervise/control", None)),
        Err(errno) => Err(Trouble::warns("unable to write to supervise/control", Some(errno))),
    }
}
