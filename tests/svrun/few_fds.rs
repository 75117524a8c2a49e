//! A supervisor that may open no more files for a while.

use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal::{SIGKILL, SIGTERM};

use super::harness::*;
use crate::needs;
use crate::support::*;

/// How many fds there may be: fewer than there are already, or many.
fn limit(service: &Service, count: u32) {
    let pid = service.supervisor().to_string();
    let limit = format!("--nofile={count}:4096");
    assert_eq!(run(prepared("prlimit").args(["--pid", &pid, &limit])), prints(""));
}

/// The message about something that cannot be opened, which is said once however often it is tried.
fn assert_reported_once(service: &Service, what: &str) {
    let line = format!("warning: unable to {what}: {}; trying again\n", says(Errno::EMFILE));
    service.until("a warning", || service.stderr().contains(&line));
    thread::sleep(Duration::from_millis(2500)); // of which there is no event: it is tried each second
    assert_eq!(service.stderr().matches(&line).count(), 1, "{}", service.stderr());
}

#[test]
fn a_start_that_is_refused_for_want_of_an_fd_has_one_message() {
    needs!(tool("prlimit"));
    for count in 6..=10 {
        let mut service = Service::prepare(Svrun, &[("run", SLEEPER), ("log/run", LOGGER)]);
        let words = service.command();
        let mut limited = service.adopt(prepared("prlimit"));
        limited.arg(format!("--nofile={count}")).arg(words.get_program()).args(words.get_args());
        service.spawn(limited);
        assert_eq!(service.ended(), 111);
        let stderr = service.stderr();
        assert_eq!((stderr.lines().count(), stderr.matches("fatal").count()), (1, 1), "{count}: {stderr}");
    }
}

#[test]
fn a_finish_that_cannot_be_started_for_want_of_an_fd_is_due_until_it_can() {
    needs!(tool("prlimit"));
    let mut service = Service::start(Svrun, &[("run", SLEEPER), ("log/run", LOGGER), ("finish", FINISH)]);
    let pid = service.started(1);
    service.until_log_stat("run");
    limit(&service, 10);
    send_signal(pid, SIGKILL);
    assert_reported_once(&service, "open the log pipe");
    assert_eq!((service.count("start "), service.count("finish")), (1, 0));
    limit(&service, 1024);
    assert_eq!(service.nth(1, "finish"), "-1 9");
    service.started(2);
    service.exit();
    assert_eq!(service.count("finish"), 2);
}

#[test]
fn a_run_that_gets_no_log_pipe_for_want_of_an_fd_waits_for_it() {
    needs!(tool("prlimit"));
    let files = [("run", SLEEPER), ("log/run", LOGGER), ("notification-fd", "3")];
    let mut service = Service::start(Svrun, &files);
    for count in 1..3 {
        let pid = service.started(count);
        service.until_log_stat("run");
        limit(&service, 10);
        std::fs::write(service.path("stderr"), "").unwrap(); // said again after it was well
        send_signal(pid, SIGKILL);
        assert_reported_once(&service, "open the log pipe");
        assert_eq!(service.count("start "), count);
        limit(&service, 1024);
    }
    service.started(3);
    service.exit();
}

#[test]
fn a_setting_that_cannot_be_read_for_want_of_an_fd_keeps_its_value() {
    needs!(tool("prlimit"));
    let run = STUBBORN.replace("exec 3", "trap 'echo got INT >>$D/lines; exit' INT\nexec 3");
    let mut service = Service::start(Svrun, &[("run", &run), ("down-signal", "INT")]);
    service.started(1);
    assert_eq!(field(&service.ask("restart"), "ok"), "true");
    service.started(2);
    limit(&service, 8);
    service.send("d");
    service.nth(2, "got INT");
    assert_eq!(service.count("got TERM"), 0);
    let line = format!("unable to read down-signal: {}; keeping its last value\n", says(Errno::EMFILE));
    assert_eq!(service.stderr().matches(&line).count(), 1, "{}", service.stderr());
    limit(&service, 1024);
    service.until_flags((0, 'd', 0, 0));
    service.exit();
}

#[test]
fn a_control_script_that_gets_no_log_pipe_says_what_it_says_on_standard_error() {
    needs!(tool("prlimit"));
    // The limit is inherited, and a shell needs more.
    let script =
        "#!/usr/bin/env -S prlimit --nofile=4096 sh\necho said by control/h\necho script >>$D/lines\n";
    let files = [("run", PUPPET), ("log/run", LOGGER), ("control/h", script)];
    let mut service = Service::prepare(Svrun, &files);
    let mut command = service.command();
    command.stdout(std::fs::File::create(service.path("stdout")).unwrap());
    service.supervise_by(command);
    service.started(1);
    service.until_log_stat("run");
    service.send("h");
    service.until("the log", || service.text("logged") == "said by control/h\n");
    limit(&service, 10);
    service.send("h");
    service.nth(2, "script");
    assert_eq!(service.text("stdout"), "");
    assert_eq!(service.stderr(), "said by control/h\n");
    limit(&service, 1024);
    service.exit();
}

#[test]
fn doors_that_cannot_be_opened_for_want_of_an_fd_are_reported_once() {
    let mut service = Service::prepare(Svrun, &[("run", SLEEPER)]);
    for count in 8..14 {
        std::fs::write(service.path("stderr"), "").unwrap();
        let words = service.command();
        let mut command = service.adopt(sh("ulimit -n $0; exec \"$@\""));
        command.arg(count.to_string()).arg(words.get_program()).args(words.get_args());
        service.spawn(command);
        thread::sleep(Duration::from_millis(2500)); // as above; or it has ended already
        let stderr = service.stderr();
        let mut lines: Vec<&str> = stderr.lines().filter(|line| line.contains("; trying again")).collect();
        let all = lines.len();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), all, "{count}: {stderr}");
        service.signal(SIGTERM);
        service.ended(); // 111 where it could not even start
    }
}
