//! Archives that a processor has compressed: the program that made them unpacks them.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use common::signals;

/// The first bytes of a file, and the program that writes such files; `-dc` unpacks with each.
const PACKERS: [(&[u8], &str); 4] =
    [(b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2")];

/// The program that has compressed this file, if one has.
pub(super) fn packer(file: &File) -> Option<&'static str> {
    let mut first = [0; 6];
    // What cannot be read shows where the lines are read.
    let count = file.read_at(&mut first, 0).unwrap_or(0);
    PACKERS.iter().find(|(magic, _)| first[..count].starts_with(magic)).map(|(_, program)| *program)
}

/// The lines of a compressed file. Dropped, the program ends.
#[derive(Debug)]
pub(super) struct Unpacked {
    child: Child,
    output: ChildStdout,
}

impl Unpacked {
    /// Starts the program. ENOENT where it is not installed.
    pub(super) fn new(mut file: File, program: &str) -> io::Result<Self> {
        // It may be the same open file as that of another time.
        file.rewind()?;
        let mut child = {
            let mut command = Command::new(program);
            command.arg("-dc").stdin(OwnedFd::from(file)).stdout(Stdio::piped()).stderr(Stdio::null());
            // It inherits the mask, and is to end when we do.
            let before = signals::exchange_mask(0)?;
            let child = command.spawn();
            signals::exchange_mask(before)?;
            child?
        };
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { child, output })
    }

    /// Reads on. At the end of what could be unpacked of a damaged file it is an error without an errno.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.output.read(buffer)? {
            0 if !buffer.is_empty() && !self.child.wait()?.success() => {
                Err(io::ErrorKind::InvalidData.into())
            }
            count => Ok(count),
        }
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
