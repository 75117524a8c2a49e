//! The files of a log directory: their names, modes and sizes, rotation, and its lock.

use std::fs;
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;

use super::harness::*;
use crate::needs;
use crate::support::*;

both!(svlog;
    a_clean_current_is_appended_to_and_its_size_counts,
    a_current_that_is_full_already_is_rotated,
    a_directory_that_cannot_be_used_is_reported_and_left_out,
    a_locked_directory_cannot_be_used,
    a_name_twice_is_a_directory_once,
    a_read_only_directory_cannot_be_used,
    a_directory_may_have_any_name,
    there_may_be_many_directories,
    an_old_current_is_rotated,
    an_unclean_current_is_set_aside,
    archives_are_named_by_the_present_time,
    of_a_long_time_nothing_is_rotated_soon,
    old_archives_are_deleted_one_by_one,
    one_archive_is_deleted_where_an_unclean_current_is_set_aside,
    other_files_are_left_alone,
    rotation_is_at_the_end_of_a_line_near_the_size,
    the_modes_do_not_depend_on_the_umask,
    the_second_of_two_loggers_ends,
    without_a_directory_it_ends,
    without_a_number_all_archives_are_kept,
);

fn the_modes_do_not_depend_on_the_umask(of: Program) {
    for umask in ["000", "022", "077"] {
        let mut log = Log::prepare(of, "!cat\n");
        log.run_by(log.command_behind(&format!("umask {umask}; exec \"$@\"")));
        log.says("one\n", "one\n");
        assert_eq!((mode(&log.at("current")), mode(&log.at("lock"))), (0o644, 0o600), "{umask}");
        log.tell(Signal::SIGALRM);
        log.until_processed(1);
        log.says("two\n", "one\ntwo\n");
        assert_eq!(mode(&log.at("current")), 0o644, "{umask}");
        assert_eq!(mode(&log.at(&log.archives()[0])), 0o744, "{umask}");
        log.configure("");
        log.signal(Signal::SIGHUP);
        log.finish();
        assert_eq!((mode(&log.at("current")), mode(&log.at("lock"))), (0o744, 0o600), "{umask}");
    }
}

fn archives_are_named_by_the_present_time(of: Program) {
    let mut log = Log::start(of, &[], "");
    for count in 1..=3 {
        log.write(lines(count, count));
        log.until("a line", || log.current() == lines(count, count));
        let before = now();
        log.tell(Signal::SIGALRM);
        log.until_archives(count);
        let after = now();
        let name = log.archives().pop().unwrap();
        let time = archive_time(&name);
        assert_between(before, time, after);
        assert!(kind(&name) == 's', "{name}");
    }
    log.finish();
    assert_eq!(log.all(), lines(1, 3));
}

fn rotation_is_at_the_end_of_a_line_near_the_size(of: Program) {
    // At a newline, once no line of the greatest length would fit.
    for (options, config, least) in [
        (&[][..], "s2000\n", 1000_usize),
        (&["-l", "300"], "s2000\n", 1700),
        (&["-l", "20"], "s100\nn0\n", 80),
    ] {
        let log = fed(of, options, config, lines(1, 600));
        let sizes: Vec<usize> = log.archives().iter().map(|name| log.read(name).len()).collect();
        assert_eq!(sizes.len(), 600 * 11 / least.next_multiple_of(11), "{config} {sizes:?}");
        assert!(sizes.iter().all(|size| (least..least + 11).contains(size)), "{config} {sizes:?}");
        assert!(log.all() == lines(1, 600), "{}", log.report());
        assert_eq!(mode(&log.at("current")), 0o744);
    }
}

fn a_clean_current_is_appended_to_and_its_size_counts(of: Program) {
    let log = Log::prepare(of, "s2000\n");
    log.plant("current", &lines(1, 90), 0o744);
    let mut log = log;
    log.run();
    log.says(&lines(91, 91), &lines(1, 91));
    log.until_archives(1);
    log.finish();
    assert_eq!(log.read(&log.archives()[0]), lines(1, 91));
    // An empty one is no reason for anything.
    let mut log = Log::prepare(of, "");
    log.plant("current", "", 0o644);
    log.run();
    log.says("one\n", "one\n");
    log.finish();
    assert_eq!(log.archives().len(), 0);
}

fn a_current_that_is_full_already_is_rotated(of: Program) {
    let mut log = Log::prepare(of, "s2000\n");
    log.plant("current", &lines(1, 300), 0o744);
    log.run();
    log.says(&lines(301, 301), &lines(1, 301));
    log.finish();
    assert_eq!(log.archives().len(), 1);
}

fn an_unclean_current_is_set_aside(of: Program) {
    let mut log = Log::prepare(of, "");
    // Of its execute bits the first one tells.
    log.plant("current", "unclean\n", 0o655);
    let before = now();
    log.run();
    let after = now();
    log.says("one\n", "unclean\none\n");
    let archives = log.archives();
    assert_eq!(archives.len(), 1);
    let time = archive_time(&archives[0]);
    assert_between(before, time, after);
    assert!(kind(&archives[0]) == 'u', "{archives:?}");
    assert_eq!(log.read(&archives[0]), "unclean\n");
    assert_eq!(log.current(), "one\n");
    log.finish();
    // One that was ended is clean.
    log.run();
    log.says("two\n", "unclean\none\ntwo\n");
    log.finish();
    assert_eq!((log.archives(), log.current()), (archives, "one\ntwo\n".into()));
}

fn one_archive_is_deleted_where_an_unclean_current_is_set_aside(of: Program) {
    let mut log = Log::prepare(of, "n2\n");
    for n in 1..=4 {
        log.plant(&old_archive(n, 's'), "old\n", 0o744);
    }
    log.plant("current", "unclean\n", 0o644);
    log.run();
    log.says("one\n", "old\nold\nold\nunclean\none\n");
    log.finish();
    assert_eq!(log.archives()[..3], [2, 3, 4].map(|n| old_archive(n, 's')));
}

fn old_archives_are_deleted_one_by_one(of: Program) {
    let mut log = Log::prepare(of, "n2\n");
    for n in 2..=6 {
        log.plant(&old_archive(n, 's'), "old\n", 0o744);
    }
    // What waits for a processor is none yet.
    log.plant(&old_archive(1, 'u'), "waits\n", 0o644);
    log.plant(&old_archive(4, 'u'), "waits\n", 0o644);
    log.run();
    let done = || log.archives().into_iter().filter(|name| name.ends_with('s')).collect::<Vec<_>>();
    for count in 1..=8 {
        let before = done();
        log.write(lines(count, count));
        log.until("a line", || log.current() == lines(count, count));
        log.tell(Signal::SIGALRM);
        // As many as there were, the oldest of which is no more: they become no fewer by themselves.
        log.until("a rotation", || {
            let after = done();
            after.len() == 5
                && after[..4] == before[1..]
                && log.read(after.last().unwrap()) == lines(count, count)
        });
    }
    log.finish();
    assert_eq!(log.all(), "waits\n".repeat(2) + &lines(4, 8));
    // And where there are fewer, none.
    let log = fed(of, &[], "s2000\nn3\n", lines(1, 600));
    assert_eq!(log.archives().len(), 3);
    let log = fed(of, &[], "s2000\nn6\n", lines(1, 600));
    assert_eq!((log.archives().len(), log.all()), (6, lines(1, 600)));
}

fn without_a_number_all_archives_are_kept(of: Program) {
    let log = fed(of, &["-l", "20"], "s100\nn0\n", lines(1, 600));
    assert_eq!((log.archives().len(), log.all()), (75, lines(1, 600)));
    let log = fed(of, &["-l", "20"], "s100\n", lines(1, 600));
    assert_eq!((log.archives().len(), log.all()), (10, lines(521, 600)));
}

fn other_files_are_left_alone(of: Program) {
    let mut log = Log::prepare(of, "n1\ns2000\n");
    let others =
        ["@other", "@400000003b9ad3d400000000.s.gz", "400000003b9ad3d400000000.s", "a", "current.old"];
    for name in others {
        log.plant(name, "kept\n", 0o600);
    }
    log.run();
    log.write(lines(1, 600));
    log.finish();
    for name in others {
        assert_eq!((log.read(name).as_str(), mode(&log.at(name))), ("kept\n", 0o600), "{name}");
    }
    assert_eq!(log.archives().len(), 1);
}

fn an_old_current_is_rotated(of: Program) {
    let mut log = Log::prepare(of, "t1\n");
    log.add("idle", "t1\n-*\n");
    let started = now();
    log.run();
    log.write("one\n");
    log.until_archives(1);
    let first = archive_time(&log.archives()[0]);
    assert!(first >= started + Duration::from_millis(998), "{started:?} {first:?}");
    log.write("two\n");
    log.until_archives(2);
    let second = archive_time(&log.archives()[1]);
    assert!(second >= started + Duration::from_millis(1998), "{started:?} {second:?}");
    log.finish();
    assert_eq!((log.all(), log.current()), ("one\ntwo\n".into(), String::new()));
    // An empty one stays, however old.
    assert_eq!(log.all_of("idle"), "");
    assert_eq!(fs::read_dir(log.path("idle")).unwrap().count(), 3);
}

fn of_a_long_time_nothing_is_rotated_soon(of: Program) {
    let mut log = Log::prepare(of, "t1\n");
    for (directory, config) in
        [("minutes", "t1m\n"), ("hours", "t1h\n"), ("never", "t0\n"), ("last", "t1\nt0")]
    {
        log.add(directory, config);
    }
    log.run();
    for count in 1..=2 {
        log.write("one\n");
        log.until_archives(count);
    }
    log.finish();
    for directory in ["minutes", "hours", "never", "last"] {
        assert_eq!(text(&log.path(directory).join("current")), "one\none\n", "{directory}");
    }
}

fn a_directory_that_cannot_be_used_is_reported_and_left_out(of: Program) {
    let mut log = Log::prepare(of, "");
    log.add("second", "");
    fs::write(log.path("file"), "").unwrap();
    log.set_directories(&["missing", "log", "file", "second"]);
    log.run();
    log.write("one\n");
    log.finish();
    assert_eq!((log.all(), log.all_of("second")), ("one\n".into(), "one\n".into()));
    let stderr = log.stderr();
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
    for (line, directory) in stderr.lines().zip(["missing", "file"]) {
        assert!(log.warns(line, &["unable to ", directory]), "{line}");
    }
    assert_eq!(names_in(&log), ["file", "log", "second", "stderr"]);
}

/// The names in the directory.
fn names_in(log: &Log) -> Vec<String> {
    let entries = fs::read_dir(log.scratch.path()).unwrap().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Asserts that the logger ends at once where it has no directory.
fn assert_no_directory(log: &mut Log) {
    log.spawn(log.command());
    assert_eq!(log.ended(), 111, "{}", log.report());
    let stderr = log.stderr();
    let fatal = format!("{}: fatal: no functional log directories", log.of.name());
    assert!(stderr.lines().last().unwrap().starts_with(&fatal), "{stderr}");
}

fn without_a_directory_it_ends(of: Program) {
    let mut log = Log::prepare(of, "");
    log.set_directories(&["missing", "stderr"]);
    assert_no_directory(&mut log);
    assert_eq!(log.stderr().lines().count(), 3);
}

fn a_read_only_directory_cannot_be_used(of: Program) {
    needs!(mounts());
    let mut log = Log::prepare(of, "");
    log.mount("mount --bind log log; mount -o remount,bind,ro log");
    assert_no_directory(&mut log);
    assert_eq!(log.stderr().lines().count(), 2);
    assert_eq!(log.names(), [] as [&str; 0]);
}

fn a_locked_directory_cannot_be_used(of: Program) {
    let mut log = Log::prepare(of, "");
    log.plant("lock", "", 0o600);
    let lock = fs::File::open(log.at("lock")).unwrap();
    let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).unwrap();
    assert_no_directory(&mut log);
    assert!(!log.at("current").exists());
    log.add("other", "");
    log.run();
    log.write("one\n");
    log.finish();
    assert_eq!((log.all(), log.all_of("other")), (String::new(), "one\n".into()));
    // Another test may have forked while it was held.
    drop(lock);
    log.set_directories(&["log"]);
    let deadline = Instant::now() + DEADLINE;
    loop {
        log.spawn(log.command());
        log.write("two\n");
        log.close();
        if log.ended() == 0 {
            break;
        }
        assert!(Instant::now() < deadline, "{}", log.report());
    }
    assert_eq!(log.all(), "two\n");
}

fn a_name_twice_is_a_directory_once(of: Program) {
    let mut log = Log::prepare(of, "");
    log.set_directories(&["log", "./log"]);
    log.run();
    log.write("one\n");
    log.finish();
    assert_eq!(log.all(), "one\n");
    assert!(log.stderr().contains("./log"), "{}", log.stderr());
}

fn the_second_of_two_loggers_ends(of: Program) {
    let mut log = Log::start(of, &[], "");
    log.says("one\n", "one\n");
    // Beside one of its own kind, and of the other one.
    for second in [of, Svlogd, Svlog] {
        if second.there().is_err() || (of, second) == (Svlogd, Svlog) {
            continue;
        }
        let mut command = second.command();
        let seen = run(command.arg("log").current_dir(log.scratch.path()));
        assert_eq!((seen.status, &*seen.stdout), (111, ""), "{seen:?}");
        assert!(seen.stderr.starts_with(second.name()) && seen.stderr.contains("lock"), "{seen:?}");
    }
    log.says("two\n", "one\ntwo\n");
    assert_eq!((log.archives().len(), mode(&log.at("current"))), (0, 0o644));
    log.finish();
}

fn a_directory_may_have_any_name(of: Program) {
    for (script, name) in
        [("cd log; exec \"$@\"", "."), ("exec \"$@\"", "./log//"), ("cd log/..; exec \"$@\"", "$D/log")]
    {
        let mut log = Log::prepare(of, "s2000\nn0\n");
        let name = name.replace("$D", log.scratch.path().to_str().unwrap());
        log.set_directories(&["--", &name]);
        log.run_by(log.command_behind(script));
        log.write(lines(1, 500));
        log.finish();
        log.set_directories(&["log"]);
        assert_eq!((log.archives().len(), log.all()), (5, lines(1, 500)), "{name}");
    }
}

fn there_may_be_many_directories(of: Program) {
    let mut log = Log::prepare(of, "");
    for number in 1..=120 {
        log.add(&format!("log{number}"), &format!("p{number}: \n"));
    }
    log.run();
    log.write("one\ntwo\n");
    log.finish();
    for number in 1..=120 {
        assert_eq!(log.all_of(&format!("log{number}")), format!("{number}: one\n{number}: two\n"));
    }
}
