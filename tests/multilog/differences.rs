//! Where ours differs from daemontools' multilog: each with its reason, and both sides of it. One that is gone fails.

use nix::libc::SYS_read;
use nix::sys::signal::Signal;

use super::harness::*;
use crate::needs;
use crate::support::*;
use crate::svlog::harness::*;

/// Scripts in which daemontools' multilog passes over what ours reports, and logs nothing.
#[test]
fn what_is_no_action_is_a_usage_error() {
    needs!(Multilog.there());
    let number = "not an action: a number without a unit must follow the letter: ";
    let begins = "multilog: hint: a log directory begins with . or /, as ./main\n";
    let no_sink = "no log directory, e or =file: all lines would be lost";
    for (script, problem, hint, reason) in [
        (&["main"][..], "not an action: main", begins, "all lines are lost"),
        (&["t", "main"], "not an action: main", begins, "all lines are lost"),
        (&["E", "./log"], "not an action: E", begins, "nothing goes to stderr"),
        (&["./log", "x"], "not an action: x", begins, "it means nothing"),
        (&["T", "./log"], "not an action: T", begins, "lines have no stamp"),
        (&["tx", "./log"], "not an action: tx", begins, "it is t"),
        (&["ex", "./log"], "not an action: ex", begins, "it is e"),
        (&["./log", "t"], "t must be the first action", "", "lines have no stamp"),
        (&["s", "./log"], &format!("{number}s"), "", "the size is 4096"),
        (&["s10M", "./log"], &format!("{number}s10M"), "", "the size is 4096"),
        (&["n", "./log"], &format!("{number}n"), "", "there are two files"),
        (&["n20k", "./log"], &format!("{number}n20k"), "", "there are 20 files"),
        (&["!", "./log"], "not an action: !", begins, "a shell without a command makes every archive empty"),
        (&[], no_sink, begins, "all lines are lost"),
        (&["t"], no_sink, begins, "all lines are lost"),
        (&["-*", "s5000"], no_sink, begins, "all lines are lost"),
    ] {
        let [theirs, ours] = [Multilog, OurMultilog].map(|of| Place::new(of).run(script, b"a\n"));
        assert_eq!((theirs.status, theirs.stderr.trim_end_matches("a\n")), (0, ""), "{script:?}: {reason}");
        let usage = format!("multilog: {problem}\nmultilog: usage: multilog action...\n{hint}");
        assert_eq!((ours.status, ours.stderr), (100, usage), "{script:?}");
        assert!(ours.logs.is_empty(), "{script:?}");
    }
    // Where multilog opens what the action names, both fail.
    let failed = [Multilog, OurMultilog].map(|of| Place::new(of).run(&["=", "./log"], b"a\n").status);
    assert_eq!(failed, [111, 100]);
}

#[test]
fn help_alone_is_an_answer_and_in_a_script_a_pattern() {
    needs!(Multilog.there());
    for word in ["--help", "--version"] {
        let [theirs, ours] = [Multilog, OurMultilog].map(|of| {
            let place = Place::new(of);
            let mut command = of.command();
            run(command.arg(word).current_dir(place.scratch.path()))
        });
        assert_eq!(theirs, prints(""));
        assert_eq!((ours.status, ours.stderr.as_str()), (0, ""));
        assert!(ours.stdout.contains("multilog"), "{ours:?}");
    }
}

#[test]
fn a_line_that_fits_into_an_archive_is_not_split() {
    needs!(Multilog.there());
    let input = ["x".repeat(2000), "y".repeat(3000), "z".to_owned()].join("\n") + "\n";
    let [theirs, ours] = [Multilog, OurMultilog]
        .map(|of| Place::new(of).run(&["s4096", "./log"], input.as_bytes()).logs["/log"].clone());
    assert_eq!((&theirs.text, &ours.text), (&input, &input));
    assert_eq!(theirs.sizes[0], 4096, "in the middle of a line");
    assert_eq!(ours.sizes, [5002, 2]);
}

#[test]
fn a_file_that_is_a_link_is_not_followed() {
    needs!(Multilog.there());
    let run = |of| {
        let place = Place::new(of);
        std::os::unix::fs::symlink("secret", place.at("st")).unwrap();
        std::fs::write(place.at("secret"), "secret").unwrap();
        let left = place.run(&["=st"], b"a\n");
        (left.status, left.stderr, text(&place.at("secret")).starts_with('a'))
    };
    assert_eq!(run(Multilog), (0, String::new(), true));
    let says = format!(
        "multilog: fatal: unable to open st: {}\nmultilog: hint: it must be a regular file with one name, not a link\n",
        says(nix::errno::Errno::ELOOP)
    );
    assert_eq!(run(OurMultilog), (111, says, false));
}

/// A log, whose pipe the test holds, with this script in front of `./log`.
pub(super) fn log_of(of: Program, script: &[&str]) -> Log {
    let mut log = Log::prepare(of, "");
    log.set_options(script);
    log.set_directories(&["./log"]);
    log.hold_pipe();
    log
}

#[test]
fn a_kill_loses_nothing() {
    needs!(Multilog.there());
    for (of, kept) in [(Multilog, "one\n"), (OurMultilog, "one\ntwo\n")] {
        let mut log = log_of(of, &[]);
        log.run();
        log.says("one\ntwo", "one\n");
        // daemontools' has the beginning of the line in its memory, ours in the pipe.
        log.until("all read", || of == OurMultilog || log.left_in_pipe() == 0);
        log.kill();
        log.spawn(log.command());
        log.finish();
        assert_eq!(log.all(), kept, "{of:?}");
        // And the log goes on, where daemontools' begins an archive each time.
        assert_eq!(log.archives().len(), usize::from(of == Multilog), "{of:?}");
    }
}

#[test]
fn a_signal_never_waits_for_the_end_of_a_line() {
    needs!(Multilog.there());
    let mut log = log_of(Multilog, &[]);
    log.run();
    log.says("one\ntwo", "one\n");
    log.until("all read", || log.left_in_pipe() == 0);
    wait_until_in(log.pid(), &[SYS_read]); // before that it would miss the signal
    log.signal(Signal::SIGTERM);
    let call = || text(std::path::Path::new(&format!("/proc/{}/syscall", log.pid())));
    log.until("a read of one byte", || call().split(' ').nth(3) == Some("0x1"));
    // It would wait for as long as the service says nothing.
    log.write(" and\nthree\n");
    assert_eq!((log.ended(), log.all().as_str()), (0, "one\ntwo and\n"));
    assert_eq!(log.left(), "three\n");

    let mut log = log_of(OurMultilog, &[]);
    log.run();
    log.says("one\ntwo", "one\n");
    log.signal(Signal::SIGTERM);
    assert_eq!((log.ended(), log.all().as_str()), (0, "one\n"));
    assert_eq!(log.left(), "two");
    // All that was written before the signal comes first, and where nobody else reads, the last line too.
    let mut log = Log::prepare(OurMultilog, "");
    log.set_directories(&["./log"]);
    log.run();
    log.write(lines(1, 5000) + "two");
    log.signal(Signal::SIGTERM);
    assert_eq!(log.ended(), 0);
    assert_eq!(log.all(), lines(1, 5000) + "two\n");
}

#[test]
fn a_rotation_by_a_signal_does_not_split_a_line() {
    needs!(Multilog.there());
    for (of, sizes) in [(Multilog, [20_000, 3]), (OurMultilog, [20_003, 0])] {
        let mut log = log_of(of, &[]);
        log.run();
        // More than either keeps in memory, or in the pipe.
        log.write("x".repeat(20_000));
        let begun = if of == Multilog { 20_000 } else { 12_000 };
        log.until("its beginning", || log.current().len() >= begun);
        log.signal(Signal::SIGALRM);
        log.until("no signal that waits", || of == OurMultilog || log.archives().len() == 1);
        if of == OurMultilog {
            log.settle();
        }
        log.write("xx\n");
        log.until("all of it", || LogLeft::look(&log.at("")).sizes == sizes);
        log.finish();
    }
}

#[test]
fn hup_does_not_end_it_and_int_and_quit_end_it_cleanly() {
    needs!(Multilog.there());
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        for of in [Multilog, OurMultilog] {
            let mut log = log_of(of, &[]);
            log.run();
            log.says("one\n", "one\n");
            log.signal(signal);
            if of == Multilog {
                assert_eq!((log.ended(), mode(&log.at("current"))), (128 + signal as i32, 0o644));
                continue;
            }
            if signal == Signal::SIGHUP {
                log.settle();
                log.says("two\n", "one\ntwo\n");
                log.signal(Signal::SIGTERM);
            }
            assert_eq!((log.ended(), mode(&log.at("current"))), (0, 0o744));
        }
    }
}

#[test]
fn the_state_of_the_processor_outlives_a_kill() {
    needs!(Multilog.there());
    for (of, last) in [(Multilog, "0\n1\n0\n"), (OurMultilog, "0\n1\n2\n")] {
        let mut log = log_of(of, &["!cat >/dev/null; n=$(cat <&4); echo ${n:-0}; echo $((n + 1)) >&5"]);
        log.run();
        for turn in 1..=3 {
            let line = format!("{turn}\n");
            log.write(&line);
            log.until("the line", || log.current() == line);
            log.signal(Signal::SIGALRM);
            let safe = || log.archives().iter().filter(|name| kind(name) == 's').count();
            log.until("an archive", || safe() == turn && log.archives().iter().all(|name| kind(name) != 't'));
            log.until("the state", || !log.at("newstate").exists() && log.current().is_empty());
            if turn == 2 {
                log.kill();
                log.run();
            }
        }
        assert_eq!(log.all(), last, "{of:?}");
    }
}

#[test]
fn the_config_of_svlogd_is_not_read() {
    let mut log = log_of(OurMultilog, &["s5000", "n100"]);
    log.plant("config", "s100\nn2\npP \n-line*\n", 0o644);
    log.run();
    log.write(lines(1, 2000));
    log.until_all(&lines(1, 2000));
    // Nor after HUP.
    log.tell(Signal::SIGHUP);
    log.write(lines(2001, 3000));
    log.until_all(&lines(1, 3000));
    assert_eq!(log.archives().len(), 3000 * 11 / 3003);
}
