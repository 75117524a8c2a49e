//! When a start counts: a service that dies at once has not started.

use std::time::{Duration, Instant};

use super::harness::*;
use crate::needs;
use crate::support::*;

/// A status of a run of this age, as the socket says it.
fn aged(pid: u32, seconds: &str) -> String {
    said("run", pid, "up", false).replace("\"seconds\":12.345", &format!("\"seconds\":{seconds}"))
}

const DIED: &str = r#"{"event":"death","time":1.5,"pid":7,"code":1,"signal":null,"core":false,"lived":0.1}"#;

/// Commands that start something or look whether it is there, under both names, on a service that dies as
/// soon as it is started.
fn fails_to_start(supervisor: &str) {
    let mut house = House::new();
    for delay in ["0", "0.1", "0.2"] {
        house.write(&format!("a{delay}/run"), &format!("#!/bin/sh\nsleep {delay}\nexit 7\n"));
        house.write(&format!("a{delay}/down"), "");
        house.serve(supervisor, &format!("a{delay}"));
        assert_eq!(house.svctl(&format!("up a{delay}")).status, 0);
    }
    // Not all at once: a supervisor has places for 16 clients, and each of these needs two at times.
    for program in ["svctl", "sv"] {
        let mut waiting = Vec::new();
        for command in ["start", "restart", "try-restart", "check"] {
            for delay in ["0", "0.1", "0.2"] {
                let words = format!("-w 2 {command} a{delay}");
                let command = Background::start(&mut house.command(house.called(program), &words));
                waiting.push((words, command));
            }
        }
        assert_eq!(waiting.len(), 12);
        for (words, waiting) in waiting {
            let mut outcome = waiting.finish();
            // On a busy machine even these live for 420 ms at times; on one that is busier still, always.
            let fails = |outcome: &Outcome| outcome.status == 1 && outcome.stdout.starts_with("timeout: ");
            until(&words, || {
                let known = fails(&outcome) || is_slow();
                if !known {
                    outcome = run(&mut house.command(house.called(program), &words));
                }
                known
            });
            if fails(&outcome) {
                failed(supervisor, &format!("{supervisor}: {program} {words}"), outcome);
            }
        }
    }
}

/// Whether a script that sleeps for 0.2 seconds lives for as long as a run has to.
fn is_slow() -> bool {
    let start = Instant::now();
    assert_eq!(run(&mut sh("sleep 0.2; exit 7")).status, 7);
    start.elapsed() >= Duration::from_millis(420)
}

/// What a command says of what dies again at once.
fn failed(supervisor: &str, what: &str, outcome: Outcome) {
    if supervisor == svrun() {
        let last = "run ended after N.Ns: exit N";
        let said = without_numbers(&(outcome.stdout + &outcome.stderr));
        assert!(said.contains(last) || said.starts_with("timeout: run: "), "{what}: {said}");
    }
}

#[test]
fn a_service_that_dies_at_once_has_not_started() {
    fails_to_start(&svrun());
}

#[test]
fn a_service_of_runsv_that_dies_at_once_has_not_started() {
    needs!(peer("runsv"));
    fails_to_start(&peer("runsv").unwrap());
}

#[test]
fn a_service_of_daemontools_supervise_that_dies_at_once_has_not_started() {
    needs!(peer("supervise"));
    fails_to_start(&peer("supervise").unwrap());
    // It shows what has died as alive for a second: then a ./check that agrees is not enough.
    let mut house = House::new();
    house.write("a/run", "#!/bin/sh\nexit 7\n");
    house.write("a/check", "#!/bin/sh\nexit 0\n");
    house.serve(&peer("supervise").unwrap(), "a");
    until("it has come up", || house.svctl("-w 3 check a").status == 1);
    house.serve(&peer("supervise").unwrap(), "b");
    assert_eq!(house.svctl("-w 60 start b").status, 0);
    assert_eq!(house.svctl("-w 60 check b").status, 0);
}

#[test]
fn a_run_without_readiness_has_to_live_for_420_milliseconds() {
    let house = House::new();
    for (name, words, command) in
        [("a", "start a", "up"), ("b", "restart b", "restart"), ("c", "check c", "")]
    {
        let talker = Talker::new(&house, name, move |number, line| match line {
            "status" if number == 1 => Answer::Say(aged(if command.is_empty() { 8 } else { 6 }, "0.000")),
            "status" => Answer::Say(aged(8, "0.420")),
            "events" => Answer::Say(aged(8, "0.100")),
            line if line == command => Answer::Say(aged(8, "0.000")),
            _ => Answer::Close,
        });
        let start = Instant::now();
        assert_eq!(house.svctl(words), prints(format!("ok: run: {name}: (pid 8) 0s\n")));
        assert!(start.elapsed() >= Duration::from_millis(320), "{words}");
        assert_eq!(talker.heard().last().unwrap(), "status");
    }
}

#[test]
fn the_time_counts_anew_for_the_next_run() {
    let house = House::new();
    let talker = Talker::new(&house, "a", |_, line| match line {
        "up" => Answer::Say(aged(7, "0.000")),
        "events" => Answer::Then(aged(7, "0.100"), DIED.into()),
        "status" => Answer::Say(said("down", 0, "up", false)),
        _ => Answer::Close,
    });
    let last = || talker.heard().rsplit(|line| line == "up").next().unwrap_or_default().to_vec();
    let outcome = house.late("start a", |_| last().len() > 1);
    assert_eq!((outcome.status, outcome.stdout.starts_with("timeout: down: a: ")), (1, true), "{outcome:?}");
    assert_eq!(last()[..2], ["events", "status"]);
}

#[test]
fn a_service_that_announces_readiness_has_started_at_once() {
    let house = House::new();
    let ready = aged(8, "0.001").replace("\"ready\":null", "\"ready\":true");
    let talker = Talker::new(&house, "a", move |_, _| Answer::Say(ready.clone()));
    assert_eq!(house.svctl("start a"), prints("ok: run: a: (pid 8) 0s\n"));
    assert_eq!(talker.heard(), ["up"]);
    // So has what ./check says it of, if it is there still.
    house.write("b/check", "#!/bin/sh\nexit 0\n");
    let talker = Talker::new(&house, "b", |_, _| Answer::Say(aged(8, "0.001")));
    assert_eq!(house.svctl("start b"), prints("ok: run: b: (pid 8) 0s\n"));
    // It was asked once more, on a connection of its own.
    assert!(talker.heard().contains(&"status".to_owned()), "{:?}", talker.heard());
    house.write("c/check", "#!/bin/sh\nexit 0\n");
    Talker::new(&house, "c", |_, line| match line {
        "up" => Answer::Say(aged(8, "0.001")),
        _ => Answer::Say(said("down", 0, "up", false)),
    });
    assert_eq!(house.svctl("-w 0.3 start c").status, 1);
}

#[test]
fn a_start_fails_at_once_where_somebody_else_wants_it_down() {
    let mut house = House::new();
    house.write("a/run", "#!/bin/sh\necho x >>starts\nexit 7\n");
    house.write("a/down", "");
    house.serve(&svrun(), "a");
    let starts = Background::start(&mut house.command("svctl", "-w 600 start a"));
    until("it is not started twice", || house.text("a/starts").lines().count() > 1);
    assert_eq!(house.svctl("down a"), prints(""));
    let outcome = starts.finish();
    let said = (outcome.status, without_numbers(&outcome.stdout));
    assert_eq!(said, (1, "fail: a: is wanted down, run ended after N.Ns: exit N\n".into()));
}

#[test]
fn with_w_the_supervisor_is_waited_for_too() {
    let mut house = House::new();
    for command in ["start", "check", "wait ready", "up"] {
        let name = command.replace(' ', "-");
        house.write(&format!("{name}/run"), STAYS);
        let waits = Background::start(&mut house.command("svctl", &format!("-w 600 {command} {name}")));
        waits.wait_until_in(LOOKING);
        house.serve(&svrun(), &name);
        let outcome = waits.finish();
        assert_eq!(
            (outcome.status, without_numbers(&outcome.stdout)),
            (0, format!("ok: run: {name}: (pid N) Ns\n"))
        );
    }
    house.write("new/run", STAYS);
    let fail = "fail: new: no supervisor\n";
    for words in ["-w 0.2 start new", "start new", "-w 600 stop new", "-w 600 restart new"] {
        let outcome = house.svctl(words);
        assert_eq!((outcome.status, &*outcome.stdout), (1, fail), "{words}");
        assert!(outcome.stderr.starts_with("svctl: hint: no supervisor: start 'svrun "), "{words}");
    }
    let as_sv = run(&mut house.command(house.called("sv"), "-w 600 start new"));
    assert_eq!(as_sv.stdout, "warning: new: unable to open supervise/ok: file does not exist\n");
}

#[test]
fn a_crash_loop_is_not_ok_however_the_run_of_now_does() {
    let house = House::new();
    let of = |short: u32, stopped: bool| {
        let status = aged(8, "3.000").replace("\"short\":0", &format!("\"short\":{short}"));
        status.replace("\"stopped\":false", &format!("\"stopped\":{stopped}"))
    };
    for (name, short, stopped, status) in
        [("a", 5, false, 1), ("b", 5, true, 0), ("c", 1, false, 0), ("d", 0, false, 0)]
    {
        let answer = of(short, stopped);
        Talker::new(&house, name, move |_, _| Answer::Say(answer.clone()));
        let limit = if status == 0 { "60" } else { "0.7" };
        assert_eq!(house.svctl(&format!("-w {limit} check {name}")).status, status, "{name}");
    }
    // Once it has lasted, the row is at an end.
    let (bad, good) = (of(2, false), of(0, false));
    Talker::new(&house, "e", move |number, _| {
        Answer::Say(if number < 4 { bad.clone() } else { good.clone() })
    });
    assert_eq!(house.svctl("-w 600 check e"), prints("ok: run: e: (pid 8) 3s\n"));
}

#[test]
fn svrun_counts_short_runs_and_tells_a_stop_from_a_crash() {
    let mut house = House::new();
    house.write("a/restart-delay", "0\n");
    house.write("a/restart-reset", "3600\n");
    house.write("a/run", "#!/bin/sh\n[ -e lasts ] && exec sleep 1000\nexit 1\n");
    house.write("a/restart-max", "3\n");
    house.serve(&svrun(), "a");
    house.wait_until("a", "down, gave up");
    let has = |text: &str| {
        let status = house.svctl("--json status a").stdout;
        assert!(status.contains(text), "{text}: {status}");
    };
    has("\"short\":3,");
    has("\"stopped\":false");
    house.write("a/lasts", "");
    assert_eq!(house.svctl("start a").status, 0);
    assert_eq!(house.svctl("stop a").status, 0);
    // A run that was stopped is no short one, however long it ran.
    has("\"short\":0,");
    has("\"stopped\":true");
}

#[test]
fn the_status_text_of_a_service_is_shown_and_is_an_event() {
    let mut house = House::new();
    let announce = example("announce").display().to_string();
    house.write("a/sd-notify", "");
    house.write("a/run", &format!("#!/bin/sh\n{announce} READY=1 'STATUS=3 of 4'\nread x <go\n{announce} STATUS=done\nexec sleep 1000\n"));
    assert_eq!(run_in(house.at("a"), "mkfifo go"), prints(""));
    house.serve(&svrun(), "a");
    assert_eq!(
        without_numbers(&house.svctl("start a").stdout),
        "ok: run: a: (pid N) Ns, status \"N of N\"\n"
    );
    let shown = |words: &str| {
        until(words, || house.svctl("status a").stdout.contains(&format!(", status \"{words}\"\n")));
    };
    shown("3 of 4");
    let script = "svctl events a >events & svctl --json events a >objects; wait";
    let listen = Background::start(sh(script).current_dir(house.at(".")).env("SVDIR", house.at(".")));
    until("nobody listens", || {
        ["events", "objects"].iter().all(|file| house.text(file).lines().count() == 1)
    });
    house.write("a/go", "x\n");
    shown("done");
    until("no event", || {
        house.text("events").contains(" a: status \"done\"\n")
            && house.text("objects").contains("{\"service\":\"a\",\"event\":\"status\",")
    });
    let as_sv = run(&mut house.command(house.called("sv"), "status a"));
    assert_eq!(without_numbers(&as_sv.stdout), "run: a: (pid N) Ns\n");
    assert_eq!(house.svctl("exit a").status, 0);
    listen.finish();
}

fn reloads(supervisor: &str) {
    let mut house = House::new();
    house.write("a/run", "#!/bin/sh\ntrap : HUP\n>ready\nwhile :; do sleep 0.01; done\n");
    house.write("b/run", STAYS);
    house.serve(supervisor, "a");
    house.serve(supervisor, "b");
    until("it does not run", || house.at("a/ready").exists());
    house.wait_until("b", "run");
    let reload = |name: &str| {
        let outcome = house.svctl(&format!("reload {name}"));
        (outcome.status, without_numbers(&outcome.stdout))
    };
    assert_eq!(reload("a"), (0, "ok: run: a: (pid N) Ns\n".into()));
    let (status, said) = reload("b");
    if supervisor == peer("runsv").unwrap_or_default() {
        assert!(status == 1 && said.starts_with("fail: b: it did not keep running"), "{said}");
    } else {
        assert_eq!((status, said.as_str()), (1, "fail: b: reload failed: run was killed by SIGHUP\n"));
    }
    assert_eq!(house.svctl("stop b").status, 0);
    assert_eq!(reload("b"), (1, "fail: b: not running\n".into()));
    // To sv a signal is sent, and that is all.
    let as_sv = run(&mut house.command(house.called("sv"), "reload b"));
    assert_eq!(as_sv.status, 0, "{as_sv:?}");
    assert_eq!(house.svctl("-w 60 exit a b").status, 0);
    until("the supervisor is there", || house.svctl("status a b").status == 2);
}

#[test]
fn a_reload_that_ends_the_service_is_no_reload() {
    reloads(&svrun());
}

#[test]
fn a_reload_waits_for_the_control_script_that_comes_before_the_signal() {
    let mut house = House::new();
    for (name, exit) in [("a", 1), ("b", 0)] {
        house.write(&format!("{name}/run"), STAYS);
        // Longer than the reload looks at the process.
        house.write(&format!("{name}/control/h"), &format!("#!/bin/sh\nsleep 0.7\n>done\nexit {exit}\n"));
        house.serve(&svrun(), name);
        house.wait_until(name, "run");
        let outcome = house.svctl(&format!("-w 60 reload {name}"));
        assert!(house.at(name).join("done").exists());
        // What the script has not done, the signal has to.
        assert_eq!(outcome.status, exit, "{outcome:?}");
    }
}

#[test]
fn a_reload_whose_control_script_fails_is_no_reload() {
    let mut house = House::new();
    house.write("a/run", "#!/bin/sh\ntrap 'echo hup >>hups' HUP\n>up\nwhile :; do sleep 0.02; done\n");
    house.write("a/control/h", "#!/bin/sh\nexit 3\n");
    house.serve(&svrun(), "a");
    until("its trap", || house.at("a").join("up").exists());
    let outcome = house.svctl("reload a");
    let said = (outcome.status, outcome.stdout.as_str());
    assert_eq!(said, (1, "fail: a: reload failed: control/h exited 3\n"));
    until("it was not sent", || house.text("a/hups").lines().count() == 1);
    // What has failed is forgotten once it has not, or is not there.
    house.write("a/control/h", "#!/bin/sh\nexit 0\n");
    assert_eq!(house.svctl("reload a").status, 0);
    std::fs::remove_file(house.at("a").join("control/h")).unwrap();
    assert_eq!(house.svctl("reload a").status, 0);
    until("it was not sent", || house.text("a/hups").lines().count() == 2);
    assert_eq!(house.svctl("-w 60 exit a").status, 0);
}

#[test]
fn a_reload_is_as_long_as_its_script_and_is_seen_in_the_status() {
    let mut house = House::new();
    house.write("a/run", STAYS);
    house.write("a/reload", "#!/bin/sh\n>begun\nuntil [ -e end ]; do sleep 0.02; done\nexec rm end\n");
    house.serve(&svrun(), "a");
    house.wait_until("a", "run");
    let reload = Background::start(&mut house.command("svctl", "-w 60 reload a"));
    until("it has begun", || house.at("a/begun").exists());
    assert_eq!(without_numbers(&house.svctl("status a").stdout), "run: a: (pid N) Ns, reloading\n");
    assert_eq!(
        without_numbers(&run(&mut house.command(house.called("sv"), "status a")).stdout),
        "run: a: (pid N) Ns\n"
    );
    // It takes longer than this one waits, who is to be answered by another one after it.
    let outcome = house.late("reload a", |outcome| outcome.stdout.contains("reloading"));
    assert_eq!(outcome.status, 1);
    assert_eq!(without_numbers(&outcome.stdout), "timeout: run: a: (pid N) Ns, reloading\n");
    house.write("a/end", "");
    let outcome = reload.finish();
    assert_eq!((outcome.status, &*without_numbers(&outcome.stdout)), (0, "ok: run: a: (pid N) Ns\n"));
    assert_eq!(house.svctl("-w 60 exit a").status, 0);
}

#[test]
fn a_supervisor_that_has_no_word_for_a_reload_gets_a_signal() {
    let house = House::new();
    house.write("a/run", STAYS);
    let talker = Talker::new(&house, "a", |_, line| match line {
        "reload" => Answer::Say(r#"{"ok":false,"error":"unknown command"}"#.to_owned()),
        _ => Answer::Say(said("run", 7, "up", false)),
    });
    let outcome = house.svctl("-w 60 reload a");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (0, "ok: run: a: (pid 7) 12s\n"), "{outcome:?}");
    assert_eq!(talker.heard()[..3], ["reload", "status", "signal HUP"]);
}

#[test]
fn a_reload_that_ends_the_service_under_runsv_is_no_reload() {
    needs!(peer("runsv"));
    reloads(&peer("runsv").unwrap());
}

#[test]
fn events_count_before_expired_timers() {
    let house = House::new();
    let starts = aged(7, "12.345").replace("\"ready\":null", "\"ready\":false");
    let runs = starts.replace("\"ready\":false", "\"ready\":true");
    let (is_ready, ready) = std::sync::mpsc::channel();
    let ready = std::sync::Mutex::new(ready);
    let talker = Talker::new(&house, "a", move |_, line| match line {
        "up" => Answer::Say(starts.clone()),
        "events" => {
            // Not before this test says so.
            ready.lock().unwrap().recv().unwrap();
            Answer::Then(starts.clone(), r#"{"event":"ready","time":1.5,"pid":7}"#.into())
        }
        _ => Answer::Say(runs.clone()),
    });
    let fake = Fake::new(&house, "b");
    fake.status(0, [0, b'd', 0, 0]);
    let waits = ["-w 20 start a", "-w 20 wait up b"]
        .map(|words| Background::start(&mut house.command("svctl", words)));
    until("nobody listens", || talker.heard() == ["up", "events"]);
    waits[1].wait_until_in(LOOKING);
    for waiting in &waits {
        signal("STOP", waiting.pid());
    }
    // Both began before this.
    let start = Instant::now();
    is_ready.send(()).unwrap();
    fake.status(77, [0, b'u', 0, 1]);
    until("the time is not up", || start.elapsed() > Duration::from_secs(20));
    for waiting in &waits {
        signal("CONT", waiting.pid());
    }
    let said = waits.map(|waiting| without_numbers(&waiting.finish().stdout));
    assert_eq!(said, ["ok: run: a: (pid N) Ns\n", "ok: run: b: (pid N) Ns\n"]);
}

#[test]
fn the_first_requests_of_all_are_sent_before_anything_is_waited_for() {
    let house = House::new();
    let talkers = ["a", "b", "c"].map(|name| {
        Talker::new(&house, name, move |number, _| match (name, number) {
            ("a", 1) => Answer::Nothing, // it never answers
            _ => Answer::Say(said("run", 7, "up", false)),
        })
    });
    let outcome = house.svctl("-w 10 start a b c");
    assert_eq!(talkers.each_ref().map(|talker| talker.heard()[0].clone()), ["up"; 3]);
    // Which of them is answered first is theirs to say.
    let mut first: Vec<&str> = outcome.stdout.lines().take(2).collect();
    first.sort_unstable();
    assert_eq!(first, ["ok: run: b: (pid 7) 12s", "ok: run: c: (pid 7) 12s"]);
    assert_eq!(outcome.status, 1);
}

#[test]
fn exit_stops_what_daemontools_supervise_runs() {
    needs!(peer("supervise"));
    let mut house = House::new();
    house.serve(&peer("supervise").unwrap(), "a");
    let pid = house.pid("a");
    let outcome = house.svctl("-w 60 exit a");
    assert_eq!(outcome, prints("ok: a: no supervisor\n"));
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}
