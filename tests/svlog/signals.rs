//! HUP, ALRM and TERM, and the end of the input.

use std::fs;

use nix::sys::signal::Signal;

use super::harness::*;
use crate::support::*;

both!(svlog;
    alrm_rotates_all_directories_that_have_something,
    alrm_rotates_what_is_not_empty,
    at_the_end_of_its_input_it_ends,
    hup_goes_to_the_current_that_is_there_now,
    hup_makes_a_directory_usable_again_or_not,
    hup_reads_the_config_again,
    hup_rotates_nothing,
    signals_that_it_was_started_deaf_to_are_heard,
    term_ends_it,
    without_a_directory_after_hup_it_ends,
);

fn hup_reads_the_config_again(of: Program) {
    let mut log = Log::start(of, &[], "pold \n-*c\n");
    log.says("a\nbc\n", "old a\n");
    log.configure("pnew \n+*\n");
    log.says("b\nbc\n", "old a\nold b\n");
    log.tell(Signal::SIGHUP);
    log.says("bc\n", "old a\nold b\nnew bc\n");
    // And where there is none any more, all is as at first.
    fs::remove_file(log.at("config")).unwrap();
    log.tell(Signal::SIGHUP);
    log.says("c\n", "old a\nold b\nnew bc\nc\n");
    log.finish();
}

fn hup_rotates_nothing(of: Program) {
    let mut log = Log::start(of, &[], "s2000\n");
    log.says(&lines(1, 50), &lines(1, 50));
    log.configure("s0\n");
    log.tell(Signal::SIGHUP);
    assert_eq!((log.archives().len(), mode(&log.at("current"))), (0, 0o644));
    log.write(lines(51, 500));
    log.finish();
    assert_eq!((log.archives().len(), log.all()), (0, lines(1, 500)));
}

fn hup_goes_to_the_current_that_is_there_now(of: Program) {
    let mut log = Log::start(of, &[], "");
    log.says("one\n", "one\n");
    fs::rename(log.at("current"), log.path("away")).unwrap();
    log.tell(Signal::SIGHUP);
    log.says("two\n", "two\n");
    assert_eq!((log.text("away").as_str(), mode(&log.at("current"))), ("one\n", 0o644));
    log.finish();
}

fn hup_makes_a_directory_usable_again_or_not(of: Program) {
    let mut log = Log::prepare(of, "");
    log.add("other", "");
    log.run();
    log.says("one\n", "one\n");
    fs::rename(log.path("other"), log.path("away")).unwrap();
    fs::write(log.path("other"), "").unwrap();
    log.tell(Signal::SIGHUP);
    log.until_said("other");
    log.says("two\nthree\n", "one\ntwo\nthree\n");
    assert_eq!(log.text("away/current"), "one\n");
    fs::remove_file(log.path("other")).unwrap();
    fs::rename(log.path("away"), log.path("other")).unwrap();
    fs::write(log.path("other").join("config"), "pback \n").unwrap();
    log.tell(Signal::SIGHUP);
    log.says("four\n", "one\ntwo\nthree\nfour\n");
    log.finish();
    assert_eq!(log.text("other/current"), "one\nback four\n");
    assert!(log.stderr().lines().all(|line| log.warns(line, &["other"])), "{}", log.stderr());
}

fn without_a_directory_after_hup_it_ends(of: Program) {
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

fn alrm_rotates_what_is_not_empty(of: Program) {
    let mut log = Log::start(of, &[], "");
    log.tell(Signal::SIGALRM);
    assert_eq!(log.archives().len(), 0);
    log.says("one\n", "one\n");
    log.tell(Signal::SIGALRM);
    assert_eq!((log.archives().len(), log.current().as_str()), (1, ""));
    assert_eq!((mode(&log.at("current")), mode(&log.at(&log.archives()[0]))), (0o644, 0o744));
    log.tell(Signal::SIGALRM);
    assert_eq!(log.archives().len(), 1);
    log.says("two\n", "one\ntwo\n");
    log.tell(Signal::SIGALRM);
    log.finish();
    let contents: Vec<String> = log.archives().iter().map(|name| log.read(name)).collect();
    assert_eq!(contents, ["one\n", "two\n"]);
}

fn alrm_rotates_all_directories_that_have_something(of: Program) {
    let mut log = Log::prepare(of, "");
    log.add("other", "");
    log.add("empty", "-*\n");
    log.run();
    log.write("one\n");
    log.until("one", || log.all() == "one\n" && log.all_of("other") == "one\n");
    log.tell(Signal::SIGALRM);
    log.finish();
    assert_eq!((log.archives().len(), log.current().as_str()), (1, ""));
    assert_eq!((log.all_of("other").as_str(), log.text("other/current").as_str()), ("one\n", ""));
    assert_eq!(fs::read_dir(log.path("empty")).unwrap().count(), 3);
}

fn term_ends_it(of: Program) {
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

fn at_the_end_of_its_input_it_ends(of: Program) {
    for input in ["", "one\n", &lines(1, 20_000)] {
        let log = fed(of, &[], "", input);
        assert_eq!((log.all().as_str(), log.stderr().as_str()), (input, ""));
        assert_eq!((log.names(), mode(&log.at("current"))), (vec!["current".into(), "lock".into()], 0o744));
    }
}

fn signals_that_it_was_started_deaf_to_are_heard(of: Program) {
    for deaf in ["trap '' TERM ALRM HUP; exec \"$@\"", "exec env --block-signal=TERM,ALRM,HUP \"$@\""] {
        let mut log = Log::prepare(of, "");
        log.run_by(log.command_behind(deaf));
        log.says("one\n", "one\n");
        log.tell(Signal::SIGALRM);
        assert_eq!(log.archives().len(), 1);
        log.configure("pP\n");
        log.tell(Signal::SIGHUP);
        log.says("two\n", "one\nPtwo\n");
        log.term();
    }
}
