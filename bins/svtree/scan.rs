//! The scan directory: which services are to be hosted, by which names.
//!
//! A service is a directory, or a link to one, with something to run. It is known by device and inode, as for runsvdir and
//! s6-svscan, and by the argument in its name (`name@argument`): what is only renamed goes on, and a directory with two
//! names is hosted once. `table` decides, without system calls; `watches` is inotify.
//!
//! Nothing is lost between two looks, whatever the order of events: a look reads all names, and looks up those that an
//! event was about, those of which nothing was made so far, and from time to time all. A service that is not seen is looked for
//! once more before it is stopped, since a name that is changed while names are read may be missed under both.

mod notice;
mod pace;
mod place;
mod table;
mod watches;

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use common::file::{self, Kind};
use common::identity::Identity;
use common::{clock, fds};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::stat::{SFlag, fstat, fstatat};
use nix::sys::time::TimeSpec;

pub(crate) use notice::Notice;
use pace::Pace;
use place::Growth;
use table::{State, Step, Table};
pub(crate) use table::{argument, is_service};
use watches::{About, Watches};

/// Milliseconds that a run may take to be written and made executable, before it is taken for what it is.
const GROWTH: u64 = 1000;

/// What the tree has to do.
#[derive(Debug)]
pub(crate) enum Change {
    /// Host a service.
    Appeared {
        /// Its name, which no other service has that is hosted.
        name: CString,
        /// Its directory, open for reading.
        directory: OwnedFd,
        /// What that is known by.
        #[cfg_attr(not(test), expect(dead_code, reason = "for the tests, which see what is hosted twice"))]
        identity: Identity,
    },
    /// The service `from` is called `to` from now on; the one that was called `to`, if there is one, is called `from`.
    Renamed {
        /// What it was called.
        from: CString,
        /// What it is called.
        to: CString,
    },
    /// The service has to end, and [`Scan::ended`] be called when it has.
    Vanished {
        /// Its name, which it keeps until then.
        name: CString,
    },
    /// To be reported.
    Notice(Notice),
}

/// Which of the rules that depend on the system are in force.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    /// Watch by inotify where that is possible.
    Watch,
    /// Look from time to time.
    Poll,
}

/// What was reported of the scan directory as a whole.
#[derive(Clone, Copy, Debug, Default)]
struct Reported {
    lost: bool,
    polled: bool,
    full: bool,
}

/// The scan directory.
#[derive(Debug)]
pub(crate) struct Scan {
    path: CString,
    way: Way,
    watches: Watches,
    table: Table,
    /// That which had the path at the last look, and whether inotify sees all that happens to it.
    identity: Option<Identity>,
    /// When a name in it was changed last, as the last look has left it.
    changed: Option<TimeSpec>,
    remote: bool,
    /// Open while there may be changes to take.
    directory: Option<OwnedFd>,
    notices: Vec<Notice>,
    reported: Reported,
    pace: Pace,
    /// Whether the next look is at all names.
    all: bool,
    /// There are names that lead nowhere.
    dangling: bool,
}

impl Scan {
    /// A scan directory, to be looked at at once. The path is used at each look, from the working directory.
    ///
    /// # Errors
    /// Where it cannot be opened now.
    pub(crate) fn open(path: &CStr, way: Way, now: u64) -> nix::Result<Self> {
        fds::open_directory(AT_FDCWD, path)?;
        Ok(Self {
            path: path.to_owned(),
            way,
            watches: Watches::of(path),
            table: Table::default(),
            identity: None,
            changed: None,
            remote: false,
            directory: None,
            notices: Vec::new(),
            reported: Reported::default(),
            pace: Pace::at_once(now),
            all: true,
            dangling: false,
        })
    }

    /// What to wait for until it can be read; nothing while events wait for a look that is due soon.
    pub(crate) fn watch(&self) -> Option<BorrowedFd<'_>> {
        self.watches.fd().filter(|_| !self.pace.is_woken())
    }

    /// That can be read: something has happened.
    pub(crate) fn ready(&mut self, now: u64) {
        self.pace.wake(now);
    }

    /// Asks for a look at all names.
    pub(crate) fn rescan(&mut self, now: u64) {
        self.all = true;
        self.pace.at(now);
    }

    /// Asks for a look after a while: there may be something that no event is about, as a mount.
    pub(crate) fn look_again(&mut self, now: u64) {
        self.pace.poll(now);
    }

    /// When to call [`Scan::look`], in milliseconds since boot.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.pace.due()
    }

    /// The directory of which a look has just read the names, while there are changes to take; none where it could not be
    /// read.
    pub(crate) fn directory(&self) -> Option<BorrowedFd<'_>> {
        self.directory.as_ref().map(AsFd::as_fd)
    }

    /// Whether any service was found, and has not ended.
    pub(crate) fn has_services(&self) -> bool {
        self.table.entries.iter().any(|entry| !entry.is_pending())
    }

    /// How many services could not be opened, or not be hosted.
    pub(crate) fn refused(&self) -> usize {
        self.table.entries.iter().filter(|entry| entry.state == State::Refused).count()
    }

    /// A service that was hosted has ended: its name is free.
    pub(crate) fn ended(&mut self, name: &CStr, now: u64) {
        self.table.ended(name);
        self.pace.at(now);
    }

    /// A service that has appeared cannot be hosted now: it will appear once more, when another has ended, and after a while.
    pub(crate) fn put_back(&mut self, name: &CStr, now: u64) {
        if let Some(entry) = self.table.find(name.to_bytes()) {
            self.table.set(entry, State::Refused);
            self.pace.poll(now);
        }
    }

    /// Reads the directory; what it has to change is taken by [`Scan::next`] then, until there is nothing more.
    pub(crate) fn look(&mut self, now: u64) {
        let polled = self.pace.begin(now);
        self.take_events();
        let all = std::mem::take(&mut self.all) || polled && self.is_polled();
        if all {
            self.renew_watches();
            self.take_events();
        }
        match self.read(all, polled) {
            Ok(()) if self.reported.lost => {
                self.reported.lost = false;
                self.notices.insert(0, Notice::Found);
            }
            Ok(()) => {}
            Err(errno) => {
                self.directory = None;
                self.all = true;
                self.pace.poll(now);
                if !std::mem::replace(&mut self.reported.lost, true) {
                    self.notices.push(Notice::Lost(errno));
                }
            }
        }
        // What the tree does with the changes is not counted.
        self.pace.end(clock::monotonic());
    }

    /// Whether no event can be relied upon.
    fn is_polled(&self) -> bool {
        !self.watches.is_on() || self.remote
    }

    fn take_events(&mut self) {
        let (table, mut all) = (&mut self.table, false);
        let read = self.watches.events(|about| match about {
            About::Everything => all = true,
            // Any instance may be a link to it.
            About::Name(name) if table::is_template(name) => all = true,
            About::Name(name) => {
                if let Some(entry) = table.find(name) {
                    table.entries[entry].dirty = true;
                }
            }
            About::Watch(about) => {
                for entry in &mut table.entries {
                    entry.dirty |=
                        matches!(entry.state, State::Half { watch: Some(watch), .. } if watch == about);
                }
            }
        });
        self.all |= all || read.is_err(); // what could not be read may have been about anything
    }

    fn renew_watches(&mut self) {
        let renewed = match self.way {
            Way::Watch => self.watches.renew(),
            Way::Poll => Err(Errno::ENOSYS),
        };
        match renewed {
            Ok(()) => self.reported.polled &= self.remote,
            Err(Errno::ENOENT | Errno::ENOTDIR) => {} // to open it says more
            Err(errno) => self.report_polling(Notice::Unwatched(errno)),
        }
    }

    fn report_polling(&mut self, notice: Notice) {
        if !std::mem::replace(&mut self.reported.polled, true) {
            self.notices.push(notice);
        }
    }

    /// Reads the names of the directory that has the path now.
    fn read(&mut self, mut all: bool, polled: bool) -> nix::Result<()> {
        let directory = fds::open_directory(AT_FDCWD, &self.path)?;
        let before = fstat(&directory)?;
        let identity = Identity::of(&before);
        if self.identity != Some(identity) {
            if self.identity.is_some() {
                self.notices.push(Notice::Replaced);
                self.renew_watches();
                all = true;
            }
            self.identity = Some(identity);
            self.remote = place::is_remote(directory.as_fd())?;
            if self.remote {
                self.report_polling(Notice::Remote);
            }
        }
        self.table.begin(all);
        for entry in &mut self.table.entries {
            entry.dirty |= match entry.state {
                State::Half { watch: None, .. } | State::Refused => polled,
                State::Half { growing: Some(since), .. } => since + GROWTH <= self.pace.started(),
                _ => false,
            };
        }
        let (table, fd) = (&mut self.table, directory.as_fd());
        let (mut dangling, mut gone_meanwhile) = (false, false);
        file::each_entry(fd, |name, kind| {
            if kind == Kind::Other || !table::is_service(name) {
                return;
            }
            table.see(name, || match fstatat(fd, name, AtFlags::empty()) {
                Ok(file) => Ok(Some(Identity::of(&file)).filter(|_| fds::is(&file, SFlag::S_IFDIR))),
                Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::ENAMETOOLONG) => {
                    let gone = fstatat(fd, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_err();
                    gone_meanwhile |= gone;
                    dangling |= !gone && kind != Kind::Directory;
                    Ok(None)
                }
                Err(errno) => Err(errno),
            });
        })?;
        self.table.end();
        // Also since the last look: a second change within one tick does not show.
        let changed = Some(place::changed(&fstat(&directory)?));
        let last = std::mem::replace(&mut self.changed, changed);
        self.table.unsure = gone_meanwhile || changed != last || changed != Some(place::changed(&before));
        self.dangling = dangling;
        self.directory = Some(directory);
        Ok(())
    }

    /// The next change. When there is nothing more, the look is over.
    pub(crate) fn next(&mut self) -> Option<Change> {
        if !self.notices.is_empty() {
            return Some(Change::Notice(self.notices.remove(0)));
        }
        let directory = self.directory.take()?;
        while let Some(step) = self.table.step() {
            let name = |entry: usize| self.table.entries[entry].name.clone();
            let change = match step {
                Step::Renamed(from, to) => Some(Change::Renamed { from: name(from), to: name(to) }),
                Step::Vanished(entry) => Some(Change::Vanished { name: name(entry) }),
                Step::Twin(entry, host) => {
                    Some(Change::Notice(Notice::Twin { name: name(entry), of: name(host) }))
                }
                Step::Open(entry) => self.look_into(directory.as_fd(), entry),
            };
            if change.is_some() {
                self.directory = Some(directory);
                return change;
            }
        }
        self.finish();
        None
    }

    /// Looks into a directory of which nothing was made so far.
    fn look_into(&mut self, parent: BorrowedFd, entry: usize) -> Option<Change> {
        let name = self.table.entries[entry].name.clone();
        let opened =
            fds::open_directory(parent, &name).and_then(|directory| Ok((fstat(&directory)?, directory)));
        let (identity, directory) = match opened {
            Ok((file, directory)) => (Identity::of(&file), directory),
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => {
                self.doubt(entry);
                return None;
            }
            Err(errno) => return self.refuse(entry, errno),
        };
        if self.table.entries[entry].at != Some(identity) {
            self.table.entries[entry].at = Some(identity);
            self.doubt(entry);
            return None;
        }
        let since = match self.table.set(entry, State::New) {
            State::Half { growing: Some(since), .. } => since,
            _ => self.pace.started(),
        };
        self.end_stale_watches();
        let (mut growth, mut watch) = (Growth::of(directory.as_fd()), None);
        if growth != Growth::Complete {
            watch = self.watches.watch_half(&name);
            growth = Growth::of(directory.as_fd()); // as it was before there was the watch
        }
        let growing = match growth {
            Growth::Nothing => None,
            Growth::Growing if self.pace.started() < since + GROWTH => Some(since),
            Growth::Growing | Growth::Complete => {
                self.table.stale.extend(watch);
                self.table.set(entry, State::Hosted { identity, missing: 0 });
                return Some(Change::Appeared { name, directory, identity });
            }
        };
        self.table.set(entry, State::Half { growing, watch });
        None
    }

    fn end_stale_watches(&mut self) {
        for watch in self.table.stale.drain(..) {
            self.watches.unwatch_half(watch);
        }
    }

    /// What a name stands for is another thing by now.
    fn doubt(&mut self, entry: usize) {
        self.table.entries[entry].dirty = true;
        self.table.doubtful = true;
    }

    fn refuse(&mut self, entry: usize, errno: Errno) -> Option<Change> {
        let known = self.table.set(entry, State::Refused) == State::Refused;
        let reported = if matches!(errno, Errno::EMFILE | Errno::ENFILE) {
            std::mem::replace(&mut self.reported.full, true) // once for all of them
        } else {
            known
        };
        let name = self.table.entries[entry].name.clone();
        (!reported).then_some(Change::Notice(Notice::Unreadable { name, errno }))
    }

    /// The look is over: says when the next is due.
    fn finish(&mut self) {
        self.table.forget();
        self.end_stale_watches();
        self.reported.full &= self.refused() > 0;
        let now = self.pace.started();
        if self.table.doubtful || self.all {
            self.pace.at(now);
        }
        let mut unwatched = self.dangling || self.is_polled();
        for entry in &self.table.entries {
            match entry.state {
                State::Refused | State::Half { watch: None, .. } => unwatched = true,
                State::Half { growing: Some(since), .. } => self.pace.at(since + GROWTH),
                _ => {}
            }
        }
        if unwatched {
            self.pace.poll(now);
        }
    }
}

#[cfg(test)]
mod tests;
