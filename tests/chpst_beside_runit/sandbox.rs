//! Where a command line runs: a directory that is furnished anew for each, in a mount namespace with accounts of its
//! own, at the same path for both programs.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, Flock, FlockArg, fcntl};
use nix::libc::{self, c_short};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{gettid, mkfifo};

use crate::support::locks::WAITING;
use crate::support::*;

/// Whose chpst it is: the directory where it is.
#[derive(Clone, Copy)]
pub(super) enum Whose {
    Theirs,
    Ours,
}

/// All that a line leaves, in a form in which two runs are equal if nothing differs.
pub(super) struct Seen {
    pub(super) status: i32,
    pub(super) stderr: String,
    /// What tests/programs/state.rs printed, if it ran. The order of the environment does not count.
    pub(super) state: Vec<String>,
    /// What another program printed.
    pub(super) stdout: Vec<String>,
    /// The files that are there afterwards and were not before, or were others.
    pub(super) left: Vec<String>,
}

impl Seen {
    pub(super) fn ran(&self) -> bool {
        !self.state.is_empty()
    }

    /// An item a line.
    pub(super) fn items(&self) -> Vec<String> {
        let says = if self.stderr.is_empty() { "nothing" } else { "something" };
        let mut items = vec![format!("status {}", self.status), format!("stderr {says}")];
        for more in [&self.stdout, &self.left, &self.state] {
            items.extend_from_slice(more);
        }
        items
    }
}

/// What is in front of each line.
const HEAD: &str = "
exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-
alice() { exec setpriv --reuid=5001 --regid=5001 --clear-groups \"$@\"; }
";

/// The variables of a directory: their names, and what is in their files.
type Variables = [(&'static str, &'static [u8])];

const DIRECTORIES: &[(&str, &Variables)] = &[
    ("env", &[("A", b"of env\n"), ("REMOVED", b""), ("HOME", b"/of/env \t\n"), ("N", b"a\0b\n")]),
    ("env2", &[("A", b"of env2"), ("B", b"two\nlines\n"), ("C", b"\n")]),
    ("nothing", &[]),
    ("path", &[("PATH", b"/nowhere\n")]),
    ("no-path", &[("PATH", b"")]),
    ("empty-path", &[("PATH", b"\n")]),
    ("ids", &[("UID", b"1"), ("GID", b"2")]),
    ("with-directory", &[("A", b"x")]),
    ("unreadable", &[("X", b"x")]),
    ("dangling", &[]),
    ("looped", &[]),
    ("with-fifo", &[]),
    ("equals", &[("X=Y", b"x")]),
    ("dots", &[(".X", b"x")]),
    ("odd", &[("a b", b"\xff\xfe\n"), ("1", b" leading\n"), ("CR", b"v\r\n"), ("l\nf", b"v")]),
    ("closed", &[("A", b"x")]),
    ("dir", &[]),
    ("hers", &[("lock", b"")]),
];

const SCRIPTS: &[(&str, &str, u32)] = &[
    ("script", "echo ran\n", 0o755),
    ("interpreter", "#!/no/such/interpreter\n", 0o755),
    ("private", "#!/bin/sh\nexec state\n", 0o700),
];

pub(super) struct Sandbox {
    /// A file system of its own.
    place: PathBuf,
    _accounts: Accounts,
}

impl Sandbox {
    /// Takes this thread into a mount namespace with accounts of its own, where `place` is an empty directory, and to
    /// the niceness 0.
    pub(super) fn new(place: &Path) -> Self {
        own_mounts();
        umask(Mode::from_bits_truncate(0o022)); // that of this thread
        let accounts = Accounts::new();
        accounts.mount();
        let renice = run(prepared("renice").args(["-n", "0", "-p", &gettid().to_string()]));
        assert_eq!(renice.status, 0, "{renice:?}");
        mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), Some("mode=755")).unwrap();
        let at = |name: &str| place.join(name);
        for name in ["theirs", "ours", "bin", "root/bin", "root/etc", "root/proc", "bare-root/bin"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        install(Path::new(&peer("chpst").unwrap()), &at("theirs/chpst"));
        install(&bin().join("chpst"), &at("ours/chpst"));
        for name in ["pose", "state"] {
            install(&example(name), &at("bin").join(name));
        }
        // Other ids than outside.
        fs::write(at("root/etc/passwd"), "alice:x:6001:6002::/inside:/bin/sh\n").unwrap();
        fs::write(at("root/etc/group"), "staff:x:6100:\n").unwrap();
        for root in ["root", "bare-root"].map(at) {
            install_root(&root, &[&example("state")]);
            fs::rename(root.join("state"), root.join("bin/state")).unwrap();
        }
        // Other processes write what is executed. The boxes have links to it.
        fs::create_dir(at("scripts")).unwrap();
        for (name, text, mode) in SCRIPTS {
            script(&at("scripts").join(name), text);
            fs::set_permissions(at("scripts").join(name), Permissions::from_mode(*mode)).unwrap();
        }
        mount(Some("proc"), &at("root/proc"), Some("proc"), MsFlags::empty(), None::<&str>).unwrap();
        Self { place: place.into(), _accounts: accounts }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }

    /// Puts everything in place, in `box`.
    fn furnish(&self, whose: Whose) {
        let _ = fs::remove_dir_all(self.at("box")); // the first time there is none
        let _ = fs::remove_file(self.at("root/lock")); // that of the last run, if there is one
        fs::create_dir_all(self.at("box/bin")).unwrap();
        let at = |name: &str| self.at("box").join(name);
        let mode = |name: &str, mode| fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
        for (name, variables) in DIRECTORIES {
            fs::create_dir(at(name)).unwrap();
            for (variable, content) in *variables {
                fs::write(at(name).join(variable), content).unwrap();
            }
        }
        fs::create_dir(at("with-directory/B")).unwrap();
        for (from, to) in [
            ("dangling/X", "nowhere"),
            ("looped/X", "X"),
            ("link", "kept"),
            ("loose", "nowhere"),
            ("envs", "env"),
        ] {
            symlink(to, at(from)).unwrap();
        }
        for name in ["with-fifo/X", "fifo"] {
            mkfifo(&at(name), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        }
        for (name, content) in
            [("file", ""), ("kept", "content"), ("taken", ""), ("record", ""), ("bin/plain", "")]
        {
            fs::write(at(name), content).unwrap();
        }
        for (name, ..) in SCRIPTS {
            fs::hard_link(self.at("scripts").join(name), at(name)).unwrap();
        }
        mode("unreadable/X", 0);
        mode("closed", 0o700);
        for name in ["hers", "hers/lock", "taken"] {
            chown(at(name), Some(5001), Some(5001)).unwrap();
        }
        let directory = match whose {
            Whose::Theirs => "theirs",
            Whose::Ours => "ours",
        };
        symlink(self.at(directory).join("chpst"), at("bin/chpst")).unwrap();
    }

    /// Runs a line of the shell. `taken` is locked as flock(2) does, `record` as fcntl(2) does.
    pub(super) fn run(&self, whose: Whose, line: &str) -> Seen {
        self.furnish(whose);
        let at = |name: &str| self.at("box").join(name);
        let before = self.files();
        let taken = Flock::lock(File::open(at("taken")).unwrap(), FlockArg::LockExclusiveNonblock).unwrap();
        let record = File::options().write(true).open(at("record")).unwrap();
        let whole = libc::flock {
            l_type: c_short::try_from(libc::F_WRLCK).unwrap(),
            l_whence: c_short::try_from(libc::SEEK_SET).unwrap(),
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        fcntl(&record, FcntlArg::F_OFD_SETLK(&whole)).unwrap();
        // A simple line is executed by the process that a waiting one is looked for in.
        let exec = if line.starts_with("chpst") { "exec " } else { "" };
        let place = self.place.display();
        let mut command = Command::new(self.at("bin/pose"));
        command.args(["out", "sh", "-c", &format!("{HEAD}{exec}{line}")]).current_dir(at("")).env_clear();
        command.env("PATH", format!("{place}/box/bin:{place}/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
        command.envs([("HOME", "/root"), ("REMOVED", "no"), ("A", "outer")]).stdin(Stdio::null());
        let running = Background::start(&mut command);
        // The lock is released only for those that wait for it.
        let waits = || is_one_of(call_of(running.pid()), WAITING);
        let has_ended = || state(running.pid()).is_none_or(|state| state == 'Z');
        if line.contains("-l taken") {
            until(line, || waits() || has_ended());
            drop(taken);
        } else if line.contains("-L taken") || line.contains("-L record") {
            until(line, has_ended);
        }
        let outcome = running.finish();
        let mut left: Vec<String> = self
            .files()
            .into_iter()
            .filter(|file| !before.contains(file))
            .map(|file| format!("left {file}"))
            .collect();
        left.sort_unstable();
        let mut state: Vec<String> = outcome.stdout.lines().map(|item| self.named(item)).collect();
        state.sort_unstable();
        let ran = state.iter().any(|item| item.starts_with("umask "));
        let stdout = if ran { vec![] } else { state.iter().map(|line| format!("stdout {line}")).collect() };
        if !ran {
            state.clear();
        }
        Seen { status: outcome.status, stderr: outcome.stderr, state, stdout, left }
    }

    /// An item with the place of the sandbox as `@`, and directories by their names: a new one has another number, and
    /// so has a new terminal.
    fn named(&self, item: &str) -> String {
        if item.starts_with("terminal ") && item != "terminal 0" {
            return "terminal one".into();
        }
        let item = item.replace(&*self.place.to_string_lossy(), "@");
        let Some((name, id)) = item.split_once(' ').filter(|(name, _)| ["directory", "root"].contains(name))
        else {
            return item;
        };
        let known = ["box", "box/dir", "root", "bare-root", "/"].into_iter().find(|known| {
            let file = fs::metadata(self.at(known)).unwrap();
            id == format!("{:x}:{}", file.dev(), file.ino())
        });
        format!("{name} {}", known.unwrap_or(id))
    }

    /// What the sandbox has, a file a line.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        for directory in ["box", "box/dir", "box/hers", "root"] {
            for entry in fs::read_dir(self.at(directory)).unwrap() {
                let entry = entry.unwrap();
                let file = entry.metadata().unwrap();
                let (name, id) = (entry.file_name(), (file.uid(), file.gid()));
                let size = if file.is_file() { file.len() } else { 0 };
                files.push(format!("{directory}/{} {:o} {id:?} {size}", name.to_string_lossy(), file.mode()));
            }
        }
        files
    }
}
