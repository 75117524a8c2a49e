//! The scan directory: which services there are.

use super::harness::*;
use crate::support::*;

#[test]
fn a_service_that_appears_runs_and_one_that_vanishes_is_told_to_exit() {
    let mut tree = Tree::start(&[("one/run", PUPPET)]);
    tree.started(1, "one");
    tree.add("two", &[("run", PUPPET), ("log/run", LOGGER), ("finish", FINISH)]);
    tree.started(1, "two");
    tree.until_names(&["one", "two"]);
    tree.tell("two", "echo last words");
    tree.until("its log", || tree.text("logged.two") == "last words\n");
    tree.shell("mv two $T/gone");
    tree.nth(1, "stop two");
    tree.until_names(&["one"]);
    tree.until("its processes", || !tree.processes().iter().any(|pid| cmdline(*pid).contains("cat")));
    assert_eq!((tree.count("stop one"), tree.count("start one")), (0, 1));
    tree.stop();
    assert_eq!(tree.stderr(), "");
}
