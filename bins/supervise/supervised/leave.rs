//! The end: the service is down for good, and its logger has read the rest.

use std::os::fd::AsFd;

use common::supervise::{self, Control};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::{DRAIN, Ending, Ends, Supervised};
use crate::supervise::machine::{Event, Phase, Want};
use crate::supervise::now::Now;
use crate::supervise::pipe::Pipe;
use crate::supervise::process::Process;
use crate::supervise::record;
use crate::supervise::state::State;
use common::supervise::Part;

impl Supervised {
    /// The service is wanted again while its logger reads the rest.
    pub(super) fn take_back_exit(&mut self, now: Now) {
        self.ended = None;
        if self.draining.take().is_none() || self.parts.logger.is_none() {
            return;
        }
        let state = self.parts.service.state.as_ref().map(State::directory);
        match Pipe::for_log(state, self.shared.voice) {
            Ok(pipe) => self.shared.pipe = Some(pipe),
            Err(errno) => self.shared.voice.unable(&[b"make a pipe for the log"], errno),
        }
        self.happen(Part::Log, Event::Control(Control::Up), now);
    }

    /// Whether it is time to end: the service is down for good, and its logger has read all.
    #[inline(never)]
    pub(super) fn end(&mut self, now: Now) -> Option<Ending> {
        if self.ends == Ends::WithService {
            if let Some(death) = self.parts.service.machine.ended() {
                self.command(Part::Service, Control::Exit, now);
                self.ended = Some(death);
            }
        }
        if !self.parts.service.machine.gone {
            return None;
        }
        if self.draining.is_none() {
            self.draining = Some(now.monotonic);
            self.drain(now);
        }
        let since = self.draining.unwrap_or(now.monotonic);
        if self.parts.logger.as_ref().is_some_and(|logger| !is_done(logger)) {
            if now.monotonic < since + DRAIN {
                return None;
            }
            let what = b"a process that the service left behind may still write to the log; leaving the logger running";
            self.shared.voice.warning(&[what]);
        }
        let is_over = |process: &Process| process.part == Part::Service || process.machine.pid == 0;
        for process in self.parts.iter_mut().filter(|process| is_over(process)) {
            let file = process.state.as_ref().and_then(|state| state.record.as_ref());
            // Before anybody can see it, as always. Where that fails, what it says is dead.
            if file.is_some_and(|file| record::clear(file.as_fd()).is_ok()) {
                process.unshown |= std::mem::take(&mut process.unsaved);
            }
        }
        self.save(now);
        for process in self.parts.iter().filter(|process| is_over(process)) {
            if let Some(state) = &process.state {
                // A socket that stays is dead, and the next one removes it.
                let _ = unlinkat(state.directory(), supervise::SOCKET, UnlinkatFlags::NoRemoveDir);
            }
        }
        // What they have waited for may have come with the end.
        self.answer_waiting(now);
        // The end of their connections is the sign that all has been left, also to the next supervisor.
        for process in self.parts.iter_mut().filter(|process| is_over(process)) {
            process.state = None;
        }
        self.clients.drop_all();
        Some(self.ended.map_or(Ending::Asked, Ending::Ended))
    }

    /// The logger reads the pipe to its end, which comes once we and the service have closed it. It gets no
    /// signal. One that waits for its next start is started, if there is something to read.
    fn drain(&mut self, now: Now) {
        let unread = self.shared.pipe.as_ref().map_or(0, Pipe::unread);
        let Some(logger) = self.parts.logger.as_ref().filter(|logger| logger.locked.is_none()) else {
            return;
        };
        if logger.machine.phase == Phase::Wait && unread > 0 {
            self.happen(Part::Log, Event::Control(Control::Once), now);
        }
        self.shared.pipe = None;
        match &mut self.parts.logger {
            Some(logger) if logger.machine.phase == Phase::Run => {
                logger.machine.want = Want::Exit;
                logger.unsaved = true;
            }
            _ => self.happen(Part::Log, Event::Control(Control::Exit), now),
        }
    }
}

/// Whether a logger has nothing to read any more: it has ended, or is another supervisor's.
fn is_done(logger: &Process) -> bool {
    logger.machine.gone || logger.locked.is_some()
}
