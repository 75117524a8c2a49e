//! svctl over FIFOs and status bytes: with runit's runsv and daemontools' supervise.

use std::time::{Duration, Instant};

use super::harness::*;
use crate::needs;
use crate::support::*;

/// A session of commands and what they say, the same with each supervisor.
fn session(house: &mut House, supervisor: &str) {
    house.serve(&peer(supervisor).unwrap(), "a");
    let say = |words: &str, said: &str| {
        let outcome = house.svctl(words);
        let line = without_numbers(&outcome.stdout);
        assert_eq!((outcome.status, &*line, &*outcome.stderr), (0, said, ""), "{supervisor}: {words}");
    };
    say("start a", "ok: run: a: (pid N) Ns\n");
    let first = house.pid("a");
    say("restart a", "ok: run: a: (pid N) Ns\n");
    let second = house.pid("a");
    assert_ne!(first, second);
    say("-v term a", "ok: run: a: (pid N) Ns\n");
    let third = house.pid("a");
    assert_ne!(second, third);
    say("-v kill a", "ok: run: a: (pid N) Ns\n");
    assert_ne!(third, house.pid("a"));
    say("-v pause a", "ok: run: a: (pid N) Ns, paused\n");
    say("status a", "run: a: (pid N) Ns, paused\n");
    say("-v cont a", "ok: run: a: (pid N) Ns\n");
    // Not in between: what was asked for must have been taken in.
    for _ in 0..3 {
        say("stop a", "ok: down: a: Ns, normally up\n");
        say("up a", "");
        say("start a", "ok: run: a: (pid N) Ns\n");
    }
    say("wait up a", "ok: run: a: (pid N) Ns\n");
    say("force-stop a", "ok: down: a: Ns, normally up\n");
    say("wait down a", "ok: down: a: Ns, normally up\n");
    say("wait finished a", "ok: down: a: Ns, normally up\n");
    say("check a", "ok: down: a: Ns, normally up\n");
    say("shutdown a", "ok: a: no supervisor\n");
    assert_eq!(house.svctl("status a").stdout, "fail: a: no supervisor\n");
}

#[test]
fn runsv_does_what_svctl_says() {
    needs!(peer("runsv"));
    session(&mut House::new(), "runsv");
}

#[test]
fn daemontools_supervise_does_what_svctl_says() {
    needs!(peer("supervise"));
    session(&mut House::new(), "supervise");
}

#[test]
fn down_and_up_at_once_leave_it_up() {
    needs!(peer("runsv"));
    let mut house = House::new();
    house.serve(&peer("runsv").unwrap(), "a");
    house.wait_until("a", "run");
    for _ in 0..3 {
        let first = house.pid("a");
        signal("KILL", first);
        // For a second runsv reads nothing now, and its status says want up; a busy machine may miss that second.
        until("it is not down", || {
            house.text("a/supervise/stat") == "down\n" || ![0, first].contains(&house.pid("a"))
        });
        assert_eq!(house.svctl("down a"), prints(""));
        assert_eq!(house.svctl("up a"), prints(""));
        until("no other process runs", || house.pid("a") != first);
    }
}

#[test]
fn a_signal_is_sent_by_name_or_number_where_there_is_a_byte_for_it() {
    let house = House::new();
    let mut fake = Fake::new(&house, "a");
    fake.status(77, [0, b'u', 0, 1]);
    for (name, byte) in [
        ("TERM", "t"),
        ("sigkill", "k"),
        ("1", "h"),
        ("Alrm", "a"),
        ("2", "i"),
        ("QUIT", "q"),
        ("USR1", "1"),
        ("12", "2"),
        ("STOP", "p"),
        ("cont", "c"),
    ] {
        assert_eq!(house.svctl(&format!("signal {name} a")), prints(""), "{name}");
        assert_eq!(fake.commands(), byte);
    }
    let hint = "svctl: hint: svrun alone understands this command\n";
    let fail = "fail: a: its supervisor has no socket\n";
    for words in ["signal WINCH a", "upgrade a"] {
        let outcome = Outcome { status: 1, stdout: fail.into(), stderr: hint.into() };
        assert_eq!(house.svctl(words), outcome);
    }
    fake.status(0, [0, b'd', 0, 0]);
    assert_eq!(house.svctl("signal TERM a"), Outcome { status: 1, ..prints("fail: a: not running\n") });
    assert_eq!(fake.commands(), "");
}

#[test]
fn a_restart_is_over_when_another_process_runs() {
    let house = House::new();
    let fake = Fake::new(&house, "a");
    let waits = |words: &str| Background::start(&mut house.command("svctl", words));
    for words in ["-w 600 restart a", "-w 600 -v term a", "-w 600 force-reload a", "-w 600 -v kill a"] {
        let label = |seconds: u64, pid: u32, rest: [u8; 4]| {
            let mut bytes = (4_611_686_018_427_387_914 + seconds).to_be_bytes().to_vec();
            bytes.extend([0; 4]);
            bytes.extend(pid.to_le_bytes());
            bytes.extend(rest);
            fake.bytes(&bytes);
        };
        label(1_000_000_000, 77, [0, b'u', 0, 1]);
        let restart = waits(words);
        restart.wait_until_in(LOOKING);
        // It looks several times, and what it sees is not enough.
        for (seconds, pid, rest) in [
            (1_000_000_000, 77, [0, b'u', 1, 1]),
            (1_000_000_000, 78, [0, b'u', 0, 2]),
            (1_000_000_001, 0, [0, b'u', 0, 0]),
            (1_000_000_001, 78, [0, b'u', 1, 1]),
        ] {
            label(seconds, pid, rest);
            wait_for_looks(restart.pid());
        }
        label(1_000_000_002, 77, [0, b'u', 0, 1]);
        let outcome = restart.finish();
        assert_eq!(
            (outcome.status, &*without_numbers(&outcome.stdout)),
            (0, "ok: run: a: (pid N) Ns\n"),
            "{words}"
        );
    }
}

#[test]
fn a_script_check_that_hangs_is_killed_when_the_time_is_up() {
    needs!(peer("runsv"));
    let mut house = House::new();
    house.write("a/check", "#!/bin/sh\necho $$ >pid\nexec sleep 1000\n");
    house.serve(&peer("runsv").unwrap(), "a");
    house.wait_until("a", "run");
    let outcome = house.late("start a", |_| !house.text("a/pid").is_empty());
    let said = (outcome.status, &*without_numbers(&outcome.stdout));
    assert_eq!(said, (1, "timeout: run: a: (pid N) Ns, ./check fails\n"));
    let pid = house.text("a/pid");
    assert!(!std::path::Path::new("/proc").join(pid.trim()).exists(), "check is there still");
}

#[test]
fn a_script_check_has_our_environment_and_no_stdout() {
    needs!(peer("runsv"), tool("perl"));
    let mut house = House::new();
    let check = "#!/bin/sh\necho lost\nout=$(readlink /proc/$$/fd/1)\n\
                 { pwd; echo \"$X\"; echo \"$out\"; grep SigBlk /proc/self/status; } >../seen\n";
    house.write("a/check", check);
    house.serve(&peer("runsv").unwrap(), "a");
    house.wait_until("a", "run");
    let outcome = run(house.command("svctl", "start a").env("X", "value"));
    assert_eq!(without_numbers(&outcome.stdout), "ok: run: a: (pid N) Ns\n");
    let directory = house.at("a").canonicalize().unwrap();
    let seen = format!("{}\nvalue\n/dev/null\nSigBlk:\t0000000000000000\n", directory.display());
    assert_eq!(house.text("seen"), seen);
    // After it, too, a dead stdout is no end by a signal.
    let dead = "perl -e 'pipe R, W; close R; open STDOUT, \">&W\"; exec @ARGV' svctl start a";
    assert_eq!(run(sh(dead).env("SVDIR", house.at("."))), fails(111, ""));
}

#[test]
fn a_wait_for_several_is_for_all_or_for_one() {
    let house = House::new();
    let fakes = ["a", "b"].map(|name| Fake::new(&house, name));
    fakes[0].status(77, [0, b'u', 0, 1]);
    fakes[1].status(0, [0, b'd', 0, 0]);
    let line = |words: &str| {
        let outcome = house.svctl(words);
        (outcome.status, without_numbers(&outcome.stdout))
    };
    assert_eq!(line("-w 60 wait -o up a b"), (0, "ok: run: a: (pid N) Ns\n".into()));
    assert_eq!(line("-w 60 wait -o up b a"), (0, "ok: run: a: (pid N) Ns\n".into()));
    let both = "ok: run: a: (pid N) Ns\ntimeout: down: b: Ns, normally up\n";
    assert_eq!(line("-w 0.1 wait -a up a b"), (1, both.into()));
    assert_eq!(line("-w 0.1 wait up a b"), (1, both.into()));
    let neither = [
        "fail: no: unable to change to service directory: No such file or directory",
        "timeout: down: b: Ns, normally up",
    ];
    let (status, said) = line("-w 0.1 wait -o up no b");
    let mut lines: Vec<_> = said.lines().collect();
    lines.sort_unstable(); // whose time is up first is not said
    assert_eq!((status, &*lines), (2, &neither[..]));
}

#[test]
fn svwait_counts_where_w_does_not() {
    let house = House::new();
    Fake::new(&house, "a").status(0, [0, b'd', 0, 0]);
    let fake = Fake::new(&house, "b");
    fake.status(0, [0, b'd', 0, 0]);
    // Without it it would be 7.
    assert_within(Duration::from_secs(5), || {
        let start = Instant::now();
        let outcome = run(house.command("svctl", "start b").env("SVWAIT", "0"));
        let found = (outcome.status, &*without_numbers(&outcome.stdout));
        assert_eq!(found, (1, "timeout: down: b: Ns, normally up\n"));
        start.elapsed()
    });
    let waits = Background::start(house.command("svctl", "-w 600 start b").env("SVWAIT", "0"));
    waits.wait_until_in(LOOKING);
    fake.status(77, [0, b'u', 0, 1]);
    assert_eq!(without_numbers(&waits.finish().stdout), "ok: run: b: (pid N) Ns\n");
}
