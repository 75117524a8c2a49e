//! svlogd and svlog in turn on the same directories.

use nix::sys::signal::Signal;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// How a logger is ended.
#[derive(Clone, Copy, Debug)]
enum End {
    Eof,
    Term,
    Kill,
}

/// One logger after the other on one directory, each of which gets `each` lines and is ended in this way.
fn in_turn(config: &str, turns: &[(Program, End)], each: usize) -> Log {
    let mut log = Log::prepare(Svlogd, config);
    log.hold_pipe();
    let mut next = 1;
    for (of, end) in turns {
        log.of = *of;
        log.run();
        log.write(lines(next, next + each - 1));
        next += each;
        // Killed before, svlogd loses what it has read and not written; and what svlog has written and not read away
        // is written twice by an svlogd that comes next.
        log.until("the lines", || log.left_in_pipe() == 0 && log.all() == lines(1, next - 1));
        match end {
            End::Eof => log.finish(),
            End::Term => log.term(),
            End::Kill => log.kill(),
        }
        assert!(log.all() == lines(1, next - 1), "{of:?} {end:?}\n{}", log.report());
    }
    log
}

#[test]
fn clean_directories_can_be_exchanged() {
    needs!(Svlogd.there());
    for end in [End::Eof, End::Term] {
        let turns = [Svlogd, Svlog, Svlogd, Svlog, Svlog, Svlogd].map(|of| (of, end));
        let log = in_turn("n0\ns5000\n", &turns, 1000);
        // As many as if it had been one.
        assert_eq!(log.archives().len(), 6000 * 11 / 4004, "{}", log.report());
        assert!(log.archives().iter().all(|name| kind(name) == 's' && log.read(name).len() == 4004));
        assert_eq!((log.stderr().as_str(), mode(&log.at("current"))), ("", 0o744));
        assert_eq!(log.names().iter().filter(|name| !name.starts_with('@')).count(), 3, "{}", log.report());
        let log = in_turn("", &turns, 100);
        assert_eq!((log.archives().len(), log.current()), (0, lines(1, 600)));
    }
}

#[test]
fn directories_of_killed_loggers_can_be_exchanged() {
    needs!(Svlogd.there());
    let killed = [Svlogd, Svlog, Svlogd, Svlog, Svlog, Svlogd, Svlogd, Svlog].map(|of| (of, End::Kill));
    for (config, each) in [("n0\n", 10), ("n0\ns5000\n", 1000), ("n0\ns5000\n", 3)] {
        in_turn(config, &killed, each);
    }
    let mixed = [
        (Svlog, End::Kill),
        (Svlogd, End::Term),
        (Svlog, End::Kill),
        (Svlogd, End::Eof),
        (Svlog, End::Term),
        (Svlogd, End::Kill),
        (Svlog, End::Eof),
        (Svlog, End::Kill),
        (Svlogd, End::Kill),
    ];
    in_turn("n0\ns5000\n", &mixed, 700);
}

#[test]
fn lines_that_svlog_leaves_in_the_pipe_go_to_svlogd() {
    needs!(Svlogd.there());
    let mut log = Log::prepare(Svlog, "n0\n");
    log.hold_pipe();
    log.run();
    log.says("one\nunfinished", "one\n");
    log.kill();
    log.of = Svlogd;
    log.run();
    log.says(" and finished\n", "one\nunfinished and finished\n");
    log.term();
    // And back: the record that it left is of no meaning any more.
    log.of = Svlog;
    log.run();
    log.says("last\n", "one\nunfinished and finished\nlast\n");
    log.finish();
}

#[test]
fn a_record_from_before_svlogd_cuts_nothing() {
    needs!(Svlogd.there(), mounts());
    // A batch that svlog could not write; it is still in the pipe, and svlogd writes it.
    let mut log = Log::prepare(Svlog, "");
    log.add("full", "");
    log.mount(
        "mount -t tmpfs -o size=64k,mode=755 tmpfs full; cat /dev/zero >full/filler 2>/dev/null || true",
    );
    log.hold_pipe();
    log.run();
    log.write(lines(1, 1000));
    log.until_said("unable to write to current");
    let before = log.all();
    log.kill();
    assert!(log.at("batch").exists());
    std::fs::remove_file(log.path("full/filler")).unwrap();
    log.of = Svlogd;
    log.run();
    log.write(lines(1001, 2000));
    log.until("all lines", || log.all() == before.clone() + &lines(1, 2000));
    log.kill();
    log.of = Svlog;
    log.run();
    log.write(lines(2001, 3000));
    log.until("all lines", || log.all() == before.clone() + &lines(1, 3000));
    log.term();
    assert!(log.all_of("full").ends_with(&lines(1, 3000)), "{}", log.report());
}

#[test]
fn a_state_is_handed_on_between_both() {
    needs!(Svlogd.there());
    let mut log = Log::prepare(Svlogd, "!cat <&4; cat; { cat state; echo $(wc -l <state); } >&5\n");
    log.hold_pipe();
    let mut expected = String::new();
    for (count, of) in [Svlogd, Svlog, Svlogd, Svlog].into_iter().enumerate() {
        log.of = of;
        log.run();
        log.write(lines(count, count));
        log.until("the line", || log.current() == lines(count, count));
        log.tell(Signal::SIGALRM);
        log.until_processed(count + 1);
        expected.extend((0..count).map(|n| n.to_string() + "\n"));
        expected += &lines(count, count);
        log.finish();
        assert_eq!(log.all(), expected);
    }
    assert_eq!(log.read("state"), "0\n1\n2\n3\n");
}

#[test]
fn archives_that_svlogd_left_unprocessed_are_processed() {
    needs!(Svlogd.there());
    let mut log = Log::prepare(Svlogd, "!cat; echo done\n");
    log.hold_pipe();
    log.run();
    log.says("one\n", "one\n");
    log.kill();
    // It sets it aside, and leaves it so.
    log.run();
    log.says("two\n", "one\ntwo\n");
    log.term();
    assert!(kind(&log.archives()[0]) == 'u');
    log.of = Svlog;
    log.run();
    log.until_processed(1);
    log.says("three\n", "one\ndone\ntwo\nthree\n");
    log.finish();
}

#[test]
fn the_same_input_makes_the_same_files() {
    needs!(Svlogd.there());
    let long = |number: usize| format!("{number:05} {}\n", "x".repeat(number * 7919 % 900));
    let mixed: String = (1..=600).map(long).collect();
    for (options, config) in [
        (&[][..], "s2000\nn0\n"),
        (&[], "s4000\n"),
        (&[], "s50k\nn5\n"),
        (&[], "s10000\nn0\n-*5*\n"),
        (&["-l", "950"], "s3000\nn0\n"),
        (&["-tt"], "s5000\nn0\npweb: \n"),
        (&["-b", "65536"], "s5000\nn20\n"),
        (&["-r", ".", "-R", "x"], "s0\n"),
    ] {
        for input in [&mixed, &lines(1, 2500)] {
            let logs = [Svlogd, Svlog].map(|of| fed(of, options, config, input));
            let stamp = if options == ["-tt"] { 25 } else { 0 };
            let [svlogd, svlog] = logs.each_ref().map(|log| behind(&log.all(), stamp));
            assert!(svlogd == svlog, "{options:?} {config:?} {} {}", logs[0].report(), logs[1].report());
            let sizes = |log: &Log| -> Vec<usize> {
                let files = log.archives().into_iter().chain(["current".into()]);
                files.map(|name| log.read(&name).len()).collect()
            };
            let [svlogd, svlog] = logs.each_ref().map(sizes);
            assert_eq!(svlogd.len(), svlog.len(), "{options:?} {config:?}");
            let close = |(one, other): (&usize, &usize)| one.abs_diff(*other) <= 950;
            assert!(svlogd.iter().zip(&svlog).all(close), "{options:?} {config:?}\n{svlogd:?}\n{svlog:?}");
        }
    }
}
