//! The sockets that a program is started with, in a row from fd 3 up, `sd_listen_fds(3)`.

use std::os::fd::RawFd;

use common::env::Env;
use common::quantity::number;
use common::{Exit, OrFail, fds, process, shown};

/// The first fd.
const FIRST: RawFd = 3;

/// What a socket is called that has no name.
const UNNAMED: &[u8] = b"unknown";

/// The row as it is.
pub(super) struct Row {
    pid: u32,
    count: RawFd,
    names: Vec<u8>,
}

/// A name for a socket, as systemd takes one: printable ASCII but for the colon, which stands between two names.
pub(super) fn name(text: &[u8]) -> Result<&[u8], Exit> {
    let fits = |b: &u8| matches!(b, b' '..=b'~') && *b != b':';
    let valid = !text.is_empty() && text.len() <= 255 && text.iter().all(fits);
    if valid { Ok(text) } else { Err(Exit::value("invalid name", text)) }
}

impl Row {
    /// The row that the environment tells of; an empty one if it is not this process that was given it. The fd behind
    /// it is free.
    pub(super) fn of(env: &Env) -> Result<Self, Exit> {
        let pid = process::id().or_fail("read the pid")?;
        let own = env.get(c"LISTEN_PID").and_then(|text| number(text.to_bytes())) == Some(pid);
        let (mut count, mut names) = (0, Vec::new());
        if own {
            let text = env.get(c"LISTEN_FDS").unwrap_or_default().to_bytes();
            let wrong =
                || Exit::fatal(format_args!("LISTEN_FDS is no number of open files: {}", shown(text)));
            count = number::<RawFd>(text).ok_or_else(wrong)?;
            let last = count.checked_add(FIRST).ok_or_else(wrong)?;
            if !(FIRST..last).all(fds::is_open) {
                return Err(wrong());
            }
            names = match env.get(c"LISTEN_FDNAMES") {
                Some(names) => names.to_bytes().to_vec(),
                None => (0..count).map(|_| UNNAMED).collect::<Vec<_>>().join(&b':'),
            };
            let named = if count == 0 { 0 } else { names.split(|b| *b == b':').count() };
            if RawFd::try_from(named) != Ok(count) {
                let names = shown(&names);
                return Err(Exit::fatal(format_args!("LISTEN_FDNAMES has not {count} names: {names}")));
            }
        }
        let row = Self { pid, count, names };
        let end = row.end();
        if fds::is_open(end) {
            let error = Exit::fatal(format_args!("fd {end} is open already: the socket has to be there"));
            let hint = "put fdmove before listen, to have it on another number, or fdclose ";
            return Err(error.hint(format!("{hint}{end}")));
        }
        Ok(row)
    }

    /// Where the next socket has to be.
    pub(super) fn end(&self) -> RawFd {
        FIRST + self.count
    }

    /// Tells the program of one more.
    pub(super) fn add(mut self, name: Option<&[u8]>, env: &mut Env) -> Result<(), Exit> {
        if self.count > 0 {
            self.names.push(b':');
        } else {
            self.names.clear();
            // It would say that the row is not this process's: sd_listen_fds(3) of later versions reads it.
            env.unset(b"LISTEN_PIDFDID")?;
        }
        self.names.extend_from_slice(name.unwrap_or(UNNAMED));
        env.set(b"LISTEN_PID", self.pid.to_string().as_bytes())?;
        env.set(b"LISTEN_FDS", (self.count + 1).to_string().as_bytes())?;
        env.set(b"LISTEN_FDNAMES", &self.names)?;
        Ok(())
    }
}
