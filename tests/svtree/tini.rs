//! `svtree -- prog` in a container, beside tini and dumb-init.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::needs;
use crate::support::*;

/// Each of them before a program. tini -g and dumb-init send signals to the program's process group, as svtree does.
const INITS: [&[&str]; 3] = [&["svtree", "--"], &["tini", "-g", "--"], &["dumb-init", "--"]];

fn inits() -> Result<(), String> {
    namespaces()?;
    tool("tini")?;
    tool("dumb-init")
}

/// A program below this init, which is process 1 of a container.
fn below(init: &[&str], program: &[&str]) -> Command {
    let mut command = prepared(init[0]);
    contained(command.args(&init[1..]).args(program))
}

/// The statuses of svtree, tini and dumb-init.
type Statuses = [i32; 3];

#[test]
fn the_status_is_that_of_the_program_as_under_tini() {
    needs!(inits());
    let directory = open_directory();
    let plain = directory.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    let plain = plain.to_str().unwrap();
    let table: [(&[&str], Statuses); 9] = [
        (&["true"], [0; 3]),
        (&["sh", "-c", "exit 7"], [7; 3]),
        (&["sh", "-c", "exit 255"], [255; 3]),
        (&["sh", "-c", "kill -9 $$"], [128 + 9; 3]),
        (&["sh", "-c", "kill $$"], [128 + 15; 3]),
        (&["sh", "-c", "kill -s PIPE $$"], [128 + 13; 3]),
        // dumb-init does not tell these apart, nor from a program that exits 2.
        (&["none-of-this-name"], [127, 127, 2]),
        (&[plain], [126, 126, 2]),
        // Whoever is left by the program has no say.
        (&["sh", "-c", "(sleep 1000000 &); (exit 9 &); exit 5"], [5; 3]),
    ];
    for (program, statuses) in table {
        let found = INITS.map(|init| run(below(init, program).env("D", directory.path())).status);
        assert_eq!(found, statuses, "{program:?}");
        until("nothing is left", || processes_of(directory.path()).is_empty());
    }
}

#[test]
fn the_standard_fds_are_the_programs() {
    needs!(inits());
    for init in INITS {
        let program = "cat; echo error >&2; sleep 0 </dev/null & wait; exit 3";
        let mut command = below(init, &["sh", "-c", program]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"input\n").unwrap();
        let output = child.wait_with_output().unwrap();
        let found = (output.status.code(), &*output.stdout, &*output.stderr);
        assert_eq!(found, (Some(3), &b"input\n"[..], &b"error\n"[..]), "{init:?}");
    }
}

/// A program that notes signals, and exits 5 at TERM.
const NOTES: &str = r#"
    for signal in USR1 USR2 HUP WINCH INT QUIT; do trap "echo $signal >>$D/lines" $signal; done
    trap 'echo TERM >>$D/lines; exit 5' TERM
    echo up >>$D/lines
    while :; do sleep 0.01; done"#;

#[test]
fn signals_reach_the_program_and_a_stop_leaves_status_0() {
    needs!(inits());
    for (init, last) in INITS.iter().zip([
        // It was asked to stop, and has stopped; the others leave with what the program makes of that.
        0, 5, 5,
    ]) {
        let directory = open_directory();
        let lines = || text(&directory.path().join("lines"));
        let mut command = below(init, &["sh", "-c", NOTES]);
        let mut unshare = command.env("D", directory.path()).stderr(Stdio::null()).spawn().unwrap();
        let mut expected = "up\n".to_owned();
        until("the program", || lines() == expected);
        let process_1 = child(unshare.id());
        for signal in ["USR1", "USR2", "HUP", "WINCH", "TERM"] {
            send(process_1, signal);
            expected.push_str(signal);
            expected.push('\n');
            assert!(in_time(|| lines() == expected), "{init:?}: {:?}, not {expected:?}", lines());
        }
        assert_eq!(status_of(&mut unshare), Some(last), "{init:?}");
    }
}

#[test]
fn each_stop_signal_of_an_image_ends_the_program() {
    needs!(inits());
    let svtree = INITS[0];
    for (signal, got) in
        [("TERM", "TERM"), ("INT", "TERM"), ("PWR", "TERM"), ("37", "TERM"), ("QUIT", "QUIT")]
    {
        let directory = open_directory();
        let lines = || text(&directory.path().join("lines"));
        let notes = NOTES.replace("TERM; exit 5", "TERM; exit 0").replace("WINCH INT QUIT", "WINCH INT");
        let notes = notes.replace("    echo up", "    trap 'echo QUIT >>$D/lines; exit 5' QUIT\n    echo up");
        let mut unshare = below(svtree, &["sh", "-c", &notes]).env("D", directory.path()).spawn().unwrap();
        until("the program", || lines() == "up\n");
        send(child(unshare.id()), signal);
        assert_eq!(status_of(&mut unshare), Some(0), "{signal}");
        assert_eq!(lines(), format!("up\n{got}\n"), "{signal}");
    }
}
