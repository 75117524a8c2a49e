//! A scan directory in a temporary directory, and a tree that hosts what it is told to. The time goes on when all is
//! done: nothing here waits.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use common::poll;
use tempfile::TempDir;

use super::pace::{LONGEST, POLL};
use super::*;

struct Service {
    name: CString,
    identity: Identity,
    leaving: bool,
    _directory: OwnedFd,
}

struct World {
    root: TempDir,
    scan: Scan,
    /// How far the time is ahead.
    ahead: u64,
    services: Vec<Service>,
    /// What has happened, a word and names.
    told: Vec<String>,
    /// Services end by [`World::end`] alone.
    stubborn: bool,
    looks: usize,
}

impl World {
    fn new() -> Self {
        Self::with("scan", Way::Watch, |_| {})
    }

    /// A scan directory with this path, of what `make` has made beside it.
    fn with(path: &str, way: Way, make: impl FnOnce(&Path)) -> Self {
        let root = TempDir::new().unwrap();
        fs::create_dir(root.path().join("scan")).unwrap();
        make(root.path());
        let path = CString::new(root.path().join(path).as_os_str().as_bytes()).unwrap();
        let scan = Scan::open(&path, way, clock::monotonic()).unwrap();
        let (services, told) = (Vec::new(), Vec::new());
        Self { root, scan, ahead: 0, services, told, stubborn: false, looks: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn now(&self) -> u64 {
        clock::monotonic() + self.ahead
    }

    /// Makes a service directory, complete when it gets its name.
    fn service(&self, path: &str) {
        let made = self.path("made");
        fs::create_dir(&made).unwrap();
        script(&made.join("run"));
        fs::rename(made, self.path(path)).unwrap();
    }

    /// Does what is to be done now or soon, and returns what was told.
    fn settle(&mut self) -> Vec<String> {
        loop {
            let ready = self.scan.watch().is_some_and(|fd| {
                let mut fds = [poll::watch(fd.as_raw_fd(), poll::POLLIN)];
                poll::poll(&mut fds, Some(0)).unwrap() && fds[0].revents != 0
            });
            if ready {
                self.scan.ready(self.now());
            }
            match self.scan.deadline() {
                Some(due) if due <= self.now() => self.look(),
                Some(due) if due - self.now() <= LONGEST => self.ahead += due - self.now(),
                _ => return std::mem::take(&mut self.told),
            }
        }
    }

    /// As much later as what cannot be watched is looked at again after.
    fn later(&mut self) -> Vec<String> {
        self.ahead += POLL;
        self.settle()
    }

    fn look(&mut self) {
        self.looks += 1;
        self.scan.look(self.now());
        while let Some(change) = self.scan.next() {
            let shown = |name: &CString| String::from_utf8_lossy(name.to_bytes()).into_owned();
            let line = match &change {
                Change::Appeared { name, .. } => format!("+{}", shown(name)),
                Change::Renamed { from, to } => format!("{}>{}", shown(from), shown(to)),
                Change::Vanished { name } => format!("-{}", shown(name)),
                Change::Notice(Notice::Twin { name, of }) => format!("{}={}", shown(name), shown(of)),
                Change::Notice(Notice::Unreadable { name, errno }) => format!("{} {errno:?}", shown(name)),
                Change::Notice(notice) => format!("{notice:?}"),
            };
            self.told.push(line);
            self.apply(change);
        }
    }

    fn apply(&mut self, change: Change) {
        let find = |services: &[Service], name: &CString| services.iter().position(|one| one.name == *name);
        match change {
            Change::Appeared { name, directory, identity } => {
                for other in &self.services {
                    assert!(other.name != name, "{name:?} is hosted");
                    let same = argument(&other.name) == argument(&name) || argument(&name).is_none();
                    assert!(other.identity != identity || !same, "{name:?} is hosted as {:?}", other.name);
                }
                self.services.push(Service { name, identity, leaving: false, _directory: directory });
            }
            Change::Renamed { from, to } => {
                let this = find(&self.services, &from).expect("what is renamed is hosted");
                let other = find(&self.services, &to);
                assert!(!self.services[this].leaving);
                self.services[this].name = to;
                if let Some(other) = other {
                    self.services[other].name = from;
                }
            }
            Change::Vanished { name } => {
                let this = find(&self.services, &name).expect("what vanishes is hosted");
                assert!(!std::mem::replace(&mut self.services[this].leaving, true));
                if !self.stubborn {
                    self.end(name.to_str().unwrap_or("odd"));
                }
            }
            Change::Notice(_) => {}
        }
    }

    fn end(&mut self, name: &str) {
        self.services.retain(|one| one.name.to_bytes() != name.as_bytes());
        self.scan.ended(&CString::new(name).unwrap(), self.now());
    }
}

fn script(path: &Path) {
    fs::write(path, "#!/bin/sh\n").unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn what_is_there_appears_and_what_is_no_service_is_ignored_in_silence() {
    let mut world = World::new();
    world.service("scan/web");
    world.service("scan/.hidden");
    world.service("template@");
    fs::rename(world.path("template@"), world.path("scan/template@")).unwrap();
    fs::write(world.path("scan/file"), "").unwrap();
    symlink("file", world.path("scan/link-to-file")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(world.path("scan/socket")).unwrap();
    symlink("template@", world.path("scan/template@one")).unwrap();
    symlink("template@", world.path("scan/template@two@2")).unwrap();
    assert_eq!(world.settle(), ["+template@one", "+template@two@2", "+web"]);
    assert_eq!(argument(c"template@two@2"), Some(&b"two@2"[..]));
    assert_eq!(world.settle(), [""; 0]);
}

#[test]
fn what_appears_vanishes_and_is_renamed_is_told() {
    let mut world = World::new();
    assert_eq!(world.settle(), [""; 0]);
    world.service("scan/web");
    assert_eq!(world.settle(), ["+web"]);
    world.service("elsewhere");
    symlink("../elsewhere", world.path("scan/link")).unwrap();
    assert_eq!(world.settle(), ["+link"]);
    fs::rename(world.path("scan/web"), world.path("scan/www")).unwrap();
    assert_eq!(world.settle(), ["web>www"]);
    fs::remove_file(world.path("scan/link")).unwrap();
    assert_eq!(world.settle(), ["-link"]);
    fs::remove_dir_all(world.path("scan/www")).unwrap();
    assert_eq!(world.settle(), ["-www"]);
}
