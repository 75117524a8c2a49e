//! `setup`, before each start of run, and alone: a one-shot.

use nix::sys::signal::Signal;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// A setup that does what it is told to. It leaves at no signal.
const SETUP: &str = r#"#!/bin/sh
for signal in TERM HUP CONT; do trap "echo setup got $signal >>$D/lines" $signal; done
echo setup $$ "$@" >>$D/lines
exec 3<>$D/tell
while :; do read -r words <&3 && eval "$words"; done
"#;

/// A setup that is done at once.
const QUICK: &str = "#!/bin/sh\necho setup $$ >>$D/lines\n";

/// The lines of the service's scripts, without their pids.
fn steps(service: &Service) -> String {
    let word = |line: &String| match line.rsplit_once(' ') {
        Some((word @ ("setup" | "start"), _)) if !line.contains("got") => word.to_owned(),
        _ => line.clone(),
    };
    let lines = service.lines();
    lines.iter().filter(|line| !line.starts_with("log ")).map(word).collect::<Vec<_>>().join("; ")
}

/// Waits for the `count`th setup; returns its pid.
fn set_up(service: &Service, count: usize) -> u32 {
    service.until("setup", || service.lines().iter().filter(|line| is_start(line)).count() >= count);
    let lines = service.lines();
    let last = lines.iter().rfind(|line| is_start(line)).unwrap();
    last.split(' ').nth(1).unwrap().parse().unwrap()
}

fn is_start(line: &str) -> bool {
    line.strip_prefix("setup ").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The state over the socket, with whether it is ready.
fn state(service: &Service) -> String {
    let said = service.ask("status");
    [field(&said, "state"), field(&said, "pid"), field(&said, "ready")].join(" ")
}

#[test]
fn setup_comes_before_each_run_and_its_output_is_in_the_log() {
    let setup = "#!/bin/sh\necho setup $$ >>$D/lines\necho from setup\n";
    let mut service = Service::start(
        Svrun,
        &[
            ("setup", setup),
            ("run", SLEEPER),
            ("finish", FINISH),
            ("log/run", LOGGER),
            ("restart-delay", "0"),
        ],
    );
    let run = service.started(1);
    service.until_stat("run");
    assert_eq!(service.status().pid, run);
    send_signal(run, Signal::SIGKILL);
    service.started(2);
    service.until("the log", || service.text("logged").matches("from setup\n").count() == 2);
    assert_eq!(steps(&service), "setup; start; finish -1 9; setup; start");
    service.exit();
}

#[test]
fn a_setup_without_run_is_done_and_up_until_finish_undoes_it() {
    let mut service = Service::start(Svrun, &[("setup", SETUP), ("finish", FINISH)]);
    let setup = set_up(&service, 1);
    service.until_stat("down, setup");
    // Those who know the status bytes alone see a service that is down, and no pid.
    assert_eq!((service.status().pid, service.status().flags()), (0, (0, 'u', 0, 0)));
    assert_eq!(service.read("supervise/pid"), "");
    assert_eq!(state(&service), format!("\"setup\" {setup} null"));
    let mut waits = service.connect();
    waits.say("wait ready\n").unwrap();
    service.tell("exit 0");
    assert_eq!(field(&waits.line(), "state"), "\"done\"");
    service.until_stat("down, done");
    assert_eq!(state(&service), "\"done\" null true");
    assert!(service.at("supervise/ready").exists());
    assert_eq!((service.status().pid, service.status().flags()), (0, (0, 'u', 0, 0)));
    assert_eq!(field(&service.ask("signal HUP"), "error"), "\"not running\"");
    assert_eq!(field(&service.ask("up"), "state"), "\"done\"");
    // It is undone, and set up again.
    assert_eq!(field(&service.ask("restart"), "ok"), "true");
    set_up(&service, 2);
    assert!(!service.at("supervise/ready").exists());
    service.tell("exit 0");
    service.until_stat("down, done");
    assert_eq!(field(&service.ask("down"), "ok"), "true");
    service.until_stat("down");
    assert_eq!(steps(&service), "setup; finish 0 0; setup; finish 0 0");
    assert_eq!(field(&service.ask("status"), "restarts"), "1");
    // Once, as long as it is not asked for again.
    service.send("o");
    set_up(&service, 3);
    service.tell("exit 0");
    service.until_stat("down, done, want down");
    service.exit();
    assert_eq!(steps(&service), "setup; finish 0 0; setup; finish 0 0; setup; finish 0 0");
}

#[test]
fn a_setup_that_fails_is_a_run_that_has_failed() {
    // The first setup alone has the time limit.
    let finish = format!("{FINISH}echo 0 >timeout-setup\n");
    let mut service = Service::start(
        Svrun,
        &[
            ("setup", SETUP),
            ("run", SLEEPER),
            ("finish", &finish),
            ("log/run", LOGGER),
            ("restart-delay", "0"),
            ("restart-max", "3"),
            ("restart-reset", "1h"),
            ("timeout-setup", "10s"),
        ],
    );
    // Nothing but the time limit ends it.
    service.nth(1, "finish ");
    let second = set_up(&service, 2);
    send_signal(second, Signal::SIGKILL);
    set_up(&service, 3);
    service.tell("exit 7");
    service.until_stat("down, gave up");
    assert_eq!(steps(&service), "setup; finish -1 9; setup; finish -1 9; setup; finish 7 0");
    let logged = service.text("logged");
    for end in ["setup killed by SIGKILL after ", "setup exited 7 after "] {
        assert!(logged.contains(&format!("warning: svrun: {end}")), "{end}: {logged}");
    }
    let deaths = service.read("supervise/deaths");
    assert_eq!(deaths.lines().filter(|line| line.contains(" setup ")).count(), 3, "{deaths}");
    assert!(deaths.lines().last().unwrap().contains(" setup exit 7 after "), "{deaths}");
    service.exit();
}

#[test]
fn a_setup_that_cannot_be_executed_is_reported() {
    let mut service = Service::start(Svrun, &[("run", SLEEPER), ("setup", ""), ("log/run", LOGGER)]);
    let begin = "svrun service: warning: unable to start ./setup: ";
    service.until("a message", || service.stderr().contains(begin));
    service.until("the log", || service.text("logged").contains("setup could not be executed: "));
    assert_eq!(service.count("start "), 0, "run does not run without its setup");
    service.exit();
}

#[test]
fn a_stop_during_setup_is_the_down_signal_then_kill_then_finish() {
    for stop in ["d", "x"] {
        let files = [("setup", SETUP), ("finish", FINISH), ("down-signal", "HUP")];
        let mut service = Service::start(Svrun, &files);
        let setup = set_up(&service, 1);
        service.until_stat("down, setup");
        service.send(stop);
        service.nth(1, "setup got HUP");
        // A limit now, which is too short for another line on a busy machine.
        service.write(&[("timeout-kill", "200")]);
        service.send(stop);
        service.until("its end", || !lives(setup));
        service.nth(1, "finish -1 9");
        if stop == "x" {
            assert_eq!(service.ended(), 0);
        } else {
            service.until_stat("down");
            service.exit();
        }
        assert_eq!(service.count("finish "), 1);
    }
    // One that says it has done its work has not.
    let mut service = Service::start(Svrun, &[("setup", SETUP), ("finish", FINISH), ("run", SLEEPER)]);
    set_up(&service, 1);
    service.until_stat("down, setup");
    service.send("d");
    service.nth(1, "setup got TERM");
    service.tell("exit 0");
    service.nth(1, "finish 0 0");
    service.until_stat("down");
    service.exit();
    assert_eq!(service.count("start "), 0);
}

#[test]
fn whoever_follows_a_killed_supervisor_goes_on_where_that_was() {
    let mut service = Service::start(Svrun, &[("setup", SETUP), ("finish", FINISH), ("restart-delay", "0")]);
    // While setup runs: it is adopted.
    let setup = set_up(&service, 1);
    service.until_stat("down, setup");
    service.kill_supervisor();
    service.supervise();
    assert_eq!(state(&service), format!("\"setup\" {setup} null"));
    service.send("h");
    service.nth(1, "setup got HUP");
    service.kill_supervisor();
    service.supervise();
    assert_eq!(state(&service), format!("\"setup\" {setup} null"));
    // One whose end nobody has seen has not done its work: it is undone, and set up again.
    service.kill_supervisor();
    service.tell("exit 0");
    service.until("its end", || !lives(setup));
    service.supervise();
    let second = set_up(&service, 2);
    assert_eq!(steps(&service), "setup; setup got HUP; finish -1 0; setup");
    assert_ne!(second, setup);
    service.tell("exit 0");
    service.until_stat("down, done");
    // It is done: nothing is done again.
    let since = field(&service.ask("status"), "since").to_owned();
    for _ in 0..2 {
        service.kill_supervisor();
        service.supervise();
        assert_eq!(state(&service), "\"done\" null true");
    }
    assert_eq!(field(&service.ask("status"), "since"), since);
    assert!(service.at("supervise/ready").exists());
    service.signal(Signal::SIGQUIT);
    assert_eq!(service.ended(), 0);
    service.supervise();
    assert_eq!(state(&service), "\"done\" null true");
    assert_eq!(service.ask("upgrade"), "");
    // The old one may take a connection that the new one does not answer.
    service.until("the next", || service.ask("status").contains("\"state\":\"done\""));
    service.send("d");
    service.nth(1, "finish 0 0");
    service.until_stat("down");
    service.kill_supervisor();
    service.supervise();
    assert_eq!(state(&service), "\"down\" null null");
    assert_eq!(steps(&service), "setup; setup got HUP; finish -1 0; setup; finish 0 0");
    service.exit();
}

#[test]
fn a_supervisor_that_is_killed_between_setup_and_run_starts_run_alone() {
    needs!(tool("strace"));
    let mut service = Service::prepare(Svrun, &[("setup", QUICK), ("run", SLEEPER), ("finish", FINISH)]);
    // The calls between the end of setup and the start of run, one after the other, until there are no more.
    for call in 1..200 {
        let words = service.command();
        let mut command = service.adopt(prepared("strace"));
        command.args(["-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e"]);
        command.arg(format!("inject=pwrite64:signal=KILL:when={call}"));
        command.arg("--").arg(words.get_program()).args(words.get_args());
        service.spawn(command);
        let supervisor = service.supervisor();
        // The status, which is the last to be written: else that may kill it as it is asked to end.
        let status = || service.status_now().is_some_and(|status| status.agrees("run"));
        let runs = || service.count("start ") > 0 && service.read("supervise/stat") == "run\n" && status();
        service.until("its end, or run", || runs() || !lives(supervisor));
        if lives(supervisor) && service.alive() {
            service.send("x");
            service.ended(); // or the last of the calls kills it
            return;
        }
        service.until("the end of strace", || !lives(supervisor));
        service.kill_supervisor(); // strace, which has ended as that did
        service.supervise();
        service.until("run", || service.count("start ") > 0);
        service.until_stat("run");
        let steps = steps(&service);
        let setups = steps.split("; ").filter(|step| *step == "setup").count();
        let starts = steps.split("; ").filter(|step| *step == "start").count();
        let undone = steps.split("; ").filter(|step| step.starts_with("finish ")).count();
        assert_eq!(starts, 1, "{call}: {steps}");
        assert!(setups == undone + 1, "{call}: what was set up twice was undone between: {steps}");
        service.exit();
        std::fs::write(service.path("lines"), "").unwrap();
    }
    panic!("it never survives");
}

#[test]
fn sv_svc_and_svstat_see_a_one_shot_as_down() {
    needs!(tool("sv"), peer("svstat"));
    let mut service = Service::start(Svrun, &[("setup", SETUP), ("finish", FINISH)]);
    set_up(&service, 1);
    for (state, stat) in [("setup", "down, setup"), ("done", "down, done")] {
        if state == "done" {
            service.tell("exit 0");
        }
        service.until_stat(stat);
        let said = service.sv("status").stdout;
        assert!(
            said.starts_with("down: ./service: ") && said.ends_with(", normally up, want up\n"),
            "{said}"
        );
        let said = service.client("svstat", &["service"]).stdout;
        assert!(said.starts_with("service: down ") && said.ends_with(", normally up, want up\n"), "{said}");
    }
    let said = service.client("svctl", &["status", "./service"]).stdout;
    assert!(said.starts_with("done: ./service: "), "{said}");
    assert!(service.sv("down").stdout.starts_with("ok: down: ./service: "));
    service.nth(1, "finish 0 0");
    assert_eq!(steps(&service), "setup; finish 0 0");
    service.exit();
}
