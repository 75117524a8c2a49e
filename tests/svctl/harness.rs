//! A directory of services with supervisors, ours and others', and fakes of both.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use nix::libc::O_NONBLOCK;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::support::*;

/// What a service runs that is to stay.
pub(super) const STAYS: &str = "#!/bin/sh\nexec sleep 1000\n";

/// Our supervisor.
pub(super) fn svrun() -> String {
    bin().join("svrun").display().to_string()
}

/// Services and their supervisors. Dropped, nothing of them is left.
pub(super) struct House {
    directory: tempfile::TempDir,
    supervisors: Vec<(Child, PathBuf)>,
}

impl House {
    pub(super) fn new() -> Self {
        Self { directory: open_directory(), supervisors: Vec::new() }
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// Writes a file of a service; a script can be executed.
    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if text.starts_with("#!") { script(&path, text) } else { fs::write(path, text).unwrap() }
    }

    /// A service that stays, under this supervisor.
    pub(super) fn serve(&mut self, supervisor: &str, name: &str) {
        if !self.at(name).join("run").exists() {
            self.write(&format!("{name}/run"), STAYS);
        }
        self.start(supervisor, name);
    }

    /// Starts a supervisor, and waits until it listens.
    pub(super) fn start(&mut self, supervisor: &str, name: &str) {
        let mut command = prepared(supervisor);
        command.arg(name).current_dir(&self.directory).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        self.supervisors.push((child, self.at(name)));
        let log = self.at(name).join("log/run").exists() && supervisor != "supervise";
        self.wait_for(name);
        if log {
            self.wait_for(&format!("{name}/log"));
        }
    }

    /// Waits until a supervisor listens.
    fn wait_for(&self, name: &str) {
        let ok = self.at(name).join("supervise/ok");
        let open = || OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(&ok).is_ok();
        until("the supervisor does not listen", open);
    }

    /// Kills the last supervisor with its service, as a crash of the machine would.
    pub(super) fn crash(&mut self) {
        let (child, directory) = self.supervisors.pop().unwrap();
        end(child, &directory);
    }

    /// The command line of svctl for these services.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>, words: &str) -> Command {
        let mut command = prepared(program);
        command
            .args(words.split_whitespace())
            .env("SVDIR", self.directory.path())
            .current_dir(&self.directory);
        for variable in ["NO_COLOR", "TERM"] {
            command.env_remove(variable);
        }
        // A busy machine may need more than the usual seven seconds.
        command.env("SVWAIT", "60");
        command
    }

    pub(super) fn svctl(&self, words: &str) -> Outcome {
        run(&mut self.command("svctl", words))
    }

    /// What svctl says with a time that is too short for what it waits for, but enough for all that has to happen
    /// before: as short as this machine, however busy it is, allows.
    pub(super) fn late(&self, words: &str, enough: impl Fn(&Outcome) -> bool) -> Outcome {
        let mut outcome = self.svctl(&format!("-w 0.1 {words}"));
        for limit in [1, 10, 60] {
            if enough(&outcome) {
                break;
            }
            outcome = self.svctl(&format!("-w {limit} {words}"));
        }
        outcome
    }

    /// Our program under another name, as it is installed.
    pub(super) fn called(&self, name: &str) -> PathBuf {
        let directory = self.at(".bin");
        fs::create_dir_all(&directory).unwrap();
        let link = directory.join(name);
        if !link.exists() {
            let is_svc = ["svc", "svok", "svstat", "svwaitup"].contains(&name);
            let leads_to = program(if is_svc { "svctl-svc" } else { "svctl" });
            std::os::unix::fs::symlink(leads_to, &link).unwrap();
        }
        link
    }

    /// The text of a file below the directory.
    pub(super) fn text(&self, path: &str) -> String {
        text(&self.at(path))
    }

    /// Waits until runsv's or svrun's text file says so.
    pub(super) fn wait_until(&self, name: &str, stat: &str) {
        let path = format!("{name}/supervise/stat");
        let state = ["down", "run", "finish"].iter().position(|word| stat.starts_with(word)).unwrap();
        // The status bytes are written after it.
        let byte = || fs::read(self.at(name).join("supervise/status")).unwrap_or_default().get(19).copied();
        until(&format!("{name} is not {stat}"), || {
            self.text(&path).trim_end() == stat && byte() == u8::try_from(state).ok()
        });
    }

    /// The pid of what runs.
    pub(super) fn pid(&self, name: &str) -> u32 {
        let mut pid = 0;
        // The status bytes are written after the text file.
        until("nothing runs", || {
            pid = pid_in(&self.at(name));
            pid > 1
        });
        pid
    }
}

impl Drop for House {
    fn drop(&mut self) {
        while let Some((child, directory)) = self.supervisors.pop() {
            end(child, &directory);
        }
        kill_processes_of(self.directory.path());
    }
}

/// The pid in the status bytes of a service, 0 for none.
fn pid_in(directory: &Path) -> u32 {
    let bytes = fs::read(directory.join("supervise/status")).unwrap_or_default();
    bytes.get(12..16).map_or(0, |pid| u32::from_le_bytes(pid.try_into().unwrap()))
}

/// Ends a supervisor and what it started.
fn end(mut child: Child, directory: &Path) {
    // Stopped, it starts nothing while what runs is killed.
    signal("STOP", child.id());
    for pid in [pid_in(directory), pid_in(&directory.join("log")), child.id()] {
        signal("KILL", pid);
    }
    child.wait().unwrap();
}

/// Sends a signal to a process, if it is there; pids that mean more than one process are none.
pub(super) fn signal(name: &str, pid: u32) {
    if pid > 1 {
        drop(Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).output());
    }
}

/// The files of a supervisor that does nothing.
pub(super) struct Fake {
    control: File,
    _ok: File,
    directory: PathBuf,
}

impl Fake {
    pub(super) fn new(house: &House, name: &str) -> Self {
        let directory = house.at(name);
        fs::create_dir_all(directory.join("supervise")).unwrap();
        let open = |file: &str| {
            let path = directory.join("supervise").join(file);
            mkfifo(&path, Mode::from_bits_truncate(0o600)).unwrap();
            OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path).unwrap()
        };
        Self { control: open("control"), _ok: open("ok"), directory }
    }

    /// Leaves what it has written behind. A child that is started meanwhile may hold the FIFOs for a moment.
    pub(super) fn end(self) {
        let ok = self.directory.join("supervise/ok");
        drop(self);
        let open = || OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(&ok);
        until("somebody listens", || open().is_err());
    }

    /// Writes the status bytes: since a time long ago, or now.
    pub(super) fn status(&self, pid: u32, rest: [u8; 4]) {
        let mut bytes = (4_611_686_018_427_387_914_u64 + 1_000_000_000).to_be_bytes().to_vec();
        bytes.extend(500_u32.to_be_bytes());
        bytes.extend(pid.to_le_bytes());
        bytes.extend(rest);
        self.bytes(&bytes);
    }

    pub(super) fn bytes(&self, bytes: &[u8]) {
        let file = self.directory.join("supervise/status");
        fs::write(file.with_extension("new"), bytes).unwrap();
        fs::rename(file.with_extension("new"), file).unwrap();
    }

    /// The commands that have come since the last time.
    pub(super) fn commands(&mut self) -> String {
        let mut bytes = [0; 64];
        let count = self.control.read(&mut bytes).unwrap_or(0);
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    }
}

/// A supervisor on a socket with the answers of the test.
pub(super) struct Talker {
    pub(super) heard: Arc<Mutex<Vec<String>>>,
}

/// What it does about a line.
pub(super) enum Answer {
    Say(String),
    /// It says so, and then so.
    Then(String, String),
    Nothing,
    /// More than any answer has, and no end of the line.
    Endless,
    Close,
}

impl Talker {
    /// Answers each line of each client; the number is that of the line, over all clients.
    pub(super) fn new(
        house: &House,
        name: &str,
        answer: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::at(&house.at(name).join("supervise"), answer)
    }

    /// The same as the tree of all these services.
    pub(super) fn tree(
        house: &House,
        answer: impl Fn(usize, &str) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::at(&house.at(".tree"), answer)
    }

    fn at(directory: &Path, answer: impl Fn(usize, &str) -> Answer + Send + Sync + 'static) -> Self {
        fs::create_dir_all(directory).unwrap();
        let listener = UnixListener::bind(directory.join("socket")).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (answer, lines) = (Arc::new(answer), heard.clone());
        // It ends with the tests.
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let (answer, lines) = (answer.clone(), lines.clone());
                std::thread::spawn(move || talk(stream, &lines, &*answer));
            }
        });
        Self { heard }
    }

    pub(super) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn talk(mut stream: UnixStream, heard: &Mutex<Vec<String>>, answer: &dyn Fn(usize, &str) -> Answer) {
    let reader = BufReader::new(stream.try_clone().unwrap());
    for line in reader.lines() {
        let Ok(line) = line else { return };
        let mut list = heard.lock().unwrap();
        list.push(line.clone());
        let number = list.len();
        drop(list);
        let said = match answer(number, &line) {
            Answer::Say(text) => writeln!(stream, "{text}"),
            Answer::Then(text, more) => writeln!(stream, "{text}").and_then(|()| writeln!(stream, "{more}")),
            Answer::Nothing => Ok(()),
            Answer::Endless => stream.write_all("x".repeat(1 << 17).as_bytes()),
            Answer::Close => return,
        };
        if said.is_err() {
            return;
        }
    }
}

/// A status as the socket says it.
pub(super) fn said(state: &str, pid: u32, want: &str, term: bool) -> String {
    let pid = if pid == 0 { "null".to_owned() } else { pid.to_string() };
    format!(
        "{{\"ok\":true,\"state\":\"{state}\",\"pid\":{pid},\"want\":\"{want}\",\"since\":1764000000.123,\
         \"seconds\":12.345,\"paused\":false,\"term\":{term},\"hold\":null,\"reason\":null,\"needs\":null,\"next\":null,\"ready\":null,\
         \"reloading\":false,\"status\":null,\"restarts\":3,\"short\":0,\"death\":{{\"time\":1764000000.1,\"pid\":811,\"code\":null,\
         \"signal\":\"SEGV\",\"core\":true,\"lived\":3.214,\"stopped\":false}},\"log\":false,\"supervisor\":800}}"
    )
}

/// A text with an N for each number.
pub(super) fn without_numbers(text: &str) -> String {
    let mut short = String::new();
    for character in text.chars() {
        let character = if character.is_ascii_digit() { 'N' } else { character };
        if character != 'N' || !short.ends_with('N') {
            short.push(character);
        }
    }
    short
}

/// Waits until svctl has looked at the status bytes several times.
pub(super) fn wait_for_looks(pid: u32) {
    let sleeps = || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        line.trim().parse::<u64>().unwrap()
    };
    let before = sleeps();
    until("svctl does not look", || sleeps() > before + 3);
}

/// Where svctl is while it waits.
pub(super) const LOOKING: &[nix::libc::c_long] = &[nix::libc::SYS_ppoll];
