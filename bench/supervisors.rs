//! What a supervisor costs, beside its peers: memory, what it does while nothing happens, how fast it
//! restarts and obeys, with how many system calls, and the wall time of its control program.
//!
//! A service is the least program that can be (`service.S`), with a log. runit's runsv and ours serve both in
//! one process; of s6's and daemontools' supervisors there are two, joined by a pipe as their scanners do it,
//! and both count. Times of several programs are taken in turn, medians are quoted. Service directories are in
//! TMPDIR, and for some rows in `/dev/shm`. `make bench` builds what it needs and prints the table of
//! README.md. `IDLE` is the seconds for which idleness is watched, else 60.
#![allow(clippy::print_stdout, reason = "it prints a table")]

#[path = "supervisors/peers.rs"]
mod peers;
#[path = "supervisors/rows.rs"]
mod rows;
#[path = "supervisors/service.rs"]
mod service;
#[allow(dead_code, reason = "the benchmarks share it")]
mod support;
#[path = "supervisors/tools.rs"]
mod tools;

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo, pipe2};

use peers::{Kind, Peer};
use service::{Run, Service, Stamp};
use support::{Guard, Table};

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
