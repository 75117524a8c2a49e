#![cfg_attr(not(test), no_main)]
//! trace: runs a program, notes what it does, and makes a system call of it fail: ptrace(2), for a fraction of what strace
//! costs, and over the calls of x86-64 and of i386 in one row. The log has
//!
//! - with `calls` a line for each call: the size of its registers in bits, its number, and the path of the program if it
//!   executed one; the first are those by which trace itself executes the program;
//! - with `PLACE=RESULT` the call in that place, counted from 0 on, which is not made: the program gets RESULT, an errno
//!   as its negative, and runs untraced from there on. Nothing if it ends before;
//! - with `programs` a line for each program that it or a child of it executes: the path.

use std::convert::Infallible;
use std::ffi::{CStr, c_int, c_void};
use std::fmt::Write;
use std::fs;
use std::ptr::without_provenance_mut;

use common::{Cli, Exit, Link, OrFail, Outcome, process};
use nix::errno::Errno;
use nix::libc::{self, c_long, c_ulong};
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

const TRACE: Link = Link {
    name: "trace",
    usage: "log calls|programs|place=result prog...",
    summary: "note what a program does",
    options: common::options![],
    opens: false,
    lent: None,
    run,
};

common::main!(TRACE);

fn run(cli: &mut Cli) -> Outcome<'_> {
    cli.no_options()?;
    let log = cli.operand("log")?.0.to_str().map_err(|_| Exit::usage("not UTF-8"))?;
    let task = Task::parse(cli.operand("task")?.0).ok_or_else(|| Exit::usage("no such task"))?;
    let chain = cli.rest()?;
    let Some(pid) = process::fork().or_fail("fork")? else {
        ptrace::traceme().or_fail("ask for a tracer")?;
        raise(Signal::SIGSTOP).or_fail("wait for the tracer")?;
        return Ok(chain);
    };
    let pid = i32::try_from(pid).map_err(|_| Errno::EINVAL).or_fail("fork")?;
    let mut traced = Traced { pid: Pid::from_raw(pid), log: String::new() };
    let status = traced.follow(task).or_fail("trace the program")?;
    // Not before the fork: the program would have it open.
    fs::write(log, traced.log)
        .map_err(|error| Exit::fatal(format_args!("unable to write the log: {error}")))?;
    Err(Exit::answer(status, ""))
}

#[derive(Clone, Copy)]
enum Task {
    Calls,
    Programs,
    Fail { place: usize, result: c_long },
}

impl Task {
    fn parse(word: &CStr) -> Option<Self> {
        match word.to_str().ok()? {
            "calls" => Some(Self::Calls),
            "programs" => Some(Self::Programs),
            word => {
                let (place, result) = word.split_once('=')?;
                Some(Self::Fail { place: place.parse().ok()?, result: result.parse().ok()? })
            }
        }
    }
}

/// Registers of a call, by their places in [`PLACES`]: its number, its result, and the segment of the code that makes it.
#[derive(Clone, Copy)]
enum Register {
    Number,
    Result,
    Code,
}

/// Where ptrace(2) finds them. Other architectures have no such places: EIO.
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
const PLACES: [c_int; 3] = [-1; 3];
#[cfg(target_arch = "x86")]
const PLACES: [c_int; 3] = [libc::ORIG_EAX, libc::EAX, libc::CS];
#[cfg(target_arch = "x86_64")]
const PLACES: [c_int; 3] = [libc::ORIG_RAX, libc::RAX, libc::CS];

impl Register {
    fn address(self) -> *mut c_void {
        let place = usize::try_from(PLACES[self as usize]).unwrap_or(usize::MAX);
        without_provenance_mut(place.wrapping_mul(size_of::<c_long>()))
    }
}

/// A child that has asked for its tracer, and stops itself.
struct Traced {
    pid: Pid,
    log: String,
}

/// Why there is nothing more to see: the program's status, a signal N as 128 + N, or a call of ours that failed.
enum End {
    Status(i32),
    Failed(Errno),
}

/// Whether it executed a program meanwhile.
#[derive(PartialEq)]
enum Crossed {
    Here,
    IntoProgram,
}

impl From<Errno> for End {
    fn from(errno: Errno) -> Self {
        Self::Failed(errno)
    }
}

impl Traced {
    /// Goes with it to its end. Returns its status.
    fn follow(&mut self, task: Task) -> nix::Result<i32> {
        match self.until_the_end(task) {
            Ok(never) => match never {},
            Err(End::Status(status)) => Ok(status),
            Err(End::Failed(errno)) => Err(errno),
        }
    }

    fn until_the_end(&mut self, task: Task) -> Result<Infallible, End> {
        self.wait()?;
        let options =
            Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_EXITKILL;
        ptrace::setoptions(self.pid, options)?;
        match task {
            Task::Calls => loop {
                self.cross()?;
                self.note_call()?;
                if self.cross()? == Crossed::IntoProgram {
                    self.log.push(' ');
                    self.note_program(self.pid)?;
                }
                self.log.push('\n');
            },
            Task::Fail { place, result } => {
                for _ in 0..place {
                    self.cross()?;
                    self.cross()?;
                }
                self.cross()?;
                self.note_call()?;
                self.set(Register::Number, -1)?; // no call has it
                self.cross()?;
                self.set(Register::Result, result)?;
                ptrace::detach(self.pid, None)?;
                loop {
                    self.wait()?;
                }
            }
            Task::Programs => {
                let children =
                    Options::PTRACE_O_TRACEFORK | Options::PTRACE_O_TRACEVFORK | Options::PTRACE_O_TRACECLONE;
                ptrace::setoptions(self.pid, options | children)?;
                self.note_programs()
            }
        }
    }

    /// Lets it run to the entry of its next call, or to the return from this one.
    fn cross(&self) -> Result<Crossed, End> {
        let mut crossed = Crossed::Here;
        let mut signal = None;
        loop {
            ptrace::syscall(self.pid, signal)?;
            signal = match self.wait()? {
                WaitStatus::PtraceSyscall(_) => return Ok(crossed),
                WaitStatus::Stopped(_, signal) => Some(signal),
                _ => {
                    crossed = Crossed::IntoProgram; // the one event that is asked for
                    None
                }
            }
        }
    }

    /// Waits for its next stop.
    fn wait(&self) -> Result<WaitStatus, End> {
        let stop = waitpid(self.pid, None)?;
        status(stop).map_or(Ok(stop), |status| Err(End::Status(status)))
    }

    /// Lets it and its children run from program to program, to the end of all.
    fn note_programs(&mut self) -> Result<Infallible, End> {
        let mut of_program = None;
        ptrace::cont(self.pid, None)?;
        loop {
            let stop = match waitpid(None, Some(WaitPidFlag::__WALL)) {
                Err(Errno::ECHILD) => return Err(of_program.map_or(End::Failed(Errno::ECHILD), End::Status)),
                stop => stop?,
            };
            let (pid, signal) = match stop {
                WaitStatus::PtraceEvent(pid, _, event) => {
                    if event == Event::PTRACE_EVENT_EXEC as i32 {
                        self.note_program(pid)?;
                        self.log.push('\n');
                    }
                    (pid, None)
                }
                // A new child is stopped by the kernel so.
                WaitStatus::Stopped(pid, signal) => {
                    (pid, Some(signal).filter(|signal| *signal != Signal::SIGSTOP))
                }
                end => {
                    if end.pid() == Some(self.pid) {
                        of_program = status(end);
                    }
                    continue;
                }
            };
            match ptrace::cont(pid, signal) {
                Err(Errno::ESRCH) => {} // killed meanwhile, which is waited for
                other => other?,
            }
        }
    }

    /// Notes the call at whose entry it stands.
    fn note_call(&mut self) -> nix::Result<()> {
        let bits = 8 * word(self.pid)?;
        let number = ptrace::read_user(self.pid, Register::Number.address())?;
        let _ = write!(self.log, "{bits} {number}"); // a String takes everything
        Ok(())
    }

    fn set(&self, register: Register, value: c_long) -> nix::Result<()> {
        ptrace::write_user(self.pid, register.address(), value)
    }

    /// Notes the path of the program that was just executed, as it was given: `AT_EXECFN` of getauxval(3).
    fn note_program(&mut self, pid: Pid) -> nix::Result<()> {
        let auxiliary = fs::read(format!("/proc/{pid}/auxv"));
        let auxiliary = auxiliary.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
        let size = word(pid)?;
        let number = |bytes: &[u8]| {
            let mut word = [0; size_of::<c_ulong>()];
            word[..size].copy_from_slice(bytes); // of fewer bytes on a machine alone that has the low ones first
            c_ulong::from_ne_bytes(word)
        };
        let mut pairs = auxiliary.chunks_exact(2 * size).map(|pair| pair.split_at(size));
        let path = pairs.find(|(key, _)| number(key) == libc::AT_EXECFN).ok_or(Errno::ENOENT)?.1;
        let mut place = usize::try_from(number(path)).map_err(|_| Errno::EFAULT)?;
        loop {
            let word = ptrace::read(pid, without_provenance_mut(place))?.to_ne_bytes();
            let end = word.iter().position(|byte| *byte == 0);
            let _ = write!(self.log, "{}", word[..end.unwrap_or(word.len())].escape_ascii()); // as above
            if end.is_some() {
                return Ok(());
            }
            place += word.len();
        }
    }
}

/// The status of one that has ended.
fn status(stop: WaitStatus) -> Option<i32> {
    match stop {
        WaitStatus::Exited(_, status) => Some(status),
        WaitStatus::Signaled(_, signal, _) => Some(128 + signal as i32),
        _ => None,
    }
}

/// The size of a word of this process, in bytes.
fn word(pid: Pid) -> nix::Result<usize> {
    const OF_I386: c_long = 0x23; // what Linux selects for code of 32 bits
    let i386 = cfg!(target_arch = "x86_64") && ptrace::read_user(pid, Register::Code.address())? == OF_I386;
    Ok(if i386 { 4 } else { size_of::<c_long>() })
}
