//! What the benchmarks of programs that live on have in common: the table, strace's log, and that nothing is
//! left behind.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::prctl::set_child_subreaper;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::time::TimeValLike;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

// The table.

/// A column for each program, the first of them ours, and a row for each figure.
pub(crate) struct Table {
    names: Vec<&'static str>,
    rows: Vec<Row>,
}

/// A line of the table: a figure for each program that has one.
struct Row {
    what: String,
    decimals: usize,
    figures: Vec<Option<f64>>,
}

impl Table {
    pub(crate) fn new(names: Vec<&'static str>) -> Self {
        Self { names, rows: Vec::new() }
    }

    /// An empty list for each program.
    pub(crate) fn empty<T>(&self) -> Vec<Vec<T>> {
        self.names.iter().map(|_| Vec::new()).collect()
    }

    pub(crate) fn row(&mut self, what: impl Display, decimals: usize, figures: Vec<Option<f64>>) {
        self.rows.push(Row { what: what.to_string(), decimals, figures });
    }

    /// A row of medians of what was collected for each program.
    pub(crate) fn medians(&mut self, what: impl Display, decimals: usize, collected: Vec<Vec<f64>>) {
        self.row(what, decimals, collected.into_iter().map(median).collect());
    }

    /// A row of the sizes of files, in kB.
    pub(crate) fn sizes(&mut self, what: impl Display, files: impl Iterator<Item = PathBuf>) {
        let size = |file: PathBuf| Some(fs::metadata(file).ok()?.len());
        let kilo = |bytes: u64| f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1000.0;
        let sizes = files.map(|file| size(file).map(kilo)).collect();
        self.row(what, 0, sizes);
    }

    /// Prints it. In brackets: the ratio to ours.
    pub(crate) fn print(self) {
        println!("| | {} |\n|---|{}", self.names.join(" | "), "---|".repeat(self.names.len()));
        for Row { what, decimals, figures } in self.rows {
            let ours = figures[0].filter(|ours| *ours > 0.0);
            let cell = |(at, figure): (usize, &Option<f64>)| match (figure, ours) {
                (None, _) => "-".into(),
                (Some(figure), Some(ours)) if at > 0 => {
                    let ratio = figure / ours;
                    let digits = if ratio < 10.0 { 2 } else { 0 };
                    format!("{figure:.decimals$} ({ratio:.digits$})")
                }
                (Some(figure), _) => format!("{figure:.decimals$}"),
            };
            let cells: Vec<String> = figures.iter().enumerate().map(cell).collect();
            println!("| {what} | {} |", cells.join(" | "));
        }
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The number that follows a label in a file of /proc.
pub(crate) fn proc_number(pid: u32, file: &str, label: &str) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The seconds of processor time of all children that have been waited for.
pub(crate) fn spent() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("getrusage");
    let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
    Duration::from_micros(microseconds.unsigned_abs()).as_secs_f64()
}

// strace.

/// A command that runs a program under strace, which writes to `log`.
pub(crate) fn strace(program: &Path, log: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-s", "0", "-o"]).arg(log).arg(program);
    strace
}

/// The lines of strace's log. The last may be a call that still waits.
pub(crate) fn lines(log: &Path) -> Vec<String> {
    let text = fs::read_to_string(log).expect("strace's log: is there strace?");
    text.lines().map(ToOwned::to_owned).collect()
}

/// The pid of a line of strace's log, and the rest.
pub(crate) fn parted(line: &str) -> (&str, &str) {
    let (pid, rest) = line.split_once(' ').unwrap_or((line, ""));
    (pid, rest.trim_start())
}

/// Whether a line tells of a system call that begins, and not of a signal, an end or the rest of a call.
pub(crate) fn is_call(rest: &str) -> bool {
    !rest.starts_with(['<', '+', '-'])
}

// Nothing is left behind, also after a failure or a signal.

/// Ends what was started when it goes, and when a signal ends this program.
pub(crate) struct Guard;

impl Guard {
    /// Makes this program the parent of whatever loses its own.
    pub(crate) fn new<const N: usize>(directories: [PathBuf; N]) -> Self {
        set_child_subreaper(true).expect("a subreaper");
        let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
        signals.thread_block().expect("a mask");
        #[allow(clippy::disallowed_methods, reason = "a benchmark is no link")]
        thread::spawn(move || {
            let _ = signals.wait();
            sweep();
            for directory in directories {
                let _ = fs::remove_dir_all(directory);
            }
            std::process::exit(1);
        });
        Self
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        sweep();
    }
}

/// Kills the children of this process until there are none: those of a supervisor become ours when it is
/// dead.
pub(crate) fn sweep() {
    loop {
        let children = children();
        for child in &children {
            let _ = kill(*child, Signal::SIGKILL);
        }
        for child in &children {
            let _ = waitpid(*child, None);
        }
        if children.is_empty() {
            return;
        }
    }
}

fn children() -> Vec<Pid> {
    let this = Pid::this().to_string();
    let pid = |entry: fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (_, after) = stat.rsplit_once(')')?; // a state and the parent
        (after.split_whitespace().nth(1)? == this).then(|| Pid::from_raw(pid))
    };
    fs::read_dir("/proc").expect("/proc").flatten().filter_map(pid).collect()
}
