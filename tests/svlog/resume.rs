//! Resuming after a logger that was killed, or has left: its place in a line, and which `current` is its own.

use nix::libc::{SYS_madvise, SYS_readv, SYS_renameat, SYS_tee};
use nix::sys::signal::Signal;

use super::harness::*;
use super::kills::{BATCH, held, kill_before, kill_behind_each_store};
use super::tracer::Traced;
use crate::needs;
use crate::support::*;

/// The piece of a line that is a batch.
fn piece() -> String {
    "x".repeat(BATCH)
}

/// Has a logger killed that has written and taken `count` batches.
fn kill_behind(log: &mut Log, count: usize) {
    let mut traced = Traced::start(log);
    assert!((0..count).all(|_| traced.behind(SYS_readv)));
    traced.kill();
}

#[test]
fn a_batch_that_has_left_the_pipe_is_known_by_any_last_byte() {
    let long = "\0".repeat(3 * BATCH);
    for options in [&[][..], &["-r", "_"]] {
        let mut log = held("", &format!("{long}\n"));
        log.set_options(options);
        kill_behind(&mut log, 1);
        log.drain();
        assert_eq!(log.all().len(), long.len() + 1, "{options:?}");
        // One that has not is known too.
        log.hold_pipe();
        log.write(format!("{long}\n"));
        kill_before(&mut log, SYS_readv, 1);
        log.drain();
        assert_eq!(log.all().len(), 2 * (long.len() + 1), "{options:?}");
    }
}

#[test]
fn a_kill_between_any_two_stores_within_a_line_keeps_it_whole() {
    for config in ["s5000\nn0\npP\n", "-*\n+x*\n"] {
        let prepare = || {
            let mut log = held(config, &format!("{}yz\n", piece()));
            log.close_writer();
            log
        };
        let place = |traced: &mut Traced| {
            traced.behind(SYS_readv) && traced.behind(SYS_tee) && traced.behind(SYS_madvise)
        };
        let count = kill_behind_each_store(prepare, place, usize::MAX, |mut log, count| {
            log.drain();
            let prefix = if config.contains('p') { "P" } else { "" };
            assert!(log.all() == format!("{prefix}{}yz\n", piece()), "{config} {count}\n{}", log.report());
        });
        assert!(count > 8, "{count}");
    }
}

#[test]
fn a_line_does_not_go_on_in_another_pipe() {
    for (config, end) in [("-x*\n", ""), ("", "\n")] {
        let mut log = held(config, &format!("a\n{}", piece().repeat(2)));
        kill_behind(&mut log, 2);
        log.close();
        log.hold_pipe();
        log.write("hello\nworld\n");
        log.drain();
        let begun = if config.is_empty() { piece() } else { String::new() };
        assert!(log.all() == format!("a\n{begun}{end}hello\nworld\n"), "{config}\n{}", log.report());
        assert_eq!(log.archives(), [""; 0]);
    }
}

#[test]
fn a_line_goes_on_in_each_directory_whatever_their_order() {
    // The first one has the record.
    for directories in [["log", "second", "third"], ["log", "third", "second"]] {
        let mut log = Log::prepare(Svlog, "s0\n");
        log.add("second", "-x*\n");
        log.add("third", "s5000\nn0\n");
        log.hold_pipe();
        log.write(format!("a\n{}", piece().repeat(2)));
        // Behind the rotation of the third one within the line.
        let mut traced = Traced::start(&mut log);
        assert!(traced.before(SYS_renameat) && traced.before(SYS_madvise));
        traced.kill();
        log.set_directories(&directories);
        log.write("y\nz\n");
        log.drain();
        let whole = format!("a\n{}y\nz\n", piece().repeat(2));
        for (directory, expected) in [("log", &whole[..]), ("second", "a\nz\n"), ("third", &whole)] {
            assert!(log.all_of(directory) == expected, "{directories:?} {directory}\n{}", log.report());
        }
    }
}

#[test]
fn a_line_goes_on_after_an_orderly_end_where_the_pipe_does() {
    for config in ["", "-x*\n"] {
        let mut log = held(config, &format!("a\n{}", piece().repeat(2)));
        log.run();
        log.until("all but the rest of the line", || log.left_in_pipe() == 0);
        log.term();
        log.write("y\nz\n");
        log.drain();
        let begun = if config.is_empty() { format!("{}y\n", piece().repeat(2)) } else { String::new() };
        assert!(log.all() == format!("a\n{begun}z\n"), "{config}\n{}", log.report());
    }
}

#[test]
fn the_last_piece_of_a_line_is_ended_at_the_end_of_the_input() {
    let mut log = held("", &piece());
    log.drain();
    assert!(log.all() == format!("{}\n", piece()));
}

#[test]
fn an_idle_logger_that_is_killed_leaves_its_current_to_the_next() {
    let mut log = held("", "a\n");
    log.run();
    log.until_all("a\n");
    log.term();
    log.run();
    log.settle();
    log.kill();
    assert_eq!(mode(&log.at("current")), 0o644);
    log.write("b\n");
    log.drain();
    assert_eq!((log.current(), log.archives().len()), ("a\nb\n".into(), 0));
}

#[test]
fn written_lines_stay_where_they_are_while_another_directory_waits() {
    needs!(mounts());
    for end in [Signal::SIGKILL, Signal::SIGTERM] {
        let mut log = Log::prepare(Svlog, "s0\n");
        log.add("second", "");
        log.mount("mount -t tmpfs -o size=64k,mode=755 tmpfs second");
        log.hold_pipe();
        log.run();
        log.says("first\n", "first\n");
        let filler = log.path("second").join("filler");
        std::fs::write(&filler, vec![0; 60 * 1024]).unwrap();
        let long = format!("second {}\n", "x".repeat(6000));
        log.write(&long);
        log.until_said("unable to write to current");
        log.tell(Signal::SIGALRM);
        assert_eq!(log.archives(), [""; 0]);
        log.signal(end);
        log.ended();
        std::fs::remove_file(filler).unwrap();
        log.drain();
        for directory in ["log", "second"] {
            assert!(log.all_of(directory) == format!("first\n{long}"), "{end} {directory}\n{}", log.report());
        }
    }
}

#[test]
fn a_long_line_behind_what_was_dropped_goes_on() {
    needs!(mounts());
    let mut log = Log::prepare(Svlog, "");
    log.mount_disk(128);
    log.configure("o new\n");
    log.hold_pipe();
    log.run();
    log.says("first\n", "first\n");
    log.fill();
    log.write(format!("lost {}\n", "l".repeat(6000)));
    log.until_said("dropping new lines");
    log.free();
    log.write(piece());
    log.until("the piece", || log.current().ends_with(&piece()));
    log.settle();
    log.kill();
    log.write("END\nlast\n");
    log.drain();
    assert!(log.all().ends_with(&format!("\n{}END\nlast\n", piece())), "{}", log.report());
}

#[test]
fn a_line_without_an_end_gets_it_when_there_is_room() {
    needs!(mounts());
    let mut log = Log::prepare(Svlog, "");
    log.mount_disk(64);
    log.plant("current", &"y".repeat(4096), 0o744);
    log.plant("batch", &"\0".repeat(4096), 0o600);
    log.fill();
    log.hold_pipe();
    log.run();
    log.settle();
    log.free();
    log.write("new\n");
    log.finish();
    assert!(log.all() == format!("{}\nnew\n", "y".repeat(4096)), "{}", log.report());
}

#[test]
fn a_batch_is_known_in_a_current_that_is_new() {
    needs!(mounts());
    let mut log = Log::prepare(Svlog, "");
    // One file of these is the directory: a rotation finds no room for a new `current`.
    log.mount("mount -t tmpfs -o size=1m,nr_inodes=12,mode=755 tmpfs log");
    log.configure("s2000\nn5\no oldest\n");
    log.hold_pipe();
    let line = |letter: &str| format!("{}\n", letter.repeat(1500));
    for letter in ["a", "b"] {
        log.write(line(letter));
    }
    log.run();
    log.until("two archives", || log.archives().len() == 2);
    log.settle();
    log.kill();
    let mut fillers = 0;
    while std::fs::File::create(log.at(&format!("f{fillers}"))).is_ok() {
        fillers += 1;
    }
    log.write(line("c"));
    log.write(line("d"));
    let mut traced = Traced::start(&mut log);
    while traced.before(SYS_readv) && !traced.said("the disk is full; removing") {}
    assert!(traced.said("unable to open current") || traced.said("unable to rotate current"));
    traced.kill();
    (0..fillers).for_each(|i| std::fs::remove_file(log.at(&format!("f{i}"))).unwrap());
    log.drain();
    let all = log.all();
    for letter in ["c", "d"] {
        assert_eq!(all.matches(&line(letter)).count(), 1, "{letter}\n{}", log.report());
    }
    assert!(log.archives().iter().all(|name| kind(name) == 's'), "{}", log.report());
}

#[test]
fn a_rotation_within_a_line_may_reuse_the_inode_of_what_it_removes() {
    for (config, prefix) in [("s5000\nn1\npP\n", "P"), ("s5000\nn1\n-*\n+x*\n", "")] {
        for count in 0.. {
            let mut log = held(config, &format!("{}z\nxyz\n", piece().repeat(4)));
            let mut traced = Traced::start(&mut log);
            assert!((0..3).all(|_| traced.behind(SYS_readv)));
            let madvise = (0..count).any(|_| traced.call() == Some(SYS_madvise));
            traced.kill();
            log.drain();
            let all = log.all();
            let right = all.ends_with(&format!("xz\n{prefix}xyz\n")) && !all.contains("xP");
            assert!(right, "{config} {count}\n{}", log.report());
            if madvise {
                assert!(count > 8, "{count}");
                break;
            }
        }
    }
}

#[test]
fn a_line_that_went_on_without_a_directory_does_not_go_on_there() {
    for (config, expected) in
        [("-*\n+x*\n", "xtwo\n".to_owned()), ("", format!("q{}\nxtwo\n", "q".repeat(BATCH - 1)))]
    {
        let mut log = Log::prepare(Svlog, "");
        log.add("second", config);
        log.hold_pipe();
        log.write("q".repeat(BATCH));
        kill_behind(&mut log, 1);
        log.set_directories(&["log"]);
        log.write("rest\nxone\n");
        kill_behind(&mut log, 1);
        log.set_directories(&["log", "second"]);
        log.write("xtwo\n");
        log.drain();
        assert!(log.all_of("second") == expected, "{config}\n{}", log.report());
    }
}

#[test]
fn a_current_that_could_not_be_opened_at_the_start_goes_on() {
    let mut log = Log::prepare(Svlog, "");
    log.add("second", "");
    log.hold_pipe();
    log.write("a\n");
    kill_behind(&mut log, 1);
    let [current, aside] = ["second/current", "second/aside"].map(|name| log.path(name));
    std::fs::rename(&current, &aside).unwrap();
    std::fs::create_dir(&current).unwrap();
    log.write("b\n");
    log.run();
    log.until_said("unable to write to current");
    std::fs::remove_dir(&current).unwrap();
    std::fs::rename(&aside, &current).unwrap();
    log.until("both", || log.left_in_pipe() == 0);
    log.finish();
    assert_eq!([log.all(), log.all_of("second")], ["a\nb\n", "a\nb\n"], "{}", log.report());
    assert_eq!(archives(&log.path("second")), [""; 0]);
}
