//! How tests wait: for what the kernel sends no event of, with one limit for all.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use nix::libc::{SYS_clock_nanosleep, SYS_nanosleep, SYS_pause, SYS_poll, SYS_restart_syscall, c_long};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{of_i386, state};

/// The longest that a test waits for anything: long enough for a machine with ten times as much to do.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until this holds; whether it did in time. It is looked at each millisecond at first, for a loop without a pause
/// would keep the processor from what is waited for; and the less often the longer it takes, and the longer a look takes.
/// A machine that is frozen meanwhile has not waited all that time: what is waited for was frozen, too.
pub(crate) fn in_time(mut holds: impl FnMut() -> bool) -> bool {
    let mut waited = Duration::ZERO;
    loop {
        let began = Instant::now();
        if holds() {
            return true;
        }
        if waited > DEADLINE {
            return false;
        }
        let pause = (waited / 16).max(began.elapsed() * 3);
        thread::sleep(pause.clamp(Duration::from_millis(1), Duration::from_millis(20)));
        waited += began.elapsed().min(DEADLINE / 8);
    }
}

/// Waits until this holds, or fails with these words.
#[track_caller]
pub(crate) fn until(what: &str, holds: impl FnMut() -> bool) {
    assert!(in_time(holds), "timed out: {what}");
}

/// A socket at a path that nobody has any more. Another test's child has what is open here until its exec: it is left
/// once that is over.
pub(crate) fn leave_a_socket(path: impl AsRef<Path>) {
    let path = path.as_ref();
    drop(UnixListener::bind(path).unwrap());
    let asker = UnixDatagram::unbound().unwrap();
    until("a socket that nobody has", || {
        asker.connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    });
}

/// Closes the only end of a pipe that reads, `writer` being the other: see `leave_a_socket`.
pub(crate) fn close_reader(reader: OwnedFd, writer: BorrowedFd) {
    drop(reader);
    until("a pipe that nobody reads", || {
        let mut ends = [PollFd::new(writer, PollFlags::empty())];
        poll(&mut ends, PollTimeout::ZERO).unwrap() == 1
    });
}

/// A port of 127.0.0.1 at which nobody listens: see `leave_a_socket`.
pub(crate) fn free_port() -> u16 {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    until("a port that nobody has", || {
        TcpStream::connect(address).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    });
    address.port()
}

/// A call on a socket with a time limit, until nothing interrupts it: a process that is stopped and goes on, or a machine that
/// is frozen meanwhile, ends such a call without any signal being caught (signal(7)).
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Asserts that one of five tries takes less time than this, and returns how long it took: a busy machine may take
/// its time once, but not each time, as if there were a rule for it.
#[track_caller]
pub(crate) fn assert_within(limit: Duration, mut attempt: impl FnMut() -> Duration) -> Duration {
    let mut times = Vec::new();
    while times.len() < 5 {
        let time = attempt();
        if time < limit {
            return time;
        }
        times.push(time);
    }
    panic!("{times:?}, each of them longer than {limit:?}");
}

/// Waits for the end of a child; returns its status, a signal N as 128 + N, or nothing if it does not end.
pub(crate) fn status_of(child: &mut Child) -> Option<i32> {
    let mut status = None;
    in_time(|| {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.map(|status| status.code().unwrap_or_else(|| 128 + status.signal().unwrap()))
}

/// The system calls in which programs sleep that do nothing else.
pub(crate) const ASLEEP: &[c_long] = &[SYS_clock_nanosleep, SYS_nanosleep, SYS_pause];

/// The system call that a process sleeps in, or stands at where it is traced, by its number here; -1 for one
/// that no test looks for, nothing where it runs.
pub(crate) fn call_of(pid: u32) -> Option<c_long> {
    let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?;
    let number = call.split([' ', '\n']).next().and_then(|number| number.parse().ok())?;
    let mut class = [0; 5];
    let file = File::open(format!("/proc/{pid}/exe")).and_then(|mut file| file.read_exact(&mut class));
    if file.is_ok() && class == *b"\x7fELF\x01" {
        return Some(of_i386(number).unwrap_or(-1));
    }
    Some(number)
}

/// Those that the kernel goes on with by `restart_syscall(2)`, under whose number they are shown then.
const RESTARTED: [c_long; 3] = [SYS_clock_nanosleep, SYS_nanosleep, SYS_poll];

/// Whether what [`call_of`] says is one of these calls. A process that was stopped and goes on, or was frozen with its
/// machine, does not tell which of [`RESTARTED`] it is in.
pub(crate) fn is_one_of(call: Option<c_long>, calls: &[c_long]) -> bool {
    let restarted = |call| call == SYS_restart_syscall && RESTARTED.iter().any(|call| calls.contains(call));
    call.is_some_and(|call| calls.contains(&call) || restarted(call))
}

/// Waits until the process `pid` sleeps in one of these system calls.
#[track_caller]
pub(crate) fn wait_until_in(pid: u32, calls: &[c_long]) {
    let mut call = None;
    let asleep = in_time(|| {
        call = call_of(pid);
        assert!(state(pid).is_some_and(|state| state != 'Z'), "process {pid} has ended");
        is_one_of(call, calls)
    });
    assert!(asleep, "process {pid} does not wait: {call:?}");
}
