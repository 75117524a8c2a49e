//! Programs that hold a lock, and what every two of them must keep: setlock and pidlock of ours, and the lockers of
//! other packages.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use nix::libc::{SYS_clock_nanosleep, SYS_fcntl, SYS_flock, SYS_nanosleep, c_long};
use tempfile::TempDir;

use super::*;
use crate::needs;

/// Where a process is that waits for a lock: in the call that takes it, or between two tries.
pub(crate) const WAITING: &[c_long] = &[SYS_flock, SYS_fcntl, SYS_clock_nanosleep, SYS_nanosleep];

/// A chain with a program at its end that says when it runs and lives until it is released.
pub(crate) struct Holder {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Holder {
    /// Starts `words` in `directory` with that program behind them.
    pub(crate) fn start(directory: &Path, words: &[&str]) -> Self {
        let mut command =
            prepared(if words[0].contains('/') { words[0].into() } else { bin().join(words[0]) });
        command.args(&words[1..]).args(["sh", "-c", "echo held; read line; exit 0"]).current_dir(directory);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// As [`Holder::start`], and waits until the program runs.
    pub(crate) fn holding(directory: &Path, words: &[&str]) -> Self {
        let mut holder = Self::start(directory, words);
        holder.wait_for_program();
        holder
    }

    /// Waits until the program runs.
    pub(crate) fn wait_for_program(&mut self) {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the process waits for a lock.
    pub(crate) fn wait_until_blocked(&self) {
        wait_until_in(self.pid(), WAITING);
    }

    /// Lets the program end.
    pub(crate) fn let_end(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Lets the program end, and waits for that.
    pub(crate) fn release(mut self) {
        self.let_end();
        assert!(self.child.wait().unwrap().success());
    }
}

/// What a link says where the lock on `file` is taken, before it names the holder.
pub(crate) fn locked_by(link: &str, file: &str) -> Outcome {
    fails(111, format!("{link}: fatal: unable to lock {file}: it is locked\n"))
}

/// What a script in `directory` leaves, which finds a lock that is taken, but for the line that names the holder.
pub(crate) fn contend(directory: &TempDir, script: &str) -> Outcome {
    without_holder(run_in(directory, script))
}

pub(crate) fn without_holder(outcome: Outcome) -> Outcome {
    let (said, hint) = outcome.stderr.split_once('\n').unwrap_or_else(|| panic!("{outcome:?}"));
    assert!(hint.contains(" hint: ") && hint.contains(" holds it"), "{outcome:?}");
    Outcome { stderr: format!("{said}\n"), ..outcome }
}

/// The other holder of a lock that a test plays against: how it waits, how it does not, and what it says of
/// a lock that is taken.
struct Locker<'a> {
    waits: &'a [&'a str],
    fails: &'a [&'a str],
    busy: i32,
}

/// Lets `ours` and the other one hold the file `f` in turns, the next one waiting for it each time.
fn take_turns(ours: &Locker, other: &Locker) {
    let directory = TempDir::new().unwrap();
    let contend = |locker: &Locker| {
        let program = locker.fails[0];
        let mut command = prepared(if program.contains('/') { program.into() } else { bin().join(program) });
        run(command.args(&locker.fails[1..]).args(["echo", "not excluded"]).current_dir(&directory))
    };
    let mut holder = Holder::holding(directory.path(), ours.waits);
    for (holding, waiting) in [(ours, other), (other, ours), (ours, other)] {
        let refused = contend(waiting);
        assert_eq!((refused.status, &*refused.stdout), (waiting.busy, ""), "{:?}", holding.waits);
        if std::ptr::eq(waiting, ours) {
            let name = ours.waits[0];
            assert_eq!(without_holder(refused), locked_by(name, "f"));
        }
        let mut next = Holder::start(directory.path(), waiting.waits);
        next.wait_until_blocked();
        holder.release();
        next.wait_for_program();
        holder = next;
    }
    holder.release();
}

/// The tests that a link excludes each other locker and is excluded by it.
macro_rules! exclusion {
    ($link:literal) => {
        crate::support::tests_on!(exclusion, $link, Ok::<(), String>(());
            it_and_ours_exclude_each_other,
            it_and_daemontools_setlock_exclude_each_other,
            it_and_chpst_exclude_each_other,
            it_and_flock_exclude_each_other,
            it_and_s6_setlock_exclude_each_other,
        );
    };
}
pub(crate) use exclusion;

fn against(link: &str, other: &Locker) {
    let ours = Locker { waits: &[link, "f"], fails: &[link, "-n", "f"], busy: 111 };
    take_turns(&ours, other);
}

pub(crate) fn it_and_ours_exclude_each_other(link: &str) {
    for other in ["setlock", "pidlock"] {
        against(link, &Locker { waits: &[other, "-N", "f"], fails: &[other, "-n", "f"], busy: 111 });
    }
}

pub(crate) fn it_and_daemontools_setlock_exclude_each_other(link: &str) {
    needs!(peer("setlock"));
    let setlock = &peer("setlock").unwrap();
    against(link, &Locker { waits: &[setlock, "f"], fails: &[setlock, "-n", "f"], busy: 111 });
}

pub(crate) fn it_and_chpst_exclude_each_other(link: &str) {
    needs!(peer("chpst"));
    let chpst = &peer("chpst").unwrap();
    against(link, &Locker { waits: &[chpst, "-l", "f"], fails: &[chpst, "-L", "f"], busy: 111 });
}

pub(crate) fn it_and_flock_exclude_each_other(link: &str) {
    needs!(peer("flock"));
    let flock = &peer("flock").unwrap();
    against(link, &Locker { waits: &[flock, "f"], fails: &[flock, "-n", "f"], busy: 1 });
}

pub(crate) fn it_and_s6_setlock_exclude_each_other(link: &str) {
    needs!(peer("s6-setlock"));
    let setlock = &peer("s6-setlock").unwrap();
    against(link, &Locker { waits: &[setlock, "f"], fails: &[setlock, "-n", "f"], busy: 1 });
}
