//! The sweep at the end of the tree, when it is process 1 or acts as one: whatever else lives below is asked to end, and
//! killed if it does not. It comes twice: once all services are down, for all but their loggers, since those wait for
//! the end of a pipe that others may hold; and, when the loggers have ended, for what is left.

use common::{process, procfs, signals};
use nix::errno::Errno;

/// How long what was sent TERM may take at most, in milliseconds, if the time for the stop allows it.
const GRACE: u64 = 2000;
/// How long the end of what was sent KILL is waited for, in milliseconds, whatever the time.
const SETTLING: u64 = 500;

/// How far the sweep has come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// Nobody has looked yet.
    Due,
    /// TERM was sent; then KILL comes at that time.
    Asked(u64),
    /// KILL was sent; at that time nobody waits any longer.
    Killed(u64),
    /// Nothing is left, or nothing more can be done.
    Over,
}

/// What is done to all that is left.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    Ask,
    Kill,
    Nothing,
}

/// What is due, at `now`: the next stage, and the deed. `left`: something lives; `end`: when the time for the stop is over.
///
/// ```text
/// stage       nothing is left   something is left
/// Due         Over              Ask, Asked(in GRACE, at the end at the latest); at the end or later: Kill, Killed
/// Asked(t)    Over              before t: -; from t on: Kill, Killed(in SETTLING)
/// Killed(t)   Over              before t: Kill (its children are ours now); from t on: Over
/// Over        Over              Over
/// ```
fn next(stage: Stage, left: bool, now: u64, end: u64) -> (Stage, Deed) {
    let killed = (Stage::Killed(now.saturating_add(SETTLING)), Deed::Kill);
    match stage {
        _ if !left => (Stage::Over, Deed::Nothing),
        Stage::Due if now >= end => killed,
        Stage::Due => (Stage::Asked(end.min(now.saturating_add(GRACE))), Deed::Ask),
        Stage::Asked(until) if now >= until => killed,
        Stage::Killed(until) if now < until => (stage, Deed::Kill),
        Stage::Asked(_) => (stage, Deed::Nothing),
        Stage::Killed(_) | Stage::Over => (Stage::Over, Deed::Nothing),
    }
}

/// What the sweep reaches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reach<'a> {
    /// Every process: this one is process 1.
    All,
    /// Those that descend from this one, which is a subreaper, but for these children and what descends from them.
    Descendants(&'a [u32]),
}

/// The sweep.
#[derive(Debug)]
pub(super) struct Sweep {
    stage: Stage,
    /// When the time for the stop is over: monotonic, ms.
    end: u64,
}

impl Sweep {
    /// A sweep that has not begun, of which all is killed at `end`: monotonic, ms.
    pub(super) fn new(end: u64) -> Self {
        Self { stage: Stage::Due, end }
    }

    /// Does what is due: at the start, after each death of a child, and at [`Sweep::deadline`]. Whether it is over.
    pub(super) fn go_on(&mut self, reach: Reach, now: u64) -> bool {
        if self.is_over() {
            return true;
        }
        let (stage, deed) = next(self.stage, reach.is_anybody(), now, self.end);
        self.stage = stage;
        match deed {
            Deed::Ask => {
                reach.send(signals::TERM);
                reach.send(signals::CONT); // what is stopped learns of it, too
            }
            Deed::Kill => reach.send(signals::KILL),
            Deed::Nothing => {}
        }
        self.is_over()
    }

    /// Whether nothing more comes.
    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// When something is due without a death: monotonic, ms.
    pub(super) fn deadline(&self) -> Option<u64> {
        match self.stage {
            Stage::Due => Some(0),
            Stage::Asked(until) | Stage::Killed(until) => Some(until),
            Stage::Over => None,
        }
    }
}

impl Reach<'_> {
    /// All that there may be.
    pub(super) fn whole() -> Self {
        if std::process::id() == 1 { Self::All } else { Self::Descendants(&[]) }
    }

    /// Whether anything lives that is reached. Without /proc no descendant is found: nothing can be done about those.
    fn is_anybody(self) -> bool {
        match self {
            Self::All => process::kill_all(0) != Err(Errno::ESRCH),
            Self::Descendants(spare) => {
                let mut found = false;
                let lives = |pid| procfs::process(pid).is_ok_and(|process| !process.zombie);
                procfs::children(|pid| found |= !spare.contains(&pid) && lives(pid));
                found
            }
        }
    }

    /// Sends a signal to all. It reaches what it may reach, and what is gone meanwhile needs none: each look at what is
    /// left tells the rest.
    fn send(self, signal: i32) {
        match self {
            Self::All => {
                let _ = process::kill_all(signal);
            }
            Self::Descendants(spare) => {
                for (pid, parent) in descendants(spare) {
                    let _ = send_below(pid, parent, signal);
                }
            }
        }
    }
}

/// All descendants of this process but for these children and theirs, each with its parent, parents first.
fn descendants(spare: &[u32]) -> Vec<(u32, u32)> {
    let mut all = Vec::new();
    let own = std::process::id();
    procfs::children(|pid| all.push((pid, own)));
    all.retain(|(pid, _)| !spare.contains(pid));
    let mut at = 0;
    while let Some(&(parent, _)) = all.get(at) {
        procfs::children_of(parent, |pid| all.push((pid, parent)));
        at += 1;
    }
    all
}

/// Sends a signal to a process, if it still is the child of `parent`, or has become ours: its number may be another's by
/// now, which the pidfd holds as it is while we look. Where a container's filter knows no pidfds, only our own children
/// are reached, whose numbers are theirs until we wait for them; the others become ours as their parents end.
fn send_below(pid: u32, parent: u32, signal: i32) -> nix::Result<()> {
    use std::os::fd::AsFd;
    let own = std::process::id();
    let parent_now = || procfs::process(pid).map(|process| process.parent);
    match process::pidfd(pid) {
        Ok(pidfd) => {
            let now = parent_now()?;
            if now == parent || now == own { process::signal_pidfd(pidfd.as_fd(), signal) } else { Ok(()) }
        }
        Err(Errno::ENOSYS | Errno::EPERM) if parent_now()? == own => process::kill_child(pid, signal),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_a_table() {
        use Deed::{Ask, Kill, Nothing};
        use Stage::{Asked, Due, Killed, Over};
        let end = 10_000;
        for (stage, left, now, expected) in [
            (Due, true, 1000, (Asked(3000), Ask)),
            (Due, true, 9000, (Asked(end), Ask)), // never beyond the time for the stop
            (Due, true, end, (Killed(end + 500), Kill)),
            (Due, true, end + 7, (Killed(end + 507), Kill)),
            (Due, false, 1000, (Over, Nothing)),
            (Asked(3000), true, 2999, (Asked(3000), Nothing)), // TERM comes once
            (Asked(3000), true, 3000, (Killed(3500), Kill)),
            (Asked(3000), false, 1500, (Over, Nothing)),
            (Killed(3500), true, 3400, (Killed(3500), Kill)),
            (Killed(3500), true, 3500, (Over, Nothing)),
            (Killed(3500), false, 3400, (Over, Nothing)),
            (Over, true, 3400, (Over, Nothing)),
            (Over, false, 3400, (Over, Nothing)),
        ] {
            assert_eq!(next(stage, left, now, end), expected, "{stage:?} {left} {now}");
        }
    }

    #[test]
    fn a_sweep_ends_whatever_is_left() {
        for end in [0, 500, 1_000_000, u64::MAX] {
            let (mut sweep, mut now) = (Sweep::new(end), 1000);
            while sweep.stage != Stage::Over {
                (sweep.stage, _) = next(sweep.stage, true, now, end);
                now = sweep.deadline().unwrap_or(now).max(now);
            }
            assert!(now <= 1000 + GRACE + SETTLING, "{end}: {now}");
        }
    }
}
