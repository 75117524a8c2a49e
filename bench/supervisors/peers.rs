//! The supervisors that are compared, and how each is spoken to.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use super::support::strace;

/// What a supervisor is, and how it is spoken to.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Svrun,
    Runsv,
    S6,
    Daemontools,
}

impl Kind {
    /// The supervisor, the control program, the one that shows the status, and what these need.
    pub(crate) fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Svrun => &["svrun", "svctl", "svctl"],
            Self::Runsv => &["runsv", "sv", "sv"],
            Self::S6 => &["s6-supervise", "s6-svc", "s6-svstat", "s6-svlisten1"],
            Self::Daemontools => &["supervise", "svc", "svstat"],
        }
    }

    /// How many supervisors a service with a log needs.
    pub(crate) fn supervisors(self) -> usize {
        match self {
            Self::Svrun | Self::Runsv => 1,
            Self::S6 | Self::Daemontools => 2,
        }
    }

    pub(crate) fn has_finish(self) -> bool {
        self != Self::Daemontools
    }

    /// Whether the bytes of `supervise/status` say that nothing runs, and nothing will.
    pub(crate) fn is_down(self, status: &[u8]) -> bool {
        let zero =
            |from: usize, to: usize| status.get(from..to).is_some_and(|pid| pid.iter().all(|b| *b == 0));
        match self {
            Self::S6 => zero(24, 32) && status.get(34).is_some_and(|flags| flags & 4 == 0),
            Self::Daemontools => zero(12, 16) && status.get(17) == Some(&b'd'),
            Self::Svrun | Self::Runsv => {
                zero(12, 16) && status.get(17) == Some(&b'd') && status.get(19) == Some(&0)
            }
        }
    }

    /// The words that make the control program wait until the service is up or down: none if it cannot. Up
    /// means, to svctl, that a service that announces nothing has lived for 420 ms; to s6-svc that it was forked.
    pub(crate) fn control(self, up: bool) -> Option<&'static [&'static str]> {
        match (self, up) {
            (Self::Svrun | Self::Runsv, true) => Some(&["-w", "7", "up"]),
            (Self::Svrun | Self::Runsv, false) => Some(&["-w", "7", "down"]),
            (Self::S6, true) => Some(&["-wu", "-u"]),
            (Self::S6, false) => Some(&["-wD", "-d"]),
            (Self::Daemontools, _) => None,
        }
    }
}

/// A column of the table.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    directory: PathBuf,
}

impl Peer {
    pub(crate) fn program(&self, which: usize) -> PathBuf {
        self.directory.join(self.kind.programs()[which])
    }

    /// A command of this directory, which finds what it executes there too.
    pub(crate) fn command(&self, which: usize, trace: Option<&Path>) -> Command {
        let program = self.program(which);
        let mut command = match trace {
            Some(log) => strace(&program, log),
            None => Command::new(program),
        };
        let path = env::var_os("PATH").unwrap_or_default();
        let directories = [self.directory.clone()].into_iter().chain(env::split_paths(&path));
        command
            .env("PATH", env::join_paths(directories).expect("a PATH"))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    /// Copies the programs of a directory to one of their own, if the supervisor is there: what the linker has
    /// just written lies in memory in other pieces than a file that was copied.
    pub(crate) fn copied(name: &'static str, kind: Kind, from: &Path, to: PathBuf) -> Option<Self> {
        from.join(kind.programs()[0]).is_file().then(|| {
            fs::create_dir_all(&to).expect("a directory");
            for program in kind.programs() {
                let _ = fs::copy(from.join(program), to.join(program)); // what is not there has no figure
            }
            Self { name, kind, directory: to }
        })
    }
}
