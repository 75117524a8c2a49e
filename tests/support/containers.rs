//! Pid namespaces of a test's own, as containers have them.

use std::fs;
use std::process::Command;

use super::{in_time, prepared, prints, root, run, sh, tool};

/// Root, who may make pid namespaces.
pub(crate) fn namespaces() -> Result<(), String> {
    root()?;
    tool("unshare")?;
    let possible = run(prepared("unshare").args(["--pid", "--fork", "--mount-proc", "true"])).status == 0;
    if possible { Ok(()) } else { Err("a pid namespace".into()) }
}

/// The options of unshare for a pid namespace with a /proc of its own, which ends with unshare.
pub(crate) const CONTAINER: [&str; 4] = ["--pid", "--fork", "--kill-child", "--mount-proc"];

/// A command as process 1 of a pid namespace: unshare is its parent, and leaves with its status.
pub(crate) fn contained(command: &Command) -> Command {
    let mut contained = prepared("unshare");
    contained.args(CONTAINER).arg("--").arg(command.get_program()).args(command.get_args());
    contained
}

/// The pid, here, of the child of a process.
#[track_caller]
pub(crate) fn child(pid: u32) -> u32 {
    let children = || fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    assert!(
        in_time(|| children().split_whitespace().count() == 1),
        "the children of {pid}: {:?}",
        children()
    );
    children().trim().parse().unwrap()
}

/// Sends a signal by its name or number.
pub(crate) fn send(pid: u32, signal: &str) {
    assert_eq!(run(&mut sh(&format!("kill -s {signal} {pid}"))), prints(""));
}
