//! `-` in place of a log directory: whole lines on the standard output, each with its name in front.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};
use std::thread;

use common::fds::{set_nonblocking, unread};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc::{SYS_ppoll, SYS_write};
use nix::sys::signal::Signal;
use nix::unistd::pipe2;

use super::harness::*;
use crate::needs;
use crate::support::*;
use crate::tai64n::filtered;

/// A pipe, of which the test holds both ends.
fn pipe() -> (OwnedFd, File) {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).unwrap();
    (reader, writer.into())
}

fn svlog(args: &[&str]) -> Command {
    let mut command = link("svlog");
    command.args(args);
    command
}

/// `svlog -p web -` between two pipes.
fn web(input: &OwnedFd, output: impl Into<Stdio>) -> Child {
    svlog(&["-p", "web", "-"]).stdin(input.try_clone().unwrap()).stdout(output).spawn().unwrap()
}

fn all(mut from: impl Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).unwrap();
    text
}

/// What it makes of a pipe that has this in it and ends.
fn piped(args: &[&str], input: &[u8]) -> Vec<u8> {
    let (reader, mut writer) = pipe();
    let child = svlog(args).stdin(reader).stdout(Stdio::piped()).spawn().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || writer.write_all(input).unwrap());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        output.stdout
    })
}

#[test]
fn each_line_begins_with_the_name() {
    let long = "x".repeat(200_000);
    for (input, expected) in [
        ("", String::new()),
        ("\n", "web: \n".into()),
        ("one\ntwo\n", "web: one\nweb: two\n".into()),
        ("one\n\nlast", "web: one\nweb: \nweb: last\n".into()),
        (&long, format!("web: {long}\n")),
        (&format!("{long}\nnext\n"), format!("web: {long}\nweb: next\n")),
        (&"line\n".repeat(50_000), "web: line\n".repeat(50_000)),
    ] {
        let args = ["-p", "web", "-"];
        assert!(piped(&args, input.as_bytes()) == expected.as_bytes(), "from a pipe: {input:.99}");
        let (status, output, messages) = filtered(&mut svlog(&args), input.as_bytes());
        assert_eq!((status, &*messages), (0, ""));
        assert!(output == expected.as_bytes(), "from a file: {input:.99}");
    }
}

#[test]
fn without_a_name_the_lines_are_as_they_are() {
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(piped(&["-"], &bytes), [&bytes, &b"\n"[..]].concat());
}

#[test]
fn stamps_stand_before_the_name_and_characters_are_replaced_in_the_line() {
    let before = now().saturating_sub(std::time::Duration::from_micros(10));
    let output = piped(&["-tt", "-r", ".", "-R", "e", "-p", "web\t", "-"], b"o\tne\ntwo\n");
    let text = String::from_utf8(output).unwrap();
    let lines: Vec<(&str, &str)> = text.lines().map(|line| line.split_at(26)).collect();
    assert_eq!(lines.iter().map(|line| line.1).collect::<Vec<_>>(), ["web\t: o.n.", "web\t: two"]);
    for (stamp, _) in lines {
        assert_between(before, date_time(stamp.strip_suffix(' ').unwrap(), '_'), now());
    }
}

#[test]
fn a_line_comes_once_it_is_whole() {
    let (input, mut writer) = pipe();
    let (output, end) = pipe();
    let mut child = web(&input, end);
    drop(input);
    writer.write_all(b"on").unwrap();
    wait_until_in(child.id(), &[SYS_ppoll]);
    writer.write_all(b"e\ntw").unwrap();
    let mut lines = BufReader::new(File::from(output));
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert_eq!(line, "web: one\n");
    drop(writer);
    assert_eq!(all(lines), "web: tw\n");
    assert_eq!(status_of(&mut child), Some(0));
}

#[test]
fn a_slow_reader_gets_everything() {
    for nonblocking in [false, true] {
        let (input, mut writer) = pipe();
        let (output, end) = pipe();
        fcntl(&end, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
        set_nonblocking(end.as_raw_fd(), nonblocking).unwrap();
        let mut child = web(&input, end);
        drop(input);
        let lines = (0..20_000).map(|i| format!("{i}\n")).collect::<Vec<_>>().concat();
        let expected = (0..20_000).map(|i| format!("web: {i}\n")).collect::<Vec<_>>().concat();
        let writing = thread::spawn(move || writer.write_all(lines.as_bytes()).unwrap());
        until("a full pipe", || unread(output.as_fd()).unwrap() > 4000);
        wait_until_in(child.id(), if nonblocking { &[SYS_ppoll] } else { &[SYS_write] });
        assert!(all(File::from(output)) == expected, "{nonblocking}");
        writing.join().unwrap();
        assert_eq!(status_of(&mut child), Some(0));
    }
}

#[test]
fn the_lines_of_several_do_not_mix() {
    let (output, end) = pipe();
    let names = ["a", "b", "c"];
    let mut children = Vec::new();
    let mut writing = Vec::new();
    for name in names {
        let (input, mut writer) = pipe();
        let end = end.try_clone().unwrap();
        children.push(svlog(&["-p", name, "-"]).stdin(input).stdout(end).spawn().unwrap());
        writing.push(thread::spawn(move || {
            for i in 0..5000 {
                let line = format!("{i} {}\n", name.repeat(i % 300));
                writer.write_all(line.as_bytes()).unwrap();
            }
        }));
    }
    drop(end);
    let mut next = [0; 3];
    for line in BufReader::new(File::from(output)).lines() {
        let line = line.unwrap();
        let at = names.iter().position(|name| line.starts_with(&format!("{name}: "))).unwrap();
        let (name, i) = (names[at], next[at]);
        assert_eq!(line, format!("{name}: {i} {}", name.repeat(i % 300)));
        next[at] += 1;
    }
    assert_eq!(next, [5000; 3]);
    for thread in writing {
        thread.join().unwrap();
    }
    for mut child in children {
        assert_eq!(status_of(&mut child), Some(0));
    }
}

#[test]
fn a_signal_ends_it_behind_the_lines_that_are_there() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT] {
        let (input, mut writer) = pipe();
        let (output, end) = pipe();
        fcntl(&end, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
        let mut child = web(&input, end);
        // It does not come back to its pipe before the signal is there.
        let lines = (0..3000).map(|i| format!("{i}\n")).collect::<Vec<_>>().concat();
        writer.write_all(lines.as_bytes()).unwrap();
        until("a full pipe", || unread(output.as_fd()).unwrap() > 4000);
        wait_until_in(child.id(), &[SYS_write]);
        send_signal(child.id(), signal);
        writer.write_all(b"unfinished").unwrap();
        let expected = (0..3000).map(|i| format!("web: {i}\n")).collect::<Vec<_>>().concat();
        assert!(all(File::from(output)) == expected, "{signal}");
        assert_eq!(status_of(&mut child), Some(0));
        // Whoever holds the pipe may read the rest of it.
        drop(writer);
        assert_eq!(all(File::from(input)), "unfinished", "{signal}");
    }
}

#[test]
fn an_unfinished_line_that_nobody_else_can_read_is_written_at_the_signal() {
    let (input, mut writer) = pipe();
    let (output, end) = pipe();
    let mut child = web(&input, end);
    writer.write_all(b"unfinished").unwrap();
    drop(input);
    let held = fs::read_link(format!("/proc/self/fd/{}", writer.as_raw_fd())).unwrap();
    until("a pipe of its own", || holders(held.to_str().unwrap()) <= 1);
    wait_until_in(child.id(), &[SYS_ppoll]);
    send_signal(child.id(), Signal::SIGTERM);
    assert_eq!(all(File::from(output)), "web: unfinished\n");
    assert_eq!(status_of(&mut child), Some(0));
}

#[test]
fn signals_for_log_directories_mean_nothing() {
    let (input, mut writer) = pipe();
    let (output, end) = pipe();
    let mut child = web(&input, end);
    drop(input);
    wait_until_in(child.id(), &[SYS_ppoll]);
    for signal in [Signal::SIGHUP, Signal::SIGALRM, Signal::SIGUSR1] {
        send_signal(child.id(), signal);
    }
    writer.write_all(b"one\n").unwrap();
    drop(writer);
    assert_eq!(all(File::from(output)), "web: one\n");
    assert_eq!(status_of(&mut child), Some(0));
}

#[test]
fn without_a_reader_it_ends_as_a_filter_does_and_its_lines_stay_in_the_pipe() {
    let (input, mut writer) = pipe();
    writer.write_all(b"one\ntwo\n").unwrap();
    let (output, end) = pipe();
    close_reader(output, end.as_fd());
    let mut child = web(&input, end.try_clone().unwrap());
    assert_eq!(status_of(&mut child), Some(128 + Signal::SIGPIPE as i32));
    let mut ignoring = sh("trap '' PIPE; exec svlog -p web -");
    ignoring.stdin(input.try_clone().unwrap()).stdout(end).stderr(Stdio::piped());
    let ended = ignoring.output().unwrap();
    let message = format!("svlog: fatal: unable to write to the standard output: {}\n", says(Errno::EPIPE));
    assert_eq!((ended.status.code(), &*String::from_utf8(ended.stderr).unwrap()), (Some(111), &*message));
    drop(writer);
    assert_eq!(all(File::from(input)), "one\ntwo\n");
}

#[test]
fn a_killed_one_loses_nothing() {
    needs!(tool("strace"));
    for call in ["tee", "read", "write", "readv"] {
        for count in 1..=3 {
            let (input, mut writer) = pipe();
            let lines = (0..2000).map(|i| format!("{i}\n")).collect::<Vec<_>>().concat();
            writer.write_all(lines.as_bytes()).unwrap();
            drop(writer);
            let (output, end) = pipe();
            let strace = format!(
                "exec strace -o /dev/null -e trace={call} -e inject={call}:signal=KILL:when={count} \"$@\""
            );
            let mut command = sh(&strace);
            command.arg("sh").arg(bin().join("svlog")).args(["-p", "web", "-"]);
            command.stdin(input.try_clone().unwrap()).stdout(end.try_clone().unwrap());
            let mut killed = command.spawn().unwrap();
            drop(command); // which holds the pipes
            let killed = status_of(&mut killed);
            assert!([Some(0), Some(128 + 9)].contains(&killed), "{call} {count}: {killed:?}");
            let mut next = web(&input, end);
            assert_eq!(status_of(&mut next), Some(0));
            let text = all(File::from(output));
            // A piece that was written and not taken out of the pipe comes twice.
            let mut due = 0;
            for line in text.lines() {
                let number: usize = line.strip_prefix("web: ").unwrap().parse().unwrap();
                assert!(number <= due, "{call} {count}: {due} is missing before {number}");
                due = due.max(number + 1);
            }
            assert_eq!(due, 2000, "{call} {count}");
        }
    }
}

#[test]
fn it_opens_no_file_and_a_directory_of_that_name_is_written_with_a_slash() {
    let directory = open_directory();
    fs::create_dir(directory.path().join("-")).unwrap();
    let outcome = run_in(&directory, "echo one | svlog -p web - && find . | sort");
    assert_eq!(outcome, prints("web: one\n.\n./-\n"));
    assert_eq!(run_in(&directory, "echo one | svlog ./- && cat ./-/current"), prints("one\n"));
}

#[test]
fn by_the_name_svlogd_it_does_the_same() {
    let directory = open_directory();
    symlink(bin().join("svlog"), directory.path().join("svlogd")).unwrap();
    assert_eq!(run_in(&directory, "echo one | ./svlogd -p web -"), prints("web: one\n"));
}

#[test]
fn its_memory_does_not_grow() {
    let (input, mut writer) = pipe();
    let (output, end) = pipe();
    let mut child = web(&input, end);
    drop(input);
    let reading = thread::spawn(move || all(File::from(output)).len());
    let mut after = |line: &str, count: usize| {
        for _ in 0..count {
            writer.write_all(line.as_bytes()).unwrap();
        }
        until("nothing to read", || unread(writer.as_fd()).unwrap() == 0);
        wait_until_in(child.id(), &[SYS_ppoll]);
        memory(child.id())
    };
    let long = ["x".repeat(30_000), "\n".into()].concat();
    let first = after(&long, 3);
    // Less where memory is short.
    let later = [after(&long, 100), after("line\n", 10_000)];
    assert!(later.iter().all(|memory| *memory <= first), "{first}, {later:?}");
    drop(writer);
    assert_eq!(status_of(&mut child), Some(0));
    reading.join().unwrap();
}
