//! The leftovers of a run: processes of its process group, and those that have become our children because
//! their parents are gone.
//!
//! They are counted and named first. Then come the steps of the file `leftovers`, before finish, so that
//! finish, which may remove what they use, finds nothing of the run alive. A step that waits is over as soon
//! as nothing is left; while it lasts the supervisor goes on with everything else.
//!
//! Where the file names a cgroup, what is in that is killed first, and waited for; then what else there is, is
//! counted and named.

mod group;

use std::mem;

use common::{Text, process, procfs, signals};
use nix::errno::Errno;
use nix::unistd::{Pid, getpgid};

use super::service::{STEPS, Step};
use group::{Group, Refused};

/// How long the end of processes that were sent KILL may take, in milliseconds.
const SETTLING: u64 = 1000;
/// How many of them are named.
const NAMED: usize = 8;
/// How many processes are looked at whether they are dead already, where there are other services to look after.
const LOOKS: u32 = 256;

/// How long until the first look whether a cgroup that was killed is empty, in milliseconds: each one comes after twice
/// that time, up to this many. The death of what is in it leads to a look, too, unless its parent is somebody else's.
const FIRST_LOOK: u64 = 10;
const LONG: u8 = 7;
/// How long until something that failed is tried again.
const AGAIN: u64 = 1000;

/// Whose the orphans are: processes that became our children because their parents died.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Orphans {
    /// The service's: there is no other in this process.
    TheServices,
    /// Anybody's: the service's are those in the process group that run led, as every run does then.
    Anybodys,
}

/// Behind the last step.
#[allow(clippy::cast_possible_truncation, reason = "there are few")]
const LAST: u8 = STEPS as u8;

/// How far the steps have come, for the run that has died last.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Stage {
    /// Nobody has looked yet.
    #[default]
    Due,
    /// This step comes at that time, unless nothing is left before; behind the last one: nothing more comes.
    Waiting(u8, u64),
    /// The cgroup was killed, and looked at so often.
    Emptying(u8),
    /// All is done.
    Over,
}

/// What is done about the leftovers of a service.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    stage: Stage,
    /// Those that were named already. Allocated for the first and kept for the next: most services leave nothing.
    named: Option<Box<[u32; NAMED]>>,
    /// The death of run was seen as it happened.
    fresh: bool,
    /// A child has died while there is a wait for those that were left behind.
    fewer: bool,
    /// The cgroup that was killed, until it is empty.
    group: Option<Group>,
}

/// Which of our children a run has left behind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Its pid, which is the number of its process group if it led one.
    pub(super) pid: u32,
    /// Those that are no leftovers: a control script, and the logger.
    pub(super) spare: [u32; 3],
    /// Whose the others are.
    pub(super) orphans: Orphans,
}

/// The result of a look.
#[derive(Debug)]
pub(super) struct Progress {
    /// Words for the log, if there is something to report.
    pub(super) line: Option<Text<360>>,
    /// Until when finish has to wait, if it has to: monotonic, ms.
    pub(super) until: Option<u64>,
    /// The words say why nothing was done.
    pub(super) refused: bool,
}

impl Progress {
    /// There is nothing more to do.
    const NONE: Self = Self { line: None, until: None, refused: false };
}

/// What is left of a run: how many processes, and their names.
#[derive(Default)]
struct Left {
    count: u32,
    names: Text<224>,
    /// The first of their pids.
    first: [u32; NAMED],
    /// One of them is in the process group that run led, so that its number cannot have been reused.
    group: bool,
}

impl Leftovers {
    /// Run has died: what it left behind is due for a look.
    pub(super) fn run_died(&mut self) {
        (self.stage, self.group) = (Stage::Due, None);
    }

    /// Its death was seen as it happened, so that its process group is still its own.
    pub(super) fn death_was_seen(&mut self) {
        self.fresh = true;
    }

    /// A child that is nobody's has died.
    pub(super) fn child_died(&mut self) {
        self.fewer |= self.are_awaited();
    }

    /// Whether there is a wait for their end.
    pub(super) fn are_awaited(&self) -> bool {
        matches!(self.stage, Stage::Waiting(..) | Stage::Emptying(_))
    }

    /// Whether a child has died since the last look.
    pub(super) fn are_fewer(&self) -> bool {
        self.fewer
    }

    /// Whether nobody has looked yet.
    pub(super) fn are_due(&self) -> bool {
        self.stage == Stage::Due
    }

    /// Whether all is done.
    pub(super) fn are_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Kills the cgroup of this path, and waits until it is empty, at `now`; then the steps may follow.
    #[inline(never)] // as that of the steps
    pub(super) fn empty(&mut self, path: &[u8], now: u64) -> Progress {
        let wait = |line, time: u64| Progress { line, until: Some(now + time), refused: false };
        let refuse = |why: Refused| Progress { line: Some(why.line(path)), until: None, refused: true };
        let mut line = Text::new();
        let looks = match self.stage {
            Stage::Over | Stage::Waiting(..) => return Progress::NONE,
            Stage::Emptying(looks) => looks,
            Stage::Due => match Group::find(path) {
                Ok(Some(group)) => {
                    line.add("run left processes behind in the cgroup ").printable(path);
                    line.add(group.names().bytes()).add("; killing them\n");
                    self.group = Some(group);
                    0
                }
                Ok(None) => 0,
                Err(Refused::Now) => return wait(None, AGAIN),
                Err(why) => return refuse(why),
            },
        };
        // Also again: a process that was moved there meanwhile is to end, too.
        let Some(killed) = self.group.as_ref().filter(|group| !group.is_empty()).map(Group::kill) else {
            (self.stage, self.group) = (Stage::Due, None);
            return Progress::NONE;
        };
        match killed {
            // The next look kills, where this one could not.
            Ok(()) | Err(Refused::Now) => {}
            Err(why) => {
                (self.stage, self.group) = (Stage::Due, None);
                return refuse(why);
            }
        }
        self.stage = Stage::Emptying((looks + 1).min(LONG + 1));
        if looks == LONG {
            line.add("processes are still in the cgroup ").printable(path);
            line.add(self.group.as_ref().map(Group::names).unwrap_or_default().bytes()).add("; waiting\n");
        }
        wait(Some(line).filter(|line| !line.bytes().is_empty()), FIRST_LOOK << looks.min(LONG))
    }

    /// Goes on with the steps, at `now`.
    #[inline(never)] // its buffers would be part of the frame of what starts finish
    pub(super) fn go_on(&mut self, run: Run, steps: &[Option<Step>; STEPS], now: u64) -> Progress {
        // Right after the death the number of its group cannot be another's yet.
        let (mut at, fresh) = match self.stage {
            Stage::Over | Stage::Emptying(_) => return Progress::NONE,
            Stage::Due => (0, mem::take(&mut self.fresh)),
            Stage::Waiting(at, _) => (at, false),
        };
        let first_look = self.are_due();
        let there = run.may_have_left();
        let left = if there { run.look() } else { Left::default() };
        let group = there && fresh || left.group;
        let mut line = Text::new();
        if first_look {
            line.add("run left ").number(left.count);
            line.add(if left.count == 1 { " process behind" } else { " processes behind" });
        } else {
            line.number(left.count);
            line.add(if left.count == 1 { " process is" } else { " processes are" }).add(" still there");
        }
        line.add(left.names.bytes());
        let named = self.named.as_deref().unwrap_or(&[0; NAMED]);
        let new = left.first.iter().take(left.count as usize).any(|pid| !named.contains(pid));
        let report = left.count > 0 && (new || !first_look);
        if *named != left.first {
            **self.named.get_or_insert_default() = left.first;
        }
        self.stage = Stage::Over;
        let step = |at: u8| steps.get(usize::from(at)).copied().flatten();
        while let Some(next) = step(at) {
            at += 1;
            match next {
                Step::Signal(signal) => {
                    line.add("; ");
                    match run.send(group, signal) {
                        Ok(()) => line.add("sent ").add(name_of(signal).bytes()),
                        Err(errno) => {
                            line.add("unable to send ").add(name_of(signal).bytes()).add(": ").errno(errno)
                        }
                    };
                    if step(at).is_none() && signal == signals::KILL && left.count > 0 {
                        self.stage = Stage::Waiting(LAST, now + SETTLING);
                    }
                }
                Step::Wait(time) => {
                    if left.count > 0 {
                        line.add("; waiting ").number(time).add(" ms");
                        self.stage = Stage::Waiting(at, now.saturating_add(time));
                    }
                    break;
                }
            }
        }
        line.add("\n");
        let until = match self.stage {
            Stage::Waiting(_, until) => Some(until),
            _ => None,
        };
        Progress { line: Some(line).filter(|_| report), until, refused: false }
    }

    /// Whether a child has died since the last look, and finish need not wait any longer.
    #[inline(never)]
    pub(super) fn none_are_left(&mut self, run: Run) -> bool {
        if !mem::take(&mut self.fewer) {
            return false;
        }
        let at = match self.stage {
            Stage::Waiting(at, _) => at,
            Stage::Emptying(_) => return self.group.as_ref().is_none_or(Group::is_empty),
            Stage::Due | Stage::Over => return false,
        };
        let group = match run.orphans {
            Orphans::TheServices => Some(run.look()).filter(|left| left.count > 0).map(|left| left.group),
            // Asked at every few deaths of however many: the kernel alone is.
            Orphans::Anybodys => run.may_have_left().then_some(true),
        };
        let Some(group) = group else {
            self.stage = Stage::Over;
            return true;
        };
        if at == LAST {
            // Their children are ours now. What cannot be signalled was reported.
            let _ = run.send(group, signals::KILL);
        }
        false
    }
}

impl Run {
    /// Sends a signal to all that is left, and to the process group of run if that is still its. The first
    /// error; what is gone meanwhile is none.
    fn send(self, group: bool, signal: i32) -> nix::Result<()> {
        let gone = |sent: nix::Result<()>| if sent == Err(Errno::ESRCH) { Ok(()) } else { sent };
        let mut sent = if group { gone(process::kill_group(self.pid, signal)) } else { Ok(()) };
        if self.orphans == Orphans::Anybodys {
            return sent; // there are no others
        }
        self.each(|pid, _| {
            let this = gone(process::kill_child(pid, signal)); // our child, not reaped yet: it is what it was
            sent = sent.and(this);
        });
        sent
    }

    /// Whether there can be anything. Where orphans are anybody's that is asked for without a look at each of them: it
    /// may be a dead one which waits for its parent, but there is nothing in the group where another process has its
    /// number by now, since that of a group is not given away.
    fn may_have_left(self) -> bool {
        let reused = || procfs::process(self.pid).is_ok_and(|process| !process.zombie);
        self.orphans == Orphans::TheServices
            || process::kill_group(self.pid, 0) != Err(Errno::ESRCH) && !reused()
    }

    /// Counts and names what is left.
    fn look(self) -> Left {
        let mut left = Left::default();
        self.each(|pid, group| {
            if let Some(place) = left.first.get_mut(left.count as usize) {
                *place = pid;
                let between = if left.count == 0 { ": " } else { ", " };
                left.names.add(between).number(pid).add(" ").add(name(pid).bytes());
            }
            left.count += 1;
            left.group |= group == Some(self.pid);
        });
        left
    }

    /// Gives each of our children that are no part of the service, with its process group where /proc has it.
    fn each(self, mut give: impl FnMut(u32, Option<u32>)) {
        let mut looks = LOOKS;
        procfs::children(|pid| {
            if self.spare.contains(&pid) {
                return;
            }
            if self.orphans == Orphans::Anybodys {
                if group_of(pid) != Some(self.pid) {
                    return;
                }
                if looks == 0 {
                    return give(pid, Some(self.pid));
                }
                looks -= 1;
            }
            let stat = procfs::process(pid);
            let group = stat.ok().map(|stat| stat.group); // without /proc: a child all the same
            let its = self.orphans == Orphans::TheServices || group == Some(self.pid);
            if its && !stat.is_ok_and(|stat| stat.zombie) {
                give(pid, group);
            }
        });
    }
}

/// The process group of a process: from the kernel itself, for less than a look at its file costs.
fn group_of(pid: u32) -> Option<u32> {
    let group = getpgid(Some(Pid::from_raw(i32::try_from(pid).ok()?))).ok()?; // else it is gone
    u32::try_from(group.as_raw()).ok()
}

/// The name of a signal, or its number.
fn name_of(signal: i32) -> Text<16> {
    let mut text = Text::new();
    match signals::name(signal) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_whose_number_is_another_processes_by_now_is_not_that_of_run() {
        let left = |pid, orphans| Run { pid, spare: [0; 3], orphans }.may_have_left();
        let group = u32::try_from(nix::unistd::getpgrp().as_raw()).unwrap();
        // There is such a group: ours. It was not led by a run that is dead if it has a leader.
        let led = procfs::process(group).is_ok_and(|leader| !leader.zombie);
        assert_eq!(left(group, Orphans::Anybodys), !led && group > 1);
        assert!(!left(0x3fff_fffe, Orphans::Anybodys), "above all pids");
        assert!(!left(0, Orphans::Anybodys), "none has run yet");
        assert!(left(group, Orphans::TheServices), "it has to be looked at");
    }
}
