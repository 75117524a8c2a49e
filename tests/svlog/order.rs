//! Signals and lines that arrive in one moment: the lines come first.

use std::fs;

use nix::sys::signal::Signal::{self, SIGALRM, SIGCONT, SIGHUP, SIGSTOP, SIGTERM};

use super::harness::*;
use crate::support::*;

/// Lets all of this come while the logger stands still: it sees it at once.
fn in_one_moment(log: &Log, happens: impl FnOnce()) {
    log.settle();
    log.signal(SIGSTOP);
    log.until("a stop", || state(log.pid()) == Some('T'));
    happens();
    log.signal(SIGCONT);
}

/// A logger whose config is `pold` before it reads `pnew`.
fn started() -> Log {
    let log = Log::start(Svlog, &[], "pold \ns0\n");
    log.configure("pnew \ns0\n");
    log
}

/// The contents of the archives, the oldest first.
fn contents(log: &Log) -> Vec<String> {
    log.archives().iter().map(|name| log.read(name)).collect()
}

/// `count` lines after a prefix.
fn prefixed(prefix: &str, first: usize, last: usize) -> String {
    lines(first, last).lines().flat_map(|line| [prefix, " ", line, "\n"]).collect()
}

/// As many lines as fit into a pipe at first, which is more than one batch.
const MANY: usize = 5000;

#[test]
fn lines_in_the_pipe_before_alrm_are_in_the_archive() {
    for count in [1, MANY] {
        for signal_first in [false, true] {
            let mut log = started();
            in_one_moment(&log, || {
                if signal_first {
                    log.signal(SIGALRM);
                }
                log.write(lines(1, count));
                if !signal_first {
                    log.signal(SIGALRM);
                }
            });
            log.until_archives(1);
            log.settle();
            assert_eq!((contents(&log), log.current()), (vec![prefixed("old", 1, count)], String::new()));
            log.write(lines(1, 1));
            log.finish();
            assert_eq!(log.current(), prefixed("old", 1, 1));
        }
    }
}

#[test]
fn lines_in_the_pipe_before_hup_are_written_by_the_old_config() {
    for count in [1, MANY] {
        let mut log = started();
        in_one_moment(&log, || {
            log.write(lines(1, count));
            log.signal(SIGHUP);
        });
        log.until_all(&prefixed("old", 1, count));
        log.settle();
        log.write(lines(1, count));
        log.finish();
        assert!(log.all() == prefixed("old", 1, count) + &prefixed("new", 1, count), "{}", log.report());
    }
}

#[test]
fn lines_in_the_pipe_before_term_are_written() {
    for count in [1, MANY] {
        for signal_first in [false, true] {
            let mut log = Log::prepare(Svlog, "s0\n");
            log.hold_pipe();
            log.run();
            in_one_moment(&log, || {
                if signal_first {
                    log.signal(SIGTERM);
                }
                log.write(lines(1, count));
                if !signal_first {
                    log.signal(SIGTERM);
                }
            });
            assert_eq!((log.ended(), log.left()), (0, String::new()));
            assert!(log.all() == lines(1, count), "{}", log.report());
        }
    }
}

#[test]
fn signals_of_one_moment_are_all_obeyed_whatever_their_order() {
    let signals = [SIGHUP, SIGALRM, SIGTERM];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut log = started();
        in_one_moment(&log, || {
            for (at, signal) in order.iter().zip(order.map(|at| signals[at])) {
                log.write(lines(at + 1, at + 1));
                log.signal(signal);
            }
        });
        assert_eq!(log.ended(), 0, "{}", log.report());
        let all: String = order.iter().map(|at| prefixed("old", at + 1, at + 1)).collect();
        assert_eq!((contents(&log), log.current()), (vec![all], String::new()), "{order:?}");
        assert_eq!((log.stderr().as_str(), mode(&log.at("current"))), ("", 0o744));
    }
}

#[test]
fn an_order_does_not_wait_for_the_end_of_a_line() {
    let mut log = started();
    in_one_moment(&log, || {
        log.write("one\npart");
        log.signal(SIGALRM);
        log.signal(SIGHUP);
    });
    log.until_archives(1);
    log.settle();
    assert_eq!(contents(&log), ["old one\n"]);
    log.write(" and rest\n");
    log.finish();
    assert_eq!(log.current(), "new part and rest\n");
}

#[test]
fn orders_that_come_again_and_again_lose_no_line() {
    let mut log = Log::start(Svlog, &[], "s0\nn0\n");
    for round in 0..50 {
        in_one_moment(&log, || {
            let order: &[Signal] = [&[SIGHUP][..], &[SIGALRM], &[SIGALRM, SIGHUP]][round % 3];
            log.write(lines(round * 100 + 1, round * 100 + 50));
            for signal in order {
                log.signal(*signal);
            }
            log.write(lines(round * 100 + 51, round * 100 + 100));
        });
    }
    log.finish();
    assert!(log.all() == lines(1, 5000), "{}", log.report());
    let rotated = 50 - 17;
    assert_eq!(log.archives().len(), rotated, "{}", log.report());
    assert!(log.archives().iter().all(|name| fs::metadata(log.at(name)).unwrap().len() % 1100 == 0));
}
