//! `e` and `=file`, where they are more than the table of scripts shows.

use std::fs;
use std::os::unix::fs::symlink;

use nix::sys::signal::Signal;

use super::differences::log_of;
use super::harness::*;
use crate::needs;
use crate::support::*;

#[test]
fn a_longer_file_keeps_its_end_and_a_reader_sees_one_line() {
    needs!(Multilog.there());
    for of in [Multilog, OurMultilog] {
        let place = Place::new(of);
        fs::write(place.at("st"), "o".repeat(1500)).unwrap();
        let left = place.run(&["=st"], b"a\nbc\n");
        let expected = format!("bc{}{}", "\n".repeat(999), "o".repeat(499));
        assert!(left.files["st"] == expected, "{of:?}");
        // Without a line it stays as it is.
        assert_eq!(place.run(&["-*", "=st"], b"x\n").files["st"], expected, "{of:?}");
    }
}

#[test]
fn the_file_has_the_latest_line_while_the_log_goes_on() {
    needs!(Multilog.there());
    for of in [Multilog, OurMultilog] {
        let mut log = log_of(of, &["-*", "+STAT*", "=status", "+*"]);
        log.run();
        let status = || text(&log.path("status"));
        for (line, latest) in [("STAT 1\n", "STAT 1"), ("other\n", "STAT 1"), ("STAT 2\nx\n", "STAT 2")] {
            log.write(line);
            let end = log.all() + line;
            log.until("the line", || log.all().ends_with(line));
            let _ = end;
            log.until("the status", || status().trim_end() == latest && status().len() == 1001);
        }
        log.finish();
        assert_eq!(log.all(), "STAT 1\nother\nSTAT 2\nx\n");
    }
}

#[test]
fn a_file_that_was_removed_or_replaced_is_the_next_one_of_its_name() {
    let mut log = log_of(OurMultilog, &["=status"]);
    log.run();
    let status = || fs::read_to_string(log.path("status")).unwrap_or_default();
    let until = |line: &str| log.until(line, || status().trim_end() == line);
    log.write("a\n");
    until("a");
    fs::remove_file(log.path("status")).unwrap();
    log.write("b\n");
    until("b");
    assert_eq!(mode(&log.path("status")), 0o600);
    fs::write(log.path("new"), "").unwrap();
    fs::rename(log.path("new"), log.path("status")).unwrap();
    log.write("c\n");
    until("c");
    // One that goes on under another name is left at SIGHUP.
    fs::rename(log.path("status"), log.path("old")).unwrap();
    log.tell(Signal::SIGHUP);
    log.write("d\n");
    until("d");
    assert_eq!(text(&log.path("old")).trim_end(), "c");
    // A link is not followed then either.
    fs::remove_file(log.path("status")).unwrap();
    symlink("old", log.path("status")).unwrap();
    log.says("e\n", "a\nb\nc\nd\ne\n");
    log.until_said("unable to write status");
    assert_eq!(text(&log.path("old")).trim_end(), "c");
    fs::remove_file(log.path("status")).unwrap();
    log.write("f\n");
    until("f");
    log.finish();
}

#[test]
fn a_file_that_cannot_be_written_is_reported_once_and_tried_with_the_next_lines() {
    needs!(tool("strace"));
    let mut log = log_of(OurMultilog, &["=status"]);
    let strace = "strace -o /dev/null -e trace=pwrite64 -e inject=pwrite64:error=ENOSPC:when=2..3";
    // The first is that of the record.
    log.spawn(log.command_behind(&format!("exec {strace} \"$@\"")));
    for (line, all) in [("a\n", "a\n"), ("b\n", "a\nb\n"), ("c\n", "a\nb\nc\n")] {
        log.says(line, all);
        log.until("consumed", || log.left_in_pipe() == 0);
    }
    log.until("the status", || text(&log.path("status")).trim_end() == "c");
    let errno = says(nix::errno::Errno::ENOSPC);
    assert_eq!(
        log.stderr(),
        format!("multilog: warning: unable to write status: {errno}; retrying with the next lines\n")
    );
    log.close();
    assert_eq!(log.ended(), 0);
}

#[test]
fn a_line_that_was_passed_on_is_not_passed_on_again_by_the_next_logger() {
    let mut log = log_of(OurMultilog, &["e", "=status"]);
    log.run();
    // More than is read at once: its beginning leaves the pipe.
    log.write("x".repeat(20_000));
    log.until("the beginning", || log.current().len() >= 12_000);
    log.kill();
    log.run();
    log.write("\nnext\n");
    log.until("the line", || log.all().ends_with("x\nnext\n"));
    log.finish();
    assert_eq!(log.all(), "x".repeat(20_000) + "\nnext\n");
    assert_eq!(log.stderr(), "x".repeat(200) + "...\nnext\n");
    assert_eq!(text(&log.path("status")).trim_end(), "next");
}
