//! No service holds up another, and what does not fit waits until there is room.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use nix::errno::Errno;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// Asserts that a service beside what happens in the tree answers, stops and starts.
fn assert_served(tree: &Tree, service: &str) {
    for _ in 0..3 {
        let count = tree.count(&format!("start {service}"));
        assert_eq!(field(&tree.ask(&format!("@{service} restart")), "ok"), "true");
        tree.started(count + 1, service);
        tree.until_run(service);
    }
}

#[test]
fn a_flood_of_control_bytes_or_requests_to_one_service_does_not_hold_up_another() {
    let mut tree = Tree::start(&[("a/run", SLEEPER), ("a/sd-notify", ""), ("b/run", PUPPET)]);
    tree.started(1, "a");
    tree.started(1, "b");
    tree.until_names(&["a", "b"]);
    let over = AtomicBool::new(false);
    let control = tree.state_of("a", "control");
    let mut fifo = OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(control).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Relaxed) {
                let _ = fifo.write(&[b'c'; 4096]); // it may be full
            }
        });
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = Client::at(&tree.state_of("a", "socket"));
                while !over.load(Relaxed) && client.say("status\n".repeat(20)).is_ok() {
                    for _ in 0..20 {
                        client.line();
                    }
                }
            });
        }
        scope.spawn(|| {
            let mut client = tree.connect();
            while !over.load(Relaxed) {
                client.ask("list");
                client.line();
                client.line();
            }
        });
        assert_served(&tree, "b");
        tree.add("c", &[("run", PUPPET)]);
        tree.started(1, "c");
        over.store(true, Relaxed);
    });
    assert_eq!(tree.count("start a"), 1);
    tree.stop();
}

#[test]
fn crash_loops_without_a_delay_do_not_hold_up_others() {
    let mut tree = Tree::prepare(&[("b/run", PUPPET), ("b/restart-delay", "0\n")]);
    for name in ["x", "y", "z"] {
        let run = format!("{name}/run");
        tree.write(&[(&run, "#!/bin/true\n"), (&format!("{name}/restart-delay"), "0\n")]);
    }
    tree.supervise();
    tree.started(1, "b");
    let restarts = || {
        let restarts = |name| field(&tree.object(name), "restarts").parse::<u32>().unwrap();
        ["x", "y", "z"].map(restarts)
    };
    tree.until("many crashes", || restarts().iter().all(|count| *count > 50));
    assert_served(&tree, "b");
    let before = restarts();
    tree.until("all go on", || restarts().iter().zip(before).all(|(now, then)| *now > then + 20));
    tree.stop();
}

#[test]
fn thousands_of_leftovers_of_one_service_do_not_hold_up_another() {
    let pause = bin().join("pause").display().to_string();
    let run = format!(
        "#!/bin/sh\ni=0\nwhile [ $i -lt 2000 ]; do {pause} & i=$((i+1)); done\necho start a $$ >>$D/lines\nexec {pause}\n"
    );
    let mut tree = Tree::prepare(&[("a/run", &run), ("a/leftovers", "term 20s kill\n"), ("b/run", PUPPET)]);
    tree.supervise();
    let pid = tree.started(1, "a");
    tree.started(1, "b");
    tree.shell("touch a/down");
    send_signal(pid, nix::sys::signal::Signal::SIGKILL);
    tree.ask("@a down");
    assert_served(&tree, "b");
    tree.until("their end", || field(&tree.object("a"), "state") == "\"down\"");
    assert!(tree.processes().len() < 10, "{}", tree.processes().len());
    tree.stop();
}

#[test]
fn what_does_not_fit_into_the_limit_of_fds_is_reported_once_and_started_when_there_is_room() {
    const SERVICES: usize = 30;
    needs!(tool("prlimit"));
    let run = "#!/bin/sh\necho start ${PWD##*/} $$ with $(ulimit -Sn) >>$D/lines\nexec sleep 1000000\n";
    let mut tree = Tree::prepare(&[]);
    for i in 10..10 + SERVICES {
        tree.add(&format!("s{i}"), &[("run", run)]);
    }
    tree.spawn(tree.command_behind(&["prlimit", "--nofile=48:64"]));
    tree.until("as many as fit", || tree.count("start") >= 4);
    tree.until("a word", || tree.stderr().contains(says(Errno::EMFILE)));
    tree.until("an answer", || tree.ask("status").contains("\"up\""));
    let started = tree.count("start");
    assert!(started < SERVICES);
    // They are well: they are started again, and each gets the limit that svtree was given.
    let name = tree.names().remove(0);
    let is_noted = |name: &String| tree.count(&format!("start {name}")) > 0;
    tree.until("its start", || is_noted(&name));
    tree.ask(&format!("@{name} signal KILL"));
    tree.until("another start", || tree.count(&format!("start {name}")) == 2);
    assert!(tree.lines().iter().all(|line| line.ends_with(" with 48")), "{:?}", tree.lines());
    // Those that were started are removed: all others find room, a few at a time.
    let mut removed = 0;
    while removed < SERVICES - 4 {
        let names = tree.names();
        tree.until("their starts", || names.iter().take(4).all(is_noted));
        for name in names.iter().take(4) {
            tree.shell(&format!("mv {name} $T/{name}.gone"));
            removed += 1;
        }
        let gone = names.into_iter().take(4).collect::<Vec<_>>();
        tree.until("their end", || tree.names().iter().all(|name| !gone.contains(name)));
        tree.until("others", || tree.names().len() >= (SERVICES - removed).min(4));
    }
    tree.until("a start of each", || (10..10 + SERVICES).all(|i| is_noted(&format!("s{i}"))));
    let words = tree.stderr().lines().filter(|line| line.contains(says(Errno::EMFILE))).count();
    assert_eq!(words, 1, "{}", tree.stderr());
    tree.stop();
}

#[test]
fn a_service_has_neither_the_open_files_of_the_tree_nor_the_room_for_them() {
    const SERVICES: usize = 40;
    needs!(tool("prlimit"));
    let mut tree = Tree::prepare(&[]);
    let run = format!("#!{}\n", bin().join("pause").display());
    let names: Vec<_> = (10..10 + SERVICES).map(|i| format!("s{i}")).collect();
    for name in &names {
        tree.add(name, &[("run", &run), ("notification-fd", "5"), ("log/run", LOGGER)]);
    }
    // Fewer than it has open itself: a service's own limit is no hindrance to its start.
    let start = |tree: &mut Tree| tree.supervise_by(tree.command_behind(&["prlimit", "--nofile=64:4096"]));
    start(&mut tree);
    let up = |tree: &Tree| {
        let up = |name: &String| tree.status_now(name).filter(|status| status.state == 1);
        names.iter().map(up).collect::<Option<Vec<_>>>()
    };
    tree.until("all of them", || up(&tree).is_some());
    let pids = |tree: &Tree| up(tree).unwrap().iter().map(|status| status.pid).collect::<Vec<_>>();
    let before = pids(&tree);
    assert!(files_of(tree.supervisor()).len() > 256);
    for pid in &before {
        tree.until("its program", || cmdline(*pid).contains("/pause"));
        let status = text(std::path::Path::new(&format!("/proc/{pid}/status")));
        let size = status.lines().find_map(|line| line.strip_prefix("FDSize:")).map(str::trim);
        assert_eq!(size, Some("64"));
        wait_until_in(*pid, &[nix::libc::SYS_rt_sigtimedwait]); // what loads it has libraries open before
        let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let mut open: Vec<_> = open.map(|entry| entry.file_name().into_string().unwrap()).collect();
        open.sort();
        assert_eq!(open, ["0", "1", "2", "5"]);
    }
    tree.kill();
    start(&mut tree);
    tree.until("their adoption", || tree.names().len() == SERVICES && up(&tree).is_some());
    assert_eq!(pids(&tree), before);
    tree.stop();
}

#[test]
fn clients_of_the_peers_find_a_hosted_service_as_they_know_it() {
    needs!(tool("sv"), tool("svc"), tool("svstat"));
    let mut tree = Tree::start(&[("a/run", PUPPET), ("a/log/run", LOGGER), ("b/run", PUPPET)]);
    let pid = tree.started(1, "a");
    tree.until_log("a");
    let says = |program: &str, args: &[&str]| tree.client(program, args);
    let status = says("/usr/bin/sv", &["status", "./a"]);
    assert!(status.stdout.starts_with(&format!("run: ./a: (pid {pid}) ")), "{status:?}");
    assert!(status.stdout.contains("; run: log: (pid "), "{status:?}");
    let status = says("svstat", &["a"]);
    assert!(status.stdout.starts_with(&format!("a: up (pid {pid}) ")), "{status:?}");
    assert_eq!(says("svok", &["a"]).status, 0);
    assert_eq!(says("svc", &["-d", "a"]).status, 0);
    tree.nth(1, "stop a");
    tree.until_stat("a", "down");
    assert_eq!(says("/usr/bin/sv", &["-w", "30", "start", "./a"]).status, 0);
    tree.started(2, "a");
    assert_eq!(says("/usr/bin/sv", &["-w", "30", "restart", "./a"]).status, 0);
    tree.started(3, "a");
    assert_eq!(says("/usr/bin/sv", &["-w", "30", "force-stop", "./a"]).status, 0);
    assert_eq!(tree.count("start b") + tree.count("stop b"), 1);
    tree.stop();
}
