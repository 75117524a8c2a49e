//! Control groups, cgroups(7) version 2: directories of a file system, which need not be mounted where it mostly is.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::{Mode, mkdirat};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, fstatfs};
use nix::unistd::{UnlinkatFlags, unlinkat, write};

use crate::exit::{Exit, OrFail};
use crate::sys::process;
use crate::{fds, procfs};

/// How much of a file of /proc is read: there are machines with thousands of mounts.
const MOST: usize = 1 << 22;

/// The part of the tree of groups that is mounted here.
#[derive(Debug, PartialEq)]
struct Mount {
    /// The path of its topmost group, as /proc shows that of a process.
    top: Vec<u8>,
    /// Where it is.
    point: CString,
}

impl Mount {
    /// Reads a line of mountinfo, `proc_pid_mountinfo(5)`.
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|b| *b == b' ');
        let (top, point) = (fields.nth(3)?, fields.next()?);
        // Any number of fields comes before the dash.
        let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
        let point = CString::new(unescaped(point)).ok()?;
        (kind == b"cgroup2").then(|| Self { top: unescaped(top), point })
    }

    /// The path of a group from the topmost one, with a slash in front unless that is it.
    fn below<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        let top = self.top.strip_suffix(b"/").unwrap_or(&self.top);
        let rest = path.strip_prefix(top)?;
        match rest {
            b"" | b"/" => Some(b""),
            // Outside of the root of our namespace.
            [b'/', b'.', b'.', ..] => None,
            [b'/', ..] => Some(rest),
            _ => None, // a name that only begins as the topmost one
        }
    }
}

/// A field of mountinfo, in which blanks and backslashes are octal numbers.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        text.push(match (first, tail) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                rest = tail;
                (a - b'0') << 6 | (b - b'0') << 3 | (c - b'0')
            }
            _ => *first,
        });
    }
    text
}

/// Where a group is.
#[derive(Debug)]
pub struct Place {
    parent: OwnedFd,
    name: CString,
}

/// A group that this process may go to.
#[derive(Debug)]
pub struct Group {
    place: Place,
    directory: OwnedFd,
    /// It was not there before.
    made: bool,
}

/// Where a path begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum From {
    /// At the topmost group that is mounted.
    Top,
    /// Beside the group of this process; where that is the topmost one, below it.
    Beside,
}

impl Place {
    /// Finds the place of a group: the groups above it are there, and nothing on the way is a link.
    pub fn find<'a>(from: From, names: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, Exit> {
        let pid = process::id().or_fail("read the pid")?;
        let read = |name| procfs::file_of(pid, name, MOST).or_fail(format_args!("read /proc/self/{name}"));
        let mounts = read("mountinfo")?;
        let mut mounts = mounts.split(|b| *b == b'\n').filter_map(Mount::parse).peekable();
        if mounts.peek().is_none() {
            let error = Exit::fatal("no cgroup2 file system is mounted");
            return Err(error
                .hint("mount -t cgroup2 cgroup2 /sys/fs/cgroup, or start the container with its cgroups"));
        }
        let own = read("cgroup")?;
        let own = own.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(b"0::")).unwrap_or_default();
        // A container may have other parts mounted beside its own.
        let found = mounts.find_map(|mount| mount.below(own).map(|path| (path, mount.point.clone())));
        let (own, point) =
            found.ok_or_else(|| Exit::fatal("the cgroup of this process is not mounted here"))?;
        let mut above = Vec::new();
        if from == From::Beside {
            above.extend(own.split(|b| *b == b'/').skip(1).map(c_string));
            above.pop();
        }
        above.extend(names.into_iter().map(c_string));
        let name = above.pop().unwrap_or_default();
        let action = format_args!("open {}", crate::shown(point.to_bytes()));
        let mut parent = open(AT_FDCWD, &point).or_fail(action)?;
        if fstatfs(&parent).or_fail(action)?.filesystem_type() != CGROUP2_SUPER_MAGIC {
            return Err(Exit::fatal("another file system is mounted on that of the cgroups"));
        }
        for name in above {
            parent = open(parent.as_fd(), &name)
                .or_fail(format_args!("open the cgroup {}", crate::shown(name.to_bytes())))?;
        }
        Ok(Self { parent, name })
    }

    /// Makes the group, unless it is there.
    pub fn make(self) -> nix::Result<Group> {
        let made = match mkdirat(&self.parent, self.name.as_c_str(), Mode::from_bits_truncate(0o755)) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(errno) => return Err(errno),
        };
        match open(self.parent.as_fd(), &self.name) {
            Ok(directory) => Ok(Group { place: self, directory, made }),
            Err(errno) => {
                if made {
                    // What failed first is what the message says.
                    let _ = self.remove();
                }
                Err(errno)
            }
        }
    }

    fn remove(&self) -> nix::Result<()> {
        unlinkat(&self.parent, self.name.as_c_str(), UnlinkatFlags::RemoveDir)
    }
}

impl Group {
    /// Writes to one of its files, in one piece.
    pub fn write(&self, file: &CStr, value: &[u8]) -> nix::Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = fds::open(self.directory.as_fd(), file, flags, Mode::empty())?;
        if write(&file, value)? == value.len() { Ok(()) } else { Err(Errno::EIO) }
    }

    /// Moves this process there.
    pub fn enter(&self) -> nix::Result<()> {
        self.write(c"cgroup.procs", b"0")
    }

    /// Removes the group if it was made, and nothing is in it.
    pub fn undo(self) {
        if self.made {
            // What failed first is what the message says.
            let _ = self.place.remove();
        }
    }
}

fn open(directory: std::os::fd::BorrowedFd, name: &CStr) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    fds::open(directory, name, flags, Mode::empty())
}

/// A name of the command line or of the kernel, which has no NUL.
fn c_string(name: &[u8]) -> CString {
    CString::new(name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(top: &str, point: &str) -> Mount {
        Mount { top: top.into(), point: CString::new(point).unwrap() }
    }

    #[test]
    fn a_mount_is_found_whatever_else_is_in_its_line() {
        for (line, expected) in [
            (
                "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw",
                Some(mount("/", "/sys/fs/cgroup")),
            ),
            ("31 23 0:28 /a\\040b /c\\134\\011 rw - cgroup2 none rw", Some(mount("/a b", "/c\\\t"))),
            ("31 23 0:28 / /x rw shared:9 master:1 - cgroup2 - rw", Some(mount("/", "/x"))),
            ("31 23 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup2 rw", None),
            ("31 23 0:28 / /cgroup2 rw shared:9 - tmpfs cgroup2 rw", None),
            ("31 23 0:28 / /x rw cgroup2", None),
            ("31 23", None),
            ("", None),
        ] {
            assert_eq!(Mount::parse(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn a_group_is_below_the_topmost_one_or_not_mounted() {
        for (top, path, expected) in [
            ("/", "/", Some("")),
            ("/", "/a/b", Some("/a/b")),
            ("/a", "/a", Some("")),
            ("/a", "/a/b", Some("/b")),
            ("/a", "/ab", None),
            ("/a", "/", None),
            ("/", "/../x", None),
            ("/..", "/../x", Some("/x")),
            ("/", "", None),
        ] {
            assert_eq!(mount(top, "/m").below(path.as_bytes()), expected.map(str::as_bytes), "{top} {path}");
        }
    }
}
