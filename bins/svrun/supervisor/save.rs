//! What is written of the state, for clients and for a new supervisor, and made anew where it is gone.

use common::{door, socket, supervise};
use nix::errno::Errno;
use nix::unistd::fchdir;

use super::{AGAIN, Supervisor};
use crate::svrun::order::Late;
use crate::svrun::state::State;

impl Supervisor {
    /// Answers who has waited for what is written now. Whether anybody has.
    pub(super) fn answer_waiting(&mut self) -> bool {
        let processes = [Some(&self.service), self.logger.as_ref()].into_iter().flatten();
        processes.filter(|process| self.world.clients.answer(process)).count() > 0 // each of them
    }

    /// Writes what has changed, for clients and for a new supervisor.
    #[inline(never)]
    pub(super) fn save(&mut self) {
        if self.socket.is_none() {
            self.open_socket();
        }
        for process in [Some(&mut self.service), self.logger.as_mut()].into_iter().flatten() {
            if !process.unsaved {
                continue;
            }
            process.unsaved = false;
            let voice = process.voice(&self.world);
            process.make_record(&self.world);
            // Before anybody can see it: who kills us then must not take us back behind it.
            process.remember(&self.world);
            let Some(state) = &mut process.state else { continue };
            let mut shown = state.show(&process.machine, process.wall, voice);
            if state.is_lost() {
                let made = State::take(process.parent(), self.operators, false);
                if !std::mem::replace(&mut process.told_gone, made.is_err()) {
                    let what = if made.is_ok() { &b"made anew"[..] } else { b"it cannot be made anew" };
                    voice.warning(&[b"supervise is gone: ", what]);
                }
                if let Ok(state) = made {
                    process.state = Some(state);
                    self.late[usize::from(process.logger)] = Late::default();
                    process.unrecorded = true;
                }
                process.make_record(&self.world);
                process.remember(&self.world);
                if !process.logger {
                    self.socket = None;
                    if let (Some(pipe), Some(state)) = (&mut self.world.pipe, &process.state) {
                        pipe.move_to(state.folder());
                    }
                }
            }
            let Some(state) = &mut process.state else { continue };
            if !shown {
                shown = state.show(&process.machine, process.wall, voice);
            }
            let open = state.open_doors();
            if let Err(errno) = open {
                state.complain(voice, b"open supervise/control and supervise/ok, trying again", errno);
            }
            if !shown || open.is_err() {
                process.again = Some(self.world.now() + AGAIN);
            }
        }
        if self.socket.is_none() {
            self.service.again.get_or_insert(self.world.now() + AGAIN);
        }
    }

    /// Listens at `socket` in the state directory, where the path is short, by way of the working directory.
    pub(super) fn open_socket(&mut self) {
        let Some(state) = &mut self.service.state else { return };
        let mode = if self.operators.is_some() { 0o660 } else { 0o600 };
        let opened = fchdir(state.folder()).and_then(|()| {
            // It is a dead one's: we hold the lock.
            match nix::unistd::unlink(supervise::SOCKET) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno),
            }
            let socket = socket::listen(supervise::SOCKET.to_bytes(), mode)?;
            if let Some(group) = self.operators {
                door::give_socket(state.folder(), supervise::SOCKET, group)?;
            }
            Ok(socket)
        });
        let back = fchdir(&self.service.folder);
        match opened.and_then(|socket| back.map(|()| socket)) {
            Ok(socket) => self.socket = Some(socket),
            Err(errno) => state.complain(self.world.voice, b"open supervise/socket, trying again", errno),
        }
    }
}
