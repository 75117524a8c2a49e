//! Its names, and what cannot be used.

use std::os::unix::fs::symlink;

use nix::errno::Errno;

use super::harness::*;
use crate::needs;
use crate::support::*;

#[test]
fn it_is_multilog_behind_a_prefix_and_by_any_path() {
    let scratch = open_directory();
    for name in ["multilog", "x-multilog"] {
        symlink(bin().join("svlog"), scratch.path().join(name)).unwrap();
    }
    for name in ["./multilog", "./x-multilog", "$PWD/multilog"] {
        let script =
            format!("printf 'a\\nb\\n' | {name} t '-*' '+* b' ./log && tail -n 1 log/current | cut -c 27-");
        assert_eq!(run_in(scratch.path(), &script), prints("b\n"), "{name}");
    }
    let seen = run_in(scratch.path(), "printf '' | ./x-multilog ./log ./log");
    let says = "x-multilog ./log: warning: another process has locked this log directory and writes to it\n\
                multilog: fatal: not all log directories can be used\n";
    assert_eq!(seen, fails(111, says));
    // svlog it is by any other name.
    let seen =
        run_in(scratch.path(), "ln -s multilog logger; printf 'c\\n' | ./logger log; tail -n 1 log/current");
    assert_eq!(seen, prints("c\n"));
}

#[test]
fn without_each_of_its_directories_it_reads_nothing() {
    needs!(Multilog.there());
    for (prepare, script) in [
        ("", &["./log", "./log"][..]),
        ("", &["./log", "./missing/log"]),
        ("touch file", &["./log", "./file"]),
        ("", &["./log", "=missing/st"]),
        ("mkdir st", &["./log", "=st"]),
        ("", &["/dev/null/log"]),
    ] {
        for of in [Multilog, OurMultilog] {
            let place = Place::new(of);
            assert_eq!(run_in(place.scratch.path(), prepare), prints(""));
            let program = if of == Multilog { peer("multilog").unwrap() } else { "./multilog".to_owned() };
            let actions = script.join(" ");
            let script = format!("echo line | ({program} {actions}; echo $?; cat)");
            let seen = run_in(place.scratch.path(), &script);
            assert_eq!(seen.stdout, "111\nline\n", "{of:?} {script:?}");
            assert!(seen.stderr.contains("multilog"), "{of:?} {script:?}");
        }
    }
    let place = Place::new(OurMultilog);
    let seen = place.run(&["./log", "=missing/st"], b"");
    let why = format!("multilog: fatal: unable to open missing/st: {}\n", says(Errno::ENOENT));
    assert_eq!((seen.status, seen.stderr), (111, why));
}

#[test]
fn a_directory_that_cannot_be_made_is_said_with_the_reason() {
    needs!(tool("strace"));
    let place = Place::new(OurMultilog);
    let script = "strace -o /dev/null -e trace=mkdirat -e inject=mkdirat:error=ENOSPC ./multilog ./log";
    let seen = run_in(place.scratch.path(), &format!("echo line | {script}"));
    let why = format!("unable to make the log directory: {}", says(Errno::ENOSPC));
    let fatal = "multilog: fatal: not all log directories can be used";
    assert_eq!(seen, fails(111, format!("multilog ./log: warning: {why}\n{fatal}\n")));
    // One that is there needs not to be made.
    let seen = run_in(place.scratch.path(), &format!("mkdir log; echo line | {script}; cat log/current"));
    assert_eq!(seen, prints("line\n"));
}

#[test]
fn directories_and_files_have_the_modes_of_daemontools() {
    needs!(Multilog.there());
    let modes = |of: Program| {
        let place = Place::new(of);
        place.run(&["s4096", "./log", "=st"], "line\n".repeat(1000).as_bytes());
        let archive = crate::svlog::harness::archives(&place.at("log")).remove(0);
        ["log", "log/current", "log/lock", "st", &format!("log/{archive}")].map(|name| mode(&place.at(name)))
    };
    assert_eq!(modes(Multilog), [0o700, 0o744, 0o600, 0o600, 0o744]);
    assert_eq!(modes(OurMultilog), modes(Multilog));
}

#[test]
fn a_log_in_use_is_not_entered_by_the_other_program() {
    needs!(Multilog.there());
    for (first, second) in [(Multilog, OurMultilog), (OurMultilog, Multilog)] {
        let mut log = super::differences::log_of(first, &[]);
        log.run();
        let seen = run(second.command().arg("./log").current_dir(log.scratch.path()));
        assert_eq!(seen.status, 111, "{second:?} {seen:?}");
        log.finish();
    }
}

#[test]
fn the_page_and_help_say_the_same() {
    needs!(tool("mandoc"));
    let place = Place::new(OurMultilog);
    let help = run(OurMultilog.command().arg("--help").current_dir(place.scratch.path()));
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("man/multilog.8");
    let shown = run(sh("mandoc -Tascii \"$0\" | sed 's/.\\x08//g'").arg(page)).stdout;
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = words(&shown);
    let mut lines = help.stdout.lines();
    let usage = lines.next().unwrap().strip_prefix("usage: ").unwrap();
    assert!(shown.contains(&format!("SYNOPSIS {usage} DESCRIPTION")), "{shown}");
    assert!(shown.contains(&format!("NAME multilog - {} SYNOPSIS", lines.next().unwrap())), "{shown}");
    assert_eq!(lines.next(), None);
}
