//! What links do where memory is short, and where no file may grow.

use std::fs;
use std::process::Command;

use nix::errno::Errno;

use crate::needs;
use crate::support::*;

/// More words than a link could copy under `LIMIT`, and still fewer than the stack that there usually is takes.
const WORDS: usize = 130_000;

/// Bytes of data: enough for a small program, which does not have its words there.
const LIMIT: &str = "1000000";

/// The command with that many arguments more.
fn with_words(mut command: Command) -> Command {
    command.args((0..WORDS).map(|_| "w"));
    command
}

/// These words, with that many variables.
fn with_variables(line: &[&str]) -> Command {
    let mut command = words(line);
    command.envs((0..WORDS / 2).map(|number| (format!("V{number}"), "")));
    command
}

fn words(words: &[&str]) -> Command {
    let mut command = prepared(words[0]);
    command.args(&words[1..]);
    command
}

#[test]
fn a_limit_of_memory_binds_the_program_and_not_the_link_that_sets_it() {
    let ran = fails(0, "");
    assert_eq!(run(&mut with_words(words(&["chpst", "-d", LIMIT, "-b", "name", "true"]))), ran);
    for chain in [
        &["chpst", "-U", ":1:2", "-d", LIMIT, "true"][..],
        &["catena", "export", "A", "b", "softlimit", "-d", LIMIT, "true"],
        &["catena", "export", "A", "b", "chpst", "-d", LIMIT, "true"],
    ] {
        assert_eq!(run(&mut with_variables(chain)), ran, "{chain:?}");
    }
}

#[test]
fn a_path_of_many_directories_is_searched_with_little_memory() {
    let path = (0..5000).map(|number| format!("/no/such/directory/{number}:")).collect::<Vec<_>>().concat();
    for link in ["chpst", "softlimit"] {
        let mut command = words(&[link, "-d", LIMIT, "no-such-program"]);
        let missing = format!("{link}: fatal: unable to run no-such-program: {}\n", says(Errno::ENOENT));
        assert_eq!(run(command.env("PATH", format!("{}:{path}", bin().display()))), fails(127, missing));
    }
}

#[test]
fn without_memory_nothing_runs_and_the_message_says_so() {
    let failed = |link: &str| {
        fails(111, format!("{link}: fatal: unable to allocate memory: {}\n", says(Errno::ENOMEM)))
    };
    let chpst = words(&["softlimit", "-d", LIMIT, "chpst", "-b", "name", "echo", "ran"]);
    assert_eq!(run(&mut with_words(chpst)), failed("chpst"));
    for link in
        [&["export", "A", "b"][..], &["unexport", "A"], &["emptyenv", "-k", "A"], &["chpst", "-U", ":1:2"]]
    {
        let chain = [&["softlimit", "-d", LIMIT], link, &["echo", "ran"]].concat();
        assert_eq!(run(&mut with_variables(&chain)), failed(link[0]));
    }
}

#[test]
fn where_no_file_may_grow_the_status_still_says_why_nothing_runs() {
    needs!(tool("prlimit"));
    let directory = open_directory();
    for (line, status) in [
        ("softlimit -f 0 no-such-program", 127),
        ("chpst -f 0 no-such-program", 127),
        ("chpst -f 0 /", 126),
        ("prlimit --fsize=0 chpst -u no-such-account true", 111),
        ("prlimit --fsize=0 umask", 100),
        ("prlimit --fsize=0 umask --help", 111),
    ] {
        let outcome = run_in(&directory, &format!("exec {line} >out 2>err"));
        assert_eq!(outcome, fails(status, ""), "{line}");
        assert_eq!(fs::read(directory.path().join("err")).unwrap(), b"", "{line}");
    }
}
