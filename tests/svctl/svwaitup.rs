//! svctl-svc as svwaitup, which runit had in its first years, and scripts still call.

use std::time::{Duration, Instant};

use super::harness::*;
use crate::needs;
use crate::support::*;

fn svwaitup(house: &House, words: &str) -> Outcome {
    let outcome = run(&mut house.command(house.called("svwaitup"), words));
    Outcome { stderr: without_numbers(&outcome.stderr), ..outcome }
}

/// It waits for a service of this supervisor.
fn waits(supervisor: &str) {
    let mut house = House::new();
    house.serve(supervisor, "a");
    let first = house.pid("a");
    assert_eq!(svwaitup(&house, "-v -s 1 a"), fails(0, "svwaitup: a: is up (N seconds)\n"));
    assert_eq!(svwaitup(&house, "-s1 ./a/"), prints(""));
    // Another run has to live for as long, and is waited for.
    let start = Instant::now();
    signal("KILL", first);
    until("nothing else runs", || house.pid("a") != first);
    assert_eq!(svwaitup(&house, "a"), prints(""));
    assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
    assert_eq!(run(&mut house.command(house.called("svc"), "-d a")), prints(""));
    let state = || run(&mut house.command(house.called("svstat"), "a")).stdout;
    until("it is up", || state().starts_with("a: down"));
    assert_eq!(svwaitup(&house, "-v a"), fails(1, "svwaitup: warning: a: is down.\n"));
}

#[test]
fn it_waits_for_a_service_of_svrun() {
    waits(&svrun());
}

#[test]
fn it_waits_for_a_service_of_runsv() {
    needs!(peer("runsv"));
    waits(&peer("runsv").unwrap());
}

#[test]
fn it_waits_for_a_service_of_supervise() {
    needs!(peer("supervise"));
    waits(&peer("supervise").unwrap());
}

#[test]
fn the_status_is_the_number_of_those_that_failed() {
    let house = House::new();
    Fake::new(&house, "stale").end();
    let fake = Fake::new(&house, "a");
    fake.status(77, [0, b'u', 0, 1]);
    house.write("file", "");
    let messages = "svwaitup: warning: stale: runsv not running.\n\
                    svwaitup: warning: nothing: unable to change directory: file does not exist\n\
                    svwaitup: warning: file: unable to change directory: not a directory\n\
                    svwaitup: warning: /: unable to open supervise/ok: file does not exist\n";
    assert_eq!(svwaitup(&house, "stale nothing a file /"), fails(4, messages));
    let many = vec!["nothing"; 120].join(" ");
    assert_eq!(svwaitup(&house, &many).status, 100);
}

#[test]
fn one_that_is_about_to_start_is_waited_for() {
    let house = House::new();
    let fake = Fake::new(&house, "a");
    fake.status(0, [0, b'u', 0, 0]);
    let waits = Background::start(&mut house.command(house.called("svwaitup"), "-v a"));
    waits.wait_until_in(LOOKING);
    // Its finish counts as little.
    fake.status(76, [0, b'u', 0, 2]);
    wait_for_looks(waits.pid());
    fake.status(77, [0, b'u', 0, 1]);
    let outcome = waits.finish();
    assert_eq!((outcome.status, &*without_numbers(&outcome.stderr)), (0, "svwaitup: a: is up (N seconds)\n"));
}

#[test]
fn a_usage_error_exits_1_as_with_runit() {
    let house = House::new();
    for (words, problem) in [
        ("", "missing dir"),
        ("-s 0 a", "not 1 to 600 seconds: 0"),
        ("-s 601 a", "not 1 to 600 seconds: 601"),
        ("-s 5x a", "not 1 to 600 seconds: 5x"),
        ("-s", "missing argument for option '-s'"),
        ("-q a", "invalid option '-q'"),
    ] {
        let outcome = run(&mut house.command(house.called("svwaitup"), words));
        let usage = format!("svwaitup: {problem}\nsvwaitup: usage: svwaitup [-v] [-s seconds] dir...\n");
        assert_eq!(outcome, fails(1, usage), "{words}");
    }
}
