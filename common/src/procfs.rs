//! Files below /proc, believed only if that is a procfs: in a chroot, or before it is mounted, whoever
//! may write there says what is in a plain file of the same name. One that is not on a procfs is not there
//! (ENOENT), as if nothing were mounted.

use std::ffi::{CStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstatat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs, statfs};

use crate::fds;
use crate::quantity::number;
use crate::signals::mask_of;
use crate::sys::{file, process as own};
use crate::text::Text;

/// Opens a file of a procfs to read it, by its whole path. Close-on-exec, and never waits for the other end of
/// a FIFO.
pub fn open(path: &CStr) -> nix::Result<OwnedFd> {
    believed(AT_FDCWD, path, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)
}

/// The beginning of a file of a procfs.
pub fn read<'a>(path: &CStr, buffer: &'a mut [u8]) -> nix::Result<&'a [u8]> {
    let count = nix::unistd::read(open(path)?, buffer)?;
    Ok(&buffer[..count])
}

static OWN: AtomicBool = AtomicBool::new(false);

/// Says that there is another root directory, and so another /proc or none.
pub(crate) fn root_has_changed() {
    OWN.store(false, Ordering::Relaxed);
}

/// Whether /proc is that of our own pid namespace: whether `/proc/self` is the pid that we know ourselves by. In
/// another one's each pid is that of somebody else.
pub(crate) fn is_own() -> nix::Result<bool> {
    // Once ours, always ours, in one root directory: only a process that may mount over it could change it.
    if OWN.load(Ordering::Relaxed) {
        return Ok(true);
    }
    let mut buffer = [0; 16];
    let name = file::read_link(root()?.as_fd(), c"self", &mut buffer)?;
    let own = name == Text::<16>::new().number(own::id()?).bytes();
    OWN.store(own, Ordering::Relaxed);
    Ok(own)
}

/// The directory of this process, to reach from it what is on other file systems, as `exe`: where its links lead
/// the kernel alone decides.
#[derive(Debug)]
pub struct This(OwnedFd);

impl This {
    /// Opens it.
    pub fn open() -> nix::Result<Self> {
        // From the root, whose `self` is made by the kernel: with the right to write in / one could make a /proc that
        // leads to another process.
        believed(root()?.as_fd(), c"self", DIRECTORY).map(Self)
    }

    /// One that was opened by [`This::open`] and [`This::file`], and kept across an exec. `None` where it is no directory
    /// of a procfs.
    #[must_use]
    pub fn kept(directory: OwnedFd) -> Option<Self> {
        let system = fstatfs(&directory).ok()?.filesystem_type();
        (system == PROC_SUPER_MAGIC).then_some(Self(directory))
    }

    /// What `name` leads to: stat(2).
    pub fn stat(&self, name: &CStr) -> nix::Result<FileStat> {
        fstatat(&self.0, name, AtFlags::empty())
    }

    /// Opens what `name` leads to, close-on-exec.
    pub fn file(&self, name: &CStr, flags: OFlag) -> nix::Result<OwnedFd> {
        fds::open(self.0.as_fd(), name, flags | OFlag::O_CLOEXEC, Mode::empty())
    }

    /// The path of what `name` leads to, readlinkat(2).
    pub fn path(&self, name: &CStr) -> nix::Result<OsString> {
        readlinkat(&self.0, name)
    }

    /// The path of the program's file; of one that has been replaced since it was executed, that of the new one:
    /// `proc_pid_exe(5)`.
    pub fn program(&self) -> nix::Result<Vec<u8>> {
        let mut path = self.path(c"exe")?.into_vec();
        path.truncate(path.strip_suffix(b" (deleted)").unwrap_or(&path).len());
        Ok(path)
    }
}

/// Whether there is a procfs on /proc, where nothing but speed depends on it: a process that may write in / could
/// change it before it is used by name.
#[must_use]
pub(crate) fn is_there() -> bool {
    statfs(c"/proc/self").is_ok_and(|system| system.filesystem_type() == PROC_SUPER_MAGIC)
}

const DIRECTORY: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY);

/// The root of the procfs on /proc. No other directory of a procfs has a `self`.
fn root() -> nix::Result<OwnedFd> {
    believed(AT_FDCWD, c"/proc", DIRECTORY)
}

fn believed(directory: BorrowedFd, path: &CStr, flags: OFlag) -> nix::Result<OwnedFd> {
    let file = fds::open(directory, path, flags | OFlag::O_CLOEXEC, Mode::empty())?;
    if fstatfs(&file)?.filesystem_type() == PROC_SUPER_MAGIC { Ok(file) } else { Err(Errno::ENOENT) }
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
        let mut next = |skip: usize| number::<u64>(fields.nth(skip)?);
        let (parent, group, start) = (next(0)?, next(0)?, next(16)?);
        Some(Self { zombie, parent: u32::try_from(parent).ok()?, group: u32::try_from(group).ok()?, start })
    }
}

/// Reports each process that /proc shows: its pid and the beginning of its file stat, `proc_pid_stat(5)`. One that ends
/// meanwhile is left out. ENOENT where /proc is not there, or not that of our own pid namespace.
pub fn each(mut report: impl FnMut(u32, &[u8])) -> nix::Result<()> {
    if !is_own()? {
        return Err(Errno::ENOENT);
    }
    let root = believed(AT_FDCWD, c"/proc", OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    file::each_entry(root.as_fd(), |name, _| {
        let Some(pid) = number::<u32>(name.to_bytes()) else { return };
        let mut path = Text::<32>::of(name.to_bytes());
        path.add("/stat\0");
        let path = CStr::from_bytes_with_nul(path.bytes()).unwrap_or(c"");
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let mut buffer = [0; 512];
        // As said above: it has ended.
        let Ok(file) = fds::open(root.as_fd(), path, flags, Mode::empty()) else { return };
        let Ok(count) = nix::unistd::read(&file, &mut buffer) else { return };
        report(pid, &buffer[..count]);
    })
}

/// The beginning of a file of a process, in one call. Errors as of [`file_of`].
pub fn beginning_of<'a>(pid: u32, name: &str, buffer: &'a mut [u8]) -> nix::Result<&'a [u8]> {
    let count = nix::unistd::read(open_of(pid, name, OFlag::O_RDONLY)?, buffer)?;
    Ok(&buffer[..count])
}

/// The whole of a file of a process, at most `most` bytes of it. Errors as of [`process`], and EACCES for what is not for
/// us.
pub fn file_of(pid: u32, name: &str, most: usize) -> nix::Result<Vec<u8>> {
    fds::read_up_to(open_of(pid, name, OFlag::O_RDONLY)?, most)
}

/// What `find` makes of the first line of a file of a process of which it makes something. It gets each line as far as
/// `buffer` holds it, without its end. Errors as of [`file_of`].
pub fn find_line<T>(
    pid: u32,
    name: &str,
    buffer: &mut [u8],
    mut find: impl FnMut(&[u8]) -> Option<T>,
) -> nix::Result<Option<T>> {
    let mut found = None;
    let file = open_of(pid, name, OFlag::O_RDONLY)?;
    lines(&mut |part| nix::unistd::read(&file, part), buffer, &mut |line| {
        found = find(line);
        found.is_some()
    })?;
    Ok(found)
}

/// Reads lines until one is `enough`. It is there once, whatever is looked for.
fn lines(
    read: &mut dyn FnMut(&mut [u8]) -> nix::Result<usize>,
    buffer: &mut [u8],
    enough: &mut dyn FnMut(&[u8]) -> bool,
) -> nix::Result<()> {
    // How much of the buffer is in use, and whether its beginning is the end of a line that was too long for it.
    let (mut filled, mut inside) = (0, false);
    loop {
        let count = match read(&mut buffer[filled..]) {
            Err(Errno::EINTR) => continue,
            read => read?,
        };
        filled += count;
        let mut start = 0;
        while start < filled {
            let rest = &buffer[start..filled];
            let end = rest.iter().position(|b| *b == b'\n');
            let full = start == 0 && filled == buffer.len();
            if end.is_none() && count > 0 && !full {
                break; // the rest of it is still to come
            }
            let length = end.unwrap_or(rest.len());
            if !inside && enough(&rest[..length]) {
                return Ok(());
            }
            inside = end.is_none();
            start += length + usize::from(end.is_some());
        }
        if count == 0 {
            return Ok(());
        }
        buffer.copy_within(start..filled, 0);
        filled -= start;
    }
}

/// Reports where each open file of a process leads, as `socket:[4711]`. Errors as of [`file_of`].
pub fn open_files_of(pid: u32, mut report: impl FnMut(&[u8])) -> nix::Result<()> {
    let directory = open_of(pid, "fd", OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    let mut buffer = [0; 256];
    file::each_entry(directory.as_fd(), |name, _| {
        // One that is closed meanwhile is not open.
        if let Ok(target) = file::read_link(directory.as_fd(), name, &mut buffer) {
            report(target);
        }
    })
}

fn open_of(pid: u32, name: &str, flags: OFlag) -> nix::Result<OwnedFd> {
    if !is_own()? {
        return Err(Errno::ENOENT);
    }
    let mut path = Text::<64>::of("/proc/");
    path.number(pid).add("/").add(name).add("\0");
    let path = CStr::from_bytes_with_nul(path.bytes()).map_err(|_| Errno::EINVAL)?;
    fds::open(AT_FDCWD, path, flags | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK, Mode::empty())
}

/// The process of a pid. ENOENT or ESRCH where there is none, or where /proc is not there, or not that of our own
/// pid namespace.
pub fn process(pid: u32) -> nix::Result<Process> {
    parse_of(pid, beginning_of(pid, "stat", &mut [0; 512])?)
}

/// Whether a process leaves this signal at its default action and does not block it, `proc_pid_status(5)`. Errors as of
/// [`process`]; EINVAL where the file does not say.
pub fn takes_by_default(pid: u32, signal: i32) -> nix::Result<bool> {
    let mut buffer = [0; 4096];
    let status = beginning_of(pid, "status", &mut buffer)?;
    let hex = |digits: &[u8]| {
        digits.iter().try_fold(0, |mask, digit| Some(mask << 4 | u64::from(char::from(*digit).to_digit(16)?)))
    };
    let mut otherwise = 0;
    for name in ["SigBlk:", "SigIgn:", "SigCgt:"] {
        let mut lines = status.split(|b| *b == b'\n');
        let mask = lines.find_map(|line| hex(line.strip_prefix(name.as_bytes())?.trim_ascii()));
        otherwise |= mask.ok_or(Errno::EINVAL)?;
    }
    Ok(otherwise & mask_of(&[signal]) == 0)
}

/// This process, whose pid is `pid`. Where /proc is another pid namespace's it is not found.
pub(crate) fn this(pid: u32) -> nix::Result<Process> {
    let (path, mut buffer) = (c"/proc/self/stat", [0; 512]);
    parse_of(pid, if is_own()? { read_file(path, &mut buffer)? } else { read(path, &mut buffer)? })
}

fn parse_of(pid: u32, text: &[u8]) -> nix::Result<Process> {
    let its = text.starts_with(Text::<16>::new().number(pid).add(" (").bytes());
    Process::parse(text).filter(|_| its).ok_or(Errno::EINVAL)
}

/// The beginning of a file.
fn read_file<'a>(path: &CStr, buffer: &'a mut [u8]) -> nix::Result<&'a [u8]> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = fds::open(AT_FDCWD, path, flags, Mode::empty())?;
    let count = nix::unistd::read(&file, buffer)?;
    Ok(&buffer[..count])
}

/// A name of this boot, random(4)'s `boot_id`. ENOENT where /proc is not there.
pub fn boot_id(buffer: &mut [u8; 64]) -> nix::Result<&[u8]> {
    let id = read(c"/proc/sys/kernel/random/boot_id", buffer)?;
    Ok(id.strip_suffix(b"\n").unwrap_or(id))
}

/// Reports the pids of the children of this thread, as /proc has them; none where it has none, or is that of another
/// pid namespace, in which each of these numbers is that of somebody else.
pub fn children(mut report: impl FnMut(u32)) {
    // Where it cannot be read there is nothing to report: callers do without.
    if is_own() != Ok(true) {
        return;
    }
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    if let Ok(file) = fds::open(AT_FDCWD, c"/proc/thread-self/children", flags, Mode::empty()) {
        numbers_in(&file, &mut report);
    }
}

/// Reports the pids of the children of any process, those of all its threads. Nothing where /proc has none, as of a
/// process that has ended.
pub fn children_of(pid: u32, mut report: impl FnMut(u32)) {
    // Where it cannot be read there is nothing to report: callers do without.
    if is_own() != Ok(true) {
        return;
    }
    let mut path = Text::<32>::of("/proc/");
    path.number(pid).add("/task\0");
    let path = CStr::from_bytes_with_nul(path.bytes()).unwrap_or(c"");
    let Ok(threads) = fds::open_directory(AT_FDCWD, path) else { return };
    let each = |thread: &CStr| {
        let mut name = Text::<32>::of(thread.to_bytes());
        name.add("/children\0");
        let name = CStr::from_bytes_with_nul(name.bytes()).unwrap_or(c"");
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        if let Ok(file) = fds::open(threads.as_fd(), name, flags, Mode::empty()) {
            numbers_in(&file, &mut report);
        }
    };
    // A thread that ends meanwhile leaves its children to another one, where the next look finds them.
    let _ = fds::each_name(threads.as_fd(), each);
}

/// Reports the numbers in a file, as far as it can be read.
fn numbers_in(file: &OwnedFd, report: &mut impl FnMut(u32)) {
    let mut end = false;
    let read = |buffer: &mut [u8]| {
        let count = if end { 0 } else { nix::unistd::read(file, buffer).unwrap_or(0) };
        // The kernel fills what it is given as far as whole pids fit, which are shorter than this.
        end = buffer.len() - count >= 16;
        count
    };
    numbers(read, report);
}

/// Reports the numbers that `read` gives piece by piece. One counts with the blank behind it: a piece may end
/// inside of it, and half of a pid is that of somebody else.
fn numbers(mut read: impl FnMut(&mut [u8]) -> usize, report: &mut impl FnMut(u32)) {
    let mut buffer = [0; 512];
    let mut filled = 0;
    loop {
        let count = read(&mut buffer[filled..]);
        if count == 0 {
            return;
        }
        filled += count;
        let end = buffer[..filled].iter().rposition(u8::is_ascii_whitespace).map_or(0, |blank| blank + 1);
        buffer[..end].split(u8::is_ascii_whitespace).filter_map(number).for_each(&mut *report);
        buffer.copy_within(end..filled, 0);
        filled -= end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_file_system_is_not_there() {
        let mut buffer = [0; 64];
        assert!(
            read(c"/proc/self/stat", &mut buffer)
                .unwrap()
                .starts_with(std::process::id().to_string().as_bytes())
        );
        // These lead out of it.
        assert_eq!(read(c"/proc/self/exe", &mut buffer).unwrap_err(), Errno::ENOENT);
        assert_eq!(believed(AT_FDCWD, c"/dev", OFlag::O_PATH).unwrap_err(), Errno::ENOENT);
        assert_eq!(read(c"/proc/none", &mut buffer).unwrap_err(), Errno::ENOENT);
    }

    #[test]
    fn a_line_is_found_however_it_is_read_and_given_as_far_as_it_fits() {
        for (text, expected) in [
            ("one\ntwo\nthree", &["one", "two", "three"][..]),
            ("", &[]),
            ("\n\nx\n", &["", "", "x"]),
            ("0123456789\ntwo\n", &["01234567", "two"]),
            ("0123456789abcdefghij\n\ntwo", &["01234567", "", "two"]),
            ("01234567\ntwo", &["01234567", "two"]),
            ("0123456789", &["01234567"]),
        ] {
            for step in [1, 3, 8] {
                let (mut rest, mut found) = (text.as_bytes(), Vec::new());
                let mut read = |part: &mut [u8]| {
                    let count = rest.len().min(part.len()).min(step);
                    part[..count].copy_from_slice(&rest[..count]);
                    rest = &rest[count..];
                    Ok(count)
                };
                let mut note = |line: &[u8]| {
                    found.push(String::from_utf8(line.to_vec()).unwrap());
                    false
                };
                assert_eq!(lines(&mut read, &mut [0; 8], &mut note), Ok(()));
                assert_eq!(found, expected, "{text:?} by {step}");
            }
        }
        let pid = std::process::id();
        let found = find_line(pid, "status", &mut [0; 64], |line| {
            line.strip_prefix(b"Pid:\t").map(|pid| number::<u32>(pid).unwrap())
        });
        assert_eq!(found, Ok(Some(pid)));
        assert_eq!(find_line(pid, "none", &mut [0; 8], |_| Some(())), Err(Errno::ENOENT));
    }

    #[test]
    fn the_directory_of_this_process_leads_to_what_is_its_own() {
        let this = This::open().unwrap();
        let own = std::env::current_exe().unwrap();
        assert_eq!(this.path(c"exe").unwrap(), own);
        let (file, found) = (nix::sys::stat::stat(&own).unwrap(), this.stat(c"exe").unwrap());
        assert_eq!((found.st_dev, found.st_ino), (file.st_dev, file.st_ino));
        assert!(is_own().unwrap());
    }

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
        let mut reported = Vec::new();
        let read = |buffer: &mut [u8]| {
            let piece = pieces.next().unwrap_or(b"");
            buffer[..piece.len()].copy_from_slice(piece);
            piece.len()
        };
        numbers(read, &mut |number| reported.push(number));
        assert_eq!(reported, [12, 3456, 7], "a number without a blank behind it may not be whole");
    }

    #[test]
    fn the_children_of_a_process_are_those_of_all_its_threads() {
        let own = std::process::id();
        let mut found = Vec::new();
        children_of(process(own).unwrap().parent, |pid| found.push(pid));
        assert!(found.contains(&own), "{found:?}");
        children_of(0, |pid| panic!("{pid}"));
    }

    #[test]
    fn all_processes_and_the_files_of_each_are_shown() {
        let own = std::process::id();
        let mut found = None;
        each(|pid, stat| {
            if pid == own {
                found = Process::parse(stat);
            }
        })
        .unwrap();
        assert_eq!(found.unwrap().start, process(own).unwrap().start);
        assert!(!file_of(own, "cmdline", 4096).unwrap().is_empty());
        assert_eq!(file_of(own, "cmdline", 3).unwrap().len(), 3);
        let mut null = 0;
        let file = std::fs::File::open("/dev/null").unwrap();
        open_files_of(own, |target| null += usize::from(target == b"/dev/null")).unwrap();
        drop(file);
        assert!(null > 0);
        assert!(matches!(file_of(0, "stat", 1), Err(Errno::ENOENT)));
    }

    #[test]
    fn this_process_is_found_and_has_a_parent() {
        let own = process(std::process::id()).unwrap();
        assert!(own.parent != 0 && own.start != 0 && !own.zombie);
    }
}
