//! svctl-new: a service directory that is there as a whole or not at all, and works as it is.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::process::CommandExt;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// The command line, where SVSRC is the directory of the services.
fn command(house: &House, words: &[&str]) -> std::process::Command {
    let mut command = house.command("svctl-new", "");
    command.args(words).env("SVSRC", house.at("."));
    command
}

/// All names below a directory, with their modes.
fn listed(house: &House, directory: &str) -> String {
    run_in(house.at(directory), "find . -mindepth 1 -printf '%m %P\\n' | sort -k 2").stdout
}

#[test]
fn a_service_is_written_and_printed() {
    let house = House::new();
    let outcome = run(&mut command(&house, &["web", "/bin/sleep", "1000"]));
    let at = house.at(".").display().to_string();
    let expected = format!(
        "{at}/web/run
\t#!/bin/sh
\texec 2>&1
\texec /bin/sleep 1000
{at}/web/log/run
\t#!/bin/sh
\texec svlog -tt ./main
{at}/web/log/main/
"
    );
    assert_eq!(outcome, prints(expected));
    assert_eq!(listed(&house, "."), "755 web\n755 web/log\n750 web/log/main\n755 web/log/run\n755 web/run\n");
    assert_eq!(house.text("web/run"), "#!/bin/sh\nexec 2>&1\nexec /bin/sleep 1000\n");
}

#[test]
fn options_say_as_whom_it_runs_and_how_it_is_ready() {
    needs!(root());
    let house = House::new();
    let words = ["./web", "-e", "-u", "daemon", "-l", "bin", "-r", "3", "--", "sleep", "1000"];
    assert_eq!(run(&mut command(&house, &words)).status, 0);
    let run_script = "#!/bin/sh\nexec 2>&1\nexec envdir ./env setuidgid daemon sleep 1000\n";
    assert_eq!(house.text("web/run"), run_script);
    assert_eq!(house.text("web/log/run"), "#!/bin/sh\nexec setuidgid bin svlog -tt ./main\n");
    assert_eq!(house.text("web/notification-fd"), "3\n");
    let owner = |path: &str| fs::metadata(house.at(path)).unwrap().uid();
    let bin = run(prepared("id").args(["-u", "bin"])).stdout.trim().parse::<u32>().unwrap();
    assert_eq!([owner("web/log/main"), owner("web/log"), owner("web/env")], [bin, 0, 0]);
    let modes = "700 env\n755 log\n750 log/main\n755 log/run\n644 notification-fd\n755 run\n";
    assert_eq!(listed(&house, "web"), modes);
    let words = ["-u", "daemon", "-r", "sd-notify", "db", "sleep", "-u", "x"];
    assert_eq!(run(&mut command(&house, &words)).status, 0);
    assert_eq!(house.text("db/run"), "#!/bin/sh\nexec 2>&1\nexec setuidgid daemon sleep -u x\n");
    assert_eq!(house.text("db/log/run"), "#!/bin/sh\nexec setuidgid daemon svlog -tt ./main\n");
    assert_eq!(listed(&house, "db"), "755 log\n750 log/main\n755 log/run\n755 run\n644 sd-notify\n");
}

#[test]
fn the_links_have_the_prefix_that_it_has_itself() {
    needs!(root());
    let house = House::new();
    let mut called = command(&house, &["-e", "-u", "daemon", "web", "sleep", "1000"]);
    assert_eq!(run(called.arg0("/usr/libexec/catena/x-svctl-new")).status, 0);
    let expected = "#!/bin/sh\nexec 2>&1\nexec x-envdir ./env x-setuidgid daemon sleep 1000\n";
    assert_eq!(house.text("web/run"), expected);
    assert_eq!(house.text("web/log/run"), "#!/bin/sh\nexec x-setuidgid daemon x-svlog -tt ./main\n");
}

#[test]
fn what_is_written_has_no_finding_and_runs() {
    needs!(root(), tool("shellcheck"));
    let mut house = House::new();
    let words = [
        "web",
        "-e",
        "-u",
        "daemon",
        "sh",
        "-c",
        "echo \"it's $1 for $LISTEN\"; exec sleep 1000",
        "sh",
        "$x y",
    ];
    assert_eq!(run(&mut command(&house, &words)).status, 0);
    house.write("web/env/LISTEN", "all");
    assert_eq!(run(&mut house.command("svctl-lint", "-s web")), prints(""));
    let supervisor = svrun();
    house.start(&supervisor, "web");
    until("nothing is logged", || house.text("web/log/main/current").ends_with(" it's $x y for all\n"));
    let status = text(std::path::Path::new(&format!("/proc/{}/status", house.pid("web"))));
    let daemon = run(prepared("id").args(["-u", "daemon"])).stdout;
    assert!(status.contains(&format!("Uid:\t{}\t", daemon.trim())), "{status}");
    assert_eq!(house.svctl("-v down web").status, 0);
}

#[test]
fn the_program_gets_each_word_as_it_was_given() {
    let house = House::new();
    let words = [
        "a b", "", "it's", "$HOME", "`x`", "*", "\\", "\"", "#", "~", "!", "a\nb", "é", "-x=$y", "A=1", "(",
        ";&|<>",
    ];
    let mut line = vec!["web", "/usr/bin/printf", "<%s>\\n"];
    line.extend(words);
    assert_eq!(run(&mut command(&house, &line)).status, 0);
    let expected: Vec<String> = words.iter().map(|word| format!("<{word}>\n")).collect();
    assert_eq!(run_in(house.at("web"), "./run"), prints(expected.concat()));
}

#[test]
fn nothing_that_is_there_is_touched() {
    let house = House::new();
    house.write("a/file", "here");
    fs::create_dir(house.at("b")).unwrap();
    fs::write(house.at("c"), "here").unwrap();
    symlink("nowhere", house.at("d")).unwrap();
    let before = listed(&house, ".");
    let there = says(nix::errno::Errno::EEXIST);
    for name in ["a", "b", "c", "d"] {
        let at = house.at(".").join(name).display().to_string();
        let expected = fails(111, format!("svctl-new: fatal: unable to make {at}: {there}\n"));
        assert_eq!(run(&mut command(&house, &[name, "sleep", "1000"])), expected);
    }
    assert_eq!(listed(&house, "."), before);
}

#[test]
fn what_cannot_be_made_whole_is_not_made() {
    needs!(root());
    let house = House::new();
    let directory = house.at("services");
    fs::create_dir(&directory).unwrap();
    assert_eq!(run(prepared("chown").arg("daemon").arg(&directory)), prints(""));
    let program = house.at("svctl-new");
    install(&crate::support::program("svctl-new"), &program);
    let mut as_daemon = link("setuidgid");
    as_daemon
        .arg("daemon")
        .arg(&program)
        .args(["-u", "bin", "./web", "sleep", "1000"])
        .current_dir(&directory);
    let outcome = run(&mut as_daemon);
    let refused = says(nix::errno::Errno::EPERM);
    let expected = format!("svctl-new: fatal: unable to give ./web/log/main to its account: {refused}\n");
    assert_eq!(outcome, fails(111, expected));
    assert_eq!(listed(&house, "services"), "");
    let outcome = run(&mut command(&house, &["-u", "no-such-account", "web", "sleep"]));
    assert_eq!(outcome.stderr, "svctl-new: fatal: unable to find account no-such-account: no such user\n");
    assert_eq!(listed(&house, "services"), "");
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let house = House::new();
    for (words, problem) in [
        (&[][..], "missing name"),
        (&["web"], "missing prog"),
        (&["web", "--"], "missing prog"),
        (&["-r", "2", "web", "x"], "not a number from 3 to 1023, nor sd-notify: 2"),
        (&["-r", "now", "web", "x"], "not a number from 3 to 1023, nor sd-notify: now"),
        (&["-z", "web", "x"], "invalid option '-z'"),
    ] {
        assert_eq!(run(&mut command(&house, words)), misuse("svctl-new", problem), "{words:?}");
    }
    let hint = |words: &[&str]| {
        let outcome = run(&mut command(&house, words));
        assert_eq!(outcome.status, 100);
        outcome.stderr.lines().nth(2).unwrap().to_owned()
    };
    for name in [".web", "a b", "-", "./-web", "/", "a/.."] {
        let expected = "svctl-new: hint: it has no blanks, and begins with neither a dot nor a dash";
        assert_eq!(hint(&["--", name, "x"]), expected, "{name}");
    }
    let expected = "svctl-new: hint: run is executed in the service directory: write the whole path";
    assert_eq!(hint(&["web", "./x"]), expected);
    assert_eq!(listed(&house, "."), "");
    let outcome = run(command(&house, &["web", "x"]).env("SVSRC", house.at("no")));
    let hint = "svctl-new: hint: make it, or set SVSRC, or write a path for name";
    assert_eq!((outcome.status, outcome.stderr.lines().nth(1)), (111, Some(hint)));
}

#[test]
fn what_is_written_is_on_the_disk_before_it_has_its_name() {
    needs!(tool("strace"));
    let house = House::new();
    let mut command = house.command("strace", "-qq -y -e trace=fsync,renameat2 -o calls");
    command.arg(program("svctl-new")).args(["-e", "./web", "/bin/true"]);
    assert_eq!(run(&mut command).status, 0);
    let calls = house.text("calls");
    let at = house.at(".").canonicalize().unwrap().display().to_string();
    // What each call is about: the draft has a name of its own.
    let about =
        |line: &str| match line.split_once("fsync(").and_then(|(_, rest)| rest.split(['<', '>']).nth(1)) {
            None => "rename".to_owned(),
            Some(path) => {
                let path = path.strip_prefix(&at).unwrap().trim_start_matches('/');
                path.split_once('/')
                    .map_or(if path.is_empty() { "parent" } else { "." }, |(_, rest)| rest)
                    .to_owned()
            }
        };
    let calls: Vec<String> = calls.lines().map(about).collect();
    assert_eq!(calls, ["run", "log/run", "log/main", "log", "env", ".", "rename", "parent"]);
}

#[test]
fn without_the_disk_there_is_no_service_directory() {
    needs!(tool("strace"));
    let house = House::new();
    for when in 1..=6 {
        let inject = format!("-qq -o /dev/null -e inject=fsync:error=EIO:when={when}");
        let mut command = house.command("strace", &inject);
        command.arg(program("svctl-new")).args(["-e", "./web", "/bin/true"]);
        let outcome = run(&mut command);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (111, ""), "{outcome:?}");
        assert!(outcome.stderr.contains(says(nix::errno::Errno::EIO)), "{outcome:?}");
        assert_eq!(listed(&house, "."), "", "{when}");
    }
}
