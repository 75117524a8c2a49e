//! What works up the archives of a log directory, one after the other, while the log goes on.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use common::door::{self, Owner};
use common::spawn::{self, Plan};
use common::{Voice, Words, fds, process, signals};
use nix::errno::Errno;
use nix::fcntl::{OFlag, renameat};
use nix::sys::stat::fchmod;
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};

use super::archive::{Archives, Kind, Name};
use super::folder::SAFE;

/// The longest time between two tries, in seconds.
const MOST: u64 = 60;

/// The processor of a log directory.
#[derive(Debug, Default)]
pub(super) struct Processor {
    /// The pid of the one that runs, and what it works on.
    running: Option<(u32, Name)>,
    /// How often it has failed in a row.
    fails: u32,
    /// When it is tried again: monotonic, ms.
    pub(super) again: Option<u64>,
}

impl Processor {
    /// What is being worked on.
    pub(super) fn busy(&self) -> Option<Name> {
        self.running.map(|(_, name)| name)
    }

    /// Whether the last try has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.fails > 0
    }

    /// Starts on the oldest archive that waits, if none runs. Returns whether one runs then.
    pub(super) fn start(
        &mut self,
        folder: &OwnedFd,
        command: &CStr,
        env: &Words,
        now: u64,
        voice: Voice,
    ) -> bool {
        if self.running.is_some() {
            return true;
        }
        if self.again.is_some_and(|again| now < again) {
            return false;
        }
        let name = match Archives::look(folder, None) {
            Ok(found) => found.unprocessed.oldest,
            Err(errno) => {
                voice.unable(&[b"look for archives that wait for the processor"], errno);
                self.delay(now);
                return false;
            }
        };
        let Some(name) = name else {
            self.again = None;
            return false;
        };
        match spawn(folder, command, env, name) {
            Ok(pid) => {
                self.running = Some((pid, name));
                self.again = None;
                true
            }
            Err(errno) => {
                voice.unable(&[b"run the processor on ", name.bytes()], errno);
                self.failed(folder, name, now);
                false
            }
        }
    }

    /// This child has ended with this wait status. Returns whether it was the processor.
    pub(super) fn ended(
        &mut self,
        folder: &OwnedFd,
        pid: u32,
        status: i32,
        now: u64,
        voice: Voice,
        loud: bool,
    ) -> bool {
        let Some((_, name)) = self.running.filter(|(own, _)| *own == pid) else { return false };
        self.running = None;
        if status != 0 {
            let delay = self.failed(folder, name, now);
            let mut text = common::Text::<96>::of("the processor has failed on ");
            text.add(name.bytes()).add(", starting it again in ").number(delay).add(" s");
            voice.warning(&[text.bytes()]);
        } else if let Err(errno) = keep(folder, name) {
            voice.unable(&[b"put what the processor has made in the place of ", name.bytes()], errno);
            self.failed(folder, name, now);
        } else {
            self.fails = 0;
            if loud {
                voice.info(&[b"processed ", name.of_kind(Kind::Safe).bytes()]);
            }
        }
        true
    }

    /// Returns the seconds until the next try.
    fn failed(&mut self, folder: &OwnedFd, name: Name, now: u64) -> u64 {
        // What it has written is of no use; the next look at the archives removes it too.
        let _ = unlinkat(folder, name.of_kind(Kind::Temporary).path(), UnlinkatFlags::NoRemoveDir);
        self.delay(now)
    }

    /// Puts the next try off, further each time. Returns the seconds until it.
    fn delay(&mut self, now: u64) -> u64 {
        let delay = MOST.min(1 << self.fails.min(6));
        self.fails += 1;
        self.again = Some(now + 1000 * delay);
        delay
    }

    /// Ends the one that runs: the archive waits for the next svlog.
    pub(super) fn kill(&mut self, folder: &OwnedFd, voice: Voice) {
        if let Some((pid, name)) = self.running.take() {
            voice
                .warning(&[b"the processor still runs: it is ended, and will start again on ", name.bytes()]);
            let _ = process::kill_group(pid, signals::KILL); // it may have ended meanwhile
            // Where it stays, the next look at the archives removes it.
            let _ = unlinkat(folder, name.of_kind(Kind::Temporary).path(), UnlinkatFlags::NoRemoveDir);
        }
    }
}

/// Starts `sh -c command` on an archive, as svlogd does: the archive on stdin, what becomes of it on stdout,
/// the state that the last one has left on fd 4, that for the next one on fd 5.
fn spawn(folder: &OwnedFd, command: &CStr, env: &Words, name: Name) -> nix::Result<u32> {
    let input = door::file(folder.as_fd(), name.path(), OFlag::O_RDONLY, Owner::Any)?;
    // New files: a processor whose svlog was killed may still write to the old ones.
    let output = door::new_file(folder.as_fd(), name.of_kind(Kind::Temporary).path(), 0o644)?;
    let state = door::file_or_new(folder.as_fd(), c"state", OFlag::O_RDONLY, 0o644, Owner::Any)?;
    let new_state = door::new_file(folder.as_fd(), c"newstate", 0o644)?;
    let files = [above_all(&input)?, above_all(&output)?, above_all(&state)?, above_all(&new_state)?];
    let [input, output, state, new_state] = &files;
    let given = [(input, 0), (output, 1), (state, 4), (new_state, 5)];
    let plan = Plan {
        group: true, // so that all of a pipeline can be ended
        folder: folder.as_fd(),
        record: None,
        fds: &given.map(|(fd, to)| (fd.as_raw_fd(), to)),
        path: c"/bin/sh",
        argv: &[c"sh", c"-c", command],
        env,
    };
    let child = spawn::spawn(&plan)?;
    child.exec.map_or(Ok(child.pid), Err)
}

/// The same file on a fd that is none of those which the processor gets.
fn above_all(fd: &OwnedFd) -> nix::Result<OwnedFd> {
    fds::copy_from(fd.as_fd(), 6)
}

/// Puts what the processor has made of an archive in its place.
fn keep(folder: &OwnedFd, name: Name) -> nix::Result<()> {
    let (made, safe) = (name.of_kind(Kind::Temporary), name.of_kind(Kind::Safe));
    // On the disk before what it was made of is gone. Its mode by the fd: the name may be another file's by now.
    let file = door::file(folder.as_fd(), made.path(), OFlag::O_RDONLY, Owner::Any)?;
    sync(&file)?;
    fchmod(&file, SAFE)?;
    renameat(folder, made.path(), folder, safe.path())?;
    unlinkat(folder, name.path(), UnlinkatFlags::NoRemoveDir)?;
    renameat(folder, c"newstate", folder, c"state")
}

/// fsync(2), where there is a disk.
pub(super) fn sync(file: &OwnedFd) -> nix::Result<()> {
    match fsync(file) {
        Err(Errno::EINVAL | Errno::EROFS) => Ok(()),
        other => other,
    }
}
