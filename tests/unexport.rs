//! unexport.

use nix::errno::Errno;

use crate::support::*;

#[test]
fn a_variable_is_removed_with_its_duplicates() {
    let received = [c"A=1", c"B=2", c"A=3", c"A", c"=x", c"AA=4", c"", c"\xff=\xfe"];
    let after = |name| environment_after("unexport", &[name], &received);
    assert_eq!(after("A"), ["B=2", "A", "=x", "AA=4", "", r"\xff=\xfe"]);
    assert_eq!(after("C"), ["A=1", "B=2", "A=3", "A", "=x", "AA=4", "", r"\xff=\xfe"]);
    assert_eq!(environment_after("unexport", &["A"], &[]), [""; 0]);
}

#[test]
fn what_is_no_name_is_a_usage_error() {
    for (name, problem) in [
        ("", "name is empty"),
        ("A=", "not a variable name: A="),
        ("=", "not a variable name: ="),
        ("A=B", "not a variable name: A=B"),
    ] {
        let outcome = run(link("unexport").args([name, "echo", "ran"]));
        assert_eq!(outcome, misuse("unexport", problem), "{name}");
    }
}

#[test]
fn a_name_that_begins_with_a_dash_follows_two_dashes() {
    assert_eq!(environment_after("unexport", &["--", "-x"], &[c"-x=v", c"A=1"]), ["A=1"]);
    assert_eq!(run(link("unexport").args(["-x", "echo"])), misuse("unexport", "invalid option '-x'"));
}

#[test]
fn the_program_is_searched_in_the_path_that_was_received() {
    let directory = open_directory();
    script(&directory.path().join("mine"), "#!/bin/sh\necho mine\n");
    assert_eq!(run_in(&directory, "PATH=$PATH:.; exec unexport PATH mine"), prints("mine\n"));
    let not_found = fails(127, format!("fdclose: fatal: unable to run mine: {}\n", says(Errno::ENOENT)));
    assert_eq!(run_in(&directory, "PATH=$PATH:.; exec unexport PATH $B/fdclose 9 mine"), not_found);
}
