//! The control bytes, and the clients that send them.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use nix::sys::signal::Signal::{SIGHUP, SIGKILL, SIGTERM};

use super::harness::*;
use crate::needs;
use crate::support::*;

both!(svrun;
    a_paused_service_stays_paused_at_t_and_ends_at_d,
    bytes_for_a_signal_send_it,
    bytes_that_mean_nothing_are_ignored,
    d_ends_the_service_and_u_starts_it_again,
    daemontools_clients_drive_it,
    force_commands_of_sv_kill_what_does_not_stop,
    k_kills_and_the_service_is_started_again,
    o_lets_it_run_once,
    p_and_c_stop_and_continue,
    runsvdir_starts_it_and_ends_it,
    several_bytes_in_one_write_are_done_in_order,
    sv_checks_a_service_by_its_check_script,
    sv_does_all_its_commands,
    sv_restarts_it,
    sv_shows_every_state,
    t_ends_the_service_and_it_is_started_again,
    t_sends_term_and_d_sends_cont_too,
    the_log_takes_commands_but_x,
    x_ends_all,
);

fn bytes_for_a_signal_send_it(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET)]);
    let pid = service.started(1);
    for (byte, signal) in [
        ("h", "HUP"),
        ("a", "ALRM"),
        ("i", "INT"),
        ("q", "QUIT"),
        ("1", "USR1"),
        ("2", "USR2"),
        ("c", "CONT"),
    ] {
        service.send(byte);
        service.nth(1, &format!("got {signal}"));
    }
    assert_eq!(service.status().flags(), (0, 'u', 0, 1));
    assert_eq!(service.status().pid, pid);
    service.exit();
    assert_eq!(service.count("got TERM"), 1);
}

fn bytes_that_mean_nothing_are_ignored(of: Program) {
    let service = Service::start(of, &[("run", PUPPET), ("log/run", LOGGER)]);
    let pid = service.started(1);
    service.nth(1, "log start ");
    service.until_log_stat("run");
    let log = service.log_status_now();
    let status = service.status();
    let bytes: Vec<u8> = (0..=255).filter(|byte| !b"udoxtkpchaiq12".contains(byte)).collect();
    service.send(&bytes);
    service.send("1");
    service.nth(1, "got USR1");
    assert_eq!(service.status(), status);
    assert_eq!(service.status().pid, pid);
    assert_eq!(service.log_status_now(), log);
    assert_eq!(service.lines().len(), 3);
}

fn d_ends_the_service_and_u_starts_it_again(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET)]);
    service.started(1);
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    // It is not started again, but by u; a second d does nothing.
    service.send("d");
    service.send("u");
    service.started(2);
    service.until_flags((0, 'u', 0, 1));
    service.send("u");
    service.send("1");
    service.nth(1, "got USR1");
    service.exit();
    assert_eq!(service.count("start "), 2);
}

fn t_ends_the_service_and_it_is_started_again(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET)]);
    let first = service.started(1);
    service.send("t");
    let second = service.started(2);
    assert_ne!(first, second);
    service.until_flags((0, 'u', 0, 1));
    service.exit();
}

fn t_sends_term_and_d_sends_cont_too(of: Program) {
    let service = Service::start(of, &[("run", STUBBORN)]);
    service.started(1);
    service.send("t");
    service.nth(1, "got TERM");
    service.tell("echo done >>$D/lines");
    service.nth(1, "done");
    service.send("d");
    service.nth(2, "got TERM");
    service.nth(1, "got CONT");
    // And t where down is wanted.
    service.send("t");
    service.nth(3, "got TERM");
    service.nth(2, "got CONT");
    let lines = service.lines();
    assert_eq!(lines[1..3], ["got TERM", "done"]);
}

fn k_kills_and_the_service_is_started_again(of: Program) {
    let mut service = Service::start(of, &[("run", STUBBORN), ("finish", FINISH)]);
    service.started(1);
    service.send("k");
    service.started(2);
    assert_eq!(service.nth(1, "finish "), "-1 9");
    service.until_flags((0, 'u', 0, 1));
    service.send("d");
    service.nth(1, "got TERM");
    service.send("k");
    service.until_flags((0, 'd', 0, 0));
    assert_eq!(service.nth(2, "finish "), "-1 9");
    service.exit();
    assert_eq!(service.count("start "), 2);
}

fn o_lets_it_run_once(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET), ("down", ""), ("control/o", CONTROL)]);
    service.send("o");
    service.started(1);
    service.until_flags((0, 'd', 0, 1));
    service.tell("exit 3");
    service.until_flags((0, 'd', 0, 0));
    // On a service that runs it only takes back that it is to be started again.
    service.send("u");
    service.started(2);
    service.send("o");
    service.until_flags((0, 'd', 0, 1));
    service.send("1");
    service.nth(1, "got USR1");
    service.tell("exit 3");
    service.until_flags((0, 'd', 0, 0));
    service.exit();
    assert_eq!(service.count("start "), 2);
    assert_eq!(service.count("control/"), 0);
}

/// A control script that notes that it runs, and has the signal sent.
const CONTROL: &str = "#!/bin/sh\necho $0 >>$D/lines\nexit 1\n";

fn p_and_c_stop_and_continue(of: Program) {
    let service = Service::start(of, &[("run", PUPPET)]);
    let pid = service.started(1);
    service.send("p");
    service.until_flags((1, 'u', 0, 1));
    service.until("it is stopped", || state(pid) == Some('T'));
    service.send("c");
    service.until_flags((0, 'u', 0, 1));
    service.nth(1, "got CONT");
    assert_ne!(state(pid), Some('T'));
    // The flag alone where nothing runs.
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    service.send("p");
    service.until_flags((1, 'd', 0, 0));
    service.send("c");
    service.until_flags((0, 'd', 0, 0));
    service.send("p");
    service.until_flags((1, 'd', 0, 0));
    service.send("u");
    let pid = service.started(2);
    service.until_flags((0, 'u', 0, 1));
    assert_ne!(state(pid), Some('T'));
}

fn a_paused_service_stays_paused_at_t_and_ends_at_d(of: Program) {
    let service = Service::start(of, &[("run", PUPPET)]);
    let pid = service.started(1);
    service.send("p");
    service.until("it is stopped", || state(pid) == Some('T'));
    service.send("t");
    service.until_stat("run, paused, got TERM");
    service.send("2"); // read after it
    assert_eq!(state(pid), Some('T'));
    service.send("c");
    let pid = service.started(2);
    service.send("p");
    service.until("it is stopped", || state(pid) == Some('T'));
    service.send("d");
    service.until_stat("down, paused");
    service.send("u");
    let pid = service.started(3);
    service.send("p");
    service.until("it is stopped", || state(pid) == Some('T'));
    service.send("x");
    let mut service = service;
    assert_eq!(service.ended(), 0);
    assert_eq!(service.read("supervise/stat"), "down, paused\n");
}

fn several_bytes_in_one_write_are_done_in_order(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET), ("finish", FINISH)]);
    service.started(1);
    service.send("tcu");
    let pid = service.started(2);
    assert_eq!(service.until_flags((0, 'u', 0, 1)).pid, pid);
    service.send("dpcu1");
    service.started(3);
    // Without the word for a signal: runsv stays in finish for ever where k meets it there.
    if of == Svrun {
        service.send("dk");
        service.until_flags((0, 'd', 0, 0));
        service.send("uh");
        service.started(4);
    }
    service.send("dx");
    assert_eq!(service.ended(), 0);
    service.assert_nothing_left();
    // A start that is ended before it could note itself has a finish all the same.
    assert!(service.count("finish ") >= service.count("start "));
}

fn x_ends_all(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET)]);
    service.started(1);
    service.exit();
    assert_eq!(service.count("got TERM"), 1);
    // And TERM to the supervisor is the same, whatever the service is at.
    service.supervise();
    service.started(2);
    service.signal(SIGTERM);
    assert_eq!(service.ended(), 0);
    service.assert_nothing_left();
    assert_eq!(service.count("got TERM"), 2);
    fs::write(service.at("down"), "").unwrap();
    for signal in [true, false] {
        service.supervise();
        service.until_flags((0, 'd', 0, 0));
        if signal {
            service.signal(SIGTERM);
        } else {
            service.send("x");
        }
        assert_eq!(service.ended(), 0);
    }
    assert_eq!(service.stderr(), "");
}

fn the_log_takes_commands_but_x(of: Program) {
    let puppet = PUPPET.replace("start", "log start").replace("tell", "tell-log");
    let mut service = Service::prepare(of, &[("run", SLEEPER), ("log/run", &puppet)]);
    assert_eq!(run_in(service.scratch.path(), "mkfifo tell-log"), prints(""));
    service.supervise();
    service.started(1);
    service.nth(1, "log start ");
    service.until_log_stat("run");
    let before = service.log_status_now();
    service.send_log("x1");
    service.nth(1, "got USR1");
    assert_eq!(service.log_status_now(), before);
    for (byte, signal) in [("h", "HUP"), ("a", "ALRM"), ("i", "INT"), ("q", "QUIT"), ("2", "USR2")] {
        service.send_log(byte);
        service.nth(1, &format!("got {signal}"));
    }
    service.send_log("p");
    service.until_log_stat("run, paused");
    service.send_log("c");
    service.until_log_stat("run");
    service.send_log("t");
    service.nth(2, "log start ");
    service.until_log_stat("run");
    service.send_log("d");
    service.until_log_stat("down");
    service.send_log("o");
    service.nth(3, "log start ");
    service.until_log_stat("run, want down");
    service.send_log("k");
    service.until_log_stat("down");
    service.send_log("u");
    service.nth(4, "log start ");
    service.until_log_stat("run");
    // The service has gone on.
    assert_eq!(service.count("start "), 1);
    assert_eq!(service.status().flags(), (0, 'u', 0, 1));
}

/// A line of sv or svstat with each pid as `P` and all other numbers as `N`.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    for letter in text.chars() {
        if !letter.is_ascii_digit() {
            shape.push(letter);
        } else if shape.ends_with("(pid ") {
            shape.push('P');
        } else if !shape.ends_with(['N', 'P']) {
            shape.push('N');
        }
    }
    shape
}

fn sv_shows_every_state(of: Program) {
    let service =
        Service::start(of, &[("run", STUBBORN), ("finish", SLOW_FINISH), ("log/run", LOGGER), ("down", "")]);
    service.until_log_stat("run");
    let shows = |line: &str| {
        // The bytes that sv reads are written after `stat`.
        let expected = format!("{line}; run: log: (pid P) Ns\n");
        service.until(line, || shape(&service.sv("status").stdout) == expected);
        let outcome = service.sv("status");
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""));
    };
    service.until_stat("down");
    shows("down: ./service: Ns");
    service.send("u");
    service.started(1);
    service.until_stat("run");
    shows("run: ./service: (pid P) Ns, normally down");
    fs::remove_file(service.at("down")).unwrap();
    shows("run: ./service: (pid P) Ns");
    service.send("p");
    service.until_stat("run, paused");
    shows("run: ./service: (pid P) Ns, paused");
    service.send("c");
    service.send("t");
    service.until_stat("run, got TERM");
    service.nth(1, "got TERM");
    shows("run: ./service: (pid P) Ns, got TERM");
    service.send("d");
    service.nth(2, "got TERM");
    service.until_stat("run, got TERM, want down");
    shows("run: ./service: (pid P) Ns, want down, got TERM");
    service.tell("exit 0");
    service.nth(1, "finish waits ");
    service.until_stat("finish, want down");
    shows("finish: ./service: (pid P) Ns, want down");
    service.tell_finish("exit 0");
    service.until_stat("down");
    shows("down: ./service: Ns, normally up");
    service.send_log("d");
    service.until_log_stat("down");
    let outcome = service.sv("status");
    assert_eq!(shape(&outcome.stdout), "down: ./service: Ns, normally up; down: log: Ns, normally up\n");
    assert_eq!(service.client("/usr/bin/sv", &["-w", "30", "start", "./service/log"]).status, 0);
    let outcome = service.client("/usr/bin/sv", &["status", "./service/log"]);
    assert_eq!(shape(&outcome.stdout), "run: ./service/log: (pid P) Ns\n");
}

fn sv_does_all_its_commands(of: Program) {
    let service = Service::start(of, &[("run", PUPPET)]);
    service.started(1);
    let does = |words: &[&str], line: &str| {
        let outcome = service.client("/usr/bin/sv", words);
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{words:?} {outcome:?}");
        assert_eq!(shape(&outcome.stdout), line, "{words:?}");
    };
    for (words, signal) in [
        (&["hup", "h"], "HUP"),
        (&["alarm", "a"], "ALRM"),
        (&["interrupt", "i"], "INT"),
        (&["quit", "q"], "QUIT"),
        (&["1", "1"], "USR1"),
        (&["2", "2"], "USR2"),
        (&["cont", "c"], "CONT"),
    ] {
        for (count, word) in words.iter().enumerate() {
            does(&[word, "./service"], "");
            service.nth(count + 1, &format!("got {signal}"));
        }
    }
    does(&["-w30", "reload", "./service"], "ok: run: ./service: (pid P) Ns\n");
    service.nth(3, "got HUP");
    does(&["-w30", "-v", "pause", "./service"], "ok: run: ./service: (pid P) Ns, paused\n");
    does(&["-w30", "-v", "cont", "./service"], "ok: run: ./service: (pid P) Ns\n");
    does(&["up", "./service"], "");
    does(&["once", "./service"], "");
    service.until_flags((0, 'd', 0, 1));
    // The service runs, so sv need not wait until the want is taken.
    assert_eq!(service.client("/usr/bin/sv", &["-w30", "start", "./service"]).status, 0);
    service.until_flags((0, 'u', 0, 1));
    does(&["-w30", "-v", "down", "./service"], "ok: down: ./service: Ns, normally up\n");
    does(&["-w30", "-v", "up", "./service"], "ok: run: ./service: (pid P) Ns\n");
    service.started(2);
    does(&["-w30", "kill", "./service"], "ok: run: ./service: (pid P) Ns\n");
    service.started(3);
    does(&["term", "./service"], "");
    service.started(4);
    does(&["-w30", "check", "./service"], "ok: run: ./service: (pid P) Ns\n");
    does(&["-w30", "stop", "./service"], "ok: down: ./service: Ns, normally up\n");
    does(&["-w30", "try-restart", "./service"], "ok: down: ./service: Ns, normally up\n");
    does(&["-w30", "shutdown", "./service"], "ok: ./service: runsv not running\n");
    let mut service = service;
    assert_eq!(service.ended(), 0);
    let outcome = service.sv("exit");
    assert_eq!(outcome, prints("ok: ./service: runsv not running\n"));
}

/// Waits for the next second on the clock: sv takes a service for restarted whose start is in the second of
/// its own.
fn next_second(service: &Service) {
    let second = service.status().time().as_secs();
    service.until("the next second", || now().as_secs() > second);
}

fn sv_restarts_it(of: Program) {
    let service = Service::start(of, &[("run", PUPPET)]);
    let first = service.started(1);
    next_second(&service);
    let outcome = service.sv("restart");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let pid = service.started(2);
    assert_ne!(pid, first);
    assert_eq!(shape(&outcome.stdout), "ok: run: ./service: (pid P) Ns\n");
    assert!(outcome.stdout.contains(&format!("(pid {pid})")));
}

fn force_commands_of_sv_kill_what_does_not_stop(of: Program) {
    let mut service = Service::start(of, &[("run", STUBBORN), ("finish", FINISH)]);
    let mut starts = 1;
    for command in ["force-stop", "force-restart", "force-reload"] {
        service.started(starts);
        next_second(&service);
        let outcome = service.client("/usr/bin/sv", &["-w", "1", command, "./service"]);
        assert_eq!(outcome.stderr, "");
        assert!(outcome.stdout.starts_with("kill: run: ./service: (pid "), "{outcome:?}");
        if command == "force-stop" {
            service.until_flags((0, 'd', 0, 0));
            service.send("u");
        }
        starts += 1;
    }
    service.started(starts);
    assert_eq!(service.nth(3, "finish "), "-1 9");
    let outcome = service.client("/usr/bin/sv", &["-w", "1", "force-shutdown", "./service"]);
    assert!(outcome.stdout.starts_with("kill: run: ./service: (pid "), "{outcome:?}");
    assert_eq!(service.ended(), 0);
    service.assert_nothing_left();
    // runsv forgets finish there.
    assert_eq!(service.count("finish "), if of == Runsv { 3 } else { 4 });
}

fn sv_checks_a_service_by_its_check_script(of: Program) {
    let check = "#!/bin/sh\ntest -e $D/good\n";
    let service = Service::start(of, &[("run", PUPPET), ("check", check), ("down", "")]);
    let sv = |words: &[&str]| {
        let mut sv = prepared("/usr/bin/sv");
        run(sv.args(words).current_dir(service.scratch.path()).env("D", service.scratch.path()))
    };
    // It runs already: a busy machine may take more than that second for a start.
    service.send("u");
    service.started(1);
    let bad = sv(&["-w", "1", "start", "./service"]);
    assert_eq!(bad.status, 1);
    assert_eq!(shape(&bad.stdout), "timeout: run: ./service: (pid P) Ns, normally down\n");
    fs::write(service.path("good"), "").unwrap();
    for command in ["start", "check"] {
        let good = sv(&["-w", "30", command, "./service"]);
        assert_eq!(
            (good.status, &*shape(&good.stdout)),
            (0, "ok: run: ./service: (pid P) Ns, normally down\n")
        );
    }
}

fn daemontools_clients_drive_it(of: Program) {
    needs!(peer("svc"), peer("svstat"), peer("svok"));
    let mut service = Service::start(of, &[("run", PUPPET)]);
    service.started(1);
    service.until_stat("run");
    let svstat = |line: &str| {
        let outcome = service.client("/usr/bin/svstat", &["service"]);
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""));
        assert_eq!(shape(&outcome.stdout), format!("service: {line}\n"));
    };
    let svc = |words: &str| assert_eq!(service.client("/usr/bin/svc", &[words, "service"]), prints(""));
    assert_eq!(service.client("/usr/bin/svok", &["service"]), prints(""));
    svstat("up (pid P) N seconds");
    for (word, signal) in [("-h", "HUP"), ("-a", "ALRM"), ("-i", "INT"), ("-c", "CONT")] {
        svc(word);
        service.nth(1, &format!("got {signal}"));
    }
    svc("-p");
    service.until_stat("run, paused");
    svstat("up (pid P) N seconds, paused");
    svc("-c");
    service.until_stat("run");
    svc("-d");
    service.until_stat("down");
    svstat("down N seconds, normally up");
    svc("-o");
    service.started(2);
    service.until_stat("run, want down");
    svstat("up (pid P) N seconds, want down");
    svc("-u");
    service.until_stat("run");
    svc("-t");
    service.started(3);
    svc("-k");
    service.started(4);
    fs::write(service.at("down"), "").unwrap();
    svstat("up (pid P) N seconds, normally down");
    svc("-dx");
    assert_eq!(service.ended(), 0);
    assert_eq!(service.client("/usr/bin/svok", &["service"]).status, 100);
    let outcome = service.client("/usr/bin/svstat", &["service"]);
    assert_eq!(outcome, prints("service: supervise not running\n"));
}

fn runsvdir_starts_it_and_ends_it(of: Program) {
    needs!(tool("runsvdir"));
    let service = Service::prepare(of, &[("run", PUPPET), ("log/run", LOGGER)]);
    assert_eq!(run_in(service.scratch.path(), "mkdir bin scan && ln -s ../service scan/web"), prints(""));
    // Under its name, from PATH.
    let program = PathBuf::from(of.command().get_program());
    std::os::unix::fs::symlink(program, service.path("bin/runsv")).unwrap();
    let mut runsvdir = service.adopt(prepared("/usr/bin/runsvdir"));
    runsvdir.arg("scan").env("PATH", format!("{}:/usr/bin:/bin", service.path("bin").display()));
    let mut runsvdir = runsvdir.stdout(Stdio::null()).spawn().unwrap();
    let pid = service.started(1);
    // The service may run before the files say so, and they may say so before `ok` can be opened.
    service.until_stat("run");
    service.until_log_stat("run");
    service.until("an answer", || service.alive());
    let sv = |words: &[&str]| run(prepared("/usr/bin/sv").args(words).env("SVDIR", service.path("scan")));
    let outcome = sv(&["status", "web"]);
    assert_eq!(outcome.status, 0, "{outcome:?}");
    assert_eq!(shape(&outcome.stdout), "run: web: (pid P) Ns; run: log: (pid P) Ns\n");
    let parent = parent(pid);
    assert_eq!(cmdline(parent), "runsv web");
    assert_eq!(sv(&["-w30", "stop", "web"]).status, 0);
    assert_eq!(sv(&["-w30", "start", "web"]).status, 0);
    service.started(2);
    // It is started again when it is killed, though what ran under runsv then runs twice.
    if of == Svrun {
        let pid = service.status().pid;
        send_signal(parent, SIGKILL);
        service.until("another supervisor", || {
            service.processes().iter().any(|pid| *pid != parent && cmdline(*pid) == "runsv web")
        });
        service.until("an answer", || service.alive());
        service.send("1");
        service.nth(1, "got USR1");
        assert_eq!(service.status().pid, pid);
        assert_eq!(service.count("start "), 2);
    }
    send_signal(runsvdir.id(), SIGHUP);
    assert_eq!(runsvdir.wait().unwrap().code(), Some(111));
    service.assert_nothing_left();
    assert_eq!(service.count("got TERM"), 2);
}

#[test]
fn svctl_and_sv_at_once_leave_one_service() {
    needs!(tool("sv"));
    let files = [("run", SLEEPER), ("finish", FINISH), ("restart-delay", "0"), ("restart-reset", "0")];
    let mut service = Service::start(Svrun, &files);
    service.started(1);
    let path = service.at(".").canonicalize().unwrap();
    let copies = |service: &Service| {
        let own = service.processes();
        own.iter().filter(|pid| cmdline(**pid) == "sleep 1000000").count()
    };
    std::thread::scope(|scope| {
        for (seed, client) in [(1, PathBuf::from("sv")), (2, bin().join("svctl"))] {
            let path = &path;
            scope.spawn(move || {
                let mut random = Random::new(seed);
                for _ in 0..30 {
                    let word =
                        ["up", "down", "once", "restart", "term", "kill", "hup", "status"][random.below(8)];
                    // It may well time out: the other wants something else.
                    run(prepared(&client).args(["-w", "0", word]).arg(path));
                }
            });
        }
        for _ in 0..100 {
            assert!(copies(&service) <= 1);
        }
    });
    let up = run(prepared(bin().join("svctl")).args(["-w", "20", "up"]).arg(&path));
    assert_eq!(up.status, 0, "{up:?}");
    // It is up before it has become what is counted here.
    service.until("one copy", || copies(&service) == 1);
    assert!(run(prepared("sv").arg("status").arg(&path)).stdout.starts_with("run: "));
    let down = run(prepared("sv").args(["-w", "20", "down"]).arg(&path));
    assert_eq!((down.status, copies(&service)), (0, 0), "{down:?}");
    assert!(run(prepared(bin().join("svctl")).arg("status").arg(&path)).stdout.starts_with("down: "));
    service.exit();
    assert!(service.stderr().lines().all(|line| line.contains(" run killed by SIG")), "{}", service.stderr());
}
