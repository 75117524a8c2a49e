//! kill -9: lines that are not in a file are still in the pipe, and none is there twice.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::Duration;

use nix::libc::{SYS_flock, SYS_ftruncate, SYS_madvise, SYS_ppoll, SYS_readv, SYS_tee, c_long};

use super::harness::*;
use super::tracer::Traced;
use crate::needs;
use crate::support::*;

/// The bytes of the words of `batch` that are written to here.
const OPEN: u64 = 8;
const MARK: u64 = 16;
const BOOT: u64 = 56;

/// As many bytes are a batch at most, and end in a newline if there is one.
pub(super) const BATCH: usize = 12 * 1024;

/// A log whose pipe the test holds, with these lines in it.
pub(super) fn held(config: &str, lines: &str) -> Log {
    let mut log = Log::prepare(Svlog, config);
    log.hold_pipe();
    log.write(lines);
    log
}

impl Log {
    /// Starts a logger that is killed when it comes to the `count`th of this system call.
    fn spawn_to_be_killed_at(&mut self, call: &str, count: usize) {
        let strace = format!("strace -o /dev/null -e trace={call} -e inject={call}:signal=KILL:when={count}");
        self.spawn(self.command_behind(&format!("exec {strace} \"$@\"")));
    }

    /// Runs it, to that end.
    fn run_and_kill_at(&mut self, call: &str, count: usize) {
        self.spawn_to_be_killed_at(call, count);
        assert_eq!(self.ended(), 128 + 9, "{}", self.report());
    }

    /// Changes the record.
    fn patch(&self, at: u64, byte: u8) {
        let batch = OpenOptions::new().write(true).open(self.at("batch")).unwrap();
        batch.write_all_at(&[byte], at).unwrap();
    }

    /// Lets a logger write what is in the pipe, and leave.
    pub(super) fn drain(&mut self) {
        self.spawn(self.command());
        self.finish();
        assert!(!self.at("batch").exists());
    }
}

#[test]
fn kills_at_full_rate_lose_and_double_nothing() {
    needs!(tool("seq"));
    for (seed, options) in [(1, &["-tt"][..]), (2, &[])] {
        let mut random = Random::new(seed);
        let mut log = held("s1m\nn0\n", "");
        log.set_options(options);
        // A writer with a buffer: most of its writes end in the middle of a line.
        let mut writer = prepared("seq").args(["1", "100000000"]).stdout(log.writer()).spawn().unwrap();
        for _ in 0..100 {
            log.spawn(log.command());
            thread::sleep(Duration::from_micros(random.below(6000) as u64));
            log.kill();
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        log.drain();
        let stamp = if options.is_empty() { 0 } else { 26 };
        let all = log.all();
        let mut numbers = all.lines().map(|line| &line[stamp..]).zip(1..).peekable();
        while let Some((found, number)) = numbers.next() {
            let number: u64 = number;
            let right = found == number.to_string();
            // The writer was killed in the middle of a line.
            let last = numbers.peek().is_none() && number.to_string().starts_with(found);
            assert!(right || last, "{found:?} in place of {number}\n{}", log.report());
        }
        assert!(log.archives().iter().all(|name| kind(name) == 's'), "{}", log.report());
        tell(&format!("svlog: 100 kills, {} lines", all.lines().count()));
    }
}

#[test]
fn a_batch_that_is_still_in_the_pipe_is_taken_out() {
    needs!(tool("strace"));
    for config in ["", "pprefix: \n"] {
        let prefix = if config.is_empty() { "" } else { "prefix: " };
        let mut log = held(config, "");
        log.plant("current", "old\n", 0o744);
        log.write("a\nb\npart");
        log.run_and_kill_at("readv", 1);
        assert_eq!(log.current(), format!("old\n{prefix}a\n{prefix}b\n"));
        assert_eq!(mode(&log.at("current")), 0o644);
        log.drain();
        assert_eq!(log.all(), format!("old\n{prefix}a\n{prefix}b\n{prefix}part\n"));
        assert_eq!(log.archives(), [""; 0]);
    }
}

#[test]
fn a_batch_is_taken_out_of_every_directory() {
    needs!(tool("strace"));
    let mut log = Log::prepare(Svlog, "");
    log.add("second", "-b\n");
    log.add("third", "pP\n");
    log.hold_pipe();
    log.write("a\nb\n");
    // The second write is that to the third directory: nothing of the batch is for the second but a.
    log.run_and_kill_at("readv", 1);
    assert_eq!([log.all(), log.all_of("second"), log.all_of("third")], ["a\nb\n", "a\n", "Pa\nPb\n"]);
    log.drain();
    assert_eq!([log.all(), log.all_of("second"), log.all_of("third")], ["a\nb\n", "a\n", "Pa\nPb\n"]);
    log.hold_pipe();
    log.write("c\n");
    log.run_and_kill_at("write", 3);
    assert_eq!([log.all(), log.all_of("second"), log.all_of("third")], ["a\nb\nc\n", "a\nc\n", "Pa\nPb\n"]);
    log.drain();
    assert_eq!(
        [log.all(), log.all_of("second"), log.all_of("third")],
        ["a\nb\nc\n", "a\nc\n", "Pa\nPb\nPc\n"]
    );
}

#[test]
fn a_batch_that_has_left_the_pipe_stays() {
    needs!(tool("strace"));
    let mut log = held("", "a\n");
    log.run_and_kill_at("ppoll", 2);
    // As if it had been killed in the last moment: the mark says that the batch is gone.
    log.patch(OPEN, 1);
    log.write("a\n");
    log.drain();
    assert_eq!(log.all(), "a\na\n", "lines that are repeated are real");
}

#[test]
fn in_doubt_a_batch_stays() {
    needs!(tool("strace"));
    let killed = || {
        let mut log = held("", "a\n");
        log.run_and_kill_at("readv", 1);
        assert_eq!(log.current(), "a\n");
        log
    };
    // Somebody has read from the pipe, or written to the file.
    let mut log = killed();
    assert_eq!(log.steal(2), "a\n");
    log.write("b\n");
    log.drain();
    assert_eq!(log.all(), "a\nb\n");
    let mut log = killed();
    log.plant("current", "a\nx\n", 0o644);
    log.drain();
    assert_eq!(log.all(), "a\nx\na\n");
    // Of another boot: then the file may not be whole either.
    let mut log = killed();
    log.patch(BOOT, b'?');
    log.drain();
    assert_eq!(
        (log.all(), log.archives().iter().map(|name| kind(name)).collect()),
        ("a\na\n".into(), vec!['u'])
    );
    // The mark is that of the kernel.
    let mut log = killed();
    log.patch(MARK, b'\n');
    log.drain();
    assert_eq!(log.all(), "a\na\n");
}

#[test]
fn a_long_line_goes_on_where_it_was() {
    needs!(tool("strace"));
    let long = "x".repeat(30_000);
    for call in ["readv", "ppoll"] {
        for count in 1..=2 {
            let mut log = held("", &long);
            log.set_options(&["-t"]);
            log.run_and_kill_at(call, count);
            log.write("y\nz\n");
            log.drain();
            assert!(behind(&log.all(), 26) == format!("{long}y\nz\n"), "{call} {count}");
        }
    }
}

#[test]
fn wherever_it_is_killed_a_long_line_is_one_and_comes_once() {
    needs!(tool("strace"));
    let long = "y".repeat(30_000);
    // Two directories; and one in which the line is longer than an archive may be.
    for (config, second) in [("s0\npQ \n", true), ("s5000\nn0\npQ \n", false)] {
        for (call, most) in [("write", 8), ("fstat", 24), ("openat", 16), ("renameat", 4), ("fchmod", 6)] {
            for count in 1..=most {
                let mut log = Log::prepare(Svlog, config);
                if second {
                    log.add("second", config);
                }
                log.hold_pipe();
                log.write(format!("a\n{long}"));
                log.spawn_to_be_killed_at(call, count);
                // It may come to the end of what there is before it has made that many calls.
                let idle = || {
                    state(log.pid()).is_none_or(|state| state == 'Z') || log.all().contains(&long[..24_000])
                };
                log.until("its end, or what there is", idle);
                let pids = log.processes();
                for pid in &pids {
                    let pid = nix::unistd::Pid::from_raw(i32::try_from(*pid).unwrap());
                    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL); // it may have ended
                }
                log.ended();
                // With the logger, which is a child of strace, its lock goes.
                log.until("their end", || !pids.iter().any(|pid| lives(*pid)));
                log.write("z\nb\n");
                log.drain();
                let expected = format!("Q a\nQ {long}z\nQ b\n");
                for directory in ["log", "second"].iter().take(if second { 2 } else { 1 }) {
                    assert!(
                        log.all_of(directory) == expected,
                        "{call} {count} {directory}\n{}",
                        log.report()
                    );
                }
            }
        }
    }
}

/// A log, what comes in before the first kill and after it, and what is to be logged in the end.
fn cases() -> Vec<(Log, [String; 2], String)> {
    let long = "y".repeat(30_000);
    let case = |config: &str, lines: [&str; 2], all: &str| {
        (held(config, ""), lines.map(str::to_owned), all.to_owned())
    };
    vec![
        case("", ["a\nb\n", "c\n"], "a\nb\nc\n"),
        case("pP\n", [&format!("a\n{long}"), "z\nc\n"], &format!("Pa\nP{long}z\nPc\n")),
        // The second batch, whose line was deselected in the first, leaves nothing in the log.
        case("-x*\n", [&format!("a\nx{long}"), "z\nc\n"], "a\nc\n"),
    ]
}

/// Has a logger killed that has written all and not taken the last batch from the pipe.
fn killed_with_a_batch(log: &mut Log, lines: &str) {
    log.write(lines);
    kill_before(log, SYS_readv, 1 + lines.len() / BATCH);
}

pub(super) fn kill_before(log: &mut Log, call: c_long, count: usize) {
    let mut traced = Traced::start(log);
    assert!((0..count).all(|_| traced.before(call)));
    traced.kill();
}

#[test]
fn a_second_kill_before_any_call_loses_and_doubles_nothing() {
    for case in 0..cases().len() {
        for count in share(0..) {
            let (mut log, [first, second], expected) = cases().remove(case);
            killed_with_a_batch(&mut log, &first);
            log.write(&second);
            log.close_writer();
            let mut traced = Traced::start(&mut log);
            assert!(traced.before(SYS_flock), "nothing happens before");
            let there = (0..count).all(|_| traced.call().is_some());
            if there {
                traced.kill();
            } else {
                traced.end();
            }
            log.drain();
            assert!(log.all() == expected, "{case} {count}\n{}", log.report());
            if !there {
                tell(&format!("svlog: killed again before each of {count} calls, case {case}"));
                break;
            }
        }
    }
}

/// Kills loggers behind each store into the record that they make behind a system call. Returns how many.
pub(super) fn kill_behind_each_store(
    prepare: impl Fn() -> Log,
    place: impl Fn(&mut Traced) -> bool,
    most: usize,
    check: impl Fn(Log, usize),
) -> usize {
    for count in 1..=most {
        let mut log = prepare();
        let mut traced = Traced::start(&mut log);
        assert!(place(&mut traced));
        let there = (0..count).all(|_| traced.step_to_a_change("log/batch"));
        traced.kill();
        check(log, count);
        if !there {
            return count - 1;
        }
    }
    most
}

#[test]
fn a_kill_between_any_two_stores_loses_and_doubles_nothing() {
    // Where the record becomes that of the new process: what changes in it is the length, unless that was 0, and
    // whether a batch is open. More would be the next batch.
    for (case, most) in [2, 2, 1].into_iter().enumerate() {
        let prepare = || {
            let (mut log, [first, second], _) = cases().remove(case);
            killed_with_a_batch(&mut log, &first);
            log.write(&second);
            log.close_writer();
            log
        };
        let place = |traced: &mut Traced| traced.behind(SYS_ftruncate);
        let count = kill_behind_each_store(prepare, place, most, |mut log, count| {
            log.drain();
            assert!(log.all() == cases()[case].2, "{case} {count}\n{}", log.report());
        });
        assert_eq!(count, most);
    }
    let prepare = || {
        let mut log = held("", "a\n");
        kill_before(&mut log, SYS_ppoll, 2);
        log.write("b\n");
        log.close_writer();
        log
    };
    // Where it becomes that of a new batch, and of none.
    let place = |traced: &mut Traced| traced.behind(SYS_tee) && traced.behind(SYS_madvise);
    let count = kill_behind_each_store(prepare, place, usize::MAX, |mut log, count| {
        log.open_writer();
        log.write("b\n");
        log.drain();
        assert_eq!(log.all(), "a\nb\nb\n", "{count}\n{}", log.report());
    });
    tell(&format!("svlog: killed behind each of {count} stores of a batch"));
    assert!(count > 6, "{count}");
    // Where it begins, or was that of another boot: the next logger makes one of it.
    for boot in [None, Some(b'?')] {
        let prepare = || {
            let mut log = held("", "a\n");
            if let Some(boot) = boot {
                kill_before(&mut log, SYS_readv, 1);
                log.patch(BOOT, boot);
            }
            log
        };
        let place = |traced: &mut Traced| traced.behind(SYS_flock) && traced.behind(SYS_madvise);
        let count = kill_behind_each_store(prepare, place, 7, |mut log, count| {
            killed_with_a_batch(&mut log, "b\n");
            log.write("c\n");
            log.drain();
            let doubled = if boot.is_some() { "a\n" } else { "" };
            assert_eq!(log.all(), format!("{doubled}a\nb\nc\n"), "{count}\n{}", log.report());
            assert_eq!(log.stderr(), "");
        });
        assert_eq!(count, 7);
    }
}
