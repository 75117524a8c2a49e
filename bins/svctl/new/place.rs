//! Where a new service directory comes to lie: it is made under another name, and gets its own once it is whole. So it
//! is there as a whole or not at all, and nothing that was there before is touched.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use common::{Env, Exit, OrFail, fds, file, random, shown};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::{Mode, fchmod, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, fsync, unlinkat, write};

use crate::svctl::names;

/// The place for a service directory.
#[derive(Debug)]
pub(super) struct Place {
    parent: OwnedFd,
    /// The path of the parent directory, as it is shown.
    path: Vec<u8>,
    name: CString,
}

/// A directory that is being made. Dropped before it has its name, it is removed.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    place: &'a Place,
    name: CString,
    directory: OwnedFd,
    done: bool,
}

impl Place {
    /// The place of a service by its name, in SVSRC, or by its path.
    ///
    /// # Errors
    /// For what can be no name of a service, and where its parent directory cannot be opened.
    pub(super) fn find(name: &[u8], env: &Env) -> Result<Self, Exit> {
        let end = name.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
        let (path, last) = match name[..end].iter().rposition(|byte| *byte == b'/') {
            None if end < name.len() => (&b"."[..], &name[..end]),
            None => (names::svsrc(env), &name[..end]),
            Some(0) => (&b"/"[..], &name[1..end]),
            Some(slash) => (&name[..slash], &name[slash + 1..end]),
        };
        let is_odd = |byte: &u8| byte.is_ascii_whitespace() || byte.is_ascii_control();
        if last.is_empty() || last.starts_with(b".") || last.starts_with(b"-") || last.iter().any(is_odd) {
            let hint = "it has no blanks, and begins with neither a dot nor a dash";
            return Err(Exit::value("not a name of a service", last).hint(hint));
        }
        let c_string = |bytes: &[u8]| CString::new(bytes).map_err(|_| Exit::usage("a NUL in the name"));
        let parent = fds::open_directory(AT_FDCWD, &c_string(path)?);
        let parent = parent.or_fail(format_args!("open {}", shown(path)));
        let parent = parent.map_err(|error| error.hint("make it, or set SVSRC, or write a path for name"))?;
        Ok(Self { parent, path: path.to_owned(), name: c_string(last)? })
    }

    /// The path of a name in the service directory.
    pub(super) fn path_of(&self, name: &str) -> Vec<u8> {
        let path = if self.path == b"/" { &b""[..] } else { &self.path };
        [path, b"/", self.name.to_bytes(), b"/", name.as_bytes()].concat()
    }

    /// The path of the service directory.
    fn shown(&self) -> String {
        let path = self.path_of("");
        shown(&path[..path.len() - 1]).to_string()
    }

    /// Begins to make the directory.
    ///
    /// # Errors
    /// mkdir(2)'s.
    pub(super) fn draft(&self) -> Result<Draft<'_>, Exit> {
        let number = random::number().or_fail("get a random number")?;
        // Programs that look for services pass over names that begin with a dot.
        let name = [b".", self.name.to_bytes(), format!(".{number:016x}").as_bytes()].concat();
        let name = CString::new(name).unwrap_or_default(); // the name has no NUL
        let action = format!("make {}", self.shown());
        mkdirat(&self.parent, &*name, Mode::S_IRWXU).or_fail(&action)?;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened = fds::open(self.parent.as_fd(), &name, flags, Mode::empty()).or_fail(&action);
        let directory = opened.inspect_err(|_| {
            // Why it was not made is said.
            let _ = unlinkat(&self.parent, &*name, UnlinkatFlags::RemoveDir);
        })?;
        Ok(Draft { place: self, name, directory, done: false })
    }
}

impl Draft<'_> {
    /// Makes a directory in it, with this mode; the owner is another one if `owner` says so.
    ///
    /// # Errors
    /// Those of the system calls.
    pub(super) fn directory(&self, path: &str, mode: u32, owner: Option<(u32, u32)>) -> Result<(), Exit> {
        let name = CString::new(path).unwrap_or_default(); // none of ours has a NUL
        let shown = String::from_utf8_lossy(&self.place.path_of(path)).into_owned();
        let make = || {
            mkdirat(&self.directory, &*name, Mode::S_IRWXU)?;
            fds::open_directory(self.directory.as_fd(), &name)
        };
        let directory = make().or_fail(format_args!("make {shown}"))?;
        if let Some((uid, gid)) = owner {
            let given = fchown(&directory, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
            given.or_fail(format_args!("give {shown} to its account"))?;
        }
        fchmod(&directory, Mode::from_bits_truncate(mode)).or_fail(format_args!("set the mode of {shown}"))
    }

    /// Writes the names in a directory of it to the disk.
    ///
    /// # Errors
    /// Those of the system calls.
    pub(super) fn sync(&self, path: &str) -> Result<(), Exit> {
        let name = CString::new(path).unwrap_or_default(); // none of ours has a NUL
        let shown = String::from_utf8_lossy(&self.place.path_of(path)).into_owned();
        let synced = fds::open_directory(self.directory.as_fd(), &name).and_then(fsync);
        synced.or_fail(format_args!("sync {shown}"))
    }

    /// Writes a file in it, with this mode, to the disk.
    ///
    /// # Errors
    /// Those of the system calls.
    pub(super) fn file(&self, path: &str, mode: u32, text: &[u8]) -> Result<(), Exit> {
        let name = CString::new(path).unwrap_or_default(); // none of ours has a NUL
        let shown = String::from_utf8_lossy(&self.place.path_of(path)).into_owned();
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fill = || {
            let file = fds::open(self.directory.as_fd(), &name, flags, Mode::from_bits_truncate(mode))?;
            let mut left = text;
            while !left.is_empty() {
                left = &left[write(&file, left)?..];
            }
            fchmod(&file, Mode::from_bits_truncate(mode))?;
            fsync(file)
        };
        fill().or_fail(format_args!("write {shown}"))
    }

    /// Gives it its name, which nothing may have. After a crash it is there as a whole or not at all.
    ///
    /// # Errors
    /// renameat2(2)'s: EEXIST where something has that name; fsync(2)'s, also where it has its name by then.
    pub(super) fn publish(mut self) -> Result<(), Exit> {
        let place = self.place;
        let action = format!("make {}", place.shown());
        fchmod(&self.directory, Mode::from_bits_truncate(0o755)).or_fail(&action)?;
        self.sync(".")?;
        let renamed = file::rename_new(place.parent.as_fd(), &self.name, &place.name);
        renamed.or_fail(&action).map_err(|error| match renamed {
            Err(Errno::EINVAL) => {
                error.hint("the file system cannot rename a directory without replacing another")
            }
            _ => error,
        })?;
        self.done = true;
        fsync(&place.parent).or_fail(format_args!(
            "sync {}; {} is made all the same",
            shown(&place.path),
            place.shown()
        ))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.done {
            let parent = Path::new(OsStr::from_bytes(&self.place.path));
            // Why it was not made is said; where it cannot be removed either, its name says what it is.
            let _ = std::fs::remove_dir_all(parent.join(OsStr::from_bytes(self.name.to_bytes())));
        }
    }
}
