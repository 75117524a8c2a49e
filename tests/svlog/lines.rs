//! The form of a line: stamps, replaced characters, its length, stderr.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::pipe2;

use super::harness::*;
use crate::support::*;

both!(svlog;
    a_line_longer_than_all_buffers_is_kept_whole,
    a_prefix_stands_between_the_stamp_and_the_line,
    all_directories_have_the_same_stamps,
    bytes_are_kept_as_they_are,
    characters_are_replaced,
    characters_are_replaced_before_patterns_are_matched,
    every_option_may_stand_in_one_word,
    lines_for_stderr_wait_for_their_reader,
    long_lines_are_cut_on_stderr,
    patterns_see_the_first_characters,
    selected_lines_go_to_stderr,
    stamps_name_the_present_time,
    the_buffer_need_only_be_longer_than_the_line,
);

/// The time of a stamp as this option makes it.
fn time(option: &str, stamp: &str) -> Duration {
    match option {
        "-t" => label_time(stamp),
        "-tt" => date_time(stamp, '_'),
        _ => date_time(stamp, 'T'),
    }
}

fn stamps_name_the_present_time(of: Program) {
    for option in ["-t", "-tt", "-ttt", "-tttt"] {
        let before = now();
        let log = fed(of, &[option], "e*\n", "one\n\nthree\n");
        let after = now();
        let all = log.all();
        let lines: Vec<(&str, &str)> = all.lines().map(|line| line.split_at(26)).collect();
        assert_eq!(lines.iter().map(|line| line.1).collect::<Vec<_>>(), ["one", "", "three"]);
        // What is not shown of a second is cut off.
        let mut least = Duration::new(before.as_secs(), before.subsec_nanos() / 10_000 * 10_000);
        for (stamp, _) in lines {
            let time = time(option, stamp.strip_suffix(' ').unwrap());
            assert_between(least, time, after);
            least = time;
        }
        assert_eq!(log.stderr(), all);
    }
}

fn every_option_may_stand_in_one_word(of: Program) {
    let log = fed(of, &["-ttr.", "-Rx", "-l8", "-b2000", "--"], "e*\n", "ax\tbcdefghi\n");
    let all = log.all();
    let (stamp, line) = all.split_at(25);
    date_time(stamp, '_');
    assert_eq!(line, " a..bcdefghi\n");
    assert_eq!(log.stderr(), format!("{stamp} a..bcdef...\n"));
}

fn all_directories_have_the_same_stamps(of: Program) {
    let mut log = Log::prepare(of, "");
    log.add("other", "pP:\n");
    log.set_options(&["-t"]);
    log.run();
    log.write("one\ntwo\n");
    log.finish();
    let (all, other) = (log.all(), log.all_of("other"));
    assert_eq!(all.lines().count(), 2);
    assert_eq!(other.replace("P:", ""), all);
}

fn a_prefix_stands_between_the_stamp_and_the_line(of: Program) {
    let log = fed(of, &[], "pweb: \ne*\n", "one\n\n");
    assert_eq!(log.all(), "web: one\nweb: \n");
    assert_eq!(log.stderr(), log.all());
    let log = fed(of, &["-tt"], "p*\n-w*\n-2*\n+*: o*\n", "one: o\nw\n*\n");
    let all = log.all();
    let lines: Vec<&str> = all.lines().collect();
    // Patterns see neither of the two.
    let rest: Vec<&str> = lines.iter().map(|line| &line[25..]).collect();
    assert_eq!(rest, [" *one: o", " **"]);
    for line in lines {
        date_time(&line[..25], '_');
    }
}

fn bytes_are_kept_as_they_are(of: Program) {
    let all: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').chain(*b"\n\0\n\r\n\n \n").collect();
    let log = fed(of, &[], "", &all);
    assert_eq!(std::fs::read(log.at("current")).unwrap(), all);
}

fn characters_are_replaced(of: Program) {
    let line = "a\tb \u{e4}\u{7f}\u{1b}~ xyz.\n";
    for (options, expected) in [
        (&["-r", "."][..], "a.b ....~ xyz.\n"),
        (&["-r", "x"], "axb xxxx~ xyz.\n"),
        (&["-r", " "], "a b     ~ xyz.\n"),
        (&["-R", "xz"], "a_b ____~ _y_.\n"),
        (&["-R", "x ", "-r", "+"], "a+b+++++~++yz.\n"),
        (&["-r", "+", "-R", "~"], "a+b +++++ xyz.\n"),
        (&["-r", "+", "-r", "-"], "a-b ----~ xyz.\n"),
        (&["-R", "x", "-R", "y"], "a_b ____~ x_z.\n"),
        (&["-R", "x", "-R", ""], "a_b ____~ xyz.\n"),
    ] {
        let log = fed(of, options, "e*\n", line);
        assert_eq!(log.all(), expected, "{options:?}");
        assert_eq!(log.stderr(), expected, "{options:?}");
    }
}

fn characters_are_replaced_before_patterns_are_matched(of: Program) {
    let log = fed(of, &["-r", ".", "-R", "x"], "-*\n+a.b.c\n", "a\tbxc\na\tb\tc\naxbxc\na\tbyc\n");
    assert_eq!(log.all(), "a.b.c\n".repeat(3));
}

fn patterns_see_the_first_characters(of: Program) {
    let log = fed(of, &["-l", "5"], "-*\n+abcde\ne*f\nea*e\n", "abcdefgh\nabcd\nabcde\nxabcde\n");
    assert_eq!(log.all(), "abcdefgh\nabcde\n");
    // Not so far that there is an f.
    assert_eq!(log.stderr().lines().next(), Some("abcde..."));
    let long = "x".repeat(999) + "yz\n";
    let log = fed(of, &[], "-*\n+*z\n", &long);
    assert_eq!(log.all(), "");
    let log = fed(of, &[], "-*\n+*y\n", &long);
    assert_eq!(log.all(), long);
}

fn long_lines_are_cut_on_stderr(of: Program) {
    // One of just that length too, of which there is no more.
    let log = fed(of, &["-l", "8"], "pP:\ne*\n", "1234567\n12345678\n123456789012345678\n\n");
    assert_eq!(log.stderr(), "P:1234567\nP:12345678...\nP:12345678...\nP:\n");
    assert_eq!(log.all(), "P:1234567\nP:12345678\nP:123456789012345678\nP:\n");
    let log = fed(of, &[], "e*\n", "x".repeat(1001) + "\n");
    assert_eq!(log.stderr(), "x".repeat(1000) + "...\n");
}

fn the_buffer_need_only_be_longer_than_the_line(of: Program) {
    for options in [["-l", "1", "-b", "2"], ["-l", "1000", "-b", "1001"], ["-l", "2000", "-b", "70000"]] {
        let input = lines(1, 500) + &"long ".repeat(2000) + "\n";
        assert_eq!(fed(of, &options, "", &input).all(), input, "{options:?}");
    }
}

fn a_line_longer_than_all_buffers_is_kept_whole(of: Program) {
    let input = format!("one\n{}\nthree\n", "0123456789".repeat(30_000));
    for options in [&[][..], &["-b", "200000"]] {
        let log = fed(of, options, "s0\n", &input);
        assert!(log.all() == input, "{}", log.report());
    }
}

fn selected_lines_go_to_stderr(of: Program) {
    let input = "a\nb\nab\n";
    for (config, logged, said) in [
        ("", "a\nb\nab\n", ""),
        ("e*\n", "a\nb\nab\n", "a\nb\nab\n"),
        ("ea*\nE*b\n", "a\nb\nab\n", "a\n"),
        ("E*\ne*b\n", "a\nb\nab\n", "b\nab\n"),
        // What is not logged may be said all the same.
        ("-*\ne*b\n", "", "b\nab\n"),
        ("e*\n-a\nEb\n", "b\nab\n", "a\nab\n"),
    ] {
        let log = fed(of, &[], config, input);
        assert_eq!((log.all().as_str(), log.stderr().as_str()), (logged, said), "{config:?}");
    }
}

fn lines_for_stderr_wait_for_their_reader(of: Program) {
    let mut log = Log::prepare(of, "e*\n");
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).unwrap();
    let mut command = log.command();
    command.stderr(writer.try_clone().unwrap());
    log.run_by(command);
    let input = lines(1, 20_000);
    let current = log.at("current");
    let read = thread::scope(|scope| {
        let reading = scope.spawn(move || {
            // Nobody reads until there is no room, and for a while after it.
            let full = || {
                let mut room = [PollFd::new(writer.as_fd(), PollFlags::POLLOUT)];
                poll(&mut room, PollTimeout::ZERO).unwrap() == 0
            };
            assert!(in_time(full), "stderr is not full");
            let since = Instant::now();
            let logged = || text(&current).len() == 20_000 * 11;
            assert!(in_time(|| logged() || since.elapsed() > Duration::from_secs(1)));
            drop(writer);
            let mut read = String::new();
            File::from(reader).read_to_string(&mut read).unwrap();
            read
        });
        log.write(&input);
        log.finish();
        reading.join().unwrap()
    });
    assert!(log.all() == input, "{}", log.report());
    assert!(read == input, "{} of {} lines", read.lines().count(), input.lines().count());
}
