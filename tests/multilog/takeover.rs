//! A log directory goes from one logger to the other: daemontools' multilog, ours, runit's svlogd, svlog.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::differences::log_of;
use crate::needs;
use crate::support::*;
use crate::svlog::harness::*;
use crate::svlog::tracer::Traced;

/// How a logger is ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Eof,
    Term,
    Kill,
}

/// One logger after the other on one directory, each of which gets `each` lines and is ended in this way.
fn in_turn(turns: &[(Program, End)], each: usize) -> Log {
    let mut log = log_of(Multilog, &[]);
    log.configure("n0\ns5000\n");
    let mut next = 1;
    for (of, end) in turns {
        log.of = *of;
        if matches!(of, Multilog | OurMultilog) {
            log.set_options(&["s5000", "n1000"]);
            log.set_directories(&["./log"]);
        } else {
            log.set_options(&[]);
            log.set_directories(&["log"]);
        }
        log.hold_pipe();
        log.run();
        log.write(lines(next, next + each - 1));
        next += each;
        // What svlog has written and not consumed is written twice by a peer that comes next.
        log.until("the lines", || log.left_in_pipe() == 0 && log.all() == lines(1, next - 1));
        match end {
            End::Eof => log.finish(),
            End::Kill => log.kill(),
            End::Term if *of == Multilog => {
                log.signal(Signal::SIGTERM);
                assert_eq!(log.ended(), 0);
            }
            End::Term => log.term(),
        }
        assert!(log.all() == lines(1, next - 1), "{of:?} {end:?}\n{}", log.report());
        if *of == Svlogd {
            log.close(); // it makes the pipe non-blocking, in which daemontools' multilog sees an end
        }
    }
    log
}

#[test]
fn clean_directories_can_be_exchanged() {
    needs!(Multilog.there(), Svlogd.there());
    let order = [Multilog, OurMultilog, Multilog, Svlogd, OurMultilog, Svlog, OurMultilog, Multilog, Svlogd];
    for end in [End::Eof, End::Term] {
        for each in [1000, 100] {
            let log = in_turn(&order.map(|of| (of, end)), each);
            assert!(log.archives().iter().all(|name| kind(name) == 's'), "{}", log.report());
            assert_eq!((log.stderr().as_str(), mode(&log.at("current"))), ("", 0o744));
            let names = log.names();
            let others: Vec<_> = names.iter().filter(|name| !name.starts_with('@')).collect();
            assert_eq!(others, ["config", "current", "lock", "state"], "{}", log.report());
        }
    }
}

#[test]
fn directories_of_killed_loggers_can_be_exchanged() {
    needs!(Multilog.there(), Svlogd.there());
    let order =
        [Multilog, OurMultilog, Multilog, OurMultilog, OurMultilog, Svlogd, OurMultilog, Svlog, Multilog];
    for each in [1000, 3] {
        in_turn(&order.map(|of| (of, End::Kill)), each);
    }
    let mixed = [
        (OurMultilog, End::Kill),
        (Multilog, End::Term),
        (OurMultilog, End::Kill),
        (Svlogd, End::Kill),
        (OurMultilog, End::Eof),
        (Multilog, End::Kill),
        (OurMultilog, End::Term),
        (Svlog, End::Kill),
        (OurMultilog, End::Kill),
        (Multilog, End::Eof),
    ];
    in_turn(&mixed, 700);
}

/// 40 lines of 64 bytes: multilog reads 1024 bytes at a time and writes 512, and with a size of 4096 it rotates at the
/// end of all of them.
fn input() -> String {
    let line = |n: usize| format!("{n:063}\n");
    (1..=40).map(line).collect()
}

/// A processor that changes each line, and counts its runs.
const PROCESSOR: &str = "!sed s/^/P/; n=$(cat <&4); echo $((n + 1)) >&5";

/// A log that this program was killed at, before its `count`th system call. `None`: it came to its end.
fn killed_before_call(of: Program, script: &[&str], count: usize) -> Option<Log> {
    let mut log = log_of(of, script);
    log.write(input());
    log.close_writer();
    let mut traced = Traced::start(&mut log);
    for _ in 0..count {
        if traced.call().is_none() {
            traced.end();
            return None;
        }
    }
    traced.kill();
    log.until("no processor", || log.processes().is_empty());
    Some(log)
}

/// What is left in a log directory beside `current` and whole archives, in words.
fn state_of(log: &Log) -> BTreeSet<&'static str> {
    let names = log.names();
    let has = |name: &str| names.iter().any(|other| other == name);
    let two_names = |name: &str| has(name) && log.at(name).metadata().unwrap().nlink() == 2;
    let whole = has("processed") && mode(&log.at("processed")) & 0o100 != 0;
    let words = [
        (has("lock") && !has("current"), "no current"),
        (has("previous"), "previous"),
        (has("processed") && !whole, "processed in part"),
        (whole && has("previous"), "processed beside previous"),
        (whole && !has("previous") && has("newstate"), "processed beside newstate"),
        (whole && !has("previous") && !has("newstate"), "processed alone"),
        (two_names("previous"), "previous as an archive"),
        (two_names("processed"), "processed as an archive"),
        (two_names("current"), "current as an archive"),
    ];
    words.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect()
}

#[test]
fn whatever_a_multilog_leaves_that_is_killed_ours_goes_on_with() {
    needs!(Multilog.there());
    let mut seen = BTreeSet::new();
    let mut kills = 0;
    for script in [&["s4096"][..], &["s4096", PROCESSOR]] {
        for count in 1.. {
            let Some(mut log) = killed_before_call(Multilog, script, count) else { break };
            kills += 1;
            let state = state_of(&log);
            log.of = OurMultilog;
            log.spawn(log.command());
            log.finish();
            let (all, whole) = (log.all().replace('P', ""), input());
            // Killed before it has written what it has read, it loses that.
            let lost =
                |from: usize, to: usize| to - from <= 1024 && all == whole[..from].to_owned() + &whole[to..];
            let right =
                [1024, 2048, 2560].iter().any(|to| (0..=*to).step_by(512).any(|from| lost(from, *to)));
            let in_rotation = !state.is_empty() && !state.contains("no current");
            assert!(right && (!in_rotation || all == whole), "{count} {state:?}\n{}", log.report());
            assert_eq!((log.stderr().as_str(), state_of(&log)), ("", BTreeSet::new()), "{count} {state:?}");
            if script.len() == 2 {
                let archives = log.archives();
                assert!(
                    archives.iter().all(|name| kind(name) == 's') && archives.len() < 2,
                    "{}",
                    log.report()
                );
                let (counted, begin) = if archives.is_empty() { ("", "0") } else { ("1\n", "P0") };
                assert_eq!(log.read("state"), counted, "{count}\n{}", log.report());
                assert!(log.all().starts_with(begin), "{count}\n{}", log.report());
            }
            seen.extend(state);
        }
    }
    // Where the next multilog is killed too: it makes an archive of what the first has left.
    for count in 1.. {
        let mut log = log_of(Multilog, &["s4096"]);
        log.plant("current", "one\n", 0o644);
        log.plant("previous", "zero\n", 0o744);
        log.close_writer();
        let mut traced = Traced::start(&mut log);
        if (0..count).any(|_| traced.call().is_none()) {
            traced.end();
            break;
        }
        traced.kill();
        kills += 1;
        seen.extend(state_of(&log));
        log.of = OurMultilog;
        log.spawn(log.command());
        log.finish();
        assert_eq!(
            (log.all().as_str(), state_of(&log).len()),
            ("zero\none\n", 0),
            "{count}\n{}",
            log.report()
        );
    }
    let all = [
        "current as an archive",
        "no current",
        "previous",
        "previous as an archive",
        "processed alone",
        "processed as an archive",
        "processed beside newstate",
        "processed beside previous",
        "processed in part",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
    tell(&format!("multilog: ours after {kills} kills of daemontools'"));
}

#[test]
fn whatever_ours_leaves_that_is_killed_multilog_goes_on_with() {
    needs!(Multilog.there());
    let (mut kills, mut twice) = (0, 0);
    for script in [&["s4096"][..], &["s4096", PROCESSOR]] {
        for count in share((1..).step_by(2)) {
            let Some(mut log) = killed_before_call(OurMultilog, script, count) else { break };
            kills += 1;
            log.of = Multilog;
            log.set_options(&["s4096"]); // its archives .u it never processes
            log.spawn(log.command());
            log.finish();
            let all = log.all().replace('P', "");
            let mut lines: Vec<&str> = all.lines().collect();
            let whole = input();
            if all != whole {
                // A batch that was written and is still in the pipe.
                twice += 1;
                lines.sort_unstable();
                lines.dedup();
                assert_eq!(lines, whole.lines().collect::<Vec<_>>(), "{count}\n{}", log.report());
            }
        }
    }
    // Between the write and the end of the batch there are few calls, for each of the two batches; where they are all of
    // even numbers, none is met.
    assert!(twice <= 2 * 2 * 3, "{twice} of {kills}");
    tell(&format!("multilog: daemontools' after {kills} kills of ours; in {twice} a batch came twice"));
}

#[test]
fn a_leftover_that_is_none_is_not_touched() {
    for file in ["previous", "processed"] {
        for prepare in ["ln -s /etc/passwd", "mkfifo", "mkdir", "echo other >other; ln other"] {
            let mut log = log_of(OurMultilog, &[]);
            log.plant("newstate", "new", 0o644);
            log.plant("state", "old", 0o644);
            assert_eq!(run_in(log.at(""), &format!("{prepare} {file}")), prints(""));
            log.write("one\n");
            log.spawn(log.command());
            log.finish();
            let reason = "it must be a regular file with one name, not a link";
            let says = format!(
                "multilog ./log: warning: unable to make an archive of {file}: {}; {reason}\n",
                says(Errno::EEXIST)
            );
            assert_eq!((log.all().as_str(), log.stderr(), log.read("state")), ("one\n", says, "old".into()));
            assert!(log.at(file).symlink_metadata().is_ok() && log.archives().is_empty(), "{}", log.report());
        }
    }
}

#[test]
fn what_a_processor_has_made_in_part_is_made_again() {
    let mut log = log_of(OurMultilog, &["s4096", PROCESSOR]);
    log.plant("previous", "one\ntwo\n", 0o744);
    log.plant("processed", "Pone\n", 0o644);
    log.plant("state", "4\n", 0o644);
    log.plant("newstate", "", 0o644);
    log.plant("current", "three\n", 0o644);
    log.write("four\n");
    log.spawn(log.command());
    log.finish();
    assert_eq!((log.all().as_str(), log.read("state")), ("Pone\nPtwo\nPthree\nfour\n", "6\n".into()));
    assert_eq!(state_of(&log), BTreeSet::new(), "{}", log.report());
}
