//! One process of a service, the daemon or its logger: its life, its state directory, and the carrying out
//! of what its life asks for.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use common::spawn::{self, Plan, Slot};
use common::supervise::Control;
use common::{Text, fds, process, procfs, signals};
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::fstatat;

use super::adopt;
use super::adopted::Adopted;
use super::control_script::ControlScript;
use super::death;
use super::failure::{Failures, START};
use super::fresh::Fresh;
use super::leftovers::{self, Leftovers};
use super::lock::{NotOurs, Origin, Patience};
use super::lookalikes::Company;
use super::machine::{Action, Actions, Death, Event, Machine, Phase, Readiness, Script, Starts, Timer, Want};
use super::needs::{Names, Needs};
use super::notices::{Notice, Notices};
use super::notify::Notify;
use super::now::{Now, Wall};
use super::pipe::End;
use super::program::{Directory, Program};
use super::record::{self, Book, Snapshot};
use super::refusal::Refusal;
use super::report::{self, View};
use super::service::{self, Optional, Remedy, Settings};
use super::shared::Shared;
use super::state::State;
use super::supervised::Homeless;
use common::supervise::Part;

/// How long until a write that failed is tried again, in milliseconds.
const AGAIN: u64 = 1000;
/// The action in the message about a record that cannot be written, and the consequence.
const RECORD: &[u8] = b"write supervise/record";
const NO_RECORD: &[u8] = b"the present run cannot be adopted";

/// The daemon of a service, or its logger.
#[derive(Debug)]
pub(super) struct Process {
    /// Which of them.
    pub(super) part: Part,
    /// Its part of the service directory.
    pub(super) directory: Directory,
    /// What is started as run.
    pub(super) program: Program,
    /// Where its state directory lies, if that is not the same.
    pub(super) state_parent: Option<OwnedFd>,
    /// Its life.
    pub(super) machine: Machine,
    /// Its settings.
    pub(super) settings: Settings,
    /// Its state directory, once that is ours.
    pub(super) state: Option<State>,
    /// The names of what its start waits for.
    pub(super) needs: Needs,
    /// Its readiness.
    pub(super) notify: Notify,
    /// What its record says of the run.
    pub(super) book: Book,
    /// What is done about what a run leaves behind.
    leftovers: Leftovers,
    /// The process, where it was adopted.
    pub(super) adopted: Option<Box<Adopted>>,
    /// The control script that runs, or ran last.
    script: ControlScript,
    /// ./reload that runs, or ran last.
    reload: ControlScript,
    /// The wait status of the process, which is dead, while the machine does not know.
    lost: Option<i32>,
    /// The setup that has done its work last.
    pub(super) setup: u32,
    /// Which of run and setup has ended last, as it was not to.
    ended: Phase,
    /// The wall clock time of `machine.since`.
    pub(super) since: Wall,
    /// When run died last, and the pid that died.
    pub(super) died: (Wall, u32),
    /// It has got the stop signal from us, so that its death is no news.
    stopped: bool,
    /// How run died last, as the log was given it.
    last_death: Option<Death>,
    /// Why run could not be executed, by the present process.
    exec: Option<Errno>,
    /// What was reported of run and finish that could not be started.
    run_failures: Failures,
    finish_failures: Failures,
    /// What was reported.
    pub(super) notices: Notices,
    /// Something of its state is not written yet.
    pub(super) unsaved: bool,
    /// It is recorded, and clients cannot read it yet.
    pub(super) unshown: bool,
    /// When that is tried again.
    pub(super) retry_at: Option<u64>,
    /// When a lock that another holds is tried again.
    pub(super) locked: Option<u64>,
}

impl Process {
    /// A process of which nothing runs.
    pub(super) fn new(
        part: Part,
        directory: Directory,
        state_parent: Option<OwnedFd>,
        want: Want,
        now: Now,
    ) -> Self {
        let mut machine = Machine::new(want);
        machine.since = now.monotonic;
        Self {
            part,
            directory,
            program: Program::Run(None),
            state_parent,
            machine,
            // A logger has no files but run and down.
            settings: if part == Part::Log { Settings::none() } else { Settings::default() },
            state: None,
            needs: Needs::default(),
            notify: Notify::default(),
            book: Book::default(),
            leftovers: Leftovers::default(),
            adopted: None,
            script: ControlScript::default(),
            reload: ControlScript::default(),
            lost: None,
            setup: 0,
            ended: Phase::Run,
            since: now.wall,
            died: ((0, 0), 0),
            stopped: false,
            last_death: None,
            exec: None,
            run_failures: Failures::default(),
            finish_failures: Failures::default(),
            notices: Notices::default(),
            unsaved: false,
            unshown: false,
            retry_at: None,
            locked: None,
        }
    }

    /// Starts are held back from the beginning, if there are names.
    pub(super) fn hold_back(&mut self, needs: Option<Names>) {
        if let Some(needs) = needs {
            self.machine.starts = Starts::HeldBack;
            self.needs.set(needs.bytes());
        }
    }

    /// Where its state directory lies.
    pub(super) fn parent(&self) -> BorrowedFd<'_> {
        self.state_parent.as_ref().map_or(self.directory.as_fd(), AsFd::as_fd)
    }

    /// Takes its state directory, which is that of the service; nothing where that can be neither made nor written and it
    /// is supervised all the same. It serves nobody yet.
    pub(super) fn take_state(
        &mut self,
        shared: &mut Shared,
        patience: Patience,
        homeless: Homeless,
        now: Now,
    ) -> Result<(), Refusal> {
        let unable = match State::lock(self.parent(), patience) {
            Ok(state) => {
                if state.origin == Origin::Found {
                    shared.space.look_for_sign(state.directory());
                }
                let looks = homeless == Homeless::Supervised;
                let refused = looks.then(|| state.refuses_writing()).flatten();
                self.state = Some(state);
                // What it says of a living process counts all the same.
                let living =
                    || !matches!(adopt::recorded(self, shared, now), Ok((_, None | Some((_, false)))));
                match refused.filter(|_| !living()) {
                    None => return Ok(()),
                    Some(errno) => (&b"write to supervise"[..], errno),
                }
            }
            Err(NotOurs::Unusable(what @ "make supervise", errno)) if homeless == Homeless::Supervised => {
                (what.as_bytes(), errno)
            }
            Err(not_ours) => return Err(Refusal::state(self.part, &not_ours)),
        };
        self.state = None;
        shared.voice.unable_so(&[unable.0], unable.1, b"this service cannot be adopted");
        Ok(())
    }

    /// The fd of its control FIFO.
    pub(super) fn control_fifo(&self) -> Option<BorrowedFd<'_>> {
        Some(self.state.as_ref()?.control.as_ref()?.as_fd())
    }

    /// The same, for the question whether it is new.
    pub(super) fn fresh_control(&mut self) -> Option<&mut Fresh> {
        self.state.as_mut()?.control.as_mut()
    }

    /// The pids of its process, of its control script and of ./reload, 0 where none runs.
    pub(super) fn pids(&self) -> [u32; 3] {
        [self.machine.pid, self.script.pid(), self.reload.pid()]
    }

    /// Whether a process of it runs, as far as that is known.
    pub(super) fn runs(&self) -> bool {
        self.machine.pid != 0 && self.lost.is_none()
    }

    /// Whether it is on its way out, of which nothing is to be seen but that it has ended. A finish may look where it comes
    /// from.
    pub(super) fn is_leaving(&self) -> bool {
        self.machine.want == Want::Exit
            && match self.machine.phase {
                Phase::Run => {
                    self.part == Part::Log || self.machine.stop_sent && self.settings.misses(Optional::Finish)
                }
                phase => phase == Phase::Down,
            }
    }

    /// Whether there is a wait for the end of what run left behind.
    pub(super) fn awaits_leftovers(&self) -> bool {
        self.leftovers.are_awaited()
    }

    /// The view of it for clients; `log`: whether the service has a logger.
    #[inline(never)] // it is made in many places
    pub(super) fn view(&self, shared: &Shared, log: bool) -> View<'_> {
        View {
            part: self.part,
            machine: &self.machine,
            since: self.since,
            died: self.died,
            stopped: self.stopped,
            ready: self.readiness(),
            needs: self.needs.bytes(),
            words: self.notify.words(),
            control: self.script.outcome(),
            reset: self.settings.rules.reset,
            log: log && self.part == Part::Service,
            supervisor: shared.supervisor,
        }
    }

    /// Whether it is ready; none where it has no way to announce it.
    pub(super) fn readiness(&self) -> Option<bool> {
        let announces = self.notify.announces || self.machine.phase == Phase::Done;
        announces.then_some(self.notify.ready)
    }

    /// Looks which files there are: before any of them is read.
    pub(super) fn look(&mut self, shared: &Shared, now: Now) {
        let company = if shared.is_one_of_many() { Company::Tree } else { Company::Alone };
        self.settings.look(self.directory.as_fd(), now.wall.0, company, shared.voice(self.part));
    }

    /// Reads the files that count for what `event` may lead to, and notes a death as it happens.
    pub(super) fn prepare(&mut self, shared: &Shared, event: Event, now: Now) {
        self.look(shared, now);
        let (voice, directory) = (shared.voice(self.part), self.directory.as_fd());
        match event {
            Event::Control(Control::Reload) | Event::Reloading(_) => {
                self.settings.for_reload(directory, voice);
            }
            Event::Control(Control::Down | Control::Exit | Control::Restart) => {
                self.settings.for_stop(directory, voice);
                if self.machine.phase == Phase::Done {
                    self.settings.for_restart(directory, voice);
                    (self.died, self.stopped) = ((now.wall, self.setup), true);
                    self.leftovers.run_died();
                    self.run_is_over();
                }
            }
            Event::Died(death) if self.machine.sets_up(death) => self.setup = self.machine.pid,
            Event::Died(_) if matches!(self.machine.phase, Phase::Run | Phase::Setup) => {
                self.settings.for_restart(directory, voice);
                self.died = (now.wall, self.machine.pid);
                (self.stopped, self.ended) = (self.machine.stop_sent, self.machine.phase);
                self.leftovers.run_died();
            }
            _ => {}
        }
    }

    /// Lets `event` happen in its life: what is to be done.
    pub(super) fn step(&mut self, event: Event, now: Now) -> Actions {
        let runs = |machine: &Machine| matches!(machine.phase, Phase::Run | Phase::Finish | Phase::Setup);
        let ran = runs(&self.machine);
        let actions = self.machine.step(event, now.monotonic, &self.settings.rules);
        // The label of the status is wall clock time: of the end of what ran, or, set where it is started, of the
        // start of run.
        if ran && !runs(&self.machine) {
            self.since = now.wall;
        }
        actions
    }

    /// Carries out `action`; `logger` is the pid of the logger. Returns the event that answers it, if there is
    /// one.
    pub(super) fn carry_out(
        &mut self,
        shared: &mut Shared,
        action: Action,
        logger: u32,
        now: Now,
    ) -> Option<Event> {
        match action {
            // There is nobody to signal any more, and the pid may be somebody else's.
            Action::Try(script) if self.lost.is_some() && script.is_for_signal() => Some(Event::Script(None)),
            Action::Try(script) => {
                // Before anybody can see what comes of it: a kill after that must not take it back. Any other signal
                // is kept for its script alone: one that was sent must not be sent again.
                if script == Script::Stop {
                    self.remember(shared, now);
                }
                self.try_script(shared, script, now)
            }
            Action::KillScript => (!self.script.kill()).then_some(Event::Script(None)),
            Action::StartReload => self.start_reload(shared),
            Action::KillReload => {
                self.reload.kill(); // it runs, as far as the machine knows: its death follows
                None
            }
            Action::Start => Some(self.start(shared, now)),
            Action::Run => Some(self.start_after_setup(shared, now)),
            Action::Report => {
                self.report_death(shared);
                None
            }
            Action::Finish => Some(self.finish(shared, logger, now)),
            Action::ReportLate => {
                self.report_late(shared);
                None
            }
            Action::ReportStarved => {
                self.report_starved(shared);
                None
            }
            Action::ReportReload => {
                self.report_reload(shared);
                None
            }
            Action::Signal(signal) => {
                self.signal(shared, signal);
                None
            }
        }
    }

    /// Sends a signal to the process, which is a child not reaped yet, or known by its pidfd: never to
    /// another that has got its pid since.
    fn signal(&self, shared: &Shared, signal: i32) {
        let sent = match &self.adopted {
            _ if self.lost.is_some() => return,
            Some(adopted) => adopted.signal(signal),
            None => process::kill_child(self.machine.pid, signal),
        };
        match sent {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => shared.voice(self.part).unable(&[b"send a signal"], errno),
        }
    }

    /// Kills what runs of it, and its process group where it leads one, whatever comes of that.
    pub(super) fn kill(&self, shared: &Shared) {
        self.script.kill();
        self.reload.kill();
        if self.machine.pid == 0 {
            return;
        }
        self.signal(shared, signals::KILL);
        // The number is that of its group as long as it is a child of ours that was not reaped.
        if shared.is_one_of_many() && self.adopted.is_none() && self.lost.is_none() {
            let _ = process::kill_group(self.machine.pid, signals::KILL); // it may have been the last of it
        }
    }

    fn try_script(&mut self, shared: &Shared, script: Script, now: Now) -> Option<Event> {
        let (voice, directory) = (shared.voice(self.part), self.directory.as_fd());
        if !self.script.is_there(script, directory, &self.settings, voice) {
            return Some(Event::Script(None));
        }
        if !matches!(script, Script::Up | Script::Stop) {
            // It may kill us at once, and has to run again then.
            self.remember(shared, now);
        }
        if !self.script.start(script, self.directory.as_fd(), self.run_pid(), shared, voice) {
            return Some(Event::Script(None));
        }
        self.machine.script_runs(now.monotonic);
        None
    }

    fn start_reload(&mut self, shared: &Shared) -> Option<Event> {
        let voice = shared.voice(self.part);
        let (directory, target) = (self.directory.as_fd(), self.run_pid());
        let started = self.reload.start_path(c"./reload", directory, target, shared, voice);
        (!started).then_some(Event::ReloadScript(None))
    }

    /// The pid of run for a script, if it lives.
    fn run_pid(&self) -> Option<u32> {
        let lives = self.machine.phase == Phase::Run && self.lost.is_none();
        lives.then_some(self.machine.pid)
    }

    /// Starts setup, or run if there is none.
    fn start(&mut self, shared: &mut Shared, now: Now) -> Event {
        let voice = shared.voice(self.part);
        self.book.serial = self.book.serial.wrapping_add(1);
        if self.part == Part::Log {
            if !self.directory.is_shared() {
                self.settings.look_at_names(self.directory.as_fd(), voice);
            }
            return self.start_run(shared, now);
        }
        self.run_is_over();
        if self.settings.has_setup(self.directory.as_fd()) {
            self.settings.for_setup(self.directory.as_fd(), voice);
            self.settings.for_leftovers(self.directory.as_fd(), voice);
            return match self.start_script(shared, c"./setup", Phase::Setup, now) {
                Event::Started(pid) => Event::SetupStarted(pid),
                other => other,
            };
        }
        self.start_run(shared, now)
    }

    /// Starts run, if there is one: setup has done its work.
    fn start_after_setup(&mut self, shared: &mut Shared, now: Now) -> Event {
        let found = fstatat(&self.directory, c"run", AtFlags::AT_SYMLINK_NOFOLLOW);
        if found.is_err_and(|errno| errno == Errno::ENOENT) {
            self.notify.ready = true;
            let mut done = self.machine;
            done.timers.stop(Timer::Start);
            // At once: a supervisor after us must not set it up again.
            self.remember_as(shared, &done, now);
            if let Some(Err(errno)) = self.state.as_ref().map(|state| state.show_ready(Some(now.wall))) {
                shared.voice(self.part).unable(&[b"write supervise/ready"], errno);
            }
            return Event::NoRun;
        }
        self.start_run(shared, now)
    }

    fn start_run(&mut self, shared: &mut Shared, now: Now) -> Event {
        if self.part == Part::Service {
            let voice = shared.voice(self.part);
            self.settings.for_start(self.directory.as_fd(), voice);
            let state = self.state.as_ref().map(State::directory);
            self.notify.prepare(&self.settings, state, voice);
        }
        self.start_script(shared, c"./run", Phase::Run, now)
    }

    /// Starts run or setup.
    fn start_script(&mut self, shared: &mut Shared, path: &'static CStr, phase: Phase, now: Now) -> Event {
        let voice = shared.voice(self.part);
        let mut starting = self.machine;
        (starting.phase, starting.paused, starting.stop_sent) = (phase, false, false);
        // As it will be: a successor that finds the new run has to know what was wanted of it, and one that finds
        // no new run that a start was under way.
        self.remember_as(shared, &starting, now);
        let argv = if phase == Phase::Setup { self.program.argv().of(path) } else { self.program.argv() };
        let event = self.spawn(shared, argv.path(), argv.words(), phase);
        match (event, self.exec) {
            (Event::Started(_), Some(errno)) => {
                let file = (self.directory.as_fd(), argv.path());
                self.run_failures.report(voice, (phase as u8, START), file, errno);
            }
            (Event::Started(_), None) => self.run_failures.clear(),
            _ => {}
        }
        event
    }

    /// Starts finish, if there is one that can be read, as runsv looks for it. The leftovers of run come first.
    fn finish(&mut self, shared: &mut Shared, logger: u32, now: Now) -> Event {
        if let Some(until) = self.see_to_leftovers(shared, logger, now) {
            return Event::Later(until);
        }
        if self.settings.misses(Optional::Finish) {
            return Event::NoFinish;
        }
        let (voice, file) = (shared.voice(self.part), c"./finish");
        let found = match service::open(self.directory.as_fd(), c"finish") {
            Err(errno) if fds::passes(errno) => fds::may_read(self.directory.as_fd(), c"finish"),
            found => found.map(drop),
        };
        match found {
            Ok(()) => {}
            Err(Errno::ENOENT) => return Event::NoFinish,
            // It may be there, and is due as long as nobody knows.
            Err(errno) if fds::passes(errno) => {
                return self.not_started(shared, b"open ./finish", errno);
            }
            Err(errno) => {
                self.finish_failures.report(voice, (0, "open"), (self.directory.as_fd(), file), errno);
                return Event::NoFinish;
            }
        }
        let (code, status) = death::finish_arguments(self.machine.death);
        // Before the fork: a successor that finds this knows that finish is due, until finish itself has said that it
        // runs.
        self.remember(shared, now);
        let numbers = [code.as_c_str(), status.as_c_str()];
        let event = self.spawn(shared, file, &[file, numbers[0], numbers[1]], Phase::Finish);
        match (event, self.exec.take()) {
            (Event::Started(_), Some(errno)) => {
                self.finish_failures.report(voice, (1, START), (self.directory.as_fd(), file), errno);
            }
            (Event::Started(_), None) => self.finish_failures.clear(),
            _ => {}
        }
        event
    }

    /// What the last run left behind. Until when finish has to wait, if it has to.
    fn see_to_leftovers(&mut self, shared: &Shared, logger: u32, now: Now) -> Option<u64> {
        if self.part == Part::Log {
            return None; // all of them are the service's
        }
        if self.leftovers.are_due() {
            self.settings.for_leftovers(self.directory.as_fd(), shared.voice(self.part));
        }
        if let Some(until) = self.see_to_group(shared, now) {
            return Some(until);
        }
        let run = self.run_before(shared, logger);
        let progress = self.leftovers.go_on(run, self.settings.leftovers.steps(), now.monotonic);
        if let Some(line) = progress.line {
            self.warn_in_log(shared, line.bytes());
        }
        progress.until
    }

    /// As [`Process::see_to_leftovers`], for the cgroup that the file names, if it does.
    fn see_to_group(&mut self, shared: &Shared, now: Now) -> Option<u64> {
        let Remedy::Cgroup(path) = &*self.settings.leftovers else { return None };
        if self.leftovers.are_over() {
            return None;
        }
        let path = path.of(self.directory.as_fd(), shared.voice);
        let progress = self.leftovers.empty(path.bytes(), now.monotonic);
        let is_news = !progress.refused || self.notices.is_new(Notice::NoGroup);
        if !progress.refused {
            self.notices.forget(Notice::NoGroup);
        }
        if let Some(line) = progress.line.filter(|_| is_news) {
            self.warn_in_log(shared, line.bytes());
        }
        progress.until
    }

    /// What distinguishes the leftovers of the last run from the rest.
    fn run_before(&self, shared: &Shared, logger: u32) -> leftovers::Run {
        leftovers::Run {
            pid: self.died.1,
            spare: [self.script.pid(), self.reload.pid(), logger],
            orphans: shared.orphans,
        }
    }

    /// Starts run, finish or setup, as `phase` says.
    fn spawn(&mut self, shared: &mut Shared, path: &CStr, argv: &[&CStr], phase: Phase) -> Event {
        let begins = matches!(phase, Phase::Run | Phase::Setup);
        let voice = shared.voice(self.part);
        let whole = shared.voice;
        let state = self.state.as_ref().map(State::directory);
        let end = shared.pipe.as_mut().map(|pipe| match (self.part, phase) {
            (Part::Log, _) => pipe.end(End::Read),
            (Part::Service, Phase::Run | Phase::Setup) => pipe.end_or_new(state, whole),
            (Part::Service, _) => pipe.end(End::Write),
        });
        let end = match end.transpose() {
            Ok(end) => end,
            // Without its pipe it must not run: what it says would go elsewhere.
            Err(errno) => return self.not_started(shared, b"open the log pipe", errno),
        };
        let log = end.as_ref().map(|end| (end.as_raw_fd(), i32::from(self.part == Part::Service)));
        let notification = self.notify.fd(&self.settings).filter(|_| phase == Phase::Run);
        let now = Now::read(); // what came before may have taken its time
        let tail = record::tail(self.book.serial, now.monotonic, now.wall, &shared.space);
        let file = self.state.as_ref().and_then(|state| state.record.as_ref());
        let record = file.filter(|_| shared.adoption()).map(|file| Slot {
            file: file.as_fd(),
            offset: record::CHILD as u64,
            head: record::head(phase),
            tail: tail.bytes(),
        });
        let env =
            if phase == Phase::Run { self.notify.env(&self.settings, &shared.env) } else { &shared.env };
        let group = shared.is_one_of_many() || begins && self.settings.leftovers.steps()[0].is_some();
        let directory = self.directory.as_fd();
        match spawn::spawn(&Plan {
            group,
            directory,
            record,
            files: shared.files,
            fds: [log, notification, None, None],
            path,
            argv,
            env,
        }) {
            Ok(spawned) => {
                self.notices.forget(Notice::NotStarted);
                if begins {
                    self.since = now.wall;
                }
                self.exec = spawned.exec;
                self.book.spawned = (now.monotonic, now.wall);
                self.book.unrecorded = shared.adoption() && (file.is_none() || spawned.record.is_some());
                if let Some(errno) = spawned.record.filter(|_| self.notices.is_new(Notice::NoRecord)) {
                    voice.unable_so(&[RECORD], errno, NO_RECORD);
                }
                Event::Started(spawned.pid)
            }
            Err(errno) => self.not_started(shared, b"fork", errno),
        }
    }

    /// What is due could not be started: it is tried again, and reported once until something was started.
    fn not_started(&mut self, shared: &Shared, what: &[u8], errno: Errno) -> Event {
        if self.notices.is_new(Notice::NotStarted) {
            shared.voice(self.part).unable_so(&[what], errno, b"trying again");
        }
        Event::NotStarted
    }

    /// A child has died: true if it was this process's. What follows from that is for [`Process::bury`].
    pub(super) fn lost(&mut self, pid: u32, status: i32) -> bool {
        if pid == self.machine.pid && self.lost.is_none() {
            self.lost = Some(status);
            return true;
        }
        let script = self.script.lost(pid, status) || self.reload.lost(pid, status);
        if !script {
            self.leftovers.child_died();
        }
        script
    }

    /// Whether there is something to bury.
    pub(super) fn is_lost(&self) -> bool {
        let scripts = self.script.is_lost() || self.reload.is_lost();
        self.lost.is_some() || scripts || self.leftovers.are_fewer()
    }

    /// The next of the deaths that were noticed, to happen now; `logger` is the pid of the logger.
    pub(super) fn bury(&mut self, shared: &Shared, logger: u32, now: Now) -> Option<Event> {
        if let Some(status) = self.lost.take() {
            let death = match self.exec.take() {
                Some(errno) if self.machine.phase != Phase::Finish => Death::Exec(errno as i32),
                _ => death::from_wait_status(status),
            };
            self.leftovers.death_was_seen();
            return Some(Event::Died(death));
        }
        if let Some(death) = self.script.bury() {
            return Some(Event::Script(Some(death)));
        }
        if let Some(death) = self.reload.bury() {
            return Some(Event::ReloadScript(Some(death)));
        }
        let none_are_left = self.leftovers.none_are_left(self.run_before(shared, logger));
        none_are_left.then_some(Event::Later(now.monotonic))
    }

    /// The adopted process may have died: its death, once somebody has reaped it.
    pub(super) fn ask_adopted(&mut self, now: Now) -> Option<Event> {
        let death = self.adopted.as_mut()?.death(now.monotonic)?;
        // It was reaped a while ago: where its number is another's by now, so is the group of that number.
        let reused = procfs::process(self.machine.pid).is_ok_and(|process| !process.zombie);
        self.adopted = None;
        if !reused {
            self.leftovers.death_was_seen();
        }
        Some(Event::Died(death))
    }

    /// Reports how run or setup died: where the log goes, and to `deaths`.
    fn report_death(&mut self, shared: &Shared) {
        let Some(death) = self.machine.death else { return };
        let again = matches!(death, Death::Exec(_)) && self.last_death == Some(death);
        self.last_death = Some(death);
        let late = self.machine.readiness == Readiness::Failed;
        let expected = match death {
            // The line is how it goes on then.
            _ if late => false,
            Death::Exit(0) => true,
            // Without a log stderr has it already.
            Death::Exec(_) => again || shared.pipe.is_none(),
            Death::Signal(signal, false) => {
                let signal = i32::from(signal);
                self.stopped && (signal == self.settings.rules.down_signal || signal == signals::TERM)
            }
            // That of a logger is none of the service's.
            Death::Unknown => self.part == Part::Log,
            Death::Exit(_) | Death::Signal(_, true) => false,
        };
        if !expected {
            let hint = self.run_failures.hint();
            let script = self.ended.state().word();
            let line = death::log_line(script, death, &self.machine, &self.settings.rules, hint);
            self.warn_in_log(shared, line.bytes());
        }
        if let Some(state) = &mut self.state {
            let entry = death::entry(self.ended, death, self.died, self.machine.ran_for);
            if let Err(errno) = state.add_death(entry.bytes()) {
                state.complain(shared.voice(self.part), &[b"write supervise/deaths"], errno, b"");
            }
            if shared.is_one_of_many() {
                state.close_deaths();
            }
        }
        self.run_is_over();
    }

    /// The readiness of a run ends with it.
    fn run_is_over(&mut self) {
        if self.notify.over() {
            if let Some(state) = &self.state {
                let _ = state.show_ready(None); // nobody is misled for long: the status says that it is down
            }
        }
    }

    /// run was not ready in time.
    #[inline(never)] // its buffers would be part of the frame that waits
    fn report_late(&self, shared: &Shared) {
        let mut line = Text::<128>::of("run is not ready after ");
        line.seconds(self.settings.rules.timeout_ready).add(" s, ");
        line.add(match self.machine.readiness {
            Readiness::Excused => "taking it for ready\n",
            _ => "stopping it\n",
        });
        self.warn_in_log(shared, line.bytes());
    }

    /// run has not shown that it lives.
    #[inline(never)]
    fn report_starved(&self, shared: &Shared) {
        let mut line = Text::<128>::of("run has sent no WATCHDOG=1 for ");
        line.seconds(self.machine.watchdog).add(" s, sending it SIGABRT\n");
        self.warn_in_log(shared, line.bytes());
    }

    /// A reload has failed.
    #[inline(never)]
    fn report_reload(&self, shared: &Shared) {
        let mut line = Text::<128>::of("reload failed: ");
        line.add(report::unreloaded(self.machine.reload.failure).bytes()).add("\n");
        self.warn_in_log(shared, line.bytes());
    }

    /// finish has decided that the service is given up.
    pub(super) fn report_finish_gave_up(&self, shared: &Shared) {
        self.warn_in_log(shared, b"finish exited 125: gave up\n");
    }

    /// A warning to where the service logs, newline included; to stderr where that is nowhere, full, or ours to read.
    #[inline(never)] // its buffer would be part of the frame that waits
    fn warn_in_log(&self, shared: &Shared, words: &[u8]) {
        let mut line = Text::<400>::of("warning: ");
        line.add(shared.program()).add(": ").add(words);
        let logged = match &shared.pipe {
            Some(pipe) if self.part == Part::Service => pipe.write_line(line.bytes()),
            _ => Err(Errno::EPIPE),
        };
        if logged.is_err() {
            shared.voice(self.part).line(line.bytes());
        }
    }

    /// Makes the record where there could be none so far.
    pub(super) fn make_record(&mut self, shared: &Shared, now: Now) {
        match self.state.as_mut().map(State::make_record) {
            Some(Ok(new)) => self.book.unrecorded |= new,
            Some(Err(errno)) => {
                if self.notices.is_new(Notice::NoRecord) {
                    shared.voice(self.part).unable_so(&[RECORD], errno, NO_RECORD);
                }
                // Its mode and that of the directory are decided by people.
                if errno != Errno::EPERM {
                    self.retry_at.get_or_insert(now.monotonic + AGAIN);
                }
            }
            None => {}
        }
    }

    /// Writes what a new supervisor has to know.
    pub(super) fn remember(&mut self, shared: &Shared, now: Now) {
        let machine = self.machine;
        self.remember_as(shared, &machine, now);
    }

    fn remember_as(&mut self, shared: &Shared, machine: &Machine, now: Now) {
        let Some(file) = self.state.as_ref().and_then(|state| state.record.as_ref()) else { return };
        let snapshot = Snapshot {
            machine: *machine,
            asked: machine.asked(),
            serial: self.book.serial,
            wall: self.since,
            died: self.died.0.0,
            dead: self.died.1,
            notify: self.notify.name,
            ready: self.notify.ready,
        };
        if !self.book.keep(file.as_fd(), &snapshot, &shared.space, shared.adoption()) {
            self.retry_at.get_or_insert(now.monotonic + AGAIN);
        }
    }

    /// The fd that is ready at the adopted process's death, while there is no need to ask again and again.
    pub(super) fn death_fd(&self) -> RawFd {
        self.adopted.as_deref().map_or(-1, Adopted::death_fd)
    }

    /// When time alone will lead to something.
    pub(super) fn deadline(&self, now: Now) -> Option<u64> {
        let asked = self.adopted.as_ref().and_then(|adopted| adopted.deadline(now.monotonic));
        [self.machine.deadline(), asked, self.retry_at, self.locked].into_iter().flatten().min()
    }
}
