//! A job the way of sv: the control bytes go into the FIFO, and the status bytes are looked at.

use std::time::Instant;

use nix::errno::Errno;

use super::{AGAIN, Goal, Job, Order, Stage, Step, Way, sv};
use crate::svctl::status::Status;
use crate::svctl::trouble::Trouble;

impl Job {
    /// Tells it without a socket.
    pub(super) fn by_bytes(&mut self, order: &Order) -> Step {
        let Some(bytes) = order.deed.bytes else {
            return Step::Fail(sv::no_socket(order.names, self.name));
        };
        let told = sv::status(order.names, self.name).and_then(|status| match status {
            Some(status) if bytes.is_empty() => Ok(Some(status)),
            Some(status) if order.deed.strict && status.pid == 0 => Err(Trouble::fails("not running", None)),
            Some(status) => Ok(sv::control(bytes)?.then_some(status)),
            None => Ok(None),
        });
        match told {
            Err(trouble) => Step::Fail(trouble),
            Ok(None) => without_supervisor(order),
            Ok(Some(before)) if order.waits => Step::On(Way::Bytes(before), Stage::Looking),
            Ok(Some(before)) => Step::Done(before),
        }
    }

    /// Looks whether the goal is reached.
    pub(super) fn see(&mut self, order: &Order, before: Status, stage: Stage) -> Step {
        match stage {
            Stage::Checking(mut check, status) => match check.result() {
                None => self.keep(Way::Bytes(before), Stage::Checking(check, status)),
                Some(true) => Step::Done(status),
                Some(false) => Step::On(Way::Bytes(before), Stage::Resting(Instant::now() + AGAIN, status)),
            },
            Stage::Resting(until, _) if Instant::now() < until => self.keep(Way::Bytes(before), stage),
            _ => match sv::status(order.names, self.name) {
                Err(Trouble { errno: Some(Errno::ENOENT), .. }) if order.deed.goal == Goal::Gone => {
                    Step::Gone
                }
                Err(trouble) => Step::Fail(trouble),
                Ok(None) => without_supervisor(order),
                Ok(Some(now)) if order.deed.goal.is_reached(&before, &now) => {
                    self.check(order, Way::Bytes(before), now)
                }
                Ok(Some(_)) => self.keep(Way::Bytes(before), Stage::Looking),
            },
        }
    }
}

fn without_supervisor(order: &Order) -> Step {
    if order.deed.goal == Goal::Gone { Step::Gone } else { Step::Fail(Trouble::gone()) }
}
