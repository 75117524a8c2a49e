//! svctl over the socket: with svrun, and with supervisors that say what they should not.

use std::os::unix::fs::{PermissionsExt, chown};

use super::harness::*;
use crate::needs;
use crate::support::*;

/// What svctl says, without numbers.
fn line(house: &House, words: &str) -> (i32, String) {
    let outcome = house.svctl(words);
    assert_eq!(outcome.stderr, "", "{words}");
    (outcome.status, without_numbers(&outcome.stdout))
}

fn says(text: &str) -> (i32, String) {
    (0, text.to_owned())
}

#[test]
fn svrun_does_what_svctl_says() {
    let mut house = House::new();
    house.write("a/log/run", STAYS);
    house.serve(&svrun(), "a");
    let say = |words: &str, text: &str| assert_eq!(line(&house, words), says(text), "{words}");
    say("start a", "ok: run: a: (pid N) Ns\n");
    say("start a a/log", "ok: run: a: (pid N) Ns\nok: run: a/log: (pid N) Ns\n");
    say("status a", "run: a: (pid N) Ns; run: log: (pid N) Ns\n");
    say("status a/log ./a/", "run: a/log: (pid N) Ns\nrun: ./a/: (pid N) Ns; run: log: (pid N) Ns\n");
    let first = house.pid("a");
    say("restart a", "ok: run: a: (pid N) Ns\n");
    let second = house.pid("a");
    assert_ne!(first, second);
    say("-v term a", "ok: run: a: (pid N) Ns\n");
    assert_ne!(second, house.pid("a"));
    say("-v pause a", "ok: run: a: (pid N) Ns, paused\n");
    say("-v cont a", "ok: run: a: (pid N) Ns\n");
    say("signal WINCH a", "");
    for _ in 0..10 {
        say("stop a", "ok: down: a: Ns, normally up\n");
        say("up a", "");
        say("start a", "ok: run: a: (pid N) Ns\n");
    }
    say("stop a/log", "ok: down: a/log: Ns, normally up\n");
    say("wait down a/log", "ok: down: a/log: Ns, normally up\n");
    let supervisor = house.text("a/supervise/record");
    say("upgrade a", "ok: run: a: (pid N) Ns\n");
    assert!(!supervisor.is_empty());
    say("wait ready a", "ok: run: a: (pid N) Ns\n");
    say("force-stop a", "ok: down: a: Ns, normally up\n");
    say("term a", "");
    say("-v term a", "ok: down: a: Ns, normally up\n");
    say("check a", "ok: down: a: Ns, normally up\n");
    assert_eq!(line(&house, "signal TERM a"), (1, "fail: a: not running\n".into()));
    assert_eq!(line(&house, "exit a/log"), (1, "fail: a/log: not for the log\n".into()));
    say("shutdown a", "ok: a: no supervisor\n");
}

#[test]
fn a_waiting_svctl_sleeps_until_the_supervisor_reports() {
    needs!(tool("strace"));
    let mut house = House::new();
    house.write("a/down", "");
    house.serve(&svrun(), "a");
    let script = "exec strace -f -o calls -e signal=none svctl -w 600 wait up a";
    let waits = Background::start(sh(script).current_dir(house.at(".")).env("SVDIR", house.at(".")));
    until("it does not wait", || {
        house.text("calls").split_once("\"wait up\\n\"").is_some_and(|(_, after)| after.contains("ppoll("))
    });
    let before = house.text("calls");
    assert_eq!(house.svctl("up a"), prints(""));
    assert_eq!(without_numbers(&waits.finish().stdout), "ok: run: a: (pid N) Ns, normally down\n");
    let after = house.text("calls");
    let polls = |calls: &str| calls.matches("ppoll(").count();
    assert_eq!(polls(&after), polls(&before), "{after}");
}

#[test]
fn a_start_waits_until_the_service_is_ready() {
    let mut house = House::new();
    house.write("a/notification-fd", "3\n");
    house.write("a/run", "#!/bin/sh\nread line <go\necho >&3\nexec sleep 1000\n");
    assert_eq!(run_in(house.at("a"), "mkfifo go"), prints(""));
    house.serve(&svrun(), "a");
    let starts = Background::start(&mut house.command("svctl", "-w 600 start a"));
    starts.wait_until_in(LOOKING);
    assert_eq!(line(&house, "wait up a"), says("ok: run: a: (pid N) Ns\n"));
    let late = house.late("wait ready a", |outcome| outcome.stdout.contains("not ready"));
    let said = (late.status, &*without_numbers(&late.stdout));
    assert_eq!(said, (1, "timeout: run: a: (pid N) Ns, not ready\n"));
    house.write("a/go", "x\n");
    assert_eq!(without_numbers(&starts.finish().stdout), "ok: run: a: (pid N) Ns\n");
}

#[test]
fn a_service_that_was_given_up_fails_at_once() {
    let mut house = House::new();
    house.write("a/run", "#!/bin/sh\nexit 3\n");
    house.write("a/restart-max", "1\n");
    house.serve(&svrun(), "a");
    house.wait_until("a", "down, gave up");
    let hint = "svctl: hint: it ended too soon too often: see more with 'svctl list' and in its log\n";
    let death = ", run ended after N.Ns: exit N";
    for (words, death) in [("wait up a", ""), ("wait ready a", death), ("check a", death), ("start a", death)]
    {
        let outcome = house.svctl(&format!("-w 600 {words}"));
        let said = (outcome.status, without_numbers(&outcome.stdout), outcome.stderr);
        assert_eq!(said, (1, format!("fail: a: gave up{death}\n"), hint.into()), "{words}");
    }
    assert_eq!(line(&house, "status a"), says("down: a: Ns, normally up, gave up\n"));
    let as_sv = run(&mut house.command(house.called("sv"), "status a"));
    assert_eq!(without_numbers(&as_sv.stdout), "down: a: Ns, normally up\n");
    assert_eq!(line(&house, "wait down a"), says("ok: down: a: Ns, normally up, gave up\n"));
}

#[test]
fn a_service_that_does_not_end_in_time_is_killed() {
    let mut house = House::new();
    house.write("a/run", "#!/bin/sh\ntrap '' TERM\n>ready\nexec sleep 1000\n");
    house.serve(&svrun(), "a");
    for (words, state) in [("force-restart a", ""), ("force-stop a", ", want down")] {
        until("it does not run", || house.at("a/ready").exists());
        // Before the next one makes it.
        std::fs::remove_file(house.at("a/ready")).unwrap();
        let pid = house.pid("a");
        let killed = format!("kill: run: a: (pid N) Ns{state}, got TERM\n");
        assert_eq!(line(&house, &format!("-w 1 {words}")), (1, killed));
        if words == "force-restart a" {
            assert_eq!(line(&house, "start a"), says("ok: run: a: (pid N) Ns\n"));
            assert_ne!(house.pid("a"), pid);
        } else {
            assert_eq!(line(&house, "wait down a"), says("ok: down: a: Ns, normally up\n"));
        }
    }
}

#[test]
fn paths_longer_than_an_address_are_reached() {
    let mut house = House::new();
    let deep = ["a-directory-with-a-long-name"; 12].join("/");
    house.write(&format!("{deep}/run"), STAYS);
    house.serve(&svrun(), &deep);
    let whole = house.at(&deep).display().to_string();
    for name in [format!("./{deep}"), format!("{deep}/"), whole, deep] {
        let expected = format!("ok: run: {name}: (pid N) Ns\n");
        assert_eq!(line(&house, &format!("start {name}")), says(&without_numbers(&expected)));
        assert_eq!(line(&house, &format!("--json status {name}")).1.matches("\"supervisor\":N").count(), 1);
    }
}

#[test]
fn the_events_of_services_are_reported_as_they_happen() {
    let mut house = House::new();
    house.serve(&svrun(), "a");
    house.write("b/down", "");
    house.serve(&svrun(), "b");
    let script = "svctl events a b >events & p=$!; svctl --json events a b >objects & q=$!
                  wait $p; a=$?; wait $q; exit $a$?";
    let listen = Background::start(sh(script).current_dir(house.at(".")).env("SVDIR", house.at(".")));
    until("nobody listens", || {
        ["events", "objects"].iter().all(|file| house.text(file).lines().count() == 2)
    });
    assert_eq!(house.svctl("-v once b").status, 0);
    assert_eq!(house.svctl("stop a").status, 0);
    assert_eq!(house.svctl("shutdown a").status, 0);
    assert_eq!(house.svctl("shutdown b").status, 0);
    assert_eq!(listen.finish(), fails(22, ""));
    let events = without_numbers(&house.text("events"));
    for line in [
        "run: a: (pid N) Ns",
        "down: b: Ns",
        "N-N-NTN:N:N.NZ b: run started (pid N)",
        "N-N-NTN:N:N.NZ a: want down",
        "N-N-NTN:N:N.NZ a: run (pid N) ended after N.Ns: SIGTERM",
        "fail: a: the supervisor has left",
    ] {
        assert!(events.lines().any(|said| said == line), "{line}: {events}");
    }
    let objects = house.text("objects");
    assert!(
        objects
            .lines()
            .all(|line| line.starts_with("{\"service\":\"a\",") || line.starts_with("{\"service\":\"b\","))
    );
    assert!(objects.contains("{\"service\":\"b\",\"event\":\"start\","), "{objects}");
}

#[test]
fn events_end_when_nobody_reads_them() {
    let mut house = House::new();
    house.serve(&svrun(), "a");
    let script = "svctl events a | head -n 1; echo done";
    let outcome = run(sh(script).env("SVDIR", house.at(".")));
    assert_eq!(
        (without_numbers(&outcome.stdout), outcome.stderr),
        ("run: a: (pid N) Ns\ndone\n".into(), String::new())
    );
}

#[test]
fn only_operators_get_through_and_the_refusal_names_them() {
    needs!(root(), tool("setpriv"));
    let mut house = House::new();
    house.serve(&svrun(), "a");
    let other = |words: &str| {
        let mut command = house.command("setpriv", "--reuid=65534 --regid=65534 --clear-groups svctl");
        run(command.args(words.split(' ')))
    };
    let denied = |hint: &str| Outcome {
        status: 1,
        stdout: "warning: a: unable to open supervise/ok: Permission denied\n".into(),
        stderr: format!("svctl: hint: permission: {hint}\n"),
    };
    for words in ["status a", "up a", "wait up a"] {
        assert_eq!(other(words), denied("supervise is for root"), "{words}");
    }
    let listed = other("list a");
    assert_eq!(listed.stderr, "svctl: hint: permission: supervise is for root\n");
    assert!(listed.status == 0 && listed.stdout.contains("\na     no access  "), "{}", listed.stdout);
    // It may be as well as any.
    assert_eq!(other("list --failed a"), Outcome { stdout: String::new(), ..listed });
    let mode = |file: &str, mode| {
        std::fs::set_permissions(house.at("a/supervise").join(file), PermissionsExt::from_mode(mode))
            .unwrap();
    };
    mode("", 0o755);
    assert_eq!(other("status a"), denied("the socket is for root"));
    chown(house.at("a/supervise/socket"), None, Some(1)).unwrap();
    mode("socket", 0o660);
    assert_eq!(other("status a"), denied("the socket is for root and group daemon"));
    // As the recipe for sv says: both FIFOs are enough.
    for file in ["ok", "control"] {
        chown(house.at("a/supervise").join(file), Some(65534), None).unwrap();
    }
    let outcome = other("restart a");
    assert_eq!((outcome.status, &*without_numbers(&outcome.stdout)), (0, "ok: run: a: (pid N) Ns\n"));
    chown(house.at("a/supervise/socket"), Some(65534), None).unwrap();
    assert!(other("--json status a").stdout.contains("\"supervisor\":"));
}

#[test]
fn operators_need_not_read_the_state_directory() {
    needs!(root(), tool("setpriv"));
    let refused = (1, "fail: a: not permitted\n".to_owned());
    for readers in [None, Some("4242\n"), Some("*\n")] {
        let mut house = House::new();
        house.write("a/operators", "4241\n");
        if let Some(readers) = readers {
            house.write("a/readers", readers);
        }
        house.serve(&svrun(), "a");
        let member = |group: &str, words: &str| {
            let who = format!("--reuid=4240 --regid=4240 --groups={group} svctl {words} a");
            let outcome = run(&mut house.command("setpriv", &who));
            (outcome.status, without_numbers(&outcome.stdout))
        };
        assert_eq!(member("4241", "status"), (0, "run: a: (pid N) Ns\n".to_owned()), "{readers:?}");
        assert_eq!(member("4241", "restart"), (0, "ok: run: a: (pid N) Ns\n".to_owned()), "{readers:?}");
        if readers.is_some() {
            assert_eq!(member("4242", "status").0, 0, "{readers:?}");
            assert_eq!(member("4242", "restart"), refused, "{readers:?}");
        }
        if readers == Some("4242\n") {
            assert_eq!(member("4243", "status").0, 1);
        }
    }
}

#[test]
fn an_event_between_an_answer_and_a_question_is_not_missed() {
    // The old process runs while the restart is answered, and has ended when the events are asked for.
    let house = House::new();
    let talker = Talker::new(&house, "a", |number, line| match (number, line) {
        (1, "status") => Answer::Say(said("run", 7, "up", false)),
        (2, "restart") => Answer::Say(said("run", 7, "up", true)),
        (3, "events") => Answer::Say(said("run", 8, "up", false)),
        _ => Answer::Close,
    });
    assert_eq!(house.svctl("restart a"), prints("ok: run: a: (pid 8) 12s\n"));
    assert_eq!(talker.heard(), ["status", "restart", "events"]);
}

#[test]
fn a_restart_waits_for_the_end_of_the_old_process() {
    let house = House::new();
    let died = r#"{"event":"death","time":1.5,"pid":7,"code":0,"signal":null,"core":false,"lived":1.0}"#;
    for (name, words, command) in
        [("a", "restart a", "restart"), ("b", "-v kill b", "signal KILL"), ("c", "-v up c", "up")]
    {
        let talker = Talker::new(&house, name, move |number, line| match line {
            "status" if number == 1 => Answer::Say(said("run", 7, "up", false)),
            "events" => Answer::Then(said("run", 7, "up", true), died.to_owned()),
            "status" => Answer::Say(said("run", 8, "up", false)),
            line if line == command => Answer::Say(said("run", 7, "up", true)),
            _ => Answer::Close,
        });
        assert_eq!(house.svctl(words), prints(format!("ok: run: {name}: (pid 8) 12s\n")));
        let heard = talker.heard();
        assert_eq!(heard[heard.len() - 3..], [command, "events", "status"]);
    }
}

#[test]
fn the_log_is_asked_for_over_the_socket_of_its_service() {
    let house = House::new();
    std::fs::create_dir_all(house.at("a/log")).unwrap();
    let talker = Talker::new(&house, "a", |_, line| match line {
        "status" => Answer::Say(said("run", 7, "up", false)),
        "log status" => Answer::Say(said("run", 6, "up", false)),
        "log down" | "log wait down" => Answer::Say(said("down", 0, "down", false)),
        _ => Answer::Say(r#"{"ok":false,"error":"no log"}"#.into()),
    });
    assert_eq!(
        house.svctl("status a a/log"),
        prints("run: a: (pid 7) 12s; run: log: (pid 6) 12s\nrun: a/log: (pid 6) 12s\n")
    );
    assert_eq!(house.svctl("stop a/log/"), prints("ok: down: a/log/: 12s, normally up\n"));
    assert_eq!(talker.heard()[3..], ["log down", "log wait down"]);
    let outcome = house.svctl("up a/log");
    let hint = "svctl: hint: the service has no log/run\n";
    assert_eq!(outcome, Outcome { status: 1, stdout: "fail: a/log: no log\n".into(), stderr: hint.into() });
}

#[test]
fn a_supervisor_that_does_not_answer_is_not_waited_for() {
    let house = House::new();
    Talker::new(&house, "a", |_, _| Answer::Nothing);
    // Its files say how it is, then.
    let fake = Fake::new(&house, "a");
    fake.status(77, [0, b'u', 0, 1]);
    let outcome = house.svctl("status a");
    assert_eq!(without_numbers(&outcome.stdout), "run: a: (pid N) Ns\n");
    let outcome = house.svctl("-w 0 up a");
    assert_eq!((outcome.status, &*without_numbers(&outcome.stdout)), (1, "timeout: run: a: (pid N) Ns\n"));
}

#[test]
fn nonsense_is_no_answer() {
    let house = House::new();
    for (name, nonsense) in
        [("a", "nonsense"), ("b", "{\"ok\":true}"), ("c", "{\"ok\":false}"), ("d", "\u{1b}[1m{")]
    {
        Talker::new(&house, name, move |_, _| Answer::Say(nonsense.to_owned()));
        for command in ["up", "-w 1 wait up", "restart"] {
            let words = format!("{command} {name}");
            let text = format!("fail: {name}: no answer that can be understood\n");
            assert_eq!(house.svctl(&words), Outcome { status: 1, ..prints(text) }, "{nonsense}");
        }
    }
    Talker::new(&house, "e", |_, _| Answer::Endless);
    let fail = "fail: e: no answer that can be understood\n";
    assert_eq!(house.svctl("restart e"), Outcome { status: 1, ..prints(fail) });
    Talker::new(&house, "g", |_, _| Answer::Say(r#"{"ok":false,"error":"unable to \u001b[1m: no"}"#.into()));
    assert_eq!(house.svctl("up g").stdout, "fail: g: unable to \\x1b[1m: no\n");
}

#[test]
fn where_there_is_no_place_for_a_client_it_tries_again_or_takes_the_fifo() {
    let house = House::new();
    let mut fake = Fake::new(&house, "a");
    fake.status(77, [0, b'u', 0, 1]);
    let talker = Talker::new(&house, "a", |number, line| match (number, line) {
        (6, "status") => {
            Answer::Say(said("run", 7, "up", false).replace("\"ready\":null", "\"ready\":false"))
        }
        (9, "status") => Answer::Say(said("run", 8, "up", false)),
        _ => Answer::Close, // the seventh, as at an upgrade
    });
    for (words, text) in [("up a", ""), ("signal USR1 a", ""), ("hup a", "")] {
        assert_eq!(line(&house, words), says(text), "{words}");
    }
    assert_eq!(fake.commands(), "u1h");
    assert_eq!(house.svctl("wait ready a"), prints("ok: run: a: (pid 8) 12s\n"));
    assert_eq!(talker.heard()[..3], ["up", "signal USR1", "signal HUP"]);
    assert_eq!(talker.heard().len(), 9);
    assert_eq!(fake.commands(), "");
}

#[test]
fn more_clients_than_a_supervisor_has_places_for_all_learn_of_it() {
    let mut house = House::new();
    house.write("a/down", "");
    house.serve(&svrun(), "a");
    let wait = || Background::start(&mut house.command("svctl", "-w 600 wait up a"));
    let clients: Vec<Background> = (0..40).map(|_| wait()).collect();
    for client in &clients {
        client.wait_until_in(LOOKING);
    }
    assert_eq!(house.svctl("up a"), prints(""));
    for client in clients {
        assert_eq!(without_numbers(&client.finish().stdout), "ok: run: a: (pid N) Ns, normally down\n");
    }
}

#[test]
fn many_services_are_controlled_at_once_whatever_the_limit_of_open_files() {
    let house = House::new();
    let talker = Talker::new(&house, "a", |_, _| Answer::Say(said("run", 7, "up", false)));
    let script = format!("ulimit -Sn 32; exec svctl up {}", "a ".repeat(200));
    assert_eq!(run(sh(&script).env("SVDIR", house.at("."))), prints(""));
    assert_eq!(talker.heard(), vec!["up"; 200]);
    let script = format!("ulimit -Sn 32; svctl events {} | head -n 40", "a ".repeat(40));
    let outcome = run(sh(&script).env("SVDIR", house.at(".")));
    assert_eq!(without_numbers(&outcome.stdout), "run: a: (pid N) Ns\n".repeat(40));
}

#[test]
fn a_stale_socket_is_none() {
    let house = House::new();
    let fake = Fake::new(&house, "a");
    house.write("a/run", STAYS);
    leave_a_socket(house.at("a/supervise/socket"));
    fake.status(77, [0, b'u', 0, 1]);
    assert_eq!(without_numbers(&house.svctl("status a").stdout), "run: a: (pid N) Ns\n");
    fake.end();
    let hint = format!("svctl: hint: no supervisor: start 'svrun {}'\n", house.at("a").display());
    let outcome = Outcome { status: 1, stdout: "fail: a: no supervisor\n".into(), stderr: hint };
    assert_eq!(house.svctl("status a"), outcome);
    assert_eq!(house.svctl("exit a"), prints("ok: a: no supervisor\n"));
}

#[test]
fn more_clients_than_a_supervisor_has_places_for_all_have_what_they_asked_for() {
    let mut house = House::new();
    house.serve(&svrun(), "a");
    for command in ["start", "restart", "stop", "start"] {
        let begin = || Background::start(&mut house.command("svctl", &format!("-w 60 {command} a")));
        let clients: Vec<Background> = (0..40).map(|_| begin()).collect();
        for client in clients {
            let outcome = client.finish();
            let said = (outcome.status, without_numbers(&outcome.stdout), outcome.stderr);
            let state = if command == "stop" { "down: a: Ns, normally up" } else { "run: a: (pid N) Ns" };
            assert_eq!(said, (0, format!("ok: {state}\n"), String::new()), "{command}");
        }
    }
}

#[test]
fn without_a_proc_the_socket_is_reached_and_relative_paths_stay_valid() {
    needs!(root(), tool("unshare"));
    let mut house = House::new();
    house.serve(&svrun(), "a");
    house.serve(&svrun(), "b");
    let script = "mount -t tmpfs none /proc && exec svctl --json status ./a ./b";
    let outcome = run(house.command("unshare", "-m sh -c").arg(script));
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""));
    assert_eq!(without_numbers(&outcome.stdout).matches("\"supervisor\":N").count(), 2);
}
