//! The parent: it waits for the program and for whoever holds the pipe, and hands signals on.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use common::poll::{POLLHUP, POLLIN, poll, watch};
use common::{Exit, Text, Voice, fds, process, procfs, signals};
use nix::unistd::read;

/// What the parent waits for.
pub(super) struct Watch {
    /// The pid of the program.
    pub(super) program: u32,
    /// The end of the pipe to read from: it is at its end when nobody holds the other one any more.
    pub(super) pipe: OwnedFd,
    /// The signals that have arrived.
    pub(super) arrived: OwnedFd,
    /// The signals that were blocked when this process was started, as a mask.
    pub(super) blocked: u64,
}

impl Watch {
    /// The signals, as a mask, that are not handed on: those with which a terminal stops its processes, parent and
    /// program alike.
    pub(super) const NOT_HANDED_ON: u64 = signals::mask_of(&[signals::TSTP, signals::TTIN, signals::TTOU]);

    /// Waits until the program has ended and nobody holds the pipe, of which `end` is this process's own hold. Returns
    /// the program's exit status, or 128 and the signal that ended it.
    pub(super) fn until_nobody_is_left(&self, end: OwnedFd) -> Result<i32, Exit> {
        self.wait(end).map_err(|errno| {
            // Nobody would know of it, and a supervisor would start a second one. If this fails it has ended.
            let _ = process::kill_child(self.program, signals::KILL);
            Exit::system("wait for the program", errno)
        })
    }

    fn wait(&self, end: OwnedFd) -> nix::Result<i32> {
        fds::close_surely(end)?;
        // A terminal can stop this process, as it could the program's if that were alone.
        signals::exchange_mask(!Self::NOT_HANDED_ON | self.blocked)?;
        let mut watched = [&self.arrived, &self.pipe].map(|fd| watch(fd.as_raw_fd(), POLLIN));
        let mut status = None;
        let (mut handed_on, mut fatal) = (0, 0);
        loop {
            if !poll(&mut watched, None)? {
                continue; // stopped and continued
            }
            let [arrived, pipe] = &mut watched;
            if pipe.revents & POLLIN != 0 {
                // A program that writes to whatever is open must not have to wait: nobody wants it.
                read(&self.pipe, &mut [0; 512])?;
            } else if pipe.revents != 0 {
                pipe.fd = -1; // nobody holds it
            }
            // Before a look at the children: the next SIGCHLD then wakes this process again.
            let signals = (arrived.fd >= 0).then(|| signals::next(self.arrived.as_fd()));
            while let Some((pid, end)) = process::reap()? {
                if pid == self.program {
                    status = Some(end);
                }
            }
            let signals = signals.into_iter().flatten().filter(|signal| *signal != signals::CHLD);
            for signal in signals {
                // Where nobody can say, the program is taken to have a handler. It may have had one on one side of the
                // signal alone: as it begins it has none yet, and perl takes its own away as it exits.
                let by_default = || procfs::takes_by_default(self.program, signal).unwrap_or(false);
                let before = by_default();
                let got = self.hand_on(signal, status.is_none())?;
                handed_on |= got;
                if got != 0 && before && by_default() {
                    fatal |= got;
                }
            }
            match status {
                Some(status) if pipe.fd < 0 || self.nobody_holds()? => return Ok(exit_status(status)),
                Some(status) if arrived.fd >= 0 => {
                    arrived.fd = -1;
                    // The signal that ended the program, if it came through here, was not for that alone: who stops a
                    // service as it starts would wait for those that are left for ever.
                    // And one that would have ended it has come too late: the kernel drops it where a process exits.
                    let of_all = match status & 0x7f {
                        0 => fatal,
                        signal => handed_on & signals::mask_of(&[signal]),
                    };
                    for signal in (1..=64).filter(|signal| of_all & signals::mask_of(&[*signal]) != 0) {
                        signals::raise(signal)?;
                    }
                    self.stand_alone()?;
                }
                _ => {}
            }
        }
    }

    /// Whether nobody holds the pipe now, whatever is still in it: the program that has just been waited for may have
    /// been the last, since the pipe was looked at.
    fn nobody_holds(&self) -> nix::Result<bool> {
        let mut now = [watch(self.pipe.as_raw_fd(), POLLIN)];
        poll(&mut now, Some(0))?;
        Ok(now[0].revents & POLLHUP != 0)
    }

    /// Sends a signal to the program; or, if it has ended, to this process, which has it blocked still. Returns, as a
    /// mask, what the program got.
    fn hand_on(&self, signal: i32, lives: bool) -> nix::Result<u64> {
        // It may have ended since it was looked at. Where the kernel cannot be asked it is taken to live.
        if !lives || process::has_ended(self.program).unwrap_or(false) {
            return signals::raise(signal).map(|()| 0);
        }
        if let Err(errno) = process::kill_child(self.program, signal) {
            let mut text = Text::<20>::new();
            match signals::name(signal) {
                Some(name) => text.add("SIG").add(name),
                None => text.number(signal.unsigned_abs()),
            };
            let voice = Voice { called: b"fghack", directory: b"", part: b"" };
            voice.unable(&[b"hand ", text.bytes(), b" on"], errno);
            return Ok(0);
        }
        Ok(signals::mask_of(&[signal]))
    }

    /// The program is gone, and others, whose pids nobody knows, hold the pipe: signals are for this process from now
    /// on, as it has received them, those that have arrived already too.
    fn stand_alone(&self) -> nix::Result<()> {
        // Orphans that may become its children are reaped by the kernel: nobody asks for their status.
        signals::set_ignored(signals::CHLD, true)?;
        while process::reap()?.is_some() {}
        signals::exchange_mask(self.blocked).map(drop)
    }
}

/// A wait status as the shell says it.
fn exit_status(status: i32) -> i32 {
    match status & 0x7f {
        0 => status >> 8 & 0xff,
        signal => 128 + signal,
    }
}
