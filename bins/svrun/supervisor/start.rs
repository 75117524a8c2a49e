//! How it begins: it takes the service directory and what lives of it, or says why not.

use std::os::fd::AsFd;

use common::{fds, signals};
use nix::errno::Errno;

use super::{AGAIN, End, HEARD, Orders, Signals, Supervisor};
use crate::svrun::adopt::{adopt_or_start, verify};
use crate::svrun::clients::Clients;
use crate::svrun::era::Era;
use crate::svrun::machine::Want;
use crate::svrun::order::Late;
use crate::svrun::pipe::Pipe;
use crate::svrun::process::Process;
use crate::svrun::service::{exists, make_folder, operators};
use crate::svrun::state::{NotOurs, State};
use crate::svrun::world::World;

impl Supervisor {
    /// Takes the service directory, and what lives of it.
    #[inline(never)]
    pub(in crate::svrun) fn start(mut orders: Orders) -> Result<&'static mut Self, End> {
        let pipes = std::mem::take(&mut orders.pipes);
        let supervisor = Self::new(orders)?;
        supervisor.look_for_log()?;
        if supervisor.told_log.is_some_and(fds::passes) {
            return Err(End::Failed); // a service whose log could be there must not run without it
        }
        supervisor.begin()?;
        drop(pipes);
        Ok(supervisor)
    }

    /// Takes the state directory. A function of its own, so that what it needs of the stack is free again.
    #[inline(never)]
    pub(super) fn new(orders: Orders) -> Result<&'static mut Self, End> {
        let Orders { voice, role, words, origin, env, notify, folder, state, .. } = orders;
        let fatal = |what: &[u8], errno: Errno| {
            voice.fatal(&[what], errno);
            End::Failed
        };
        let signals = signals::as_fd(&HEARD).map_err(|errno| fatal(b"open a signalfd", errno))?;
        let operators = operators(&folder, voice);
        let want = if exists(folder.as_fd(), c"down") { Want::Down } else { Want::Up };
        let mut service = Process::new(false, folder, state, want);
        if let Some(socket) = notify {
            service.notify.take(socket);
        }
        match State::take(service.parent(), operators, true) {
            Ok(state) => service.state = Some(state),
            Err(NotOurs::Locked) => return Err(fatal(b"lock supervise/lock", Errno::EAGAIN)),
            Err(NotOurs::Unusable(what, errno)) => return Err(fatal(what.as_bytes(), errno)),
        }
        let mut era =
            Era::now().map_err(|errno| fatal(b"tell which boot and namespaces these are", errno))?;
        if let Some(state) = &service.state {
            era.look_for_sign(state.folder());
        }
        let world = World {
            voice,
            env,
            pipe: None,
            era,
            clients: Clients::default(),
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
            words,
            origin,
            draining: None,
            role,
            ended: None,
            resting: false,
            told_log: None,
            unreaped: false,
            told: Signals::default(),
            waited: 0,
            late: [Late::default(); 2],
            late_clients: [None; 2],
            crowded: None,
            outdated: None,
        }));
        Ok(supervisor)
    }

    /// Makes a logger of `log`, if that is there and was not before.
    pub(super) fn look_for_log(&mut self) -> Result<(), End> {
        if self.logger.is_some() {
            return Ok(());
        }
        let folder = match fds::open_directory(self.service.folder.as_fd(), c"log") {
            Ok(folder) => folder,
            Err(Errno::ENOENT) => return Ok(()),
            Err(errno) => {
                if self.told_log.replace(errno).is_none() {
                    self.world.voice.unable(&[b"open log, which gets nothing"], errno);
                }
                return Ok(());
            }
        };
        let Some(state) = &self.service.state else { return Ok(()) };
        let want = if exists(folder.as_fd(), c"down") { Want::Down } else { Want::Up };
        let parent = self.service.state_parent.as_ref().map(|state| {
            let _ = make_folder(state, c"log", 0o755); // opening it tells
            fds::open_directory(state.as_fd(), c"log")
        });
        let parent = match parent.transpose() {
            Ok(parent) => parent,
            Err(errno) => {
                self.world.voice.fatal(&[b"open log in the state directory"], errno);
                return Err(End::Failed);
            }
        };
        match Pipe::for_log(state.folder(), self.world.voice) {
            Ok(pipe) => self.world.pipe = Some(pipe),
            Err(errno) => {
                self.world.voice.fatal(&[b"make a pipe for the log"], errno);
                return Err(End::Failed);
            }
        }
        let mut logger = Process::new(true, folder, parent, want);
        logger.locked = Some(0);
        self.logger = Some(logger);
        self.world.clients.has_logger = true;
        Ok(())
    }

    /// Takes the logger's state directory. Another that holds its lock has its logger there: it is tried
    /// again, and the pipe keeps what the service says.
    pub(super) fn lock_log(&mut self, patience: bool) -> Result<(), End> {
        let Some(logger) = self.logger.as_mut().filter(|logger| logger.locked.is_some()) else {
            return Ok(());
        };
        let voice = logger.voice(&self.world);
        let first = logger.locked == Some(0);
        match State::take(logger.parent(), self.operators, patience) {
            Ok(state) => {
                logger.locked = None;
                logger.state = Some(state);
                adopt_or_start(logger, &mut self.world)?;
                self.world.logger = logger.machine.pid;
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

    pub(super) fn begin(&mut self) -> Result<(), End> {
        verify(&self.service, &self.world)?;
        self.lock_log(true)?;
        // Who sees the service finds its logger too.
        self.save();
        adopt_or_start(&mut self.service, &mut self.world)?;
        self.save();
        Ok(())
    }
}
