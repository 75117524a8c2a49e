//! What a logger costs, beside its peers: the time for many lines from a file and through a pipe, system calls,
//! memory, and what a `kill -9` loses or doubles.
//!
//! All write to a new directory in `/dev/shm`, rotate at 16 MB and keep every archive. What is timed is done in
//! turn, round after round, and medians are quoted: a shared machine is noisy, and what counts is the ratio of
//! figures of one run. `make bench` builds what it needs and prints the table of README.md. `LINES` and `KILLS`
//! are how many, else 2,000,000 and 200.
#![allow(clippy::print_stdout, reason = "it prints a table")]

mod support;

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use support::{Guard, Table, is_call, lines, parted, proc_number, spent, strace};

const ROUNDS: usize = 5;
/// The bytes of a line, of a time stamp in front of it, and of an archive.
const LINE: usize = 96;
const STAMP: usize = 26;
const ARCHIVE: u32 = 16_000_000;
/// What a writer of large pieces writes at a time.
const PIECE: usize = 64 << 10;
/// Lines for a count of system calls, and lines that come one at a time.
const COUNTED: u32 = 100_000;
const ALONE: u32 = 500;
/// The longest life of a logger that is killed, and the size of its archives.
const LIFE: Duration = Duration::from_millis(30);
const SMALL: u32 = 500_000;
/// What stands behind the number in a line that is looked for after the kills.
const TEXT: &[u8] = b" some text of a line that is written as fast as can be";

fn main() {
    #[allow(clippy::disallowed_methods, reason = "a benchmark is no link")]
    let words: Vec<String> = env::args().collect();
    if words.get(1).is_some_and(|word| word == "write") {
        let number = |at: usize| words[at].parse::<u32>().expect("a number");
        let to = io::stdout().as_fd().try_clone_to_owned().expect("a descriptor");
        write(&mut File::from(to), number(2) as usize, number(3));
        return;
    }
    let work = tempfile::tempdir_in("/dev/shm").expect("a directory in /dev/shm");
    let _guard = Guard::new([work.path().to_owned()]);
    let mut bench = Bench::new(work.path());
    bench.table.sizes("size, kB", bench.peers.iter().map(|peer| peer.program.clone()));
    bench.times();
    bench.calls();
    bench.alone();
    bench.memory();
    bench.kills();
    bench.table.print();
}

// The programs.

/// How a logger is configured.
#[derive(Clone, Copy)]
enum Kind {
    Svlogd,
    S6,
    Multilog,
}

/// A column of the table.
struct Peer {
    kind: Kind,
    program: PathBuf,
}

impl Peer {
    /// A logger to a directory, which is made.
    fn command(&self, directory: &Path, stamps: bool, size: u32, trace: Option<&Path>) -> Command {
        fs::create_dir(directory).expect("a new directory");
        self.again(directory, stamps, size, trace)
    }

    /// A logger to a directory that is there.
    fn again(&self, directory: &Path, stamps: bool, size: u32, trace: Option<&Path>) -> Command {
        let mut command = trace.map_or_else(|| Command::new(&self.program), |log| strace(&self.program, log));
        match self.kind {
            Kind::Svlogd => {
                fs::write(directory.join("config"), format!("s{size}\nn0\n")).expect("a config");
                command.args(stamps.then_some("-t"))
            }
            Kind::S6 | Kind::Multilog => {
                command.args(stamps.then_some("t")).arg("n100000").arg(format!("s{size}"))
            }
        };
        command.arg(directory).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

/// What a logger reads from.
#[derive(Clone, Copy, PartialEq)]
enum Feed {
    File,
    /// A pipe, and how many bytes are written to it at a time.
    Pipe(usize),
}

const FEEDS: [(Feed, &str); 3] = [
    (Feed::File, "from a file"),
    (Feed::Pipe(PIECE), "pipe, 64 KiB a write"),
    (Feed::Pipe(LINE), "pipe, a line a write"),
];

struct Bench {
    work: PathBuf,
    lines: u32,
    peers: Vec<Peer>,
    table: Table,
}

impl Bench {
    fn new(work: &Path) -> Self {
        let named = |variable: &str| env::var_os(variable).map(PathBuf::from);
        let ours = named("BUILD").unwrap_or_else(|| "target/catena".into()).join("bin");
        let peers = [
            ("svlog", Kind::Svlogd, "svlog", Some(ours.clone())),
            ("svlog as multilog", Kind::Multilog, "svlog", Some(ours)),
            ("svlogd, static", Kind::Svlogd, "svlogd", named("RUNIT_STATIC")),
            ("svlogd", Kind::Svlogd, "svlogd", in_path("svlogd")),
            ("s6-log, static", Kind::S6, "s6-log", named("S6_STATIC")),
            ("s6-log", Kind::S6, "s6-log", in_path("s6-log")),
            ("multilog", Kind::Multilog, "multilog", in_path("multilog")),
        ];
        let (mut names, mut found, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (name, kind, file, directory)) in peers.into_iter().enumerate() {
            // What the linker has just written lies in memory in other pieces than a file that was copied.
            let called = if let Kind::Multilog = kind { "multilog" } else { file };
            let program = work.join(format!("{at}-{called}"));
            if directory.is_some_and(|directory| fs::copy(directory.join(file), &program).is_ok()) {
                names.push(name);
                found.push(Peer { kind, program });
            } else {
                missing.push(name);
            }
        }
        assert!(names.first() == Some(&"svlog"), "run `make` first: no svlog in BUILD");
        if !missing.is_empty() {
            println!("Left out, not being there: {}.\n", missing.join("; "));
        }
        let lines = amount("LINES", 2_000_000);
        write(&mut File::create(work.join("input")).expect("a file"), PIECE, lines);
        Self { work: work.to_owned(), lines, peers: found, table: Table::new(names) }
    }

    fn directory(&self) -> PathBuf {
        self.work.join("log")
    }

    /// Starts to write `count` lines. Returns its input, and the process that writes it, if there is one.
    fn feed(&self, feed: Feed, count: u32) -> (Stdio, Option<Child>) {
        let Feed::Pipe(piece) = feed else {
            return (File::open(self.work.join("input")).expect("the input").into(), None);
        };
        let (reader, writer) = pipe();
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.args(["write", &piece.to_string(), &count.to_string()]).stdout(writer);
        (reader.into(), Some(command.spawn().expect("a writer")))
    }

    /// Waits for a writer and then for the logger, which must have written all. Returns the seconds of processor
    /// time of the logger.
    fn finish(&self, writer: Option<Child>, mut logger: Child, expected: usize) -> f64 {
        if let Some(mut writer) = writer {
            assert!(writer.wait().is_ok_and(|status| status.success()), "the writer");
        }
        let before = spent();
        assert!(logger.wait().is_ok_and(|status| status.success()), "a logger");
        let spent = spent() - before;
        let size = |file: &PathBuf| fs::metadata(file).expect("a file").len();
        let sum: u64 = logs(&self.directory()).iter().map(size).sum();
        assert_eq!(usize::try_from(sum), Ok(expected), "a logger has lost something");
        fs::remove_dir_all(self.directory()).expect("the directory");
        spent
    }
}

// The figures.

impl Bench {
    fn times(&mut self) {
        let rows: Vec<_> = FEEDS.iter().flat_map(|feed| [(feed, false), (feed, true)]).collect();
        let mut figures: Vec<_> = rows.iter().map(|_| [self.table.empty(), self.table.empty()]).collect();
        for _ in 0..ROUNDS {
            for (((feed, _), stamps), [wall, cpu]) in rows.iter().zip(&mut figures) {
                for (at, peer) in self.peers.iter().enumerate() {
                    let mut command = peer.command(&self.directory(), *stamps, ARCHIVE, None);
                    let start = Instant::now();
                    let (stdin, writer) = self.feed(*feed, self.lines);
                    let logger = command.stdin(stdin).spawn().expect("a logger");
                    drop(command); // it holds an end of the pipe
                    cpu[at].push(self.finish(writer, logger, length(self.lines, *stamps)));
                    wall[at].push(start.elapsed().as_secs_f64());
                }
            }
        }
        for (((_, what), stamps), [wall, cpu]) in rows.into_iter().zip(figures) {
            let with = if stamps { ", stamps" } else { "" };
            self.table.medians(format_args!("{what}{with}: s"), 2, wall);
            self.table.medians(format_args!("{what}{with}: CPU s"), 2, cpu);
        }
    }

    /// System calls, all of the program's, from its start to its end.
    fn calls(&mut self) {
        let log = self.work.join("strace");
        for (feed, what) in &FEEDS[1..] {
            let count = |peer: &Peer| {
                let mut command = peer.command(&self.directory(), true, ARCHIVE, Some(&log));
                let (stdin, writer) = self.feed(*feed, COUNTED);
                let logger = command.stdin(stdin).spawn().expect("strace");
                drop(command);
                self.finish(writer, logger, length(COUNTED, true));
                Some(traced(&log) / f64::from(COUNTED) * 1000.0)
            };
            let calls = self.peers.iter().map(count).collect();
            self.table.row(format_args!("{what}: system calls for 1000 lines"), 1, calls);
        }
    }

    /// What a line costs that comes alone, without the start and the end of the program.
    fn alone(&mut self) {
        let log = self.work.join("strace");
        let run = |peer: &Peer, count: u32, trace: Option<&Path>| {
            let mut command = peer.command(&self.directory(), true, ARCHIVE, trace);
            let (reader, mut writer) = pipe();
            let logger = command.stdin(reader).spawn().expect("a logger");
            drop(command);
            for _ in 0..count {
                write(&mut writer, LINE, 1);
                thread::sleep(Duration::from_millis(2));
            }
            drop(writer);
            self.finish(None, logger, length(count, true))
        };
        let each = |much: f64, little: f64| (much - little) / f64::from(ALONE);
        let mut times = self.table.empty();
        for _ in 0..ROUNDS {
            for (peer, times) in self.peers.iter().zip(&mut times) {
                times.push(each(run(peer, ALONE, None), run(peer, 0, None)) * 1e6);
            }
        }
        let count = |peer: &Peer, count| {
            run(peer, count, Some(&log));
            traced(&log)
        };
        let calls = self.peers.iter().map(|peer| Some(each(count(peer, ALONE), count(peer, 0)))).collect();
        self.table.medians("a line that comes alone: CPU µs", 1, times);
        self.table.row("a line that comes alone: system calls", 1, calls);
    }

    /// Memory while lines keep coming, and a second after the last.
    fn memory(&mut self) {
        const LABELS: [(&str, &str); 2] = [("status", "VmRSS:"), ("smaps_rollup", "Private_Dirty:")];
        let mut figures = [(); 4].map(|()| self.table.empty());
        for (at, peer) in self.peers.iter().enumerate() {
            let mut look = |logger: &Child, from: usize| {
                for ((file, label), figures) in LABELS.into_iter().zip(&mut figures[from..]) {
                    figures[at].extend(proc_number(logger.id(), file, label).map(f64::from));
                }
            };
            let mut command = peer.command(&self.directory(), true, ARCHIVE, None);
            let (stdin, writer) = self.feed(Feed::Pipe(PIECE), self.lines);
            let logger = command.stdin(stdin).spawn().expect("a logger");
            drop(command);
            let mut writer = writer.expect("a writer");
            while let Ok(None) = writer.try_wait() {
                look(&logger, 0);
                thread::sleep(Duration::from_millis(10));
            }
            self.finish(None, logger, length(self.lines, true));
            let mut command = peer.command(&self.directory(), true, ARCHIVE, None);
            let (reader, mut writer) = pipe();
            let logger = command.stdin(reader).spawn().expect("a logger");
            drop(command);
            write(&mut writer, LINE, 1000);
            thread::sleep(Duration::from_secs(1));
            look(&logger, 2);
            drop(writer);
            self.finish(None, logger, length(1000, true));
        }
        let rows =
            ["Rss at work, kB", "Private_Dirty at work, kB", "Rss waiting, kB", "Private_Dirty waiting, kB"];
        for (what, figures) in rows.into_iter().zip(figures) {
            self.table.medians(what, 0, figures);
        }
    }

    /// What is in the files after a logger was killed at any time, again and again, while its pipe was held.
    fn kills(&mut self) {
        let kills = amount("KILLS", 200);
        let found: Vec<Found> = self.peers.iter().map(|peer| self.killed(peer, kills)).collect();
        let counts = found.iter().map(|found| [found.lost, found.doubled, found.torn]);
        for (at, what) in ["lost", "doubled", "torn"].into_iter().enumerate() {
            let figures = counts.clone().map(|counts| Some(counts[at].into())).collect();
            self.table.row(format_args!("{kills} kills: lines {what}"), 0, figures);
        }
        let millions = found.iter().map(|found| Some(f64::from(found.written) / 1e6)).collect();
        self.table.row("lines written meanwhile, millions", 1, millions);
    }

    fn killed(&self, peer: &Peer, kills: u32) -> Found {
        let directory = self.directory();
        fs::create_dir(&directory).expect("a new directory");
        let (reader, mut writer) = pipe();
        let start = |reader: &OwnedFd| {
            let stdin = reader.try_clone().expect("a descriptor");
            peer.again(&directory, true, SMALL, None).stdin(stdin).spawn().expect("a logger")
        };
        let enough = AtomicBool::new(false);
        let (mut chance, mut pieces) = (Chance(1), Chance(2));
        let (written, mut last) = thread::scope(|scope| {
            let numbered = scope.spawn(|| {
                let (mut next, mut text) = (0, Vec::new());
                while !enough.load(Ordering::Relaxed) {
                    text.clear();
                    for _ in 0..[1, 1, 3, 20, 100][pieces.next() as usize % 5] {
                        write!(text, "{next}").expect("room");
                        text.extend_from_slice(TEXT);
                        text.push(b'\n');
                        next += 1;
                    }
                    writer.write_all(&text).expect("a pipe that is held");
                }
                drop(writer);
                next
            });
            for _ in 0..kills {
                let mut logger = start(&reader);
                thread::sleep(LIFE * (chance.next() % 1000) / 1000);
                logger.kill().and_then(|()| logger.wait()).expect("a logger");
            }
            enough.store(true, Ordering::Relaxed);
            let last = start(&reader);
            (numbered.join().expect("a writer"), last)
        });
        drop(reader);
        assert!(last.wait().is_ok_and(|status| status.success()), "the last logger");
        let found = Found::new(written, &logs(&directory));
        fs::remove_dir_all(directory).expect("the directory");
        found
    }
}

/// What became of numbered lines.
struct Found {
    written: u32,
    lost: u32,
    doubled: u32,
    /// Lines that nobody has written so.
    torn: u32,
}

impl Found {
    fn new(written: u32, files: &[PathBuf]) -> Self {
        let (mut times, mut torn) = (vec![0_u32; written as usize], 0);
        for file in files {
            for line in fs::read(file).expect("a file").split(|byte| *byte == b'\n') {
                let number = line.get(STAMP..).and_then(|rest| rest.strip_suffix(TEXT));
                let number = number.and_then(|text| std::str::from_utf8(text).ok()?.parse::<usize>().ok());
                match number.and_then(|number| times.get_mut(number)) {
                    Some(times) => *times += 1,
                    None => torn += u32::from(!line.is_empty()),
                }
            }
        }
        let lost = times.iter().map(|times| u32::from(*times == 0)).sum();
        let doubled = times.iter().map(|times| times.saturating_sub(1)).sum();
        Self { written, lost, doubled, torn }
    }
}

// Small tools.

/// Numbers by chance, the same in each run.
struct Chance(u32);

impl Chance {
    fn next(&mut self) -> u32 {
        for (left, by) in [(true, 13), (false, 17), (true, 5)] {
            self.0 ^= if left { self.0 << by } else { self.0 >> by };
        }
        self.0
    }
}

/// A pipe that no child inherits.
fn pipe() -> (OwnedFd, File) {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).expect("a pipe");
    (reader, writer.into())
}

/// Writes lines, `piece` bytes at a time.
fn write(to: &mut impl Write, piece: usize, count: u32) {
    // As many lines as are a number of large pieces.
    let line = |i| {
        format!(
            "{i:.<0$}
",
            LINE - 1
        )
        .into_bytes()
    };
    let many: Vec<u8> = (0..PIECE / 32).flat_map(line).collect();
    let mut left = length(count, false);
    for bytes in many.chunks(piece).cycle() {
        if left == 0 {
            return;
        }
        let bytes = &bytes[..bytes.len().min(left)];
        to.write_all(bytes).expect("a reader");
        left -= bytes.len();
    }
}

/// The bytes of `count` lines in the log.
fn length(count: u32, stamps: bool) -> usize {
    count as usize * (LINE + if stamps { STAMP } else { 0 })
}

/// The files of a log in the order of their making.
fn logs(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the directory").flatten();
    let is_archive = |name: &str| name.starts_with('@');
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| is_archive(name) || name == "current");
    names.sort_unstable();
    names.into_iter().map(|name| directory.join(name)).collect()
}

/// The system calls in strace's log.
fn traced(log: &Path) -> f64 {
    let calls = lines(log).iter().filter(|line| is_call(parted(line).1)).count();
    f64::from(u32::try_from(calls).expect("fewer"))
}

/// The directory of PATH that has a program.
fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).find(|directory| directory.join(program).is_file())
}

fn amount(variable: &str, otherwise: u32) -> u32 {
    env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}
