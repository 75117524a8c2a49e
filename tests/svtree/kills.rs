//! kill -9 before any system call of svtree: what comes after it finds all in order. Never two copies, a finish for each
//! end, no line lost or doubled, no service forgotten.

use std::fs;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::harness::*;
use crate::support::*;

const NAMES: [&str; 3] = ["a", "b", "c"];
/// The context of kills at any moment.
const LOAD: &str = "under load";

/// Services that write lines as fast as they can, with loggers, and what the parameters add.
fn services(more: &[(&str, &str)]) -> Tree {
    let tree = Tree::prepare(&[]);
    for name in NAMES {
        tree.add(name, &service(name).iter().map(|(file, text)| (*file, &**text)).collect::<Vec<_>>());
    }
    tree.write(&[("b/needs", "a\n")]);
    tree.write(more);
    tree
}

/// The files of a service. It notes its own name, whatever that of its directory is.
fn service(name: &str) -> Vec<(&'static str, String)> {
    let count = example("count").display().to_string();
    vec![
        ("run", format!("#!/bin/sh\necho start {name} $$ >>$D/lines\nexec {count}\n")),
        ("log/run", LOGGER.to_owned()),
        ("finish", format!("#!/bin/sh\necho finish {name} \"$@\" >>$D/lines\n")),
        ("restart-delay", "0\n".to_owned()),
        ("restart-reset", "0\n".to_owned()),
    ]
}

/// The names of the services in the directory, in their order.
fn names(tree: &Tree) -> Vec<String> {
    let entries = fs::read_dir(tree.at("")).unwrap().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

/// How many processes of a service there are, without its finish and its control scripts.
fn copies(tree: &Tree, directory: &str) -> usize {
    let directory = tree.at(directory);
    let here = |pid: &&u32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == directory);
    let run = |pid: &&u32| !cmdline(**pid).contains("./finish") && lives(**pid);
    tree.processes().iter().filter(here).filter(run).count()
}

fn is_up(tree: &Tree, name: &str) -> bool {
    tree.status_now(name).is_some_and(|status| status.state == 1 && status.want == 'u' && lives(status.pid))
}

/// Waits until a service and its logger run, and asserts that each of them is there once.
#[track_caller]
fn assert_one(tree: &Tree, name: &str, context: &str) {
    tree.until(&format!("{context}: {name} runs"), || is_up(tree, name));
    tree.until(&format!("{context}: {name} has come to its program"), || {
        let pid = tree.status_now(name).map_or(0, |status| status.pid);
        cmdline(pid).ends_with("count")
    });
    tree.until_log(name);
    assert_eq!(copies(tree, name), 1, "{context}: {name}\n{}", tree.report());
    assert!(copies(tree, &format!("{name}/log")) <= 1, "{context}: {name}\n{}", tree.report());
}

/// Ends the tree, and asserts what has to hold at the end whatever has happened.
#[track_caller]
fn assert_end(mut tree: Tree, context: &str) {
    tree.stop();
    for name in NAMES.into_iter().chain(["new"]) {
        let (starts, finishes) =
            (tree.count(&format!("start {name}")), tree.count(&format!("finish {name}")));
        // A signal that was sent at random may have ended a run before it could note its start.
        assert!(
            starts == finishes || context == LOAD && starts < finishes,
            "{context}: {name}: {starts} {finishes}\n{}",
            tree.report()
        );
        assert_counted(&tree.text(&format!("logged.{name}")), "svtree", &format!("{context}: {name}"));
    }
}

/// Kills svtree before its system calls, one in each run of the same story: `act` leads to where it begins, and it is over
/// when svtree has come to rest and `done` holds. The next svtree is looked at by `check`.
fn kill_before_each(
    name: &str,
    stride: usize,
    prepare: impl Fn() -> Tree,
    act: impl Fn(&mut Tree) -> Traced,
    done: impl Fn(&Tree) -> bool,
    check: impl Fn(&mut Tree, &str),
) {
    let mut kills = 0;
    for count in moments(stride) {
        let mut tree = prepare();
        let mut traced = act(&mut tree);
        let there = (0..=count).all(|_| traced.call(|| done(&tree)).is_some());
        traced.kill();
        tree.ended();
        tree.supervise();
        // What its files say is from before, until it is hosted again.
        tree.until("all are hosted", || tree.names() == names(&tree));
        let context = format!("{name}, before call {count}");
        check(&mut tree, &context);
        assert_end(tree, &context);
        kills += 1;
        if !there {
            tell(&format!("svtree: {name}: {kills} kills, {count} calls"));
            return;
        }
    }
}

/// All run.
fn all_up(tree: &Tree) -> bool {
    NAMES.iter().all(|name| is_up(tree, name) && tree.count(&format!("start {name}")) >= 1)
}

/// A tree whose services run.
fn started() -> Tree {
    let mut tree = services(&[]);
    tree.supervise();
    for name in NAMES {
        assert_one(&tree, name, "before");
    }
    tree
}

fn trace_from_start(tree: &mut Tree) -> Traced {
    let command = tree.adopt(to_be_traced(&tree.command()));
    tree.spawn(command);
    Traced::from_start(tree.child())
}

#[test]
fn at_the_start() {
    kill_before_each(
        "start",
        83,
        || services(&[]),
        trace_from_start,
        all_up,
        |tree, context| {
            for name in NAMES {
                assert_one(tree, name, context);
                assert_eq!(tree.count(&format!("start {name}")), 1, "{context}\n{}", tree.report());
            }
        },
    );
}

#[test]
fn at_a_death_its_finish_and_the_next_start() {
    let act = |tree: &mut Tree| {
        let traced = Traced::at_rest(tree.supervisor());
        send_signal(tree.status_now("a").unwrap().pid, Signal::SIGKILL);
        traced
    };
    let done = |tree: &Tree| tree.count("start a") == 2 && tree.count("finish a") == 1 && is_up(tree, "a");
    kill_before_each("death", 13, started, act, done, |tree, context| {
        tree.started(2, "a");
        for name in NAMES {
            assert_one(tree, name, context);
            assert_eq!(tree.count(&format!("start {name}")), if name == "a" { 2 } else { 1 }, "{context}");
        }
        assert_eq!(tree.count("finish a"), 1, "{context}\n{}", tree.report());
    });
}

#[test]
fn at_the_stop_of_one_service() {
    let act = |tree: &mut Tree| {
        let traced = Traced::at_rest(tree.supervisor());
        tree.send("a", "d");
        traced
    };
    let down = |tree: &Tree| tree.count("finish a") == 1 && copies(tree, "a") == 0;
    let shown = |tree: &Tree| text(&tree.state_of("a", "stat")) == "down\n";
    kill_before_each(
        "stop",
        13,
        started,
        act,
        |tree| down(tree) && shown(tree),
        |tree, context| {
            // A byte that was not read yet is lost with its reader.
            tree.until(context, || down(tree) || is_up(tree, "a") && tree.count("finish a") == 0);
            if !down(tree) {
                tree.send("a", "d");
            }
            tree.until(context, || down(tree) && shown(tree));
            assert_eq!(tree.count("start a"), 1, "{context}\n{}", tree.report());
            for name in ["b", "c"] {
                assert_one(tree, name, context);
            }
        },
    );
}

#[test]
fn at_a_look_at_the_directory() {
    let act = |tree: &mut Tree| {
        let traced = Traced::at_rest(tree.supervisor());
        tree.add("new", &service("new").iter().map(|(file, text)| (*file, &**text)).collect::<Vec<_>>());
        tree.shell("mv c $T/gone");
        traced
    };
    let gone =
        |tree: &Tree| text(&tree.path("gone/supervise/stat")) == "down\n" && tree.count("finish c") == 1;
    let done = |tree: &Tree| is_up(tree, "new") && gone(tree);
    let forgotten = std::cell::Cell::new(0);
    let check = |tree: &mut Tree, context: &str| {
        for name in ["a", "b", "new"] {
            assert_one(tree, name, context);
            assert_eq!(tree.count(&format!("start {name}")), 1, "{context}\n{}", tree.report());
        }
        // A directory that was moved away before anybody has seen that is as it was: moved back, it is taken over.
        tree.shell("mv $T/gone c");
        tree.until_names(&["a", "b", "c", "new"]);
        assert_one(tree, "c", context);
        forgotten.set(forgotten.get() + usize::from(tree.count("start c") == 1));
        assert!(tree.count("start c") <= 2, "{context}\n{}", tree.report());
    };
    kill_before_each("look", 41, started, act, done, check);
    assert!(forgotten.get() > 0);
}

#[test]
fn at_the_adoption() {
    let act = |tree: &mut Tree| {
        tree.kill();
        trace_from_start(tree)
    };
    // It cannot be asked while it stands.
    let done = |tree: &Tree| {
        let files = files_of(tree.supervisor());
        let control = |name: &&str| tree.state_of(name, "control").display().to_string();
        NAMES.iter().all(|name| files.contains(&control(name)))
    };
    kill_before_each("adoption", 83, started, act, done, |tree, context| {
        for name in NAMES {
            assert_one(tree, name, context);
            assert_eq!(tree.count(&format!("start {name}")), 1, "{context}\n{}", tree.report());
        }
    });
}

#[test]
fn at_the_end_of_the_tree() {
    // That of one without finish is shown when nothing else is to be done.
    let prepare = || {
        let mut tree = services(&[("plain/run", SLEEPER), ("plain/log/run", LOGGER)]);
        tree.supervise();
        for name in NAMES {
            assert_one(&tree, name, "before");
        }
        tree.until_run("plain");
        tree.until_log("plain");
        tree
    };
    let act = |tree: &mut Tree| {
        let traced = Traced::at_rest(tree.supervisor());
        tree.signal(Signal::SIGTERM);
        traced
    };
    kill_before_each(
        "end",
        59,
        prepare,
        act,
        |_| false,
        |tree, context| {
            tree.until(context, || is_up(tree, "plain") && text(&tree.state_of("plain", "stat")) == "run\n");
            tree.until_log("plain");
            assert_eq!([copies(tree, "plain"), copies(tree, "plain/log")], [1; 2], "{context}");
            for name in NAMES {
                assert_one(tree, name, context);
                let (starts, finishes) =
                    (tree.count(&format!("start {name}")), tree.count(&format!("finish {name}")));
                assert_eq!(starts, finishes + 1, "{context}: {name}\n{}", tree.report());
            }
        },
    );
}

#[test]
fn at_the_setup_of_a_one_shot_and_what_needs_it() {
    let setup =
        "#!/bin/sh\nmkdir $D/busy || echo two >>$D/lines\necho setup x $$ >>$D/lines\nrmdir $D/busy\n";
    let prepare = || {
        let tree = services(&[("c/needs", "x\n")]);
        tree.add("x", &[("setup", setup), ("finish", FINISH)]);
        tree
    };
    let done = |tree: &Tree| all_up(tree) && tree.count("setup x") >= 1;
    kill_before_each("one-shot", 97, prepare, trace_from_start, done, |tree, context| {
        for name in NAMES {
            assert_one(tree, name, context);
            assert_eq!(tree.count(&format!("start {name}")), 1, "{context}\n{}", tree.report());
        }
        assert_eq!(tree.count("two"), 0, "{context}\n{}", tree.report());
        assert!(tree.count("setup x") <= 2, "{context}\n{}", tree.report());
        let object = tree.object("x");
        assert_eq!((field(&object, "want"), field(&object, "pid")), ("\"up\"", "null"), "{context}");
    });
}

#[test]
fn at_any_moment_under_load() {
    const KILLS: usize = 40;
    for seed in 0..2 {
        let mut random = Random::new(seed + 77);
        let mut tree = started();
        for kill in 0..KILLS {
            for _ in 0..=random.below(3) {
                let name = NAMES[random.below(3)];
                match random.below(6) {
                    0 => tree.signal_run(name, Signal::SIGKILL),
                    1 => tree.signal_run(name, Signal::SIGTERM),
                    2 => tree.send(name, "du"),
                    3 => tree.send(name, "pc"),
                    4 => tree.signal(Signal::SIGHUP),
                    _ => drop(tree.connect().say(format!("@{name} restart\n"))),
                }
            }
            thread::sleep(Duration::from_micros(u64::try_from(random.below(4000)).unwrap()));
            tree.kill_and_restart();
            for name in NAMES {
                assert!(copies(&tree, name) <= 1, "kill {kill} of {seed}: {name}\n{}", tree.report());
                assert!(copies(&tree, &format!("{name}/log")) <= 1, "kill {kill} of {seed}: {name}");
            }
        }
        for name in NAMES {
            tree.until("its state", || tree.names().len() == 3);
            tree.send(name, "u");
            assert_one(&tree, name, "at the end");
        }
        assert_end(tree, LOAD);
    }
    tell(&format!("svtree: {} kills under load", 2 * KILLS));
}
