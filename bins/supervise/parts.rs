//! Both processes of a service.

use super::process::Process;
use super::report::View;
use super::shared::Shared;
use common::supervise::Part;

/// The daemon, and its logger if there is one: most of what a service takes of memory is the two of them.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) service: Process,
    pub(super) logger: Option<Box<Process>>,
}

impl Parts {
    /// This one, if it is there.
    pub(super) fn get(&self, part: Part) -> Option<&Process> {
        match part {
            Part::Service => Some(&self.service),
            Part::Log => self.logger.as_deref(),
        }
    }

    /// As [`Parts::get`].
    pub(super) fn get_mut(&mut self, part: Part) -> Option<&mut Process> {
        match part {
            Part::Service => Some(&mut self.service),
            Part::Log => self.logger.as_deref_mut(),
        }
    }

    /// The view of it for clients, if it is there.
    pub(super) fn view(&self, part: Part, shared: &Shared) -> Option<View<'_>> {
        Some(self.get(part)?.view(shared, self.logger.is_some()))
    }

    /// Those that are there, the service first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Process> {
        [Some(&self.service), self.logger.as_deref()].into_iter().flatten()
    }

    /// As [`Parts::iter`].
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        [Some(&mut self.service), self.logger.as_deref_mut()].into_iter().flatten()
    }

    /// The pid of the logger; 0: it does not run.
    pub(super) fn logger_pid(&self) -> u32 {
        self.logger.as_ref().map_or(0, |logger| logger.machine.pid)
    }
}
