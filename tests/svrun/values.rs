//! Numbers and their units in the files of a service directory, and files whose names are nearly right.

use std::time::{Duration, Instant};

use super::harness::*;
use crate::support::*;

/// The warnings, without the name of the supervisor.
fn warnings(service: &Service) -> Vec<String> {
    let text = service.stderr();
    let lines = text.lines().filter_map(|line| line.strip_prefix("svrun service"));
    lines.map(|line| line.replacen(": warning: ", "", 1)).collect()
}

#[test]
fn a_time_with_its_unit_is_the_same_as_the_number_that_is_meant() {
    let test = |text: &str| {
        let files = [("run", STUBBORN), ("timeout-kill", text), ("down", "")];
        let mut service = Service::start(Svrun, &files);
        service.send("u");
        service.started(1);
        let asked = Instant::now();
        service.send("d");
        service.until_flags((0, 'd', 0, 0));
        assert!(asked.elapsed() >= Duration::from_secs(2), "{text}: {:?}", asked.elapsed());
        assert_eq!(warnings(&service), [""; 0], "{text}");
        service.exit();
    };
    std::thread::scope(|scope| {
        for text in ["2000\n", "2000ms", "2s\n", " 2.0s ", "0.05m"] {
            scope.spawn(move || test(text));
        }
    });
}

#[test]
fn the_files_whose_plain_number_is_seconds_take_units_too() {
    let files = [("run", PUPPET), ("restart-delay", "0s 1500ms 20m\n"), ("restart-reset", "1h\n")];
    let mut service = Service::start(Svrun, &files);
    service.started(1);
    service.tell("exit 0");
    service.started(2);
    let death = Instant::now();
    service.tell("exit 0");
    service.started(3);
    assert!(death.elapsed() >= Duration::from_millis(1490), "{:?}", death.elapsed());
    service.tell("exit 0");
    service.until_stat("down, backing off");
    let next = service.ask("status");
    assert!(field(&next, "next").parse::<f64>().unwrap() > 1000.0, "{next}");
    assert_eq!(service.stderr(), "");
    service.exit();
}

#[test]
fn a_message_names_the_file_the_value_and_what_is_expected() {
    let files = [
        ("run", PUPPET),
        ("restart-delay", "1 2x\n"),
        ("restart-reset", "5 s\n"),
        ("restart-max", "3 times\n"),
        ("down-signal", "TERM KILL\n"),
        ("timeout-kill", "5sec\n"),
        ("timeout-finish", "\u{1b}[1m\n"),
        ("notification-fd", "2\n"),
        ("leftovers", "term 2s\n"),
    ];
    let mut service = Service::start(Svrun, &files);
    for count in 1..=2 {
        service.started(count);
        service.tell("exit 0");
    }
    service.started(3);
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    let mut found = warnings(&service);
    found.sort();
    let expected = [
        ("down-signal", "TERM KILL", "one signal, by name or number"),
        (
            "leftovers",
            "term 2s",
            "signals by name, and times to wait before them, as kill or term 2s kill; or cgroup, maybe with its path",
        ),
        ("notification-fd", "2", "a number from 3 to 1023"),
        ("restart-delay", "1 2x", "up to 16 of: seconds, or times with their units"),
        ("restart-max", "3 times", "a number"),
        ("restart-reset", "5 s", "seconds, or a time with its unit: 500ms, 5s, 2m, 1h"),
        ("timeout-finish", "\\u001b[1m", "milliseconds, or a time with its unit: 500ms, 5s, 2m, 1h"),
        ("timeout-kill", "5sec", "milliseconds, or a time with its unit: 500ms, 5s, 2m, 1h"),
    ];
    let expected = expected.map(|(file, value, what)| {
        format!("{file}: invalid value \"{value}\": expected {what}; using the default")
    });
    assert_eq!(found, expected);
    service.exit();
}

#[test]
fn an_implausibly_short_time_is_reported_once_and_counts() {
    let files = [("run", STUBBORN), ("timeout-kill", "5\n"), ("timeout-finish", "0\n"), ("down", "")];
    let mut service = Service::start(Svrun, &files);
    for count in 1..=2 {
        service.send("u");
        service.started(count);
        service.send("d");
        service.until_flags((0, 'd', 0, 0));
    }
    let line = "timeout-kill: 5 milliseconds leave no time to stop in; write 5s if seconds are meant";
    assert_eq!(warnings(&service), [line]);
    // Put right, and wrong again.
    for text in ["100\n", "99ms\n"] {
        service.write(&[("timeout-kill", text)]);
        service.send("u");
        service.until_status("it runs", |status| status.state == 1);
        service.send("d");
        service.until_flags((0, 'd', 0, 0));
    }
    assert_eq!(warnings(&service).len(), 2, "{:?}", warnings(&service));
    service.exit();
}

#[test]
fn a_misspelled_file_name_is_reported_once() {
    let files = [
        ("run", PUPPET),
        ("timeout_kill", "5s"),
        ("Restart.Delay", "5"),
        ("max-death-tally", "5"),
        ("notes", ""),
        ("timeout-kill.bak", ""),
        ("restart-delay", "0"),
        ("log/run", LOGGER),
        ("log/notification-fd", "3"),
        ("log/setup", ""),
        ("time-out-ready", "5s"),
        ("depends-on.d", ""),
        ("needs", "db"),
        ("essential", ""),
    ];
    let mut service = Service::start(Svrun, &files);
    service.until_log_stat("run");
    for count in 1..=3 {
        service.started(count);
        service.tell("exit 0");
    }
    service.started(4);
    let mut found = warnings(&service);
    found.sort();
    let mut expected = vec![
        "/log".to_owned() + "ignoring notification-fd: a logger has none",
        "/log".to_owned() + "ignoring setup: a logger has none",
        "ignoring essential: it is known to svtree alone".to_owned(),
        "ignoring needs: it is known to svtree alone".to_owned(),
        "ignoring time-out-ready: the file is called timeout-ready".to_owned(),
        "ignoring depends-on.d: the nearest is needs".to_owned(),
        "ignoring Restart.Delay: the file is called restart-delay".to_owned(),
        "ignoring max-death-tally: the nearest is restart-max".to_owned(),
        "ignoring timeout_kill: the file is called timeout-kill".to_owned(),
    ];
    expected.sort();
    assert_eq!(found, expected);
    // One that is added while the service runs, by the next thing that happens.
    service.write(&[("sd_notify", "")]);
    service.tell("exit 0");
    service.started(5);
    expected.push("ignoring sd_notify: the file is called sd-notify".to_owned());
    let mut found = warnings(&service);
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    service.exit();
}
