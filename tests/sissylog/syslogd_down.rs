//! A syslogd that is down or stopped, and a sissylog that is killed: no line is lost.

use std::fs::File;
use std::io::Write;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::Signal::{SIGKILL, SIGTERM};

use super::harness::*;
use crate::needs;
use crate::support::*;

both_kinds!(
    a_kill_loses_nothing_and_doubles_at_most_one_line,
    a_stopped_syslogd_is_waited_for,
    lines_wait_in_the_pipe_for_a_syslogd_that_is_not_there,
    restarts_of_syslogd_under_load_lose_nothing,
    term_ends_it_at_once_before_a_stopped_syslogd,
    messages_behind_a_stopped_syslogd_go_to_the_next,
);

/// Writes lines into a pipe, as fast as there is room.
fn write_lines(mut pipe: File, lines: Vec<String>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in lines {
            pipe.write_all(format!("{line}\n").as_bytes()).unwrap();
        }
    })
}

fn unreachable(errno: Errno) -> String {
    format!("sissylog: warning: unable to reach /dev/log: {}\n", says(errno))
}

fn lines_wait_in_the_pipe_for_a_syslogd_that_is_not_there(kind: Kind) {
    let world = World::new();
    let (mut running, mut writer) = world.start_alone(&[]);
    writer.write_all(b"one\ntwo\n").unwrap();
    assert!(in_time(|| world.stderr() == unreachable(Errno::ENOENT)), "{}", world.stderr());
    assert_eq!(unread(&writer), 8);
    writer.write_all(b"three\n").unwrap();
    let mut syslogd = world.syslogd(kind);
    assert_eq!(texts(&syslogd.take(3)), ["one", "two", "three"]);
    drop(writer);
    assert_eq!(running.ended(), 0);
    assert_eq!(syslogd.rest(), []);
    assert_eq!(world.stderr(), unreachable(Errno::ENOENT)); // and no more
}

#[test]
fn term_ends_it_at_once_where_syslogd_is_away() {
    needs!(mounts());
    // The only reader loses what it leaves, and says so.
    let world = World::new();
    let (mut running, mut writer) = world.start_alone(&[]);
    writer.write_all(b"one\ntwo\nthr").unwrap();
    assert!(in_time(|| !world.stderr().is_empty()));
    running.signal(SIGTERM);
    assert_eq!(running.ended(), 111);
    let lost = |count| format!("sissylog: fatal: {count} bytes of the input were not sent and are lost\n");
    assert_eq!(world.stderr(), unreachable(Errno::ENOENT) + &lost(11));
    drop(writer);

    // Another has it after it.
    let world = World::new();
    let mut holder = world.holder();
    let mut running = world.start(&[]);
    holder.write_all(b"one\ntwo\nthr").unwrap();
    assert!(in_time(|| !world.stderr().is_empty()));
    running.signal(SIGTERM);
    assert_eq!(running.ended(), 0);
    assert_eq!((world.stderr(), unread(&holder)), (unreachable(Errno::ENOENT), 11));
    let mut syslogd = world.syslogd(Kind::Datagrams);
    let _running = world.start(&[]);
    assert_eq!(texts(&syslogd.take(2)), ["one", "two"]);

    // A file is nobody else's.
    drop(syslogd);
    let world = World::new();
    std::fs::write(world.path("input"), "one\ntwo\n").unwrap();
    let mut running = world.start_as(r#"exec "$B/sissylog" <input"#, &[]);
    assert!(in_time(|| !world.stderr().is_empty()));
    running.signal(SIGTERM);
    assert_eq!(running.ended(), 111);
    assert_eq!(world.stderr(), unreachable(Errno::ENOENT) + &lost(8));
}

fn restarts_of_syslogd_under_load_lose_nothing(kind: Kind) {
    let world = World::new();
    let lines = numbered(0..5000);
    let (mut running, writer) = world.start_alone(&[]);
    let writer = write_lines(writer, lines.clone());
    let mut found = vec![];
    for round in 0..5 {
        let mut syslogd = world.syslogd(kind);
        found.extend(syslogd.take(500 + round));
        found.extend(syslogd.stop());
        // Gone for shorter and for longer than it takes to see it.
        if round % 2 == 0 {
            thread::sleep(Duration::from_millis(50));
        }
    }
    let mut syslogd = world.syslogd(kind);
    found.extend(syslogd.take(5000 - found.len()));
    assert_eq!(texts(&found), lines);
    writer.join().unwrap();
    assert_eq!(running.ended(), 0);
    assert_eq!(syslogd.rest(), []);
}

/// Fills the queue of a syslogd that does not read; returns the thread that writes.
fn stall(world: &World, running: &Running, writer: File, lines: &[String]) -> JoinHandle<()> {
    let holder = writer.try_clone().unwrap();
    let thread = write_lines(writer, lines.to_vec());
    // Both stand still: nothing goes out of the pipe, nothing into it.
    assert!(in_time(|| {
        let before = unread(&holder);
        running.wait_until_it_waits();
        thread::sleep(Duration::from_millis(100));
        before > 0 && unread(&holder) == before
    }));
    assert_eq!(world.stderr(), "");
    thread
}

fn a_stopped_syslogd_is_waited_for(kind: Kind) {
    let world = World::new();
    let lines = numbered(0..20_000);
    let mut syslogd = world.syslogd(kind);
    let (mut running, writer) = world.start_alone(&[]);
    let writer = stall(&world, &running, writer, &lines);
    assert_eq!(texts(&syslogd.take(lines.len())), lines);
    writer.join().unwrap();
    assert_eq!(running.ended(), 0);
    assert_eq!((world.stderr(), syslogd.rest()), (String::new(), vec![]));
}

fn term_ends_it_at_once_before_a_stopped_syslogd(kind: Kind) {
    let world = World::new();
    let lines = numbered(0..20_000);
    let mut syslogd = world.syslogd(kind);
    let holder = world.holder();
    let (mut running, writer) = world.start_alone(&[]);
    let writer = stall(&world, &running, writer, &lines);
    let start = Instant::now();
    running.signal(SIGTERM);
    assert_eq!(running.ended(), 0);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(world.stderr(), "");
    // What has been sent, and then the rest, by another: each once.
    let mut found = syslogd.rest();
    assert!(unread(&holder) > 0 && found.len() < lines.len());
    let mut running = world.start_as(r#"exec "$B/sissylog" <pipe"#, &[]);
    found.extend(syslogd.take(lines.len() - found.len()));
    assert_eq!(texts(&found), lines);
    writer.join().unwrap();
    drop(holder);
    assert_eq!(running.ended(), 0);
    assert_eq!(syslogd.rest(), []);
}

fn messages_behind_a_stopped_syslogd_go_to_the_next(kind: Kind) {
    let world = World::new();
    let lines = numbered(0..20_000);
    let syslogd = world.syslogd(kind);
    let (mut running, writer) = world.start_alone(&[]);
    let writer = stall(&world, &running, writer, &lines);
    let mut found = syslogd.stop();
    let mut syslogd = world.syslogd(kind);
    found.extend(syslogd.take(lines.len() - found.len()));
    assert_eq!(texts(&found), lines);
    writer.join().unwrap();
    assert_eq!(running.ended(), 0);
    assert_eq!(syslogd.rest(), []);
}

fn a_kill_loses_nothing_and_doubles_at_most_one_line(kind: Kind) {
    let world = World::new();
    let lines = numbered(0..40_000);
    let mut syslogd = world.syslogd(kind);
    let holder = world.holder();
    let writer = write_lines(world.writer(), lines.clone());
    let (mut found, mut kills) = (vec![], 0);
    // A stream takes some thousand lines that nobody has read yet.
    while kills < 20 && found.len() < 30_000 {
        let mut running = world.start_as(r#"exec "$B/sissylog" <pipe"#, &[]);
        found.extend(syslogd.take(150 + 7 * kills)); // and it sends more meanwhile
        running.signal(SIGKILL);
        assert_eq!(running.ended(), 128 + 9);
        found.extend(syslogd.rest());
        kills += 1;
    }
    let last = lines.last().unwrap();
    let _running = world.start_as(r#"exec "$B/sissylog" <pipe"#, &[]);
    while found.last().unwrap().text != *last {
        found.push(syslogd.next());
    }
    writer.join().unwrap();
    let mut texts = texts(&found);
    let sent = texts.len();
    texts.dedup();
    assert_eq!(texts, lines);
    assert!(kills >= 3 && sent - lines.len() <= kills, "{kills} kills, {} doubled", sent - lines.len());
    drop(holder);
}
