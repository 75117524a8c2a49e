//! The processor of a log directory: post-processes its archives, one after the other, while the log goes on.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use common::door::{self, Owner};
use common::spawn::{self, Plan};
use common::{Text, Words, fds, process, signals};
use nix::errno::Errno;
use nix::fcntl::{OFlag, renameat};
use nix::sys::stat::fchmod;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::archive::{Archives, Kind, Name, SAFE, sync};
use super::site::Site;

/// The longest time between two tries, in seconds.
const MOST: u64 = 60;

/// The processor of a log directory.
#[derive(Debug, Default)]
pub(super) struct Processor {
    /// The pid of the one that runs, and what it works on.
    running: Option<(u32, Name)>,
    /// How many times in a row it has failed.
    fails: u32,
    /// When it is tried again: monotonic, ms.
    retry_at: Option<u64>,
}

impl Processor {
    /// The archive that is being processed.
    pub(super) fn busy(&self) -> Option<Name> {
        self.running.map(|(_, name)| name)
    }

    /// Whether the last try has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.fails > 0
    }

    /// When it is tried again: monotonic, ms.
    pub(super) fn retry_at(&self) -> Option<u64> {
        self.retry_at
    }

    /// Starts on the oldest archive that waits, if none runs. Returns whether one runs then.
    pub(super) fn start(&mut self, site: &Site, command: &CStr, env: &Words, now: u64) -> bool {
        if self.running.is_some() {
            return true;
        }
        if self.retry_at.is_some_and(|then| now < then) {
            return false;
        }
        let name = match Archives::look(site.fd(), None) {
            Ok(found) => found.unprocessed.oldest,
            Err(errno) => {
                site.voice().unable(&[b"look for archives that wait for the processor"], errno);
                self.delay(now);
                return false;
            }
        };
        let Some(name) = name else {
            self.retry_at = None;
            return false;
        };
        match spawn(site.fd(), command, env, name) {
            Ok(pid) => {
                self.running = Some((pid, name));
                self.retry_at = None;
                true
            }
            Err(errno) => {
                site.voice().unable(&[b"run the processor on ", name.bytes()], errno);
                self.failed(site, name, now);
                false
            }
        }
    }

    /// This child has ended with this wait status. Returns whether it was the processor.
    pub(super) fn ended(&mut self, site: &Site, pid: u32, status: i32, now: u64) -> bool {
        let Some((_, name)) = self.running.filter(|(own, _)| *own == pid) else { return false };
        self.running = None;
        if status != 0 {
            let delay = self.failed(site, name, now);
            let mut text = Text::<96>::of("the processor failed on ");
            text.add(name.bytes()).add("; starting it again in ").number(delay).add(" s");
            site.voice().warning(&[text.bytes()]);
        } else if let Err(errno) = keep(site.fd(), name) {
            site.voice().unable(&[b"put the output of the processor in place of ", name.bytes()], errno);
            self.failed(site, name, now);
        } else {
            self.fails = 0;
            site.info(&[b"processed ", name.of_kind(Kind::Safe).bytes()]);
        }
        true
    }

    /// Returns the seconds until the next try.
    fn failed(&mut self, site: &Site, name: Name, now: u64) -> u64 {
        discard_output(site, name);
        self.delay(now)
    }

    /// Puts the next try off, further each time. Returns the seconds until it.
    fn delay(&mut self, now: u64) -> u64 {
        let delay = MOST.min(1 << self.fails.min(6));
        self.fails += 1;
        self.retry_at = Some(now + 1000 * delay);
        delay
    }

    /// Ends the one that runs: the archive waits for the next svlog.
    pub(super) fn kill(&mut self, site: &Site) {
        if let Some((pid, name)) = self.running.take() {
            site.voice().warning(&[
                b"killing the processor, which still runs; the next logger starts it again on ",
                name.bytes(),
            ]);
            let _ = process::kill_group(pid, signals::KILL); // it may have ended meanwhile
            discard_output(site, name);
        }
    }
}

/// Removes the output of a processor that has not finished.
fn discard_output(site: &Site, name: Name) {
    // Where it stays, the next look at the archives removes it.
    let _ = unlinkat(site.fd(), name.of_kind(Kind::Temporary).path(), UnlinkatFlags::NoRemoveDir);
}

/// Starts `sh -c command` on an archive, as svlogd does: the archive on stdin, its output on stdout, the state
/// that the last one has left on fd 4, that for the next one on fd 5.
fn spawn(directory: &OwnedFd, command: &CStr, env: &Words, name: Name) -> nix::Result<u32> {
    let input = door::file(directory.as_fd(), name.path(), OFlag::O_RDONLY, Owner::Any)?;
    // New files: a processor whose svlog was killed may still write to the old ones.
    let output = door::new_file(directory.as_fd(), name.of_kind(Kind::Temporary).path(), 0o644)?;
    let state = door::file_or_new(directory.as_fd(), c"state", OFlag::O_RDONLY, 0o644, Owner::Any)?;
    let new_state = door::new_file(directory.as_fd(), c"newstate", 0o644)?;
    let files = [above_all(&input)?, above_all(&output)?, above_all(&state)?, above_all(&new_state)?];
    let [input, output, state, new_state] = &files;
    let given = [(input, 0), (output, 1), (state, 4), (new_state, 5)];
    let plan = Plan {
        group: true, // so that all of a pipeline can be ended
        directory: directory.as_fd(),
        record: None,
        files: None,
        fds: given.map(|(fd, to)| Some((fd.as_raw_fd(), to))),
        path: c"/bin/sh",
        argv: &[c"sh", c"-c", command],
        env,
    };
    let child = spawn::spawn(&plan)?;
    child.exec.map_or(Ok(child.pid), Err)
}

/// The same file on a fd other than those that the processor gets.
fn above_all(fd: &OwnedFd) -> nix::Result<OwnedFd> {
    fds::copy_from(fd.as_fd(), 6)
}

/// Puts the output of the processor in place of the archive.
fn keep(directory: &OwnedFd, name: Name) -> nix::Result<()> {
    let (made, safe) = (name.of_kind(Kind::Temporary), name.of_kind(Kind::Safe));
    // On the disk before the archive that it was made of is removed. Its mode by the fd: the name may be another
    // file's by now.
    let file = door::file(directory.as_fd(), made.path(), OFlag::O_RDONLY, Owner::Any)?;
    sync(&file)?;
    // So is the state that goes with it, as multilog has it.
    match door::file(directory.as_fd(), c"newstate", OFlag::O_RDONLY, Owner::Any) {
        Ok(state) => sync(&state)?,
        Err(Errno::ENOENT) => {} // the processor has removed it, which the rename below reports
        Err(errno) => return Err(errno),
    }
    fchmod(&file, SAFE)?;
    renameat(directory, made.path(), directory, safe.path())?;
    unlinkat(directory, name.path(), UnlinkatFlags::NoRemoveDir)?;
    renameat(directory, c"newstate", directory, c"state")
}
