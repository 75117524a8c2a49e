//! svctl as sv, beside runit's own: the same words on the same service directories.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// Words that make sv wait for something, and what they write to a supervisor.
const COMMANDS: [(&str, &str); 47] = [
    ("up", "u"),
    ("u", "u"),
    ("upwards", "u"),
    ("down", "d"),
    ("d", "d"),
    ("once", "o"),
    ("o", "o"),
    ("pause", "p"),
    ("p", "p"),
    ("cont", "c"),
    ("c", "c"),
    ("hup", "h"),
    ("h", "h"),
    ("alarm", "a"),
    ("a", "a"),
    ("interrupt", "i"),
    ("i", "i"),
    ("quit", "q"),
    ("q", "q"),
    ("1", "1"),
    ("2", "2"),
    ("term", "t"),
    ("t", "t"),
    ("kill", "k"),
    ("k", "k"),
    ("exit", "x"),
    ("e", "x"),
    ("x", "x"),
    ("event", "x"),
    ("start", "u"),
    ("stop", "d"),
    ("restart", "tcu"),
    ("reload", "h"),
    ("shutdown", "x"),
    ("check", ""),
    ("try-restart", "tc"),
    ("force-stop", "dk"),
    ("D", "dk"),
    ("force-reload", "tck"),
    ("T", "tck"),
    ("force-restart", "tcuk"),
    ("force-shutdown", "xk"),
    ("X", "xk"),
    ("E", "xk"),
    ("status", ""),
    ("s", ""),
    ("stopx", ""),
];

/// States of a service: its name here, the state, the pid, and bytes 16 to 19.
const STATES: [(&str, &str, u32, [u8; 4]); 8] = [
    ("a", "run", 77, [0, b'u', 0, 1]),
    ("b", "run, paused", 77, [1, b'u', 0, 1]),
    ("c", "run, want down", 77, [0, b'd', 0, 1]),
    ("d", "run, want down, got TERM", 77, [0, b'd', 1, 1]),
    ("e", "finish", 77, [0, b'u', 0, 2]),
    ("f", "down", 0, [0, b'd', 0, 0]),
    ("g", "down, want up", 0, [0, b'u', 0, 0]),
    ("h", "down, paused", 0, [1, b'd', 0, 0]),
];

/// Where ours waits longer on purpose: the state, what the commands write, and why.
const DIFFERENCES: [(&str, &str, &str); 8] = [
    ("run, want down", "u", "it is not wanted up yet"),
    ("run, want down, got TERM", "u", "it is about to end"),
    ("down, want up", "d", "it is still wanted up"),
    ("down, want up", "dk", "it is still wanted up"),
    ("run, want down", "", "2.3.0: it is not as it is wanted"),
    ("run, want down, got TERM", "", "2.3.0: it is not as it is wanted"),
    ("finish", "", "2.3.0: it is not as it is wanted"),
    ("down, want up", "", "2.3.0: it is not as it is wanted"),
];

/// The line about a service, without its numbers.
fn line(outcome: &Outcome, name: &str) -> String {
    let about = |line: &&str| line.contains(&format!(" {name}: "));
    without_numbers(&outcome.stdout.lines().filter(about).collect::<Vec<_>>().join("\n"))
}

/// Gives the command to a service in each state, with sv and with ours, which is to write `writes`. Returns
/// the states in which they say something else.
fn compare(sv: &str, options: &str, word: &str, writes: &str) -> Vec<(&'static str, String)> {
    let house = House::new();
    let mut fakes = STATES.map(|(name, _, pid, bytes)| {
        let fake = Fake::new(&house, name);
        fake.status(pid, bytes);
        fake
    });
    let words = format!("{options} {word} {}", STATES.map(|state| state.0).join(" "));
    let theirs = run(&mut house.command(sv, &words));
    let sent = fakes.each_mut().map(Fake::commands);
    let ours = run(&mut house.command(house.called("sv"), &words));
    let mut differences = Vec::new();
    for (i, (name, state, ..)) in STATES.into_iter().enumerate() {
        let (line, theirs) = (line(&ours, name), line(&theirs, name));
        let what = format!("{words}: {state}");
        let kills = writes.len() > 1 && writes.ends_with('k') && !line.starts_with("kill: ");
        let expected = if kills { &writes[..writes.len() - 1] } else { writes };
        let written = fakes[i].commands();
        assert_eq!(written, expected, "{what}");
        if line == theirs {
            // sv leaves out what is asked for already, and only that.
            assert!(sent[i] == written || written.ends_with(&sent[i]), "{what}: {}", sent[i]);
        } else {
            assert!(line.starts_with("timeout: ") || line.starts_with("kill: "), "{what}: {line:?}");
            assert!(theirs.starts_with("ok: "), "{what}: {theirs:?}");
            differences.push((state, writes.to_owned()));
        }
    }
    assert_eq!(ours.stderr, theirs.stderr, "{words}");
    let more = i32::try_from(differences.len()).unwrap();
    assert_eq!(ours.status, theirs.status + more, "{words}");
    differences
}

#[test]
fn every_command_says_writes_and_exits_as_with_sv() {
    needs!(peer("sv"));
    let sv = peer("sv").unwrap();
    let of = |(word, writes): (&str, &str)| {
        let at_once = word.len() < 5 && !["stop", "D", "T", "X", "E"].contains(&word);
        let without = if at_once { compare(&sv, "", word, writes) } else { Vec::new() };
        [without, compare(&sv, "-w 0", word, writes)].concat()
    };
    // sv sleeps most of the time: many commands at once, but not so many that their FIFOs need all the files that may be
    // open here beside those of other tests.
    let mut found = Vec::new();
    for some in COMMANDS.chunks(16) {
        std::thread::scope(|scope| {
            let threads: Vec<_> = some.iter().map(|command| scope.spawn(move || of(*command))).collect();
            found.extend(threads.into_iter().flat_map(|thread| thread.join().unwrap()));
        });
    }
    found.sort_unstable();
    found.dedup();
    let mut expected = DIFFERENCES.map(|(state, writes, _)| (state, writes.to_owned()));
    expected.sort_unstable();
    assert_eq!(found, expected);
}

/// What runit's program and ours say, called by this name.
fn both(house: &House, name: &str, words: &str) -> [Outcome; 2] {
    let link = house.at(".sv").join(name);
    std::fs::create_dir_all(link.parent().unwrap()).unwrap();
    if !link.exists() {
        symlink(peer("sv").unwrap(), &link).unwrap();
    }
    [&*link, &*house.called(name)].map(|program: &Path| {
        let outcome = run(&mut house.command(program, words));
        Outcome { stdout: without_numbers(&outcome.stdout), ..outcome }
    })
}

/// With its lines sorted: those of commands that wait are in the order of the time.
fn sorted(outcome: Outcome) -> Outcome {
    let mut lines: Vec<_> = outcome.stdout.split_inclusive('\n').collect();
    lines.sort_unstable();
    Outcome { stdout: lines.concat(), ..outcome }
}

#[test]
fn failures_to_control_are_reported_as_by_sv() {
    needs!(peer("sv"));
    let house = House::new();
    Fake::new(&house, "stale").end();
    let log = Fake::new(&house, "stale/log");
    log.bytes(b"");
    log.end();
    let statusless = Fake::new(&house, "statusless");
    let short = Fake::new(&house, "short");
    short.bytes(&[0; 17]);
    let s6 = Fake::new(&house, "s6");
    s6.bytes(&[0; 35]);
    house.write("new/run", STAYS);
    house.write("file", "");
    for names in
        ["stale", "statusless", "short", "new", "nothing", "file", "./new", "new/", "stale nothing new"]
    {
        for command in
            ["status", "up", "exit", "-v down", "start", "restart", "shutdown", "force-stop", "check"]
        {
            let [theirs, ours] = both(&house, "sv", &format!("{command} {names}")).map(sorted);
            assert_eq!(ours, theirs, "{command} {names}");
        }
    }
    let [theirs, ours] = both(&house, "sv", "status s6");
    assert_eq!(ours.stdout, "warning: sN: unable to read supervise/status: bad format\n");
    assert_ne!(theirs.stdout, ours.stdout, "sv reads twenty bytes of whatever is there");
    drop(statusless);
}

#[test]
fn services_missing_in_svdir_are_reported_as_by_sv() {
    needs!(peer("sv"));
    let house = House::new();
    for directory in ["/no/such", "", "."] {
        let of = |program: &str| run(house.command(program, "status x").env("SVDIR", directory)).stdout;
        assert_eq!(of(house.called("sv").to_str().unwrap()), of(&peer("sv").unwrap()), "{directory}");
    }
}

#[test]
fn usage_errors_are_reported_as_by_sv() {
    needs!(peer("sv"));
    let house = House::new();
    for words in [
        "",
        "status",
        "up",
        "foo a",
        "rest a",
        "force a",
        "-q up a",
        "-w",
        "-w 3",
        "-v",
        "wait a",
        "-- status",
    ] {
        let [theirs, ours] = both(&house, "sv", words);
        // getopt says one more line about options.
        let usage = |outcome: &Outcome| {
            let start = outcome.stderr.find("usage:").unwrap_or(0);
            (outcome.status, outcome.stdout.clone(), outcome.stderr[start..].to_owned())
        };
        assert_eq!(usage(&ours), usage(&theirs), "{words}");
        assert_eq!(ours.status, 100, "{words}");
    }
}

#[test]
fn the_exit_status_counts_to_99() {
    needs!(peer("sv"));
    let house = House::new();
    for (count, status) in [(1, 1), (98, 98), (99, 99), (100, 99), (120, 99)] {
        let words = format!("status {}", vec!["no"; count].join(" "));
        let [theirs, ours] = both(&house, "sv", &words);
        assert_eq!(ours, theirs, "{count}");
        assert_eq!(ours.status, status);
        let own = house.svctl(&words);
        assert_eq!((own.status, own.stderr.lines().count()), (status, 1), "a hint once");
    }
}

#[test]
fn under_a_service_s_name_it_is_its_init_script() {
    needs!(peer("sv"), peer("runsv"));
    let mut house = House::new();
    house.write("a/run", "#!/bin/sh\ntrap '' HUP\n>ready\nexec sleep 1000\n");
    house.serve(&peer("runsv").unwrap(), "a");
    until("it does not run", || house.at("a/ready").exists());
    Fake::new(&house, "stale").end();
    house.write("new/run", STAYS);
    let script = |name: &str, words: &str, status: i32| {
        let [theirs, ours] = both(&house, name, words);
        assert_eq!(ours, theirs, "{name} {words}");
        assert_eq!(ours.status, status, "{name} {words}: {ours:?}");
    };
    script("a", "status", 0);
    script("a", "start", 0);
    script("a", "reload", 0);
    house.wait_until("a", "run");
    script("a", "stop", 0);
    script("a", "status", 3);
    script("a", "status more words", 3);
    script("a", "check", 0);
    script("a", "stat", 2);
    script("a", "", 2);
    script("new", "status", 4);
    script("new", "start", 1);
    script("stale", "status", 1);
    script("stale", "shutdown", 0);
    script("nothing", "status", 1);
    let gone = house.called("a");
    house.crash();
    std::fs::remove_dir_all(house.at("a")).unwrap();
    assert_eq!(run(&mut house.command(gone, "status")).status, 1);
}

#[test]
fn the_log_does_not_count_for_the_status_of_an_init_script() {
    needs!(peer("runsv"));
    let mut house = House::new();
    house.write("a/log/run", STAYS);
    house.serve(&peer("runsv").unwrap(), "a");
    house.wait_until("a", "run");
    assert_eq!(house.svctl("stop a/log").status, 0);
    let outcome = run(&mut house.command(house.called("a"), "status"));
    let line = "run: a: (pid N) Ns; down: log: Ns, normally up\n";
    assert_eq!((outcome.status, &*without_numbers(&outcome.stdout)), (0, line));
}

#[test]
fn services_of_runsv_are_shown_as_by_sv() {
    needs!(peer("sv"), peer("runsv"));
    let mut house = House::new();
    let runsv = peer("runsv").unwrap();
    house.write("a/log/run", STAYS);
    house.serve(&runsv, "a");
    house.write("b/down", "");
    house.serve(&runsv, "b");
    house.write("f/finish", STAYS);
    house.serve(&runsv, "f");
    house.wait_until("a", "run");
    house.wait_until("a/log", "run");
    house.wait_until("f", "run");
    signal("TERM", house.pid("f"));
    house.wait_until("f", "finish");
    house.pid("f"); // runsv says finish before it has started it
    let same = |words: &str| {
        let [theirs, ours] = both(&house, "sv", words).map(sorted);
        assert_eq!(ours, theirs, "{words}");
        ours.stdout
    };
    same("status a a/ ./a a/log ./a/log/ b f");
    // sv may look before runsv has read the command.
    let [_, ours] = both(&house, "sv", "-v once b");
    assert_eq!(ours, prints("ok: run: b: (pid N) Ns, normally down, want down\n"));
    same("status b");
    same("-v pause a");
    assert_eq!(same("status a"), "run: a: (pid N) Ns, paused; run: log: (pid N) Ns\n");
    same("-v cont a");
    same("start a");
    assert_eq!(
        same("stop a a/log b"),
        "ok: down: a/log: Ns, normally up\nok: down: a: Ns, normally up\nok: down: b: Ns\n"
    );
    same("status a b");
}

#[test]
fn the_script_check_counts_as_for_sv() {
    needs!(peer("sv"), peer("runsv"));
    let mut house = House::new();
    house.write("a/check", "#!/bin/sh\n[ -e good ]\n");
    house.serve(&peer("runsv").unwrap(), "a");
    house.wait_until("a", "run");
    let same = |words: &str, stdout: &str| {
        let [theirs, ours] = both(&house, "sv", words);
        assert_eq!(ours, theirs, "{words}");
        assert_eq!(ours.stdout, stdout);
        ours
    };
    for words in ["-w 0 start a", "-w 0 up a", "-w 0 check a"] {
        same(words, "timeout: run: a: (pid N) Ns\n");
    }
    house.write("a/good", "");
    for words in ["start a", "-v up a", "check a"] {
        same(words, "ok: run: a: (pid N) Ns\n");
    }
    assert_eq!(run_in(house.at("a"), "chmod a-x check"), prints(""));
    let outcome = same("start a", "ok: run: a: (pid N) Ns\n");
    assert_eq!(outcome.stderr, "warning: unable to run a/check: access denied\n");
}
