//! What those that need this service, and the program around it, ask of it.

use super::Supervised;
use crate::supervise::machine::{Death, Event, Machine, Phase, Readiness, Starts, Want};
use crate::supervise::now::Now;
use common::supervise::Part;

/// How a service stands towards those that need it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Standing {
    /// It does not run, and is not to run: it is not wanted up, was given up, or is being stopped.
    #[default]
    Down,
    /// It is on its way: it waits for its start, is being set up, has not announced yet that it is ready, or has died
    /// and is to be started again.
    Coming,
    /// It has announced that it is ready; or has had its time to do so, and is taken for ready (`timeout-ready`); or
    /// runs and has no way to announce it; or has no run, and its setup has done
    /// its work.
    Ready,
}

impl Supervised {
    /// Holds starts back: one that is due waits (`Hold::Needs`) until
    /// [`Supervised::release`], also a restart. What runs, or is being started already, goes on, and a stop of what
    /// waits works at once. `names`: what it waits for, with blanks between, for clients. May be called again with
    /// other names.
    pub(crate) fn hold_back(&mut self, names: &[u8], now: Now) {
        let service = &mut self.parts.service;
        let changed = service.needs.set(names);
        if service.machine.starts == Starts::Free {
            self.happen(Part::Service, Event::Hold, now);
        } else if changed && service.machine.waits_for_needs() {
            service.unsaved = true;
            let view = service.view(&self.shared, self.parts.logger.is_some());
            self.clients.needs_changed(&view, now);
        }
    }

    /// Holds starts back no longer: one that waits happens now.
    pub(crate) fn release(&mut self, now: Now) {
        if self.parts.service.machine.waits_for_needs() {
            self.before_start(now);
        }
        if self.parts.service.machine.starts == Starts::HeldBack {
            self.happen(Part::Service, Event::Release, now);
        }
    }

    /// How it stands towards those that need it.
    pub(crate) fn standing(&self) -> Standing {
        let service = &self.parts.service;
        standing(&service.machine, service.readiness())
    }

    /// How run has died, where that was the end of it and nobody has asked for that end: it was given up, or ran for
    /// once.
    pub(crate) fn ended(&self) -> Option<Death> {
        self.parts.service.machine.ended()
    }
}

/// How a machine stands; `ready`: whether it has announced that it is ready, none where it has no way to.
fn standing(machine: &Machine, ready: Option<bool>) -> Standing {
    let coming = if machine.want == Want::Up { Standing::Coming } else { Standing::Down };
    match machine.phase {
        Phase::Down => Standing::Down,
        Phase::Run | Phase::Setup if machine.stop_sent => coming,
        Phase::Run if ready != Some(false) || machine.readiness == Readiness::Excused => Standing::Ready,
        Phase::Done if machine.is_done() => Standing::Ready,
        Phase::Wait | Phase::Prepare | Phase::Setup | Phase::Run | Phase::Done => Standing::Coming,
        Phase::Finish => coming,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_ready_or_on_its_way_or_down() {
        use Standing::{Coming, Down, Ready};
        for (phase, want, ready, stop_sent, expected) in [
            (Phase::Down, Want::Down, None, false, Down),
            (Phase::Wait, Want::Up, None, false, Coming),
            (Phase::Wait, Want::Down, None, false, Coming), // after once
            (Phase::Prepare, Want::Up, None, false, Coming),
            (Phase::Run, Want::Up, None, false, Ready),
            (Phase::Run, Want::Down, None, false, Ready), // after once
            (Phase::Run, Want::Up, Some(false), false, Coming),
            (Phase::Run, Want::Up, Some(true), false, Ready),
            (Phase::Run, Want::Down, Some(true), true, Down),
            (Phase::Run, Want::Exit, None, true, Down),
            (Phase::Run, Want::Up, Some(true), true, Coming),
            (Phase::Setup, Want::Up, None, false, Coming),
            (Phase::Setup, Want::Down, None, false, Coming), // after once
            (Phase::Setup, Want::Down, None, true, Down),
            (Phase::Setup, Want::Up, None, true, Coming),
            (Phase::Done, Want::Up, Some(true), false, Ready),
            (Phase::Done, Want::Down, Some(true), false, Ready), // after once
            (Phase::Finish, Want::Up, Some(false), false, Coming),
            (Phase::Finish, Want::Exit, None, false, Down),
        ] {
            let mut machine = Machine::new(want);
            (machine.phase, machine.stop_sent) = (phase, stop_sent);
            assert_eq!(standing(&machine, ready), expected, "{phase:?} {want:?} {ready:?} {stop_sent}");
        }
        let mut excused = Machine::new(Want::Up);
        (excused.phase, excused.readiness) = (Phase::Run, Readiness::Excused);
        assert_eq!(standing(&excused, Some(false)), Ready);
    }
}
