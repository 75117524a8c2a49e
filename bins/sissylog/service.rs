//! The service whose lines these are: its supervisor knows its pid.

use common::cli::number;
use common::{Voice, child};

/// Its pid, once it is known. The last words of a process are read when it is gone: until there is another
/// one they are still its own.
#[derive(Default)]
pub(super) struct Service {
    pid: Option<u32>,
    said: bool,
}

impl Service {
    /// Asks for it, from a logger's working directory, which is in the service directory.
    pub(super) fn pid(&mut self, voice: Voice) -> Option<u32> {
        match look() {
            Ok(pid) => self.pid = pid.or(self.pid),
            Err(errno) if !self.said => {
                self.said = true;
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
    if let Ok(text) = child::read_file(c"../supervise/pid", &mut buffer) {
        return Ok(number(text.trim_ascii_end()).filter(|pid| *pid != 0));
    }
    let status = child::read_file(c"../supervise/status", &mut buffer)?;
    Ok(in_status(status))
}

/// The pid in the first bytes of a status, which daemontools, runit and svrun write alike.
fn in_status(status: &[u8]) -> Option<u32> {
    let pid = status.get(12..16).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    pid.filter(|pid| *pid != 0)
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
