//! A job the way of sv: the control bytes go into the FIFO, and the status bytes are looked at.

use std::time::Instant;

use nix::errno::Errno;

use super::{Goal, Job, Order, Stage, Step, Way, sv};
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
            Err(trouble) if order.patient && trouble.is_absence() => self.without_supervisor(order),
            Err(trouble) => Step::Fail(trouble),
            Ok(None) => self.without_supervisor(order),
            Ok(Some(before)) if order.waits => Step::On(Way::Bytes(before), Stage::Looking(None)),
            Ok(Some(before)) => Step::Done(before),
        }
    }

    /// Looks whether the goal is reached.
    pub(super) fn see(&mut self, order: &Order, before: Status, stage: Stage) -> Step {
        match stage {
            Stage::Checking(check, status) => self.checking(Way::Bytes(before), check, status),
            Stage::Resting(until) if Instant::now() < until => self.keep(Way::Bytes(before), stage),
            _ => match sv::status(order.names, self.name) {
                Err(Trouble { errno: Some(Errno::ENOENT), .. }) if order.deed.goal == Goal::Gone => {
                    Step::Gone
                }
                Err(trouble) => Step::Fail(trouble),
                Ok(None) => self.without_supervisor(order),
                Ok(Some(now)) if order.deed.goal.is_reached(&before, &now) => {
                    match self.check(order, Way::Bytes(before.clone()), now) {
                        Step::On(way, stage @ Stage::Looking(_)) => self.keep(way, stage),
                        step => step,
                    }
                }
                Ok(Some(_)) => self.keep(Way::Bytes(before), Stage::Looking(None)),
            },
        }
    }
}
