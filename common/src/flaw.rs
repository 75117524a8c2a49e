//! Why a file cannot be executed, where a look at it says more than the errno of execve(2).

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{Mode, SFlag, fstatat};
use nix::unistd::read;

use crate::fds;
use crate::sys::file as raw;

/// What is wrong where the file itself may be executed, by its permissions.
pub(crate) const INTERPRETER: &str = "the interpreter in its first line may not be executed by this account";

/// What is wrong with `file`, relative to `directory`, for which execve(2) gave `errno`: a sentence for a
/// message, if there is something to say.
#[must_use]
#[cold]
#[inline(never)] // its buffer is no part of the frame of a caller that lives on
pub fn of(directory: BorrowedFd, file: &CStr, errno: Errno) -> Option<&'static str> {
    let stat = match fstatat(directory, file, AtFlags::empty()) {
        Ok(stat) => stat,
        Err(Errno::EACCES) if errno == Errno::EACCES => {
            return Some("a directory on the way to it may not be searched by this account");
        }
        Err(Errno::ENOENT) if errno == Errno::ENOENT => {
            let link = fstatat(directory, file, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok();
            return link.then_some("it is a symbolic link that leads nowhere");
        }
        Err(_) => return None,
    };
    if !fds::is(&stat, SFlag::S_IFREG) {
        let directory = fds::is(&stat, SFlag::S_IFDIR);
        return Some(if directory { "it is a directory" } else { "it is not a regular file" });
    }
    let mut buffer = [0; 256];
    // Without the text, as of a file that may be executed but not read, the errno alone has to do.
    let start =
        || fds::open(directory, file, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC, Mode::empty());
    let text = start().and_then(|file| read(file, &mut buffer)).map(|length| &buffer[..length]).ok();
    match errno {
        Errno::EACCES if stat.st_mode & 0o111 == 0 => Some("it is not executable: chmod +x"),
        Errno::EACCES => Some(match raw::may_execute(directory.as_raw_fd(), file) {
            Ok(()) => INTERPRETER,
            Err(_) => "this account may not execute it, or its file system is mounted noexec",
        }),
        Errno::ENOENT | Errno::ENOTDIR => Some(missing(text)),
        Errno::ENOEXEC => Some(unknown(text)),
        Errno::ETXTBSY => Some("it is open for writing"),
        _ => None,
    }
}

/// The file is there, and what it names is not.
fn missing(text: Option<&[u8]>) -> &'static str {
    let Some(text) = text else {
        return "the file is there: the interpreter in its first line, or its loader, is not";
    };
    match text.strip_prefix(b"#!") {
        None => "the file is there: its loader, the dynamic linker that it names, is not",
        Some(line) => match line.split(|byte| *byte == b'\n').next() {
            Some([.., b'\r']) => "its first line ends in a carriage return: its line ends are those of DOS",
            _ => "the file is there: the interpreter in its first line is not",
        },
    }
}

/// The kernel has no way to execute it.
fn unknown(text: Option<&[u8]>) -> &'static str {
    match text {
        Some(b"") => "it is empty",
        Some([b'#', b'!', ..]) => "its first line names no interpreter",
        Some([0xef, 0xbb, 0xbf, b'#', b'!', ..]) => "a byte order mark stands in front of its first line",
        Some([0x7f, b'E', b'L', b'F', ..]) => "it is a program for another kind of machine",
        _ => "a script needs a first line such as #!/bin/sh",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn why_a_file_cannot_be_executed_is_seen_by_what_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let fd: OwnedFd = fs::File::open(directory.path()).unwrap().into();
        let path = directory.path().join("f");
        let cases: [(&[u8], u32, Errno, &str); 12] = [
            (b"#!/bin/sh\r\nexec x\r\n", 0o755, Errno::ENOENT, "carriage return"),
            (b"#!/no/sh\necho \r\n", 0o755, Errno::ENOENT, "the interpreter in its first line is not"),
            (b"#!/bin/sh/x\n", 0o755, Errno::ENOTDIR, "the interpreter in its first line is not"),
            (b"\x7fELF", 0o755, Errno::ENOENT, "its loader"),
            (b"", 0o755, Errno::ENOEXEC, "it is empty"),
            (b"echo\n", 0o755, Errno::ENOEXEC, "needs a first line"),
            (b"#!\n", 0o755, Errno::ENOEXEC, "names no interpreter"),
            (b"\xef\xbb\xbf#!/bin/sh\n", 0o755, Errno::ENOEXEC, "byte order mark"),
            (b"\x7fELF", 0o755, Errno::ENOEXEC, "another kind of machine"),
            (b"#!/bin/sh\n", 0o644, Errno::EACCES, "chmod +x"),
            (b"#!/etc/passwd\n", 0o755, Errno::EACCES, "the interpreter"),
            (b"#!/bin/sh\n", 0o755, Errno::ETXTBSY, "open for writing"),
        ];
        for (text, mode, errno, expected) in cases {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let hint = of(fd.as_fd(), c"f", errno).unwrap_or_default();
            assert!(hint.contains(expected), "{:?}: {hint}", String::from_utf8_lossy(text));
        }
        assert_eq!(of(fd.as_fd(), c"f", Errno::E2BIG), None);
        fs::remove_file(&path).unwrap();
        assert_eq!(of(fd.as_fd(), c"f", Errno::ENOENT), None);
        symlink("no", &path).unwrap();
        assert_eq!(of(fd.as_fd(), c"f", Errno::ENOENT), Some("it is a symbolic link that leads nowhere"));
        assert_eq!(of(fd.as_fd(), c".", Errno::EACCES), Some("it is a directory"));
    }
}
