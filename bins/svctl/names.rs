//! The names of services: where they are.

use std::cell::OnceCell;
use std::collections::BinaryHeap;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::rc::Rc;

use common::identity::same;
use common::procfs::This;
use common::supervise::{self, Part};
use common::{Env, Exit, fds, shown};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::stat::{SFlag, fstat, fstatat, stat};
use nix::unistd::{AccessFlags, faccessat};

use super::failure::Failure;
use super::pattern;
use super::place::{self, Host, Place};
use super::style::Dialect;
use super::tree::Known;

/// Where services are searched by their names, unless SVDIR says otherwise.
const SVDIR: &str = match option_env!("CATENA_SVDIR") {
    Some(path) => path,
    None => "/etc/service",
};

/// Where service directories are kept, from where they are linked into SVDIR, unless SVSRC says otherwise.
const SVSRC: &str = "/etc/sv";

/// Finds services. Relative names and a relative SVDIR are looked up from the current directory, here alone.
pub(super) struct Names {
    svdir: Vec<u8>,
    /// sv knows no trees.
    dialect: Dialect,
    /// That directory, once it was needed.
    open: OnceCell<OwnedFd>,
    /// That of its tree, once it was there.
    tree: OnceCell<Rc<OwnedFd>>,
}

impl Names {
    pub(super) fn new(env: &Env, dialect: Dialect) -> Self {
        Self { svdir: svdir(env).to_owned(), dialect, open: OnceCell::new(), tree: OnceCell::new() }
    }

    /// The path of the directory of the services that are called by a name alone.
    pub(super) fn svdir(&self) -> &[u8] {
        &self.svdir
    }

    /// That directory.
    pub(super) fn open_svdir(&self) -> nix::Result<BorrowedFd<'_>> {
        if self.open.get().is_none() {
            // It was empty a moment ago.
            let _ = self.open.set(place::directory(AT_FDCWD, &self.svdir)?);
        }
        self.open.get().map(AsFd::as_fd).ok_or(Errno::EBADF)
    }

    /// Whether there is a file in SVDIR, as far as that can be known.
    pub(super) fn has(&self, file: &CStr) -> bool {
        self.open_svdir().is_ok_and(|svdir| fstatat(svdir, file, AtFlags::empty()).is_ok())
    }

    /// The directory of the tree of SVDIR.
    pub(super) fn tree(&self) -> nix::Result<Rc<OwnedFd>> {
        if self.tree.get().is_none() {
            let tree = place::directory(self.open_svdir()?, supervise::TREE.to_bytes())?;
            // It was empty a moment ago.
            let _ = self.tree.set(Rc::new(tree));
        }
        self.tree.get().cloned().ok_or(Errno::EBADF)
    }

    /// The tree in the directory where a service is found, and the name of the service there. Without one, or where it
    /// is not for us, the service is asked itself.
    fn host(&self, name: &[u8]) -> Option<Host> {
        let (parent, last) = split(name);
        if last.is_empty() {
            return None;
        }
        if !is_path(name) && parent.is_empty() {
            return Host::new(self.tree().ok()?, last);
        }
        if matches!(last, b"." | b"..") {
            return self.host(&path_of(&self.directory(true, name).ok()?)?);
        }
        let parent = if parent.is_empty() { b"." } else { parent };
        let parent = self.directory(is_path(name), parent).ok()?;
        Host::new(Rc::new(place::directory(parent.as_fd(), supervise::TREE.to_bytes()).ok()?), last)
    }

    /// The names of the services in SVDIR, sorted; `known` are those that need no look.
    pub(super) fn all(&self, known: &Known) -> Result<Vec<Vec<u8>>, Exit> {
        self.read(known).map_err(|errno| {
            Exit::system(format_args!("read {}", shown(&self.svdir)), errno)
                .hint("services are where SVDIR says, or name them")
        })
    }

    fn read(&self, known: &Known) -> nix::Result<Vec<Vec<u8>>> {
        let svdir = self.open_svdir()?;
        // It sorts as well as a sort, in a tenth of the code.
        let mut names = BinaryHeap::new();
        fds::each_name(svdir, |name| {
            let is_directory =
                || fstatat(svdir, name, AtFlags::empty()).is_ok_and(|found| fds::is(&found, SFlag::S_IFDIR));
            let bytes = name.to_bytes();
            if !bytes.starts_with(b".") && (known.of(bytes).is_some() || is_directory()) {
                names.push(bytes.to_owned());
            }
        })?;
        Ok(names.into_sorted_vec())
    }

    /// The services in SVDIR that match a word, or their logs; `None` where it is the name of one, or no pattern, or
    /// matches nothing.
    pub(super) fn matching(&self, word: &[u8]) -> Option<Vec<Vec<u8>>> {
        if self.dialect == Dialect::Runit || !is_pattern(word) || self.own_directory(word).is_ok() {
            return None;
        }
        let (pattern, part) = log_of(word).map_or((word, Part::Service), |served| (served, Part::Log));
        // That they cannot be read is said of the word.
        let mut names = self.read(&Known::default()).ok()?;
        names.retain(|name| pattern::matches(pattern, name));
        if part == Part::Log {
            for name in &mut names {
                name.extend(part.suffix());
            }
            names.retain(|name| self.directory(false, name).is_ok());
        }
        Some(names).filter(|names| !names.is_empty())
    }

    /// When a name has come to SVDIR or gone last, as far as that can be known.
    pub(super) fn stamp(&self) -> Option<(i64, i64)> {
        let svdir = fstat(self.open_svdir().ok()?).ok()?;
        // Times of 32 bits on some systems.
        #[allow(clippy::useless_conversion)]
        Some((svdir.st_mtime.into(), svdir.st_mtime_nsec.into()))
    }

    /// Whether a service is started at boot: it is in SVDIR, has something to run, and no file `down`. None where that
    /// cannot be known, as of a path elsewhere, or of a directory with nothing but state.
    pub(super) fn enabled(&self, name: &[u8]) -> Option<bool> {
        let mut path = if is_path(name) { self.within_svdir(name)? } else { name.to_owned() };
        let length = path.len();
        let svdir = self.open_svdir().ok()?;
        let mut has = |file: &[u8]| {
            path.truncate(length);
            path.extend(file);
            match faccessat(svdir, &path[..], AccessFlags::F_OK, AtFlags::empty()) {
                Ok(()) => Some(true),
                Err(Errno::ENOENT) => Some(false),
                Err(_) => None,
            }
        };
        if has(b"/down")? {
            return Some(false);
        }
        (has(b"/run")? || has(b"/setup")?).then_some(true)
    }

    /// The name in SVDIR of a service, or of the log of one, that was named by a path.
    fn within_svdir(&self, path: &[u8]) -> Option<Vec<u8>> {
        let (service, log) = log_of(path).map_or((path, &b""[..]), |service| (service, b"/log"));
        let (parent, last) = split(service);
        let parent = stat(if parent.is_empty() { &b"."[..] } else { parent }).ok()?;
        let svdir = fstat(self.open_svdir().ok()?).ok()?;
        (!last.is_empty() && same(&parent, &svdir)).then(|| [last, log].concat())
    }

    /// The directory in which a service has its state. Those that are one directory with several arguments, `name@argument`,
    /// have it in that of the tree.
    fn own_directory(&self, name: &[u8]) -> nix::Result<OwnedFd> {
        if !is_path(name) && name.contains(&b'@') {
            if let Ok(own) = self.tree().and_then(|tree| place::directory(tree.as_fd(), name)) {
                return Ok(own);
            }
        }
        self.directory(is_path(name), name)
    }

    /// Finds a service, or the log of one, which need not be there for its service to be found.
    pub(super) fn find(&self, name: &[u8]) -> Result<Place, Failure> {
        let served = log_of(name);
        let directory = self.own_directory(served.unwrap_or(name));
        let directory = directory.map_err(|errno| self.refused(name, errno))?;
        let path = self.path(is_path(name), served.unwrap_or(name));
        let host = match self.dialect {
            Dialect::Own => self.host(served.unwrap_or(name)),
            Dialect::Runit => None,
        };
        let own = served
            .map(|_| place::directory(directory.as_fd(), b"log").map_err(|errno| self.refused(name, errno)));
        let place = Place::service(name, path, directory, host);
        Ok(match own {
            None => place,
            Some(own) => place.log_of(own),
        })
    }

    /// Finds a service by a name that somebody else has given: in SVDIR, or nowhere.
    pub(super) fn find_in_svdir(&self, name: &[u8]) -> Option<Place> {
        if is_path(name) || name.contains(&b'/') { None } else { self.find(name).ok() }
    }

    /// Why a service cannot be found.
    fn refused(&self, name: &[u8], errno: Errno) -> Failure {
        let failure = Failure::fails("unable to change to service directory").because(errno);
        match errno {
            Errno::ENOENT if is_path(name) => failure.hint("no such service directory"),
            Errno::ENOTDIR => failure.hint("a service is a directory with a script run in it"),
            Errno::ENOENT if place::directory(AT_FDCWD, name).is_ok() => {
                failure.hint(format!("a path begins with a dot or a slash: ./{}", shown(name)))
            }
            Errno::ENOENT if self.dialect == Dialect::Own && is_pattern(name) => {
                Failure::fails("no service matches").hint(format!("services are in {}", shown(&self.svdir)))
            }
            Errno::ENOENT => failure
                .hint(format!("services are in {} or where SVDIR says, or write a path", shown(&self.svdir))),
            _ => failure,
        }
    }

    /// The path of a service.
    pub(super) fn path(&self, is_path: bool, name: &[u8]) -> Vec<u8> {
        if is_path { name.to_owned() } else { [&self.svdir, &b"/"[..], name].concat() }
    }

    fn directory(&self, is_path: bool, name: &[u8]) -> nix::Result<OwnedFd> {
        place::directory(if is_path { AT_FDCWD } else { self.open_svdir()? }, name)
    }
}

/// The path of an open directory, by a procfs: realpath would be a hundredth of svctl. None for one that is removed.
fn path_of(directory: &OwnedFd) -> Option<Vec<u8>> {
    let name = CString::new(format!("fd/{}", directory.as_raw_fd())).ok()?;
    let path = This::open().ok()?.path(&name).ok()?.into_vec();
    (path.starts_with(b"/") && !path.ends_with(b" (deleted)")).then_some(path)
}

/// Whether this stands for several services: a path is left to the shell.
fn is_pattern(name: &[u8]) -> bool {
    !is_path(name) && pattern::is_one(name)
}

/// Where service directories are kept.
pub(super) fn svsrc(env: &Env) -> &'static [u8] {
    env.get(c"SVSRC").map_or(SVSRC.as_bytes(), CStr::to_bytes)
}

fn svdir(env: &Env) -> &[u8] {
    env.get(c"SVDIR").map_or(SVDIR.as_bytes(), CStr::to_bytes)
}

/// Whether this is the name of a service.
pub(super) fn is_service(name: &[u8], env: &Env) -> bool {
    let path = [svdir(env), name].join(&b'/');
    stat(&path[..]).is_ok_and(|found| fds::is(&found, SFlag::S_IFDIR))
}

/// Whether this is the path of a service, and not its name in SVDIR.
pub(super) fn is_path(name: &[u8]) -> bool {
    matches!(name.first(), Some(b'/' | b'.')) || name.ends_with(b"/")
}

/// What leads to the last part of a path, with its slash, and that part, without slashes behind it. Each may be empty.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let begin = path[..end].iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    (&path[..begin], &path[begin..end])
}

/// The service of which this is the log.
pub(super) fn log_of(name: &[u8]) -> Option<&[u8]> {
    let end = name.iter().rposition(|b| *b != b'/').map_or(0, |last| last + 1);
    name[..end].strip_suffix(b"/log").filter(|service| !service.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_starts_with_a_dot_or_a_slash_or_ends_with_one() {
        for path in ["/a", ".", "./a", "../a", ".a", "a/", "a/b/"] {
            assert!(is_path(path.as_bytes()), "{path}");
        }
        for name in ["", "a", "a/b", "a/.", "a/log"] {
            assert!(!is_path(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn the_last_part_of_a_path_has_no_slashes() {
        for (path, parent, last) in [
            ("web", "", "web"),
            ("./a/web//", "./a/", "web"),
            ("/web", "/", "web"),
            ("../", "", ".."),
            ("//", "", ""),
            ("", "", ""),
        ] {
            assert_eq!(split(path.as_bytes()), (parent.as_bytes(), last.as_bytes()), "{path}");
        }
    }

    #[test]
    fn a_log_is_that_of_a_service() {
        assert_eq!(log_of(b"a/log"), Some(&b"a"[..]));
        assert_eq!(log_of(b"./a/log//"), Some(&b"./a"[..]));
        assert_eq!(log_of(b"../log"), Some(&b".."[..]));
        for service in ["log", "/log", "a/log/b", "a/weblog", "", "/"] {
            assert_eq!(log_of(service.as_bytes()), None, "{service}");
        }
    }
}
