//! The place of a service: its directory, open, and the files in it.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use common::supervise::Part;
use common::{door, fds, supervise};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, fstatat};

use super::failure::Failure;

/// The tree that may host a service: the one of the directory where it was found.
#[derive(Clone)]
pub(super) struct Host {
    /// Where the socket of the tree is.
    tree: Rc<OwnedFd>,
    /// The name of the service there, as a request has it.
    name: String,
}

impl Host {
    /// A tree with its directory open; `None` where the service has no name.
    pub(super) fn new(tree: Rc<OwnedFd>, name: &[u8]) -> Option<Self> {
        (!name.is_empty()).then(|| Self { tree, name: supervise::address(name) })
    }

    /// Connects to the socket of the tree.
    pub(super) fn connect(&self) -> nix::Result<OwnedFd> {
        door::socket(self.tree.as_fd(), supervise::SOCKET)
    }

    /// What stands before a request for the service on the socket of the tree.
    pub(super) fn prefix(&self) -> String {
        format!("@{} ", self.name)
    }
}

/// A service or the log of one, as it was found once: whatever becomes of its name, this is its directory.
pub(super) struct Place {
    /// Its name on the command line.
    pub(super) name: Vec<u8>,
    /// The path of the service directory whose supervisor serves it.
    pub(super) path: Vec<u8>,
    pub(super) part: Part,
    /// The tree beside it, if there is one.
    pub(super) host: Option<Host>,
    /// The directory at that path.
    served: Rc<OwnedFd>,
    /// Its own directory. A log may have none, and its service a supervisor that says so.
    own: Result<Rc<OwnedFd>, Failure>,
}

impl Place {
    pub(super) fn service(name: &[u8], path: Vec<u8>, directory: OwnedFd, host: Option<Host>) -> Self {
        let served = Rc::new(directory);
        Self { name: name.to_owned(), path, part: Part::Service, host, own: Ok(served.clone()), served }
    }

    /// The log of this service, of the same name, with its own directory or why there is none.
    pub(super) fn log_of(self, own: Result<OwnedFd, Failure>) -> Self {
        Self { part: Part::Log, own: own.map(Rc::new), ..self }
    }

    /// The log in this directory. ENOENT if there is none.
    pub(super) fn log(&self) -> nix::Result<Self> {
        let own = self.own()?;
        let log = directory(own.as_fd(), b"log")?;
        Ok(Self {
            name: [&self.name[..], b"/log"].concat(),
            path: self.path.clone(),
            part: Part::Log,
            host: self.host.clone(),
            served: own.clone(),
            own: Ok(Rc::new(log)),
        })
    }

    /// Its own directory, or why there is none.
    pub(super) fn directory(&self) -> Result<BorrowedFd<'_>, &Failure> {
        self.own.as_ref().map(AsFd::as_fd)
    }

    /// The same, with an errno in place of the reason.
    pub(super) fn own(&self) -> nix::Result<&Rc<OwnedFd>> {
        self.own.as_ref().map_err(|failure| failure.errno.unwrap_or(Errno::ENOENT))
    }

    /// stat(2) of a file in its directory.
    pub(super) fn stat(&self, file: &CStr) -> nix::Result<FileStat> {
        fstatat(self.own()?, file, AtFlags::empty())
    }

    /// Whether there is a file in its directory.
    pub(super) fn has(&self, file: &CStr) -> nix::Result<bool> {
        match self.stat(file) {
            Ok(_) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// Whether it may need other services: a state directory does not show it.
    pub(super) fn may_need(&self) -> bool {
        let none = |file| self.has(file) == Ok(false);
        self.part == Part::Service && !(none(c"needs") && !(none(c"run") && none(c"setup")))
    }

    /// Connects to the socket of the supervisor that serves it. The state directory may be reached through a
    /// link: it is the administrator's. What is in it may be anybody's, to whom the administrator has given it.
    pub(super) fn connect(&self) -> nix::Result<OwnedFd> {
        let state = directory(self.served.as_fd(), supervise::DIRECTORY.to_bytes())?;
        door::socket(state.as_fd(), supervise::SOCKET)
    }
}

/// Opens a directory as a place to reach its files from. As chdir(2) does, it fails at once for a directory that
/// may not be searched. It need not be readable: a state directory is not for operators.
pub(super) fn directory(from: BorrowedFd, path: &[u8]) -> nix::Result<OwnedFd> {
    let mut path = path.to_owned();
    if !path.is_empty() {
        path.extend(b"/.");
    }
    path.push(0);
    let path = CStr::from_bytes_with_nul(&path).map_err(|_| Errno::EINVAL)?;
    fds::open(from, path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
}
