//! sigclean.

use nix::errno::Errno;

use crate::needs;
use crate::support::*;

/// The items of these names that `state` prints at the end of the words.
fn items(words: &[&str], names: &[&str]) -> Vec<String> {
    let ours = |word: &&str| if *word == "pose" { example(word) } else { (*word).into() };
    let mut command = prepared("env");
    let outcome = run(command.args(words.iter().map(ours)).arg(example("state")));
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{words:?}");
    let wanted = |line: &&str| {
        names.iter().any(|name| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))
    };
    outcome.stdout.lines().filter(wanted).map(str::to_owned).collect()
}

const SIGNALS: [&str; 5] = ["SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"];
const CLEAN: [&str; 5] = [
    "SigPnd 0000000000000000",
    "ShdPnd 0000000000000000",
    "SigBlk 0000000000000000",
    "SigIgn 0000000000000000",
    "SigCgt 0000000000000000",
];

#[test]
fn every_signal_has_its_default_disposition_and_none_is_blocked() {
    // All that there are: those of the C library too.
    let all = items(&["pose", "deaf"], &SIGNALS);
    assert_eq!(all[2..4], ["SigBlk fffffffffffbfeff", "SigIgn fffffffffffbfeff"]);
    for words in [&["sigclean"][..], &["sigclean", "-k"], &["sigclean", "sigclean"]] {
        assert_eq!(items(&[&["pose", "deaf"], words].concat(), &SIGNALS), CLEAN);
        assert_eq!(items(words, &SIGNALS), CLEAN);
    }
}

/// Runs sigclean where these signals are ignored and those blocked, after a TERM has arrived.
fn after_term(ignored: &str, blocked: &str) -> Outcome {
    let (ignored, blocked) = (format!("--ignore-signal={ignored}"), format!("--block-signal={blocked}"));
    let mut command = prepared("env");
    command.args([&*ignored, &*blocked, "sh", "-c", "kill -TERM $$; exec \"$@\"", "sh"]);
    run(command.args(["sigclean", "echo", "ran"]))
}

#[test]
fn a_pending_signal_is_taken_as_it_was_to_be_when_it_arrived() {
    assert_eq!(after_term("HUP", "TERM"), fails(128 + 15, ""));
    assert_eq!(after_term("TERM", "TERM"), prints("ran\n"), "it is ignored");
}

#[test]
fn a_pending_signal_whose_default_is_to_do_nothing_is_gone() {
    let mut command = prepared("env");
    command.args(["--block-signal=CHLD", "sh", "-c", "kill -CHLD $$; exec \"$@\"", "sh", "sigclean"]);
    assert_eq!(run(command.args(["echo", "ran"])), prints("ran\n"));
}

/// The fds that are open behind these words, where 3 and 9 were before.
fn fds(line: &str) -> String {
    // Those of the tests themselves are not to be seen.
    let line = format!("pose closed=rest redirfd -r 3 /dev/null redirfd -r 9 /dev/null env {line}");
    let items = items(&line.split(' ').collect::<Vec<_>>(), &["fd"]);
    items.iter().map(|item| item.split(' ').nth(1).unwrap()).collect::<Vec<_>>().join(" ")
}

#[test]
fn fds_from_3_up_are_closed_unless_they_are_to_be_kept() {
    let directory = open_directory();
    let lock = directory.path().join("lock").display().to_string();
    for (line, left) in [
        ("sigclean", "0 1 2"),
        ("sigclean -k", "0 1 2 3 9"),
        ("redirfd -r 500 /dev/null softlimit -o 20 sigclean", "0 1 2"),
        ("fdclose 0 sigclean", "1 2"),
        ("redirfd -r 500 /dev/null sigclean redirfd -r 5 /dev/null", "0 1 2 5"),
        // The lock is released.
        ("setlock LOCK sigclean setlock -n LOCK", "0 1 2 3"),
    ] {
        assert_eq!(fds(&line.replace("LOCK", &lock)), left, "{line}");
    }
}

#[test]
fn without_close_range_the_fds_are_found_in_proc() {
    needs!(tool("strace"));
    for errno in ["ENOSYS", "EPERM"] {
        let strace = "strace -qqq -o /dev/null -e signal=none";
        let refused = format!("-e inject=close_range:error={errno}");
        for (line, left) in [
            ("sigclean", "0 1 2"),
            ("redirfd -r 500 /dev/null sigclean", "0 1 2"),
            ("redirfd -r 500 /dev/null softlimit -o 20 sigclean", "0 1 2"),
            // In one process: a loader needs a fd.
            ("catena redirfd -r 4 /dev/null softlimit -o 5 sigclean softlimit -o =", "0 1 2"),
            ("sigclean -k", "0 1 2 3 9"),
        ] {
            let line = format!("{strace} -e trace=close_range {refused} {line}");
            assert_eq!(fds(&line), left, "{line}");
        }
    }
}

#[test]
fn without_close_range_and_proc_nothing_runs() {
    needs!(tool("strace"), mounts());
    let script = "mount -t tmpfs none /proc && exec strace -qqq -o /dev/null -e trace=close_range -e signal=none \
                  -e inject=close_range:error=ENOSYS \"$@\"";
    let mut command = prepared("unshare");
    command.args(["--mount", "sh", "-c", script, "sh", "sigclean", "echo", "ran"]);
    let outcome = run(&mut command);
    let message = "sigclean: fatal: unable to close all fds from 3 up: Function not implemented\n\
                   sigclean: hint: without close_range(2) this needs /proc\n";
    assert_eq!(outcome, fails(111, message));
}

#[test]
fn a_failure_is_told_and_nothing_runs() {
    needs!(tool("strace"));
    for (call, action) in [
        ("close_range", "close all fds from 3 up"),
        ("rt_sigprocmask", "unblock all signals"),
        ("rt_sigaction", "give all signals their default dispositions"),
    ] {
        let mut command = prepared("strace");
        let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error=EIO"));
        command.args(["-qqq", "-o", "/dev/null", "-e", "signal=none", "-e", &trace, "-e", &inject]);
        let message = format!("sigclean: fatal: unable to {action}: {}\n", says(Errno::EIO));
        assert_eq!(run(command.args(["sigclean", "echo", "ran"])), fails(111, message), "{call}");
    }
}
