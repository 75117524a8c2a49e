//! kill -9 before any system call of svrun: what comes after it finds all in order. Never two copies, a finish for each
//! end, no line lost or doubled.

use std::fs;

use nix::sys::signal::Signal;

use super::harness::*;
use crate::support::*;

/// A service that writes lines as fast as it can, with a logger.
fn service() -> Service {
    let count = example("count").display().to_string();
    Service::prepare(
        Svrun,
        &[
            ("run", &format!("#!/bin/sh\necho start $$ >>$D/lines\nexec {count}\n")),
            ("log/run", LOGGER),
            ("finish", FINISH),
            ("restart-delay", "0\n"),
            ("restart-reset", "0\n"),
        ],
    )
}

/// The same, running.
fn started() -> Service {
    let mut service = service();
    service.supervise();
    assert_one(&service, "before");
    service
}

/// How many processes there are in a directory, without svrun and a finish.
fn copies(service: &Service, directory: &str) -> usize {
    let directory = service.at(directory);
    let here = |pid: &&u32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == directory);
    let own = service.supervisor();
    let run = |pid: &&u32| **pid != own && !cmdline(**pid).contains("./finish") && lives(**pid);
    service.processes().iter().filter(here).filter(run).count()
}

fn is_up(service: &Service) -> bool {
    service.status_now().is_some_and(|status| status.state == 1 && status.want == 'u' && lives(status.pid))
}

fn is_down(service: &Service) -> bool {
    service.count("finish ") == 1 && copies(service, "") == 0
}

/// Waits until the service and its logger run, and asserts that each of them is there once.
#[track_caller]
fn assert_one(service: &Service, context: &str) {
    service.until(&format!("{context}: it runs"), || is_up(service));
    service.until(&format!("{context}: it has come to its program"), || {
        cmdline(service.status_now().map_or(0, |status| status.pid)).ends_with("count")
    });
    service.until(&format!("{context}: its logger runs"), || {
        service.log_status_now().is_some_and(|status| status.state == 1 && lives(status.pid))
    });
    assert_eq!(copies(service, ""), 1, "{context}\n{}", service.report());
    assert!(copies(service, "log") <= 1, "{context}\n{}", service.report());
}

/// Ends it, and asserts what has to hold at the end whatever has happened.
#[track_caller]
fn assert_end(mut service: Service, context: &str) {
    service.exit();
    assert_eq!(service.count("start "), service.count("finish "), "{context}\n{}", service.report());
    assert_counted(&service.text("logged"), "svrun", context);
}

/// Kills svrun before its system calls, one in each run of the same story: `act` leads to where it begins, and it is over
/// when svrun has come to rest and `done` holds. The next svrun is looked at by `check`.
fn kill_before_each(
    name: &str,
    stride: usize,
    prepare: impl Fn() -> Service,
    act: impl Fn(&mut Service) -> Traced,
    done: impl Fn(&Service) -> bool,
    check: impl Fn(&Service, &str),
) {
    let mut kills = 0;
    for count in moments(stride) {
        let mut service = prepare();
        let mut traced = act(&mut service);
        let there = (0..=count).all(|_| traced.call(|| done(&service)).is_some());
        traced.kill();
        service.ended();
        service.supervise();
        let context = format!("{name}, before call {count}");
        check(&service, &context);
        assert_end(service, &context);
        kills += 1;
        if !there {
            tell(&format!("svrun: {name}: {kills} kills, {count} calls"));
            return;
        }
    }
}

fn trace_from_start(service: &mut Service) -> Traced {
    let command = service.adopt(to_be_traced(&service.command()));
    service.spawn(command);
    Traced::from_start(service.child())
}

#[test]
fn at_the_start() {
    let done = |service: &Service| is_up(service) && service.count("start ") == 1;
    kill_before_each("start", 67, service, trace_from_start, done, |service, context| {
        assert_one(service, context);
        assert_eq!(service.count("start "), 1, "{context}\n{}", service.report());
    });
}

#[test]
fn at_a_death_its_finish_and_the_next_start() {
    let act = |service: &mut Service| {
        let traced = Traced::at_rest(service.supervisor());
        send_signal(service.status().pid, Signal::SIGKILL);
        traced
    };
    let done =
        |service: &Service| service.count("start ") == 2 && service.count("finish ") == 1 && is_up(service);
    kill_before_each("death", 23, started, act, done, |service, context| {
        assert_one(service, context);
        let counts = (service.count("start "), service.count("finish "));
        assert_eq!(counts, (2, 1), "{context}\n{}", service.report());
    });
}

#[test]
fn at_the_stop() {
    let act = |service: &mut Service| {
        let traced = Traced::at_rest(service.supervisor());
        service.send("d");
        traced
    };
    let shown = |service: &Service| is_down(service) && service.read("supervise/stat") == "down\n";
    kill_before_each("stop", 23, started, act, shown, |service, context| {
        // A byte that was not read yet is lost with its reader.
        service.until(context, || is_down(service) || is_up(service) && service.count("finish ") == 0);
        if !is_down(service) {
            service.send("d");
        }
        service.until(context, || shown(service));
        assert_eq!(service.count("start "), 1, "{context}\n{}", service.report());
    });
}

#[test]
fn at_its_own_end() {
    let act = |service: &mut Service| {
        let traced = Traced::at_rest(service.supervisor());
        service.signal(Signal::SIGTERM);
        traced
    };
    kill_before_each(
        "end",
        37,
        started,
        act,
        |_| false,
        |service, context| {
            assert_one(service, context);
            let (starts, finishes) = (service.count("start "), service.count("finish "));
            assert_eq!(starts, finishes + 1, "{context}\n{}", service.report());
        },
    );
}

#[test]
fn at_the_adoption() {
    let act = |service: &mut Service| {
        service.kill_supervisor();
        trace_from_start(service)
    };
    let done = |service: &Service| {
        files_of(service.supervisor()).contains(&service.at("supervise/control").display().to_string())
    };
    kill_before_each("adoption", 67, started, act, done, |service, context| {
        assert_one(service, context);
        assert_eq!(service.count("start "), 1, "{context}\n{}", service.report());
    });
}
