//! envfile. What is in a file is tested beside the code, in bins/envfile/dialect/tests.rs.

use std::ffi::CStr;
use std::fs;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use nix::errno::Errno;
use tempfile::TempDir;

use crate::support::*;

/// A new directory with a file `f`.
fn directory(content: &[u8]) -> TempDir {
    let directory = open_directory();
    fs::write(directory.path().join("f"), content).unwrap();
    directory
}

/// The environment of the program after `envfile OPTIONS f` that got the environment `received`.
fn environment(content: &[u8], options: &[&str], received: &[&CStr]) -> Vec<String> {
    let directory = directory(content);
    let file = directory.path().join("f");
    environment_after("envfile", &[options, &[file.to_str().unwrap()]].concat(), received)
}

fn unusable(file: &str, line: u32, problem: &str) -> Outcome {
    fails(111, format!("envfile: fatal: unable to use {file}: line {line}: {problem}\n"))
}

#[test]
fn each_dialect_has_its_own_quotes() {
    let content = b"# a comment\n\nA=\"one\\ttwo\"\nB='three'\n";
    for (options, expected) in [
        (&[][..], ["A=one\\ttwo", "B=\\'three\\'"]),
        (&["-d", "execline"], ["A=one\\ttwo", "B=\\'three\\'"]),
        (&["-dsystemd"], ["A=one\\\\ttwo", "B=three"]),
        (&["-d", "docker"], ["A=\\\"one\\\\ttwo\\\"", "B=\\'three\\'"]),
        (&["-d", "docker", "-d", "execline"], ["A=one\\ttwo", "B=\\'three\\'"]),
    ] {
        assert_eq!(environment(content, options, &[]), expected, "{options:?}");
    }
}

#[test]
fn the_last_line_of_a_variable_counts_in_the_place_of_the_first_and_all_else_stays() {
    let received = [c"A=1", c"junk", c"B=2", c"A=3", c"", c"=x"];
    for options in [&[][..], &["-d", "systemd"], &["-d", "docker"]] {
        assert_eq!(
            environment(b"C=c\nA=x\nA=y\n", options, &received),
            ["A=y", "junk", "B=2", "", "=x", "C=c"]
        );
        assert_eq!(environment(b"", options, &received), ["A=1", "junk", "B=2", "A=3", "", "=x"]);
    }
}

#[test]
fn nothing_in_a_file_is_executed_or_expanded() {
    let content = b"A=$B\nC=`touch made`\nD=$(touch made)\nE=x; touch made\nB=b\nF=${B:-c}~*\n";
    let expected = ["A=$B", "C=`touch made`", "D=$(touch made)", "E=x; touch made", "B=b", "F=${B:-c}~*"];
    for options in [&[][..], &["-d", "systemd"], &["-d", "docker"]] {
        assert_eq!(environment(content, options, &[]), expected);
    }
}

#[test]
fn a_name_alone_has_the_value_that_was_received_in_dockers_dialect() {
    let docker = ["-d", "docker"];
    assert_eq!(environment(b"A\nNONE\n", &docker, &[c"A=1", c"B=2"]), ["A=1", "B=2"]);
    assert_eq!(environment(b"A=x\nA\nB=y\nB\n", &docker, &[c"A=1", c"A=2"]), ["A=1", "B=y"]);
    assert_eq!(environment(b"A\nA=x\n", &docker, &[c"A=1"]), ["A=x"]);
}

#[test]
fn a_line_that_is_no_variable_is_named_and_nothing_is_executed() {
    for (content, options, line, problem) in [
        (&b"A=1\n\nB\n"[..], "", 3, "no = in it"),
        (b"A=1\nB='\n", "-d systemd", 2, "a quote that does not end"),
        (b"A=1\nb c=2\n", "-d docker", 2, "not a variable name"),
        (b"A=\0\n", "", 1, "a NUL, which no variable can have"),
    ] {
        let directory = directory(content);
        let outcome = run_in(&directory, &format!("envfile {options} f touch made"));
        assert_eq!(outcome, unusable("f", line, problem), "{}", content.escape_ascii());
        assert!(!directory.path().join("made").exists());
        // Where it may be missing it must still be right.
        let outcome = run_in(&directory, &format!("envfile -I {options} ./f touch made"));
        assert_eq!(outcome, unusable("./f", line, problem));
        let outcome = run_in(&directory, &format!("envfile {options} - touch made <f"));
        assert_eq!(outcome, unusable("the standard input", line, problem));
        assert!(!directory.path().join("made").exists());
    }
}

#[test]
fn a_known_trap_has_a_hint() {
    let hinted = |content, options: &str, hint: &str| {
        let directory = directory(content);
        let outcome = run_in(&directory, &format!("envfile {options} f echo ran"));
        assert_eq!(outcome.status, 111);
        assert!(outcome.stderr.ends_with(&format!("\nenvfile: hint: {hint}\n")), "{outcome:?}");
    };
    hinted(b"export A=1\n", "", "every variable is exported: leave out the word export");
    hinted(b"export A=1\n", "-d systemd", "every variable is exported: leave out the word export");
    let dos = "the lines end as those of DOS do: remove the carriage returns with tr -d '\\r'";
    hinted(b"A=\\\r\nB=1\r\n", "", dos);
    hinted(b"A='1\r\n2'\r\n", "-d systemd", dos);
}

#[test]
fn a_missing_file_is_no_error_with_capital_i() {
    let directory = directory(b"A=1\n");
    let no_file =
        |file: &str, errno| fails(111, format!("envfile: fatal: unable to open {file}: {}\n", says(errno)));
    assert_eq!(run_in(&directory, "ln -s nowhere l"), prints(""));
    for missing in ["no", "no/f", "l"] {
        let run = |options: &str| run_in(&directory, &format!("envfile {options} {missing} echo x"));
        assert_eq!(run(""), no_file(missing, Errno::ENOENT));
        assert_eq!(run("-i"), no_file(missing, Errno::ENOENT));
        assert_eq!(run("-Ii"), no_file(missing, Errno::ENOENT));
        assert_eq!(run("-I"), prints("x\n"));
        assert_eq!(run("-i -I"), prints("x\n"));
    }
    // And that alone is none.
    assert_eq!(run_in(&directory, "envfile -I f/f echo x"), no_file("f/f", Errno::ENOTDIR));
    let denied = no_file("f", Errno::EACCES);
    assert_eq!(run(mortal("chmod 0 f; exec envfile -I f echo x").current_dir(&directory)), denied);
}

#[test]
fn an_empty_file_name_is_a_usage_error_and_not_a_missing_file() {
    assert_eq!(run(link("envfile").args(["", "echo"])), misuse("envfile", "file is empty"));
    assert_eq!(run(link("envfile").args(["-I", "", "echo"])), misuse("envfile", "file is empty"));
}

#[test]
fn only_regular_files_are_read_and_no_open_waits() {
    let directory = directory(b"A=1\n");
    let unreadable =
        |file: &str| fails(111, format!("envfile: fatal: unable to read {file}: not a regular file\n"));
    let is_directory = fails(111, format!("envfile: fatal: unable to read .: {}\n", says(Errno::EISDIR)));
    assert_eq!(run_in(&directory, "mkfifo p; envfile p echo x"), unreadable("p"));
    assert_eq!(run_in(&directory, "envfile /dev/zero echo x"), unreadable("/dev/zero"));
    assert_eq!(run_in(&directory, "envfile . echo x"), is_directory);
    assert_eq!(run_in(&directory, "envfile /dev/null echo x"), prints("x\n"));
    assert_eq!(run_in(&directory, "ln -s f l; envfile l sh -c 'echo $A'"), prints("1\n"));
    let _socket = UnixListener::bind(directory.path().join("s")).unwrap();
    let no_device = fails(111, format!("envfile: fatal: unable to open s: {}\n", says(Errno::ENXIO)));
    assert_eq!(run_in(&directory, "envfile s echo x"), no_device);
}

#[test]
fn a_file_that_no_environment_can_hold_is_refused_before_it_is_read_whole() {
    let too_long = says(Errno::E2BIG);
    let directory = directory(b"");
    let outcome = run_in(&directory, "truncate -s 8G f; ulimit -v 500000; envfile f echo x");
    assert_eq!(outcome, fails(111, format!("envfile: fatal: unable to read f: {too_long}\n")));
    let outcome = run_in(&directory, "ulimit -v 500000; envfile - echo x </dev/zero");
    assert_eq!(
        outcome,
        fails(111, format!("envfile: fatal: unable to read the standard input: {too_long}\n"))
    );
}

#[test]
fn a_dash_is_the_standard_input_whatever_that_is_and_it_stays_open() {
    let directory = directory(b"A=1\n");
    assert_eq!(run_in(&directory, "envfile - sh -c 'echo $A; cat' <f"), prints("1\n"));
    assert_eq!(run_in(&directory, "{ echo A=2; echo B=3; } | envfile - sh -c 'echo $A$B'"), prints("23\n"));
    assert_eq!(descriptors(&directory, "envfile -", "<f"), ["0 f", "1 null", "2 null"]);
    let closed =
        fails(111, format!("envfile: fatal: unable to read the standard input: {}\n", says(Errno::EBADF)));
    assert_eq!(run_in(&directory, "envfile - echo x <&-"), closed);
    assert_eq!(run_in(&directory, "echo A=4 >./-; envfile ./- sh -c 'echo $A'"), prints("4\n"));
    // It is waited for, line by line.
    let mut command = prepared(bin().join("envfile"));
    command.args(["-", "sh", "-c", "echo $A$B"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"A=5\n").unwrap();
    wait_until_in(child.id(), &[nix::libc::SYS_read]);
    stdin.write_all(b"B=6").unwrap();
    drop(stdin);
    assert_eq!(child.wait_with_output().unwrap().stdout, b"56\n");
}

#[test]
fn the_file_is_closed_before_the_program() {
    let directory = directory(b"A=1\n");
    assert_eq!(descriptors(&directory, "envfile f", ""), ["0 null", "1 null", "2 null"]);
}

#[test]
fn an_unknown_dialect_is_a_usage_error() {
    let directory = directory(b"A=1\n");
    for (words, problem) in [
        ("-d sh f echo x", "unknown dialect: sh"),
        ("-d '' f echo x", "unknown dialect: the value is empty"),
        ("-d", "missing argument for option '-d'"),
        ("-x f echo x", "invalid option '-x'"),
        ("", "missing file"),
        ("f", "missing prog"),
        ("-I no", "missing prog"),
    ] {
        assert_eq!(run_in(&directory, &format!("envfile {words}")), misuse("envfile", problem), "{words}");
    }
}

#[test]
fn the_program_is_searched_in_the_path_that_was_received() {
    let directory = directory(b"PATH=.\n");
    script(&directory.path().join("mine"), "#!/bin/sh\necho mine\n");
    let not_found = fails(127, format!("envfile: fatal: unable to run mine: {}\n", says(Errno::ENOENT)));
    assert_eq!(run_in(&directory, "envfile f mine"), not_found);
    assert_eq!(run_in(&directory, "envfile f $B/fdclose 9 mine"), prints("mine\n"));
}

#[test]
fn a_value_of_a_file_is_as_long_as_the_kernel_takes() {
    let length = |count| {
        let directory = directory(format!("X={}\n", "x".repeat(count)).as_bytes());
        run_in(&directory, "envfile f sh -c 'echo ${#X}'")
    };
    assert_eq!(length(131_069), prints("131069\n"));
    let too_long = fails(126, format!("envfile: fatal: unable to run sh: {}\n", says(Errno::E2BIG)));
    assert_eq!(length(131_070), too_long);
}
