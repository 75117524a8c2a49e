//! A job the way of sv: the control bytes go into the FIFO, and the status bytes are looked at.

use std::time::Instant;

use nix::errno::Errno;

use super::{Goal, Job, Order, Stage, Step, Way, run, sv};
use crate::svctl::status::Status;
use crate::svctl::trouble::Trouble;

impl Job {
    /// Tells it without a socket.
    pub(super) fn by_bytes(&mut self, order: &Order) -> Step {
        let Some(bytes) = order.deed.bytes.as_deref() else {
            return Step::Fail(sv::no_socket(order.names, self.name));
        };
        let told = sv::status(order.names, self.name).and_then(|status| match status {
            Some(status) if bytes.is_empty() => Ok(Some(status)),
            Some(status) if order.deed.strict && status.pid == 0 => Err(Trouble::fails("not running", None)),
            // To daemontools' supervise `x` alone means to leave once the service ends.
            Some(status) if bytes == "x" && status.daemontools => Ok(sv::control("dx")?.then_some(status)),
            Some(status) => Ok(sv::control(bytes)?.then_some(status)),
            None => Ok(None),
        });
        match told {
            Err(trouble) if order.patient && trouble.is_absence() => self.without_supervisor(order),
            Err(trouble) => Step::Fail(trouble),
            Ok(None) => self.without_supervisor(order),
            Ok(Some(before)) if order.waits => {
                self.runs.old = Some(run::of(&before));
                Step::On(Way::Bytes(before), Stage::Looking(None))
            }
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
                    let way = Way::Bytes(before);
                    let step = match order.deed.goal {
                        Goal::Reloaded => self.told(way, now),
                        _ => self.check(order, way, now),
                    };
                    match step {
                        Step::On(way, stage @ Stage::Looking(_)) => self.keep(way, stage),
                        step => step,
                    }
                }
                Ok(Some(_)) => self.keep(Way::Bytes(before), Stage::Looking(None)),
            },
        }
    }
}
