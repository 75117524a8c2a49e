//! Whether there is a program of a name.

use std::ffi::{CStr, CString};

use common::exec::{directories, file_in};
use common::{Env, fds};
use nix::sys::stat::{SFlag, stat};

/// Where programs are besides those in PATH: a supervisor may have another PATH than a user.
const STANDARD: &CStr = c"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where programs are searched by name.
#[derive(Debug)]
pub(super) struct Programs {
    path: &'static CStr,
}

impl Programs {
    pub(super) fn new(env: &Env) -> Self {
        Self { path: env.get(c"PATH").unwrap_or(STANDARD) }
    }

    /// The file of a program: by its absolute path, or found by its name.
    pub(super) fn find(&self, name: &[u8]) -> Option<CString> {
        let name = CString::new(name).ok()?; // nothing has a name with a NUL
        let mut room = Vec::new();
        // What lies in the working directory is not what a supervisor would find.
        let mut all = directories(&name, self.path).chain(directories(&name, STANDARD));
        let absolute = name.to_bytes().starts_with(b"/");
        let found = all.find(|directory| {
            (absolute || directory.starts_with(b"/")) && is_program(file_in(directory, &name, &mut room))
        })?;
        Some(file_in(found, &name, &mut Vec::new()).to_owned())
    }
}

/// Whether this is a regular file that somebody may execute.
fn is_program(path: &CStr) -> bool {
    stat(path).is_ok_and(|file| fds::is(&file, SFlag::S_IFREG) && file.st_mode & 0o111 != 0)
}
