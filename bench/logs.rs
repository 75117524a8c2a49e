//! What it costs to read a log, beside grep: the time for many lines of which all, or few, are shown.
//!
//! Logs are in `/dev/shm`, as a log in the page cache is, and the output goes through a pipe to cat: to /dev/null grep would
//! end at the first line. What is timed is done in turn, round after round, and medians are quoted. `LINES` is how many,
//! else 12,000,000, which are 1 GB.
#![allow(clippy::print_stdout, reason = "it prints a table")]

#[allow(dead_code, reason = "the benchmarks share it")]
mod support;

use std::env;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use support::{Guard, Table, spent};

const ROUNDS: usize = 5;
/// Lines of a second.
const EACH: u32 = 1000;
/// The time of the first line, as a label and as the minute of a date in UTC.
const FIRST: u32 = 0x6b02_c414;
const HOURS: u32 = 10 * 60 + 29;

fn main() {
    let work = tempfile::tempdir_in("/dev/shm").expect("a directory in /dev/shm");
    let _guard = Guard::new([work.path().to_owned()]);
    let ours =
        env::var_os("BUILD").map_or_else(|| "target/catena".into(), PathBuf::from).join("bin/svctl-log");
    let count = env::var("LINES").ok().and_then(|lines| lines.parse().ok()).unwrap_or(12_000_000);
    let current = service(&work.path().join("web"));
    let mut table = Table::new(vec!["svctl log -g", "LC_ALL=C grep -F"]);
    for (what, stamp) in
        [("svlog -tt", date as fn(u32) -> String), ("svlog -t", label), ("no stamps", |_| String::new())]
    {
        write(&current, count, stamp);
        for (which, text) in [("all", "client="), ("one in 1000", "time=976ms"), ("none", "nothing")] {
            let (mut times, mut cpu) = (table.empty(), table.empty());
            for round in 0..=ROUNDS {
                let mut log = Command::new(&ours);
                log.args(["-g", text, "web"]).env("SVDIR", work.path()).env("TZ", "Europe/Berlin");
                let mut grep = Command::new("grep");
                grep.args(["-F", text]).arg(&current).env("LC_ALL", "C");
                for (column, program) in [log, grep].into_iter().enumerate() {
                    let (time, used) = run(program);
                    if round > 0 {
                        times[column].push(time);
                        cpu[column].push(used);
                    }
                }
            }
            table.medians(format!("{what}, lines shown: {which}: s"), 2, times);
            table.medians(format!("{what}, lines shown: {which}: CPU s"), 2, cpu);
        }
    }
    table.print();
}

/// A service with a logger, neither of which runs, and the file of its log.
fn service(directory: &Path) -> PathBuf {
    let main = directory.join("log/main");
    fs::create_dir_all(&main).expect("a service directory");
    for run in [directory.join("run"), directory.join("log/run")] {
        fs::write(&run, "#!/bin/sh\n").expect("a script");
        fs::set_permissions(run, fs::Permissions::from_mode(0o755)).expect("an executable");
    }
    main.join("current")
}

fn write(current: &Path, count: u32, stamp: fn(u32) -> String) {
    let mut file = BufWriter::new(File::create(current).expect("a log"));
    for i in 0..count {
        let (item, time, client) = (u64::from(i) * 7919 % 1_000_003, i % 1000, i % 251);
        writeln!(
            file,
            "{}GET /api/v1/items/{item} status=200 time={time}ms client=10.1.0.{client}",
            stamp(i)
        )
        .expect("room in /dev/shm");
    }
    file.flush().expect("room in /dev/shm");
}

/// A stamp of svlog -tt; the day is long enough for 48,000,000 lines.
fn date(i: u32) -> String {
    let (second, part) = (i / EACH, i % EACH * 100);
    let minute = HOURS + second / 60;
    format!("2026-11-22_{:02}:{:02}:{:02}.{part:05} ", minute / 60, minute % 60, second % 60)
}

/// The same of svlog -t.
fn label(i: u32) -> String {
    format!("@40000000{:08x}{:08x} ", FIRST + i / EACH, i % EACH * 1_000_000)
}

/// The time that a program takes to write to cat, and its CPU time.
fn run(mut program: Command) -> (f64, f64) {
    let begin = Instant::now();
    let mut program = program.stdout(Stdio::piped()).spawn().expect("a program");
    let lines = program.stdout.take().expect("a pipe");
    let mut cat = Command::new("cat").stdin(lines).stdout(Stdio::null()).spawn().expect("cat");
    let before = spent();
    let status = program.wait().expect("its end");
    let used = spent() - before;
    assert!(cat.wait().is_ok_and(|status| status.success()), "cat");
    assert!(matches!(status.code(), Some(0 | 1)), "{status}"); // 1: grep has found nothing
    (begin.elapsed().as_secs_f64(), used)
}
