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
use crate::text::Text;
use crate::{fds, procfs, shown};

/// How long a path may be, of a group and of the directory where they are mounted.
const PATH: usize = 1024;

/// The part of the tree of groups that is mounted here.
#[derive(Debug)]
struct Mount {
    /// The path of its topmost group, as /proc shows that of a process.
    top: Text<PATH>,
    /// Where it is.
    point: Text<PATH>,
}

impl Mount {
    /// Reads a line of mountinfo, `proc_pid_mountinfo(5)`.
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|b| *b == b' ');
        let (top, point) = (fields.nth(3)?, fields.next()?);
        // Any number of fields comes before the dash.
        let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
        let mount = (kind == b"cgroup2").then(|| Self { top: unescaped(top), point: unescaped(point) })?;
        // What fills it may have lost its end.
        let fits = mount.top.bytes().len() < PATH && mount.point.bytes().len() < PATH;
        fits.then_some(mount)
    }

    /// The path of a group from the topmost one, with a slash in front unless that is it.
    fn below<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        if path.is_empty() {
            return None; // it is in none of version 2
        }
        let top = self.top.bytes();
        let rest = path.strip_prefix(top.strip_suffix(b"/").unwrap_or(top))?;
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
fn unescaped(field: &[u8]) -> Text<PATH> {
    let mut text = Text::new();
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        text.add([match (first, tail) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                rest = tail;
                (a - b'0') << 6 | (b - b'0') << 3 | (c - b'0')
            }
            _ => *first,
        }]);
    }
    text
}

/// The path of a group, as the command line and the files of services have it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Path<'a> {
    from: From,
    names: &'a [u8],
}

/// Where a path begins.
#[derive(Clone, Copy, Debug, PartialEq)]
enum From {
    /// At the topmost group that is mounted.
    Top,
    /// Beside the group of this process; where that is the topmost one, below it.
    Beside,
}

impl<'a> Path<'a> {
    /// Reads one; what is wrong with it, in words that its text follows.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse(text: &'a [u8]) -> Result<Self, &'static str> {
        let (from, names) = match text {
            [b'/', names @ ..] => (From::Top, names),
            [b'.', b'/', names @ ..] => (From::Beside, names),
            _ => return Err("a cgroup begins with / or ./"),
        };
        if split(names).any(|name| matches!(name, b"" | b"." | b"..")) {
            return Err("not the name of a cgroup");
        }
        Ok(Self { from, names })
    }

    /// The names on the way from the topmost group, for a process in the group `own`.
    fn way(self, own: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let beside = own.iter().rposition(|b| *b == b'/').filter(|_| self.from == From::Beside);
        let above = own.get(1..beside.unwrap_or(0)).unwrap_or_default();
        split(above).filter(|name| !name.is_empty()).chain(split(self.names))
    }
}

fn split(names: &[u8]) -> impl Iterator<Item = &[u8]> {
    names.split(|b| *b == b'/')
}

/// Why the groups are not to be found.
#[derive(Debug)]
pub enum Unfound {
    /// No cgroup2 file system is mounted.
    Unmounted,
    /// None with the group of this process.
    Elsewhere,
    /// Something else is mounted on it.
    Covered,
    /// This could not be done.
    Unable(&'static str, Errno),
}

impl Unfound {
    /// What is the case, without an errno.
    #[must_use]
    pub fn words(&self) -> &'static str {
        match self {
            Self::Unmounted => "no cgroup2 file system is mounted",
            Self::Elsewhere => "the cgroup of this process is not mounted here",
            Self::Covered => "another file system is mounted on that of the cgroups",
            Self::Unable(..) => "",
        }
    }
}

impl std::convert::From<Unfound> for Exit {
    fn from(unfound: Unfound) -> Self {
        match unfound {
            Unfound::Unable(action, errno) => Self::system(action, errno),
            Unfound::Unmounted => Self::fatal(unfound.words())
                .hint("mount -t cgroup2 cgroup2 /sys/fs/cgroup, or start the container with its cgroups"),
            Unfound::Elsewhere | Unfound::Covered => Self::fatal(unfound.words()),
        }
    }
}

/// The groups, as this process sees them. It takes no memory, so that a supervisor may look.
#[derive(Debug)]
pub struct Groups {
    /// The topmost one.
    top: OwnedFd,
    /// The path of that of this process: nothing, or names with a slash in front of each.
    own: Text<PATH>,
}

impl Groups {
    /// Finds them.
    ///
    /// # Errors
    /// Where there are none for this process.
    pub fn find() -> Result<Self, Unfound> {
        let unable = |action| move |errno| Unfound::Unable(action, errno);
        let pid = process::id().map_err(unable("read the pid"))?;
        let (mut all, mut buffer) = (Text::<PATH>::new(), [0; 2 * PATH]);
        let whole = |line: &[u8]| {
            let own = line.strip_prefix(b"0::")?;
            all.add(own);
            Some(if own.len() < PATH { Ok(()) } else { Err(Errno::ENAMETOOLONG) })
        };
        let read = procfs::find_line(pid, "cgroup", &mut buffer, whole);
        read.and_then(Option::transpose).map_err(unable("read /proc/self/cgroup"))?;
        // A container may have other parts mounted beside its own.
        let mut any = false;
        let mount = |line: &[u8]| {
            let mount = Mount::parse(line)?;
            any = true;
            let own = Text::of(mount.below(all.bytes())?);
            Some((mount.point, own))
        };
        let found = procfs::find_line(pid, "mountinfo", &mut buffer, mount);
        let found = found.map_err(unable("read /proc/self/mountinfo"))?;
        let (point, own) = found.ok_or(if any { Unfound::Elsewhere } else { Unfound::Unmounted })?;
        let unable = unable("open the topmost cgroup");
        let top = with_c_string(point.bytes(), |path| open(AT_FDCWD, path)).map_err(unable)?;
        if fstatfs(&top).map_err(unable)?.filesystem_type() != CGROUP2_SUPER_MAGIC {
            return Err(Unfound::Covered);
        }
        Ok(Self { top, own })
    }

    /// Opens the directory of a group, on the way to which nothing is a link.
    ///
    /// # Errors
    /// ENOENT where there is none.
    pub fn open(&self, path: Path) -> nix::Result<OwnedFd> {
        let mut found = None;
        for name in path.way(self.own.bytes()) {
            let above = found.as_ref().unwrap_or(&self.top).as_fd();
            found = Some(with_c_string(name, |name| open(above, name))?);
        }
        found.ok_or(Errno::ENOENT)
    }

    /// Whether this process is in a group, or below it.
    #[must_use]
    pub fn are_we_in(&self, path: Path) -> bool {
        let own = self.own.bytes();
        let mut names = split(own).skip(1);
        path.way(own).all(|name| names.next() == Some(name))
    }
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

impl Place {
    /// Finds the place of a group: the groups above it are there, and nothing on the way is a link.
    pub fn find(path: Path) -> Result<Self, Exit> {
        let Groups { top: mut parent, own } = Groups::find()?;
        let mut names = path.way(own.bytes()).map(c_string);
        let mut last = names.next().unwrap_or_default();
        for name in names {
            let above = std::mem::replace(&mut last, name);
            parent = open(parent.as_fd(), &above)
                .or_fail(format_args!("open the cgroup {}", shown(above.to_bytes())))?;
        }
        Ok(Self { parent, name: last })
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

/// Calls with a name of the command line, of a file or of the kernel.
fn with_c_string<T>(name: &[u8], call: impl FnOnce(&CStr) -> nix::Result<T>) -> nix::Result<T> {
    let mut text = Text::<{ PATH + 1 }>::of(name);
    CStr::from_bytes_with_nul(text.add("\0").bytes()).map_or(Err(Errno::ENOENT), call)
}

/// A name of the command line or of the kernel, which has no NUL.
fn c_string(name: &[u8]) -> CString {
    CString::new(name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(top: &str) -> Mount {
        Mount { top: Text::of(top), point: Text::new() }
    }

    fn text(text: &Text<PATH>) -> String {
        String::from_utf8(text.bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_mount_is_found_whatever_else_is_in_its_line() {
        for (line, expected) in [
            (
                "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw",
                Some(("/", "/sys/fs/cgroup")),
            ),
            ("31 23 0:28 /a\\040b /c\\134\\011 rw - cgroup2 none rw", Some(("/a b", "/c\\\t"))),
            ("31 23 0:28 / /x rw shared:9 master:1 - cgroup2 - rw", Some(("/", "/x"))),
            ("31 23 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup2 rw", None),
            ("31 23 0:28 / /cgroup2 rw shared:9 - tmpfs cgroup2 rw", None),
            ("31 23 0:28 / /x rw cgroup2", None),
            ("31 23", None),
            ("", None),
        ] {
            let mount = Mount::parse(line.as_bytes()).map(|mount| (text(&mount.top), text(&mount.point)));
            let expected: Option<(&str, &str)> = expected;
            assert_eq!(mount, expected.map(|(top, point)| (top.to_owned(), point.to_owned())), "{line}");
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
            assert_eq!(mount(top).below(path.as_bytes()), expected.map(str::as_bytes), "{top} {path}");
        }
    }

    #[test]
    fn a_path_leads_from_the_topmost_group_or_beside_that_of_this_process() {
        for (path, own, expected, inside) in [
            ("/a", "", "a", false),
            ("/a", "/a", "a", true),
            ("/a", "/a/b", "a", true),
            ("/a/b", "/a", "a/b", false),
            ("/a", "/ab", "a", false),
            ("./x", "", "x", false),
            ("./x", "/a", "x", false),
            ("./x", "/x", "x", true),
            ("./x", "/a/b", "a/x", false),
            ("./x/y", "/a/b/c", "a/b/x/y", false),
            ("./b", "/a/b", "a/b", true),
        ] {
            let parsed = Path::parse(path.as_bytes()).unwrap();
            let way: Vec<_> = parsed.way(own.as_bytes()).collect();
            assert_eq!(way.join(&b'/'), expected.as_bytes(), "{path} from {own}");
            let top = open(AT_FDCWD, c"/").unwrap();
            assert_eq!(Groups { top, own: Text::of(own) }.are_we_in(parsed), inside, "{path} from {own}");
        }
    }
}
