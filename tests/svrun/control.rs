//! The scripts in control/.

use std::fs;

use nix::sys::signal::Signal::SIGTERM;

use super::harness::*;
use crate::support::*;

both!(svrun;
    a_script_that_is_not_executable_for_its_owner_is_not_run,
    a_script_that_succeeds_replaces_the_signal,
    after_a_script_that_fails_the_signal_is_sent,
    at_d_and_x_the_script_of_t_runs_first,
    no_script_runs_where_no_service_runs,
    scripts_have_the_surroundings_of_the_service,
    the_script_of_d_counts_not_for_the_signal,
    the_script_of_u_runs_before_each_start,
    the_scripts_of_the_log_are_not_run,
);

/// A control script that notes that it runs, and leaves the signal to the supervisor.
const NOTES: &str = "#!/bin/sh\necho $0 >>$D/lines\nexit 1\n";

/// One that notes that it runs, and has done what the signal was to do.
const HANDLES: &str = "#!/bin/sh\necho $0 >>$D/lines\nexit 0\n";

fn after_a_script_that_fails_the_signal_is_sent(of: Program) {
    let bytes = ["h", "a", "i", "q", "1", "2", "t", "k"];
    let names = bytes.map(|byte| format!("control/{byte}"));
    let mut files = vec![("run", STUBBORN)];
    files.extend(names.iter().map(|name| (&**name, NOTES)));
    let puppet = STUBBORN.replace("TERM CONT", "HUP ALRM INT QUIT USR1 USR2 TERM CONT");
    files[0].1 = &puppet;
    let service = Service::start(of, &files);
    service.started(1);
    let signals = ["HUP", "ALRM", "INT", "QUIT", "USR1", "USR2", "TERM"];
    for (byte, signal) in bytes.iter().zip(signals) {
        service.send(byte);
        service.nth(1, &format!("got {signal}"));
        service.nth(1, &format!("control/{byte}"));
    }
    service.until_flags((0, 'u', 1, 1));
    service.send("k");
    service.started(2);
    service.nth(1, "control/k");
    // Each before its signal.
    let lines = service.lines();
    for (index, signal) in signals.iter().enumerate() {
        let expected = [format!("control/{}", bytes[index]), format!("got {signal}")];
        assert_eq!(lines[1 + 2 * index..3 + 2 * index], expected);
    }
}

fn a_script_that_succeeds_replaces_the_signal(of: Program) {
    let bytes = ["h", "a", "i", "q", "1", "2", "t", "p", "c", "d"];
    let names = bytes.map(|byte| format!("control/{byte}"));
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (&**name, HANDLES)).collect();
    let puppet = STUBBORN.replace("TERM CONT", "HUP ALRM INT QUIT USR1 USR2 TERM CONT");
    files.push(("run", &puppet));
    let service = Service::start(of, &files);
    let pid = service.started(1);
    for byte in ["h", "a", "i", "q", "1", "2", "t"] {
        service.send(byte);
        service.nth(1, &format!("control/{byte}"));
    }
    // The flag is of the command and not of the process.
    service.send("p");
    service.nth(1, "control/p");
    service.until_flags((1, 'u', 0, 1));
    assert_ne!(state(pid), Some('T'));
    service.send("c");
    service.nth(1, "control/c");
    service.until_flags((0, 'u', 0, 1));
    service.tell("echo done >>$D/lines");
    service.nth(1, "done");
    assert_eq!(service.count("got "), 0);
    // d sends CONT in any case.
    service.send("d");
    service.nth(1, "control/d");
    service.nth(1, "got CONT");
    service.nth(2, "control/t");
    assert_eq!(service.until_flags((0, 'd', 0, 1)).pid, pid);
    assert_eq!(service.count("got "), 1);
}

fn the_script_of_d_counts_not_for_the_signal(of: Program) {
    let service = Service::start(of, &[("run", STUBBORN), ("control/d", HANDLES)]);
    service.started(1);
    service.send("d");
    service.nth(1, "control/d");
    service.nth(1, "got TERM");
    service.nth(1, "got CONT");
    service.until_flags((0, 'd', 1, 1));
}

fn at_d_and_x_the_script_of_t_runs_first(of: Program) {
    let files = [("run", STUBBORN), ("control/t", NOTES), ("control/d", NOTES), ("control/x", NOTES)];
    let service = Service::start(of, &files);
    service.started(1);
    service.send("d");
    service.nth(1, "control/d");
    service.until_flags((0, 'd', 1, 1));
    service.send("t"); // where down is wanted it is d's again
    service.nth(2, "control/d");
    service.send("u");
    service.until_flags((0, 'u', 1, 1));
    service.send("x");
    service.nth(1, "control/x");
    let scripts: Vec<_> = service.lines().into_iter().filter(|line| line.starts_with("control/")).collect();
    let expected =
        ["control/t", "control/d", "control/t", "control/d", "control/t", "control/x"].map(String::from);
    assert_eq!(scripts, expected);
    let mut service = service;
    service.tell("exit 0");
    assert_eq!(service.ended(), 0);
    // And at TERM to the supervisor.
    service.supervise();
    service.started(2);
    service.signal(SIGTERM);
    service.nth(2, "control/x");
    assert_eq!(service.count("control/t"), 4);
    service.tell("exit 0");
    assert_eq!(service.ended(), 0);
}

fn the_script_of_u_runs_before_each_start(of: Program) {
    // Whatever it says, run is started.
    for script in [NOTES, HANDLES] {
        let mut service = Service::start(of, &[("run", PUPPET), ("control/u", script)]);
        service.started(1);
        service.send("t");
        service.started(2);
        service.send("d");
        service.until_flags((0, 'd', 0, 0));
        service.send("o");
        service.started(3);
        service.exit();
        let lines = service.lines();
        let lines: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
        let starts: Vec<&&str> =
            lines.iter().filter(|word| **word == "start" || **word == "control/u").collect();
        assert_eq!(starts, [&"control/u", &"start"].repeat(3));
    }
}

fn a_script_that_is_not_executable_for_its_owner_is_not_run(of: Program) {
    let mut service =
        Service::prepare(of, &[("run", PUPPET), ("control/h", HANDLES), ("control/a", HANDLES)]);
    assert_eq!(run_in(service.at(""), "chmod 055 control/h; chmod 100 control/a"), prints(""));
    service.supervise();
    service.started(1);
    service.send("h");
    service.nth(1, "got HUP");
    if root().is_ok() {
        service.send("a");
        service.nth(1, "control/a");
    }
    assert_eq!(service.count("control/h"), 0);
}

fn no_script_runs_where_no_service_runs(of: Program) {
    let bytes = ["d", "x", "t", "k", "p", "c", "h", "a", "i", "q", "1", "2"];
    let names = bytes.map(|byte| format!("control/{byte}"));
    let mut files = vec![("run", PUPPET), ("finish", SLOW_FINISH), ("down", "")];
    files.extend(names.iter().map(|name| (&**name, NOTES)));
    let mut service = Service::start(of, &files);
    service.until_flags((0, 'd', 0, 0));
    // k where nothing runs is no command, but see the tests of finish.
    service.send("dtkhaiq12pco");
    service.started(1);
    service.tell("exit 0");
    service.nth(1, "finish waits ");
    service.send("dp");
    service.until_flags((1, 'd', 0, 2));
    if of == Svrun {
        service.send("c"); // finish is paused with us
    }
    service.tell_finish("exit 0");
    service.until_status("down", |status| status.flags().3 == 0);
    service.send("x");
    assert_eq!(service.ended(), 0);
    assert_eq!(service.count("control/"), 0);
}

fn the_scripts_of_the_log_are_not_run(of: Program) {
    let files = [("run", SLEEPER), ("log/run", LOGGER), ("log/control/t", HANDLES), ("log/finish", FINISH)];
    let service = Service::start(of, &files);
    service.until_log_stat("run");
    service.nth(1, "log start ");
    service.send_log("t");
    service.nth(2, "log start ");
    assert_eq!(service.count("control/"), 0);
    assert_eq!(service.count("finish"), 0);
}

fn scripts_have_the_surroundings_of_the_service(of: Program) {
    let script = "#!/bin/sh\npwd -P\necho $0 \"$SEEN\"\necho to stderr >&2\nexit 0\n";
    let files = [("run", PUPPET), ("log/run", LOGGER), ("control/h", script), ("control/u", script)];
    let mut service = Service::prepare(of, &files);
    let mut command = service.command();
    command.env("SEEN", "so");
    service.supervise_by(command);
    service.started(1);
    service.send("h");
    let cwd = fs::canonicalize(service.at("")).unwrap();
    let cwd = cwd.display();
    let expected = format!("{cwd}\ncontrol/u so\n{cwd}\ncontrol/h so\n");
    service.until("the log", || service.text("logged") == expected);
    service.until("stderr", || service.stderr() == "to stderr\nto stderr\n");
    service.exit();
}

/// runit's runsv has it since 2026.
#[test]
fn a_script_gets_the_pid_of_the_service_where_it_runs() {
    let note = "#!/bin/sh\necho $0 $#:$1 >>$D/lines\nexit 1\n";
    let bytes = ["h", "a", "i", "q", "1", "2", "p", "c", "t", "k", "d", "x", "u"];
    let names = bytes.map(|byte| format!("control/{byte}"));
    let puppet = STUBBORN.replace("TERM CONT", "HUP ALRM INT QUIT USR1 USR2 TERM CONT");
    let mut files = vec![("run", &*puppet)];
    files.extend(names.iter().map(|name| (&**name, note)));
    let mut service = Service::start(Svrun, &files);
    let pid = service.started(1);
    assert_eq!(service.nth(1, "control/u"), "0:");
    for byte in &bytes[..9] {
        service.send(byte);
        assert_eq!(service.nth(1, &format!("control/{byte}")), format!("1:{pid}"));
    }
    for (byte, which) in [("d", 2), ("x", 3)] {
        service.send(byte);
        assert_eq!(service.nth(1, &format!("control/{byte}")), format!("1:{pid}"));
        assert_eq!(service.nth(which, "control/t"), format!("1:{pid}"));
    }
    service.send("k");
    assert_eq!(service.nth(1, "control/k"), format!("1:{pid}"));
    assert_eq!(service.ended(), 0);
    // The service is gone before the script of its stop is: there is nobody to name.
    let kills = "#!/bin/sh\nkill -9 $1\nuntil [ -s finished ]; do sleep 0.01; done\n";
    let finish = "#!/bin/sh\necho yes >finished\n";
    let files = [("run", STUBBORN), ("control/t", kills), ("control/d", note), ("finish", finish)];
    let mut service = Service::start(Svrun, &files);
    service.started(1);
    service.send("d");
    assert_eq!(service.nth(1, "control/d"), "0:");
    service.exit();
}
