//! The programs of other packages that ours stand in for, and which one of a pair a test runs.

use std::path::Path;
use std::process::Command;

use super::{bin, link, prepared, tool};

/// The file of the program `name` of another package, in the directories of the system.
pub(crate) fn peer(name: &str) -> Result<String, String> {
    let directories = [
        "/usr/bin",
        "/bin",
        "/usr/sbin",
        "/sbin",
        "/usr/lib/execline/bin",
        "/usr/lib/systemd/user-environment-generators",
        "/usr/local/bin",
    ];
    let mut files = directories.iter().map(|directory| Path::new(directory).join(name));
    let found = files.find(|file| file.is_file() && !file.starts_with(bin()));
    found.map(|file| file.display().to_string()).ok_or_else(|| format!("the program {name}"))
}

/// The program that a test runs: the peer's own, which must pass first, or ours in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Program {
    Runsv,
    Svrun,
    Svlogd,
    Svlog,
    /// That of daemontools.
    Multilog,
    /// svlog by that name, which a scratch directory of a [`Log`](crate::svlog::harness::Log) has.
    OurMultilog,
}

pub(crate) use Program::{Multilog, OurMultilog, Runsv, Svlog, Svlogd, Svrun};

impl Program {
    /// Its name, with which its messages begin.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Runsv => "runsv",
            Svrun => "svrun",
            Svlogd => "svlogd",
            Svlog => "svlog",
            Multilog | OurMultilog => "multilog",
        }
    }

    /// Whether this machine has it, and what the tests drive it with.
    pub(crate) fn there(self) -> Result<(), String> {
        match self {
            Svrun | Svlog | OurMultilog => Ok(()),
            Multilog => peer("multilog").map(|_| ()),
            Runsv => tool("runsv").and_then(|()| tool("sv")),
            Svlogd => tool("svlogd"),
        }
    }

    pub(crate) fn command(self) -> Command {
        match self {
            Svrun | Svlog => link(self.name()),
            OurMultilog => prepared("./multilog"),
            Runsv | Svlogd | Multilog => prepared(format!("/usr/bin/{}", self.name())),
        }
    }
}

/// Makes two tests of each function that takes a [`Program`]: one on runit's, one on ours, of which the name is in
/// front.
macro_rules! both {
    (svrun; $($name:ident),+ $(,)?) => {
        crate::support::tests_on!(on_runsv, crate::support::Runsv, crate::support::Runsv.there(); $($name),+);
        crate::support::tests_on!(on_svrun, crate::support::Svrun, crate::support::Svrun.there(); $($name),+);
    };
    (svlog; $($name:ident),+ $(,)?) => {
        crate::support::tests_on!(on_svlogd, crate::support::Svlogd, crate::support::Svlogd.there(); $($name),+);
        crate::support::tests_on!(on_svlog, crate::support::Svlog, crate::support::Svlog.there(); $($name),+);
    };
}
pub(crate) use both;
