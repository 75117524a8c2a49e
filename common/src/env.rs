//! The environment: as it was received until it is edited, byte for byte, and files and directories of variables.

use std::ffi::{CStr, CString};
use std::fmt::{self, Display};
use std::mem;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, major, minor};
use nix::unistd::read;

use crate::exit::{Exit, OrFail};
use crate::fds;
use crate::sys::file;
use crate::sys::words::Words;
use crate::word::{Word, shown};

/// An environment. Entries that are no variable, and duplicates of one, stay where they are unless that one
/// is edited.
#[derive(Default)]
pub struct Env {
    received: Option<Words>,
    edited: Vec<&'static CStr>, // instead of `received` once that is taken
    /// Whether it is another one than when somebody last took this.
    pub(crate) touched: bool,
}

impl Env {
    /// The environment as it was received.
    #[must_use]
    pub fn new(received: Words) -> Self {
        Self { received: Some(received), edited: Vec::new(), touched: true }
    }

    /// The value of the first variable called `name`, as getenv(3).
    #[must_use]
    pub fn get(&self, name: &CStr) -> Option<&'static CStr> {
        if let Some(received) = &self.received {
            return received.value_of(name);
        }
        let entry = self.edited.iter().find(|entry| is(entry, name.to_bytes()))?;
        CStr::from_bytes_with_nul(&entry.to_bytes_with_nul()[name.count_bytes() + 1..]).ok()
    }

    /// Gives `name` a value, in place of the first of its kind; its duplicates go.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), NotAVariable> {
        let entry = CString::new([name, b"=", value].concat()).ok().filter(|_| !name.contains(&b'='));
        let entry = entry.ok_or(NotAVariable)?;
        let place = self.own().iter().position(|entry| is(entry, name));
        self.remove(name);
        let place = place.unwrap_or(self.edited.len());
        self.edited.insert(place, Box::leak(entry.into_boxed_c_str())); // it is for the exec that follows
        Ok(())
    }

    /// Removes every variable called `name`.
    pub fn unset(&mut self, name: &[u8]) -> Result<(), NotAVariable> {
        if name.contains(&b'=') {
            return Err(NotAVariable);
        }
        self.remove(name);
        Ok(())
    }

    /// Reports each entry, variable or not.
    pub fn each(&self, report: impl FnMut(&'static CStr)) {
        self.received.clone().into_iter().flatten().chain(self.edited.iter().copied()).for_each(report);
    }

    /// Puts in the place of each entry, variable or not, what `edit` makes of it; `None` removes it.
    pub fn edit(&mut self, edit: impl FnMut(&'static CStr) -> Option<&'static CStr>) {
        self.edited = mem::take(self.own()).into_iter().filter_map(edit).collect();
    }

    fn remove(&mut self, name: &[u8]) {
        self.own().retain(|entry| !is(entry, name));
    }

    /// Makes the vector for execve(2) now, which takes memory if anything was edited.
    pub(crate) fn prepare(&mut self) -> &Words {
        self.received.get_or_insert_with(|| mem::take(&mut self.edited).into_iter().collect())
    }

    /// As a vector for execve(2).
    #[must_use]
    pub fn into_words(self) -> Words {
        self.received.unwrap_or_else(|| self.edited.into_iter().collect())
    }

    fn own(&mut self) -> &mut Vec<&'static CStr> {
        self.touched = true;
        self.edited.extend(self.received.take().into_iter().flatten());
        &mut self.edited
    }
}

/// A name that has a `=`, or a value or name that has a NUL.
#[derive(Debug)]
pub struct NotAVariable;

impl Display for NotAVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a variable name")
    }
}

impl From<NotAVariable> for Exit {
    fn from(problem: NotAVariable) -> Self {
        Self::fatal(problem)
    }
}

/// Whether an entry of an environment is a variable called `name`.
#[must_use]
pub fn is(entry: &CStr, name: &[u8]) -> bool {
    entry.to_bytes().strip_prefix(name).is_some_and(|rest| rest.starts_with(b"="))
}

/// The name of a variable, as a word of the command line gives it: a usage error if it has a `=`, or is empty, as
/// the value of a shell's variable that is not set.
pub fn name(word: &[u8]) -> Result<&[u8], Exit> {
    match word {
        [] => Err(Exit::usage("name is empty")),
        name if name.contains(&b'=') => Err(Exit::value("not a variable name", name)),
        name => Ok(name),
    }
}

/// How the content of a file becomes the value of a variable.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// The whole file instead of its first line.
    pub whole: bool,
    /// Trailing blanks stay; of the whole file the final newline too.
    pub keep: bool,
    /// What a NUL becomes.
    pub nul: u8,
}

impl Format {
    /// The value for a file's content; `None`, which unsets, for an empty file.
    #[must_use]
    pub fn value(self, content: &[u8]) -> Option<Vec<u8>> {
        let line = content.split(|b| *b == b'\n').next().unwrap_or(content);
        let value = match self {
            Self { whole: true, keep: true, .. } => content,
            Self { whole: true, keep: false, .. } => content.strip_suffix(b"\n").unwrap_or(content),
            Self { whole: false, keep: true, .. } => line,
            Self { whole: false, keep: false, .. } => {
                let end = line.iter().rposition(|b| !matches!(b, b' ' | b'\t')).map_or(0, |last| last + 1);
                &line[..end]
            }
        };
        let value = value.iter().map(|b| if *b == 0 { self.nul } else { *b });
        (!content.is_empty()).then(|| value.collect())
    }
}

/// What a file has for the variable of its name.
enum Content {
    Value(Vec<u8>),
    Empty,
    /// It is a directory, and that it cannot be read so.
    Directory(Exit),
}

/// A directory of variables, a file each: what daemontools' envdir reads.
pub struct Directory {
    path: Word,
    fd: OwnedFd,
}

impl Directory {
    /// Opens the directory.
    pub fn open(path: Word) -> nix::Result<Self> {
        Ok(Self { path, fd: fds::open_directory(AT_FDCWD, &path)? })
    }

    /// The names of its files but those that start with a dot.
    fn names(&self) -> Result<impl Iterator<Item = CString> + use<>, Exit> {
        let names = file::names(self.fd.as_fd()).or_fail(format_args!("read directory {}", self.path))?;
        Ok(names.into_iter().filter(|name| !name.to_bytes().starts_with(b".")))
    }

    /// Edits `env` as the files say, with `prefix` in front of each name. What cannot be read is an error; where that is
    /// a subdirectory `subdirectory` decides.
    pub fn apply(
        &self,
        env: &mut Env,
        prefix: &[u8],
        format: Format,
        subdirectory: impl Fn(Exit) -> Result<(), Exit>,
    ) -> Result<(), Exit> {
        for file in self.names()? {
            let name = [prefix, file.to_bytes()].concat();
            let edited = match self.value(&file, format)? {
                Content::Value(value) => env.set(&name, &value),
                Content::Empty => env.unset(&name),
                Content::Directory(error) => {
                    subdirectory(error)?;
                    continue;
                }
            };
            edited.map_err(|problem| {
                let (directory, file) = (self.path, shown(file.to_bytes()));
                Exit::fatal(format_args!("unable to use {directory}/{file}: {problem}"))
            })?;
        }
        Ok(())
    }

    /// What the file `name` has for its variable.
    fn value(&self, name: &CStr, format: Format) -> Result<Content, Exit> {
        let (directory, file) = (self.path, shown(name.to_bytes()));
        let action = format_args!("read {directory}/{file}");
        let file = open(self.fd.as_fd(), name).or_fail(action)?;
        let status = fstat(&file).or_fail(action)?;
        if fds::is(&status, SFlag::S_IFDIR) {
            return Ok(Content::Directory(Exit::system(action, Errno::EISDIR)));
        }
        let content = read_regular(file.as_fd(), &status, format.whole, action)?;
        Ok(content.and_then(|content| format.value(&content)).map_or(Content::Empty, Content::Value))
    }
}

/// Opens a file that gives variables, whatever it is: see [`read_regular`].
pub fn open(directory: BorrowedFd, path: &CStr) -> nix::Result<OwnedFd> {
    // Without waiting for the other end of a FIFO, and no terminal becomes ours.
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    fds::open(directory, path, flags, Mode::empty())
}

/// Reads an open file with this status, which must be a regular one, as [`read_all`], or up to the end of its first
/// line unless it is wanted whole; `None` for /dev/null. `action` follows "unable to".
pub fn read_regular(
    file: BorrowedFd,
    status: &FileStat,
    whole: bool,
    action: fmt::Arguments,
) -> Result<Option<Vec<u8>>, Exit> {
    match SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFREG => content(file, whole).or_fail(action).map(Some),
        SFlag::S_IFCHR if (major(status.st_rdev), minor(status.st_rdev)) == (1, 3) => Ok(None), // /dev/null
        SFlag::S_IFDIR => Err(Exit::system(action, Errno::EISDIR)),
        _ => Err(Exit::fatal(format_args!("unable to {action}: not a regular file"))),
    }
}

/// Reads up to the end of an open file, of whatever kind. E2BIG if it is longer than the longest string that can be
/// executed.
pub fn read_all(file: BorrowedFd) -> nix::Result<Vec<u8>> {
    content(file, true)
}

/// No string that is longer can be executed: the kernel takes 32 pages, and the largest pages are 64 KiB.
const LONGEST: usize = 32 << 16;

/// Reads a file, up to the end of its first line unless it is wanted whole.
fn content(file: BorrowedFd, whole: bool) -> nix::Result<Vec<u8>> {
    let mut content = Vec::new();
    let mut buffer = [0; 512]; // on the page of stack that a link has used already
    loop {
        let count = read(file, &mut buffer)?;
        content.extend_from_slice(&buffer[..count]);
        if content.len() > LONGEST {
            return Err(Errno::E2BIG);
        }
        if count == 0 || !whole && buffer[..count].contains(&b'\n') {
            return Ok(content);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Format = Format { whole: false, keep: false, nul: b'\n' };

    fn value(format: Format, content: &str) -> Option<String> {
        format.value(content.as_bytes()).map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn an_empty_file_unsets_and_an_empty_line_sets() {
        for whole in [false, true] {
            for keep in [false, true] {
                assert_eq!(value(Format { whole, keep, ..PLAIN }, ""), None);
            }
        }
        assert_eq!(value(PLAIN, "\n"), Some(String::new()));
        assert_eq!(value(PLAIN, " \t\nx"), Some(String::new()));
    }

    #[test]
    fn the_first_line_without_trailing_blanks() {
        assert_eq!(value(PLAIN, " a b \t\nc\n").as_deref(), Some(" a b"));
        assert_eq!(value(PLAIN, "no newline").as_deref(), Some("no newline"));
        assert_eq!(value(PLAIN, "cr\r\n").as_deref(), Some("cr\r"));
        assert_eq!(value(Format { keep: true, ..PLAIN }, "a \t\nb").as_deref(), Some("a \t"));
    }

    #[test]
    fn the_whole_file_less_one_final_newline() {
        let whole = Format { whole: true, ..PLAIN };
        assert_eq!(value(whole, "a \nb \n\n").as_deref(), Some("a \nb \n"));
        assert_eq!(value(whole, "\n").as_deref(), Some(""));
        assert_eq!(value(Format { keep: true, ..whole }, "a\n\n").as_deref(), Some("a\n\n"));
    }

    #[test]
    fn a_nul_becomes_a_newline_or_the_character_asked_for() {
        assert_eq!(value(PLAIN, "a\0b\0\nc").as_deref(), Some("a\nb\n"));
        assert_eq!(value(Format { nul: b':', ..PLAIN }, "a\0b \0").as_deref(), Some("a:b :"));
    }

    fn env(entries: &[&'static CStr]) -> Env {
        Env::new(entries.iter().copied().collect())
    }

    fn entries(env: Env) -> Vec<&'static CStr> {
        env.into_words().collect()
    }

    #[test]
    fn an_edit_takes_the_place_of_the_first_and_removes_the_others() {
        let mut env = env(&[c"A=1", c"junk", c"B=2", c"A=3", c"", c"=x", c"AA=4"]);
        assert_eq!(env.get(c"A"), Some(c"1"));
        assert_eq!(env.get(c"junk"), None);
        env.set(b"A", b"x").unwrap();
        env.set(b"C", b"").unwrap();
        env.unset(b"B").unwrap();
        assert_eq!(env.get(c"A"), Some(c"x"));
        assert_eq!(entries(env), [c"A=x", c"junk", c"", c"=x", c"AA=4", c"C="]);
    }

    #[test]
    fn an_edit_of_all_keeps_the_order_and_sees_what_is_no_variable() {
        let mut env = env(&[c"A=1", c"junk", c"", c"B=2", c"A=3"]);
        env.edit(|entry| match entry.to_bytes() {
            b"" => None,
            b"B=2" => Some(c"C=2"),
            _ => Some(entry),
        });
        assert_eq!(env.get(c"C"), Some(c"2"));
        assert_eq!(entries(env), [c"A=1", c"junk", c"C=2", c"A=3"]);
    }

    #[test]
    fn a_word_that_is_no_name_is_a_usage_error() {
        assert_eq!(name(b"A b").map_err(|error| error.status()), Ok(&b"A b"[..]));
        for (word, text) in [("", "name is empty"), ("A=", "not a variable name: A=")] {
            let error = name(word.as_bytes()).unwrap_err();
            assert_eq!((error.text(), error.status()), (text, 100));
        }
    }

    #[test]
    fn a_name_with_an_equals_sign_or_a_nul_is_refused() {
        let mut env = env(&[]);
        assert!(env.set(b"A=B", b"x").is_err());
        assert!(env.set(b"A", b"x\0").is_err());
        assert!(env.unset(b"A=B").is_err());
        assert_eq!(entries(env), [c""; 0]);
    }
}
