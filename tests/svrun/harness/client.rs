//! A client of our own socket, and the keys of its answers.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::support::*;

/// A client of our own socket.
pub(crate) struct Client(BufReader<UnixStream>);

impl Client {
    /// Connects, as soon as there is somebody.
    pub(crate) fn at(socket: &Path) -> Self {
        let mut client = None;
        until(&format!("somebody at {}", socket.display()), || {
            client = Self::try_connect(socket).ok();
            client.is_some()
        });
        client.unwrap()
    }

    pub(crate) fn try_connect(socket: &Path) -> std::io::Result<Self> {
        // The path of a socket is short: it is reached through its directory.
        let directory = File::open(socket.parent().unwrap())?;
        let short = format!(
            "/proc/self/fd/{}/{}",
            std::os::fd::AsRawFd::as_raw_fd(&directory),
            socket.file_name().unwrap().to_str().unwrap()
        );
        let stream = UnixStream::connect(short)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        Ok(Self(BufReader::new(stream)))
    }

    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.0.get_mut().write_all(bytes.as_ref())
    }

    /// The next line, or nothing at the end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(_) => line.trim_end_matches('\n').to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => String::new(),
            Err(error) => panic!("{error}"),
        }
    }

    /// The answer to a request, or nothing where the supervisor leaves at that moment.
    pub(crate) fn ask(&mut self, request: &str) -> String {
        match self.say(format!("{request}\n")) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return String::new(),
            said => said.unwrap(),
        }
        self.line()
    }

    /// Says nothing more.
    pub(crate) fn shut(&self) {
        self.0.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Waits for the end of the connection; returns what came before it.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = String::new();
        match self.0.read_to_string(&mut rest) {
            Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("{error}"),
            _ => rest,
        }
    }
}

impl Drop for Client {
    /// Its end is seen at once: a child that another test has just forked has a copy of the connection until it executes
    /// something, and closing ours would end nothing before.
    fn drop(&mut self) {
        let _ = self.0.get_ref().shutdown(std::net::Shutdown::Both);
    }
}

/// The value of a key in a line of JSON, as it is written there.
#[track_caller]
pub(crate) fn field<'a>(line: &'a str, key: &str) -> &'a str {
    let mark = format!("\"{key}\":");
    let Some(start) = line.find(&mark) else { panic!("no {key} in {line}") };
    let rest = &line[start + mark.len()..];
    let end = if let Some(text) = rest.strip_prefix('"') {
        2 + text.find('"').unwrap()
    } else if rest.starts_with('{') {
        1 + rest.find('}').unwrap()
    } else {
        rest.find([',', '}']).unwrap()
    };
    &rest[..end]
}
