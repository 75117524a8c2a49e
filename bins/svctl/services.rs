//! The services of a command: those that were named, or all.

use common::Exit;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::names::Names;
use super::tree::Known;

/// Services, by their names.
pub(super) struct Services {
    pub(super) names: Vec<Vec<u8>>,
    /// What their tree has said of them all at once.
    pub(super) known: Known,
    /// Whether none was named.
    pub(super) all: bool,
}

/// Whether the loggers of services are looked at too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Logs {
    Shown,
    Hidden,
}

impl Services {
    /// Those that were named on the command line.
    pub(super) fn named(names: &[&[u8]]) -> Self {
        Self::of(names.iter().map(|name| name.to_vec()).collect())
    }

    /// Those of these names, of which nothing is known.
    pub(super) fn of(names: Vec<Vec<u8>>) -> Self {
        Self { names, known: Known::default(), all: false }
    }

    /// Lets this process have as many fds as it may need: for each service two connections, three directories and a
    /// child.
    pub(super) fn allow_fds(&self) {
        let needed = nix::libc::rlim_t::try_from(self.names.len())
            .unwrap_or(nix::libc::rlim_t::MAX)
            .saturating_mul(6)
            .saturating_add(64);
        if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
            if soft < needed {
                // Where that fails, so do the services for which there is no fd.
                let _ = setrlimit(Resource::RLIMIT_NOFILE, needed.min(hard), hard);
            }
        }
    }

    /// Those that were named, or all in SVDIR if none was.
    pub(super) fn named_or_all(names: &Names, named: &[&[u8]], logs: Logs) -> Result<Self, Exit> {
        if !named.is_empty() {
            return Ok(Self::named(named));
        }
        let known = Known::ask(names, logs);
        Ok(Self { names: names.all(&known)?, known, all: true })
    }
}
