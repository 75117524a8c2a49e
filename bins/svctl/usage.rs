//! What the processes of a service are, and what they use.

use std::time::Duration;

use super::cgroups::Cgroups;
use super::json::{Value, list, number, object, text};
use super::processes::{Process, Processes, Reading, Words, command};
use super::seen::Seen;
use super::{amounts, status::Status};

/// The processes of a service: the one that its supervisor has started, and all that descend from it.
pub(super) struct Usage {
    /// Each behind its parent, and how far each is from the first.
    pub(super) family: Vec<(usize, Process)>,
    /// The command line of the first; empty where it cannot be known.
    pub(super) command: Words,
    pub(super) cpu: Duration,
    /// In bytes.
    pub(super) memory: u64,
    /// The cgroup whose numbers these are; none where they are sums over processes.
    pub(super) cgroup: Option<Vec<u8>>,
}

/// Where they are looked up.
pub(super) struct Usages {
    processes: Processes,
    cgroups: Cgroups,
}

impl Usages {
    /// Reads all processes.
    pub(super) fn read() -> Self {
        Self { processes: Processes::read(), cgroups: Cgroups::new() }
    }

    /// The processes of a service; none where none runs, or nothing is known of it.
    pub(super) fn of_seen(&mut self, seen: &Seen) -> Option<Usage> {
        let status = seen.running()?;
        self.of(status, command(status.pid).ok())
    }

    /// The same of several.
    pub(super) fn of_all(&mut self, all: &[&Seen]) -> Vec<Option<Usage>> {
        all.iter().map(|seen| self.of_seen(seen)).collect()
    }

    /// The same, which were seen since `reading` has begun.
    pub(super) fn of_each(reading: Reading, all: &[&Seen]) -> Vec<Option<Usage>> {
        let running = all.iter().map(|seen| seen.running());
        let pids: Vec<u32> = running.clone().flatten().map(|status| status.pid).collect();
        let (processes, commands) = reading.end(&pids);
        let (mut usages, mut commands) = (Self { processes, cgroups: Cgroups::new() }, commands.into_iter());
        running.map(|status| usages.of(status?, commands.next())).collect()
    }

    fn of(&mut self, status: &Status, command: Option<Words>) -> Option<Usage> {
        let family = self.processes.family(status.pid);
        if family.is_empty() {
            return None;
        }
        let cgroup = self.cgroups.own(status.pid, status.supervisor());
        let cpu = family.iter().map(|(_, process)| process.cpu).sum();
        let memory = || family.iter().map(|(_, process)| process.memory()).sum::<u64>();
        Some(Usage {
            // It may have ended meanwhile.
            command: command.unwrap_or_default(),
            cpu: cgroup.as_ref().and_then(|cgroup| cgroup.cpu).unwrap_or(cpu),
            memory: cgroup.as_ref().and_then(|cgroup| cgroup.memory).unwrap_or_else(memory),
            cgroup: cgroup.map(|cgroup| cgroup.path),
            family,
        })
    }
}

/// The members of a service's object that tell of its processes: null where nothing runs.
pub(super) fn members(usage: Option<&Usage>) -> Vec<(&'static str, Value)> {
    let of = |value: fn(&Usage) -> Value| usage.map_or(Value::Null, value);
    vec![
        ("command", of(|usage| words(&usage.command))),
        ("processes", of(|usage| number(usage.family.len()))),
        ("cpu", of(|usage| number(amounts::seconds(usage.cpu)))),
        ("memory", of(|usage| number(usage.memory))),
        ("cgroup", of(|usage| usage.cgroup.as_ref().map_or(Value::Null, |path| text(path)))),
    ]
}

/// The processes as a list of objects, each behind its parent.
pub(super) fn tree(usage: &Usage) -> Value {
    list(usage.family.iter().map(|(depth, process)| {
        object([
            ("pid", number(process.pid)),
            ("depth", number(depth)),
            ("command", command(process.pid).map_or(Value::Null, |command| words(&command))),
            ("cpu", number(amounts::seconds(process.cpu))),
            ("memory", number(process.memory())),
        ])
    }))
}

fn words(command: &Words) -> Value {
    if command.is_empty() { Value::Null } else { list(command.each().map(text)) }
}
