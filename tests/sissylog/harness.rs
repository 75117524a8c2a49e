//! A machine with a /dev of its own, a syslogd there, and a pipe in which the lines are.

use std::cell::OnceCell;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command};

use nix::libc::{O_NONBLOCK, SYS_ppoll};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::support::*;

/// What syslogd reads from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Datagrams,
    Stream,
}

/// Makes of each function that takes a [`Kind`] two tests.
macro_rules! both_kinds {
    ($($name:ident),+ $(,)?) => {
        crate::support::tests_on!(datagrams, crate::sissylog::harness::Kind::Datagrams, crate::support::mounts(); $($name),+);
        crate::support::tests_on!(stream, crate::sissylog::harness::Kind::Stream, crate::support::mounts(); $($name),+);
    };
}
pub(crate) use both_kinds;

/// What a shell script does before it is in that machine, given the directory in `$D`.
pub(crate) const MOUNT: &str = r#"mount --bind /dev/null "$D/dev/null"; mount --rbind "$D/dev" /dev"#;

/// A directory with `dev`, and a FIFO `pipe`.
pub(crate) struct World {
    pub(crate) scratch: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self { scratch: open_directory() };
        assert_eq!(run_in(world.scratch.path(), "mkdir dev; >dev/null; mkfifo pipe; >stderr"), prints(""));
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// A command in that machine; the shell script is its last step there.
    pub(crate) fn command(&self, script: &str, words: &[&str]) -> Command {
        let mut command = prepared("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-ec"]);
        command.arg(format!("{MOUNT}\n{script}")).arg("sh").args(words);
        command.env("D", self.scratch.path()).current_dir(self.scratch.path());
        command.env("TZ", "UTC0");
        command
    }

    /// Runs sissylog to its end, on this input.
    pub(crate) fn run(&self, words: &[&str], input: impl AsRef<[u8]>) -> Outcome {
        fs::write(self.path("input"), input).unwrap();
        run(&mut self.command(r#"cat input | "$B/sissylog" "$@""#, words))
    }

    /// Starts sissylog on the FIFO, which the test holds open, and waits until it waits.
    pub(crate) fn start(&self, words: &[&str]) -> Running {
        let running = self.start_as(r#"exec "$B/sissylog" "$@" <pipe"#, words);
        running.wait_until_it_waits();
        running
    }

    /// Starts sissylog as the only one that has the FIFO open for reading; the other end is the test's.
    pub(crate) fn start_alone(&self, words: &[&str]) -> (Running, File) {
        let running = self.start_as(r#"exec "$B/sissylog" "$@" <pipe"#, words);
        let writer = self.writer();
        running.wait_until_it_waits();
        (running, writer)
    }

    /// Starts a shell script that becomes sissylog, whose messages go to the file `stderr`.
    pub(crate) fn start_as(&self, script: &str, words: &[&str]) -> Running {
        let stderr = OpenOptions::new().append(true).open(self.path("stderr")).unwrap();
        Running(self.command(script, words).stderr(stderr).spawn().unwrap())
    }

    /// What sissylog has said.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap()
    }

    /// The end of the FIFO for writing, once somebody has the other.
    pub(crate) fn writer(&self) -> File {
        let open = || File::options().write(true).custom_flags(O_NONBLOCK).open(self.path("pipe"));
        let opened = OnceCell::new();
        until("nobody reads", || open().is_ok_and(|writer| opened.set(writer).is_ok()));
        let writer = opened.into_inner().unwrap();
        common::fds::set_nonblocking(writer.as_raw_fd(), false).unwrap();
        writer
    }

    /// Both ends of the FIFO: so what is in it stays there.
    pub(crate) fn holder(&self) -> File {
        File::options().read(true).write(true).open(self.path("pipe")).unwrap()
    }

    /// A syslogd.
    pub(crate) fn syslogd(&self, kind: Kind) -> Syslogd {
        Syslogd::start(self.path("dev/log"), kind)
    }
}

/// How many bytes are in a pipe.
pub(crate) fn unread(pipe: &File) -> usize {
    common::fds::unread(pipe.as_fd()).unwrap()
}

/// A sissylog, or what becomes it.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits until it is sissylog, and waits for something.
    pub(crate) fn wait_until_it_waits(&self) {
        self.wait_until_it_is_sissylog();
        wait_until_in(self.pid(), &[SYS_ppoll]);
    }

    /// Waits until it executes sissylog.
    pub(crate) fn wait_until_it_is_sissylog(&self) {
        let comm = format!("/proc/{}/comm", self.pid());
        until("it is not sissylog", || fs::read_to_string(&comm).unwrap() == "sissylog\n");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send_signal(self.pid(), signal);
    }

    /// Waits for its end; returns its status, a signal N as 128 + N.
    pub(crate) fn ended(&mut self) -> i32 {
        status_of(&mut self.0).expect("sissylog does not end")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A syslogd of the test's own: it reads when it is asked to.
pub(crate) struct Syslogd {
    path: PathBuf,
    socket: Socket,
}

enum Socket {
    Datagrams(UnixDatagram),
    /// And the connection of the present sissylog.
    Stream(UnixListener, Option<BufReader<UnixStream>>),
}

impl Syslogd {
    pub(crate) fn start(path: PathBuf, kind: Kind) -> Self {
        let socket = match kind {
            Kind::Datagrams => {
                let socket = UnixDatagram::bind(&path).unwrap();
                socket.set_read_timeout(Some(DEADLINE)).unwrap();
                Socket::Datagrams(socket)
            }
            Kind::Stream => {
                let listener = UnixListener::bind(&path).unwrap();
                listener.set_nonblocking(true).unwrap();
                Socket::Stream(listener, None)
            }
        };
        Self { path, socket }
    }

    /// The next message. `None` where a sissylog is connected no more.
    fn receive(&mut self) -> Option<Message> {
        let bytes = match &mut self.socket {
            Socket::Datagrams(socket) => {
                let mut buffer = [0; 4096];
                let count = uninterrupted(|| socket.recv(&mut buffer)).expect("no message comes");
                buffer[..count].to_vec()
            }
            Socket::Stream(listener, client) => {
                if client.is_none() {
                    until("nobody connects", || ready(listener));
                    *client = Some(accept(listener));
                }
                let mut bytes = Vec::new();
                client.as_mut().unwrap().read_until(0, &mut bytes).expect("no message comes");
                // What has no end is the beginning of one that is sent again as a whole.
                if bytes.pop() != Some(0) {
                    *client = None;
                    return None;
                }
                bytes
            }
        };
        Some(Message::parse(&bytes)).filter(|_| !bytes.is_empty())
    }

    /// The next message.
    pub(crate) fn next(&mut self) -> Message {
        loop {
            if let Some(message) = self.receive() {
                return message;
            }
        }
    }

    /// The next messages.
    pub(crate) fn take(&mut self, count: usize) -> Vec<Message> {
        (0..count).map(|_| self.next()).collect()
    }

    /// What has been sent to it and not been read, of one sissylog or more that have all ended.
    pub(crate) fn rest(&mut self) -> Vec<Message> {
        let mut rest = Vec::new();
        while match &self.socket {
            Socket::Datagrams(socket) => ready(socket),
            Socket::Stream(listener, client) => client.is_some() || ready(listener),
        } {
            rest.extend(self.receive());
        }
        rest
    }

    /// Ends as a syslogd does that is asked to, and loses nothing: first nobody can send any more, then it
    /// reads what has been sent.
    pub(crate) fn stop(mut self) -> Vec<Message> {
        fs::remove_file(&self.path).unwrap();
        match &mut self.socket {
            Socket::Datagrams(socket) => {
                socket.shutdown(Shutdown::Read).unwrap();
                socket.set_nonblocking(true).unwrap();
                let mut rest = Vec::new();
                let mut buffer = [0; 4096];
                while let Some(count) = socket.recv(&mut buffer).ok().filter(|count| *count > 0) {
                    rest.push(Message::parse(&buffer[..count]));
                }
                rest
            }
            Socket::Stream(listener, client) => {
                if client.is_none() && ready(listener) {
                    *client = Some(accept(listener));
                }
                if let Some(client) = client {
                    client.get_ref().shutdown(Shutdown::Read).unwrap();
                }
                self.rest()
            }
        }
    }
}

impl Drop for Syslogd {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn accept(listener: &UnixListener) -> BufReader<UnixStream> {
    let (client, _) = listener.accept().unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    BufReader::new(client)
}

/// Whether something waits there.
fn ready(socket: &impl AsFd) -> bool {
    let mut events = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    poll(&mut events, PollTimeout::ZERO).unwrap() > 0
}

/// What syslogd gets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) facility: u8,
    pub(crate) level: u8,
    /// `Mmm dd hh:mm:ss`
    pub(crate) time: String,
    /// With the blank behind the colon.
    pub(crate) ident: String,
    pub(crate) text: String,
}

impl Message {
    fn parse(bytes: &[u8]) -> Self {
        let all = std::str::from_utf8(bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"));
        assert!(!all.contains(|c: char| c.is_control() && c != '\t'), "{all:?}");
        let parts = || {
            let (priority, rest) = all.strip_prefix('<')?.split_once('>')?;
            let priority: u8 = priority.parse().ok()?;
            let (time, rest) = rest.split_at_checked(16)?;
            let end = rest.find(": ")? + 2;
            let (facility, level) = (priority >> 3, priority & 7);
            let time = time.strip_suffix(' ')?.to_owned();
            Some(Self { facility, level, time, ident: rest[..end].into(), text: rest[end..].into() })
        };
        parts().unwrap_or_else(|| panic!("no message: {all:?}"))
    }
}

/// The texts of messages.
pub(crate) fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| &*message.text).collect()
}

/// `count` numbered lines, from this number on.
pub(crate) fn numbered(lines: std::ops::Range<usize>) -> Vec<String> {
    lines.map(|number| format!("line {number} of the service")).collect()
}
