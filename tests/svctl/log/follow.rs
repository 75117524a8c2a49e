//! Lines that come, through rotations.

use std::fs::OpenOptions;
use std::io::Write;

use nix::sys::signal::Signal;

use super::super::harness::*;
use super::*;
use crate::needs;

fn append(house: &House, file: &str, text: &str) {
    let path = house.at(file);
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn lines_are_shown_as_they_come_after_the_last_ten() {
    let house = House::new();
    let many: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    log(&house, "web", &[("current", &(many.join("\n") + "\nhalf"))]);
    let following = Following::start(&house, &["web"]);
    assert_eq!(following.until("19"), many[10..], "and half a line is not shown");
    append(&house, "web/log/main/current", " and half\nmore\n");
    assert_eq!(following.until("more")[10..], ["half and half", "more"]);
}

#[test]
fn the_choice_of_lines_is_that_of_lines_that_come_too() {
    let house = House::new();
    log(&house, "web", &[("current", "err: old\nold\n")]);
    let following = Following::start(&house, &["-g", "e", "-p", "err", "-n0", "web"]);
    append(&house, "web/log/main/current", "err: one\n<3>two\nthree\n<3>free\n");
    assert_eq!(following.until("free"), ["err: one", "free"]);
}

#[test]
fn several_services_are_followed_with_their_names() {
    let house = House::new();
    for name in ["a", "web"] {
        log(&house, name, &[("current", "")]);
    }
    let following = Following::start(&house, &[]);
    append(&house, "web/log/main/current", &lines(5, &["one"]));
    following.until("web  2026-11-22 10:30:06.000 one");
    append(&house, "a/log/main/current", &lines(1, &["two"]));
    assert_eq!(
        following.until("two"),
        ["web  2026-11-22 10:30:06.000 one", "a    2026-11-22 10:30:02.000 two"],
        "in the order in which they came"
    );
}

#[test]
fn a_file_that_is_truncated_is_read_from_its_beginning() {
    let house = House::new();
    log(&house, "web", &[("current", "a longer line\n")]);
    let following = Following::start(&house, &["-n0", "web"]);
    fs::write(house.at("web/log/main/current"), "").unwrap();
    following.waits();
    append(&house, "web/log/main/current", "new\n");
    assert_eq!(following.until("new"), ["new"]);
}

/// What multilog does at a rotation with a processor, seen at its last moment: `previous` is gone, and `processed` has
/// no name of an archive yet.
#[test]
fn what_a_processor_has_made_is_not_shown_again() {
    let house = House::new();
    log(&house, "web", &[("current", "one\n")]);
    let following = Following::start(&house, &["web"]);
    let rotate = |script: &str| following.behind_its_back(&house, script);
    rotate("mv current previous; echo two >current; cat previous >processed; rm previous");
    assert_eq!(following.until("two"), ["one", "two"], "the file is another one");
    following.waits();
    rotate(
        "mv current previous; mv processed @400000006b02c4333ade68b1.s; echo three >current
         cat previous >processed; rm previous",
    );
    assert_eq!(
        following.until("three"),
        ["one", "two", "three"],
        "behind an archive that was shown as processed"
    );
}

/// What multilog and s6-log do at a rotation, stopped by the scheduler before they remove the old name.
#[test]
fn a_file_with_its_old_name_and_its_new_one_is_shown_once() {
    let house = House::new();
    log(&house, "web", &[("current", "one\n")]);
    let following = Following::start(&house, &["web"]);
    let rotate = |script: &str| following.behind_its_back(&house, script);
    rotate("mv current previous; ln previous @400000006b02c4333ade68b1.s; echo two >current");
    assert_eq!(following.until("two"), ["one", "two"]);
    following.waits();
    rotate(
        "rm previous; mv current @400000006b02c4333ade68b2.s
         echo three >previous; ln previous @400000006b02c4333ade68b3.s; echo four >current",
    );
    assert_eq!(following.until("four"), ["one", "two", "three", "four"]);
    following.waits();
    assert_eq!(shows(&house, &["-n", "all", "web"]), "one\ntwo\nthree\nfour\n");
}

/// At the first rotation, stopped before there is a new `current`: what was shown is not shown again under its next name.
#[test]
fn what_is_all_of_a_log_for_a_moment_is_shown_once() {
    let house = House::new();
    log(&house, "web", &[("processed", "one\n")]);
    let following = Following::start(&house, &["web"]);
    following.behind_its_back(&house, "mv processed @400000006b02c4333ade68b1.s; echo two >current");
    assert_eq!(following.until("two"), ["one", "two"]);
}

/// At the first rotation of multilog and s6-log, before there is a new `current`.
#[test]
fn a_log_whose_only_file_is_on_its_way_to_be_an_archive_is_one() {
    for file in ["previous", "processed"] {
        let house = House::new();
        log(&house, "web", &[(file, "one\n")]);
        assert_eq!(shows(&house, &["web"]), "one\n", "{file}");
    }
}

#[test]
fn it_ends_with_its_reader() {
    let house = House::new();
    log(&house, "web", &[("current", "one\n")]);
    let script = "{ svctl-log -f web; echo $? >&2; } | head -n 1";
    let outcome = run(sh(script).env("SVDIR", house.at(".")));
    assert_eq!((&*outcome.stdout, &*outcome.stderr), ("one\n", "111\n"));
}

#[test]
fn it_ends_with_its_last_directory() {
    let house = House::new();
    log(&house, "web", &[("current", "one\n")]);
    let mut following = Following::start(&house, &["web"]);
    fs::rename(house.at("web/log/main"), house.at("away")).unwrap();
    assert_eq!(status_of(&mut following.0), Some(1));
    assert_eq!(text(&following.1), "one\n");
}

#[test]
fn it_ends_with_a_directory_that_is_removed() {
    let house = House::new();
    for name in ["a", "web"] {
        log(&house, name, &[("current", "")]);
    }
    let mut following = Following::start(&house, &["-n0", "a", "web"]);
    fs::remove_dir_all(house.at("web/log/main")).unwrap();
    following.waits();
    append(&house, "a/log/main/current", "one\n");
    assert_eq!(following.until("one"), ["a    one"], "the other one is followed on");
    fs::remove_dir_all(house.at("a/log/main")).unwrap();
    assert_eq!(status_of(&mut following.0), Some(2));
}

#[test]
fn a_signal_ends_it_as_usual() {
    let house = House::new();
    log(&house, "web", &[("current", "one\n")]);
    for (signal, status) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let mut following = Following::start(&house, &["web"]);
        send_signal(following.0.id(), signal);
        assert_eq!(status_of(&mut following.0), Some(status));
    }
}

/// How many lines are written under load.
const LINES: usize = 20_000;

/// A logger that rotates hundreds of times while it writes as fast as it can: each line is shown once, in its order,
/// and before it is read again from the files, with the same result.
fn no_line_is_lost_or_doubled(logger: &str, config: &str) {
    let house = House::new();
    house.write("web/run", "");
    house.write("web/log/main/config", config);
    house.write("web/log/main/current", "");
    let following = Following::start(&house, &["-n", "all", "web"]);
    let script = format!("seq -f 'line %.0f of some length' {LINES} | {logger}");
    assert_eq!(run_in(house.at("web/log/main"), &script).status, 0, "{logger}");
    let last = format!("line {LINES} of some length");
    let expected: Vec<_> = (1..=LINES).map(|number| format!("line {number} of some length")).collect();
    let text = |line: &String| line[line.find("line").unwrap_or(0)..].to_owned();
    let shown: Vec<_> = following.until(&last).iter().map(text).collect();
    drop(following);
    let differs = shown.iter().zip(&expected).position(|(one, other)| one != other);
    let rotations = fs::read_dir(house.at("web/log/main")).unwrap().count();
    assert!(
        shown == expected,
        "{logger}: {} lines of {LINES}, the first that is wrong at {differs:?}: {:?}",
        shown.len(),
        differs.map(|at| &shown[at])
    );
    // s6-log goes on with a file for as long as its processor is at work.
    assert!(rotations > if logger.contains('!') { 4 } else { 50 }, "{logger}: only {rotations} files");
    let again: Vec<_> =
        shows(&house, &["-n", "all", "web"]).lines().map(|line| text(&line.to_owned())).collect();
    assert!(again == expected, "{logger}: {} lines from the files", again.len());
}

#[test]
fn no_line_of_svlog_is_lost_or_doubled() {
    no_line_is_lost_or_doubled("svlog -tt .", "s8192\nn0\n");
}

#[test]
fn no_line_of_svlog_with_a_processor_is_lost_or_doubled() {
    needs!(tool("gzip"));
    no_line_is_lost_or_doubled("svlog -t .", "s8192\nn0\n!gzip\n");
}

#[test]
fn no_line_of_svlogd_is_lost_or_doubled() {
    needs!(Svlogd.there());
    no_line_is_lost_or_doubled("/usr/bin/svlogd -tt .", "s8192\nn0\n");
}

#[test]
fn no_line_of_multilog_is_lost_or_doubled() {
    needs!(Multilog.there());
    no_line_is_lost_or_doubled("/usr/bin/multilog t s8192 n10000 .", "");
}

#[test]
fn no_line_of_s6_log_is_lost_or_doubled() {
    needs!(tool("s6-log"));
    no_line_is_lost_or_doubled("s6-log s8192 n10000 t .", "");
}

#[test]
fn no_line_of_multilog_with_a_processor_is_lost_or_doubled() {
    needs!(Multilog.there());
    no_line_is_lost_or_doubled("/usr/bin/multilog t s8192 n10000 !cat .", "");
}

#[test]
fn no_line_of_s6_log_with_a_processor_is_lost_or_doubled() {
    needs!(tool("s6-log"));
    no_line_is_lost_or_doubled("s6-log s8192 n10000 t !cat .", "");
}

#[test]
fn no_line_is_lost_or_doubled_while_the_files_are_read_again_and_again() {
    is_read_again_and_again("svlog .");
}

#[test]
fn the_same_of_multilog_and_its_processor() {
    needs!(Multilog.there());
    is_read_again_and_again("/usr/bin/multilog s8192 n10000 !cat .");
}

#[test]
fn the_same_of_s6_log_and_its_processor() {
    needs!(tool("s6-log"));
    is_read_again_and_again("s6-log s8192 n10000 !cat .");
}

fn is_read_again_and_again(logger: &str) {
    let house = House::new();
    house.write("web/run", "");
    house.write("web/log/main/config", "s8192\nn0\n");
    let script = format!("cd web/log/main && seq -f 'line %.0f of some length' {LINES} | {logger}");
    let mut writer = sh(&script).current_dir(house.at(".")).spawn().unwrap();
    until("no line comes", || house.at("web/log/main/current").exists());
    let mut looks = 0;
    loop {
        let ended = writer.try_wait().unwrap().is_some();
        let shown = shows(&house, &["-n", "all", "web"]);
        let lines: Vec<_> = shown.lines().collect();
        // The last one may have been read while it was written.
        for (line, number) in lines.iter().zip(1..).take(lines.len().saturating_sub(1)) {
            assert_eq!(*line, format!("line {number} of some length"), "{logger}");
        }
        looks += 1;
        if ended {
            assert_eq!(lines.len(), LINES);
            break;
        }
    }
    assert!(looks > 1);
}
