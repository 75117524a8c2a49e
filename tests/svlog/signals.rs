//! HUP, ALRM and TERM, and the end of the input.

use std::fs;

use nix::sys::signal::Signal;

use super::log::*;

both!(
    alrm_rotates_all_directories_that_have_something,
    alrm_rotates_what_is_not_empty,
    at_the_end_of_its_input_it_ends,
    hup_makes_a_directory_usable_again_or_not,
    hup_reads_the_config_again,
    hup_rotates_nothing,
    signals_that_it_was_started_deaf_to_are_heard,
    term_ends_it,
    without_a_directory_after_hup_it_ends,
);

/// Writes lines until one of them is logged as HUP has it: one that was there before may be too.
fn until_as(log: &Log, directory: &str, line: &str, expected: &str) -> usize {
    let mut written = 0;
    let seen = || log.all_of(directory).lines().any(|found| found == expected);
    while !seen() {
        written += 1;
        log.write(format!("{line}\n"));
        let count = || log.all_of(directory).lines().filter(|found| found.ends_with(line)).count();
        log.until("the line", || count() >= written);
    }
    written
}

fn hup_reads_the_config_again(of: Logger) {
    let mut log = Log::start(of, &[], "pold \n-*c\n");
    log.says("a\nbc\n", "old a\n");
    log.configure("pnew \n+*\n");
    log.says("b\nbc\n", "old a\nold b\n");
    log.signal(Signal::SIGHUP);
    let probes = until_as(&log, "log", "probe", "new probe");
    log.write("bc\n");
    log.until("the last line", || log.all().ends_with("new bc\n"));
    let all = log.all();
    let told: Vec<&str> = all.lines().collect();
    assert_eq!(told.len(), 3 + probes, "{all}");
    assert_eq!(told[..2], ["old a", "old b"]);
    assert!(told[2..told.len() - 2].iter().all(|line| *line == "old probe"), "{all}");
    // And where there is none any more, all is as at first.
    fs::remove_file(log.at("config")).unwrap();
    log.signal(Signal::SIGHUP);
    until_as(&log, "log", "bare", "bare");
    log.finish();
}

fn hup_rotates_nothing(of: Logger) {
    let mut log = Log::start(of, &[], "s2000\n");
    log.says(&lines(1, 50), &lines(1, 50));
    log.configure("s0\npP\n");
    log.signal(Signal::SIGHUP);
    until_as(&log, "log", "probe", "Pprobe");
    assert_eq!((log.archives().len(), mode(&log.at("current"))), (0, 0o644));
    log.write(lines(51, 500));
    log.finish();
    assert_eq!(log.archives().len(), 0);
    assert!(log.all().starts_with(&lines(1, 50)));
}

fn hup_makes_a_directory_usable_again_or_not(of: Logger) {
    let mut log = Log::prepare(of, "");
    log.add("other", "");
    log.run();
    log.says("one\n", "one\n");
    fs::rename(log.path("other"), log.path("away")).unwrap();
    fs::write(log.path("other"), "").unwrap();
    log.configure("pP\n");
    log.signal(Signal::SIGHUP);
    until_as(&log, "log", "two", "Ptwo");
    log.until_said("other");
    let before = text(&log.path("away").join("current"));
    log.write("three\n");
    log.until("three", || log.all().ends_with("Pthree\n"));
    assert_eq!(text(&log.path("away").join("current")), before);
    fs::remove_file(log.path("other")).unwrap();
    fs::rename(log.path("away"), log.path("other")).unwrap();
    fs::write(log.path("other").join("config"), "pback \n").unwrap();
    log.signal(Signal::SIGHUP);
    until_as(&log, "other", "four", "back four");
    log.finish();
    let warning = format!("{}: warning: ", of.name());
    assert!(log.stderr().lines().all(|line| line.starts_with(&warning)), "{}", log.stderr());
}

fn without_a_directory_after_hup_it_ends(of: Logger) {
    let mut log = Log::start(of, &[], "");
    log.says("one\n", "one\n");
    fs::rename(log.path("log"), log.path("away")).unwrap();
    fs::write(log.path("log"), "").unwrap();
    log.signal(Signal::SIGHUP);
    assert_eq!(log.ended(), 111);
    let fatal = format!("{}: fatal: no functional log directories", of.name());
    assert!(log.stderr().lines().last().unwrap().starts_with(&fatal), "{}", log.stderr());
    assert_eq!(mode(&log.path("away").join("current")), 0o744);
}

fn alrm_rotates_what_is_not_empty(of: Logger) {
    let mut log = Log::start(of, &[], "");
    log.signal(Signal::SIGALRM);
    log.says("one\n", "one\n");
    assert_eq!(log.archives().len(), 0);
    log.signal(Signal::SIGALRM);
    log.until_archives(1);
    log.until("a new current", || log.at("current").exists());
    assert_eq!((log.current(), mode(&log.at(&log.archives()[0]))), (String::new(), 0o744));
    log.signal(Signal::SIGALRM);
    log.says("two\n", "one\ntwo\n");
    log.signal(Signal::SIGALRM);
    log.until_archives(2);
    log.finish();
    let contents: Vec<String> = log.archives().iter().map(|name| log.read(name)).collect();
    assert_eq!(contents, ["one\n", "two\n"]);
}

fn alrm_rotates_all_directories_that_have_something(of: Logger) {
    let mut log = Log::prepare(of, "");
    log.add("other", "");
    log.add("empty", "-*\n");
    log.run();
    log.write("one\n");
    log.until("one", || log.all() == "one\n" && log.all_of("other") == "one\n");
    log.signal(Signal::SIGALRM);
    let rotated = |directory| text(&log.path(directory).join("current")).is_empty();
    log.until("two rotations", || rotated("log") && rotated("other"));
    log.finish();
    assert_eq!((log.archives().len(), log.all_of("other")), (1, "one\n".into()));
    assert_eq!(fs::read_dir(log.path("empty")).unwrap().count(), 3);
}

fn term_ends_it(of: Logger) {
    for held in [false, true] {
        let mut log = Log::prepare(of, "");
        if held {
            log.hold_pipe();
        }
        log.run();
        log.term();
        assert_eq!((log.current().as_str(), mode(&log.at("current"))), ("", 0o744));
        log.run();
        log.says("one\ntwo\n", "one\ntwo\n");
        log.term();
        assert_eq!((log.all().as_str(), mode(&log.at("current"))), ("one\ntwo\n", 0o744));
        assert_eq!((log.archives().len(), log.stderr().as_str()), (0, ""));
    }
}

fn at_the_end_of_its_input_it_ends(of: Logger) {
    for input in ["", "one\n", &lines(1, 20_000)] {
        let log = fed(of, &[], "", input);
        assert_eq!((log.all().as_str(), log.stderr().as_str()), (input, ""));
        assert_eq!((log.names(), mode(&log.at("current"))), (vec!["current".into(), "lock".into()], 0o744));
    }
}

fn signals_that_it_was_started_deaf_to_are_heard(of: Logger) {
    for deaf in ["trap '' TERM ALRM HUP; exec \"$@\"", "exec env --block-signal=TERM,ALRM,HUP \"$@\""] {
        let mut log = Log::prepare(of, "");
        log.run_by(log.command_behind(deaf));
        log.says("one\n", "one\n");
        log.signal(Signal::SIGALRM);
        log.until_archives(1);
        log.configure("pP\n");
        log.signal(Signal::SIGHUP);
        until_as(&log, "log", "probe", "Pprobe");
        log.term();
    }
}
