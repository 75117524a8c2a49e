//! What a tree of services costs, beside its peers: memory of all supervisors and of the whole machine, the time until
//! all services run and until all have ended, a restart, a death, a new directory, and what is done while nothing
//! happens; and how soon the first service of a container runs.
//!
//! A service is the least program that can be (`service.S`); that of all directories write to one FIFO. Directories are
//! in `/dev/shm`. `make bench` builds what it needs and prints the tables of README.md. `SERVICES` is how many there are,
//! 100 and 1000 without it; `IDLE` the seconds for which idleness is watched, else 6; `ROUNDS` how often all is started
//! and stopped, else 3.
#![allow(clippy::print_stdout, reason = "it prints tables")]

#[allow(dead_code, reason = "the benchmarks share it")]
mod support;

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::time::TimeValLike;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, mkfifo, pipe2};

use support::{Guard, Table, median, proc_number, sweep};

/// The shortest life after which no program throttles a restart for the life's sake, and all is still again.
const LIFE: Duration = Duration::from_millis(2500);
/// How often a service is killed, or restarted, and a container started.
const TIMES: usize = 8;
const CONTAINERS: usize = 20;
/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let ram = tempfile::tempdir_in("/dev/shm").expect("a directory in /dev/shm");
    let _guard = Guard::new([ram.path().to_owned()]);
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("a limit");
    let bench = Bench::new(ram.path());
    let services = number("SERVICES", 0);
    let counts = if services == 0 { vec![100, 1000] } else { vec![services] };
    for count in counts {
        for log in [false, true] {
            bench.tree(count, log);
        }
    }
    bench.container();
}

fn number(variable: &str, default: usize) -> usize {
    env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

// The programs.

/// What keeps a tree.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Svtree,
    /// An svrun for each service, started by this program.
    Svruns,
    Runsvdir,
    S6,
    Svscan,
    Supervisord,
    Nitro,
    /// Nothing: the services alone.
    Nothing,
}

/// A column of the table.
struct Peer {
    name: &'static str,
    kind: Kind,
    directory: PathBuf,
}

impl Peer {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.directory.join(program));
        let path = env::var_os("PATH").unwrap_or_default();
        let directories = [self.directory.clone()].into_iter().chain(env::split_paths(&path));
        command.env("PATH", env::join_paths(directories).expect("a PATH"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// What keeps the tree in `place`.
    fn start(&self, place: &Path) -> Command {
        match self.kind {
            Kind::Svtree => with(self.command("svtree"), &[], place),
            Kind::Runsvdir => with(self.command("runsvdir"), &[], place),
            Kind::S6 => with(self.command("s6-svscan"), &["-c", "2000"], place),
            Kind::Svscan => with(self.command("svscan"), &[], place),
            Kind::Supervisord => with(self.command("supervisord"), &["-n", "-c"], &place.join("conf")),
            Kind::Nitro => {
                let mut command = with(self.command("nitro"), &[], place);
                command.env("NITRO_SOCK", place.join(".sock"));
                command
            }
            Kind::Svruns | Kind::Nothing => unreachable!("it is started for each service"),
        }
    }

    /// Asks for a restart of a service.
    fn restart(&self, place: &Path, name: &str) -> Option<Command> {
        let directory = place.join(name);
        Some(match self.kind {
            Kind::Svtree | Kind::Svruns => with(self.command("svctl"), &["term"], &directory),
            Kind::Runsvdir => with(self.command("sv"), &["term"], &directory),
            Kind::S6 => with(self.command("s6-svc"), &["-r"], &directory),
            Kind::Svscan => with(self.command("svc"), &["-t"], &directory),
            Kind::Supervisord => {
                let mut command = with(self.command("supervisorctl"), &["-c"], &place.join("conf"));
                command.args(["restart", name]);
                command
            }
            Kind::Nitro => {
                let mut command = self.command("nitroctl");
                command.args(["restart", name]).env("NITRO_SOCK", place.join(".sock"));
                command
            }
            Kind::Nothing => return None,
        })
    }

    /// What shows all services.
    fn list(&self, place: &Path, names: &[String]) -> Option<Command> {
        let each = |mut command: Command| {
            command.args(names.iter().map(|name| place.join(name)));
            command
        };
        match self.kind {
            Kind::Svtree | Kind::Svruns => {
                let mut command = self.command("svctl");
                command.arg("list").env("SVDIR", place);
                Some(command)
            }
            Kind::Runsvdir => {
                let mut command = self.command("sv");
                command.arg("status");
                Some(each(command))
            }
            Kind::Svscan => Some(each(self.command("svstat"))),
            Kind::Supervisord => {
                let mut command = with(self.command("supervisorctl"), &["-c"], &place.join("conf"));
                command.arg("status");
                Some(command)
            }
            Kind::S6 | Kind::Nitro | Kind::Nothing => None,
        }
    }

    /// Makes it see a new directory, if it does not look itself.
    fn rescan(&self, place: &Path) -> Option<Command> {
        match self.kind {
            Kind::S6 => Some(with(self.command("s6-svscanctl"), &["-a"], place)),
            Kind::Nitro => {
                let mut command = self.command("nitroctl");
                command.arg("rescan").env("NITRO_SOCK", place.join(".sock"));
                Some(command)
            }
            _ => None,
        }
    }

    /// Whether it hosts what appears in its directory.
    fn scans(&self) -> bool {
        !matches!(self.kind, Kind::Svruns | Kind::Supervisord | Kind::Nothing)
    }
}

fn with(mut command: Command, words: &[&str], place: &Path) -> Command {
    command.args(words).arg(place);
    command
}

// What is measured.

/// A tree at work.
struct Life<'a> {
    peer: &'a Peer,
    place: &'a Path,
    names: &'a [String],
    log: bool,
    roots: Vec<Child>,
    stamps: File,
    pids: Vec<Pid>,
}

/// The first instruction of a run: its monotonic time, and its pid.
#[derive(Clone, Copy)]
struct Stamp {
    time: Duration,
    pid: Pid,
}

impl Life<'_> {
    /// The next run's stamp.
    fn next(&mut self) -> Stamp {
        next(&mut self.stamps, self.peer.name)
    }

    /// Starts the tree: the milliseconds until the last service runs.
    fn start(&mut self, programs: &Path) -> f64 {
        // Those that this program waits for are blocked, and not all supervisors unblock what they start.
        let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
        signals.thread_unblock().expect("a mask");
        let began = now();
        match self.peer.kind {
            Kind::Svruns => {
                let start = |name| with(self.peer.command("svrun"), &[], &self.place.join(name)).spawn();
                self.roots = self.names.iter().map(|name| start(name).expect("svrun")).collect();
            }
            Kind::Nothing => self.roots = self.start_services(programs),
            _ => self.roots.push(self.peer.start(self.place).spawn().expect("a scanner")),
        }
        signals.thread_block().expect("a mask");
        let stamps: Vec<Stamp> = self.names.iter().map(|_| next(&mut self.stamps, self.peer.name)).collect();
        self.pids = stamps.iter().map(|stamp| stamp.pid).collect();
        stamps.iter().map(|stamp| milliseconds(began, stamp.time)).fold(0.0, f64::max)
    }

    /// The services without a supervisor, each with its logger's pipe.
    fn start_services(&self, programs: &Path) -> Vec<Child> {
        let mut children = Vec::new();
        for name in self.names {
            let mut command = Command::new(programs.join("stays"));
            command.current_dir(self.place.join(name)).stdin(Stdio::null()).stdout(Stdio::null());
            if self.log {
                let (reader, writer) = pipe2(OFlag::O_CLOEXEC).expect("a pipe");
                let mut logger = Command::new(programs.join("log"));
                children.push(logger.stdin(reader).spawn().expect("a logger"));
                command.stdout(writer);
            }
            children.push(command.spawn().expect("a service"));
        }
        children
    }

    /// Stops the tree: the milliseconds until all its processes have ended.
    fn stop(mut self) -> f64 {
        let began = now();
        let signal = if self.peer.kind == Kind::Runsvdir { Signal::SIGHUP } else { Signal::SIGTERM };
        for root in &self.roots {
            let pid = Pid::from_raw(i32::try_from(root.id()).expect("a pid"));
            kill(pid, signal).expect("it lives");
        }
        if self.peer.kind == Kind::Svscan {
            for what in ["", "log"] {
                let places = self.names.iter().map(|name| self.place.join(name).join(what));
                let places: Vec<PathBuf> = places.filter(|place| place.is_dir()).collect();
                if !places.is_empty() {
                    self.peer.command("svc").arg("-dx").args(places).status().expect("svc");
                }
            }
        }
        self.roots.clear();
        let end = now() + PATIENCE;
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Err(Errno::ECHILD) => return milliseconds(began, now()),
                Ok(nix::sys::wait::WaitStatus::StillAlive) => thread::sleep(Duration::from_micros(200)),
                _ => {}
            }
            if now() > end {
                sweep();
                return f64::NAN;
            }
        }
    }

    fn deaths(&mut self) -> Option<f64> {
        let mut times = Vec::new();
        for pid in std::mem::take(&mut self.pids) {
            let began = now();
            kill(pid, Signal::SIGKILL).expect("it lives");
            times.push(milliseconds(began, self.next().time));
        }
        median(times)
    }

    /// The milliseconds from the start of the control program to the next run. Those that were restarted are killed
    /// next.
    fn restarts(&mut self) -> Option<f64> {
        let mut times = Vec::new();
        self.pids.clear();
        for name in self.names.iter().take(TIMES) {
            let mut command = self.peer.restart(self.place, name)?;
            let began = now();
            let mut child = command.spawn().expect("a control program");
            let stamp = self.next();
            times.push(milliseconds(began, stamp.time));
            self.pids.push(stamp.pid);
            child.wait().expect("a child");
        }
        median(times)
    }

    fn lists(&self) -> Option<f64> {
        let mut times = Vec::new();
        for _ in 0..5 {
            let mut command = self.peer.list(self.place, self.names)?;
            let began = Instant::now();
            command.status().expect("a control program");
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        median(times)
    }

    /// The milliseconds from a rename into place to the first instruction.
    fn new_directories(&mut self, bench: &Bench) -> Option<f64> {
        if !self.peer.scans() {
            return None;
        }
        let mut times = Vec::new();
        for i in 0..3 {
            let name = format!("new{i}");
            bench.service(&bench.work, &name, self.log);
            let began = now();
            fs::rename(bench.work.join(&name), self.place.join(&name)).expect("a rename");
            if let Some(mut command) = self.peer.rescan(self.place) {
                command.status().expect("a control program");
            }
            times.push(milliseconds(began, self.next().time));
        }
        median(times)
    }

    /// The milliseconds until the tree's socket answers for the last service again, after an upgrade and after a
    /// `kill -9` and a new start; nothing may have been started.
    fn comebacks(&mut self) -> Option<[f64; 2]> {
        if self.peer.kind != Kind::Svtree {
            return None;
        }
        let socket = self.place.join(".tree/socket");
        let mut stream = UnixStream::connect(&socket).expect("the tree's socket");
        let began = now();
        stream.write_all(b"upgrade\n").expect("a request");
        let upgrade = self.answers(&socket, began, &mut Some(stream));
        let root = self.roots.first_mut().expect("a tree");
        root.kill().expect("it lives");
        let began = now();
        root.wait().expect("a child");
        self.roots = vec![self.peer.start(self.place).spawn().expect("svtree")];
        let killed = self.answers(&socket, began, &mut None);
        let mut fds = [PollFd::new(self.stamps.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut fds, PollTimeout::from(500u16)), Ok(0), "something was started again");
        Some([upgrade, killed])
    }

    /// Milliseconds until the last service answers; `old`: a connection whose end comes first.
    fn answers(&self, socket: &Path, began: Duration, old: &mut Option<UnixStream>) -> f64 {
        if let Some(mut old) = old.take() {
            let _ = old.read_to_end(&mut Vec::new()); // a reset is an end, too
        }
        let name = self.names.last().expect("a service");
        let asked = format!("@{name} status\n");
        while now() < began + PATIENCE {
            if let Ok(mut stream) = UnixStream::connect(socket) {
                let mut line = String::new();
                stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                if stream.write_all(asked.as_bytes()).is_ok()
                    && BufReader::new(&stream).read_line(&mut line).is_ok()
                    && line.contains("\"pid\"")
                {
                    return milliseconds(began, now());
                }
            }
            thread::sleep(Duration::from_micros(500));
        }
        f64::NAN
    }
}

struct Bench {
    work: PathBuf,
    peers: Vec<Peer>,
}

impl Bench {
    fn new(work: &Path) -> Self {
        let named = |variable: &str| env::var_os(variable).map(PathBuf::from).unwrap_or_default();
        let build = env::var_os("BUILD").unwrap_or_else(|| "target/catena".into());
        let build = fs::canonicalize(build).expect("run `make` first: there is no BUILD").join("bin");
        let debian = PathBuf::from("/usr/bin");
        let peers = [
            ("svtree", Kind::Svtree, "svtree", build.clone()),
            ("svrun each", Kind::Svruns, "svrun", build),
            ("runsvdir, static", Kind::Runsvdir, "runsvdir", named("RUNIT_STATIC")),
            ("runsvdir", Kind::Runsvdir, "runsvdir", debian.clone()),
            ("s6-svscan, static", Kind::S6, "s6-svscan", named("S6_STATIC")),
            ("s6-svscan", Kind::S6, "s6-svscan", debian.clone()),
            ("svscan", Kind::Svscan, "svscan", debian.clone()),
            ("supervisord", Kind::Supervisord, "supervisord", debian),
            ("nitro, static", Kind::Nitro, "nitro", named("NITRO_STATIC")),
        ];
        let here = |(name, kind, program, directory): (&'static str, Kind, &str, PathBuf)| {
            let is_there = directory.is_absolute() && directory.join(program).is_file();
            is_there.then_some(Peer { name, kind, directory })
        };
        let mut peers: Vec<Peer> = peers.into_iter().filter_map(here).collect();
        peers.push(Peer { name: "none", kind: Kind::Nothing, directory: PathBuf::new() });
        assert_eq!(peers[0].kind, Kind::Svtree, "run `make` first: no svtree in BUILD");
        for (name, flags) in [("stays", "-DRUN"), ("stamp", "-DRUN -DEXEC"), ("log", "-DLOG")] {
            let mut cc = Command::new("cc");
            cc.args(["-nostdlib", "-static"]).args(flags.split_whitespace()).arg("-o").arg(work.join(name));
            assert!(cc.arg("bench/service.S").status().is_ok_and(|status| status.success()), "cc");
        }
        Self { work: work.to_owned(), peers }
    }

    /// Makes a service directory in `place`.
    fn service(&self, place: &Path, name: &str, log: bool) {
        let directory = place.join(name);
        fs::create_dir_all(&directory).expect("a directory");
        symlink(self.work.join("stays"), directory.join("run")).expect("a link");
        symlink(self.work.join("stamps"), directory.join("stamps")).expect("a link");
        if log {
            fs::create_dir(directory.join("log")).expect("a directory");
            symlink(self.work.join("log"), directory.join("log/run")).expect("a link");
        }
    }

    fn stamps(&self) -> File {
        let path = self.work.join("stamps");
        let _ = fs::remove_file(&path); // there is none at first
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("a FIFO");
        let flags = OFlag::O_NONBLOCK.bits();
        File::options().read(true).write(true).custom_flags(flags).open(path).expect("the FIFO")
    }

    fn prepare<'a>(&self, peer: &'a Peer, place: &'a Path, names: &'a [String], log: bool) -> Life<'a> {
        let _ = fs::remove_dir_all(place); // there is none at first
        for name in names {
            self.service(place, name, log);
        }
        if peer.kind == Kind::Supervisord {
            fs::write(place.join("conf"), configuration(place, names, log)).expect("a file");
        }
        Life { peer, place, names, log, roots: Vec::new(), stamps: self.stamps(), pids: Vec::new() }
    }

    fn tree(&self, count: usize, log: bool) {
        let names: Vec<String> = (0..count).map(|i| format!("s{i}")).collect();
        let place = self.work.join("tree");
        let mut table = Table::new(self.peers.iter().map(|peer| peer.name).collect());
        let (mut ups, mut downs, mut costs) = (table.empty(), table.empty(), table.empty());
        let mut rows: Vec<[Option<f64>; ROWS.len()]> = Vec::new();
        for round in 0..number("ROUNDS", 3) {
            for (at, peer) in self.peers.iter().enumerate() {
                if peer.kind == Kind::Nitro && log {
                    rows.push([None; ROWS.len()]);
                    continue;
                }
                let mut life = self.prepare(peer, &place, &names, log);
                let (before, used) = (available(), cpu());
                ups[at].push(life.start(&self.work));
                if round == 0 {
                    rows.push(self.figures(&mut life, before));
                }
                downs[at].push(life.stop());
                if round > 0 {
                    costs[at].push(cpu() - used); // of the start and the stop alone
                }
            }
        }
        println!("\n{count} services, {} loggers:\n", if log { "with" } else { "without" });
        let alone = rows.last().and_then(|row| row[MACHINE]);
        for row in &mut rows {
            row[MACHINE] = row[MACHINE].zip(alone).map(|(all, alone)| all - alone);
        }
        table.medians("all run, ms", 0, ups);
        table.medians("all have ended, ms", 0, downs);
        table.medians("CPU of both, services included, ms", 0, costs);
        for (which, (what, decimals)) in ROWS.into_iter().enumerate() {
            let what = what.replace("{}", &count.to_string());
            table.row(what, decimals, rows.iter().map(|row| row[which]).collect());
        }
        table.print();
        let _ = fs::remove_dir_all(place); // as before
    }

    /// The figures of a tree that has just been started.
    fn figures(&self, life: &mut Life, before: f64) -> [Option<f64>; ROWS.len()] {
        thread::sleep(LIFE);
        let mut figures = [None; ROWS.len()];
        let count = f64::from(u32::try_from(life.names.len()).expect("few"));
        figures[MACHINE] = Some((before - available()) / count);
        if life.peer.kind == Kind::Nothing {
            return figures;
        }
        let supervisors = supervisors();
        let sum = |file: &str, label: &str| {
            let number = |pid: &u32| proc_number(*pid, file, label).map_or(0.0, f64::from);
            supervisors.iter().map(number).sum::<f64>()
        };
        figures[0] = Some(f64::from(u32::try_from(supervisors.len()).expect("few")));
        figures[1] = Some(sum("smaps_rollup", "Private_Dirty:"));
        figures[2] = Some(sum("smaps_rollup", "Rss:"));
        let wakeups = || sum("status", "voluntary_ctxt_switches:");
        let first = wakeups();
        thread::sleep(Duration::from_secs(number("IDLE", 6).try_into().expect("few")));
        figures[4] = Some(wakeups() - first);
        figures[5] = life.lists();
        figures[6] = life.restarts();
        thread::sleep(LIFE);
        figures[7] = life.deaths();
        let comebacks = life.comebacks();
        figures[8] = comebacks.map(|[upgrade, _]| upgrade);
        figures[9] = comebacks.map(|[_, killed]| killed);
        figures[10] = life.new_directories(self);
        figures
    }

    /// From the exec of process 1 to the first instruction of the first service, in a new pid namespace.
    fn container(&self) {
        let place = self.work.join("container");
        self.service(&place, "service", false);
        let stays = self.work.join("stays");
        let (scan, stays) = (place.to_str().expect("a path"), stays.to_str().expect("a path"));
        let build = &self.peers[0].directory;
        let svtree = build.join("svtree");
        let svtree = svtree.to_str().expect("a path");
        let commands: Vec<(&'static str, Vec<&str>)> = vec![
            ("svtree DIR", vec![svtree, scan]),
            ("svtree -- run", vec![svtree, "--", stays]),
            ("tini", vec!["/usr/bin/tini", "--", stays]),
            ("dumb-init", vec!["/usr/bin/dumb-init", "--", stays]),
            ("catatonit", vec!["/usr/bin/catatonit", "--", stays]),
            ("s6-svscan", vec!["/usr/bin/s6-svscan", scan]),
            ("runsvdir", vec!["/usr/bin/runsvdir", scan]),
        ];
        let commands: Vec<_> =
            commands.into_iter().filter(|(_, words)| Path::new(words[0]).is_file()).collect();
        let mut table = Table::new(commands.iter().map(|(name, _)| *name).collect());
        let mut times = table.empty();
        let mut stamps = self.stamps();
        for _ in 0..CONTAINERS {
            for (at, (name, words)) in commands.iter().enumerate() {
                // A container is new: without what its last life has left.
                for state in ["service/supervise", ".tree", ".s6-svscan"] {
                    let _ = fs::remove_dir_all(place.join(state)); // there may be none
                }
                let mut command = Command::new("unshare");
                command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
                command.arg(self.work.join("stamp")).args(words).current_dir(&self.work);
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                let mut child = command.spawn().expect("unshare");
                let began = next(&mut stamps, name).time;
                times[at].push(milliseconds(began, next(&mut stamps, name).time));
                child.kill().expect("it lives");
                child.wait().expect("a child");
                sweep();
            }
        }
        println!("\nThe first service of a container:\n");
        table.medians("from the exec of process 1 to its first instruction, ms", 2, times);
        table.print();
    }
}

/// The rows but for those of all rounds, and their decimals.
const ROWS: [(&str, usize); 11] = [
    ("supervisors", 0),
    ("Private_Dirty of all, kB", 0),
    ("Rss of all, kB", 0),
    ("the machine's memory for a service, without its own, kB", 1),
    ("idle: context switches of all", 0),
    ("status of all {} by the control program, ms", 1),
    ("restart by the control program to the next run, ms", 2),
    ("`kill -9` of a service to the next run, ms", 2),
    ("upgrade until a service can be controlled, ms", 1),
    ("`kill -9` of the tree, and a new one, until then, ms", 1),
    ("a new directory to its first run, ms", 1),
];
const MACHINE: usize = 3;

/// supervisord's.
fn configuration(place: &Path, names: &[String], log: bool) -> String {
    let place = place.display();
    let mut text = format!(
        "[supervisord]\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={place}/pid\nminfds=10000\n\
         [unix_http_server]\nfile={place}/sock\n[supervisorctl]\nserverurl=unix://{place}/sock\n\
         [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
    );
    for name in names {
        let output = if log { format!("{place}/{name}/output") } else { "NONE".into() };
        let _ = write!(
            text,
            "[program:{name}]\ncommand={place}/{name}/run\ndirectory={place}/{name}\nautorestart=true\n\
             redirect_stderr=true\nstdout_logfile={output}\n"
        ); // a String takes everything
    }
    text
}

// Small tools.

/// The processes below this one that are neither services nor loggers.
fn supervisors() -> Vec<u32> {
    let mut parents = HashMap::new();
    let pids = fs::read_dir("/proc").expect("/proc").flatten();
    for pid in pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let Some((comm, rest)) = stat.rsplit_once(')') else { continue };
        let name = comm.split_once('(').map_or("", |(_, name)| name).to_owned();
        let parent = rest.split_whitespace().nth(1).and_then(|ppid| ppid.parse::<u32>().ok());
        parents.insert(pid, (parent.unwrap_or(0), name));
    }
    let ours = |pid: u32| {
        let mut at = parents.get(&pid).map_or(0, |(parent, _)| *parent);
        while at > 1 && at != std::process::id() {
            at = parents.get(&at).map_or(0, |(parent, _)| *parent);
        }
        at == std::process::id()
    };
    let services: HashSet<&str> = ["run", "stays", "log"].into_iter().collect();
    parents
        .iter()
        .filter(|(pid, (_, name))| !services.contains(&name[..]) && ours(**pid))
        .map(|(pid, _)| *pid)
        .collect()
}

/// The next run's stamp. It fails after a minute.
fn next(stamps: &mut File, who: &str) -> Stamp {
    let mut fds = [PollFd::new(stamps.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, PollTimeout::from(60_000u16)), Ok(1), "{who}: a service does not run");
    let mut bytes = [0; 24];
    stamps.read_exact(&mut bytes).expect("a stamp");
    let number = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let nanoseconds = u32::try_from(number(8)).expect("less than a second");
    let pid = Pid::from_raw(i32::try_from(number(16)).expect("a pid"));
    Stamp { time: Duration::new(number(0), nanoseconds), pid }
}

fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).expect("a clock").into()
}

fn milliseconds(from: Duration, to: Duration) -> f64 {
    to.saturating_sub(from).as_secs_f64() * 1e3
}

/// The CPU time of all children that have ended, in milliseconds.
fn cpu() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage");
    let all = usage.user_time() + usage.system_time();
    f64::from(i32::try_from(all.num_milliseconds()).expect("less than a week"))
}

/// What the kernel takes for available, in kB.
fn available() -> f64 {
    let text = fs::read_to_string("/proc/meminfo").expect("/proc");
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).expect("a number");
    line.split_whitespace().next().and_then(|kilo| kilo.parse().ok()).expect("a number")
}
