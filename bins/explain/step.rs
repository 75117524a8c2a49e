//! The process that applies the links, one after the other, and executes this program again after each, as the next link
//! would be executed: so what it tells is what a program finds there.

use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::mem;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use common::identity::SelfMatch;
use common::link::longest;
use common::procfs::This;
use common::quantity::number;
use common::state::{Item, State};
use common::{Chain, Cli, Env, Exit, Link, Observer, OrFail, Outcome, Words, fds, process, shown};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::stat;

use super::program;
use super::told::{Found, Inherited, Record, entries};
use crate::LINKS;

/// How this process is called between two links: then come the numbers of a [`Channel`].
const MARK: &[u8] = b"catena-explain:";

/// How words name links.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Naming {
    /// By their names, as `catena` does.
    ByName,
    /// By files that are found, as a shell does.
    ByFile,
}

/// The fds that the process keeps, where no program finds them, and how it goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channel {
    /// Where it tells.
    pipe: RawFd,
    /// A pipe that nobody can read from any more when the process that prints has ended.
    life: RawFd,
    /// Its directory in /proc, in whatever root; -1 where there is none.
    own: RawFd,
    /// This program's file.
    file: RawFd,
    naming: Naming,
    /// Whether there are no more links.
    ended: bool,
}

impl Channel {
    /// Opens what a process keeps; it must be the one that applies the links.
    pub(super) fn open(pipe: OwnedFd, life: OwnedFd, naming: Naming) -> Result<Self, Exit> {
        let this = This::open().or_fail("look at /proc/self")?;
        let file = this.file(c"exe", OFlag::O_RDONLY).or_fail("open this program's own file")?;
        let own = this.file(c".", OFlag::O_RDONLY | OFlag::O_DIRECTORY).or_fail("open /proc/self")?;
        let keep = |fd| fds::out_of_the_way(fd).or_fail("keep a fd");
        let channel = Self {
            pipe: keep(pipe)?,
            life: keep(life)?,
            own: keep(own)?,
            file: keep(file)?,
            naming,
            ended: false,
        };
        Ok(channel.kept_open())
    }

    /// The channel that a process was called with, if it is one of these.
    pub(super) fn of(name: &CStr) -> Option<Self> {
        let mut parts = name.to_bytes().strip_prefix(MARK)?.split(|byte| *byte == b':');
        let mut fd = || number::<RawFd>(parts.next()?);
        let (pipe, life, own, file) = (fd()?, fd()?, fd()?, fd()?);
        let naming = if parts.next()? == b"n" { Naming::ByName } else { Naming::ByFile };
        Some(Self { pipe, life, own, file, naming, ended: parts.next()? == b"e" }.kept_open())
    }

    /// Lets no link close these with all others.
    fn kept_open(self) -> Self {
        fds::keep_from(self.hidden().into_iter().min().unwrap_or(RawFd::MAX));
        self
    }

    fn hidden(&self) -> [RawFd; 4] {
        [self.pipe, self.life, self.own, self.file]
    }

    fn name(&self) -> CString {
        let naming = if self.naming == Naming::ByName { "n" } else { "f" };
        let ended = if self.ended { "e" } else { "g" };
        let parts = self.hidden().map(|fd| fd.to_string()).join(":");
        let name = [MARK, parts.as_bytes(), b":", naming.as_bytes(), b":", ended.as_bytes()].concat();
        CString::new(name).unwrap_or_default() // it has no NUL
    }

    fn tell(&self, record: Record) {
        record.send(self.pipe);
    }

    /// Tells the state, of which `chain` has the environment.
    fn tell_state(&self, chain: &Chain) -> Result<(), Exit> {
        let state = self.state()?;
        self.tell(Record::Inherited(Inherited { state, env: entries(&chain.env) }));
        Ok(())
    }

    fn state(&self) -> Result<State, Exit> {
        let fresh = This::open();
        let kept = if fresh.is_err() { self.kept() } else { None };
        State::read(fresh.as_ref().ok().or(kept.as_ref()), &self.hidden())
    }

    /// The directory in /proc that was opened before there was another root, unless it is that of a parent by now.
    fn kept(&self) -> Option<This> {
        let own = fds::copy_of(self.own).ok()?;
        This::kept(own).filter(|this| {
            let text = this.file(c"stat", OFlag::O_RDONLY).and_then(|file| fds::read_up_to(file, 512));
            let pid = process::id().map(|id| [id.to_string().as_bytes(), b" "].concat());
            matches!((text, pid), (Ok(text), Ok(pid)) if text.starts_with(&pid))
        })
    }
}

/// Applies the first link of the chain, tells, and goes on with the next in another process image.
pub(super) fn run(cli: &mut Cli, channel: Channel) -> Outcome<'_> {
    go(cli.words(), channel)
}

pub(super) fn go(chain: &mut Chain, mut channel: Channel) -> Outcome<'_> {
    // Or a link that waits would wait for nobody. Each process asks for itself, also one that a link has forked.
    if fds::die_with_reader(channel.life) == Err(Errno::EPIPE) {
        return Err(Exit::answer(111, ""));
    }
    channel.tell_state(chain)?;
    if channel.ended {
        return Err(Exit::answer(0, ""));
    }
    let watch: &'static Watch = Box::leak(Box::new(Watch { channel, open: RefCell::default() }));
    loop {
        chain.observer = Some(watch);
        match next(chain, channel) {
            Some(link) => {
                let words: Vec<_> = chain.words.clone().collect();
                chain.own = own(chain, link, channel);
                match link.apply(chain) {
                    Ok(()) => {}
                    // The parent that fghack leaves behind: the chain goes on in its child.
                    Err(exit) if exit.text().is_empty() => return Err(exit),
                    Err(exit) => {
                        channel.tell(Record::Failed {
                            words: watch.open_words().unwrap_or_else(|| bytes(words.into_iter())),
                            text: exit.text().to_owned(),
                            hint: exit.second_line().unwrap_or_default().to_owned(),
                            status: exit.status(),
                        });
                        return Err(Exit::answer(exit.status(), ""));
                    }
                }
                if next(chain, channel).is_some() {
                    again(chain, channel);
                    channel.tell_state(chain)?;
                    continue;
                }
            }
            None if chain.words.first().is_none() => {
                channel.tell(Record::Failed {
                    words: Vec::new(),
                    text: "missing prog".into(),
                    hint: String::new(),
                    status: 100,
                });
                return Err(Exit::answer(100, ""));
            }
            None => {}
        }
        let found = program::look(chain);
        channel.tell(Record::Found(found.clone()));
        channel.ended = true;
        // Words and variables that are too long for this program are so for that one.
        if again(chain, channel) == Errno::E2BIG && found.status == 0 {
            let program = chain.words.first().unwrap_or_default().to_bytes();
            let error = Exit::exec(program, chain.root.map(CStr::to_bytes), Errno::E2BIG);
            channel.tell(Record::Found(Found {
                status: error.status(),
                seen: error.text().to_owned(),
                ..found
            }));
        }
        channel.tell_state(chain)?;
        return Err(Exit::answer(0, ""));
    }
}

/// Executes this program again. Returns where that is not possible, as under a landlock: then the next link is applied
/// in this process image, as by `catena`.
fn again(chain: &mut Chain, channel: Channel) -> Errno {
    let env = mem::take(&mut chain.env).into_words();
    let name: &'static CStr = Box::leak(channel.name().into_boxed_c_str());
    let words: Words = [name].into_iter().chain(chain.words.clone()).collect();
    let errno = process::execute_open(channel.file, &words, &env);
    chain.env = Env::new(env);
    errno
}

/// The link that is the next word, if it is one.
fn next(chain: &Chain, channel: Channel) -> Option<&'static Link> {
    let word = chain.words.first().filter(|_| chain.file.is_none())?;
    let name = |link: &&'static Link| match channel.naming {
        Naming::ByName => SelfMatch::Named.is_called(word, link.name),
        Naming::ByFile => SelfMatch::Alone.is_called(word, link.name),
    };
    let link = longest(LINKS.iter().filter(name))?;
    match channel.naming {
        Naming::ByName => Some(link),
        // What is not found is not executed; and `mychroot` is no chroot, unless it is ours with a prefix.
        Naming::ByFile => {
            let file = chain.find(word)?;
            let exactly = SelfMatch::Named.is_called(base(word), link.name);
            (exactly || std::fs::canonicalize(path_of(&file)).is_ok_and(|path| is_ours(&path)))
                .then_some(link)
        }
    }
}

/// By what the link knows those that it applies itself.
fn own(chain: &Chain, link: &Link, channel: Channel) -> SelfMatch {
    if channel.naming == Naming::ByName {
        return SelfMatch::Named;
    }
    let found = chain.words.first().and_then(|word| chain.find(word));
    let Some(path) = found.and_then(|file| std::fs::canonicalize(path_of(&file)).ok()) else {
        return SelfMatch::Alone;
    };
    if !is_ours(&path) {
        let (name, path) = (link.name, shown(path.as_os_str().as_bytes()).to_string());
        let note = [name, " is ", &path, ", which is not of catena: it is taken as if it were ours"].concat();
        channel.tell(Record::Note(note));
        return SelfMatch::Alone;
    }
    let file = CString::new(path.as_os_str().as_bytes()).unwrap_or_default();
    if path.as_os_str().as_bytes().ends_with(link.name.as_bytes()) {
        SelfMatch::At(Box::leak(file.into_boxed_c_str()))
    } else {
        stat(file.as_c_str()).map_or(SelfMatch::Alone, |found| SelfMatch::of(&found))
    }
}

fn path_of(file: &CStr) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(file.to_bytes()))
}

/// Whether a file is where the programs of this installation are, with its prefix: beside the program catena, or this one.
fn is_ours(path: &Path) -> bool {
    let own = This::open().and_then(|this| this.program()).unwrap_or_default();
    let name = own.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let prefix = name.strip_suffix(b"catena-explain").unwrap_or_default();
    let has = |directory: &Path, name: &str| {
        directory.join(std::ffi::OsStr::from_bytes(&[prefix, name.as_bytes()].concat())).exists()
    };
    path.parent().is_some_and(|directory| has(directory, "catena") || has(directory, "catena-explain"))
}

/// The last part of a path.
fn base(word: &CStr) -> &CStr {
    let start = word.to_bytes().iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    CStr::from_bytes_with_nul(&word.to_bytes_with_nul()[start..]).unwrap_or_default()
}

fn bytes(words: impl Iterator<Item = &'static CStr>) -> Vec<Vec<u8>> {
    words.map(|word| word.to_bytes().to_vec()).collect()
}

/// Tells of the links as they are applied.
struct Watch {
    channel: Channel,
    /// Those that have begun, with their words, and whether they were told of.
    open: RefCell<Vec<(Words, bool)>>,
}

impl Watch {
    /// The words of the link that began last, as far as that is known.
    fn open_words(&self) -> Option<Vec<Vec<u8>>> {
        self.open.borrow().last().map(|(words, _)| bytes(words.clone()))
    }

    fn told(&self, words: Words, chain: &Chain) {
        let count = words.clone().count() - chain.words.clone().count();
        let root = chain.root.map(CStr::to_bytes).unwrap_or_default().to_vec();
        self.channel.tell(Record::Applied { words: bytes(words.take(count)), root });
    }

    /// Tells the state inside of a link that goes on, in which the capabilities are those that will be left.
    fn tell_state(&self, chain: &Chain) {
        let Ok(mut state) = self.channel.state() else { return };
        for Item { key, part, value } in &mut state.0 {
            let (inheritable, permitted) = chain.given.sets();
            match (*key, &part[..]) {
                ("capabilities", b"inheritable") => *value = common::state::hex(inheritable.bits()),
                ("capabilities", b"permitted" | b"effective") => {
                    *value = common::state::hex(permitted.bits());
                }
                _ => {}
            }
        }
        self.channel.tell(Record::Inherited(Inherited { state, env: entries(&chain.env) }));
    }
}

impl Observer for Watch {
    fn begins(&self, _: &'static Link, words: Words) {
        self.open.borrow_mut().push((words, false));
    }

    fn changed(&self, chain: &Chain) {
        let mut open = self.open.borrow_mut();
        let Some((words, told)) = open.last_mut() else { return };
        if !mem::replace(told, true) {
            self.told(words.clone(), chain);
            self.tell_state(chain);
        }
    }

    fn applied(&self, chain: &Chain) {
        let Some((words, told)) = self.open.borrow_mut().pop() else { return };
        if told {
            return;
        }
        self.told(words, chain);
        // One that another link has applied: no exec follows.
        if !self.open.borrow().is_empty() {
            self.tell_state(chain);
        }
    }
}
