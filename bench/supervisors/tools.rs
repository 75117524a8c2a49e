//! Clocks, requests, and what strace's lines tell.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use super::support::{is_call, parted};

pub(crate) fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).expect("a clock").into()
}

pub(crate) fn milliseconds(from: Duration, to: Duration) -> f64 {
    to.saturating_sub(from).as_secs_f64() * 1e3
}

pub(crate) fn micros(deed: impl FnOnce()) -> f64 {
    let start = Instant::now();
    deed();
    start.elapsed().as_secs_f64() * 1e6
}

/// The milliseconds that a command takes, if it succeeds.
pub(crate) fn succeeds(command: &mut Command) -> Option<f64> {
    let start = Instant::now();
    let status = command.stderr(Stdio::null()).status().ok()?;
    status.success().then(|| start.elapsed().as_secs_f64() * 1e3)
}

pub(crate) fn ask(connection: &mut UnixStream) {
    connection.write_all(b"status\n").expect("a request");
    let mut line = String::new();
    BufReader::new(connection).read_line(&mut line).expect("an answer");
    assert!(line.starts_with("{\"ok\":true"), "{line}");
}

pub(crate) fn count<T>(items: impl Iterator<Item = T>) -> f64 {
    f64::from(u32::try_from(items.count()).expect("few"))
}

/// Whether a line tells of a wait that ended by its time and by no event.
pub(crate) fn waited_in_vain(line: &str) -> bool {
    line.contains("(Timeout)") || line.contains("nanosleep(")
}

/// The system calls of the first process, and of the others before they have executed something.
pub(crate) fn supervisor_calls(lines: &[String]) -> u32 {
    let mut executed = HashSet::new();
    let first = lines.first().map(|line| parted(line).0);
    let mut count = 0;
    for (pid, rest) in lines.iter().map(|line| parted(line)) {
        count += u32::from(is_call(rest) && !executed.contains(pid));
        let execve = rest.starts_with("execve(") || rest.starts_with("<... execve resumed");
        if execve && rest.ends_with("= 0") && Some(pid) != first {
            executed.insert(pid);
        }
    }
    count
}
