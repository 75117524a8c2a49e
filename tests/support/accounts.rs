//! Accounts of a test's own.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MsFlags, mount};
use tempfile::TempDir;

use super::{Outcome, bin, install, open_directory, prepared, run};

/// Accounts that no machine has: user and group databases that stand in the place of the machine's in a
/// mount namespace of their own.
pub(crate) struct Accounts {
    directory: TempDir,
}

impl Accounts {
    /// alice and bob have groups in the database, 1234 is a name, bare has neither home nor shell, stray's
    /// primary group has no entry, many is in 100 groups, and nil's uid is what means "none" to the kernel.
    const USERS: &str = "root:x:0:0:root:/root:/bin/bash
alice:x:5001:5001:Alice:/home/alice:/bin/zsh
bob:x:5002:5001:Bob:/home/bob:/bin/ksh
1234:x:5003:5003::/home/1234:/bin/sh
bare:x:5004:5004:::
stray:x:5005:7777::/:/bin/sh
many:x:5006:5006::/home/many:/bin/sh
nil:x:4294967295:5001::/:/bin/sh
";
    const GROUPS: &str = "root:x:0:
wheel:x:5000:root
alice:x:5001:
staff:x:5100:alice,bob
audio:x:5050:alice
5200:x:5201:
";

    pub(crate) fn new() -> Self {
        let mut groups = Self::GROUPS.to_owned();
        for i in 0..99 {
            writeln!(groups, "many{i}:x:{}:bob2,many", 6000 + i).unwrap();
        }
        Self::of(Self::USERS, &groups)
    }

    /// Those of these files.
    pub(crate) fn of(users: &str, groups: &str) -> Self {
        let directory = open_directory();
        fs::write(directory.path().join("passwd"), users).unwrap();
        fs::write(directory.path().join("group"), groups).unwrap();
        Self { directory }
    }

    /// A command line that sees these accounts.
    pub(crate) fn command(&self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mount = "mount --bind \"$0/passwd\" /etc/passwd && mount --bind \"$0/group\" /etc/group &&
            exec \"$@\"";
        let mut command = prepared("unshare");
        command.args(["--mount", "sh", "-c", mount]).arg(self.directory.path()).args(words);
        command
    }

    /// Lets this thread see them, and what it starts, in its own mount namespace.
    pub(crate) fn mount(&self) {
        let none = None::<&str>;
        for name in ["passwd", "group"] {
            let file = self.directory.path().join(name);
            mount(Some(&file), &Path::new("/etc").join(name), none, MsFlags::MS_BIND, none).unwrap();
        }
    }

    /// Runs one.
    pub(crate) fn run(&self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Outcome {
        run(&mut self.command(words))
    }

    /// A copy of the link `name` that every account may execute.
    pub(crate) fn copy(&self, name: &str) -> PathBuf {
        let copy = self.directory.path().join(name);
        install(&bin().join(name), &copy);
        copy
    }
}
