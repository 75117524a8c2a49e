//! The upgrade: the tree becomes the program that is now in its file's place. The children stay its own, and the lock is
//! never free.

use std::os::fd::{AsFd, BorrowedFd};

use common::process::set_limit;
use common::supervise::Object;
use common::{Text, fds};
use nix::sys::resource::Resource;

use super::Tree;
use crate::supervise::{Now, next_program};
use crate::svtree::clients::Doing;

impl Tree {
    /// Carries out the upgrade that a client of the tree has asked for, if one has and it can be done now.
    pub(super) fn upgrade_for_clients(&mut self, now: Now) {
        let asks = |tree: &mut Self, i| {
            tree.clients.get_mut(i).is_some_and(|client| matches!(client.doing, Doing::Upgrades))
        };
        for i in self.clients.places() {
            // What is learnt of a service is to be dealt with first, and what the program before us has handed on.
            if !asks(self, i) || !self.awake.is_empty() || !self.is_complete() {
                continue;
            }
            let why = self.upgrade(now);
            if let Some(client) = self.clients.get_mut(i) {
                client.doing = Doing::Idle;
                client.send(Object::error(why.bytes()).line());
            }
            self.serve(i);
        }
    }

    /// Becomes the next program. Returns why it did not.
    pub(super) fn upgrade(&mut self, now: Now) -> Text<128> {
        if let Some(why) = self.is_not_ready(now) {
            self.touch_all();
            return Text::of(why);
        }
        let (soft, hard) = self.template.files.limit;
        let executed = self.leave_open().and_then(|()| {
            // The next program is to find the limit that we were given.
            set_limit(Resource::RLIMIT_NOFILE, soft, hard)?;
            Ok(next_program::execute(&self.line, &self.template.env))
        });
        let (Ok(errno) | Err(errno)) = executed;
        if let Err(errno) = self.take_back() {
            self.voice.unable(&[b"go on as before the upgrade"], errno);
        }
        self.touch_all();
        next_program::failure(errno)
    }

    /// To make ready may have closed files of any service, and opened others.
    fn touch_all(&mut self) {
        for slot in self.slots.in_order().collect::<Vec<_>>() {
            self.touched(slot);
        }
    }

    /// Why there can be no upgrade now. Else all is written that the next program has to know.
    fn is_not_ready(&mut self, now: Now) -> Option<&'static str> {
        if !self.course.goes() {
            return Some("unable to upgrade: leaving");
        }
        if self.program.is_some() {
            return Some("unable to upgrade: the program could not be handed on");
        }
        for slot in self.slots.in_order().collect::<Vec<_>>() {
            let Some(hosted) = self.slots.get_mut(slot) else { continue };
            if let Err(why) = hosted.service.make_ready_for_upgrade(now) {
                return Some(why);
            }
        }
        None
    }

    /// What the next program has to find open.
    fn lasting(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let services = self.slots.in_order().filter_map(|slot| self.slots.get(slot));
        let lasting = services.flat_map(|hosted| hosted.service.lasting()).flatten();
        lasting.chain(self.lock.as_ref().map(AsFd::as_fd))
    }

    fn leave_open(&self) -> nix::Result<()> {
        self.lasting().try_for_each(fds::leave_to_next)
    }

    fn take_back(&self) -> nix::Result<()> {
        let (_, hard) = self.template.files.limit;
        set_limit(Resource::RLIMIT_NOFILE, hard, hard)?;
        self.lasting().try_for_each(fds::close_on_exec)
    }
}
