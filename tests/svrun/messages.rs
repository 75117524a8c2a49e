//! Messages in the log, and the record of deaths.

use super::harness::*;
use crate::support::*;

/// The lines about deaths in a text. On stderr the name of the service is in front.
fn warnings(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.strip_prefix("service: ").unwrap_or(line));
    lines.filter(|line| line.starts_with("warning: svrun: run ")).map(str::to_owned).collect()
}

/// A line without its times.
fn without_times(line: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    for index in 1..words.len() {
        if words[index] == "s" || words[index] == "s," {
            assert!(words[index - 1].parse::<f64>().is_ok(), "{line}");
            words[index - 1] = "N";
        }
    }
    words.join(" ")
}

/// The ends of a service, and what is said of each.
const ENDS: [(&str, &str, &str); 5] = [
    ("exit 1", "exited 1", "exit 1"),
    ("exit 255", "exited 255", "exit 255"),
    ("kill -9 $$", "killed by SIGKILL", "killed by SIGKILL"),
    ("ulimit -c 0; kill -SEGV $$", "killed by SIGSEGV", "killed by SIGSEGV"),
    (
        "ulimit -c unlimited; kill -SEGV $$",
        "killed by SIGSEGV (core dumped)",
        "killed by SIGSEGV (core dumped)",
    ),
];

#[test]
fn the_log_says_why_the_service_died() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("log/run", LOGGER), ("restart-delay", "0")]);
    for (index, (words, said, kept)) in ENDS.iter().enumerate() {
        service.started(index + 1);
        service.tell(words);
        service.until(words, || warnings(&service.text("logged")).len() == index + 1);
        let line = without_times(&warnings(&service.text("logged"))[index]);
        assert!(line.contains(said), "{words}: {line}");
        assert!(line.contains(" after N s"), "{line}");
        service.until("the deaths", || service.read("supervise/deaths").lines().count() == index + 1);
        let death = service.read("supervise/deaths").lines().last().unwrap().to_owned();
        assert!(death.contains(kept), "{words}: {death}");
    }
    service.started(6);
    // What is as it should be is not said.
    service.tell("exit 0");
    service.started(7);
    service.exit();
    assert_eq!(warnings(&service.text("logged")).len(), 5);
    assert_eq!(service.text("logged").lines().count(), 5, "{}", service.text("logged"));
    assert_eq!(service.stderr(), "");
}

#[test]
fn the_line_tells_when_it_is_started_again() {
    let files = [
        ("run", PUPPET),
        ("log/run", LOGGER),
        ("restart-delay", "0 1000"),
        ("restart-max", "3"),
        ("restart-reset", "10"),
    ];
    let service = Service::start(Svrun, &files);
    for (count, said) in [(1, "starting again"), (2, "backing off"), (3, "gave up")] {
        service.started(count);
        service.tell("exit 1");
        service.until(said, || warnings(&service.text("logged")).len() == count);
        let line = &warnings(&service.text("logged"))[count - 1];
        assert!(line.contains(said), "{line}");
        if count > 1 {
            service.until_flags((0, 'd', 0, 0));
            service.send("u");
        }
    }
}

#[test]
fn without_a_logger_it_goes_to_stderr() {
    let service = Service::start(Svrun, &[("run", PUPPET)]);
    service.started(1);
    service.tell("echo said; exit 3");
    service.until("the line", || warnings(&service.stderr()).len() == 1);
    let line = without_times(&warnings(&service.stderr())[0]);
    assert!(line.contains("exited 3 after N s"), "{line}");
    assert!(line.contains("starting again in "), "{line}");
}

/// Stops the logger, which reads nothing then.
fn stop_logger(service: &Service) {
    let log: u32 = service.nth(1, "log start ").parse().unwrap();
    service.until_log_stat("run");
    service.until("the logger", || cmdline(log) == "cat");
    service.send_log("p");
    service.until("it is stopped", || state(log) == Some('T'));
}

#[test]
fn a_line_that_the_service_did_not_end_is_ended() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("log/run", LOGGER), ("restart-delay", "0")]);
    service.started(1);
    // The logger does not read it before the supervisor has a look.
    stop_logger(&service);
    service.tell("echo whole; exit 3");
    service.started(2);
    service.tell("printf torn; exit 4");
    service.started(3);
    service.send_log("c");
    service.until("the lines", || warnings(&service.text("logged")).len() == 2);
    let text = service.text("logged");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines[0], lines[2]), ("whole", "torn"), "{lines:?}");
    assert!(
        lines[1].starts_with("warning: svrun: run ") && lines[3].starts_with("warning: svrun: run "),
        "{lines:?}"
    );
    service.exit();
}

#[test]
fn a_full_pipe_does_not_stop_the_supervisor() {
    let service = Service::start(Svrun, &[("run", PUPPET), ("log/run", LOGGER), ("restart-delay", "0")]);
    service.started(1);
    stop_logger(&service);
    service.tell("trap - TERM; exec yes");
    let run = service.status().pid;
    service.until("the pipe is full", || {
        std::fs::read_to_string(format!("/proc/{run}/wchan")).is_ok_and(|at| at.contains("pipe_write"))
            || std::fs::read_to_string(format!("/proc/{run}/syscall"))
                .is_ok_and(|call| call.starts_with("1 "))
                && state(run) == Some('S')
    });
    service.send("k");
    service.started(2);
    service.send("1");
    service.nth(1, "got USR1");
    // The next line goes through once there is room; and the service's own fd waits as ever.
    service.send_log("c");
    service.tell("echo; echo after");
    service.until("the log", || service.text("logged").ends_with("after\n"));
}

#[test]
fn deaths_keeps_the_last_32() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("restart-delay", "0")]);
    for count in 1..=40 {
        let pid = service.started(count);
        service.tell(&format!("exit {count}"));
        let text = format!(" pid {pid} exit {count} after ");
        service.until("the death", || {
            service.read("supervise/deaths").lines().last().is_some_and(|line| line.contains(&text))
        });
    }
    let deaths = service.read("supervise/deaths");
    let lines: Vec<&str> = deaths.lines().collect();
    assert_eq!(lines.len(), 32, "{deaths}");
    for (index, line) in lines.iter().enumerate() {
        // 2026-11-22T10:00:00.123Z pid 811 exit 1 after 3.214 s
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words.len(), 8, "{line}");
        let shape: String = words[0].chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00.000Z");
        assert_eq!(
            (words[1], words[3], words[4], words[5], words[7]),
            ("pid", "exit", &*(index + 9).to_string(), "after", "s")
        );
    }
    service.started(41);
    service.exit();
    assert_eq!(service.read("supervise/deaths").lines().count(), 32);
    // A new supervisor goes on with it.
    service.supervise();
    service.started(42);
    service.tell("exit 99");
    service.until("the death", || service.read("supervise/deaths").contains(" exit 99 "));
    assert_eq!(service.read("supervise/deaths").lines().count(), 32);
}

#[test]
fn a_run_that_cannot_be_executed_is_in_deaths() {
    let service = Service::start(Svrun, &[("finish", FINISH)]);
    service.until("the death", || {
        service.read("supervise/deaths").contains("could not be executed: No such file or directory")
    });
}
