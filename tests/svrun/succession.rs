//! What is under way when a supervisor is followed by another one.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal::{SIGKILL, SIGQUIT};

use super::harness::*;
use crate::needs;
use crate::support::*;

/// A control script that kills the supervisor which runs it first, and fails.
const KILLS: &str =
    "#!/bin/sh\necho $0 >>$D/lines\n[ $(grep -c ^$0 $D/lines) != 1 ] || kill -9 $PPID\nexit 1\n";

/// How a supervisor is followed by another one.
#[derive(Clone, Copy, Debug)]
enum Way {
    Upgrade,
    Quit,
    Kill,
}

impl Way {
    const ALL: [Self; 3] = [Self::Upgrade, Self::Quit, Self::Kill];

    fn go(self, service: &mut Service) {
        match self {
            Self::Upgrade => {
                assert_eq!(service.ask("upgrade"), "");
                return service.until("the next one", || service.alive());
            }
            Self::Quit => {
                service.signal(SIGQUIT);
                assert_eq!(service.ended(), 0);
            }
            Self::Kill => service.kill_supervisor(),
        }
        service.supervise();
    }
}

#[test]
fn kill_follows_a_stop_in_its_time_whoever_supervises_by_then() {
    let test = |way: Way, request: &str| {
        let files = [("run", STUBBORN), ("timeout-kill", "10s\n")];
        let mut service = Service::start(Svrun, &files);
        service.started(1);
        let asked = Instant::now();
        service.ask(request);
        service.nth(1, "got TERM");
        way.go(&mut service);
        match request {
            "restart" => drop(service.started(2)),
            _ => drop(service.until_flags((0, 'd', 0, 0))),
        }
        assert!(asked.elapsed() >= Duration::from_secs(10), "{way:?} {request}: {:?}", asked.elapsed());
        assert_eq!(service.count("got TERM"), 1, "{way:?} {request}");
        service.send("xk");
        assert_eq!(service.ended(), 0);
    };
    std::thread::scope(|scope| {
        for way in Way::ALL {
            for request in ["restart", "down"] {
                scope.spawn(move || test(way, request));
            }
        }
    });
}

#[test]
fn a_stop_whose_control_script_outlives_the_supervisor_is_carried_out_by_the_next_one() {
    for request in ["down", "restart", "exit", "signal TERM"] {
        let mut service = Service::start(Svrun, &[("run", PUPPET), ("control/t", KILLS)]);
        service.started(1);
        service.connect().say(format!("{request}\n")).unwrap();
        assert_eq!(service.ended(), 128 + 9);
        service.supervise();
        service.nth(1, "got TERM");
        assert_eq!(service.count("control/t"), 2, "the script is asked again: {request}");
        match request {
            "down" => drop(service.until_flags((0, 'd', 0, 0))),
            // A supervisor is started for the service to run.
            _ => drop(service.started(2)),
        }
        service.exit();
    }
}

#[test]
fn every_control_script_that_outlives_the_supervisor_runs_again_under_the_next_one() {
    let mut service = Service::start(Svrun, &[("run", STUBBORN), ("control/d", KILLS)]);
    service.started(1);
    service.send("d");
    assert_eq!(service.ended(), 128 + 9);
    service.supervise();
    service.nth(2, "control/d");
    service.nth(1, "got TERM"); // a shell may be slow to say so
    service.tell("exit 0");
    service.until_flags((0, 'd', 0, 0));
    assert_eq!(service.count("got TERM"), 1, "it was sent before");
    service.exit();

    // It may be faster than the supervisor, of which nobody has seen then that it has read more than the h.
    let waits = "until grep -q 'want down' supervise/stat; do sleep 0.01; done\n";
    let kills_later = KILLS.replacen('\n', &format!("\n{waits}"), 1);
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("control/h", &kills_later)]);
    service.started(1);
    service.send("h1d"); // which have to wait for it
    assert_eq!(service.ended(), 128 + 9);
    service.supervise();
    service.until_flags((0, 'd', 0, 0));
    let order = service.lines();
    let order: Vec<&str> = order.iter().filter_map(|line| line.strip_prefix("got ")).collect();
    assert_eq!(order, ["HUP", "USR1", "TERM"]);
    service.exit();
}

#[test]
fn a_signal_that_was_sent_is_not_sent_again_by_the_next_supervisor() {
    needs!(tool("strace"));
    let mut service = Service::prepare(Svrun, &[("run", PUPPET)]);
    let words = service.command();
    let mut slow = service.adopt(prepared("strace"));
    // So that it can be killed between the signal and whatever it does next.
    slow.args(["-D", "-qq", "-o", "/dev/null", "-e", "trace=kill", "-e", "inject=kill:delay_exit=10000000"]);
    slow.arg(words.get_program()).args(words.get_args());
    service.supervise_by(slow);
    service.started(1);
    service.send("h");
    service.nth(1, "got HUP");
    service.kill_supervisor();
    service.supervise();
    service.send("1");
    service.nth(1, "got USR1");
    assert_eq!(service.count("got HUP"), 1);
    service.exit();
}

#[test]
fn a_second_kill_finds_the_logger_at_work() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("log/run", LOGGER)]);
    service.started(1);
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    for round in 1..=6 {
        service.until_log_stat("run");
        let logger = service.log_status_now().unwrap().pid;
        // Killed, it is between two runs, or the next one has just begun.
        if round % 2 == 0 {
            send_signal(logger, SIGKILL);
            service.until("its end is noticed", || {
                service.log_status_now().is_some_and(|log| log.pid != logger)
            });
        }
        service.kill_supervisor();
        // Whichever it is, it ends by itself, as nobody has its pipe open.
        service.until("the end of the loggers", || service.processes().is_empty());
        service.supervise();
        service.send("u");
        let run = service.started(round + 1);
        service.kill_supervisor();
        service.tell(&format!("trap 'echo lost >>$D/lines' PIPE; echo line {round}; echo said >>$D/lines"));
        service.nth(round, "said");
        assert_eq!(service.count("lost"), 0, "{round}");
        service.supervise();
        service.until("the line", || service.text("logged").contains(&format!("line {round}\n")));
        assert_eq!(service.status().pid, run);
        service.send("d");
        service.until_flags((0, 'd', 0, 0));
    }
    service.exit();
}

#[test]
fn a_logger_that_ends_at_once_waits_for_all_starts_but_the_first() {
    let log = "#!/bin/sh\necho log start >>$D/lines\n";
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("log/run", log)]);
    service.started(1);
    service.nth(1, "log start"); // which is not to be taken for one of the next supervisor
    for _ in 0..3 {
        service.kill_supervisor();
        service.until("the end of the logger", || service.processes().len() == 1);
        let before = service.count("log start");
        let begun = Instant::now();
        service.supervise();
        service.until("three starts", || service.count("log start") >= before + 3);
        assert!(begun.elapsed() >= Duration::from_millis(1900), "{:?}", begun.elapsed());
    }
    service.exit();
}
