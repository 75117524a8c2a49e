//! The place of a log directory: it is opened and locked, and its `config` is read. Its owner may be another
//! account, which must not be able to make a logger that runs as root read, write or execute anything but its
//! own files.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use common::door::{self, Owner};
use common::identity::{self, Identity};
use common::{Voice, fds, lock};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat, stat};
use nix::sys::statvfs::{Statvfs, fstatvfs};
use nix::unistd::{geteuid, read};

use super::config::Config;

/// The bytes that a `config` has at most.
const MOST: usize = 1 << 20;

/// A log directory that is open and locked.
#[derive(Debug)]
pub(super) struct Site {
    path: &'static CStr,
    fd: OwnedFd,
    id: Identity,
    /// Held by its lock.
    lock: OwnedFd,
    /// Its name is that of another directory, or of none; this was said.
    gone: bool,
    voice: Voice,
    verbose: bool,
}

impl Site {
    /// Opens and locks the directory of this path. `None`: why not has been reported.
    pub(super) fn enter(path: &'static CStr, voice: Voice, verbose: bool) -> Option<Self> {
        let voice = Voice { directory: path.to_bytes(), ..voice };
        let (fd, lock) = enter(path, voice)?;
        match fstat(&fd) {
            Ok(stat) => Some(Self { path, id: Identity::of(&stat), fd, lock, gone: false, voice, verbose }),
            Err(errno) => {
                voice.unable(&[b"look at the log directory"], errno);
                None
            }
        }
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    pub(super) fn id(&self) -> Identity {
        self.id
    }

    /// For messages about it.
    pub(super) fn voice(&self) -> Voice {
        self.voice
    }

    /// Reports what is done, if that is wanted.
    pub(super) fn info(&self, parts: &[&[u8]]) {
        if self.verbose {
            self.voice.info(parts);
        }
    }

    /// Whether it was given by this path.
    pub(super) fn is_at(&self, path: &CStr) -> bool {
        self.path == path
    }

    /// Whether its name was that of another directory, or of none, when that was last looked at.
    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Whether it is still in the file system, by whatever name.
    pub(super) fn exists(&self) -> nix::Result<bool> {
        Ok(fstat(&self.fd)?.st_nlink > 0)
    }

    /// Whether it is still the directory of its name; said where it is not.
    pub(super) fn has_its_name(&mut self) -> nix::Result<bool> {
        let has = match stat(self.path) {
            Ok(stat) => identity::same(&stat, &fstat(&self.fd)?),
            Err(Errno::ENOENT | Errno::ENOTDIR) => false,
            Err(_) => true, // unknown, and the one that is open can be written to
        };
        if !has && !self.gone {
            self.voice.warning(&[b"the log directory was removed or replaced"]);
        }
        self.gone = !has;
        Ok(has)
    }

    /// Changes to the directory that has the name now, and makes one if there is none.
    pub(super) fn reopen(&mut self) -> nix::Result<()> {
        let mode = Mode::from_bits_truncate(fstat(&self.fd)?.st_mode & 0o7777);
        match mkdirat(AT_FDCWD, self.path, mode) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
        let fd = fds::open_directory(AT_FDCWD, self.path)?;
        let lock = take(&fd, 1)?.ok_or(Errno::EBUSY)?;
        self.id = Identity::of(&fstat(&fd)?);
        (self.fd, self.lock) = (fd, lock);
        Ok(())
    }

    /// Whether the disk has room for more than a few lines.
    pub(super) fn has_room(&self) -> bool {
        let room = |stat: Statvfs| u128::from(stat.blocks_available()) * u128::from(stat.fragment_size());
        // Where it is unknown, the next line to be written finds out.
        fstatvfs(&self.fd).is_ok_and(|stat| room(stat) >= 1 << 14)
    }

    /// Reads `config`.
    pub(super) fn configure(&self, config: &mut Config) {
        let mut believed = false;
        let fill = |text: &mut Vec<u8>| {
            believed = read_config(&self.fd, text)?;
            Ok(())
        };
        let complain = |line: &[u8], expected: &str| self.voice.invalid(b"config", line, expected);
        if let Err(errno) = config.read(fill, complain) {
            self.voice.unable_so(&[b"read config"], errno, beside(errno, b"using the defaults"));
        }
        if !believed && config.processor().is_some() {
            config.without_processor();
            self.voice.warning(&[
                b"config: ignoring the processor: root executes no command of another account; ",
                b"run svlog as that account, or make directory and config root's alone",
            ]);
        }
    }
}

/// The directory and its lock. `None`: why not has been reported.
fn enter(path: &CStr, voice: Voice) -> Option<(OwnedFd, OwnedFd)> {
    let fd = match fds::open_directory(AT_FDCWD, path) {
        Ok(fd) => fd,
        Err(errno) => {
            let consequence: &[u8] = match errno {
                Errno::ENOENT => b"make it with mkdir, and give it to the account of the logger with chown",
                Errno::EACCES => b"the account of the logger needs r, w and x on it, and x on those above it",
                _ => b"not using it",
            };
            voice.unable_so(&[b"open the log directory"], errno, consequence);
            return None;
        }
    };
    // A processor that the previous logger had just started may still hold its lock.
    match take(&fd, lock::TRIES) {
        Ok(Some(lock)) => return Some((fd, lock)),
        Ok(None) => voice.warning(&[b"another process has locked this log directory and writes to it"]),
        Err(errno) => {
            // A name in a directory can be looked for with x, and made with w.
            let (action, consequence): (&[u8], &[u8]) =
                match fstatat(&fd, c"lock", AtFlags::AT_SYMLINK_NOFOLLOW) {
                    Err(Errno::EACCES) => (
                        b"enter the log directory",
                        b"the account of the logger needs x on it (chown, chmod)",
                    ),
                    Err(Errno::ENOENT) if errno == Errno::EACCES => (
                        b"make lock in the log directory",
                        b"the account of the logger needs w on it (chown, chmod)",
                    ),
                    _ => (b"lock the log directory", beside(errno, b"not using it")),
                };
            voice.unable_so(&[action], errno, consequence);
        }
    }
    None
}

/// The consequence, or why the door has refused.
pub(super) fn beside(errno: Errno, consequence: &'static [u8]) -> &'static [u8] {
    match errno {
        Errno::ELOOP | Errno::EEXIST => b"it must be a regular file with one name, not a link",
        _ => consequence,
    }
}

/// The lock of a log directory, as svlogd takes it, if it is free at one of `tries` tries.
fn take(directory: &OwnedFd, mut tries: u32) -> nix::Result<Option<OwnedFd>> {
    let access = OFlag::O_WRONLY | OFlag::O_APPEND;
    let file = door::file_or_new(directory.as_fd(), c"lock", access, 0o600, Owner::Any)?;
    Ok(lock::flock_within(file.as_fd(), &mut tries)?.then_some(file))
}

/// Appends the text of `config` to `text`, nothing where there is none. Returns whether root may execute what it
/// names.
fn read_config(directory: &OwnedFd, text: &mut Vec<u8>) -> nix::Result<bool> {
    let ours = believed(&fstat(directory)?);
    let opened = if ours {
        // A link in it is ours too, as that to the config of several logs.
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        fds::open(directory.as_fd(), c"config", flags, Mode::empty())
    } else {
        door::file(directory.as_fd(), c"config", OFlag::O_RDONLY, Owner::Any)
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

/// Whether nobody but root and our own account has a say there. Another account than root has nothing of which
/// the directory that its logger uses could rob it.
fn believed(stat: &FileStat) -> bool {
    !geteuid().is_root() || stat.st_uid == 0 && stat.st_mode & 0o022 == 0
}
