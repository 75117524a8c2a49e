//! Errors of the kernel at places where they change what is promised: strace(1) makes them.

use nix::errno::Errno;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// Starts the logger under strace, which makes these calls fail.
fn spawn_with(log: &mut Log, strace: &str) {
    log.spawn(log.command_behind(&format!("exec strace -qq -o /dev/null {strace} \"$@\"")));
}

#[test]
fn without_a_pipe_of_its_own_it_does_not_start_and_takes_nothing_from_the_pipe() {
    needs!(tool("strace"));
    for (call, errno) in
        [("pipe2", "EMFILE"), ("pipe2", "ENFILE"), ("epoll_create1", "EMFILE"), ("epoll_ctl", "ENOSPC")]
    {
        let mut log = Log::prepare(Svlog, "");
        log.hold_pipe();
        log.write("one\n");
        spawn_with(&mut log, &format!("-e inject={call}:error={errno}"));
        assert_eq!(log.ended(), 111, "{}", log.report());
        assert!(log.stderr().starts_with("svlog: fatal: unable to look at the input: "), "{}", log.stderr());
        assert_eq!((log.left_in_pipe(), log.at("current").exists()), (4, false));
        log.run();
        log.until_all("one\n");
        log.finish();
    }
}

#[test]
fn a_record_that_cannot_be_made_is_reported_even_where_the_boot_has_no_name() {
    needs!(tool("strace"));
    for (path, errno) in
        [("/proc/sys/kernel/random/boot_id", "EMFILE"), ("/proc/sys/kernel/random/boot_id", "ENOENT")]
    {
        let mut log = Log::prepare(Svlog, "");
        spawn_with(&mut log, &format!("-P {path} -e inject=openat,open:error={errno}"));
        log.write("one\n");
        log.finish();
        assert_eq!(log.all(), "one\n");
        let stderr = log.stderr();
        let words =
            ["unable to make batch: ", "; lines that are being written when svlog is killed may come twice"];
        assert!(log.warns(&stderr, &words) && stderr.lines().count() == 1, "{stderr}");
    }
}

#[test]
fn archives_that_cannot_be_looked_at_are_processed_later() {
    needs!(tool("strace"));
    let mut log = Log::prepare(Svlog, "!cat; echo done\n");
    log.plant(&old_archive(1, 'u'), "left\n", 0o744);
    spawn_with(&mut log, "-e inject=getdents64:error=EIO:when=1");
    log.until_processed(1);
    let expected = format!("unable to look for archives that wait for the processor: {}", says(Errno::EIO));
    assert!(log.warns(&log.stderr(), &[&expected]), "{}", log.stderr());
    log.finish();
    assert_eq!(log.all(), "left\ndone\n");
}

#[test]
fn after_hup_an_error_of_the_moment_does_not_take_the_directory_away() {
    needs!(tool("strace"));
    for errno in ["EMFILE", "ENFILE", "ENOMEM", "EINTR"] {
        let mut log = Log::prepare(Svlog, "");
        log.hold_pipe();
        // Its file is gone, so that a new one is opened after SIGHUP.
        spawn_with(&mut log, &format!("-P current -e inject=openat,open:error={errno}:when=2"));
        log.says("one\n", "one\n");
        std::fs::remove_file(log.at("current")).unwrap();
        let is_logger = |pid: &u32| !cmdline(*pid).starts_with("strace ");
        let logger = log.processes().into_iter().find(is_logger).unwrap();
        send_signal(logger, nix::sys::signal::Signal::SIGHUP);
        log.until_said("unable to use the log directory");
        log.says("two\n", "two\n");
        log.close();
        assert_eq!(log.ended(), 0, "{}", log.report());
    }
}

#[test]
fn a_failed_sync_at_the_end_is_in_the_status() {
    needs!(tool("strace"));
    let mut log = Log::prepare(Svlog, "");
    spawn_with(&mut log, "-e inject=fsync:error=EIO");
    log.write("one\n");
    log.close();
    assert_eq!(log.ended(), 111, "{}", log.report());
    let expected = format!("unable to sync current: {}", says(Errno::EIO));
    assert!(log.warns(&log.stderr(), &[&expected]), "{}", log.stderr());
    assert_eq!((log.current().as_str(), mode(&log.at("current"))), ("one\n", 0o644));
}
