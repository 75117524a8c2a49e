//! The system calls that nix does not offer in the form that a link needs: with the vectors as
//! the kernel gave them, on fd numbers instead of owned fds, or without what libc adds.
#![allow(unsafe_code)]

pub mod child;
pub mod namespace;
#[cfg(not(target_env = "musl"))]
pub(crate) mod nss;
pub mod page;
pub mod procfs;
pub mod socket;

use std::ffi::{CStr, CString, c_char, c_int, c_ulong};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;
use std::{mem, ptr};

use nix::errno::Errno;

/// A vector of C strings that ends in a null pointer and lives as long as the process, as argv and envp do.
#[derive(Clone, Debug)]
pub struct Words {
    next: *const *const c_char,
}

impl Words {
    /// The vector at `first`.
    ///
    /// # Safety
    /// It must end in a null pointer, and neither it nor its strings may change or go while the process
    /// lives.
    #[must_use]
    pub unsafe fn new(first: *const *const c_char) -> Self {
        Self { next: first }
    }

    /// The first word, which stays where it is.
    #[must_use]
    pub fn first(&self) -> Option<&'static CStr> {
        self.clone().next()
    }

    pub(crate) fn as_ptr(&self) -> *const *const c_char {
        self.next
    }
}

impl Iterator for Words {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<&'static CStr> {
        // SAFETY: by the contract of `new` the pointer is inside the vector: it never passes the null at
        // its end.
        let word = unsafe { *self.next };
        if word.is_null() {
            return None;
        }
        // SAFETY: as above; this was not the null, so one more entry follows.
        self.next = unsafe { self.next.add(1) };
        // SAFETY: by the contract of `new` the string ends in a NUL and lives as long as the process.
        Some(unsafe { CStr::from_ptr(word) })
    }
}

impl FromIterator<&'static CStr> for Words {
    /// Gives up the memory of the vector: it is for the exec that follows.
    fn from_iter<I: IntoIterator<Item = &'static CStr>>(words: I) -> Self {
        let pointers: Vec<_> = words.into_iter().map(CStr::as_ptr).chain([ptr::null()]).collect();
        Self { next: pointers.leak().as_ptr() }
    }
}

/// execve(2). Returns why it failed.
pub(crate) fn execve(path: &CStr, argv: &Words, envp: &Words) -> Errno {
    // SAFETY: path is a C string and both vectors are null-terminated vectors of C strings, by the contract
    // of Words.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    Errno::last()
}

/// The C library's words for `errno`.
pub(crate) fn strerror(errno: Errno) -> &'static [u8] {
    // SAFETY: strerror returns a C string that stays as it is until the next call, and no other thread is
    // there.
    unsafe { CStr::from_ptr(libc::strerror(errno as c_int)) }.to_bytes()
}

/// write(2) of all the bytes, with SIGPIPE blocked: for the last words of a process that will execute
/// nothing.
pub(crate) fn write_last(fd: RawFd, mut bytes: &[u8]) -> nix::Result<()> {
    let pipe = 1u64 << (libc::SIGPIPE - 1);
    // SAFETY: the kernel's signal set is 64 bits; nothing is executed any more that could inherit the mask.
    unsafe {
        let none = ptr::null_mut::<u64>();
        let size = mem::size_of_val(&pipe);
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK, &raw const pipe, none, size)
    };
    while !bytes.is_empty() {
        // SAFETY: the pointer and the length are those of one slice.
        let count = Errno::result(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) })?;
        bytes = &bytes[usize::try_from(count).unwrap_or(0)..];
    }
    Ok(())
}

/// Standard input.
pub(crate) fn stdin() -> BorrowedFd<'static> {
    // SAFETY: a number that stays: programs that live on see to it that there is a file behind it.
    unsafe { BorrowedFd::borrow_raw(libc::STDIN_FILENO) }
}

/// Standard output.
pub(crate) fn stdout() -> BorrowedFd<'static> {
    // SAFETY: as above.
    unsafe { BorrowedFd::borrow_raw(libc::STDOUT_FILENO) }
}

/// The address of a new anonymous mapping of `length` bytes.
pub(crate) fn map(length: usize) -> Option<usize> {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping touches nothing that is there.
    let memory = unsafe { libc::mmap(ptr::null_mut(), length, access, kind, -1, 0) };
    (memory != libc::MAP_FAILED).then_some(memory as usize)
}

/// `_exit(2)`: nothing of ours is buffered, and no handler may run.
pub(crate) fn exit(status: c_int) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(status) }
}

/// Whether the kernel started this process in secure-execution mode (`AT_SECURE`, see getauxval(3)).
pub(crate) fn at_secure() -> bool {
    // SAFETY: reads the auxiliary vector.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Whether a real id of this process was another one than the effective when it started, as the kernel told
/// it.
pub(crate) fn real_ids_differ() -> bool {
    // SAFETY: reads the auxiliary vector.
    let value = |name| unsafe { libc::getauxval(name) };
    value(libc::AT_UID) != value(libc::AT_EUID) || value(libc::AT_GID) != value(libc::AT_EGID)
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

/// Whether the effective ids and capabilities may execute `path`, in an open folder.
pub(crate) fn may_execute(folder: RawFd, path: &CStr) -> nix::Result<()> {
    may_access(folder, path, libc::X_OK)
}

/// Whether they may read `path`, in an open folder.
pub(crate) fn may_read(folder: RawFd, path: &CStr) -> nix::Result<()> {
    may_access(folder, path, libc::R_OK)
}

/// faccessat2(2). Not through libc, whose stand-in for old kernels asks with less.
fn may_access(folder: RawFd, path: &CStr, mode: c_int) -> nix::Result<()> {
    let (path, flags) = (path.as_ptr(), libc::AT_EACCESS);
    // SAFETY: a C string and integers.
    Errno::result(unsafe { libc::syscall(libc::SYS_faccessat2, folder, path, mode, flags) }).map(drop)
}

/// umask(2), which cannot fail; what is no mask is taken for a failure all the same.
pub(crate) fn umask(mask: u32) -> nix::Result<u32> {
    // SAFETY: an integer.
    let before = unsafe { libc::umask(mask) };
    if before <= 0o777 { Ok(before) } else { Err(Errno::EINVAL) }
}

/// getpid(2), which cannot fail; what is no pid is taken for a failure all the same.
pub(crate) fn getpid() -> nix::Result<u32> {
    // SAFETY: takes nothing.
    u32::try_from(unsafe { libc::getpid() }).map_err(|_| Errno::EINVAL)
}

// File descriptors by number: a link works on the numbers that it was told, open or not.

/// dup2(2).
pub(crate) fn dup2(from: RawFd, to: RawFd) -> nix::Result<()> {
    // SAFETY: two integers; what was open at `to` is not ours, the caller was told to replace it.
    Errno::result(unsafe { libc::dup2(from, to) }).map(drop)
}

/// close(2).
pub(crate) fn close(fd: RawFd) -> nix::Result<()> {
    // SAFETY: an integer; the fd is not ours, the caller was told to close it.
    Errno::result(unsafe { libc::close(fd) }).map(drop)
}

/// Whether there is anything on `fd`.
pub(crate) fn is_open(fd: RawFd) -> bool {
    // SAFETY: F_GETFD takes nothing.
    unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
}

/// Lets `fd` survive exec; EBADF where it is not open.
pub(crate) fn clear_cloexec(fd: RawFd) -> nix::Result<()> {
    // SAFETY: F_SETFD takes an integer.
    Errno::result(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) }).map(drop)
}

/// Whether `fd` is closed by exec; EBADF where it is not open.
pub(crate) fn is_cloexec(fd: RawFd) -> nix::Result<bool> {
    // SAFETY: F_GETFD takes nothing.
    Errno::result(unsafe { libc::fcntl(fd, libc::F_GETFD) }).map(|flags| flags & libc::FD_CLOEXEC != 0)
}

/// dup3(2) with `O_CLOEXEC`.
pub(crate) fn dup_cloexec(from: RawFd, to: RawFd) -> nix::Result<()> {
    // SAFETY: as for dup2.
    Errno::result(unsafe { libc::dup3(from, to, libc::O_CLOEXEC) }).map(drop)
}

/// Adds or removes `O_NONBLOCK`.
pub(crate) fn set_nonblocking(fd: RawFd, on: bool) -> nix::Result<()> {
    // SAFETY: F_GETFL takes nothing and F_SETFL an integer.
    let flags = Errno::result(unsafe { libc::fcntl(fd, libc::F_GETFL) })?;
    let flags = if on { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
    // SAFETY: as above.
    Errno::result(unsafe { libc::fcntl(fd, libc::F_SETFL, flags) }).map(drop)
}

/// The flags with which a FIFO is open; ESPIPE for anything else.
pub(crate) fn open_fifo_flags(fd: RawFd) -> nix::Result<c_int> {
    // SAFETY: an integer, and F_GETFL takes nothing.
    let (stat, flags) =
        unsafe { (nix::sys::stat::fstat(BorrowedFd::borrow_raw(fd))?, libc::fcntl(fd, libc::F_GETFL)) };
    if stat.st_mode & libc::S_IFMT != libc::S_IFIFO {
        return Err(Errno::ESPIPE);
    }
    Errno::result(flags)
}

/// Moves a newly opened fd to 3 or above; it keeps its close-on-exec flag, which must be `cloexec`.
pub(crate) fn above_standard(fd: OwnedFd, cloexec: bool) -> nix::Result<OwnedFd> {
    if fd.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(fd);
    }
    let command = if cloexec { libc::F_DUPFD_CLOEXEC } else { libc::F_DUPFD };
    let moved = copy_from(fd.as_raw_fd(), libc::STDERR_FILENO + 1, command)?;
    close(fd.into_raw_fd())?;
    Ok(moved)
}

/// `F_DUPFD` or `F_DUPFD_CLOEXEC` of fcntl(2): a new fd from `least` up.
pub(crate) fn copy_from(fd: RawFd, least: RawFd, command: c_int) -> nix::Result<OwnedFd> {
    // SAFETY: these commands take an integer and return a new fd that nobody else owns.
    Errno::result(unsafe { libc::fcntl(fd, command, least) }).map(|new| unsafe { OwnedFd::from_raw_fd(new) })
}

/// The names in a folder but `.` and `..`.
pub(crate) fn names(folder: BorrowedFd) -> nix::Result<Vec<CString>> {
    let mut names = Vec::new();
    each_name(folder, |name| names.push(name.to_owned()))?;
    Ok(names)
}

/// Tells the names in a folder but `.` and `..`, from where the fd stands. Not readdir(3), which takes ENOENT
/// for the end: a folder removed meanwhile would look like one that was read whole.
pub(crate) fn each_name(folder: BorrowedFd, mut tell: impl FnMut(&CStr)) -> nix::Result<()> {
    const NAME: usize = mem::offset_of!(libc::dirent64, d_name);
    let mut buffer = [0u64; 256]; // 2 KiB, aligned for the entries
    loop {
        let (fd, size) = (folder.as_raw_fd(), mem::size_of_val(&buffer));
        // SAFETY: getdents64 writes at most `size` bytes into the buffer.
        let filled =
            Errno::result(unsafe { libc::syscall(libc::SYS_getdents64, fd, buffer.as_mut_ptr(), size) })?;
        let filled = usize::try_from(filled).unwrap_or(0);
        if filled == 0 {
            return Ok(());
        }
        // SAFETY: the kernel has written so many bytes of the buffer, and it is borrowed for this round
        // only.
        let mut entries = unsafe { std::slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), filled) };
        while let Some(name) = entries.get(NAME..).and_then(|rest| CStr::from_bytes_until_nul(rest).ok()) {
            let length = mem::offset_of!(libc::dirent64, d_reclen);
            let length = u16::from_ne_bytes([entries[length], entries[length + 1]]);
            if !matches!(name.to_bytes(), b"." | b"..") {
                tell(name);
            }
            entries = &entries[usize::from(length)..];
        }
    }
}

// Ids. As raw calls: musl's wrappers block every signal around the call, to change all threads together,
// and that would be nine more calls whose failure could reach the program. A link has one thread.

#[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
use libc::{SYS_setgroups as SYS_SETGROUPS, SYS_setresgid as SYS_SETRESGID, SYS_setresuid as SYS_SETRESUID};
#[cfg(any(target_arch = "x86", target_arch = "arm"))]
use libc::{
    SYS_setgroups32 as SYS_SETGROUPS, SYS_setresgid32 as SYS_SETRESGID, SYS_setresuid32 as SYS_SETRESUID,
};

/// setgroups(2).
pub(crate) fn setgroups(groups: &[u32]) -> nix::Result<()> {
    // SAFETY: the pointer and the length are those of one slice.
    Errno::result(unsafe { libc::syscall(SYS_SETGROUPS, groups.len(), groups.as_ptr()) }).map(drop)
}

/// getgroups(2). nix's asks for the system's limit too.
pub(crate) fn getgroups() -> nix::Result<Vec<u32>> {
    // SAFETY: with 0 nothing is written.
    let count = Errno::result(unsafe { libc::getgroups(0, ptr::null_mut()) })?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut groups = vec![0; usize::try_from(count).unwrap_or(0)];
    // SAFETY: there is room for as many as there are.
    let count = Errno::result(unsafe { libc::getgroups(count, groups.as_mut_ptr()) })?;
    groups.truncate(usize::try_from(count).unwrap_or(0));
    Ok(groups)
}

/// setresgid(2), with all three the same.
pub(crate) fn setresgid(gid: u32) -> nix::Result<()> {
    // SAFETY: three integers.
    Errno::result(unsafe { libc::syscall(SYS_SETRESGID, gid, gid, gid) }).map(drop)
}

/// setresuid(2), with all three the same.
pub(crate) fn setresuid(uid: u32) -> nix::Result<()> {
    // SAFETY: three integers.
    Errno::result(unsafe { libc::syscall(SYS_SETRESUID, uid, uid, uid) }).map(drop)
}

/// The five arguments of prctl(2) of which we use two. Returns what it returns.
fn prctl(option: c_int, argument: c_ulong) -> nix::Result<c_int> {
    // SAFETY: used below with options that take integers.
    Errno::result(unsafe { libc::prctl(option, argument, 0 as c_ulong, 0 as c_ulong, 0 as c_ulong) })
}

/// The parent-death signal, 0 for none. nix's knows no real-time signals.
pub(crate) fn parent_death_signal() -> nix::Result<c_int> {
    let mut signal: c_int = 0;
    // SAFETY: PR_GET_PDEATHSIG writes one int.
    Errno::result(unsafe { libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal) })?;
    Ok(signal)
}

/// Sets the parent-death signal, `PR_SET_PDEATHSIG` in prctl(2).
pub(crate) fn set_parent_death_signal(signal: c_int) -> nix::Result<()> {
    prctl(libc::PR_SET_PDEATHSIG, c_ulong::try_from(signal).unwrap_or(0)).map(drop)
}

/// Sends this process a signal, kill(2).
pub(crate) fn raise(signal: c_int) -> nix::Result<()> {
    // SAFETY: two integers.
    Errno::result(unsafe { libc::kill(libc::getpid(), signal) }).map(drop)
}

/// The securebits, `PR_GET_SECUREBITS` in prctl(2).
pub(crate) fn securebits() -> nix::Result<c_int> {
    prctl(libc::PR_GET_SECUREBITS, 0)
}

/// Three of the capability sets, a bit for each capability; lowering one of the last two lowers the ambient
/// set with it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Capabilities {
    pub(crate) effective: u64,
    pub(crate) permitted: u64,
    pub(crate) inheritable: u64,
}

/// What capget(2) and capset(2) take first: version 3, which has 64 bits a set, and this process.
const CAPABILITY_HEADER: [u32; 2] = [0x2008_0522, 0];

/// capget(2).
pub(crate) fn capget() -> nix::Result<Capabilities> {
    let mut header = CAPABILITY_HEADER;
    let mut data = [[0u32; 3]; 2];
    // SAFETY: header and data have the layout of version 3: two words, and two times three.
    Errno::result(unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), data.as_mut_ptr()) })?;
    let set = |i: usize| u64::from(data[1][i]) << 32 | u64::from(data[0][i]);
    Ok(Capabilities { effective: set(0), permitted: set(1), inheritable: set(2) })
}

/// capset(2).
pub(crate) fn capset(sets: Capabilities) -> nix::Result<()> {
    let half = |shift: u32| {
        [sets.effective, sets.permitted, sets.inheritable]
            .map(|set| u32::try_from(set >> shift & 0xffff_ffff).unwrap_or(0)) // it fits: 32 bits are left
    };
    let (mut header, data) = (CAPABILITY_HEADER, [half(0), half(32)]);
    // SAFETY: as for capget.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), data.as_ptr()) }).map(drop)
}

/// Gives up the controlling terminal behind `fd`, `TIOCNOTTY` in `ioctl_tty(2)`.
pub(crate) fn give_up_terminal(fd: BorrowedFd) -> nix::Result<()> {
    // SAFETY: TIOCNOTTY takes nothing.
    Errno::result(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCNOTTY) }).map(drop)
}

/// nanosleep(2), also ended by a signal; `time` is less than a second.
pub(crate) fn sleep(time: Duration) -> nix::Result<()> {
    let time = libc::timespec { tv_sec: 0, tv_nsec: i32::try_from(time.subsec_nanos()).unwrap_or(0).into() };
    // SAFETY: one structure to read and none to write.
    match Errno::result(unsafe { libc::nanosleep(&raw const time, ptr::null_mut()) }) {
        Err(Errno::EINTR) => Ok(()),
        other => other.map(drop),
    }
}

// Locks.

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
