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
                    let same = table::is_one(&other.name, &name);
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

    /// One look at what has happened.
    fn look_once(&mut self) {
        self.ahead += LONGEST / 2;
        self.scan.ready(self.now());
        self.look();
    }

    /// All services that are to end do, or the first.
    fn end_leaving(&mut self, all: bool) {
        while let Some(this) = self.services.iter().position(|one| one.leaving) {
            let name = self.services[this].name.to_str().unwrap().to_owned();
            self.end(&name);
            if !all {
                return;
            }
        }
    }

    /// When all is over, each service is that which its name says, and whatever could be one is.
    fn check(&mut self) {
        self.settle();
        for _ in 0..10 {
            self.end_leaving(true);
            self.settle();
        }
        self.later();
        self.end_leaving(true);
        self.settle();
        let mut wanted = Vec::new();
        for entry in fs::read_dir(self.path("scan")).unwrap().map(Result::unwrap) {
            let name = CString::new(entry.file_name().as_bytes()).unwrap();
            let runs = ["run", "setup"].iter().any(|file| entry.path().join(file).exists());
            if table::is_service(&name) && runs {
                let file = nix::sys::stat::stat(&entry.path()).unwrap();
                wanted.push((name, Identity::of(&file)));
            }
        }
        for service in &self.services {
            let this = (service.name.clone(), service.identity);
            assert!(wanted.contains(&this), "{this:?} is hosted; wanted: {wanted:#?}");
        }
        for (name, identity) in wanted {
            let hosted = |one: &&Service| one.identity == identity && table::is_one(&one.name, &name);
            let hosted = self.services.iter().filter(hosted).count();
            assert!(hosted > 0, "{name:?} is not hosted; {:#?}", self.scan.table);
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

#[test]
fn what_was_removed_and_made_anew_is_started_when_the_old_one_has_ended() {
    let mut world = World::new();
    world.service("scan/web");
    assert_eq!(world.settle(), ["+web"]);
    world.stubborn = true;
    fs::remove_dir_all(world.path("scan/web")).unwrap();
    world.service("scan/web");
    assert_eq!(world.settle(), ["-web"]);
    assert_eq!(world.later(), [""; 0]);
    world.end("web");
    assert_eq!(world.settle(), ["+web"]);
}

#[test]
fn what_comes_back_while_it_ends_is_started_when_it_has_ended() {
    let mut world = World::new();
    world.service("scan/web");
    assert_eq!(world.settle(), ["+web"]);
    world.stubborn = true;
    fs::rename(world.path("scan/web"), world.path("away")).unwrap();
    assert_eq!(world.settle(), ["-web"]);
    fs::rename(world.path("away"), world.path("scan/other")).unwrap();
    assert_eq!(world.settle(), [""; 0]);
    world.end("web");
    assert_eq!(world.settle(), ["+other"]);
}

#[test]
fn what_has_ended_of_itself_appears_again_while_its_directory_is_there() {
    let mut world = World::new();
    world.service("scan/web");
    assert_eq!(world.settle(), ["+web"]);
    world.end("web");
    assert_eq!(world.settle(), ["+web"]);
}

#[test]
fn a_directory_with_two_names_is_hosted_once_and_goes_on_as_long_as_there_is_one_of_them() {
    let mut world = World::new();
    world.service("elsewhere");
    for name in ["one", "other", "third"] {
        symlink("../elsewhere", world.path("scan").join(name)).unwrap();
    }
    assert_eq!(world.settle(), ["+one", "other=one", "third=one"]);
    world.scan.rescan(world.now());
    assert_eq!(world.settle(), [""; 0]);
    fs::remove_file(world.path("scan/one")).unwrap();
    assert_eq!(world.settle(), ["one>other"]);
    fs::remove_file(world.path("scan/third")).unwrap();
    assert_eq!(world.settle(), [""; 0]);
    fs::remove_file(world.path("scan/other")).unwrap();
    assert_eq!(world.settle(), ["-other"]);
}

#[test]
fn an_instance_is_not_renamed_to_another_argument() {
    let mut world = World::new();
    world.service("scan/tty@");
    symlink("tty@", world.path("scan/tty@1")).unwrap();
    assert_eq!(world.settle(), ["+tty@1"]);
    fs::rename(world.path("scan/tty@1"), world.path("scan/tty@2")).unwrap();
    assert_eq!(world.settle(), ["+tty@2", "-tty@1"]);
    fs::rename(world.path("scan/tty@2"), world.path("scan/getty@2")).unwrap();
    assert_eq!(world.settle(), ["tty@2>getty@2"]);
}

#[test]
fn a_template_that_is_replaced_replaces_its_instances() {
    let mut world = World::new();
    world.service("scan/tty@");
    symlink("tty@", world.path("scan/tty@1")).unwrap();
    assert_eq!(world.settle(), ["+tty@1"]);
    fs::rename(world.path("scan/tty@"), world.path("scan/.old")).unwrap();
    world.service("scan/tty@");
    assert_eq!(world.settle(), ["-tty@1", "+tty@1"]);
}

#[test]
fn two_services_that_change_names_go_on() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        world.service(&format!("scan/{name}"));
    }
    assert_eq!(world.settle(), ["+a", "+b", "+c"]);
    let exchange = |one: &str, other: &str| {
        let flags = nix::fcntl::RenameFlags::RENAME_EXCHANGE;
        nix::fcntl::renameat2(AT_FDCWD, &world.path(one), AT_FDCWD, &world.path(other), flags).unwrap();
    };
    exchange("scan/a", "scan/b");
    exchange("scan/b", "scan/c");
    assert_eq!(world.settle(), ["a>c", "a>b"]);
    world.check();
    fs::remove_dir_all(world.path("scan/c")).unwrap();
    assert_eq!(world.settle(), ["-c"]);
    world.check();
}

#[test]
fn a_service_that_is_called_as_one_that_ends_keeps_its_name_until_that_has_ended() {
    let mut world = World::new();
    world.service("scan/a");
    world.service("scan/b");
    assert_eq!(world.settle(), ["+a", "+b"]);
    world.stubborn = true;
    fs::remove_dir_all(world.path("scan/b")).unwrap();
    fs::rename(world.path("scan/a"), world.path("scan/b")).unwrap();
    world.service("scan/a");
    assert_eq!(world.settle(), ["-b"]);
    world.end("b");
    assert_eq!(world.settle(), ["a>b", "+a"]);
    world.check();
}

#[test]
fn a_half_made_directory_appears_when_it_can_be_run() {
    let mut world = World::new();
    fs::create_dir(world.path("scan/web")).unwrap();
    fs::create_dir(world.path("scan/once")).unwrap();
    fs::create_dir(world.path("elsewhere")).unwrap();
    symlink("../elsewhere", world.path("scan/link")).unwrap();
    assert_eq!(world.settle(), [""; 0]);
    fs::write(world.path("scan/web/down"), "").unwrap();
    script(&world.path("scan/once/setup"));
    assert_eq!(world.settle(), ["+once"]);
    script(&world.path("run"));
    fs::rename(world.path("run"), world.path("elsewhere/run")).unwrap();
    assert_eq!(world.settle(), ["+link"]);
    fs::write(world.path("scan/web/run"), "").unwrap();
    world.look_once();
    fs::write(world.path("scan/web/run"), "#!/bin/sh\n").unwrap();
    world.look_once();
    assert_eq!(world.told, [""; 0]);
    fs::set_permissions(world.path("scan/web/run"), Permissions::from_mode(0o755)).unwrap();
    world.look_once();
    assert_eq!(world.settle(), ["+web"]);
    // Nothing more is watched in them.
    world.settle();
    fs::write(world.path("scan/web/more"), "").unwrap();
    fs::write(world.path("elsewhere/more"), "").unwrap();
    let looks = world.looks;
    world.settle();
    assert_eq!(world.looks, looks);
}

#[test]
fn a_run_that_stays_unfinished_is_taken_for_what_it_is() {
    let mut world = World::new();
    fs::create_dir(world.path("scan/web")).unwrap();
    fs::write(world.path("scan/web/run"), "#!/bin/sh\n").unwrap();
    world.look_once();
    assert_eq!(world.told, [""; 0]);
    assert_eq!(world.settle(), ["+web"]);
    assert!(world.ahead >= GROWTH);
}

#[test]
fn a_half_made_directory_that_vanishes_is_forgotten() {
    let mut world = World::new();
    fs::create_dir(world.path("scan/web")).unwrap();
    assert_eq!(world.settle(), [""; 0]);
    fs::remove_dir(world.path("scan/web")).unwrap();
    assert_eq!(world.settle(), [""; 0]);
    assert!(world.scan.table.entries.is_empty());
    world.service("scan/web");
    assert_eq!(world.settle(), ["+web"]);
}

#[test]
fn of_many_half_made_directories_those_without_a_watch_are_looked_at_from_time_to_time() {
    let mut world = World::new();
    for number in 0..300 {
        fs::create_dir(world.path(&format!("scan/{number:03}"))).unwrap();
    }
    assert_eq!(world.settle(), [""; 0]);
    script(&world.path("scan/000/run"));
    script(&world.path("scan/299/run"));
    assert_eq!(world.settle(), ["+000"]);
    assert_eq!(world.later(), ["+299"]);
    fs::remove_dir(world.path("scan/298")).unwrap();
    assert_eq!(world.later(), [""; 0]);
}

#[test]
fn a_link_that_leads_nowhere_is_looked_at_from_time_to_time() {
    let mut world = World::new();
    symlink("../elsewhere", world.path("scan/web")).unwrap();
    symlink("loop", world.path("scan/loop")).unwrap();
    assert_eq!(world.settle(), [""; 0]);
    world.service("elsewhere");
    assert_eq!(world.settle(), [""; 0]);
    assert_eq!(world.later(), ["+web"]);
}

#[test]
fn where_nothing_happens_and_all_is_well_no_look_is_due() {
    let mut world = World::new();
    world.service("scan/web");
    symlink("file", world.path("scan/file")).unwrap();
    fs::write(world.path("file"), "").unwrap();
    fs::create_dir(world.path("scan/half")).unwrap();
    world.settle();
    fs::remove_file(world.path("scan/file")).unwrap();
    world.settle();
    world.later();
    assert_eq!(world.scan.deadline(), None);
}

#[test]
fn a_directory_that_cannot_be_opened_is_told_once_and_the_others_run() {
    let mut world = World::new();
    world.service("scan/shut");
    world.service("scan/web");
    fs::set_permissions(world.path("scan/shut"), Permissions::from_mode(0o0)).unwrap();
    fs::set_permissions(world.root.path(), Permissions::from_mode(0o755)).unwrap();
    // That of this thread alone: root may open it.
    let us = nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
    assert_eq!(world.settle(), ["shut EACCES", "+web"]);
    assert_eq!(world.scan.refused(), 1);
    assert_eq!(world.later(), [""; 0]);
    nix::unistd::setfsuid(us);
    fs::set_permissions(world.path("scan/shut"), Permissions::from_mode(0o755)).unwrap();
    assert_eq!(world.settle(), ["+shut"]);
    assert_eq!(world.scan.refused(), 0);
}

#[test]
fn what_cannot_be_hosted_appears_again_when_another_has_ended_and_after_a_while() {
    let mut world = World::new();
    world.service("scan/a");
    world.service("scan/b");
    assert_eq!(world.settle(), ["+a", "+b"]);
    let put_back = |world: &mut World| {
        world.services.retain(|one| one.name.as_c_str() != c"b");
        world.scan.put_back(c"b", world.now());
        assert_eq!(world.settle(), [""; 0]);
        assert_eq!(world.scan.refused(), 1);
    };
    put_back(&mut world);
    fs::write(world.path("scan/file"), "").unwrap();
    assert_eq!(world.settle(), [""; 0]);
    assert_eq!(world.later(), ["+b"]);
    put_back(&mut world);
    fs::remove_dir_all(world.path("scan/a")).unwrap();
    assert_eq!(world.settle(), ["-a", "+b"]);
}

#[test]
fn names_may_be_any_bytes_and_as_long_as_they_may_be() {
    let mut world = World::new();
    let names: [Vec<u8>; 4] = [vec![b'x'; 255], b"a\nb c".into(), b"\xff\xfe".into(), b"@".into()];
    for name in &names {
        world.service("service");
        fs::rename(world.path("service"), world.path("scan").join(OsStr::from_bytes(name))).unwrap();
    }
    world.settle();
    let hosted: Vec<_> = world.services.iter().map(|one| one.name.to_bytes()).collect();
    assert_eq!(hosted, [b"a\nb c".to_vec(), vec![b'x'; 255], b"\xff\xfe".into()]);
    fs::create_dir(world.path("scan").join("h".repeat(255))).unwrap();
    assert_eq!(world.settle(), [""; 0]);
    script(&world.path("scan").join("h".repeat(255)).join("run"));
    assert_eq!(world.settle().len(), 1);
}

#[test]
fn a_scan_directory_that_is_replaced_is_noticed_and_what_is_in_both_goes_on() {
    let mut world = World::with("current", Way::Watch, |root| {
        fs::create_dir(root.join("other")).unwrap();
        symlink("level", root.join("current")).unwrap();
        symlink("scan", root.join("level")).unwrap();
    });
    world.service("web");
    world.service("scan/only");
    symlink("../web", world.path("scan/web")).unwrap();
    symlink("../web", world.path("other/www")).unwrap();
    world.service("other/more");
    assert_eq!(world.settle(), ["+only", "+web"]);
    symlink("other", world.path("new")).unwrap();
    fs::rename(world.path("new"), world.path("level")).unwrap(); // a link on the way, not the path itself
    assert_eq!(world.settle(), ["Replaced", "web>www", "+more", "-only"]);
    world.service("other/late");
    assert_eq!(world.settle(), ["+late"]);
    fs::create_dir(world.path("empty")).unwrap();
    fs::remove_file(world.path("current")).unwrap();
    fs::rename(world.path("empty"), world.path("current")).unwrap();
    assert_eq!(world.settle(), ["Replaced", "-late", "-more", "-www"]);
    world.service("current/web");
    assert_eq!(world.settle(), ["+web"]);
    world.service("elsewhere");
    fs::rename(world.path("current"), world.path("past")).unwrap();
    fs::create_dir(world.path("current")).unwrap();
    symlink("../elsewhere", world.path("current/e")).unwrap();
    assert_eq!(world.settle(), ["Replaced", "+e", "-web"]);
}

#[test]
fn a_directory_above_that_is_moved_is_noticed() {
    let mut world = World::with("above/scan", Way::Watch, |root| {
        fs::create_dir_all(root.join("above/scan")).unwrap();
    });
    world.service("above/scan/web");
    assert_eq!(world.settle(), ["+web"]);
    fs::rename(world.path("above"), world.path("past")).unwrap();
    assert_eq!(world.settle(), ["Lost(ENOENT)"]);
    fs::rename(world.path("past"), world.path("above")).unwrap();
    assert_eq!(world.later(), ["Found"]);
    world.service("above/scan/more");
    assert_eq!(world.settle(), ["+more"]);
}

#[test]
fn a_scan_directory_that_vanishes_stops_nothing_and_is_looked_for() {
    let mut world = World::new();
    world.service("scan/web");
    assert_eq!(world.settle(), ["+web"]);
    fs::rename(world.path("scan"), world.path("away")).unwrap();
    assert_eq!(world.settle(), ["Lost(ENOENT)"]);
    assert_eq!(world.later(), [""; 0]);
    fs::write(world.path("scan"), "").unwrap();
    assert_eq!(world.later(), [""; 0]);
    fs::remove_file(world.path("scan")).unwrap();
    fs::rename(world.path("away"), world.path("scan")).unwrap();
    assert_eq!(world.later(), ["Found"]);
    assert_eq!(world.services.len(), 1);
    // One that somebody has open is removed in silence.
    let _open = fs::File::open(world.path("scan")).unwrap();
    fs::remove_dir_all(world.path("scan")).unwrap();
    let told = [world.settle(), world.later()].concat();
    assert_eq!(told, ["Lost(ENOENT)"]);
    world.service("new");
    fs::create_dir(world.path("scan")).unwrap();
    fs::rename(world.path("new"), world.path("scan/web")).unwrap();
    assert_eq!(world.later(), ["Found", "Replaced", "-web", "+web"]);
}

#[test]
fn links_to_the_scan_directory_itself_take_no_watch_from_it() {
    let mut world = World::new();
    symlink(".", world.path("scan/self")).unwrap();
    symlink("..", world.path("scan/above")).unwrap();
    assert_eq!(world.settle(), [""; 0]);
    world.later();
    world.service("scan/web");
    assert_eq!(world.settle(), ["+web"]);
    fs::remove_file(world.path("scan/self")).unwrap();
    fs::remove_file(world.path("scan/above")).unwrap();
    world.later();
    fs::remove_dir_all(world.path("scan/web")).unwrap();
    assert_eq!(world.settle(), ["-web"]);
}

#[test]
fn without_inotify_all_is_seen_from_time_to_time_and_that_is_told_once() {
    let mut world = World::with("scan", Way::Poll, |_| {});
    fs::create_dir(world.path("scan/half")).unwrap();
    world.service("scan/web");
    world.service("elsewhere");
    symlink("../elsewhere", world.path("scan/link")).unwrap();
    assert_eq!(world.settle(), ["Unwatched(ENOSYS)", "+link", "+web"]);
    script(&world.path("scan/half/run"));
    fs::remove_dir_all(world.path("scan/web")).unwrap();
    fs::rename(world.path("elsewhere"), world.path("old")).unwrap();
    world.service("elsewhere");
    assert_eq!(world.settle(), [""; 0]);
    assert_eq!(world.later(), ["+half", "-link", "-web", "+link"]);
    assert!(world.scan.watch().is_none());
}

#[test]
fn what_a_link_leads_to_is_looked_up_when_that_is_asked_for() {
    let mut world = World::new();
    world.service("elsewhere");
    symlink("../elsewhere", world.path("scan/web")).unwrap();
    assert_eq!(world.settle(), ["+web"]);
    fs::rename(world.path("elsewhere"), world.path("old")).unwrap();
    world.service("elsewhere");
    assert_eq!(world.later(), [""; 0]);
    world.scan.rescan(world.now());
    assert_eq!(world.settle(), ["-web", "+web"]);
}

#[test]
fn events_that_were_lost_are_made_up_for() {
    let mut world = World::new();
    for name in ["one", "other"] {
        world.service(name);
    }
    symlink("../one", world.path("scan/web")).unwrap();
    assert_eq!(world.settle(), ["+web"]);
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    for number in 0..limit.trim().parse::<u32>().unwrap() / 2 + 10 {
        let file = world.path("scan").join(number.to_string());
        fs::write(&file, "").unwrap();
        fs::remove_file(file).unwrap();
    }
    symlink("../other", world.path("new")).unwrap();
    fs::rename(world.path("new"), world.path("scan/web")).unwrap();
    assert_eq!(world.settle(), ["-web", "+web"]);
}

#[test]
fn while_events_wait_for_a_look_nothing_is_to_be_waited_for() {
    let mut world = World::new();
    world.settle();
    assert!(world.scan.watch().is_some());
    world.scan.ready(world.now());
    assert!(world.scan.watch().is_none());
    world.settle();
    assert!(world.scan.watch().is_some());
}

#[test]
fn a_directory_full_of_files_is_read() {
    let mut world = World::new();
    for number in 0..3000 {
        fs::write(world.path("scan").join(format!("a-file-with-a-longer-name-{number}")), "").unwrap();
    }
    for number in 0..50 {
        world.service(&format!("scan/{number:02}"));
    }
    assert_eq!(world.settle().len(), 50);
    assert_eq!(world.scan.table.entries.len(), 50);
    fs::remove_dir_all(world.path("scan/49")).unwrap();
    assert_eq!(world.settle(), ["-49"]);
}

/// Does something by chance with the services of a scan directory, over and over: nothing of what it does is sure to
/// succeed.
#[allow(clippy::cast_possible_truncation, reason = "they are small")]
fn disturb(root: &Path, turns: u32, mut seed: u64) {
    let mut chance = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let name =
        |number: u64| root.join("scan").join(["a", "b", "c", "d", "e@1", "e@2", "e@"][number as usize]);
    for turn in 0..turns {
        let (one, other) = (name(chance(7)), name(chance(7)));
        // Whatever fails, fails: the name is taken, or nobody's.
        match chance(8) {
            0 => drop(fs::create_dir(&one)),
            1 => drop(fs::write(one.join("run"), "#!/bin/sh\n")),
            2 => drop(fs::set_permissions(one.join("run"), Permissions::from_mode(0o755))),
            3 => drop(fs::remove_dir_all(&one).or_else(|_| fs::remove_file(&one))),
            4 => drop(fs::rename(&one, &other)),
            5 => drop(symlink(format!("../{}", ["x", "y", "e@"][chance(3) as usize]), &one)),
            6 => {
                let flags = nix::fcntl::RenameFlags::RENAME_EXCHANGE;
                let _ = nix::fcntl::renameat2(AT_FDCWD, &one, AT_FDCWD, &other, flags);
            }
            _ => {
                let made = root.join(format!("made{turn}"));
                fs::create_dir(&made).unwrap();
                script(&made.join("run"));
                if fs::rename(&made, &one).is_err() {
                    fs::remove_dir_all(made).unwrap();
                }
            }
        }
    }
}

#[test]
fn whatever_happens_in_whatever_order_what_is_hosted_is_what_is_there_in_the_end() {
    for seed in 1..20 {
        let mut world = World::new();
        world.service("x");
        world.service("y");
        world.stubborn = seed % 2 == 0;
        for round in 0..40 {
            disturb(world.root.path(), 1 + round % 7, seed * 1000 + u64::from(round));
            world.settle();
            world.end_leaving(round % 3 == 0);
        }
        world.check();
    }
}

#[test]
fn whatever_happens_while_it_looks_what_is_hosted_is_what_is_there_in_the_end() {
    let mut world = World::new();
    world.service("x");
    world.service("y");
    world.service("scan/quiet");
    let root = world.root.path().to_owned();
    let disturbed = std::thread::spawn(move || disturb(&root, 4000, 77));
    let mut told = Vec::new();
    while !disturbed.is_finished() {
        told.append(&mut world.settle());
    }
    disturbed.join().unwrap();
    world.check();
    told.retain(|line| line.contains("quiet"));
    assert_eq!(told, ["+quiet"]);
}

#[test]
fn a_service_that_is_renamed_all_the_time_is_never_stopped() {
    let mut world = World::new();
    for number in 0..200 {
        world.service(&format!("scan/{number:03}"));
    }
    assert_eq!(world.settle().len(), 200);
    let scan = world.path("scan");
    let renamed = std::thread::spawn(move || {
        for turn in 0..3000 {
            let names = ["000", "a", "zz", "100a"];
            fs::rename(scan.join(names[turn % 4]), scan.join(names[(turn + 1) % 4])).unwrap();
        }
    });
    let mut told = Vec::new();
    while !renamed.is_finished() {
        told.append(&mut world.settle());
    }
    renamed.join().unwrap();
    told.append(&mut world.settle());
    told.retain(|line| !line.contains('>'));
    assert_eq!(told, [""; 0]);
    world.check();
}
