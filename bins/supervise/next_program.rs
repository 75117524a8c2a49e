//! Becoming the program that is now in our own file's place.

use std::ffi::CStr;

use common::{Text, Words, process, procfs};
use nix::errno::Errno;

/// Executes our own file with this command line and environment: what is there now, if it was replaced. Returns why it did
/// not.
#[inline(never)] // its buffer would be part of the frame that waits
pub(crate) fn execute(line: &Words, env: &Words) -> Errno {
    let mut path = Text::<512>::new();
    match own_path(&mut path) {
        Ok(path) => process::execve(path, line, env),
        Err(errno) => errno,
    }
}

fn own_path(buffer: &mut Text<512>) -> nix::Result<&CStr> {
    buffer.add(procfs::This::open()?.program()?).add("\0");
    CStr::from_bytes_with_nul(buffer.bytes()).map_err(|_| Errno::ENAMETOOLONG)
}

/// The words for a client that has asked for it.
pub(crate) fn failure(errno: Errno) -> Text<128> {
    let mut why = Text::of("unable to execute the supervisor's file: ");
    why.errno(errno);
    why
}
