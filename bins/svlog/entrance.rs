//! The way into a log directory: it is opened, locked, and its `config` is read. Its owner may be another account,
//! which must not make a logger that runs as root read, write or execute what is not its own.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use common::door::{self, Owner};
use common::{Text, Voice, fds, lock};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::unistd::{geteuid, read};

/// What a `config` has at most, in bytes.
const MOST: usize = 1 << 20;

/// The directory and its lock; the reason why not was told.
pub(super) fn enter(path: &CStr, voice: Voice) -> Option<(OwnedFd, OwnedFd)> {
    let folder = match fds::open_directory(AT_FDCWD, path) {
        Ok(folder) => folder,
        Err(errno) => {
            let so = match errno {
                Errno::ENOENT => "make it with mkdir, and give it to the account of the logger with chown",
                Errno::EACCES => "the account of the logger needs r, w and x on it, and x on those above it",
                _ => "it is left out",
            };
            unable(voice, "open the log directory", errno, so);
            return None;
        }
    };
    // A processor that the logger before us had just started may still have its lock.
    match take(&folder, lock::TRIES) {
        Ok(Some(lock)) => return Some((folder, lock)),
        Ok(None) => {
            voice.warning(&[b"another process has the lock of this log directory, and writes to it"]);
        }
        Err(errno) => {
            // A name in a directory can be looked for with x, and made with w.
            let (action, so) = match fstatat(&folder, c"lock", AtFlags::AT_SYMLINK_NOFOLLOW) {
                Err(Errno::EACCES) => {
                    ("enter the log directory", "the account of the logger needs x on it (chown, chmod)")
                }
                Err(Errno::ENOENT) if errno == Errno::EACCES => (
                    "make lock in the log directory",
                    "the account of the logger needs w on it (chown, chmod)",
                ),
                _ => ("lock the log directory", beside(errno, "it is left out")),
            };
            unable(voice, action, errno, so);
        }
    }
    None
}

/// Says what was refused, and what follows from it.
pub(super) fn unable(voice: Voice, action: &str, errno: Errno, so: &str) {
    let mut text = Text::<256>::of("unable to ");
    text.add(action).add(": ").errno(errno).add("; ").add(so);
    voice.warning(&[text.bytes()]);
}

/// What follows, or what the door has refused.
pub(super) fn beside(errno: Errno, so: &'static str) -> &'static str {
    match errno {
        Errno::ELOOP | Errno::EEXIST => "it has to be a regular file with one name, not a link",
        _ => so,
    }
}

/// The lock of a log directory, as svlogd takes it, if it is free at one of so many tries.
pub(super) fn take(folder: &OwnedFd, mut tries: u32) -> nix::Result<Option<OwnedFd>> {
    let access = OFlag::O_WRONLY | OFlag::O_APPEND;
    let file = door::file_or_new(folder.as_fd(), c"lock", access, 0o600, Owner::Any)?;
    Ok(lock::flock_within(file.as_fd(), &mut tries)?.then_some(file))
}

/// Appends the text of `config` to `text`, nothing where there is none. Returns whether root may execute what it
/// names.
pub(super) fn read_config(folder: &OwnedFd, text: &mut Vec<u8>) -> nix::Result<bool> {
    let ours = believed(&fstat(folder)?);
    let opened = if ours {
        // A link in it is ours too, as that to the config of several logs.
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        fds::open(folder.as_fd(), c"config", flags, Mode::empty())
    } else {
        door::file(folder.as_fd(), c"config", OFlag::O_RDONLY, Owner::Any)
    };
    let file = match opened {
        Err(Errno::ENOENT) => return Ok(true),
        other => other?,
    };
    let stat = fstat(&file)?;
    if !fds::is(&stat, SFlag::S_IFREG) {
        return Err(Errno::EEXIST);
    }
    let mut buffer = [0; 512];
    loop {
        match read(&file, &mut buffer)? {
            0 => return Ok(ours && believed(&stat)),
            count if text.len() + count > MOST => return Err(Errno::EFBIG),
            count => text.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Whether nobody but root and our own account has a say there. Another account than root has nothing that it
/// could be robbed of by a directory which it was told to use.
fn believed(stat: &FileStat) -> bool {
    !geteuid().is_root() || stat.st_uid == 0 && stat.st_mode & 0o022 == 0
}
