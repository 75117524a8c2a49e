#![cfg_attr(not(test), no_main)]
//! daemon: stands in for every program that a run script of the corpus ends in or calls, under that program's name. It
//! writes its state to `/state/NAME`, says a line on stdout and one on stderr, and does what the directory of its file
//! says: in `sbin` it stays, in `libexec` it starts its namesake of `sbin` and ends, elsewhere it ends.

use std::ffi::{CStr, OsStr};
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use common::{Cli, Exit, Link, Outcome};
use nix::unistd::{getppid, pause};

mod report;

const DAEMON: Link = Link {
    name: "daemon",
    usage: "[word...]",
    summary: "stand in for a daemon",
    options: common::options![],
    opens: false,
    lent: None,
    run,
};

common::main!(DAEMON);

fn run(cli: &mut Cli) -> Outcome<'_> {
    // In a root without /proc the name is all there is.
    let file = fs::read_link("/proc/self/exe")
        .unwrap_or_else(|_| Path::new("/sbin").join(OsStr::from_bytes(cli.called())));
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let directory = file.parent().and_then(Path::file_name).unwrap_or_default();
    if name != "pause" {
        // The words are taken by the report.
        let words: Vec<&'static CStr> = cli.line().collect();
        if directory == "libexec" {
            return start_namesake(&name, &words);
        }
        write_state(&name, &report::of(&words)).map_err(|error| failed(&name, &error))?;
    }
    if directory == "sbin" {
        loop {
            pause();
        }
    }
    Err(Exit::answer(0, String::new()))
}

/// As programs do that put themselves into the background; it ends once the other has written its state.
fn start_namesake(name: &str, words: &[&CStr]) -> Outcome<'static> {
    let word = |word: &&CStr| OsStr::from_bytes(word.to_bytes()).to_owned();
    let mut command = Command::new(Path::new("/usr/local/sbin").join(name));
    command.arg0(words.first().map(word).unwrap_or_default()).args(words.iter().skip(1).map(word));
    command.spawn().map_err(|error| failed(name, &error))?;
    while !state_file(name).exists() {
        thread::sleep(Duration::from_millis(10));
    }
    Err(Exit::answer(0, String::new()))
}

fn state_file(name: &str) -> PathBuf {
    Path::new("/state").join(name)
}

/// Writes the state; when the file is there it is complete, and the lines are said.
fn write_state(name: &str, report: &str) -> std::io::Result<()> {
    let command = |pid: &str| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let parent = command(&getppid().to_string());
    let mut root: Vec<_> = fs::read_dir("/")?.flatten().map(|entry| entry.file_name()).collect();
    root.sort_unstable();
    let lines = format!("command {}parent {parent}in-root {root:?}\n{report}", command("self"));
    // Each in one write, and closed ones are left closed.
    std::io::stdout().write_all(format!("{name}: ready\n").as_bytes())?;
    std::io::stderr().write_all(format!("{name}: error: none yet\n").as_bytes())?;
    let new = state_file(&format!("{name}.new"));
    fs::write(&new, lines)?;
    fs::rename(new, state_file(name))
}

fn failed(name: &str, error: &std::io::Error) -> Exit {
    Exit::fatal(format_args!("{name}: {error}"))
}
