//! Adoption: taking over from a supervisor that was killed.

mod verdict;

use std::os::fd::AsFd;

use common::process;
use nix::errno::Errno;

use super::adopted::Adopted;
use super::machine::{Asked, Death, Event, Hold, Phase, Readiness, Timer, Want};
use super::now::Now;
use super::process::Process;
use super::record::{self, Child, Snapshot};
use super::shared::Shared;
use super::state::State;
use common::supervise::Part;
use verdict::{Snapshots, Verdict, verdict};

/// What is recorded: a life, and a process, with whether it is alive.
type Recorded = (Option<Snapshot>, Option<(Child, bool)>);

/// What is recorded, and whether the process that it names is alive. An error where that cannot be determined:
/// EXDEV where the record is of another pid namespace, EPERM where it names a living process but is not believed.
pub(super) fn recorded(process: &Process, shared: &Shared, now: Now) -> nix::Result<Recorded> {
    let left = process.state.as_ref().and_then(State::left);
    let Some((file, believed)) = left else { return Ok((None, None)) };
    let (snapshot, child) = record::read(file, &shared.space, now.monotonic)?;
    let child = match child {
        Some(child) => Some((child, child.lives(shared.supervisor)?)),
        None => None,
    };
    match child {
        Some((_, true)) if !believed => Err(Errno::EPERM),
        _ if !believed => Ok((None, None)),
        child => Ok((snapshot, child)),
    }
}

/// Takes over from a supervisor that was killed: its process, or the step that is due. Returns what has
/// happened to the process meanwhile, if anything. An error where it cannot be determined whether it is alive:
/// then nothing may be started.
pub(super) fn adopt(process: &mut Process, shared: &Shared, now: Now) -> nix::Result<Option<Event>> {
    let (snapshot, child) = recorded(process, shared, now)?;
    let snapshot = snapshot.as_ref();
    let verdict = verdict(snapshot, child.as_ref().map(|(child, alive)| (child, *alive)));
    let Some((child, alive)) = child else {
        if let Some(snapshot) = snapshot.filter(|snapshot| snapshot.machine.want != Want::Exit) {
            process.machine.want = snapshot.machine.want;
        }
        return Ok(None);
    };
    let of = Snapshots::of(snapshot, &child);
    // For a process that is alive the snapshot counts only if it is of the same run.
    let snapshot = snapshot.filter(|_| !alive || of == Snapshots::Same);
    take_over(process, snapshot, &child, of);
    let machine = &mut process.machine;
    match verdict {
        Verdict::NeverRan => {}
        Verdict::Alive => {
            if let Some(state) = &mut process.state {
                state.inherited = true;
            }
            return adopt_living(process, shared, snapshot, &child, now);
        }
        Verdict::StartVanished => {
            (machine.phase, machine.pid) = (Phase::Wait, 0);
            machine.timers.set(Timer::Start, 0);
        }
        Verdict::Settled => {
            machine.pid = 0;
            if machine.phase == Phase::Prepare {
                machine.phase = Phase::Down;
            }
        }
        Verdict::SetUp => {
            machine.pid = 0;
            if machine.phase == Phase::Run {
                machine.phase = Phase::Done;
                machine.timers.set(Timer::Start, 0);
            }
            process.setup = child.pid;
            process.notify.ready = snapshot.is_some_and(|snapshot| snapshot.ready) && machine.is_done();
        }
        Verdict::FinishDue => {
            machine.pid = 0;
            machine.timers.set(Timer::Finish, 0);
        }
        Verdict::DiedUnseen => {
            if of != Snapshots::Same {
                machine.since = child.since;
            }
            machine.pid = child.pid;
            return Ok(Some(died_unseen(process, &child)));
        }
    }
    Ok(None)
}

/// Restores what was recorded.
fn take_over(process: &mut Process, snapshot: Option<&Snapshot>, child: &Child, of: Snapshots) {
    let (normally, starts) = (process.machine.want, process.machine.starts);
    process.book.serial = child.serial;
    process.book.spawned = (child.since, child.wall);
    if let Some(snapshot) = snapshot {
        process.machine = snapshot.machine;
        process.since = snapshot.wall;
        process.died = ((snapshot.died, 0), snapshot.dead);
        process.notify.is_named(snapshot.notify);
        if of == Snapshots::Ahead {
            process.book.serial = snapshot.serial;
        }
    }
    let machine = &mut process.machine;
    // An exit that was under way has ended with the old supervisor: a new one is started to stay.
    if machine.want == Want::Exit {
        machine.want = normally;
    }
    machine.starts = starts;
    if !matches!(machine.phase, Phase::Wait | Phase::Done) {
        machine.timers.stop(Timer::Start);
    }
    if machine.waits_for_needs() {
        // Whoever holds it back does so anew.
        machine.hold = Hold::None;
        machine.timers.set(Timer::Start, 0);
    }
}

/// Takes over a process that is alive, or was a moment ago. `snapshot`: that of this run, if there is one.
fn adopt_living(
    process: &mut Process,
    shared: &Shared,
    snapshot: Option<&Snapshot>,
    child: &Child,
    now: Now,
) -> nix::Result<Option<Event>> {
    let voice = shared.voice(process.part);
    let machine = &mut process.machine;
    machine.phase = child.phase;
    machine.pid = child.pid;
    if snapshot.is_none() {
        (machine.paused, machine.stop_sent, machine.readiness) = (false, false, Readiness::InTime);
    }
    if matches!(child.phase, Phase::Run | Phase::Setup) {
        (machine.since, process.since) = (child.since, child.wall);
    }
    if !process::is_child(child.pid)? {
        match process::pidfd(child.pid) {
            Ok(pidfd) => process.adopted = Some(Box::new(Adopted::new(pidfd))),
            Err(Errno::ESRCH) => return Ok(Some(died_unseen(process, child))),
            Err(errno) => return Err(errno),
        }
        // Another process may have got the pid between the check and pidfd_open(2).
        if !child.lives(shared.supervisor)? {
            process.adopted = None;
            return Ok(Some(died_unseen(process, child)));
        }
    }
    process.settings.for_stop(process.directory.as_fd(), voice);
    if child.phase == Phase::Setup {
        process.settings.for_setup(process.directory.as_fd(), voice);
    }
    if process.part == Part::Service && child.phase == Phase::Run {
        process.settings.for_start(process.directory.as_fd(), voice);
        process.notify.ready = snapshot.is_some_and(|snapshot| snapshot.ready);
        let (ready, rules) = (process.notify.ready, &process.settings.rules);
        process.machine.watch_again(ready, now.monotonic, rules);
        process.notify.open(&process.settings, process.state.as_ref().map(State::directory), voice);
    }
    let same = |snapshot: &&Snapshot| snapshot.machine.phase == process.machine.phase;
    let asked = snapshot.filter(same).map_or(Asked::default(), |snapshot| snapshot.asked);
    Ok(Some(Event::Resume(asked)))
}

/// Nobody knows how the recorded process died.
fn died_unseen(process: &mut Process, child: &Child) -> Event {
    process.machine.phase = child.phase;
    Event::Died(Death::Unknown)
}
