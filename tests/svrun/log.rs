//! The logger beside the service.

use super::harness::*;
use crate::support::*;

both!(svrun;
    a_logger_that_dies_is_started_again_and_loses_nothing,
    a_service_that_dies_loses_no_line,
    all_that_the_service_says_goes_to_the_logger,
    the_logger_ends_by_the_end_of_its_input,
    the_logger_has_its_own_directory,
    the_logger_is_started_first,
    the_supervisor_ends_after_the_logger,
    input_between_two_loggers_waits,
);

fn all_that_the_service_says_goes_to_the_logger(of: Program) {
    let files = [
        ("run", PUPPET),
        ("log/run", LOGGER),
        ("finish", "#!/bin/sh\necho finish said\n"),
        ("control/h", "#!/bin/sh\necho control said\n"),
    ];
    let mut service = Service::start(of, &files);
    service.started(1);
    service.tell("echo run said; echo loudly >&2");
    service.until("run", || service.text("logged") == "run said\n");
    service.send("h");
    service.until("control", || service.text("logged") == "run said\ncontrol said\n");
    service.exit();
    assert_eq!(service.text("logged"), "run said\ncontrol said\nfinish said\n");
    assert_eq!(service.stderr(), "loudly\n");
    assert_eq!(service.text("stdout"), "");
}

fn the_logger_has_its_own_directory(of: Program) {
    let log = "#!/bin/sh\npwd -P\necho $# $0 \"$SEEN\"\necho to stderr >&2\nexec cat\n";
    let mut service = Service::prepare(of, &[("run", PUPPET), ("log/run", log)]);
    let mut command = service.command();
    command.env("SEEN", "so");
    service.supervise_by(command);
    service.started(1);
    let cwd = service.at("log").canonicalize().unwrap();
    let expected = format!("{}\n0 ./run so\n", cwd.display());
    service.until("stdout", || service.text("stdout") == expected);
    service.exit();
    assert_eq!(service.stderr(), "to stderr\n");
}

fn the_logger_is_started_first(of: Program) {
    for _ in 0..5 {
        let service = Service::start(of, &[("run", PUPPET), ("log/run", LOGGER)]);
        let run = service.started(1);
        let log: u32 = service.nth(1, "log start ").parse().unwrap();
        // Started together they note it in any order: pids count up, but for a turn.
        assert!(log < run || log - run > 10_000, "{log} {run}");
    }
}

fn the_logger_ends_by_the_end_of_its_input(of: Program) {
    // It notes signals, and does not end by them.
    let log = "#!/bin/sh\nfor signal in TERM CONT HUP INT; do trap \"echo log got $signal >>$D/lines\" $signal; done\n\
               echo log start $$ >>$D/lines\nwhile read -r line; do echo \"$line\" >>$D/logged; done\n\
               echo log ends >>$D/lines\n";
    let finish = "#!/bin/sh\necho last words\necho finished >>$D/lines\n";
    let mut service = Service::start(of, &[("run", PUPPET), ("log/run", log), ("finish", finish)]);
    service.started(1);
    service.nth(1, "log start ");
    service.exit();
    assert_eq!(service.text("logged"), "last words\n");
    assert_eq!(service.count("log got"), 0);
    let lines = service.lines();
    assert_eq!(lines[lines.len() - 2..], ["finished", "log ends"]);
    assert_eq!(service.read("log/supervise/stat"), "down\n");
    assert_eq!(service.read("log/supervise/pid"), "");
}

fn the_supervisor_ends_after_the_logger(of: Program) {
    // The logger is not done with its input when that ends.
    let log = "#!/bin/sh\nexec 3<>$D/tell-finish\ncat >>$D/logged\necho log waits >>$D/lines\nuntil read -r words <&3 && [ \"$words\" ]; do :; done\n";
    let mut service = Service::start(of, &[("run", PUPPET), ("log/run", log)]);
    service.started(1);
    service.until_log_stat("run");
    service.send("x");
    service.nth(1, "log waits");
    service.until_stat("down");
    service.until_log_stat("run, want exit");
    service.assert_supervised();
    assert!(service.alive());
    service.tell_finish(":");
    assert_eq!(service.ended(), 0);
    service.assert_nothing_left();
}

fn a_logger_that_dies_is_started_again_and_loses_nothing(of: Program) {
    // It takes a line and dies, twice, and is a good one then.
    let log = "#!/bin/sh\necho log start $$ >>$D/lines\n\
               test -e $D/good && exec cat >>$D/logged\nexec sleep 1000000\n";
    let mut service = Service::start(of, &[("run", PUPPET), ("log/run", log)]);
    let run = service.started(1);
    let first: u32 = service.nth(1, "log start ").parse().unwrap();
    service.until("the logger", || cmdline(first) == "sleep 1000000");
    service.tell("echo one");
    std::fs::write(service.path("good"), "").unwrap();
    send_signal(first, nix::sys::signal::Signal::SIGKILL);
    service.tell("echo two");
    service.nth(2, "log start ");
    service.until("both lines", || service.text("logged") == "one\ntwo\n");
    assert_eq!(service.status().pid, run);
    service.exit();
    assert_eq!(service.count("start "), 1);
}

fn input_between_two_loggers_waits(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET), ("log/run", LOGGER)]);
    service.started(1);
    service.until_log_stat("run");
    service.send_log("d");
    service.until_log_stat("down");
    service.tell("echo one; echo said >>$D/lines");
    service.nth(1, "said");
    assert_eq!(service.text("logged"), "");
    service.send("t");
    service.started(2);
    service.tell("echo two; echo said >>$D/lines");
    service.nth(2, "said");
    service.send_log("u");
    service.until("both lines", || service.text("logged") == "one\ntwo\n");
    service.exit();
}

fn a_service_that_dies_loses_no_line(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET), ("log/run", LOGGER)]);
    for count in 1..=3 {
        service.started(count);
        service.tell(&format!("echo said {count}; kill -9 $$"));
    }
    service.started(4);
    service.exit();
    let said: Vec<_> =
        service.text("logged").lines().filter(|line| line.starts_with("said")).map(str::to_owned).collect();
    assert_eq!(said, ["said 1", "said 2", "said 3"]);
}
