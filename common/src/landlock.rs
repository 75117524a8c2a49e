//! Landlock, landlock(7): the files and ports that are left to a process.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::prctl::set_no_new_privs;
use nix::sys::stat::{Mode, SFlag, fstat};

use crate::exit::{Exit, OrFail};
use crate::fds;
use crate::quantity::number;
use crate::sys::landlock as raw;
use crate::word::Word;

/// What is allowed of a file, or of a directory and all that is below it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Access {
    /// To read.
    Read,
    /// To read and to execute.
    Execute,
    /// To read and to write.
    Write,
    /// All three.
    All,
}

/// What is done with a port.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Deed {
    /// bind(2).
    Bind,
    /// connect(2).
    Connect,
}

/// What is allowed. Of each kind, paths, ports to bind, ports to connect to, all is allowed until there is a rule of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// A path.
    Path(Access, Word),
    /// A TCP port, or none.
    Port(Deed, Option<u16>),
}

/// The port that a word names; `none` names no port, so that none is left.
#[must_use]
pub fn port(word: &[u8]) -> Option<Option<u16>> {
    if word == b"none" { Some(None) } else { number(word).map(Some) }
}

/// What is done where the kernel cannot do all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effort {
    /// Nothing.
    All,
    /// What it can.
    Best,
}

/// What is done with a path that is not there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Absent {
    /// It is an error.
    Refused,
    /// Nothing.
    Ignored,
}

/// Rights, a bit for each as linux/landlock.h has it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Rights {
    files: u64,
    ports: u64,
}

const EXECUTE: u64 = 1 << 0;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const MAKE_CHAR: u64 = 1 << 6;
const MAKE_BLOCK: u64 = 1 << 11;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// Those that there are of files. Those of later kernels are not ours to give or to take.
const FILES: u64 = (1 << 16) - 1;
/// Those that there are of what is no directory.
const NO_DIRECTORY: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;
const READ: u64 = READ_FILE | READ_DIR;
/// All but those that are not written, and those to make a device: its node would be a way around every rule.
const WRITE: u64 = FILES & !(EXECUTE | READ | MAKE_CHAR | MAKE_BLOCK);
/// Those of ports.
const PORTS: u64 = 0b11;

/// What each version of the interface came with, in words that follow "too old to".
const VERSIONS: [(u32, Rights, &str); 5] = [
    (1, Rights { files: REFER - 1, ports: 0 }, "restrict paths (Linux 5.13)"),
    // Until then what moves files between directories is denied.
    (2, Rights { files: REFER, ports: 0 }, "allow files to be moved between directories (Linux 5.19)"),
    (3, Rights { files: TRUNCATE, ports: 0 }, "restrict truncation (Linux 6.2)"),
    (4, Rights { files: 0, ports: PORTS }, "restrict TCP ports (Linux 6.7)"),
    (5, Rights { files: IOCTL_DEV, ports: 0 }, "restrict ioctls of devices (Linux 6.10)"),
];

impl Access {
    fn rights(self) -> u64 {
        match self {
            Self::Read => READ,
            Self::Execute => READ | EXECUTE,
            Self::Write => READ | WRITE,
            Self::All => READ | EXECUTE | WRITE,
        }
    }
}

impl Deed {
    fn right(self) -> u64 {
        match self {
            Self::Bind => 1 << 0,
            Self::Connect => 1 << 1,
        }
    }
}

impl Rights {
    /// Those of which these rules are to leave no more than they allow.
    fn of(rules: &[Rule]) -> Self {
        rules.iter().fold(Self::default(), |Self { files, ports }, rule| match rule {
            // Where nobody may write the right to move files is no loss.
            Rule::Path(access, _) => Self { files: files | FILES & !REFER | access.rights() & REFER, ports },
            Rule::Port(deed, _) => Self { files, ports: ports | deed.right() },
        })
    }

    fn within(self, other: Self) -> Self {
        Self { files: self.files & other.files, ports: self.ports & other.ports }
    }

    fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Those that a kernel with this version knows.
    fn known(version: u32) -> Self {
        let known = VERSIONS.iter().take_while(|(since, ..)| *since <= version);
        known.fold(Self::default(), |all, (_, new, _)| Self {
            files: all.files | new.files,
            ports: all.ports | new.ports,
        })
    }

    /// What a kernel with this version cannot do of these.
    fn missing(self, version: u32) -> Vec<&'static str> {
        let later = VERSIONS.iter().filter(|(since, ..)| *since > version);
        later.filter(|(_, new, _)| !self.within(*new).is_empty()).map(|(.., words)| *words).collect()
    }

    /// The same as an error.
    fn problem(self, version: u32) -> Option<Exit> {
        let missing = self.missing(version);
        let problem = || ["this kernel is too old to ", &missing.join(", to ")].concat();
        (!missing.is_empty()).then(|| Exit::fatal(problem()).hint("-b goes on without"))
    }
}

/// Leaves this process what the rules allow, and gives up new privileges, without which nobody may do so. Returns what
/// the kernel cannot do, where with the best `effort` that is no error.
pub fn restrict(rules: &[Rule], effort: Effort, absent: Absent) -> Result<Option<Exit>, Exit> {
    let wanted = Rights::of(rules);
    let (version, problem) = match raw::version() {
        Ok(version) => (version, wanted.problem(version)),
        Err(errno @ (Errno::ENOSYS | Errno::EOPNOTSUPP)) => (0, Some(none(errno))),
        Err(errno) => return Err(Exit::system(USE, errno)),
    };
    let warning = match (problem, effort) {
        (Some(problem), Effort::All) => return Err(problem),
        (problem, _) => problem,
    };
    let handled = wanted.within(Rights::known(version));
    let ruleset = (!handled.is_empty()).then(|| ruleset(rules, handled, absent)).transpose()?;
    set_no_new_privs().or_fail("give up new privileges")?;
    if let Some(ruleset) = ruleset {
        raw::restrict_self(ruleset.as_fd()).or_fail("apply the rules")?;
    }
    Ok(warning)
}

const USE: &str = "use Landlock";

/// The kernel has no Landlock.
fn none(errno: Errno) -> Exit {
    Exit::system(USE, errno).hint(if errno == Errno::ENOSYS {
        "the kernel has none, as before Linux 5.13: -b goes on without"
    } else {
        "it is switched off: name landlock in lsm= on the kernel's command line; -b goes on without"
    })
}

/// The rules for the kernel, which knows the rights in `handled`.
fn ruleset(rules: &[Rule], handled: Rights, absent: Absent) -> Result<OwnedFd, Exit> {
    let ruleset = raw::ruleset(handled.files, handled.ports).or_fail("make a ruleset")?;
    for rule in rules {
        match *rule {
            Rule::Path(access, path) => {
                let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
                let file = match fds::open(AT_FDCWD, &path, flags, Mode::empty()) {
                    Err(Errno::ENOENT | Errno::ENOTDIR) if absent == Absent::Ignored => continue,
                    opened => opened.or_fail(format_args!("open {path}"))?,
                };
                let stat = fstat(&file).or_fail(format_args!("look at {path}"))?;
                let possible = if fds::is(&stat, SFlag::S_IFDIR) { FILES } else { NO_DIRECTORY };
                let allowed = access.rights() & possible & handled.files;
                raw::allow_path(ruleset.as_fd(), file.as_fd(), allowed)
                    .or_fail(format_args!("allow {path}"))?;
            }
            Rule::Port(deed, Some(port)) if handled.ports != 0 => {
                raw::allow_port(ruleset.as_fd(), port, deed.right())
                    .or_fail(format_args!("allow port {port}"))?;
            }
            Rule::Port(..) => {}
        }
    }
    Ok(ruleset)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: fn(Access) -> Rule = |access| Rule::Path(access, Word(c"/"));

    /// What a kernel of each version cannot do of these rules, from the first word in parentheses on: its own version.
    fn too_old(rules: &[Rule]) -> Vec<Vec<String>> {
        let linux = |words: &str| words.split_once("(Linux ").unwrap().1.trim_end_matches(')').to_owned();
        (0..=9).map(|version| Rights::of(rules).missing(version).into_iter().map(linux).collect()).collect()
    }

    #[test]
    fn what_each_kernel_cannot_do_depends_on_the_rules() {
        let full: [&[&str]; 6] = [
            &["5.13", "5.19", "6.2", "6.10"],
            &["5.19", "6.2", "6.10"],
            &["6.2", "6.10"],
            &["6.10"],
            &["6.10"],
            &[],
        ];
        for access in [Access::Read, Access::Execute, Access::Write, Access::All] {
            let writes = [Access::Write, Access::All].contains(&access);
            for (version, found) in too_old(&[RULE(access)]).iter().enumerate() {
                let expected =
                    full[version.min(5)].iter().copied().filter(|linux| writes || *linux != "5.19");
                assert_eq!(*found, expected.collect::<Vec<_>>(), "{access:?} {version}");
            }
        }
        for deed in [Deed::Bind, Deed::Connect] {
            for port in [None, Some(80)] {
                for (version, found) in too_old(&[Rule::Port(deed, port)]).iter().enumerate() {
                    let expected: &[&str] = if version < 4 { &["6.7"] } else { &[] };
                    assert_eq!(found, expected, "{deed:?} {version}");
                }
            }
        }
        let both = too_old(&[RULE(Access::Read), Rule::Port(Deed::Bind, None)]);
        assert_eq!(both[1], ["6.2", "6.7", "6.10"]);
        assert_eq!(both[4], ["6.10"]);
    }

    #[test]
    fn each_kernel_is_asked_for_what_it_knows() {
        let known: Vec<_> =
            (0..=9).map(Rights::known).map(|Rights { files, ports }| (files, ports)).collect();
        let expected = [(0, 0), (0x1fff, 0), (0x3fff, 0), (0x7fff, 0), (0x7fff, 3), (0xffff, 3)];
        for (version, known) in known.iter().enumerate() {
            assert_eq!(*known, expected[version.min(5)], "{version}");
        }
    }

    #[test]
    fn what_has_no_rule_is_left_as_it_is() {
        let of = |rules: &[Rule]| {
            let Rights { files, ports } = Rights::of(rules);
            (files, ports)
        };
        assert_eq!(of(&[]), (0, 0));
        assert_eq!(of(&[RULE(Access::Read)]), (0xdfff, 0));
        assert_eq!(of(&[RULE(Access::Execute), RULE(Access::Write)]), (0xffff, 0));
        assert_eq!(of(&[Rule::Port(Deed::Bind, Some(80))]), (0, 1));
        assert_eq!(of(&[Rule::Port(Deed::Connect, None)]), (0, 2));
        assert_eq!(of(&[Rule::Port(Deed::Connect, Some(0)), Rule::Port(Deed::Bind, None)]), (0, 3));
    }

    #[test]
    fn an_access_is_what_it_says_and_never_that_to_make_a_device() {
        for (access, directory, file) in [
            (Access::Read, 0x000c, 0x0004),
            (Access::Execute, 0x000d, 0x0005),
            (Access::Write, 0xf7be, 0xc006),
            (Access::All, 0xf7bf, 0xc007),
        ] {
            assert_eq!(access.rights(), directory, "{access:?}");
            assert_eq!(access.rights() & NO_DIRECTORY, file, "{access:?}");
        }
    }

    #[test]
    fn a_port_is_a_number_or_none() {
        for (word, value) in [("none", None), ("0", Some(0)), ("080", Some(80)), ("65535", Some(65535))] {
            assert_eq!(port(word.as_bytes()), Some(value), "{word}");
        }
        for bad in ["", "None", "65536", "-1", "+1", " 1", "1 ", "http", "1-2", "1,2"] {
            assert_eq!(port(bad.as_bytes()), None, "{bad}");
        }
    }
}
