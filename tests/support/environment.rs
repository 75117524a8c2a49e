//! Environments that std's Command cannot give to a program, which keeps variables in a map: with duplicates, and with
//! entries that are no variables.

use std::ffi::{CStr, CString};
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use nix::sys::wait::{WaitStatus, waitpid};

use super::bin;

/// The environment of the program after a link with these words that got the environment `received`: byte for byte,
/// written as Rust escapes.
pub(crate) fn environment_after(link: &str, words: &[&str], received: &[&CStr]) -> Vec<String> {
    let program = CString::new(bin().join(link).as_os_str().as_bytes()).unwrap();
    let words = [&[link], words, &["/bin/cat", "/proc/self/environ"]].concat();
    let words: Vec<_> = words.into_iter().map(|word| CString::new(word).unwrap()).collect();
    let out = tempfile::NamedTempFile::new().unwrap();
    let mut files = PosixSpawnFileActions::init().unwrap();
    files.add_dup2(out.as_file().as_raw_fd(), 1).unwrap();
    let attributes = PosixSpawnAttr::init().unwrap();
    let pid = posix_spawn(&*program, &files, &attributes, &words, received).unwrap();
    assert_eq!(waitpid(pid, None).unwrap(), WaitStatus::Exited(pid, 0));
    let seen = fs::read(out.path()).unwrap();
    let entries = seen.strip_suffix(b"\0").map(|seen| seen.split(|b| *b == 0));
    entries.into_iter().flatten().map(|entry| entry.escape_ascii().to_string()).collect()
}
