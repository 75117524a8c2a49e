//! tai64n, and what it has in common with tai64nlocal.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use common::fds::set_nonblocking;
use common::tai::Label;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use crate::support::*;

const FILTERS: [&str; 2] = ["tai64n", "tai64nlocal"];

/// What a filter makes of a file: its status, its output and its messages.
pub(crate) fn filtered(command: &mut Command, input: &[u8]) -> (i32, Vec<u8>, String) {
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("input");
    std::fs::write(&file, input).unwrap();
    let output = command.stdin(File::open(file).unwrap()).output().unwrap();
    let outcome = (output.status.code(), String::from_utf8(output.stderr).unwrap());
    (outcome.0.unwrap_or(-1), output.stdout, outcome.1)
}

/// The lines behind their stamps, of which all were made in this time.
fn unstamped(output: &[u8], (least, most): (Label, Label)) -> Vec<u8> {
    let mut rest = Vec::new();
    for line in output.split_inclusive(|b| *b == b'\n') {
        let (label, digits) = Label::read(&line[1..]);
        assert_eq!((line[0], digits, line[25]), (b'@', Label::DIGITS, b' '), "{}", line.escape_ascii());
        assert!(least <= label && label <= most, "{least:?} {label:?} {most:?}");
        rest.extend_from_slice(&line[26..]);
    }
    rest
}

fn label() -> Label {
    let now = now();
    Label::of((now.as_secs(), now.subsec_nanos()))
}

#[test]
fn each_line_gets_the_time_at_which_it_was_read() {
    let long = ["x".repeat(200_000), "\nlast\n".into()].concat();
    let many = "line\n\n".repeat(50_000);
    let all: Vec<u8> = (0..=255).collect();
    for input in [
        &b""[..],
        b"\n",
        b"a\n",
        b"a",
        b"a\nb",
        b"\n\n\n",
        b"@4000 \n",
        &all,
        long.as_bytes(),
        many.as_bytes(),
    ] {
        let before = label();
        let (status, output, messages) = filtered(&mut link("tai64n"), input);
        assert_eq!((status, &*messages), (0, ""));
        assert!(
            unstamped(&output, (before, label())) == input,
            "{}",
            input[..input.len().min(99)].escape_ascii()
        );
    }
}

#[test]
fn a_line_is_answered_before_the_next_one_comes() {
    for (filter, line, shown) in [
        ("tai64n", "text\n", "text\n"),
        ("tai64nlocal", "@4000000037c219bf2ef02e94 text\n", "787492500 text\n"),
    ] {
        let mut child = link(filter).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut input = child.stdin.take().unwrap();
        for _ in 0..3 {
            input.write_all(line.as_bytes()).unwrap();
            let mut answer = String::new();
            output.read_line(&mut answer).unwrap();
            assert!(answer.ends_with(shown), "{answer}");
        }
        drop(input);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_line_that_comes_in_pieces_gets_the_time_of_its_first() {
    let mut child = link("tai64n").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let before = label();
    input.write_all(b"one").unwrap();
    let mut first = [0; 29];
    output.read_exact(&mut first).unwrap();
    let between = label();
    input.write_all(b" two\nthree").unwrap();
    drop(input);
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).unwrap();
    assert_eq!(unstamped(&first, (before, between)), b"one");
    assert!(rest.starts_with(b" two\n@"));
    assert_eq!(unstamped(&rest[5..], (between, label())), b"three");
    assert!(child.wait().unwrap().success());
}

#[test]
fn pipes_that_others_have_made_non_blocking_are_waited_for() {
    let lines: Vec<String> = (0..60_000).map(|i| format!("line {i}\n")).collect();
    let text = lines.concat();
    for filter in FILTERS {
        let (input_of_child, input) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let (output, output_of_child) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let (mut input, mut output) = (File::from(input), File::from(output));
        for end in [&input_of_child, &output_of_child] {
            set_nonblocking(end.as_raw_fd(), true).unwrap();
        }
        let mut command = link(filter);
        let mut child = command.stdin(input_of_child).stdout(output_of_child).spawn().unwrap();
        drop(command); // and with it our copies of its ends
        let text = text.clone();
        let writer = std::thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
        let mut all = String::new();
        output.read_to_string(&mut all).unwrap();
        writer.join().unwrap();
        assert!(child.wait().unwrap().success(), "{filter}");
        assert_eq!(all.lines().count(), 60_000, "{filter}");
        assert!(all.ends_with("line 59999\n"), "{filter}");
    }
}

#[test]
fn what_cannot_be_read_or_written_is_an_error() {
    let read = |errno| format!("unable to read the standard input: {}", says(errno));
    let write = |reason| format!("unable to write to the standard output: {reason}");
    let broken = "mkfifo pipe; exec 3<>pipe 4>pipe 3<&-; rm pipe; trap '' PIPE; echo x | $F >&4";
    for filter in FILTERS {
        for (script, message) in [
            ("exec $F <&-", read(Errno::EBADF)),
            ("exec $F </", read(Errno::EISDIR)),
            ("echo x | $F >/dev/full", write(says(Errno::ENOSPC))),
            ("echo x | $F >&-", write(says(Errno::EBADF))),
            (broken, write("Broken pipe")),
        ] {
            let directory = tempfile::TempDir::new().unwrap();
            let outcome = run(sh(script).env("F", filter).current_dir(&directory));
            assert_eq!(outcome, fails(111, format!("{filter}: fatal: {message}\n")), "{script}");
        }
        // With SIGPIPE as it usually is nobody hears of it. In a shell, since a thread of the tests that forks would
        // hold the pipe for a moment.
        let directory = tempfile::TempDir::new().unwrap();
        let outcome = run(sh(&broken.replace("trap '' PIPE; ", "")).env("F", filter).current_dir(&directory));
        assert_eq!((outcome.status, &*outcome.stderr), (128 + 13, ""), "{filter}");
    }
}

#[test]
fn there_are_no_operands() {
    for filter in FILTERS {
        for word in ["x", "", "-"] {
            let problem = format!("unexpected operand: {}", given(word));
            assert_eq!(run(link(filter).arg(word)), misuse(filter, &problem));
        }
        assert_eq!(run(link(filter).arg("-x")), misuse(filter, "invalid option '-x'"));
        assert_eq!(run(link(filter).arg("--")), prints(""));
        let usage = if filter == "tai64n" { "usage: tai64n\n" } else { "usage: tai64nlocal [-g]\n" };
        assert!(run(link(filter).arg("--help")).stdout.starts_with(usage));
    }
}
