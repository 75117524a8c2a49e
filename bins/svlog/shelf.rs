//! The archives of a log directory as a whole: one more, or one less.

use std::ffi::CStr;

use common::Text;
use nix::fcntl::renameat;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::archive::{Archives, Kind, Name};
use super::config::{Config, Dialect};
use super::site::Site;

/// Where the archives are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shelf<'a> {
    site: &'a Site,
    /// The one that is being processed.
    busy: Option<Name>,
}

impl<'a> Shelf<'a> {
    pub(super) fn new(site: &'a Site, busy: Option<Name>) -> Self {
        Self { site, busy }
    }

    /// Gives `current`, which has `size` bytes, the name of an archive, and removes what is too many.
    pub(super) fn put(self, kind: Kind, size: u64, config: &Config) -> nix::Result<()> {
        self.put_file(c"current", kind, size, config)
    }

    /// The same for a file of another name.
    pub(super) fn put_file(self, file: &CStr, kind: Kind, size: u64, config: &Config) -> nix::Result<()> {
        let fd = self.site.fd();
        let mut found = Archives::look(fd, self.busy)?;
        let name = found.next(kind);
        renameat(fd, file, fd, name.path())?;
        self.site.info(&[file.to_bytes(), b" is ", name.bytes(), Text::<24>::of(" ").number(size).bytes()]);
        // Of those that wait for the processor, as many are kept as of those that it is done with.
        found.add(name);
        match config.dialect {
            Dialect::Svlogd => self.prune_found(&found, config.keep),
            Dialect::Multilog => self.prune(config),
        }
        Ok(())
    }

    /// Removes the oldest archive of each group in which there are more than are to be kept, unless that is 0. As
    /// multilog does, removes the oldest of all as long as there are more.
    pub(super) fn prune(self, config: &Config) {
        loop {
            let found = match Archives::look(self.site.fd(), self.busy) {
                Ok(found) => found,
                Err(errno) => return self.site.voice().unable(&[b"look at the archives"], errno),
            };
            if config.dialect == Dialect::Svlogd {
                return self.prune_found(&found, config.keep);
            }
            // The one that is being processed cannot go: without it, the newest would have to.
            let count = found.safe.count + found.unprocessed.count;
            let oldest = found.oldest.filter(|_| count > config.keep);
            if !oldest.is_some_and(|oldest| self.remove(oldest)) {
                return;
            }
        }
    }

    fn prune_found(self, found: &Archives, keep: u64) {
        for group in [&found.safe, &found.unprocessed] {
            let many = keep > 0 && group.count > keep;
            if let Some(oldest) = group.oldest.filter(|_| many) {
                self.remove(oldest);
            }
        }
    }

    /// On a full disk: removes the oldest archive if there are more than `least`. Returns whether one is
    /// removed.
    pub(super) fn make_room(self, least: u64) -> bool {
        let found = Archives::look(self.site.fd(), self.busy).ok(); // else the next try may see them
        let oldest = found.filter(|found| found.count > least).and_then(|found| found.oldest);
        oldest.is_some_and(|oldest| {
            self.site.voice().warning(&[b"the disk is full; removing ", oldest.bytes()]);
            self.remove(oldest)
        })
    }

    /// Returns whether it is removed.
    fn remove(self, oldest: Name) -> bool {
        self.site.info(&[b"removing ", oldest.bytes()]);
        let removed = unlinkat(self.site.fd(), oldest.path(), UnlinkatFlags::NoRemoveDir);
        removed.map_err(|errno| self.site.voice().unable(&[b"remove ", oldest.bytes()], errno)).is_ok()
    }
}
