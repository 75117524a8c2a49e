//! What the services of a tree have in common, and how they are opened.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;

use common::spawn::FewFiles;
use common::supervise::Part;
use common::{Voice, Words, door, fds, file};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, renameat};
use nix::sys::stat::{SFlag, fstatat};

use super::scan::{argument, is_service};
use crate::supervise::{
    self, DefaultLog, Ends, HandedOn, Homeless, Names, Now, Options, Orphans, Patience, PidSpace, Places,
    Program, Refusal, Supervised,
};

/// What all services of a tree have in common.
#[derive(Debug)]
pub(super) struct Template {
    /// The name that the tree was called by.
    pub(super) called: &'static [u8],
    /// Our pid.
    pub(super) pid: u32,
    /// The environment of their programs.
    pub(super) env: Words,
    /// The scan directory, from the root.
    pub(super) path: PathBuf,
    /// Where their state directories lie, if that is not in their own.
    pub(super) state: Option<OwnedFd>,
    /// `.tree`, with the state of those that share their directory with others.
    pub(super) own: Option<OwnedFd>,
    /// Where recorded pids mean anything.
    pub(super) space: PidSpace,
    /// What their programs have of our open files.
    pub(super) files: &'static FewFiles,
    /// What logs a service that has no logger of its own.
    pub(super) log: Log,
    /// What the program before us has left of those that it had.
    pub(super) handed_on: HandedOn,
    /// Names that services have or had: the engine keeps them for good, each once.
    pub(super) names: Interned,
}

/// What logs a service that has no logger of its own.
#[derive(Clone, Debug)]
pub(super) enum Log {
    /// Nothing: it writes where the tree does.
    Nothing,
    /// `run` in this directory, which gets its name.
    Directory(BorrowedFd<'static>),
    /// svlog, at this path, which puts its name in front of each line and writes where the tree does.
    Prefix(BorrowedFd<'static>, &'static CStr),
}

impl Log {
    fn of(&self, name: &'static CStr) -> Option<DefaultLog> {
        let (directory, program) = match self {
            Self::Nothing => return None,
            Self::Directory(directory) => (*directory, Program::Run(Some(name))),
            Self::Prefix(directory, path) => {
                (*directory, Program::Command(Rc::new([path, c"-p", name, c"-"])))
            }
        };
        Some(DefaultLog { directory, program })
    }
}

/// Strings that live as long as the process, in order.
#[derive(Debug, Default)]
pub(super) struct Interned(Vec<&'static CStr>);

impl Interned {
    /// This one.
    pub(super) fn get(&mut self, name: &CStr) -> &'static CStr {
        let at = match self.0.binary_search(&name) {
            Ok(at) => return self.0[at],
            Err(at) => at,
        };
        let new: &'static CStr = Box::leak(name.to_owned().into_boxed_c_str());
        self.0.insert(at, new);
        new
    }
}

impl Template {
    /// Opens a service; `needs`: what its start waits for.
    pub(super) fn open(
        &mut self,
        name: &'static CStr,
        directory: &OwnedFd,
        needs: Option<Names>,
        now: Now,
    ) -> Result<Box<Supervised>, Refusal> {
        let copy = directory.try_clone();
        let service = copy.map_err(|_| unable("open its directory", Errno::EMFILE))?;
        let all = self.state_parent(name);
        let state = all.map(|all| self.state_of(all, name, directory)).transpose();
        let state = state.map_err(|errno| unable("make its state directory", errno))?;
        let space = self.space.clone();
        let places = Places { service, state };
        let notify = self.handed_on.socket_of(&places, &space, now);
        let argument = argument(name).map(|argument| CString::new(argument).unwrap_or_default()); // of a C string
        let options = Options {
            voice: self.voice(name),
            env: self.env.clone(),
            files: Some(self.files),
            supervisor: self.pid,
            space,
            ends: Ends::WhenAsked,
            orphans: Orphans::Anybodys,
            patience: Patience::None,
            needs,
            homeless: Homeless::Supervised,
            argument: argument.map(|argument| self.names.get(&argument)),
            log: self.log.of(name),
            notify,
        };
        Supervised::open(places, options, now)
    }

    /// Whether a former tree may have left something of a service.
    pub(super) fn has_left(&self, name: &CStr, directory: &OwnedFd) -> bool {
        let all = self.state_parent(name);
        let state = all.map(|all| fds::open_directory(all.as_fd(), name));
        match &state {
            None => supervise::has_left(directory.as_fd()),
            Some(Ok(state)) => supervise::has_left(state.as_fd()),
            Some(Err(errno)) => *errno != Errno::ENOENT,
        }
    }

    /// The names, with their state directories, which no directory has any more, and of which something may live that a
    /// former tree has left. A state that lies in its own directory is gone with that.
    pub(super) fn vanished(&self, scan: &OwnedFd) -> nix::Result<Vec<(CString, OwnedFd)>> {
        let mut found = Vec::new();
        let Some(all) = self.state.as_ref().or(self.own.as_ref()) else { return Ok(found) };
        let is_there = |name: &CStr| match fstatat(scan, name, AtFlags::empty()) {
            Ok(file) => fds::is(&file, SFlag::S_IFDIR),
            // Of any other error nobody knows what it means.
            Err(errno) => !matches!(errno, Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP),
        };
        fds::each_name(all.as_fd(), |name| {
            let its = is_service(name) && self.state_parent(name).is_some();
            if !its || is_there(name) {
                return;
            }
            // What is no directory, or somebody else's link to one, was not made by a tree.
            let state = door::directory(all.as_fd(), name).ok();
            found.extend(
                state
                    .filter(|state| supervise::may_live(state.as_fd(), &self.space))
                    .map(|state| (name.to_owned(), state)),
            );
        })?;
        Ok(found)
    }

    /// Where the state directory of a service lies, if not in its own directory.
    fn state_parent(&self, name: &CStr) -> Option<&OwnedFd> {
        // Services that share a directory cannot share their state.
        let shares = argument(name).is_some();
        self.state.as_ref().or(self.own.as_ref().filter(|_| shares))
    }

    fn state_of(&self, all: &OwnedFd, name: &CStr, directory: &OwnedFd) -> nix::Result<OwnedFd> {
        supervise::make_directory(all, name, 0o755)?;
        let state = door::directory(all.as_fd(), name)?;
        self.link_beside(&state, name, directory)?;
        Ok(state)
    }

    fn link_beside(&self, state: &OwnedFd, name: &CStr, directory: &OwnedFd) -> nix::Result<()> {
        supervise::link_beside(state, directory, &self.path.join(OsStr::from_bytes(name.to_bytes())))
    }

    /// The links in a state directory lead to the service directory by its new name.
    pub(super) fn renew_links(&self, name: &CStr, directory: &OwnedFd) -> nix::Result<()> {
        let Some(all) = self.state_parent(name) else { return Ok(()) };
        match fds::open_directory(all.as_fd(), name) {
            Ok(state) => self.link_beside(&state, name, directory),
            Err(Errno::ENOENT) => Ok(()), // it was not hosted yet
            Err(errno) => Err(errno),
        }
    }

    /// The state directory of a service goes with its name; that of another one of the new name takes its place, also
    /// where it is left from former times.
    pub(super) fn rename_state(&self, from: &CStr, to: &CStr) -> nix::Result<()> {
        let Some(state) = self.state_parent(from) else { return Ok(()) };
        let renamed = match file::exchange(state.as_fd(), from, to) {
            Err(Errno::ENOENT) => renameat(state, from, state, to),
            renamed => renamed,
        };
        match renamed {
            Err(Errno::ENOENT) => Ok(()), // it was not hosted yet
            renamed => renamed,
        }
    }

    /// The prefix of messages about a service.
    pub(super) fn voice(&self, name: &'static CStr) -> Voice {
        Voice { called: self.called, directory: name.to_bytes(), part: b"" }
    }
}

fn unable(what: &'static str, errno: Errno) -> Refusal {
    Refusal::unable(Part::Service, what, errno)
}
