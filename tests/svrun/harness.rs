//! A supervisor on a service directory in a scratch directory, and how the tests look at both.

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use nix::libc::O_NONBLOCK;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::support::*;

mod client;
mod status;

pub(crate) use client::*;
pub(crate) use status::*;

/// A service that executes a line of shell at a time ([`Service::tell`]), and notes when it
/// starts and which signals it gets. It leaves at TERM.
pub(crate) const PUPPET: &str = r#"#!/bin/sh
for signal in HUP ALRM INT QUIT USR1 USR2 CONT; do trap "echo got $signal >>$D/lines" $signal; done
trap 'echo got TERM >>$D/lines; exit 0' TERM
exec 3<>$D/tell
echo start $$ >>$D/lines
while :; do read -r words <&3 && eval "$words"; done
"#;

/// As [`PUPPET`], but it leaves at no signal.
pub(crate) const STUBBORN: &str = r#"#!/bin/sh
for signal in TERM CONT; do trap "echo got $signal >>$D/lines" $signal; done
exec 3<>$D/tell
echo start $$ >>$D/lines
while :; do read -r words <&3 && eval "$words"; done
"#;

/// A service that notes its start, and is another program then.
pub(crate) const SLEEPER: &str = "#!/bin/sh\necho start $$ >>$D/lines\nexec sleep 1000000\n";

/// A logger that keeps all it reads.
pub(crate) const LOGGER: &str = "#!/bin/sh\necho log start $$ >>$D/lines\nexec cat >>$D/logged\n";

/// A finish script that notes its arguments.
pub(crate) const FINISH: &str = "#!/bin/sh\necho finish \"$@\" >>$D/lines\n";

/// A finish script that notes its arguments and waits for a line of shell ([`Service::tell_finish`]).
pub(crate) const SLOW_FINISH: &str = r#"#!/bin/sh
echo finish "$@" >>$D/lines
for signal in TERM HUP USR1 CONT; do trap "echo finish got $signal >>$D/lines" $signal; done
exec 3<>$D/tell-finish
echo finish waits $$ >>$D/lines
while :; do read -r words <&3 && eval "$words"; done
"#;

/// A signal that comes just before a shell reads is noted after the read alone. Empty lines end the reads, of
/// every FIFO in the directory that a test writes commands to, as long as there is one.
fn nudge(directory: PathBuf) {
    thread::spawn(move || {
        while let Ok(entries) = fs::read_dir(&directory) {
            for entry in entries.flatten() {
                if entry.file_name().as_bytes().starts_with(b"tell") {
                    let fifo = OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(entry.path());
                    let _ = fifo.and_then(|mut fifo| fifo.write_all(b"\n")); // nobody may be there to read
                }
            }
            thread::sleep(Duration::from_millis(100));
        }
    });
}

/// A service directory `service` in a scratch directory `$D`, the files that its scripts write there (`lines`
/// above all), and its supervisor. When this is dropped, no process of it is left.
pub(crate) struct Service {
    pub(crate) program: Program,
    pub(crate) scratch: TempDir,
    options: Vec<String>,
    supervisor: Option<Child>,
    /// What [`Service::tell`] and its like write to, held open so that nothing said is lost.
    fifos: [File; 2],
    /// The directory that has the supervisor's files.
    state: &'static str,
    /// Whether the supervisor sees other file systems than the test.
    apart: bool,
}

impl Service {
    /// Puts the files in place: scripts are what begins with `#!`.
    pub(crate) fn prepare(program: Program, files: &[(&str, &str)]) -> Self {
        let scratch = open_directory();
        assert_eq!(run_in(scratch.path(), "mkdir service; mkfifo tell tell-finish; >lines"), prints(""));
        let hold = |name| OpenOptions::new().read(true).write(true).open(scratch.path().join(name)).unwrap();
        let fifos = ["tell", "tell-finish"].map(hold);
        nudge(scratch.path().to_owned());
        let options = Vec::new();
        let service =
            Self { program, scratch, options, supervisor: None, fifos, state: "service", apart: false };
        service.write(files);
        service
    }

    /// Puts the files in place and starts the supervisor.
    pub(crate) fn start(program: Program, files: &[(&str, &str)]) -> Self {
        let mut service = Self::prepare(program, files);
        service.supervise();
        service
    }

    /// Writes files into the service directory as [`Service::prepare`] does. Another process writes them: if
    /// this one did, what a test beside this one forks meanwhile would hold a script open, and it could not
    /// be executed.
    pub(crate) fn write(&self, files: &[(&str, &str)]) {
        let mut writer = sh(r#"while [ $# -gt 0 ]; do
            case $1 in */*) mkdir -p "${1%/*}";; esac
            printf %s "$2" >"$1.new" || exit
            case $2 in '#!'*) chmod 755 "$1.new";; esac
            mv "$1.new" "$1" || exit
            shift 2
        done"#);
        writer.arg("sh").args(files.iter().flat_map(|(name, text)| [name, text])).current_dir(self.at(""));
        assert_eq!(run(&mut writer), prints(""));
    }

    /// The supervisor's command line, in the directory, with its stderr in the file `stderr`.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.program.command();
        command.args(&self.options).arg("service");
        self.adopt(command)
    }

    /// Gives a command the surroundings of a supervisor of this service.
    pub(crate) fn adopt(&self, mut command: Command) -> Command {
        let open = |name| OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        command.current_dir(self.scratch.path()).env("D", self.scratch.path());
        command.stdout(open("stdout")).stderr(open("stderr"));
        command
    }

    /// Options of the supervisors to come.
    pub(crate) fn set_options(&mut self, options: &[&str]) {
        self.options = options.iter().map(ToString::to_string).collect();
    }

    /// From now on the supervisor has its files in the directory `state`.
    pub(crate) fn keep_state_apart(&mut self) {
        self.set_options(&["-s", "state"]);
        self.state = "state";
    }

    /// The supervisor's command line in file systems of its own, which this shell script mounts.
    pub(crate) fn command_after(&mut self, mount: &str) -> Command {
        self.apart = true;
        let words = self.command();
        let mut command = self.adopt(prepared("unshare"));
        command.args(["--mount", "--propagation", "private", "sh", "-ec"]);
        command
            .arg(format!("{mount}\nexec \"$@\""))
            .arg("sh")
            .arg(words.get_program())
            .args(words.get_args());
        command
    }

    /// Starts the supervisor and waits until it answers.
    pub(crate) fn supervise(&mut self) {
        self.supervise_by(self.command());
    }

    pub(crate) fn supervise_by(&mut self, command: Command) {
        self.spawn(command);
        let pid = self.supervisor();
        // Itself: a child of one that was killed may hold the same open until it executes something.
        let answers = || {
            let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            let identity = |data: fs::Metadata| (data.dev(), data.ino());
            let ok = self.at("supervise/ok").metadata().map(identity).ok();
            ok.is_some() && files.map(|fd| fd.path().metadata().map(identity).ok()).any(|file| file == ok)
        };
        self.until("a supervisor", || answers() && self.status_now().is_some() || !lives(pid));
        self.assert_supervised();
    }

    /// Starts the supervisor, and no more.
    pub(crate) fn spawn(&mut self, mut command: Command) {
        assert!(self.supervisor.is_none());
        self.supervisor = Some(command.spawn().unwrap());
    }

    pub(crate) fn supervisor(&self) -> u32 {
        self.supervisor.as_ref().unwrap().id()
    }

    /// The process of the supervisor.
    pub(crate) fn child(&self) -> &Child {
        self.supervisor.as_ref().unwrap()
    }

    /// A path in the scratch directory, as the supervisor sees it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let path = self.scratch.path().join(name);
        match &self.supervisor {
            Some(supervisor) if self.apart => {
                PathBuf::from(format!("/proc/{}/root{}", supervisor.id(), path.display()))
            }
            _ => path,
        }
    }

    /// A path in the service directory, or, for the supervisor's files, where they are kept.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        let state = name.starts_with("supervise") || name.starts_with("log/supervise");
        self.path(if state { self.state } else { "service" }).join(name)
    }

    /// The text of a file in the service directory, or nothing.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }

    /// The text of a file in the scratch directory, or nothing.
    pub(crate) fn text(&self, name: &str) -> String {
        text(&self.path(name))
    }

    /// What the supervisor, and whoever has its stderr, said.
    pub(crate) fn stderr(&self) -> String {
        self.text("stderr")
    }

    /// The lines that the scripts wrote.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.text("lines").lines().map(str::to_owned).collect()
    }

    /// How many lines there are that begin so.
    pub(crate) fn count(&self, start: &str) -> usize {
        self.lines().iter().filter(|line| line.starts_with(start)).count()
    }

    /// Waits until there are `count` lines that begin so, and no more; returns the rest of the last one.
    pub(crate) fn nth(&self, count: usize, start: &str) -> String {
        self.until(&format!("{count} lines '{start}'"), || self.count(start) >= count);
        let lines = self.lines();
        let found: Vec<&String> = lines.iter().filter(|line| line.starts_with(start)).collect();
        assert_eq!(found.len(), count, "lines '{start}'\n{}", self.report());
        found[count - 1][start.len()..].trim_start().to_owned()
    }

    /// Waits for the `count`th start of the service; returns its pid.
    pub(crate) fn started(&self, count: usize) -> u32 {
        let pid = self.nth(count, "start ").parse().unwrap();
        // What is read in the status is written after the fork.
        self.until("its pid in the status", || self.status_now().is_some_and(|status| status.pid == pid));
        pid
    }

    /// Waits; in vain, the test fails with all there is to know.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, reached: impl Fn() -> bool) {
        assert!(in_time(reached), "{what}: not reached\n{}", self.report());
    }

    /// All there is to know.
    pub(crate) fn report(&self) -> String {
        let files = ["supervise/stat", "supervise/pid", "log/supervise/stat"];
        let files = files.map(|name| format!("{name}: {}", self.read(name).trim_end())).join("\n");
        let last = |lines: Vec<String>| lines[lines.len().saturating_sub(40)..].join("\n");
        let lines = last(self.lines());
        let (status, log) = (self.status_now(), self.log_status_now());
        let processes = self.processes();
        let processes: Vec<_> = processes.iter().map(|pid| (pid, cmdline_now(*pid))).collect();
        let stderr = last(self.stderr().lines().map(str::to_owned).collect());
        format!(
            "{status:?}\nlog {log:?}\n{files}\nprocesses: {processes:?}\nlines:\n{lines}\nstderr:\n{stderr}"
        )
    }

    /// Has the service do a line of shell, if it is the [`PUPPET`] or its like.
    pub(crate) fn tell(&self, words: &str) {
        (&self.fifos[0]).write_all(format!("{words}\n").as_bytes()).unwrap();
    }

    /// Has [`SLOW_FINISH`] do a line of shell.
    pub(crate) fn tell_finish(&self, words: &str) {
        (&self.fifos[1]).write_all(format!("{words}\n").as_bytes()).unwrap();
    }

    /// Whether a supervisor holds `supervise/ok` open.
    pub(crate) fn alive(&self) -> bool {
        opens(&self.at("supervise/ok"))
    }

    pub(crate) fn log_alive(&self) -> bool {
        opens(&self.at("log/supervise/ok"))
    }

    /// The status, if there is one.
    pub(crate) fn status_now(&self) -> Option<Status> {
        Status::parse(&fs::read(self.at("supervise/status")).ok()?)
    }

    pub(crate) fn log_status_now(&self) -> Option<Status> {
        Status::parse(&fs::read(self.at("log/supervise/status")).ok()?)
    }

    pub(crate) fn status(&self) -> Status {
        self.status_now().unwrap_or_else(|| panic!("no status\n{}", self.report()))
    }

    /// Waits for a status.
    #[track_caller]
    pub(crate) fn until_status(&self, what: &str, reached: impl Fn(&Status) -> bool) -> Status {
        self.until(what, || self.status_now().is_some_and(|status| reached(&status)));
        self.status()
    }

    /// Waits for these flags: paused, want, got TERM, state.
    #[track_caller]
    pub(crate) fn until_flags(&self, flags: (u8, char, u8, u8)) -> Status {
        self.until_status(&format!("status {flags:?}"), |status| status.flags() == flags)
    }

    /// Waits until the file `stat` says so, and the 20 bytes, which are written after it, say the same.
    #[track_caller]
    pub(crate) fn until_stat(&self, text: &str) {
        let reached = || self.read("supervise/stat") == format!("{text}\n");
        self.until(text, || reached() && self.status_now().is_some_and(|status| status.agrees(text)));
    }

    /// As [`Service::until_stat`], for the logger.
    #[track_caller]
    pub(crate) fn until_log_stat(&self, text: &str) {
        let reached = || self.log_alive() && self.read("log/supervise/stat") == format!("{text}\n");
        let agrees = || self.log_status_now().is_some_and(|status| status.agrees(text));
        self.until(&format!("log {text}"), || reached() && agrees());
    }

    /// Waits until the supervisor has done what it had to do, and waits for what comes: none of its files is half
    /// written then, and none is renamed under a program that walks through its directory.
    #[track_caller]
    pub(crate) fn rest(&self) {
        let answer = self.ask("status");
        assert!(!answer.is_empty(), "{}", self.report());
    }

    /// Sends control bytes, all in one write.
    pub(crate) fn send(&self, bytes: impl AsRef<[u8]>) {
        self.send_to("supervise/control", bytes.as_ref());
    }

    pub(crate) fn send_log(&self, bytes: &str) {
        self.send_to("log/supervise/control", bytes.as_bytes());
    }

    fn send_to(&self, control: &str, bytes: &[u8]) {
        let mut control =
            OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(self.at(control)).unwrap();
        control.write_all(bytes).unwrap();
    }

    /// Sends the supervisor a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        send_signal(self.supervisor(), signal);
    }

    /// Waits for the supervisor's end; returns its status, a signal N as 128 + N.
    pub(crate) fn ended(&mut self) -> i32 {
        let mut supervisor = self.supervisor.take().unwrap();
        status_of(&mut supervisor).unwrap_or_else(|| {
            self.supervisor = Some(supervisor);
            panic!("the supervisor does not end\n{}", self.report());
        })
    }

    /// Kills the supervisor and nothing else.
    pub(crate) fn kill_supervisor(&mut self) {
        self.signal(Signal::SIGKILL);
        assert_eq!(self.ended(), 128 + 9);
    }

    /// Asserts that the supervisor lives.
    pub(crate) fn assert_supervised(&mut self) {
        let ended = self.supervisor.as_mut().unwrap().try_wait().unwrap();
        assert_eq!(ended, None, "{}", self.report());
    }

    /// Ends it all by `x`, and asserts that no process is left.
    pub(crate) fn exit(&mut self) {
        self.send("x");
        assert_eq!(self.ended(), 0, "{}", self.report());
        self.assert_nothing_left();
    }

    /// Asserts that no process of the service is left.
    pub(crate) fn assert_nothing_left(&self) {
        self.until("no process is left", || self.processes().is_empty());
    }

    /// A program that finds the service as `./service`, and what it says.
    pub(crate) fn client(&self, program: &str, args: &[&str]) -> Outcome {
        run(prepared(program).args(args).current_dir(self.scratch.path()).env_remove("SVDIR"))
    }

    /// Has runit's sv do something, wait for it if it has to (30 s), and tell.
    pub(crate) fn sv(&self, what: &str) -> Outcome {
        self.client("/usr/bin/sv", &["-w", "30", what, "./service"])
    }

    /// All processes of the service, its supervisor too.
    pub(crate) fn processes(&self) -> Vec<u32> {
        processes_of(self.scratch.path())
    }

    /// Connects to our own socket.
    pub(crate) fn connect(&self) -> Client {
        let socket = self.at("supervise/socket");
        // It is bound before the FIFOs are there, and answers after that.
        let client = RefCell::new(None);
        self.until("the socket", || {
            *client.borrow_mut() = Client::try_connect(&socket).ok();
            client.borrow().is_some()
        });
        client.into_inner().unwrap()
    }

    /// Asks our own socket one thing.
    pub(crate) fn ask(&self, request: &str) -> String {
        self.connect().ask(request)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut supervisor) = self.supervisor.take() {
            let _ = supervisor.kill(); // it may have ended
            let _ = supervisor.wait();
        }
        kill_processes_of(self.scratch.path());
    }
}

/// Whether somebody holds this FIFO open for reading.
pub(crate) fn opens(fifo: &Path) -> bool {
    let fifo = OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(fifo);
    fifo.is_ok_and(|fifo| fifo.metadata().unwrap().file_type().is_fifo())
}
