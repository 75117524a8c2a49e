//! The one door: where this process becomes another program.

use std::ffi::{CStr, CString};
use std::hint::black_box;
use std::mem;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{FileStat, SFlag, stat};

use crate::env::Env;
use crate::exit::Exit;
use crate::identity::SelfMatch;
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
    path: &'static CStr,
}

impl Chain {
    /// Where PATH is not set, programs are searched here.
    const DEFAULT_PATH: &'static CStr = c"/bin:/usr/bin";

    /// A chain that searches its program in the PATH that `env` has now, whatever a link makes of it later.
    #[must_use]
    pub(crate) fn new(words: Words, env: Env, own: SelfMatch) -> Self {
        let path = env.get(c"PATH").unwrap_or(Self::DEFAULT_PATH);
        Self { words, file: None, env, own, changed: None, root: None, path }
    }

    /// This chain as the next link gets it, which searches in the PATH that there is by then.
    #[must_use]
    pub(crate) fn handed_on(self) -> Self {
        Self { changed: self.changed, ..Self::new(self.words, self.env, self.own) }
    }

    pub(crate) fn take(&mut self) -> Self {
        Self { words: self.words.clone(), env: mem::take(&mut self.env), ..*self }
    }

    /// Makes now what the exec needs memory for: call this before a limit is set, under which there may be none.
    pub fn prepare(&mut self) {
        self.env.prepare();
        // For the names of files, one at a time, and a message.
        drop(black_box(Vec::<u8>::with_capacity(1 << 14)));
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

    /// Becomes the program, found as the shell does but for a file that the kernel cannot run, which no
    /// shell gets. Signal dispositions, fds and all else pass as they are. Returns only on failure.
    #[must_use]
    pub fn exec(self) -> Exit {
        let Some(program) = self.file.or(self.words.first()) else {
            return Exit::usage("missing prog");
        };
        let envp = self.env.into_words();
        let (mut found, mut at) = (Errno::ENOENT, None);
        for candidate in candidates(program, self.path) {
            match process::execve(&candidate, &self.words, &envp) {
                // Something is there that may not be executed: remember it, a later directory may do better.
                Errno::EACCES => (found, at) = (Errno::EACCES, Some(candidate)),
                // A directory with too long a name holds nothing.
                Errno::ENAMETOOLONG if found == Errno::ENOENT => found = Errno::ENAMETOOLONG,
                Errno::ENOENT | Errno::ENOTDIR | Errno::ENAMETOOLONG => {}
                errno => {
                    (found, at) = (errno, Some(candidate));
                    break;
                }
            }
        }
        let error = Exit::exec(program.to_bytes(), self.root.map(CStr::to_bytes), found);
        // A file that is there says more than the directory that lets nobody look.
        let there = candidates(program, self.path).find(|file| stat(file.as_c_str()).is_ok());
        match there.or(at).and_then(|file| flaw::of(AT_FDCWD, &file, found)) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// The file that [`Chain::exec`] would execute for the first word, if the present credentials,
    /// capabilities among them, may execute it. `None` also where the kernel (before 5.8) cannot be asked
    /// that.
    #[must_use]
    pub fn program(&self) -> Option<FileStat> {
        for candidate in candidates(self.words.first()?, self.path) {
            match stat(candidate.as_c_str()) {
                Ok(file) if fds::is(&file, SFlag::S_IFREG) => {
                    match file::may_execute(AT_FDCWD.as_raw_fd(), &candidate) {
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

/// The files to try for `program`, in order: itself if it has a slash, else one for each directory of `path`,
/// of which an empty one is the working directory; none for an empty name.
pub fn candidates(program: &CStr, path: &CStr) -> impl Iterator<Item = CString> {
    let name = program.to_bytes();
    // A name with a slash is searched nowhere: as if in one directory, whose name it has already.
    let searched = !name.contains(&b'/');
    let directories = if searched { path.to_bytes() } else { b"" };
    directories.split(|b| *b == b':').filter(|_| !name.is_empty()).map(move |directory| {
        let mut file = Vec::with_capacity(directory.len() + name.len() + 3);
        if searched {
            file.extend_from_slice(if directory.is_empty() { b"." } else { directory });
            file.push(b'/');
        }
        file.extend_from_slice(name);
        CString::new(file).unwrap_or_default() // made of C strings, so without a NUL inside
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(program: &CStr, path: &CStr) -> Vec<String> {
        candidates(program, path).map(|file| file.into_string().unwrap()).collect()
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
