//! The start of a tree.

use std::collections::VecDeque;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use common::identity::same;
use common::lock::{TRIES_OF_SUPERVISORS, flock_within};
use common::spawn::FewFiles;
use common::{Chain, Env, Exit, OrFail, Voice, Words, door, fds, shown, signals};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::fstat;
use nix::unistd::getcwd;

use super::course::Course;
use super::{Deaths, Tree};
use crate::supervise::{Access, HEARD, HandedOn, Now, PidSpace, make_directory};
use crate::svtree::clients::Clients;
use crate::svtree::command_line::{CommandLine, Place};
use crate::svtree::events::{Events, Token};
use crate::svtree::needs::Graph;
use crate::svtree::own;
use crate::svtree::program::{Directory, Program, Received, passed_on};
use crate::svtree::queue::Queue;
use crate::svtree::scan::{Scan, Way};
use crate::svtree::slots::{PROGRAM, Slots};
use crate::svtree::template::{Interned, Log, Template};

/// Below the scan directory, or the state directory: what is the tree's own.
const OWN: &CStr = c".tree";

impl Tree {
    /// Opens a tree, and starts its setup.
    #[allow(clippy::too_many_lines, reason = "a third of them are the fields")]
    pub(in crate::svtree) fn open(
        called: &'static [u8],
        line: CommandLine,
        received: Received,
        inherited: Inherited,
    ) -> Result<Self, Exit> {
        let now = Now::read();
        let CommandLine { manner, role, prefix, state, limit, place, mut chain, line, .. } = line;
        let env: Words = std::mem::take(&mut chain.env).into_words();
        chain.env = Env::new(env.clone());
        let path = match place {
            Place::Nowhere => c"",
            Place::Directory(path) => path,
        };
        let voice = Voice { called, directory: path.to_bytes(), part: b"" };
        let open = |path: &CStr| {
            fds::open_directory(AT_FDCWD, path).or_fail(format_args!("open {}", shown(path.to_bytes())))
        };
        let state = match state {
            Some(path) => {
                make_directory(AT_FDCWD, path, 0o755)
                    .or_fail(format_args!("make {}", shown(path.to_bytes())))?;
                Some(open(path)?)
            }
            None => None,
        };
        let (mut scan, mut directory, mut whole) = (None, None, PathBuf::new());
        if let Place::Directory(path) = place {
            directory = Some(open(path)?);
            whole = getcwd().or_fail("find the working directory")?.join(OsStr::from_bytes(path.to_bytes()));
            let text = CString::new(whole.as_os_str().as_bytes()).unwrap_or_default(); // made of two paths
            let opened = Scan::open(&text, Way::Watch, now.monotonic);
            scan = Some(opened.or_fail(format_args!("open {}", shown(path.to_bytes())))?);
        }
        let heard = if scan.is_some() { Directory::Given } else { Directory::None };
        let mask = if chain.words.first().is_some() { passed_on(heard) } else { 0 };
        let signals = signals::mask_as_fd(signals::mask_of(&HEARD) | mask).or_fail("open a signalfd")?;
        let events = Events::new().or_fail("open an epoll")?;
        events.add(signals.as_raw_fd(), Token::Signals).or_fail("wait for signals")?;
        let budget = match (limit, &directory) {
            (Some(limit), _) => limit,
            (None, Some(directory)) => own::timeout(directory.as_fd(), voice),
            (None, None) => own::TIMEOUT,
        };
        let log = log(directory.as_ref(), prefix, &chain)?;
        let files = FewFiles::new(received.files).or_fail("keep numbers for the fds of services")?;
        let files: &'static FewFiles = Box::leak(Box::new(files)); // it is held as long as we live
        let mut graph = Graph::default();
        let mut slots = Slots::default();
        let program = chain.words.first().is_some().then(|| {
            slots.reserve_program();
            graph.set_program(PROGRAM);
            Program::new(chain, received)
        });
        let template = Template {
            called,
            pid: std::process::id(),
            env: env.clone(),
            path: whole,
            state,
            own: None,
            space: PidSpace::now().or_fail("identify the boot and the namespaces")?,
            files,
            log,
            handed_on: inherited.handed_on,
            names: Interned::default(),
        };
        let mut tree = Self {
            voice,
            manner,
            role,
            asked: signals::TERM,
            budget,
            signals,
            events,
            directory,
            template,
            scan,
            scanned: None,
            program,
            graph,
            slots,
            looks: 0,
            sought: false,
            full: None,
            waiting: VecDeque::new(),
            serial: 0,
            queue: Queue::default(),
            awake: Vec::new(),
            unshown: Vec::new(),
            show_at: 0,
            course: Course::default(),
            socket: None,
            access: Access::default(),
            lock: None,
            line,
            clients: Clients::default(),
            crowded: None,
            signalled: true,
            deaths: Deaths::Due,
            resting: false,
        };
        tree.take_own_directory(inherited.files)?;
        if tree.deaths != Deaths::OfAnother {
            tree.set_up();
        }
        Ok(tree)
    }

    /// Takes the directory that holds what is the tree's own, and listens there. Without a place to write there is no
    /// socket.
    fn take_own_directory(&mut self, inherited: Vec<OwnedFd>) -> Result<(), Exit> {
        let parent = match (&self.template.state, &self.directory) {
            (Some(state), _) => state,
            (None, Some(directory)) => directory,
            (None, None) => return Ok(()), // a program alone needs none
        };
        let made = make_directory(parent, OWN, 0o755);
        let own = match made.and_then(|()| door::directory(parent.as_fd(), OWN)) {
            Ok(own) => own,
            Err(errno) => {
                self.voice.unable_so(&[b"make .tree"], errno, b"going on without a socket");
                return Ok(());
            }
        };
        let access = OFlag::O_WRONLY | OFlag::O_APPEND;
        match door::file_or_new(own.as_fd(), c"lock", access, 0o600, door::Owner::Us) {
            Ok(lock) => {
                // Before the upgrade this process has locked it already.
                let ours = fstat(&lock).or_fail("look at .tree/lock")?;
                let held =
                    inherited.into_iter().find(|file| fstat(file).is_ok_and(|file| same(&file, &ours)));
                if held.is_some() {
                    self.deaths = Deaths::OfAnother;
                }
                let lock = held.unwrap_or(lock);
                let mut tries = TRIES_OF_SUPERVISORS;
                if !flock_within(lock.as_fd(), &mut tries).or_fail("lock .tree/lock")? {
                    return Err(Exit::fatal("unable to lock .tree/lock: another svtree runs this directory"));
                }
                self.lock = Some(lock);
            }
            Err(errno @ (Errno::EROFS | Errno::EACCES | Errno::ENOSPC | Errno::EDQUOT)) => {
                self.voice.unable_so(&[b"open .tree/lock"], errno, b"going on without a socket");
                return Ok(());
            }
            Err(errno) => return Err(errno).or_fail("open .tree/lock"),
        }
        if let Some(directory) = &self.directory {
            let names = [c".tree/operators", c".tree/readers"];
            self.access = Access::read(directory.as_fd(), names, self.voice);
        }
        if let Err(errno) = self.listen(&own) {
            self.voice.unable_so(&[b"open .tree/socket"], errno, b"going on without it");
        }
        self.template.own = Some(own);
        Ok(())
    }
}

/// What this process has found open.
pub(in crate::svtree) struct Inherited {
    /// What the program before us has handed on of its services.
    pub(in crate::svtree) handed_on: HandedOn,
    /// Files, of which one may be our lock.
    pub(in crate::svtree) files: Vec<OwnedFd>,
}

impl Inherited {
    /// Takes it, and closes everything else from 3 up, so that no service gets it.
    pub(in crate::svtree) fn take() -> Result<Self, Exit> {
        let handed_on = HandedOn::take().or_fail("take what was handed on")?;
        let files = fds::all_handed_on(fds::is_regular).or_fail("take what was handed on")?;
        fds::close_others(&handed_on.iter().chain(&files));
        Ok(Self { handed_on, files })
    }
}

/// What logs a service that has no logger of its own: `.tree/log`, or svlog, found as a program of the tree would be.
fn log(directory: Option<&OwnedFd>, prefix: bool, chain: &Chain) -> Result<Log, Exit> {
    let kept = |fd: OwnedFd| -> BorrowedFd<'static> {
        let fd: &'static OwnedFd = Box::leak(Box::new(fd)); // it is held as long as we live
        fd.as_fd()
    };
    if let Some(directory) = directory {
        match fds::open_directory(directory.as_fd(), c".tree/log") {
            Ok(log) => return Ok(Log::Directory(kept(log))),
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(errno) => return Err(errno).or_fail("open .tree/log"),
        }
    }
    if !prefix {
        return Ok(Log::Nothing);
    }
    let root = fds::open_directory(AT_FDCWD, c"/").or_fail("open /")?;
    let found = chain
        .find(c"svlog")
        .ok_or_else(|| Exit::fatal("unable to find svlog, which -p needs").hint("it has to be in PATH"))?;
    Ok(Log::Prefix(kept(root), Box::leak(found.into_boxed_c_str())))
}
