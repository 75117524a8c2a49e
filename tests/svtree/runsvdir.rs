//! svtree by the name of runit's program.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::Signal::{SIGHUP, SIGTERM};

use super::harness::{LOGGER, PUPPET, Tree};
use crate::support::*;

fn runsvdir(args: &[&str]) -> Command {
    let mut command = link("svtree");
    command.arg0("runsvdir").args(args);
    command
}

/// A tree of one service that runsvdir has started, and the pid of that service.
fn tree(args: &[&str]) -> (Tree, u32) {
    let mut tree = Tree::prepare(&[("a/run", PUPPET)]);
    tree.supervise_by(tree.adopt(runsvdir(args)));
    let service = tree.started(1, "a");
    (tree, service)
}

#[test]
fn hup_stops_all_and_exits_111() {
    let (mut tree, _) = tree(&["-P", "tree"]);
    tree.signal(SIGHUP);
    assert_eq!(tree.ended(), 111, "{}", tree.report());
    tree.assert_nothing_left();
    assert_eq!(tree.count("stop a"), 1, "{}", tree.report());
}

#[test]
fn term_leaves_all_running_for_the_next_tree() {
    let (mut tree, service) = tree(&["tree"]);
    tree.signal(SIGTERM);
    assert_eq!(tree.ended(), 0, "{}", tree.report());
    assert!(lives(service), "{}", tree.report());
    tree.supervise();
    assert_eq!((tree.until_run("a"), tree.count("start a")), (service, 1), "{}", tree.report());
    tree.stop();
}

#[test]
fn the_log_is_taken_and_never_shown_in_the_arguments() {
    let log = "log: ...........";
    let (mut tree, _) = tree(&["-P", "tree", log]);
    tree.add("b", &[("run", PUPPET), ("needs", "nobody\n")]);
    tree.until("a message", || tree.said("b: needs nobody: no such service") == 1);
    let arguments = fs::read(format!("/proc/{}/cmdline", tree.supervisor())).unwrap();
    assert_eq!(String::from_utf8_lossy(&arguments), format!("runsvdir\0-P\0tree\0{log}\0"));
    tree.signal(SIGHUP);
    assert_eq!(tree.ended(), 111, "{}", tree.report());
}

#[test]
fn the_lines_about_ends_name_the_program_by_whatever_name_it_was_called() {
    for name in ["runsvdir", "svtree"] {
        let mut tree = Tree::prepare(&[("a/run", PUPPET), ("a/log/run", LOGGER), ("b/run", PUPPET)]);
        let mut command = tree.adopt(link("svtree"));
        tree.supervise_by({
            command.arg0(name).arg("tree");
            command
        });
        tree.started(1, "a");
        tree.started(1, "b");
        tree.tell("a", "exit 3");
        tree.tell("b", "exit 4");
        tree.started(2, "a");
        tree.started(2, "b");
        tree.until("a line", || tree.text("logged.a").starts_with("warning: svtree: run exited 3 after "));
        assert_eq!(tree.said("b: warning: svtree: run exited 4 after "), 1, "{}", tree.stderr());
        tree.signal(if name == "svtree" { SIGTERM } else { SIGHUP });
        tree.ended();
        tree.assert_nothing_left();
    }
}

#[test]
fn its_statuses_are_those_of_runit() {
    for (args, status) in [(&[][..], 1), (&["-x", "tree"], 1), (&["a", "b", "c"], 1), (&["/no/such"], 100)] {
        let outcome = run(&mut runsvdir(args));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (status, ""), "{args:?}");
        assert!(outcome.stderr.starts_with("runsvdir: "), "{}", outcome.stderr);
    }
}
