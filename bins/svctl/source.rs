//! A service directory that is kept elsewhere, and the link in SVDIR to it. With that, a service is started at boot, and at
//! once by the program that watches SVDIR.

use std::ffi::OsStr;
use std::fs::{canonicalize, read_link};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use common::identity::same;
use common::shown;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::stat::{fstat, fstatat};
use nix::unistd::symlinkat;

use super::failure::Failure;
use super::names::{Names, is_path, split};
use super::place;

/// A service directory that is kept somewhere, and the name that it has, or would have, in SVDIR.
pub(super) struct Source {
    pub(super) name: Vec<u8>,
    /// From the root.
    path: Vec<u8>,
    pub(super) directory: OwnedFd,
}

/// Since when a service is enabled.
pub(super) enum Linked {
    Now,
    Before,
}

impl Source {
    /// The service directory of this name where they are kept, or the one at this path.
    pub(super) fn of(word: &[u8], svsrc: &[u8]) -> Result<Self, Failure> {
        let kept = |name: &[u8]| [svsrc, b"/", name].concat();
        if is_path(word) {
            let path = absolute(word).map_err(|errno| unable_to_open(word, errno))?;
            let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_owned();
            return Self::at(name, &path);
        }
        if word.is_empty() || word.contains(&b'/') {
            return Err(not_a_name());
        }
        let found = Self::at(word.to_owned(), &kept(word));
        match word.iter().position(|byte| *byte == b'@') {
            // An instance is a link to the directory of all.
            Some(end) if matches!(&found, Err(failure) if failure.errno == Some(Errno::ENOENT)) => {
                Self::at(word.to_owned(), &kept(&word[..=end])).or(found)
            }
            _ => found,
        }
        .map_err(|failure| {
            failure.hint(format!(
                "service directories are in {} or where SVSRC says, or write a path",
                shown(svsrc)
            ))
        })
    }

    fn at(name: Vec<u8>, path: &[u8]) -> Result<Self, Failure> {
        let refused = |errno| unable_to_open(path, errno);
        let path = absolute(path).map_err(refused)?;
        let directory = place::directory(AT_FDCWD, &path).map_err(refused)?;
        if name.starts_with(b".") || name.is_empty() {
            return Err(Failure::fails("no service has a name that begins with a dot"));
        }
        if [c"run", c"setup"].iter().all(|file| fstatat(&directory, *file, AtFlags::empty()).is_err()) {
            return Err(Failure::fails(format!("there is no run in {}", shown(&path))));
        }
        Ok(Self { name, path, directory })
    }

    /// Makes the link in SVDIR, unless there is one to this directory.
    pub(super) fn link(&self, names: &Names) -> Result<Linked, Failure> {
        if self.name.ends_with(b"@") {
            let hint = format!("name an instance: 'svctl enable {}NAME'", shown(&self.name));
            return Err(Failure::fails("the directory of instances is no service itself").hint(hint));
        }
        let svdir = names.open_svdir().map_err(|errno| unable_to_open(names.svdir(), errno))?;
        match symlinkat(&self.path[..], svdir, &self.name[..]) {
            Ok(()) => Ok(Linked::Now),
            Err(Errno::EEXIST) if self.is_at(names) => Ok(Linked::Before),
            Err(Errno::EEXIST) => Err(self.elsewhere(names)),
            Err(errno) => {
                let path = names.path(false, &self.name);
                Err(Failure::fails(format!("unable to make the link {}", shown(&path))).because(errno))
            }
        }
    }

    /// Whether what is in SVDIR by its name is this directory.
    pub(super) fn is_at(&self, names: &Names) -> bool {
        let own = fstat(&self.directory);
        let there = names.open_svdir().and_then(|svdir| fstatat(svdir, &self.name[..], AtFlags::empty()));
        own.is_ok_and(|own| there.is_ok_and(|there| same(&own, &there)))
    }

    /// There is something else by its name.
    pub(super) fn elsewhere(&self, names: &Names) -> Failure {
        let path = names.path(false, &self.name);
        let shown_path = shown(&path).to_string();
        match read_link(OsStr::from_bytes(&path)) {
            Ok(to) => Failure::fails(format!("{shown_path} leads to {}", shown(to.as_os_str().as_bytes())))
                .hint(format!("'svctl disable {}' removes that link", shown(&self.name))),
            Err(_) => Failure::fails(format!("there is another {shown_path}, which is no link")),
        }
    }
}

/// A path from the root. Where it was not, what leads to its last part is without links; that part is the name that was
/// written.
fn absolute(path: &[u8]) -> nix::Result<Vec<u8>> {
    let found = |path: &[u8]| {
        let found = canonicalize(OsStr::from_bytes(path));
        found
            .map(|path| path.into_os_string().into_vec())
            // There is an errno but for a NUL, which no word has.
            .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))
    };
    let (parent, last) = split(path);
    match last {
        b"." | b".." | b"" => found(&[parent, last].concat()),
        _ if path.starts_with(b"/") => Ok([parent, last].concat()),
        _ => Ok([&found(if parent.is_empty() { b"." } else { parent })?, &b"/"[..], last].concat()),
    }
}

/// It has no name in SVDIR.
pub(super) fn not_a_name() -> Failure {
    Failure::fails("not a name").hint("a path begins with a dot or a slash")
}

pub(super) fn unable_to_open(path: &[u8], errno: Errno) -> Failure {
    Failure::fails(format!("unable to open {}", shown(path))).because(errno)
}
