//! The supervisor: one thread, one wait for everything that can happen, and no other.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use common::child;
use common::socket::{self, POLLIN, pollfd, watch};
use common::{Text, Words, fds, signals};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, fchdir, read};

use super::clients::{CLIENTS, Condition, Input, status};
use super::events;
use super::machine::{Event, Machine, Phase, Want};
use super::pipe::Pipe;
use super::process::Process;
use super::record;
use super::service::exists;
use super::state::{NotOurs, State};
use super::voice::Voice;
use super::world::World;

/// How long the logger gets to read the pipe to its end when the supervisor leaves.
const DRAIN: u64 = 10_000;
/// How long until something that failed is tried again.
const AGAIN: u64 = 1000;

/// The signals that are heard. All others are blocked.
const HEARD: [i32; 5] = [signals::CHLD, signals::TERM, signals::INT, signals::HUP, signals::QUIT];

/// What a supervisor was told to do.
#[derive(Debug)]
pub(super) struct Orders {
    /// Who speaks, and of what.
    pub(super) voice: Voice,
    /// The command line, for the upgrade, and the working directory in which it counts.
    pub(super) words: Words,
    /// See `words`.
    pub(super) origin: OwnedFd,
    /// The environment.
    pub(super) env: Words,
    /// The service directory, which is the working directory already.
    pub(super) folder: OwnedFd,
    /// Where the state lies, if that is not the same.
    pub(super) state: Option<OwnedFd>,
}

/// A supervisor at work.
#[derive(Debug)]
pub(super) struct Supervisor {
    world: World,
    service: Process,
    logger: Option<Process>,
    socket: Option<OwnedFd>,
    signals: OwnedFd,
    operators: Option<Gid>,
    orders: Orders,
    draining: Option<u64>,
    /// Nothing has happened for a second.
    resting: bool,
    told_log: bool,
    /// There may be more who have died.
    unreaped: bool,
    /// When clients are let in again: there was no fd or no memory for one.
    crowded: Option<u64>,
}

/// How it ends.
#[derive(Debug)]
pub(super) enum End {
    /// It was told to.
    Told,
    /// It could not start, and has said why.
    Failed,
}

impl Supervisor {
    /// Takes the service directory, and what lives of it.
    #[inline(never)]
    pub(super) fn start(orders: Orders) -> Result<&'static mut Self, End> {
        let supervisor = Self::new(orders)?;
        supervisor.look_for_log(true)?;
        supervisor.adopt_or_start()?;
        Ok(supervisor)
    }

    /// Takes the state directory. A function of its own, so that what it needs of the stack is free again.
    #[inline(never)]
    fn new(orders: Orders) -> Result<&'static mut Self, End> {
        let voice = orders.voice;
        let fatal = |what: &[u8], errno: Errno| {
            voice.fatal(&[what], errno);
            End::Failed
        };
        let signals = socket::signals(&HEARD).map_err(|errno| fatal(b"open a signalfd", errno))?;
        let copy = |fd: &OwnedFd| fd.try_clone().map_err(|_| fatal(b"copy a fd", Errno::EMFILE));
        let folder = copy(&orders.folder)?;
        let state = orders.state.as_ref().map(copy).transpose()?;
        let operators = operators(&folder, voice);
        let want = if exists(folder.as_fd(), c"down") { Want::Down } else { Want::Up };
        let mut service = Process::new(false, folder, state, want);
        match State::take(service.parent(), operators, true) {
            Ok(state) => service.state = Some(state),
            Err(NotOurs::Locked) => return Err(fatal(b"lock supervise/lock", Errno::EAGAIN)),
            Err(NotOurs::Unusable(what, errno)) => return Err(fatal(what.as_bytes(), errno)),
        }
        let world = World {
            voice,
            env: orders.env.clone(),
            pipe: None,
            era: record::Era::now(),
            clients: super::clients::Clients::default(),
            logger: 0,
            service_gone: false,
            logger_gone: false,
        };
        let supervisor = Box::leak(Box::new(Self {
            world,
            service,
            logger: None,
            socket: None,
            signals,
            operators,
            orders,
            draining: None,
            resting: false,
            told_log: false,
            unreaped: false,
            crowded: None,
        }));
        supervisor.service.wall = socket::wall();
        supervisor.service.machine.since = socket::monotonic();
        Ok(supervisor)
    }

    /// Makes a logger of `log`, if that is there and was not before.
    fn look_for_log(&mut self, first: bool) -> Result<(), End> {
        if self.logger.is_some() {
            return Ok(());
        }
        let folder = match fds::open(
            self.orders.folder.as_fd(),
            c"log",
            OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
            Mode::empty(),
        ) {
            Ok(folder) => folder,
            Err(Errno::ENOENT) => return Ok(()),
            Err(errno) => {
                if !std::mem::replace(&mut self.told_log, true) {
                    self.world.voice.unable(&[b"open log, which gets nothing"], errno);
                }
                return Ok(());
            }
        };
        let Some(state) = &self.service.state else { return Ok(()) };
        let want = if exists(folder.as_fd(), c"down") { Want::Down } else { Want::Up };
        let parent = self.orders.state.as_ref().map(|state| {
            let _ = nix::sys::stat::mkdirat(state, c"log", Mode::from_bits_truncate(0o755));
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            fds::open(state.as_fd(), c"log", flags, Mode::empty())
        });
        let parent = match parent.transpose() {
            Ok(parent) => parent,
            Err(errno) => {
                self.world.voice.fatal(&[b"open log in the state directory"], errno);
                return if first { Err(End::Failed) } else { Ok(()) };
            }
        };
        match Pipe::open(state.folder()) {
            Ok((pipe, trouble)) => {
                if let Some(errno) = trouble {
                    let what = b"make supervise/pipe/fifo: nobody could take this service over";
                    self.world.voice.unable(&[what], errno);
                }
                self.world.pipe = Some(pipe);
            }
            Err(errno) => {
                self.world.voice.fatal(&[b"make a pipe for the log"], errno);
                return if first { Err(End::Failed) } else { Ok(()) };
            }
        }
        let mut logger = Process::new(true, folder, parent, want);
        logger.wall = socket::wall();
        logger.machine.since = socket::monotonic();
        logger.locked = Some(0);
        self.logger = Some(logger);
        self.world.clients.has_logger = true;
        Ok(())
    }

    /// Takes the logger's state directory. Another that holds its lock has its logger there: it is tried
    /// again, and the pipe keeps what the service says.
    fn lock_log(&mut self, patience: bool) -> Result<(), End> {
        let Some(logger) = self.logger.as_mut().filter(|logger| logger.locked.is_some()) else {
            return Ok(());
        };
        let voice = logger.voice(&self.world);
        let first = logger.locked == Some(0);
        match State::take(logger.parent(), self.operators, patience) {
            Ok(state) => {
                logger.locked = None;
                logger.state = Some(state);
                adopt(logger, &mut self.world)?;
                if logger.machine.phase == Phase::Down && logger.machine.want == Want::Up {
                    logger.event(&mut self.world, Event::Byte(b'u'));
                }
                self.world.logger = logger.machine.pid;
                logger.unsaved = true;
                return Ok(());
            }
            Err(NotOurs::Locked) if first => {
                voice.unable(&[b"lock supervise/lock, trying again"], Errno::EAGAIN);
            }
            Err(NotOurs::Unusable(what, errno)) if first => {
                voice.unable(&[what.as_bytes(), b", trying again"], errno);
            }
            Err(_) => {}
        }
        logger.locked = Some(self.world.now() + AGAIN);
        Ok(())
    }

    fn adopt_or_start(&mut self) -> Result<(), End> {
        verify(&self.service, &self.world)?;
        self.lock_log(true)?;
        // Who sees the service finds its logger too.
        self.save();
        adopt(&mut self.service, &mut self.world)?;
        if self.service.machine.phase == Phase::Down && self.service.machine.want == Want::Up {
            self.service.event(&mut self.world, Event::Byte(b'u'));
        }
        self.service.unsaved = true;
        self.save();
        Ok(())
    }

    /// Works until it is told to leave.
    #[inline(never)]
    pub(super) fn run(&mut self) -> End {
        let mut watched = [watch(-1, 0); 10 + CLIENTS];
        // Who has died before our signal dispositions were set has sent us nothing.
        self.reap();
        loop {
            (0..CLIENTS).for_each(|i| self.serve(i));
            if let Some(end) = self.leave() {
                return end;
            }
            self.save();
            if self.answer_waiting() {
                continue; // they may have sent more meanwhile
            }
            self.watch(&mut watched);
            let timeout = self.deadline().map(|deadline| deadline.saturating_sub(self.world.now()));
            let timeout = self.rest(timeout);
            match socket::poll(&mut watched, timeout) {
                Ok(true) => {
                    self.resting &= watched.iter().all(|fd| fd.revents == 0);
                    if let Some(end) = self.happened(&watched) {
                        return end;
                    }
                }
                Ok(false) => {}
                Err(errno) => {
                    // Never seen; but a loop that fails at once must not eat the machine.
                    self.world.voice.unable(&[b"wait for events"], errno);
                    common::lock::nap();
                }
            }
            if self.unreaped {
                self.reap();
            }
            self.passed();
        }
    }

    /// Where nothing is due, what is not needed for the wait is given back once a second has been quiet:
    /// whoever has much to do would fetch it again and again.
    fn rest(&mut self, timeout: Option<u64>) -> Option<u64> {
        if timeout.is_some() || !self.resting {
            self.resting = timeout.is_none();
            return timeout.or(Some(AGAIN));
        }
        child::give_back();
        None
    }

    #[inline(never)]
    fn watch(&self, watched: &mut [pollfd]) {
        let fd = |fd: Option<&OwnedFd>| fd.map_or(-1, AsRawFd::as_raw_fd);
        let door = |process: Option<&Process>| fd(process.and_then(|p| p.state.as_ref()?.control.as_ref()));
        let [fifo, notify] = self.service.notify.fds();
        let logger = self.logger.as_ref();
        let list = [
            self.signals.as_raw_fd(),
            door(Some(&self.service)),
            door(logger),
            fd(self.socket.as_ref().filter(|_| self.crowded.is_none())),
            fifo,
            notify,
            self.service.death_fd(),
            logger.map_or(-1, Process::death_fd),
        ];
        for (place, fd) in watched.iter_mut().zip(list) {
            *place = watch(fd, POLLIN);
        }
        for i in 0..CLIENTS {
            let (fd, events) = self.world.clients.watched(i);
            watched[list.len() + i] = watch(fd, events);
        }
    }

    #[inline(never)] // its buffers would be part of the frame that waits
    fn happened(&mut self, watched: &[pollfd]) -> Option<End> {
        let ready = |i: usize| watched[i].revents != 0;
        if ready(0) {
            if let Some(end) = self.hear_signals() {
                return Some(end);
            }
        }
        if ready(1) {
            self.read_bytes(false);
        }
        if ready(2) {
            self.read_bytes(true);
        }
        if ready(4) || ready(5) {
            self.hear_service();
        }
        if ready(6) {
            self.before_start();
            self.service.ask_adopted(&mut self.world);
        }
        if let Some(logger) = self.logger.as_mut().filter(|_| ready(7)) {
            logger.ask_adopted(&mut self.world);
        }
        for i in 0..CLIENTS {
            if ready(8 + i) {
                if watched[8 + i].revents & POLLIN == 0 {
                    self.world.clients.drop(i);
                } else {
                    self.world.clients.fill(i);
                }
            }
        }
        if let Some(socket) = self.socket.as_ref().filter(|_| ready(3)) {
            match socket::accept(socket.as_fd()) {
                Ok(client) => self.world.clients.add(client),
                // Whoever is gone already is not missed.
                Err(Errno::EAGAIN | Errno::ECONNABORTED | Errno::EINTR) => {}
                // It stays in the queue, of which we would be told again and again.
                Err(_) => self.crowded = Some(self.world.now() + AGAIN),
            }
        }
        None
    }

    fn hear_signals(&mut self) -> Option<End> {
        for signal in socket::next_signals(self.signals.as_fd()) {
            match signal {
                signals::CHLD => {}
                signals::QUIT => {
                    // Nothing of the service is touched: a new supervisor takes it over.
                    self.save();
                    self.world.clients.drop_all();
                    return Some(End::Told);
                }
                _ => self.command(false, Event::Byte(b'x')),
            }
        }
        self.reap(); // also where CHLD was not heard: one signal may stand for many
        None
    }

    /// Takes notice of who has died. So many at most in a round: a run that cannot be executed, without any
    /// delay, may die as fast as it is started.
    fn reap(&mut self) {
        self.unreaped = true;
        for _ in 0..32 {
            let Ok(Some((pid, status))) = child::reap() else {
                self.unreaped = false;
                break;
            };
            if pid == self.service.machine.pid {
                self.before_start();
            }
            let ours = self.service.reaped(&mut self.world, pid, status);
            if let Some(logger) = self.logger.as_mut().filter(|_| !ours) {
                logger.reaped(&mut self.world, pid, status);
            }
        }
    }

    fn read_bytes(&mut self, logger: bool) {
        let mut bytes = [0; 64];
        let process = if logger { self.logger.as_ref() } else { Some(&self.service) };
        let door = process.and_then(|process| process.state.as_ref()?.control.as_ref());
        // Once a round: whoever floods us is not alone.
        let count = door.and_then(|door| read(door, &mut bytes).ok()).unwrap_or(0);
        for byte in &bytes[..count] {
            if !(logger && *byte == b'x') {
                self.command(logger, Event::Byte(*byte));
            }
        }
    }

    fn hear_service(&mut self) {
        let pid = if self.service.machine.phase == Phase::Run { self.service.machine.pid } else { 0 };
        if self.service.notify.hear(pid) {
            let since = self.service.notify.ready.then(|| self.world.wall());
            let shown = self.service.state.as_ref().map_or(Ok(()), |state| state.show_ready(since));
            if let Err(errno) = shown {
                self.world.voice.unable(&[b"write supervise/ready"], errno);
            }
            events::ready(&self.service, &mut self.world);
            self.service.unsaved = true;
        }
    }

    /// Carries out what a client asks for.
    fn command(&mut self, logger: bool, event: Event) {
        if !logger {
            match event {
                Event::Byte(b'u' | b'o') | Event::Restart => {
                    self.before_start();
                    self.take_back_exit();
                }
                Event::Byte(b'd') => self.take_back_exit(),
                _ => {}
            }
            self.service.event(&mut self.world, event);
        } else if let Some(process) = self.logger.as_mut().filter(|process| process.locked.is_none()) {
            process.event(&mut self.world, event);
        }
    }

    /// A logger that was added is noticed by the next start of the service.
    fn before_start(&mut self) {
        if self.logger.is_none() {
            // What is wrong was said; the service runs without.
            let _ = self.look_for_log(false).and_then(|()| self.lock_log(false));
        }
    }

    /// The service is wanted again while its logger reads the rest.
    fn take_back_exit(&mut self) {
        self.world.service_gone = false;
        if self.draining.take().is_none() {
            return;
        }
        if let (Some(logger), Some(state)) = (&mut self.logger, &self.service.state) {
            if let Ok((pipe, _)) = Pipe::open(state.folder()) {
                self.world.pipe = Some(pipe);
            }
            self.world.logger_gone = false;
            logger.event(&mut self.world, Event::Byte(b'u'));
        }
    }

    /// What time alone leads to.
    #[inline(never)]
    fn passed(&mut self) {
        let now = self.world.now();
        if self.service.machine.due.is_some_and(|due| due <= now) {
            self.before_start();
        }
        for process in [Some(&mut self.service), self.logger.as_mut()].into_iter().flatten() {
            if process.machine.deadline().is_some_and(|deadline| deadline <= now) {
                process.event(&mut self.world, Event::Time);
            }
            if process.asking.is_some() {
                process.ask_adopted(&mut self.world);
            }
            if process.again.is_some_and(|again| again <= now) {
                process.again = None;
                process.unsaved = true;
            }
        }
        if self.logger.as_ref().and_then(|logger| logger.locked).is_some_and(|again| again <= now) {
            // A record that cannot be obeyed was said; the pipe keeps what the service says.
            let _ = self.lock_log(false);
        }
        self.crowded = self.crowded.filter(|until| *until > now);
        self.world.clients.expire(now);
    }

    fn deadline(&self) -> Option<u64> {
        let now = self.world.now();
        if self.unreaped {
            return Some(now);
        }
        let logger = self.logger.as_ref().and_then(|logger| logger.deadline(now));
        let drain = self.draining.map(|since| since + DRAIN);
        let times = [self.service.deadline(now), logger, drain, self.world.clients.deadline(), self.crowded];
        times.into_iter().flatten().min()
    }

    /// Answers who has waited for what is written now. Whether anybody has.
    fn answer_waiting(&mut self) -> bool {
        let processes = [Some(&self.service), self.logger.as_ref()].into_iter().flatten();
        processes.filter(|process| self.world.clients.answer(process)).count() > 0 // each of them
    }

    /// Writes what has changed, for clients and for a new supervisor.
    #[inline(never)]
    fn save(&mut self) {
        if self.socket.is_none() {
            self.open_socket();
        }
        for process in [Some(&mut self.service), self.logger.as_mut()].into_iter().flatten() {
            if !process.unsaved {
                continue;
            }
            process.unsaved = false;
            let voice = process.voice(&self.world);
            process.make_record(&self.world);
            // Before anybody can see it: who kills us then must not take us back behind it.
            process.remember(&self.world);
            let Some(state) = &mut process.state else { continue };
            let mut shown = state.show(&process.machine, process.wall, voice);
            if state.is_lost() {
                let made = State::take(process.parent(), self.operators, false);
                if !std::mem::replace(&mut process.told_gone, made.is_err()) {
                    let what = if made.is_ok() { &b"made anew"[..] } else { b"it cannot be made anew" };
                    voice.warning(&[b"supervise is gone: ", what]);
                }
                if let Ok(state) = made {
                    process.state = Some(state);
                    process.unrecorded = true;
                }
                process.make_record(&self.world);
                process.remember(&self.world);
                if !process.logger {
                    self.socket = None;
                    // The old pipe lives as long as those who have it open; who starts from now on gets the
                    // new one, and the logger reads the old one to its end first.
                    let folder = process.state.as_ref().map(State::folder);
                    if let Some(Ok((pipe, _))) = folder.filter(|_| self.world.pipe.is_some()).map(Pipe::open)
                    {
                        self.world.pipe = Some(pipe);
                    }
                }
            }
            let Some(state) = &mut process.state else { continue };
            if !shown {
                shown = state.show(&process.machine, process.wall, voice);
            }
            let open = state.open_doors();
            if let Some(errno) = open.err().filter(|_| process.again.is_none()) {
                voice.unable(&[b"open supervise/control and supervise/ok, trying again"], errno);
            }
            if !shown || open.is_err() {
                process.again = Some(self.world.now() + AGAIN);
            }
        }
        if self.socket.is_none() {
            self.service.again.get_or_insert(self.world.now() + AGAIN);
        }
    }

    /// Listens at `socket` in the state directory, where the path is short, by way of the working directory.
    fn open_socket(&mut self) {
        let Some(state) = &mut self.service.state else { return };
        let mode = if self.operators.is_some() { 0o660 } else { 0o600 };
        let opened = fchdir(state.folder()).and_then(|()| {
            // It is a dead one's: we hold the lock.
            match nix::unistd::unlink(c"socket") {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno),
            }
            let socket = socket::listen(b"socket", mode)?;
            if let Some(group) = self.operators {
                nix::unistd::fchownat(
                    AT_FDCWD,
                    c"socket",
                    None,
                    Some(group),
                    nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW,
                )?;
                nix::sys::stat::fchmodat(
                    AT_FDCWD,
                    c"socket",
                    Mode::from_bits_truncate(0o660),
                    nix::sys::stat::FchmodatFlags::FollowSymlink,
                )?;
            }
            Ok(socket)
        });
        let back = fchdir(&self.orders.folder);
        match opened.and_then(|socket| back.map(|()| socket)) {
            Ok(socket) => self.socket = Some(socket),
            Err(errno) => state.complain(self.world.voice, b"open supervise/socket, trying again", errno),
        }
    }

    /// Whether it is time to leave: the service is down for good, and its logger has read all.
    #[inline(never)]
    fn leave(&mut self) -> Option<End> {
        if !self.world.service_gone {
            return None;
        }
        let now = self.world.now();
        match self.draining {
            None => {
                self.draining = Some(now);
                self.drain();
            }
            Some(since) if now >= since + DRAIN && !self.world.logger_gone => {
                let what = b"a process that the service left behind may still write to the log: the logger is left running";
                self.world.voice.warning(&[what]);
                self.world.logger_gone = true;
            }
            Some(_) => {}
        }
        if self.logger.is_some() && !self.world.logger_gone {
            return None;
        }
        self.save();
        let logger = self.logger.as_ref().filter(|logger| logger.machine.pid == 0);
        for process in [Some(&self.service), logger].into_iter().flatten() {
            if let Some(state) = &process.state {
                if let Some(file) = &state.record {
                    let _ = record::clear(file.as_fd()); // what it says is dead in any case
                }
                let _ =
                    nix::unistd::unlinkat(state.folder(), c"socket", nix::unistd::UnlinkatFlags::NoRemoveDir);
            }
        }
        self.world.clients.drop_all();
        Some(End::Told)
    }

    /// The logger reads the pipe to its end, which comes once we and the service have closed it. It gets no
    /// signal. One that waits for its next start is started, if there is something to read.
    fn drain(&mut self) {
        let unread = self.world.pipe.as_ref().map_or(0, Pipe::unread);
        let Some(logger) = &mut self.logger else { return };
        if logger.locked.is_some() {
            self.world.logger_gone = true;
            return;
        }
        if logger.machine.phase == Phase::Wait && unread > 0 {
            logger.event(&mut self.world, Event::Byte(b'o'));
        }
        self.world.pipe = None;
        match logger.machine.phase {
            Phase::Run => logger.machine.want = Want::Exit,
            _ => logger.event(&mut self.world, Event::Byte(b'x')),
        }
        logger.unsaved = true;
    }

    /// Answers a client's lines.
    #[inline(never)] // its buffers would be part of the frame that waits
    fn serve(&mut self, i: usize) {
        loop {
            match self.world.clients.line(i) {
                Input::Nothing => return,
                Input::TooLong => {
                    self.world.clients.refuse(i, b"too long");
                    self.world.clients.drop(i);
                }
                Input::Line(line) => self.answer(i, line.bytes()),
            }
        }
    }

    fn answer(&mut self, i: usize, line: &[u8]) {
        let (logger, line) = match line.strip_prefix(b"log ") {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        if logger && self.logger.is_none() {
            return self.world.clients.refuse(i, b"no log");
        }
        let mut words = line.split(|b| *b == b' ').filter(|word| !word.is_empty());
        let list = [words.next(), words.next(), words.next(), words.next()];
        let event = match list {
            [Some(b"status"), None, ..] => return self.reply(i, logger),
            [Some(b"events"), None, ..] => {
                if let Some(process) = if logger { self.logger.as_ref() } else { Some(&self.service) } {
                    self.world.clients.follow(i, process);
                }
                return;
            }
            [Some(b"wait"), Some(condition), seconds, None] => {
                return self.wait(i, logger, condition, seconds);
            }
            [Some(b"upgrade"), None, ..] if !logger => return self.upgrade(i),
            [Some(b"exit"), None, ..] if logger => return self.world.clients.refuse(i, b"not for the log"),
            [Some(b"up"), None, ..] => Event::Byte(b'u'),
            [Some(b"down"), None, ..] => Event::Byte(b'd'),
            [Some(b"once"), None, ..] => Event::Byte(b'o'),
            [Some(b"exit"), None, ..] => Event::Byte(b'x'),
            [Some(b"restart"), None, ..] => Event::Restart,
            [Some(b"pause"), None, ..] => Event::Byte(b'p'),
            [Some(b"continue"), None, ..] => Event::Byte(b'c'),
            [Some(b"signal"), Some(name), None, _] => match signals::parse(name) {
                Some(signal) => b"tkpchaiq12"
                    .iter()
                    .find(|byte| super::machine::signal(**byte) == Some(signal))
                    .map_or(Event::Signal(signal), |byte| Event::Byte(*byte)),
                None => return self.world.clients.refuse(i, b"unknown signal"),
            },
            _ => {
                self.world.clients.refuse(i, b"unknown command");
                return self.world.clients.drop(i);
            }
        };
        let needs_process = match event {
            Event::Signal(_) => true,
            Event::Byte(byte) => super::machine::signal(byte).is_some(),
            _ => false,
        };
        let machine = self.machine(logger);
        if needs_process && machine.is_none_or(|machine| machine.pid == 0) {
            return self.world.clients.refuse(i, b"not running");
        }
        if event == Event::Byte(b'x') {
            self.world.clients.keep(i);
        }
        self.command(logger, event);
        self.save();
        self.reply(i, logger);
    }

    fn machine(&self, logger: bool) -> Option<&Machine> {
        if logger { self.logger.as_ref().map(|logger| &logger.machine) } else { Some(&self.service.machine) }
    }

    /// Answers with the state, once a start that is under way is over.
    fn reply(&mut self, i: usize, logger: bool) {
        let Some(process) = (if logger { self.logger.as_ref() } else { Some(&self.service) }) else { return };
        if process.machine.preparing() {
            return self.world.clients.wait(i, Condition::Settled, None, process);
        }
        let text = status(process, self.world.clients.has_logger);
        self.world.clients.send(i, text.bytes());
    }

    fn wait(&mut self, i: usize, logger: bool, condition: &[u8], seconds: Option<&[u8]>) {
        let condition = match condition {
            b"up" => Condition::Up,
            b"down" => Condition::Down,
            b"finished" => Condition::Finished,
            b"ready" => Condition::Ready,
            _ => return self.world.clients.refuse(i, b"unknown command"),
        };
        let milliseconds = match seconds.map(super::service::milliseconds) {
            None => None,
            Some(Some(milliseconds)) => Some(milliseconds),
            Some(None) => return self.world.clients.refuse(i, b"not a number of seconds"),
        };
        if let Some(process) = if logger { self.logger.as_ref() } else { Some(&self.service) } {
            self.world.clients.wait(i, condition, milliseconds, process);
        }
    }

    /// Becomes the program that is now in our own file's place. The children stay ours, and the lock is free
    /// for the moment that the exec takes.
    fn upgrade(&mut self, i: usize) {
        self.save();
        let mut path = Text::<512>::new();
        let become_it = |path: &CStr| -> nix::Result<Errno> {
            fchdir(&self.orders.origin)?;
            // Clients see their end: the new program listens in a moment.
            Err(child::become_file(path, &self.orders.words, &self.orders.env))
        };
        let errno = match own_path(&mut path).and_then(become_it) {
            Ok(never) => never,
            Err(errno) => errno,
        };
        if let Err(errno) = fchdir(&self.orders.folder) {
            self.world.voice.unable(&[b"change back to the service directory"], errno);
        }
        let mut why = Text::<128>::of("unable to execute the supervisor's file: ");
        self.world.clients.refuse(i, why.errno(errno).bytes());
    }
}

/// The path of our own file: of what is there now, if it was replaced.
fn own_path(buffer: &mut Text<512>) -> nix::Result<&CStr> {
    let path = nix::fcntl::readlink(c"/proc/self/exe")?;
    let path = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str());
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    buffer.add(path).add("\0");
    CStr::from_bytes_with_nul(buffer.bytes()).map_err(|_| Errno::ENAMETOOLONG)
}

/// The group of the file `operators`, whose members may control the service.
fn operators(folder: &OwnedFd, voice: Voice) -> Option<Gid> {
    let mut buffer = [0; 64];
    let count =
        match super::service::open(folder.as_fd(), c"operators").and_then(|file| read(file, &mut buffer)) {
            Err(Errno::ENOENT) => return None,
            Ok(count) => count,
            Err(errno) => {
                voice.unable(&[b"read operators"], errno);
                return None;
            }
        };
    let name = buffer[..count].trim_ascii();
    let by_name = || common::credentials::group(&std::ffi::CString::new(name).ok()?).ok();
    let found = common::cli::number(name).or_else(by_name);
    if found.is_none() {
        voice.warning(&[b"operators: no such group, nobody gets through"]);
    }
    found.map(Gid::from_raw)
}

/// Fails where nobody can say whether what is recorded lives: before anything is started.
fn verify(process: &Process, world: &World) -> Result<(), End> {
    let Some(file) = process.state.as_ref().and_then(|state| state.record.as_ref()) else { return Ok(()) };
    let child = record::read(file.as_fd(), &world.era).map(|(_, child)| child);
    child.and_then(|child| child.map_or(Ok(false), |child| child.lives())).map(drop).map_err(|errno| {
        process.voice(world).fatal(&[b"tell whether the process in supervise/record lives"], errno);
        End::Failed
    })
}

/// Takes over what a supervisor that was killed has left: its process, or what is to follow. Where it cannot
/// be said whether the process lives nothing is started, and the status is 111.
fn adopt(process: &mut Process, world: &mut World) -> Result<(), End> {
    let Some(file) = process.state.as_ref().and_then(|state| state.record.as_ref()) else { return Ok(()) };
    let voice = process.voice(world);
    let unsure = |errno: Errno| {
        voice.fatal(&[b"tell whether the process in supervise/record lives"], errno);
        End::Failed
    };
    let (memory, child) = record::read(file.as_fd(), &world.era).map_err(unsure)?;
    let normally = process.machine.want;
    let Some(child) = child else {
        // Nothing was ever run; but what was wanted still is.
        if let Some(memory) = memory.filter(|memory| memory.machine.want != Want::Exit) {
            process.machine.want = memory.machine.want;
        }
        return Ok(());
    };
    let alive = child.lives().map_err(unsure)?;
    let memory = memory.filter(|memory| memory.serial == child.serial || !alive);
    if let Some(memory) = &memory {
        process.machine = memory.machine;
        process.wall = memory.wall;
        process.died = ((memory.died, 0), memory.dead);
        process.notify.name = memory.notify;
    }
    // A start was under way that has left no trace: the run before it is over and done with.
    let ahead = memory.as_ref().map(|memory| memory.serial);
    let ahead = ahead.filter(|serial| (1..1 << 31).contains(&serial.wrapping_sub(child.serial)));
    process.serial = ahead.unwrap_or(child.serial);
    process.spawned = (child.since, child.wall);
    let machine = &mut process.machine;
    // Whoever starts a supervisor means it to stay: an exit that was under way is over with the old one.
    if machine.want == Want::Exit {
        machine.want = normally;
    }
    machine.due = machine.due.filter(|_| machine.phase == Phase::Wait);
    let known = memory.as_ref().is_some_and(|memory| memory.serial == child.serial);
    if alive {
        machine.phase = if child.finish { Phase::Finish } else { Phase::Run };
        machine.pid = child.pid;
        if !known {
            (machine.paused, machine.termed) = (false, false);
        }
        if !child.finish {
            (machine.since, process.wall) = (child.since, child.wall);
        }
        let parent = child::process(child.pid).map(|process| process.parent);
        if parent != Ok(std::process::id()) {
            match child::pidfd(child.pid) {
                Ok(pidfd) => process.adopted = Some(pidfd),
                Err(Errno::ESRCH) => {
                    died_unseen(process, world, child.finish);
                    return Ok(());
                }
                Err(errno) => return Err(unsure(errno)),
            }
            // Between the look and the open another may have got the pid.
            if !child.lives().map_err(unsure)? {
                process.adopted = None;
                died_unseen(process, world, child.finish);
                return Ok(());
            }
        }
        process.settings.for_stop(process.folder.as_fd(), voice);
        process.machine.resume(world.now(), &process.settings.rules);
        if !process.logger && !child.finish {
            process.settings.for_start(process.folder.as_fd(), voice);
            process.notify.ready = memory.is_some_and(|memory| known && memory.ready);
            process.notify.open(&process.settings, process.state.as_ref(), voice);
        }
        return Ok(());
    }
    let phase = process.machine.phase;
    if ahead.is_some() && phase == Phase::Run {
        (process.machine.phase, process.machine.pid, process.machine.due) = (Phase::Wait, 0, Some(0));
        return Ok(());
    }
    if (known || ahead.is_some()) && matches!(phase, Phase::Down | Phase::Wait | Phase::Prepare) {
        // Its death was seen, and all that was due has been done; what is left is the next start.
        process.machine.pid = 0;
        if phase == Phase::Prepare {
            process.machine.phase = Phase::Down;
        }
        return Ok(());
    }
    if known && phase == Phase::Finish && !child.finish {
        // Its death was seen, and finish is due.
        process.machine.pid = 0;
        process.machine.due = Some(0);
        return Ok(());
    }
    process.machine.since = if known { process.machine.since } else { child.since };
    process.machine.pid = child.pid;
    died_unseen(process, world, child.finish);
    Ok(())
}

/// Nobody knows how the recorded process died.
fn died_unseen(process: &mut Process, world: &mut World, finish: bool) {
    process.machine.phase = if finish { Phase::Finish } else { Phase::Run };
    process.event(world, Event::Died(super::machine::Death::Unknown));
}
