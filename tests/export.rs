//! export.

use std::ffi::CStr;

use nix::errno::Errno;

use crate::support::*;

const RECEIVED: [&CStr; 8] = [c"A=1", c"B=2", c"A=3", c"A", c"=x", c"AA=4", c"", c"\xff=\xfe"];

#[test]
fn a_variable_is_set_in_the_place_of_the_first_and_its_duplicates_go() {
    let after = |name, value| environment_after("export", &[name, value], &RECEIVED);
    assert_eq!(after("A", "v"), ["A=v", "B=2", "A", "=x", "AA=4", "", r"\xff=\xfe"]);
    assert_eq!(after("A", ""), ["A=", "B=2", "A", "=x", "AA=4", "", r"\xff=\xfe"]);
    assert_eq!(after("C", "x=y"), ["A=1", "B=2", "A=3", "A", "=x", "AA=4", "", r"\xff=\xfe", "C=x=y"]);
    assert_eq!(
        after("a b\u{e9}\n", "$X \n"),
        ["A=1", "B=2", "A=3", "A", "=x", "AA=4", "", r"\xff=\xfe", r"a b\xc3\xa9\n=$X \n"]
    );
    assert_eq!(environment_after("export", &["A", "v"], &[]), ["A=v"]);
}

#[test]
fn what_is_no_name_is_a_usage_error() {
    for (name, problem) in [
        ("", "name is empty"),
        ("A=", "not a variable name: A="),
        ("=", "not a variable name: ="),
        ("A=B", "not a variable name: A=B"),
    ] {
        let outcome = run(link("export").args([name, "v", "echo", "ran"]));
        assert_eq!(outcome, misuse("export", problem), "{name}");
    }
}

#[test]
fn a_name_that_begins_with_a_dash_follows_two_dashes() {
    assert_eq!(environment_after("export", &["--", "-x", "v"], &[]), ["-x=v"]);
    assert_eq!(run(link("export").args(["-x", "v", "echo"])), misuse("export", "invalid option '-x'"));
    // A value is not an option.
    assert_eq!(environment_after("export", &["A", "--help"], &[]), ["A=--help"]);
    assert_eq!(environment_after("export", &["A", "--"], &[]), ["A=--"]);
}

#[test]
fn the_program_is_searched_in_the_path_that_was_received() {
    let directory = open_directory();
    script(&directory.path().join("mine"), "#!/bin/sh\necho mine\n");
    let not_found = fails(127, format!("export: fatal: unable to run mine: {}\n", says(Errno::ENOENT)));
    assert_eq!(run_in(&directory, "exec export PATH . mine"), not_found);
    assert_eq!(run_in(&directory, "exec export PATH . $B/fdclose 9 mine"), prints("mine\n"));
}

#[test]
fn they_are_found_behind_exec_and_in_a_chain_though_a_shell_has_the_first() {
    assert_eq!(run(&mut sh("exec export A 'b c' sh -c 'echo $A'")), prints("b c\n"));
    assert_eq!(run(&mut sh("fdclose 9 export A b unexport B sh -c 'echo $A$B'")), prints("b\n"));
}
