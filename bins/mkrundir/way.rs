//! The way to a directory, on which nobody leads us elsewhere.
//!
//! Whoever may write to a directory can put a symbolic link, or a directory that somebody else needs, where a name was
//! looked at a moment ago; if root then makes or gives away what it finds there, that account gets what it wants. So
//! each directory on the way is opened in the one before it, and what is trusted is who may change its names: root, the
//! caller, and the owner of `/`, who can do anything to whoever runs here. (In a user namespace root outside of it has
//! no uid, and all is owned by 65534.)

use std::ffi::{CStr, CString};
use std::iter::successors;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use common::{Exit, OrFail, Word, fds, file, mode, shown};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

/// How many symbolic links are followed, as the kernel does.
const LINKS: u32 = 40;

/// The longest text of a symbolic link, with a byte more.
const PATH_MAX: usize = 4096;

/// The accounts that may lead us anywhere.
#[derive(Clone, Copy)]
struct Trusted {
    caller: u32,
    of_root_directory: u32,
}

impl Trusted {
    fn has(self, uid: u32) -> bool {
        [0, self.caller, self.of_root_directory].contains(&uid)
    }

    fn writers(self, directory: &FileStat) -> Writers {
        let (others, sticky) = (directory.st_mode & 0o022 != 0, directory.st_mode & 0o1000 != 0);
        match (self.has(directory.st_uid), others, sticky) {
            (false, ..) => Writers::Another,
            (true, false, _) => Writers::Trusted,
            (true, true, true) => Writers::EachItsOwn,
            (true, true, false) => Writers::Others,
        }
    }
}

/// Who may change the names in a directory.
#[derive(Clone, Copy, PartialEq)]
enum Writers {
    /// Those who are trusted alone.
    Trusted,
    /// Others too, but only the names of what they own, as in `/tmp`.
    EachItsOwn,
    /// Another account, whose it is.
    Another,
    /// Others, by its mode.
    Others,
}

/// Where a directory is, or is to be made.
pub(super) struct Place {
    /// As the command line has it.
    path: Word,
    trusted: Trusted,
    /// The directory that has it, the way to which is safe.
    at: OwnedFd,
    writers: Writers,
    /// The name of that one, for messages.
    walked: Vec<u8>,
    name: CString,
}

/// Finds the place of `path`, and makes the directories on the way that are missing: the caller's, with mode 755.
pub(super) fn find(path: Word, caller: u32) -> Result<Place, Exit> {
    let unable = |errno| Exit::system(format_args!("make {path}"), errno);
    let no_name = || Exit::value("not the name of a directory", path.to_bytes());
    if !ends_in_a_name(path.to_bytes()) {
        return Err(no_name()); // before anything is made
    }
    let root = look_at(AT_FDCWD, c"/").map_err(unable)?;
    let trusted = Trusted { caller, of_root_directory: root.1.st_uid };
    let (mut links, mut way, mut walked) = (0, path.to_bytes().to_vec(), 0);
    let mut place = Place::begin(path, trusted, &way).map_err(unable)?;
    loop {
        let Some((name, tail)) = next(&way[walked..]) else { return Err(no_name()) };
        place.name = CString::new(name).unwrap_or_default(); // words and the texts of links have no NUL
        let last = next(tail).is_none();
        let found = match look_at(place.at.as_fd(), &place.name) {
            Err(Errno::ENOENT) => None,
            other => Some(other.map_err(unable)?),
        };
        place.check(found.as_ref().map(|(_, stat)| stat))?;
        match found {
            Some((link, stat)) if fds::is(&stat, SFlag::S_IFLNK) => {
                links += 1;
                if links > LINKS {
                    return Err(unable(Errno::ELOOP));
                }
                let mut buffer = [0; PATH_MAX];
                let to = file::read_link(link.as_fd(), c"", &mut buffer).map_err(unable)?;
                if to.is_empty() {
                    return Err(unable(Errno::ENOENT));
                }
                if to.starts_with(b"/") {
                    place = Place::begin(path, trusted, to).map_err(unable)?;
                }
                (way, walked) = ([to, b"/", tail].concat(), 0);
            }
            _ if last && name == b".." => return Err(no_name()), // in a link
            _ if last => return Ok(place),
            Some((directory, stat)) => {
                walked = way.len() - tail.len();
                place.enter(directory, &stat);
            }
            // Looked at again then, as whatever has the name by that time.
            None => drop(place.make_with(0o755)?),
        }
    }
}

/// The first name in a path that is no `.`, and what follows it.
fn next(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = path;
    loop {
        let start = rest.iter().position(|b| *b != b'/')?;
        let name = &rest[start..];
        let (name, tail) = name.split_at(name.iter().position(|b| *b == b'/').unwrap_or(name.len()));
        if name != b"." {
            return Some((name, tail));
        }
        rest = tail;
    }
}

/// Whether the last name in a path is one that a directory can be made by.
fn ends_in_a_name(path: &[u8]) -> bool {
    let names = successors(next(path), |(_, tail)| next(tail));
    names.last().is_some_and(|(name, _)| name != b"..")
}

/// Opens what has a name, which may be a link, to look at it and to reach what is in it.
fn look_at(at: BorrowedFd, name: &CStr) -> nix::Result<(OwnedFd, FileStat)> {
    let open = |flags| fds::open(at, name, OFlag::O_PATH | OFlag::O_CLOEXEC | flags, Mode::empty());
    // As a directory first, for what is mounted there when it is used for the first time.
    let found = match open(OFlag::O_NOFOLLOW | OFlag::O_DIRECTORY) {
        Err(Errno::ENOTDIR) => open(OFlag::O_NOFOLLOW),
        other => other,
    }?;
    let stat = fstat(&found)?;
    Ok((found, stat))
}

impl Place {
    /// Where the walk of `way` begins.
    fn begin(path: Word, trusted: Trusted, way: &[u8]) -> nix::Result<Self> {
        let from = if way.starts_with(b"/") { c"/" } else { c"." };
        let (at, stat) = look_at(AT_FDCWD, from)?;
        let (writers, walked) = (trusted.writers(&stat), from.to_bytes().to_vec());
        Ok(Self { path, trusted, at, writers, walked, name: CString::default() })
    }

    /// Makes the directory, for the caller alone. Returns whether there was none.
    pub(super) fn make(&self) -> Result<bool, Exit> {
        self.make_with(0o700)
    }

    /// Makes a directory with this mode, whatever the umask, which is the program's. Returns whether there was none.
    fn make_with(&self, bits: u32) -> Result<bool, Exit> {
        let before = mode::set(0)?;
        let made = mkdirat(&self.at, self.name.as_c_str(), Mode::from_bits_truncate(bits));
        mode::set(before)?;
        match made {
            Err(Errno::EEXIST) => Ok(false),
            other => other.map(|()| true).or_fail(format_args!("make {}", self.path)),
        }
    }

    /// Opens the directory, which is to be the account `uid`'s. One in a directory where others can have made it may
    /// only be theirs who are trusted, or that account's already.
    ///
    /// One that may not be read, as an account's own by root without `CAP_DAC_OVERRIDE`, is opened by `O_PATH`, which is
    /// enough if it is right already.
    pub(super) fn open(&self, uid: u32) -> Result<OwnedFd, Exit> {
        let open = |access| {
            let flags = access | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let directory = fds::open(self.at.as_fd(), &self.name, flags, Mode::empty())?;
            let stat = fstat(&directory)?;
            Ok((directory, stat))
        };
        let (directory, stat) = match open(OFlag::O_RDONLY) {
            Err(Errno::EACCES) => open(OFlag::O_PATH),
            opened => opened,
        }
        .or_fail(format_args!("open directory {}", self.path))?;
        let (path, owner) = (self.path, stat.st_uid);
        if self.writers == Writers::EachItsOwn && owner != uid && !self.trusted.has(owner) {
            return Err(Exit::fatal(format_args!("unable to use {path}: uid {owner} has made it")));
        }
        Ok(directory)
    }

    /// Removes the directory.
    pub(super) fn remove(&self) -> nix::Result<()> {
        unlinkat(&self.at, self.name.as_c_str(), UnlinkatFlags::RemoveDir)
    }

    /// Goes on in the directory that has the name.
    fn enter(&mut self, directory: OwnedFd, stat: &FileStat) {
        (self.at, self.writers) = (directory, self.trusted.writers(stat));
        if self.walked != b"/" {
            self.walked.push(b'/');
        }
        self.walked.extend_from_slice(self.name.to_bytes());
    }

    /// Whether what has been found at the name, or nothing, is there by the will of the trusted alone. A link in a
    /// directory like `/tmp` is not followed whoever owns it: others may have given it a second name there.
    fn check(&self, found: Option<&FileStat>) -> Result<(), Exit> {
        let link = found.filter(|stat| fds::is(stat, SFlag::S_IFLNK));
        let (path, walked, name) = (self.path, shown(&self.walked), shown(self.name.to_bytes()));
        let as_that_account =
            "that account could lead it elsewhere: put mkrundir after setuidgid, to act as that account";
        let (problem, hint) = match (self.writers, link) {
            (Writers::Another, _) => (format!("another account may change {walked}"), as_that_account),
            (Writers::Others, _) => (
                format!("another account may change {walked}"),
                "its mode lets others put anything there: chmod go-w ends that, or chmod +t",
            ),
            (Writers::Trusted, Some(link)) if !self.trusted.has(link.st_uid) => {
                (format!("the link {name} in {walked} is another account's"), as_that_account)
            }
            (Writers::EachItsOwn, Some(_)) => (
                format!("the link {name} in {walked} may be another account's"),
                "others could lead it elsewhere: write where the link leads instead",
            ),
            _ => return Ok(()),
        };
        Err(Exit::fatal(format_args!("unable to make {path}: {problem}")).hint(hint))
    }
}
