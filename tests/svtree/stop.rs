//! The end of a tree: the order, the time that it may take, and the signals.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGKILL, SIGPWR, SIGQUIT, SIGTERM};

use super::harness::*;
use crate::support::*;

/// A logger that leaves neither at TERM nor at the end of its input.
const STUBBORN_LOGGER: &str = r"#!/bin/sh
trap 'echo log got TERM >>$D/lines' TERM
n=${PWD%/log}
echo log start ${n##*/} $$ >>$D/lines
while :; do sleep 1; done
";

#[test]
fn services_that_nothing_orders_are_stopped_side_by_side() {
    let mut tree = Tree::start(&[
        ("a/run", STUBBORN),
        ("b/run", STUBBORN),
        ("c/run", STUBBORN),
        ("c/needs", "base\n"),
        ("base/run", STUBBORN),
    ]);
    for service in ["a", "b", "base", "c"] {
        tree.started(1, service);
    }
    tree.signal(SIGTERM);
    for service in ["a", "b", "c"] {
        tree.nth(1, &format!("stop {service}"));
    }
    assert_eq!(tree.count("stop base"), 0, "one that needs it is left");
    assert_eq!(field(&tree.ask("status"), "state"), "\"stopping\"");
    tree.tell("c", "exit");
    tree.nth(1, "stop base");
    for service in ["a", "b", "base"] {
        tree.tell(service, "exit");
    }
    assert_eq!(tree.ended(), 0);
    tree.assert_nothing_left();
    assert_eq!(tree.count("stop"), 4);
}

#[test]
fn finish_runs_and_the_logger_reads_to_the_end_before_what_a_service_needs_is_stopped() {
    let finish = "#!/bin/sh\necho from finish\necho finish ${PWD##*/} >>$D/lines\n";
    let mut tree = Tree::start(&[
        ("db/run", PUPPET),
        ("web/run", PUPPET),
        ("web/finish", finish),
        ("web/log/run", LOGGER),
        ("web/needs", "db\n"),
    ]);
    for service in ["db", "web"] {
        tree.started(1, service);
    }
    tree.tell("web", "echo last words");
    tree.until("its log", || tree.text("logged.web") == "last words\n");
    tree.stop();
    let lines = tree.lines();
    assert_eq!(lines[lines.len() - 3..], ["stop web", "finish web", "stop db"]);
    assert_eq!(tree.text("logged.web"), "last words\nfrom finish\n");
}

#[test]
fn what_does_not_end_in_time_is_killed_and_nothing_is_left() {
    for hurry in [false, true] {
        let mut tree = Tree::prepare(&[
            ("a/run", STUBBORN),
            ("a/needs", "b\n"),
            ("a/log/run", STUBBORN_LOGGER),
            ("a/finish", "#!/bin/sh\necho finish a >>$D/lines\nexec sleep 1000\n"),
            ("b/run", STUBBORN),
            ("b/log/run", LOGGER),
            ("c/run", PUPPET),
        ]);
        tree.set_options(if hurry { &["-t", "100000"] } else { &["-t", "500"] });
        tree.supervise();
        for service in ["a", "b", "c"] {
            tree.started(1, service);
        }
        tree.nth(1, "log start a");
        tree.nth(1, "log start b");
        let begun = Instant::now();
        tree.signal(SIGTERM);
        if hurry {
            tree.nth(1, "stop a");
            tree.nth(1, "stop c");
            assert_eq!(tree.count("stop b"), 0);
            tree.signal(SIGINT);
        }
        assert_eq!(tree.ended(), 0, "{}", tree.report());
        tree.assert_nothing_left();
        assert!(hurry || begun.elapsed() >= Duration::from_millis(500));
        assert!(begun.elapsed() < Duration::from_secs(50), "{:?}", begun.elapsed());
    }
}

#[test]
fn what_takes_its_time_to_end_is_shown_so_however_busy_the_tree_is() {
    let mut tree = Tree::start(&[("a/run", STUBBORN), ("b/run", PUPPET), ("b/log/run", STUBBORN_LOGGER)]);
    for service in ["a", "b"] {
        tree.started(1, service);
    }
    tree.nth(1, "log start b");
    let (mut client, over) = (tree.connect(), AtomicBool::new(false));
    let shown = thread::scope(|scope| {
        // What is refused keeps it busy, and has nothing shown.
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                client.ask("@none status");
            }
        });
        tree.signal(SIGTERM);
        let log = tree.at("b/log/supervise/stat");
        let shown = in_time(|| {
            let stat = ["a", "b"].map(|service| text(&tree.state_of(service, "stat")));
            stat == ["run, got TERM, want exit\n", "down\n"] && text(&log) == "run, want exit\n"
        });
        over.store(true, Ordering::Relaxed);
        shown
    });
    assert!(shown, "{}", tree.report());
    let logger = tree.until_log("b");
    send_signal(logger, SIGKILL);
    tree.tell("a", "exit");
    assert_eq!(tree.ended(), 0);
    tree.assert_nothing_left();
    for part in ["a", "b", "b/log"] {
        assert_eq!(text(&tree.at(part).join("supervise/stat")), "down\n", "{part}");
        assert_eq!(text(&tree.at(part).join("supervise/pid")), "", "{part}");
    }
}

#[test]
fn the_files_are_never_behind_an_answer() {
    for door in ["tree", "list", "own"] {
        let mut tree = Tree::start(&[("a/run", STUBBORN)]);
        tree.started(1, "a");
        match door {
            "tree" => drop(tree.connect().ask("@a exit")),
            "own" => drop(Client::at(&tree.state_of("a", "socket")).ask("exit")),
            _ => {
                tree.signal(SIGTERM);
                tree.until("the stop", || tree.object("a").contains("\"want\":\"exit\""));
            }
        }
        assert_eq!(text(&tree.state_of("a", "stat")), "run, got TERM, want exit\n", "{door}");
        assert_eq!(tree.status_now("a").map(|status| (status.want, status.state)), Some(('d', 1)), "{door}");
        tree.tell("a", "exit");
        if door != "list" {
            tree.started(2, "a"); // told to exit, it is hosted again
            tree.signal(SIGTERM);
            tree.tell("a", "exit");
        }
        assert_eq!(tree.ended(), 0);
    }
}

#[test]
fn the_time_limit_of_the_stop_may_be_in_a_file() {
    // Without the file it is nine seconds.
    assert_within(Duration::from_secs(8), || {
        let mut tree = Tree::prepare(&[("a/run", STUBBORN), (".tree/timeout", "300\n")]);
        tree.supervise();
        tree.started(1, "a");
        let begun = Instant::now();
        tree.signal(SIGTERM);
        assert_eq!(tree.ended(), 0);
        tree.assert_nothing_left();
        assert_eq!(tree.said("timeout"), 0);
        begun.elapsed()
    });
}

#[test]
fn int_and_the_socket_stop_it_as_term_does() {
    for way in 0..3 {
        let mut tree = Tree::start(&[("a/run", PUPPET)]);
        tree.started(1, "a");
        match way {
            0 => tree.signal(SIGTERM),
            1 => tree.signal(SIGINT),
            _ => assert_eq!(tree.connect().ask("stop"), "", "the connection ends when it has ended"),
        }
        assert_eq!(tree.ended(), 0);
        tree.assert_nothing_left();
        assert_eq!(tree.count("stop a"), 1);
    }
}

#[test]
fn quit_leaves_all_as_it_is_for_the_next_tree() {
    let mut tree = Tree::start(&[
        ("a/run", PUPPET),
        ("a/log/run", LOGGER),
        ("b/run", PUPPET),
        ("b/needs", "a\n"),
        ("c/run", PUPPET),
        ("c/down", ""),
    ]);
    let pids = [tree.started(1, "a"), tree.started(1, "b")];
    let logger = tree.until_log("a");
    for _ in 0..3 {
        tree.signal(SIGQUIT);
        assert_eq!(tree.ended(), 0, "{}", tree.report());
        assert!(pids.iter().all(|pid| lives(*pid)) && lives(logger));
        tree.tell("a", "echo while nobody is there");
        tree.supervise();
        tree.until_names(&["a", "b", "c"]);
        assert_eq!(["a", "b"].map(|name| tree.until_run(name)), pids);
        assert_eq!(tree.until_log("a"), logger);
    }
    tree.until("its log", || tree.text("logged.a") == "while nobody is there\n".repeat(3));
    assert_eq!(tree.count("start") + tree.count("log start"), 3);
    assert_eq!(tree.count("stop"), 0);
    tree.stop();
    assert_eq!(tree.lines().last().unwrap(), "stop a");
}

#[test]
fn as_process_1_every_stop_signal_is_one_and_nothing_is_left() {
    let leaves = "#!/bin/sh\nsetsid sleep 1000 &\necho start ${PWD##*/} $$ >>$D/lines\nexec sleep 1000\n";
    for signal in [SIGTERM, SIGINT, SIGQUIT, SIGPWR] {
        let mut tree = Tree::prepare(&[("a/run", leaves)]);
        tree.set_options(&["-1"]);
        tree.supervise();
        tree.started(1, "a");
        tree.signal(signal);
        assert_eq!(tree.ended(), 0);
        assert_eq!(tree.processes(), [0; 0], "{signal}");
    }
    let mut tree = Tree::prepare(&[("a/run", leaves)]);
    tree.set_options(&["-1"]);
    tree.supervise();
    tree.started(1, "a");
    let realtime = format!("kill -s RTMIN+3 {}", tree.supervisor());
    assert_eq!(run(prepared("bash").args(["-c", &realtime])), prints(""));
    assert_eq!(tree.ended(), 0);
    assert_eq!(tree.processes(), [0; 0]);
}

#[test]
fn without_that_quit_stops_nothing_and_pwr_does_nothing() {
    let mut tree = Tree::start(&[("a/run", PUPPET)]);
    let pid = tree.started(1, "a");
    tree.signal(SIGPWR);
    tree.signal(SIGHUP);
    assert_eq!(field(&tree.ask("status"), "state"), "\"up\"");
    assert!(lives(pid));
    tree.signal(SIGQUIT);
    assert_eq!(tree.ended(), 0);
    assert!(lives(pid));
}

#[test]
fn hup_looks_at_the_directory() {
    // Needs are read again: of them there is no event.
    let mut tree =
        Tree::start(&[("a/run", PUPPET), ("a/needs", "b\n"), ("last/run", PUPPET), (".other/needs", "")]);
    tree.started(1, "last");
    tree.until("a waits", || field(&tree.object("a"), "needs") == "\"b\"");
    tree.shell("rm a/needs");
    tree.signal(SIGHUP);
    tree.started(1, "a");
    tree.stop();
}

#[test]
fn scripts_of_the_tree_frame_all_that_happens() {
    let note = "#!/bin/sh\necho tree ${0##*/} \"$@\" >>$D/lines\n";
    let mut tree = Tree::start(&[
        (".tree/setup", note),
        (".tree/finish", note),
        ("a/run", PUPPET),
        ("a/essential", ""),
        ("a/restart-max", "1\n"),
    ]);
    tree.started(1, "a");
    tree.tell("a", "exit 7");
    assert_eq!(tree.ended(), 7);
    let lines = tree.lines();
    assert_eq!((&*lines[0], &*lines[2]), ("tree setup", "tree finish 7"), "{lines:?}");
    tree.write(&[(".tree/setup", "#!/bin/sh\nexit 23\n")]);
    tree.spawn(tree.command());
    assert_eq!(tree.ended(), 23);
    assert_eq!(tree.count("start"), 1);
}

#[test]
fn a_service_that_dies_while_all_stops_is_not_started_again() {
    let mut tree = Tree::start(&[
        ("a/run", STUBBORN),
        ("a/needs", "b\n"),
        ("b/run", PUPPET),
        ("b/restart-delay", "0\n"),
    ]);
    tree.started(1, "a");
    tree.started(1, "b");
    tree.signal(SIGTERM);
    tree.nth(1, "stop a");
    // Its turn has not come; what was wanted of it still is: as long as one that needs it is left, it is kept up.
    send_signal(tree.until_run("b"), SIGKILL);
    tree.until("another b", || tree.count("start b") == 2 || lives_not(&tree));
    tree.tell("a", "exit");
    assert_eq!(tree.ended(), 0);
    tree.assert_nothing_left();
}

fn lives_not(tree: &Tree) -> bool {
    tree.status_now("b").is_some_and(|status| status.state == 0)
}

#[test]
fn a_service_that_could_not_be_opened_does_not_keep_what_it_needs() {
    assert_within(Duration::from_secs(8), || {
        let mut tree = Tree::start(&[
            ("base/run", PUPPET),
            ("web/run", PUPPET),
            ("web/needs", "base\n"),
            ("web/supervise", "this is no directory"),
        ]);
        tree.started(1, "base");
        tree.until("a word", || tree.said("svtree web: ") == 1);
        let begun = Instant::now();
        let mut client = tree.connect();
        tree.signal(SIGTERM);
        let _ = client.say("rescan\n"); // which finds nothing any more; all may have ended by now
        assert_eq!(tree.ended(), 0);
        tree.assert_nothing_left();
        assert_eq!(tree.count("stop base"), 1);
        begun.elapsed()
    });
}

#[test]
fn a_stop_before_all_is_hosted_again_ends_what_a_former_tree_has_left() {
    for setup in [false, true] {
        let mut tree = Tree::prepare(&[]);
        // So many have their last words in nine seconds on an idle machine alone.
        tree.set_options(&["-t", "1m"]);
        let names: Vec<String> = (0..40).map(|i| format!("s{i}")).collect();
        for name in &names {
            tree.write(&[(&format!("{name}/run"), PUPPET), (&format!("{name}/finish"), FINISH)]);
        }
        tree.write(&[("db/run", PUPPET), ("s0/needs", "db\n"), ("s0/log/run", LOGGER)]);
        tree.supervise();
        for name in &names {
            tree.started(1, name);
        }
        tree.started(1, "db");
        tree.kill();
        tree.write(&[("new/run", PUPPET), ("new/log/run", LOGGER)]);
        if setup {
            tree.write(&[(".tree/setup", "#!/bin/sh\necho setup >>$D/lines\nexec sleep 1000000\n")]);
            tree.spawn(tree.command());
            tree.nth(1, "setup");
            tree.signal(SIGTERM);
        } else {
            tree.spawn_to_stop();
        }
        assert_eq!(tree.ended(), 0, "{}", tree.report());
        tree.assert_nothing_left();
        assert_eq!((tree.count("stop"), tree.count("finish"), tree.count("start")), (41, 40, 41));
        assert_eq!(tree.count("start new") + tree.count("log start new"), 0);
        let lines = tree.lines();
        let at = |start: &str| lines.iter().position(|line| line.starts_with(start));
        assert!(at("finish s0 ") < at("stop db"), "{}", tree.report());
    }
}

#[test]
fn when_the_time_is_over_the_children_of_a_run_are_killed_with_it() {
    let run = "#!/bin/sh\ntrap '' TERM\nsh -c 'trap \"\" TERM; echo start child $$ >>$D/lines; while :; do sleep 1; done' &\nwait\nwhile :; do sleep 1; done\n";
    let mut tree = Tree::prepare(&[("a/run", run)]);
    tree.set_options(&["-t", "200"]);
    tree.supervise();
    tree.started(1, "child");
    tree.stop();
    tree.assert_nothing_left();
}
