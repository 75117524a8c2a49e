//! pdeathsig.

use std::fs::{self, OpenOptions};
use std::io::Write;

use nix::libc::{SYS_prctl, SYS_read};
use nix::sys::stat::Mode;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, mkfifo};

use crate::needs;
use crate::support::*;

/// The parent-death signal behind these words.
fn signal(words: &[&str]) -> String {
    let outcome = run(link("pdeathsig").args(words).arg(example("state")));
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{words:?}");
    let signal = outcome.stdout.lines().find_map(|line| line.strip_prefix("parent-death "));
    signal.unwrap().to_owned()
}

#[test]
fn a_signal_has_names_and_a_number() {
    for (word, number) in [
        ("TERM", "15"),
        ("term", "15"),
        ("SIGTERM", "15"),
        ("sigTerm", "15"),
        ("15", "15"),
        ("015", "15"),
        ("1", "1"),
        ("KILL", "9"),
        ("STOP", "19"),
        ("CLD", "17"),
        ("32", "32"), // the C library's own are signals of the kernel all the same
        ("33", "33"),
        ("34", "34"),
        ("RTMIN", "34"),
        ("SIGRTMIN+3", "37"),
        ("RTMAX", "64"),
        ("64", "64"),
    ] {
        assert_eq!(signal(&[word]), number, "{word}");
        assert_eq!(signal(&["--", word]), number, "{word}");
    }
}

#[test]
fn what_is_no_signal_is_a_usage_error() {
    for word in
        ["0", "65", "99999999999999999999", "-1", "+15", "15 ", "TERM ", "NONE", "keep", "SIG", "x\ny"]
    {
        let outcome = run(link("pdeathsig").args(["--", word, "echo", "ran"]));
        assert_eq!(outcome, misuse("pdeathsig", &format!("invalid signal: {}", given(word))), "{word}");
    }
}

#[test]
fn the_last_in_a_chain_counts_and_clear_takes_it_away() {
    assert_eq!(signal(&["TERM", "pdeathsig", "INT"]), "2");
    assert_eq!(signal(&["TERM", "pdeathsig", "clear"]), "0");
    assert_eq!(signal(&["CLEAR"]), "0");
}

#[test]
fn setuidgid_keeps_it() {
    needs!(root());
    let directory = open_directory();
    for name in ["setuidgid", "state"] {
        let from = if name == "state" { example(name) } else { bin().join(name) };
        install(&from, &directory.path().join(name));
    }
    let line = |text: &str| run_in(&directory, text).stdout;
    for text in
        ["pdeathsig HUP ./setuidgid :5001:5002 ./state", "catena setuidgid :5001:5002 pdeathsig 1 ./state"]
    {
        assert!(line(text).contains("\nparent-death 1\n"), "{text}");
    }
}

#[test]
fn the_program_gets_it_as_its_parent_dies() {
    let directory = open_directory();
    mkfifo(&directory.path().join("up"), Mode::S_IRWXU).unwrap();
    // All that holds stdout open is the program, so the run ends when it does.
    let script = "pdeathsig SIGNAL sh -c '
            trap \"echo told; exit\" TERM
            echo >&3
            exec 3>&-
            while :; do sleep 0.02; done' 3>up &
        read line <up";
    for (signal, told) in [("TERM", "told\n"), ("KILL", "")] {
        assert_eq!(run_in(&directory, &script.replace("SIGNAL", signal)), prints(told), "{signal}");
    }
}

#[test]
fn a_parent_that_dies_at_the_last_moment_is_not_missed() {
    let directory = open_directory();
    let at = |name: &str| directory.path().join(name);
    for (dies, printed) in [(true, ""), (false, "ran\n")] {
        let _ = fs::remove_file(at("go"));
        mkfifo(&at("go"), Mode::S_IRWXU).unwrap();
        let mut go = OpenOptions::new().read(true).write(true).open(at("go")).unwrap();
        let script = "{ read go <go; exec pdeathsig TERM echo ran; } >out & echo $! >new; mv new pid; wait";
        let mut shell = sh(script).current_dir(&directory).spawn().unwrap();
        until("the shell names its child", || at("pid").exists());
        let child = fs::read_to_string(at("pid")).unwrap().trim().parse().unwrap();
        fs::remove_file(at("pid")).unwrap();
        wait_until_in(child, &[SYS_read]);
        let mut traced = Traced::at_rest(child);
        go.write_all(b"\n").unwrap();
        while traced.call(|| false).unwrap() != SYS_prctl {}
        if dies {
            shell.kill().unwrap();
            shell.wait().unwrap();
            until("the child has another parent", || parent(child) != shell.id());
        }
        while traced.call(|| false).is_some() {}
        traced.kill();
        // Before its parent the tracer has to wait for it.
        let _ = waitpid(Pid::from_raw(i32::try_from(child).unwrap()), None);
        assert_eq!(text(&at("out")), printed, "its parent dies: {dies}");
        shell.wait().unwrap();
    }
}
