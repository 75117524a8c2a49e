//! chdir.

use std::fs;
use std::os::unix::fs::symlink;

use nix::errno::Errno;

use crate::needs;
use crate::support::*;

#[test]
fn the_program_runs_in_the_directory() {
    let directory = open_directory();
    let path = directory.path().canonicalize().unwrap();
    fs::create_dir(path.join("sub")).unwrap();
    symlink("sub", path.join("link")).unwrap();
    let sub = path.join("sub").display().to_string();
    for (words, cwd) in [
        (&["sub"][..], &*sub),
        (&["./sub/../sub/"], &sub),
        (&["link"], &sub),
        (&[&sub], &sub),
        (&["--", "sub"], &sub),
        (&["sub", "chdir", ".."], path.to_str().unwrap()),
        (&["/"], "/"),
    ] {
        let mut command = link("chdir");
        command.args(words).args(["/bin/pwd", "-P"]).current_dir(&path);
        assert_eq!(run(&mut command), prints(format!("{cwd}\n")), "{words:?}");
    }
}

#[test]
fn no_variable_changes_or_counts() {
    let directory = open_directory();
    fs::create_dir(directory.path().join("sub")).unwrap();
    for pwd in [Some("/somewhere"), None] {
        let mut command = link("chdir");
        command.args(["sub", "/usr/bin/env"]).env_clear().current_dir(&directory);
        command.envs([("CDPATH", "/"), ("HOME", "/"), ("OLDPWD", "/")]).envs(pwd.map(|pwd| ("PWD", pwd)));
        let pwd = pwd.map_or(String::new(), |pwd| format!("PWD={pwd}\n"));
        assert_eq!(run(&mut command), prints(format!("CDPATH=/\nHOME=/\nOLDPWD=/\n{pwd}")));
    }
    let mut command = link("chdir");
    command.args(["-", "pwd"]).current_dir(&directory).env("OLDPWD", "/");
    let message = format!("chdir: fatal: unable to enter -: {}\n", says(Errno::ENOENT));
    assert_eq!(run(&mut command), fails(111, message), "no shell's dash");
}

#[test]
fn a_program_with_a_slash_is_found_from_the_new_directory() {
    let directory = open_directory();
    fs::create_dir(directory.path().join("sub")).unwrap();
    script(&directory.path().join("program"), "#!/bin/sh\necho old\n");
    script(&directory.path().join("sub/program"), "#!/bin/sh\necho new\n");
    let line = |words: &[&str]| run(link("chdir").args(words).current_dir(&directory));
    assert_eq!(line(&["sub", "./program"]), prints("new\n"));
    assert_eq!(line(&["sub", "../program"]), prints("old\n"));
    let mut command = link("chdir");
    command.args(["sub", "program"]).current_dir(&directory).env("PATH", ":/bin");
    assert_eq!(run(&mut command), prints("new\n"));
}

#[test]
fn a_directory_that_cannot_be_entered_is_an_error_and_nothing_runs() {
    let directory = open_directory();
    fs::write(directory.path().join("file"), "").unwrap();
    symlink("loop", directory.path().join("loop")).unwrap();
    for (path, errno) in [
        ("none", Errno::ENOENT),
        ("file", Errno::ENOTDIR),
        ("file/x", Errno::ENOTDIR),
        ("loop", Errno::ELOOP),
    ] {
        let outcome = run(link("chdir").args([path, "echo", "ran"]).current_dir(&directory));
        let message = format!("chdir: fatal: unable to enter {path}: {}\n", says(errno));
        assert_eq!(outcome, fails(111, message), "{path}");
    }
}

#[test]
fn an_empty_directory_is_a_usage_error() {
    let outcome = run(link("chdir").args(["", "echo", "ran"]));
    assert_eq!(outcome, misuse("chdir", "invalid directory: the value is empty"));
}

#[test]
fn a_directory_that_the_account_may_not_enter_is_named_as_such() {
    needs!(tool("setpriv"));
    let directory = open_directory();
    let script = "mkdir -m 0 closed; mkdir closed/x 2>/dev/null; exec \"$B/chdir\" \"$1\" echo ran";
    let hint = "chdir: hint: this account may not enter it, or a directory on the way to it\n";
    for path in ["closed", "closed/x"] {
        let outcome = run(mortal(script).args(["sh", path]).current_dir(&directory));
        let message = format!("chdir: fatal: unable to enter {path}: {}\n{hint}", says(Errno::EACCES));
        assert_eq!(outcome, fails(111, message), "{path}");
        run_in(&directory, "chmod 700 closed; rm -r closed");
    }
}
