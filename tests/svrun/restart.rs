//! When a service is started again, and how it is stopped.

use std::fs;
use std::time::{Duration, Instant};

use super::harness::*;
use crate::support::*;

both!(svrun; a_short_run_is_followed_by_a_pause_of_one_second, after_a_second_of_running_it_is_started_at_once);

/// Waits until the service has run for this time.
fn age(service: &Service, time: Duration) {
    let start = service.status().time();
    service.until("its age", || now() >= start + time);
}

fn after_a_second_of_running_it_is_started_at_once(of: Program) {
    for finish in [&[][..], &[("finish", FINISH)]] {
        let service = Service::start(of, &[&[("run", PUPPET)], finish].concat());
        let mut count = 1;
        assert_within(Duration::from_millis(600), || {
            service.started(count);
            age(&service, Duration::from_millis(1200));
            let death = Instant::now();
            service.tell("exit 1");
            count += 1;
            service.started(count);
            death.elapsed()
        });
    }
}

fn a_short_run_is_followed_by_a_pause_of_one_second(of: Program) {
    assert_within(Duration::from_millis(2500), || {
        let service = Service::start(of, &[("run", PUPPET)]);
        service.started(1);
        let (start, death) = (service.status().time(), Instant::now());
        service.tell("exit 0");
        let down = seen_down(&service, 1);
        assert!(down.as_ref().is_none_or(|status| status.want == 'u'));
        if was_long(start, down) {
            return Duration::MAX;
        }
        service.started(2);
        assert!(death.elapsed() > Duration::from_millis(990), "{:?}", death.elapsed());
        death.elapsed()
    });
}

/// Waits until the service is down after its `count`th run, or is there again: the second in between may be over before
/// a busy machine has had a look. Returns the status in that second.
#[track_caller]
fn seen_down(service: &Service, count: usize) -> Option<Status> {
    let seen = std::cell::Cell::new(None);
    service.until("its end, or the next start", || {
        seen.set(service.status_now().filter(|status| status.state == 0));
        seen.get().is_some() || service.count("start ") > count
    });
    seen.get()
}

/// Whether the run that began then may have been as long as a second on a busy machine, `down` being what was seen of
/// its end: it is no short one then, and no pause follows.
fn was_long(start: Duration, down: Option<Status>) -> bool {
    let end = down.map_or_else(now, |status| status.time());
    end >= start + Duration::from_millis(990)
}

/// A service under ours with these files beside PUPPET.
fn start(files: &[(&str, &str)]) -> Service {
    Service::start(Svrun, &[&[("run", PUPPET)], files].concat())
}

#[test]
fn u_during_the_wait_starts_at_once() {
    let service = start(&[("restart-delay", "1000\n")]);
    for count in 1..=3 {
        service.started(count);
        service.tell("exit 0");
        service.until_stat("down, backing off");
        service.send("u");
    }
    service.started(4);
}

#[test]
fn d_cancels_the_wait_and_acts_at_once() {
    for delay in [&[("restart-delay", "1000\n")][..], &[]] {
        // Without the wait of runsv, which sleeps.
        assert_within(Duration::from_millis(800), || {
            let service = start(delay);
            service.started(1);
            service.tell("exit 0");
            if seen_down(&service, 1).is_none() {
                return Duration::MAX;
            }
            let asked = Instant::now();
            service.send("d");
            service.until_flags((0, 'd', 0, 0));
            service.until_stat("down");
            let (time, count) = (asked.elapsed(), service.count("start "));
            service.send("u");
            service.started(count + 1);
            time
        });
    }
}

#[test]
fn x_during_the_wait_acts_at_once() {
    let mut service = start(&[("restart-delay", "1000\n"), ("log/run", LOGGER)]);
    service.started(1);
    service.tell("exit 0");
    service.until_stat("down, backing off");
    service.exit();
}

#[test]
fn sv_down_and_sv_up_within_the_wait_leave_it_up() {
    // sv skips what is wanted already by the status; runsv does not read `d` before it has slept.
    let service = start(&[]);
    let mut count = 0;
    for _ in 0..3 {
        assert_within(Duration::from_millis(800), || {
            service.started(count + 1);
            service.tell("exit 0");
            if seen_down(&service, count + 1).is_none() {
                count += 1;
                return Duration::MAX;
            }
            let death = Instant::now();
            assert_eq!(service.sv("down").status, 0);
            service.until_flags((0, 'd', 0, 0));
            let time = death.elapsed();
            count = service.count("start ");
            assert_eq!(service.sv("up").status, 0);
            time
        });
    }
    service.started(count + 1);
}

#[test]
fn restart_delay_has_a_wait_for_each_short_run_in_a_row() {
    let mut latest = None;
    assert_within(Duration::from_millis(900), || {
        let service = start(&[("restart-delay", "0 0 1 1000\n")]);
        let mut longest = Duration::ZERO;
        for count in 1..=2 {
            service.started(count);
            let death = Instant::now();
            service.tell("exit 0");
            service.started(count + 1);
            longest = longest.max(death.elapsed());
        }
        latest = Some(service);
        longest
    });
    let service = latest.unwrap();
    let death = Instant::now();
    service.tell("exit 0");
    // A second is too short for byte 17 to show it.
    assert!(seen_down(&service, 3).is_none_or(|status| status.want == 'u'));
    assert_ne!(service.read("supervise/stat"), "down, backing off\n");
    service.started(4);
    assert!(death.elapsed() > Duration::from_millis(990), "{:?}", death.elapsed());
    service.tell("exit 0");
    service.until_flags((0, 'd', 0, 0));
    service.until_stat("down, backing off");
}

#[test]
fn sv_up_gets_through_where_the_service_is_held() {
    for files in [&[("restart-delay", "1000")][..], &[("restart-max", "1")]] {
        let service = start(files);
        service.started(1);
        service.tell("exit 0");
        service.until_flags((0, 'd', 0, 0));
        assert_eq!(service.sv("start").status, 0);
        service.started(2);
        service.until_flags((0, 'u', 0, 1));
        service.until_stat("run");
    }
}

#[test]
fn a_run_is_short_that_is_shorter_than_restart_reset() {
    let delay = ("restart-delay", "1000\n");
    let never = start(&[delay, ("restart-reset", "0\n")]);
    never.started(1);
    never.tell("exit 0");
    never.started(2);
    // Both live for a second and a little. They are one after the other: on a busy machine it is more than a little.
    let long = start(&[delay, ("restart-reset", "1\n")]);
    long.started(1);
    age(&long, Duration::from_millis(1050));
    long.tell("exit 0");
    long.started(2);
    // 10 without the file, of which a busy machine may need all, once.
    let is_short = || {
        let short = start(&[delay]);
        short.started(1);
        age(&short, Duration::from_millis(1050));
        short.tell("exit 0");
        let backs_off = || short.read("supervise/stat") == "down, backing off\n";
        short.until("a wait, or a start", || backs_off() || short.count("start ") > 1);
        backs_off()
    };
    assert!((0..5).any(|_| is_short()));
}

#[test]
fn restart_max_gives_up_after_so_many_short_runs() {
    let mut service = start(&[("restart-delay", "0"), ("restart-max", "3\n"), ("finish", FINISH)]);
    for count in 1..=3 {
        service.started(count);
        service.tell("exit 1");
    }
    service.until_flags((0, 'd', 0, 0));
    service.until_stat("down, gave up");
    assert_eq!((service.count("start "), service.count("finish ")), (3, 3));
    service.send("u");
    service.started(4);
    service.until_stat("run");
    service.send("d");
    service.until_stat("down");
    service.exit();
}

#[test]
fn finish_gives_up_by_125() {
    let mut service = start(&[("finish", "#!/bin/sh\necho finish >>$D/lines\ntest $1 != 7 || exit 125\n")]);
    service.started(1);
    age(&service, Duration::from_millis(1010));
    service.tell("exit 6");
    service.started(2);
    service.tell("exit 7");
    service.until_flags((0, 'd', 0, 0));
    service.until_stat("down, gave up");
    service.send("o");
    service.started(3);
    service.until_stat("run, want down");
    service.tell("exit 7");
    service.until_stat("down"); // it is not wanted up
    service.exit();
}

#[test]
fn an_error_in_a_file_is_reported_once_and_the_default_taken() {
    let service = start(&[
        ("restart-delay", "1 x\n"),
        ("restart-reset", "-1\n"),
        ("restart-max", "many\n"),
        ("down-signal", "SIGNOTHING\n"),
        ("timeout-kill", "1 2 3\n"),
        ("timeout-finish", "\n"),
        ("notification-fd", "1000000000000\n"),
        ("leftovers", "keep\n"),
        ("finish", FINISH),
    ]);
    let names = [
        "restart-delay",
        "restart-reset",
        "restart-max",
        "down-signal",
        "timeout-kill",
        "timeout-finish",
        "notification-fd",
        "leftovers",
    ];
    for count in 1..=2 {
        service.started(count);
        let (start, death) = (service.status().time(), Instant::now());
        service.tell("exit 0");
        let long = was_long(start, seen_down(&service, count));
        service.started(count + 1);
        assert!(long || death.elapsed() > Duration::from_millis(990), "{:?}", death.elapsed());
    }
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    assert_eq!(service.count("got TERM"), 1);
    let stderr = service.stderr();
    for name in names {
        let lines: Vec<&str> = stderr.lines().filter(|line| line.contains(name)).collect();
        assert_eq!(lines.len(), 1, "{name}: {stderr}");
        assert!(lines[0].contains("warning: "), "{lines:?}");
    }
    // It is put right, and wrong again.
    service.write(&[("restart-delay", "0\n")]);
    service.send("u");
    service.started(4);
    service.tell("exit 0");
    service.started(5);
    service.write(&[("restart-delay", "0 1 2 y\n")]);
    service.tell("exit 0");
    service.until("a second warning", || service.stderr().matches("restart-delay").count() == 2);
}

#[test]
fn down_signal_is_what_stops_the_service() {
    for text in ["USR1\n", "SIGUSR1", "usr1", "10\n"] {
        let notes = PUPPET
            .replace("trap \"echo got $signal >>$D/lines\"", "trap \"echo got $signal >>$D/lines; exit\"");
        let mut service =
            Service::start(Svrun, &[("run", &notes), ("down-signal", text), ("restart-delay", "0")]);
        service.started(1);
        service.send("d");
        service.until_flags((0, 'd', 0, 0));
        assert_eq!(service.count("got USR1"), 1, "{text}");
        service.send("u");
        service.started(2);
        service.send("t");
        service.started(3);
        service.exit();
        assert_eq!(service.count("got USR1"), 2, "{text}");
        assert_eq!(service.count("got TERM"), 1, "{text}"); // t's
    }
}

#[test]
fn timeout_kill_follows_a_stop_that_is_not_obeyed() {
    let files = [("run", STUBBORN), ("finish", FINISH), ("timeout-kill", "1000\n"), ("restart-delay", "0")];
    let mut service = Service::start(Svrun, &files);
    service.started(1);
    let asked = Instant::now();
    service.send("d");
    // A busy machine may have no look before the limit is over.
    service.until("TERM in the status, or the end", || {
        service.status_now().is_some_and(|status| status.flags() == (0, 'd', 1, 1))
            || service.count("finish ") > 0
    });
    service.nth(1, "got TERM");
    service.until_flags((0, 'd', 0, 0));
    assert!(asked.elapsed() >= Duration::from_secs(1));
    assert_eq!(service.nth(1, "finish "), "-1 9");
    service.send("u");
    service.started(2);
    service.exit();
    assert_eq!(service.count("finish -1 9"), 2);
}

#[test]
fn timeout_finish_ends_a_finish_that_hangs_where_down_is_wanted() {
    let files = [("finish", SLOW_FINISH), ("timeout-finish", "2000\n"), ("restart-delay", "0")];
    let mut service = start(&files);
    service.started(1);
    // While up is wanted it may take its time.
    service.tell("exit 0");
    service.nth(1, "finish waits ");
    let started = Instant::now();
    service.until("longer than the limit", || started.elapsed() > Duration::from_millis(2500));
    assert_eq!(service.status().flags(), (0, 'u', 0, 2));
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    service.send("u");
    service.started(2);
    service.exit();
    assert_eq!(service.count("finish waits"), 2);
    assert_eq!(service.count("finish got"), 0);
}

#[test]
fn each_death_has_one_finish() {
    let mut service = start(&[("finish", SLOW_FINISH), ("restart-delay", "0")]);
    // Killed while it runs.
    service.started(1);
    service.tell("exit 3");
    service.nth(1, "finish waits ");
    service.send("k");
    service.started(2);
    // k and then k again, which may find finish or not.
    service.send("k");
    service.nth(2, "finish waits ");
    service.send("k");
    service.started(3);
    // Killed, and wanted away.
    service.send("kx");
    service.nth(3, "finish waits ");
    service.tell_finish("exit 0");
    assert_eq!(service.ended(), 0);
    let finishes: Vec<_> = service
        .lines()
        .into_iter()
        .filter(|line| line.starts_with("finish ") && !line.contains("waits"))
        .collect();
    assert_eq!(finishes, ["finish 3 0", "finish -1 9", "finish -1 9"]);
    assert_eq!(service.count("start "), 3);
}

#[test]
fn signals_reach_finish() {
    let service = start(&[("finish", SLOW_FINISH)]);
    service.started(1);
    service.tell("exit 0");
    service.nth(1, "finish waits ");
    service.send("h");
    service.nth(1, "finish got HUP");
    service.send("1");
    service.nth(1, "finish got USR1");
    service.send("t");
    service.nth(1, "finish got TERM");
    service.send("p");
    let pid = service.status().pid;
    service.until("it is stopped", || state(pid) == Some('T'));
    service.send("c");
    service.nth(1, "finish got CONT");
    // And these set the want alone.
    service.send("d");
    service.until_flags((0, 'd', 0, 2));
    service.send("1");
    service.nth(2, "finish got USR1");
    assert_eq!(service.count("finish got TERM"), 1);
}

#[test]
fn a_finish_that_becomes_run_is_still_finish() {
    let finish = "#!/bin/sh\necho finish \"$@\" >>$D/lines\nexec ./run\n";
    let mut service = start(&[("finish", finish)]);
    service.started(1);
    service.tell("exit 0");
    service.started(2);
    service.until_flags((0, 'u', 0, 2));
    assert!(service.sv("status").stdout.starts_with("finish: ./service: (pid "));
    service.send("1");
    service.nth(1, "got USR1");
    service.send("d");
    service.until_flags((0, 'd', 0, 2));
    assert_eq!(service.count("got TERM"), 0);
    service.send("t");
    service.until_flags((0, 'd', 0, 0));
    service.exit();
    assert_eq!(service.count("finish "), 1);
}

#[test]
fn a_missing_run_is_reported_once_and_again_when_that_changes() {
    let mut service = Service::start(Svrun, &[("finish", FINISH), ("restart-delay", "0 0 0 1\n")]);
    let failures = |count| service.until("failures", || service.count("finish 111 0") >= count);
    failures(4);
    let said = || {
        let stderr = service.stderr();
        let lines = stderr.lines().filter(|line| line.contains("unable to start ./run: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    // Neither the message nor the line about the death.
    for text in ["unable to start ./run: ", "could not be executed"] {
        assert!(service.stderr().matches(text).count() <= 1, "{}", service.stderr());
    }
    let lines = said();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(says(nix::errno::Errno::ENOENT)), "{lines:?}");
    fs::write(service.at("run"), "").unwrap();
    service.until("another message", || said().len() == 2);
    assert!(said()[1].contains(says(nix::errno::Errno::EACCES)), "{:?}", said());
    failures(service.count("finish ") + 2);
    assert_eq!(said().len(), 2);
    service.write(&[("run", PUPPET)]);
    service.started(1);
    fs::remove_file(service.at("run")).unwrap();
    service.send("k");
    service.until("a third message", || said().len() == 3);
    service.send("x");
    assert_eq!(service.ended(), 0);
}

#[test]
fn after_any_commands_in_any_order_the_last_word_counts() {
    const SEQUENCES: usize = 1200;
    const SERVICES: usize = 6;
    let test = |seed: usize| {
        let run = "#!/bin/sh\necho start >>$D/lines\nexec sleep 1000000\n";
        let files = [
            ("run", run),
            ("finish", FINISH),
            ("restart-delay", "0"),
            ("restart-reset", "0"),
            ("log/run", LOGGER),
        ];
        let mut service = Service::start(Svrun, &files);
        let mut random = Random::new(seed as u64 + 1);
        for round in 0..SEQUENCES / SERVICES {
            let mut bytes: String =
                (0..random.below(8)).map(|_| char::from(b"dduutkco1"[random.below(9)])).collect();
            let up = random.below(2) == 0;
            bytes.push(if up { 'u' } else { 'd' });
            // In one write or in several.
            if random.below(2) == 0 {
                service.send(&bytes);
            } else {
                bytes.chars().for_each(|byte| service.send(byte.to_string()));
            }
            let expected = if up { (0, 'u', 0, 1) } else { (0, 'd', 0, 0) };
            service.until(&format!("{bytes} in round {round} of {seed}"), || {
                let settled =
                    |status: Status| status.flags() == expected || up && status.flags() == (0, 'u', 1, 1);
                let own = service.processes();
                let copies = own.iter().filter(|pid| cmdline(**pid) == "sleep 1000000").count();
                service.status_now().is_some_and(settled) && copies == usize::from(up)
            });
        }
        service.exit();
        // A start that TERM met before it noted itself is not there.
        assert!(service.count("finish ") >= service.count("start"), "{:?}", service.lines());
        assert_eq!(service.stderr(), "");
    };
    std::thread::scope(|scope| {
        for seed in share(0..SERVICES) {
            scope.spawn(move || test(seed));
        }
    });
}

#[test]
fn a_restart_by_command_is_no_short_run() {
    let mut service = start(&[
        ("restart-max", "1\n"),
        ("restart-delay", "1000\n"),
        ("finish", SLOW_FINISH),
        ("log/run", LOGGER),
    ]);
    // Its finish is adopted, and what it belongs to is known still.
    for (count, kills) in (1..).zip([false, false, true]) {
        service.started(count);
        match count {
            1 => service.send("tcu"), // as runit's sv restart
            _ => drop(service.ask("restart")),
        }
        service.nth(count, "finish waits");
        if kills {
            service.kill_supervisor();
            service.supervise();
        }
        service.tell_finish("exit");
    }
    service.started(4);
    assert_eq!(field(&service.ask("status"), "short"), "0");
    // What it does itself counts.
    service.tell("exit 1");
    service.nth(4, "finish waits");
    service.tell_finish("exit");
    service.until_stat("down, gave up");
    service.exit();
}

#[test]
fn a_link_that_led_nowhere_counts_once_it_leads_somewhere() {
    let mut service =
        Service::start(Svrun, &[("run", PUPPET), ("restart-delay", "0"), ("restart-reset", "0")]);
    std::os::unix::fs::symlink("../elsewhere/finish", service.at("finish")).unwrap();
    service.started(1);
    // So old that what is missing in the directory is not looked for again.
    age(&service, Duration::from_millis(2500));
    for count in 2..=3 {
        service.tell("exit 1");
        service.started(count);
    }
    let elsewhere = service.at("../elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    script(&elsewhere.join("finish"), FINISH);
    service.tell("exit 3");
    assert_eq!(service.nth(1, "finish "), "3 0");
    service.exit();
}
