//! The state of a process, as a text.

use std::ffi::{CStr, OsStr};
use std::fmt::{Display, Write};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use caps::{CapSet, Capability};
use common::process;
use nix::sys::prctl;
use nix::sys::resource::{Resource as R, getrlimit};
use nix::sys::stat::{Mode, stat, umask};
use nix::unistd::{Pid, getcwd, getgroups, getpgrp, getpid, getppid, getresgid, getresuid, getsid};

/// The lines of /proc/self/status that are state and not measurement.
const STATUS: [&str; 18] = [
    "SigPnd",
    "ShdPnd",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "Uid",
    "Gid",
    "Groups",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
    "THP_enabled",
    "Cpus_allowed",
    "Mems_allowed",
];

/// The fields of /proc/self/stat, counted from that after the program's name.
const STAT: [(&str, usize); 4] = [("terminal", 4), ("nice", 16), ("priority", 37), ("policy", 38)];

/// `SCHED_RESET_ON_FORK` of linux/sched.h.
const RESET_ON_FORK: i32 = 0x4000_0000;

const LIMITS: [R; 16] = [
    R::RLIMIT_AS,
    R::RLIMIT_CORE,
    R::RLIMIT_CPU,
    R::RLIMIT_DATA,
    R::RLIMIT_FSIZE,
    R::RLIMIT_LOCKS,
    R::RLIMIT_MEMLOCK,
    R::RLIMIT_MSGQUEUE,
    R::RLIMIT_NICE,
    R::RLIMIT_NOFILE,
    R::RLIMIT_NPROC,
    R::RLIMIT_RSS,
    R::RLIMIT_RTPRIO,
    R::RLIMIT_RTTIME,
    R::RLIMIT_SIGPENDING,
    R::RLIMIT_STACK,
];

const SETS: [(&str, CapSet); 5] = [
    ("bounding", CapSet::Bounding),
    ("inheritable", CapSet::Inheritable),
    ("permitted", CapSet::Permitted),
    ("effective", CapSet::Effective),
    ("ambient", CapSet::Ambient),
];

/// The state of this process, with the words of its command line, one item a line. Two runs from one parent give the same if the
/// state is the same: its own pid is `self`, its parent's `parent`, and pipes are numbered in the order of their fds, as are sockets. Without /proc what
/// needs it is left out. The timers of setitimer(2) are not there: no safe call reads them.
pub(crate) fn of(words: &[&CStr]) -> String {
    let mut text = Text(String::new());
    for word in words {
        text.item("argv", word.to_bytes().escape_ascii());
    }
    if stat("/proc/self").is_ok() {
        from_proc(&mut text);
    }
    from_calls(&mut text);
    text.0
}

struct Text(String);

impl Text {
    fn item(&mut self, name: &str, value: impl Display) {
        let _ = writeln!(self.0, "{name} {value}"); // a String takes everything
    }

    fn result<T: Display, E: Display>(&mut self, name: &str, value: Result<T, E>) {
        match value {
            Ok(value) => self.item(name, value),
            Err(error) => self.item(name, format_args!("unknown: {error}")),
        }
    }
}

fn from_proc(text: &mut Text) {
    // The numbers first: the listing opens a fd itself, which is gone when they are looked at.
    let numbers = fs::read_dir("/proc/self/fd").map(|directory| {
        let names = directory.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut numbers: Vec<u32> = names.collect();
        numbers.sort_unstable();
        numbers
    });
    let mut pipes = Vec::new();
    for number in numbers.unwrap_or_default() {
        let Ok(target) = fs::read_link(format!("/proc/self/fd/{number}")) else { continue };
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or(" unknown").trim();
        let owner = stat(OsStr::new(&format!("/proc/self/fd/{number}")));
        let owner = owner.map_or("?".into(), |file| format!("{}:{}", file.st_uid, file.st_gid));
        text.item("fd", format_args!("{number} {flags} {owner} {}", named(target, &mut pipes)));
        for lock in info.lines().filter_map(|line| line.strip_prefix("lock:")) {
            // Its kind; then come a pid and the file.
            let kind: Vec<&str> = lock.split_whitespace().skip(1).take(3).collect();
            text.item("lock", format_args!("{number} {}", kind.join(" ")));
        }
    }
    let words = fs::read("/proc/self/cmdline").unwrap_or_default();
    text.item("argv0", words.split(|b| *b == 0).next().unwrap_or_default().escape_ascii());
    let file = fs::read_link("/proc/self/exe");
    text.result("file", file.map(|file| file.as_os_str().as_bytes().escape_ascii().to_string()));
    match fs::read("/proc/self/environ") {
        Ok(bytes) => {
            let entries = bytes.strip_suffix(b"\0").map(|bytes| bytes.split(|b| *b == 0));
            for entry in entries.into_iter().flatten() {
                let pid = entry
                    .strip_prefix(b"LISTEN_PID=")
                    .and_then(|pid| std::str::from_utf8(pid).ok()?.parse().ok());
                match pid {
                    Some(pid) => text.item("env", format_args!("LISTEN_PID={}", own(Pid::from_raw(pid)))),
                    None => text.item("env", entry.escape_ascii()),
                }
            }
        }
        Err(error) => text.item("env", format_args!("unknown: {error}")),
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    for name in STATUS {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        text.item(name, value.unwrap_or("unknown").split_whitespace().collect::<Vec<_>>().join(" "));
    }
    let line = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = line.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    for (name, place) in STAT {
        text.item(name, fields.get(place).unwrap_or(&"unknown"));
    }
    for file in ["oom_score_adj", "personality", "coredump_filter", "cgroup"] {
        let content = fs::read_to_string(format!("/proc/self/{file}"));
        text.result(file, content.map(|content| content.trim().escape_debug().to_string()));
    }
    for name in ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"] {
        let namespace = fs::read_link(format!("/proc/self/ns/{name}"));
        text.result("namespace", namespace.map(|namespace| namespace.display().to_string()));
    }
}

/// What a fd refers to; a pipe or socket by its place among those met so far, since its number is another in
/// each run.
#[allow(clippy::needless_pass_by_value, reason = "most are kept")]
fn named(target: PathBuf, met: &mut Vec<PathBuf>) -> String {
    let kind = target.to_str().and_then(|target| target.split_once(":["));
    let Some((kind, _)) = kind else { return target.as_os_str().as_bytes().escape_ascii().to_string() };
    let kind = kind.to_owned();
    if !met.contains(&target) {
        met.push(target.clone());
    }
    // A socket more changes nothing about the pipes.
    let of_kind =
        |other: &&PathBuf| other.to_str().is_some_and(|other| other.starts_with(&format!("{kind}:[")));
    let place = met.iter().filter(of_kind).position(|other| *other == target).unwrap_or_default();
    format!("{kind} {place}")
}

fn from_calls(text: &mut Text) {
    let mask = umask(Mode::empty());
    umask(mask);
    text.item("umask", format_args!("{:03o}", mask.bits()));
    for resource in LIMITS {
        let limit = getrlimit(resource).map(|(soft, hard)| format!("{resource:?} {soft} {hard}"));
        text.result("limit", limit);
    }
    text.result("cwd", getcwd().map(|path| path.as_os_str().as_bytes().escape_ascii().to_string()));
    for (name, path) in [("directory", "."), ("root", "/")] {
        text.result(name, stat(OsStr::new(path)).map(|file| format!("{:x}:{}", file.st_dev, file.st_ino)));
    }
    text.result("session", getsid(None).map(own));
    text.item("group", own(getpgrp()));
    text.result("uids", getresuid().map(|ids| format!("{} {} {}", ids.real, ids.effective, ids.saved)));
    text.result("gids", getresgid().map(|ids| format!("{} {} {}", ids.real, ids.effective, ids.saved)));
    let groups = getgroups().map(|groups| groups.iter().map(ToString::to_string).collect::<Vec<_>>());
    text.result("groups", groups.map(|groups| groups.join(" ")));
    for (name, set) in SETS {
        let set = caps::read(None, set);
        text.result(name, set.map(|set| set.iter().map(Capability::bitmask).sum::<u64>()).map(hex));
    }
    text.result("securebits", common::caps::securebits().map(|bits| format!("{bits:#x}")).map_err(|_| "?"));
    text.result("no_new_privs", prctl::get_no_new_privs());
    text.result("keepcaps", prctl::get_keepcaps());
    text.result("dumpable", prctl::get_dumpable());
    text.result("subreaper", prctl::get_child_subreaper());
    text.result("timerslack", prctl::get_timerslack());
    text.result("parent-death", common::signals::parent_death_signal());
    #[allow(clippy::disallowed_methods, reason = "there is no other that is safe; a real-time one is EINVAL")]
    let signal = prctl::get_pdeathsig();
    let io_priority = process::io_priority().map(|(class, level)| format!("{class} {level}"));
    text.result("io-priority", io_priority);
    // The policy itself is in /proc.
    text.result("reset-on-fork", process::policy().map(|policy| policy & RESET_ON_FORK != 0));
    text.result("parent-death", signal.map(|signal| signal.map_or(0, |signal| signal as i32)));
}

fn own(id: Pid) -> String {
    match id {
        id if id == getpid() => "self".into(),
        id if id == getppid() => "parent".into(),
        id => id.to_string(),
    }
}

fn hex(bits: u64) -> String {
    format!("{bits:016x}")
}
