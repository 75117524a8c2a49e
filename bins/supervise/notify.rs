//! Readiness: how a service says that it serves.
//!
//! By a newline on the fd that `notification-fd` names, as s6 has it: the other end is a FIFO, so that a new
//! supervisor finds what was said in between. Or by `sd_notify(3)`, with the file `sd-notify`.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use common::quantity::number;
use common::{Text, Words, fds, procfs, random, socket};
use nix::errno::Errno;
use nix::unistd::read;

use super::fresh::Fresh;
use super::pipe::{End, Pipe};
use super::service::Settings;
use common::Voice;

/// How many ancestors of a sender are searched for the service: a limit, so that the search ends.
const GENERATIONS: usize = 64;
/// What the abstract names of our sockets begin with.
const NAME: &[u8] = b"\0catena-";

/// How many messages are read in a round; and for how many milliseconds a source that had as many is left alone.
const ROUND: usize = 16;
const PAUSE: u64 = 50;
/// The places of the two sources.
const FIFO: usize = 0;
const SOCKET: usize = 1;

/// The readiness of a service.
#[derive(Debug, Default)]
pub(super) struct Notify {
    /// It has said that it is ready, and did not take it back.
    pub(super) ready: bool,
    /// There is a way to announce it.
    pub(super) announces: bool,
    /// It has shown that it lives.
    pub(super) fed: bool,
    /// Why it could not be opened, which was reported.
    refused: Option<Errno>,
    /// The random part of the name of the socket; 0: none.
    pub(super) name: u64,
    /// Made where it is announced for the first time, and kept for the next: most services have none, no logger has.
    ways: Option<Box<Ways>>,
}

/// The ways by which it is announced.
#[derive(Debug, Default)]
struct Ways {
    fifo: Option<Pipe>,
    end: Option<OwnedFd>,
    socket: Option<Fresh>,
    /// The environment of run, made with this time for its watchdog, in milliseconds.
    env: Option<(Words, u64)>,
    /// Until when neither is listened to: monotonic, ms.
    deaf: [u64; 2],
    /// What it says of itself: allocated where it ever does, and kept for the next words.
    words: Option<Box<Text<80>>>,
}

impl Notify {
    /// Before run starts: nothing that was said of another run counts. `state`: the state directory.
    pub(super) fn prepare(&mut self, settings: &Settings, state: Option<BorrowedFd>, voice: Voice) {
        if self.socket().is_none() {
            // Somebody else may have the name by now, to hear what the next run says.
            self.name = 0;
            if let Some(ways) = &mut self.ways {
                ways.env = None;
            }
        }
        self.open(settings, state, voice);
        let Some(ways) = &mut self.ways else { return };
        if let Err(errno) = ways.open_end(state) {
            voice.unable(&[b"open supervise/pipe/notify"], errno);
        }
        ways.drain();
    }

    /// Opens what the settings ask for, if it is not open.
    pub(super) fn open(&mut self, settings: &Settings, state: Option<BorrowedFd>, voice: Voice) {
        self.announces = settings.notification.is_some() || settings.sd_notify;
        if !self.announces && self.ways.is_none() {
            return;
        }
        let ways = self.ways.get_or_insert_default();
        let mut refused = None;
        if settings.notification.is_some() {
            if let Err(errno) = ways.open_fifo(state) {
                refused = Some((&b"open supervise/pipe/notify"[..], errno, &b""[..]));
            }
        } else {
            (ways.fifo, ways.end) = (None, None);
        }
        if !settings.sd_notify {
            ways.socket = None;
        } else if ways.socket.is_none() {
            if let Err(errno) = ways.open_socket(&mut self.name) {
                let lost = &b"readiness messages before the next start of the service are lost"[..];
                refused = Some((b"open the notification socket", errno, lost));
            }
        }
        // Once, however often run is started meanwhile.
        let before = std::mem::replace(&mut self.refused, refused.map(|(_, errno, _)| errno));
        if let Some((what, errno, lost)) = refused.filter(|(_, errno, _)| before != Some(*errno)) {
            voice.unable_so(&[what], errno, lost);
        }
    }

    fn socket(&self) -> Option<&Fresh> {
        self.ways.as_ref()?.socket.as_ref()
    }

    fn fifo(&self) -> Option<&Pipe> {
        self.ways.as_ref()?.fifo.as_ref()
    }

    /// Takes the socket that was handed on.
    pub(super) fn take(&mut self, socket: OwnedFd) {
        if let Some(name) = number_of(socket.as_raw_fd()) {
            self.name = name;
            self.ways.get_or_insert_default().socket = Some(socket.into());
        }
    }

    /// The name is this, as a record says: a socket of another name was that of another service.
    pub(super) fn is_named(&mut self, name: u64) {
        if let Some(ways) = self.ways.as_mut().filter(|_| self.name != name) {
            ways.socket = None;
        }
        self.name = name;
    }

    /// What the program that we become needs: the socket, so that nobody else can get its name, or what was sent
    /// meanwhile; and the FIFO, which must not lack a reader until that has opened it by its name.
    pub(super) fn lasting(&self) -> [Option<BorrowedFd<'_>>; 2] {
        [self.socket().map(AsFd::as_fd), self.fifo().map(|fifo| fifo.both().as_fd())]
    }

    /// The fd pair for the service: ours, and the number that it expects.
    pub(super) fn fd(&self, settings: &Settings) -> Option<(RawFd, RawFd)> {
        Some((self.ways.as_ref()?.end.as_ref()?.as_raw_fd(), settings.notification?))
    }

    /// The environment of run.
    pub(super) fn env<'a>(&'a mut self, settings: &Settings, received: &'a Words) -> &'a Words {
        let ways = self.ways.as_mut().filter(|ways| settings.sd_notify && ways.socket.is_some());
        let Some(ways) = ways else { return received };
        let (name, watchdog) = (self.name, settings.rules.watchdog);
        // Kept for good, as the environment is: made once, and again where the file `watchdog` has changed.
        ways.env.take_if(|(_, made_for)| *made_for != watchdog);
        let (env, _) = ways.env.get_or_insert_with(|| {
            let mut socket = Text::<48>::of("NOTIFY_SOCKET=@catena-");
            socket.number(name);
            let mut time = Text::<48>::of("WATCHDOG_USEC=");
            time.number(watchdog.saturating_mul(1000));
            let ours = [Some(socket), Some(time).filter(|_| watchdog != 0)];
            // That which we have received was meant for us. WATCHDOG_PID is left out: who is meant is whoever has it.
            let names = [&b"NOTIFY_SOCKET="[..], b"WATCHDOG_USEC=", b"WATCHDOG_PID="];
            let other = |word: &&'static CStr| !names.iter().any(|name| word.to_bytes().starts_with(name));
            let ours = ours.iter().flatten().map(kept);
            (received.clone().filter(other).chain(ours).collect(), watchdog)
        });
        env
    }

    /// The fds to wait for: the FIFO's and the socket's, but for one that is flooded.
    pub(super) fn fds(&self, now: u64) -> [RawFd; 2] {
        let listens = |which: usize| self.ways.as_ref().is_some_and(|ways| ways.deaf[which] <= now);
        let fifo = self.fifo().filter(|_| listens(FIFO)).map_or(-1, |fifo| fifo.both().as_raw_fd());
        let socket = self.socket().filter(|_| listens(SOCKET)).map_or(-1, AsRawFd::as_raw_fd);
        [fifo, socket]
    }

    /// Whether nobody has asked this of the FIFO and of the socket before.
    pub(super) fn renewed(&mut self) -> [bool; 2] {
        let Some(ways) = &mut self.ways else { return [false; 2] };
        [ways.fifo.as_mut().is_some_and(Pipe::is_new), ways.socket.as_mut().is_some_and(Fresh::take_new)]
    }

    /// When one that is flooded is listened to again.
    pub(super) fn deadline(&self, now: u64) -> Option<u64> {
        self.ways.as_ref()?.deaf.into_iter().filter(|until| *until > now).min()
    }

    /// Reads what has come, of the service whose pid is `pid`. Whether its readiness has changed.
    pub(super) fn hear(&mut self, pid: u32, now: u64) -> bool {
        let before = self.ready;
        let Some(ways) = &mut self.ways else { return false };
        let mut buffer = [0; 4096];
        // Both at most this often in a round, and such a round at most this often in a second: no flood keeps us from the
        // rest of our work, or takes a processor. What cannot be read now is reported again by a later wait.
        ways.deaf = [now + PAUSE; 2];
        for _ in 0..ROUND {
            let Some(Ok(count @ 1..)) = ways.fifo.as_ref().map(|fifo| read(fifo.both(), &mut buffer)) else {
                ways.deaf[FIFO] = 0;
                break;
            };
            self.ready |= pid != 0 && buffer[..count].contains(&b'\n');
        }
        let mut stranger = 0;
        for _ in 0..ROUND {
            let message = ways.socket.as_ref().map(|socket| socket::receive(socket.as_fd(), &mut buffer));
            let Some(Ok((message, sender))) = message else {
                ways.deaf[SOCKET] = 0;
                break;
            };
            if pid == 0 || sender == stranger {
                continue;
            }
            if !descends(sender, pid) {
                stranger = sender;
                continue;
            }
            for line in message.split(|b| *b == b'\n') {
                match line {
                    b"READY=1" => self.ready = true,
                    b"STOPPING=1" => self.ready = false,
                    b"WATCHDOG=1" => self.fed = true,
                    _ => {
                        if let Some(words) = line.strip_prefix(b"STATUS=") {
                            **ways.words.get_or_insert_default() = Text::of(words);
                        }
                    }
                }
            }
        }
        self.ready != before
    }

    /// What it says of itself.
    pub(super) fn words(&self) -> &[u8] {
        let words = self.ways.as_ref().and_then(|ways| ways.words.as_ref());
        words.map_or(b"", |words| words.bytes())
    }

    /// The run is over, and its readiness with it: whether it was ready.
    pub(super) fn over(&mut self) -> bool {
        if let Some(words) = self.ways.as_mut().and_then(|ways| ways.words.as_mut()) {
            words.clear();
        }
        std::mem::take(&mut self.ready)
    }
}

impl Ways {
    fn open_fifo(&mut self, state: Option<BorrowedFd>) -> nix::Result<()> {
        if self.fifo.is_none() {
            self.fifo = Some(state.map_or_else(Pipe::to_us, |state| Pipe::fifo(state, c"notify"))?);
        }
        Ok(())
    }

    /// An end for the run to come, which so shares nothing with another: of a new FIFO where the name of the
    /// old one has been lost.
    fn open_end(&mut self, state: Option<BorrowedFd>) -> nix::Result<()> {
        self.end = None;
        let Some(fifo) = &self.fifo else { return Ok(()) };
        if !fifo.is_there() {
            self.fifo = None;
            self.open_fifo(state)?;
        }
        self.end = self.fifo.as_ref().map(|fifo| fifo.end(End::Write)).transpose()?;
        Ok(())
    }

    /// Takes what was said of another run out of the FIFO.
    #[inline(never)] // its buffer would be part of the frame of what starts run
    fn drain(&self) {
        let mut buffer = [0; 4096];
        let Some(fifo) = &self.fifo else { return };
        // As much as a pipe holds at most: what the last run left behind may write on and on.
        for _ in 0..256 {
            if !read(fifo.both(), &mut buffer).is_ok_and(|count| count > 0) {
                break;
            }
        }
    }

    /// A socket with an abstract name: a path would be out of reach after a change of user or root.
    /// The name lasts, so that a new supervisor can take it, if nobody else has.
    fn open_socket(&mut self, name: &mut u64) -> nix::Result<()> {
        if *name == 0 {
            *name = random::number()? | 1;
        }
        let mut whole = Text::<32>::of(NAME);
        whole.number(*name);
        self.socket = Some(socket::datagrams(whole.bytes())?.into());
        Ok(())
    }
}

/// An entry of the environment, kept for good.
fn kept(entry: &Text<48>) -> &'static CStr {
    Box::leak(CString::new(entry.bytes()).unwrap_or_default().into_boxed_c_str()) // it has no NUL byte
}

/// The socket of a service that the program before us has handed on, if there is one.
pub(crate) fn handed_on() -> nix::Result<Option<OwnedFd>> {
    fds::handed_on(|fd| number_of(fd).is_some())
}

/// The random part of the name of a notification socket.
pub(super) fn number_of(fd: RawFd) -> Option<u64> {
    let mut buffer = [0; 32];
    let name = socket::abstract_name(fd, &mut buffer).ok()?; // anything else, inherited from our parent
    name.strip_prefix(NAME).and_then(number)
}

/// Whether a process is another, or descends from it.
fn descends(mut pid: u32, ancestor: u32) -> bool {
    for _ in 0..GENERATIONS {
        if pid == ancestor {
            return true;
        }
        match procfs::process(pid) {
            Ok(process) if process.parent > 1 => pid = process.parent,
            _ => return false,
        }
    }
    false
}
