//! This process and others: ids, exec and exit, `pidfd_open(2)`, signals to them, and their ends.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "numbers of the kernel's interface, whose types differ between libcs"
)]

use std::ffi::{CStr, c_int, c_long, c_ulong, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::{mem, ptr};

use nix::errno::Errno;
use nix::sys::resource::{Resource, rlim_t};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::words::Words;

/// Becomes another program, execve(2). Returns why not.
#[must_use]
pub fn execve(path: &CStr, argv: &Words, envp: &Words) -> Errno {
    // SAFETY: path is a C string and both vectors are null-terminated vectors of C strings, by the contract
    // of Words.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    Errno::last()
}

/// Becomes the program that is open at `fd`, whatever its path, `execveat(2)`. Returns why not.
#[must_use]
pub fn execute_open(fd: c_int, argv: &Words, envp: &Words) -> Errno {
    let (path, flags) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
    // SAFETY: an integer, a C string, and null-terminated vectors of C strings, by the contract of Words.
    unsafe { libc::syscall(libc::SYS_execveat, fd, path, argv.as_ptr(), envp.as_ptr(), flags) };
    Errno::last()
}

/// `prlimit(2)` for this process: musl's setrlimit(3) brings what stops all threads for kernels that lack it.
pub fn set_limit(resource: Resource, soft: rlim_t, hard: rlim_t) -> nix::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: reads this struct, and writes none.
    Errno::result(unsafe { libc::prlimit(0, resource as _, &raw const limit, ptr::null_mut()) }).map(drop)
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

/// Whether a real id of this process was another one than the effective when it started, by the auxiliary
/// vector.
pub(crate) fn real_ids_differ() -> bool {
    // SAFETY: reads the auxiliary vector.
    let value = |name| unsafe { libc::getauxval(name) };
    value(libc::AT_UID) != value(libc::AT_EUID) || value(libc::AT_GID) != value(libc::AT_EGID)
}

/// getpid(2), which cannot fail; a value that is not a pid is a failure all the same.
pub fn id() -> nix::Result<u32> {
    // SAFETY: takes nothing.
    u32::try_from(unsafe { libc::getpid() }).map_err(|_| Errno::EINVAL)
}

/// fork(2): the child's pid, or nothing in the child.
pub fn fork() -> nix::Result<Option<u32>> {
    // SAFETY: this process has one thread, so that the child has no lock of another.
    let pid = Errno::result(unsafe { libc::fork() })?;
    Ok(u32::try_from(pid).ok().filter(|pid| *pid != 0))
}

/// Waits until this child has ended, waitpid(2), whatever the signals meanwhile.
///
/// # Errors
/// waitpid(2)'s: ECHILD where it is none.
pub fn wait_for(child: u32) -> nix::Result<WaitStatus> {
    let child = Pid::from_raw(i32::try_from(child).map_err(|_| Errno::ECHILD)?);
    loop {
        match waitpid(child, None) {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// The five arguments of prctl(2) of which we use two. Returns what it returns.
pub(crate) fn prctl(option: c_int, argument: c_ulong) -> nix::Result<c_int> {
    prctl_with(option, argument, 0)
}

/// As [`prctl`], with one more.
pub(crate) fn prctl_with(option: c_int, argument: c_ulong, more: c_ulong) -> nix::Result<c_int> {
    // SAFETY: used with options that take integers.
    Errno::result(unsafe { libc::prctl(option, argument, more, 0 as c_ulong, 0 as c_ulong) })
}

/// The niceness of this process, getpriority(2). As a raw call: libc's returns a -1 that may be a niceness, the kernel's
/// is 20 less it, and so never looks like a failure.
pub(crate) fn niceness() -> nix::Result<c_int> {
    // SAFETY: two integers.
    let rank = Errno::result(unsafe { libc::syscall(libc::SYS_getpriority, libc::PRIO_PROCESS, 0) })?;
    Ok(20 - rank as c_int)
}

/// Sets the niceness of this process, setpriority(2). As a raw call: the types of libc's differ between libcs.
pub(crate) fn set_niceness(niceness: c_int) -> nix::Result<()> {
    // SAFETY: three integers.
    Errno::result(unsafe { libc::syscall(libc::SYS_setpriority, libc::PRIO_PROCESS, 0, niceness) }).map(drop)
}

/// Sets the I/O priority of this process, `ioprio_set(2)`.
pub(crate) fn set_io_priority(class: u8, level: u8) -> nix::Result<()> {
    let priority = c_int::from(class) << IO_CLASS_SHIFT | c_int::from(level);
    // SAFETY: three integers.
    Errno::result(unsafe { libc::syscall(libc::SYS_ioprio_set, IO_PROCESS, 0, priority) }).map(drop)
}

/// The class and the level of the I/O priority of this process, `ioprio_get(2)`.
pub fn io_priority() -> nix::Result<(c_int, c_int)> {
    // SAFETY: two integers.
    let priority = Errno::result(unsafe { libc::syscall(libc::SYS_ioprio_get, IO_PROCESS, 0) })? as c_int;
    Ok((priority >> IO_CLASS_SHIFT, priority & ((1 << IO_CLASS_SHIFT) - 1)))
}

/// `IOPRIO_WHO_PROCESS` and `IOPRIO_CLASS_SHIFT` of linux/ioprio.h.
const IO_PROCESS: c_int = 1;
const IO_CLASS_SHIFT: c_int = 13;

/// Sets the scheduling policy of this process, `sched_setscheduler(2)`. As a raw call: musl's does nothing and fails.
pub(crate) fn set_policy(policy: c_int, priority: u8) -> nix::Result<()> {
    let priority = c_int::from(priority); // all that a struct sched_param has
    // SAFETY: two integers, and one to read.
    Errno::result(unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority) })
        .map(drop)
}

/// The scheduling policy of this process with its flags, `sched_getscheduler(2)`.
pub fn policy() -> nix::Result<c_int> {
    // SAFETY: an integer.
    Ok(Errno::result(unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) })? as c_int)
}

/// The least and the greatest priority of a policy, `sched_get_priority_min(2)`.
#[cfg(test)]
pub(crate) fn priorities(policy: c_int) -> nix::Result<(c_int, c_int)> {
    // SAFETY: an integer each.
    unsafe {
        let least = Errno::result(libc::sched_get_priority_min(policy))?;
        Ok((least, Errno::result(libc::sched_get_priority_max(policy))?))
    }
}

/// Lets this process run on these CPUs alone, `sched_setaffinity(2)`. As a raw call: the type of libc's ends at 1024.
pub(crate) fn set_cpus(cpus: &[c_ulong]) -> nix::Result<()> {
    // SAFETY: the kernel reads as many bytes as these are.
    let done =
        unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, mem::size_of_val(cpus), cpus.as_ptr()) };
    Errno::result(done).map(drop)
}

/// Writes which CPUs this process may run on, `sched_getaffinity(2)`; EINVAL if there is no room for all that the
/// kernel can have.
pub(crate) fn cpus(cpus: &mut [c_ulong]) -> nix::Result<()> {
    let size = mem::size_of_val(cpus);
    // SAFETY: the kernel writes no more bytes than these are.
    Errno::result(unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, size, cpus.as_mut_ptr()) }).map(drop)
}

/// Gives up the controlling terminal behind `fd`, `TIOCNOTTY` in `ioctl_tty(2)`.
pub(crate) fn give_up_terminal(fd: BorrowedFd) -> nix::Result<()> {
    // SAFETY: TIOCNOTTY takes nothing.
    Errno::result(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCNOTTY) }).map(drop)
}

/// How many columns and rows the terminal behind `fd` has, `TIOCGWINSZ` in `ioctl_tty(2)`; 0 where it does not know.
pub(crate) fn window(fd: BorrowedFd) -> nix::Result<(u16, u16)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: one structure to write.
    Errno::result(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) })?;
    Ok((size.ws_col, size.ws_row))
}

/// `pidfd_open(2)`.
pub fn pidfd(pid: u32) -> nix::Result<OwnedFd> {
    // SAFETY: two integers; the new fd, close-on-exec, is nobody else's.
    unsafe {
        let fd = Errno::result(libc::syscall(libc::SYS_pidfd_open, pid, 0))?;
        Ok(OwnedFd::from_raw_fd(c_int::try_from(fd).map_err(|_| Errno::EBADF)?))
    }
}

/// Whether a process has ended and was not waited for yet; ESRCH where there is none.
pub fn has_ended(pid: u32) -> nix::Result<bool> {
    let pidfd = pidfd(pid)?;
    let mut watched = [super::poll::watch(pidfd.as_raw_fd(), libc::POLLIN)];
    super::poll::poll(&mut watched, Some(0))?;
    Ok(watched[0].revents != 0)
}

/// Whether a process is a child of this one that was not waited for yet, waitid(2).
pub fn is_child(pid: u32) -> nix::Result<bool> {
    let how = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    let mut info = mem::MaybeUninit::<libc::siginfo_t>::uninit();
    // SAFETY: two integers, and room for the information, which nobody reads.
    match Errno::result(unsafe { libc::waitid(libc::P_PID, pid, info.as_mut_ptr(), how) }) {
        Ok(_) => Ok(true),
        Err(Errno::ECHILD) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// `pidfd_send_signal(2)`.
pub fn signal_pidfd(pidfd: BorrowedFd, signal: i32) -> nix::Result<()> {
    let none = ptr::null::<c_void>();
    // SAFETY: an open pidfd, and no information.
    Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, none, 0) })
        .map(drop)
}

/// kill(2) of one process; pid 0 or 1 is never meant.
pub fn kill_child(pid: u32, signal: i32) -> nix::Result<()> {
    kill(pid, signal, 1)
}

/// kill(2) of all processes of the group; 0 or 1 is never meant.
pub fn kill_group(group: u32, signal: i32) -> nix::Result<()> {
    kill(group, signal, -1)
}

/// kill(2) of every process but process 1, which this one has to be: EPERM where it is not. ESRCH where there is no
/// other process.
pub fn kill_all(signal: i32) -> nix::Result<()> {
    if id()? != 1 {
        return Err(Errno::EPERM);
    }
    // SAFETY: two integers.
    Errno::result(unsafe { libc::kill(-1, signal) }).map(drop)
}

fn kill(pid: u32, signal: i32, sign: i32) -> nix::Result<()> {
    let pid = libc::pid_t::try_from(pid).ok().filter(|pid| *pid > 1).ok_or(Errno::ESRCH)?;
    // SAFETY: two integers.
    Errno::result(unsafe { libc::kill(sign * pid, signal) }).map(drop)
}

/// A child that has died, waitpid(2) with WNOHANG: its pid and wait status.
pub fn reap() -> nix::Result<Option<(u32, i32)>> {
    let mut status = 0;
    // SAFETY: one integer to write.
    match Errno::result(unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG | libc::__WALL) }) {
        Ok(0) | Err(Errno::ECHILD) => Ok(None),
        Ok(pid) => Ok(Some((u32::try_from(pid).unwrap_or(0), status))),
        Err(errno) => Err(errno),
    }
}

/// The wait status of a process that is not a child of ours, as its pidfd gives it once it has been reaped, Linux
/// 6.15. ESRCH before that.
pub fn exit_status(pidfd: BorrowedFd) -> nix::Result<i32> {
    const EXIT: u64 = 1 << 3;
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        mask: u64,
        cgroup: u64,
        ids: [u32; 11],
        exit_code: i32,
    }
    // _IOWR(0xFF, 11, struct pidfd_info), the first version of it
    const GET_INFO: c_long = 3 << 30 | (mem::size_of::<Info>() as c_long) << 16 | 0xff << 8 | 0xb;
    let mut info = Info { mask: EXIT, ..Info::default() };
    let fd = pidfd.as_raw_fd();
    // SAFETY: the kernel writes no more than the size that is in the number.
    Errno::result(unsafe { libc::syscall(libc::SYS_ioctl, fd, GET_INFO, &raw mut info) })?;
    if info.mask & EXIT == 0 { Err(Errno::ESRCH) } else { Ok(info.exit_code) }
}
