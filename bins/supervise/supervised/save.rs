//! The state is written, for clients and for a new supervisor; a state directory that was removed is made
//! again.

use common::{door, supervise};
use nix::errno::Errno;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::{AGAIN, Show, Supervised};
use crate::supervise::lock::{Origin, Patience};
use crate::supervise::notices::Notice;
use crate::supervise::now::Now;
use crate::supervise::order::Late;
use crate::supervise::state::State;
use common::supervise::Part;

impl Supervised {
    /// Answers the clients that have waited for what is written now. Whether there were any.
    pub(super) fn answer_waiting(&mut self, now: Now) -> bool {
        let mut any = false;
        for part in Part::BOTH {
            let view = self.parts.view(part, &self.shared);
            any |= view.is_some_and(|view| self.clients.answer(&view, now));
        }
        any
    }

    /// Writes what has changed, for clients and for a new supervisor.
    pub(super) fn save(&mut self, now: Now) {
        self.save_and(Show::Now, now);
    }

    /// As [`Supervised::save`], where clients may have to wait for what they read.
    #[inline(never)]
    pub(super) fn save_and(&mut self, show: Show, now: Now) {
        if self.socket.is_none() {
            self.open_socket();
        }
        for part in Part::BOTH {
            let Some(process) = self.parts.get_mut(part) else { continue };
            if std::mem::take(&mut process.unsaved) {
                process.make_record(&self.shared, now);
                // Before anybody can see it: a kill after that must not take us back behind it.
                process.remember(&self.shared, now);
                process.unshown = true;
            }
            if process.unshown && !(show == Show::Later && process.is_leaving()) {
                self.show_part(part, now);
            }
        }
        if self.socket.is_none() && self.parts.service.state.is_some() {
            self.parts.service.retry_at.get_or_insert(now.monotonic + AGAIN);
        }
    }

    fn show_part(&mut self, part: Part, now: Now) {
        let voice = self.shared.voice(part);
        let Some(process) = self.parts.get_mut(part) else { return };
        process.unshown = false;
        let Some(state) = &mut process.state else { return };
        let mut shown = state.show(&process.machine, process.needs.bytes(), process.since, voice);
        if state.is_lost() {
            self.make_new_state(part, now);
        }
        let Some(process) = self.parts.get_mut(part) else { return };
        let Some(state) = &mut process.state else { return };
        if !shown {
            shown = state.show(&process.machine, process.needs.bytes(), process.since, voice);
        }
        let open = state.open_fifos();
        if let Err(errno) = open {
            state.complain(voice, &[b"open supervise/control and supervise/ok"], errno, b"trying again");
        }
        if !shown || open.is_err() {
            process.retry_at = Some(now.monotonic + AGAIN);
        }
    }

    /// The state directory was removed: another one is made.
    #[inline(never)]
    fn make_new_state(&mut self, part: Part, now: Now) {
        let voice = self.shared.voice(part);
        let Some(process) = self.parts.get_mut(part) else { return };
        let made = State::take(process.parent(), self.access, Patience::None);
        let is_made = made.is_ok();
        if process.notices.is_new(Notice::StateGone) {
            let what = if is_made { &b"made a new one"[..] } else { b"unable to make a new one" };
            voice.warning(&[b"supervise is gone; ", what]);
        }
        if is_made {
            process.notices.forget(Notice::StateGone);
        }
        if let Ok(state) = made {
            process.state = Some(state);
            self.late[part as usize] = Late::default();
            process.book.unrecorded = true;
        }
        process.make_record(&self.shared, now);
        process.remember(&self.shared, now);
        if part == Part::Service {
            self.socket = None;
            self.move_default_log();
        }
    }

    /// Listens at `socket` in the state directory.
    fn open_socket(&mut self) {
        let Some(state) = &mut self.parts.service.state else { return };
        let grant = self.access.socket();
        let origin = std::mem::replace(&mut state.origin, Origin::Found); // the next one may find ours
        let open = || {
            if origin == Origin::Found {
                // It is a dead one's: we hold the lock.
                match unlinkat(state.directory(), supervise::SOCKET, UnlinkatFlags::NoRemoveDir) {
                    Ok(()) | Err(Errno::ENOENT) => {}
                    Err(errno) => return Err(errno),
                }
            }
            door::listen(state.directory(), supervise::SOCKET, grant)
        };
        match open() {
            Ok(socket) => self.socket = Some(socket.into()),
            Err(errno) => {
                state.complain(self.shared.voice, &[b"open supervise/socket"], errno, b"trying again");
            }
        }
    }
}
