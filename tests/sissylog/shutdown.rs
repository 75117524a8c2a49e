//! Shutdown, and the lines that are on their way then.

use std::io::Write;

use nix::sys::signal::Signal::{SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGSTOP, SIGTERM, SIGUSR1};

use super::harness::*;
use crate::needs;
use crate::support::*;

both_kinds!(
    a_last_line_without_newline_is_sent_at_the_end_of_the_input,
    at_term_what_is_in_the_pipe_is_sent,
    at_term_an_unfinished_line_stays_for_another_reader,
    lines_that_come_with_term_are_sent,
    other_signals_do_nothing,
    v_sends_a_last_message,
);

fn a_last_line_without_newline_is_sent_at_the_end_of_the_input(kind: Kind) {
    let world = World::new();
    let mut syslogd = world.syslogd(kind);
    let (mut running, mut writer) = world.start_alone(&[]);
    writer.write_all(b"one\n<3>la").unwrap();
    assert_eq!(syslogd.next().text, "one");
    writer.write_all(b"st").unwrap();
    drop(writer);
    let last = syslogd.next();
    assert_eq!((last.level, &*last.text), (3, "last"));
    assert_eq!(running.ended(), 0);
    assert_eq!((world.stderr(), syslogd.rest()), (String::new(), vec![]));
}

fn at_term_what_is_in_the_pipe_is_sent(kind: Kind) {
    for signal in [SIGTERM, SIGINT] {
        let world = World::new();
        let lines = numbered(0..2000); // more than a look sees, and than a queue holds
        let (mut running, mut writer) = world.start_alone(&[]);
        // There is no syslogd, so that all of them are in the pipe when the signal comes.
        writer.write_all(format!("{}\nunfin", lines.join("\n")).as_bytes()).unwrap();
        let mut syslogd = world.syslogd(kind);
        let first = syslogd.next();
        running.signal(signal);
        let mut messages = vec![first];
        messages.extend(syslogd.take(2000));
        let unfinished = messages.pop().unwrap();
        assert_eq!(texts(&messages), lines);
        assert_eq!(unfinished.text, "unfin"); // nobody else will ever read it
        assert_eq!(running.ended(), 0);
        assert_eq!(syslogd.rest(), []);
    }
}

fn at_term_an_unfinished_line_stays_for_another_reader(kind: Kind) {
    let world = World::new();
    let mut syslogd = world.syslogd(kind);
    let mut holder = world.holder();
    let mut running = world.start(&["-v"]);
    holder.write_all(b"error: one\nerror: t").unwrap();
    assert_eq!(syslogd.next().text, "error: one");
    running.signal(SIGTERM);
    assert_eq!(running.ended(), 0);
    assert_eq!(texts(&syslogd.rest()), ["sissylog ends: SIGTERM"]);
    assert_eq!((world.stderr(), unread(&holder)), (String::new(), 8));
    let mut running = world.start(&[]);
    holder.write_all(b"wo\n").unwrap();
    let message = syslogd.next();
    assert_eq!((message.level, &*message.text), (3, "error: two"));
    running.signal(SIGTERM);
    assert_eq!(running.ended(), 0);
}

fn other_signals_do_nothing(kind: Kind) {
    let world = World::new();
    let mut syslogd = world.syslogd(kind);
    // Also where the shell that starts it ignores what ends it.
    let mut running = world.start_as(r#"trap "" TERM INT HUP; exec "$B/sissylog" <pipe"#, &[]);
    let mut writer = world.writer();
    running.wait_until_it_waits();
    for signal in [SIGHUP, SIGALRM, SIGUSR1] {
        running.signal(signal);
        writer.write_all(format!("{signal}\n").as_bytes()).unwrap();
        assert_eq!(syslogd.next().text, signal.as_str());
    }
    running.signal(SIGINT);
    assert_eq!(running.ended(), 0);
    assert_eq!(syslogd.rest(), []);
}

fn v_sends_a_last_message(kind: Kind) {
    let world = World::new();
    let mut syslogd = world.syslogd(kind);
    assert_eq!(world.run(&["-v", "web", "local1"], "error: one"), prints(""));
    let last = syslogd.rest().pop().unwrap();
    let found = (last.facility, last.level, &*last.ident, &*last.text);
    assert_eq!(found, (17, 5, "web: ", "sissylog ends: end of input"));
}

#[test]
fn the_last_message_waits_for_nobody() {
    needs!(mounts());
    let world = World::new();
    assert_eq!(world.run(&["-v"], ""), {
        let reason = says(nix::errno::Errno::ENOENT);
        let text = format!("sissylog: warning: unable to reach /dev/log: {reason}\n");
        Outcome { stderr: text, ..prints("") }
    });
}

fn lines_that_come_with_term_are_sent(kind: Kind) {
    for (count, signal_first) in [(1, false), (1, true), (2000, false), (2000, true)] {
        let world = World::new();
        let mut syslogd = world.syslogd(kind);
        let (holder, mut running) = (world.holder(), world.start(&[]));
        running.signal(SIGSTOP);
        assert!(in_time(|| state(running.pid()) == Some('T')), "it does not stop");
        if signal_first {
            running.signal(SIGTERM);
        }
        let lines = numbered(0..count);
        (&holder).write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
        if !signal_first {
            running.signal(SIGTERM);
        }
        running.signal(SIGCONT);
        let messages = syslogd.take(count);
        assert_eq!(texts(&messages), lines);
        assert_eq!((running.ended(), unread(&holder), syslogd.rest()), (0, 0, vec![]));
    }
}

#[test]
fn without_a_pipe_of_its_own_it_does_not_start_and_takes_nothing_from_the_pipe() {
    needs!(mounts(), tool("strace"));
    let world = World::new();
    let holder = world.holder();
    (&holder).write_all(b"one\n").unwrap();
    let script = r#"exec strace -qq -o /dev/null -e inject=pipe2:error=EMFILE "$B/sissylog" <pipe"#;
    let seen = run(&mut world.command(script, &[]));
    let reason = says(nix::errno::Errno::EMFILE);
    assert_eq!(
        seen,
        fails(111, format!("sissylog: fatal: unable to look at the standard input: {reason}\n"))
    );
    assert_eq!(unread(&holder), 4);
}
