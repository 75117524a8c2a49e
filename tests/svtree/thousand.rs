//! Many services, and many commands in no order.

use std::collections::BTreeMap;
use std::fs;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::Signal::{SIGHUP, SIGKILL};

use super::harness::*;
use crate::needs;
use crate::support::*;

const SERVICES: usize = 1000;

/// Each service takes seven files, and another one where it is adopted.
fn many_files() -> Result<(), String> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if hard >= 9000 { Ok(()) } else { Err("a hard limit of 9000 open files".into()) }
}

/// The pid of each service that runs, by its name.
fn running(tree: &Tree) -> BTreeMap<String, String> {
    let running = |line: &String| {
        let pid = field(line, "pid");
        let runs = field(line, "state") == "\"run\"" && pid != "null";
        runs.then(|| (field(line, "name").to_owned(), pid.to_owned()))
    };
    tree.list().iter().filter_map(running).collect()
}

#[test]
fn a_thousand_services_start_go_on_and_stop() {
    needs!(many_files());
    let mut tree = Tree::prepare(&[]);
    script(&tree.path("run"), &format!("#!{}\n", bin().join("pause").display()));
    for i in 0..SERVICES {
        let directory = tree.at(&format!("s{i:03}"));
        fs::create_dir(&directory).unwrap();
        fs::hard_link(tree.path("run"), directory.join("run")).unwrap();
    }
    tree.supervise();
    tree.until("all of them", || running(&tree).len() == SERVICES);
    let before = running(&tree);
    assert_eq!(field(&tree.ask("status"), "ready"), SERVICES.to_string());

    assert_eq!(field(&tree.ask("@s500 restart"), "ok"), "true");
    tree.until("another s500", || {
        let now = running(&tree);
        now.len() == SERVICES && now["\"s500\""] != before["\"s500\""]
    });
    let restarted = running(&tree);
    assert_eq!(before.iter().filter(|(name, pid)| restarted[*name] != **pid).count(), 1);
    assert_eq!(tree.ask("rescan"), format!("{{\"ok\":true,\"services\":{SERVICES}}}"));

    // Who asks for one of them after an upgrade does not wait for the others.
    let mut client = tree.connect();
    client.say("upgrade\n").unwrap();
    assert_eq!(client.line(), "");
    let mut answer = String::new();
    tree.until("an answer", || {
        answer = tree.try_ask("@s999 status").unwrap_or_default();
        !answer.is_empty()
    });
    assert_eq!(field(&answer, "pid"), restarted["\"s999\""], "{answer}");
    tree.until("their adoption", || running(&tree).len() == SERVICES);
    assert_eq!(running(&tree), restarted, "nothing was started anew");

    tree.kill_and_restart();
    tree.until("their adoption", || running(&tree).len() == SERVICES);
    assert_eq!(running(&tree), restarted, "nothing was started anew");
    assert_eq!(field(&tree.ask("@s999 restart"), "ok"), "true");
    tree.until("another s999", || {
        let now = running(&tree);
        now.len() == SERVICES && now["\"s999\""] != restarted["\"s999\""]
    });
    tree.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(tree.ended(), 0);
    tree.assert_nothing_left();
    // How those ended that a killed tree has started is not always known.
    let other = |line: &&str| !line.contains("run ended after") || !line.contains("status unknown");
    assert_eq!(tree.stderr().lines().find(other), None);
}

/// The services of a random tree: each needs some of those before it.
const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// What is known of a service that was told something.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Up,
    Down,
    /// By way of another one, perhaps.
    Nobody,
}

/// A tree that is not started yet, and what each of its services needs.
fn with_random_needs(random: &mut Random) -> (Tree, BTreeMap<&'static str, Vec<usize>>) {
    let mut needs = BTreeMap::new();
    let tree = Tree::prepare(&[]);
    for (i, name) in NAMES.into_iter().enumerate() {
        let of: Vec<usize> = (0..i).filter(|_| random.below(3) == 0).collect();
        let text: Vec<&str> = of.iter().flat_map(|need| [NAMES[*need], "\n"]).collect();
        let text = text.concat();
        needs.insert(name, of);
        // Its directory may have another name then.
        let finish = format!("#!/bin/sh\necho finish {name} >>$D/lines\n");
        tree.add(name, &[("run", SLEEPER), ("needs", &text), ("restart-delay", "0\n"), ("finish", &finish)]);
    }
    (tree, needs)
}

#[test]
fn what_is_wanted_after_any_commands_is_what_runs() {
    const COMMANDS: usize = 120;
    for seed in 0..3 {
        let mut random = Random::new(seed + 5);
        let (mut tree, needs) = with_random_needs(&mut random);
        tree.supervise();
        tree.until_names(&NAMES);
        let mut told = [Told::Up; NAMES.len()];
        let mut log = Vec::new();
        for _ in 0..COMMANDS {
            let i = random.below(NAMES.len());
            let name = NAMES[i];
            let command = match random.below(16) {
                0..4 => "up",
                4..7 => "down",
                7 => "restart",
                8 => "up alone",
                9 => {
                    tree.signal_run(name, SIGKILL);
                    log.push(format!("{name} killed"));
                    continue;
                }
                10 => "wait finished 0.001",
                11 => {
                    tree.signal(SIGHUP);
                    continue;
                }
                12 => {
                    tree.kill_and_restart();
                    tree.until_names(&NAMES);
                    log.push("kill -9".to_owned());
                    continue;
                }
                13 => {
                    tree.shell(&format!("mv {name} .{name}; mv .{name} {name}"));
                    tree.ask("rescan");
                    let stays = |object: &String| field(object, "want") != "\"exit\"";
                    tree.until("all of them", || {
                        let list = tree.list();
                        list.len() == NAMES.len() && list.iter().all(stays)
                    });
                    log.push(format!("{name} away and back"));
                    // Where it was missed, another one is hosted.
                    if told[i] == Told::Down {
                        told[i] = Told::Nobody;
                    }
                    continue;
                }
                14 => {
                    // One that is gone is stopped, and another one when it is back.
                    tree.shell(&format!("mv {name} .{name}"));
                    tree.until("its end", || !tree.names().iter().any(|found| found == name));
                    tree.shell(&format!("mv .{name} {name}"));
                    tree.until_names(&NAMES);
                    log.push(format!("{name} anew"));
                    told[i] = Told::Up;
                    continue;
                }
                _ => {
                    tree.send(name, "d");
                    tree.until("down", || field(&tree.object(name), "want") == "\"down\"");
                    log.push(format!("{name} d"));
                    told[i] = Told::Down;
                    continue;
                }
            };
            log.push(format!("{name} {command}"));
            let mut client = tree.connect();
            client.say(format!("@{name} {command}\n")).unwrap();
            if command.starts_with("up") || command == "restart" {
                // The answer may have to wait for what it needs.
                tree.until("want up", || field(&tree.object(name), "want") == "\"up\"");
                told[i] = Told::Up;
                if command != "up alone" {
                    forget_needs(&needs, i, &mut told);
                }
            } else {
                client.line();
                if command == "down" {
                    told[i] = Told::Down;
                }
            }
        }
        assert_wanted(&tree, &needs, &told, &format!("seed {seed}: {}", log.join(", ")));
        tree.kill_and_restart();
        tree.until_names(&NAMES);
        assert_wanted(&tree, &needs, &told, &format!("seed {seed}, after kill -9: {}", log.join(", ")));
        tree.stop();
        for name in NAMES {
            // A run that was killed before it could note its start has a finish, too.
            assert!(
                tree.count(&format!("start {name}")) <= tree.count(&format!("finish {name}")),
                "{seed} {name}"
            );
        }
    }
}

/// What a service needs may have been started with it.
fn forget_needs(needs: &BTreeMap<&str, Vec<usize>>, service: usize, told: &mut [Told]) {
    for need in &needs[NAMES[service]] {
        if told[*need] == Told::Down {
            told[*need] = Told::Nobody;
        }
        forget_needs(needs, *need, told);
    }
}

/// Waits until each service is as it is wanted: those that are wanted up run, unless something that they need does not.
fn assert_wanted(tree: &Tree, needs: &BTreeMap<&str, Vec<usize>>, told: &[Told], context: &str) {
    let settled = || {
        let list = tree.list();
        let runs = |i: usize| field(&list[i], "state") == "\"run\"";
        (0..NAMES.len()).all(|i| {
            let wanted = field(&list[i], "want") == "\"up\"";
            let waits = field(&list[i], "hold") == "\"waiting for\"";
            let met = needs[NAMES[i]].iter().all(|need| runs(*need));
            let as_told = match told[i] {
                Told::Up => wanted,
                Told::Down => !wanted,
                Told::Nobody => true,
            };
            as_told && if wanted { runs(i) || waits && !met } else { field(&list[i], "state") == "\"down\"" }
        })
    };
    tree.until(&format!("what is wanted: {told:?} {needs:?} {context}"), settled);
    tree.until(&format!("those alone that are wanted: {context}"), || {
        let mut all: Vec<u32> = running(tree).values().map(|pid| pid.parse().unwrap()).collect();
        all.sort_unstable();
        tree.processes().into_iter().filter(|pid| *pid != tree.supervisor()).eq(all)
    });
}
