//! A supervised service: the service, its logger, and what their clients ask for.
//!
//! It is a value: the program that holds it waits for its fds and its times, and for the deaths of children, and
//! calls it.
//! It works with the directories that it was given and changes nothing that the process has but once.
//!
//! What has come by several ways is handled in this order: bytes and lines, notifications, and then what was
//! learnt of before they were looked at: a signal, and deaths. `order` has the reasons.

mod default_log;
mod hosting;
mod leave;
mod requests;
mod save;
mod standing;
mod start;

pub(crate) use hosting::CHILDREN;
pub(crate) use standing::Standing;

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use common::poll::{self, POLLIN, pollfd, watch};
use common::spawn::FewFiles;
use common::supervise::{Control, Object};
use common::{Text, Voice, Words, fds, signals, socket};
use nix::errno::Errno;
use nix::unistd::read;

use super::access::{Access, NOT_PERMITTED};
use super::adopted::Adopted;
use super::clients::{CLIENTS, Clients};
use super::fresh::Fresh;
use super::leftovers::Orphans;
use super::lock::Patience;
use super::machine::{Death, Event, Hold, Phase, Timer, Want};
use super::needs::Names;
use super::now::Now;
use super::order::{self, Ask, Late};
use super::parts::Parts;
use super::pid_space::PidSpace;
use super::pipe::Pipe;
use super::process::Process;
use super::program::DefaultLog;
use super::shared::Shared;
use common::supervise::Part;

/// How long the logger gets to read the pipe to its end when the supervisor leaves.
const DRAIN: u64 = 10_000;
/// How long until something that failed is tried again.
const AGAIN: u64 = 1000;

/// How much of a control FIFO is read in a round: a flood must not keep out the others.
const MOST: usize = 4096;
/// How many rounds a death waits for what was written before it: as long as there can be more of it than this
/// in a FIFO, which holds 64 KiB as a rule.
const ROUNDS: u32 = 16;

/// The fds to wait for besides those of clients, in the order in which the kernel checks them: the first is
/// handled last.
#[derive(Clone, Copy, Debug)]
enum Door {
    Death,
    LogDeath,
    Control,
    LogControl,
    Socket,
    Fifo,
    Notify,
}
const DOORS: usize = 7;

/// How many fds a service has at most that are waited for.
pub(crate) const FIXED_FDS: usize = DOORS + CLIENTS;

/// The way by which a command came.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Signal,
    Bytes,
    Client(usize),
}

/// What its holder has asked for, and is carried out once all doors have been looked at again.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    stop: bool,
    leave: bool,
}

/// When a supervised service ends of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ends {
    /// It does not: it stays until it is asked to end.
    WhenAsked,
    /// When run is not started again.
    WithService,
}

/// What follows where the state directory can be neither made nor written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Homeless {
    /// The service is refused.
    Refused,
    /// It is supervised without: it has no file, FIFO or socket of its own, clients are handed in, and nobody can
    /// adopt it.
    Supervised,
}

/// How it has ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ending {
    /// It was asked to.
    Asked,
    /// With run, which has ended so.
    Ended(Death),
}

/// When clients can read what has changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Show {
    /// At once.
    Now,
    /// Of what is on its way out, and nobody has asked about: at its end, or at [`Supervised::show`].
    Later,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Next {
    /// Nothing, until one of its fds is ready or its time has come.
    Wait,
    /// There may be more to do: it wants to be settled again.
    Again,
    /// This client asks for the upgrade, and gets an answer only where that fails: [`Supervised::refuse_upgrade`].
    Upgrade(usize),
    /// It has ended: it is not to be called again.
    Over(Ending),
}

/// The directories of a service.
#[derive(Debug)]
pub(crate) struct Places {
    /// The service directory.
    pub(crate) service: OwnedFd,
    /// Where its state lies, if that is not the same.
    pub(crate) state: Option<OwnedFd>,
}

/// How a service is supervised.
#[derive(Debug)]
pub(crate) struct Options {
    /// The prefix of every message.
    pub(crate) voice: Voice,
    /// The environment of its programs.
    pub(crate) env: Words,
    /// What its programs have of our open files, where those are many.
    pub(crate) files: Option<&'static FewFiles>,
    /// The pid of this process.
    pub(crate) supervisor: u32,
    /// Where recorded pids mean anything.
    pub(crate) space: PidSpace,
    /// When it ends of itself.
    pub(crate) ends: Ends,
    /// Whose the children are that nobody has started here.
    pub(crate) orphans: Orphans,
    /// Whether it is waited for what another supervisor has not given up yet.
    pub(crate) patience: Patience,
    /// Starts are held back from the beginning, until [`Supervised::release`]: what they wait for.
    pub(crate) needs: Option<Names>,
    /// The argument of run and setup, if they get one.
    pub(crate) argument: Option<&'static CStr>,
    /// What follows where there is no place for its state.
    pub(crate) homeless: Homeless,
    /// What logs it if it has no `log`.
    pub(crate) log: Option<DefaultLog>,
    /// The notification socket, if the program before this one has handed it on.
    pub(crate) notify: Option<OwnedFd>,
}

/// A supervised service.
#[derive(Debug)]
pub(crate) struct Supervised {
    shared: Shared,
    parts: Parts,
    clients: Clients,
    socket: Option<Fresh>,
    access: Access,
    ends: Ends,
    /// How the service has ended of itself, with which we end.
    ended: Option<Death>,
    /// Since when the logger reads the rest.
    draining: Option<u64>,
    /// What logs it if it has no `log`.
    default_log: Option<Box<DefaultLog>>,
    /// Why `log` could not be opened, which was reported.
    no_log: Option<Errno>,
    asked: Asked,
    /// How many rounds deaths have waited for what was written before them.
    waited: u32,
    /// What the control FIFOs of both parts hold from before a stop that others have asked for, and the stops that
    /// have overtaken the clients that wait to be let in.
    late: [Late; 2],
    late_clients: [Option<Ask>; 2],
    /// When clients are let in again: there was no fd or no memory for one.
    crowded: Option<u64>,
    /// The logger that reads a pipe which is no longer in use, and until when.
    outdated: Option<(u32, u64)>,
}

impl Supervised {
    /// Does what is to be done before the wait: answers clients, writes the state, ends.
    #[inline(never)] // its buffers would be part of the frame that waits
    pub(crate) fn settle(&mut self, show: Show, now: Now) -> Next {
        (0..CLIENTS).for_each(|i| self.serve(i, now));
        self.exchange_ended_logger(now);
        if let Some(next) = self.prepare_upgrade(now) {
            return next;
        }
        if let Some(outcome) = self.end(now) {
            return Next::Over(outcome);
        }
        self.save_and(if self.clients.are_none() { show } else { Show::Now }, now);
        // A client that was answered may have sent more meanwhile.
        if self.answer_waiting(now) { Next::Again } else { Next::Wait }
    }

    /// Writes what is to be waited for into `watched`, which has [`FIXED_FDS`] places.
    #[inline(never)]
    pub(crate) fn watch(&self, watched: &mut [pollfd], now: Now) {
        let fd = |fd: Option<BorrowedFd>| fd.map_or(-1, |fd| fd.as_raw_fd());
        let [fifo, notify] = self.parts.service.notify.fds(now.monotonic);
        let logger = self.parts.logger.as_deref();
        let socket = self.socket.as_ref().filter(|_| self.crowded.is_none());
        let list: [(Door, RawFd); DOORS] = [
            (Door::Death, self.parts.service.death_fd()),
            (Door::LogDeath, logger.map_or(-1, Process::death_fd)),
            (Door::Control, fd(self.parts.service.control_fifo())),
            (Door::LogControl, fd(logger.and_then(Process::control_fifo))),
            (Door::Socket, fd(socket.map(AsFd::as_fd))),
            (Door::Fifo, fifo),
            (Door::Notify, notify),
        ];
        for (door, fd) in list {
            watched[door as usize] = watch(fd, POLLIN);
        }
        for i in 0..CLIENTS {
            let (fd, events) = self.clients.watched(i);
            watched[DOORS + i] = watch(fd, events);
        }
    }

    /// Handles what has come, as [`Supervised::watch`] has numbered it. How it has ended, if it has.
    #[inline(never)] // its buffers would be part of the frame that waits
    pub(crate) fn ready(&mut self, watched: &[pollfd], now: Now) -> Option<Ending> {
        let ready = |door: Door| watched[door as usize].revents != 0;
        let mut more = false;
        for (door, part) in [(Door::Control, Part::Service), (Door::LogControl, Part::Log)] {
            more |= ready(door) && self.read_bytes(part, now);
        }
        for i in 0..CLIENTS {
            let revents = watched[DOORS + i].revents;
            if revents & POLLIN != 0 {
                more |= self.clients.fill(i, now);
                self.serve(i, now);
            } else if revents != 0 {
                self.clients.drop(i);
            }
        }
        if ready(Door::Socket) {
            self.let_in(now);
        }
        if ready(Door::Fifo) || ready(Door::Notify) {
            self.hear_service(now);
        }
        self.carry_out(more, [ready(Door::Death), ready(Door::LogDeath)], now)
    }

    /// A child of this process has died: true if it was one of this service. What follows from that happens once
    /// all doors have been looked at again.
    pub(crate) fn lost(&mut self, pid: u32, status: i32) -> bool {
        self.parts.iter_mut().any(|process| process.lost(pid, status))
    }

    /// Asks for the end: the service is stopped, then its logger reads the rest.
    pub(crate) fn stop(&mut self) {
        self.asked.stop = true;
    }

    /// Asks for an end at which nothing of the service is touched: a new supervisor takes it over.
    pub(crate) fn leave(&mut self) {
        self.asked.leave = true;
    }

    /// Hands on what a program that takes over by exec needs: the notification socket, and with `pipes` the
    /// FIFOs, which must not lack a reader.
    pub(crate) fn hand_on(&self, pipes: bool) -> nix::Result<[Option<fds::Handed>; 3]> {
        let [socket, fifo, pipe] = self.lasting();
        let hand_on = |fd: Option<BorrowedFd>| fd.map(fds::hand_on).transpose();
        Ok([hand_on(socket)?, hand_on(fifo.filter(|_| pipes))?, hand_on(pipe.filter(|_| pipes))?])
    }

    /// What a program that takes over by exec needs: the notification socket, and the FIFOs, that for the log last.
    pub(crate) fn lasting(&self) -> [Option<BorrowedFd<'_>>; 3] {
        let [socket, fifo] = self.parts.service.notify.lasting();
        [socket, fifo, self.shared.pipe.as_ref().map(|pipe| pipe.both().as_fd())]
    }

    /// Whether a new supervisor could take it over, so that this one may leave it.
    pub(crate) fn is_adoptable(&self) -> bool {
        self.parts.service.state.is_some() && self.shared.adoption()
    }

    /// The service directory.
    pub(crate) fn directory(&self) -> BorrowedFd<'_> {
        self.parts.service.directory.as_fd()
    }

    /// Lets `event` happen to a part, and all that follows at once: the only place where something does.
    pub(super) fn happen(&mut self, part: Part, event: Event, mut now: Now) {
        let (log, logger) = (self.parts.logger.is_some(), self.parts.logger_pid());
        let Some(process) = self.parts.get_mut(part) else { return };
        process.prepare(&self.shared, event, now);
        let mut next = Some(event);
        while let Some(event) = next.take() {
            let before = process.machine;
            let actions = process.step(event, now);
            if process.machine.hold == Hold::FinishGaveUp && before.hold != Hold::FinishGaveUp {
                process.report_finish_gave_up(&self.shared);
            }
            self.clients.state_changed(&process.view(&self.shared, log), &before, event, now);
            for action in actions.iter() {
                debug_assert!(next.is_none(), "what is answered is the last action of its step");
                next = process.carry_out(&mut self.shared, action, logger, now);
            }
            if next.is_some() {
                now = Now::read(); // what was started, or looked for, has taken its time
            }
        }
        process.unsaved = true;
    }

    /// Whether something was learnt of that waits for a look at the doors.
    fn has_learnt(&self) -> bool {
        self.parts.iter().any(Process::is_lost) || self.asked.stop || self.asked.leave
    }

    /// Carries out what was learnt of before the doors were looked at; `more`: they were not read to their
    /// end. `died`: the adopted service and the adopted logger.
    fn carry_out(&mut self, more: bool, died: [bool; 2], now: Now) -> Option<Ending> {
        if std::mem::take(&mut self.asked.stop) {
            // A request to leave at once may come again; a stop must not be lost.
            self.asked.leave = false;
            self.ask(Part::Service, Control::Exit, None, Some(Way::Signal), now);
        }
        let waits = more && (died != [false; 2] || self.has_learnt()) && self.waited < ROUNDS;
        self.waited = if waits { self.waited + 1 } else { 0 };
        if waits {
            return None;
        }
        self.bury(died, now);
        if self.asked.leave {
            self.save(now);
            self.clients.drop_all();
            return Some(Ending::Asked);
        }
        None
    }

    /// Lets the deaths happen that were learnt of.
    fn bury(&mut self, died: [bool; 2], now: Now) {
        if (died[0] || self.parts.service.is_lost()) && self.parts.service.machine.want != Want::Exit {
            self.before_start(now);
        }
        for (part, died) in Part::BOTH.into_iter().zip(died) {
            let logger = self.parts.logger_pid();
            let next = |this: &mut Self| this.parts.get_mut(part)?.bury(&this.shared, logger, now);
            while let Some(event) = next(self) {
                self.happen(part, event, now);
            }
            if died {
                self.ask_adopted(part, now);
            }
        }
    }

    fn ask_adopted(&mut self, part: Part, now: Now) {
        let event = self.parts.get_mut(part).and_then(|process| process.ask_adopted(now));
        let Some(event) = event else { return };
        self.happen(part, event, now);
        if part == Part::Log {
            self.hurry_logger(now);
        }
    }

    /// Starts the logger now that would wait for its start, where the one before was another supervisor's. That may
    /// have ended for no other reason than that no supervisor had its pipe open; and the writers of the pipe need a
    /// reader, should we be killed next. One that ends at once waits for all starts but this one.
    fn hurry_logger(&mut self, now: Now) {
        let Some(logger) = self.parts.logger.as_mut().filter(|logger| logger.machine.phase == Phase::Wait)
        else {
            return;
        };
        logger.machine.timers.set(Timer::Start, 0);
        self.happen(Part::Log, Event::Time, now);
    }

    /// Lets clients in, and hears what they have sent: a client in the queue was there before what is learnt
    /// of next.
    fn let_in(&mut self, now: Now) {
        for _ in 0..CLIENTS {
            let Some(socket) = &self.socket else { return };
            match socket::accept(socket.as_fd()) {
                Ok(client) => {
                    let Some(rights) = self.access.rights(client.as_fd()) else {
                        let _ = socket::send(client.as_fd(), Object::error(NOT_PERMITTED).line()); // it is closed in any case
                        continue;
                    };
                    let Some(i) = self.clients.add(client, rights, now) else { continue };
                    for (part, stop) in Part::BOTH.into_iter().zip(self.late_clients) {
                        if let Some(stop) = stop {
                            self.clients.overtake(i, part, stop);
                        }
                    }
                    self.clients.fill(i, now);
                    self.serve(i, now);
                }
                Err(Errno::EAGAIN) => {
                    self.late_clients = [None; 2];
                    return;
                }
                // A client that is gone already is not missed.
                Err(Errno::ECONNABORTED | Errno::EINTR) => {}
                // It stays in the queue, which would be reported again and again.
                Err(_) => {
                    self.crowded = Some(now.monotonic + AGAIN);
                    return;
                }
            }
        }
    }

    /// Reads and carries out the bytes of a control FIFO, up to [`MOST`]. Whether there may be more.
    fn read_bytes(&mut self, part: Part, now: Now) -> bool {
        const SIZE: usize = 256;
        let mut bytes = [0; SIZE];
        for _ in 0..MOST / SIZE {
            let fifo = self.parts.get(part).and_then(Process::control_fifo);
            // It does not wait: what is not to be read now is read in the next round.
            let count = fifo.and_then(|fifo| read(fifo, &mut bytes).ok()).unwrap_or(0);
            let control = |byte: &u8| {
                Control::from_letter(*byte)
                    .filter(|control| !(part == Part::Log && *control == Control::Exit))
            };
            let last = bytes[..count].iter().rposition(|byte| control(byte).and_then(Ask::of).is_some());
            for (at, byte) in bytes[..count].iter().enumerate() {
                let late = self.late[part as usize].take(1);
                // What is asked for in the end overtakes what others have asked for.
                let way = (last == Some(at)).then_some(Way::Bytes);
                if let Some(control) = control(byte) {
                    self.ask(part, control, late, way, now);
                }
            }
            if count < SIZE {
                return false;
            }
        }
        true
    }

    fn hear_service(&mut self, now: Now) {
        let service = &mut self.parts.service;
        let pid = if service.machine.phase == Phase::Run { service.machine.pid } else { 0 };
        let words = Text::<80>::of(service.notify.words());
        let changed = service.notify.hear(pid, now.monotonic);
        let reload = std::mem::take(&mut service.notify.reload);
        if std::mem::take(&mut service.notify.fed) {
            service.machine.fed(now.monotonic);
        }
        if changed {
            let since = service.notify.ready.then_some(now.wall);
            let shown = service.state.as_ref().map_or(Ok(()), |state| state.show_ready(since));
            if let Err(errno) = shown {
                self.shared.voice.unable(&[b"write supervise/ready"], errno);
            }
            service.unsaved = true;
        }
        let view = service.view(&self.shared, self.parts.logger.is_some());
        if view.words != words.bytes() {
            self.clients.words_changed(&view, now);
        }
        let ready = view.ready == Some(true);
        if changed {
            self.clients.readiness_changed(&view, now);
        }
        if reload.ready || changed && ready && !reload.ends {
            self.happen(Part::Service, Event::Ready, now);
        }
        if reload.begins {
            self.happen(Part::Service, Event::Reloading(reload.since), now);
        }
        if reload.ends {
            self.happen(Part::Service, Event::Ready, now);
        }
    }

    /// Carries out what is asked for, unless the stop `late` has overtaken it. A stop that comes by `way`
    /// overtakes all that lies unread in other ways: before anybody can see that it was heard.
    fn ask(&mut self, part: Part, control: Control, late: Option<Ask>, way: Option<Way>, now: Now) {
        let want = self.parts.get(part).map(|process| process.machine.want);
        let Some(control) = order::heard(control, late, want.unwrap_or_default()) else { return };
        if let (Some(way), Some(stop)) = (way, Ask::of(control).filter(|ask| *ask != Ask::Up)) {
            self.overtake(part, stop, way);
        }
        self.command(part, control, now);
    }

    fn overtake(&mut self, part: Part, stop: Ask, way: Way) {
        if way != Way::Bytes {
            let fifo = self.parts.get(part).and_then(Process::control_fifo);
            let unread = fifo.map_or(0, |fifo| fds::unread(fifo).unwrap_or(0)); // a FIFO can always be asked
            self.late[part as usize].overtaken(stop, unread);
        }
        for i in (0..CLIENTS).filter(|i| way != Way::Client(*i)) {
            self.clients.overtake(i, part, stop);
        }
        let mut queue = [watch(self.socket.as_ref().map_or(-1, AsRawFd::as_raw_fd), POLLIN)];
        // If poll(2) fails, it counts as a queue in which somebody waits.
        if poll::poll(&mut queue, Some(0)).is_err() || queue[0].revents != 0 {
            self.late_clients[part as usize] = Some(stop);
        }
    }

    /// Carries out what is asked for.
    fn command(&mut self, part: Part, control: Control, now: Now) {
        if part == Part::Service {
            match control {
                Control::Up | Control::Once | Control::Restart => {
                    self.before_start(now);
                    self.take_back_exit(now);
                }
                Control::Down => self.take_back_exit(now),
                Control::Exit | Control::Signal(_) | Control::Reload => {}
            }
        } else {
            let locked = self.parts.logger.as_ref().is_none_or(|logger| logger.locked.is_some());
            // One that reads the rest has lost its pipe, and ends with it.
            if locked || self.draining.is_some() && Ask::of(control).is_some() {
                return;
            }
        }
        self.happen(part, Event::Control(control), now);
    }

    /// A logger that was added is noticed by the next start of the service, which otherwise runs without.
    fn before_start(&mut self, now: Now) {
        self.prefer_own_log(now);
        if self.parts.logger.is_none() {
            let found = self.look_for_log(now).and_then(|()| self.lock_log(Patience::None, now));
            if let Err(refusal) = found {
                refusal.warning(self.shared.voice);
            }
        }
    }

    /// Does what time alone leads to.
    #[inline(never)]
    pub(crate) fn fire_timers(&mut self, now: Now) {
        let over = |time: Option<u64>| time.is_some_and(|time| time <= now.monotonic);
        if self.parts.service.machine.is_due(now.monotonic) {
            self.before_start(now);
        }
        for part in Part::BOTH {
            let Some(process) = self.parts.get(part) else { continue };
            if over(process.machine.deadline()) {
                self.happen(part, Event::Time, now);
            }
            let Some(process) = self.parts.get_mut(part) else { continue };
            if over(process.retry_at) {
                process.retry_at = None;
                process.unsaved = true;
            }
            if process.adopted.as_deref().is_some_and(Adopted::is_asked) {
                self.ask_adopted(part, now);
            }
        }
        if over(self.parts.logger.as_ref().and_then(|logger| logger.locked)) {
            if let Err(refusal) = self.lock_log(Patience::None, now) {
                // A record that cannot be obeyed: the pipe keeps what the service says.
                refusal.warning(self.shared.voice);
            }
        }
        self.end_outdated(now);
        self.crowded = self.crowded.filter(|until| *until > now.monotonic);
        self.clients.expire(now);
    }

    /// A logger whose pipe has lost its name reads it to the end. Where that does not come, since somebody keeps
    /// the old one open, it is stopped: the service must not wait for a reader of the new one.
    fn end_outdated(&mut self, now: Now) {
        let Some(logger) = &self.parts.logger else { return };
        let (pid, phase) = (logger.machine.pid, logger.machine.phase);
        if self.shared.pipe.as_mut().is_some_and(Pipe::has_replaced) {
            self.outdated = Some((pid, now.monotonic + DRAIN));
        }
        if let Some((outdated, _)) = self.outdated.take_if(|(_, until)| *until <= now.monotonic) {
            if outdated == pid && phase == Phase::Run {
                self.happen(Part::Log, Event::Control(Control::Signal(signals::TERM)), now);
            }
        }
    }

    /// When time alone will lead to something: monotonic, ms.
    pub(crate) fn deadline(&self, now: Now) -> Option<u64> {
        if self.has_learnt() {
            return Some(now.monotonic);
        }
        let times = [
            self.parts.service.deadline(now),
            self.parts.service.notify.deadline(now.monotonic),
            self.parts.logger.as_ref().and_then(|logger| logger.deadline(now)),
            self.draining.map(|since| since + DRAIN),
            self.clients.deadline(),
            self.crowded,
            self.outdated.map(|(_, until)| until),
        ];
        times.into_iter().flatten().min()
    }
}
