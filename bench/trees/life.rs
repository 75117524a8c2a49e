//! A tree at work: its start, its stop, and what happens to it in between.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2};

use super::peers::{Kind, Peer, with};
use super::support::{median, sweep};
use super::tools::{milliseconds, now};
use super::{Bench, PATIENCE, TIMES};

/// A tree at work.
pub(crate) struct Life<'a> {
    pub(crate) peer: &'a Peer,
    pub(crate) place: &'a Path,
    pub(crate) names: &'a [String],
    pub(crate) log: bool,
    pub(crate) roots: Vec<Child>,
    pub(crate) stamps: File,
    pub(crate) pids: Vec<Pid>,
}

/// The first instruction of a run: its monotonic time, and its pid.
#[derive(Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) time: Duration,
    pid: Pid,
}

impl Life<'_> {
    /// The next run's stamp.
    fn next(&mut self) -> Stamp {
        next(&mut self.stamps, self.peer.name)
    }

    /// Starts the tree: the milliseconds until the last service runs.
    pub(crate) fn start(&mut self, programs: &Path) -> f64 {
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
    pub(crate) fn stop(mut self) -> f64 {
        let began = now();
        let signal = if self.peer.kind == Kind::Runsvdir { Signal::SIGHUP } else { Signal::SIGTERM };
        for root in &self.roots {
            let pid = Pid::from_raw(i32::try_from(root.id()).expect("a pid"));
            kill(pid, signal).expect("it lives");
        }
        if self.peer.kind == Kind::Svscan {
            for what in ["", "log"] {
                let places = fs::read_dir(self.place).expect("a directory").flatten();
                let places = places.map(|entry| entry.path().join(what));
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
                Ok(WaitStatus::StillAlive) => thread::sleep(Duration::from_micros(200)),
                _ => {}
            }
            if now() > end {
                sweep();
                return f64::NAN;
            }
        }
    }

    pub(crate) fn deaths(&mut self) -> Option<f64> {
        let mut times = Vec::new();
        for pid in std::mem::take(&mut self.pids) {
            let began = now();
            kill(pid, Signal::SIGKILL).expect("it lives");
            times.push(milliseconds(began, self.next().time));
            if is_enough(&times) {
                break;
            }
        }
        median(times)
    }

    /// The milliseconds from the start of the control program to the next run. Those that were restarted are killed
    /// next.
    pub(crate) fn restarts(&mut self) -> Option<f64> {
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
            if is_enough(&times) {
                break;
            }
        }
        median(times)
    }

    pub(crate) fn lists(&self) -> Option<f64> {
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
    pub(crate) fn new_directories(&mut self, bench: &Bench) -> Option<f64> {
        if !self.peer.scans(self.names.len()) {
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
    pub(crate) fn comebacks(&mut self) -> Option<[f64; 2]> {
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

/// Whether it need not be done more often: each takes a second, by a rule.
fn is_enough(times: &[f64]) -> bool {
    times.len() >= 3 && times.iter().all(|time| *time > 500.0)
}

/// The next run's stamp. It fails where none comes for as long as anything is waited for.
pub(crate) fn next(stamps: &mut File, who: &str) -> Stamp {
    let mut fds = [PollFd::new(stamps.as_fd(), PollFlags::POLLIN)];
    assert_eq!(
        poll(&mut fds, PollTimeout::try_from(PATIENCE).expect("a time")),
        Ok(1),
        "{who}: a service does not run"
    );
    let mut bytes = [0; 24];
    stamps.read_exact(&mut bytes).expect("a stamp");
    let number = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let nanoseconds = u32::try_from(number(8)).expect("less than a second");
    let pid = Pid::from_raw(i32::try_from(number(16)).expect("a pid"));
    Stamp { time: Duration::new(number(0), nanoseconds), pid }
}
