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
