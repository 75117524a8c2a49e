//! Messages and exit statuses.

use std::os::unix::fs::symlink;
use std::process::Command;

use nix::errno::Errno;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// A directory with a log directory `log`, and a command in it.
fn in_directory(mut command: Command, args: &[&str]) -> (tempfile::TempDir, Outcome) {
    let directory = open_directory();
    std::fs::create_dir(directory.path().join("log")).unwrap();
    let seen = run(command.args(args).current_dir(directory.path()));
    (directory, seen)
}

/// Command lines that mean nothing, and what is wrong with them.
const WRONG: [(&[&str], &str); 20] = [
    (&[], "missing dir"),
    (&["-t"], "missing dir"),
    (&["--"], "missing dir"),
    (&["-Q", "log"], "invalid option '-Q'"),
    (&["--verbose", "log"], "invalid option '--verbose'"),
    (&["-r", "ab", "log"], "-r takes one character"),
    (&["-r", "", "log"], "-r takes one character"),
    (&["-r"], "missing argument for option '-r'"),
    (&["-l"], "missing argument for option '-l'"),
    (&["-l", "x", "log"], "not a number of bytes: x"),
    (&["-l", "0", "log"], "not a number of bytes: 0"),
    (&["-l", "1k", "log"], "not a number of bytes: 1k"),
    (&["-b", "", "log"], "not a number of bytes: "),
    (&["-b", "1000", "log"], "-b must be more than -l"),
    (&["-b", "200", "-l", "200", "log"], "-b must be more than -l"),
    (&["-l", "20000", "log"], "-b must be more than -l"),
    (&["-p"], "missing argument for option '-p'"),
    (&["-p", "web", "log"], "-p goes with - alone; a dir has its prefix in config"),
    (&["-", "log"], "- is the standard output, beside which there is no dir"),
    (&["-p", "web", "log", "-"], "- is the standard output, beside which there is no dir"),
];

#[test]
fn a_usage_error_is_reported_and_changes_nothing() {
    for (args, problem) in WRONG {
        let (directory, seen) = in_directory(link("svlog"), args);
        assert_eq!(seen, misuse("svlog", problem), "{args:?}");
        assert_eq!(std::fs::read_dir(directory.path().join("log")).unwrap().count(), 0, "{args:?}");
    }
}

/// svlog by the name svlogd.
fn as_svlogd() -> (tempfile::TempDir, Command) {
    let directory = open_directory();
    let name = directory.path().join("svlogd");
    symlink(bin().join("svlog"), &name).unwrap();
    (directory, prepared(name))
}

#[test]
fn called_as_svlogd_a_usage_error_exits_111() {
    for (args, _) in WRONG {
        let (_link, command) = as_svlogd();
        let (directory, seen) = in_directory(command, args);
        assert_eq!((seen.status, &*seen.stdout), (111, ""), "{args:?} {seen:?}");
        assert!(seen.stderr.lines().all(|line| line.starts_with("svlogd: ")), "{seen:?}");
        assert!(seen.stderr.lines().last().unwrap().starts_with("svlogd: usage: svlogd "), "{seen:?}");
        assert_eq!(std::fs::read_dir(directory.path().join("log")).unwrap().count(), 0, "{args:?}");
    }
}

#[test]
fn called_as_svlogd_its_messages_are_svlogds() {
    let (_link, command) = as_svlogd();
    let (_directory, seen) = in_directory(command, &["log", "missing"]);
    let reason = says(Errno::ENOENT);
    let hint = "make it with mkdir, and give it to the account of the logger with chown";
    let expected = format!("svlogd missing: warning: unable to open the log directory: {reason}; {hint}\n");
    assert_eq!(seen, Outcome { status: 0, stdout: String::new(), stderr: expected.clone() });
    let (_link, command) = as_svlogd();
    let (_directory, seen) = in_directory(command, &["missing"]);
    assert_eq!(seen, fails(111, expected + "svlogd: fatal: no functional log directories\n"));
}

#[test]
fn each_directory_that_cannot_be_used_is_reported() {
    let mut log = Log::prepare(Svlog, "");
    std::fs::write(log.path("file"), "").unwrap();
    symlink("self", log.path("self")).unwrap();
    log.set_directories(&["missing", "file", "self", ""]);
    log.spawn(log.command());
    assert_eq!(log.ended(), 111);
    let reasons =
        [("missing", Errno::ENOENT), ("file", Errno::ENOTDIR), ("self", Errno::ELOOP), ("", Errno::ENOENT)];
    let line = |(name, errno): (&str, Errno)| {
        let who = if name.is_empty() { "svlog".to_owned() } else { format!("svlog {name}") };
        let so = if errno == Errno::ENOENT {
            "make it with mkdir, and give it to the account of the logger with chown"
        } else {
            "not using it"
        };
        format!("{who}: warning: unable to open the log directory: {}; {so}\n", says(errno))
    };
    let expected: String = reasons.into_iter().map(line).collect();
    assert_eq!(log.stderr(), expected + "svlog: fatal: no functional log directories\n");
}

#[test]
fn without_v_it_is_silent_and_with_it_it_tells() {
    for (options, verbose) in [(&[][..], false), (&["-v"], true), (&["-vv"], true)] {
        let mut log = Log::start(Svlog, options, "!cat\n");
        log.says("one\n", "one\n");
        log.tell(nix::sys::signal::Signal::SIGHUP);
        log.tell(nix::sys::signal::Signal::SIGALRM);
        log.until_processed(1);
        log.term();
        let stderr = log.stderr();
        assert!(stderr.lines().all(|line| line.contains(": info: ")), "{stderr}");
        assert_eq!(stderr.lines().count() > 3, verbose, "{stderr}");
        assert!(!verbose || stderr.contains(&log.archives()[0]), "{stderr}");
    }
}

#[test]
fn a_stderr_that_nobody_reads_does_not_keep_it() {
    let mut log = Log::prepare(Svlog, "");
    let mut command = log.command_behind("exec \"$@\" 2>&-");
    command.arg("missing");
    log.run_by(command);
    log.says("one\n", "one\n");
    log.finish();
    // What we open did not land there.
    assert_eq!((log.all().as_str(), log.names()), ("one\n", vec!["current".into(), "lock".into()]));
}

#[test]
fn fds_that_it_was_started_without_are_not_taken_by_its_files() {
    for closed in ["1>&-", "1>&- 2>&-"] {
        let mut log = Log::prepare(Svlog, "e*\n!cat; echo end\n");
        log.run_by(log.command_behind(&format!("exec \"$@\" {closed}")));
        log.says("one\n", "one\n");
        log.tell(nix::sys::signal::Signal::SIGALRM);
        log.until_processed(1);
        log.says("two\n", "one\nend\ntwo\n");
        log.finish();
        assert_eq!(log.read("lock"), "");
    }
}

#[test]
fn missing_permissions_of_a_directory_are_named() {
    for (mode, action, missing) in [
        ("2644", "enter the log directory", "x on it"),
        ("2555", "make lock in the log directory", "w on it"),
        ("2333", "open the log directory", "r, w and x on it"),
    ] {
        let directory = open_directory();
        let script = format!("mkdir -m {mode} log; exec \"$B/svlog\" log </dev/null");
        let seen = run(mortal(&script).env("B", bin()).current_dir(directory.path()));
        let reason = says(Errno::EACCES);
        let expected = format!(
            "svlog log: warning: unable to {action}: {reason}; the account of the logger needs {missing}"
        );
        assert!(seen.status == 111 && seen.stderr.starts_with(&expected), "{mode}: {seen:?}");
    }
}

/// A root with no more than these programs, and no /dev.
fn bare_root(programs: &[&str]) -> tempfile::TempDir {
    let root = open_directory();
    let paths: Vec<_> = programs.iter().map(|name| bin().join(name)).collect();
    install_root(root.path(), &paths.iter().map(std::path::PathBuf::as_path).collect::<Vec<_>>());
    assert_eq!(run_in(root.path(), "mkdir log service"), prints(""));
    root
}

#[test]
fn without_dev_null_programs_that_live_on_start_where_no_fd_is_closed() {
    needs!(root());
    let root = bare_root(&["svlog", "sissylog", "svrun", "svctl"]);
    let inside = |script: &str| run(sh(script).env("R", root.path()));
    let seen = inside("echo one | chroot \"$R\" /svlog /log");
    assert_eq!((seen.status, text(&root.path().join("log/current")).as_str()), (0, "one\n"), "{seen:?}");
    assert_eq!(inside(": | chroot \"$R\" /sissylog"), prints(""));
    for (program, words) in [("svrun", "/missing"), ("svctl", "status /missing"), ("svlog", "/missing")] {
        let seen = inside(&format!("chroot \"$R\" /{program} {words} </dev/null"));
        assert!(!seen.stderr.contains("/dev/null") && !seen.stderr.is_empty(), "{seen:?}");
        // In the place of one that is closed there has to be something.
        let seen = inside(&format!("chroot \"$R\" /{program} {words} <&-"));
        assert!(seen.stderr.contains("unable to open /dev/null in place of a closed fd"), "{seen:?}");
    }
}
