//! A disk that is full: what the logger does then, by the line `o` of its config, and what is lost.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::harness::*;
use crate::needs;
use crate::support::*;

both!(svlog; archives_are_deleted_for_room_down_to_a_number, lines_wait_for_room_and_none_is_lost);

/// A log on a disk of this size in kB, whose pipe the test holds; the logger runs and has logged the first line.
fn started(of: Program, options: &[&str], config: &str, kilobytes: u32) -> Log {
    let mut log = Log::prepare(of, "");
    log.mount_disk(kilobytes);
    log.configure(config);
    log.set_options(options);
    log.hold_pipe();
    log.run();
    log.write(lines(1, 1));
    log.until("the first line", || log.all().ends_with(&lines(1, 1)));
    log
}

/// Writes the numbered lines from `next` on until the logger, which the disk keeps, leaves them in the pipe;
/// returns the number of the next one.
fn write_until_full(log: &Log, mut next: usize) -> usize {
    let deadline = Instant::now() + DEADLINE;
    let mut full = None;
    loop {
        assert!(Instant::now() < deadline, "the pipe does not fill\n{}", log.report());
        if log.try_write(&lines(next, next)) {
            next += 1;
            full = None;
        } else if full.get_or_insert_with(Instant::now).elapsed() > Duration::from_millis(300)
            && log.stderr().contains("unable to write to current")
        {
            return next;
        }
    }
}

/// Waits until the logger has tried `count` times more to write.
fn until_tried(log: &Log, count: u64) {
    let before = writes(log.pid());
    log.until("another try", || writes(log.pid()) >= before + count);
}

/// Ends the logger by TERM, and returns how long that took.
fn term(log: &mut Log) -> (i32, Duration) {
    let asked = Instant::now();
    log.signal(Signal::SIGTERM);
    (log.ended(), asked.elapsed())
}

fn lines_wait_for_room_and_none_is_lost(of: Program) {
    needs!(mounts());
    let mut log = started(of, &[], "s0\n", 512);
    log.fill();
    let next = write_until_full(&log, 2);
    assert!(next > 5000, "the service does not wait");
    log.free();
    log.write(lines(next, next + 1));
    log.until_all(&lines(1, next + 1));
    log.finish();
    assert_eq!(log.all(), lines(1, next + 1));
}

fn archives_are_deleted_for_room_down_to_a_number(of: Program) {
    needs!(mounts());
    let mut log = Log::prepare(of, "");
    log.mount_disk(256);
    log.configure("s0\nn5\nN2\n");
    for n in 1..=4 {
        log.plant(&old_archive(n, 's'), &lines(1, 1500), 0o744);
    }
    log.hold_pipe();
    log.run();
    log.fill();
    // Room for the first two archives, and no more of them goes.
    log.write(lines(1, 3000));
    log.until("two archives", || log.archives() == [3, 4].map(|n| old_archive(n, 's')));
    let next = write_until_full(&log, 3001);
    assert_eq!(log.archives(), [3, 4].map(|n| old_archive(n, 's')));
    log.free();
    log.until("all", || log.current() == lines(1, next - 1));
    log.finish();
    let warnings = log.stderr();
    for n in [1, 2] {
        let name = old_archive(n, 's');
        assert_eq!(warnings.lines().filter(|line| line.contains(&name)).count(), 1, "{warnings}");
    }
}

#[test]
fn it_is_reported_once_and_retried_each_second() {
    needs!(mounts());
    for config in ["s0\n", "s0\noblock\n"] {
        let mut log = started(Svlog, &["-t"], config, 512);
        log.fill();
        log.write(lines(2, 3000));
        log.until_said("unable to write to current");
        let (since, before) = (Instant::now(), writes(log.pid()));
        until_tried(&log, 3);
        assert!(since.elapsed() > Duration::from_millis(1500), "{:?}", since.elapsed());
        assert!(writes(log.pid()) < before + 30);
        let stderr = log.stderr();
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(
            log.warns(&stderr, &["unable to write to current", says(nix::errno::Errno::ENOSPC)]),
            "{stderr}"
        );
        // What is written is whole, but for the moment in which the next try is taken back.
        log.until("whole lines", || log.current().ends_with('\n'));
        log.free();
        log.until("all lines", || log.all().lines().count() == 3000);
        assert_eq!(behind(&log.all(), 26), lines(1, 3000));
        // And once more when it is full again.
        log.fill();
        log.write(lines(3001, 8000));
        log.until("said again", || log.stderr().lines().count() == 2);
        log.free();
        log.until("all lines", || log.all().lines().count() == 8000);
        log.finish();
        assert_eq!(log.stderr().lines().count(), 2, "{}", log.stderr());
    }
}

#[test]
fn memory_does_not_grow_while_the_disk_is_full() {
    needs!(mounts());
    for policy in ["block", "oldest", "new"] {
        let mut log = started(Svlog, &[], &format!("s0\no {policy}\n"), 2048);
        let mut next = 2;
        // After the first time it has all the pages of its program that it needs.
        let figures = [1, 2, 3].map(|round| {
            log.fill();
            if policy == "new" {
                log.write(lines(next, next + 50_000));
                next += 50_001;
                log.until_said("dropping");
            } else {
                next = write_until_full(&log, next);
                until_tried(&log, 2);
            }
            log.settle();
            let figure = memory(log.pid());
            log.free();
            if policy != "new" {
                log.until("all lines", || log.all() == lines(1, next - 1));
            }
            log.write(lines(next, next));
            log.until(&format!("a line, round {round}"), || log.all().ends_with(&lines(next, next)));
            next += 1;
            figure
        });
        tell(&format!("svlog, full disk, o {policy}: {figures:?} kB"));
        assert!(figures[2] <= figures[0] + 32, "{policy}: {figures:?} kB");
        log.finish();
    }
}

#[test]
fn term_ends_it_within_a_second_and_leaves_the_lines() {
    needs!(mounts());
    for policy in ["block", "oldest"] {
        // The best of some: the machine may be busy.
        let time = assert_within(Duration::from_secs(1), || {
            let mut log = started(Svlog, &[], &format!("s0\no {policy}\n"), 256);
            log.fill();
            let next = write_until_full(&log, 2);
            let (status, time) = term(&mut log);
            assert_eq!(status, 0, "{}", log.report());
            let all = log.all();
            assert!(all.ends_with('\n'), "{}", log.report());
            assert_eq!(all + &log.left(), lines(1, next - 1), "{}", log.report());
            time
        });
        tell(&format!("svlog, full disk, o {policy}: ended by TERM after {time:?}"));
    }
}

#[test]
fn the_next_logger_has_what_was_left_in_the_pipe() {
    needs!(mounts());
    let mut log = started(Svlog, &[], "s0\n", 256);
    log.fill();
    let next = write_until_full(&log, 2);
    log.term();
    // Still full, and it has to leave at once.
    log.run();
    log.until("said again", || log.stderr().lines().count() > 1);
    log.term();
    log.free();
    log.run();
    log.until_all(&lines(1, next - 1));
    log.says(&lines(next, next), &lines(1, next));
    log.finish();
}

#[test]
fn lines_that_nobody_can_read_any_more_are_counted() {
    needs!(mounts());
    let mut log = Log::prepare(Svlog, "");
    log.mount_disk(256);
    log.configure("s0\n");
    log.run();
    log.fill();
    log.write(lines(1, 2000));
    log.until_said("unable to write to current");
    let asked = Instant::now();
    log.signal(Signal::SIGTERM);
    assert_eq!(log.ended(), 111, "{}", log.report());
    assert!(asked.elapsed() < DEADLINE / 2);
    let logged = log.all().len();
    assert!(log.all() == lines(1, logged / 11), "{}", log.report());
    let lost = lines(1, 2000).len() - logged;
    log.until_said(&format!("{lost} bytes could not be written; they are lost"));
}

#[test]
fn hup_and_alrm_act_at_once_on_a_full_disk() {
    needs!(mounts());
    let mut log = started(Svlog, &[], "s0\n", 256);
    log.fill();
    let next = write_until_full(&log, 2);
    log.tell(Signal::SIGALRM);
    assert_eq!((log.archives().len(), log.current().len() % 11), (1, 0), "{}", log.report());
    // The service can go on.
    log.configure("s0\no new\n");
    log.tell(Signal::SIGHUP);
    log.write(lines(next, 50_000));
    log.free();
    log.until("the count", || log.all().contains(" lines dropped: "));
    log.finish();
    assert_counted(&log, 50_000);
}

/// Asserts that each line that is not logged was counted, and none is torn.
fn assert_counted(log: &Log, total: usize) {
    let (mut logged, mut dropped, mut last) = (0, 0, 0);
    for line in log.all().lines() {
        if let Some(number) = line.strip_prefix("line ") {
            let number: usize = number.trim().parse().unwrap();
            assert!(number > last, "{line} behind {last}");
            (logged, last) = (logged + 1, number);
        } else {
            let count = line.strip_prefix("svlog: warning: ").and_then(|line| line.split_once(' '));
            let (count, rest) = count.unwrap_or_else(|| panic!("{line}"));
            assert_eq!(rest, format!("lines dropped: {}", says(nix::errno::Errno::ENOSPC)));
            dropped += count.parse::<usize>().unwrap();
        }
    }
    assert_eq!(logged + dropped, total, "{logged} logged, {dropped} dropped\n{}", log.report());
    assert!(dropped > 0);
}

#[test]
fn new_lines_are_dropped_and_counted() {
    needs!(mounts());
    for policy in ["o new", "onew"] {
        let mut log = started(Svlog, &[], &format!("s0\n{policy}\n"), 256);
        for round in 0..3 {
            let first = 2 + round * 20_000;
            log.fill();
            // More than a pipe takes: the service does not wait.
            log.write(lines(first, first + 19_998));
            log.settle();
            log.free();
            // It is said by itself, once there is room.
            log.until("the count", || log.all().lines().last().is_some_and(|line| line.contains("dropped")));
            log.write(lines(first + 19_999, first + 19_999));
            log.until("a line", || log.all().ends_with(&lines(first + 19_999, first + 19_999)));
        }
        log.finish();
        assert_counted(&log, 60_001);
        // Once for each time that the disk was full, and a few more: what says it may find room where lines find
        // none.
        let said = log.all().lines().filter(|line| line.contains("dropped")).count();
        assert!((3..=9).contains(&said), "{said} times in the log");
        let said = log.stderr().lines().count();
        assert!((3..=9).contains(&said), "{said} times on stderr");
    }
}

#[test]
fn the_report_of_dropped_lines_has_a_stamp_too() {
    needs!(mounts());
    let mut log = started(Svlog, &["-tt"], "s0\no new\n", 256);
    log.fill();
    log.write(lines(2, 20_000));
    log.until_said("dropping");
    log.free();
    log.until("the count", || {
        log.all().contains(&format!(" lines dropped: {}\n", says(nix::errno::Errno::ENOSPC)))
    });
    let all = log.all(); // whose last line may be on its way
    for line in all[..=all.rfind('\n').unwrap()].lines() {
        date_time(&line[..25], '_');
        assert!(["line ", "svlog"].contains(&&line[26..31]), "{line}");
    }
    log.finish();
}

#[test]
fn term_ends_it_within_a_second_while_lines_are_dropped() {
    needs!(mounts());
    let time = assert_within(Duration::from_secs(1), || {
        let mut log = started(Svlog, &[], "s0\no new\n", 256);
        log.fill();
        log.write(lines(2, 20_000));
        log.until_said("dropping");
        let (status, time) = term(&mut log);
        assert_eq!((status, log.left().as_str()), (0, ""), "{}", log.report());
        time
    });
    tell(&format!("svlog, full disk, o new: ended by TERM after {time:?}"));
}

#[test]
fn the_oldest_archives_are_deleted_for_room() {
    needs!(mounts());
    let mut log = Log::prepare(Svlog, "");
    log.mount_disk(256);
    log.configure("s0\nn9\nN8\nooldest\n");
    for n in 1..=6 {
        log.plant(&old_archive(n, 's'), &lines(1, 1000), 0o744);
    }
    log.hold_pipe();
    log.run();
    log.fill();
    let mut next = 1;
    for gone in 1..=6 {
        let left: Vec<String> = (gone + 1..=6).map(|n| old_archive(n, 's')).collect();
        while log.archives() != left {
            // Never more than one goes for a line.
            assert!(log.archives().len() <= left.len() + 1, "{}", log.report());
            log.write(lines(next, next));
            log.until("the line", || log.current().len() == 11 * next);
            next += 1;
        }
    }
    // None is left: now they wait.
    let next = write_until_full(&log, next);
    log.free();
    log.until("all", || log.all() == lines(1, next - 1));
    log.finish();
    let stderr = log.stderr();
    assert_eq!(stderr.lines().filter(|line| line.contains(".s")).count(), 6, "{stderr}");
}

#[test]
fn its_own_archives_are_deleted_for_room_too() {
    needs!(mounts());
    let mut log = started(Svlog, &[], "s20000\nn50\no oldest\n", 256);
    log.write(lines(2, 99_999));
    log.until("the last line", || log.all().ends_with(&lines(99_999, 99_999)));
    log.finish();
    let all = log.all();
    assert!(all.len() > 150_000, "{}", log.report());
    assert_eq!(all, lines(100_000 - all.len() / 11, 99_999), "{}", log.report());
}

#[test]
fn a_disk_that_is_full_at_the_start_is_waited_for() {
    needs!(mounts());
    for policy in ["block", "oldest"] {
        let mut log = Log::prepare(Svlog, "");
        log.mount_disk(256);
        log.configure(&format!("o {policy}\n"));
        log.plant("current", &lines(1, 10), 0o744);
        log.fill();
        log.hold_pipe();
        log.run();
        log.write(lines(11, 5000));
        log.until_said("unable to write to current");
        log.free();
        log.until_all(&lines(1, 5000));
        log.finish();
    }
}

#[test]
fn one_full_disk_of_two_keeps_both_and_nothing_comes_twice() {
    needs!(mounts());
    for full in ["log", "other"] {
        let mut log = Log::prepare(Svlog, "");
        if full == "other" {
            log.set_directories(&[]);
        }
        log.add("other", "");
        if full == "other" {
            log.set_directories(&["other", "log"]);
        }
        log.mount_disk(256);
        log.hold_pipe();
        log.run();
        log.fill();
        let next = write_until_full(&log, 1);
        log.term();
        log.run();
        log.until("said again", || log.stderr().matches("unable to write to current").count() == 2);
        log.free();
        log.until("all", || log.all() == lines(1, next - 1) && log.all_of("other") == lines(1, next - 1));
        log.finish();
    }
}

#[test]
fn a_timeout_on_a_full_disk_is_no_loop() {
    needs!(mounts());
    for policy in ["block", "new"] {
        let mut log = started(Svlog, &[], &format!("s0\nt1\no {policy}\n"), 256);
        log.fill();
        log.write(lines(2, 4000));
        log.until_said("unable to write to current");
        let since = Instant::now();
        log.until("some more time", || since.elapsed() > Duration::from_secs(3));
        assert!(log.stderr().lines().count() < 20, "{policy}: {}", log.report());
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", log.pid())).unwrap();
        let fields: Vec<u64> = stat
            .rsplit_once(") ")
            .unwrap()
            .1
            .split(' ')
            .skip(11)
            .take(2)
            .map(|n| n.parse().unwrap())
            .collect();
        assert!(fields.iter().sum::<u64>() < 100, "{policy}: {fields:?} ticks");
        log.free();
        log.until("what waited", || {
            let all = log.all();
            if policy == "new" { all.contains("dropped") } else { all == lines(1, 4000) }
        });
        log.finish();
    }
}

#[test]
fn a_processor_that_has_no_room_is_tried_again() {
    needs!(mounts());
    let mut log = started(Svlog, &[], "s0\n!cat\n", 256);
    log.write(lines(2, 3000));
    log.until_all(&lines(1, 3000));
    log.fill();
    log.tell(Signal::SIGALRM);
    log.until_said("processor");
    log.free();
    log.until_processed(1);
    log.finish();
    assert_eq!(log.all(), lines(1, 3000));
}

#[test]
fn dropped_parts_of_a_long_line_are_counted_too() {
    needs!(mounts());
    let mut log = started(Svlog, &[], "s0\no new\n", 256);
    let long = "0123456789".repeat(4000);
    log.write(&long[..20_000]);
    log.until("a piece", || log.all().len() > 4096);
    log.fill();
    log.write(&long[20_000..]);
    log.until_said("dropping");
    log.free();
    log.write("end\nnext\n");
    log.until("the next line", || log.all().lines().any(|line| line == "next"));
    log.finish();
    // It has lost a part, and the count stands on a line of its own.
    assert!(!log.all().contains(&long), "{}", log.report());
    let counts = |line: &str| line.starts_with("svlog: warning: ") && line.contains(" lines dropped: ");
    assert!(log.all().lines().any(counts), "{}", log.report());
}

#[test]
fn a_current_that_is_no_file_is_waited_for_like_a_full_disk() {
    let mut log = Log::prepare(Svlog, "");
    std::fs::create_dir(log.at("current")).unwrap();
    log.hold_pipe();
    log.spawn(log.command());
    log.write("one\n");
    log.until_said("current");
    let (status, time) = term(&mut log);
    assert!(status == 0 && time < DEADLINE / 2, "{status} {time:?}");
    log.spawn(log.command());
    log.write("two\n");
    log.until("said again", || log.stderr().lines().count() > 2);
    std::fs::remove_dir(log.at("current")).unwrap();
    log.until_all("one\ntwo\n");
    log.finish();
    assert!(log.stderr().lines().count() < 8, "{}", log.stderr());
}

#[test]
fn a_timeout_in_a_directory_that_is_gone_is_no_loop() {
    let log = Log::start(Svlog, &[], "t1\n");
    log.says("one\n", "one\n");
    std::fs::rename(log.path("log"), log.path("away")).unwrap();
    std::fs::write(log.path("log"), "").unwrap();
    let since = Instant::now();
    log.until("some time", || since.elapsed() > Duration::from_secs(3));
    assert!(log.stderr().lines().count() < 20, "{} lines\n{}", log.stderr().lines().count(), log.report());
}

#[test]
fn at_the_end_of_its_input_it_does_not_wait_for_room_and_its_status_tells() {
    needs!(mounts());
    let mut log = Log::prepare(Svlog, "");
    log.mount_disk(256);
    log.configure("s0\n");
    log.run();
    log.fill();
    log.write(lines(1, 2000));
    log.close();
    assert_eq!(log.ended(), 111, "{}", log.report());
    let logged = log.all().len();
    assert!(log.all() == lines(1, logged / 11), "{}", log.report());
    let lost = lines(1, 2000).len() - logged;
    log.until_said(&format!("{lost} bytes could not be written; they are lost"));
    // Also where somebody else holds the pipe, who may be the next logger, or a shell.
    let mut log = Log::prepare(Svlog, "");
    log.hold_pipe();
    std::fs::create_dir(log.at("current")).unwrap();
    log.spawn(log.command());
    log.write("one\n");
    log.close_writer();
    assert_eq!(log.ended(), 111, "{}", log.report());
    assert!(log.stderr().contains("4 bytes could not be written; they stay in the pipe"), "{}", log.stderr());
    assert_eq!(log.left(), "one\n");
    // Nor for a current that is none; and what came from a file is counted as far as it was read.
    for input in ["(go; echo one) |", "(go; echo one; echo two) | cat |", "echo one >input; <input"] {
        let directory = open_directory();
        // Not before the shell has closed its own end of the pipe: it would be another reader.
        let script = "go() { until [ -e go ]; do sleep 0.01; done; }; mkdir d; mkfifo d/current";
        let line = format!("{script}; {input} {}/svlog d & >go; wait $!", bin().display());
        let seen = run_in(directory.path(), &line);
        assert_eq!(seen.status, 111, "{seen:?}");
        assert!(seen.stderr.ends_with(" bytes could not be written; they are lost\n"), "{seen:?}");
    }
}

#[test]
fn dropped_lines_of_which_the_log_cannot_tell_are_in_the_status() {
    needs!(mounts());
    let mut log = Log::prepare(Svlog, "onew\n");
    std::fs::create_dir(log.at("current")).unwrap();
    log.spawn(log.command());
    log.write("one\ntwo\n");
    log.close();
    assert_eq!(log.ended(), 111, "{}", log.report());
    assert!(log.stderr().contains("2 lines were dropped; the log does not say so"), "{}", log.stderr());
}

#[test]
fn a_log_that_cannot_tell_of_dropped_lines_is_closed_all_the_same() {
    needs!(mounts());
    let mut log = Log::prepare(Svlog, "");
    log.mount_disk(256);
    log.configure("s0\nonew\n!read x <$D/gate; cat\n");
    let _gate = Gate::new(&log, "gate");
    log.run();
    log.says("one\n", "one\n");
    log.tell(Signal::SIGALRM);
    log.until_archives(2); // what it was given, and what it makes
    // A page, so that there is no room behind it for the notice.
    let page = "x".repeat(4095) + "\n";
    log.says(&page, &("one\n".to_owned() + &page));
    log.fill();
    log.write(lines(1, 10));
    log.until_said("dropping new lines");
    log.close();
    assert_eq!(log.ended(), 111, "{}", log.report());
    assert!(log.stderr().contains("10 lines were dropped; the log does not say so"), "{}", log.stderr());
    assert!(log.stderr().contains("killing the processor"), "{}", log.stderr());
    assert_eq!((log.current(), mode(&log.at("current"))), (page, 0o744), "{}", log.report());
    log.until("no processor", || log.processes().iter().all(|pid| !cmdline(*pid).contains("gate")));
}
