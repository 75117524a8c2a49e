//! What a link costs: the time, page faults and system calls between its execve and the next, beside the peers.
//!
//! Each row is a chain of one link, repeated, with the least possible program at its end; the least chain of none is
//! subtracted. All rows are run in turn, round after round, and medians are quoted: a shared machine is noisy, and what
//! counts is the ratio of rows of one run. `make bench` builds what it needs and prints the table of README.md.
#![allow(clippy::print_stdout, reason = "it prints a table")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use nix::sys::resource::{UsageWho, getrusage};

const ROUNDS: usize = 200;

/// One row: a link, how often it stands in the chain, and what it is measured by.
struct Row {
    group: &'static str,
    who: String,
    link: Vec<String>,
    repeat: usize,
    times: Vec<Duration>,
    faults: i64,
    calls: Option<usize>,
}

fn main() {
    let build = PathBuf::from(env::var_os("BUILD").unwrap_or_else(|| "target/catena".into()));
    let build = build.canonicalize().expect("run `make` first: BUILD has no programs");
    let work = tempfile::tempdir().expect("a temporary folder");
    let end = compile(work.path(), "bench/least.S", "least", &["-nostdlib", "-static"]).expect("needs cc");
    let c_link = compile(work.path(), "bench/link.c", "link", &["-Os", "-static", "-s"]);
    fs::create_dir(work.path().join("env")).expect("a folder");
    fs::create_dir(work.path().join("multicall")).expect("a folder");
    let multicall = work.path().join("multicall");
    fs::copy(build.join("bin/catena"), multicall.join("catena")).expect("catena");
    for link in &catena::LINKS {
        std::os::unix::fs::symlink("catena", multicall.join(link.name)).expect("a link");
    }
    let mut rows = rows(&build.join("bin"), &multicall, &end, c_link.as_deref(), work.path());
    for row in &mut rows {
        row.calls = calls(row, &end, work.path());
    }
    let mut base = Vec::new();
    let base_faults = faults(|| drop(run(&mut Command::new(&end))));
    for _ in 0..ROUNDS {
        base.push(run(&mut Command::new(&end)));
        for row in &mut rows {
            let mut chain = chain(row, &end);
            row.times.push(run(&mut chain));
        }
    }
    for row in &mut rows {
        let mut chain = chain(row, &end);
        row.faults = faults(|| drop(run(&mut chain))) - base_faults;
    }
    print(rows, median(&mut base));
}

/// The rows that this machine can run, by group; the first of a group is ours.
fn rows(ours: &Path, multicall: &Path, end: &Path, c_link: Option<&Path>, work: &Path) -> Vec<Row> {
    let folder = work.join("env").display().to_string();
    let lock = work.join("lock").display().to_string();
    let debian = |name: &str| PathBuf::from("/usr/bin").join(name);
    let s6_static = env::var_os("S6_STATIC").map(PathBuf::from); // a folder of static s6 and execline programs
    let mut rows = Vec::new();
    let mut add = |group: &'static str, who: &str, repeat: usize, program: &Path, words: &[&str]| {
        if program.exists() {
            let link =
                [program.display().to_string()].into_iter().chain(words.iter().map(ToString::to_string));
            let (who, link) = (who.to_owned(), link.collect());
            rows.push(Row { group, who, link, repeat, times: Vec::new(), faults: 0, calls: None });
        }
    };
    add("nothing", "the least possible", 20, end, &[]);
    let all: [(&str, &[&str], usize); 7] = [
        ("envdir", &[&folder], 20),
        ("setuidgid", &["nobody"], 1),
        ("setuidgid", &[":65534:65534"], 1),
        ("softlimit", &["-o", "1024"], 20),
        ("fdmove", &["-c", "9", "1"], 20),
        ("setlock", &[&lock], 1), // twice in a chain it would wait for itself
        ("chroot", &["/"], 20),
    ];
    for (name, words, repeat) in all {
        let group = match (name, words) {
            ("setuidgid", [":65534:65534"]) => "setuidgid by number",
            ("setuidgid", _) => "setuidgid by name",
            _ => name,
        };
        add(group, "catena", repeat, &ours.join(name), words);
        if name != "setlock" {
            add(group, "catena, fused", repeat.max(4), &multicall.join(name), words);
        }
        let daemontools = ["envdir", "setuidgid", "softlimit", "setlock"].contains(&name);
        if daemontools && !group.ends_with("number") {
            add(group, "daemontools", repeat, &debian(name), words);
        }
        let chpst: &[&str] = match group {
            "envdir" => &["-e", &folder],
            "setuidgid by name" => &["-u", "nobody"],
            "setuidgid by number" => &["-u", ":65534:65534"],
            "softlimit" => &["-o", "1024"],
            "setlock" => &["-l", &lock],
            "chroot" => &["-/", "/"],
            _ => &[],
        };
        if !chpst.is_empty() {
            add(group, "chpst", repeat, &debian("chpst"), chpst);
        }
        let (s6, s6_words): (&str, &[&str]) = match group {
            "setuidgid by number" => ("s6-setuidgid", &["65534:65534"]),
            "fdmove" => ("fdmove", words),
            "chroot" => ("", &[]),
            "envdir" => ("s6-envdir", words),
            "softlimit" => ("s6-softlimit", words),
            "setlock" => ("s6-setlock", words),
            _ => ("s6-setuidgid", words),
        };
        if !s6.is_empty() {
            add(group, "s6 or execline", repeat, &debian(s6), s6_words);
            add(group, "s6 or execline", repeat, &Path::new("/usr/lib/execline/bin").join(s6), s6_words);
            if let Some(folder) = &s6_static {
                add(group, "s6 or execline, static", repeat, &folder.join(s6), s6_words);
            }
        }
        match group {
            "envdir" => {
                add(group, "static C", repeat, c_link.unwrap_or(Path::new("")), words);
                add(group, "env (coreutils) A=b", repeat, &debian("env"), &["A=b"]);
            }
            "setuidgid by number" => {
                let words = ["--reuid=65534", "--regid=65534", "--clear-groups"];
                add(group, "setpriv", repeat, &debian("setpriv"), &words);
            }
            "chroot" => {
                add(group, "coreutils", repeat, Path::new("/usr/sbin/chroot"), words);
                add(group, "busybox, static", repeat, Path::new("/bin/busybox"), &["chroot", "/"]);
            }
            _ => {}
        }
    }
    // The promised chain, each in the order that the toolkit can run.
    let group = "envdir, setuidgid, chroot";
    let path = |folder: &Path, name: &str| folder.join(name).display().to_string();
    for (who, folder) in [("catena", ours), ("catena, fused", multicall)] {
        let words = [&folder_of(work), &path(folder, "setuidgid"), "nobody", &path(folder, "chroot"), "/"];
        add(group, who, 1, &folder.join("envdir"), &words);
    }
    let e = folder_of(work);
    add(group, "chpst, in one exec", 1, &debian("chpst"), &["-e", &e, "-u", "nobody", "-/", "/"]);
    let words = [&*e, "/usr/sbin/chroot", "/", "/usr/bin/setuidgid", "nobody"];
    add(group, "daemontools, coreutils", 1, &debian("envdir"), &words);
    let words = [&*e, "/usr/sbin/chroot", "/", "/usr/bin/s6-setuidgid", "nobody"];
    add(group, "s6, coreutils", 1, &debian("s6-envdir"), &words);
    rows
}

fn folder_of(work: &Path) -> String {
    work.join("env").display().to_string()
}

/// Compiles a source of this folder, with musl-gcc where that is there and is needed.
fn compile(work: &Path, source: &str, name: &str, flags: &[&str]) -> Option<PathBuf> {
    let program = work.join(name);
    let compiler = if source.ends_with(".c") { "musl-gcc" } else { "cc" };
    let status = Command::new(compiler).args(flags).arg("-o").arg(&program).arg(source).status().ok()?;
    status.success().then_some(program)
}

fn chain(row: &Row, end: &Path) -> Command {
    let mut words = (0..row.repeat).flat_map(|_| &row.link);
    let mut command = Command::new(words.next().expect("a link has words"));
    command.args(words).arg(end);
    command
}

fn run(command: &mut Command) -> Duration {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stderr(Stdio::null()).status().expect("a program that runs");
    assert!(status.success(), "{command:?}: {status}");
    start.elapsed()
}

fn faults(work: impl FnOnce()) -> i64 {
    let count = || getrusage(UsageWho::RUSAGE_CHILDREN).expect("getrusage").minor_page_faults();
    let before = count();
    work();
    count() - before
}

/// The system calls of a chain, without those of its end and without the first execve: `None` without strace.
fn calls(row: &Row, end: &Path, work: &Path) -> Option<usize> {
    let count = |command: &Command| {
        let log = work.join("strace");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o"]).arg(&log).arg(command.get_program()).args(command.get_args());
        strace.stderr(Stdio::null()).status().ok().filter(std::process::ExitStatus::success)?;
        Some(fs::read_to_string(&log).ok()?.lines().count())
    };
    Some(count(&chain(row, end))? - count(&Command::new(end))?)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn print(rows: Vec<Row>, base: Duration) {
    println!("| link | by | µs | ratio to ours | to the least | system calls | page faults | kB |");
    println!("|---|---|---|---|---|---|---|---|");
    let (mut least, mut ours, mut group) = (0.0, 0.0, "");
    for mut row in rows {
        #[allow(clippy::cast_precision_loss, reason = "small counts")]
        let each = |count: f64| count / row.repeat as f64;
        let micros = each((median(&mut row.times).saturating_sub(base)).as_secs_f64() * 1e6);
        if row.group != group {
            (ours, group) = (micros, row.group);
        }
        if row.group == "nothing" {
            least = micros;
        }
        #[allow(clippy::cast_precision_loss, reason = "small counts")]
        let (faults, size) = (
            each(row.faults as f64),
            fs::metadata(&row.link[0]).map_or(0.0, |file| file.len() as f64 / 1000.0),
        );
        #[allow(clippy::cast_precision_loss, reason = "small counts")]
        let calls = row.calls.map_or_else(|| "-".into(), |calls| format!("{:.1}", each(calls as f64)));
        println!(
            "| {} | {} | {micros:.1} | {:.2} | {:.2} | {calls} | {faults:.1} | {size:.0} |",
            row.group,
            row.who,
            micros / ours,
            micros / least,
        );
    }
}
