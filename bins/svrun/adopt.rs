//! Taking over what a supervisor that was killed has left.

use std::os::fd::AsFd;

use common::supervise::Control;
use common::{Voice, process, procfs};
use nix::errno::Errno;

use super::machine::{Asked, Death, Event, Phase, Timer, Want};
use super::process::Process;
use super::record::{self, Child, Memory};
use super::state::State;
use super::supervisor::End;
use super::world::World;

/// How long a pid namespace that is on its way out is waited for.
const PATIENCE: u64 = 2000;

/// Fails where nobody can say whether what is recorded lives: before anything is started.
pub(super) fn verify(process: &Process, world: &World) -> Result<(), End> {
    let patience = world.now() + PATIENCE;
    loop {
        match recorded(process, world) {
            // A container is started again while the kernel still clears away what it was before.
            Err(Errno::EXDEV) if world.now() < patience => common::lock::pause_1ms(),
            other => return other.map(drop).map_err(|errno| unsure(process.voice(world), errno)),
        }
    }
}

/// What is recorded: a life, and a process, with whether it lives.
type Recorded = (Option<Memory>, Option<(Child, bool)>);

/// What is recorded, and whether the process that it names lives. An error where nobody can say, or where a
/// record tells of a living process that is not believed.
fn recorded(process: &Process, world: &World) -> nix::Result<Recorded> {
    let left = process.state.as_ref().and_then(State::left);
    let Some((file, believed)) = left else { return Ok((None, None)) };
    let (memory, child) = record::read(file, &world.era)?;
    let child = match child {
        Some(child) => Some((child, child.lives()?)),
        None => None,
    };
    match child {
        Some((_, true)) if !believed => Err(Errno::EPERM),
        _ if !believed => Ok((None, None)),
        child => Ok((memory, child)),
    }
}

fn unsure(voice: Voice, errno: Errno) -> End {
    let what: &[u8] = b"tell whether the process in supervise/record lives";
    match errno {
        Errno::EXDEV => {
            let what: &[u8] =
                b"what supervise/record names may live in another pid namespace: nothing is started";
            voice.fatal(&[what], None);
        }
        Errno::EPERM => {
            let what: &[u8] =
                b"what supervise/record names lives, but others may write the record: nothing is started";
            voice.fatal(&[what], None);
        }
        errno => voice.fatal(&[what], errno),
    }
    End::Failed
}

/// Takes over what is left of a process, or starts it if it is wanted.
pub(super) fn adopt_or_start(process: &mut Process, world: &mut World) -> Result<(), End> {
    adopt(process, world)?;
    if process.machine.phase == Phase::Down && process.machine.want == Want::Up {
        process.event(world, Event::Control(Control::Up));
    }
    process.hurry_logger(world);
    process.unsaved = true;
    Ok(())
}

/// Takes over what a supervisor that was killed has left: its process, or what is to follow. Where it cannot
/// be said whether the process lives nothing is started, and the status is 111.
fn adopt(process: &mut Process, world: &mut World) -> Result<(), End> {
    let voice = process.voice(world);
    let unsure = |errno| unsure(voice, errno);
    let (memory, child) = recorded(process, world).map_err(unsure)?;
    let normally = process.machine.want;
    let Some((child, alive)) = child else {
        // Nothing was ever run; but what was wanted still is.
        if let Some(memory) = memory.filter(|memory| memory.machine.want != Want::Exit) {
            process.machine.want = memory.machine.want;
        }
        return Ok(());
    };
    let memory = memory.filter(|memory| memory.serial == child.serial || !alive);
    if let Some(memory) = &memory {
        process.machine = memory.machine;
        process.wall = memory.wall;
        process.died = ((memory.died, 0), memory.dead);
        process.notify.is_named(memory.notify);
    }
    // A start was under way that has left no trace: the run before it is over and done with.
    let ahead = memory.as_ref().map(|memory| memory.serial);
    let ahead = ahead.filter(|serial| (1..1 << 31).contains(&serial.wrapping_sub(child.serial)));
    process.serial = ahead.unwrap_or(child.serial);
    process.spawned = (child.since, child.wall);
    let machine = &mut process.machine;
    // Whoever starts a supervisor means it to stay: an exit that was under way is over with the old one.
    if machine.want == Want::Exit {
        machine.want = normally;
    }
    if machine.phase != Phase::Wait {
        machine.timers.stop(Timer::Start);
    }
    let known = memory.as_ref().is_some_and(|memory| memory.serial == child.serial);
    if alive {
        machine.phase = if child.finish { Phase::Finish } else { Phase::Run };
        machine.pid = child.pid;
        if !known {
            (machine.paused, machine.stop_sent) = (false, false);
        }
        if !child.finish {
            (machine.since, process.wall) = (child.since, child.wall);
        }
        let parent = match procfs::process(child.pid) {
            Ok(process) => process.parent,
            Err(Errno::ENOENT | Errno::ESRCH) => 0, // it has died since
            Err(errno) => return Err(unsure(errno)),
        };
        if parent != std::process::id() {
            match process::pidfd(child.pid) {
                Ok(pidfd) => process.adopted = Some(pidfd),
                Err(Errno::ESRCH) => {
                    died_unseen(process, world, child.finish);
                    return Ok(());
                }
                Err(errno) => return Err(unsure(errno)),
            }
            // Between the look and the open another may have got the pid.
            if !child.lives().map_err(unsure)? {
                process.adopted = None;
                died_unseen(process, world, child.finish);
                return Ok(());
            }
        }
        process.settings.for_stop(process.folder.as_fd(), voice);
        if !process.logger && !child.finish {
            process.settings.for_start(process.folder.as_fd(), voice);
            process.notify.ready = memory.as_ref().is_some_and(|memory| known && memory.ready);
            process.notify.open(&process.settings, process.state.as_ref(), voice);
        }
        let same = |memory: &Memory| known && memory.machine.phase == process.machine.phase;
        let asked =
            memory.as_ref().filter(|memory| same(memory)).map_or(Asked::default(), |memory| memory.asked);
        process.event(world, Event::Resume(asked));
        return Ok(());
    }
    let phase = process.machine.phase;
    if ahead.is_some() && phase == Phase::Run {
        (process.machine.phase, process.machine.pid) = (Phase::Wait, 0);
        process.machine.timers.set(Timer::Start, 0);
        return Ok(());
    }
    if (known || ahead.is_some()) && matches!(phase, Phase::Down | Phase::Wait | Phase::Prepare) {
        // Its death was seen, and all that was due has been done; what is left is the next start.
        process.machine.pid = 0;
        if phase == Phase::Prepare {
            process.machine.phase = Phase::Down;
        }
        return Ok(());
    }
    if known && phase == Phase::Finish && !child.finish {
        // Its death was seen, and finish is due.
        process.machine.pid = 0;
        process.machine.timers.set(Timer::Finish, 0);
        return Ok(());
    }
    process.machine.since = if known { process.machine.since } else { child.since };
    process.machine.pid = child.pid;
    died_unseen(process, world, child.finish);
    Ok(())
}

/// Nobody knows how the recorded process died.
fn died_unseen(process: &mut Process, world: &mut World, finish: bool) {
    process.machine.phase = if finish { Phase::Finish } else { Phase::Run };
    process.event(world, Event::Died(Death::Unknown));
}
