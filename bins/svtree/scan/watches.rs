//! What is watched by inotify: the scan directory, the way to it, and directories that are half made.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};

use common::file;
use common::inotify::{
    Event, IN_ATTRIB, IN_CLOSE_WRITE, IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_DONT_FOLLOW, IN_MASK_ADD,
    IN_MASK_CREATE, IN_MOVE_SELF, IN_MOVED_FROM, IN_MOVED_TO, IN_ONLYDIR, IN_Q_OVERFLOW, Inotify,
};
use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;

/// How many half-made directories are watched.
const HALVES: usize = 256;
/// How many symbolic links the kernel follows, `path_resolution(7)`.
const LINKS: usize = 40;
/// Reads of 4 KiB at once: what the queue of the kernel holds, 16,384 events of one page's names and more.
const READS: usize = 256;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum About<'a> {
    /// A name in the scan directory.
    Name(&'a [u8]),
    /// The file with this watch.
    Watch(i32),
    /// The scan directory itself, or the way to it; or events were lost.
    Everything,
}

/// The watches.
#[derive(Debug)]
pub(super) struct Watches {
    inotify: Option<Inotify>,
    path: CString,
    directory: Option<i32>,
    way: Vec<i32>,
    halves: usize,
}

impl Watches {
    /// None yet, for a directory with this path.
    pub(super) fn of(path: &CStr) -> Self {
        Self { inotify: None, path: path.to_owned(), directory: None, way: Vec::new(), halves: 0 }
    }

    /// Whether the scan directory is watched.
    pub(super) fn is_on(&self) -> bool {
        self.directory.is_some()
    }

    /// What becomes readable when something happens.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// Watches the scan directory that has the path now.
    ///
    /// # Errors
    /// As inotify's; what was to be watched is not.
    pub(super) fn renew(&mut self) -> nix::Result<()> {
        let inotify = match self.inotify.take() {
            Some(inotify) => inotify,
            None => Inotify::new()?,
        };
        for watch in self.way.drain(..).chain(self.directory.take()) {
            // EINVAL: it has ended with the file, or is there twice.
            let _ = inotify.unwatch(watch);
        }
        let inotify = self.inotify.insert(inotify);
        watch_way(inotify, &self.path, &mut self.way)?;
        let names = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB;
        let itself = IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_MASK_ADD;
        self.directory = Some(inotify.watch(&self.path, names | itself)?);
        Ok(())
    }

    /// Watches a half-made directory, if that is possible: not if it has a watch already.
    pub(super) fn watch_half(&mut self, name: &CStr) -> Option<i32> {
        let inotify = self.inotify.as_ref().filter(|_| self.halves < HALVES)?;
        let path = CString::new([self.path.to_bytes(), b"/", name.to_bytes()].concat()).ok()?;
        let mask = IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_CLOSE_WRITE | IN_ONLYDIR | IN_MASK_CREATE;
        // Whatever the reason is: without a watch it is looked at from time to time.
        let watch = inotify.watch(&path, mask).ok()?;
        self.halves += 1;
        Some(watch)
    }

    /// Ends such a watch.
    pub(super) fn unwatch_half(&mut self, watch: i32) {
        self.halves = self.halves.saturating_sub(1);
        if let Some(inotify) = &self.inotify {
            // EINVAL: it has ended with the directory.
            let _ = inotify.unwatch(watch);
        }
    }

    /// Reads what has happened, and reports what it is about.
    ///
    /// # Errors
    /// read(2)'s.
    pub(super) fn events(&self, mut report: impl FnMut(About)) -> nix::Result<()> {
        let Some(inotify) = &self.inotify else { return Ok(()) };
        let all = inotify.events(READS, |event| report(self.about(event)))?;
        if !all {
            report(About::Everything);
        }
        Ok(())
    }

    fn about<'a>(&self, event: Event<'a>) -> About<'a> {
        let ours = self.directory == Some(event.watch);
        match event.name {
            _ if event.mask & IN_Q_OVERFLOW != 0 => About::Everything,
            name if ours && !name.is_empty() => About::Name(name),
            _ if ours || self.way.contains(&event.watch) => About::Everything,
            _ => About::Watch(event.watch),
        }
    }
}

/// Watches each file by way of which the kernel comes to a path, so that it is seen when one of them is put in the place
/// of another: a directory is moved, a symbolic link is switched. Only what happens to these files themselves is reported,
/// not what happens in them; a directory that must not be read is passed over.
///
/// # Errors
/// As inotify's, where there may be no more watches.
fn watch_way(inotify: &Inotify, path: &CStr, watches: &mut Vec<i32>) -> nix::Result<()> {
    let (mut path, mut done, mut links) = (path.to_bytes().to_vec(), 0, 0);
    let mut target = [0; 4096];
    loop {
        let Some(start) = path[done..].iter().position(|byte| *byte != b'/').map(|skipped| done + skipped)
        else {
            return Ok(());
        };
        let end =
            path[start..].iter().position(|byte| *byte == b'/').map_or(path.len(), |length| start + length);
        let Ok(prefix) = CString::new(&path[..end]) else { return Ok(()) };
        match inotify.watch(&prefix, IN_DELETE_SELF | IN_MOVE_SELF | IN_DONT_FOLLOW | IN_MASK_ADD) {
            Ok(watch) => watches.push(watch),
            Err(errno @ (Errno::ENOSPC | Errno::ENOMEM)) => return Err(errno),
            Err(_) => {} // it may not be read; where it is gone, opening the scan directory says so
        }
        done = match file::read_link(AT_FDCWD, &prefix, &mut target) {
            Ok(target) if links < LINKS => {
                links += 1;
                let start = if target.starts_with(b"/") { 0 } else { start };
                path = [&path[..start], target, &path[end..]].concat();
                start
            }
            _ => end, // no link, or one that leads nowhere
        };
    }
}
