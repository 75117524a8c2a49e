//! The cgroups of services, cgroups(7) version 2: where one is in another than its supervisor, that is its own.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use common::procfs;
use common::quantity::number;
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};

const ROOT: &str = "/sys/fs/cgroup";

/// What the processes of a cgroup use.
pub(super) struct Cgroup {
    /// Its path, from the root of all.
    pub(super) path: Vec<u8>,
    /// Of each what the kernel counts there.
    pub(super) cpu: Option<Duration>,
    pub(super) memory: Option<u64>,
}

/// A cgroup with a supervisor in it: its path, and its processes, sorted.
struct Group(Vec<u8>, Vec<u32>);

/// The cgroups of supervisors, each with its processes: so a service that is where its supervisor is costs nothing.
pub(super) struct Cgroups {
    there: bool,
    of: HashMap<u32, Option<Group>>,
}

impl Cgroups {
    pub(super) fn new() -> Self {
        // Only there are the files that are read below.
        let there = statfs(ROOT).is_ok_and(|system| system.filesystem_type() == CGROUP2_SUPER_MAGIC);
        Self { there, of: HashMap::new() }
    }

    /// The cgroup of a process that is in another one than its supervisor.
    pub(super) fn own(&mut self, pid: u32, supervisor: u32) -> Option<Cgroup> {
        if !self.there || supervisor == 0 {
            return None;
        }
        let Group(of_supervisor, members) = self
            .of
            .entry(supervisor)
            .or_insert_with(|| {
                let path = path(supervisor)?;
                let members = file(&path, "cgroup.procs").unwrap_or_default();
                let mut members: Vec<u32> = members.split(|byte| *byte == b'\n').filter_map(number).collect();
                members.sort_unstable();
                Some(Group(path, members))
            })
            .as_ref()?;
        if members.binary_search(&pid).is_ok() {
            return None;
        }
        let path = path(pid).filter(|path| path != of_supervisor)?;
        let stat = file(&path, "cpu.stat").unwrap_or_default();
        let usage = stat.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"usage_usec "));
        let memory = file(&path, "memory.current");
        Some(Cgroup {
            cpu: usage.and_then(number).map(Duration::from_micros),
            memory: memory.and_then(|text| number(text.trim_ascii())),
            path,
        })
    }
}

/// The path of the cgroup of a process. None where the kernel has no version 2, or the process has ended.
fn path(pid: u32) -> Option<Vec<u8>> {
    let text = procfs::file_of(pid, "cgroup", 1 << 14).ok()?;
    text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"0::")).map(<[u8]>::to_vec)
}

/// A file of a cgroup; none where it is not there, as that of a controller that is not enabled.
fn file(path: &[u8], name: &str) -> Option<Vec<u8>> {
    let relative = OsStr::from_bytes(path.strip_prefix(b"/").unwrap_or(path));
    fs::read(Path::new(ROOT).join(relative).join(name)).ok()
}
