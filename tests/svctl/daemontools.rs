//! svctl-svc as svc, svok and svstat, beside daemontools' own: the same words on the same service directories.

use std::fs::{self, create_dir_all};
use std::os::unix::fs::symlink;
use std::process::Command;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// The names.
const NAMES: [&str; 3] = ["svc", "svok", "svstat"];

/// Command lines, for directories of [`fakes`] and others.
const LINES: &[&str] = &[
    "svc",
    "svc run",
    "svc -u",
    "svc -u run",
    "svc -d run down",
    "svc -dx run",
    "svc -x -d run",
    "svc -udopchaitkx run",
    "svc -ududu run",
    "svc -u -t -u run",
    "svc -p paused -u",
    "svc -- run",
    "svc -u -- -d run",
    "svc -- -u run",
    "svc -u - run",
    "svc -k absent run nothing file stateless stale run/supervise",
    "svc -u ./run/ run/. run",
    "svc -o /",
    "svok run",
    "svok ./down/",
    "svok run absent",
    "svok absent run",
    "svok absent",
    "svok nothing",
    "svok file",
    "svok stateless",
    "svok stale",
    "svok no-status",
    "svok -- run",
    "svok -u",
    "svstat",
    "svstat run paused want-down stopped finish down want-up normally-down runs-although",
    "svstat ./run/ run/. run run",
    "svstat absent nothing file stateless stale no-status empty short daemontools",
    "svstat -- run",
    "svstat -u --x",
    "svstat run/log",
    "svstat down-is-a-link",
];

/// Where ours says something else on purpose, and why. The status is the same.
const DIFFERENCES: &[(&str, &str)] = &[
    ("svc -q run", "the message about a usage error is that of all our programs"),
    ("svc -1 run", "the same"),
    ("svc -z", "the same"),
    ("svc -uz run", "the same"),
    ("svok", "the same"),
    ("svok loop", "the C library's words for the errno"),
    ("svstat loop", "the same"),
    ("svc -u loop", "the same"),
    ("svstat s6", "the status of another supervisor is not taken for one of this"),
    ("svstat nineteen", "the same"),
    ("svstat ok-is-a-file", "a file that no supervisor has made is none of one"),
    ("svc -u control-is-a-file", "the same, and nothing is written to it"),
];

/// And where the status differs too: theirs, ours, and why.
const OTHER_STATUS: &[(&str, i32, i32, &str)] = &[
    ("svok ok-is-a-file", 0, 111, "a file that no supervisor has made is none of one"),
    ("svc --foo run", 0, 100, "a word that looks like an option is none that may be left out"),
    ("svc --help", 0, 0, "it is answered"),
    ("svc --version", 0, 0, "it is answered"),
    ("svok --help", 111, 0, "it is answered"),
    ("svok --version", 111, 0, "it is answered"),
    ("svstat --help", 0, 0, "it is answered"),
    ("svstat --version", 0, 0, "it is answered"),
];

/// Services in all states, and directories that are none.
fn fakes(house: &House) -> Vec<Fake> {
    let states: [(&str, u32, [u8; 4]); 10] = [
        ("run", 77, [0, b'u', 0, 1]),
        ("run/log", 78, [0, b'u', 0, 1]),
        ("paused", 77, [1, b'u', 0, 1]),
        ("want-down", 77, [0, b'd', 0, 1]),
        ("stopped", 77, [1, b'd', 1, 1]),
        ("finish", 77, [0, b'u', 0, 2]),
        ("down", 0, [1, b'd', 0, 0]),
        ("want-up", 0, [0, b'u', 0, 0]),
        ("normally-down", 0, [0, b'd', 0, 0]),
        ("runs-although", 77, [0, 0, 0, 1]),
    ];
    let mut fakes: Vec<Fake> = states
        .into_iter()
        .map(|(name, pid, rest)| {
            let fake = Fake::new(house, name);
            fake.status(pid, rest);
            fake
        })
        .collect();
    for (name, bytes) in [
        ("empty", 0),
        ("short", 17),
        ("daemontools", 18),
        ("nineteen", 19),
        ("s6", 35),
        ("down-is-a-link", 18),
    ] {
        let fake = Fake::new(house, name);
        fake.bytes(&vec![b'@'; bytes]);
        fakes.push(fake);
    }
    fakes.push(Fake::new(house, "no-status"));
    Fake::new(house, "stale").end();
    for name in ["normally-down", "runs-although"] {
        house.write(&format!("{name}/down"), "");
    }
    symlink("nowhere", house.at("down-is-a-link/down")).unwrap();
    symlink("loop", house.at("loop")).unwrap();
    house.write("absent/run", STAYS);
    house.write("file", "");
    house.write("stateless/supervise", "");
    for file in ["ok", "control"] {
        house.write(&format!("{file}-is-a-file/supervise/{file}"), "");
    }
    fakes
}

/// What a program of daemontools and ours do with a command line.
fn both(house: &House, line: &str) -> [Outcome; 2] {
    let (name, words) = line.split_once(' ').unwrap_or((line, ""));
    let seen = |mut command: Command| {
        let outcome = run(&mut command);
        Outcome { stdout: without_numbers(&outcome.stdout), ..outcome }
    };
    [house.command(peer(name).unwrap(), words), house.command(house.called(name), words)].map(seen)
}

#[test]
fn every_line_writes_says_and_exits_as_with_daemontools() {
    needs!(peer("svc"), peer("svok"), peer("svstat"));
    let house = House::new();
    let mut fakes = fakes(&house);
    let known = |line: &str| DIFFERENCES.iter().any(|row| row.0 == line);
    for line in LINES.iter().copied().chain(DIFFERENCES.iter().map(|row| row.0)) {
        let (name, words) = line.split_once(' ').unwrap_or((line, ""));
        let theirs = run(&mut house.command(peer(name).unwrap(), words));
        let written: Vec<String> = fakes.iter_mut().map(Fake::commands).collect();
        let ours = run(&mut house.command(house.called(name), words));
        assert_eq!(fakes.iter_mut().map(Fake::commands).collect::<Vec<_>>(), written, "{line}");
        let texts = |outcome: &Outcome| (without_numbers(&outcome.stdout), outcome.stderr.clone());
        assert_eq!(ours.status, theirs.status, "{line}: {ours:?}");
        if known(line) {
            assert_ne!(texts(&ours), texts(&theirs), "{line} is no difference any more");
        } else {
            assert_eq!(texts(&ours), texts(&theirs), "{line}");
        }
    }
    for (line, theirs, ours, _) in OTHER_STATUS {
        let seen = both(&house, line);
        assert_eq!(seen.each_ref().map(|outcome| outcome.status), [*theirs, *ours], "{line}");
        assert_ne!(seen[0], seen[1], "{line}");
    }
    assert_eq!(house.text("control-is-a-file/supervise/control"), "u", "daemontools' svc alone wrote there");
}

#[test]
fn the_seconds_are_those_that_daemontools_counts() {
    needs!(peer("svstat"));
    let house = House::new();
    Fake::new(&house, "ended").end();
    let fake = Fake::new(&house, "a");
    fake.status(77, [0, b'u', 0, 1]);
    let seconds = |program: std::path::PathBuf| {
        let outcome = run(&mut house.command(program, "a"));
        outcome.stdout.split(' ').nth(4).unwrap().parse::<u64>().unwrap()
    };
    let theirs = || seconds(peer("svstat").unwrap().into());
    assert!(theirs() > 1_000_000);
    // Theirs counts by time(2), which is a little late: at the turn of a second they differ.
    until("they differ", || {
        let (before, ours, after) = (theirs(), seconds(house.called("svstat")), theirs());
        before == ours && ours == after
    });
}

#[test]
fn a_user_to_whom_the_files_are_closed_hears_the_same() {
    needs!(root(), peer("svc"), peer("svok"), peer("svstat"), tool("setpriv"));
    let house = House::new();
    Fake::new(&house, "a").status(77, [0, b'u', 0, 1]);
    for line in ["svc -u a", "svok a", "svstat a"] {
        let (name, words) = line.split_once(' ').unwrap();
        let program = house.at("bin").join(name);
        create_dir_all(house.at("bin")).unwrap();
        install(&crate::support::program("svctl-svc"), &program);
        let [theirs, ours] = [peer(name).unwrap().into(), program].map(|program: std::path::PathBuf| {
            let words = format!("--reuid=65534 --clear-groups {} {words}", program.display());
            run(&mut house.command("setpriv", &words))
        });
        assert_eq!(ours, theirs, "{line}");
        assert!(format!("{ours:?}").contains("access denied"), "{ours:?}");
    }
}

/// What svc, svok and svstat do with a service of this supervisor.
fn session(supervisor: &str) {
    let mut house = House::new();
    house.serve(supervisor, "a");
    let call = |name: &str, words: &str| run(&mut house.command(house.called(name), words));
    let state = |expected: &str| {
        let mut seen = String::new();
        let same = in_time(|| {
            seen = without_numbers(&call("svstat", "a").stdout);
            seen == format!("a: {expected}\n")
        });
        assert!(same, "{supervisor}: {seen}, not {expected}");
        if let Ok(svstat) = peer("svstat") {
            let theirs = run(&mut house.command(svstat, "a"));
            assert_eq!(without_numbers(&theirs.stdout), seen, "{supervisor}");
        }
    };
    state("up (pid N) N seconds");
    assert_eq!(call("svok", "a"), prints(""));
    // One that is about to end is still up; then it is another.
    let first = house.pid("a");
    for (options, after) in [
        ("-p", "up (pid N) N seconds, paused"),
        ("-c", "up (pid N) N seconds"),
        ("-t", "up (pid N) N seconds"),
        ("-d", "down N seconds, normally up"),
        ("-u", "up (pid N) N seconds"),
        ("-dk", "down N seconds, normally up"),
    ] {
        assert_eq!(call("svc", &format!("{options} a")), prints(""), "{supervisor}: {options}");
        if options == "-t" {
            until("no other process runs", || ![0, first].contains(&house.pid("a")));
        }
        state(after);
    }
    assert_eq!(call("svc", "-o a"), prints(""));
    let once = if supervisor.ends_with("/supervise") { "" } else { ", want down" };
    state(&format!("up (pid N) N seconds{once}"));
    // A service is as its file says it is.
    house.write("a/down", "");
    assert_eq!(call("svc", "-u a"), prints(""));
    state("up (pid N) N seconds, normally down");
    assert_eq!(call("svc", "-dx a"), prints(""));
    until("its supervisor is there", || call("svok", "a").status == 100);
    assert_eq!(call("svstat", "a"), prints("a: supervise not running\n"));
    let warning = "svc: warning: unable to control a: supervise not running\n";
    assert_eq!(call("svc", "-u a"), fails(0, warning));
}

#[test]
fn svrun_does_what_svc_says() {
    session(&svrun());
}

#[test]
fn runsv_does_what_svc_says() {
    needs!(peer("runsv"));
    session(&peer("runsv").unwrap());
}

#[test]
fn daemontools_supervise_does_what_svc_says() {
    needs!(peer("supervise"));
    session(&peer("supervise").unwrap());
}

#[test]
fn a_directory_is_never_looked_for_in_svdir() {
    let mut house = House::new();
    house.serve(&svrun(), "a");
    let elsewhere = |name: &str, words: &str| {
        run(house.command(house.called(name), words).current_dir("/").env("SVDIR", house.at(".")))
    };
    assert_eq!(elsewhere("svstat", "a"), prints("a: unable to chdir: file does not exist\n"));
    let warning = "svc: warning: unable to chdir to a: file does not exist\n";
    assert_eq!(elsewhere("svc", "-d a"), fails(0, warning));
    assert_eq!(
        elsewhere("svok", "a"),
        fails(111, "svok: fatal: unable to chdir to a: file does not exist\n")
    );
    let path = house.at("a").display().to_string();
    assert_eq!(elsewhere("svok", &path), prints(""));
}

#[test]
fn a_supervisor_that_reads_nothing_holds_nobody_up() {
    let house = House::new();
    let _fake = Fake::new(&house, "a");
    let full =
        "dd if=/dev/zero of=a/supervise/control oflag=nonblock conv=notrunc bs=4096 count=1024 2>errors || :";
    assert_eq!(run_in(house.at("."), full), prints(""));
    let outcome = run(&mut house.command(house.called("svc"), "-u a"));
    let warning = "svc: warning: unable to control a: unable to write to supervise/control: ";
    assert!(outcome.status == 0 && outcome.stderr.starts_with(warning), "{outcome:?}");
}

#[test]
fn what_nobody_reads_or_can_be_written_is_an_error() {
    needs!(tool("perl"));
    let house = House::new();
    let svstat = house.called("svstat").display().to_string();
    let full = run(sh(&format!("{svstat} a >/dev/full")).current_dir(house.at(".")));
    assert_eq!(
        full,
        fails(111, format!("svstat: fatal: unable to write: {}\n", says(nix::errno::Errno::ENOSPC)))
    );
    let dead = format!("perl -e 'pipe R, W; close R; open STDOUT, \">&W\"; exec @ARGV' {svstat} a");
    assert_eq!(run(sh(&dead).current_dir(house.at("."))), fails(111, ""));
}

#[test]
fn each_name_has_its_own_help_and_its_own_usage_errors() {
    let house = House::new();
    let call = |name: &str, words: &str| run(&mut house.command(house.called(name), words));
    for name in NAMES.into_iter().chain(["svwaitup"]) {
        let help = call(name, "--help");
        assert!(help.status == 0 && help.stdout.starts_with(&format!("usage: {name} ")), "{help:?}");
        assert!(!help.stdout.contains("svctl"), "{help:?}");
        assert!(call(name, "--version").stdout.starts_with(&format!("{name} (catena) ")));
    }
    let usage = "svc: invalid option '-q'\nsvc: usage: svc [-udopchaitkx] dir...\n";
    assert_eq!(call("svc", "-uq a"), fails(100, usage));
    assert_eq!(call("svok", ""), fails(100, "svok: missing dir\nsvok: usage: svok dir\n"));
    // Only the whole name: a service may be called like that.
    fs::create_dir(house.at("nsvc")).unwrap();
    assert_eq!(call("nsvc", "status").status, 4, "an init script");
}

#[test]
fn by_its_own_name_it_is_svc() {
    let house = House::new();
    let mut fake = Fake::new(&house, "a");
    let call = |words: &str| run(&mut house.command(program("svctl-svc"), words));
    assert_eq!(call("-du a"), prints(""));
    assert_eq!(fake.commands(), "du");
    let usage = "svctl-svc: invalid option '-q'\nsvctl-svc: usage: svctl-svc [-udopchaitkx] dir...\n";
    assert_eq!(call("-q a"), fails(100, usage));
}

#[test]
fn an_ok_that_no_supervisor_has_made_is_named_once() {
    let house = House::new();
    create_dir_all(house.at("plain/supervise")).unwrap();
    fs::write(house.at("plain/supervise/ok"), "").unwrap();
    let message = "svok: fatal: plain: unable to open supervise/ok: not what a supervisor has made\n";
    assert_eq!(run(&mut house.command(house.called("svok"), "plain")), fails(111, message));
}
