//! Which service needs which, and what ends the tree.

use nix::sys::signal::Signal::{SIGHUP, SIGKILL};

use super::harness::*;
use crate::support::*;

/// A [`PUPPET`] that is ready when it is told to be: `echo >&3`.
const READY: &str = "3\n";

fn waits_for(tree: &Tree, service: &str) -> String {
    let object = tree.object(service);
    format!("{} {}", field(&object, "hold"), field(&object, "needs"))
}

#[test]
fn who_asks_for_a_service_whose_turn_is_still_to_come_gets_what_it_needs_too() {
    let many: Vec<String> = (0..120).map(|i| format!("filler{i}/run")).collect();
    let mut files: Vec<(&str, &str)> =
        many.iter().map(|file| (file.as_str(), "#!/bin/sh\nexec sleep 1000000\n")).collect();
    files.extend([("web/run", PUPPET), ("web/down", ""), ("web/needs", "zdb\n")]);
    files.extend([("zdb/run", PUPPET), ("zdb/down", "")]);
    let mut tree = Tree::start(&files);
    let answer = tree.ask("@web up");
    assert_eq!(field(&answer, "name"), "\"web\"", "{answer}");
    tree.started(1, "zdb");
    tree.started(1, "web");
    tree.stop();
}

#[test]
fn services_start_in_the_order_of_readiness() {
    let mut tree = Tree::start(&[
        ("a/run", PUPPET),
        ("a/needs", "b\nc\n"),
        ("b/run", PUPPET),
        ("b/needs", "c\n"),
        ("b/notification-fd", READY),
        ("c/run", PUPPET),
        ("c/notification-fd", READY),
        ("d/run", PUPPET),
    ]);
    tree.started(1, "c");
    tree.started(1, "d");
    tree.until("b waits", || waits_for(&tree, "b") == "\"waiting for\" \"c\"");
    assert_eq!(waits_for(&tree, "a"), "\"waiting for\" \"b c\"");
    tree.tell("c", "echo >&3");
    tree.started(1, "b");
    tree.until("a waits", || waits_for(&tree, "a") == "\"waiting for\" \"b\"");
    tree.tell("b", "echo >&3");
    tree.started(1, "a");
    tree.until_run("a");
    assert_eq!(waits_for(&tree, "a"), "null null");
    let order: Vec<String> = tree.lines().iter().map(|line| line[6..7].to_owned()).collect();
    assert_eq!(order.into_iter().filter(|name| name != "d").collect::<String>(), "cba");
    tree.stop();
    let stops = tree.lines().into_iter().filter(|line| line.starts_with("stop") && line != "stop d");
    assert_eq!(stops.collect::<Vec<_>>(), ["stop a", "stop b", "stop c"]);
}

#[test]
fn a_need_that_dies_takes_nobody_with_it_and_a_restart_waits_for_it() {
    let mut tree = Tree::start(&[
        ("db/run", PUPPET),
        ("db/notification-fd", READY),
        ("web/run", PUPPET),
        ("web/needs", "db\n"),
        ("web/restart-delay", "0\n"),
        ("db/restart-delay", "0\n"),
    ]);
    tree.started(1, "db");
    tree.tell("db", "echo >&3");
    tree.started(1, "web");
    tree.tell("db", "exit 1");
    tree.started(2, "db");
    tree.until_run("web");
    assert_eq!(tree.count("stop web"), 0);
    // It runs on; but once it ends, its next start waits.
    tree.tell("web", "exit 1");
    tree.until("web waits", || waits_for(&tree, "web") == "\"waiting for\" \"db\"");
    tree.until_stat("web", "down, waiting for db");
    tree.tell("db", "echo >&3");
    tree.started(2, "web");
    tree.until_stat("web", "run");
    tree.stop();
}

#[test]
fn a_stop_while_it_waits_works_at_once() {
    let mut tree = Tree::start(&[
        ("db/run", PUPPET),
        ("db/notification-fd", READY),
        ("web/run", PUPPET),
        ("web/needs", "db\n"),
    ]);
    tree.started(1, "db");
    tree.until("web waits", || waits_for(&tree, "web") == "\"waiting for\" \"db\"");
    assert_eq!(field(&tree.ask("@web down"), "want"), "\"down\"");
    tree.tell("db", "echo >&3; echo was ready >>$D/lines");
    tree.nth(1, "was ready");
    tree.until_stat("web", "down");
    assert_eq!(tree.count("start web"), 0);
    assert_eq!(field(&tree.ask("@web up"), "state"), "\"run\"");
    tree.started(1, "web");
    tree.stop();
}

#[test]
fn unknown_names_cycles_and_oneself_are_reported_once_and_hold_back_those_concerned_alone() {
    let mut tree = Tree::start(&[
        ("free/run", PUPPET),
        ("lost/run", PUPPET),
        ("lost/needs", "nobody\n"),
        ("needs-lost/run", PUPPET),
        ("needs-lost/needs", "lost\n"),
        ("own/run", PUPPET),
        ("own/needs", "own\n"),
        ("x/run", PUPPET),
        ("x/needs", "y\n"),
        ("y/run", PUPPET),
        ("y/needs", "z\n"),
        ("z/run", PUPPET),
        ("z/needs", "x\n\n"),
    ]);
    tree.started(1, "free");
    tree.until_names(&["free", "lost", "needs-lost", "own", "x", "y", "z"]);
    let words =
        ["lost: needs nobody: no such service", "own: needs itself", "needs in a cycle: x -> y -> z -> x"];
    for words in words {
        tree.until(words, || tree.said(words) == 1);
    }
    tree.signal(SIGHUP);
    assert_eq!(field(&tree.ask("rescan"), "services"), "7");
    assert_eq!(tree.stderr().lines().count(), 3, "{}", tree.stderr());
    assert_eq!(tree.count("start"), 1, "{}", tree.report());
    // Once it is there, it is what they wait for; and a cycle that is broken is none.
    tree.add("nobody", &[("run", PUPPET)]);
    tree.started(1, "needs-lost");
    tree.shell("rm y/needs");
    tree.signal(SIGHUP);
    for service in ["y", "x", "z"] {
        tree.started(1, service);
    }
    assert_eq!(tree.count("start own"), 0);
    tree.stop();
    assert_eq!(tree.stderr().lines().count(), 3, "{}", tree.stderr());
}

#[test]
fn up_over_the_socket_of_the_tree_starts_what_it_needs_first() {
    let mut tree = Tree::start(&[
        ("a/run", PUPPET),
        ("a/needs", "b\n"),
        ("a/down", ""),
        ("b/run", PUPPET),
        ("b/needs", "c\n"),
        ("b/down", ""),
        ("b/notification-fd", READY),
        ("c/run", PUPPET),
        ("c/down", ""),
        ("c/notification-fd", READY),
        ("other/run", PUPPET),
        ("other/down", ""),
    ]);
    tree.until_names(&["a", "b", "c", "other"]);
    // Alone it starts whatever there is of its needs.
    assert_eq!(field(&tree.ask("@a up alone"), "state"), "\"run\"");
    tree.started(1, "a");
    assert_eq!(tree.count("start"), 1);
    tree.ask("@a down");
    tree.nth(1, "stop a");
    tree.until_stat("a", "down");
    let mut client = tree.connect();
    client.say("@a up\n").unwrap();
    for service in ["c", "b"] {
        tree.started(1, service);
        tree.tell(service, "echo >&3");
    }
    tree.started(2, "a");
    let answer = client.line();
    assert_eq!((field(&answer, "name"), field(&answer, "ok")), ("\"a\"", "true"));
    let starts: Vec<String> = tree
        .lines()
        .iter()
        .filter(|line| line.starts_with("start"))
        .map(|line| line[6..7].to_owned())
        .collect();
    assert_eq!(starts, ["a", "c", "b", "a"]);
    // The restart of one whose need is down starts that, too.
    tree.ask("@b down");
    tree.until_stat("b", "down");
    client.say("@a restart\n").unwrap();
    tree.started(2, "b");
    tree.nth(2, "stop a");
    tree.until("a waits", || waits_for(&tree, "a") == "\"waiting for\" \"b\"");
    tree.tell("b", "echo >&3");
    tree.started(3, "a");
    assert_eq!(tree.count("start other"), 0);
    tree.stop();
}

#[test]
fn an_up_to_a_service_alone_waits_for_its_needs() {
    let mut tree = Tree::start(&[
        ("a/run", PUPPET),
        ("a/needs", "b\n"),
        ("a/down", ""),
        ("b/run", PUPPET),
        ("b/down", ""),
    ]);
    tree.until_names(&["a", "b"]);
    tree.send("a", "u");
    tree.until_stat("a", "down, waiting for b");
    assert_eq!(tree.count("start"), 0);
    tree.send("b", "u");
    tree.started(1, "b");
    tree.started(1, "a");
    tree.stop();
}

#[test]
fn a_service_that_waits_when_the_tree_stops_hinders_nothing() {
    let mut tree = Tree::start(&[
        ("db/run", PUPPET),
        ("db/notification-fd", READY),
        ("web/run", PUPPET),
        ("web/needs", "db\nnobody\n"),
        ("web/log/run", LOGGER),
    ]);
    tree.started(1, "db");
    tree.until("web waits", || waits_for(&tree, "web") == "\"waiting for\" \"db nobody\"");
    tree.nth(1, "log start web");
    tree.stop();
    assert_eq!(tree.lines().last().unwrap(), "stop db");
}

/// A tree whose essential service ends so; its status.
fn status_of_essential(files: &[(&str, &str)], end: impl Fn(&Tree)) -> i32 {
    let mut all = vec![("main/run", PUPPET), ("main/essential", ""), ("other/run", PUPPET)];
    all.extend(files);
    let mut tree = Tree::start(&all);
    tree.started(1, "main");
    tree.started(1, "other");
    end(&tree);
    let status = tree.ended();
    tree.assert_nothing_left();
    assert_eq!(tree.count("stop other"), 1, "{}", tree.report());
    status
}

#[test]
fn the_status_of_the_tree_is_that_of_the_essential_service() {
    let files = [("main/restart-max", "1\n")];
    for (words, status) in [("exit 3", 3), ("exit 0", 0), ("kill -9 $$", 137), ("kill -HUP $$", 129)] {
        assert_eq!(status_of_essential(&files, |tree| tree.tell("main", words)), status, "{words}");
    }
    let gives_up = [("main/finish", "#!/bin/sh\nexit 125\n")];
    assert_eq!(status_of_essential(&gives_up, |tree| tree.tell("main", "exit 4")), 4);
    let once = |tree: &Tree| {
        assert_eq!(field(&tree.ask("@main once"), "ok"), "true");
        tree.tell("main", "exit 5");
    };
    assert_eq!(status_of_essential(&[], once), 5);
}

#[test]
fn an_essential_service_may_be_stopped_and_started_again() {
    let mut tree =
        Tree::start(&[("main/run", PUPPET), ("main/essential", ""), ("main/restart-delay", "0\n")]);
    tree.started(1, "main");
    tree.tell("main", "exit 9"); // a death that is followed by another start is no end
    send_signal(tree.started(2, "main"), SIGKILL);
    tree.started(3, "main");
    tree.ask("@main down");
    tree.until_stat("main", "down");
    tree.ask("@main up");
    tree.started(4, "main");
    tree.assert_supervised();
    tree.stop();
}
