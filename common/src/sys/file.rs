//! Files and directories.

use std::ffi::{CStr, CString, c_int, c_uint};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::{mem, ptr};

use nix::errno::Errno;

/// The names in a directory but `.` and `..`.
pub(crate) fn names(directory: BorrowedFd) -> nix::Result<Vec<CString>> {
    let mut names = Vec::new();
    // Some dozen names a call, as directories of variables have: with a larger buffer a chain needs another page of stack.
    let _reads = match read_entries::<64>(directory, |name, _| names.push(name.to_owned())) {
        // A name of more than 255 bytes, as some file systems have: the fd stands before it.
        Err(Errno::EINVAL) => long_names(directory, &mut names)?,
        read => read?,
    };
    Ok(names)
}

#[cold]
#[inline(never)] // for its buffer
fn long_names(directory: BorrowedFd, names: &mut Vec<CString>) -> nix::Result<u32> {
    each_name(directory, |name| names.push(name.to_owned()))
}

/// Reports the names in a directory but `.` and `..`, from where the fd stands. Returns in how many reads.
pub(crate) fn each_name(directory: BorrowedFd, mut report: impl FnMut(&CStr)) -> nix::Result<u32> {
    read_entries::<256>(directory, |name, _| report(name))
}

/// What a directory says of the kind of one of its entries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// Anything else.
    Other,
    /// Nothing: there are file systems that do not say.
    Unsaid,
}

/// Reports names and kinds of what is in a directory but `.` and `..`, from where the fd stands, with few system calls:
/// 32 KiB a call, which the stack has to have.
///
/// # Errors
/// getdents64(2)'s: ENOENT where the directory was removed.
#[inline(never)] // for its buffer
pub fn each_entry(directory: BorrowedFd, report: impl FnMut(&CStr, Kind)) -> nix::Result<()> {
    read_entries::<4096>(directory, report).map(drop)
}

/// getdents64(2) up to the end. Not readdir(3), which takes ENOENT for the end: a directory removed meanwhile would look
/// like one that was read whole. Returns how many calls have given names.
fn read_entries<const WORDS: usize>(
    directory: BorrowedFd,
    mut report: impl FnMut(&CStr, Kind),
) -> nix::Result<u32> {
    const NAME: usize = mem::offset_of!(libc::dirent64, d_name);
    let mut buffer = [0u64; WORDS]; // aligned for the entries
    let mut reads = 0;
    loop {
        let (fd, size) = (directory.as_raw_fd(), mem::size_of_val(&buffer));
        // SAFETY: getdents64 writes at most `size` bytes into the buffer.
        let filled =
            Errno::result(unsafe { libc::syscall(libc::SYS_getdents64, fd, buffer.as_mut_ptr(), size) })?;
        let filled = usize::try_from(filled).unwrap_or(0);
        if filled == 0 {
            return Ok(reads);
        }
        reads += 1;
        // SAFETY: the kernel has written `filled` bytes of the buffer, and it is borrowed for this round
        // only.
        let mut entries = unsafe { std::slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), filled) };
        while let Some(name) = entries.get(NAME..).and_then(|rest| CStr::from_bytes_until_nul(rest).ok()) {
            let length = mem::offset_of!(libc::dirent64, d_reclen);
            let length = u16::from_ne_bytes([entries[length], entries[length + 1]]);
            let kind = match entries[mem::offset_of!(libc::dirent64, d_type)] {
                libc::DT_DIR => Kind::Directory,
                libc::DT_LNK => Kind::Link,
                libc::DT_UNKNOWN => Kind::Unsaid,
                _ => Kind::Other,
            };
            if !matches!(name.to_bytes(), b"." | b"..") {
                report(name, kind);
            }
            entries = &entries[usize::from(length)..];
        }
    }
}

/// pwrite(2) of all the bytes at once.
pub fn write_at(file: BorrowedFd, bytes: &[u8], offset: u64) -> nix::Result<()> {
    let offset = libc::off_t::try_from(offset).map_err(|_| Errno::EINVAL)?;
    if nix::sys::uio::pwrite(file, bytes, offset)? == bytes.len() { Ok(()) } else { Err(Errno::ENOSPC) }
}

/// What a symbolic link names, readlinkat(2), if that is shorter than the buffer. nix's allocates, and a
/// supervisor has nothing that takes it back.
pub fn read_link<'a>(directory: BorrowedFd, name: &CStr, buffer: &'a mut [u8]) -> nix::Result<&'a [u8]> {
    let (to, size) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: a C string; pointer and length are of one slice.
    let length = Errno::result(unsafe { libc::readlinkat(directory.as_raw_fd(), name.as_ptr(), to, size) })?;
    let length = usize::try_from(length).ok().filter(|length| *length < size).ok_or(Errno::ENAMETOOLONG)?;
    Ok(&buffer[..length])
}

/// Blocks the signals that a write may end the process by, so that its status still says why: SIGPIPE, and SIGXFSZ
/// where no file may grow. For a process that will execute nothing.
pub(crate) fn outlive_writes() {
    // Nothing is executed any more that could inherit the mask. Where this fails, the write may end us: as before.
    let _ = super::signal::block(&[libc::SIGPIPE, libc::SIGXFSZ]);
}

/// Exchanges two names in a directory, `RENAME_EXCHANGE` in renameat2(2).
///
/// # Errors
/// renameat2(2)'s: ENOENT where one of them is not there.
pub fn exchange(directory: BorrowedFd, one: &CStr, other: &CStr) -> nix::Result<()> {
    rename(directory, one, other, libc::RENAME_EXCHANGE)
}

/// Renames a file in a directory to a name that nothing has, `RENAME_NOREPLACE` in renameat2(2).
///
/// # Errors
/// renameat2(2)'s: EEXIST where something has the name, EINVAL where the file system cannot promise that nothing has.
pub fn rename_new(directory: BorrowedFd, from: &CStr, to: &CStr) -> nix::Result<()> {
    rename(directory, from, to, libc::RENAME_NOREPLACE)
}

/// renameat2(2) in a directory: as a raw call, which musl has no function for.
fn rename(directory: BorrowedFd, from: &CStr, to: &CStr, flags: c_uint) -> nix::Result<()> {
    let fd = directory.as_raw_fd();
    // SAFETY: two C strings and integers.
    let done = unsafe { libc::syscall(libc::SYS_renameat2, fd, from.as_ptr(), fd, to.as_ptr(), flags) };
    Errno::result(done).map(drop)
}

/// write(2) of all the bytes: the last words of a process that will execute nothing.
pub(crate) fn write_last(fd: RawFd, mut bytes: &[u8]) -> nix::Result<()> {
    outlive_writes();
    while !bytes.is_empty() {
        // SAFETY: the pointer and the length are those of one slice.
        let count = Errno::result(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) })?;
        bytes = &bytes[usize::try_from(count).unwrap_or(0)..];
    }
    Ok(())
}

/// The size of the extended attribute `name` of `path`, getxattr(2).
pub(crate) fn xattr_size(path: &CStr, name: &CStr) -> nix::Result<isize> {
    // SAFETY: two C strings; with size 0 nothing is written.
    Errno::result(unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), ptr::null_mut(), 0) })
}

/// The same of an open file, fgetxattr(2).
pub(crate) fn xattr_size_of(file: &OwnedFd, name: &CStr) -> nix::Result<isize> {
    // SAFETY: an open fd and a C string; with size 0 nothing is written.
    Errno::result(unsafe { libc::fgetxattr(file.as_raw_fd(), name.as_ptr(), ptr::null_mut(), 0) })
}

/// Whether the effective ids and capabilities may execute `path`, in an open directory.
pub(crate) fn may_execute(directory: RawFd, path: &CStr) -> nix::Result<()> {
    may_access(directory, path, libc::X_OK)
}

/// Whether they may execute `path`, and its file system lets them, for a caller to whom execve says the rest: before Linux
/// 5.8, of the real ids alone is to be known.
pub fn may_be_executed(path: &CStr) -> nix::Result<()> {
    match may_execute(libc::AT_FDCWD, path) {
        Err(Errno::ENOSYS) => {
            let (call, path) = (libc::SYS_faccessat, path.as_ptr());
            // SAFETY: a C string and integers.
            Errno::result(unsafe { libc::syscall(call, libc::AT_FDCWD, path, libc::X_OK) }).map(drop)
        }
        known => known,
    }
}

/// Whether they may read `path`, in an open directory.
pub(crate) fn may_read(directory: RawFd, path: &CStr) -> nix::Result<()> {
    may_access(directory, path, libc::R_OK)
}

/// faccessat2(2). Not through libc, whose stand-in for old kernels asks with less.
fn may_access(directory: RawFd, path: &CStr, mode: c_int) -> nix::Result<()> {
    let (path, flags) = (path.as_ptr(), libc::AT_EACCESS);
    // SAFETY: a C string and integers.
    Errno::result(unsafe { libc::syscall(libc::SYS_faccessat2, directory, path, mode, flags) }).map(drop)
}

/// umask(2), which cannot fail; a value that is not a mask is a failure all the same.
pub(crate) fn umask(mask: u32) -> nix::Result<u32> {
    // SAFETY: an integer.
    let before = unsafe { libc::umask(mask) };
    if before <= 0o777 { Ok(before) } else { Err(Errno::EINVAL) }
}

/// flock(2).
pub(crate) fn flock(fd: BorrowedFd, operation: c_int) -> nix::Result<()> {
    // SAFETY: two integers.
    Errno::result(unsafe { libc::flock(fd.as_raw_fd(), operation) }).map(drop)
}

/// One of the open-file-description lock commands of fcntl(2) on the whole file; returns the kind and the
/// pid that `F_OFD_GETLK` found.
pub(crate) fn ofd_lock(fd: BorrowedFd, command: c_int, kind: c_int) -> nix::Result<(c_int, libc::pid_t)> {
    // SAFETY: flock is a plain C structure, for which all zeros is a value: from the start (SEEK_SET
    // is 0) to the end, pid 0 as asked.
    let mut lock: libc::flock = unsafe { mem::zeroed() };
    lock.l_type = i16::try_from(kind).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the F_OFD_ commands take one such structure.
    Errno::result(unsafe { libc::fcntl(fd.as_raw_fd(), command, &raw mut lock) })?;
    Ok((c_int::from(lock.l_type), lock.l_pid))
}
