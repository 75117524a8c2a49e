//! What is started as run, and from which directory.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

/// How many words a command line has at most.
const WORDS: usize = 4;

/// What is started as run of a logger.
#[derive(Clone, Debug)]
pub(crate) enum Program {
    /// The file `run` of the directory, with this argument.
    Run(Option<&'static CStr>),
    /// A command line, whose first word is a path that does not depend on a directory.
    Command(Rc<[&'static CStr; WORDS]>),
}

/// A command line.
#[derive(Debug)]
pub(super) struct Argv {
    words: [&'static CStr; WORDS],
    count: usize,
}

impl Program {
    /// Its command line.
    pub(super) fn argv(&self) -> Argv {
        let mut argv = Argv { words: [c"./run"; WORDS], count: 1 };
        match self {
            Self::Run(argument) => {
                if let Some(argument) = argument {
                    (argv.words[1], argv.count) = (argument, 2);
                }
            }
            Self::Command(words) => (argv.words, argv.count) = (**words, WORDS),
        }
        argv
    }
}

impl Argv {
    /// The same of another file.
    pub(super) fn of(mut self, path: &'static CStr) -> Self {
        self.words[0] = path;
        self
    }

    /// All words.
    pub(super) fn words(&self) -> &[&'static CStr] {
        &self.words[..self.count]
    }

    /// The file.
    pub(super) fn path(&self) -> &'static CStr {
        self.words[0]
    }
}

/// What logs a service that has no directory `log`.
#[derive(Clone, Debug)]
pub(crate) struct DefaultLog {
    /// From where it is started: the same directory for all services.
    pub(crate) directory: BorrowedFd<'static>,
    /// What it is: of a file `run` the argument is the name of the service.
    pub(crate) program: Program,
}

/// The directory of a process.
#[derive(Debug)]
pub(super) enum Directory {
    /// Its own.
    Own(OwnedFd),
    /// That of the loggers of all services which have none.
    Shared(BorrowedFd<'static>),
}

impl Directory {
    /// Whether it is not its own.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Own(directory) => directory.as_fd(),
            Self::Shared(directory) => directory.as_fd(),
        }
    }
}
