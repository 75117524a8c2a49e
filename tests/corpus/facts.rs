//! What is left in a sandbox, as lines in which times and pids have no value.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::{Facts, SCENARIOS};

/// The places where scripts leave something.
const PLACES: &[&str] = &["etc/sv", "run", "var", "tmp", "home", "out", "state", "etc/dnscache"];

/// All facts; `messages` is what was sent to the system's log.
pub(super) fn of(root: &Path, messages: &[String]) -> Facts {
    let mut facts = Facts::new();
    for place in PLACES {
        walk(root, place, &mut facts);
    }
    // <29>Nov 28 21:44:27 name: text
    let timeless = |line: &String| match line.split_once('>') {
        Some((priority, rest)) => format!("{priority}> {}", rest.get(16..).unwrap_or(rest)),
        None => line.clone(),
    };
    facts.insert("messages".to_owned(), messages.iter().map(timeless).collect());
    facts
}

/// The transcripts of scenarios that did not reach their end, and what the supervisors said.
pub(super) fn incomplete(root: &Path) -> String {
    let read = |name: &str| {
        String::from_utf8_lossy(&fs::read(root.join("out").join(name)).unwrap_or_default()).into_owned()
    };
    let mut all = String::new();
    for (name, _) in SCENARIOS {
        let transcript = read(name);
        if !transcript.ends_with("complete\n") {
            let supervisor = read(&format!("{name}.supervisor"));
            all.extend(["\n== ", name, "\n", &transcript, "-- its supervisor:\n", &supervisor]);
        }
    }
    all
}

/// A line in the section `files` for each file, and its content in a section of its own.
fn walk(root: &Path, directory: &str, facts: &mut Facts) {
    let mut names: Vec<String> = fs::read_dir(root.join(directory))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    for name in names {
        let path = format!("{directory}/{name}");
        let data = fs::symlink_metadata(root.join(&path)).unwrap();
        let kind = data.file_type();
        let letter = match kind {
            kind if kind.is_dir() => "directory",
            kind if kind.is_symlink() => "link",
            kind if kind.is_fifo() => "fifo",
            kind if kind.is_socket() => "socket",
            _ => "file",
        };
        let line =
            format!("{} {letter} {:o} {}:{}", normal(&path), data.mode() & 0o7777, data.uid(), data.gid());
        facts.entry("files".to_owned()).or_default().push(line);
        if kind.is_dir() && name != "supervise" {
            walk(root, &path, facts);
        } else if kind.is_file() {
            let content = fs::read(root.join(&path)).unwrap();
            let lines = match &*path {
                "run/utmp" => records(&content),
                "var/log/wtmp" => sorted(records(&content)),
                _ if directory == "state" => state(&String::from_utf8_lossy(&content)),
                _ => String::from_utf8_lossy(&content).lines().map(normal).collect(),
            };
            facts.insert(normal(&path), lines);
        } else if kind.is_symlink() {
            let target = fs::read_link(root.join(&path)).unwrap();
            facts.insert(normal(&path), vec![target.display().to_string()]);
        }
    }
}

/// The state of a daemon: the words of its command line with their places, the environment in the order of names.
fn state(text: &str) -> Vec<String> {
    // What is another in each sandbox: its namespaces, and the inodes of directories.
    let same =
        |line: &&str| !["namespace ", "directory ", "root "].iter().any(|start| line.starts_with(start));
    let (mut env, mut lines) = (Vec::new(), Vec::new());
    let mut word = 0;
    for line in text.lines().filter(same) {
        if line.starts_with("env ") {
            env.push(line.to_owned());
        } else if let Some(rest) = line.strip_prefix("argv ") {
            lines.push(format!("word {word} {rest}"));
            word += 1;
        } else if let Some(mask) = line.strip_prefix("SigIgn ") {
            // The first two real-time signals are glibc's own, and are ignored in what a test starts.
            let mask = u64::from_str_radix(mask, 16).unwrap() & !(3 << 31);
            lines.push(format!("SigIgn {mask:016x}"));
        } else {
            lines.push(normal(line));
        }
    }
    lines.extend(sorted(env));
    lines
}

/// The text with TAI64N stamps, dates, pids and numbers of seconds without their values.
fn normal(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, word) = stamp(rest).unwrap_or((first.len_utf8(), &rest[..first.len_utf8()]));
        out.push_str(word);
        rest = &rest[length..];
    }
    out
}

/// The length of what stands at the beginning, and what it becomes.
fn stamp(text: &str) -> Option<(usize, &'static str)> {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if bytes[0] == b'@' && bytes.len() >= 25 && bytes[1..25].iter().all(u8::is_ascii_hexdigit) {
        return Some((25, "@STAMP"));
    }
    let shape = |at: usize, form: &str| {
        bytes.len() >= at + form.len()
            && form.bytes().zip(&bytes[at..]).all(|(form, byte)| match form {
                b'0' => byte.is_ascii_digit(),
                b' ' => matches!(byte, b' ' | b'_' | b'T'),
                _ => form == *byte,
            })
    };
    if shape(0, "0000-00-00 00:00:00") {
        let fraction = if bytes.get(19) == Some(&b'.') { 1 + digits(20) } else { 0 };
        return Some((19 + fraction, "TIME"));
    }
    // A number with what is in front of it and behind, in status lines of sv and svstat.
    for (before, after, word) in [
        ("(pid ", "", "(pid PID"),
        (": ", "s", ": TIME"),
        (") ", "s", ") TIME"),
        (") ", " seconds", ") TIME"),
        ("down ", " seconds", "down TIME"),
    ] {
        let count = text.strip_prefix(before).map_or(0, |_| digits(before.len()));
        let end = before.len() + count;
        if count > 0 && text[end..].starts_with(after) {
            return Some((end + after.len(), word));
        }
    }
    None
}

/// The length of a record of utmp, that of glibc on Linux.
const RECORD: usize = 384;

/// The records of logins before anything runs: alice on two terminals and on one that nobody touches.
pub(super) fn utmp() -> Vec<u8> {
    let mut file = Vec::new();
    for (line, id) in [("tty1", "1"), ("tty5", "5"), ("tty9", "9")] {
        let mut record = [0; RECORD];
        record[0] = 7; // USER_PROCESS
        record[4..8].copy_from_slice(&4242_u32.to_ne_bytes());
        for (place, text) in [(8, line), (40, id), (44, "alice"), (76, "host.example.org")] {
            record[place..place + text.len()].copy_from_slice(text.as_bytes());
        }
        record[340..344].copy_from_slice(&1_000_000_000_u32.to_ne_bytes());
        file.extend(record);
    }
    file
}

/// Where several services write, they do so in any order.
fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort_unstable();
    lines
}

/// The records of a file; a time is that of before, none, or another.
fn records(content: &[u8]) -> Vec<String> {
    let mut lines = vec![format!("{} bytes", content.len())];
    for record in content.chunks(RECORD) {
        let number = |at: usize| u32::from_ne_bytes(record[at..at + 4].try_into().unwrap());
        let text = |at: usize, length: usize| record[at..at + length].escape_ascii().to_string();
        let time = match number(340) {
            0 => "none",
            1_000_000_000 => "as before",
            _ => "set",
        };
        lines.push(format!(
            "type {} pid {} line {} id {} user {} host {} exit {:x} session {} time {time} rest {}",
            number(0),
            number(4),
            text(8, 32),
            text(40, 4),
            text(44, 32),
            text(76, 16),
            number(332),
            number(336),
            text(348, 36),
        ));
    }
    lines
}
