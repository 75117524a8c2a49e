//! Where svlog goes beyond svlogd, on purpose: lines without an end, clocks that step, files that go.

use std::fs;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::harness::*;
use crate::support::*;

#[test]
fn a_last_line_without_an_end_gets_one() {
    for input in ["last", "one\nlast", "one\n\nlast\r", &("x".repeat(20_000) + "\nlast")] {
        for options in [&[][..], &["-b", "100000"]] {
            let log = fed(Svlog, options, "", input);
            assert!(log.all() == format!("{input}\n"), "{}", log.report());
            assert_eq!(log.names(), ["current", "lock"]);
        }
    }
    // It has what every line has.
    let log = fed(Svlog, &["-tt"], "pP:\n-*\n+l*\ne*\n", "lost\nmine\nlast");
    let all = log.all();
    let lines: Vec<&str> = all.lines().map(|line| &line[25..]).collect();
    assert_eq!(lines, [" P:lost", " P:last"]);
    assert_eq!(log.stderr().lines().filter(|line| line.ends_with("P:last")).count(), 1, "{}", log.stderr());
    let log = fed(Svlog, &[], "-l*\n", "one\nlast");
    assert_eq!(log.all(), "one\n");
    // A long one that comes in pieces.
    let long = "0123456789".repeat(10_000);
    let log = fed(Svlog, &[], "s0\n", &long);
    assert!(log.all() == format!("{long}\n"), "{}", log.report());
}

#[test]
fn term_writes_what_is_in_the_pipe() {
    for held in [false, true] {
        let mut log = Log::prepare(Svlog, "s0\n");
        if held {
            log.hold_pipe();
        }
        log.run();
        log.says(&lines(1, 10), &lines(1, 10));
        log.signal(Signal::SIGSTOP);
        log.until("it stops", || state(log.pid()) == Some('T'));
        log.write(lines(11, 5000));
        log.signal(Signal::SIGTERM);
        log.signal(Signal::SIGCONT);
        assert_eq!(log.ended(), 0);
        assert!(log.all() == lines(1, 5000), "{}", log.report());
        assert_eq!(mode(&log.at("current")), 0o744);
        if held {
            assert_eq!(log.left(), "");
        }
    }
}

#[test]
fn term_ends_an_unfinished_line_where_nobody_else_reads() {
    for input in ["last", "one\nlast", &"0123456789".repeat(3000)] {
        let mut log = Log::start(Svlog, &[], "s0\n");
        log.write(input);
        log.term();
        assert!(log.all() == format!("{input}\n"), "{}", log.report());
        assert_eq!((log.names().len(), log.stderr().as_str()), (3, ""), "{}", log.report());
    }
}

#[test]
fn term_leaves_an_unfinished_line_to_the_next_logger() {
    let mut log = Log::prepare(Svlog, "pP:\n");
    log.hold_pipe();
    log.run();
    log.says("one\nla", "P:one\n");
    log.term();
    assert_eq!((log.all().as_str(), log.stderr().as_str()), ("P:one\n", ""));
    log.run();
    log.says("st\nthree\nun", "P:one\nP:last\nP:three\n");
    log.term();
    assert_eq!(log.all(), "P:one\nP:last\nP:three\n");
    assert_eq!(log.left(), "un");
}

#[test]
fn term_does_not_wait_for_a_service_that_goes_on() {
    let mut log = Log::prepare(Svlog, "s100000\nn2\n");
    log.hold_pipe();
    log.run();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut written = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                written += usize::from(log.try_write(&lines(written + 1, written + 1)));
            }
            written
        });
        log.until("archives", || log.archives().len() == 2);
        log.signal(Signal::SIGTERM);
        log.until("its end", || !lives(log.pid()));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        writer.join().unwrap()
    });
    assert_eq!(log.ended(), 0);
    // The log ends where what is left begins.
    let all = log.all() + &log.left();
    let first: usize = all[5..10].trim().parse().unwrap();
    assert!(all == lines(first, written), "{first} {written} {}", log.report());
}

#[test]
fn characters_are_replaced_in_the_whole_line() {
    let line = "a\tb x".repeat(20_000);
    let log = fed(Svlog, &["-r", ".", "-R", "x", "-l", "10"], "s0\ne*\n", format!("{line}\n"));
    assert!(log.all() == line.replace(['\t', 'x'], ".") + "\n", "{}", log.report());
    assert_eq!(log.stderr(), "a.b .a.b .\u{2e}..\n");
}

#[test]
fn archives_sort_in_the_order_of_their_making_whatever_the_clock_says() {
    let at = |nanoseconds| Duration::new(4_000_000_000, nanoseconds);
    for (planted, next) in [
        (label(at(5)), Some(label(at(6)))),
        // Nobody says that the next second is not behind this one.
        (label(at(999_999_999)), None),
        ("@40000000ffffffffffffffff".to_owned(), None),
        ("@400000006b02fd8507dcfaba".replace("6b", "ff"), None),
    ] {
        for state in ['s', 'u'] {
            let mut log = Log::prepare(Svlog, "");
            log.plant(&format!("{planted}.{state}"), "future\n", 0o744);
            log.run();
            for count in 1..=3 {
                log.write(lines(count, count));
                log.until("the line", || log.current() == lines(count, count));
                log.tell(Signal::SIGALRM);
                assert_eq!(log.archives().len(), count + 1);
                if let (1, Some(next)) = (count, &next) {
                    assert_eq!(log.archives()[1], format!("{next}.s"));
                }
            }
            log.write("last\n");
            log.finish();
            assert_eq!(log.all(), format!("future\n{}last\n", lines(1, 3)), "{}", log.report());
        }
    }
}

#[test]
fn an_unclean_current_of_the_future_sorts_behind_all_others_too() {
    let planted = label(Duration::from_secs(4_000_000_000));
    let mut log = Log::prepare(Svlog, "");
    log.plant(&format!("{planted}.s"), "future\n", 0o744);
    log.plant("current", "unclean\n", 0o644);
    log.run();
    log.says("one\n", "future\nunclean\none\n");
    log.finish();
    assert_eq!(log.archives()[1][..25], label(Duration::new(4_000_000_000, 1)));
}

#[test]
fn the_oldest_archive_goes_whatever_the_clock_says() {
    let mut log = Log::prepare(Svlog, "n2\n");
    let future = [4_000_000_000, 4_100_000_000].map(|time| label(Duration::from_secs(time)) + ".s");
    for (name, text) in future.iter().zip(["1\n", "2\n"]) {
        log.plant(name, text, 0o744);
    }
    log.run();
    log.says("3\n", "1\n2\n3\n");
    log.tell(Signal::SIGALRM);
    assert_eq!(log.all(), "2\n3\n");
    log.says("4\n", "2\n3\n4\n");
    log.tell(Signal::SIGALRM);
    assert_eq!(log.all(), "3\n4\n");
    log.finish();
}

#[test]
fn a_name_that_no_clock_could_make_does_no_harm() {
    for name in ["@ffffffffffffffffffffffff.s", "@zzzzzzzzzzzzzzzzzzzzzzzz.s", "@                        .u"]
    {
        let mut log = Log::prepare(Svlog, "n3\n");
        log.plant(name, "odd\n", 0o744);
        log.run();
        for count in 1..=6 {
            log.write(lines(count, count));
            log.until("the line", || log.current() == lines(count, count));
            log.tell(Signal::SIGALRM);
            assert_eq!(log.current(), "", "{name}");
        }
        log.write("last\n");
        log.finish();
        let all = log.all().replace("odd\n", "");
        assert_eq!(all, lines(6 + 1 - all.lines().count() + 1, 6) + "last\n", "{name}: {}", log.report());
        assert!(log.archives().len() >= 3, "{name}: {}", log.report());
    }
}

#[test]
fn a_current_that_is_removed_is_made_again() {
    let mut log = Log::start(Svlog, &[], "");
    log.says("one\n", "one\n");
    fs::remove_file(log.at("current")).unwrap();
    log.says("two\n", "two\n");
    assert_eq!((mode(&log.at("current")), log.stderr().lines().count()), (0o644, 1), "{}", log.stderr());
    // With nothing to write, a rotation does no harm.
    fs::remove_file(log.at("current")).unwrap();
    log.tell(Signal::SIGALRM);
    log.says("three\n", "three\n");
    log.finish();
    assert_eq!(mode(&log.at("current")), 0o744);
}

/// Writes numbered lines until one of them is seen, and asserts that `all` has each of them, in order.
fn until_seen(log: &Log, seen: impl Fn() -> bool, all: impl Fn() -> String) {
    let deadline = Instant::now() + DEADLINE;
    let mut written = 0;
    while !seen() {
        assert!(Instant::now() < deadline, "{}", log.report());
        written += 1;
        log.write(lines(written, written));
        log.until("the line", || all().ends_with(&lines(written, written)));
    }
    assert_eq!(all(), lines(1, written));
}

#[test]
fn a_current_that_is_replaced_is_noticed() {
    let mut log = Log::start(Svlog, &[], "");
    log.says("one\n", "one\n");
    fs::rename(log.at("current"), log.path("away")).unwrap();
    fs::write(log.at("current"), "").unwrap();
    let replaced = Instant::now();
    let all = || log.text("away").replacen("one\n", "", 1) + &log.all();
    until_seen(&log, || !log.all().is_empty(), all);
    assert!(replaced.elapsed() < DEADLINE / 2, "{:?}", replaced.elapsed());
    assert_eq!(mode(&log.at("current")), 0o644);
    log.finish();
    // Or moved away alone, as others rotate.
    let mut log = Log::start(Svlog, &[], "");
    log.says("one\n", "one\n");
    fs::rename(log.at("current"), log.path("away")).unwrap();
    let all = || log.text("away").replacen("one\n", "", 1) + &log.all();
    until_seen(&log, || !log.all().is_empty(), all);
    log.finish();
}

#[test]
fn a_current_that_is_cut_goes_on_from_there() {
    let mut log = Log::start(Svlog, &[], "s2000\n");
    log.says(&lines(1, 80), &lines(1, 80));
    fs::OpenOptions::new().write(true).open(log.at("current")).unwrap().set_len(0).unwrap();
    log.says(&lines(81, 100), &lines(81, 100));
    log.finish();
    assert_eq!((log.archives().len(), log.all()), (0, lines(81, 100)));
}

#[test]
fn a_directory_that_is_removed_is_made_again() {
    let mut log = Log::prepare(Svlog, "pP:\n");
    fs::set_permissions(log.at(""), std::os::unix::fs::PermissionsExt::from_mode(0o750)).unwrap();
    log.run();
    log.says("one\n", "P:one\n");
    fs::remove_dir_all(log.at("")).unwrap();
    log.says("two\n", "two\n");
    assert_eq!((mode(&log.at("")), mode(&log.at("current")), mode(&log.at("lock"))), (0o750, 0o644, 0o600));
    // Rotation works there, and another logger has no place there.
    log.tell(Signal::SIGALRM);
    assert_eq!(log.archives().len(), 1);
    let second = run(link("svlog").arg("log").current_dir(log.scratch.path()));
    assert_eq!(second.status, 111, "{second:?}");
    log.says("three\n", "two\nthree\n");
    log.finish();
    assert_eq!(mode(&log.at("current")), 0o744);
}

#[test]
fn a_directory_that_is_replaced_is_noticed() {
    let mut log = Log::start(Svlog, &[], "");
    log.says("one\n", "one\n");
    fs::rename(log.path("log"), log.path("away")).unwrap();
    fs::create_dir(log.path("log")).unwrap();
    log.configure("s2000\n");
    let all = || log.text("away/current").replacen("one\n", "", 1) + &log.all();
    until_seen(&log, || !log.all().is_empty(), all);
    // By its own config.
    let before = log.all();
    log.write(lines(1, 500));
    log.finish();
    assert_eq!(log.all(), before + &lines(1, 500));
    assert!(log.archives().len() >= 5, "{}", log.report());
}

#[test]
fn a_directory_that_is_moved_away_is_made_again() {
    let mut log = Log::start(Svlog, &[], "");
    log.says("one\n", "one\n");
    fs::rename(log.path("log"), log.path("away")).unwrap();
    let all = || log.text("away/current").replacen("one\n", "", 1) + &log.all();
    until_seen(&log, || !log.all().is_empty(), all);
    log.finish();
    assert_eq!(log.names(), ["current", "lock"]);
}

#[test]
fn a_directory_that_is_removed_takes_none_of_the_others_with_it() {
    let mut log = Log::prepare(Svlog, "");
    log.add("other", "");
    log.run();
    log.says("one\n", "one\n");
    fs::remove_dir_all(log.path("other")).unwrap();
    log.says("two\n", "one\ntwo\n");
    log.until("two", || log.all_of("other") == "two\n");
    fs::remove_dir_all(log.path("log")).unwrap();
    log.write("three\n");
    log.until("three", || log.all() == "three\n" && log.all_of("other") == "two\nthree\n");
    log.finish();
}

#[test]
fn a_second_logger_learns_that_there_is_one() {
    let mut log = Log::start(Svlog, &[], "");
    log.says("one\n", "one\n");
    let second = run(link("svlog").args(["log", "."]).current_dir(log.scratch.path()).arg("log"));
    // It has the one that is free.
    assert_eq!(second.status, 0, "{second:?}");
    assert_eq!(
        second.stderr.lines().filter(|line| line.contains("another process")).count(),
        2,
        "{second:?}"
    );
    let second = run(link("svlog").arg("log").current_dir(log.scratch.path()));
    let text = "another process has locked this log directory and writes to it";
    let fatal = "svlog: fatal: no functional log directories\n";
    assert_eq!(second, fails(111, format!("svlog log: warning: {text}\n{fatal}")));
    log.says("two\n", "one\ntwo\n");
    log.finish();
}

#[test]
fn a_lock_that_a_processor_just_started_has_for_a_moment_is_waited_for() {
    let mut log = Log::prepare(Svlog, "");
    // As the child of a logger that was killed between the fork of the processor and its exec.
    let lock = std::fs::File::create(log.scratch.path().join("log/lock")).unwrap();
    let lock = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusiveNonblock).unwrap();
    let freed = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(50));
        drop(lock);
    });
    log.run();
    log.says("one\n", "one\n");
    freed.join().unwrap();
    log.finish();
}

#[test]
fn lines_that_came_together_have_one_stamp() {
    for option in ["-t", "-tt"] {
        let mut log = Log::prepare(Svlog, "");
        log.add("other", "");
        log.set_options(&[option]);
        log.run();
        // A pipe takes so much in one piece.
        log.write(lines(1, 200));
        log.finish();
        let all = log.all();
        let stamps: Vec<&str> = all.lines().map(|line| &line[..25]).collect();
        assert_eq!(stamps, vec![stamps[0]; 200]);
        assert_eq!(log.all_of("other"), all);
    }
}

#[test]
fn no_line_is_cut_by_a_rotation() {
    // However long, and however small the size.
    let line = |number: usize| format!("{number:05} {}\n", "x".repeat(number * 7919 % 3000));
    let input: String = (1..=100).map(line).collect();
    for config in ["s100\nn0\n", "s1000\nn0\n", "s4000\nn0\n"] {
        let log = fed(Svlog, &[], config, &input);
        assert!(log.all() == input, "{config} {}", log.report());
        for name in log.archives() {
            let text = log.read(&name);
            assert!(text.lines().all(|found| found.as_bytes()[5] == b' '), "{config} {name}");
            assert!(text.ends_with('\n'), "{config} {name} is cut");
        }
        assert!(log.archives().len() > 20, "{config} {}", log.report());
    }
}

#[test]
fn a_line_longer_than_a_batch_is_not_cut_by_a_rotation() {
    let long = "0123456789".repeat(10_000);
    for config in ["s110000\nn0\n", "s200000\nn0\n"] {
        let log = fed(Svlog, &[], config, format!("{}{long}\nthree\n", lines(1, 9000)));
        assert!(log.all() == format!("{}{long}\nthree\n", lines(1, 9000)), "{config} {}", log.report());
        let files: Vec<String> = log.archives().into_iter().chain(["current".into()]).collect();
        let whole = files.iter().any(|name| log.read(name).lines().any(|line| line == long));
        assert!(whole && files.len() == 2, "{config} {}", log.report());
    }
    // One that is longer than an archive may be has several: it could be endless.
    let log = fed(Svlog, &[], "s20000\nn0\n", format!("one\n{long}\nthree\n"));
    assert!(log.all() == format!("one\n{long}\nthree\n") && log.archives().len() > 2, "{}", log.report());
}

#[test]
fn a_rotation_waits_for_the_end_of_a_long_line() {
    let long = "0123456789".repeat(4000);
    for age in [false, true] {
        let mut log = Log::start(Svlog, &[], if age { "s0\nt1\n" } else { "s0\n" });
        log.write(&long);
        log.until("the first piece", || log.all().len() >= 4096);
        if age {
            let started = Instant::now();
            log.until("a second and more", || started.elapsed() > Duration::from_millis(1500));
        } else {
            log.tell(Signal::SIGALRM);
        }
        log.write("end\nnext\n");
        log.until("the next line", || log.all() == format!("{long}end\nnext\n"));
        log.finish(); // the rotation may be under way until then
        let files: Vec<String> = log.archives().into_iter().chain(["current".into()]).collect();
        let whole = files.iter().any(|name| log.read(name).contains(&format!("{long}end\n")));
        assert!(whole, "{}", log.report());
    }
}

#[test]
fn a_long_line_is_written_piece_by_piece() {
    let mut log = Log::start(Svlog, &["-tt"], "pP:\ne*\n");
    let long = "0123456789".repeat(10_000);
    let mut parts = long.as_bytes().chunks(20_000);
    for part in parts.by_ref() {
        log.write(part);
    }
    // It is not kept in memory until it ends.
    log.until("most of it", || log.all().len() >= 80_000);
    log.write("\nnext\n");
    log.finish();
    let all = log.all();
    let lines: Vec<&str> = all.lines().map(|line| &line[25..]).collect();
    assert_eq!(lines, [format!(" P:{long}"), " P:next".into()]);
    assert_eq!(log.stderr().lines().count(), 2);
}

#[test]
fn a_long_line_is_selected_by_its_beginning_or_not() {
    let long = "0123456789".repeat(5000);
    let config = "s0\n-drop*\nedrop*\n";
    let input = format!("keep {long}\ndrop {long}\nlast {long}\n");
    let log = fed(Svlog, &["-l", "20"], config, &input);
    assert!(log.all() == format!("keep {long}\nlast {long}\n"), "{}", log.report());
    assert_eq!(log.stderr(), "drop 012345678901234...\n");
    // And where its end is a line that no pattern is for.
    let log = fed(Svlog, &[], "s0\n-*\n+last*\n", format!("drop {long}\nlast {long}"));
    assert!(log.all() == format!("last {long}\n"), "{}", log.report());
}

#[test]
fn a_logger_that_is_killed_in_a_line_loses_none_of_it() {
    for length in [5, 5000, 40_000] {
        let mut log = Log::prepare(Svlog, "s0\n");
        log.hold_pipe();
        log.run();
        log.says("one\n", "one\n");
        let half = "0123456789".repeat(length / 10 + 1);
        log.write(&half);
        if length > 16_384 {
            log.until("a piece", || log.all().len() > 4096);
        }
        log.kill();
        log.run();
        log.says("end\nthree\n", &format!("one\n{half}end\nthree\n"));
        log.finish();
        // And it is one line.
        assert_eq!((log.archives().len(), log.all().lines().count()), (0, 3), "{}", log.report());
    }
}

#[test]
fn a_line_longer_than_a_small_pipe_comes_through() {
    // As the kernel gives them to those who have many.
    for size in [4096, 8192] {
        let mut log = Log::prepare(Svlog, "s0\n");
        log.run();
        log.set_pipe_size(size);
        let long = "0123456789".repeat(3000);
        log.says(&format!("one\n{long}\nthree\n"), &format!("one\n{long}\nthree\n"));
        log.finish();
    }
}

#[test]
fn bytes_that_come_one_by_one_come_through() {
    let mut log = Log::start(Svlog, &[], "");
    let text = format!("{}\nlast\n", "0123456789".repeat(400));
    for byte in text.as_bytes() {
        log.write([*byte]);
    }
    log.until_all(&text);
    log.finish();
}

#[test]
fn its_memory_does_not_grow_while_it_works() {
    let mut log = Log::prepare(Svlog, "");
    log.add("other", "s2000\n!cat\n");
    log.set_options(&["-tt"]);
    log.run();
    let figures = [1, 2, 3, 4].map(|round: usize| {
        for turn in 1..=40 {
            let rules: String =
                (0..turn * round % 50).map(|n| format!("-nothing{n}*")).collect::<Vec<_>>().join("\n");
            log.configure(&format!("p{}\ne*never*\n{rules}\n", "prefix ".repeat(turn)));
            log.tell(Signal::SIGHUP);
            log.write(lines(1, 100) + &"x".repeat(turn * 500) + "\n");
            log.until("the lines", || log.current().ends_with(&("x".repeat(turn * 500) + "\n")));
            log.tell(Signal::SIGALRM);
        }
        fs::remove_dir_all(log.path("log")).unwrap();
        log.write("end\n");
        log.until("the end", || log.current().ends_with(" end\n"));
        log.settle();
        memory(log.pid())
    });
    tell(&format!("svlog, at work: {figures:?} kB"));
    // After the first round it has all the pages of its program that it needs.
    assert!(figures[3] <= figures[1] + 16, "{figures:?} kB");
    log.finish();
}

#[test]
fn input_other_than_a_pipe_is_read_too() {
    let input = lines(1, 20_000) + "last";
    let mut log = Log::prepare(Svlog, "s0\n");
    fs::write(log.path("input"), &input).unwrap();
    let mut command = log.command();
    command.stdin(fs::File::open(log.path("input")).unwrap());
    log.spawn_as_it_is(command);
    assert_eq!(log.ended(), 0);
    assert!(log.all() == format!("{input}\n"), "{}", log.report());
    assert_eq!(log.names(), ["config", "current", "lock"]);
    // A socket, as of another supervisor.
    let mut log = Log::prepare(Svlog, "s0\n");
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut command = log.command();
    command.stdin(std::os::fd::OwnedFd::from(theirs));
    log.spawn_as_it_is(command);
    std::io::Write::write_all(&mut &ours, input.as_bytes()).unwrap();
    drop(ours);
    assert_eq!(log.ended(), 0);
    assert!(log.all() == format!("{input}\n"), "{}", log.report());
}

#[test]
fn a_closed_input_is_an_end_or_a_failure_but_no_loop() {
    let mut log = Log::prepare(Svlog, "");
    log.spawn_as_it_is(log.command_behind("exec \"$@\" <&-"));
    let status = log.ended();
    assert!(status == 0 || status == 111 && !log.stderr().is_empty(), "{status} {}", log.report());
}

#[test]
fn a_directory_that_cannot_be_made_again_is_no_loop() {
    let mut log = Log::prepare(Svlog, "");
    fs::create_dir_all(log.path("parent/log")).unwrap();
    fs::write(log.path("parent/log/config"), "t1\n").unwrap();
    log.set_directories(&["parent/log"]);
    log.run();
    log.write("one\n");
    log.until("the line", || log.all_of("parent/log") == "one\n");
    // While it makes no new file there.
    log.signal(Signal::SIGSTOP);
    log.until("a stop", || state(log.pid()) == Some('T'));
    fs::remove_dir_all(log.path("parent")).unwrap();
    log.signal(Signal::SIGCONT);
    log.until_said("removed or replaced");
    let started = Instant::now();
    log.until("some seconds", || started.elapsed() > Duration::from_millis(2500));
    assert!(log.stderr().lines().count() < 10, "{}", log.report());
    fs::create_dir(log.path("parent")).unwrap();
    log.write("two\n");
    log.until("the next line", || log.all_of("parent/log").ends_with("two\n"));
    log.term();
}

#[test]
fn a_record_that_is_cut_does_not_end_it() {
    let mut log = Log::start(Svlog, &[], "");
    log.says("one\n", "one\n");
    fs::write(log.at("batch"), "").unwrap();
    log.says("two\n", "one\ntwo\n");
    log.until_said("batch");
    log.finish();
}

#[test]
fn anything_else_called_batch_is_left_alone() {
    let mut log = Log::prepare(Svlog, "");
    log.plant("batch", "not ours\n", 0o644);
    log.run();
    log.says("one\n", "one\n");
    log.finish();
    assert_eq!(log.read("batch"), "not ours\n");
    assert!(log.stderr().contains("batch"), "{}", log.stderr());
}
