//! A logger on log directories in a scratch directory, and how the tests look at both.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc::{O_NONBLOCK, SYS_poll, SYS_ppoll, SYS_wait4};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::unistd::pipe2;
use tempfile::TempDir;

use crate::support::*;

mod stamps;

pub(crate) use stamps::*;

/// Log directories in a scratch directory `$D`, a logger, and the pipe that it reads. When this is dropped, no
/// process of it is left.
pub(crate) struct Log {
    pub(crate) of: Program,
    pub(crate) scratch: TempDir,
    options: Vec<String>,
    directories: Vec<String>,
    logger: Option<Child>,
    writer: Option<File>,
    /// The read end, where the test holds it as a supervisor would.
    reader: Option<File>,
    held: bool,
    /// A process that keeps the file systems that only the logger sees.
    keeper: Option<Child>,
}

impl Log {
    /// A log directory `log` with this config, or without one where it is empty.
    pub(crate) fn prepare(of: Program, config: &str) -> Self {
        let scratch = open_directory();
        let mut log = Self {
            of,
            scratch,
            options: Vec::new(),
            directories: Vec::new(),
            logger: None,
            writer: None,
            reader: None,
            held: false,
            keeper: None,
        };
        log.add("log", config);
        if matches!(of, Multilog | OurMultilog) {
            symlink(bin().join("svlog"), log.scratch.path().join("multilog")).unwrap();
        }
        log
    }

    /// As [`Log::prepare`], and the logger runs.
    pub(crate) fn start(of: Program, options: &[&str], config: &str) -> Self {
        let mut log = Self::prepare(of, config);
        log.set_options(options);
        log.run();
        log
    }

    /// One more log directory.
    pub(crate) fn add(&mut self, directory: &str, config: &str) {
        fs::create_dir(self.path(directory)).unwrap();
        self.directories.push(directory.to_owned());
        if !config.is_empty() {
            fs::write(self.path(directory).join("config"), config).unwrap();
        }
    }

    /// The directories of the loggers to come.
    pub(crate) fn set_directories(&mut self, directories: &[&str]) {
        self.directories = directories.iter().map(ToString::to_string).collect();
    }

    /// Options of the loggers to come.
    pub(crate) fn set_options(&mut self, options: &[&str]) {
        self.options = options.iter().map(ToString::to_string).collect();
    }

    /// From now on the test holds the read end of the pipe too, as a supervisor does for the next logger.
    pub(crate) fn hold_pipe(&mut self) {
        self.held = true;
        self.open_pipe();
    }

    /// From now on a small file system is mounted at `log`, which the logger and [`Log::path`] see.
    pub(crate) fn mount_disk(&mut self, kilobytes: u32) {
        self.mount(&format!("mount -t tmpfs -o size={kilobytes}k,mode=755 tmpfs log"));
    }

    /// From now on the logger has file systems of its own, which this shell script mounts in the directory.
    pub(crate) fn mount(&mut self, script: &str) {
        let mut command = self.surrounded(prepared("unshare"));
        command.args(["--mount", "--propagation", "private", "sh", "-ec"]);
        command.arg(format!("{script}\necho ready\nexec sleep 1000000")).stdout(Stdio::piped());
        let mut keeper = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.keeper = Some(keeper);
        assert_eq!(line, "ready\n", "{}", self.report());
    }

    /// The logger's command line, in the directory.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.of.command();
        command.args(&self.options).args(&self.directories);
        self.surrounded(command)
    }

    /// The same, behind a shell script that ends in `exec "$@"`.
    pub(crate) fn command_behind(&self, script: &str) -> Command {
        let words = self.of.command();
        let mut command = sh(script);
        command.arg("sh").arg(words.get_program()).args(&self.options).args(&self.directories);
        self.surrounded(command)
    }

    /// Gives a command what surrounds the logger: the directory, `$D`, stderr in the file `stderr`.
    fn surrounded(&self, mut command: Command) -> Command {
        if let Some(keeper) = &self.keeper {
            let words = command;
            command = prepared("nsenter");
            command.arg(format!("--mount=/proc/{}/ns/mnt", keeper.id()));
            command.args(["sh", "-c", "cd \"$D\" && exec \"$@\"", "sh"]);
            command.arg(words.get_program()).args(words.get_args());
        }
        let stderr = OpenOptions::new().append(true).create(true).open(self.scratch.path().join("stderr"));
        command.current_dir(self.scratch.path()).env("D", self.scratch.path());
        command.stdout(Stdio::null()).stderr(stderr.unwrap());
        command
    }

    /// Starts the logger and waits until it logs.
    pub(crate) fn run(&mut self) {
        self.run_by(self.command());
    }

    pub(crate) fn run_by(&mut self, command: Command) {
        self.spawn(command);
        let pid = self.pid();
        let logs = || files_of(pid).iter().any(|file| file.ends_with("/current"));
        self.until("a logger", || logs() || !lives(pid));
        assert!(lives(pid), "{}", self.report());
    }

    fn open_pipe(&mut self) {
        if self.reader.is_none() {
            let (reader, writer) = pipe2(OFlag::O_CLOEXEC).unwrap();
            fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
            (self.reader, self.writer) = (Some(reader.into()), Some(writer.into()));
        }
    }

    /// Starts the logger, and no more.
    pub(crate) fn spawn(&mut self, mut command: Command) {
        assert!(self.logger.is_none());
        self.open_pipe();
        command.stdin(self.reader.as_ref().unwrap().try_clone().unwrap());
        let logger = command.spawn().unwrap();
        drop(command);
        self.logger = Some(logger);
        if !self.held {
            let pipe = self.pipe();
            self.reader = None;
            // What a test beside this one forked meanwhile holds the pipe until it executes something.
            self.until("a pipe of its own", || holders(&pipe) <= 1);
        }
    }

    /// Starts the logger on another input than the pipe.
    pub(crate) fn spawn_as_it_is(&mut self, mut command: Command) {
        assert!(self.logger.is_none());
        self.logger = Some(command.spawn().unwrap());
    }

    pub(crate) fn set_pipe_size(&self, bytes: i32) {
        let size = fcntl(self.writer.as_ref().unwrap(), FcntlArg::F_SETPIPE_SZ(bytes)).unwrap();
        assert_eq!(size, bytes);
    }

    /// An end of the pipe for a program that waits where it is full.
    pub(crate) fn writer(&self) -> File {
        let fd = std::os::fd::AsRawFd::as_raw_fd(self.writer.as_ref().unwrap());
        OpenOptions::new().write(true).open(format!("/proc/self/fd/{fd}")).unwrap()
    }

    /// Takes this many bytes out of the pipe that the test holds.
    pub(crate) fn steal(&self, count: usize) -> String {
        let mut bytes = vec![0; count];
        self.reader.as_ref().unwrap().read_exact(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// How many bytes are in the pipe that the test holds.
    pub(crate) fn left_in_pipe(&self) -> usize {
        common::fds::unread(self.reader.as_ref().unwrap().as_fd()).unwrap()
    }

    /// The name of the pipe, as in /proc.
    pub(crate) fn pipe(&self) -> String {
        let fd = std::os::fd::AsRawFd::as_raw_fd(self.writer.as_ref().unwrap());
        fs::read_link(format!("/proc/self/fd/{fd}")).unwrap().into_os_string().into_string().unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.logger.as_ref().unwrap().id()
    }

    /// Writes into the pipe.
    #[track_caller]
    pub(crate) fn write(&self, bytes: impl AsRef<[u8]>) {
        let mut left = bytes.as_ref();
        let mut writer = self.writer.as_ref().unwrap();
        let deadline = Instant::now() + DEADLINE;
        while !left.is_empty() {
            match writer.write(left) {
                Ok(count) => left = &left[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let fds = &mut [PollFd::new(writer.as_fd(), PollFlags::POLLOUT)];
                    poll(fds, PollTimeout::from(100u8)).unwrap();
                }
                Err(error) => panic!("{error}\n{}", self.report()),
            }
            assert!(Instant::now() < deadline, "nobody reads\n{}", self.report());
        }
    }

    /// Writes a line of at most 4096 bytes, which the pipe takes whole or, if it is full, not at all.
    pub(crate) fn try_write(&self, line: &str) -> bool {
        match self.writer.as_ref().unwrap().write(line.as_bytes()) {
            Ok(count) => {
                assert_eq!(count, line.len());
                true
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error}\n{}", self.report()),
        }
    }

    /// Writes lines until all logs together are this text.
    #[track_caller]
    pub(crate) fn says(&self, bytes: &str, all: &str) {
        self.write(bytes);
        self.until_all(all);
    }

    /// Closes the write end.
    pub(crate) fn close_writer(&mut self) {
        self.writer = None;
    }

    /// Opens it again, where the test holds the pipe.
    pub(crate) fn open_writer(&mut self) {
        let reader = std::os::fd::AsRawFd::as_raw_fd(self.reader.as_ref().unwrap());
        let mut options = OpenOptions::new();
        let writer = options.write(true).custom_flags(O_NONBLOCK).open(format!("/proc/self/fd/{reader}"));
        self.writer = Some(writer.unwrap());
    }

    /// Closes the pipe.
    pub(crate) fn close(&mut self) {
        self.writer = None;
        self.reader = None;
    }

    /// What is left in the pipe that the test holds, whose write end it closes.
    pub(crate) fn left(&mut self) -> String {
        self.writer = None;
        let mut reader = self.reader.take().unwrap();
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let mut left = Vec::new();
        // The end may be that of what there is, or of the pipe.
        match reader.read_to_end(&mut left) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => panic!("{error}"),
            _ => String::from_utf8(left).unwrap(),
        }
    }

    /// Closes the pipe and waits for the logger's end.
    #[track_caller]
    pub(crate) fn finish(&mut self) {
        self.close();
        let status = self.ended();
        assert_eq!(status, 0, "{}", self.report());
    }

    /// Ends the logger by TERM.
    #[track_caller]
    pub(crate) fn term(&mut self) {
        self.settle();
        self.signal(Signal::SIGTERM);
        let status = self.ended();
        assert_eq!(status, 0, "{}", self.report());
    }

    /// Kills the logger and nothing else.
    #[track_caller]
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        assert_eq!(self.ended(), 128 + 9);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send_signal(self.pid(), signal);
    }

    /// Sends a signal, and waits until the logger has seen to it and sleeps again. Nothing must be in the pipe.
    #[track_caller]
    pub(crate) fn tell(&self, signal: Signal) {
        // A signal that comes to svlogd just before it waits is noted, and seen to after the next line.
        self.settle();
        self.signal(signal);
        self.settle();
    }

    /// Waits until no signal is pending, and the logger waits for something to happen: it is not in the middle
    /// of anything.
    #[track_caller]
    pub(crate) fn settle(&self) {
        let look = |file| fs::read_to_string(format!("/proc/{}/{file}", self.pid())).unwrap_or_default();
        let pending = || {
            let status = look("status");
            let masks: Vec<u64> = status
                .lines()
                .filter(|line| line.starts_with("SigPnd:") || line.starts_with("ShdPnd:"))
                .map(|line| u64::from_str_radix(line[7..].trim(), 16).unwrap())
                .collect();
            // What has let it go on stays, where it is blocked.
            let seen = 1 << (Signal::SIGCONT as i32 - 1);
            masks.len() != 2 || masks.iter().any(|mask| mask & !seen != 0)
        };
        let waits = || is_one_of(call_of(self.pid()), &[SYS_poll, SYS_ppoll, SYS_wait4]);
        // In this order: a logger that waits after it has taken the signal has done with it.
        self.until("nothing to do", || !pending() && waits());
    }

    /// Waits for the logger's end; returns its status, a signal N as 128 + N.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> i32 {
        let mut logger = self.logger.take().unwrap();
        let status = status_of(&mut logger).unwrap_or_else(|| {
            self.logger = Some(logger);
            panic!("the logger does not end\n{}", self.report());
        });
        if !self.held {
            self.writer = None;
        }
        status
    }

    /// A path in the scratch directory, as the logger sees it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let path = self.scratch.path().join(name);
        match &self.keeper {
            Some(keeper) => PathBuf::from(format!("/proc/{}/root{}", keeper.id(), path.display())),
            None => path,
        }
    }

    /// A path in the log directory.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.path("log").join(name)
    }

    /// The text of a file in the scratch directory, or nothing.
    pub(crate) fn text(&self, name: &str) -> String {
        text(&self.path(name))
    }

    /// The text of a file in the log directory, or nothing.
    pub(crate) fn read(&self, name: &str) -> String {
        text(&self.at(name))
    }

    pub(crate) fn current(&self) -> String {
        self.read("current")
    }

    /// Fills the file system of the log directory.
    pub(crate) fn fill(&self) {
        let mut file = File::create(self.at("filler")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        assert!(file.metadata().unwrap().len() > 0);
    }

    /// Makes room again.
    pub(crate) fn free(&self) {
        fs::remove_file(self.at("filler")).unwrap();
    }

    /// Whether this is a warning of the logger, and has these words.
    pub(crate) fn warns(&self, line: &str, words: &[&str]) -> bool {
        let (who, what) = line.split_once(": warning: ").unwrap_or_default();
        who.split(' ').next() == Some(self.of.name())
            && words.iter().all(|word| format!("{who} {what}").contains(word))
    }

    /// What the logger, and whoever has its stderr, said.
    pub(crate) fn stderr(&self) -> String {
        text(&self.scratch.path().join("stderr"))
    }

    /// Writes a file into the log directory, with these permissions.
    pub(crate) fn plant(&self, name: &str, text: &str, mode: u32) {
        let file = self.at(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }

    /// A new config, which the logger has not read yet.
    pub(crate) fn configure(&self, config: &str) {
        fs::write(self.at("config"), config).unwrap();
    }

    /// The names of the files in the log directory, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        names(&self.at(""))
    }

    /// The archives' names, in the order of their making.
    pub(crate) fn archives(&self) -> Vec<String> {
        archives(&self.at(""))
    }

    /// All that is logged, from the oldest on: archives and `current`.
    pub(crate) fn all(&self) -> String {
        self.all_of("log")
    }

    /// The same of another directory.
    pub(crate) fn all_of(&self, directory: &str) -> String {
        let path = self.path(directory);
        let files = archives(&path).into_iter().filter(|name| !name.ends_with('t'));
        files.chain(["current".into()]).map(|name| text(&path.join(name))).collect()
    }

    /// Waits; in vain, the test fails with all there is to know.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, reached: impl Fn() -> bool) {
        assert!(in_time(reached), "{what}: not reached\n{}", self.report());
    }

    #[track_caller]
    pub(crate) fn until_all(&self, text: &str) {
        self.until(&format!("the log {:?}", shortened(text)), || self.all() == text);
    }

    #[track_caller]
    pub(crate) fn until_archives(&self, count: usize) {
        self.until(&format!("{count} archives"), || self.archives().len() == count);
    }

    /// Waits until there is this number of archives, all of them `.s`.
    #[track_caller]
    pub(crate) fn until_processed(&self, count: usize) {
        let done = |names: Vec<String>| names.len() == count && names.iter().all(|name| kind(name) == 's');
        self.until(&format!("{count} archives of the processor"), || done(self.archives()));
    }

    /// Waits until stderr has this.
    #[track_caller]
    pub(crate) fn until_said(&self, text: &str) {
        self.until(&format!("{text:?} on stderr"), || self.stderr().contains(text));
    }

    pub(crate) fn report(&self) -> String {
        let mut report = format!("{:?} {:?} {:?}\n", self.of, self.options, self.directories);
        for directory in &self.directories {
            let path = self.path(directory);
            for name in names(&path).into_iter().filter(|name| name != "batch") {
                let text = text(&path.join(&name));
                writeln!(report, "{directory}/{name} {} {:?}", text.len(), shortened(&text)).unwrap();
            }
        }
        let processes = self.processes();
        let processes: Vec<_> = processes.iter().map(|pid| (pid, cmdline_now(*pid))).collect();
        format!("{report}{processes:?}\nstderr:\n{}", shortened(&self.stderr()))
    }

    /// The processes of this log, the logger too.
    pub(crate) fn processes(&self) -> Vec<u32> {
        processes_of(self.scratch.path())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        for mut child in [self.logger.take(), self.keeper.take()].into_iter().flatten() {
            let _ = child.kill(); // it may have ended
            let _ = child.wait();
        }
        kill_processes_of(self.scratch.path());
    }
}

/// What a logger leaves that read all of this, and ended.
pub(crate) fn fed(of: Program, options: &[&str], config: &str, input: impl AsRef<[u8]>) -> Log {
    let mut log = Log::prepare(of, config);
    log.set_options(options);
    log.spawn(log.command());
    log.write(input);
    log.finish();
    log
}

/// A text's two ends.
fn shortened(text: &str) -> String {
    let cut = |count: usize| (count..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap();
    if text.len() < 1000 {
        text.to_owned()
    } else {
        format!("{} ... {}", &text[..cut(200)], &text[cut(text.len() - 200)..])
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) fn archives(directory: &Path) -> Vec<String> {
    names(directory).into_iter().filter(|name| name.starts_with('@') && name.len() == 27).collect()
}

/// What an archive is, by the last letter of its name.
pub(crate) fn kind(name: &str) -> char {
    name.chars().next_back().unwrap()
}

/// A text without this many bytes in front of each line.
pub(crate) fn behind(text: &str, count: usize) -> String {
    text.lines().map(|line| [&line[count..], "\n"].concat()).collect::<Vec<_>>().concat()
}

/// Lines of 11 bytes with the numbers from `first` to `last`.
pub(crate) fn lines(first: usize, last: usize) -> String {
    (first..=last).map(|number| format!("line {number:5}\n")).collect::<Vec<_>>().concat()
}

/// A FIFO in the directory that a processor waits at, and a test lets it go on.
pub(crate) struct Gate(File);

impl Gate {
    pub(crate) fn new(log: &Log, name: &str) -> Self {
        assert_eq!(run_in(log.scratch.path(), &format!("mkfifo {name}")), prints(""));
        let path = log.scratch.path().join(name);
        let fifo = OpenOptions::new().read(true).write(true).custom_flags(O_NONBLOCK).open(path).unwrap();
        assert!(fifo.metadata().unwrap().file_type().is_fifo());
        Self(fifo)
    }

    /// Lets one reader of a line from it go on.
    pub(crate) fn open(&self) {
        (&self.0).write_all(b"go\n").unwrap();
    }
}
