//! The one door: where this process becomes another program.

use std::ffi::{CStr, CString};
use std::mem;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{FileStat, SFlag, stat};

use crate::caps::{Given, Set};
use crate::env::Env;
use crate::exit::Exit;
use crate::identity::SelfMatch;
use crate::link::Observer;
use crate::sys::words::Words;
use crate::sys::{file, process};
use crate::word::Word;
use crate::{fds, flaw};

/// What is left to execute, and with which environment.
pub struct Chain {
    /// The program and its arguments, argv for argv.
    pub words: Words,
    /// The program, where it is not the first word: then that is only what the program gets as argv\[0\], and no
    /// link is behind it that this process could apply.
    pub file: Option<&'static CStr>,
    /// The environment that the program gets.
    pub env: Env,
    /// Which of the words this process would apply itself.
    pub own: SelfMatch,
    /// The uid, if a link changed a uid or gid since this process was executed.
    pub changed: Option<u32>,
    /// The new root directory, if the link that was applied last has changed it: for a message.
    pub root: Option<&'static CStr>,
    /// Why the program may not be executed though its permissions allow it, for a hint: a link has forbidden this
    /// process what it needs.
    pub barrier: Option<&'static str>,
    /// The capabilities that are lent to the links in front, and taken back before the exec.
    pub lent: Set,
    /// The capabilities that the program is to have, whatever else is taken back.
    pub given: Given,
    /// Is told of each link that is applied.
    pub observer: Option<&'static dyn Observer>,
    path: &'static CStr,
    /// Where the exec writes the names of files.
    room: Vec<u8>,
}

/// Why no file was executed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) errno: Errno,
    /// The directory in which the file was that could not be.
    at: Option<&'static [u8]>,
}

impl Chain {
    /// Where PATH is not set, programs are searched here.
    const DEFAULT_PATH: &'static CStr = c"/bin:/usr/bin";

    /// A chain that searches its program in the PATH that `env` has now, whatever a link makes of it later.
    #[must_use]
    pub(crate) fn new(words: Words, env: Env, own: SelfMatch) -> Self {
        let mut chain = Self {
            words,
            file: None,
            env,
            own,
            changed: None,
            root: None,
            barrier: None,
            lent: Set::NONE,
            given: Given::NONE,
            observer: None,
            path: Self::DEFAULT_PATH,
            room: Vec::new(),
        };
        chain.hand_on();
        chain
    }

    /// Makes of this chain what the next link gets, which searches in the PATH that there is by then.
    pub(crate) fn hand_on(&mut self) {
        (self.file, self.root) = (None, None);
        // As long as no link edits the environment PATH is looked up once.
        if mem::take(&mut self.env.touched) {
            self.search_again();
        }
    }

    /// This chain, of which the words are left here.
    #[must_use]
    pub fn take(&mut self) -> Self {
        Self { words: self.words.clone(), env: mem::take(&mut self.env), room: Vec::new(), ..*self }
    }

    /// Makes now what the exec needs memory for: call this before a limit is set, under which there may be none.
    pub fn prepare(&mut self) {
        self.env.prepare();
        let program = self.program_word();
        self.room.reserve(program.count_bytes() + self.path.count_bytes() + 3); // a directory, a slash, a NUL
    }

    /// Says that `root` has become the root directory, in which the program is searched.
    pub fn search_in(&mut self, root: Word) {
        self.root = Some(root.0).filter(|root| *root != c"/"); // "/" moves no path
    }

    /// What the next word has to be to be the link `name`, which is in this process; `None` if it cannot
    /// be. `this` is the link that asks. Ask before any id changes, and [`Chain::is_next`] when the word's turn
    /// has come.
    #[must_use]
    pub fn expect(&self, this: &str, name: &str) -> Option<SelfMatch> {
        if self.file.is_some() { None } else { self.own.expect(self.words.first()?, this, name) }
    }

    /// Whether the next word is what was expected, with the ids that this process has now.
    #[must_use]
    pub fn is_next(&self, expected: &SelfMatch) -> bool {
        expected.is(|| self.program())
    }

    /// Searches in the PATH that the environment has now.
    pub fn search_again(&mut self) {
        self.path = self.env.get(c"PATH").unwrap_or(Self::DEFAULT_PATH);
    }

    /// Where programs are searched.
    #[must_use]
    pub fn path(&self) -> &'static CStr {
        self.path
    }

    /// Where `program` is, as [`Chain::exec`] would find it: the first that may be executed.
    #[must_use]
    pub fn find(&self, program: &CStr) -> Option<CString> {
        let mut room = Vec::new();
        let mut all = directories(program, self.path);
        let found =
            all.find(|directory| file::may_be_executed(file_in(directory, program, &mut room)).is_ok())?;
        Some(file_in(found, program, &mut Vec::new()).to_owned())
    }

    /// Becomes the program, found as the shell does but for a file that the kernel cannot run, which no
    /// shell gets. Signal dispositions, fds and all else pass as they are. Returns only on failure.
    #[must_use]
    pub fn exec(mut self) -> Exit {
        self.prepare();
        let refusal = self.try_all();
        self.not_executed(refusal)
    }

    /// Executes the first file of the program's name that can be executed. After [`Chain::prepare`] it allocates
    /// nothing. Returns why there was none.
    pub(crate) fn try_all(&mut self) -> Refusal {
        let program = self.program_word();
        let envp = self.env.prepare();
        let (mut found, mut at) = (Errno::ENOENT, None);
        for directory in directories(program, self.path) {
            match process::execve(file_in(directory, program, &mut self.room), &self.words, envp) {
                // Something is there that may not be executed: remember it, a later directory may do better.
                Errno::EACCES => (found, at) = (Errno::EACCES, Some(directory)),
                // A directory with too long a name holds nothing.
                Errno::ENAMETOOLONG if found == Errno::ENOENT => found = Errno::ENAMETOOLONG,
                Errno::ENOENT | Errno::ENOTDIR | Errno::ENAMETOOLONG => {}
                errno => {
                    (found, at) = (errno, Some(directory));
                    break;
                }
            }
        }
        Refusal { errno: found, at }
    }

    /// What follows where no file was executed: the message, with a hint if the file shows what is wrong.
    pub(crate) fn not_executed(mut self, Refusal { errno, at }: Refusal) -> Exit {
        if self.file.or(self.words.first()).is_none() {
            return Exit::usage("missing prog");
        }
        let program = self.program_word();
        let error = Exit::exec(program.to_bytes(), self.root.map(CStr::to_bytes), errno);
        // A file that is there says more than the directory that lets nobody look.
        let mut all = directories(program, self.path);
        let there = all.find(|directory| stat(file_in(directory, program, &mut self.room)).is_ok());
        let hint = |directory| {
            let file = file_in(directory, program, &mut self.room);
            match flaw::of(AT_FDCWD, file, errno) {
                Some(flaw::INTERPRETER) => Some(self.barrier.unwrap_or(flaw::INTERPRETER)),
                other => other,
            }
        };
        error.hint_if(there.or(at).and_then(hint))
    }

    /// The name by which the program is searched; empty where there is none, which is found nowhere.
    fn program_word(&self) -> &'static CStr {
        self.file.or(self.words.first()).unwrap_or_default()
    }

    /// The file that [`Chain::exec`] would execute for the first word, if the present credentials,
    /// capabilities among them, may execute it. `None` also where the kernel (before 5.8) cannot be asked
    /// that.
    #[must_use]
    pub fn program(&self) -> Option<FileStat> {
        let program = self.words.first()?;
        let mut room = Vec::new();
        for directory in directories(program, self.path) {
            let candidate = file_in(directory, program, &mut room);
            match stat(candidate) {
                Ok(file) if fds::is(&file, SFlag::S_IFREG) => {
                    match file::may_execute(AT_FDCWD.as_raw_fd(), candidate) {
                        Ok(()) => return Some(file),
                        Err(Errno::EACCES) => {}
                        Err(_) => return None,
                    }
                }
                Ok(_) | Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES | Errno::ENAMETOOLONG) => {}
                Err(_) => return None,
            }
        }
        None
    }
}

/// The directories to try for `program`, in order: those of `path`; one, whatever it is, for a name with a slash, which is
/// searched nowhere; none for an empty name.
pub fn directories<'a>(program: &CStr, path: &'a CStr) -> impl Iterator<Item = &'a [u8]> {
    let path = if program.to_bytes().contains(&b'/') { b"" } else { path.to_bytes() };
    let is_empty = program.is_empty();
    path.split(|b| *b == b':').filter(move |_| !is_empty)
}

/// The file to try for `program` in one of its [`directories`], of which an empty one is the working directory. It is
/// written to `room`, which a long PATH so needs once.
pub fn file_in<'a>(directory: &[u8], program: &CStr, room: &'a mut Vec<u8>) -> &'a CStr {
    room.clear();
    if !program.to_bytes().contains(&b'/') {
        room.extend_from_slice(if directory.is_empty() { b"." } else { directory });
        room.push(b'/');
    }
    room.extend_from_slice(program.to_bytes_with_nul());
    CStr::from_bytes_until_nul(room).unwrap_or_default() // its NUL is at its end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(program: &CStr, path: &CStr) -> Vec<String> {
        let file = |directory| file_in(directory, program, &mut Vec::new()).to_str().unwrap().to_owned();
        directories(program, path).map(file).collect()
    }

    #[test]
    fn a_name_is_searched_in_each_directory_of_the_path() {
        assert_eq!(found(c"p", c"/bin:/usr/bin"), ["/bin/p", "/usr/bin/p"]);
        assert_eq!(found(c"p", c"/"), ["//p"]);
    }

    #[test]
    fn an_empty_directory_is_the_working_directory() {
        assert_eq!(found(c"p", c""), ["./p"]);
        assert_eq!(found(c"-p", c":/bin:"), ["./-p", "/bin/-p", "./-p"]);
    }

    #[test]
    fn a_slash_stops_the_search() {
        assert_eq!(found(c"./p", c"/bin:/usr/bin"), ["./p"]);
        assert_eq!(found(c"/", c"/bin"), ["/"]);
    }

    #[test]
    fn an_empty_name_is_nowhere() {
        assert_eq!(found(c"", c"/bin:"), [""; 0]);
    }
}
