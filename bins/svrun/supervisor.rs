//! The supervisor: one thread, one wait for everything that can happen, and no other.
//!
//! What has come by several ways is handled in this order: bytes and lines, notifications, and then what was
//! learnt of before they were looked at: a signal, and deaths. `order` has the reasons.

mod control;
mod leave;
mod save;
mod start;

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use common::poll::{self, POLLIN, pollfd, watch};
use common::supervise::Control;
use common::{Text, Voice, Words, fds, memory, process, signals, socket};
use nix::errno::Errno;
use nix::unistd::{Gid, read};

use super::clients::CLIENTS;
use super::events;
use super::machine::{Death, Event, Phase};
use super::order::{self, Ask, Late};
use super::pipe::Pipe;
use super::process::Process;
use super::world::World;

/// How long the logger gets to read the pipe to its end when the supervisor leaves.
const DRAIN: u64 = 10_000;
/// How long until something that failed is tried again.
const AGAIN: u64 = 1000;

/// How much of a control FIFO is read in a round: whoever floods us is not alone.
const MOST: usize = 4096;
/// How many rounds a death waits for what was written before it: as long as there can be more of it than this
/// in a FIFO, which holds 64 KiB as a rule.
const PATIENCE: u32 = 16;

/// What is waited for besides clients, in the order in which the kernel looks: first what is handled last.
#[derive(Clone, Copy, Debug)]
enum Door {
    Signals,
    Death,
    LogDeath,
    Control,
    LogControl,
    Socket,
    Fifo,
    Notify,
}
const DOORS: usize = 8;

/// By which way something was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Signal,
    Bytes,
    Client(usize),
}

/// The signals that have arrived and were not carried out yet.
#[derive(Clone, Copy, Debug, Default)]
struct Signals {
    exit: bool,
    leave: bool,
}

/// The signals that are heard. All others are blocked.
const HEARD: [i32; 7] =
    [signals::CHLD, signals::TERM, signals::INT, signals::HUP, signals::QUIT, signals::PWR, RTMIN_3];
/// `SIGRTMIN+3`, with which container engines stop an init that is systemd. They count from 34, whatever the libc.
const RTMIN_3: i32 = 37;

/// What a supervisor is to what runs beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Role {
    /// One program of several: it stays until it is told to leave.
    Part,
    /// Process 1 of a container, or in the place of it: it leaves with its service, and every signal that an engine
    /// may be told to send is a stop.
    Whole,
}

/// What a supervisor was told to do.
#[derive(Debug)]
pub(super) struct Orders {
    /// Who speaks, and of what.
    pub(super) voice: Voice,
    /// What it is to what runs beside it.
    pub(super) role: Role,
    /// The command line, for the upgrade, and the working directory in which it counts.
    pub(super) words: Words,
    /// See `words`.
    pub(super) origin: OwnedFd,
    /// The environment.
    pub(super) env: Words,
    /// The notification socket, which the program before us has handed on.
    pub(super) notify: Option<OwnedFd>,
    /// Its pipes, likewise, until they are opened by their names.
    pub(super) pipes: [Option<OwnedFd>; 2],
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
    /// The command line, for the upgrade, and the working directory in which it counts.
    words: Words,
    origin: OwnedFd,
    draining: Option<u64>,
    role: Role,
    /// How the service has ended of itself, with which we leave.
    ended: Option<Death>,
    /// Nothing has happened for a second.
    resting: bool,
    /// Why `log` could not be opened, which was said.
    told_log: Option<Errno>,
    /// There may be more who have died.
    unreaped: bool,
    /// What is carried out once all doors have been looked at again.
    told: Signals,
    /// How many rounds deaths have waited for what was written before them.
    waited: u32,
    /// What the control FIFOs of the service and of the logger hold from before a stop that others have asked
    /// for, and the stops that have overtaken whoever waits to be let in.
    late: [Late; 2],
    late_clients: [Option<Ask>; 2],
    /// When clients are let in again: there was no fd or no memory for one.
    crowded: Option<u64>,
    /// The logger that reads a pipe which is no longer in use, and until when.
    outdated: Option<(u32, u64)>,
}

/// How it ends.
#[derive(Debug)]
pub(super) enum End {
    /// It was told to.
    Told,
    /// With its service, which has ended so.
    Ended(Death),
    /// It could not start, and has said why.
    Failed,
}

impl Supervisor {
    /// Works until it is told to leave.
    #[inline(never)]
    pub(super) fn run(&mut self) -> End {
        let mut watched = [watch(-1, 0); DOORS + CLIENTS];
        let mut refused = None;
        // Who has died before our signal dispositions were set has sent us nothing.
        self.learn();
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
            match poll::poll(&mut watched, timeout) {
                Ok(true) => {
                    refused = None;
                    self.resting &= watched.iter().all(|fd| fd.revents == 0);
                    if let Some(end) = self.happened(&watched) {
                        return end;
                    }
                }
                Ok(false) => {}
                Err(errno) => {
                    // Never seen; but a loop that fails at once must not eat the machine.
                    if refused.replace(errno) != Some(errno) {
                        self.world.voice.unable(&[b"wait for events"], errno);
                    }
                    common::lock::pause_1ms();
                }
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
        memory::give_back();
        None
    }

    #[inline(never)]
    fn watch(&self, watched: &mut [pollfd]) {
        let fd = |fd: Option<&OwnedFd>| fd.map_or(-1, AsRawFd::as_raw_fd);
        let door = |process: Option<&Process>| fd(process.and_then(|p| p.state.as_ref()?.control.as_ref()));
        let [fifo, notify] = self.service.notify.fds(self.world.now());
        let logger = self.logger.as_ref();
        let list: [(Door, RawFd); DOORS] = [
            (Door::Signals, self.signals.as_raw_fd()),
            (Door::Death, self.service.death_fd()),
            (Door::LogDeath, logger.map_or(-1, Process::death_fd)),
            (Door::Control, door(Some(&self.service))),
            (Door::LogControl, door(logger)),
            (Door::Socket, fd(self.socket.as_ref().filter(|_| self.crowded.is_none()))),
            (Door::Fifo, fifo),
            (Door::Notify, notify),
        ];
        for (door, fd) in list {
            watched[door as usize] = watch(fd, POLLIN);
        }
        for i in 0..CLIENTS {
            let (fd, events) = self.world.clients.watched(i);
            watched[DOORS + i] = watch(fd, events);
        }
    }

    #[inline(never)] // its buffers would be part of the frame that waits
    fn happened(&mut self, watched: &[pollfd]) -> Option<End> {
        let ready = |door: Door| watched[door as usize].revents != 0;
        let mut more = false;
        for (door, logger) in [(Door::Control, false), (Door::LogControl, true)] {
            more |= ready(door) && self.read_bytes(logger);
        }
        for i in 0..CLIENTS {
            let revents = watched[DOORS + i].revents;
            if revents & POLLIN != 0 {
                more |= self.world.clients.fill(i);
                self.serve(i);
            } else if revents != 0 {
                self.world.clients.drop(i);
            }
        }
        if ready(Door::Socket) {
            self.let_in();
        }
        if ready(Door::Fifo) || ready(Door::Notify) {
            self.hear_service();
        }
        let end = self.carry_out(more, [ready(Door::Death), ready(Door::LogDeath)]);
        if end.is_none() && (ready(Door::Signals) || self.unreaped) {
            self.learn();
        }
        end
    }

    /// Takes notice of the signals that have arrived and of who has died, and does nothing about it. So many
    /// deaths at most in a round: there may be any number.
    fn learn(&mut self) {
        for signal in signals::next(self.signals.as_fd()) {
            match signal {
                signals::CHLD => {}
                signals::PWR | RTMIN_3 if self.role == Role::Part => {}
                signals::QUIT if self.role == Role::Part => self.told.leave = true,
                _ => self.told.exit = true,
            }
        }
        // Also where CHLD was not heard: one signal may stand for many.
        self.unreaped = true;
        for _ in 0..32 {
            let Ok(Some((pid, status))) = process::reap() else {
                self.unreaped = false;
                break;
            };
            if !self.service.lost(pid, status) {
                self.logger.as_mut().map(|logger| logger.lost(pid, status));
            }
        }
    }

    /// Whether something was learnt of that waits for a look at the doors.
    fn has_learnt(&self) -> bool {
        let lost = self.logger.as_ref().is_some_and(Process::is_lost) || self.service.is_lost();
        lost || self.told.exit || self.told.leave
    }

    /// Carries out what was learnt of before the doors were looked at; `more`: they were not read to their
    /// end. `died`: the adopted service and the adopted logger.
    fn carry_out(&mut self, more: bool, died: [bool; 2]) -> Option<End> {
        if self.told.exit {
            // Whoever wants us to leave at once may say so again; a stop must not be lost.
            self.told = Signals::default();
            self.ask(false, Control::Exit, None, Some(Way::Signal));
        }
        let waits = more && (died != [false; 2] || self.has_learnt()) && self.waited < PATIENCE;
        self.waited = if waits { self.waited + 1 } else { 0 };
        if waits {
            return None;
        }
        self.bury(died);
        if self.told.leave {
            // Nothing of the service is touched: a new supervisor takes it over.
            self.save();
            self.world.clients.drop_all();
            return Some(End::Told);
        }
        None
    }

    /// Lets the deaths happen that were learnt of.
    fn bury(&mut self, died: [bool; 2]) {
        if died[0] || self.service.is_lost() {
            self.before_start();
        }
        for (process, died) in [Some(&mut self.service), self.logger.as_mut()].into_iter().zip(died) {
            let Some(process) = process else { continue };
            process.bury(&mut self.world);
            if died {
                process.ask_adopted(&mut self.world);
            }
        }
    }

    /// Lets clients in, and hears what they have sent: who is in the queue has been there before what is
    /// learnt of next.
    fn let_in(&mut self) {
        for _ in 0..CLIENTS {
            let Some(socket) = &self.socket else { return };
            match socket::accept(socket.as_fd()) {
                Ok(client) => {
                    let Some(i) = self.world.clients.add(client) else { continue };
                    for (logger, stop) in [false, true].into_iter().zip(self.late_clients) {
                        if let Some(stop) = stop {
                            self.world.clients.overtake(i, logger, stop);
                        }
                    }
                    self.world.clients.fill(i);
                    self.serve(i);
                }
                Err(Errno::EAGAIN) => {
                    self.late_clients = [None; 2];
                    return;
                }
                // Whoever is gone already is not missed.
                Err(Errno::ECONNABORTED | Errno::EINTR) => {}
                // It stays in the queue, of which we would be told again and again.
                Err(_) => {
                    self.crowded = Some(self.world.now() + AGAIN);
                    return;
                }
            }
        }
    }

    /// Reads and carries out the bytes of a control FIFO, up to so many. Whether there may be more.
    fn read_bytes(&mut self, logger: bool) -> bool {
        const PART: usize = 256;
        let mut bytes = [0; PART];
        for _ in 0..MOST / PART {
            let door = one_of(&self.service, self.logger.as_ref(), logger)
                .and_then(|process| process.state.as_ref()?.control.as_ref());
            // It is a FIFO that does not wait: what is not to be read now is read in the next round.
            let count = door.and_then(|door| read(door, &mut bytes).ok()).unwrap_or(0);
            let control = |byte: &u8| {
                Control::from_letter(*byte).filter(|control| !(logger && *control == Control::Exit))
            };
            let last = bytes[..count].iter().rposition(|byte| control(byte).and_then(Ask::of).is_some());
            for (at, byte) in bytes[..count].iter().enumerate() {
                let late = self.late[usize::from(logger)].take(1);
                // What is asked for in the end overtakes what others have asked for.
                let way = (last == Some(at)).then_some(Way::Bytes);
                if let Some(control) = control(byte) {
                    self.ask(logger, control, late, way);
                }
            }
            if count < PART {
                return false;
            }
        }
        true
    }

    fn hear_service(&mut self) {
        let pid = if self.service.machine.phase == Phase::Run { self.service.machine.pid } else { 0 };
        let words = Text::<80>::of(self.service.notify.words.bytes());
        let changed = self.service.notify.hear(pid, self.world.now());
        if self.service.notify.words.bytes() != words.bytes() {
            events::says(&self.service, &mut self.world);
        }
        if changed {
            let since = self.service.notify.ready.then(|| self.world.wall());
            let shown = self.service.state.as_ref().map_or(Ok(()), |state| state.show_ready(since));
            if let Err(errno) = shown {
                self.world.voice.unable(&[b"write supervise/ready"], errno);
            }
            events::ready(&self.service, &mut self.world);
            self.service.unsaved = true;
        }
    }

    /// Carries out what is asked for, unless the stop `late` has overtaken it. A stop that comes by `way`
    /// overtakes all that lies unread in other ways: before anybody can see that it was heard.
    fn ask(&mut self, logger: bool, control: Control, late: Option<Ask>, way: Option<Way>) {
        let want = one_of(&self.service, self.logger.as_ref(), logger).map(|process| process.machine.want);
        let Some(control) = order::heard(control, late, want.unwrap_or_default()) else { return };
        if let (Some(way), Some(stop)) = (way, Ask::of(control).filter(|ask| *ask != Ask::Up)) {
            self.overtake(logger, stop, way);
        }
        self.command(logger, control);
    }

    fn overtake(&mut self, logger: bool, stop: Ask, way: Way) {
        let which = usize::from(logger);
        if way != Way::Bytes {
            let door = one_of(&self.service, self.logger.as_ref(), logger)
                .and_then(|process| process.state.as_ref()?.control.as_ref());
            let unread = door.map_or(0, |door| fds::unread(door.as_fd()).unwrap_or(0)); // a FIFO can always be asked
            self.late[which].overtaken(stop, unread);
        }
        for i in (0..CLIENTS).filter(|i| way != Way::Client(*i)) {
            self.world.clients.overtake(i, logger, stop);
        }
        let mut queue = [watch(self.socket.as_ref().map_or(-1, AsRawFd::as_raw_fd), POLLIN)];
        // Where it cannot be asked it counts as one that somebody waits in.
        if poll::poll(&mut queue, Some(0)).is_err() || queue[0].revents != 0 {
            self.late_clients[which] = Some(stop);
        }
    }

    /// Carries out what is asked for.
    fn command(&mut self, logger: bool, control: Control) {
        if !logger {
            match control {
                Control::Up | Control::Once | Control::Restart => {
                    self.before_start();
                    self.take_back_exit();
                }
                Control::Down => self.take_back_exit(),
                Control::Exit | Control::Signal(_) => {}
            }
            self.service.event(&mut self.world, Event::Control(control));
        } else if let Some(process) = self.logger.as_mut().filter(|process| process.locked.is_none()) {
            // One that reads the rest has lost its pipe, and ends with it.
            if self.draining.is_none() || Ask::of(control).is_none() {
                process.event(&mut self.world, Event::Control(control));
            }
        }
    }

    /// A logger that was added is noticed by the next start of the service.
    fn before_start(&mut self) {
        if self.logger.is_none() {
            // What is wrong was said; the service runs without.
            let _ = self.look_for_log().and_then(|()| self.lock_log(false));
        }
    }

    /// What time alone leads to.
    #[inline(never)]
    fn passed(&mut self) {
        let now = self.world.now();
        if self.service.machine.is_due(now) {
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
        self.end_outdated(now);
        self.crowded = self.crowded.filter(|until| *until > now);
        self.world.clients.expire(now);
    }

    /// A logger whose pipe has lost its name reads it to the end. Where that does not come, since somebody keeps
    /// the old one open, it is told to end: the service must not wait for a reader of the new one.
    fn end_outdated(&mut self, now: u64) {
        let Some(logger) = &mut self.logger else { return };
        if self.world.pipe.as_mut().is_some_and(Pipe::has_replaced) {
            self.outdated = Some((logger.machine.pid, now + DRAIN));
        }
        if let Some((pid, _)) = self.outdated.take_if(|(_, until)| *until <= now) {
            if pid == logger.machine.pid && logger.machine.phase == Phase::Run {
                logger.event(&mut self.world, Event::Control(Control::Signal(signals::TERM)));
            }
        }
    }

    fn deadline(&self) -> Option<u64> {
        let now = self.world.now();
        if self.unreaped || self.has_learnt() {
            return Some(now);
        }
        let logger = self.logger.as_ref().and_then(|logger| logger.deadline(now));
        let drain = self.draining.map(|since| since + DRAIN);
        let times = [
            self.service.deadline(now),
            self.service.notify.deadline(now),
            logger,
            drain,
            self.world.clients.deadline(),
            self.crowded,
            self.outdated.map(|(_, until)| until),
        ];
        times.into_iter().flatten().min()
    }
}

/// The service, or its logger if there is one.
fn one_of<'a>(service: &'a Process, logger: Option<&'a Process>, which: bool) -> Option<&'a Process> {
    if which { logger } else { Some(service) }
}
