//! Signals to the supervisor itself.

use nix::sys::signal::Signal;

use super::harness::*;
use crate::support::*;

#[test]
fn term_int_and_hup_end_all_as_x_does() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let mut service = Service::start(Svrun, &[("run", PUPPET), ("log/run", LOGGER), ("finish", FINISH)]);
        service.started(1);
        service.until_log_stat("run");
        service.signal(signal);
        assert_eq!(service.ended(), 0);
        service.assert_nothing_left();
        let lines = service.lines();
        assert!(lines.contains(&"got TERM".into()), "{signal}: {lines:?}");
        assert_eq!(lines.last().unwrap(), "finish 0 0");
    }
}

#[test]
fn quit_leaves_at_once_and_touches_nothing() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("log/run", LOGGER), ("finish", FINISH)]);
    let run = service.started(1);
    let log: u32 = service.nth(1, "log start ").parse().unwrap();
    service.until_log_stat("run");
    service.until_stat("run");
    let (status, log_status) = (service.status(), service.log_status_now());
    service.signal(Signal::SIGQUIT);
    assert_eq!(service.ended(), 0);
    assert!(lives(run) && lives(log));
    assert_eq!((service.status(), service.log_status_now()), (status, log_status));
    assert!(!service.alive());
    // The two go on without it.
    service.tell("echo said; echo said >>$D/lines");
    service.until("the log", || service.text("logged") == "said\n");
    assert_eq!(service.lines().last().unwrap(), "said");
    // And the next one takes them over.
    service.supervise();
    service.send("1");
    service.nth(1, "got USR1");
    assert_eq!((service.status().pid, service.log_status_now().unwrap().pid), (run, log));
    service.exit();
    assert_eq!((service.count("start "), service.count("log start ")), (1, 1));
}

#[test]
fn other_signals_do_nothing() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("log/run", LOGGER)]);
    let run = service.started(1);
    service.until_stat("run");
    let others = [
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGALRM,
        Signal::SIGPIPE,
        Signal::SIGWINCH,
        Signal::SIGCONT,
        Signal::SIGCHLD,
        Signal::SIGVTALRM,
        Signal::SIGPROF,
        Signal::SIGIO,
        Signal::SIGURG,
        Signal::SIGTSTP,
        Signal::SIGTTIN,
        Signal::SIGTTOU,
    ];
    for signal in others {
        service.signal(signal);
        service.assert_supervised();
    }
    service.send("1");
    service.nth(1, "got USR1");
    assert_eq!(service.status().pid, run);
    assert_eq!(service.count("got "), 1);
    service.exit();
}

#[test]
fn signals_while_nothing_runs_are_obeyed_too() {
    for files in [&[("down", "")][..], &[("restart-delay", "1000")]] {
        let mut service = Service::start(Svrun, &[&[("run", PUPPET), ("log/run", LOGGER)], files].concat());
        if files[0].0 == "restart-delay" {
            service.started(1);
            service.tell("exit 1");
            service.until_stat("down, backing off");
        }
        service.signal(Signal::SIGINT);
        assert_eq!(service.ended(), 0);
        service.assert_nothing_left();
    }
}
