//! Readiness: how a service says that it serves.
//!
//! By a newline on the fd that `notification-fd` names, as s6 has it: the other end is a FIFO, so that a new
//! supervisor finds what was said in between. Or by `sd_notify(3)`, with the file `sd-notify`.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use common::cli::number;
use common::{Text, Words, child, fds, socket};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::read;

use super::pipe;
use super::service::Settings;
use super::state::State;
use common::Voice;

/// How far up a message's sender is looked for among the ancestors, so that the search ends.
const GENERATIONS: usize = 64;
/// What the abstract names of our sockets begin with.
const NAME: &[u8] = b"\0catena-";

/// The readiness of a service.
#[derive(Debug, Default)]
pub(super) struct Notify {
    /// It has said that it is ready, and did not take it back.
    pub(super) ready: bool,
    /// There is a way to say so.
    pub(super) told: bool,
    /// The random part of the name of the socket; 0: none.
    pub(super) name: u64,
    /// What it says of itself.
    pub(super) words: Text<80>,
    fifo: Option<OwnedFd>,
    end: Option<OwnedFd>,
    socket: Option<OwnedFd>,
    env: Option<Words>,
    /// Why it could not be opened, which was said.
    refused: Option<Errno>,
}

impl Notify {
    /// Before run starts: nothing that was said of another run counts.
    pub(super) fn prepare(&mut self, settings: &Settings, state: Option<&State>, voice: Voice) {
        self.over(state);
        if self.socket.is_none() {
            // Somebody else may have the name by now, to hear what the next run says.
            (self.name, self.env) = (0, None);
        }
        self.open(settings, state, voice);
        let mut buffer = [0; 4096];
        if let Some(fifo) = &self.fifo {
            // As much as a pipe holds at most: what the last run left behind may write on and on.
            for _ in 0..256 {
                if !read(fifo, &mut buffer).is_ok_and(|count| count > 0) {
                    break;
                }
            }
        }
    }

    /// Opens what the settings ask for, if it is not open.
    pub(super) fn open(&mut self, settings: &Settings, state: Option<&State>, voice: Voice) {
        self.told = settings.notification.is_some() || settings.sd_notify;
        let mut refused = None;
        if settings.notification.is_some() {
            if let Err(errno) = self.open_fifo(state) {
                refused = Some((&b"open supervise/pipe/notify"[..], errno));
            }
        } else {
            (self.fifo, self.end) = (None, None);
        }
        if !settings.sd_notify {
            self.socket = None;
        } else if self.socket.is_none() {
            if let Err(errno) = self.open_socket() {
                let what = &b"open the notification socket: what the service announces before its next start is lost"[..];
                refused = Some((what, errno));
            }
        }
        // Once, however often run is started meanwhile.
        let before = std::mem::replace(&mut self.refused, refused.map(|(_, errno)| errno));
        if let Some((what, errno)) = refused.filter(|(_, errno)| before != Some(*errno)) {
            voice.unable(&[what], errno);
        }
    }

    fn open_fifo(&mut self, state: Option<&State>) -> nix::Result<()> {
        let Some(state) = state.filter(|_| self.fifo.is_none()) else { return Ok(()) };
        let folder = pipe::folder(state.folder())?;
        self.fifo = Some(pipe::open_fifo(folder.as_fd(), c"notify")?);
        // An end of its own for the service, which so shares nothing with ours.
        let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC;
        self.end = Some(fds::open(folder.as_fd(), c"notify", flags, Mode::empty())?);
        Ok(())
    }

    /// A socket with an abstract name: a path would be out of reach for who has changed its user or root.
    /// The name lasts, so that a new supervisor can take it, if nobody else has.
    fn open_socket(&mut self) -> nix::Result<()> {
        if self.name == 0 {
            self.name = socket::random()? | 1;
        }
        let mut name = Text::<32>::of(NAME);
        name.number(self.name);
        self.socket = Some(socket::datagrams(name.bytes())?);
        Ok(())
    }

    /// Takes the socket that was handed on.
    pub(super) fn take(&mut self, socket: OwnedFd) {
        if let Some(name) = number_of(socket.as_raw_fd()) {
            (self.name, self.socket) = (name, Some(socket));
        }
    }

    /// The name is this, as a record says: a socket of another name was that of another service.
    pub(super) fn is_named(&mut self, name: u64) {
        self.socket = self.socket.take().filter(|_| self.name == name);
        self.name = name;
    }

    /// The socket is to be found by the program that we become: nobody else can get its name, or what was sent
    /// meanwhile.
    pub(super) fn hand_on(&self) -> nix::Result<Option<fds::Handed>> {
        self.socket.as_ref().map(|socket| fds::hand_on(socket.as_fd())).transpose()
    }

    /// The fd pair for the service: ours, and the number that it expects.
    pub(super) fn fd(&self, settings: &Settings) -> Option<(RawFd, RawFd)> {
        Some((self.end.as_ref()?.as_raw_fd(), settings.notification?))
    }

    /// The environment of run.
    pub(super) fn env<'a>(&'a mut self, settings: &Settings, received: &'a Words) -> &'a Words {
        if !settings.sd_notify || self.socket.is_none() {
            return received;
        }
        let name = self.name;
        self.env.get_or_insert_with(|| {
            let mut entry = Text::<48>::of("NOTIFY_SOCKET=@catena-");
            entry.number(name);
            // Kept for good, as the environment is: made once.
            let entry = CString::new(entry.bytes()).unwrap_or_default();
            let entry: &'static CStr = Box::leak(entry.into_boxed_c_str());
            let other = |word: &&'static CStr| !word.to_bytes().starts_with(b"NOTIFY_SOCKET=");
            received.clone().filter(other).chain([entry]).collect()
        })
    }

    /// The fds to wait for: the FIFO's and the socket's.
    pub(super) fn fds(&self) -> [RawFd; 2] {
        [&self.fifo, &self.socket].map(|fd| fd.as_ref().map_or(-1, AsRawFd::as_raw_fd))
    }

    /// Reads what has come, of the service whose pid is `pid`. Whether its readiness has changed.
    pub(super) fn hear(&mut self, pid: u32) -> bool {
        let before = self.ready;
        let mut buffer = [0; 4096];
        // Both so often in a round at most: no flood keeps us from the rest of our work. What cannot be read now is
        // told of again by the next wait.
        for _ in 0..16 {
            let Some(Ok(count @ 1..)) = self.fifo.as_ref().map(|fifo| read(fifo, &mut buffer)) else { break };
            self.ready |= pid != 0 && buffer[..count].contains(&b'\n');
        }
        for _ in 0..16 {
            let Some(socket) = &self.socket else { break };
            let Ok((message, sender)) = socket::receive(socket.as_fd(), &mut buffer) else { break };
            if pid == 0 || !descends(sender, pid) {
                continue;
            }
            for line in message.split(|b| *b == b'\n') {
                match line {
                    b"READY=1" => self.ready = true,
                    b"STOPPING=1" => self.ready = false,
                    _ => {
                        if let Some(words) = line.strip_prefix(b"STATUS=") {
                            self.words = Text::of(words);
                        }
                    }
                }
            }
        }
        self.ready != before
    }

    /// The run is over, and its readiness with it.
    pub(super) fn over(&mut self, state: Option<&State>) {
        self.words = Text::new();
        if let Some(state) = state.filter(|_| std::mem::take(&mut self.ready)) {
            let _ = state.show_ready(None); // nobody is misled for long: the status says that it is down
        }
    }
}

/// The socket of a service that the program before us has handed on, if there is one.
pub(super) fn handed_on() -> nix::Result<Option<OwnedFd>> {
    fds::handed_on(|fd| number_of(fd).is_some())
}

/// The random part of the name of a notification socket.
fn number_of(fd: RawFd) -> Option<u64> {
    let mut buffer = [0; 32];
    let name = socket::abstract_name(fd, &mut buffer).ok()?; // anything else, of whoever has started us
    name.strip_prefix(NAME).and_then(number)
}

/// Whether a process is another, or descends from it.
fn descends(mut pid: u32, ancestor: u32) -> bool {
    for _ in 0..GENERATIONS {
        if pid == ancestor {
            return true;
        }
        match child::process(pid) {
            Ok(process) if process.parent > 1 => pid = process.parent,
            _ => return false,
        }
    }
    false
}
