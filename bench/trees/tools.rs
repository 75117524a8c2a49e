//! Clocks, and what /proc says of the machine and of the processes below this one.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};

/// The processes below this one that are neither services nor loggers.
pub(crate) fn supervisors() -> Vec<u32> {
    let mut parents = HashMap::new();
    let pids = fs::read_dir("/proc").expect("/proc").flatten();
    for pid in pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let Some((comm, rest)) = stat.rsplit_once(')') else { continue };
        let name = comm.split_once('(').map_or("", |(_, name)| name).to_owned();
        let parent = rest.split_whitespace().nth(1).and_then(|ppid| ppid.parse::<u32>().ok());
        parents.insert(pid, (parent.unwrap_or(0), name));
    }
    let ours = |pid: u32| {
        let mut at = parents.get(&pid).map_or(0, |(parent, _)| *parent);
        while at > 1 && at != std::process::id() {
            at = parents.get(&at).map_or(0, |(parent, _)| *parent);
        }
        at == std::process::id()
    };
    let services: HashSet<&str> = ["run", "stays", "log"].into_iter().collect();
    parents
        .iter()
        .filter(|(pid, (_, name))| !services.contains(&name[..]) && ours(**pid))
        .map(|(pid, _)| *pid)
        .collect()
}
pub(crate) fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).expect("a clock").into()
}

pub(crate) fn milliseconds(from: Duration, to: Duration) -> f64 {
    to.saturating_sub(from).as_secs_f64() * 1e3
}

/// The CPU time of all children that have ended, in milliseconds.
pub(crate) fn cpu() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage");
    let all = usage.user_time() + usage.system_time();
    f64::from(i32::try_from(all.num_milliseconds()).expect("less than a week"))
}

/// The memory that nothing but an end gives back, of all processes and of the kernel for them, in kB. What the kernel takes
/// for available varies by more with what is in the page cache.
pub(crate) fn memory() -> f64 {
    let text = fs::read_to_string("/proc/meminfo").expect("/proc");
    let number = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kilo = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kilo.expect("a number")
    };
    ["AnonPages", "Shmem", "SUnreclaim", "KernelStack", "PageTables", "Percpu"].map(number).iter().sum()
}
