//! The way of sv: the control bytes go into the FIFO, and the status bytes are looked at.

use std::ops::ControlFlow::{Break, Continue};
use std::time::Instant;

use nix::errno::Errno;

use crate::svctl::command::Goal;
use crate::svctl::failure::Failure;
use crate::svctl::files;
use crate::svctl::order::{Order, Step};
use crate::svctl::run::{Watch, of};
use crate::svctl::status::Status;
use crate::svctl::task::Task;

/// A service whose status bytes are looked at until the goal is reached.
pub(in crate::svctl) struct Look {
    /// The status before the command.
    before: Status,
    pub(in crate::svctl) watch: Watch,
}

impl Look {
    /// Sends the command, and waits if there is something to wait for; else, what it comes to.
    pub(in crate::svctl) fn begin(task: &mut Task, order: &Order) -> Result<Self, Step> {
        let Some(bytes) = order.command.bytes.as_deref() else {
            return Err(Step::Fail(files::no_socket(&task.place)));
        };
        let send = |status: Status| match bytes {
            "" => Ok(Some(status)),
            _ if order.command.strict && status.pid == 0 => Err(Failure::fails("not running")),
            // To daemontools' supervise `x` alone means to leave once the service ends.
            "x" if status.daemontools => Ok(files::control(&task.place, "dx")?.map(|()| status)),
            bytes => Ok(files::control(&task.place, bytes)?.map(|()| status)),
        };
        match files::status(&task.place).and_then(|status| status.map_or(Ok(None), send)) {
            Err(failure) if order.patient && failure.is_absence() => Err(order.without_supervisor()),
            Err(failure) => Err(Step::Fail(failure)),
            Ok(None) => Err(order.without_supervisor()),
            Ok(Some(before)) if order.waits => {
                task.runs.old = Some(of(&before));
                Ok(Self { before, watch: Watch::Looking(None) })
            }
            Ok(Some(before)) => Err(Step::Done(before)),
        }
    }

    /// Looks whether the goal is reached.
    pub(in crate::svctl) fn step(&mut self, task: &mut Task, order: &Order) -> Step {
        match &self.watch {
            Watch::Looking(_) => {}
            Watch::Resting(until) if Instant::now() >= *until => {}
            _ => {
                let Some(watch) = task.runs.go_on(&mut self.watch) else { return Step::Wait };
                self.watch = watch;
                return Step::On;
            }
        }
        let goal = order.command.goal;
        match files::status(&task.place) {
            Err(Failure { errno: Some(Errno::ENOENT), .. }) if goal == Goal::Gone => Step::Gone,
            Err(failure) => Step::Fail(failure),
            Ok(None) => order.without_supervisor(),
            Ok(Some(now)) if goal.is_reached(&self.before, &now) => {
                let next = match goal {
                    Goal::Reloaded => task.runs.lives_on(now),
                    _ => task.runs.check(&task.place, order, now),
                };
                match next {
                    Break(step) => step,
                    Continue(watch) => self.watch(watch),
                }
            }
            Ok(Some(_)) => self.watch(Watch::Looking(None)),
        }
    }

    fn watch(&mut self, watch: Watch) -> Step {
        self.watch = watch;
        // The bytes are looked at again and again, whatever the time.
        if matches!(self.watch, Watch::Looking(_)) { Step::Wait } else { Step::On }
    }
}
