//! What the tests share: the programs under test, one way to run a command and look at all of its outcome,
//! and what a test needs of the machine.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Once, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::signals;
use nix::errno::Errno;
use nix::libc::c_long;

mod accounts;
mod calls;
mod cgroups;
mod containers;
mod environment;
pub(crate) mod locks;
mod mounts;
mod peers;
mod processes;
mod random;
mod share;
mod terminal;
mod tracer;
mod wait;

pub(crate) use accounts::*;
pub(crate) use calls::*;
pub(crate) use cgroups::*;
pub(crate) use containers::*;
pub(crate) use environment::*;
pub(crate) use mounts::*;
pub(crate) use peers::*;
pub(crate) use processes::*;
pub(crate) use random::*;
pub(crate) use share::*;
pub(crate) use terminal::*;
pub(crate) use tracer::*;
pub(crate) use wait::*;

/// Where cargo put what it built for these tests.
fn built() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_fdmove")).parent().unwrap()
}

/// The root of the source.
pub(crate) fn house() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the source.
pub(crate) fn source(file: impl AsRef<Path>) -> String {
    let file = house().join(file);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The directory of the programs under test: those just built, or, with `CATENA_BIN`, installed ones.
pub(crate) fn bin() -> PathBuf {
    std::env::var_os("CATENA_BIN")
        .map_or_else(|| built().to_owned(), |bin| PathBuf::from(bin).canonicalize().unwrap())
}

/// One of ours: those that svctl executes are installed elsewhere.
pub(crate) fn program(name: &str) -> PathBuf {
    let own = bin().join(name);
    if own.exists() { own } else { executed().join(name) }
}

/// Where the programs are installed that svctl executes.
fn executed() -> PathBuf {
    bin().join("../libexec/catena")
}

/// A program of tests/programs/, which the tests run at the end of a chain.
pub(crate) fn example(name: &str) -> PathBuf {
    built().join("examples").join(name)
}

/// The link `name`, in front in PATH with all the others.
pub(crate) fn link(name: &str) -> Command {
    prepared(program(name))
}

/// A shell script that finds the links in PATH and their directory in `$B`. (`umask` is the shell's own: write
/// `$B/umask`.)
pub(crate) fn sh(script: &str) -> Command {
    // By its path it is spawned without a copy of all that this process has mapped.
    let mut command = prepared("/bin/sh");
    command.arg0("sh").args(["-c", script]);
    command
}

/// Any other program, with the same environment. `unshare` is the base system's, which has more options than the link.
pub(crate) fn prepared(program: impl AsRef<std::ffi::OsStr>) -> Command {
    default_signals();
    let program = program.as_ref();
    let mut command = if program == "unshare" { Command::new(BASE_UNSHARE) } else { Command::new(program) };
    let ours = [bin(), executed()];
    let ours =
        ours.iter().filter(|directory| directory.exists()).map(|directory| directory.display().to_string());
    let ours = ours.collect::<Vec<_>>().join(":");
    command.env("PATH", format!("{ours}:{BASE_PATH}")).env("B", bin());
    command.stdin(Stdio::null());
    command
}

/// The base system alone in PATH, for scripts that mean its tools by the names of links.
pub(crate) const BASE_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Gives signals their default actions back: a shell's `&`, or nohup, has the tests ignore some, and they all that they start.
fn default_signals() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        // SIGPIPE is ignored by Rust itself, and by none of its children.
        let ignored = signals::ignored() & !signals::mask_of(&[signals::PIPE]);
        for signal in (1..=64).filter(|signal| ignored & signals::mask_of(&[*signal]) != 0) {
            let _ = signals::set_ignored(signal, false); // libc keeps some for itself
        }
    });
}

/// The base system's unshare, for lines in which the link would be found first.
pub(crate) const BASE_UNSHARE: &str = "/usr/bin/unshare";

/// All that a command leaves: a signal N as status 128 + N, as in the shell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Outcome {
    outcome(&command.output().unwrap_or_else(|error| panic!("{command:?}: {error}")))
}

fn outcome(output: &Output) -> Outcome {
    let status = output.status;
    Outcome {
        status: status.code().unwrap_or_else(|| 128 + status.signal().unwrap()),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Success, and this on stdout alone.
pub(crate) fn prints(stdout: impl Into<String>) -> Outcome {
    Outcome { status: 0, stdout: stdout.into(), stderr: String::new() }
}

/// This status, and this on stderr alone.
pub(crate) fn fails(status: i32, stderr: impl Into<String>) -> Outcome {
    Outcome { status, stdout: String::new(), stderr: stderr.into() }
}

/// A usage error of `name`: status 100, what is wrong, and the usage line.
pub(crate) fn misuse(name: &str, problem: &str) -> Outcome {
    let usage = catena::LINKS.iter().chain(catena::PROGRAMS).find(|link| link.name == name).unwrap().usage;
    let form = format!("{name} {usage}");
    fails(100, format!("{name}: {problem}\n{name}: usage: {}\n", form.trim_end()))
}

/// Whether the C library of the programs under test is musl.
pub(crate) fn musl() -> bool {
    static MUSL: OnceLock<bool> = OnceLock::new();
    *MUSL.get_or_init(|| {
        let text = b"Symbolic link loop"; // musl's for ELOOP: in the program itself if it is static
        cfg!(target_env = "musl")
            || std::fs::read(bin().join("setlock")).unwrap().windows(text.len()).any(|part| part == text)
    })
}

/// The text of the C library of the programs under test for `errno`: the two that we build with differ in
/// some.
pub(crate) fn says(errno: Errno) -> &'static str {
    let musl = musl();
    match errno {
        Errno::ELOOP if musl => "Symbolic link loop",
        Errno::ELOOP => "Too many levels of symbolic links",
        Errno::EPERM => "Operation not permitted",
        Errno::ENOENT => "No such file or directory",
        Errno::EIO if musl => "I/O error",
        Errno::EIO => "Input/output error",
        Errno::ENXIO => "No such device or address",
        Errno::E2BIG => "Argument list too long",
        Errno::ENOEXEC => "Exec format error",
        Errno::EBADF => "Bad file descriptor",
        Errno::EACCES => "Permission denied",
        Errno::EEXIST => "File exists",
        Errno::ENOTDIR => "Not a directory",
        Errno::EISDIR => "Is a directory",
        Errno::ENOSYS => "Function not implemented",
        Errno::EOPNOTSUPP if musl => "Not supported",
        Errno::EOPNOTSUPP => "Operation not supported",
        Errno::EINVAL => "Invalid argument",
        Errno::ENOMEM if musl => "Out of memory",
        Errno::ENOMEM => "Cannot allocate memory",
        Errno::EFBIG => "File too large",
        Errno::ENOSPC => "No space left on device",
        Errno::EMFILE if musl => "No file descriptors available",
        Errno::EMFILE => "Too many open files",
        Errno::EPIPE => "Broken pipe",
        Errno::EADDRINUSE if musl => "Address in use",
        Errno::EADDRINUSE => "Address already in use",
        Errno::EADDRNOTAVAIL if musl => "Address not available",
        Errno::EADDRNOTAVAIL => "Cannot assign requested address",
        Errno::EAGAIN => "Resource temporarily unavailable",
        Errno::EROFS => "Read-only file system",
        Errno::ENAMETOOLONG if musl => "Filename too long",
        Errno::ENAMETOOLONG => "File name too long",
        other => panic!("no text for {other:?} yet"),
    }
}

/// A value of the command line as a message shows it.
pub(crate) fn given(value: &str) -> String {
    if value.is_empty() { "the value is empty".into() } else { value.replace('\n', "\\n") }
}

/// Needs of a test, each checked in turn; without one of them the test is skipped, and counted so.
#[macro_export]
macro_rules! needs {
    ($($need:expr),+ $(,)?) => {
        $(if let Err(what) = $need { $crate::support::skip(&what); return; })+
    };
}

/// Makes tests in a module of their own, each of which calls the function of its name with this program.
macro_rules! tests_on {
    ($module:ident, $program:expr, $need:expr; $($name:ident),+ $(,)?) => {
        mod $module {
            $(#[test]
            fn $name() {
                $crate::needs!($need);
                super::$name($program);
            })+
        }
    };
}
pub(crate) use tests_on;

/// Uid 0 with more than one id to change to.
pub(crate) fn root() -> Result<(), String> {
    if nix::unistd::geteuid().is_root() { Ok(()) } else { Err("root".into()) }
}

/// A program of another package.
pub(crate) fn tool(name: &str) -> Result<(), String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let standard = std::env::split_paths(BASE_PATH);
    let found = std::env::split_paths(&path).chain(standard).any(|directory| directory.join(name).is_file());
    if found { Ok(()) } else { Err(format!("the program {name}")) }
}

/// Says that the running test was skipped: in the file that `make check` counts, or on stderr past the test
/// harness. With `CATENA_REQUIRE=all` it fails instead.
pub(crate) fn skip(what: &str) {
    let required = std::env::var("CATENA_REQUIRE").is_ok_and(|value| value == "all");
    assert!(!required, "needs {what}");
    let line = format!("skipped {}: needs {what}\n", std::thread::current().name().unwrap_or("?"));
    let file = std::env::var_os("CATENA_SKIPPED").unwrap_or_else(|| "/dev/stderr".into());
    OpenOptions::new().append(true).create(true).open(file).unwrap().write_all(line.as_bytes()).unwrap();
}

/// Runs a shell script in `directory`.
pub(crate) fn run_in(directory: impl AsRef<Path>, script: &str) -> Outcome {
    run(sh(script).current_dir(directory))
}

/// A shell script that file permissions bind, as they do not bind root.
pub(crate) fn mortal(script: &str) -> Command {
    if root().is_err() {
        return sh(script);
    }
    let mut command = prepared("setpriv");
    command.args(["--bounding-set=-dac_override,-dac_read_search", "sh", "-c", script]);
    command
}

/// A shell script of an account with one supplementary group, to give words to.
pub(crate) fn in_group(group: &str, script: &str) -> Command {
    let mut command = prepared("setpriv");
    command.args(["--reuid=4240", "--regid=4240", &format!("--groups={group}"), "sh", "-c", script, "sh"]);
    command
}

/// What a command that asks over a socket is answered.
#[track_caller]
pub(crate) fn answers_to(command: &mut Command, requests: &[&str]) -> Vec<String> {
    let outcome = run(command.args(requests));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{command:?}");
    outcome.stdout.lines().map(str::to_owned).collect()
}

/// A new directory that every account may enter.
pub(crate) fn open_directory() -> tempfile::TempDir {
    let directory = tempfile::TempDir::new().unwrap();
    std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    directory
}

/// The permissions of a file.
pub(crate) fn mode(file: &Path) -> u32 {
    file.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

/// The text of a file, or nothing; bytes that are no UTF-8 are replaced.
pub(crate) fn text(file: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default()).into_owned()
}

/// The time since 1970.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Copies a program to where every account may execute it, at once: another process writes it. If this one
/// did, what a test beside this one forks meanwhile would hold the file open, and it would be busy.
pub(crate) fn install(program: &Path, to: &Path) {
    assert_eq!(run(prepared("install").args(["-m", "755"]).args([program, to])), prints(""));
}

/// Writes a script that can be executed at once, as [`install`] does.
pub(crate) fn script(to: &Path, text: &str) {
    let write = "printf %s \"$1\" >\"$0\" && chmod 755 \"$0\"";
    assert_eq!(run(sh(write).arg(to).arg(text)), prints(""));
}

/// A command that runs while the test goes on.
pub(crate) struct Background(Child);

impl Background {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits until it sleeps in one of these system calls.
    pub(crate) fn wait_until_in(&self, calls: &[c_long]) {
        wait_until_in(self.pid(), calls);
    }

    /// Waits for its end.
    pub(crate) fn finish(self) -> Outcome {
        outcome(&self.0.wait_with_output().unwrap())
    }
}

/// The fds below 10 of the program after a chain that was started with these redirections of the shell: a
/// line for each, with its number and the last part of its file's name.
pub(crate) fn descriptors(directory: impl AsRef<Path>, chain: &str, redirections: &str) -> Vec<String> {
    let close = "</dev/null >/dev/null 2>/dev/null 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-";
    // The program does nothing, and the test looks at it: to look at itself it would need fds.
    let script = format!("exec {chain} sleep 600 {close} {redirections}");
    let mut program = sh(&script).current_dir(directory).spawn().unwrap();
    wait_until_in(program.id(), ASLEEP);
    let found = (0..10).filter_map(|fd| {
        let file = std::fs::read_link(format!("/proc/{}/fd/{fd}", program.id())).ok()?;
        Some(format!("{fd} {}", file.file_name().unwrap().to_string_lossy()))
    });
    let found = found.collect();
    program.kill().unwrap();
    program.wait().unwrap();
    found
}

/// Asserts that of the lines of the example count in a log each writer's numbers are all there, once and in order. The
/// supervisor's own lines and empty ones may be between them.
pub(crate) fn assert_counted(log: &str, supervisor: &str, context: &str) {
    let own = format!("warning: {supervisor}: ");
    let mut next: HashMap<u64, u64> = HashMap::new();
    for line in log.lines().filter(|line| !line.starts_with(&own) && !line.is_empty()) {
        let number = |text: &str| text.parse::<u64>().ok();
        let parts = line.split_once(' ').and_then(|(pid, count)| Some((number(pid)?, number(count)?)));
        let (pid, number) = parts.unwrap_or_else(|| panic!("{context}: torn: {line:?}"));
        let next = next.entry(pid).or_default();
        assert_eq!(number, *next, "{context}: of {pid}");
        *next += 1;
    }
}

/// Says a figure on stderr, past the test harness.
pub(crate) fn tell(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Puts programs into a new root directory, and what their loader needs there.
pub(crate) fn install_root(root: &Path, programs: &[&Path]) {
    for program in programs {
        install(program, &root.join(program.file_name().unwrap()));
        let libraries = run(prepared("ldd").arg(program)).stdout; // none if it is static
        let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
        for library in libraries.lines().filter_map(path) {
            let to = root.join(library.strip_prefix("/").unwrap());
            assert_eq!(run(prepared("install").args(["-D", "-m", "755"]).args([library, to])), prints(""));
        }
    }
}

/// The differences of two texts, line by line: empty if they are equal.
pub(crate) fn differences(expected: &str, found: &str) -> String {
    let only = |one: &str, other: &str, sign: &str| {
        let lines = one.lines().filter(|line| !other.lines().any(|same| same == *line));
        lines.fold(String::new(), |text, line| text + "\n" + sign + line)
    };
    let lines = only(expected, found, "- ") + &only(found, expected, "+ ");
    if lines.is_empty() && expected != found { "the same lines in another order".into() } else { lines }
}
