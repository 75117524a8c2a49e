//! The archives of a log directory as a whole: one more, or one less.

use common::Text;
use nix::fcntl::renameat;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::archive::{Archives, Kind, Name};
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

    /// Gives `current`, which has `size` bytes, the name of an archive, and removes the oldest if there are more
    /// than `keep`.
    pub(super) fn put(self, kind: Kind, size: u64, keep: u64) -> nix::Result<()> {
        let fd = self.site.fd();
        let mut found = Archives::look(fd, self.busy)?;
        let name = found.next(kind);
        renameat(fd, c"current", fd, name.path())?;
        self.site.info(&[b"current is ", name.bytes(), Text::<24>::of(" ").number(size).bytes()]);
        // Of those that wait for the processor, as many are kept as of those that it is done with.
        found.add(name);
        self.prune_found(&found, keep);
        Ok(())
    }

    /// Removes the oldest archive of each group in which there are more than `keep`, unless that is 0.
    pub(super) fn prune(self, keep: u64) {
        match Archives::look(self.site.fd(), self.busy) {
            Ok(found) => self.prune_found(&found, keep),
            Err(errno) => self.site.voice().unable(&[b"look at the archives"], errno),
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
