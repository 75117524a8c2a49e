//! How a service says that it is ready.

use std::fs;

use super::harness::*;
use crate::support::*;

fn ready(service: &Service) -> bool {
    service.at("supervise/ready").exists()
}

#[test]
fn a_line_on_notification_fd_is_readiness() {
    let mut service =
        Service::start(Svrun, &[("run", PUPPET), ("notification-fd", "7\n"), ("restart-delay", "0")]);
    for count in 1..=2 {
        service.started(count);
        service.until_stat("run");
        assert_eq!(field(&service.ask("status"), "ready"), "false");
        assert!(!ready(&service));
        // Byte 19 is 1 all the while, and what is no line yet is not enough.
        assert_eq!(service.status().flags(), (0, 'u', 0, 1));
        service.tell("printf read >&7; echo done >>$D/lines");
        service.nth(count, "done");
        assert_eq!(field(&service.ask("status"), "ready"), "false");
        let before = now();
        service.tell("echo y >&7; exec 7>&-");
        service.until("ready", || ready(&service));
        assert_eq!(field(&service.ask("status"), "ready"), "true");
        let time: f64 = service.read("supervise/ready").trim_end().parse().unwrap();
        assert!(time + 1.001 >= before.as_secs_f64() && time <= now().as_secs_f64(), "{time}");
        assert_eq!(service.status().flags(), (0, 'u', 0, 1));
        service.tell("exit 0");
        service.until("ready no more", || !ready(&service));
    }
    service.started(3);
    service.exit();
}

#[test]
fn a_service_without_readiness_has_none() {
    let service = Service::start(Svrun, &[("run", PUPPET)]);
    service.started(1);
    service.until_stat("run");
    assert_eq!(field(&service.ask("status"), "ready"), "null");
    assert!(field(&service.ask("wait ready"), "ok") == "true");
    assert!(!ready(&service));
    let environ = fs::read_to_string(format!("/proc/{}/environ", service.status().pid)).unwrap();
    assert!(!environ.contains("NOTIFY_SOCKET"));
}

/// A service under ours with `sd-notify`, and what a shell says to announce something.
fn notified() -> (Service, String) {
    let service = Service::start(
        Svrun,
        &[("run", PUPPET), ("sd-notify", ""), ("restart-delay", "0"), ("finish", FINISH)],
    );
    service.started(1);
    service.until_stat("run");
    (service, example("announce").display().to_string())
}

#[test]
fn sd_notify_tells_ready_status_and_stopping() {
    let (mut service, announce) = notified();
    let status = || service.ask("status");
    assert_eq!((field(&status(), "ready"), field(&status(), "status")), ("false", "null"));
    service.tell(&format!("{announce} 'STATUS=half way' && echo done >>$D/lines"));
    service.nth(1, "done");
    assert_eq!((field(&status(), "ready"), field(&status(), "status")), ("false", "\"half way\""));
    service.tell(&format!("{announce} READY=1 'STATUS=it is' X=y && echo done >>$D/lines"));
    service.nth(2, "done");
    assert_eq!((field(&status(), "ready"), field(&status(), "status")), ("true", "\"it is\""));
    assert!(ready(&service));
    service.tell(&format!("{announce} STOPPING=1 && echo done >>$D/lines"));
    service.nth(3, "done");
    assert_eq!(field(&status(), "ready"), "false");
    assert!(!ready(&service));
    service.tell("exit 0");
    service.started(2);
    assert_eq!(
        (field(&service.ask("status"), "ready"), field(&service.ask("status"), "status")),
        ("false", "null")
    );
    service.exit();
}

#[test]
fn only_the_service_and_its_descendants_are_believed() {
    let (service, announce) = notified();
    let run = service.status().pid;
    let environ = fs::read_to_string(format!("/proc/{run}/environ")).unwrap();
    let address =
        environ.split('\0').find_map(|entry| entry.strip_prefix("NOTIFY_SOCKET=")).unwrap().to_owned();
    assert!(address.starts_with('@'), "{address}");
    let foreign = run_foreign(&announce, &address);
    assert_eq!(foreign, prints(""));
    assert_eq!(field(&service.ask("status"), "ready"), "false");
    // A grandchild is one of them.
    service.tell(&format!("sh -c '{announce} READY=1; echo done >>$D/lines'"));
    service.nth(1, "done");
    assert_eq!(field(&service.ask("status"), "ready"), "true");
    // Nor is anything else of the supervisor's: finish and another service's.
    let other = Service::start(Svrun, &[("run", PUPPET), ("sd-notify", "")]);
    other.started(1);
    let environ = fs::read_to_string(format!("/proc/{}/environ", other.status().pid)).unwrap();
    assert!(!environ.contains(&address));
}

fn run_foreign(announce: &str, address: &str) -> Outcome {
    run(prepared(announce).arg("READY=1").env("NOTIFY_SOCKET", address))
}

#[test]
fn an_invalid_notification_is_ignored() {
    let (service, announce) = notified();
    for words in ["''", "READY", "READY=", "READY=0", "=", "ready=1", "READY=11", "X READY=1Y", "STATUS"] {
        service.tell(&format!("{announce} {words}; echo done >>$D/lines"));
    }
    service.nth(9, "done");
    assert_eq!(field(&service.ask("status"), "ready"), "false");
    let long = "x".repeat(100_000);
    service.tell("n=$(printf %0100000d 1)");
    service.tell(&format!("{announce} \"STATUS=$n\"; echo done >>$D/lines"));
    service.nth(10, "done");
    assert!(service.ask("status").len() < long.len());
    // And what would break a line of JSON.
    service.tell(&format!("{announce} 'STATUS=\"\\x\\'; echo done >>$D/lines"));
    service.nth(11, "done");
    let status = service.ask("status");
    assert!(status.contains(r#""status":"\"\\x\\""#), "{status}");
}

#[test]
fn what_is_not_ready_in_time_is_stopped_and_counts_as_a_short_run() {
    let mut service = Service::start(
        Svrun,
        &[
            ("run", PUPPET),
            ("notification-fd", "4"),
            ("timeout-ready", "200"),
            ("log/run", LOGGER),
            ("finish", FINISH),
            ("restart-delay", "0"),
            ("restart-reset", "0"),
            ("restart-max", "2"),
        ],
    );
    service.until_stat("down, gave up");
    // On a busy machine it is too early for its trap, or for its first line.
    let finishes = ["finish 0 0", "finish -1 15"].map(|line| service.count(line));
    assert_eq!((service.count("finish "), finishes.iter().sum::<usize>()), (2, 2));
    let logged = service.text("logged");
    let late = "warning: svrun: run is not ready after 0.200 s, stopping it\n";
    assert_eq!(logged.matches(late).count(), 2, "{logged}");
    assert!(logged.ends_with("s, gave up\n"), "{logged}");
    // One that is ready in time lives on, and so does one that is asked to be down before.
    service.write(&[("timeout-ready", "1m")]);
    service.send("u");
    service.until_stat("run");
    service.tell("echo >&4");
    service.until("readiness", || ready(&service));
    service.exit();
}

#[test]
fn what_is_not_ready_in_time_lives_on_where_the_file_says_continue() {
    let files =
        [("run", PUPPET), ("sd-notify", ""), ("timeout-ready", "100ms continue"), ("log/run", LOGGER)];
    let mut service = Service::start(Svrun, &files);
    let run = service.started(1);
    let late = "warning: svrun: run is not ready after 0.100 s, taking it for ready\n";
    service.until("the line", || service.text("logged") == late);
    assert_eq!((service.status().pid, ready(&service)), (run, false));
    // The next supervisor does not say it again, once this one has answered anybody: until then it has noted nothing.
    service.ask("status");
    service.kill_supervisor();
    service.supervise();
    service.tell("echo later");
    service.until("the log", || service.text("logged").ends_with("later\n"));
    assert_eq!((service.status().pid, service.text("logged").matches("not ready").count()), (run, 1));
    service.exit();
}

#[test]
fn a_run_that_does_not_feed_its_watchdog_is_aborted() {
    let announce = example("announce").display().to_string();
    let files = [
        ("run", PUPPET),
        ("sd-notify", ""),
        ("watchdog", "1"),
        ("log/run", LOGGER),
        ("finish", FINISH),
        ("down", ""),
    ];
    let mut service = Service::prepare(Svrun, &files);
    let mut command = service.command();
    command.env("WATCHDOG_PID", "1").env("WATCHDOG_USEC", "7");
    service.supervise_by(command);
    service.send("o");
    let finish = service.nth(1, "finish ");
    assert!(["-1 6", "-1 134"].contains(&finish.as_str()), "{finish}");
    let said = "warning: svrun: run has sent no WATCHDOG=1 for 1.000 s, sending it SIGABRT\n";
    service.until("the log", || service.text("logged").starts_with(said));
    service.until("the log", || service.text("logged")[said.len()..].contains("run killed by SIGABRT"));
    service.until_stat("down");
    // Each message begins the time anew, and the next supervisor goes on with it.
    service.write(&[("watchdog", "10")]);
    service.send("o");
    service.until_stat("run, want down");
    service.tell("echo $WATCHDOG_USEC ${WATCHDOG_PID-none} >>$D/dog");
    service.until("the environment", || service.text("dog") == "10000000 none\n");
    service.tell(&format!("sleep 1; {announce} WATCHDOG=1; echo fed >>$D/lines"));
    service.nth(1, "fed");
    service.kill_supervisor();
    service.supervise();
    service.nth(2, "finish -1 ");
    let lived = service.read("supervise/deaths").lines().last().unwrap().to_owned();
    let seconds = lived.split_once(" after ").unwrap().1.split('.').next().unwrap();
    assert!(seconds.parse::<u32>().unwrap() >= 11, "{lived}");
    service.exit();
}
