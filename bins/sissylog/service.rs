//! The service that writes the lines: its directory has its name, and its supervisor knows its pid.

use std::os::unix::ffi::OsStrExt;

use common::door::{self, Owner};
use common::quantity::number;
use common::supervise::Status;
use common::{Text, Voice};
use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::unistd::getcwd;

use super::message::{IDENT, push};

/// The name of the service whose `log` is the working directory, as an ident. `None`: there is no such service,
/// or its name is unknown; then the ident is the name of this program.
pub(super) fn name() -> Option<Text<IDENT>> {
    let path = getcwd().ok()?;
    let service = path.parent().filter(|_| path.ends_with("log"))?.file_name()?;
    let mut ident = Text::new();
    push(&mut ident, service.as_bytes(), IDENT); // a name that is too long is cut
    Some(ident)
}

/// Its pid, once it is known. The last lines of a process are read after its death: they get its pid as long as
/// there is no other process.
#[derive(Default)]
pub(super) struct Service {
    pid: Option<u32>,
    reported: bool,
}

impl Service {
    /// Reads it, from a logger's working directory, which is in the service directory.
    pub(super) fn pid(&mut self, voice: Voice) -> Option<u32> {
        match look() {
            Ok(pid) => self.pid = pid.or(self.pid),
            Err(errno) if !self.reported => {
                self.reported = true;
                voice.unable(&[b"read ../supervise/pid or ../supervise/status"], errno);
            }
            Err(_) => {}
        }
        self.pid
    }
}

fn look() -> nix::Result<Option<u32>> {
    let mut buffer = [0; 20];
    // runsv and svrun have the file, daemontools' supervise has not.
    match door::read_file(AT_FDCWD, c"../supervise/pid", Owner::Any, &mut buffer) {
        Ok(text) => return Ok(number(text.trim_ascii_end()).filter(|pid| *pid != 0)),
        Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno),
    }
    let status = door::read_file(AT_FDCWD, c"../supervise/status", Owner::Any, &mut buffer)?;
    Ok(in_status(status))
}

/// The pid in a status, as daemontools, runit and svrun write it.
fn in_status(status: &[u8]) -> Option<u32> {
    Status::unpack(status).map(|status| status.pid).filter(|pid| *pid != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_is_in_the_status_where_there_is_one() {
        assert_eq!(in_status(b"12345678abcd\x01\x02\x03\x00\0u"), Some(0x03_0201));
        assert_eq!(in_status(b"12345678abcd\0\0\0\0\0u"), None);
        assert_eq!(in_status(b"12345678abcd\x01"), None);
    }
}
