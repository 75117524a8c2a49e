//! The start: takes the service directory and the processes that live, or returns why not.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use common::fds;
use common::supervise::Control;
use nix::errno::Errno;

use super::{AGAIN, Asked, Options, Places, Supervised};
use crate::supervise::access::Access;
use crate::supervise::adopt;
use crate::supervise::clients::Clients;
use crate::supervise::lock::{NotOurs, Patience};
use crate::supervise::machine::{Event, Phase, Want};
use crate::supervise::now::Now;
use crate::supervise::order::Late;
use crate::supervise::parts::Parts;
use crate::supervise::pipe::Pipe;
use crate::supervise::process::Process;
use crate::supervise::program::{DefaultLog, Directory, Program};
use crate::supervise::refusal::Refusal;
use crate::supervise::service::{Optional, exists, make_directory};
use crate::supervise::shared::Shared;
use crate::supervise::state::State;
use common::supervise::Part;

/// How long a pid namespace that is on its way out is waited for.
const PATIENCE: u64 = 2000;

impl Supervised {
    /// Takes a service directory and the processes that live, and starts what is wanted.
    #[inline(never)]
    pub(crate) fn open(places: Places, options: Options, now: Now) -> Result<Box<Self>, Refusal> {
        let patience = options.patience;
        let mut supervised = Self::take(places, options, now)?;
        // One that lives stays, as for the supervisor before.
        let default = supervised.default_lives(now);
        let none = default || supervised.parts.service.settings.misses(Optional::Log);
        let log = if none { Err(Errno::ENOENT) } else { supervised.open_log() };
        if let Some(errno) = log.as_ref().err().filter(|errno| fds::passes(**errno)) {
            // A service whose log could be there must not run without it.
            return Err(Refusal::unable(Part::Service, "open log", *errno));
        }
        supervised.take_log(log, now)?;
        supervised.begin(patience, now)?;
        Ok(supervised)
    }

    /// Takes the state directory. A function of its own, so that what it needs of the stack is free again.
    #[inline(never)]
    fn take(places: Places, options: Options, now: Now) -> Result<Box<Self>, Refusal> {
        let Options {
            voice,
            env,
            files,
            supervisor,
            space,
            ends,
            orphans,
            patience,
            needs,
            argument,
            homeless,
            log,
            notify,
        } = options;
        let directory = Directory::Own(places.service);
        let mut service = Process::new(Part::Service, directory, places.state, Want::Up, now);
        if let Some(socket) = notify {
            service.notify.take(socket);
        }
        service.hold_back(needs);
        service.program = Program::Run(argument);
        let mut shared = Shared { voice, env, files, supervisor, space, orphans, pipe: None };
        service.take_state(&mut shared, patience, homeless, now)?;
        // Once it is ours: what is found in it is reported by one supervisor, once. Most services have none of these files.
        service.look(&shared, now);
        let (directory, misses) = (service.directory.as_fd(), |file| service.settings.misses(file));
        let access = if misses(Optional::Operators) && misses(Optional::Readers) {
            Access::default()
        } else {
            Access::read(directory, [Optional::Operators, Optional::Readers].map(Optional::name), voice)
        };
        if !misses(Optional::Down) {
            service.machine.want = wanted(directory);
        }
        if let Some(state) = &mut service.state {
            state.serve(access);
        }
        Ok(Box::new(Self {
            shared,
            parts: Parts { service, logger: None },
            clients: Clients::default(),
            socket: None,
            access,
            ends,
            ended: None,
            draining: None,
            default_log: log.map(Box::new),
            no_log: None,
            asked: Asked::default(),
            waited: 0,
            late: [Late::default(); 2],
            late_clients: [None; 2],
            crowded: None,
            outdated: None,
        }))
    }

    /// Makes a logger of `log`, if that is there and was not before.
    pub(super) fn look_for_log(&mut self, now: Now) -> Result<(), Refusal> {
        if self.parts.logger.is_some() {
            return Ok(());
        }
        let log = self.open_log();
        self.take_log(log, now)
    }

    pub(super) fn open_log(&self) -> nix::Result<OwnedFd> {
        fds::open_directory(self.parts.service.directory.as_fd(), c"log")
    }

    fn take_log(&mut self, log: nix::Result<OwnedFd>, now: Now) -> Result<(), Refusal> {
        let directory = match log {
            Ok(directory) => Some(directory),
            Err(errno) if self.takes_default(errno) => None,
            Err(Errno::ENOENT) => return Ok(()),
            Err(errno) => {
                if self.no_log.replace(errno).is_none() {
                    self.shared.voice.unable_so(&[b"open log"], errno, b"the service runs without a logger");
                }
                return Ok(());
            }
        };
        let refusal = |what| move |errno| Refusal::unable(Part::Service, what, errno);
        let (directory, program, parent, want) = match (directory, self.default_log.as_deref()) {
            (None, None) => return Ok(()),
            (None, Some(DefaultLog { directory, program })) => {
                let parent = self.default_place().map_err(refusal("make log in supervise"))?;
                let down = matches!(program, Program::Run(_)) && exists(*directory, c"down");
                let want = if down { Want::Down } else { Want::Up };
                (Directory::Shared(*directory), program.clone(), parent, want)
            }
            (Some(directory), _) => {
                let want = wanted(directory.as_fd());
                let parent = self.own_place().map_err(refusal("open log in the state directory"))?;
                (Directory::Own(directory), Program::Run(None), parent, want)
            }
        };
        if self.shared.pipe.is_none() {
            let state = self.parts.service.state.as_ref().map(State::directory);
            let pipe = Pipe::for_log(state, self.shared.voice);
            self.shared.pipe = Some(pipe.map_err(refusal("make a pipe for the log"))?);
        }
        let mut logger = Process::new(Part::Log, directory, parent, want, now);
        (logger.program, logger.locked) = (program, Some(0));
        self.parts.logger = Some(Box::new(logger));
        Ok(())
    }

    /// Where the state of its own logger lies, if that is not in the directory of that.
    fn own_place(&self) -> nix::Result<Option<OwnedFd>> {
        let service = &self.parts.service;
        let place = service.state_parent.as_ref().filter(|_| service.state.is_some());
        let parent = place.map(|state| {
            let _ = make_directory(state, c"log", 0o755); // opening it reports
            fds::open_directory(state.as_fd(), c"log")
        });
        parent.transpose()
    }

    /// Takes the logger's state directory. Another that holds its lock has its logger there: it is tried
    /// again, and the pipe keeps what the service says.
    pub(super) fn lock_log(&mut self, patience: Patience, now: Now) -> Result<(), Refusal> {
        let Some(logger) = self.parts.logger.as_mut().filter(|logger| logger.locked.is_some()) else {
            return Ok(());
        };
        if self.parts.service.state.is_none() {
            // Nor has it a place of its own: what it reads from dies with us.
            logger.locked = None;
            return self.adopt_or_start(Part::Log, now);
        }
        let voice = self.shared.voice(Part::Log);
        let first = logger.locked == Some(0);
        match State::take(logger.parent(), self.access, patience) {
            Ok(state) => {
                logger.locked = None;
                logger.state = Some(state);
                return self.adopt_or_start(Part::Log, now);
            }
            Err(NotOurs::Locked) if first => {
                voice.unable_so(&[b"lock supervise/lock"], Errno::EAGAIN, b"trying again");
            }
            Err(NotOurs::Unusable(what, errno)) if first => {
                voice.unable_so(&[what.as_bytes()], errno, b"trying again");
            }
            Err(_) => {}
        }
        logger.locked = Some(now.monotonic + AGAIN);
        Ok(())
    }

    fn begin(&mut self, patience: Patience, now: Now) -> Result<(), Refusal> {
        self.verify(patience)?;
        // What is locked then is tried again each second: the service does not wait for its logger.
        self.lock_log(patience.min(Patience::Brief), now)?;
        // A client that sees the service finds its logger too.
        self.save(now);
        self.adopt_or_start(Part::Service, now)?;
        self.save(now);
        Ok(())
    }

    /// Fails where it cannot be determined whether what is recorded is alive: before anything is started. The record is
    /// read again for the adoption: a child of the former supervisor may write its place meanwhile.
    fn verify(&self, patience: Patience) -> Result<(), Refusal> {
        if self.parts.logger.is_none() && patience == Patience::None {
            return Ok(()); // nothing is started before the adoption, which says as much
        }
        let began = Now::read();
        loop {
            let now = Now::read();
            match adopt::recorded(&self.parts.service, &self.shared, now) {
                // A container is started again while the kernel still clears away what it was before.
                Err(Errno::EXDEV)
                    if patience != Patience::None && now.monotonic < began.monotonic + PATIENCE =>
                {
                    common::lock::pause_1ms();
                }
                Ok(_) => return Ok(()),
                Err(errno) => return Err(Refusal::recorded(Part::Service, errno)),
            }
        }
    }

    /// Takes over what is left of a process, or starts it if it is wanted.
    fn adopt_or_start(&mut self, part: Part, now: Now) -> Result<(), Refusal> {
        let Some(process) = self.parts.get_mut(part) else { return Ok(()) };
        let event =
            adopt::adopt(process, &self.shared, now).map_err(|errno| Refusal::recorded(part, errno))?;
        if let Some(event) = event {
            self.happen(part, event, now);
        }
        let Some(process) = self.parts.get_mut(part) else { return Ok(()) };
        process.unsaved = true;
        if process.machine.phase == Phase::Down && process.machine.want == Want::Up {
            self.happen(part, Event::Control(Control::Up), now);
        }
        if part == Part::Log {
            self.hurry_logger(now);
        }
        Ok(())
    }
}

/// What is wanted of the process of this directory while nobody has asked for anything.
fn wanted(directory: BorrowedFd) -> Want {
    if exists(directory, c"down") { Want::Down } else { Want::Up }
}
