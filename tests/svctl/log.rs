//! svctl-log: the logs of all loggers, from their files and as they come.

mod archives;
mod choice;
mod follow;
mod loggers;
mod missing;
mod terminal;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::harness::House;
use crate::support::*;

/// A time of these logs: 2026-11-22 10:30:01, and so many seconds later.
const BEGIN: u64 = 1_795_343_401;

/// A stamp of svlog -t.
fn label(second: u64) -> String {
    crate::svlog::harness::label(Duration::from_secs(BEGIN + second))
}

/// The name of an archive whose last line may be of this time.
fn archive(second: u64) -> String {
    format!("{}.s", label(second))
}

/// A log with these files, which nobody writes: it is found in a usual place.
fn log(house: &House, service: &str, files: &[(&str, &str)]) {
    house.write(&format!("{service}/run"), "");
    for (file, text) in files {
        house.write(&format!("{service}/log/main/{file}"), text);
    }
}

/// Lines with stamps, the first of this time and each a second later.
fn lines(first: u64, texts: &[&str]) -> String {
    let lines = texts.iter().zip(first..).map(|(text, second)| format!("{} {text}\n", label(second)));
    lines.collect()
}

/// svctl-log with these words, in UTC unless they say otherwise.
fn command(house: &House, words: &[&str]) -> Command {
    let mut command = house.command("svctl-log", "");
    command.args(words).env("TZ", "UTC0");
    command
}

/// What it prints.
fn shows(house: &House, words: &[&str]) -> String {
    let outcome = run(&mut command(house, words));
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{words:?}");
    outcome.stdout
}

/// The texts of what it prints, without their times.
fn texts(house: &House, words: &[&str]) -> Vec<String> {
    let time = "2026-11-22 10:30:01.000 ".len();
    let shown = shows(house, words);
    shown.lines().map(|line| line[if line.starts_with("2026-") { time } else { 0 }..].to_owned()).collect()
}

/// svctl-log -f, with its output in a file. Dropped, it ends.
struct Following(std::process::Child, std::path::PathBuf);

impl Following {
    /// Starts it, and waits until it waits for lines.
    fn start(house: &House, words: &[&str]) -> Self {
        let file = house.at("output");
        let output = fs::File::create(&file).unwrap();
        let child = command(house, &[&["-f"], words].concat()).stdout(output).spawn().unwrap();
        let following = Self(child, file);
        following.waits();
        following
    }

    fn waits(&self) {
        wait_until_in(self.0.id(), super::harness::LOOKING);
    }

    /// Does something in the log directory of `web` that it sees as a whole.
    #[track_caller]
    fn behind_its_back(&self, house: &House, script: &str) {
        send_signal(self.0.id(), Signal::SIGSTOP);
        assert_eq!(run_in(house.at("web/log/main"), &format!("set -e; {script}")), prints(""));
        send_signal(self.0.id(), Signal::SIGCONT);
    }

    /// Waits until the last line is this one; returns all.
    #[track_caller]
    fn until(&self, last: &str) -> Vec<String> {
        let mut found = String::new();
        let mut shown = || {
            found = text(Path::new(&self.1));
            found.ends_with(&format!("{last}\n"))
        };
        if !in_time(&mut shown) {
            let end = found.len().saturating_sub(300);
            panic!("not {last}, but {}", &found[end..]);
        }
        found.lines().map(str::to_owned).collect()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
