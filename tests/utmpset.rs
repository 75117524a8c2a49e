//! utmpset: in a mount namespace of its own, with records that the tests have made.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::needs;
use crate::support::locks::Holder;
use crate::support::*;

/// The kinds of records, utmp(5).
const BOOT: u16 = 2;
const INIT: u16 = 5;
const LOGIN: u16 = 6;
const USER: u16 = 7;
const DEAD: u16 = 8;

/// A record of glibc, of which the test knows nothing but what utmp(5) says, and that all of it is used.
fn record(kind: u16, line: &str, user: &str, host: &str) -> Vec<u8> {
    const { assert!(cfg!(any(target_arch = "x86_64", target_arch = "x86")), "another layout") };
    let mut record = vec![0; 384];
    record[..2].copy_from_slice(&kind.to_ne_bytes());
    record[4..8].copy_from_slice(&4321u32.to_ne_bytes());
    for (at, text) in [(8, line), (40, "id"), (44, user), (76, host)] {
        record[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    record[332..336].copy_from_slice(b"exit");
    record[336..340].copy_from_slice(b"sess");
    record[340..344].copy_from_slice(&1_700_000_000u32.to_ne_bytes());
    record[344..348].copy_from_slice(&5u32.to_ne_bytes());
    record[348..364].copy_from_slice(b"address of 16 b.");
    record
}

/// The records that the tests begin with.
fn records() -> Vec<Vec<u8>> {
    vec![
        record(BOOT, "~", "reboot", "6.1"),
        record(USER, "tty1", "alice", ""),
        record(LOGIN, "tty2", "LOGIN", ""),
        record(USER, "pts/0", "bob", "example.org"),
        record(DEAD, "tty4", "", ""),
        record(USER, "tty10", "carol", ""),
    ]
}

/// A directory with the files in it, which stand in the place of the system's.
struct House(TempDir);

impl House {
    fn new(utmp: &[Vec<u8>], wtmp: Option<&[u8]>) -> Self {
        let house = Self(open_directory());
        for directory in ["run", "log"] {
            fs::create_dir(house.at(directory)).unwrap();
        }
        fs::write(house.at("run/utmp"), utmp.concat()).unwrap();
        if let Some(wtmp) = wtmp {
            fs::write(house.at("log/wtmp"), wtmp).unwrap();
        }
        house
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// A command that sees these files.
    fn command(&self, program: impl AsRef<Path>, words: &[&str]) -> Command {
        let mount = "mount --bind \"$0/run\" /run && mount --bind \"$0/log\" /var/log && exec \"$@\"";
        let mut command = prepared("unshare");
        command.args(["--mount", "--propagation=private", "sh", "-c", mount]);
        command.arg(self.0.path()).arg(program.as_ref()).args(words);
        command
    }

    fn ours(&self, words: &[&str]) -> Outcome {
        run(&mut self.command(bin().join("utmpset"), words))
    }

    fn utmp(&self) -> Vec<Vec<u8>> {
        fs::read(self.at("run/utmp")).unwrap().chunks(384).map(<[u8]>::to_vec).collect()
    }

    fn wtmp(&self) -> Vec<u8> {
        fs::read(self.at("log/wtmp")).unwrap()
    }
}

/// Whether a record was made now, and the record without its time.
fn made_now(record: &[u8]) -> Vec<u8> {
    let number = |at: usize| u32::from_ne_bytes(record[at..at + 4].try_into().unwrap());
    let age = now().as_secs().checked_sub(number(340).into()).unwrap();
    assert!(age < 300 && number(344) < 1_000_000, "{age}");
    let mut record = record.to_vec();
    record[340..348].fill(0);
    record
}

/// The record as a free one, without its time.
fn freed(record: &[u8]) -> Vec<u8> {
    let mut record = record.to_vec();
    record[..2].copy_from_slice(&DEAD.to_ne_bytes());
    record[44..332].fill(0);
    record[340..348].fill(0);
    record
}

fn missing(line: &str) -> Outcome {
    fails(111, format!("utmpset: warning: unable to logout line {line} in utmp: no such entry\n"))
}

#[test]
fn the_record_of_the_line_is_marked_and_no_other_byte_changes() {
    needs!(mounts());
    for (i, line) in [(1, "tty1"), (2, "tty2"), (3, "pts/0"), (5, "tty10")] {
        let house = House::new(&records(), None);
        assert_eq!(house.ours(&[line]), prints(""));
        let (before, mut after) = (records(), house.utmp());
        after[i] = made_now(&after[i]);
        for (j, (before, after)) in before.iter().zip(&after).enumerate() {
            assert!(if i == j { freed(before) == *after } else { before == after }, "{line}: record {j}");
        }
        assert!(!house.at("log/wtmp").exists());
        // There is nobody on it any more.
        assert_eq!(house.ours(&[line]), missing(line));
    }
}

#[test]
fn with_w_a_record_is_added_to_wtmp() {
    needs!(mounts());
    let before = record(USER, "tty1", "alice", "");
    let mut expected = record(DEAD, "tty1", "", "");
    for range in [4..8, 40..44, 332..384] {
        expected[range].fill(0);
    }
    // Where there is none it is made, and half a record at its end is overwritten.
    for (wtmp, whole) in [(Some(before.clone()), 1), (Some([&before[..], b"part"].concat()), 1), (None, 0)] {
        let house = House::new(&records(), wtmp.as_deref());
        assert_eq!(house.ours(&["-w", "tty1"]), prints(""));
        let after = house.wtmp();
        assert_eq!(after.len(), 384 * (whole + 1));
        assert!(after[..384 * whole] == before[..384 * whole]);
        assert!(made_now(&after[384 * whole..]) == expected);
        if wtmp.is_none() {
            assert_eq!(mode(&house.at("log/wtmp")), 0o644);
        }
    }
}

#[test]
fn a_line_that_nobody_is_on_is_an_error_and_wtmp_stays_as_it_is() {
    needs!(mounts());
    for line in ["tty4", "tty", "tty100", "TTY1", "~", "pts", "alice", "/dev/tty1", &"x".repeat(32)] {
        let house = House::new(&records(), Some(b""));
        assert_eq!(house.ours(&["-w", line]), missing(line));
        assert!(house.utmp() == records() && house.wtmp().is_empty(), "{line}");
    }
}

#[test]
fn who_and_last_read_what_it_writes() {
    needs!(mounts(), tool("who"), tool("last"));
    let house = House::new(&records(), Some(&record(USER, "tty1", "alice", "")));
    let users = || {
        let who = run(house.command("who", &["/run/utmp"]).env("LC_ALL", "C")).stdout;
        who.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let still = || run(house.command("last", &["-f", "/var/log/wtmp"]).env("LC_ALL", "C")).stdout;
    assert_eq!(users(), ["alice", "bob", "carol"]);
    let ended = |text: &str| {
        text.lines()
            .any(|line| line.starts_with("alice") && line.contains(" - ") && !line.contains("no logout"))
    };
    assert!(!ended(&still()), "{}", still());
    assert_eq!(house.ours(&["-w", "tty1"]), prints(""));
    assert_eq!(users(), ["bob", "carol"]);
    // In the same second last shows it as running.
    until("last shows the end of the session", || ended(&still()));
}

#[test]
fn every_record_of_the_line_is_marked() {
    needs!(mounts());
    let utmp = [
        record(LOGIN, "tty1", "LOGIN", ""),
        record(INIT, "tty1", "x", ""),
        record(USER, "tty1", "alice", ""),
    ];
    let house = House::new(&utmp, None);
    assert_eq!(house.ours(&["tty1"]), prints(""));
    for (before, after) in utmp.iter().zip(house.utmp()) {
        assert!(freed(before) == made_now(&after));
    }
}

/// The status, the message and the files that one leaves, without the time.
fn left(program: &str, words: &[&str], utmp: &[Vec<u8>]) -> (i32, String, Vec<Vec<u8>>, Vec<u8>) {
    let house = House::new(utmp, Some(b""));
    let outcome = run(&mut house.command(program, words));
    let mut records = house.utmp();
    for (before, after) in utmp.iter().zip(&mut records) {
        if before != after {
            *after = freed(after);
        }
    }
    let mut wtmp = house.wtmp();
    if !wtmp.is_empty() {
        wtmp[340..348].fill(0);
    }
    (outcome.status, outcome.stderr, records, wtmp)
}

#[test]
fn it_leaves_what_runits_leaves() {
    needs!(mounts(), peer("utmpset"));
    let (ours, theirs) = (bin().join("utmpset").display().to_string(), peer("utmpset").unwrap());
    for words in
        [&["tty1"][..], &["-w", "tty2"], &["-w", "pts/0"], &["tty4"], &["-w", "no"], &["--", "tty10"]]
    {
        assert!(left(&ours, words, &records()) == left(&theirs, words, &records()), "{words:?}");
    }
    // It leaves a second record of the line, and marks that of the boot as a user's.
    let twice = [record(LOGIN, "tty1", "LOGIN", ""), record(USER, "tty1", "alice", "")];
    let (status, _, records_left, _) = left(&theirs, &["tty1"], &twice);
    assert!(status == 0 && records_left[1] == twice[1]);
    assert_eq!(left(&theirs, &["~"], &records()).0, 0);
    // And says 1 for a usage error, also with no option that it knows.
    for (words, status) in [(&[][..], 1), (&["-x", "tty1"], 1), (&["tty1", "more"], 0)] {
        assert_eq!(left(&theirs, words, &records()).0, status, "{words:?}");
        assert_eq!(left(&ours, words, &records()).0, 100, "{words:?}");
    }
}

#[test]
fn it_waits_for_the_locks_of_glibc_and_of_runit() {
    needs!(mounts(), peer("flock"), peer("s6-setlock"));
    for locker in ["flock", "s6-setlock"] {
        for file in ["run/utmp", "log/wtmp"] {
            let house = House::new(&records(), Some(b""));
            let holder = Holder::holding(house.0.path(), &[&peer(locker).unwrap(), file]);
            let waiting = Background::start(&mut house.command(bin().join("utmpset"), &["-w", "tty1"]));
            until("it has come to the lock", || {
                let program = fs::read_link(format!("/proc/{}/exe", waiting.pid()));
                program.is_ok_and(|program| program.ends_with("utmpset"))
            });
            waiting.wait_until_in(locks::WAITING);
            assert!(house.wtmp().is_empty(), "{locker} {file}");
            holder.release();
            assert_eq!(waiting.finish(), prints(""), "{locker} {file}");
            assert_eq!(house.wtmp().len(), 384);
        }
    }
}

#[test]
fn a_file_that_is_locked_for_ten_seconds_is_an_error() {
    needs!(mounts(), peer("flock"));
    let house = House::new(&records(), None);
    let holder = Holder::holding(house.0.path(), &[&peer("flock").unwrap(), "-s", "run/utmp"]);
    let text = "unable to lock /var/run/utmp: it has been locked for 10 seconds";
    assert_eq!(house.ours(&["tty1"]), fails(111, format!("utmpset: fatal: {text}\n")));
    assert!(house.utmp() == records());
    holder.release();
}

#[test]
fn what_cannot_be_opened_or_written_is_an_error() {
    needs!(mounts());
    let house = House::new(&records(), None);
    fs::create_dir(house.at("log/wtmp")).unwrap();
    let text = format!("unable to open /var/log/wtmp: {}", says(nix::errno::Errno::EISDIR));
    assert_eq!(house.ours(&["-w", "tty1"]), fails(111, format!("utmpset: fatal: {text}\n")));
    fs::remove_file(house.at("run/utmp")).unwrap();
    let text = format!("unable to open /var/run/utmp: {}", says(nix::errno::Errno::ENOENT));
    assert_eq!(house.ours(&["tty1"]), fails(111, format!("utmpset: fatal: {text}\n")));
    // A full disk: no part of a record stays.
    let house = House::new(&records(), None);
    let script = "mount -t tmpfs -o size=4k none /var/log && head -c 4000 /dev/zero >/var/log/wtmp && \
                  utmpset -w tty1; echo $? $(stat -c %s /var/log/wtmp)";
    let outcome = run(&mut house.command("sh", &["-c", script]));
    let text = format!("unable to logout line tty1 in wtmp: {}", says(nix::errno::Errno::ENOSPC));
    assert_eq!((&*outcome.stdout, outcome.stderr), ("111 4000\n", format!("utmpset: fatal: {text}\n")));
}

#[test]
fn usage_errors_are_reported() {
    let wrong = |words: &[&str]| run(link("utmpset").args(words));
    assert_eq!(wrong(&[]), misuse("utmpset", "missing line"));
    assert_eq!(wrong(&["-w"]), misuse("utmpset", "missing line"));
    assert_eq!(wrong(&["-x", "tty1"]), misuse("utmpset", "invalid option '-x'"));
    assert_eq!(wrong(&["tty1", "more"]), misuse("utmpset", "unexpected operand: more"));
    assert_eq!(wrong(&[""]), misuse("utmpset", "invalid line: the value is empty"));
    let long = "x".repeat(33);
    assert_eq!(wrong(&[&long]), misuse("utmpset", &format!("invalid line: {long}")));
}
