#![cfg_attr(not(test), no_main)]
//! inject: runs a program, and makes one of its system calls fail, or give another result, without being made: ptrace(2).
//! With `PLACE=RESULT` that is the call in this place, counted from 0 on, and RESULT is what the kernel returns, an errno
//! as its negative; the log then has this call, or nothing if the program ended before it. With `none` all calls are
//! made, and the log has a line for each: the size of its registers in bits, its number, and the path of the program if
//! it executed one. The first calls are those by which inject itself executes the program.

use std::convert::Infallible;
use std::ffi::{CStr, c_int, c_void};
use std::fmt::Write;
use std::fs;
use std::ptr::without_provenance_mut;

use common::{Cli, Exit, Link, OrFail, Outcome, process};
use nix::errno::Errno;
use nix::libc::{self, SYS_execve, c_long};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

const INJECT: Link = Link {
    name: "inject",
    usage: "log none|place=result prog...",
    summary: "make a system call of a program fail",
    options: &[],
    opens: false,
    run,
};

common::main!(INJECT);

/// The call that is to have another result: its place, and the result.
type Fault = Option<(usize, c_long)>;

fn run(cli: &mut Cli) -> Outcome {
    cli.no_options()?;
    let log = cli.operand("log")?.0.to_str().map_err(|_| Exit::usage("not UTF-8"))?;
    let fault = parsed(cli.operand("fault")?.0).ok_or_else(|| Exit::usage("no such fault"))?;
    let chain = cli.rest()?;
    let Some(pid) = process::fork().or_fail("fork")? else {
        ptrace::traceme().or_fail("ask for a tracer")?;
        raise(Signal::SIGSTOP).or_fail("wait for the tracer")?;
        return Ok(chain);
    };
    let mut traced = Traced { pid: Pid::from_raw(pid.cast_signed()), log: String::new() };
    let status = traced.follow(fault).or_fail("trace the program")?;
    // Not before the fork: the program would have it open.
    fs::write(log, traced.log)
        .map_err(|error| Exit::fatal(format_args!("unable to write the log: {error}")))?;
    Err(Exit::answer(status, ""))
}

fn parsed(word: &CStr) -> Option<Fault> {
    let word = word.to_str().ok()?;
    if word == "none" {
        return Some(None);
    }
    let (place, result) = word.split_once('=')?;
    Some(Some((place.parse().ok()?, result.parse().ok()?)))
}

/// Where ptrace(2) finds the registers of a call: its number, its result, its first argument, that of a call of i386, and
/// the segment of the code that makes it. Other architectures have no such places: EIO.
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
const PLACES: [c_int; 5] = [-1; 5];
#[cfg(target_arch = "x86")]
const PLACES: [c_int; 5] = [libc::ORIG_EAX, libc::EAX, libc::EBX, libc::EBX, libc::CS];
#[cfg(target_arch = "x86_64")]
const PLACES: [c_int; 5] = [libc::ORIG_RAX, libc::RAX, libc::RDI, libc::RBX, libc::CS];

/// The registers, as places among these.
#[derive(Clone, Copy)]
enum Register {
    Number,
    Result,
    First,
    FirstOfI386,
    Code,
}

/// The number of a call of i386 that executes a program; that of others is libc's.
const EXECVE_OF_I386: c_long = 11;

/// A child that has asked for its tracer, and stops itself.
struct Traced {
    pid: Pid,
    log: String,
}

/// Why there is nothing more to see: a status, a signal N as 128 + N, or a call of ours that failed.
enum End {
    Status(i32),
    Failed(Errno),
}

impl From<Errno> for End {
    fn from(errno: Errno) -> Self {
        Self::Failed(errno)
    }
}

impl Traced {
    /// Goes with it from call to call. Returns its status.
    fn follow(&mut self, fault: Fault) -> nix::Result<i32> {
        match self.until_it_ends(fault) {
            Ok(never) => match never {},
            Err(End::Status(status)) => Ok(status),
            Err(End::Failed(errno)) => Err(errno),
        }
    }

    fn until_it_ends(&mut self, fault: Fault) -> Result<Infallible, End> {
        self.wait()?;
        ptrace::setoptions(
            self.pid,
            Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_EXITKILL,
        )?;
        let mut place = 0;
        loop {
            self.cross()?;
            match fault {
                None => self.note()?,
                Some((of, result)) if of == place => self.fail(result)?,
                Some(_) => self.cross()?,
            }
            place += 1;
        }
    }

    /// From the entry of a call that is made to the return from it.
    fn note(&mut self) -> Result<(), End> {
        let path = self.call()?;
        self.cross()?;
        if let Some(path) = path.filter(|_| self.register(Register::Result) == Ok(0)) {
            let _ = write!(self.log, " {}", path.escape_ascii()); // a String takes everything
        }
        self.log.push('\n');
        Ok(())
    }

    /// Over a call that is not made, to the end of the program, which runs untraced from there on.
    fn fail(&mut self, result: c_long) -> Result<(), End> {
        self.call()?;
        self.set(Register::Number, -1)?;
        self.cross()?;
        self.set(Register::Result, result)?;
        ptrace::detach(self.pid, None)?;
        loop {
            self.wait()?;
        }
    }

    /// Notes the call at whose entry it stands. Returns the path of the program that it is to execute.
    fn call(&mut self) -> nix::Result<Option<Vec<u8>>> {
        // The selector that Linux gives to code of 32 bits.
        let short = cfg!(target_arch = "x86") || self.register(Register::Code)? == 0x23;
        let (bits, execve, first) = if short {
            (32, EXECVE_OF_I386, Register::FirstOfI386)
        } else {
            (64, SYS_execve, Register::First)
        };
        let number = self.register(Register::Number)?;
        let _ = write!(self.log, "{bits} {number}"); // a String takes everything
        if number == execve { self.text(self.register(first)?).map(Some) } else { Ok(None) }
    }

    fn register(&self, register: Register) -> nix::Result<c_long> {
        ptrace::read_user(self.pid, register.address())
    }

    fn set(&self, register: Register, value: c_long) -> nix::Result<()> {
        ptrace::write_user(self.pid, register.address(), value)
    }

    /// The text at this address of its memory.
    fn text(&self, address: c_long) -> nix::Result<Vec<u8>> {
        let mut text = Vec::new();
        let mut next = address.cast_unsigned() as usize;
        loop {
            let word = ptrace::read(self.pid, without_provenance_mut(next))?.to_ne_bytes();
            let end = word.iter().position(|byte| *byte == 0);
            text.extend(&word[..end.unwrap_or(word.len())]);
            if end.is_some() {
                return Ok(text);
            }
            next += word.len();
        }
    }

    /// Lets it run to the entry of its next call, or to the return from this one.
    fn cross(&self) -> Result<(), End> {
        let mut signal = None;
        loop {
            ptrace::syscall(self.pid, signal)?;
            signal = match self.wait()? {
                WaitStatus::PtraceSyscall(_) => return Ok(()),
                WaitStatus::Stopped(_, signal) => Some(signal),
                _ => None, // it has executed a program
            }
        }
    }

    /// Waits for its next stop.
    fn wait(&self) -> Result<WaitStatus, End> {
        match waitpid(self.pid, None)? {
            WaitStatus::Exited(_, status) => Err(End::Status(status)),
            WaitStatus::Signaled(_, signal, _) => Err(End::Status(128 + signal as i32)),
            stop => Ok(stop),
        }
    }
}

impl Register {
    fn address(self) -> *mut c_void {
        let place = usize::try_from(PLACES[self as usize]).unwrap_or(usize::MAX);
        without_provenance_mut(place.wrapping_mul(size_of::<c_long>()))
    }
}
