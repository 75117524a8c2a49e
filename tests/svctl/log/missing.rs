//! Services that have no log.

use super::super::harness::*;
use super::*;

/// What it says of a service, and what to do.
fn says_of(house: &House, name: &str) -> (String, String) {
    let outcome = run(&mut command(house, &[name]));
    assert_eq!((outcome.status, &*outcome.stdout), (1, ""));
    let (said, hint) = outcome.stderr.split_once('\n').unwrap();
    (said.to_owned(), hint.trim_end().to_owned())
}

#[test]
fn a_service_without_a_logger_is_told_how_to_get_one() {
    let house = House::new();
    house.write("web/run", STAYS);
    let (said, hint) = says_of(&house, "web");
    assert_eq!(said, "fail: web: no logger");
    assert_eq!(
        hint,
        "svctl: hint: it writes to the output of its supervisor; for a log, make log/run with \
         'exec svlog -tt /var/log/web'"
    );
}

#[test]
fn a_service_that_is_not_there_is_a_failure_beside_others() {
    let house = House::new();
    log(&house, "web", &[("current", "line\n")]);
    let outcome = run(&mut command(&house, &["nothing", "web"]));
    assert_eq!((outcome.status, &*outcome.stdout), (1, "web  line\n"));
    let why = says(nix::errno::Errno::ENOENT);
    let expected = format!("fail: nothing: unable to change to service directory: {why}\n");
    assert!(outcome.stderr.starts_with(&expected), "{}", outcome.stderr);
}

#[test]
fn where_no_service_has_a_logger_it_says_so() {
    let house = House::new();
    house.write("web/run", STAYS);
    let outcome = run(&mut command(&house, &[]));
    assert_eq!(outcome.status, 111);
    assert!(outcome.stderr.starts_with("svctl-log: fatal: no service has a logger\n"), "{}", outcome.stderr);
}

#[test]
fn a_logger_that_does_not_run_is_no_logger_that_is_missing() {
    let house = House::new();
    house.write("web/run", STAYS);
    house.write("web/log/run", STAYS);
    let (said, hint) = says_of(&house, "web");
    assert_eq!(said, "fail: web: its logger does not run, and its log is not in a usual place");
    assert_eq!(hint, "svctl: hint: 'svctl up web/log', or see log/run");
}

#[test]
fn a_logger_without_files_is_named() {
    let mut house = House::new();
    house.write("a/log/run", "#!/bin/sh\nexec sissylog a\n");
    house.write("web/log/run", "#!/bin/sh\nexec svlog -p web -\n");
    for name in ["a", "web"] {
        house.serve(&svrun(), name);
    }
    for (name, program, hint) in [
        ("a", "sissylog", "its lines are in syslog: see 'journalctl' or the files in /var/log"),
        ("web", "svlog", "'svlog -' writes to the output of its supervisor"),
    ] {
        let expected = format!("fail: {name}: its logger, {program} (pid N), has no log directory");
        until("the logger does not run", || without_numbers(&says_of(&house, name).0) == expected);
        assert_eq!(says_of(&house, name).1, format!("svctl: hint: {hint}"));
    }
}
