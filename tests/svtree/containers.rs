//! A tree as the init of a container: as process 1 of a pid namespace, and with -1 below another init, as docker --init
//! has it.

use std::process::Command;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// What is process 1 there: svtree itself, or another init, below which svtree is started with -1.
const INITS: [&[&str]; 3] = [&[], &["tini", "--"], &["dumb-init", "--"]];

fn inits() -> Result<(), String> {
    namespaces()?;
    tool("tini")?;
    tool("dumb-init")
}

/// The tree in a container whose process 1 is this.
fn inside(tree: &Tree, init: &[&str]) -> Command {
    let own = tree.command();
    let command = match init {
        [] => own,
        [init, words @ ..] => {
            let mut command = prepared(init);
            command.args(words).arg(own.get_program()).arg("-1").args(own.get_args());
            command
        }
    };
    tree.adopt(contained(&command))
}

/// Sends process 1 of the container a signal.
fn send_in(tree: &Tree, signal: &str) {
    send(child(tree.supervisor()), signal);
}

/// The lines about ends.
fn ends(tree: &Tree) -> Vec<String> {
    tree.lines().into_iter().filter(|line| !line.contains("start")).collect()
}

/// What the end of the tree notes: its status.
const LAST: (&str, &str) = (".tree/finish", "#!/bin/sh\necho tree \"$@\" >>$D/lines\n");

const GIVES_UP: &str = "#!/bin/sh\necho finish ${PWD##*/} \"$@\" >>$D/lines\nexit 125\n";

#[test]
fn each_stop_signal_is_an_orderly_stop() {
    needs!(inits());
    for init in INITS {
        for signal in ["TERM", "INT", "QUIT", "PWR", "37"] {
            let db = [("db/run", PUPPET), ("db/finish", FINISH), ("db/log/run", LOGGER)];
            let web = [("web/run", PUPPET), ("web/finish", FINISH), ("web/needs", "db\n")];
            let mut tree = Tree::prepare(&[&db[..], &web, &[LAST]].concat());
            tree.spawn(inside(&tree, init));
            tree.started(1, "web");
            tree.started(1, "db");
            tree.tell("db", "echo said");
            tree.until("its log", || tree.text("logged.db") == "said\n");
            send_in(&tree, signal);
            assert_eq!(tree.ended(), 0, "{init:?} {signal}: {}", tree.report());
            let expected = ["stop web", "finish web 0 0", "stop db", "finish db 0 0", "tree 0"];
            assert_eq!(ends(&tree), expected, "{init:?} {signal}");
            tree.assert_nothing_left();
            assert_eq!(tree.stderr(), "");
        }
    }
}

/// A logger that reads in another process than that of its run, and notes when it is asked to end, and its own end.
const WATCHED_LOGGER: &str = r"#!/bin/sh
trap 'echo log got TERM >>$D/lines' TERM
n=${PWD%/log}
n=${n##*/}
cat >>$D/logged.$n
echo log end $n >>$D/lines
";

/// A service that leaves behind what holds its log: a process that ends at TERM, or one that ignores it.
const LEAVES: &str = r#"#!/bin/sh
n=${PWD##*/}
setsid sh -c 'trap "echo asked; exit" TERM; : >$D/one.$0; while :; do sleep 600 & wait; done' $n &
setsid sh -c 'trap "" TERM; : >$D/two.$0; while :; do sleep 600 & wait; done' $n &
until [ -e $D/one.$n ] && [ -e $D/two.$n ]; do sleep 0.01; done
trap 'echo stop $n >>$D/lines; exit 0' TERM
echo start $n $$ >>$D/lines
while :; do sleep 0.05; done
"#;

#[test]
fn what_holds_a_log_is_ended_before_its_logger_is_waited_for() {
    needs!(inits());
    for init in INITS {
        let a = [("a/run", LEAVES), ("a/log/run", WATCHED_LOGGER), ("a/needs", "b\n")];
        let b = [("b/run", LEAVES), ("b/log/run", WATCHED_LOGGER)];
        let mut tree = Tree::prepare(&[&a[..], &b, &[LAST]].concat());
        // So long that no end of any time limit is one of these.
        tree.set_options(&["-t", "1000000"]);
        tree.spawn(inside(&tree, init));
        tree.started(1, "a");
        tree.started(1, "b");
        send_in(&tree, "TERM");
        assert_eq!(tree.ended(), 0, "{init:?}: {}", tree.report());
        let mut ends = ends(&tree);
        ends[2..4].sort();
        assert_eq!(ends, ["stop a", "stop b", "log end a", "log end b", "tree 0"], "{init:?}");
        assert_eq!((tree.text("logged.a"), tree.text("logged.b")), ("asked\n".into(), "asked\n".into()));
        assert_eq!(tree.stderr(), "", "{init:?}: no logger was left");
        tree.assert_nothing_left();
    }
}

#[test]
fn hup_is_a_look_and_ends_nothing() {
    needs!(namespaces());
    let mut tree = Tree::prepare(&[("web/run", PUPPET), LAST]);
    tree.set_program(&["sh", "-c", "trap 'echo program got HUP >>$D/lines' HUP; while :; do sleep 1; done"]);
    tree.spawn(inside(&tree, &[]));
    tree.started(1, "web");
    send_in(&tree, "HUP");
    // What it has looked at answers.
    assert!(tree.ask("rescan").starts_with("{\"ok\":true"));
    let status = tree.ask("status");
    assert!(status.contains("\"state\":\"up\""), "{status}");
    send_in(&tree, "TERM");
    assert_eq!(tree.ended(), 0, "{}", tree.report());
    assert_eq!(ends(&tree), ["stop web", "tree 0"]);
}

/// A tree that ends by itself: its files, its program, and the status that it leaves.
type End<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], i32);

const ENDS: &[End] = &[
    // An essential service that is given up.
    (&[("web/run", "#!/bin/sh\nexit 3\n"), ("web/finish", GIVES_UP), ("web/essential", "")], &[], 3),
    (&[("web/run", "#!/bin/sh\nexit 0\n"), ("web/finish", GIVES_UP), ("web/essential", "")], &[], 0),
    (
        &[("web/run", "#!/bin/sh\nkill -9 $$\n"), ("web/finish", GIVES_UP), ("web/essential", "")],
        &[],
        128 + 9,
    ),
    (&[("web/run", "#!/bin/sh\nexit 7\n"), ("web/restart-max", "1"), ("web/essential", "")], &[], 7),
    (&[("web/setup", "#!/bin/sh\nexit 5\n"), ("web/finish", GIVES_UP), ("web/essential", "")], &[], 5),
    // The program.
    (&[], &["sh", "-c", "exit 0"], 0),
    (&[], &["sh", "-c", "exit 7"], 7),
    (&[], &["sh", "-c", "kill -9 $$"], 128 + 9),
    (&[], &["none-of-this-name"], 127),
    (&[("plain", "not executable\n")], &["tree/plain"], 126),
];

#[test]
fn the_status_of_the_container_is_that_of_what_ended_it() {
    needs!(inits());
    for init in INITS {
        for (files, program, status) in ENDS {
            let other = ("other/run", PUPPET);
            let mut tree = Tree::prepare(&[&[other, LAST], *files].concat());
            tree.set_program(program);
            tree.spawn(inside(&tree, init));
            assert_eq!(tree.ended(), *status, "{init:?} {files:?} {program:?}: {}", tree.report());
            assert_eq!(ends(&tree).last(), Some(&format!("tree {status}")), "{init:?} {files:?} {program:?}");
            tree.assert_nothing_left();
        }
    }
}

#[test]
fn an_essential_service_that_ran_for_once_leaves_its_status() {
    needs!(inits());
    for init in INITS {
        for (words, status) in [("exit 5", 5), ("exit 0", 0), ("kill -9 $$", 128 + 9)] {
            let mut tree = Tree::prepare(&[("web/run", PUPPET), ("web/essential", ""), LAST]);
            tree.spawn(inside(&tree, init));
            tree.started(1, "web");
            tree.until("the socket", || tree.socket().exists());
            let answer = tree.ask("@web once");
            assert!(answer.contains("\"ok\":true"), "{answer}");
            tree.tell("web", words);
            assert_eq!(tree.ended(), status, "{init:?} {words}: {}", tree.report());
            assert_eq!(ends(&tree), [format!("tree {status}")]);
            tree.assert_nothing_left();
        }
    }
}

#[test]
fn a_setup_that_fails_is_the_status_and_one_that_was_asked_to_stop_is_not() {
    needs!(inits());
    let waits = "#!/bin/sh\necho setup >>$D/lines\nexec sleep 1000000\n";
    for init in INITS {
        for (setup, status) in [("#!/bin/sh\nexit 4\n", 4), ("#!/bin/sh\nkill -9 $$\n", 128 + 9), (waits, 0)]
        {
            let mut tree = Tree::prepare(&[("web/run", PUPPET), (".tree/setup", setup)]);
            tree.set_program(&["sh", "-c", "echo start program >>$D/lines"]);
            tree.spawn(inside(&tree, init));
            if setup == waits {
                tree.nth(1, "setup");
                send_in(&tree, "TERM");
            }
            assert_eq!(tree.ended(), status, "{init:?} {setup}: {}", tree.report());
            assert_eq!((tree.count("start"), ends(&tree).len()), (0, usize::from(setup == waits)));
            tree.assert_nothing_left();
        }
    }
}

#[test]
fn what_does_not_end_is_killed_at_the_second_term_or_when_the_time_is_over() {
    needs!(inits());
    for init in INITS {
        for (limit, terms) in [("300", 1), ("1000000", 2)] {
            let mut tree = Tree::prepare(&[("web/run", STUBBORN), ("web/log/run", LOGGER)]);
            tree.set_options(&["-t", limit]);
            tree.spawn(inside(&tree, init));
            tree.started(1, "web");
            send_in(&tree, "TERM");
            if terms == 2 {
                tree.nth(1, "stop web");
                tree.tell("web", "echo last words");
                tree.until("its log", || tree.text("logged.web") == "last words\n");
                send_in(&tree, "TERM");
            }
            assert_eq!(tree.ended(), 0, "{init:?} {limit}: {}", tree.report());
            // In so short a time it may not have come to say that it was asked.
            let ends = ends(&tree);
            assert!(ends == ["stop web"] || terms == 1 && ends.is_empty(), "{init:?} {limit}: {ends:?}");
            tree.assert_nothing_left();
        }
    }
}

/// The children of a process, zombies too.
fn children(pid: u32) -> Vec<u32> {
    let children = text(format!("/proc/{pid}/task/{pid}/children").as_ref());
    children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

#[test]
fn a_thousand_orphans_that_die_at_once_are_reaped() {
    needs!(namespaces());
    let mut tree = Tree::prepare(&[("web/run", PUPPET), LAST]);
    tree.spawn(inside(&tree, &[]));
    tree.started(1, "web");
    let process_1 = child(tree.supervisor());
    // Daemons fork twice: their parent is gone.
    tree.tell("web", "(for i in $(seq 1000); do sleep 1000000 & done)");
    tree.until("the orphans", || children(process_1).len() == 1001);
    // All but the caller and process 1.
    tree.tell("web", "kill -9 -1; echo killed >>$D/lines");
    tree.nth(1, "killed");
    tree.until("the service alone", || children(process_1).len() == 1);
    assert!(lives(children(process_1)[0]));
    // One that lives is ended with the container.
    tree.tell("web", "(setsid sleep 1000000 &)");
    // With a session of its own it is no leftover of run's group.
    tree.until("an orphan", || children(process_1).iter().any(|pid| cmdline(*pid) == "sleep 1000000"));
    send(process_1, "TERM");
    assert_eq!(tree.ended(), 0, "{}", tree.report());
    assert_eq!(ends(&tree), ["killed", "stop web", "tree 0"]);
    tree.assert_nothing_left();
    assert_eq!(tree.stderr(), "");
}

#[test]
fn a_container_that_is_started_again_with_what_it_left_is_as_new() {
    needs!(namespaces());
    for (apart, lives) in [(false, 50), (true, 10)] {
        let mut tree = Tree::prepare(&[
            ("db/run", PUPPET),
            ("db/log/run", LOGGER),
            ("db/finish", FINISH),
            ("shot/setup", "#!/bin/sh\necho start shot $$ >>$D/lines\n"),
            ("shot/finish", FINISH),
            ("web/run", PUPPET),
            ("web/needs", "db\nshot\n"),
            LAST,
        ]);
        if apart {
            tree.keep_state_apart();
        }
        tree.set_program(&["sh", "-c", "echo start program $$ >>$D/lines; read status <$D/go; exit $status"]);
        assert_eq!(run_in(tree.scratch.path(), "mkfifo go"), prints(""));
        for life in 1..=lives {
            tree.spawn(inside(&tree, &[]));
            for service in ["db", "shot", "web", "program"] {
                tree.started(life, service);
            }
            tree.nth(life, "log start db"); // before it may be killed
            // What a client sees.
            tree.until("all ready", || tree.ask("status").contains("\"ready\":3"));
            let status = match life % 3 {
                0 => {
                    send_in(&tree, "TERM");
                    0
                }
                1 => {
                    // With unshare the namespace ends, and nobody in it has a last word.
                    send(tree.supervisor(), "KILL");
                    128 + 9
                }
                _ => {
                    assert_eq!(run_in(tree.scratch.path(), "echo 7 >go"), prints(""));
                    7
                }
            };
            assert_eq!(tree.ended(), status, "life {life}: {}", tree.report());
            tree.assert_nothing_left();
            if life % 3 != 1 {
                assert_eq!(tree.lines().last(), Some(&format!("tree {status}")), "life {life}");
            }
            assert_eq!(tree.stderr(), "", "life {life}");
        }
        assert_eq!(tree.count("log start db"), lives, "one logger a life");
    }
}
