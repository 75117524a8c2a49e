//! The upgrade: another program in the same process.

use std::fs;

use super::harness::{LOGGER, PUPPET, Tree};

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
