//! Whom a tree serves over its socket: .tree/readers and .tree/operators; and reloads by it.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::harness::*;
use crate::needs;
use crate::support::*;

const PROMISED: &str = r#"{"ok":false,"error":"not permitted"}"#;
const OF_A: &str = r#"{"name":"a","ok":false,"error":"not permitted"}"#;

/// What a member of a group is answered over the socket of the tree.
fn answers(tree: &Tree, group: &str, requests: &[&str]) -> Vec<String> {
    let mut command = in_group(group, "cd .tree && exec $D/ask socket \"$@\"");
    answers_to(command.current_dir(tree.at("")).env("D", tree.scratch.path()), requests)
}

/// A tree of two services, the first of which needs the second, with these files.
fn tree(files: &[(&str, &str)]) -> Tree {
    let files = [
        &[
            ("a/run", PUPPET),
            ("a/log/run", LOGGER),
            ("a/needs", "b\n"),
            ("a/down", ""),
            ("b/run", PUPPET),
            ("b/down", ""),
            ("b/reload-signal", "CONT\n"),
        ],
        files,
    ]
    .concat();
    let tree = Tree::start(&files);
    install(&example("ask"), &tree.path("ask"));
    tree.until("both of them", || field(&tree.ask("status"), "services") == "2");
    tree.until_log("a");
    tree
}

fn socket(tree: &Tree) -> (u32, u32) {
    let socket = fs::metadata(tree.socket()).unwrap();
    (socket.mode() & 0o7777, socket.gid())
}

/// Asserts that a member of this group sees all and controls nothing.
fn assert_looks(tree: &Tree, group: &str) {
    let requests = ["status", "@a status", "@a log status", "@a wait down", "@a wait up 0.01"];
    let seen = answers(tree, group, &requests);
    assert_eq!(field(&seen[0], "state"), "\"up\"");
    assert_eq!((field(&seen[1], "state"), field(&seen[2], "state")), ("\"down\"", "\"run\""));
    assert_eq!((field(&seen[3], "state"), field(&seen[4], "error")), ("\"down\"", "\"timeout\""));
    let seen = answers(tree, group, &["list", "list log", "events"]);
    assert!(seen.iter().all(|line| field(line, "name") == "\"a\""), "{seen:?}");
    let tree_requests = ["rescan", "stop", "upgrade", "nonsense", " stop", ""];
    for (request, answer) in tree_requests.iter().zip(answers(tree, group, &tree_requests)) {
        assert_eq!(answer, PROMISED, "{request}");
    }
    let controls = [
        "up",
        "up alone",
        "down",
        "once",
        "exit",
        "restart",
        "reload",
        "pause",
        "continue",
        "signal HUP",
        "upgrade",
        "log down",
        "log restart",
        "log signal TERM",
        "nonsense",
        "",
    ];
    let requests = controls.map(|control| format!("@a {control}"));
    let answers = answers(tree, group, &requests.each_ref().map(String::as_str));
    for (request, answer) in requests.iter().zip(answers) {
        assert_eq!(answer, OF_A, "{request}");
    }
    // Nor was started what it needs.
    for service in ["a", "b"] {
        let object = tree.object(service);
        assert_eq!((field(&object, "state"), field(&object, "want")), ("\"down\"", "\"down\""));
    }
    assert_eq!(tree.count("start"), 0);
}

#[test]
fn readers_of_a_tree_see_all_its_services_and_control_none() {
    needs!(root(), tool("setpriv"));
    let mut tree = tree(&[(".tree/readers", "4242\n")]);
    assert_eq!(socket(&tree), (0o660, 4242));
    assert_looks(&tree, "4242");
    assert_eq!(answers(&tree, "4299", &["status", "stop"]), ["PermissionDenied", "PermissionDenied"]);
    tree.stop();
}

#[test]
fn operators_of_a_tree_control_all_its_services_whoever_reads() {
    needs!(root(), tool("setpriv"));
    let mut tree = tree(&[(".tree/operators", "4241\n"), (".tree/readers", "4242\n")]);
    assert_eq!(socket(&tree).0, 0o666);
    assert_looks(&tree, "4242");
    assert_eq!(answers(&tree, "4299", &["status", "stop"]), [PROMISED, PROMISED]);
    let up = answers(&tree, "4241", &["@b up", "rescan", "@b reload"]);
    assert_eq!((field(&up[0], "state"), &*up[1]), ("\"run\"", r#"{"ok":true,"services":2}"#));
    assert_eq!((field(&up[2], "name"), field(&up[2], "state")), ("\"b\"", "\"run\""));
    tree.stop();
}

#[test]
fn everybody_may_read_a_tree_and_without_the_files_nobody_may() {
    needs!(root(), tool("setpriv"));
    let mut everybody = tree(&[(".tree/readers", "*\n")]);
    assert_eq!(socket(&everybody).0, 0o666);
    assert_looks(&everybody, "4299");
    everybody.stop();
    let mut nobody = tree(&[]);
    assert_eq!(socket(&nobody), (0o600, 0));
    assert_eq!(answers(&nobody, "4242", &["status"]), ["PermissionDenied"]);
    nobody.stop();
    let mut operators = tree(&[(".tree/operators", "4241\n")]);
    assert_eq!(socket(&operators), (0o660, 4241));
    assert_eq!(field(&answers(&operators, "4241", &["@b up"])[0], "state"), "\"run\"");
    operators.stop();
}

#[test]
fn readers_of_a_tree_leave_places_to_others() {
    needs!(root(), tool("setpriv"));
    let mut tree = tree(&[(".tree/readers", "4242\n")]);
    let flood = "cd .tree; while :; do for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 \
                 28 29 30 31 32 33 34 35 36; do $D/ask socket '@a wait up 1' >/dev/null & done; wait; done";
    let mut command = prepared("setpriv");
    command.args(["--reuid=4240", "--regid=4242", "--clear-groups", "sh", "-c", flood]);
    let mut attacker = command.current_dir(tree.at("")).env("D", tree.scratch.path()).spawn().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let mut client = tree.connect();
        client.say("@b wait up\n").unwrap();
        waiting.push(client);
        assert_eq!(field(&tree.ask("status"), "state"), "\"up\"");
    }
    attacker.kill().unwrap();
    attacker.wait().unwrap();
    tree.stop();
}

#[test]
fn a_reload_by_the_tree_is_answered_when_it_is_done_and_is_an_event() {
    let script = "#!/bin/sh\necho reload $1 >>$D/lines\nread -r how <$D/how\nexit $how\n";
    let mut tree = Tree::start(&[("a/run", PUPPET), ("a/reload", script)]);
    let pid = tree.started(1, "a");
    let mut events = tree.connect();
    events.say("events\n").unwrap();
    assert_eq!(field(&events.line(), "name"), "\"a\"");
    for (how, answer) in [
        ("0", None),
        ("3", Some(r#"{"name":"a","ok":false,"error":"reload failed","reason":"./reload exited 3"}"#)),
    ] {
        fs::write(tree.path("how"), format!("{how}\n")).unwrap();
        let said = tree.ask("@a reload");
        match answer {
            Some(answer) => assert_eq!(said, answer),
            None => assert_eq!((field(&said, "name"), field(&said, "ok")), ("\"a\"", "true"), "{said}"),
        }
    }
    assert_eq!(tree.nth(2, "reload"), pid.to_string());
    let mut names = Vec::new();
    while names.len() < 4 {
        let line = events.line();
        assert_eq!(field(&line, "name"), "\"a\"");
        names.extend([field(&line, "event").to_owned()].into_iter().filter(|name| name.contains("reload")));
    }
    assert_eq!(names, ["\"reloading\"", "\"reloaded\"", "\"reloading\"", "\"reload failed\""]);
    // The stop of the tree does not wait for one that hangs.
    let mut client = tree.connect();
    fs::remove_file(tree.path("how")).unwrap();
    assert_eq!(run_in(tree.scratch.path(), "mkfifo how"), prints(""));
    client.say("@a reload\n").unwrap();
    tree.nth(3, "reload");
    tree.stop();
    tree.assert_nothing_left();
}
