//! What a link costs: the time, page faults and system calls between its execve and the next, beside the
//! peers.
//!
//! Each row is a chain of one link, repeated, with the least possible program at its end; the least chain
//! of none is subtracted. All rows are run in turn, round after round, and medians are quoted: a shared
//! machine is noisy, and what counts is the ratio of rows of one run. `make bench` builds what it needs and
//! prints the table of README.md.
#![allow(clippy::print_stdout, reason = "it prints a table")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use nix::libc::c_long;
use nix::sys::resource::{UsageWho, getrusage};

const ROUNDS: usize = 200;

/// One row: a link, how often it stands in the chain, and what it is measured by.
struct Row {
    group: &'static str,
    who: String,
    link: Vec<String>,
    repeat: usize,
    times: Vec<Duration>,
    faults: c_long,
    calls: Option<usize>,
}

fn main() {
    let build = PathBuf::from(env::var_os("BUILD").unwrap_or_else(|| "target/catena".into()));
    let work = tempfile::tempdir().expect("a temporary directory");
    // Ours as installed: what the linker has just written lies in memory in other pieces than a file that
    // was copied.
    let ours = work.path().join("bin");
    let copied = Command::new("cp").arg("-R").arg(build.join("bin")).arg(&ours).status();
    assert!(copied.is_ok_and(|status| status.success()), "run `make` first: BUILD has no programs");
    let end = compile(work.path(), "cc", "least.S", &["-nostdlib", "-static"]).expect("needs cc");
    let c_link = compile(work.path(), "musl-gcc", "link.c", &["-Os", "-static", "-s"]);
    let directory = work.path().join("env");
    fs::create_dir(&directory).expect("a directory");
    let multicall = work.path().join("multicall");
    fs::create_dir(&multicall).expect("a directory");
    fs::copy(ours.join("catena"), multicall.join("catena")).expect("catena");
    for link in catena::LINKS {
        std::os::unix::fs::symlink("catena", multicall.join(link.name)).expect("a link");
    }
    let synced = Command::new("sync").status(); // pages that are not written yet cost more
    assert!(synced.is_ok_and(|status| status.success()), "sync");
    let mut bench = Bench { ours, multicall, directory: directory.display().to_string(), rows: Vec::new() };
    bench.add("nothing", "the least possible", 20, &end, &[]);
    bench.links(c_link.as_deref(), &work.path().join("lock").display().to_string());
    bench.chains();
    let mut rows = bench.rows;
    for row in &mut rows {
        row.calls = calls(row, &end, work.path());
    }
    let least = || Command::new(&end);
    let base_faults = faults(&mut least());
    let mut base = Vec::new();
    for _ in 0..ROUNDS {
        run(&mut least());
        base.push(run(&mut least()));
        for row in &mut rows {
            let mut chain = chain(row, &end);
            // Once for nothing: else a short chain pays for the caches that a long one before it has filled.
            run(&mut chain);
            row.times.push(run(&mut chain));
        }
    }
    for row in &mut rows {
        row.faults = faults(&mut chain(row, &end)) - base_faults;
    }
    print(rows, median(&mut base));
}

struct Bench {
    ours: PathBuf,
    multicall: PathBuf,
    directory: String,
    rows: Vec<Row>,
}

impl Bench {
    /// Adds a row, if its program is there. The first of a group is ours.
    fn add(&mut self, group: &'static str, who: &str, repeat: usize, program: &Path, words: &[&str]) {
        if program.is_file() {
            let link =
                [program.display().to_string()].into_iter().chain(words.iter().map(ToString::to_string));
            let (who, link) = (who.to_owned(), link.collect());
            self.rows.push(Row { group, who, link, repeat, times: Vec::new(), faults: 0, calls: None });
        }
    }

    /// Adds rows of one group, of programs where Debian has them.
    fn debian(&mut self, group: &'static str, repeat: usize, rows: &[(&str, &str, &[&str])]) {
        for (who, program, words) in rows {
            self.add(group, who, repeat, Path::new(program), words);
        }
    }

    /// The rows of our link `name`, and those of s6 or execline: Debian's, and static ones in the directory
    /// `S6_STATIC`.
    fn link(
        &mut self,
        group: &'static str,
        repeat: usize,
        name: &str,
        words: &[&str],
        s6: &str,
        s6_words: &[&str],
    ) {
        self.add(group, "catena", repeat, &self.ours.join(name), words);
        if name != "setlock" {
            self.add(group, "catena, fused", repeat.max(4), &self.multicall.join(name), words);
        }
        for directory in ["/usr/bin", "/usr/lib/execline/bin"].map(Path::new) {
            self.add(group, "s6 or execline", repeat, &directory.join(s6), s6_words);
        }
        if let Some(directory) = env::var_os("S6_STATIC").map(PathBuf::from) {
            self.add(group, "s6 or execline, static", repeat, &directory.join(s6), s6_words);
        }
    }

    fn links(&mut self, c_link: Option<&Path>, lock: &str) {
        let directory = self.directory.clone();
        let directory = [&*directory];
        self.link("envdir", 20, "envdir", &directory, "s6-envdir", &directory);
        self.add("envdir", "static C", 20, c_link.unwrap_or(Path::new("")), &directory);
        self.debian(
            "envdir",
            20,
            &[
                ("daemontools", "/usr/bin/envdir", &directory),
                ("chpst", "/usr/bin/chpst", &["-e", directory[0]]),
                ("env A=b, coreutils", "/usr/bin/env", &["A=b"]),
            ],
        );
        let variable = ["A", "b"];
        self.link("export", 20, "export", &variable, "export", &variable);
        let file = format!("{}.conf", self.directory);
        fs::write(&file, "A = b\n").expect("a file");
        let file = [&*file];
        self.link("envfile", 20, "envfile", &file, "envfile", &file);
        self.link("setuidgid by name", 1, "setuidgid", &["nobody"], "s6-setuidgid", &["nobody"]);
        self.debian(
            "setuidgid by name",
            1,
            &[
                ("daemontools", "/usr/bin/setuidgid", &["nobody"]),
                ("chpst", "/usr/bin/chpst", &["-u", "nobody"]),
            ],
        );
        let number = ":65534:65534";
        self.link("setuidgid by number", 1, "setuidgid", &[number], "s6-setuidgid", &[&number[1..]]);
        self.debian(
            "setuidgid by number",
            1,
            &[
                ("chpst", "/usr/bin/chpst", &["-u", number]),
                ("setpriv", "/usr/bin/setpriv", &["--reuid=65534", "--regid=65534", "--clear-groups"]),
            ],
        );
        let limit = ["-o", "1024"];
        self.link("softlimit", 20, "softlimit", &limit, "s6-softlimit", &limit);
        self.debian(
            "softlimit",
            20,
            &[("daemontools", "/usr/bin/softlimit", &limit), ("chpst", "/usr/bin/chpst", &limit)],
        );
        self.link("pgrphack", 20, "pgrphack", &[], "s6-setsid", &["-q"]);
        self.debian(
            "pgrphack",
            20,
            &[("daemontools", "/usr/bin/pgrphack", &[]), ("chpst", "/usr/bin/chpst", &["-P"])],
        );
        let several = ["-e", directory[0], "-n", "1", "-o", "1024", "-P"];
        self.link("chpst -e -n -o -P", 20, "chpst", &several, "", &[]);
        self.debian("chpst -e -n -o -P", 20, &[("chpst", "/usr/bin/chpst", &several)]);
        let more = ["-n", "1"];
        self.link("nice", 20, "nice", &more, "s6-nice", &more);
        self.debian("nice", 20, &[("chpst", "/usr/bin/chpst", &more), ("coreutils", "/usr/bin/nice", &more)]);
        let scheduling: [(&str, &[&str]); 5] = [
            ("choom", &["-n", "1000", "--"]),
            ("chrt", &["-b", "0"]),
            ("ionice", &["-c", "3"]),
            ("taskset", &["-c", "0"]),
            ("unshare", &["-u"]),
        ];
        for (name, words) in scheduling {
            self.link(name, 20, name, words, "", &[]);
            let program = format!("/usr/bin/{name}");
            self.debian(name, 20, &[("util-linux", &*program, words)]);
        }
        // Of mounts a copy, which may not be written to; and no network.
        let binds = ["--ro-bind", "/", "/", "--unshare-net"];
        self.link("landlock", 1, "landlock", &["-x", "/", "-B", "none", "-C", "none"], "", &[]);
        self.debian("landlock", 1, &[("bubblewrap", "/usr/bin/bwrap", &binds)]);
        let copy = ["-c", "9", "1"];
        self.link("fdmove", 20, "fdmove", &copy, "fdmove", &copy);
        // Once: twice in a chain a lock would wait for itself.
        self.link("setlock", 1, "setlock", &[lock], "s6-setlock", &[lock]);
        self.debian(
            "setlock",
            1,
            &[("daemontools", "/usr/bin/setlock", &[lock]), ("chpst", "/usr/bin/chpst", &["-l", lock])],
        );
        self.link("chroot", 20, "chroot", &["/"], "", &[]);
        self.debian(
            "chroot",
            20,
            &[
                ("chpst", "/usr/bin/chpst", &["-/", "/"]),
                ("coreutils", "/usr/sbin/chroot", &["/"]),
                ("busybox, static", "/bin/busybox", &["chroot", "/"]),
            ],
        );
    }

    /// Whole chains: separate, found to be ours by their file, and by name; the promised one in the order
    /// that each toolkit can run.
    fn chains(&mut self) {
        let directory = self.directory.clone();
        let four =
            ["envdir", &directory, "softlimit", "-o", "1024", "fdmove", "-c", "9", "1", "umask", "022"];
        let promised = ["envdir", &directory, "setuidgid", "nobody", "chroot", "/"];
        for (group, words) in [("a chain of four", &four[..]), ("envdir, setuidgid, chroot", &promised)] {
            for (who, bin) in [("catena", self.ours.clone()), ("catena, fused", self.multicall.clone())] {
                let ours = |word: &str| catena::LINKS.iter().any(|link| link.name == word);
                let path = |word: &str| bin.join(word).display().to_string();
                let place = |word: &&str| if ours(word) { path(word) } else { (*word).to_owned() };
                let words: Vec<String> = words.iter().map(place).collect();
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                self.add(group, who, 1, Path::new(words[0]), &words[1..]);
            }
            self.add(group, "catena, fused by name", 1, &self.ours.join("catena"), words);
        }
        self.debian(
            "envdir, setuidgid, chroot",
            1,
            &[
                ("chpst, in one exec", "/usr/bin/chpst", &["-e", &directory, "-u", "nobody", "-/", "/"]),
                (
                    "daemontools, coreutils",
                    "/usr/bin/envdir",
                    &[&directory, "/usr/sbin/chroot", "/", "/usr/bin/setuidgid", "nobody"],
                ),
                (
                    "s6, coreutils",
                    "/usr/bin/s6-envdir",
                    &[&directory, "/usr/sbin/chroot", "/", "/usr/bin/s6-setuidgid", "nobody"],
                ),
            ],
        );
        self.chpst();
    }

    /// What a run script asks of chpst, of ours, of runit's, and of the links that do the same.
    fn chpst(&mut self) {
        let (group, directory, catena) = ("chpst -u -e -o", self.directory.clone(), self.ours.join("catena"));
        let options = ["-u", "nobody", "-e", &directory, "-o", "64"];
        let links = ["envdir", &directory, "setuidgid", "nobody", "softlimit", "-o", "64"];
        self.add(group, "catena", 1, &self.ours.join("chpst"), &options);
        self.add(group, "catena, by name", 1, &catena, &[&["chpst"], &options[..]].concat());
        self.add(group, "catena, three links, fused by name", 1, &catena, &links);
        self.debian(group, 1, &[("runit", "/usr/bin/chpst", &options)]);
        if let Some(directory) = env::var_os("RUNIT_STATIC").map(PathBuf::from) {
            self.add(group, "runit, static", 1, &directory.join("chpst"), &options);
        }
    }
}

/// Compiles a source of this directory.
fn compile(work: &Path, compiler: &str, source: &str, flags: &[&str]) -> Option<PathBuf> {
    let program = work.join(source).with_extension("");
    let source = Path::new("bench").join(source);
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

/// The page faults of a command and of all that it becomes.
fn faults(command: &mut Command) -> c_long {
    let count = || getrusage(UsageWho::RUSAGE_CHILDREN).expect("getrusage").minor_page_faults();
    let before = count();
    run(command);
    count() - before
}

/// The system calls of a chain, without those of its end and without the first execve: `None` without
/// strace.
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
