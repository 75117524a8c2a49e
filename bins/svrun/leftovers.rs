//! What a run of a service leaves behind: processes of its process group, and those that have become our
//! children because their parents are gone.
//!
//! They are counted and named first. Then come the steps of the file `leftovers`, before finish, so that
//! finish, which may remove what they use, finds nothing of the run alive. A step that waits is over as soon
//! as nothing is left; while it lasts the supervisor goes on with everything else.

use std::os::fd::AsFd;

use common::{Text, process, procfs};
use nix::errno::Errno;

use super::process::Process;
use super::service::{STEPS, Step};
use super::world::World;

/// How long the kernel gets to end what has got KILL, in milliseconds.
const SETTLING: u64 = 1000;

/// How far the steps have come, for the run that has died last.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Stage {
    /// Nobody has looked yet.
    #[default]
    Due,
    /// This step comes at that time, unless nothing is left before; behind the last one: nothing more comes.
    Waiting(usize, u64),
    /// All is done.
    Over,
}

/// What is there of a run: how many processes, and their names.
struct Left {
    count: u32,
    names: Text<224>,
    /// The first of their pids.
    first: [u32; 8],
    /// One of them is in the process group that run led: so nobody else can have got its number.
    group: bool,
}

/// Goes on with what the run that has died last left behind. The time until which finish has to wait, if it
/// has to. What is to be told goes where the service logs.
pub(super) fn go_on(process: &mut Process, world: &World) -> Option<u64> {
    let (mut at, mut group) = match process.stage {
        Stage::Over => return None,
        Stage::Due => {
            let voice = process.voice(world);
            process.settings.for_leftovers(process.folder.as_fd(), voice);
            // Right after the death the number of its group cannot be another's yet.
            (0, std::mem::take(&mut process.fresh))
        }
        Stage::Waiting(at, _) => (at, false),
    };
    let left = look(process, world);
    group |= left.group;
    let steps = process.settings.leftovers;
    let mut line = Text::<360>::of("warning: svrun: ");
    if process.stage == Stage::Due {
        line.add("run left ").number(left.count);
        line.add(if left.count == 1 { " process behind" } else { " processes behind" });
    } else {
        line.number(left.count);
        line.add(if left.count == 1 { " process is" } else { " processes are" }).add(" still there");
    }
    line.add(left.names.bytes());
    let new = left.first.iter().take(left.count as usize).any(|pid| !process.reported.contains(pid));
    let tell = left.count > 0 && (new || process.stage != Stage::Due);
    process.reported = left.first;
    process.stage = Stage::Over;
    while let Some(step) = steps.get(at).copied().flatten() {
        at += 1;
        match step {
            Step::Signal(signal) => {
                line.add("; ");
                match send(process, world, group, signal) {
                    Ok(()) => line.add("sent ").add(name_of(signal).bytes()),
                    Err(errno) => {
                        line.add("unable to send ").add(name_of(signal).bytes()).add(": ").errno(errno)
                    }
                };
                let last = steps.get(at).copied().flatten().is_none();
                if last && signal == common::signals::KILL && left.count > 0 {
                    process.stage = Stage::Waiting(STEPS, world.now() + SETTLING);
                }
            }
            Step::Wait(time) => {
                if left.count > 0 {
                    line.add("; waiting ").number(time).add(" ms");
                    process.stage = Stage::Waiting(at, world.now().saturating_add(time));
                }
                break;
            }
        }
    }
    if tell {
        process.to_log(world, line.add("\n").bytes());
    }
    match process.stage {
        Stage::Waiting(_, until) => Some(until),
        _ => None,
    }
}

/// A child that was left behind has died: whether finish need not wait any longer.
pub(super) fn one_less(process: &mut Process, world: &World) -> bool {
    let Stage::Waiting(at, _) = process.stage else { return false };
    let left = look(process, world);
    if left.count == 0 {
        process.stage = Stage::Over;
        return true;
    }
    if at == STEPS {
        // Their children are ours now. What cannot be signalled was told.
        let _ = send(process, world, left.group, common::signals::KILL);
    }
    false
}

/// Sends a signal to all that is left, and to the process group of run if that is still its. The first
/// error; what is gone meanwhile is none.
fn send(process: &Process, world: &World, group: bool, signal: i32) -> nix::Result<()> {
    let gone = |sent: nix::Result<()>| if sent == Err(Errno::ESRCH) { Ok(()) } else { sent };
    let mut sent = if group { gone(process::kill_group(process.died.1, signal)) } else { Ok(()) };
    each(process, world, |pid, _| {
        let this = gone(process::kill_child(pid, signal)); // our child, not reaped yet: it is what it was
        sent = sent.and(this);
    });
    sent
}

/// Counts and names what is left.
fn look(process: &Process, world: &World) -> Left {
    let mut left = Left { count: 0, names: Text::new(), first: [0; 8], group: false };
    each(process, world, |pid, group| {
        if let Some(place) = left.first.get_mut(left.count as usize) {
            *place = pid;
            let between = if left.count == 0 { ": " } else { ", " };
            left.names.add(between).number(pid).add(" ").add(name(pid).bytes());
        }
        left.count += 1;
        left.group |= group == Some(process.died.1);
    });
    left
}

/// Our children that are no part of the service, with their process group where /proc tells it.
fn each(process: &Process, world: &World, mut tell: impl FnMut(u32, Option<u32>)) {
    let known = [process.script, world.logger];
    procfs::children(|pid| {
        if known.contains(&pid) {
            return;
        }
        let stat = procfs::process(pid);
        if !stat.is_ok_and(|stat| stat.zombie) {
            tell(pid, stat.ok().map(|stat| stat.group)); // without /proc: a child all the same
        }
    });
}

/// The name of a signal, or its number.
fn name_of(signal: i32) -> Text<16> {
    let mut text = Text::new();
    match common::signals::name(signal) {
        Some(name) => text.add(name),
        None => text.add("signal ").number(signal.unsigned_abs()),
    };
    text
}

/// The name of a process, in parentheses as ps(1) shows one without a command line.
fn name(pid: u32) -> Text<24> {
    let mut path = Text::<32>::of("/proc/");
    path.number(pid).add("/comm\0");
    let mut buffer = [0; 20];
    let path = std::ffi::CStr::from_bytes_with_nul(path.bytes()).unwrap_or(c"");
    let mut name = Text::of("(");
    for byte in procfs::read(path, &mut buffer).unwrap_or(b"?") {
        match byte {
            b'\n' => {}
            b' '..=b'~' => drop(name.add([*byte])),
            _ => drop(name.add("?")),
        }
    }
    name.add(")");
    name
}
