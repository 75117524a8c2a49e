//! The socket that programs ask and listen on.

use super::harness::*;
use crate::support::*;

fn ok(line: &str) -> &str {
    assert_eq!(field(line, "ok"), "true", "{line}");
    line
}

fn error(line: &str) -> String {
    assert_eq!(field(line, "ok"), "false", "{line}");
    field(line, "error").trim_matches('"').to_owned()
}

/// The time that a process has used, in ticks.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<u64> = stat.split(' ').skip(13).take(2).map(|field| field.parse().unwrap()).collect();
    fields.iter().sum()
}

/// Asserts that a supervisor does nothing for half a second: there is no event that could be waited for.
fn assert_idle(service: &Service) {
    let before = ticks(service.supervisor());
    std::thread::sleep(std::time::Duration::from_millis(500));
    let used = ticks(service.supervisor()) - before;
    assert!(used < 10, "{used} ticks of about 50");
}

#[test]
fn a_client_that_waits_and_sends_more_than_there_is_room_for_costs_nothing() {
    let mut service = Service::start(Svrun, &[("run", PUPPET)]);
    service.started(1);
    let mut client = service.connect();
    ok(&client.ask("events"));
    client.say([b'x'; 1000]).unwrap();
    assert_idle(&service);
    service.exit();
}

#[test]
fn clients_that_there_are_no_fds_for_wait_and_cost_nothing() {
    let mut service = Service::prepare(Svrun, &[("run", PUPPET)]);
    let words = service.command();
    let mut command = service.adopt(sh("ulimit -n 20; exec \"$@\""));
    command.arg("sh").arg(words.get_program()).args(words.get_args());
    service.supervise_by(command);
    service.started(1);
    let clients: Vec<_> = (0..12).map(|_| service.connect()).collect();
    assert_idle(&service);
    drop(clients);
    ok(&service.ask("status"));
    assert!(!service.stderr().contains("wait for events"), "{}", service.stderr());
    service.exit();
}

#[test]
fn status_has_all_keys_in_order() {
    let service = Service::start(
        Svrun,
        &[("run", PUPPET), ("log/run", LOGGER), ("finish", FINISH), ("restart-delay", "0")],
    );
    let pid = service.started(1);
    service.until_stat("run");
    service.until_log_stat("run");
    let status = service.ask("status");
    let keys = [
        "ok",
        "state",
        "pid",
        "want",
        "since",
        "seconds",
        "paused",
        "term",
        "hold",
        "next",
        "ready",
        "status",
        "restarts",
        "death",
        "control",
        "log",
        "supervisor",
    ];
    let places: Vec<_> = keys.iter().map(|key| status.find(&format!("\"{key}\":"))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{status}");
    for (key, value) in [
        ("ok", "true"),
        ("state", "\"run\""),
        ("pid", &pid.to_string()),
        ("want", "\"up\""),
        ("paused", "false"),
        ("term", "false"),
        ("hold", "null"),
        ("next", "null"),
        ("ready", "null"),
        ("status", "null"),
        ("restarts", "0"),
        ("death", "null"),
        ("control", "null"),
        ("log", "true"),
        ("supervisor", &service.supervisor().to_string()),
    ] {
        assert_eq!(field(&status, key), value, "{key} in {status}");
    }
    let since: f64 = field(&status, "since").parse().unwrap();
    assert!((since - service.status().time().as_secs_f64()).abs() < 0.01, "{status}");
    let seconds: f64 = field(&status, "seconds").parse().unwrap();
    assert!((0.0..30.0).contains(&seconds));
    service.tell("ulimit -c 0; kill -SEGV $$");
    service.started(2);
    service.until_stat("run");
    let status = service.ask("status");
    assert_eq!(field(&status, "restarts"), "1");
    let death = field(&status, "death");
    for (key, value) in
        [("pid", &*pid.to_string()), ("code", "null"), ("signal", "\"SEGV\""), ("core", "false")]
    {
        assert_eq!(field(death, key), value, "{death}");
    }
    assert!(
        field(death, "lived").parse::<f64>().is_ok() && field(death, "time").parse::<f64>().is_ok(),
        "{death}"
    );
    service.tell("exit 3");
    service.started(3);
    let status = service.ask("status");
    assert_eq!(
        (field(field(&status, "death"), "code"), field(field(&status, "death"), "signal")),
        ("3", "null")
    );
    let log = service.ask("log status");
    assert_eq!(field(&log, "pid"), service.log_status_now().unwrap().pid.to_string());
}

#[test]
fn commands_are_answered_once_they_are_carried_out() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("log/run", LOGGER), ("restart-delay", "0")]);
    let first = service.started(1);
    service.until_log_stat("run");
    let mut client = service.connect();
    let mut ask = |request: &str| client.ask(request);
    let paused = ask("pause");
    assert_eq!(field(ok(&paused), "paused"), "true");
    assert_eq!(service.status().paused, 1);
    assert_eq!(field(ok(&ask("continue")), "paused"), "false");
    assert_eq!(service.status().paused, 0);
    for name in ["USR1", "SIGUSR1", "usr1", "10"] {
        ok(&ask(&format!("signal {name}")));
    }
    service.until("signals", || service.count("got USR1") > 0);
    assert_eq!(field(ok(&ask("down")), "want"), "\"down\"");
    assert_eq!(field(ok(&ask("wait down 30")), "state"), "\"down\"");
    assert_eq!(service.status().flags(), (0, 'd', 0, 0));
    let up = ask("up");
    assert_eq!((field(ok(&up), "state"), field(&up, "want")), ("\"run\"", "\"up\""));
    assert_eq!(field(&up, "pid"), service.status().pid.to_string());
    assert_ne!(field(&up, "pid"), first.to_string());
    service.started(2);
    assert_eq!(field(ok(&ask("once")), "want"), "\"down\"");
    ok(&ask("restart"));
    service.started(3);
    assert_eq!(field(ok(&ask("wait up 30")), "want"), "\"up\"");
    ok(&ask("log down"));
    ok(&ask("log wait down 30"));
    service.until_log_stat("down");
    ok(&ask("log up"));
    service.until_log_stat("run");
    assert_eq!(error(&ask("log exit")), "not for the log");
    ok(&ask("exit"));
    assert_eq!(client.rest(), "");
    assert_eq!(service.ended(), 0);
}

#[test]
fn failures_are_reported() {
    let service = Service::start(Svrun, &[("run", PUPPET), ("down", "")]);
    for (request, text) in [
        ("signal TERM", "not running"),
        ("pause", "not running"),
        ("continue", "not running"),
        ("log status", "no log"),
        ("wait up 0.01", "timeout"),
        ("wait ready 0", "timeout"),
    ] {
        assert_eq!(error(&service.ask(request)), text, "{request}");
    }
    // What is no command at all ends the connection too.
    for (request, text) in [
        ("", "unknown command"),
        ("nothing", "unknown command"),
        ("statuses", "unknown command"),
        ("status now", "unknown command"),
        ("signal", "unknown command"),
        ("wait", "unknown command"),
        ("wait never", "unknown command"),
        ("log", "unknown command"),
        ("GET / HTTP/1.1", "unknown command"),
    ] {
        let mut client = service.connect();
        assert_eq!(error(&client.ask(request)), text, "{request}");
        assert_eq!(client.rest(), "", "{request}");
    }
    let mut client = service.connect();
    let _ = client.say("x".repeat(300));
    assert_eq!(error(&client.line()), "too long");
    assert_eq!(client.rest(), "");
}

#[test]
fn several_requests_are_answered_in_order() {
    let service = Service::start(Svrun, &[("run", PUPPET)]);
    service.started(1);
    let mut client = service.connect();
    client.say("pause\ncontinue\nstatus\nstat").unwrap();
    for paused in ["true", "false", "false"] {
        assert_eq!(field(ok(&client.line()), "paused"), paused);
    }
    client.say("us\n").unwrap();
    ok(&client.line());
}

#[test]
fn wait_is_answered_when_it_holds() {
    let files = [("run", PUPPET), ("finish", SLOW_FINISH), ("restart-delay", "0")];
    let service = Service::start(Svrun, &files);
    service.started(1);
    ok(&service.ask("wait up"));
    let mut down = service.connect();
    let mut finished = service.connect();
    down.say("wait down\n").unwrap();
    finished.say("wait finished 30\n").unwrap();
    service.send("d");
    service.nth(1, "finish waits ");
    service.tell_finish("exit 0");
    assert_eq!(field(ok(&down.line()), "state"), "\"down\"");
    assert_eq!(field(ok(&finished.line()), "pid"), "null");
    let mut up = service.connect();
    up.say("wait up\n").unwrap();
    service.send("u");
    assert_eq!(field(ok(&up.line()), "pid"), service.started(2).to_string());
}

#[test]
fn wait_up_ends_where_the_service_gave_up() {
    let files = [("run", PUPPET), ("restart-max", "1"), ("restart-delay", "0")];
    let service = Service::start(Svrun, &files);
    service.started(1);
    let mut waits = service.connect();
    waits.say("wait ready\n").unwrap();
    ok(&waits.line()); // it has no readiness
    service.tell("exit 1");
    service.until_stat("down, gave up");
    for what in ["up", "ready"] {
        assert_eq!(error(&service.ask(&format!("wait {what}"))), "gave up");
    }
    let status = service.ask("status");
    assert_eq!((field(&status, "state"), field(&status, "hold")), ("\"down\"", "\"gave up\""));
}

#[test]
fn events_tell_every_change() {
    let files = [("run", PUPPET), ("finish", FINISH), ("restart-delay", "0 1000")];
    let service = Service::start(Svrun, &files);
    let first = service.started(1);
    service.until_stat("run");
    let mut events = service.connect();
    assert_eq!(field(ok(&events.ask("events")), "state"), "\"run\"");
    let mut next = |name: &str| {
        let line = events.line();
        assert_eq!(field(&line, "event"), format!("\"{name}\""), "{line}");
        assert!(field(&line, "time").parse::<f64>().is_ok(), "{line}");
        line
    };
    service.send("p");
    assert_eq!(field(&next("paused"), "paused"), "true");
    service.send("c");
    assert_eq!(field(&next("paused"), "paused"), "false");
    service.tell("exit 3");
    let death = next("death");
    assert_eq!((field(&death, "pid"), field(&death, "code")), (&*first.to_string(), "3"));
    next("finish");
    let finished = next("finished");
    assert_eq!(field(&finished, "code"), "0");
    let second = service.started(2);
    assert_eq!(field(&next("start"), "pid"), second.to_string());
    service.tell("kill -9 $$");
    assert_eq!(field(&next("death"), "signal"), "\"KILL\"");
    next("finish");
    next("finished");
    let hold = next("hold");
    assert_eq!(field(&hold, "hold"), "\"backing off\"");
    assert!(field(&hold, "next").parse::<f64>().unwrap() > 900.0, "{hold}");
    service.send("d");
    assert_eq!(field(&next("want"), "want"), "\"down\"");
}

#[test]
fn backing_off_tells_when_the_next_start_is() {
    let service = Service::start(Svrun, &[("run", PUPPET), ("restart-delay", "1000")]);
    service.started(1);
    service.tell("exit 1");
    service.until_stat("down, backing off");
    let status = service.ask("status");
    assert_eq!((field(&status, "state"), field(&status, "hold")), ("\"down\"", "\"backing off\""));
    let next: f64 = field(&status, "next").parse().unwrap();
    assert!((900.0..=1000.0).contains(&next), "{status}");
}
