//! The course of a tree: from its setup to its end.
//!
//! | phase | what happens | next |
//! |---|---|---|
//! | Setup | `.tree/setup` runs | Goes where its status is 0, else Stops |
//! | Goes | services come and go, and start as their needs are met | Stops, or Leaves |
//! | Stops | they are stopped in the reverse order of their needs, the program first | Sweeps, or Finishes |
//! | Sweeps | as process 1: all that is left is ended | Finishes |
//! | Finishes | `.tree/finish` runs | the end |
//! | Leaves | all is left to another tree as it is; what no other can adopt is stopped | the end |
//!
//! As process 1 a part of the sweep comes when Stops has brought down all services: what is left beside the loggers may
//! hold the pipes whose end these wait for.

use std::os::fd::AsFd;

use common::signals;

use super::{Manner, Program, Role, Scan, Tree};
use crate::supervise::{HandedOn, Now};
use crate::svtree::draining::Draining;
use crate::svtree::hosted::Hosted;
use crate::svtree::own::{Script, Which};
use crate::svtree::slots::PROGRAM;
use crate::svtree::stop::Stop;
use crate::svtree::sweep::{Reach, Sweep};

/// How often what does not end is killed again once the time is over, in milliseconds: a finish may have followed.
const AGAIN: u64 = 100;
/// How long the loggers get beyond the time, to read what the killed have left.
const DRAIN: u64 = 400;

/// The time beyond the end of the stop; the time for it may be any.
fn with_drain(end: u64) -> u64 {
    end.saturating_add(DRAIN)
}

/// Whether a time has come.
fn is_over(time: Option<u64>, now: Now) -> bool {
    time.is_some_and(|time| time <= now.monotonic)
}

/// How far the tree has come.
#[derive(Debug, Default)]
enum Phase {
    Setup(Script),
    #[default]
    Goes,
    Stops,
    Sweeps(Sweep),
    Finishes(Script),
    Leaves,
}

/// The course of a tree.
#[derive(Debug, Default)]
pub(in crate::svtree) struct Course {
    phase: Phase,
    /// The status to exit with.
    status: u8,
    stop: Stop,
    /// Those that are down, whose loggers read the rest, and what is done about the others that are left then: in the
    /// place of process 1.
    draining: Draining,
    leftovers: Option<Sweep>,
    /// Until when the stop may take, once it is under way: monotonic, ms.
    end: Option<u64>,
    /// When what is left then is killed again.
    kill_at: Option<u64>,
}

impl Course {
    /// A word for it.
    pub(super) fn word(&self) -> &'static str {
        match self.phase {
            Phase::Setup(_) => "setup",
            Phase::Goes => "up",
            Phase::Stops | Phase::Sweeps(_) => "stopping",
            Phase::Finishes(_) => "finish",
            Phase::Leaves => "leaving",
        }
    }

    /// Whether services are still started.
    pub(super) fn goes(&self) -> bool {
        matches!(self.phase, Phase::Goes)
    }

    /// Whether the time for the stop is over.
    pub(super) fn is_late(&self, now: Now) -> bool {
        is_over(self.end, now)
    }

    /// Whether the end is under way.
    pub(super) fn ends(&self) -> bool {
        !matches!(self.phase, Phase::Setup(_) | Phase::Goes)
    }
}

impl Tree {
    /// Starts `.tree/setup`.
    pub(super) fn set_up(&mut self) {
        self.course.phase = Phase::Setup(self.script(Which::Setup));
    }

    fn script(&self, which: Which) -> Script {
        let directory = self.directory.as_ref().map(AsFd::as_fd);
        Script::start(which, directory, self.template.files, &self.template.env, self.voice)
    }

    /// Handles a signal.
    pub(super) fn signal(&mut self, signal: i32, now: Now) {
        match signal {
            signals::CHLD => {}
            signals::TERM | signals::INT if self.course.ends() => self.hurry(now),
            signals::TERM | signals::INT if self.manner == Manner::Runsvdir && self.role == Role::Part => {
                self.leave(now);
            }
            signals::TERM | signals::INT => self.stop(signal, now),
            signals::HUP if self.manner == Manner::Runsvdir => self.end_with(111, now),
            signals::QUIT | signals::PWR | signals::RTMIN_3 if self.role == Role::Whole => {
                self.stop(signal, now);
            }
            // The program is a child of this process, and nobody else can have it.
            signals::QUIT if self.program.is_some() => self.stop(signal, now),
            signals::QUIT => self.leave(now),
            signals::HUP if self.scan.is_some() => self.rescan(now),
            signal => {
                if let Some(program) = &self.program {
                    program.pass(signal, self.voice);
                }
            }
        }
    }

    /// Begins the stop, as this signal has asked for it.
    pub(super) fn stop(&mut self, signal: i32, now: Now) {
        if self.course.ends() {
            return;
        }
        self.asked = signal;
        self.begin_stop(now);
    }

    /// Begins the stop, after which the tree exits with `status`.
    pub(super) fn end_with(&mut self, status: u8, now: Now) {
        if !self.course.ends() {
            self.course.status = status;
            self.begin_stop(now);
        }
    }

    fn begin_stop(&mut self, now: Now) {
        if let Phase::Setup(setup) = &mut self.course.phase {
            setup.stop(self.voice);
        } else {
            self.course.phase = Phase::Stops;
            self.find_what_is_left(now);
        }
        self.course.end = Some(now.monotonic.saturating_add(self.budget));
    }

    /// It was asked to stop again: the time is over now.
    fn hurry(&mut self, now: Now) {
        self.course.end = Some(now.monotonic);
    }

    /// Leaves all as it is, for another tree. Services that no other can adopt are stopped, side by side; and so is a setup,
    /// which the other one begins anew.
    fn leave(&mut self, now: Now) {
        if self.course.ends() {
            return;
        }
        if let Phase::Setup(setup) = &mut self.course.phase {
            setup.stop(self.voice);
        }
        self.course.phase = Phase::Leaves;
        self.course.end = Some(now.monotonic.saturating_add(self.budget));
        for slot in self.slots.in_order().collect::<Vec<_>>() {
            if let Some(hosted) = self.slots.get_mut(slot) {
                if hosted.service.is_adoptable() {
                    hosted.service.leave();
                } else {
                    hosted.service.stop();
                }
                self.touched(slot);
            }
        }
    }

    /// When time alone will lead to something.
    pub(super) fn deadline(&self) -> Option<u64> {
        match &self.course.phase {
            Phase::Sweeps(sweep) => sweep.deadline(),
            Phase::Leaves => self.course.kill_at.or(self.course.end).filter(|_| self.slots.count() > 0),
            Phase::Goes => {
                let scan = self.scan.as_ref().and_then(Scan::deadline);
                [scan, self.waiting_deadline()].into_iter().flatten().min()
            }
            Phase::Stops => {
                let end = self.course.kill_at.or(self.course.end);
                let sweep = self.course.leftovers.as_ref().and_then(Sweep::deadline);
                let draining = self.course.draining.deadline();
                [end, self.waiting_deadline(), sweep, draining].into_iter().flatten().min()
            }
            Phase::Setup(_) => self.course.kill_at.or(self.course.end),
            Phase::Finishes(_) => self.course.kill_at.or(self.course.end.map(with_drain)),
        }
    }

    /// Goes on with the course: the status to exit with, once that is known.
    pub(super) fn go_on(&mut self, now: Now) -> Option<u8> {
        self.go_on_listing(now);
        loop {
            let next = match &mut self.course.phase {
                Phase::Setup(setup) => match setup.status() {
                    None => {
                        if is_over(self.course.kill_at.or(self.course.end), now) {
                            setup.kill(self.voice);
                            self.course.kill_at = Some(now.monotonic + AGAIN);
                        }
                        return None;
                    }
                    Some(0) if self.course.end.is_none() => Phase::Goes,
                    Some(status) => {
                        // What setup has begun is undone by finish, as that of a service.
                        if self.course.end.is_none() {
                            self.course.status = status;
                            self.course.end = Some(now.monotonic.saturating_add(self.budget));
                        }
                        self.course.kill_at = None;
                        self.find_what_is_left(now);
                        Phase::Stops
                    }
                },
                Phase::Goes => {
                    self.manage(now);
                    if self.course.goes() {
                        return None;
                    }
                    continue;
                }
                Phase::Stops => {
                    self.host_waiting(now);
                    // Those that need another come before it, so all that can be are hosted first.
                    if self.waiting_deadline().is_some_and(|due| due <= now.monotonic) {
                        return None;
                    }
                    self.stop_next(now);
                    let program = self.program.as_ref().is_some_and(Program::is_running);
                    if self.slots.count() > 0 || program || !self.waiting.is_empty() {
                        self.end_leftovers(program, now);
                        return None;
                    }
                    let end = self.course.end.unwrap_or(now.monotonic);
                    if self.role == Role::Whole { Phase::Sweeps(Sweep::new(end)) } else { self.finish(now) }
                }
                Phase::Sweeps(sweep) => {
                    if !sweep.go_on(Reach::whole(), now.monotonic) {
                        return None;
                    }
                    self.finish(now)
                }
                Phase::Finishes(finish) => {
                    if finish.is_running() {
                        let due = self.course.end.map(with_drain);
                        if is_over(self.course.kill_at.or(due), now) {
                            finish.kill(self.voice);
                            self.course.kill_at = Some(now.monotonic + AGAIN);
                        }
                        return None;
                    }
                    return Some(self.course.status);
                }
                Phase::Leaves => {
                    if self.course.is_late(now) {
                        self.kill_all(now);
                    }
                    return (self.slots.count() == 0).then_some(0);
                }
            };
            self.course.phase = next;
        }
    }

    fn finish(&mut self, now: Now) -> Phase {
        self.course.kill_at = None;
        // It gets a moment, also where others have used up the time.
        self.course.end = self.course.end.map(|end| end.max(now.monotonic));
        let which = Which::Finish { status: self.course.status };
        Phase::Finishes(self.script(which))
    }

    /// Looks at the directory, lets services start whose needs are met, and the program once nothing is coming.
    fn manage(&mut self, now: Now) {
        let due = self.scan.as_ref().and_then(Scan::deadline);
        if due.is_some_and(|due| due <= now.monotonic) {
            self.look(now);
        }
        self.host_waiting(now);
        if self.is_complete() {
            // While we held a log pipe its logger would never read its end.
            self.template.handed_on = HandedOn::default();
        }
        self.hold_or_release(now);
        self.upgrade_for_clients(now);
        if let Some(program) = self.program.as_mut().filter(|program| program.is_due()) {
            if !self.graph.holds(PROGRAM) && self.awake.is_empty() {
                program.start(self.voice);
            }
        }
        if let Some(status) = self.program.as_ref().and_then(Program::status) {
            self.end_with(status, now);
        }
    }

    /// Tells those to end whose turn it is; and kills what is left once the time is over.
    fn stop_next(&mut self, now: Now) {
        if self.course.is_late(now) {
            self.kill_all(now);
        }
        while let Some(slot) = self.course.draining.next(now.monotonic) {
            self.course.stop.over(&mut self.graph, slot);
        }
        let ended = self.program.as_ref().is_some_and(|program| !program.is_running());
        if ended && self.graph.program().is_some() {
            self.course.stop.over(&mut self.graph, PROGRAM);
        }
        while let Some(slot) = self.course.stop.next(&self.graph) {
            if slot == PROGRAM {
                match self.program.as_ref().filter(|program| program.is_running()) {
                    Some(program) => program.stop(self.asked, self.voice),
                    None => self.course.stop.over(&mut self.graph, PROGRAM),
                }
            } else if let Some(hosted) = self.slots.get_mut(slot) {
                hosted.service.stop();
                self.touched(slot);
            }
        }
    }

    /// A service has had its turn: whether its logger alone is left of it. Elsewhere than as process 1 there is nobody
    /// else whom the logger could wait for in vain, who would be ended.
    pub(super) fn note_draining(&mut self, slot: usize, now: Now) {
        if self.role == Role::Whole && matches!(self.course.phase, Phase::Stops) {
            let drains = self.slots.get(slot).is_some_and(|hosted| hosted.service.drains());
            self.course.draining.note(slot, drains, now.monotonic);
        }
    }

    /// Ends what is left beside the loggers, once nothing but loggers is to run any more.
    fn end_leftovers(&mut self, program: bool, now: Now) {
        let loggers_alone = self.course.draining.count() == self.slots.count();
        if program || !self.waiting.is_empty() || !loggers_alone {
            self.course.leftovers = None;
            return;
        }
        let end = self.course.end.unwrap_or(now.monotonic);
        let sweep = self.course.leftovers.get_or_insert_with(|| Sweep::new(end));
        if !sweep.is_over() {
            let hosted = self.slots.in_order().filter_map(|slot| self.slots.get(slot));
            let loggers: Vec<u32> = hosted.map(|hosted| hosted.service.logger_pid()).collect();
            sweep.go_on(Reach::Descendants(&loggers), now.monotonic);
        }
    }

    fn kill_all(&mut self, now: Now) {
        let end = self.course.end.unwrap_or(now.monotonic);
        if self.course.kill_at.is_none() {
            self.course.stop.hurry();
        } else if self.course.kill_at.is_some_and(|at| now.monotonic < at) {
            return;
        }
        self.course.kill_at = Some(now.monotonic + AGAIN);
        if let Some(program) = &self.program {
            program.kill(self.voice);
        }
        let leaves = matches!(self.course.phase, Phase::Leaves);
        let loggers = now.monotonic >= with_drain(end);
        for slot in self.slots.in_order().collect::<Vec<_>>() {
            let stays = |hosted: &&mut Hosted| leaves && hosted.service.is_adoptable();
            if let Some(hosted) = self.slots.get_mut(slot).filter(|hosted| !stays(hosted)) {
                hosted.service.stop();
                hosted.service.kill(loggers);
                self.touched(slot);
            }
        }
    }

    /// A child has died: whether it was the tree's own.
    pub(super) fn lost_own(&mut self, pid: u32, status: i32) -> bool {
        if let Phase::Setup(script) | Phase::Finishes(script) = &mut self.course.phase {
            if script.lost(pid, status, self.voice) {
                return true;
            }
        }
        self.program.as_mut().is_some_and(|program| program.lost(pid, status, self.voice))
    }

    /// A service is over, and its slot is free.
    pub(super) fn over(&mut self, slot: usize) {
        self.publish(slot);
        let Some(hosted) = self.slots.take(slot) else { return };
        let (name, mut deadline) = (hosted.name, hosted.deadline);
        self.queue.set(slot, &mut deadline, None);
        self.course.draining.note(slot, false, 0);
        if matches!(self.course.phase, Phase::Stops) {
            self.course.stop.over(&mut self.graph, slot);
        } else {
            self.graph.remove(slot);
        }
        // One that a client has told to exit is hosted again, as runsvdir(8) has it; so is another of the same name.
        if !self.course.ends() {
            self.name_is_free(name, Now::read());
        }
    }
}
