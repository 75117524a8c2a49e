//! Which words in a program's place this process applies itself: the links that are in it.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;

use nix::fcntl::readlink;
use nix::sys::stat::{FileStat, stat};

use crate::{Chain, Link, procfs, rt, sys};

/// How a link in this process is recognized.
#[derive(Clone, Copy)]
pub enum Own {
    /// Not at all: this program is one link.
    Alone,
    /// By its name without a slash, as the user asked by calling `catena`.
    Named,
    /// By its file: exec's search finds this one, which this process runs.
    File(FileStat),
}

impl Own {
    /// This process's own file: `None` without a real /proc, where an exec of the file would refuse to
    /// work, and where the real and effective ids differ, which no change of ids here leaves them.
    #[must_use]
    pub(crate) fn file() -> Option<Self> {
        if sys::real_ids_differ() {
            return None;
        }
        // Where it cannot be told each link is executed, which gives the same.
        let own = c"/proc/self/exe";
        let file = stat(own).ok().filter(|_| procfs::is_there())?;
        let plain = rt::gives_rights(&file, sys::xattr_size(own, rt::CAPABILITIES)) == Ok(false);
        plain.then_some(Self::File(file))
    }

    /// What the next word of `chain` has to be for it to be `link`, which is in this process; `None` if it
    /// cannot be. Ask before any id changes, and [`Own::is_next`] when the word's turn has come.
    #[must_use]
    pub fn expect(chain: &Chain, this: &Link, link: &Link) -> Option<Self> {
        let word = chain.words.first()?;
        match chain.own {
            Self::Named => (word.to_bytes() == link.name.as_bytes()).then_some(Self::Named),
            _ if !is_called(word, link) => None,
            Self::File(own) => Some(Self::File(own)),
            Self::Alone => sibling(this.name, link.name).map(Self::File),
        }
    }

    /// Whether the next word of `chain` is what was expected, for who this process is now.
    #[must_use]
    pub fn is_next(&self, chain: &Chain) -> bool {
        match self {
            Self::Alone => false,
            Self::Named => true,
            Self::File(own) => chain.program().is_some_and(|found| same(&found, own)),
        }
    }
}

/// Whether a program called `word` is `link`: by the end of its file name, since a package may put a prefix
/// in front.
#[must_use]
pub(crate) fn is_called(word: &CStr, link: &Link) -> bool {
    let name = word.to_bytes().rsplit(|b| *b == b'/').next().unwrap_or_default();
    name.ends_with(link.name.as_bytes())
}

/// The file of the program `other` beside the file of this one, which is `own`, both with the same prefix
/// to their names if this one has any. `None` if there is none, without /proc, and where it cannot be looked at: then it
/// is another program, which is executed.
fn sibling(own: &str, other: &str) -> Option<FileStat> {
    let file = readlink(c"/proc/self/exe").ok().filter(|_| procfs::is_there())?;
    let prefix = file.as_bytes().strip_suffix(own.as_bytes())?;
    stat(CString::new([prefix, other.as_bytes()].concat()).ok()?.as_c_str()).ok()
}

/// Whether two files are one.
#[must_use]
pub fn same(one: &FileStat, other: &FileStat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}
