//! Starting, watching and signalling processes: clone(2), `pidfd_open(2)` and what belongs to them.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::large_stack_arrays,
    reason = "numbers of the kernel's interface, whose types differ between libcs"
)]

use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::Mode;

use super::{Words, procfs};
use crate::text::Text;

/// What a child does before it executes, in this order.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Whether it leads a process group of its own.
    pub group: bool,
    /// Its working directory.
    pub folder: BorrowedFd<'a>,
    /// Where it writes its record, if anywhere, and what it puts around its pid and start time.
    pub record: Option<Slot<'a>>,
    /// The fds that it gets: from, to.
    pub fds: &'a [(RawFd, RawFd)],
    /// The file that it executes, from its working directory.
    pub path: &'a CStr,
    /// Its argv.
    pub argv: &'a [&'a CStr],
    /// Its environment.
    pub env: &'a Words,
}

/// A place of [`Slot::SIZE`] bytes in a file.
#[derive(Debug)]
pub struct Slot<'a> {
    /// The file.
    pub file: BorrowedFd<'a>,
    /// Where in it.
    pub offset: u64,
    /// What stands before the pid.
    pub head: &'a [u8],
    /// What stands behind the start time.
    pub tail: &'a [u8],
}

impl Slot<'_> {
    /// The size of what is written: the text, blanks, and a newline.
    pub const SIZE: usize = 192;
}

/// What became of a child.
#[derive(Clone, Copy, Debug)]
pub struct Spawned {
    /// Its pid: it has to be waited for, also if it could not execute.
    pub pid: u32,
    /// Why it could not execute; it exits 111 then.
    pub exec: Option<Errno>,
    /// Why it could not write its record.
    pub record: Option<Errno>,
}

const WORDS: usize = 5;

struct Task<'a> {
    plan: &'a Plan<'a>,
    argv: [*const c_char; WORDS],
    pid: libc::pid_t,
    exec: c_int,
    record: c_int,
}

/// Starts a child that shares our memory until it has executed, or failed to; this process waits for that.
/// All signals must be blocked here. The child gets them unblocked.
///
/// # Errors
/// clone(2)'s.
pub fn spawn(plan: &Plan) -> nix::Result<Spawned> {
    const STACK: usize = if cfg!(debug_assertions) { 1 << 16 } else { 3 << 10 };
    #[repr(align(16))]
    struct Stack([MaybeUninit<u8>; STACK]);
    let mut task = Task { plan, argv: [ptr::null(); WORDS], pid: 0, exec: 0, record: 0 };
    for (place, word) in task.argv[..WORDS - 1].iter_mut().zip(plan.argv) {
        *place = word.as_ptr();
    }
    let mut stack = Stack([MaybeUninit::uninit(); STACK]);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PARENT_SETTID | libc::SIGCHLD;
    // SAFETY: with CLONE_VFORK this process does not run on before the child has left our memory, so that
    // its stack and the task outlive it; the child touches nothing else of ours. No signal handler can run
    // in it: there are none.
    let pid = Errno::result(unsafe {
        let top = stack.0.as_mut_ptr().add(STACK).cast();
        let pid = &raw mut task.pid; // written before the child runs, which so knows it
        libc::clone(child, top, flags, (&raw mut task).cast(), pid)
    })?;
    // SAFETY: the child has written here behind the compiler's back.
    let (exec, record) =
        unsafe { (ptr::read_volatile(&raw const task.exec), ptr::read_volatile(&raw const task.record)) };
    let failed = |errno: c_int| (errno != 0).then(|| Errno::from_raw(errno));
    Ok(Spawned { pid: u32::try_from(pid).unwrap_or(0), exec: failed(exec), record: failed(record) })
}

extern "C" fn child(task: *mut c_void) -> c_int {
    // SAFETY: spawn gives its task, and waits.
    let task = unsafe { &mut *task.cast::<Task>() };
    let Err(errno) = become_program(task) else { return 111 };
    task.exec = errno as c_int;
    // SAFETY: ends this process; nothing is buffered.
    unsafe { libc::_exit(111) }
}

fn become_program(task: &mut Task) -> nix::Result<()> {
    let plan = task.plan;
    if plan.group {
        // SAFETY: two integers.
        Errno::result(unsafe { libc::setpgid(0, 0) })?;
    }
    // SAFETY: an open fd.
    Errno::result(unsafe { libc::fchdir(plan.folder.as_raw_fd()) })?;
    if let Some(slot) = &plan.record {
        // Before the exec: until then this process holds the lock of the one that started it, so that
        // nobody looks for a record that is not there yet.
        if let Err(errno) = write_record(slot, task.pid) {
            task.record = errno as c_int;
        }
    }
    for &(from, to) in plan.fds {
        if from == to {
            super::clear_cloexec(to)?;
        } else {
            super::dup2(from, to)?;
        }
    }
    block_signals(false)?;
    // SAFETY: C strings, and null-terminated vectors of them.
    unsafe { libc::execve(plan.path.as_ptr(), task.argv.as_ptr(), plan.env.as_ptr()) };
    Err(Errno::last())
}

fn write_record(slot: &Slot, pid: libc::pid_t) -> nix::Result<()> {
    // Where /proc is not there, or another pid namespace's: 0, with which nobody is believed to be dead or alive.
    let start = process_at(c"/proc/self/stat", pid.unsigned_abs()).map_or(0, |process| process.start);
    let mut text = Text::<{ Slot::SIZE }>::of(slot.head);
    text.number(pid.unsigned_abs()).add(" ").number(start).add(slot.tail).fill(Slot::SIZE - 1).add("\n");
    write_at(slot.file, text.bytes(), slot.offset)
}

/// Becomes another program. Returns why not.
#[must_use]
pub fn become_file(path: &CStr, argv: &Words, env: &Words) -> Errno {
    super::execve(path, argv, env)
}

/// pwrite(2) of all the bytes at once.
pub fn write_at(file: BorrowedFd, bytes: &[u8], offset: u64) -> nix::Result<()> {
    let offset = libc::off_t::try_from(offset).map_err(|_| Errno::EINVAL)?;
    if nix::sys::uio::pwrite(file, bytes, offset)? == bytes.len() { Ok(()) } else { Err(Errno::ENOSPC) }
}

/// Blocks all signals, or none. As a raw call: libc's leaves out those that it uses itself.
pub fn block_signals(all: bool) -> nix::Result<()> {
    set_mask(if all { u64::MAX } else { 0 })
}

/// Blocks this signal, and no other.
pub fn block_only(signal: i32) -> nix::Result<()> {
    set_mask(1 << (signal - 1))
}

fn set_mask(mask: u64) -> nix::Result<()> {
    let (set, old) = (&raw const mask, ptr::null_mut::<u64>());
    // SAFETY: a mask of eight bytes, as the kernel takes it.
    let result = unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, set, old, mem::size_of::<u64>())
    };
    Errno::result(result).map(drop)
}

/// Gives every signal its default disposition: those that are ignored would stay so in every child.
pub fn reset_signals() {
    // The kernel's struct sigaction: no handler, no flags, no signals. libc's call refuses some signals.
    let default = [0u64; 4];
    for signal in 1..=64 {
        let (new, old) = (default.as_ptr(), ptr::null_mut::<u64>());
        // SAFETY: as above. For signals that have no disposition it fails, and nothing is lost.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, old, mem::size_of::<u64>()) };
    }
}

/// Closes all fds from 3 up but `kept`, `close_range(2)`; before Linux 5.9 none.
pub fn close_others<'a>(kept: &(impl Iterator<Item = &'a OwnedFd> + Clone)) {
    let mut first = libc::STDERR_FILENO + 1;
    loop {
        let next = kept.clone().map(AsRawFd::as_raw_fd).filter(|fd| *fd >= first).min();
        let last = next.map_or(c_int::MAX, |next| next - 1);
        if first <= last {
            // SAFETY: integers. Called before anything else is opened.
            unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        }
        match next {
            Some(next) => first = next + 1,
            None => return,
        }
    }
}

/// A process as /proc/PID/stat shows it, `proc_pid_stat(5)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Process {
    /// Whether it is dead and only waits to be waited for.
    pub zombie: bool,
    /// Its parent's pid.
    pub parent: u32,
    /// Its process group.
    pub group: u32,
    /// When it started, in ticks since boot.
    pub start: u64,
}

impl Process {
    /// Reads a stat file's text.
    #[must_use]
    pub fn parse(stat: &[u8]) -> Option<Self> {
        // The name in parentheses may hold anything, also parentheses and blanks.
        let rest = &stat[stat.iter().rposition(|b| *b == b')')? + 1..];
        let mut fields = rest.split(|b| *b == b' ').skip(1);
        let zombie = matches!(fields.next()?, b"Z" | b"X");
        let mut next = |skip: usize| crate::cli::number::<u64>(fields.nth(skip)?);
        let (parent, group, start) = (next(0)?, next(0)?, next(16)?);
        Some(Self { zombie, parent: u32::try_from(parent).ok()?, group: u32::try_from(group).ok()?, start })
    }
}

/// The process of a pid. ENOENT or ESRCH where there is none, or where /proc is not there, or not that of our own
/// pid namespace.
pub fn process(pid: u32) -> nix::Result<Process> {
    if !procfs::is_own()? {
        return Err(Errno::ENOENT);
    }
    let mut path = Text::<32>::of("/proc/");
    path.number(pid).add("/stat\0");
    process_at(CStr::from_bytes_with_nul(path.bytes()).map_err(|_| Errno::EINVAL)?, pid)
}

fn process_at(path: &CStr, pid: u32) -> nix::Result<Process> {
    let mut buffer = [0; 512];
    let text =
        if procfs::is_own()? { read_file(path, &mut buffer)? } else { procfs::read(path, &mut buffer)? };
    let its = text.starts_with(Text::<16>::new().number(pid).add(" (").bytes());
    Process::parse(text).filter(|_| its).ok_or(Errno::EINVAL)
}

/// The beginning of a file.
pub fn read_file<'a>(path: &CStr, buffer: &'a mut [u8]) -> nix::Result<&'a [u8]> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = crate::fds::open(AT_FDCWD, path, flags, Mode::empty())?;
    let count = nix::unistd::read(&file, buffer)?;
    Ok(&buffer[..count])
}

/// A name of this boot, random(4)'s `boot_id`. ENOENT where /proc is not there.
pub fn boot_id(buffer: &mut [u8; 64]) -> nix::Result<&[u8]> {
    let id = procfs::read(c"/proc/sys/kernel/random/boot_id", buffer)?;
    Ok(id.strip_suffix(b"\n").unwrap_or(id))
}

/// What a symbolic link names, readlinkat(2), if that is shorter than the buffer. nix's allocates, and a
/// supervisor has nothing that takes it back.
pub fn read_link<'a>(folder: BorrowedFd, name: &CStr, buffer: &'a mut [u8]) -> nix::Result<&'a [u8]> {
    let (to, size) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: a C string; pointer and length are of one slice.
    let length = Errno::result(unsafe { libc::readlinkat(folder.as_raw_fd(), name.as_ptr(), to, size) })?;
    let length = usize::try_from(length).ok().filter(|length| *length < size).ok_or(Errno::ENAMETOOLONG)?;
    Ok(&buffer[..length])
}

/// Tells the pids of the children of this thread, as /proc has them; none where it has none, or is that of another
/// pid namespace, in which each of these numbers is that of somebody else.
pub fn children(mut tell: impl FnMut(u32)) {
    // Where it cannot be read there is nobody that could be told of: who asks does without.
    if procfs::is_own() != Ok(true) {
        return;
    }
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let Ok(file) = crate::fds::open(AT_FDCWD, c"/proc/thread-self/children", flags, Mode::empty()) else {
        return;
    };
    let mut end = false;
    let read = |buffer: &mut [u8]| {
        let count = if end { 0 } else { nix::unistd::read(&file, buffer).unwrap_or(0) };
        // The kernel fills what it is given as far as whole pids fit, which are shorter than this.
        end = buffer.len() - count >= 16;
        count
    };
    numbers(read, &mut tell);
}

/// Tells the numbers that `read` gives piece by piece. One counts with the blank behind it: a piece may end
/// inside of it, and half of a pid is that of somebody else.
fn numbers(mut read: impl FnMut(&mut [u8]) -> usize, tell: &mut impl FnMut(u32)) {
    let mut buffer = [0; 512];
    let mut filled = 0;
    loop {
        let count = read(&mut buffer[filled..]);
        if count == 0 {
            return;
        }
        filled += count;
        let end = buffer[..filled].iter().rposition(u8::is_ascii_whitespace).map_or(0, |blank| blank + 1);
        buffer[..end].split(u8::is_ascii_whitespace).filter_map(crate::cli::number).for_each(&mut *tell);
        buffer.copy_within(end..filled, 0);
        filled -= end;
    }
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
    let mut watched = [super::socket::watch(pidfd.as_raw_fd(), libc::POLLIN)];
    super::socket::poll(&mut watched, Some(0))?;
    Ok(watched[0].revents != 0)
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

/// The wait status of a process that is no child of ours, as its pidfd tells once it has been reaped, Linux
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

unsafe extern "C" {
    // The linker's names for where the code begins and ends.
    static __executable_start: u8;
    static etext: u8;
}

/// Gives back what deeper calls have used of the stack, and the pages of code that are mapped: who waits for
/// days needs neither. What is needed again is found in the page cache.
#[inline(never)] // whatever is in the frame of who calls it lies above it
pub fn give_back() {
    const PAGE: usize = 1 << 12;
    const MARGIN: usize = 1 << 9;
    let here = 0u8;
    // Below us there is nothing but the frame of the call that follows, for which there is the margin.
    let end = (&raw const here as usize - MARGIN) & !(PAGE - 1);
    let code = &raw const __executable_start as usize;
    let length = (&raw const etext as usize - code) & !(PAGE - 1);
    for (start, length) in [(end - 16 * PAGE, 16 * PAGE), (code, length)] {
        // SAFETY: nobody has a pointer into what lies below on the stack, of which the kernel gives a new
        // program 128 KiB; what is not mapped it refuses. Code is mapped from a file and not written.
        unsafe { libc::madvise(ptr::without_provenance_mut(start), length, libc::MADV_DONTNEED) };
    }
}

/// How many bytes wait in a pipe, `FIONREAD`.
pub fn unread(pipe: BorrowedFd) -> nix::Result<usize> {
    let mut count: c_int = 0;
    // SAFETY: FIONREAD writes one integer.
    Errno::result(unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut count) })?;
    Ok(usize::try_from(count).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let line = b"7 (a) Z (b c)) S 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 777 22";
        let process = Process { zombie: false, parent: 3, group: 4, start: 777 };
        assert_eq!(Process::parse(line), Some(process));
        assert_eq!(Process::parse(b""), None);
        assert_eq!(Process::parse(b"7 (a) S 3"), None);
    }

    #[test]
    fn a_number_in_two_pieces_is_one() {
        let mut pieces = [&b"12 345"[..], b"6 7", b" 8"].into_iter();
        let mut told = Vec::new();
        let read = |buffer: &mut [u8]| {
            let piece = pieces.next().unwrap_or(b"");
            buffer[..piece.len()].copy_from_slice(piece);
            piece.len()
        };
        numbers(read, &mut |number| told.push(number));
        assert_eq!(told, [12, 3456, 7], "what no blank follows may not be whole");
    }

    #[test]
    fn this_process_is_found_and_has_a_parent() {
        let own = super::process(std::process::id()).unwrap();
        assert!(own.parent != 0 && own.start != 0 && !own.zombie);
    }
}
