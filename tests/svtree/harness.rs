//! A tree on a scan directory in a scratch directory, and how the tests look at both.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use nix::libc::O_NONBLOCK;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::support::*;
pub(crate) use crate::svrun::harness::{Client, Status, field};

/// A service that notes its start and its stop, and executes a line of shell at a time ([`Tree::tell`]).
pub(crate) const PUPPET: &str = r#"#!/bin/sh
n=${PWD##*/}
trap 'echo stop $n >>$D/lines; exit 0' TERM
[ -p $D/tell.$n ] || mkfifo $D/tell.$n
exec 8<>$D/tell.$n
echo start $n $$ >>$D/lines
while :; do read -r words <&8 && eval "$words"; done
"#;

/// As [`PUPPET`], but it leaves at no signal.
pub(crate) const STUBBORN: &str = r#"#!/bin/sh
n=${PWD##*/}
trap 'echo stop $n >>$D/lines' TERM
[ -p $D/tell.$n ] || mkfifo $D/tell.$n
exec 8<>$D/tell.$n
echo start $n $$ >>$D/lines
while :; do read -r words <&8 && eval "$words"; done
"#;

/// A service that notes its start, and is another program then.
pub(crate) const SLEEPER: &str = "#!/bin/sh\necho start ${PWD##*/} $$ >>$D/lines\nexec sleep 1000000\n";

/// A logger that keeps all it reads, in `$D/logged.NAME`.
pub(crate) const LOGGER: &str = r"#!/bin/sh
n=${PWD%/log}
n=${n##*/}
echo log start $n $$ >>$D/lines
exec cat >>$D/logged.$n
";

/// A finish script that notes its name and arguments.
pub(crate) const FINISH: &str = "#!/bin/sh\necho finish ${PWD##*/} \"$@\" >>$D/lines\n";

/// The scan directory `tree` in a scratch directory `$D`, the files that its scripts write there (`lines` above all),
/// and its svtree. When this is dropped, no process of it is left.
pub(crate) struct Tree {
    pub(crate) scratch: TempDir,
    options: Vec<String>,
    program: Vec<String>,
    supervisor: Option<Child>,
    /// The directory that has the state directories, and `.tree`.
    state: &'static str,
}

impl Tree {
    /// Puts the files in place, as [`Tree::write`] does.
    pub(crate) fn prepare(files: &[(&str, &str)]) -> Self {
        let scratch = open_directory();
        assert_eq!(run_in(scratch.path(), "mkdir tree; >lines"), prints(""));
        nudge(scratch.path().to_owned());
        let (options, program) = (Vec::new(), Vec::new());
        let tree = Self { scratch, options, program, supervisor: None, state: "tree" };
        tree.write(files);
        tree
    }

    /// Puts the files in place and starts the tree.
    pub(crate) fn start(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::prepare(files);
        tree.supervise();
        tree
    }

    /// Writes files into the scan directory: scripts are what begins with `#!`, links what begins with `-> `, and a
    /// name that ends in `/` is a directory. Each file is whole at once; a service is not, unless it is a row alone.
    /// Another process writes them: if this one did, what a test beside this one forks meanwhile would hold a script
    /// open, and it could not be executed.
    pub(crate) fn write(&self, files: &[(&str, &str)]) {
        let mut writer = sh(r#"while [ $# -gt 0 ]; do
            case $1 in */*) mkdir -p "${1%/*}";; esac
            case $1,$2 in
                */,*) ;;
                *,'-> '*) ln -sfn "${2#-> }" "$1" || exit;;
                *)
                    case $1 in */*) new=${1%/*}/.new;; *) new=.new;; esac
                    printf %s "$2" >"$new" || exit
                    case $2 in '#!'*) chmod 755 "$new" || exit;; esac
                    mv "$new" "$1" || exit;;
            esac
            shift 2
        done"#);
        writer.arg("sh").args(files.iter().flat_map(|(name, text)| [name, text])).current_dir(self.at(""));
        assert_eq!(run(&mut writer), prints(""));
    }

    /// As [`Tree::write`], for one service: its directory appears in the tree when it is whole.
    pub(crate) fn add(&self, name: &str, files: &[(&str, &str)]) {
        let hidden: Vec<_> = files.iter().map(|(file, text)| (format!(".{name}/{file}"), *text)).collect();
        self.write(&hidden.iter().map(|(file, text)| (&**file, *text)).collect::<Vec<_>>());
        fs::rename(self.at(&format!(".{name}")), self.at(name)).unwrap();
    }

    /// Runs a shell script in the scan directory, which must succeed in silence.
    #[track_caller]
    pub(crate) fn shell(&self, script: &str) {
        assert_eq!(run(sh(script).current_dir(self.at("")).env("T", self.scratch.path())), prints(""));
    }

    /// Options of the trees to come.
    pub(crate) fn set_options(&mut self, options: &[&str]) {
        self.options = options.iter().map(ToString::to_string).collect();
    }

    /// The program of the trees to come, behind `--`.
    pub(crate) fn set_program(&mut self, program: &[&str]) {
        self.program = program.iter().map(ToString::to_string).collect();
    }

    /// From now on all state is kept in the directory `state`.
    pub(crate) fn keep_state_apart(&mut self) {
        let state = self.path("state").display().to_string();
        self.options.extend(["-s".to_owned(), state]);
        self.state = "state";
    }

    /// The command line, in the scratch directory, with its stderr in the file `stderr`.
    pub(crate) fn command(&self) -> Command {
        let mut command = link("svtree");
        // On a busy machine an orderly stop may take longer than containers allow it.
        let limited = self.options.iter().any(|option| option == "-t") || self.at(".tree/timeout").exists();
        command.args(if limited { &[][..] } else { &["-t", "10m"] }).args(&self.options).arg("tree");
        if !self.program.is_empty() {
            command.arg("--").args(&self.program);
        }
        self.adopt(command)
    }

    /// Gives a command the surroundings of this tree.
    pub(crate) fn adopt(&self, mut command: Command) -> Command {
        let open = |name| OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        command.current_dir(self.scratch.path()).env("D", self.scratch.path());
        command.stdout(open("stdout")).stderr(open("stderr"));
        command
    }

    /// The command line of the tree behind other words, such as `prlimit --nofile=64`.
    pub(crate) fn command_behind(&self, words: &[&str]) -> Command {
        let own = self.command();
        let mut command = self.adopt(prepared(words[0]));
        command.args(&words[1..]).arg(own.get_program()).args(own.get_args());
        command
    }

    /// Starts the tree and waits until it answers and is up.
    pub(crate) fn supervise(&mut self) {
        self.supervise_by(self.command());
    }

    pub(crate) fn supervise_by(&mut self, command: Command) {
        self.spawn(command);
        let pid = self.supervisor();
        let mark = format!("\"supervisor\":{pid}");
        self.until("a tree", || {
            let answer = self.try_ask("status").unwrap_or_default();
            answer.contains("\"state\":\"up\"") && answer.contains(&mark) || !lives(pid)
        });
        self.assert_supervised();
    }

    /// Starts the tree, and no more.
    pub(crate) fn spawn(&mut self, mut command: Command) {
        assert!(self.supervisor.is_none());
        self.supervisor = Some(command.spawn().unwrap());
    }

    /// Starts the tree with a TERM that is there before its first look at the scan directory.
    pub(crate) fn spawn_to_stop(&mut self) {
        let script = "kill -TERM $$; exec \"$@\"";
        self.spawn(self.command_behind(&["env", "--block-signal=TERM", "sh", "-c", script, "sh"]));
    }

    /// The pid of svtree.
    pub(crate) fn supervisor(&self) -> u32 {
        self.supervisor.as_ref().unwrap().id()
    }

    /// The process of svtree.
    pub(crate) fn child(&self) -> &Child {
        self.supervisor.as_ref().unwrap()
    }

    /// Asserts that svtree lives.
    #[track_caller]
    pub(crate) fn assert_supervised(&mut self) {
        let ended = self.supervisor.as_mut().unwrap().try_wait().unwrap();
        assert_eq!(ended, None, "{}", self.report());
    }

    /// Sends svtree a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        send_signal(self.supervisor(), signal);
    }

    /// Sends a signal to run, if that runs. The command would reach finish too, which could then not note itself.
    pub(crate) fn signal_run(&self, name: &str, signal: Signal) {
        if let Some(status) = self.status_now(name).filter(|status| status.state == 1) {
            let pid = i32::try_from(status.pid).unwrap();
            // It may have ended since, and nobody else has its number so soon.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Waits for the end of svtree; returns its status, a signal N as 128 + N.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> i32 {
        let mut supervisor = self.supervisor.take().unwrap();
        status_of(&mut supervisor).unwrap_or_else(|| {
            self.supervisor = Some(supervisor);
            panic!("svtree does not end\n{}", self.report());
        })
    }

    /// Kills svtree and nothing else.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        assert_eq!(self.ended(), 128 + 9, "{}", self.report());
    }

    /// Kills svtree, and starts another one.
    pub(crate) fn kill_and_restart(&mut self) {
        self.kill();
        self.supervise();
    }

    /// Ends it all by TERM, and asserts that no process is left.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        assert_eq!(self.ended(), 0, "{}", self.report());
        self.assert_nothing_left();
    }

    /// Asserts that no process of the tree is left.
    #[track_caller]
    pub(crate) fn assert_nothing_left(&self) {
        self.until("no process is left", || self.processes().is_empty());
    }

    /// All processes of the tree, svtree too.
    pub(crate) fn processes(&self) -> Vec<u32> {
        processes_of(self.scratch.path())
    }

    /// A path in the scratch directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// A path in the scan directory.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.path("tree").join(name)
    }

    /// A path in the state directory of a service (`supervise` or its like).
    pub(crate) fn state_of(&self, service: &str, name: &str) -> PathBuf {
        self.path(self.state).join(service).join("supervise").join(name)
    }

    /// The text of a file in the scratch directory, or nothing.
    pub(crate) fn text(&self, name: &str) -> String {
        text(&self.path(name))
    }

    /// What svtree, and whoever has its stderr, said.
    pub(crate) fn stderr(&self) -> String {
        self.text("stderr")
    }

    /// How many lines of stderr have these words.
    pub(crate) fn said(&self, words: &str) -> usize {
        self.stderr().lines().filter(|line| line.contains(words)).count()
    }

    /// The lines that the scripts wrote.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.text("lines").lines().map(str::to_owned).collect()
    }

    /// How many lines there are that begin so.
    pub(crate) fn count(&self, start: &str) -> usize {
        let start = format!("{start} ");
        self.lines().iter().filter(|line| format!("{line} ").starts_with(&start)).count()
    }

    /// Waits until there are `count` lines that begin so, and no more; returns the rest of the last one.
    #[track_caller]
    pub(crate) fn nth(&self, count: usize, start: &str) -> String {
        self.until(&format!("{count} lines '{start}'"), || self.count(start) >= count);
        let lines = self.lines();
        let mark = format!("{start} ");
        let found: Vec<&String> = lines.iter().filter(|line| format!("{line} ").starts_with(&mark)).collect();
        assert_eq!(found.len(), count, "lines '{start}'\n{}", self.report());
        found[count - 1][start.len()..].trim_start().to_owned()
    }

    /// Waits for the `count`th start of a service; returns its pid.
    #[track_caller]
    pub(crate) fn started(&self, count: usize, service: &str) -> u32 {
        self.nth(count, &format!("start {service}")).parse().unwrap()
    }

    /// Has a puppet do a line of shell, once it has started.
    pub(crate) fn tell(&self, service: &str, words: &str) {
        let fifo = self.path(&format!("tell.{service}"));
        let fifo = OpenOptions::new().read(true).write(true).open(fifo);
        fifo.unwrap().write_all(format!("{words}\n").as_bytes()).unwrap();
    }

    /// Waits; in vain, the test fails with all there is to know.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, reached: impl FnMut() -> bool) {
        assert!(in_time(reached), "{what}: not reached\n{}", self.report());
    }

    /// All there is to know.
    pub(crate) fn report(&self) -> String {
        let last = |lines: Vec<String>| lines[lines.len().saturating_sub(60)..].join("\n");
        let processes = self.processes();
        let processes: Vec<_> = processes
            .iter()
            .take(60)
            .map(|pid| (pid, cmdline_now(*pid), text(&PathBuf::from(format!("/proc/{pid}/wchan")))))
            .collect();
        let list = if processes.is_empty() { Vec::new() } else { self.try_list().unwrap_or_default() };
        format!(
            "list:\n{}\nprocesses: {processes:?}\nlines:\n{}\nstderr:\n{}",
            last(list),
            last(self.lines()),
            last(self.stderr().lines().map(str::to_owned).collect())
        )
    }

    /// The status bytes of a service, if it has any.
    pub(crate) fn status_now(&self, service: &str) -> Option<Status> {
        Status::parse(&fs::read(self.state_of(service, "status")).ok()?)
    }

    /// Waits for this text of the file `stat` of a service.
    #[track_caller]
    pub(crate) fn until_stat(&self, service: &str, words: &str) {
        let stat = self.state_of(service, "stat");
        self.until(&format!("{service}: {words}"), || text(&stat) == format!("{words}\n"));
    }

    /// Waits until a process of a service runs; returns its pid.
    #[track_caller]
    pub(crate) fn until_run(&self, service: &str) -> u32 {
        let mut pid = 0;
        self.until(&format!("{service} runs"), || {
            let status = self.status_now(service);
            pid = status.map_or(0, |status| if status.state == 1 { status.pid } else { 0 });
            pid != 0
        });
        pid
    }

    /// Waits until the logger of a service runs; returns its pid.
    #[track_caller]
    pub(crate) fn until_log(&self, service: &str) -> u32 {
        let mut pid = 0;
        self.until(&format!("the logger of {service}"), || {
            let status = fs::read(self.path(self.state).join(service).join("log/supervise/status"));
            let status = status.ok().and_then(|bytes| Status::parse(&bytes));
            pid = status.map_or(0, |status| if status.state == 1 { status.pid } else { 0 });
            pid != 0
        });
        pid
    }

    /// Waits until the tree has done what it had to do, and waits for what comes: no file of it is half written then,
    /// and none is renamed under a program that walks through its directories.
    #[track_caller]
    pub(crate) fn rest(&self) {
        let answer = self.ask("status");
        assert!(!answer.is_empty(), "{}", self.report());
    }

    /// Sends control bytes to a service, all in one write.
    pub(crate) fn send(&self, service: &str, bytes: &str) {
        let control = self.state_of(service, "control");
        let control = OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(control);
        control.unwrap().write_all(bytes.as_bytes()).unwrap();
    }

    /// The socket of the tree.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path(self.state).join(".tree/socket")
    }

    /// Connects to the tree's socket.
    #[track_caller]
    pub(crate) fn connect(&self) -> Client {
        Client::at(&self.socket())
    }

    /// Asks the tree one thing, for an answer of one line.
    #[track_caller]
    pub(crate) fn ask(&self, request: &str) -> String {
        self.connect().ask(request)
    }

    /// The same, if the tree answers: empty where the connection ends.
    pub(crate) fn try_ask(&self, request: &str) -> Option<String> {
        Some(Client::try_connect(&self.socket()).ok()?.ask(request))
    }

    /// The lines of a list, without the last, which is the answer.
    #[track_caller]
    pub(crate) fn list(&self) -> Vec<String> {
        self.try_list().unwrap_or_else(|| panic!("no list\n{}", self.report()))
    }

    /// The same, if the tree answers.
    pub(crate) fn try_list(&self) -> Option<Vec<String>> {
        let mut client = Client::try_connect(&self.socket()).ok()?;
        client.say("list\n").ok()?;
        let mut lines = Vec::new();
        loop {
            let line = client.line();
            if line.is_empty() {
                return None;
            }
            if line.starts_with("{\"ok\":") {
                return Some(lines);
            }
            lines.push(line);
        }
    }

    /// The names of the services that the tree has, in its order.
    #[track_caller]
    pub(crate) fn names(&self) -> Vec<String> {
        self.list().iter().map(|line| field(line, "name").trim_matches('"').to_owned()).collect()
    }

    /// Waits until the tree has these services.
    #[track_caller]
    pub(crate) fn until_names(&self, names: &[&str]) {
        self.until(&format!("services {names:?}"), || self.names() == names);
    }

    /// The object of a service in the list.
    #[track_caller]
    pub(crate) fn object(&self, service: &str) -> String {
        let mark = format!("{{\"name\":\"{service}\",");
        let list = self.list();
        list.into_iter()
            .find(|line| line.starts_with(&mark))
            .unwrap_or_else(|| panic!("no {service}\n{}", self.report()))
    }

    /// A program that finds the services as `./NAME`, and what it says.
    pub(crate) fn client(&self, program: &str, args: &[&str]) -> Outcome {
        run(prepared(program).args(args).current_dir(self.at("")).env_remove("SVDIR"))
    }
}

/// A signal that comes just before a shell reads is noted after the read alone. Empty lines end the reads, of every FIFO
/// in the directory that a test writes commands to, as long as there is one.
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

impl Drop for Tree {
    fn drop(&mut self) {
        if let Some(mut supervisor) = self.supervisor.take() {
            let _ = supervisor.kill(); // it may have ended
            let _ = supervisor.wait();
        }
        kill_processes_of(self.scratch.path());
    }
}
