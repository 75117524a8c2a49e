//! The processor of archives.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::log::*;

both!(
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
    log.signal(Signal::SIGALRM);
    log.until("a rotation", || log.current().is_empty() && mode_of_current(log) == Some(0o644));
}

fn mode_of_current(log: &Log) -> Option<u32> {
    log.at("current").exists().then(|| mode(&log.at("current")))
}

/// Asserts that the directory has nothing but this many archives and the usual files.
fn assert_clean(log: &Log, archives: usize) {
    let names = log.names();
    let others: Vec<&String> = names.iter().filter(|name| !name.starts_with('@')).collect();
    assert_eq!(others, ["config", "current", "lock", "state"], "{}", log.report());
    assert_eq!(log.archives().len(), archives, "{}", log.report());
    for name in log.archives() {
        assert!(name.ends_with(".s") && mode(&log.at(&name)) == 0o744, "{name} {:o}", mode(&log.at(&name)));
    }
}

fn a_processor_works_on_each_archive(of: Logger) {
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

fn the_state_is_handed_on(of: Logger) {
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

fn the_processor_runs_in_the_directory(of: Logger) {
    let config =
        "!pwd -P; echo \"$0 $# $SEEN\"; cat; ls -l /proc/$$/fd | sed -n 's,.*/,,p'; echo aloud >&2\n";
    let mut log = Log::prepare(of, config);
    let mut command = log.command();
    command.env("SEEN", "so");
    log.run_by(command);
    rotate(&log, "one\n");
    log.until_processed(1);
    log.finish();
    let name = log.archives().remove(0);
    let label = &name[..26];
    let folder = log.at("").canonicalize().unwrap();
    let files = format!("0 {label}u\n1 {label}t\n2 stderr\n4 state\n5 newstate\n");
    assert_eq!(log.read(&name), format!("{}\nsh 0 so\none\n{files}", folder.display()));
    assert_eq!(log.stderr(), "aloud\n");
}

fn a_processor_that_fails_is_started_again(of: Logger) {
    let config = "!echo x >>$D/tries; echo $(wc -l <$D/tries) >&5; cat; test $(wc -l <$D/tries) -ge 3\n";
    let mut log = Log::start(of, &[], config);
    rotate(&log, "one\n");
    log.until_processed(1);
    log.until("no new state", || !log.at("newstate").exists());
    assert_eq!(log.text("tries"), "x\n".repeat(3));
    // Of those that failed nothing is left.
    assert_eq!((log.all().as_str(), log.read("state").as_str()), ("one\n", "3\n"));
    let warning = format!("{}: warning: ", of.name());
    assert!(log.stderr().starts_with(&warning) && log.stderr().contains("processor"), "{}", log.stderr());
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

fn a_processor_that_runs_is_waited_for_at_the_end(of: Logger) {
    for term in [false, true] {
        let mut log = Log::start(of, &[], "!sleep 0.3; cat; echo done\n");
        rotate(&log, "one\n");
        log.write("two\n");
        log.until("the line", || log.current() == "two\n");
        if term {
            log.term()
        } else {
            log.finish()
        }
        assert_eq!(log.all(), "one\ndone\ntwo\n");
        assert_clean(&log, 1);
    }
}

fn the_processor_may_read_and_write_much(of: Logger) {
    let mut log = Log::start(of, &[], "s300000\nn0\n!cat; echo end\n");
    log.write(lines(1, 100_000));
    log.finish();
    let (all, archives) = (log.all(), log.archives());
    assert_eq!(archives.len(), 3, "{}", log.report());
    assert!(archives.iter().all(|name| log.read(name).ends_with("\nend\n")));
    assert!(all.replace("end\n", "") == lines(1, 100_000), "{}", log.report());
    assert_clean(&log, 3);
}

fn hup_changes_the_processor(of: Logger) {
    let mut log = Log::start(of, &[], "");
    rotate(&log, "one\n");
    assert_eq!(log.archives().len(), 1);
    log.configure("pP\n!cat; echo first\n");
    log.signal(Signal::SIGHUP);
    log.until("the config", || {
        log.write("probe\n");
        log.until("the probe", || log.current().ends_with("probe\n"));
        log.current().ends_with("Pprobe\n")
    });
    log.signal(Signal::SIGALRM);
    log.until_processed(2);
    assert!(log.all().ends_with("Pprobe\nfirst\n"), "{}", log.report());
    log.finish();
    assert_clean(&log, 2);
}

fn each_directory_has_its_own_processor(of: Logger) {
    let mut log = Log::prepare(of, "!cat; echo first\n");
    log.add("other", "!cat; echo second\n");
    log.run();
    log.write("one\n");
    log.until("the line", || log.all() == "one\n" && log.all_of("other") == "one\n");
    log.signal(Signal::SIGALRM);
    log.until("both", || log.all() == "one\nfirst\n" && log.all_of("other") == "one\nsecond\n");
    log.finish();
    assert_clean(&log, 1);
}

fn leftover_output_is_deleted(of: Logger) {
    let mut log = Log::prepare(of, "");
    log.plant(&old_archive(1, 't'), "left", 0o644);
    log.plant(&old_archive(2, 's'), "two\n", 0o744);
    log.run();
    rotate(&log, "one\n");
    log.until("two archives", || log.archives().len() == 2 && log.archives()[0] == old_archive(2, 's'));
    log.finish();
    assert_eq!(log.all(), "two\none\n");
}

fn archives_of_the_processor_are_deleted_one_by_one(of: Logger) {
    let mut log = Log::start(of, &[], "n2\n!cat\n");
    for count in 1..=5 {
        rotate(&log, &lines(count, count));
        log.until("processed", || {
            let names = log.archives();
            names.iter().all(|name| name.ends_with(".s"))
                && names.last().is_some_and(|name| log.read(name) == lines(count, count))
        });
    }
    log.finish();
    // The one that is still to be processed is none yet.
    let all = log.all();
    assert!(all == lines(3, 5) || all == lines(4, 5), "{all}");
}
