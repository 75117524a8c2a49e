//! What a tree of services costs, beside its peers: memory of all supervisors and of the whole machine, the time until
//! all services run and until all have ended, a restart, a death, a new directory, and what is done while nothing
//! happens; and how soon the first service of a container runs.
//!
//! A service is the least program that can be (`service.S`); that of all directories write to one FIFO. Directories are
//! in `/dev/shm`. `make bench` builds what it needs and prints the tables of README.md. `SERVICES` is how many there are,
//! 100 and 1000 without it; `IDLE` the seconds for which idleness is watched, else 6; `ROUNDS` how often all is started
//! and stopped, else 3.
#![allow(clippy::print_stdout, reason = "it prints tables")]

#[path = "trees/container.rs"]
mod container;
#[path = "trees/life.rs"]
mod life;
#[path = "trees/peers.rs"]
mod peers;
#[path = "trees/rows.rs"]
mod rows;
#[allow(dead_code, reason = "the benchmarks share it")]
mod support;
#[path = "trees/tools.rs"]
mod tools;

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use life::Life;
use peers::{Kind, Peer, configuration};
use support::Guard;

/// The shortest life after which no program throttles a restart for the life's sake, and all is still again.
const LIFE: Duration = Duration::from_millis(2500);
/// How often a service is killed, or restarted, and a container started.
const TIMES: usize = 8;
const CONTAINERS: usize = 20;
/// How long anything is waited for: on a busy machine supervisord takes minutes to start.
const PATIENCE: Duration = Duration::from_secs(300);

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
}
