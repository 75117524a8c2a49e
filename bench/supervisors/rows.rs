//! The figures.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, thread};

use nix::sys::signal::{Signal, kill};

use super::peers::Peer;
use super::service::{CrashLoop, Run, Service};
use super::support::{is_call, lines, parted, sweep};
use super::tools::{ask, count, micros, milliseconds, now, succeeds, supervisor_calls, waited_in_vain};
use super::{Bench, LIFE, MANY, ROUNDS, SERVICES, STILL};

impl Bench {
    pub(crate) fn sizes(&mut self) {
        for (which, what) in ["supervisor", "control program"].into_iter().enumerate() {
            let files = self.peers.iter().map(|peer| peer.program(which));
            self.table.sizes(format_args!("size of the {what}, kB"), files);
        }
    }

    pub(crate) fn memory(&mut self) {
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
    pub(crate) fn idle(&mut self) {
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
    pub(crate) fn restarts(&mut self, place: &str) {
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
    pub(crate) fn restart_calls(&mut self) {
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
    pub(crate) fn down_in_a_crash_loop(&mut self) {
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
    pub(crate) fn status(&mut self) {
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
    pub(crate) fn control(&mut self) {
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
