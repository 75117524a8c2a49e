//! emptyenv.

use std::ffi::CStr;

use nix::errno::Errno;

use crate::support::*;

const RECEIVED: [&CStr; 10] = [
    c"PATH=/bin",
    c"A=1",
    c"junk",
    c"",
    c"=x",
    c"LD_LIBRARY_PATH=",
    c"A=2",
    c"AA=3",
    c"PATH=/second",
    c"\xff=\xfe",
];

fn after(words: &[&str], received: &[&CStr]) -> Vec<String> {
    environment_after("emptyenv", words, received)
}

#[test]
fn nothing_is_left_without_options() {
    assert_eq!(after(&[], &RECEIVED), [""; 0]);
    assert_eq!(after(&["--"], &RECEIVED), [""; 0]);
    assert_eq!(after(&[], &[]), [""; 0]);
}

#[test]
fn what_is_named_is_kept_where_it_was_and_once() {
    assert_eq!(after(&["-p"], &RECEIVED), ["PATH=/bin"]);
    assert_eq!(after(&["-l"], &RECEIVED), ["LD_LIBRARY_PATH="]);
    assert_eq!(after(&["-lp"], &RECEIVED), ["PATH=/bin", "LD_LIBRARY_PATH="]);
    assert_eq!(after(&["-k", "A"], &RECEIVED), ["A=1"]);
    assert_eq!(after(&["-k", "AA", "-kA", "-p", "-k", "A"], &RECEIVED), ["PATH=/bin", "A=1", "AA=3"]);
    assert_eq!(after(&["-pp", "-k", "PATH"], &RECEIVED), ["PATH=/bin"]);
    assert_eq!(after(&["-k", "none", "-k", "junk", "-k", "a"], &RECEIVED), [""; 0]);
}

/// What programs of execline set, between others that look like it.
const EXECLINE: [&CStr; 22] = [
    c"!=77",
    c"?=3",
    c"#=2",
    c"#:1=5",
    c"0=x",
    c"0:1=y",
    c"0:2=z",
    c"1=a",
    c"12=l",
    c"ELGETOPT_a=1",
    c"ELGETOPT_a:1=2",
    c"ELGETOPT_b:1=3",
    c"EXECLINE_STRICT=1",
    c"FD3=4", // all of them its own
    c"FDX=5",
    c"FD=6",
    c"1x=7",
    c"ELGETOPT=8",
    c"A:1=9",
    c"A=10",
    c"3:x=11",
    c"1",
];

#[test]
fn the_variables_of_execline_are_removed_and_no_others() {
    assert_eq!(
        after(&["-c"], &EXECLINE),
        ["FDX=5", "FD=6", "1x=7", "ELGETOPT=8", "A:1=9", "A=10", "3:x=11", "1"]
    );
    let all = [
        "PATH=/bin",
        "A=1",
        "junk",
        "",
        "=x",
        "LD_LIBRARY_PATH=",
        "A=2",
        "AA=3",
        "PATH=/second",
        r"\xff=\xfe",
    ];
    for words in [&["-c"][..], &["-o"], &["-P"], &["-oP"], &["-cp"]] {
        assert_eq!(after(words, &RECEIVED), all, "{words:?}");
    }
}

#[test]
fn arguments_and_options_come_back_from_where_execlineb_and_elgetopt_have_put_them() {
    let arguments = ["#=5", "0=y", "0:1=z"];
    let options = ["ELGETOPT_a=2", "ELGETOPT_b=3"];
    let others = ["FDX=5", "FD=6"];
    let rest = ["ELGETOPT=8", "A:1=9", "A=10", "3:x=11", "1"];
    let own = ["EXECLINE_STRICT=1", "FD3=4"];
    assert_eq!(
        after(&["-oP"], &EXECLINE),
        [&["!=77", "?=3"][..], &arguments, &options, &own, &others, &rest].concat()
    );
    let options = ["ELGETOPT_a=1", "ELGETOPT_a:1=2", "ELGETOPT_b:1=3"];
    assert_eq!(
        after(&["-P"], &EXECLINE),
        [&["!=77", "?=3"][..], &arguments, &options, &own, &others, &rest].concat()
    );
    assert_eq!(
        after(&["-o"], &[c"1=a", c"1:1=b", c"ELGETOPT_a:2=x", c"ELGETOPT_a=", c"ELGETOPT_=y"]),
        ["1=a", "1:1=b", "ELGETOPT_a:1=x"]
    );
}

#[test]
fn c_counts_before_o_and_capital_p_and_these_before_p_and_l() {
    for words in [&["-co"][..], &["-Pc"], &["-pcl"], &["-oPc"]] {
        assert_eq!(after(words, &[c"1:1=a", c"ELGETOPT_a:1=b", c"A=1", c"PATH=x"]), ["A=1", "PATH=x"]);
    }
    assert_eq!(after(&["-pP"], &[c"1:1=a", c"A=1"]), ["1=a", "A=1"]);
}

#[test]
fn a_name_that_cannot_be_kept_is_a_usage_error() {
    let says = |words: &[&str]| run(link("emptyenv").args(words).args(["echo", "ran"]));
    let usage = |problem| misuse("emptyenv", problem);
    assert_eq!(says(&["-k", ""]), usage("name is empty"));
    assert_eq!(says(&["-k", "A=1"]), usage("not a variable name: A=1"));
    for other in ["-c", "-o", "-P"] {
        let both = usage("-k keeps a variable where all others go: not with -c, -o or -P");
        assert_eq!(says(&["-k", "A", other]), both);
        assert_eq!(says(&[other, "-kA"]), both);
    }
    assert_eq!(says(&["-x"]), usage("invalid option '-x'"));
    assert_eq!(says(&["--keep-path"]), usage("invalid option '--keep-path'"));
    assert_eq!(run(link("emptyenv").arg("-k")), usage("missing argument for option '-k'"));
    assert_eq!(run(link("emptyenv").arg("-p")), usage("missing prog"));
}

#[test]
fn the_program_is_searched_in_the_path_that_was_received_and_the_next_one_where_there_is_none() {
    let directory = open_directory();
    script(&directory.path().join("mine"), "#!/bin/sh\necho mine\n");
    assert_eq!(run_in(&directory, "PATH=$PATH:.; emptyenv mine"), prints("mine\n"));
    assert_eq!(run_in(&directory, "PATH=$PATH:.; emptyenv $B/fdclose 9 echo found"), prints("found\n"));
    let lost = fails(127, format!("fdclose: fatal: unable to run mine: {}\n", says(Errno::ENOENT)));
    assert_eq!(run_in(&directory, "PATH=$PATH:.; emptyenv $B/fdclose 9 mine"), lost);
    assert_eq!(run_in(&directory, "PATH=$PATH:.; emptyenv -p fdclose 9 mine"), prints("mine\n"));
}
