//! What clients look for beside a state directory that lies elsewhere.

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use common::file::read_link;
use common::identity::same;
use nix::errno::Errno;
use nix::sys::stat::fstat;
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};

use super::service::{exists, make_directory};

/// Links in a state directory that lies elsewhere to what clients look for beside it; `path`: that of the service
/// directory, from the root. A link that leads elsewhere is of a former path. Nothing where both are one directory.
pub(crate) fn link_beside(state: &OwnedFd, service: &OwnedFd, path: &Path) -> nix::Result<()> {
    if same(&fstat(state)?, &fstat(service)?) {
        return Ok(());
    }
    let log = exists(service.as_fd(), c"log");
    if log {
        make_directory(state, c"log", 0o755)?;
    }
    for file in [c"down", c"check", c"log/down"].into_iter().take(if log { 3 } else { 2 }) {
        let target = path.join(OsStr::from_bytes(file.to_bytes()));
        match symlinkat(&target, state, file) {
            Err(Errno::EEXIST) => renew(state, file, &target)?,
            other => other?,
        }
    }
    Ok(())
}

/// Has a link lead to `target`. What is no link is not ours.
fn renew(state: &OwnedFd, link: &CStr, target: &Path) -> nix::Result<()> {
    let mut buffer = [0; PATH_MAX];
    match read_link(state.as_fd(), link, &mut buffer) {
        Ok(found) if found != target.as_os_str().as_bytes() => {
            unlinkat(state, link, UnlinkatFlags::NoRemoveDir)?;
            symlinkat(target, state, link)
        }
        Ok(_) | Err(Errno::EINVAL | Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// The longest target of a link, `path_resolution(7)`.
const PATH_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn links_lead_to_the_service_directory_by_its_present_path() {
        let scratch = tempfile::tempdir().unwrap();
        let (state, service) = (scratch.path().join("state"), scratch.path().join("web"));
        fs::create_dir(&state).unwrap();
        fs::create_dir_all(service.join("log")).unwrap();
        let open = |path: &Path| OwnedFd::from(File::open(path).unwrap());
        let link = |path: &Path| link_beside(&open(&state), &open(&service), path);
        for path in ["/old/web", "/new/web", "/new/web"] {
            assert_eq!(link(Path::new(path)), Ok(()));
            for file in ["down", "check", "log/down"] {
                assert_eq!(fs::read_link(state.join(file)).unwrap(), Path::new(path).join(file));
            }
        }
        // What somebody has put there himself stays.
        fs::remove_file(state.join("down")).unwrap();
        fs::write(state.join("down"), "").unwrap();
        assert_eq!(link(Path::new("/other/web")), Ok(()));
        assert!(state.join("down").symlink_metadata().unwrap().is_file());
    }

    #[test]
    fn a_directory_is_not_linked_to_itself() {
        let scratch = tempfile::tempdir().unwrap();
        let open = || OwnedFd::from(File::open(scratch.path()).unwrap());
        assert_eq!(link_beside(&open(), &open(), scratch.path()), Ok(()));
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }
}
