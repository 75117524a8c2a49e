//! The logger of a service that has no `log`, where the program has one for all of them. A `log` that appears takes its
//! place at the next start of the service.

use std::os::fd::{AsFd, OwnedFd};

use common::supervise::{Control, Part};
use common::{door, fds};
use nix::errno::Errno;
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::fchown;

use super::{DRAIN, Supervised};
use crate::supervise::lock::Patience;
use crate::supervise::machine::{Event, Phase, Want};
use crate::supervise::now::Now;
use crate::supervise::order::Late;
use crate::supervise::pipe::Pipe;
use crate::supervise::process::Process;
use crate::supervise::record;
use crate::supervise::shared::Shared;
use crate::supervise::state::State;

impl Supervised {
    /// Where the state of the logger lies that all services share: `log` in that of the service. None where that has
    /// none.
    pub(super) fn default_place(&self) -> nix::Result<Option<OwnedFd>> {
        let Some(state) = self.parts.service.state.as_ref().map(State::directory) else { return Ok(None) };
        let directory = door::replacing(state, c"log", || door::own_directory(state, c"log"))?;
        if let Some(group) = self.operators {
            fchown(&directory, None, Some(group))?;
            fchmod(&directory, Mode::from_bits_truncate(0o710))?;
        }
        Ok(Some(directory))
    }

    /// There is a new state directory: that of the logger which all services share is made there next.
    pub(super) fn move_default_log(&mut self) {
        if !self.parts.logger.as_ref().is_some_and(|logger| logger.directory.is_shared()) {
            return;
        }
        let place = self.default_place();
        // Else its state is found to be gone, and tried again.
        if let (Ok(place), Some(logger)) = (place, &mut self.parts.logger) {
            logger.state_parent = place;
        }
    }

    /// Whether that of a former supervisor is alive: a second one beside it would share out the lines with it.
    pub(super) fn default_lives(&self, now: Now) -> bool {
        let Some(state) = self.parts.service.state.as_ref().filter(|_| self.default_log.is_some()) else {
            return false;
        };
        let Shared { space, supervisor, .. } = &self.shared;
        let lives = |log: OwnedFd| record::lives_below(log.as_fd(), space, *supervisor, now.monotonic);
        // Where there is no record of ours there is none to be adopted.
        fds::open_directory(state.directory(), c"log").and_then(lives) == Ok(true)
    }

    /// Before a start of the service: its own logger takes the place of the one that all share, if it has one by now.
    /// That reads to the end what it has been given; the service gets a new pipe.
    #[inline(never)]
    pub(super) fn prefer_own_log(&mut self, now: Now) {
        let shared = self.parts.logger.as_ref().is_some_and(|logger| logger.directory.is_shared());
        if !shared || self.parts.service.runs() || self.open_log().is_err() {
            return; // of one that cannot be opened the next start may say more
        }
        let Some(logger) = &mut self.parts.logger else { return };
        let leaves = logger.machine.want == Want::Exit;
        if logger.pids() == [0; 2] {
            return self.exchange_logger(now);
        }
        if leaves || logger.locked.is_some() {
            return;
        }
        let renamed = self.shared.pipe.as_ref().map_or(Ok(()), Pipe::give_up_name);
        let state = self.parts.service.state.as_ref().map(State::directory);
        match renamed.and_then(|()| Pipe::for_log(state, self.shared.voice)) {
            Ok(pipe) => self.shared.pipe = Some(pipe),
            Err(errno) => return self.shared.voice.unable(&[b"make a pipe for the log"], errno),
        }
        self.outdated = Some((logger.machine.pid, now.monotonic + DRAIN));
        if logger.machine.phase == Phase::Run {
            logger.machine.want = Want::Exit;
            logger.unsaved = true;
        } else {
            self.happen(Part::Log, Event::Control(Control::Exit), now);
        }
    }

    /// The one that all services share has read the rest: the service's own comes.
    pub(super) fn exchange_ended_logger(&mut self, now: Now) {
        let ended = |logger: &Process| logger.directory.is_shared() && logger.machine.gone;
        if self.draining.is_none() && self.parts.logger.as_deref().is_some_and(ended) {
            self.exchange_logger(now);
        }
    }

    #[inline(never)]
    fn exchange_logger(&mut self, now: Now) {
        let old = self.parts.logger.take();
        if let Some(file) = old.as_ref().and_then(|old| old.state.as_ref()?.record.as_ref()) {
            let _ = record::clear(file.as_fd()); // what it says is dead in any case
        }
        drop(old);
        self.late[Part::Log as usize] = Late::default();
        let found = self.look_for_log(now).and_then(|()| self.lock_log(Patience::None, now));
        if let Err(refusal) = found {
            refusal.warning(self.shared.voice);
        }
    }

    /// Whether the errno of `log` says that there is none, so that the one of all takes its place.
    pub(super) fn takes_default(&self, errno: Errno) -> bool {
        errno == Errno::ENOENT && self.default_log.is_some()
    }
}
