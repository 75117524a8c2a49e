//! What the filters cost, beside daemontools' and s6's: the time for many lines from a file, and system calls.
//!
//! Input and output are files in `/dev/shm`; what is timed is done in turn, round after round, and medians are quoted.
//! `LINES` is how many, else 2,000,000.
#![allow(clippy::print_stdout, reason = "it prints a table")]

#[allow(dead_code, reason = "the benchmarks share it")]
mod support;

use std::env;
use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use support::{Guard, Table, lines, strace};

const ROUNDS: usize = 5;
/// Lines for a count of system calls.
const COUNTED: u32 = 100_000;

fn main() {
    let work = tempfile::tempdir_in("/dev/shm").expect("a directory in /dev/shm");
    let _guard = Guard::new([work.path().to_owned()]);
    let ours = env::var_os("BUILD").map_or_else(|| "target/catena".into(), PathBuf::from).join("bin");
    let columns =
        [("catena", ours, ""), ("daemontools", "/usr/bin".into(), ""), ("s6", "/usr/bin".into(), "s6-")];
    let columns: Vec<_> =
        columns.into_iter().filter(|(_, at, prefix)| at.join(format!("{prefix}tai64n")).exists()).collect();
    let mut table = Table::new(columns.iter().map(|(name, ..)| *name).collect());
    let count = env::var("LINES").ok().and_then(|lines| lines.parse().ok()).unwrap_or(2_000_000);
    for (filter, what, input) in [
        ("tai64n", "tai64n", text as fn(u32) -> String),
        ("tai64nlocal", "tai64nlocal, 1000 lines a second", |lines| stamped(lines, 1000)),
        ("tai64nlocal", "tai64nlocal, a line a second", |lines| stamped(lines, 1)),
        ("tai64nlocal", "tai64nlocal, no stamps", text),
    ] {
        let program = |(_, at, prefix): &(&str, PathBuf, &str)| at.join(format!("{prefix}{filter}"));
        let (from, to) = (work.path().join("input"), work.path().join("output"));
        fs::write(&from, input(count)).expect("room in /dev/shm");
        let mut times = table.empty();
        for round in 0..=ROUNDS {
            for (column, times) in columns.iter().zip(&mut times) {
                let time = run(Command::new(program(column)), &from, &to);
                if round > 0 {
                    times.push(time);
                }
            }
        }
        table.medians(format!("{what}: s"), 2, times);
        fs::write(&from, input(COUNTED)).expect("room in /dev/shm");
        let calls = columns.iter().map(|column| {
            let log = work.path().join("log");
            run(strace(&program(column), &log), &from, &to);
            Some(f64::from(u32::try_from(lines(&log).len()).unwrap_or(0)) * 1000.0 / f64::from(COUNTED))
        });
        let calls = calls.collect();
        table.row(format!("{what}: system calls for 1000 lines"), 1, calls);
    }
    table.print();
}

/// The time that a filter takes for a file.
fn run(mut filter: Command, from: &Path, to: &Path) -> f64 {
    let (input, output) = (File::open(from).expect("the input"), File::create(to).expect("an output"));
    let begin = Instant::now();
    let status = filter.env("TZ", "Europe/Berlin").stdin(input).stdout(output).status().expect("a filter");
    let time = begin.elapsed().as_secs_f64();
    assert!(status.success());
    let grown = fs::metadata(to).expect("the output").len() >= fs::metadata(from).expect("the input").len();
    assert!(grown, "a part of the output is missing");
    time
}

fn text(lines: u32) -> String {
    (0..lines).fold(String::new(), |mut text, i| {
        let _ =
            writeln!(text, "{i:08} a line of a log, with as much text in it as such lines have on average");
        text
    })
}

/// Lines with stamps, so many of each second.
fn stamped(lines: u32, each: u32) -> String {
    (0..lines).fold(String::new(), |mut text, i| {
        let (second, nano) = (0x6b02_c433 + i / each, i % each * 999_983);
        let _ = writeln!(
            text,
            "@40000000{second:08x}{nano:08x} a line of a log, with as much text in it as usual"
        );
        text
    })
}
