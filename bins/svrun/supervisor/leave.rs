//! How it ends: the service is down for good, and its logger has read all.

use std::os::fd::AsFd;

use common::supervise::{self, Control};

use super::{DRAIN, End, Role, Supervisor};
use crate::svrun::machine::{Event, Phase, Want};
use crate::svrun::pipe::Pipe;
use crate::svrun::record;

impl Supervisor {
    /// The service is wanted again while its logger reads the rest.
    pub(super) fn take_back_exit(&mut self) {
        self.world.service_gone = false;
        self.ended = None;
        if self.draining.take().is_none() {
            return;
        }
        if let (Some(logger), Some(state)) = (&mut self.logger, &self.service.state) {
            match Pipe::for_log(state.folder(), self.world.voice) {
                Ok(pipe) => self.world.pipe = Some(pipe),
                Err(errno) => self.world.voice.unable(&[b"make a pipe for the log"], errno),
            }
            self.world.logger_gone = false;
            logger.event(&mut self.world, Event::Control(Control::Up));
        }
    }

    /// Whether it is time to leave: the service is down for good, and its logger has read all.
    #[inline(never)]
    pub(super) fn leave(&mut self) -> Option<End> {
        if let Some(death) = self.service.machine.ended().filter(|_| self.role == Role::Whole) {
            self.command(false, Control::Exit);
            self.ended = Some(death);
        }
        if !self.world.service_gone {
            return None;
        }
        let now = self.world.now();
        match self.draining {
            None => {
                self.draining = Some(now);
                self.drain();
            }
            Some(since) if now >= since + DRAIN && !self.world.logger_gone => {
                let what = b"a process that the service left behind may still write to the log: the logger is left running";
                self.world.voice.warning(&[what]);
                self.world.logger_gone = true;
            }
            Some(_) => {}
        }
        if self.logger.is_some() && !self.world.logger_gone {
            return None;
        }
        self.save();
        let logger = self.logger.as_ref().filter(|logger| logger.machine.pid == 0);
        for process in [Some(&self.service), logger].into_iter().flatten() {
            if let Some(state) = &process.state {
                if let Some(file) = &state.record {
                    let _ = record::clear(file.as_fd()); // what it says is dead in any case
                }
                // A socket that stays is dead, and the next one removes it.
                let _ = nix::unistd::unlinkat(
                    state.folder(),
                    supervise::SOCKET,
                    nix::unistd::UnlinkatFlags::NoRemoveDir,
                );
            }
        }
        self.world.clients.drop_all();
        Some(self.ended.map_or(End::Told, End::Ended))
    }

    /// The logger reads the pipe to its end, which comes once we and the service have closed it. It gets no
    /// signal. One that waits for its next start is started, if there is something to read.
    pub(super) fn drain(&mut self) {
        let unread = self.world.pipe.as_ref().map_or(0, Pipe::unread);
        let Some(logger) = &mut self.logger else { return };
        if logger.locked.is_some() {
            self.world.logger_gone = true;
            return;
        }
        if logger.machine.phase == Phase::Wait && unread > 0 {
            logger.event(&mut self.world, Event::Control(Control::Once));
        }
        self.world.pipe = None;
        match logger.machine.phase {
            Phase::Run => logger.machine.want = Want::Exit,
            _ => logger.event(&mut self.world, Event::Control(Control::Exit)),
        }
        logger.unsaved = true;
    }
}
