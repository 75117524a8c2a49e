//! The names of services: where they are.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use common::{Env, Error, OrFail, fds, shown};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::{Mode, SFlag, stat};
use nix::unistd::{chdir, fchdir};

use super::trouble::Trouble;

/// Where services are searched by their names, unless SVDIR says otherwise.
const SVDIR: &str = match option_env!("CATENA_SVDIR") {
    Some(folder) => folder,
    None => "/etc/service",
};

/// Finds services. Their files are then reached by relative paths: that of a socket may not have more than
/// 107 bytes.
pub(super) struct Names {
    svdir: Vec<u8>,
    start: OwnedFd,
}

impl Names {
    pub(super) fn new(env: &Env) -> Result<Self, Error> {
        let svdir = svdir(env).to_owned();
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let start = fds::open(AT_FDCWD, c".", flags, Mode::empty()).or_fail("open the current directory")?;
        Ok(Self { svdir, start })
    }

    /// The folder of the services that are called by a name alone.
    pub(super) fn svdir(&self) -> &[u8] {
        &self.svdir
    }

    /// Goes into that folder.
    pub(super) fn enter_svdir(&self) -> nix::Result<()> {
        fchdir(self.start.as_fd())?;
        chdir(&self.svdir[..])
    }

    /// Goes into the service directory.
    pub(super) fn enter(&self, name: &[u8]) -> Result<(), Trouble> {
        self.go(is_path(name), name).map_err(|errno| {
            let trouble = Trouble::fails("unable to change to service directory", Some(errno));
            match errno {
                Errno::ENOENT if is_path(name) => trouble.hint("no such service directory".into()),
                Errno::ENOTDIR => trouble.hint("a service is a directory with a script run in it".into()),
                Errno::ENOENT if self.go(true, name).is_ok() => {
                    trouble.hint(format!("a path begins with a dot or a slash: ./{}", shown(name)))
                }
                Errno::ENOENT => trouble.hint(format!(
                    "services are in {} or where SVDIR says, or write a path",
                    shown(&self.svdir)
                )),
                _ => trouble,
            }
        })
    }

    /// Goes into the directory of the service whose supervisor serves this one, and says whether this one is
    /// its log.
    pub(super) fn enter_served(&self, name: &[u8]) -> nix::Result<bool> {
        match log_of(name) {
            Some(service) => self.go(is_path(name), service).map(|()| true),
            None => self.go(is_path(name), name).map(|()| false),
        }
    }

    /// The path of a service.
    pub(super) fn path(&self, name: &[u8]) -> Vec<u8> {
        if is_path(name) { name.to_owned() } else { [&self.svdir, &b"/"[..], name].concat() }
    }

    fn go(&self, path: bool, name: &[u8]) -> nix::Result<()> {
        if path {
            fchdir(self.start.as_fd())?;
        } else {
            self.enter_svdir()?;
        }
        chdir(name)
    }
}

fn svdir(env: &Env) -> &[u8] {
    env.get(c"SVDIR").map_or(SVDIR.as_bytes(), CStr::to_bytes)
}

/// Whether this is the name of a service.
pub(super) fn is_service(name: &[u8], env: &Env) -> bool {
    let path = [svdir(env), name].join(&b'/');
    stat(&path[..]).is_ok_and(|found| fds::is(&found, SFlag::S_IFDIR))
}

/// Whether a service is meant by its path, and not by its name in SVDIR.
fn is_path(name: &[u8]) -> bool {
    matches!(name.first(), Some(b'/' | b'.')) || name.ends_with(b"/")
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
    fn a_log_is_that_of_a_service() {
        assert_eq!(log_of(b"a/log"), Some(&b"a"[..]));
        assert_eq!(log_of(b"./a/log//"), Some(&b"./a"[..]));
        assert_eq!(log_of(b"../log"), Some(&b".."[..]));
        for service in ["log", "/log", "a/log/b", "a/weblog", "", "/"] {
            assert_eq!(log_of(service.as_bytes()), None, "{service}");
        }
    }
}
