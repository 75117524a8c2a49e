//! The holder of a lock, from /proc: `proc_pid_fdinfo(5)`. The kernel's own list, `proc_locks(5)`, has the process that
//! took it, which may be gone while a child still has the descriptor.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};

use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, fstatat};
use nix::unistd::read;

use crate::quantity::number;
use crate::sys::file;
use crate::{fds, identity, procfs};

/// The pid and the name of a process with a locked descriptor of `file`. `None` where there is none that this process
/// may look at.
pub(super) fn find(file: &CStr) -> nix::Result<Option<(u32, Vec<u8>)>> {
    let file = fstatat(AT_FDCWD, file, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let proc = procfs::open(c"/proc")?;
    for name in file::names(proc.as_fd())? {
        let Some(pid) = number::<u32>(name.to_bytes()) else { continue };
        if holds(proc.as_fd(), pid, &file) == Ok(true) {
            let name = beginning(proc.as_fd(), &path(pid, b"comm", b""))?;
            return Ok(Some((pid, name.trim_ascii_end().to_vec())));
        }
        // One that is gone meanwhile, or another account's, is passed over.
    }
    Ok(None)
}

fn holds(proc: BorrowedFd, pid: u32, file: &FileStat) -> nix::Result<bool> {
    // A line for each lock, which names the file by its inode's number. Only then the file itself is looked at: a
    // look at any file of another file system may wait for ever.
    let inode = format!(":{} ", file.st_ino);
    let all = fds::open_directory(proc, &path(pid, b"fdinfo", b""))?;
    for fd in file::names(all.as_fd())? {
        let info = beginning(all.as_fd(), &fd).unwrap_or_default(); // closed meanwhile
        let locked = |line: &[u8]| {
            line.starts_with(b"lock:") && line.windows(inode.len()).any(|part| part == inode.as_bytes())
        };
        if info.split(|b| *b == b'\n').any(locked) {
            let there = fstatat(proc, path(pid, b"fd/", fd.to_bytes()).as_c_str(), AtFlags::empty())?;
            if identity::same(&there, file) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// `pid/what` and what is in it.
fn path(pid: u32, what: &[u8], of: &[u8]) -> CString {
    CString::new([format!("{pid}/").as_bytes(), what, of].concat()).unwrap_or_default() // none has a NUL
}

fn beginning(directory: BorrowedFd, name: &CStr) -> nix::Result<Vec<u8>> {
    let mut buffer = vec![0; 1024];
    let count =
        read(fds::open(directory, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?, &mut buffer)?;
    buffer.truncate(count);
    Ok(buffer)
}
