//! Processes: which there are, what /proc says of one, and signals.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use memchr::memmem;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::in_time;

/// The processes that have this directory as `$D`, or a cwd in it.
pub(crate) fn processes_of(directory: &Path) -> Vec<u32> {
    let mark = [b"\0D=", directory.as_os_str().as_bytes(), b"\0"].concat();
    let directory = directory.canonicalize().unwrap();
    // All that there are, for each test: without a look at the entries one by one.
    let mark = memmem::Finder::new(&mark);
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|process| process.file_name().to_str()?.parse().ok());
    let mut entries = Vec::new();
    let mut ours = |pid: &u32| {
        if fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(&directory)) {
            return true;
        }
        entries.clear();
        entries.push(0);
        let read =
            File::open(format!("/proc/{pid}/environ")).and_then(|mut all| all.read_to_end(&mut entries));
        read.is_ok() && mark.find(&entries).is_some()
    };
    let mut pids: Vec<u32> = pids.filter(|pid| ours(pid)).collect();
    pids.sort_unstable();
    pids
}

/// Kills the processes of [`processes_of`] until there is none.
pub(crate) fn kill_processes_of(directory: &Path) {
    in_time(|| {
        let left = processes_of(directory);
        for pid in &left {
            let _ = kill(Pid::from_raw(i32::try_from(*pid).unwrap()), Signal::SIGKILL); // it may have ended
        }
        left.is_empty()
    });
}

pub(crate) fn send_signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
}

/// Whether this process is there, a zombie not.
pub(crate) fn lives(pid: u32) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

/// The letter of a process's state.
pub(crate) fn state(pid: u32) -> Option<char> {
    fs::read_to_string(format!("/proc/{pid}/stat")).ok()?.rsplit_once(") ")?.1.chars().next()
}

pub(crate) fn parent(pid: u32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap()
}

/// The words of a process, of a zombie none.
pub(crate) fn cmdline(pid: u32) -> String {
    // In the middle of an exec there are none, and spawn returns there already.
    in_time(|| !cmdline_now(pid).is_empty() || !lives(pid));
    cmdline_now(pid)
}

/// The same, also in the middle of an exec.
pub(crate) fn cmdline_now(pid: u32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ").trim_end().to_owned()
}

/// The files that a process has open.
pub(crate) fn files_of(pid: u32) -> Vec<String> {
    open_of(pid).map(|file| file.to_string_lossy().into_owned()).collect()
}

fn open_of(pid: u32) -> impl Iterator<Item = PathBuf> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.filter_map(|fd| fs::read_link(fd.path()).ok())
}

/// How many other processes hold this pipe.
pub(crate) fn holders(pipe: &str) -> usize {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|process| process.file_name().to_str()?.parse().ok());
    let others = pids.filter(|pid| *pid != std::process::id());
    others.filter(|pid| open_of(*pid).any(|file| file.as_os_str() == pipe)).count()
}

/// The resident memory of a process, in kB.
pub(crate) fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

/// How often a process has called write and its like.
pub(crate) fn writes(pid: u32) -> u64 {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    io.lines().find_map(|line| line.strip_prefix("syscw: ")).unwrap().parse().unwrap()
}
