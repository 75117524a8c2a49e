//! The upgrade: another program in the same process.

use std::fs;

use super::harness::{LOGGER, PUPPET, Tree};
use crate::needs;
use crate::support::*;

/// How many fds svtree has open.
fn fds(tree: &Tree) -> usize {
    fs::read_dir(format!("/proc/{}/fd", tree.supervisor())).unwrap().count()
}

#[test]
fn an_upgrade_restarts_nothing_and_the_loggers_still_read_to_the_end() {
    let mut tree = Tree::start(&[
        ("db/run", PUPPET),
        ("db/log/run", LOGGER),
        ("web/run", PUPPET),
        ("web/needs", "db\n"),
        ("web/log/run", LOGGER),
    ]);
    let services = [tree.started(1, "db"), tree.started(1, "web")];
    for service in ["db", "web"] {
        tree.nth(1, &format!("log start {service}"));
    }
    let (supervisor, before) = (tree.supervisor(), fds(&tree));
    let outcome = tree.client("svctl", &["upgrade", "./db"]);
    assert_eq!(outcome.status, 0, "{}\n{}", outcome.stdout, tree.report());
    tree.until_names(&["db", "web"]);
    assert_eq!(
        (tree.until_run("db"), tree.until_run("web"), tree.supervisor()),
        (services[0], services[1], supervisor)
    );
    tree.until("no fd is left over", || fds(&tree) <= before);
    tree.tell("web", "echo the last words");
    tree.until("it is said", || tree.text("logged.web").contains("the last words"));
    tree.stop();
    assert_eq!(tree.lines()[tree.lines().len() - 2..], ["stop web", "stop db"], "{}", tree.report());
    assert_eq!(tree.said("SIGKILL"), 0, "{}", tree.report());
}

/// How often a tree of so many services looks for a file by a path in an upgrade: under a tracer, which counts what does not
/// depend on clients and times.
fn lookups(count: usize) -> usize {
    let mut tree = Tree::prepare(&[]);
    script(&tree.path("run"), &format!("#!{}\n", bin().join("pause").display()));
    let names: Vec<String> = (0..count).map(|i| format!("s{i:02}")).collect();
    for name in &names {
        fs::create_dir(tree.at(name)).unwrap();
        fs::hard_link(tree.path("run"), tree.at(name).join("run")).unwrap();
    }
    let tracer = ["strace", "-D", "-qq", "-e", "signal=none", "-e", "trace=%file", "-o", "calls", "--"];
    tree.supervise_by(tree.command_behind(&tracer));
    let hosted = || tree.try_list().is_some_and(|list| list.len() == count);
    tree.until("all of them", hosted);
    tree.connect().say("upgrade\n").unwrap();
    let next = || tree.text("calls").lines().filter(|line| line.starts_with("execve(")).count() == 2;
    tree.until("the next program", next);
    tree.until("all of them once more", hosted);
    let calls = tree.text("calls");
    let after = calls.rsplit("execve(").next().unwrap();
    let lookups = after.lines().filter(|line| !line.contains("AT_EMPTY_PATH")).count();
    tree.stop();
    lookups
}

/// It is what an upgrade of many services takes most of its time for: few have any of the files that may be missing.
#[test]
fn an_upgrade_looks_for_no_more_than_twenty_files_of_a_service_of_run_alone() {
    needs!(tool("strace"));
    let [few, many] = [5, 25].map(lookups);
    assert!((many - few) / 20 <= 20, "{few} with 5 services, {many} with 25");
}
