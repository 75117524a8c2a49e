//! Events that come by several doors while the supervisor has its eyes elsewhere: the control FIFOs, the socket,
//! signals, and deaths. None of it is lost, each door keeps its order, and between two of them a stop wins.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::{self, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGSTOP, SIGTERM};
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::harness::*;
use crate::support::*;

/// A service that leaves at the default action of any signal.
const PLAIN: &str = "#!/bin/sh\necho start $$ >>$D/lines\nexec sleep 1000000\n";

/// Numbers without any order to speak of.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[usize::try_from(self.below(list.len() as u64)).unwrap()]
    }

    /// A moment: the processor is kept, for a sleep lasts longer than what is to be met.
    fn moment(&mut self, most: u64) {
        let end = Instant::now() + Duration::from_micros(self.below(most));
        while Instant::now() < end {
            std::hint::spin_loop();
        }
    }
}

/// A service and its clients.
struct Doors {
    service: Service,
    clients: Vec<Client>,
}

impl Doors {
    fn open(service: Service) -> Self {
        service.started(1);
        service.until_stat("run");
        let clients = (0..2).map(|_| service.connect()).collect();
        Self { service, clients }
    }

    /// Says something by a door: `fifo u`, `log u`, `socket up`, by a client that is connected, `other up`, by
    /// another, `new up`, by one that is not yet, or `signal TERM`.
    fn say(&mut self, words: &str) {
        let (door, words) = words.split_once(' ').unwrap();
        let bytes = |words: &str| match words.split_once('*') {
            Some((byte, count)) => byte.repeat(count.parse().unwrap()),
            None => words.to_owned(),
        };
        match door {
            "fifo" => self.service.send(bytes(words)),
            "log" => self.service.send_log(words),
            "socket" => self.clients[0].say(format!("{}\n", words.replace(", ", "\n"))).unwrap(),
            "other" => self.clients[1].say(format!("{}\n", words.replace(", ", "\n"))).unwrap(),
            "new" => {
                let mut client = self.service.connect();
                client.say(format!("{words}\n")).unwrap();
                self.clients.push(client);
            }
            _ => self.service.signal(format!("SIG{words}").parse::<Signal>().unwrap()),
        }
    }

    /// Says all of it while the supervisor is stopped, so that it hears all of it in one round.
    fn say_at_once(&mut self, all: &[&str]) {
        self.stop();
        for words in all {
            self.say(words);
        }
        self.service.signal(SIGCONT);
    }

    fn stop(&self) {
        let supervisor = self.service.supervisor();
        self.service.signal(SIGSTOP);
        self.service.until("it is stopped", || state(supervisor) == Some('T'));
    }

    /// The supervisor leaves, as it was asked to.
    #[track_caller]
    fn assert_ends(mut self, what: &str) {
        assert_eq!(self.service.ended(), 0, "{what}");
        self.service.assert_nothing_left();
    }
}

/// What would take a stop back, by each door.
const BEFORE: [&str; 14] = [
    "fifo u",
    "fifo o",
    "fifo d",
    "fifo u*200",
    "fifo u*5000",
    "fifo tcu",
    "socket up",
    "socket once",
    "socket restart",
    "socket down",
    "socket status, wait up 0, up",
    "new up",
    "new down",
    "fifo u*65536", // more than is read in a round, and all that there is room for
];

#[test]
fn a_stop_is_never_lost_to_another_door_in_the_same_round() {
    for before in share(BEFORE) {
        for stop in ["signal TERM", "signal INT", "signal HUP", "fifo x", "other exit", "new exit"] {
            if before.split(' ').next() == stop.split(' ').next() && before.starts_with("fifo") {
                continue; // one door, whose order is known
            }
            for order in [[before, stop], [stop, before]] {
                let mut doors = Doors::open(Service::start(Svrun, &[("run", PLAIN)]));
                doors.say_at_once(&order);
                doors.assert_ends(&format!("{order:?}"));
            }
        }
    }
}

#[test]
fn a_stop_is_never_lost_at_any_moment() {
    for round in share(0..300) {
        let mut dice = Dice(1 + round);
        let mut doors = Doors::open(Service::start(Svrun, &[("run", PLAIN)]));
        let mut said = Vec::new();
        for _ in 0..=dice.below(3) {
            said.push(dice.pick(&BEFORE[..13]));
            doors.say(said[said.len() - 1]);
            dice.moment(300);
        }
        said.push(dice.pick(&["signal TERM", "signal INT", "signal HUP", "fifo x", "new exit"]));
        doors.say(said[said.len() - 1]);
        doors.assert_ends(&format!("{round}: {said:?}"));
    }
}

#[test]
fn a_service_that_is_to_be_down_is_not_started_by_another_door_in_the_same_round() {
    let mut doors = Doors::open(Service::start(Svrun, &[("run", PLAIN)]));
    for before in
        ["fifo u", "fifo o", "fifo u*5000", "fifo u*65536", "socket up", "socket once", "new restart"]
    {
        for stop in ["fifo d", "other down", "new down"] {
            if before.starts_with("fifo") && stop.starts_with("fifo") {
                continue;
            }
            for order in [[before, stop], [stop, before]] {
                let count = doors.service.count("start ");
                doors.say_at_once(&order);
                doors.service.until_stat("down");
                // A client that comes now comes after all of that.
                let status = doors.service.ask("status");
                assert_eq!(
                    (field(&status, "state"), field(&status, "want")),
                    ("\"down\"", "\"down\""),
                    "{order:?}"
                );
                assert_eq!(doors.service.count("start "), count, "{order:?}");
                doors.service.send("u");
                doors.service.started(count + 1);
                doors.clients = (0..2).map(|_| doors.service.connect()).collect();
            }
        }
    }
    doors.service.exit();
}

#[test]
fn of_one_door_the_last_word_counts() {
    let mut doors = Doors::open(Service::start(Svrun, &[("run", STUBBORN)]));
    for (words, want) in [
        ("fifo xu", "up"),
        ("fifo xdou", "up"),
        ("fifo ud", "down"),
        ("socket exit, up", "up"),
        ("socket up, down", "down"),
        ("socket down, exit, once, up", "up"),
    ] {
        doors.say_at_once(&[words]);
        doors.service.until(words, || {
            doors.service.read("supervise/stat").starts_with("run")
                && field(&doors.service.ask("status"), "want") == format!("\"{want}\"")
        });
    }
    // What its own door has taken back another one's stop does not bring again.
    doors.say_at_once(&["socket exit, up", "other down"]);
    doors.service.until("down", || field(&doors.service.ask("status"), "want") == "\"down\"");
    doors.say("fifo k");
    doors.service.until_stat("down");
    doors.service.exit();
}

#[test]
fn a_command_after_a_stop_takes_it_back() {
    let mut doors = Doors::open(Service::start(Svrun, &[("run", STUBBORN)]));
    for (stop, after) in [
        ("signal TERM", "fifo u"),
        ("signal INT", "socket up"),
        ("signal HUP", "new up"),
        ("fifo x", "other up"),
        ("socket exit", "fifo u"),
    ] {
        doors.say(stop);
        doors.service.until_stat("run, got TERM, want exit");
        doors.say(after);
        doors.service.until_stat("run, got TERM");
    }
    doors.service.send("xk");
    assert_eq!(doors.service.ended(), 0);
}

#[test]
fn a_command_before_a_signal_is_carried_out_before_it() {
    let note = "#!/bin/sh\necho $0 >>$D/lines\nexit 1\n";
    for before in ["fifo 1", "socket signal USR1", "new signal USR1"] {
        let files = [("run", PLAIN), ("control/1", note), ("control/t", note), ("control/x", note)];
        let mut doors = Doors::open(Service::start(Svrun, &files));
        doors.say_at_once(&["signal TERM", before]);
        assert_eq!(doors.service.ended(), 0);
        let lines = doors.service.lines();
        assert_eq!(lines[1..], ["control/1", "control/t", "control/x"].map(String::from)[..], "{before}");
    }
    // Also one that does not stop: the service gets its TERM, and the next supervisor knows what is wanted.
    let mut doors = Doors::open(Service::start(Svrun, &[("run", STUBBORN)]));
    doors.say_at_once(&["signal QUIT", "fifo d"]);
    assert_eq!(doors.service.ended(), 0);
    doors.service.nth(1, "got TERM");
    doors.service.supervise();
    doors.service.until_stat("run, got TERM, want down");
    doors.service.send("kx");
    assert_eq!(doors.service.ended(), 0);
}

#[test]
fn of_signals_in_one_round_a_stop_wins() {
    for order in [["signal QUIT", "signal TERM"], ["signal HUP", "signal QUIT"]] {
        let mut doors = Doors::open(Service::start(Svrun, &[("run", PLAIN)]));
        doors.say_at_once(&order);
        doors.assert_ends(&format!("{order:?}"));
    }
}

/// What keeps a run from being followed by another.
const LAST: [&str; 8] = [
    "fifo d",
    "fifo o",
    "fifo u*5000o",
    "socket down",
    "socket once",
    "new once",
    "new down",
    "socket up, once",
];

#[test]
fn a_command_before_a_death_in_the_same_round_counts_for_it() {
    for before in LAST {
        let mut doors = Doors::open(Service::start(Svrun, &[("run", PLAIN), ("restart-delay", "0")]));
        let pid = doors.service.started(1);
        doors.stop();
        if let Some(bytes) = before.strip_prefix("fifo u*5000") {
            doors.say("fifo u*5000");
            doors.service.send(bytes);
        } else {
            doors.say(before);
        }
        send_signal(pid, SIGKILL);
        doors.service.until("its death", || !lives(pid));
        doors.service.signal(SIGCONT);
        doors.service.until_stat("down");
        assert_eq!(field(&doors.service.ask("status"), "want"), "\"down\"", "{before}");
        assert_eq!(doors.service.count("start "), 1, "{before}");
        doors.service.exit();
    }
    // And for one that was adopted, whose death comes by another way.
    for before in ["fifo d", "fifo o", "new once"] {
        let mut service = Service::start(Svrun, &[("run", PLAIN), ("restart-delay", "0")]);
        let pid = service.started(1);
        service.until_stat("run");
        service.kill_supervisor();
        service.supervise();
        let mut doors = Doors::open(service);
        doors.stop();
        doors.say(before);
        send_signal(pid, SIGKILL);
        doors.service.until("its death", || !lives(pid));
        doors.service.signal(SIGCONT);
        doors.service.until_stat("down");
        assert_eq!(doors.service.count("start "), 1, "{before}");
        doors.service.exit();
    }
    // An exit too: nothing is started on the way.
    for stop in ["fifo x", "socket exit", "signal TERM"] {
        let mut doors = Doors::open(Service::start(Svrun, &[("run", PLAIN), ("restart-delay", "0")]));
        let pid = doors.service.started(1);
        doors.stop();
        send_signal(pid, SIGKILL);
        doors.service.until("its death", || !lives(pid));
        doors.say(stop);
        doors.service.signal(SIGCONT);
        assert_eq!(doors.service.ended(), 0, "{stop}");
        assert_eq!(doors.service.count("start "), 1, "{stop}");
    }
}

#[test]
fn a_command_before_a_death_counts_for_it_at_any_moment() {
    let mut dice = Dice(2);
    let mut doors = Doors::open(Service::start(Svrun, &[("run", PLAIN), ("restart-delay", "0")]));
    for count in 1..=300 {
        let pid = doors.service.started(count);
        let before =
            dice.pick(&["fifo d", "fifo o", "fifo ddo", "other down", "other once", "new once", "new down"]);
        // Something that has nothing to do with it, so that the supervisor may be at work.
        doors.say(dice.pick(&["fifo ?", "socket status", "fifo c", "signal CHLD"]));
        dice.moment(200);
        doors.say(before);
        dice.moment(50);
        let _ = kill(Pid::from_raw(i32::try_from(pid).unwrap()), SIGKILL); // it may be down already
        doors.service.until_stat("down");
        assert_eq!(field(&doors.service.ask("status"), "want"), "\"down\"", "{before}");
        assert_eq!(doors.service.count("start "), count, "{before}");
        doors.clients = (0..2).map(|_| doors.service.connect()).collect();
        doors.service.send("u");
    }
    doors.service.exit();
}

#[test]
fn the_logger_has_the_same_rule() {
    let service = Service::start(Svrun, &[("run", PLAIN), ("log/run", LOGGER)]);
    // It runs before its script has written that; stopped in between, it never would.
    service.nth(1, "log start ");
    service.until_log_stat("run");
    let mut doors = Doors::open(service);
    for (count, order) in (1..).zip([
        ["log u", "socket log down"],
        ["socket log down", "log u"],
        ["other log up", "socket log down"],
        ["socket log up", "other log down"],
        ["log d", "new log up"],
        ["new log restart", "log d"],
    ]) {
        doors.say_at_once(&order);
        doors.service.until_log_stat("down");
        assert_eq!(field(&doors.service.ask("log status"), "want"), "\"down\"", "{order:?}");
        doors.service.send_log("u");
        doors.service.nth(count + 1, "log start ");
        doors.service.until_log_stat("run");
    }
    // And nothing to do with that of the service.
    for order in [["log u", "fifo d"], ["socket log up", "other down"]] {
        doors.say_at_once(&order);
        doors.service.until_stat("down");
        doors.say("fifo u");
        doors.service.until_stat("run");
    }
    doors.say_at_once(&["log d", "socket up"]);
    doors.service.until_log_stat("down");
    doors.service.until_stat("run");
    doors.say_at_once(&["log u", "signal TERM"]);
    doors.assert_ends("log u, TERM");
}

#[test]
fn a_logger_that_reads_the_rest_is_not_started_again() {
    let logger = "#!/bin/sh\necho log start >>$D/lines\ncat >>$D/logged\nread -r end <$D/hold\n";
    for words in ["log u", "log d", "log o", "socket log up", "socket log restart", "new log once"] {
        let service = Service::start(Svrun, &[("run", PLAIN), ("log/run", logger)]);
        assert_eq!(run_in(service.scratch.path(), "mkfifo hold"), prints(""));
        service.until_log_stat("run");
        let mut doors = Doors::open(service);
        doors.say("signal TERM");
        doors.service.until_stat("down");
        doors.service.until_log_stat("run, want exit");
        doors.say(words);
        // It was heard.
        assert_eq!(field(&doors.service.ask("log status"), "want"), "\"exit\"", "{words}");
        std::fs::write(doors.service.path("hold"), "\n").unwrap();
        assert_eq!(doors.service.ended(), 0, "{words}");
        assert_eq!(doors.service.count("log start"), 1, "{words}");
        assert!(
            !doors.service.stderr().contains("leaving the logger running"),
            "{words}: {}",
            doors.service.stderr()
        );
    }
}

#[test]
fn a_flood_at_one_door_keeps_nobody_else_waiting() {
    let doors = Doors::open(Service::start(Svrun, &[("run", PLAIN)]));
    let service = &doors.service;
    let flood = std::sync::atomic::AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut control =
                std::fs::OpenOptions::new().write(true).open(service.at("supervise/control")).unwrap();
            while flood.load(std::sync::atomic::Ordering::Relaxed) {
                std::io::Write::write_all(&mut control, &[b'u'; 4096]).unwrap();
            }
        });
        for _ in 0..50 {
            assert_eq!(field(&service.ask("status"), "want"), "\"up\"");
        }
        // Nor its death: the next run is there while the flood goes on.
        let pid = service.started(1);
        send_signal(pid, SIGKILL);
        service.nth(2, "start ");
        flood.store(false, std::sync::atomic::Ordering::Relaxed);
    });
    let mut doors = doors;
    doors.say("new exit"); // there may be no room in the FIFO yet
    doors.assert_ends("after the flood");
}

#[test]
fn an_upgrade_in_the_round_of_a_death_or_a_stop_loses_neither() {
    let mut doors = Doors::open(Service::start(Svrun, &[("run", PLAIN), ("finish", FINISH)]));
    let pid = doors.service.started(1);
    doors.stop();
    send_signal(pid, SIGKILL);
    doors.service.until("its death", || !lives(pid));
    doors.say("socket upgrade");
    doors.service.signal(SIGCONT);
    doors.service.nth(2, "start ");
    assert_eq!(doors.service.nth(1, "finish"), "-1 9");
    doors.service.until_stat("run");
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        doors.clients = vec![doors.service.connect()];
        doors.say_at_once(&["socket upgrade", &format!("signal {}", &signal.as_str()[3..])]);
        assert_eq!(doors.service.ended(), 0, "{signal}");
        doors.service.supervise();
        doors.service.until_stat("run");
    }
    doors.service.signal(SIGQUIT);
    assert_eq!(doors.service.ended(), 0);
}

#[test]
fn an_upgrade_takes_back_no_exit_that_is_under_way_and_loses_no_stop_whose_script_runs() {
    let script = "#!/bin/sh\necho script >>$D/lines\nread -r end <$D/hold\nexit 1\n";
    let error = |service: &Service| field(&service.ask("upgrade"), "error").to_owned();
    let mut service = Service::start(Svrun, &[("run", PLAIN), ("control/t", script)]);
    assert_eq!(run_in(service.scratch.path(), "mkfifo hold"), prints(""));
    service.started(1);
    service.until_stat("run");
    service.send("d");
    service.nth(1, "script");
    assert_eq!(error(&service), "\"unable to upgrade: a control script runs, try again\"");
    std::fs::write(service.path("hold"), "\n").unwrap();
    service.until_flags((0, 'd', 0, 0)); // the script has failed: the down signal came after all
    service.send("u");
    service.nth(2, "start ");
    service.until_stat("run");
    service.send("x");
    service.nth(2, "script");
    assert_eq!(error(&service), "\"unable to upgrade: leaving\"");
    std::fs::write(service.path("hold"), "\n").unwrap();
    assert_eq!(service.ended(), 0);
    assert_eq!(service.count("start "), 2);
}
