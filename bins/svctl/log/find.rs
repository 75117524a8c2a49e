//! Where the log of a service is.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;

use common::identity::same;
use common::quantity::number;
use common::{door, fds, procfs, shown};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, readlinkat};
use nix::sys::stat::{SFlag, fstatat};

use super::directory::Directory;
use super::stamp::LEAP;
use crate::svctl::failure::Failure;
use crate::svctl::look;
use crate::svctl::names::{Names, log_of};
use crate::svctl::place::Place;
use crate::svctl::tree::Known;

/// The files that loggers hold open in a log directory.
const HELD: [&[u8]; 4] = [b"current", b"lock", b"state", b"batch"];

/// How many generations of processes are looked at: a script may run the logger as its child.
const GENERATIONS: u32 = 3;

/// Programs that send lines to syslog.
const TO_SYSLOG: [&[u8]; 5] = [b"sissylog", b"logger", b"vlogger", b"systemd-cat", b"splogger"];

/// Why there is no log.
pub(super) enum Missing {
    /// There is no logger.
    Logger(Failure),
    Other(Failure),
}

impl Missing {
    pub(super) fn failure(&self) -> &Failure {
        match self {
            Self::Logger(failure) | Self::Other(failure) => failure,
        }
    }
}

/// The log directory of a service: one that its logger has open, else one where it is usually.
pub(super) fn directory(names: &Names, name: &[u8], known: &Known) -> Result<Directory, Missing> {
    let service = service(name);
    let place = names.find(service).map_err(Missing::Other)?;
    let log = names.find(&[service, &b"/log"[..]].concat()).map_err(Missing::Other)?;
    // Where nobody says who it is, it may be found all the same.
    let logger = look::status_of(&log, known).ok().flatten().map(|status| status.pid).filter(|pid| *pid != 0);
    let mut logger = logger.map(Logger::new);
    let held = logger.as_mut().and_then(|logger| logger.found.as_mut().ok());
    if let Some(directory) = held.and_then(Held::main) {
        return Ok(directory);
    }
    if let Some(directory) = usual(&log, service) {
        return Ok(directory);
    }
    Err(match logger {
        None if log.directory().is_err() => Missing::Logger(no_logger(&place, service)),
        None => Missing::Other(
            Failure::fails("its logger does not run, and its log is not in a usual place")
                .hint(format!("'svctl up {}/log', or see log/run", shown(service))),
        ),
        Some(logger) => Missing::Other(logger.no_directory()),
    })
}

/// The service of which this is the name, or that of its log.
fn service(name: &[u8]) -> &[u8] {
    log_of(name).unwrap_or(name)
}

fn no_logger(place: &Place, service: &[u8]) -> Failure {
    let name = last(service);
    let above = if place.host.is_some() { "svtree" } else { "its supervisor" };
    Failure::fails("no logger").hint(format!(
        "it writes to the output of {above}; for a log, make log/run with 'exec svlog -tt /var/log/{}'",
        shown(name)
    ))
}

/// The last name in a path.
fn last(path: &[u8]) -> &[u8] {
    let mut names = path.rsplit(|byte| *byte == b'/').filter(|name| !name.is_empty());
    names.next().unwrap_or(path)
}

/// A log directory in a usual place. Links are followed where root or we have made them.
fn usual(log: &Place, service: &[u8]) -> Option<Directory> {
    // What is not there, or not for us, is not found.
    let open = |parent: BorrowedFd, name: &CStr| door::directory(parent, name).and_then(Directory::new).ok();
    if let Ok(own) = log.directory() {
        for name in [c".", c"main"] {
            if let Some(found) = open(own, name) {
                return Some(found);
            }
        }
    }
    let name =
        CString::new(last(service)).ok().filter(|name| !matches!(name.to_bytes(), b"." | b".." | b""))?;
    let logs = fds::open_directory(AT_FDCWD, c"/var/log").ok()?;
    open(logs.as_fd(), &name)
}

/// The process of a logger, which may be a script with the logger as its child.
struct Logger {
    pid: u32,
    found: nix::Result<Held>,
}

/// What a process has open.
#[derive(Default)]
struct Held {
    directories: Vec<Directory>,
    /// Its command line.
    words: Vec<Vec<u8>>,
}

impl Logger {
    fn new(pid: u32) -> Self {
        let mut found = Held::of(pid);
        let mut processes = vec![pid];
        for _ in 1..GENERATIONS {
            let mut children = Vec::new();
            for pid in processes {
                procfs::children_of(pid, |child| children.push(child));
            }
            for child in &children {
                // One that has ended meanwhile is no logger.
                if let (Ok(Held { directories, .. }), Ok(held)) = (&found, Held::of(*child)) {
                    if directories.is_empty() && !held.directories.is_empty() {
                        found = Ok(held);
                    }
                }
            }
            processes = children;
        }
        Self { pid, found }
    }

    /// Why it has no directory.
    fn no_directory(&self) -> Failure {
        let (pid, held) = match &self.found {
            Ok(held) => (self.pid, held),
            Err(errno) => {
                return Failure::fails(format!("unable to look at its logger (pid {})", self.pid))
                    .because(*errno)
                    .hint("root, and the account of a logger, see which files it has open");
            }
        };
        let program = held.program();
        let failure =
            Failure::fails(format!("its logger, {} (pid {pid}), has no log directory", shown(program)));
        if TO_SYSLOG.contains(&program) {
            failure.hint("its lines are in syslog: see 'journalctl' or the files in /var/log")
        } else if program == b"svlog" {
            failure.hint("'svlog -' writes to the output of its supervisor")
        } else {
            failure
        }
    }
}

impl Held {
    /// The log directories that a process has open, itself or a file in them, in the order of its fds, each once.
    fn of(pid: u32) -> nix::Result<Self> {
        procfs::process(pid)?; // also where /proc is that of other pids
        let list = procfs::open(&path(format!("/proc/{pid}/fd")))?;
        let mut fds: Vec<u32> = Vec::new();
        fds::each_name(list.as_fd(), |name| fds.extend(number::<u32>(name.to_bytes())))?;
        fds.sort_unstable();
        let mut directories: Vec<Directory> = Vec::new();
        for fd in fds {
            // An fd that is closed meanwhile, or whose file we may not reach, is none of a log for us.
            if let Ok(directory) = held_by(pid, list.as_fd(), &path(fd.to_string())) {
                if !directories.iter().any(|other| other.is(&directory)) {
                    directories.push(directory);
                }
            }
        }
        let mut line = [0; 4096];
        let line = procfs::read(&path(format!("/proc/{pid}/cmdline")), &mut line)?;
        Ok(Self { directories, words: line.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect() })
    }

    /// The name of the program.
    fn program(&self) -> &[u8] {
        self.words.first().map_or(b"", |word| last(word))
    }

    /// The directory with all lines: of several the first that gets them all, or else the first.
    fn main(&mut self) -> Option<Directory> {
        let by_words = match self.program() {
            b"multilog" | b"s6-log" => selective(self.words.iter().skip(1).map(Vec::as_slice)),
            _ => Vec::new(),
        };
        let is_whole = |(place, directory): (usize, &Directory)| {
            let by_word = by_words.get(place).filter(|_| by_words.len() == self.directories.len());
            !by_word.copied().unwrap_or(false) && !directory.is_selective()
        };
        let place = self.directories.iter().enumerate().position(is_whole).unwrap_or(0);
        let ahead = if self.program() == b"s6-log" { LEAP } else { 0 };
        let found = (!self.directories.is_empty()).then(|| self.directories.swap_remove(place));
        found.map(|directory| directory.ahead(ahead))
    }
}

/// For each directory in a script of multilog or s6-log, whether it may not get all lines: some were deselected, and
/// not all selected again.
fn selective<'a>(words: impl Iterator<Item = &'a [u8]>) -> Vec<bool> {
    let mut directories = Vec::new();
    let mut selects = false;
    for word in words {
        match word {
            [b'.' | b'/', ..] => directories.push(selects),
            b"+*" | b"+" | b"+.*" => selects = false,
            // An option of s6-log, or the end of them.
            [b'-', b'-' | b'b' | b'e' | b'p' | b'q' | b'v'] if directories.is_empty() => {}
            [b'-', ..] | b"f" => selects = true,
            _ => {}
        }
    }
    directories
}

/// A path that is made of ASCII.
fn path(text: String) -> CString {
    CString::new(text).unwrap_or_default()
}

/// The log directory that an fd is, or is in.
fn held_by(pid: u32, list: BorrowedFd, fd: &CStr) -> nix::Result<Directory> {
    let stat = fstatat(list, fd, AtFlags::empty())?;
    if fds::is(&stat, SFlag::S_IFDIR) {
        return Directory::new(fds::open_directory(list, fd)?);
    }
    let link = readlinkat(list, fd)?.into_vec();
    let Some(slash) = link.iter().rposition(|byte| *byte == b'/') else { return Err(Errno::ENOENT) };
    let (parent, file) = (&link[..slash], &link[slash + 1..]);
    if !fds::is(&stat, SFlag::S_IFREG) || !HELD.contains(&file) {
        return Err(Errno::ENOENT);
    }
    // By its path as we see it, or as the process does, in another mount namespace.
    let file = CString::new(file).map_err(|_| Errno::ENOENT)?;
    for root in [String::new(), format!("/proc/{pid}/root")] {
        let path = CString::new([root.as_bytes(), parent].concat()).map_err(|_| Errno::ENOENT)?;
        let Ok(directory) = fds::open_directory(AT_FDCWD, &path) else { continue };
        let there = fstatat(directory.as_fd(), &*file, AtFlags::AT_SYMLINK_NOFOLLOW);
        // The name may be another file's by now.
        if there.is_ok_and(|there| same(&there, &stat)) {
            return Directory::new(directory);
        }
    }
    Err(Errno::ENOENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_behind_a_pattern_may_not_have_all_lines() {
        let of = |script: &str| selective(script.split(' ').map(str::as_bytes));
        assert_eq!(of("t ./main"), [false]);
        assert_eq!(of("t -*debug* ./some +* ./all -* +*error* ./errors"), [true, false, true]);
        assert_eq!(of("-b -- n20 /var/log/a -debug /var/log/b + /var/log/c"), [false, true, false]);
    }

    #[test]
    fn the_log_of_a_service_may_be_named_too() {
        assert_eq!(service(b"web/log"), b"web");
        assert_eq!(service(b"./web/log/"), b"./web");
        assert_eq!(service(b"log"), b"log");
        assert_eq!((last(b"/etc/sv/web/"), last(b"web")), (&b"web"[..], &b"web"[..]));
    }
}
