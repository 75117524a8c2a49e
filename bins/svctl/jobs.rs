//! A command on its way to any number of services at once.

use std::time::Instant;

use common::Exit;
use common::poll::{POLLIN, watch};

use super::conn;
use super::health;
use super::job::{End, Job};
use super::options::Enough;
use super::order::{ABSENT, Order, TICK};
use super::out::Out;
use super::place::Place;
use super::services::Services;

/// Gives a command to all these services, and waits for each; or for the first, as `enough` says. Returns those that
/// have reached the goal and were not well before.
///
/// In a round the services come in the order in which they were named, and each takes in this order: the lines
/// of its supervisor, in their order; the verdict of ./check; its own time limit. So an effect that is there
/// counts though the time is up too, as after a stop by a signal; and no answer of one service waits for
/// another's. The first requests of all services are sent before anything is waited for, and each later one
/// only once that before it is answered. Bytes go into a FIFO only where there is no connection, or none any
/// more: they never overtake what was sent over it. Signals have their usual effect, at once.
pub(super) fn carry_out(
    order: &Order,
    services: &Services,
    enough: Enough,
    out: &mut Out,
) -> Result<Vec<Place>, Exit> {
    services.allow_fds();
    let sought = services.names.iter().map(Vec::as_slice).collect();
    Jobs { order, services, sought, open: Vec::new(), done: Vec::new() }.carry_out(enough, out)
}

/// The same for services that are found already, whatever becomes of their names.
pub(super) fn carry_out_at(order: &Order, places: Vec<Place>, out: &mut Out) -> Result<Vec<Place>, Exit> {
    let services = &Services::of(Vec::new());
    let mut jobs = Jobs { order, services, sought: Vec::new(), open: Vec::new(), done: Vec::new() };
    for place in places {
        jobs.go(Job::new(place, order.command), out)?;
    }
    jobs.carry_out(Enough::All, out)
}

struct Jobs<'a> {
    order: &'a Order<'a>,
    services: &'a Services,
    /// The names of services that are not there yet.
    sought: Vec<&'a [u8]>,
    /// Those that have not ended.
    open: Vec<Job>,
    done: Vec<Place>,
}

impl<'a> Jobs<'a> {
    fn carry_out(mut self, enough: Enough, out: &mut Out) -> Result<Vec<Place>, Exit> {
        let is_enough = |done: &[Place]| enough == Enough::One && !done.is_empty();
        loop {
            for name in std::mem::take(&mut self.sought) {
                self.seek(name, out)?;
                if is_enough(&self.done) {
                    return Ok(self.done);
                }
            }
            if self.open.is_empty() && self.sought.is_empty() {
                return Ok(self.done);
            }
            self.wait();
            for job in std::mem::take(&mut self.open) {
                self.go(job, out)?;
                if is_enough(&self.done) {
                    return Ok(self.done);
                }
            }
        }
    }

    /// Begins with a service, if it is there.
    fn seek(&mut self, name: &'a [u8], out: &mut Out) -> Result<(), Exit> {
        let Services { all, known, .. } = self.services;
        match self.order.names.find(name) {
            Ok(place) if *all && health::is_well(&place, self.order, known, out)? => Ok(()),
            Ok(place) => self.go(Job::new(place, self.order.command), out),
            Err(failure) if self.order.may_come(&failure) => {
                self.sought.push(name);
                Ok(())
            }
            Err(failure) => out.not_found(name, &failure),
        }
    }

    /// Goes on with a service as far as it can.
    fn go(&mut self, mut job: Job, out: &mut Out) -> Result<(), Exit> {
        job.go(self.order, out)?;
        match job.end {
            End::Not => self.open.push(job),
            End::Well => self.done.push(job.into_place()),
            End::Badly => {}
        }
        Ok(())
    }

    fn wait(&self) {
        let mut fds: Vec<_> = self.open.iter().filter_map(Job::fd).map(|fd| watch(fd, POLLIN)).collect();
        let now = Instant::now();
        // Past its end some job may still have time.
        let left = self.order.end.checked_duration_since(now).unwrap_or(TICK);
        let again = (!self.sought.is_empty()).then(|| now + ABSENT);
        let due = self.open.iter().filter_map(Job::due).chain(again).min();
        conn::wait(&mut fds, due.map_or(left, |due| left.min(due.saturating_duration_since(now))));
    }
}
