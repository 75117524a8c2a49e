//! A service under one of them.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;

use super::peers::Kind;
use super::support::proc_number;
use super::tools::{milliseconds, now};

/// What the run program does.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    Stays,
    Crashes,
}

/// A supervised service.
pub(crate) struct Service {
    pub(crate) kind: Kind,
    pub(crate) directory: PathBuf,
    pub(crate) stamps: File,
    pub(crate) supervisors: Vec<Child>,
    pub(crate) last: Stamp,
}

/// The first instruction of a run: its monotonic time, and its pid.
#[derive(Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) time: Duration,
    pub(crate) pid: Pid,
}

impl Service {
    /// The next run's stamp. It fails after ten seconds, in which any program here has long been restarted.
    pub(crate) fn next(&mut self) -> Stamp {
        let mut fds = [PollFd::new(self.stamps.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut fds, PollTimeout::from(10_000u16));
        assert_eq!(ready, Ok(1), "{}: the service does not run", self.directory.display());
        self.arrived().expect("a stamp")
    }

    /// The next run's stamp, if it is there already.
    pub(crate) fn arrived(&mut self) -> Option<Stamp> {
        let mut bytes = [0; 24];
        self.stamps.read_exact(&mut bytes).ok()?;
        let number = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let nanoseconds = u32::try_from(number(8)).expect("less than a second");
        let pid = Pid::from_raw(i32::try_from(number(16)).expect("a pid"));
        self.last = Stamp { time: Duration::new(number(0), nanoseconds), pid };
        Some(self.last)
    }

    pub(crate) fn is_down(&self) -> bool {
        fs::read(self.directory.join("supervise/status")).is_ok_and(|status| self.kind.is_down(&status))
    }

    pub(crate) fn write_control(&self, byte: u8) {
        let control = File::options().write(true).open(self.directory.join("supervise/control"));
        control.and_then(|mut control| control.write_all(&[byte])).expect("a supervisor that listens");
    }

    /// The sum of a line of a file in /proc over the supervisors.
    pub(crate) fn sum(&self, file: &str, label: &str) -> u32 {
        let number = |child: &Child| proc_number(child.id(), file, label).expect("a process");
        self.supervisors.iter().map(number).sum()
    }
}

/// A service that crashes, and gets the command to stop at a time of its own.
pub(crate) struct CrashLoop {
    pub(crate) due: Duration,
    pub(crate) asked: Option<Duration>,
    pub(crate) down: Option<Duration>,
    pub(crate) starts: u32,
}

impl CrashLoop {
    pub(crate) fn look(&mut self, service: &mut Service) {
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
    pub(crate) fn time(&self) -> Option<f64> {
        Some(milliseconds(self.asked?, self.down?))
    }
}
