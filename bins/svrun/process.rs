//! One process of a service, the daemon or its logger: its life, its state directory, and the carrying out
//! of what its life asks for.

use std::ffi::CStr;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use common::spawn::{self, Plan, Slot};
use common::supervise::Control;
use common::{Text, Voice, clock, fds, process, procfs, signals};
use nix::errno::Errno;
use nix::sys::stat::fstatat;

use super::death;
use super::events;
use super::failure;
use super::leftovers;
use super::machine::{Action, Death, Event, Hold, Machine, Phase, Timer, Want};
use super::notify::Notify;
use super::pipe::End;
use super::record::{self, Child, Memory};
use super::service::{self, Optional, Settings};
use super::state::State;
use super::world::World;

/// How long the exit status of a process that is no child of ours is asked for: its parent has to reap it
/// first.
const PATIENCE: u64 = 500;
/// What cannot be done with a script.
const START: &str = "start";
/// What is said where there is no record.
const NO_RECORD: &[u8] = b"write supervise/record: what runs could not be adopted";

/// The daemon of a service, or its logger.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "what was said already, each for itself")]
pub(super) struct Process {
    /// It is the logger.
    pub(super) logger: bool,
    /// Its part of the service directory.
    pub(super) folder: OwnedFd,
    /// Where its state directory lies, if that is not the same.
    pub(super) state_parent: Option<OwnedFd>,
    /// Its life.
    pub(super) machine: Machine,
    /// Its settings.
    pub(super) settings: Settings,
    /// Its state directory, once that is ours.
    pub(super) state: Option<State>,
    /// Its readiness.
    pub(super) notify: Notify,
    /// A process that was adopted, and is no child of ours.
    pub(super) adopted: Option<OwnedFd>,
    /// Since when the exit status of the adopted one is asked for.
    pub(super) asking: Option<u64>,
    /// The control script that runs; 0: none.
    pub(super) script: u32,
    /// The wait status of the process, and of its control script, which are dead, and nobody has been told.
    lost: Option<i32>,
    lost_script: Option<i32>,
    /// The how-manieth run it is.
    pub(super) serial: u32,
    /// The wall clock time of `machine.since`.
    pub(super) wall: (u64, u32),
    /// Wall clock time of the last death, and the pid that died.
    pub(super) died: ((u64, u32), u32),
    /// Something of its state is not written yet.
    pub(super) unsaved: bool,
    /// When that is tried again.
    pub(super) again: Option<u64>,
    /// When a lock that another holds is tried again.
    pub(super) locked: Option<u64>,
    /// Why run could not be executed, by the present process.
    exec: Option<Errno>,
    /// What was told of run, finish and control scripts that could not be started.
    told_run: failure::Told,
    told_finish: failure::Told,
    told_script: failure::Told,
    /// The control script that was started last, and, once it has failed, its wait status.
    pub(super) control: (u8, Option<i32>),
    told_death: Option<Death>,
    told_start: bool,
    told_record: bool,
    /// That its state directory is gone was said.
    pub(super) told_gone: bool,
    /// What runs is not in the record: that is a new one, or was not written by the child.
    pub(super) unrecorded: bool,
    /// The run that the record has to name: its start, monotonic and wall clock.
    pub(super) spawned: (u64, (u64, u32)),
    /// It has got the stop signal from us, so that its death is no news.
    pub(super) stopped: bool,
    /// The leftovers that were named already, and what is done about those of the last run.
    pub(super) reported: [u32; 8],
    pub(super) stage: leftovers::Stage,
    /// Its death was seen as it happened, and its number is not another's.
    pub(super) fresh: bool,
    /// A child has died while there is a wait for those that were left behind.
    fewer: bool,
}

impl Process {
    /// A process of which nothing runs.
    pub(super) fn new(logger: bool, folder: OwnedFd, state_parent: Option<OwnedFd>, want: Want) -> Self {
        let mut machine = Machine::new(want);
        machine.since = clock::monotonic();
        Self {
            logger,
            folder,
            state_parent,
            machine,
            settings: Settings::default(),
            state: None,
            notify: Notify::default(),
            adopted: None,
            asking: None,
            script: 0,
            lost: None,
            lost_script: None,
            serial: 0,
            wall: clock::wall(),
            died: ((0, 0), 0),
            unsaved: false,
            again: None,
            locked: None,
            exec: None,
            told_run: failure::Told::default(),
            told_finish: failure::Told::default(),
            told_script: failure::Told::default(),
            control: (0, None),
            told_death: None,
            told_start: false,
            told_record: false,
            told_gone: false,
            unrecorded: false,
            spawned: (0, (0, 0)),
            stopped: false,
            reported: [0; 8],
            stage: leftovers::Stage::default(),
            fresh: false,
            fewer: false,
        }
    }

    /// Where its state directory lies.
    pub(super) fn parent(&self) -> std::os::fd::BorrowedFd<'_> {
        self.state_parent.as_ref().unwrap_or(&self.folder).as_fd()
    }

    /// Who speaks of it.
    pub(super) fn voice(&self, world: &World) -> Voice {
        Voice { part: if self.logger { b"/log" } else { b"" }, ..world.voice }
    }

    /// Lets `event` happen, and all that follows at once.
    pub(super) fn event(&mut self, world: &mut World, event: Event) {
        let voice = self.voice(world);
        // The logger has none of these files.
        if !self.logger {
            self.settings.look(self.folder.as_fd(), world.wall().0, voice);
        }
        match event {
            _ if self.logger => {}
            Event::Control(Control::Down | Control::Exit | Control::Restart) => {
                self.settings.for_stop(self.folder.as_fd(), voice);
            }
            Event::Died(_) if self.machine.phase == Phase::Run => {
                self.settings.for_restart(self.folder.as_fd(), voice);
            }
            _ => {}
        }
        if matches!(event, Event::Died(_)) && self.machine.phase == Phase::Run {
            self.died = (world.wall(), self.machine.pid);
            self.stopped = self.machine.stop_sent;
            self.stage = leftovers::Stage::Due;
        }
        let mut next = Some(event);
        while let Some(event) = next.take() {
            let before = self.machine;
            let actions = self.machine.step(event, world.now(), &self.settings.rules);
            if self.machine.since != before.since || self.machine.phase != before.phase {
                self.note_time(&before, world);
            }
            if self.machine.hold == Hold::FinishGaveUp && before.hold != Hold::FinishGaveUp {
                self.to_log(world, b"warning: svrun: finish exited 125: gave up\n");
            }
            events::after(self, &before, event, world);
            for action in actions.iter() {
                next = self.act(world, action);
            }
        }
        if self.logger {
            world.logger = self.machine.pid; // at once: the service may be next to die, and look for leftovers
        }
        self.unsaved = true;
    }

    /// The label of the status is wall clock time: of the end of what ran, or, set where it is started, of
    /// the start of run.
    fn note_time(&mut self, before: &Machine, world: &World) {
        let runs = |machine: &Machine| matches!(machine.phase, Phase::Run | Phase::Finish);
        if runs(before) && !runs(&self.machine) {
            self.wall = world.wall();
        }
    }

    fn act(&mut self, world: &mut World, action: Action) -> Option<Event> {
        match action {
            // There is nobody to signal any more, and the pid may be somebody else's.
            Action::Try(script) if self.lost.is_some() && script.is_for_signal() => {
                Some(Event::Script(false))
            }
            Action::Try(script) => {
                // Before anybody can see what comes of it: who kills us then must not take it back.
                if script.is_for_signal() {
                    self.remember(world);
                }
                self.try_script(world, script.letter())
            }
            Action::KillScript if self.script == 0 => Some(Event::Script(false)),
            Action::KillScript => {
                if self.lost_script.is_none() {
                    let _ = process::kill_child(self.script, signals::KILL); // it is ours, not reaped yet
                }
                None
            }
            Action::Start => Some(self.start(world)),
            Action::Tell => {
                self.tell(world);
                None
            }
            Action::Finish => Some(self.finish(world)),
            Action::Signal(signal) => {
                self.signal(world, signal);
                None
            }
            Action::Gone => {
                world.gone(self.logger);
                None
            }
        }
    }

    /// Sends a signal to the process, which is a child not reaped yet, or known by its pidfd: never to
    /// another that has got its pid since.
    fn signal(&mut self, world: &World, signal: i32) {
        let sent = match &self.adopted {
            _ if self.lost.is_some() => return,
            Some(pidfd) => process::signal_pidfd(pidfd.as_fd(), signal),
            None => process::kill_child(self.machine.pid, signal),
        };
        match sent {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => self.voice(world).unable(&[b"send a signal"], errno),
        }
    }

    fn try_script(&mut self, world: &mut World, letter: u8) -> Option<Event> {
        let path = [b'c', b'o', b'n', b't', b'r', b'o', b'l', b'/', letter, 0];
        let path = CStr::from_bytes_with_nul(&path).unwrap_or(c"");
        let voice = self.voice(world);
        self.control = (letter, None);
        if self.logger || self.settings.misses(Optional::Control) {
            return Some(Event::Script(false));
        }
        match fstatat(&self.folder, path, nix::fcntl::AtFlags::empty()) {
            Ok(stat) if stat.st_mode & 0o100 != 0 => {}
            Ok(_) => return Some(Event::Script(false)),
            Err(Errno::ENOENT | Errno::ENOTDIR) => {
                if !service::exists(self.folder.as_fd(), c"control") {
                    self.settings.missed(self.folder.as_fd(), Optional::Control, c"control");
                }
                return Some(Event::Script(false));
            }
            Err(errno) => {
                self.told_script.tell(voice, (letter, "look at"), (self.folder.as_fd(), path), errno);
                return Some(Event::Script(false));
            }
        }
        // None where nothing runs: 0 would be kill(1)'s own process group.
        let runs = self.machine.phase == Phase::Run && self.lost.is_none();
        let mut pid = Text::<16>::new();
        pid.number(self.machine.pid).add("\0");
        let words = [path, CStr::from_bytes_with_nul(pid.bytes()).unwrap_or(c"")];
        // Without its pipe the script runs all the same, as what it is to do must not be lost, and says what it says
        // where our own words for the log go by then: standard output belongs to nobody who expects them. The errno is said by
        // whatever needs the pipe next.
        let end = world.pipe.as_ref().map(|pipe| pipe.end(End::Write));
        let fds = end.as_ref().map(|end| (end.as_ref().map_or(2, AsRawFd::as_raw_fd), 1));
        let plan = Plan {
            group: false,
            folder: self.folder.as_fd(),
            record: None,
            fds: fds.as_slice(),
            path,
            argv: &words[..=usize::from(runs)],
            env: &world.env,
        };
        let failed = match spawn::spawn(&plan) {
            Ok(spawned) => {
                self.script = spawned.pid;
                self.machine.script_runs(world.now());
                spawned.exec
            }
            Err(errno) => Some(errno),
        };
        match failed {
            Some(errno) => self.told_script.tell(voice, (letter, START), (self.folder.as_fd(), path), errno),
            None => self.told_script.clear(),
        }
        (self.script == 0).then_some(Event::Script(false))
    }

    /// Starts run.
    fn start(&mut self, world: &mut World) -> Event {
        let voice = self.voice(world);
        if self.logger {
            self.settings.look_at_names(self.folder.as_fd(), voice);
        } else {
            self.settings.for_start(self.folder.as_fd(), voice);
            self.notify.prepare(&self.settings, self.state.as_ref(), voice);
        }
        self.serial = self.serial.wrapping_add(1);
        // As it will be: who finds the new run and not us has to know what was wanted of it, and who finds
        // no new run that one was under way.
        let before = self.machine;
        (self.machine.phase, self.machine.paused, self.machine.stop_sent) = (Phase::Run, false, false);
        self.remember(world);
        self.machine = before;
        let event = self.spawn(world, c"./run", &[c"./run"], false);
        match (event, self.exec) {
            (Event::Started(_), Some(errno)) => {
                self.told_run.tell(voice, (0, START), (self.folder.as_fd(), c"./run"), errno);
            }
            (Event::Started(_), None) => self.told_run.clear(),
            _ => {}
        }
        event
    }

    /// Starts finish, if there is one that can be read: so it has always been looked for. What run left behind
    /// comes first.
    fn finish(&mut self, world: &mut World) -> Event {
        if self.logger {
            return Event::NoFinish;
        }
        if let Some(until) = leftovers::go_on(self, world) {
            return Event::Later(until);
        }
        if self.settings.misses(Optional::Finish) {
            return Event::NoFinish;
        }
        let (voice, file) = (self.voice(world), c"./finish");
        let found = match service::open(self.folder.as_fd(), c"finish") {
            Err(errno) if fds::passes(errno) => fds::may_read(self.folder.as_fd(), c"finish"),
            found => found.map(drop),
        };
        match found {
            Ok(()) => {}
            Err(Errno::ENOENT) => {
                self.settings.missed(self.folder.as_fd(), Optional::Finish, c"finish");
                return Event::NoFinish;
            }
            // It may be there, and is due as long as nobody knows.
            Err(errno) if fds::passes(errno) => {
                return self.not_started(world, b"open ./finish, trying again", errno);
            }
            Err(errno) => {
                self.told_finish.tell(voice, (0, "open"), (self.folder.as_fd(), file), errno);
                return Event::NoFinish;
            }
        }
        let (code, status) = death::arguments(self.machine.death);
        // Before the fork: who finds this knows that finish is due, until finish itself has said that it
        // runs.
        self.remember(world);
        let numbers = [code.as_c_str(), status.as_c_str()];
        let event = self.spawn(world, file, &[file, numbers[0], numbers[1]], true);
        match (event, self.exec.take()) {
            (Event::Started(_), Some(errno)) => {
                self.told_finish.tell(voice, (1, START), (self.folder.as_fd(), file), errno);
            }
            (Event::Started(_), None) => self.told_finish.clear(),
            _ => {}
        }
        event
    }

    fn spawn(&mut self, world: &mut World, path: &CStr, argv: &[&CStr], finish: bool) -> Event {
        let voice = self.voice(world);
        let end = world.pipe.as_mut().map(|pipe| match (self.logger, finish) {
            (true, _) => pipe.end(End::Read),
            (false, true) => pipe.end(End::Write),
            (false, false) => pipe.end_or_new(world.voice),
        });
        let end = match end.transpose() {
            Ok(end) => end,
            // Without its pipe it must not run: what it says would go elsewhere.
            Err(errno) => return self.not_started(world, b"open the log pipe, trying again", errno),
        };
        let mut fds = [(-1, -1); 2];
        let mut count = 0;
        if let Some(end) = &end {
            fds[count] = (end.as_raw_fd(), i32::from(!self.logger));
            count += 1;
        }
        if let Some(pair) = self.notify.fd(&self.settings).filter(|_| !finish) {
            fds[count] = pair;
            count += 1;
        }
        let (now, wall) = (world.now(), world.wall());
        let tail = record::tail(self.serial, now, wall, &world.era);
        let file = self.state.as_ref().and_then(|state| state.record.as_ref());
        let record = file.filter(|_| world.adoption()).map(|file| Slot {
            file: file.as_fd(),
            offset: record::CHILD as u64,
            head: record::head(finish),
            tail: tail.bytes(),
        });
        let env =
            if finish || self.logger { &world.env } else { self.notify.env(&self.settings, &world.env) };
        let group = !finish && self.settings.leftovers[0].is_some();
        let folder = self.folder.as_fd();
        match spawn::spawn(&Plan { group, folder, record, fds: &fds[..count], path, argv, env }) {
            Ok(spawned) => {
                self.told_start = false;
                if !finish {
                    self.wall = wall;
                }
                self.exec = spawned.exec;
                self.spawned = (now, wall);
                self.unrecorded = world.adoption() && (file.is_none() || spawned.record.is_some());
                if let Some(errno) = spawned.record.filter(|_| !mem::replace(&mut self.told_record, true)) {
                    voice.unable(&[NO_RECORD], errno);
                }
                Event::Started(spawned.pid)
            }
            Err(errno) => self.not_started(world, b"fork, trying again", errno),
        }
    }

    /// What is due could not be started: it is tried again, and told once until something was started.
    fn not_started(&mut self, world: &World, what: &[u8], errno: Errno) -> Event {
        if !mem::replace(&mut self.told_start, true) {
            self.voice(world).unable(&[what], errno);
        }
        Event::NotStarted
    }

    /// A child has died: true if it was this process's. What follows from that is for [`Process::bury`].
    pub(super) fn lost(&mut self, pid: u32, status: i32) -> bool {
        for (own, lost) in [(self.machine.pid, &mut self.lost), (self.script, &mut self.lost_script)] {
            if pid == own && lost.is_none() {
                *lost = Some(status);
                return true;
            }
        }
        self.fewer |= matches!(self.stage, leftovers::Stage::Waiting(..));
        false
    }

    /// Whether there is something to bury.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_some() || self.lost_script.is_some() || self.fewer
    }

    /// Lets the deaths happen that were noticed.
    pub(super) fn bury(&mut self, world: &mut World) {
        if let Some(status) = self.lost.take() {
            let death = match self.exec.take() {
                Some(errno) if self.machine.phase == Phase::Run => Death::Exec(errno as i32),
                _ => death::of(status),
            };
            self.fresh = true;
            self.event(world, Event::Died(death));
        }
        if let Some(status) = self.lost_script.take() {
            self.script = 0;
            self.control.1 = Some(status).filter(|status| *status != 0);
            self.event(world, Event::Script(status == 0));
        }
        if mem::take(&mut self.fewer) && leftovers::one_less(self, world) {
            self.event(world, Event::Later(world.now()));
        }
    }

    /// The adopted process may have died: its status, once somebody has reaped it.
    pub(super) fn ask_adopted(&mut self, world: &mut World) {
        let Some(pidfd) = &self.adopted else { return };
        let now = world.now();
        let since = *self.asking.get_or_insert(now);
        let death = match process::exit_status(pidfd.as_fd()) {
            Ok(status) => death::of(status),
            Err(Errno::ESRCH) if now < since + PATIENCE => return,
            Err(_) => Death::Unknown, // the kernel does not tell, or nobody has reaped it in time
        };
        // It was reaped a while ago: where its number is another's by now, so is the group of that number.
        let reused = procfs::process(self.machine.pid).is_ok_and(|process| !process.zombie);
        (self.adopted, self.asking, self.fresh) = (None, None, !reused);
        self.event(world, Event::Died(death));
        self.hurry_logger(world);
    }

    /// Starts the logger now that would wait for its start: where the one before was another supervisor's. That may have
    /// ended for no other reason than that no supervisor had its pipe open; and whoever writes to the pipe needs a
    /// reader, should we be killed next. One that ends at once waits for all starts but this one.
    pub(super) fn hurry_logger(&mut self, world: &mut World) {
        if self.logger && self.machine.phase == Phase::Wait {
            self.machine.timers.set(Timer::Start, 0);
            self.event(world, Event::Time);
        }
    }

    /// Writes how run died: where the log goes, and to `deaths`.
    fn tell(&mut self, world: &mut World) {
        let Some(death) = self.machine.death else { return };
        let voice = self.voice(world);
        let again = matches!(death, Death::Exec(_)) && self.told_death == Some(death);
        self.told_death = Some(death);
        let expected = match death {
            Death::Exit(0) => true,
            // Without a log stderr has it already.
            Death::Exec(_) => again || world.pipe.is_none(),
            Death::Signal(signal, false) => {
                let signal = i32::from(signal);
                self.stopped && (signal == self.settings.rules.down_signal || signal == signals::TERM)
            }
            _ => false,
        };
        if !expected && (!self.logger || death != Death::Unknown) {
            let mut line = Text::<320>::of("warning: svrun: run ");
            let tenths = self.machine.ran_for / 100;
            let mut after = Text::<24>::of(" after ");
            after.number(tenths / 10).add(".").number(tenths % 10).add(" s");
            death::how(&mut line, "exited ", death, after.bytes());
            if let Some(hint) = self.told_run.hint().filter(|_| matches!(death, Death::Exec(_))) {
                line.add(" (").add(hint).add(")");
            }
            if self.machine.want == Want::Up {
                match self.machine.delay(&self.settings.rules) {
                    None => line.add(", gave up"),
                    Some(0) => line.add(", starting again"),
                    Some(delay) => {
                        line.add(if delay > 1000 {
                            ", backing off: starting again in "
                        } else {
                            ", starting again in "
                        });
                        line.number(delay / 1000);
                        if delay % 1000 != 0 {
                            line.add(".").padded(delay % 1000, 3);
                        }
                        line.add(" s")
                    }
                };
            }
            line.add("\n");
            self.to_log(world, line.bytes());
        }
        if let Some(state) = &mut self.state {
            let ((seconds, nanoseconds), pid) = self.died;
            let mut line = Text::<256>::new();
            line.date(seconds, nanoseconds / 1_000_000).add(" pid ").number(pid).add(" ");
            let mut after = Text::<24>::of(" after ");
            death::how(&mut line, "exit ", death, after.seconds(self.machine.ran_for).add(" s").bytes());
            line.add("\n");
            if let Err(errno) = state.add_death(line.bytes()) {
                state.complain(voice, b"write supervise/deaths", errno);
            }
        }
        if !self.logger {
            self.notify.over(self.state.as_ref());
        }
    }

    /// A line to where the service logs; to stderr where that is nowhere, full, or ours to read.
    pub(super) fn to_log(&self, world: &World, line: &[u8]) {
        let told = match &world.pipe {
            Some(pipe) if !self.logger => pipe.tell(line),
            _ => Err(Errno::EPIPE),
        };
        if told.is_err() {
            self.voice(world).line(line);
        }
    }

    /// Makes the record where there could be none so far.
    pub(super) fn make_record(&mut self, world: &World) {
        match self.state.as_mut().map(State::make_record) {
            Some(Ok(new)) => self.unrecorded |= new,
            Some(Err(errno)) => {
                if !mem::replace(&mut self.told_record, true) {
                    self.voice(world).unable(&[NO_RECORD], errno);
                }
                // Who may write it, and to the folder, is decided by people.
                if errno != Errno::EPERM {
                    self.again.get_or_insert(world.now() + 1000);
                }
            }
            None => {}
        }
    }

    /// Writes what a new supervisor has to know.
    pub(super) fn remember(&mut self, world: &World) {
        let Some(file) = self.state.as_ref().and_then(|state| state.record.as_ref()) else { return };
        let memory = Memory {
            machine: self.machine,
            asked: self.machine.asked(),
            serial: self.serial,
            wall: self.wall,
            died: self.died.0.0,
            dead: self.died.1,
            notify: self.notify.name,
            ready: self.notify.ready,
        };
        // What runs first: without its place the rest would speak of another.
        let (since, wall) = self.spawned;
        let child = || {
            let start = procfs::process(self.machine.pid)?.start;
            let finish = self.machine.phase == Phase::Finish;
            let child = Child { finish, pid: self.machine.pid, start, serial: self.serial, since, wall };
            record::write_child(file.as_fd(), &child, &world.era)
        };
        let named = !self.unrecorded || self.machine.pid == 0 || !world.adoption() || child().is_ok();
        // Where it was not written a new supervisor takes what it finds alive, and what that says of itself.
        if record::write(file.as_fd(), &memory, &world.era).is_err() || !named {
            self.again.get_or_insert(world.now() + 1000);
        }
        self.unrecorded &= !named;
    }

    /// The fd that tells of the adopted process's death, while there is no need to ask again and again.
    pub(super) fn death_fd(&self) -> RawFd {
        match &self.adopted {
            Some(pidfd) if self.asking.is_none() => pidfd.as_raw_fd(),
            _ => -1,
        }
    }

    /// When time alone will lead to something.
    pub(super) fn deadline(&self, now: u64) -> Option<u64> {
        let asking = self.asking.map(|_| now + 5);
        [self.machine.deadline(), asking, self.again, self.locked].into_iter().flatten().min()
    }
}
