//! The cgroup of a run: what is in it is the run's, whoever its parent is by now.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use common::cgroup::{Groups, Path, Unfound};
use common::quantity::number;
use common::{Text, fds};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::{read, write};

use super::{NAMED, name};

/// The directory of a group.
#[derive(Debug)]
pub(super) struct Group(OwnedFd);

/// Why it cannot be killed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refused {
    /// For a reason that passes.
    Now,
    /// It is not as it has to be.
    State(&'static str),
    /// The system refused this, for this reason, with what is known of that.
    Deed(&'static str, Errno, &'static str),
}

impl Refused {
    fn because(errno: Errno, known: &'static str) -> Self {
        if fds::passes(errno) { Self::Now } else { Self::Deed("", errno, known) }
    }

    /// The words for the log where the cgroup of this path cannot be killed.
    pub(super) fn line(self, path: &[u8]) -> Text<360> {
        let mut line = Text::of("unable to kill the cgroup ");
        line.printable(path).add(": ");
        match self {
            Self::Now => {}
            Self::State(words) => {
                line.add(words);
            }
            Self::Deed(deed, errno, known) => {
                let before = if deed.is_empty() { "" } else { "unable to " };
                let after = if deed.is_empty() { "" } else { ": " };
                line.add(before).add(deed).add(after).errno(errno).add(known);
            }
        }
        line.add("\n");
        line
    }
}

impl Group {
    /// The group of this path, if there is one with processes in it.
    pub(super) fn find(path: &[u8]) -> Result<Option<Self>, Refused> {
        let path = Path::parse(path).map_err(Refused::State)?;
        let groups = Groups::find().map_err(|unfound| match unfound {
            Unfound::Unable(_, errno) if fds::passes(errno) => Refused::Now,
            Unfound::Unable(deed, errno) => Refused::Deed(deed, errno, ""),
            other => Refused::State(other.words()),
        })?;
        let group = match groups.open(path) {
            Ok(directory) => Self(directory),
            Err(Errno::ENOENT) => return Ok(None),
            Err(errno) => return Err(Refused::because(errno, "")),
        };
        if groups.are_we_in(path) {
            return Err(Refused::State("the supervisor itself is in it"));
        }
        Ok(Some(group).filter(|group| !group.is_empty()))
    }

    /// Kills all that is in it and below it, and what that forks meanwhile.
    pub(super) fn kill(&self) -> Result<(), Refused> {
        let file = self.open(c"cgroup.kill", OFlag::O_WRONLY);
        match file.and_then(|file| write(&file, b"1")) {
            Ok(_) | Err(Errno::ENODEV) => Ok(()),
            Err(Errno::ENOENT) if self.is_empty() => Ok(()), // it was removed
            Err(errno) => Err(Refused::because(
                errno,
                match errno {
                    Errno::ENOENT => "; the kernel has no cgroup.kill, which came with Linux 5.14",
                    Errno::EOPNOTSUPP => "; it is threaded, and cannot be killed as a whole",
                    Errno::EROFS => "; cgroups are read-only here",
                    _ => "",
                },
            )),
        }
    }

    /// Whether no process is in it, nor below it. One that is gone is empty; one that cannot be looked at is not.
    pub(super) fn is_empty(&self) -> bool {
        let mut buffer = [0; 256];
        let events = self.open(c"cgroup.events", OFlag::O_RDONLY).and_then(|file| read(&file, &mut buffer));
        match events {
            Ok(count) => buffer[..count].split(|b| *b == b'\n').any(|line| line == b"populated 0"),
            Err(errno) => matches!(errno, Errno::ENOENT | Errno::ENODEV),
        }
    }

    /// Some of its processes.
    pub(super) fn names(&self) -> Text<224> {
        let (mut names, mut buffer) = (Text::new(), [0; 128]);
        let procs = self.open(c"cgroup.procs", OFlag::O_RDONLY).and_then(|file| read(&file, &mut buffer));
        // A message without names is one all the same; and behind the last end of a line may be half a number.
        let whole = procs.ok().and_then(|count| buffer[..count].iter().rposition(|b| *b == b'\n'));
        let pids = buffer[..whole.unwrap_or(0)].split(|b| *b == b'\n').filter_map(number::<u32>);
        for (at, pid) in pids.filter(|pid| *pid > 0).take(NAMED).enumerate() {
            names.add(if at == 0 { ": " } else { ", " }).number(pid).add(" ").add(name(pid).bytes());
        }
        names
    }

    fn open(&self, name: &CStr, flags: OFlag) -> nix::Result<OwnedFd> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        fds::open(self.0.as_fd(), name, flags, Mode::empty())
    }
}
