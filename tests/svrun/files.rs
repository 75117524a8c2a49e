//! The files in `supervise/`, byte for byte, and when they change; and what the supervisor needs of the disk.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::SIGTERM;

use super::harness::*;
use crate::support::*;

both!(svrun;
    a_line_in_pid_and_stat_tells_of_each_state,
    a_clean_exit_removes_nothing,
    a_down_file_counts_at_the_start_alone,
    a_log_down_file_keeps_the_logger_down,
    a_log_that_is_no_directory_is_warned_of,
    a_new_supervisor_leaves_modes_and_owners_alone,
    a_second_supervisor_is_refused,
    a_missing_service_directory_is_reported,
    a_state_directory_may_be_elsewhere,
    a_state_directory_whose_parent_is_not_there_is_fatal,
    a_stale_status_is_not_believed,
    control_never_ends,
    ok_can_be_opened_once_the_status_is_there,
    some_arguments_are_usage_errors,
    the_files_have_these_modes,
    the_files_of_the_log_are_the_same,
    the_lock_is_one_of_flock,
    the_status_has_20_bytes_for_each_state,
    the_status_is_never_seen_half_written,
    the_umask_binds_the_files,
    commands_in_control_before_the_start_are_carried_out,
);

/// What runsv makes in its directory.
const FILES: [(&str, u32); 6] =
    [("control", 0o600), ("lock", 0o600), ("ok", 0o600), ("pid", 0o644), ("stat", 0o644), ("status", 0o644)];

/// What ours has there beside it.
const OURS: [&str; 5] = ["deaths", "pipe", "ready", "record", "socket"];

/// The files of a directory with their modes, but for ours.
fn files(of: Program, directory: &Path) -> Vec<(String, u32)> {
    let names =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = names.filter(|name| of == Runsv || !OURS.contains(&&**name));
    // What is written anew is renamed.
    let mode = |name: &str| fs::symlink_metadata(directory.join(name)).ok().map(|data| data.mode() & 0o7777);
    let mut files: Vec<_> = names.filter_map(|name| Some((name.clone(), mode(&name)?))).collect();
    files.sort();
    files
}

fn with_mask(mask: u32) -> Vec<(String, u32)> {
    FILES.iter().map(|(name, mode)| ((*name).to_owned(), mode & !mask)).collect()
}

fn the_files_have_these_modes(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET)]);
    service.started(1);
    service.until_stat("run");
    assert_eq!(mode(&service.at("supervise")), 0o700);
    service.until("the files", || files(of, &service.at("supervise")) == with_mask(0o022));
    let file_type = |name| service.at("supervise").join(name).metadata().unwrap().file_type();
    assert!(file_type("control").is_fifo() && file_type("ok").is_fifo());
    assert_eq!(service.read("supervise/lock"), "");
    service.exit();
    assert_eq!(files(of, &service.at("supervise")), with_mask(0o022));
}

fn the_files_of_the_log_are_the_same(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET), ("log/run", LOGGER)]);
    service.until_log_stat("run");
    service.until_stat("run");
    for directory in ["supervise", "log/supervise"] {
        assert_eq!(mode(&service.at(directory)), 0o700);
        // A file is under its new name in between.
        service.until("the files", || files(of, &service.at(directory)) == with_mask(0o022));
    }
    assert!(service.alive() && service.log_alive());
    let log = service.log_status_now().unwrap();
    assert_eq!(log.flags(), (0, 'u', 0, 1));
    service.until("the logger", || cmdline(log.pid) == "cat");
    assert_eq!(service.read("log/supervise/pid"), format!("{}\n", log.pid));
    service.exit();
    assert_eq!(service.read("log/supervise/stat"), "down\n");
}

fn the_umask_binds_the_files(of: Program) {
    for (umask, mask) in [("077", 0o077), ("027", 0o027), ("000", 0)] {
        let mut service = Service::prepare(of, &[("run", PUPPET), ("log/run", LOGGER)]);
        let words = service.command();
        let mut command = service.adopt(sh(&format!("umask {umask}; exec \"$0\" service")));
        command.arg(words.get_program());
        service.supervise_by(command);
        service.until_log_stat("run");
        service.until_stat("run");
        for directory in ["supervise", "log/supervise"] {
            assert_eq!(mode(&service.at(directory)), 0o700);
            // A file is under its new name in between.
            service.until("the files", || files(of, &service.at(directory)) == with_mask(mask));
        }
        service.exit();
    }
}

fn the_status_has_20_bytes_for_each_state(of: Program) {
    let before = now();
    let mut service = Service::start(of, &[("run", STUBBORN), ("finish", SLOW_FINISH), ("down", "")]);
    let down = service.until_flags((0, 'd', 0, 0));
    assert_eq!(down.pid, 0);
    assert!(down.time() + Duration::from_millis(1) >= before && down.time() <= now());
    assert!(down.nanoseconds < 1_000_000_000);
    // The bytes themselves: the label's high half is 2^62's.
    assert_eq!(fs::read(service.at("supervise/status")).unwrap()[..4], [0x40, 0, 0, 0]);

    service.send("u");
    let pid = service.started(1);
    let run = service.until_flags((0, 'u', 0, 1));
    assert_eq!(run.pid, pid);
    assert!(run.time() >= down.time() && run.time() <= now());

    service.send("p");
    assert_eq!(service.until_flags((1, 'u', 0, 1)), Status { paused: 1, ..run });
    service.send("c");
    service.until_flags((0, 'u', 0, 1));
    service.send("t");
    assert_eq!(service.until_flags((0, 'u', 1, 1)), Status { term: 1, ..run });
    service.nth(1, "got TERM");
    service.send("d");
    assert_eq!(service.until_flags((0, 'd', 1, 1)), Status { term: 1, want: 'd', ..run });
    service.nth(2, "got TERM");

    // finish has its pid there, and the time of run.
    service.tell("exit 0");
    let finish = service.nth(1, "finish waits ").parse().unwrap();
    let status = service.until_status("finish", |status| status.pid == finish);
    assert_eq!(status, Status { pid: finish, ..run.with((0, 'd', 0, 2)) });
    let before = now();
    service.tell_finish("exit 0");
    let down = service.until_flags((0, 'd', 0, 0));
    assert_eq!(down.pid, 0);
    assert!(down.time() + Duration::from_millis(1) >= before && down.time() <= now());

    // The flag of a pause stays until something is started, finish too.
    service.send("u");
    service.started(2);
    service.send("pd");
    service.until_flags((1, 'd', 1, 1));
    service.tell("exit 0");
    service.nth(2, "finish waits ");
    service.until_flags((0, 'd', 0, 2));
    service.tell_finish("exit 0");
    service.until_flags((0, 'd', 0, 0));
    service.send("p");
    service.until_flags((1, 'd', 0, 0));
    service.send("o");
    let pid = service.started(3);
    assert_eq!(service.until_flags((0, 'd', 0, 1)).pid, pid);

    // To exit is wanted as down is.
    service.send("x");
    service.until_flags((0, 'd', 1, 1));
    service.tell("exit 0");
    service.nth(3, "finish waits ");
    service.until_flags((0, 'd', 0, 2));
    service.tell_finish("exit 0");
    assert_eq!(service.ended(), 0);
    assert_eq!(service.status().flags(), (0, 'd', 0, 0));
}

fn a_line_in_pid_and_stat_tells_of_each_state(of: Program) {
    let mut service = Service::start(of, &[("run", STUBBORN), ("finish", SLOW_FINISH), ("down", "")]);
    let pid = |service: &Service, pid: Option<u32>| {
        let text = pid.map_or(String::new(), |pid| format!("{pid}\n"));
        service.until("pid", || service.read("supervise/pid") == text);
    };
    service.until_stat("down");
    pid(&service, None);
    service.send("p");
    service.until_stat("down, paused");
    service.send("c");
    service.until_stat("down");
    service.send("o");
    let run = service.started(1);
    service.until_stat("run, want down");
    pid(&service, Some(run));
    service.send("u");
    service.until_stat("run");
    service.send("p");
    service.until_stat("run, paused");
    service.send("t");
    service.until_stat("run, paused, got TERM");
    service.send("d");
    service.until_stat("run, paused, got TERM, want down");
    service.send("c");
    service.until_stat("run, got TERM, want down");
    service.send("u");
    service.until_stat("run, got TERM");
    service.tell("exit 0");
    let finish = service.nth(1, "finish waits ").parse().unwrap();
    service.until_stat("finish");
    pid(&service, Some(finish));
    service.send("d");
    service.until_stat("finish, want down");
    service.send("p");
    service.until_stat("finish, paused, want down");
    service.send("c");
    service.until_stat("finish, want down");
    service.tell_finish("exit 0");
    service.until_stat("down");
    pid(&service, None);
    service.send("u");
    service.started(2);
    service.until_stat("run");
    service.send("x");
    service.until_stat("run, got TERM, want exit");
    service.tell("exit 0");
    service.nth(2, "finish waits ");
    service.until_stat("finish, want exit");
    service.tell_finish("exit 0");
    assert_eq!(service.ended(), 0);
    service.until_stat("down");
    pid(&service, None);
}

fn ok_can_be_opened_once_the_status_is_there(of: Program) {
    for _ in 0..20 {
        let mut service = Service::prepare(of, &[("run", SLEEPER)]);
        service.spawn(service.command());
        service.until("ok", || service.alive());
        assert!(service.status_now().is_some());
        assert_ne!(service.read("supervise/stat"), "");
    }
}

fn the_status_is_never_seen_half_written(of: Program) {
    let service = Service::start(of, &[("run", SLEEPER)]);
    service.started(1);
    let read = || {
        let status = service.status();
        let stat = service.read("supervise/stat");
        assert!(stat == "run\n" || stat == "run, paused\n", "{stat}");
        status.paused
    };
    for _ in 0..200 {
        service.send("p");
        while read() == 0 {}
        service.send("c");
        while read() == 1 {}
    }
}

fn the_lock_is_one_of_flock(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET), ("log/run", LOGGER)]);
    service.until_log_stat("run");
    for lock in ["supervise/lock", "log/supervise/lock"] {
        let inode = service.at(lock).metadata().unwrap().ino();
        // Of the supervisor's own fds: /proc/locks comes in pages, and a lock that another process takes meanwhile moves the
        // rest, so that one is read twice or not at all.
        let fdinfo = fs::read_dir(format!("/proc/{}/fdinfo", service.supervisor())).unwrap();
        // Others of its fds may be closed meanwhile.
        let held = fdinfo.filter_map(|fd| fs::read_to_string(fd.ok()?.path()).ok()).collect::<String>();
        let locks = held.lines().filter_map(|line| line.strip_prefix("lock:\t"));
        let ours: Vec<&str> = locks.filter(|lock| lock.contains(&format!(":{inode} "))).collect();
        assert_eq!(ours.len(), 1, "{lock}: {ours:?}");
        let words: Vec<&str> = ours[0].split_whitespace().collect();
        assert_eq!(words[1..4], ["FLOCK", "ADVISORY", "WRITE"]);
        assert_eq!(run_in(service.at(""), &format!("flock -n {lock} true")).status, 1);
    }
    service.exit();
    for lock in ["supervise/lock", "log/supervise/lock"] {
        assert_eq!(run_in(service.at(""), &format!("flock -n {lock} true")).status, 0);
    }
}

fn a_second_supervisor_is_refused(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET), ("log/run", LOGGER)]);
    let pid = service.started(1);
    service.until_log_stat("run");
    // Ours waits two seconds for the child of a supervisor that was killed to execute.
    let limit = Duration::from_secs(if of == Svrun { 10 } else { 1 });
    assert_within(limit, || {
        let start = Instant::now();
        let mut second = of.command();
        second.arg("service").current_dir(service.scratch.path()).env("D", service.scratch.path());
        let second = run(&mut second);
        assert_eq!((second.status, &*second.stdout), (111, ""));
        assert!(second.stderr.contains("fatal: unable to lock "), "{}", second.stderr);
        assert!(second.stderr.contains("supervise/lock: "), "{}", second.stderr);
        start.elapsed()
    });
    service.assert_supervised();
    service.send("1");
    service.nth(1, "got USR1");
    assert_eq!(service.until_flags((0, 'u', 0, 1)).pid, pid);
    assert!(service.alive() && service.log_alive());
    service.exit();
    assert_eq!(service.count("start "), 1);
    assert_eq!(service.count("log start "), 1);
}

fn a_state_directory_may_be_elsewhere(of: Program) {
    for target in ["../state", "/ABSOLUTE"] {
        for made in [true, false] {
            let mut service = Service::prepare(of, &[("run", PUPPET), ("log/run", LOGGER)]);
            let directory = service.scratch.path().to_str().unwrap().to_owned();
            // The target is relative to where the link is.
            let target = target.replace("/ABSOLUTE", &format!("{directory}/state"));
            let log_target =
                if target.starts_with('/') { format!("{target}-log") } else { "../../state-log".into() };
            symlink(target, service.at("supervise")).unwrap();
            symlink(log_target, service.at("log/supervise")).unwrap();
            if made {
                assert_eq!(run_in(&directory, "mkdir -m 700 state state-log"), prints(""));
            }
            service.supervise();
            service.until_log_stat("run");
            service.until_stat("run");
            for state in ["state", "state-log"] {
                service.until("the files", || files(of, &service.path(state)) == with_mask(0o022));
                assert_eq!(mode(&service.path(state)), 0o700);
            }
            service.exit();
        }
    }
}

fn a_state_directory_whose_parent_is_not_there_is_fatal(of: Program) {
    let mut service = Service::prepare(of, &[("run", PUPPET)]);
    symlink("../no/state", service.at("supervise")).unwrap();
    service.spawn(service.command());
    assert_eq!(service.ended(), 111);
    assert!(service.stderr().contains("fatal: unable to "), "{}", service.stderr());
    assert!(service.stderr().contains("supervise"), "{}", service.stderr());
    assert_eq!(service.count("start "), 0);
}

fn a_missing_service_directory_is_reported(of: Program) {
    let directory = open_directory();
    std::fs::write(directory.path().join("file"), "").unwrap();
    for dir in ["no", "file", "file/x"] {
        let outcome = run(of.command().arg(dir).current_dir(directory.path()));
        assert_eq!((outcome.status, &*outcome.stdout), (111, ""));
        assert!(outcome.stderr.contains("fatal: unable to ") && outcome.stderr.contains(dir), "{outcome:?}");
    }
}

fn some_arguments_are_usage_errors(of: Program) {
    let status = if of == Runsv { 1 } else { 100 }; // the status of all our programs
    for words in [&[][..], &["a", "b"]] {
        let outcome = run(of.command().args(words));
        assert_eq!((outcome.status, &*outcome.stdout), (status, ""), "{words:?}");
        assert!(outcome.stderr.contains("usage: "), "{outcome:?}");
    }
}

fn a_down_file_counts_at_the_start_alone(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET), ("down", "")]);
    service.until_flags((0, 'd', 0, 0));
    assert_eq!(service.read("supervise/pid"), "");
    service.send("u");
    service.started(1);
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    service.exit();
    assert_eq!(service.count("start "), 1);
    // What the file is does not matter.
    assert_eq!(run_in(service.at(""), "rm down && mkdir down"), prints(""));
    service.supervise();
    service.until_flags((0, 'd', 0, 0));
    assert_eq!(run_in(service.at(""), "rmdir down"), prints(""));
    service.exit();
    service.supervise();
    service.started(2);
    // It appears, and a service that runs goes on.
    std::fs::write(service.at("down"), "").unwrap();
    service.send("1");
    service.nth(1, "got USR1");
    assert_eq!(service.until_flags((0, 'u', 0, 1)).want, 'u');
    service.exit();
}

fn a_log_down_file_keeps_the_logger_down(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET), ("log/run", LOGGER), ("log/down", "")]);
    service.started(1);
    service.until("the log is down", || {
        service.log_status_now().is_some_and(|log| log.flags() == (0, 'd', 0, 0))
    });
    service.tell("echo said");
    service.send("1");
    service.nth(1, "got USR1");
    assert_eq!(service.count("log start "), 0);
    service.send_log("u");
    service.nth(1, "log start ");
    service.until("what was said", || service.text("logged") == "said\n");
    service.exit();
}

fn a_log_that_is_no_directory_is_warned_of(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET), ("log", "")]);
    service.started(1);
    service.until("a warning", || service.stderr().contains("warning: "));
    assert!(service.stderr().contains("log"), "{}", service.stderr());
    service.tell("echo said");
    service.until("its stdout is the supervisor's", || service.text("stdout") == "said\n");
    service.exit();
}

fn a_clean_exit_removes_nothing(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET), ("log/run", LOGGER)]);
    service.started(1);
    service.until_log_stat("run");
    let inodes = |service: &Service| {
        ["lock", "control", "ok"].map(|name| service.at("supervise").join(name).metadata().unwrap().ino())
    };
    let before = inodes(&service);
    service.exit();
    for directory in ["supervise", "log/supervise"] {
        assert_eq!(files(of, &service.at(directory)), with_mask(0o022));
    }
    assert_eq!(service.status().flags(), (0, 'd', 0, 0));
    assert!(!service.alive() && !service.log_alive());
    service.supervise();
    service.started(2);
    assert_eq!(inodes(&service), before);
    service.signal(SIGTERM);
    assert_eq!(service.ended(), 0);
}

fn a_stale_status_is_not_believed(of: Program) {
    let mut service = Service::start(of, &[("run", SLEEPER)]);
    service.started(1);
    service.exit();
    let outcome = service.sv("status");
    assert_eq!(outcome, Outcome { status: 1, ..prints("fail: ./service: runsv not running\n") });
}

fn a_new_supervisor_leaves_modes_and_owners_alone(of: Program) {
    let mut service = Service::start(of, &[("run", PUPPET), ("log/run", LOGGER)]);
    service.started(1);
    service.until_log_stat("run");
    service.exit();
    let directories = ["supervise", "log/supervise"];
    let names = ["", "ok", "control", "lock"];
    let files: Vec<_> =
        directories.iter().flat_map(|directory| names.map(|name| service.at(directory).join(name))).collect();
    let modes = [0o755, 0o620, 0o622, 0o640];
    for (file, mode) in files.iter().zip(modes.iter().cycle()) {
        fs::set_permissions(file, fs::Permissions::from_mode(*mode)).unwrap();
        if root().is_ok() {
            std::os::unix::fs::chown(file, Some(0), Some(5)).unwrap();
        }
    }
    service.supervise();
    service.started(2);
    service.until_log_stat("run");
    for (file, expected) in files.iter().zip(modes.iter().cycle()) {
        assert_eq!(mode(file), *expected, "{}", file.display());
        if root().is_ok() {
            assert_eq!(file.metadata().unwrap().gid(), 5, "{}", file.display());
        }
    }
    service.exit();
}

fn control_never_ends(of: Program) {
    let service = Service::start(of, &[("run", PUPPET)]);
    service.started(1);
    // Each client is the only one, and closes it.
    for count in 1..=20 {
        service.send("1");
        service.nth(count, "got USR1");
    }
    // And no reader that finds it ended over and over.
    let time = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", service.supervisor())).unwrap();
        stat.rsplit_once(") ").unwrap().1.split(' ').nth(12).unwrap().parse::<u64>().unwrap()
    };
    let before = time();
    for count in 1..=20 {
        service.send("2");
        service.nth(count, "got USR2");
    }
    assert!(time() - before < 20, "ticks of 10 ms: {before} to {}", time());
    service.until("it waits in poll", || state(service.supervisor()) == Some('S'));
}

fn commands_in_control_before_the_start_are_carried_out(of: Program) {
    let mut service = Service::prepare(of, &[("run", PUPPET), ("down", "")]);
    assert_eq!(run_in(service.at(""), "mkdir -m 700 supervise; mkfifo -m 600 supervise/control"), prints(""));
    let mut control =
        fs::OpenOptions::new().read(true).write(true).open(service.at("supervise/control")).unwrap();
    std::io::Write::write_all(&mut control, b"u").unwrap();
    service.supervise();
    service.started(1);
    service.exit();
}
