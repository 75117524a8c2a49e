//! The session, setsid(2).

use nix::errno::Errno;
use nix::unistd::{Pid, getpgid, getpid, getppid, getsid, setpgid, setsid};

use crate::exit::{Exit, OrFail};

/// Whether this process leads its session.
pub fn is_leader() -> Result<bool, Exit> {
    Ok(getsid(None).or_fail("read the session")? == getpid())
}

/// Makes this process the leader of a session, and of a process group in it. One that leads a session already keeps
/// it, with its terminal.
///
/// The leader of a process group may not, since the number of the new group would be that of its old one: it goes to
/// the group of its parent first.
pub fn lead() -> Result<(), Exit> {
    match setsid() {
        Ok(_) => return Ok(()),
        Err(Errno::EPERM) if is_leader()? => return Ok(()),
        Err(Errno::EPERM) => {}
        Err(errno) => return Err(Exit::system("make a session", errno)),
    }
    let this = Pid::from_raw(0);
    let left = getpgid(Some(getppid())).and_then(|group| setpgid(this, group));
    left.and_then(|()| setsid()).map(drop).map_err(|errno| {
        // So that the message does not come from a group in the background, which a terminal may stop.
        let _ = setpgid(this, this);
        let error = Exit::system("make a session", errno);
        if errno == Errno::EPERM { error.hint(HINT) } else { error }
    })
}

const HINT: &str = "this process leads its process group, which it cannot leave, or in which there are others: \
                    let a shell start it as its child, as in sh -c '...; exit $?'";
