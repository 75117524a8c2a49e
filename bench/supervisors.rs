//! What a supervisor costs, beside its peers: memory, what it does while nothing happens, how fast it
//! restarts and obeys, with how many system calls, and the wall time of its control program.
//!
//! A service is the least program that can be (`service.S`), with a log. runit's runsv and ours serve both in
//! one process; of s6's and daemontools' supervisors there are two, joined by a pipe as their scanners do it,
//! and both count. Times of several programs are taken in turn, medians are quoted. Service directories are in
//! TMPDIR, and for some rows in `/dev/shm`. `make bench` builds what it needs and prints the table of
//! README.md. `IDLE` is the seconds for which idleness is watched, else 60.
#![allow(clippy::print_stdout, reason = "it prints a table")]

#[allow(dead_code, reason = "the benchmarks share it")]
mod support;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, mkfifo, pipe2};

use support::{Guard, Table, is_call, lines, parted, proc_number, strace, sweep};

/// Services whose memory is added up.
const MANY: usize = 100;
/// Services of one kind that are killed or stopped at a time, and how often.
const SERVICES: u32 = 8;
const ROUNDS: usize = 10;
/// The shortest life after which no program throttles a restart for the life's sake.
const LIFE: Duration = Duration::from_millis(1200);
/// In this time all is still again.
const STILL: Duration = Duration::from_millis(400);

fn main() {
    let work = tempfile::tempdir().expect("a temporary directory");
    let ram = tempfile::tempdir_in("/dev/shm").expect("a directory in /dev/shm");
    let _guard = Guard::new([&work, &ram].map(|directory| directory.path().to_owned()));
    let mut bench = Bench::new(work.path());
    bench.sizes();
    bench.memory();
    bench.idle();
    bench.restarts("on disk");
    ram.path().clone_into(&mut bench.place);
    bench.restarts("on tmpfs");
    work.path().clone_into(&mut bench.place);
    bench.restart_calls();
    bench.down_in_a_crash_loop();
    bench.status();
    bench.control();
    bench.table.print();
}

// The programs.

/// What a supervisor is, and how it is spoken to.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Svrun,
    Runsv,
    S6,
    Daemontools,
}

impl Kind {
    /// The supervisor, the control program, the one that shows the status, and what these need.
    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Svrun => &["svrun", "svctl", "svctl"],
            Self::Runsv => &["runsv", "sv", "sv"],
            Self::S6 => &["s6-supervise", "s6-svc", "s6-svstat", "s6-svlisten1"],
            Self::Daemontools => &["supervise", "svc", "svstat"],
        }
    }

    /// How many supervisors a service with a log needs.
    fn supervisors(self) -> usize {
        match self {
            Self::Svrun | Self::Runsv => 1,
            Self::S6 | Self::Daemontools => 2,
        }
    }

    fn has_finish(self) -> bool {
        self != Self::Daemontools
    }

    /// Whether the bytes of `supervise/status` say that nothing runs, and nothing will.
    fn is_down(self, status: &[u8]) -> bool {
        let zero =
            |from: usize, to: usize| status.get(from..to).is_some_and(|pid| pid.iter().all(|b| *b == 0));
        match self {
            Self::S6 => zero(24, 32) && status.get(34).is_some_and(|flags| flags & 4 == 0),
            Self::Daemontools => zero(12, 16) && status.get(17) == Some(&b'd'),
            Self::Svrun | Self::Runsv => {
                zero(12, 16) && status.get(17) == Some(&b'd') && status.get(19) == Some(&0)
            }
        }
    }

    /// The words that make the control program wait until the service is up or down: none if it cannot. Up
    /// means, to svctl, that a service that announces nothing has lived for 420 ms; to s6-svc that it was forked.
    fn control(self, up: bool) -> Option<&'static [&'static str]> {
        match (self, up) {
            (Self::Svrun | Self::Runsv, true) => Some(&["-w", "7", "up"]),
            (Self::Svrun | Self::Runsv, false) => Some(&["-w", "7", "down"]),
            (Self::S6, true) => Some(&["-wu", "-u"]),
            (Self::S6, false) => Some(&["-wD", "-d"]),
            (Self::Daemontools, _) => None,
        }
    }
}

/// A column of the table.
struct Peer {
    name: &'static str,
    kind: Kind,
    directory: PathBuf,
}

impl Peer {
    fn program(&self, which: usize) -> PathBuf {
        self.directory.join(self.kind.programs()[which])
    }

    /// A command of this directory, which finds what it executes there too.
    fn command(&self, which: usize, trace: Option<&Path>) -> Command {
        let program = self.program(which);
        let mut command = match trace {
            Some(log) => strace(&program, log),
            None => Command::new(program),
        };
        let path = env::var_os("PATH").unwrap_or_default();
        let directories = [self.directory.clone()].into_iter().chain(env::split_paths(&path));
        command
            .env("PATH", env::join_paths(directories).expect("a PATH"))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    /// Copies the programs of a directory to one of their own, if the supervisor is there: what the linker has
    /// just written lies in memory in other pieces than a file that was copied.
    fn copied(name: &'static str, kind: Kind, from: &Path, to: PathBuf) -> Option<Self> {
        from.join(kind.programs()[0]).is_file().then(|| {
            fs::create_dir_all(&to).expect("a directory");
            for program in kind.programs() {
                let _ = fs::copy(from.join(program), to.join(program)); // what is not there has no figure
            }
            Self { name, kind, directory: to }
        })
    }
}

// The services.

/// What the run program does.
#[derive(Clone, Copy)]
enum Run {
    Stays,
    Crashes,
}

/// A supervised service.
struct Service {
    kind: Kind,
    directory: PathBuf,
    stamps: File,
    supervisors: Vec<Child>,
    last: Stamp,
}

/// The first instruction of a run: its monotonic time, and its pid.
#[derive(Clone, Copy)]
struct Stamp {
    time: Duration,
    pid: Pid,
}

impl Service {
    /// The next run's stamp. It fails after ten seconds, in which any program here has long been restarted.
    fn next(&mut self) -> Stamp {
        let mut fds = [PollFd::new(self.stamps.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut fds, PollTimeout::from(10_000u16));
        assert_eq!(ready, Ok(1), "{}: the service does not run", self.directory.display());
        self.arrived().expect("a stamp")
    }

    /// The next run's stamp, if it is there already.
    fn arrived(&mut self) -> Option<Stamp> {
        let mut bytes = [0; 24];
        self.stamps.read_exact(&mut bytes).ok()?;
        let number = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let nanoseconds = u32::try_from(number(8)).expect("less than a second");
        let pid = Pid::from_raw(i32::try_from(number(16)).expect("a pid"));
        self.last = Stamp { time: Duration::new(number(0), nanoseconds), pid };
        Some(self.last)
    }

    fn is_down(&self) -> bool {
        fs::read(self.directory.join("supervise/status")).is_ok_and(|status| self.kind.is_down(&status))
    }

    fn write_control(&self, byte: u8) {
        let control = File::options().write(true).open(self.directory.join("supervise/control"));
        control.and_then(|mut control| control.write_all(&[byte])).expect("a supervisor that listens");
    }

    /// The sum of a line of a file in /proc over the supervisors.
    fn sum(&self, file: &str, label: &str) -> u32 {
        let number = |child: &Child| proc_number(child.id(), file, label).expect("a process");
        self.supervisors.iter().map(number).sum()
    }
}

/// The programs, the work directory and the table.
struct Bench {
    work: PathBuf,
    place: PathBuf,
    peers: Vec<Peer>,
    services: usize,
    table: Table,
}

impl Bench {
    fn new(work: &Path) -> Self {
        let named = |variable: &str| env::var_os(variable).map(PathBuf::from).unwrap_or_default();
        let build = env::var_os("BUILD").unwrap_or_else(|| "target/catena".into());
        let debian = PathBuf::from("/usr/bin");
        let peers = [
            ("svrun", Kind::Svrun, PathBuf::from(build).join("bin")),
            ("runsv, static", Kind::Runsv, named("RUNIT_STATIC")),
            ("runsv", Kind::Runsv, debian.clone()),
            ("s6-supervise, static", Kind::S6, named("S6_STATIC")),
            ("s6-supervise", Kind::S6, debian.clone()),
            ("supervise", Kind::Daemontools, debian),
        ];
        let copied = |(at, (name, kind, from)): (usize, (_, _, PathBuf))| {
            Peer::copied(name, kind, &from, work.join(format!("bin{at}")))
        };
        let peers: Vec<Peer> = peers.into_iter().enumerate().filter_map(copied).collect();
        assert!(
            peers.first().is_some_and(|peer| peer.kind == Kind::Svrun),
            "run `make` first: no svrun in BUILD"
        );
        for (name, flags) in
            [("stays", "-DRUN"), ("crashes", "-DRUN -DCRASH"), ("log", "-DLOG"), ("finish", "")]
        {
            let mut cc = Command::new("cc");
            cc.args(["-nostdlib", "-static"]).args(flags.split_whitespace()).arg("-o").arg(work.join(name));
            assert!(cc.arg("bench/service.S").status().is_ok_and(|status| status.success()), "cc");
        }
        // Pages that are not written yet cost more.
        assert!(Command::new("sync").status().is_ok_and(|status| status.success()), "sync");
        let table = Table::new(peers.iter().map(|peer| peer.name).collect());
        Self { work: work.to_owned(), place: work.to_owned(), peers, services: 0, table }
    }

    /// Makes a service directory, with a log, and starts what supervises it.
    fn start(&mut self, peer: usize, run: Run, finish: bool, trace: Option<&Path>) -> Service {
        let kind = self.peers[peer].kind;
        self.services += 1;
        let directory = self.place.join(format!("service{}", self.services));
        let log = directory.join("log");
        fs::create_dir_all(&log).expect("a directory");
        let link = |program: &str, place: PathBuf| symlink(self.work.join(program), place).expect("a link");
        link(if matches!(run, Run::Stays) { "stays" } else { "crashes" }, directory.join("run"));
        link("log", log.join("run"));
        if finish {
            link("finish", directory.join("finish"));
        }
        let stamps = directory.join("stamps");
        mkfifo(&stamps, Mode::S_IRUSR | Mode::S_IWUSR).expect("a FIFO");
        let flags = OFlag::O_NONBLOCK.bits();
        let stamps =
            File::options().read(true).write(true).custom_flags(flags).open(stamps).expect("the FIFO");
        let mut commands = vec![self.peers[peer].command(0, trace)];
        commands[0].arg(&directory);
        if kind.supervisors() == 2 {
            let (reader, writer) = pipe2(OFlag::O_CLOEXEC).expect("a pipe");
            commands[0].stdout(writer);
            let mut logger = self.peers[peer].command(0, None);
            logger.arg(log).stdin(reader);
            commands.push(logger);
        }
        let supervisors = commands.iter_mut().map(|command| command.spawn().expect("a supervisor")).collect();
        let last = Stamp { time: Duration::ZERO, pid: Pid::this() };
        let mut service = Service { kind, directory, stamps, supervisors, last };
        service.next();
        service
    }

    /// Services that stay, `count` of each peer.
    fn start_all(&mut self, count: u32, finish: bool) -> Vec<(usize, Service)> {
        let peers = (0..self.peers.len()).filter(|peer| !finish || self.peers[*peer].kind.has_finish());
        let places: Vec<usize> = peers.flat_map(|peer| (0..count).map(move |_| peer)).collect();
        places.into_iter().map(|peer| (peer, self.start(peer, Run::Stays, finish, None))).collect()
    }
}

// The figures.

impl Bench {
    fn sizes(&mut self) {
        for (which, what) in ["supervisor", "control program"].into_iter().enumerate() {
            let files = self.peers.iter().map(|peer| peer.program(which));
            self.table.sizes(format_args!("size of the {what}, kB"), files);
        }
    }

    fn memory(&mut self) {
        let processes = |peer: &Peer| u32::try_from(peer.kind.supervisors()).ok().map(f64::from);
        let processes = self.peers.iter().map(processes).collect();
        self.table.row("supervisors for a service with a log", 0, processes);
        let mut services = self.start_all(1, false);
        thread::sleep(LIFE);
        let lines = [("smaps_rollup", "Private_Dirty:"), ("smaps_rollup", "Rss:"), ("status", "VmPTE:")];
        for (file, label) in lines {
            let figures = services.iter().map(|(_, service)| Some(service.sum(file, label).into())).collect();
            self.table.row(format_args!("{} waiting, kB", label.trim_end_matches(':')), 0, figures);
        }
        for (_, service) in &mut services {
            kill(service.last.pid, Signal::SIGKILL).expect("the service runs");
            service.next();
        }
        thread::sleep(STILL);
        let dirty =
            services.iter().map(|(_, service)| Some(service.sum("smaps_rollup", "Private_Dirty:").into()));
        let dirty = dirty.collect();
        self.table.row("Private_Dirty after a restart, kB", 0, dirty);
        sweep();
        let mut sums = Vec::new();
        for peer in 0..self.peers.len() {
            let services: Vec<Service> =
                (0..MANY).map(|_| self.start(peer, Run::Stays, false, None)).collect();
            thread::sleep(LIFE);
            let sum: u32 = services.iter().map(|service| service.sum("smaps_rollup", "Pss:")).sum();
            sums.push(Some(sum.into()));
            sweep();
        }
        self.table.row(format_args!("sum of Pss, {MANY} services with a log, kB"), 0, sums);
    }

    /// What is done while nothing happens. For the system calls there is a second service, under strace.
    fn idle(&mut self) {
        let seconds = env::var("IDLE").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
        let services = self.start_all(1, false);
        let logs: Vec<PathBuf> =
            (0..self.peers.len()).map(|peer| self.work.join(format!("idle{peer}"))).collect();
        for (peer, log) in logs.iter().enumerate() {
            self.start(peer, Run::Stays, false, Some(log));
        }
        thread::sleep(LIFE + STILL);
        let switches = |(_, service): &(usize, Service)| service.sum("status", "voluntary_ctxt_switches:");
        let calls = |log: &PathBuf| supervisor_calls(&lines(log));
        let before: Vec<_> = services.iter().map(switches).zip(logs.iter().map(calls)).collect();
        thread::sleep(Duration::from_secs(seconds));
        let after = services.iter().map(switches).zip(logs.iter().map(calls));
        let spent = after.zip(before).map(|(after, before)| (after.0 - before.0, after.1 - before.1));
        let (switches, calls): (Vec<_>, Vec<_>) =
            spent.map(|(a, b)| (Some(a.into()), Some(b.into()))).unzip();
        sweep();
        self.table.row(format_args!("idle {seconds} s: context switches"), 0, switches);
        self.table.row(format_args!("idle {seconds} s: system calls"), 0, calls);
    }

    /// From a kill -9 to the first instruction of the next run.
    fn restarts(&mut self, place: &str) {
        let mut all = [self.start_all(SERVICES, false), self.start_all(SERVICES, true)];
        let mut times = [self.table.empty(), self.table.empty()];
        for _ in 0..ROUNDS {
            thread::sleep(LIFE);
            let mut killed = Vec::new();
            for (_, service) in all.iter().flatten() {
                killed.push(now());
                kill(service.last.pid, Signal::SIGKILL).expect("the service runs");
                thread::sleep(Duration::from_millis(10)); // one at a time, as far as the fast ones go
            }
            let mut killed = killed.into_iter();
            for (services, times) in all.iter_mut().zip(&mut times) {
                for ((peer, service), killed) in services.iter_mut().zip(&mut killed) {
                    times[*peer].push(milliseconds(killed, service.next().time));
                }
            }
        }
        sweep();
        let [without, with] = times;
        self.table.medians(format_args!("crash to next run, {place}, ms"), 2, without);
        self.table.medians(format_args!("crash to next run with finish, {place}, ms"), 2, with);
    }

    /// The system calls of the supervisor, and of what it forks up to the execve, for one restart.
    fn restart_calls(&mut self) {
        for (finish, what) in [(false, ""), (true, " with finish")] {
            let mut calls = self.table.empty();
            let mut services = Vec::new();
            for peer in 0..self.peers.len() {
                if !finish || self.peers[peer].kind.has_finish() {
                    let log = self.work.join(format!("restart{peer}"));
                    services.push((peer, self.start(peer, Run::Stays, finish, Some(&log)), log));
                }
            }
            for _ in 0..ROUNDS / 2 {
                thread::sleep(LIFE);
                for (peer, service, log) in &services {
                    calls[*peer].push(-f64::from(supervisor_calls(&lines(log))));
                    kill(service.last.pid, Signal::SIGKILL).expect("the service runs");
                }
                for (_, service, _) in &mut services {
                    service.next();
                }
                thread::sleep(STILL);
                for (peer, _, log) in &services {
                    *calls[*peer].last_mut().expect("a round") += f64::from(supervisor_calls(&lines(log)));
                }
            }
            sweep();
            self.table.medians(format_args!("system calls for a restart{what}"), 0, calls);
        }
    }

    /// From the byte `d` until the status says down, and stays so, for a service that ends at once each time.
    fn down_in_a_crash_loop(&mut self) {
        let (mut times, mut starts) = (self.table.empty(), Vec::new());
        for (peer, times) in times.iter_mut().enumerate() {
            let mut services: Vec<Service> =
                (0..SERVICES).map(|_| self.start(peer, Run::Crashes, false, None)).collect();
            let mut loops = Vec::new();
            for (phase, service) in (0..SERVICES).zip(&mut services) {
                service.next(); // the second: from now on there is a run each second
                let mut due = service.last.time + Duration::from_secs(1) * (2 * phase + 1) / (2 * SERVICES);
                while due < now() {
                    due += Duration::from_secs(1);
                }
                loops.push(CrashLoop { due, asked: None, down: None, starts: 0 });
            }
            let end = now() + Duration::from_secs(5);
            while now() < end {
                for (service, state) in services.iter_mut().zip(&mut loops) {
                    state.look(service);
                }
                thread::sleep(Duration::from_micros(200));
            }
            times.extend(loops.iter().filter_map(CrashLoop::time));
            starts.push(Some(loops.iter().map(|state| state.starts).sum::<u32>().into()));
            sweep();
        }
        self.table.medians("`d` in a crash loop to down, ms", 1, times);
        self.table.row(format_args!("runs after it, {SERVICES} services"), 0, starts);
    }

    /// One status request: over our socket, and by the control programs.
    fn status(&mut self) {
        let services = self.start_all(1, false);
        let socket = services[0].1.directory.join("supervise/socket");
        let (mut open, mut new) = (Vec::new(), Vec::new());
        let mut connection = UnixStream::connect(&socket).expect("our socket");
        for _ in 0..1000 {
            open.push(micros(|| ask(&mut connection)));
            new.push(micros(|| ask(&mut UnixStream::connect(&socket).expect("our socket"))));
        }
        let mut column = self.table.empty();
        column[0] = open;
        self.table.medians("status by socket, µs", 0, column);
        let mut column = self.table.empty();
        column[0] = new;
        self.table.medians("the same with the connect, µs", 0, column);
        let mut times = self.table.empty();
        for _ in 0..100 {
            for (peer, service) in &services {
                let mut command = self.peers[*peer].command(2, None);
                if self.peers[*peer].kind.programs()[2] == self.peers[*peer].kind.programs()[1] {
                    command.arg("status");
                }
                times[*peer].extend(succeeds(command.arg(&service.directory)));
            }
        }
        sweep();
        self.table.medians("status by its program, ms", 2, times);
    }

    /// The wall time of the control program that waits, how often it slept or polled in vain, and its system
    /// calls.
    fn control(&mut self) {
        let services = self.start_all(SERVICES, false);
        let mut times = [self.table.empty(), self.table.empty()];
        for _ in 0..3 {
            for (up, times) in [false, true].into_iter().zip(&mut times) {
                thread::sleep(LIFE);
                for (peer, service) in &services {
                    let command = self.control_command(*peer, up, service, None);
                    times[*peer].extend(command.and_then(|mut command| succeeds(&mut command)));
                }
            }
        }
        thread::sleep(LIFE);
        let (mut vain, mut calls) = (self.table.empty(), self.table.empty());
        for (peer, service) in &services {
            if let Some(lines) = self.trace_down(*peer, service) {
                vain[*peer].push(count(lines.iter().filter(|line| waited_in_vain(line))));
                calls[*peer].push(count(lines.iter().filter(|line| is_call(parted(line).1))));
            }
        }
        sweep();
        let [down, up] = times;
        self.table.medians("`down` until it is, ms", 2, down);
        self.table.medians("`up` until it is, ms", 2, up);
        self.table.medians("`down`: sleeps and polls in vain", 0, vain);
        self.table.medians("`down`: system calls of the program", 0, calls);
    }

    fn control_command(
        &self,
        peer: usize,
        up: bool,
        service: &Service,
        trace: Option<&Path>,
    ) -> Option<Command> {
        let words = self.peers[peer].kind.control(up)?;
        let mut command = self.peers[peer].command(1, trace);
        command.args(words).arg(&service.directory);
        Some(command)
    }

    fn trace_down(&self, peer: usize, service: &Service) -> Option<Vec<String>> {
        let log = self.work.join("control");
        succeeds(&mut self.control_command(peer, false, service, Some(&log))?)?;
        Some(lines(&log))
    }
}

/// A service that crashes, and gets the command to stop at a time of its own.
struct CrashLoop {
    due: Duration,
    asked: Option<Duration>,
    down: Option<Duration>,
    starts: u32,
}

impl CrashLoop {
    fn look(&mut self, service: &mut Service) {
        if self.asked.is_none() && now() >= self.due {
            self.asked = Some(now());
            service.write_control(b'd');
        }
        while let Some(stamp) = service.arrived() {
            self.starts += u32::from(self.asked.is_some_and(|asked| stamp.time > asked));
        }
        if !service.is_down() {
            self.down = None;
        } else if self.asked.is_some() {
            self.down = self.down.or_else(|| Some(now()));
        }
    }

    /// Milliseconds from the command to the state that stayed.
    fn time(&self) -> Option<f64> {
        Some(milliseconds(self.asked?, self.down?))
    }
}

// Small tools.

fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).expect("a clock").into()
}

fn milliseconds(from: Duration, to: Duration) -> f64 {
    to.saturating_sub(from).as_secs_f64() * 1e3
}

fn micros(deed: impl FnOnce()) -> f64 {
    let start = Instant::now();
    deed();
    start.elapsed().as_secs_f64() * 1e6
}

/// The milliseconds that a command takes, if it succeeds.
fn succeeds(command: &mut Command) -> Option<f64> {
    let start = Instant::now();
    let status = command.stderr(Stdio::null()).status().ok()?;
    status.success().then(|| start.elapsed().as_secs_f64() * 1e3)
}

fn ask(connection: &mut UnixStream) {
    connection.write_all(b"status\n").expect("a request");
    let mut line = String::new();
    BufReader::new(connection).read_line(&mut line).expect("an answer");
    assert!(line.starts_with("{\"ok\":true"), "{line}");
}

fn count<T>(items: impl Iterator<Item = T>) -> f64 {
    f64::from(u32::try_from(items.count()).expect("few"))
}

/// Whether a line tells of a wait that ended by its time and by no event.
fn waited_in_vain(line: &str) -> bool {
    line.contains("(Timeout)") || line.contains("nanosleep(")
}

/// The system calls of the first process, and of the others before they have executed something.
fn supervisor_calls(lines: &[String]) -> u32 {
    let mut executed = HashSet::new();
    let first = lines.first().map(|line| parted(line).0);
    let mut count = 0;
    for (pid, rest) in lines.iter().map(|line| parted(line)) {
        count += u32::from(is_call(rest) && !executed.contains(pid));
        let execve = rest.starts_with("execve(") || rest.starts_with("<... execve resumed");
        if execve && rest.ends_with("= 0") && Some(pid) != first {
            executed.insert(pid);
        }
    }
    count
}
