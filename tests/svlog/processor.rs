//! The processor of archives.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::harness::*;
use crate::needs;
use crate::support::*;

both!(svlog;
    a_processor_that_fails_is_started_again,
    a_processor_that_runs_is_waited_for_at_the_end,
    a_processor_works_on_each_archive,
    archives_of_the_processor_are_deleted_one_by_one,
    each_directory_has_its_own_processor,
    hup_changes_the_processor,
    leftover_output_is_deleted,
    the_processor_may_read_and_write_much,
    the_processor_runs_in_the_directory,
    the_state_is_handed_on,
);

/// Writes a line and has it rotated: the processor gets it.
fn rotate(log: &Log, line: &str) {
    log.write(line);
    log.until("the line", || log.current() == line);
    log.tell(Signal::SIGALRM);
    log.until("a rotation", || log.at("current").exists() && log.current().is_empty());
}

/// Asserts that the directory has nothing but this many archives and the usual files.
fn assert_clean(log: &Log, archives: usize) {
    let names = log.names();
    let others: Vec<&String> = names.iter().filter(|name| !name.starts_with('@')).collect();
    assert_eq!(others, ["config", "current", "lock", "state"], "{}", log.report());
    assert_eq!(log.archives().len(), archives, "{}", log.report());
    for name in log.archives() {
        assert!(kind(&name) == 's' && mode(&log.at(&name)) == 0o744, "{name} {:o}", mode(&log.at(&name)));
    }
}

fn a_processor_works_on_each_archive(of: Program) {
    let mut log = Log::start(of, &[], "!sed s/^/done:\\ /; echo end\n");
    rotate(&log, "one\n");
    log.until_processed(1);
    rotate(&log, "two\n");
    log.until_processed(2);
    log.write("three\n");
    log.finish();
    assert_eq!(log.all(), "done: one\nend\ndone: two\nend\nthree\n");
    assert_clean(&log, 2);
    assert_eq!((log.read("state").as_str(), log.stderr().as_str()), ("", ""));
}

#[test]
fn the_output_and_the_state_are_on_the_disk_before_the_archive_is_removed() {
    needs!(tool("strace"));
    let mut log = Log::prepare(Svlog, "!cat; echo state >&5\n");
    log.plant(&old_archive(1, 'u'), "left\n", 0o744);
    let trace = "exec strace -qq -y -o trace -e trace=fsync,unlink,unlinkat,rename,renameat,renameat2 \"$@\"";
    log.spawn(log.command_behind(trace));
    log.until_processed(1);
    log.finish();
    let trace = text(&log.path("trace"));
    let at = |words: [&str; 2]| {
        let found = trace.lines().position(|line| words.iter().all(|word| line.contains(word)));
        found.unwrap_or_else(|| panic!("no {words:?} in\n{trace}"))
    };
    let removed = at(["unlink", ".u"]);
    assert!(at(["fsync", ".t>"]) < removed && at(["fsync", "/newstate>"]) < removed, "{trace}");
    assert_eq!(log.read("state"), "state\n");
}

fn the_state_is_handed_on(of: Program) {
    let mut log = Log::start(of, &[], "!cat <&4; cat; { cat state; echo $(wc -l <state); } >&5\n");
    for (count, line) in ["one\n", "two\n", "three\n"].into_iter().enumerate() {
        rotate(&log, line);
        log.until_processed(count + 1);
        log.until("no new state", || !log.at("newstate").exists());
    }
    log.finish();
    assert_eq!(log.all(), "one\n0\ntwo\n0\n1\nthree\n");
    assert_eq!(log.read("state"), "0\n1\n2\n");
    assert_clean(&log, 3);
    // It is there for the next logger, and is what an empty output makes of it.
    log.configure("!cat <&4\n");
    log.run();
    rotate(&log, "four\n");
    log.until_processed(4);
    log.finish();
    assert_eq!(log.all(), "one\n0\ntwo\n0\n1\nthree\n0\n1\n2\n");
    assert_eq!(log.read("state"), "");
}

fn the_processor_runs_in_the_directory(of: Program) {
    // Without a pipe of the shell's own, whose ends it may not have closed yet.
    let fds = "for fd in 0 1 2 4 5 6 7 8 9; do [ ! -h /proc/$$/fd/$fd ] || { echo $fd; readlink /proc/$$/fd/$fd; }; done";
    let config = format!("!pwd -P; echo \"$0 $# $SEEN\"; cat; echo aloud >&2; {fds}; :\n");
    let mut log = Log::prepare(of, &config);
    let mut command = log.command_behind("exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-; exec \"$@\"");
    command.env("SEEN", "so");
    log.run_by(command);
    rotate(&log, "one\n");
    log.until_processed(1);
    log.finish();
    let name = log.archives().remove(0);
    let label = &name[..26];
    let (text, directory) = (log.read(&name), log.at("").canonicalize().unwrap());
    assert_eq!(text.lines().next(), directory.to_str());
    let lines: Vec<&str> = text.lines().skip(1).map(|line| line.rsplit('/').next().unwrap_or(line)).collect();
    let (input, output) = (format!("{label}u"), format!("{label}t"));
    let files = ["0", &input, "1", &output, "2", "stderr", "4", "state", "5", "newstate"];
    assert_eq!(lines, [&["sh 0 so", "one"][..], &files].concat());
    assert_eq!(log.stderr(), "aloud\n");
}

fn a_processor_that_fails_is_started_again(of: Program) {
    let config = "!echo x >>$D/tries; echo $(wc -l <$D/tries) >&5; cat; test $(wc -l <$D/tries) -ge 3\n";
    let mut log = Log::start(of, &[], config);
    rotate(&log, "one\n");
    log.until_processed(1);
    log.until("no new state", || !log.at("newstate").exists());
    assert_eq!(log.text("tries"), "x\n".repeat(3));
    // Of those that failed nothing is left.
    assert_eq!((log.all().as_str(), log.read("state").as_str()), ("one\n", "3\n"));
    let stderr = log.stderr();
    assert!(stderr.lines().all(|line| log.warns(line, &["processor"])), "{stderr}");
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
    log.finish();
    assert_clean(&log, 1);
}

// svlogd takes what it has written for all.
#[test]
fn a_killed_processor_is_started_again() {
    let config = "!echo x >>$D/tries; echo part; test $(wc -l <$D/tries) -ge 2 || kill -9 $$; cat\n";
    let mut log = Log::start(Svlog, &[], config);
    rotate(&log, "one\n");
    log.until_processed(1);
    log.finish();
    assert_eq!(log.all(), "part\none\n");
    assert_clean(&log, 1);
}

fn a_processor_that_runs_is_waited_for_at_the_end(of: Program) {
    for term in [false, true] {
        let mut log = Log::start(of, &[], "!sleep 0.3; cat; echo done\n");
        rotate(&log, "one\n");
        log.write("two\n");
        log.until("the line", || log.current() == "two\n");
        if term {
            log.term();
        } else {
            log.finish();
        }
        assert_eq!(log.all(), "one\ndone\ntwo\n");
        assert_clean(&log, 1);
    }
}

fn the_processor_may_read_and_write_much(of: Program) {
    let mut log = Log::start(of, &[], "s300000\nn0\n!cat; echo end\n");
    log.write(lines(1, 100_000));
    // Not at its end, which waits for five seconds at most.
    log.until_processed(3);
    log.finish();
    let (all, archives) = (log.all(), log.archives());
    assert_eq!(archives.len(), 3, "{}", log.report());
    assert!(archives.iter().all(|name| log.read(name).ends_with("\nend\n")));
    assert!(all.replace("end\n", "") == lines(1, 100_000), "{}", log.report());
    assert_clean(&log, 3);
}

fn hup_changes_the_processor(of: Program) {
    let mut log = Log::start(of, &[], "");
    rotate(&log, "one\n");
    assert_eq!(log.archives().len(), 1);
    log.configure("!cat; echo first\n");
    log.tell(Signal::SIGHUP);
    rotate(&log, "two\n");
    log.until_processed(2);
    log.configure("");
    log.tell(Signal::SIGHUP);
    rotate(&log, "three\n");
    log.finish();
    assert_eq!(log.all(), "one\ntwo\nfirst\nthree\n");
    assert_clean(&log, 3);
}

fn each_directory_has_its_own_processor(of: Program) {
    let mut log = Log::prepare(of, "!cat; echo first\n");
    log.add("other", "!cat; echo second\n");
    log.run();
    log.write("one\n");
    log.until("the line", || log.all() == "one\n" && log.all_of("other") == "one\n");
    log.tell(Signal::SIGALRM);
    log.until("both", || log.all() == "one\nfirst\n" && log.all_of("other") == "one\nsecond\n");
    log.finish();
    assert_clean(&log, 1);
}

fn leftover_output_is_deleted(of: Program) {
    let mut log = Log::prepare(of, "");
    log.plant(&old_archive(1, 't'), "left", 0o644);
    log.plant(&old_archive(2, 's'), "two\n", 0o744);
    log.run();
    rotate(&log, "one\n");
    log.until("two archives", || log.archives().len() == 2 && log.archives()[0] == old_archive(2, 's'));
    log.finish();
    assert_eq!(log.all(), "two\none\n");
}

fn archives_of_the_processor_are_deleted_one_by_one(of: Program) {
    let mut log = Log::start(of, &[], "n2\n!cat\n");
    for count in 1..=5 {
        rotate(&log, &lines(count, count));
        log.until("processed", || {
            let names = log.archives();
            names.iter().all(|name| kind(name) == 's')
                && names.last().is_some_and(|name| log.read(name) == lines(count, count))
        });
    }
    log.finish();
    // The one that is still to be processed is none yet.
    let all = log.all();
    assert!(all == lines(3, 5) || all == lines(4, 5), "{all}");
}

/// The times at which a processor has begun, that writes them into the file `starts` by [`NOTES`].
fn starts(log: &Log) -> Vec<Duration> {
    let seconds = |line: &str| Duration::from_secs_f64(line.parse().unwrap());
    log.text("starts").lines().map(seconds).collect()
}

/// What a processor does first.
const NOTES: &str = "date +%s.%N >>$D/starts";

#[test]
fn a_processor_that_fails_is_started_again_after_longer_and_longer() {
    let mut log = Log::start(Svlog, &[], &format!("!{NOTES}; exit 1\n"));
    rotate(&log, "one\n");
    log.until("four starts", || starts(&log).len() >= 4);
    let starts = starts(&log);
    for (i, least) in [(1, 1.0), (2, 2.0), (3, 4.0)] {
        let pause = starts[i].as_secs_f64() - starts[i - 1].as_secs_f64();
        assert!(pause >= least - 0.01 && pause < least + 10.0, "{i}: {pause}");
    }
    log.until("it is said four times", || log.stderr().lines().count() >= 4);
    // The log goes on meanwhile, and what is rotated queues.
    for line in ["two\n", "three\n"] {
        rotate(&log, line);
    }
    assert!(log.archives().iter().all(|name| kind(name) == 'u'), "{}", log.report());
    assert_eq!((log.archives().len(), log.all().as_str()), (3, "one\ntwo\nthree\n"));
    // And the exit does not wait. The best of some: the machine may be busy.
    let mut runs = true;
    assert_within(Duration::from_secs(4), || {
        if !runs {
            let before = log.stderr().lines().count();
            log.run();
            log.until("it has failed again", || log.stderr().lines().count() > before);
        }
        runs = false;
        let asked = Instant::now();
        log.term();
        asked.elapsed()
    });
    assert_eq!(log.all(), "one\ntwo\nthree\n");
    assert!(log.archives().iter().all(|name| kind(name) == 'u'), "{}", log.report());
    assert!(!log.names().iter().any(|name| name == "batch"), "{}", log.report());
}

#[test]
fn an_archive_of_a_failed_processor_is_processed_by_the_next_logger() {
    let mut log = Log::start(Svlog, &[], "!echo no; exit 1\n");
    for line in ["one\n", "two\n", "three\n"] {
        rotate(&log, line);
    }
    log.finish();
    assert_eq!(log.all(), "one\ntwo\nthree\n");
    log.configure("!cat; echo done\n");
    log.run();
    log.until_processed(3);
    assert_eq!(log.all(), "one\ndone\ntwo\ndone\nthree\ndone\n");
    log.finish();
    assert_clean(&log, 3);
}

#[test]
fn after_hup_a_new_processor_does_what_the_old_one_could_not() {
    let mut log = Log::start(Svlog, &[], "!exit 1\n");
    rotate(&log, "one\n");
    rotate(&log, "two\n");
    log.configure("!cat\n");
    log.tell(Signal::SIGHUP);
    log.until_processed(2);
    log.finish();
    assert_eq!(log.all(), "one\ntwo\n");
    assert_clean(&log, 2);
}

#[test]
fn an_unclean_current_is_processed_too() {
    let mut log = Log::prepare(Svlog, "!cat; echo done\n");
    log.plant("current", "unclean\n", 0o644);
    log.run();
    log.until_processed(1);
    log.says("one\n", "unclean\ndone\none\n");
    log.finish();
    assert_clean(&log, 1);
}

#[test]
fn a_rotation_does_not_wait_for_the_processor() {
    let log = Log::prepare(Svlog, "n0\n!echo start >>$D/lines; read x <$D/gate; cat; echo done\n");
    let gate = Gate::new(&log, "gate");
    let mut log = log;
    log.run();
    for count in 1..=4 {
        rotate(&log, &lines(count, count));
        assert_eq!(log.archives().iter().filter(|name| kind(name) == 'u').count(), count);
    }
    log.until("one start", || log.text("lines") == "start\n");
    log.says(&lines(5, 5), &lines(1, 5));
    // Then one after the other, the oldest first.
    for count in 1..=4 {
        gate.open();
        log.until("one more", || log.archives().iter().filter(|name| kind(name) == 's').count() == count);
        assert!(log.archives()[..count].iter().all(|name| kind(name) == 's'), "{}", log.report());
        log.until("the next start", || log.text("lines").lines().count() == 4.min(count + 1));
    }
    log.finish();
    let expected: String = (1..=4).map(|count| lines(count, count) + "done\n").collect();
    assert_eq!(log.all(), expected + &lines(5, 5));
    assert_clean(&log, 4);
}

#[test]
fn a_processor_that_hangs_is_waited_for_five_seconds_at_the_end_and_no_more() {
    for term in [false, true] {
        let mut log = Log::start(Svlog, &[], "!echo part; echo start >>$D/lines; sleep 1000001 | cat\n");
        rotate(&log, "one\n");
        rotate(&log, "two\n");
        log.until("its start", || log.text("lines") == "start\n");
        let asked = Instant::now();
        if term {
            log.term();
        } else {
            log.finish();
        }
        let time = asked.elapsed();
        assert!((4..20).contains(&time.as_secs()), "{time:?}");
        assert_eq!((log.all().as_str(), log.read("state").as_str()), ("one\ntwo\n", ""));
        assert!(log.archives().iter().all(|name| kind(name) == 'u'), "{}", log.report());
        // It has nobody any more for whom it would be of use.
        log.until("its end", || log.processes().is_empty());
        log.configure("!cat; echo done\n");
        log.run();
        log.until_processed(2);
        log.finish();
        assert_eq!(log.all(), "one\ndone\ntwo\ndone\n");
        assert_clean(&log, 2);
    }
}

#[test]
fn a_processor_that_ignores_term_does_not_keep_the_exit() {
    let mut log = Log::start(Svlog, &[], "!trap '' TERM HUP INT; echo start >>$D/lines; sleep 1000001\n");
    rotate(&log, "one\n");
    log.until("its start", || log.text("lines") == "start\n");
    let asked = Instant::now();
    log.term();
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    log.until("no process", || log.processes().is_empty());
}

#[test]
fn a_processor_whose_logger_was_killed_does_no_harm() {
    // The first one writes into its files when the second is done.
    let log = Log::prepare(Svlog, "!cat; echo start >>$D/lines; read x <$D/gate; echo late; echo late >&5\n");
    let gate = Gate::new(&log, "gate");
    let mut log = log;
    log.hold_pipe();
    log.run();
    rotate(&log, "one\n");
    log.until("its start", || log.text("lines") == "start\n");
    log.kill();
    log.configure("!cat; echo done; echo state >&5\n");
    log.run();
    log.until_processed(1);
    log.until("a state", || log.read("state") == "state\n");
    gate.open();
    log.until("the first one's end", || log.processes().len() == 1);
    assert_eq!((log.all().as_str(), log.read("state").as_str()), ("one\ndone\n", "state\n"));
    rotate(&log, "two\n");
    log.until_processed(2);
    log.finish();
    assert_eq!((log.all().as_str(), log.read("state").as_str()), ("one\ndone\ntwo\ndone\n", "state\n"));
    assert_clean(&log, 2);
}

#[test]
fn an_archive_being_processed_is_not_deleted() {
    let log = Log::prepare(Svlog, "n1\n!echo start >>$D/lines; read x <$D/gate; cat\n");
    let gate = Gate::new(&log, "gate");
    let mut log = log;
    log.run();
    rotate(&log, &lines(1, 1));
    log.until("its start", || log.text("lines") == "start\n");
    let first = log.archives().into_iter().find(|name| kind(name) == 'u').unwrap();
    for count in 2..=5 {
        rotate(&log, &lines(count, count));
        assert!(log.archives().contains(&first), "{}", log.report());
    }
    gate.open();
    log.until("the next start", || log.text("lines") == "start\nstart\n");
    assert_eq!(log.read(&first.replace(".u", ".s")), lines(1, 1));
    for _ in 0..10 {
        gate.open();
    }
    log.finish();
    assert!(log.stderr().is_empty(), "{}", log.stderr());
}

#[test]
fn a_processor_that_cannot_be_started_is_tried_again() {
    // Its output has no place: a directory is there.
    let mut log = Log::prepare(Svlog, "!cat\n");
    std::fs::create_dir(log.at("newstate")).unwrap();
    log.run();
    rotate(&log, "one\n");
    log.until_said("processor");
    log.says("two\n", "one\ntwo\n");
    std::fs::remove_dir(log.at("newstate")).unwrap();
    log.until_processed(1);
    log.finish();
    assert_clean(&log, 1);
}

#[test]
fn a_processor_has_signals_as_they_are_by_default() {
    let config = "!cat; grep -E '^Sig(Blk|Ign):' /proc/self/status\n";
    let mut log = Log::prepare(Svlog, config);
    log.run_by(log.command_behind("trap '' TERM HUP USR1; exec \"$@\""));
    rotate(&log, "one\n");
    log.until_processed(1);
    log.finish();
    let masks: Vec<String> = log.all().lines().skip(1).map(str::to_owned).collect();
    assert_eq!(masks[0], format!("SigBlk:\t{}", "0".repeat(16)), "{masks:?}");
    // Some that the C library has for itself may be among the ignored ones.
    let ignored = u64::from_str_radix(masks[1].split('\t').nth(1).unwrap(), 16).unwrap();
    assert_eq!(ignored & 0x7fff_ffff, 0, "{masks:?}");
}

#[test]
fn once_the_processor_has_caught_up_there_are_as_many_archives_as_are_to_be_kept() {
    let mut log = Log::prepare(Svlog, "n5\n!cat\n");
    let plant = |log: &Log, n: u32, kind| {
        let line = usize::try_from(n).unwrap();
        log.plant(&old_archive(n.into(), kind), &lines(line, line), 0o744);
    };
    for n in 1..=5 {
        plant(&log, n, 's');
        plant(&log, n + 5, 'u');
    }
    log.run();
    log.until_processed(5);
    assert_eq!(log.all(), lines(6, 10));
    log.finish();
    // What an older logger has left comes down too.
    (1..=5).for_each(|n| plant(&log, n, 's'));
    log.run();
    for n in 11..=15 {
        rotate(&log, &lines(n, n));
        log.until("processed", || log.archives().iter().all(|name| kind(name) == 's'));
    }
    log.until_processed(5);
    assert_eq!(log.all(), lines(11, 15));
    log.finish();
}

#[test]
fn a_burst_leaves_no_more_archives_than_are_to_be_kept() {
    let mut log = Log::start(Svlog, &[], "s4096\nn5\n!cat\n");
    log.write(lines(1, 5000));
    log.until("the last line", || log.all().ends_with(&lines(5000, 5000)));
    log.tell(Signal::SIGALRM);
    log.until_processed(5);
    log.finish();
    assert!(lines(1, 5000).ends_with(&log.all()) && log.all().len() > 4 * 4096 - 2000, "{}", log.report());
}
