//! The scan directory: which services there are.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use nix::sys::signal::Signal::{SIGHUP, SIGKILL};

use super::harness::*;
use crate::support::*;

/// A service that notes its argument.
const NOTES: &str = "#!/bin/sh\necho start ${PWD##*/} $$ of $# \"$1\" >>$D/lines\nexec sleep 1000000\n";

#[test]
fn a_service_that_appears_runs_and_one_that_vanishes_is_told_to_exit() {
    let mut tree = Tree::start(&[("one/run", PUPPET)]);
    tree.started(1, "one");
    tree.add("two", &[("run", PUPPET), ("log/run", LOGGER), ("finish", FINISH)]);
    tree.started(1, "two");
    tree.until_names(&["one", "two"]);
    tree.tell("two", "echo last words");
    tree.until("its log", || tree.text("logged.two") == "last words\n");
    let logger = tree.until_log("two");
    tree.shell("mv two $T/gone");
    tree.nth(1, "stop two");
    tree.until_names(&["one"]);
    tree.until("the end of its logger", || !lives(logger));
    assert_eq!((tree.count("stop one"), tree.count("start one")), (0, 1));
    tree.stop();
    assert_eq!(tree.stderr(), "");
}

#[test]
fn another_directory_of_the_same_name_is_another_service_and_the_old_one_is_stopped_first() {
    let mut tree = Tree::start(&[("web/run", STUBBORN)]);
    let old = tree.started(1, "web");
    tree.write(&[(".new/run", NOTES)]);
    tree.shell("mv web $T/old; mv .new web");
    tree.nth(1, "stop web");
    assert_eq!(tree.count("start web"), 1);
    tree.tell("web", "echo ends web >>$D/lines; exit 0");
    tree.nth(2, "start web");
    let lines = tree.lines();
    let order: Vec<&str> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(order, ["start", "stop", "ends", "start"]);
    assert!(!lives(old));
    tree.until_names(&["web"]);
    tree.stop();
}

#[test]
fn a_service_that_was_removed_and_made_anew_at_once_is_another_one() {
    let mut tree = Tree::start(&[("web/run", SLEEPER)]);
    tree.started(1, "web");
    let mut before = tree.until_run("web");
    for round in 2..12 {
        let inode = fs::metadata(tree.at("web")).unwrap().ino();
        tree.rest(); // else `rm` may meet a file that was not there when it looked
        tree.shell("rm -rf web");
        tree.write(&[("web/run", SLEEPER)]);
        if fs::metadata(tree.at("web")).unwrap().ino() == inode {
            // The file system has used the number again: it is the same for all that can be known. Its state is
            // gone, and the service goes on.
            continue;
        }
        tree.until("another one", || {
            let status = tree.status_now("web");
            status.is_some_and(|status| status.state == 1 && status.pid != before && lives(status.pid))
        });
        before = tree.until_run("web");
        assert!(tree.count("start web") <= round);
    }
    tree.until("the end of the others", || {
        tree.processes().iter().filter(|pid| cmdline(**pid).starts_with("sleep")).count() == 1
    });
    tree.stop();
}

#[test]
fn a_service_that_is_renamed_goes_on_under_its_new_name() {
    for apart in [false, true] {
        let mut tree = Tree::prepare(&[("old/run", SLEEPER), ("needs-it/run", SLEEPER)]);
        tree.write(&[("needs-it/needs", "new\n")]);
        if apart {
            tree.keep_state_apart();
        }
        tree.supervise();
        let pid = tree.started(1, "old");
        assert_eq!(tree.count("start needs-it"), 0);
        tree.shell("mv old new");
        tree.until_names(&["needs-it", "new"]);
        tree.started(1, "needs-it");
        assert_eq!(field(&tree.object("new"), "pid"), pid.to_string());
        assert_eq!(field(&tree.ask("@new status"), "pid"), pid.to_string());
        assert_eq!(tree.ask("@old status"), r#"{"name":"old","ok":false,"error":"no such service"}"#);
        tree.kill_and_restart();
        tree.until_names(&["needs-it", "new"]);
        tree.until("its pid", || field(&tree.object("new"), "pid") == pid.to_string());
        assert_eq!((tree.count("start old"), tree.count("start new")), (1, 0), "{apart}");
        tree.stop();
    }
}

#[test]
fn two_services_that_change_names_go_on() {
    let mut tree = Tree::start(&[("a/run", SLEEPER), ("b/run", SLEEPER)]);
    let pids = [tree.started(1, "a"), tree.started(1, "b")];
    let directory = fs::File::open(tree.at("")).unwrap();
    for round in 1..=4 {
        common::file::exchange(directory.as_fd(), c"a", c"b").unwrap();
        let swapped = round % 2;
        let expected = [pids[swapped], pids[1 - swapped]].map(|pid| pid.to_string());
        tree.until("their names", || {
            tree.names() == ["a", "b"]
                && ["a", "b"].map(|name| field(&tree.object(name), "pid").to_owned()) == expected
        });
        assert_eq!(field(&tree.ask("@b status"), "pid"), expected[1]);
    }
    // Each is where its name says: what is removed is what ends.
    tree.shell("mv a $T/gone");
    tree.until_names(&["b"]);
    assert_eq!((lives(pids[0]), lives(pids[1])), (false, true));
    tree.stop();
    assert_eq!(tree.count("start"), 2);
}

#[test]
fn an_instance_of_a_template_gets_its_argument_and_the_template_is_no_service() {
    let mut tree = Tree::prepare(&[
        ("worker@/run", NOTES),
        ("worker@1", "-> worker@"),
        ("worker@a b", "-> worker@"),
        ("plain/run", NOTES),
    ]);
    tree.keep_state_apart();
    tree.supervise();
    tree.until_names(&["plain", "worker@1", "worker@a b"]);
    tree.until("all starts", || tree.count("start") == 3);
    let mut found: Vec<String> =
        tree.lines().iter().map(|line| line.split_once(" of ").unwrap().1.to_owned()).collect();
    found.sort();
    assert_eq!(found, ["0 ", "1 1", "1 a b"]);
    tree.shell("rm worker@1");
    tree.until_names(&["plain", "worker@a b"]);
    tree.stop();
}

#[test]
fn without_a_state_directory_the_state_of_instances_is_in_that_of_the_tree() {
    let mut tree = Tree::start(&[("w@/run", NOTES), ("w@1", "-> w@"), ("w@2", "-> w@")]);
    tree.until("both", || tree.count("start") == 2);
    tree.until_names(&["w@1", "w@2"]);
    let pid = |name: &str| field(&tree.ask(&format!("@{name} status")), "pid").to_owned();
    let pids = ["w@1", "w@2"].map(pid);
    assert_ne!(pids[0], pids[1]);
    for (name, pid) in ["w@1", "w@2"].iter().zip(&pids) {
        let shown = run(prepared("svctl").args(["status", name]).env("SVDIR", tree.at("")));
        assert!(shown.stdout.starts_with(&format!("run: {name}: (pid {pid}) ")), "{shown:?}");
    }
    assert!(!tree.at("w@/supervise").exists());
    tree.kill_and_restart();
    tree.until_names(&["w@1", "w@2"]);
    let pid = |name: &str| field(&tree.ask(&format!("@{name} status")), "pid").to_owned();
    assert_eq!((["w@1", "w@2"].map(pid), tree.count("start")), (pids, 2));
    tree.stop();
}

#[test]
fn instances_of_a_template_keep_their_state_apart() {
    let mut tree = Tree::prepare(&[("w@/run", NOTES), ("w@1", "-> w@"), ("w@2", "-> w@")]);
    tree.keep_state_apart();
    tree.supervise();
    tree.until("both", || tree.count("start") == 2);
    let pids = ["w@1", "w@2"].map(|name| tree.until_run(name));
    tree.kill_and_restart();
    tree.until_names(&["w@1", "w@2"]);
    assert_eq!(["w@1", "w@2"].map(|name| tree.until_run(name)), pids);
    assert_eq!(tree.count("start"), 2);
    tree.stop();
}

#[test]
fn a_link_is_a_service_and_where_it_leads_is_which() {
    let mut tree = Tree::prepare(&[]);
    tree.shell("mkdir $T/x $T/y");
    for service in ["x", "y"] {
        script(&tree.path(service).join("run"), PUPPET);
    }
    tree.write(&[("web", "-> ../x"), ("nowhere", "-> ../z")]);
    tree.supervise();
    tree.started(1, "x");
    tree.until_names(&["web"]);
    tree.shell("ln -s ../y .web; mv -T .web web");
    tree.nth(1, "stop x");
    tree.started(1, "y");
    // Twice the same directory is one service.
    tree.write(&[("twin", "-> ../y")]);
    tree.until("a word", || tree.said("twin: ignored: the same directory is hosted as web") == 1);
    assert_eq!(tree.names(), ["web"]);
    tree.shell("rm web");
    tree.until_names(&["twin"]);
    assert_eq!(tree.count("start y"), 1, "its name alone is another one");
    // What a link leads to may come later.
    tree.shell("mkdir $T/z.new");
    script(&tree.path("z.new").join("run"), PUPPET);
    tree.shell("mv $T/z.new $T/z");
    tree.signal(SIGHUP);
    tree.started(1, "z");
    tree.until_names(&["nowhere", "twin"]);
    tree.stop();
    assert_eq!(tree.stderr().lines().count(), 1, "{}", tree.stderr());
}

#[test]
fn a_link_that_is_made_under_a_name_of_the_moment_has_its_own_in_the_end() {
    let mut tree = Tree::prepare(&[]);
    tree.shell("mkdir $T/x $T/y");
    for service in ["x", "y"] {
        script(&tree.path(service).join("run"), PUPPET);
    }
    tree.write(&[("web", "-> ../x")]);
    tree.supervise();
    for (round, service) in ["x", "y"].into_iter().cycle().enumerate().take(9).skip(1) {
        // As ln -sfn does, which makes the link anew under a name that is seen, and renames it.
        tree.shell(&format!("ln -s ../{service} CuXYZ; mv -T CuXYZ web"));
        tree.until("the other", || {
            let list = tree.list();
            let pid = list.first().map_or("null", |object| field(object, "pid")).to_owned();
            let cwd = fs::read_link(format!("/proc/{pid}/cwd"));
            tree.names() == ["web"] && cwd.is_ok_and(|cwd| cwd == tree.path(service))
        });
        assert!(tree.count("start") <= round + 1, "{}", tree.report());
    }
    tree.stop();
}

/// Makes services in parts, and waits until they run. Returns what svtree has said.
fn make_in_parts() -> String {
    let mut tree = Tree::start(&[("one/finish", FINISH), ("two/", ""), ("three/run", "")]);
    tree.write(&[("last/run", PUPPET)]);
    tree.started(1, "last");
    let names = || tree.names();
    tree.until("the last", || names().iter().any(|name| name == "last"));
    assert!(!names().iter().any(|name| name == "one" || name == "two"), "{}", tree.report());
    tree.write(&[("one/run", PUPPET), ("two/run", PUPPET), ("three/run", PUPPET)]);
    for service in ["one", "two", "three"] {
        tree.started(1, service);
    }
    // As by hand: written, and made executable then.
    let half = PUPPET.replace("#!", "\n#!");
    tree.write(&[("four/run", &half)]);
    tree.shell("sed -i 1d four/run; chmod 755 four/run");
    tree.started(1, "four");
    tree.until_names(&["four", "last", "one", "three", "two"]);
    tree.stop();
    tree.stderr()
}

#[test]
fn what_is_half_made_is_no_error_and_runs_once_it_is_whole() {
    // What is written and not made executable for a second is taken for what it is: a busy machine may need that second.
    let said: Vec<String> = (0..5).map(|_| make_in_parts()).take_while(|said| !said.is_empty()).collect();
    assert!(said.len() < 5, "{said:?}");
    let by_itself = |line: &str| line.starts_with("svtree three: ") || line.starts_with("svtree four: ");
    let of_a_run = |line: &str| {
        line.starts_with("three: warning: svtree: run ") || line.starts_with("four: warning: svtree: run ")
    };
    assert!(said.concat().lines().all(|line| by_itself(line) || of_a_run(line)), "{said:?}");
}

#[test]
fn files_and_hidden_names_are_passed_over_in_silence() {
    let mut tree = Tree::start(&[
        ("README", "text"),
        (".hidden/run", PUPPET),
        ("...", "text"),
        ("@/run", PUPPET),
        ("to-a-file", "-> README"),
        ("web/run", PUPPET),
    ]);
    tree.started(1, "web");
    tree.signal(SIGHUP);
    tree.add("second", &[("run", PUPPET)]);
    tree.started(1, "second");
    assert_eq!((tree.names().len(), tree.count("start")), (2, 2));
    tree.stop();
    assert_eq!(tree.stderr(), "");
}

#[test]
fn names_that_are_no_words_are_names_of_services() {
    let names = ["a b", "quote\"", "new\nline", "ümlaut", "-n", "$HOME", "back\\slash"];
    let mut tree = Tree::prepare(&[]);
    for name in names {
        tree.add(name, &[("run", "#!/bin/sh\necho start any >>$D/lines\nexec sleep 1000000\n")]);
    }
    tree.supervise();
    tree.until("all", || tree.count("start any") == names.len() && tree.list().len() == names.len());
    let shown = tree.list().join("\n");
    for name in [r#""a b""#, r#""quote\"""#, r#""new\u000aline""#, r#""ümlaut""#, r#""back\\slash""#] {
        assert!(shown.contains(&format!("{{\"name\":{name},")), "{name}: {shown}");
    }
    assert_eq!(field(&tree.ask("@ümlaut status"), "state"), "\"run\"");
    tree.stop();
}

#[test]
fn services_go_on_while_the_scan_directory_is_gone() {
    let mut tree = Tree::start(&[("web/run", PUPPET)]);
    let pid = tree.started(1, "web");
    fs::rename(tree.path("tree"), tree.path("away")).unwrap();
    tree.until("a word", || tree.said("unable to read the scan directory") == 1);
    assert!(lives(pid));
    fs::rename(tree.path("away"), tree.path("tree")).unwrap();
    tree.until("a word", || tree.said("the scan directory is back") == 1);
    tree.add("new", &[("run", PUPPET)]);
    tree.started(1, "new");
    assert_eq!((tree.count("start web"), tree.count("stop web")), (1, 0));
    tree.stop();
}

#[test]
fn another_scan_directory_under_the_same_path_counts() {
    let mut tree = Tree::start(&[("web/run", PUPPET), ("db/run", PUPPET)]);
    let pids = [tree.started(1, "web"), tree.started(1, "db")];
    tree.shell("mkdir -p $T/new/mail; cp web/run $T/new/mail; ln -s ../old/db $T/new/db");
    tree.shell("mv $T/tree $T/old; mv $T/new $T/tree");
    tree.started(1, "mail");
    tree.nth(1, "stop web");
    let mut client = Client::at(&tree.path("old/.tree/socket"));
    tree.until("the two", || {
        let lines = [client.ask("list"), client.line(), client.line()];
        lines[0].starts_with("{\"name\":\"db\"") && lines[1].starts_with("{\"name\":\"mail\"") || {
            client = Client::at(&tree.path("old/.tree/socket"));
            false
        }
    });
    assert!(!lives(pids[0]) && lives(pids[1]), "{}", tree.report());
    tree.stop();
}

#[test]
fn a_tree_in_a_tree_is_a_service() {
    let mut tree = Tree::start(&[
        ("bundle/run", "#!/bin/sh\nexec svtree services\n"),
        ("bundle/services/in/run", PUPPET),
        ("bundle/services/in/log/run", LOGGER),
        ("out/run", PUPPET),
    ]);
    let inner = tree.started(1, "in");
    tree.started(1, "out");
    assert_eq!(parent(inner), tree.until_run("bundle"));
    // A bundle that is killed is started again, and takes its services over.
    send_signal(tree.until_run("bundle"), SIGKILL);
    let socket = tree.at("bundle/services/.tree/socket");
    tree.until("its adoption", || {
        let mut client = Client::at(&socket);
        client.ask("list").contains(&format!("\"pid\":{inner},"))
    });
    assert_eq!(tree.count("start in"), 1);
    tree.stop();
    assert_eq!((tree.count("stop in"), tree.count("stop out")), (1, 1));
}

#[test]
fn an_instance_that_was_renamed_is_adopted_by_its_new_name() {
    let mut tree = Tree::start(&[("t@/run", PUPPET), ("x@1", "-> t@")]);
    tree.started(1, "t@");
    tree.until_names(&["x@1"]);
    fs::rename(tree.at("x@1"), tree.at("y@1")).unwrap();
    tree.until_names(&["y@1"]);
    tree.kill_and_restart();
    tree.until_names(&["y@1"]);
    tree.stop();
    assert_eq!((tree.count("start"), tree.count("stop")), (1, 1), "{}", tree.report());
}
