//! envdir.

use std::ffi::CStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;

use nix::errno::Errno;
use tempfile::TempDir;

use crate::needs;
use crate::support::*;

/// A new directory with a directory `d` of variables in it.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("d")).unwrap();
    for (name, content) in files {
        fs::write(directory.path().join("d").join(name), content).unwrap();
    }
    directory
}

/// The environment of the program after `envdir OPTIONS d` that got the environment `received`.
fn environment(directory: &TempDir, options: &[&str], received: &[&CStr]) -> Vec<String> {
    let variables = directory.path().join("d");
    environment_after("envdir", &[options, &[variables.to_str().unwrap()]].concat(), received)
}

/// What envdir says where it cannot read `file`.
fn unreadable(file: &str, errno: Errno) -> Outcome {
    fails(111, format!("envdir: fatal: unable to read {file}: {}\n", says(errno)))
}

/// What envdir says where `file` would name no variable.
fn no_name(file: &str) -> Outcome {
    fails(111, format!("envdir: fatal: unable to use {file}: not a variable name\n"))
}

#[test]
fn the_value_is_what_the_format_makes_of_the_content() {
    // With no option, -n, -f and -fn.
    for (content, values) in [
        (&b"\n"[..], ["", "", "", r"\n"]),
        (b" \t \n", ["", r" \t ", r" \t ", r" \t \n"]),
        (b"  ", ["", "  ", "  ", "  "]),
        (b"v", ["v", "v", "v", "v"]),
        (b"v\n", ["v", "v", "v", r"v\n"]),
        (b"v \t \n", ["v", r"v \t ", r"v \t ", r"v \t \n"]),
        (b"v \t ", ["v", r"v \t ", r"v \t ", r"v \t "]),
        (b" \tv\n", [r" \tv", r" \tv", r" \tv", r" \tv\n"]),
        (b"a \nb \n", ["a", "a ", r"a \nb ", r"a \nb \n"]),
        (b"a\nb\n\n", ["a", "a", r"a\nb\n", r"a\nb\n\n"]),
        (b"a\nb", ["a", "a", r"a\nb", r"a\nb"]),
        (b"\nb\n", ["", "", r"\nb", r"\nb\n"]),
        (b"v\r\n", [r"v\r", r"v\r", r"v\r", r"v\r\n"]),
        (b"v\x0c\x0b\n", [r"v\x0c\x0b", r"v\x0c\x0b", r"v\x0c\x0b", r"v\x0c\x0b\n"]),
        (b"a\0b\0\n", [r"a\nb\n", r"a\nb\n", r"a\nb\n", r"a\nb\n\n"]),
        (b"a\0 \n", [r"a\n", r"a\n ", r"a\n ", r"a\n \n"]),
        (b"\0", [r"\n", r"\n", r"\n", r"\n"]),
        (b"#$x`y`%s=\n", ["#$x`y`%s=", "#$x`y`%s=", "#$x`y`%s=", r"#$x`y`%s=\n"]),
        (b"\\n\\\\\n", [r"\\n\\\\", r"\\n\\\\", r"\\n\\\\", r"\\n\\\\\n"]),
        (b"\xff\xe9\n", [r"\xff\xe9", r"\xff\xe9", r"\xff\xe9", r"\xff\xe9\n"]),
    ] {
        let directory = directory(&[]);
        fs::write(directory.path().join("d/X"), content).unwrap();
        for (options, value) in [&[][..], &["-n"], &["-f"], &["-fn"]].into_iter().zip(values) {
            let seen = environment(&directory, options, &[c"A=a", c"X=pre", c"Z=z"]);
            let shown = content.escape_ascii();
            assert_eq!(seen, ["A=a", &format!("X={value}"), "Z=z"], "{options:?} \"{shown}\"");
        }
    }
}

#[test]
fn an_empty_file_unsets() {
    let directory = directory(&[("X", ""), ("Y", "")]);
    for options in [&[][..], &["-n"], &["-f"], &["-fn"], &["-f", "-n", "-c", ":", "-I"]] {
        assert_eq!(environment(&directory, options, &[c"A=a", c"X=pre", c"Z=z"]), ["A=a", "Z=z"]);
    }
    assert_eq!(environment(&directory, &[], &[c"X="]), [""; 0]);
}

#[test]
fn c_puts_another_character_in_the_place_of_nul() {
    let directory = directory(&[("X", "a\0b\0\n")]);
    for (options, value) in [
        (&["-c", ":"][..], "a:b:"),
        (&["-c:"], "a:b:"),
        (&["-c", "="], "a=b="),
        (&["-c="], "a=b="),
        (&["-c", " "], "a b "),
        (&["-fc", ":"], "a:b:"),
        (&["-fnc:"], r"a:b:\n"),
        (&["-c", "\n"], r"a\nb\n"),
        (&["-c", "x", "-c", ":"], "a:b:"),
    ] {
        assert_eq!(environment(&directory, options, &[]), [format!("X={value}")], "{options:?}");
    }
    for bad in ["", "ab", "é", "\\n"] {
        assert_eq!(
            run(link("envdir").args(["-c", bad, "d", "echo", "x"]).current_dir(&directory)),
            misuse("envdir", &format!("not one character: {}", given(bad)))
        );
    }
}

#[test]
fn p_puts_a_prefix_before_each_name() {
    let directory = directory(&[("A", "1\n"), ("B", ""), (".C", "3\n")]);
    let received = [c"A=a", c"P_A=pre", c"B=b", c"P_B=b"];
    assert_eq!(environment(&directory, &["-p", "P_"], &received), ["A=a", "P_A=1", "B=b"]);
    assert_eq!(environment(&directory, &["-pX", "-p", "P_"], &received), ["A=a", "P_A=1", "B=b"]);
    assert_eq!(environment(&directory, &["-p", ""], &received), ["A=1", "P_A=pre", "P_B=b"]);
    assert_eq!(environment(&directory, &["-p", "\u{e9} \n"], &[]), [r"\xc3\xa9 \nA=1"]);
}

#[test]
fn a_missing_directory_is_no_error_with_capital_i() {
    let directory = directory(&[("X", "v\n")]);
    let no_directory = |name: &str, errno| {
        fails(111, format!("envdir: fatal: unable to open directory {name}: {}\n", says(errno)))
    };
    assert_eq!(run_in(&directory, "ln -s nowhere l; ln -s d link; >f; mkfifo p"), prints(""));
    for missing in ["no", "no/d", "l"] {
        assert_eq!(
            run_in(&directory, &format!("envdir {missing} echo x")),
            no_directory(missing, Errno::ENOENT)
        );
        assert_eq!(run_in(&directory, &format!("envdir -I {missing} echo x")), prints("x\n"));
    }
    // And that alone is none.
    for other in ["f", "f/d", "p"] {
        assert_eq!(
            run_in(&directory, &format!("envdir {other} echo x")),
            no_directory(other, Errno::ENOTDIR)
        );
        assert_eq!(
            run_in(&directory, &format!("envdir -I {other} echo x")),
            no_directory(other, Errno::ENOTDIR)
        );
    }
    for there in ["d", "d/", "./d", "link"] {
        assert_eq!(run_in(&directory, &format!("envdir -I {there} sh -c 'echo $X'")), prints("v\n"));
        assert_eq!(run_in(&directory, &format!("envdir {there} sh -c 'echo $X'")), prints("v\n"));
    }
    assert_eq!(
        run_in(&directory, "rm d/X; ln -s nowhere d/X; envdir -I d echo x"),
        unreadable("d/X", Errno::ENOENT)
    );
}

#[test]
fn a_directory_that_is_removed_meanwhile_is_an_error() {
    let directory = directory(&[]);
    let says = says(Errno::ENOENT);
    assert_eq!(
        run_in(&directory, "cd d; rmdir ../d; exec envdir . echo x"),
        fails(111, format!("envdir: fatal: unable to read directory .: {says}\n"))
    );
}

#[test]
fn files_with_a_dot_in_front_are_skipped() {
    let directory = directory(&[(".X", "v\n"), ("..Y", "v\n"), ("Z.z", "v\n")]);
    assert_eq!(
        run_in(&directory, "mkdir d/.sub; ln -s nowhere d/.link; mkfifo d/.fifo; >d/.A=B"),
        prints("")
    );
    assert_eq!(environment(&directory, &[], &[c".X=x"]), [".X=x", "Z.z=v"]);
}

#[test]
fn a_file_that_gives_no_variable_is_named_and_nothing_is_executed() {
    for (make, outcome) in [
        ("mkdir X", unreadable("d/X", Errno::EISDIR)),
        ("ln -s . X", unreadable("d/X", Errno::EISDIR)),
        ("ln -s nowhere X", unreadable("d/X", Errno::ENOENT)),
        ("ln -s X X", unreadable("d/X", Errno::ELOOP)),
        ("mkdir 'a\nb'", unreadable("d/a\\nb", Errno::EISDIR)),
        ("mkfifo X", fails(111, "envdir: fatal: unable to read d/X: not a regular file\n")),
        ("ln -s /dev/zero X", fails(111, "envdir: fatal: unable to read d/X: not a regular file\n")),
        ("ln -s /dev/full X", fails(111, "envdir: fatal: unable to read d/X: not a regular file\n")),
        ("echo v >A=B", no_name("d/A=B")),
        ("echo v >=", no_name("d/=")),
        ("echo v >=A", no_name("d/=A")),
        // These would set nothing; but they are no names either.
        (">A=B", no_name("d/A=B")),
        ("ln -s /dev/null A=B", no_name("d/A=B")),
    ] {
        let directory = directory(&[("V", "v\n")]);
        assert_eq!(run_in(&directory, &format!("cd d && {make}")), prints(""));
        for options in ["", "-I", "-f"] {
            let chain = format!("A=B=b; export A; envdir {options} d sh -c 'echo \"$A\"'");
            assert_eq!(run_in(&directory, &chain), outcome, "{make}");
        }
    }
    let directory = directory(&[]);
    let _socket = UnixListener::bind(directory.path().join("d/X")).unwrap();
    assert_eq!(run_in(&directory, "envdir d echo x"), unreadable("d/X", Errno::ENXIO));
}

#[test]
fn an_empty_dir_is_a_usage_error_and_not_a_missing_one() {
    let directory = directory(&[("X", "v\n")]);
    assert_eq!(run_in(&directory, "envdir '' echo x"), misuse("envdir", "dir is empty"));
    assert_eq!(run_in(&directory, "envdir -I '' echo x"), misuse("envdir", "dir is empty"));
}

#[test]
fn a_file_that_no_environment_can_hold_is_refused_before_it_is_read_whole() {
    let directory = directory(&[]);
    let outcome = run_in(&directory, "truncate -s 8G d/X; ulimit -v 500000; envdir d echo x");
    let says = says(Errno::E2BIG);
    assert_eq!(outcome, fails(111, format!("envdir: fatal: unable to read d/X: {says}\n")));
}

#[test]
fn a_prefix_that_makes_no_name_is_refused() {
    let directory = directory(&[("X", "v\n")]);
    let refused = misuse("envdir", "not the start of a name: A=");
    assert_eq!(run_in(&directory, "envdir -p A= d echo x"), refused);
    assert_eq!(run_in(&directory, "envdir -p A= none echo x"), refused);
}

#[test]
fn a_link_to_dev_null_unsets() {
    let directory = directory(&[]);
    assert_eq!(run_in(&directory, "ln -s /dev/null d/X; ln -s ../v d/Y; echo v >v"), prints(""));
    assert_eq!(environment(&directory, &[], &[c"X=pre", c"Y=pre"]), ["Y=v"]);
}

#[test]
fn an_unreadable_file_is_named() {
    let denied = says(Errno::EACCES);
    let outcome = |make: &str| {
        let directory = directory(&[("X", "v\n")]);
        let outcome = run(mortal(&format!("{make}; exec envdir -I d echo x")).current_dir(&directory));
        run_in(&directory, "chmod 755 d"); // so that it can be removed
        outcome
    };
    assert_eq!(outcome("chmod 0 d/X"), unreadable("d/X", Errno::EACCES));
    assert_eq!(outcome("chmod 200 d/X"), unreadable("d/X", Errno::EACCES));
    assert_eq!(outcome("chmod 400 d"), unreadable("d/X", Errno::EACCES));
    for mode in [0, 300] {
        assert_eq!(
            outcome(&format!("chmod {mode} d")),
            fails(111, format!("envdir: fatal: unable to open directory d: {denied}\n"))
        );
    }
}

#[test]
fn the_current_directory_need_not_be_readable() {
    let directory = directory(&[("X", "v\n")]);
    let readable = "mkdir no; cd no; chmod 0 .; ls 2>&- && echo readable; exec envdir $D/d sh -c 'echo $X'";
    assert_eq!(run(mortal(readable).current_dir(&directory).env("D", directory.path())), prints("v\n"));
    assert_eq!(run_in(&directory, "chmod 700 no"), prints("")); // so that it can be removed
    let gone = "mkdir gone; cd gone; rmdir ../gone; exec envdir $D/d sh -c 'echo $X'";
    assert_eq!(run(sh(gone).current_dir(&directory).env("D", directory.path())).stdout, "v\n");
}

#[test]
fn any_other_name_is_a_variable() {
    let long = "n".repeat(255);
    let names = ["lower", "1digit", "a b", " ", "a\nb", "-x", "é", "a.b", "~", "*", "\u{1}", &long];
    let directory = directory(&names.map(|name| (name, "v\n")));
    fs::write(directory.path().join("d").join(std::ffi::OsStr::from_bytes(b"\xff")), "v\n").unwrap();
    let mut seen = environment(&directory, &[], &[]);
    seen.sort();
    let mut expected: Vec<_> = names.iter().map(|name| format!("{}=v", name.escape_default())).collect();
    expected.retain(|entry| !entry.contains("u{"));
    expected.extend([r"\xff=v", r"\xc3\xa9=v", r"\x01=v"].map(str::to_owned));
    expected.sort();
    assert_eq!(seen, expected);
}

#[test]
fn a_directory_of_any_size_is_read_whole() {
    let names: Vec<_> = (0..1000).map(|number| format!("VARIABLE_NUMBER_{number:03}")).collect();
    let directory = directory(&names.iter().map(|name| (&**name, "v\n")).collect::<Vec<_>>());
    let mut seen = environment(&directory, &[], &[c"VARIABLE_NUMBER_500=pre"]);
    assert_eq!(seen[0], "VARIABLE_NUMBER_500=v");
    seen.sort();
    assert_eq!(seen, names.iter().map(|name| format!("{name}=v")).collect::<Vec<_>>());
}

#[test]
fn variables_without_a_file_stay_as_received() {
    let received =
        [c"A=1", c"junk", c"", c"=", c"=x", c"A", c"A=2", c"\xff\xfe=\x80", c"\xe9", c"B=", c"junk", c"AA=3"];
    let all = ["A=1", "junk", "", "=", "=x", "A", "A=2", r"\xff\xfe=\x80", r"\xe9", "B=", "junk", "AA=3"];
    assert_eq!(environment(&directory(&[]), &[], &received), all);
    let mut expected = all.to_vec();
    expected.push("C=c");
    assert_eq!(environment(&directory(&[("C", "c\n"), ("junk", ""), ("D", "")]), &[], &received), expected);
    assert_eq!(environment(&directory(&[]), &["-fn", "-p", "A"], &received), all);
    assert_eq!(environment(&directory(&[]), &[], &[]), [""; 0]);
}

#[test]
fn every_duplicate_of_a_variable_is_set_or_unset() {
    let received = [c"X=1", c"A=a", c"X=2", c"X", c"XX=x", c"X="];
    assert_eq!(environment(&directory(&[("X", "v\n")]), &[], &received), ["X=v", "A=a", "X", "XX=x"]);
    assert_eq!(environment(&directory(&[("X", "")]), &[], &received), ["A=a", "X", "XX=x"]);
}

#[test]
fn a_value_is_as_long_as_the_kernel_takes() {
    // An entry takes 128 KiB at most: here with "X=" and the NUL at its end.
    for options in ["", "-f", "-n"] {
        let directory = directory(&[("X", &"x".repeat(131_069))]);
        assert_eq!(
            run_in(&directory, &format!("envdir {options} d sh -c 'echo ${{#X}}'")),
            prints("131069\n")
        );
        fs::write(directory.path().join("d/X"), "x".repeat(131_070)).unwrap();
        assert_eq!(
            run_in(&directory, &format!("envdir {options} d sh -c 'echo ${{#X}}'")),
            fails(126, format!("envdir: fatal: unable to run sh: {}\n", says(Errno::E2BIG)))
        );
    }
    // Only the first line counts.
    let directory = directory(&[("X", &format!("{}\n{}", "x".repeat(5000), "y".repeat(10_000_000)))]);
    assert_eq!(run_in(&directory, "envdir d sh -c 'echo ${#X}'"), prints("5000\n"));
}

#[test]
fn the_program_is_searched_in_the_path_that_was_received() {
    let directory = directory(&[("PATH", "other\n")]);
    fs::create_dir(directory.path().join("other")).unwrap();
    script(&directory.path().join("other/mine"), "#!/bin/sh\necho mine\n");
    assert_eq!(run_in(&directory, "envdir d sh -c 'echo \"$PATH\"'"), prints("other\n"));
    assert_eq!(
        run_in(&directory, "envdir d mine"),
        fails(127, format!("envdir: fatal: unable to run mine: {}\n", says(Errno::ENOENT)))
    );
    // The next program in the chain has it.
    assert_eq!(run_in(&directory, "envdir d $B/fdclose 9 mine"), prints("mine\n"));
    assert_eq!(run_in(&directory, ">d/PATH; envdir d sh -c 'env | grep ^PATH='").status, 1);
    assert_eq!(run_in(&directory, "PATH=other:$PATH; envdir d mine"), prints("mine\n"));
}

#[test]
fn a_usage_error_executes_nothing() {
    let directory = directory(&[("X", "v\n")]);
    for (words, problem) in [
        ("", "missing dir"),
        ("-I", "missing dir"),
        ("d", "missing prog"),
        ("-I no", "missing prog"),
        ("-q d echo x", "invalid option '-q'"),
        ("-c", "missing argument for option '-c'"),
        ("-p", "missing argument for option '-p'"),
        ("-i d echo x", "invalid option '-i'"),
        ("-- d", "missing prog"),
    ] {
        assert_eq!(run_in(&directory, &format!("envdir {words}")), misuse("envdir", problem), "{words}");
    }
}

#[test]
fn options_end_at_the_directory() {
    let directory = directory(&[("X", "v\n")]);
    assert_eq!(run_in(&directory, "envdir -- d echo -n x"), prints("x"));
    let says = says(Errno::ENOENT);
    assert_eq!(
        run_in(&directory, "envdir d -- echo x"),
        fails(127, format!("envdir: fatal: unable to run --: {says}\n"))
    );
    assert_eq!(run_in(&directory, "mv d ./-d; envdir -- -d sh -c 'echo $X'"), prints("v\n"));
}

#[test]
fn names_that_are_longer_than_most_file_systems_have_them_are_read() {
    needs!(tool("strace"));
    let directory = TempDir::new().unwrap();
    fs::create_dir(directory.path().join("d")).unwrap();
    fs::write(directory.path().join("d/K"), "v\n").unwrap();
    // The kernel says so of a name for which there is no room.
    let inject = "strace -qq -o calls -e trace=getdents64 -e inject=getdents64:error=EINVAL:when=1";
    let line = format!("{inject} $B/envdir d sh -c 'echo $K'");
    assert_eq!(run_in(&directory, &line), prints("v\n"));
    assert!(fs::read_to_string(directory.path().join("calls")).unwrap().contains("(INJECTED)"));
}
