//! A reload: by a signal, by ./reload, and with what the service announces of it.

use std::fs;

use nix::sys::signal::Signal;

use super::harness::*;
use crate::support::*;

/// Notes its start, and stays until it is killed.
const HANGS: &str = "#!/bin/sh\necho reload $$ >>$D/lines\nexec sleep 1000000\n";

fn is_done(answer: &str) {
    assert_eq!((field(answer, "ok"), field(answer, "reloading")), ("true", "false"), "{answer}");
}

fn failed(reason: &str) -> String {
    format!("{{\"ok\":false,\"error\":\"reload failed\",\"reason\":\"{reason}\"}}")
}

const NOT_RUNNING: &str = r#"{"ok":false,"error":"not running"}"#;

#[test]
fn a_reload_is_the_signal_of_the_file_and_succeeds_if_run_lives_on() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("log/run", PUPPET_LOG)]);
    let pid = service.started(1);
    service.until_log_stat("run");
    let mut events = service.connect();
    events.ask("events");
    is_done(&service.ask("reload"));
    service.nth(1, "got HUP");
    for (number, signal, text) in [(1, "USR1", "USR1\n"), (1, "QUIT", "sigquit"), (2, "USR1", "10 notify\n")]
    {
        service.write(&[("reload-signal", text)]);
        is_done(&service.ask("reload"));
        service.nth(number, &format!("got {signal}"));
    }
    for name in ["reloading", "reloaded"].repeat(4) {
        let line = events.line();
        assert_eq!(
            (field(&line, "event"), field(&line, "pid")),
            (&*format!("\"{name}\""), &*pid.to_string())
        );
    }
    service.write(&[("reload-signal", "HANGUP\n")]);
    is_done(&service.ask("reload"));
    service.nth(2, "got HUP");
    assert!(service.stderr().contains("warning: reload-signal: "), "{}", service.stderr());
    // The logger has no such file.
    is_done(&service.ask("log reload"));
    service.nth(1, "log got HUP");
    service.exit();
}

/// A logger that notes a HUP and goes on.
const PUPPET_LOG: &str = "#!/bin/sh
trap 'echo log got HUP >>$D/lines' HUP
exec 4<&0
cat <&4 >>$D/logged &
while kill -0 $!; do wait $!; done
";

#[test]
fn what_does_not_run_or_dies_of_it_is_not_reloaded() {
    let mut service = Service::start(Svrun, &[("run", SLEEPER), ("down", "")]);
    service.until_stat("down");
    assert_eq!(service.ask("reload"), NOT_RUNNING);
    assert_eq!(service.ask("log reload"), r#"{"ok":false,"error":"no log"}"#);
    service.send("u");
    let first = service.started(1);
    service.until("sleep", || cmdline(first).starts_with("sleep"));
    let mut events = service.connect();
    events.ask("events");
    assert_eq!(service.ask("reload"), failed("run was killed by SIGHUP"));
    let names: Vec<_> = (0..4).map(|_| field(&events.line(), "event").to_owned()).collect();
    assert!(names.contains(&"\"reload failed\"".to_owned()), "{names:?}");
    service.started(2);
    service.exit();
}

#[test]
fn the_exit_status_of_reload_is_the_answer() {
    let script =
        "#!/bin/sh\necho reload $# $1 ${PWD##*/} >>$D/lines\necho said\nread -r how <$D/how\neval \"$how\"\n";
    let mut service = Service::start(
        Svrun,
        &[("run", PUPPET), ("log/run", LOGGER), ("reload", script), ("reload-signal", "USR1")],
    );
    let pid = service.started(1);
    service.until_log_stat("run");
    let how = |text: &str| fs::write(service.path("how"), format!("{text}\n")).unwrap();
    how("exit 0");
    is_done(&service.ask("reload"));
    assert_eq!(service.nth(1, "reload "), format!("1 {pid} service"));
    service.until("its output is in the log", || service.text("logged") == "said\n");
    for (number, text, why) in
        [(2, "exit 3", "./reload exited 3"), (3, "kill -KILL $$", "./reload was killed by SIGKILL")]
    {
        how(text);
        assert_eq!(service.ask("reload"), failed(why));
        service.nth(number, "reload ");
        service.until("the log says so", || {
            service.text("logged").contains(&format!("warning: svrun: reload failed: {why}\n"))
        });
    }
    // One that cannot be executed is no reason to send the signal instead.
    fs::set_permissions(service.at("reload"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(service.ask("reload"), failed("./reload could not be executed"));
    assert!(service.stderr().contains("unable to start ./reload: Permission denied"), "{}", service.stderr());
    assert_eq!(service.count("got "), 0, "no signal was sent");
    fs::remove_file(service.at("reload")).unwrap();
    is_done(&service.ask("reload"));
    service.nth(1, "got USR1");
    service.exit();
}

/// A service whose ./reload hangs, a client that waits for it, and its pid.
fn hanging(files: &[(&str, &str)]) -> (Service, Client, u32) {
    let files = [&[("run", PUPPET), ("reload", HANGS)], files].concat();
    let service = Service::start(Svrun, &files);
    service.started(1);
    let mut client = service.connect();
    client.say("reload\n").unwrap();
    let pid = service.nth(1, "reload ").parse().unwrap();
    assert_eq!(field(&service.ask("status"), "reloading"), "true");
    (service, client, pid)
}

#[test]
fn a_stop_a_death_and_the_time_limit_end_a_reload() {
    for (act, why) in [
        ("down", "the service is being stopped"),
        ("restart", "the service is being stopped"),
        ("exit", "the service is being stopped"),
        ("death", "run exited 3"),
    ] {
        let (mut service, mut client, pid) = hanging(&[("restart-delay", "0")]);
        match act {
            "death" => service.tell("exit 3"),
            request => drop(service.ask(request)),
        }
        assert_eq!(client.line(), failed(why), "{act}");
        service.until("./reload is killed", || !lives(pid));
        match act {
            "down" => service.until_stat("down"),
            "exit" => {
                assert_eq!(service.ended(), 0);
                service.assert_nothing_left();
                continue;
            }
            _ => drop(service.started(2)),
        }
        service.exit();
    }
    // In so short a time it may not have come to say that it runs.
    let files = [("run", PUPPET), ("reload", HANGS), ("timeout-reload", "50ms")];
    let mut service = Service::start(Svrun, &files);
    let pid = service.started(1);
    assert_eq!(service.ask("reload"), failed("timeout"));
    let others = |service: &Service| {
        let own = [pid, service.supervisor()];
        service.processes().iter().filter(|pid| !own.contains(pid)).count()
    };
    service.until("./reload is killed", || others(&service) == 0);
    service.assert_supervised();
    service.exit();
}

#[test]
fn a_reload_that_is_asked_for_during_another_comes_after_it_once_for_all() {
    let (mut service, mut first, pid) = hanging(&[]);
    let mut others = [service.connect(), service.connect()];
    for other in &mut others {
        // The second request of a connection that has none under way: it was heard once the first is answered.
        other.say("status\nreload\n").unwrap();
        other.line();
    }
    service.write(&[("reload", "#!/bin/sh\necho reload $$ >>$D/lines\n")]);
    send_signal(pid, Signal::SIGKILL);
    assert_eq!(first.line(), failed("./reload was killed by SIGKILL"));
    for other in &mut others {
        is_done(&other.line());
    }
    assert_eq!(service.count("reload "), 2);
    service.exit();
}

#[test]
fn an_upgrade_does_not_come_between_and_a_successor_knows_nothing_of_it() {
    let (mut service, client, pid) = hanging(&[]);
    let refused = r#"{"ok":false,"error":"unable to upgrade: a reload is under way, try again"}"#;
    assert_eq!(service.ask("upgrade"), refused);
    let run = service.status().pid;
    service.kill_supervisor();
    drop(client);
    service.write(&[("reload", "#!/bin/sh\necho reload $$ >>$D/lines\n")]);
    service.supervise();
    service.until("it is adopted", || field(&service.ask("status"), "pid") == run.to_string());
    assert_eq!(field(&service.ask("status"), "reloading"), "false");
    is_done(&service.ask("reload"));
    assert_eq!(service.count("reload "), 2);
    send_signal(pid, Signal::SIGKILL);
    service.exit();
}

#[test]
fn an_upgrade_does_not_come_between_a_reload_of_the_logger() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("log/run", PUPPET_LOG)]);
    service.started(1);
    service.until("the logger has its trap", || service.path("logged").exists());
    service.ask("log pause");
    let mut client = service.connect();
    client.say("log reload\n").unwrap();
    service.until("it is under way", || field(&service.ask("log status"), "reloading") == "true");
    let refused = r#"{"ok":false,"error":"unable to upgrade: a reload is under way, try again"}"#;
    assert_eq!(service.ask("upgrade"), refused);
    service.ask("log continue");
    is_done(&client.line());
    service.exit();
}

#[test]
fn a_paused_service_has_reloaded_once_it_goes_on() {
    let mut service = Service::start(Svrun, &[("run", PUPPET)]);
    service.started(1);
    is_done(&service.ask("reload"));
    service.nth(1, "got HUP");
    service.write(&[("timeout-reload", "50ms")]);
    service.ask("pause");
    assert_eq!(service.ask("reload"), failed("timeout"));
    service.write(&[("timeout-reload", "0")]);
    let mut client = service.connect();
    client.say("reload\n").unwrap();
    service.until("it is under way", || field(&service.ask("status"), "reloading") == "true");
    service.ask("continue");
    is_done(&client.line());
    service.nth(2, "got HUP");
    service.exit();
}

#[test]
fn a_service_that_announces_its_reload_is_waited_for_and_ready_meanwhile() {
    let files =
        [("run", PUPPET), ("sd-notify", ""), ("reload-signal", "HUP notify\n"), ("timeout-reload", "0")];
    let mut service = Service::start(Svrun, &files);
    service.started(1);
    service.until_stat("run");
    let announce = example("announce").display().to_string();
    let says = |number: usize, words: &str| {
        service.tell(&format!("{announce} {words} && echo done >>$D/lines"));
        service.nth(number, "done");
        let status = service.ask("status");
        (field(&status, "ready").to_owned(), field(&status, "reloading").to_owned())
    };
    let flags = |ready: &str, reloading: &str| (ready.to_owned(), reloading.to_owned());
    assert_eq!(says(1, "READY=1"), flags("true", "false"));
    let mut events = service.connect();
    events.ask("events");
    let mut client = service.connect();
    client.say("reload\n").unwrap();
    service.nth(1, "got HUP");
    // What it has begun before is no answer.
    assert_eq!(says(2, "RELOADING=1 MONOTONIC_USEC=1"), flags("true", "true"));
    assert_eq!(says(3, "READY=1"), flags("true", "true"));
    let since = "MONOTONIC_USEC=99999999999999999";
    assert_eq!(says(4, &format!("RELOADING=1 {since} STATUS=reading")), flags("true", "true"));
    assert!(service.at("supervise/ready").exists());
    assert_eq!(says(5, "READY=1"), flags("true", "false"));
    is_done(&client.line());
    // Nobody has asked for it.
    assert_eq!(says(6, "RELOADING=1"), flags("true", "true"));
    assert_eq!(says(7, "READY=1"), flags("true", "false"));
    let mut names = Vec::new();
    while names.len() < 4 {
        let line = events.line();
        let name = field(&line, "event").trim_matches('"').to_owned();
        names.extend([name].into_iter().filter(|name| name.starts_with("reload")));
    }
    assert_eq!(names, ["reloading", "reloaded", "reloading", "reloaded"]);
    // It has to end what it announces, however late it is.
    service.write(&[("timeout-reload", "50ms")]);
    assert_eq!(service.ask("reload"), failed("timeout"));
    service.exit();
}

#[test]
fn a_one_shot_is_reloaded_by_its_script_alone() {
    let setup = ("setup", "#!/bin/sh\nexit 0\n");
    let mut service = Service::start(Svrun, &[setup]);
    service.until("done", || field(&service.ask("status"), "state") == "\"done\"");
    assert_eq!(service.ask("reload"), NOT_RUNNING);
    service.write(&[("reload", "#!/bin/sh\necho reload $# >>$D/lines\n")]);
    is_done(&service.ask("reload"));
    assert_eq!(service.nth(1, "reload "), "0");
    service.write(&[("reload", HANGS)]);
    let mut client = service.connect();
    client.say("reload\n").unwrap();
    service.nth(2, "reload ");
    service.send("d");
    assert_eq!(client.line(), failed("the service is being stopped"));
    service.until_stat("down");
    service.exit();
}

#[test]
fn a_control_script_that_fails_before_the_signal_fails_the_reload() {
    let files = [("run", PUPPET), ("control/h", "#!/bin/sh\nread -r how <$D/how\nexit $how\n")];
    let mut service = Service::start(Svrun, &files);
    service.started(1);
    fs::write(service.path("how"), "3\n").unwrap();
    assert_eq!(service.ask("reload"), failed("control/h exited 3"));
    service.nth(1, "got HUP");
    fs::write(service.path("how"), "0\n").unwrap();
    is_done(&service.ask("reload"));
    assert_eq!(service.count("got HUP"), 1, "the script has done it");
    service.exit();
}
