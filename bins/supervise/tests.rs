//! Two services in one loop of one process.

use std::ffi::{CStr, CString};
use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::rc::Rc;

use common::poll::{self, POLLIN, pollfd, watch};
use common::{Voice, process, procfs, signals};
use nix::unistd::{Pid, getpgid};

use super::*;

/// Where nobody can make a directory.
pub(super) const NO_PLACE: &str = "/sys";
/// How long anything may take, in milliseconds.
const DEADLINE: u64 = 60_000;

fn script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\nexec 2>/dev/null\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A service that shares its process with others.
pub(super) fn open(directory: &Path) -> Box<Supervised> {
    open_with(directory, None, options())
}

/// One whose state is in `state`.
pub(super) fn open_with(directory: &Path, state: Option<&Path>, options: Options) -> Box<Supervised> {
    let service = fs::File::open(directory).unwrap().into();
    let state = state.map(|state| fs::File::open(state).unwrap().into());
    Supervised::open(Places { service, state }, options, Now::read()).unwrap()
}

pub(super) fn options() -> Options {
    Options {
        voice: Voice { called: b"test", directory: b"service", part: b"" },
        env: [c"PATH=/usr/local/bin:/usr/bin:/bin"].into_iter().collect(),
        files: None,
        supervisor: std::process::id(),
        space: PidSpace::now().unwrap(),
        ends: Ends::WhenAsked,
        orphans: Orphans::Anybodys,
        patience: Patience::None,
        needs: None,
        argument: None,
        homeless: Homeless::Supervised,
        log: None,
        notify: None,
    }
}

/// Holds services, until `done` says so of how they have ended so far.
fn hold<const N: usize>(
    held: &mut [Option<Box<Supervised>>; N],
    mut done: impl FnMut([Option<Ending>; N]) -> bool,
) {
    let began = Now::read().monotonic;
    let mut endings = [None; N];
    loop {
        for (held, ending) in held.iter_mut().zip(&mut endings) {
            while let Some(service) = held {
                match service.settle(Show::Now, Now::read()) {
                    Next::Again => {}
                    Next::Wait => break,
                    Next::Upgrade(client) => service.refuse_upgrade(client, b"not here"),
                    Next::Over(how) => (*held, *ending) = (None, Some(how)),
                }
            }
        }
        if done(endings) {
            return;
        }
        assert!(Now::read().monotonic < began + DEADLINE, "it takes too long");
        let mut watched: Vec<pollfd> = Vec::new();
        for service in held.iter().flatten() {
            let mut its = [watch(-1, 0); FIXED_FDS];
            service.watch(&mut its, Now::read());
            watched.extend(its);
        }
        let pids = held.iter().flatten().flat_map(|service| service.pids());
        // One that is reaped already has no fd, and is due at once.
        let deaths: Vec<OwnedFd> = pids.filter_map(|pid| process::pidfd(pid).ok()).collect();
        watched.extend(deaths.iter().map(|death| watch(death.as_raw_fd(), POLLIN)));
        let now = Now::read();
        let due = held.iter().flatten().filter_map(|service| service.deadline(now)).min();
        let timeout = due.map_or(1000, |due| due.saturating_sub(now.monotonic).min(1000));
        poll::poll(&mut watched, Some(timeout)).unwrap();
        for (service, its) in held.iter_mut().flatten().zip(watched.chunks(FIXED_FDS)) {
            assert_eq!(service.ready(its, Now::read()), None);
            service.fire_timers(Now::read());
        }
        while let Ok(Some((pid, status))) = process::reap() {
            let own = |service: &&mut Box<Supervised>| service.pids().contains(&pid);
            match held.iter_mut().flatten().filter(own).collect::<Vec<_>>().as_mut_slice() {
                [] => {
                    let awaits = |service: &&mut Box<Supervised>| service.awaits_leftovers();
                    let mut orphans = held.iter_mut().flatten().filter(awaits);
                    assert!(orphans.all(|service| !service.lost(pid, status)), "{pid} is nobody's");
                }
                [service] => assert!(service.lost(pid, status), "{pid} is its"),
                _ => panic!("{pid} is of one of them"),
            }
        }
    }
}

#[test]
fn two_services_live_in_one_loop_and_end_each_for_itself() {
    // As a program does that holds services: what arrives waits. It reaps all children of this process: no other
    // unit test of this crate may fork.
    signals::block_all().unwrap();
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (directory.path().join("first"), directory.path().join("second"));
    let current = std::env::current_dir().unwrap();
    for path in [&first, &second] {
        fs::create_dir(path).unwrap();
        // What the logger of the first has is to be complete at its end.
        let left = if *path == first { "sleep 300 &\necho $! >left\n" } else { "" };
        script(&path.join("run"), &format!("{left}echo began in \"$PWD\"\nexec sleep 300"));
        fs::write(path.join("leftovers"), "kill\n").unwrap();
        fs::create_dir(path.join("log")).unwrap();
        script(&path.join("log/run"), "exec cat >>../log.text");
    }
    let stat = |path: &Path| fs::read_to_string(path.join("supervise/stat")).unwrap_or_default();
    let log = |path: &Path| fs::read_to_string(path.join("log.text")).unwrap_or_default();
    let pid = |path: &Path| fs::read_to_string(path.join("supervise/pid")).unwrap_or_default();
    let began = |path: &Path| format!("began in {}\n", path.display());

    let mut held = [Some(open(&first)), Some(open(&second))];
    hold(&mut held, |_| {
        [&first, &second].iter().all(|path| stat(path) == "run\n" && log(path) == began(path))
    });
    assert_eq!(std::env::current_dir().unwrap(), current);
    let lives_on = pid(&second);
    for pid in held.iter().flatten().flat_map(|service| service.pids()).filter(|pid| *pid != 0) {
        let pid = Pid::from_raw(pid.try_into().unwrap());
        assert_eq!(getpgid(Some(pid)), Ok(pid), "its signals to its group reach no other service");
    }

    let left: u32 = fs::read_to_string(first.join("left")).unwrap().trim().parse().unwrap();
    assert!(procfs::process(left).is_ok_and(|left| left.group.to_string() == pid(&first).trim()));
    fs::write(first.join("supervise/control"), "x").unwrap();
    hold(&mut held, |endings| endings[0] == Some(Ending::Asked));
    assert_eq!(
        (stat(&first).as_str(), log(&first)),
        ("down\n", began(&first)),
        "and nothing was left behind"
    );
    assert_eq!((stat(&second).as_str(), pid(&second)), ("run\n", lives_on), "the other one does not notice");

    hold(&mut held, |_| procfs::process(left).map_or(true, |left| left.zombie));

    // What another has held is free for a third, while the second goes on.
    held[0] = Some(open(&first));
    hold(&mut held, |_| stat(&first) == "run\n" && log(&first) == began(&first).repeat(2));
    held.iter_mut().flatten().for_each(|service| service.stop());
    hold(&mut held, |endings| endings == [Some(Ending::Asked); 2]);
    assert_eq!((stat(&first).as_str(), stat(&second).as_str()), ("down\n", "down\n"));

    // One that needs another waits for it, whatever it is asked for meanwhile, and at each of its starts.
    held[0] = Some(open_with(&first, None, Options { needs: Some(Names::of("db")), ..options() }));
    let standing = |held: &[Option<Box<Supervised>>; 2]| held[0].as_ref().unwrap().standing();
    hold(&mut held, |_| stat(&first) == "down, waiting for db\n");
    assert_eq!(standing(&held), Standing::Coming);
    held[0].as_mut().unwrap().hold_back(b"db cache", Now::read());
    fs::write(first.join("supervise/control"), "u").unwrap();
    hold(&mut held, |_| stat(&first) == "down, waiting for db cache\n");
    held[0].as_mut().unwrap().release(Now::read());
    hold(&mut held, |_| stat(&first) == "run\n");
    assert_eq!(standing(&held), Standing::Ready);
    held[0].as_mut().unwrap().hold_back(b"cache", Now::read());
    fs::write(first.join("supervise/control"), "tcu").unwrap();
    hold(&mut held, |_| stat(&first) == "down, waiting for cache\n");
    fs::write(first.join("supervise/control"), "d").unwrap();
    hold(&mut held, |_| stat(&first) == "down\n");
    assert_eq!(
        (standing(&held), held[0].as_ref().unwrap().ended()),
        (Standing::Down, None),
        "it was asked to be down"
    );
    held[0].as_mut().unwrap().stop();
    hold(&mut held, |endings| endings[0] == Some(Ending::Asked));
    assert_eq!(std::env::current_dir().unwrap(), current);
    one_without_a_place_for_its_state(directory.path());
    one_that_is_logged_as_all_others_are(directory.path());
    one_that_is_logged_by_a_command(directory.path());
    those_on_their_way_out_are_shown_late(directory.path());
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Its own logger takes over once it has one.
fn one_that_is_logged_as_all_others_are(directory: &Path) {
    let (path, tree) = (directory.join("fourth"), directory.join("tree"));
    fs::create_dir_all(&path).unwrap();
    fs::create_dir_all(&tree).unwrap();
    script(&path.join("run"), "echo \"began with $1\"\nexec sleep 300");
    script(&tree.join("run"), "exec cat >>\"$1.text\"");
    let shared: &'static fs::File = Box::leak(Box::new(fs::File::open(&tree).unwrap()));
    let log = DefaultLog { directory: shared.as_fd(), program: Program::Run(Some(c"fourth")) };
    let options = || Options { log: Some(log.clone()), argument: Some(c"it"), ..options() };
    let began = "began with it\n";
    let text = tree.join("fourth.text");

    let mut held = [Some(open_with(&path, None, options()))];
    hold(&mut held, |_| read(&text) == began && read(&path.join("supervise/log/supervise/stat")) == "run\n");
    fs::create_dir(path.join("log")).unwrap();
    script(&path.join("log/run"), "exec cat >>../log.text");
    let before = read(&path.join("supervise/log/supervise/pid"));
    // What lives goes on as it is, also for the next supervisor.
    held[0].as_mut().unwrap().leave();
    let left = held[0].as_mut().unwrap().ready(&[watch(-1, 0); FIXED_FDS], Now::read());
    assert_eq!(left, Some(Ending::Asked));
    held[0] = None;
    held[0] = Some(open_with(&path, None, options()));
    hold(&mut held, |_| read(&path.join("supervise/stat")) == "run\n");
    assert_eq!(read(&path.join("supervise/log/supervise/pid")), before);
    assert!(!path.join("log/supervise").exists());

    fs::write(path.join("supervise/control"), "t").unwrap();
    hold(&mut held, |_| read(&path.join("log.text")) == began);
    assert_eq!(read(&text), began, "each line is in one of them");
    assert_eq!(read(&path.join("log/supervise/stat")), "run\n");
    held[0].as_mut().unwrap().stop();
    hold(&mut held, |endings| endings == [Some(Ending::Asked)]);
}

fn one_that_is_logged_by_a_command(directory: &Path) {
    let path = directory.join("fifth");
    fs::create_dir(&path).unwrap();
    script(&path.join("run"), "echo began\nexec sleep 300");
    let text = CString::new(path.join("text").into_os_string().into_encoded_bytes()).unwrap();
    let text: &'static CStr = Box::leak(text.into_boxed_c_str());
    let command = [c"/bin/sh", c"-c", c"exec cat >>\"$0\"", text];
    let root: &'static fs::File = Box::leak(Box::new(fs::File::open("/").unwrap()));
    let log = DefaultLog { directory: root.as_fd(), program: Program::Command(Rc::new(command)) };
    let mut held = [Some(open_with(&path, None, Options { log: Some(log), ..options() }))];
    hold(&mut held, |_| read(&path.join("text")) == "began\n");
    held[0].as_mut().unwrap().stop();
    hold(&mut held, |endings| endings == [Some(Ending::Asked)]);
}

/// What clients read of one that is told to end, once it was told, and once it has ended.
fn those_on_their_way_out_are_shown_late(directory: &Path) {
    let late = "run\n";
    let shown = "run, got TERM, want exit\n";
    for (name, file, shows, expected) in [
        ("nobody", "", Show::Later, late),
        ("at-once", "", Show::Now, shown),
        ("finish", "finish", Show::Later, shown),
        ("log", "log/run", Show::Later, late),
        ("holder", "", Show::Later, late),
        ("client", "", Show::Later, late),
        ("connected", "", Show::Later, shown),
    ] {
        let path = directory.join(name);
        fs::create_dir_all(path.join("log")).unwrap();
        script(&path.join("run"), "exec sleep 300");
        match file {
            "" | "finish" => fs::remove_dir(path.join("log")).unwrap(),
            log => script(&path.join(log), "exec cat"),
        }
        if file == "finish" {
            script(&path.join(file), "exec cat supervise/stat >seen");
        }
        let parts = if file == "log/run" { &["supervise", "log/supervise"][..] } else { &["supervise"] };
        let stats = || parts.iter().map(|part| read(&path.join(part).join("stat"))).collect::<Vec<_>>();
        let mut held = [Some(open(&path))];
        hold(&mut held, |_| stats().iter().all(|stat| stat == "run\n"));
        let mut service = held[0].take().unwrap();
        let connect = |service: &mut Supervised| {
            let (ours, theirs) = UnixStream::pair().unwrap();
            ours.set_nonblocking(true).unwrap();
            assert!(service.add_client(ours.into(), Rights::Control, Now::read()));
            theirs
        };
        let _client = (name == "connected").then(|| connect(&mut service));
        service.stop();
        assert_eq!(turn(&mut service, shows), Next::Wait, "{name}");
        assert_eq!((&*stats()[0], service.is_unshown()), (expected, expected == late), "{name}");
        if name == "holder" {
            service.show(Now::read());
            assert_eq!((&*stats()[0], service.is_unshown()), (shown, false));
        }
        if name == "client" {
            let mut theirs = connect(&mut service);
            theirs.write_all(b"status\n").unwrap();
            turn(&mut service, shows);
            let mut answer = [0; 64];
            assert!(theirs.read(&mut answer).unwrap() > 0);
            assert_eq!((&*stats()[0], service.is_unshown()), (shown, false), "an answer is not ahead of it");
        }
        // What dies next is shown at the end alone.
        let mut next = Next::Wait;
        while next == Next::Wait {
            let [pid, _, _, logger, _] = service.pids();
            let death = process::pidfd(if pid == 0 { logger } else { pid }).unwrap();
            poll::poll(&mut [watch(death.as_raw_fd(), POLLIN)], Some(DEADLINE)).unwrap();
            while let Ok(Some((pid, status))) = process::reap() {
                service.lost(pid, status);
            }
            next = turn(&mut service, shows);
            if file == "log/run" && next == Next::Wait {
                assert_eq!((stats(), service.is_unshown()), (vec![late.to_owned(); 2], true), "{name}");
            }
        }
        assert_eq!(
            (next, stats()),
            (Next::Over(Ending::Asked), vec!["down\n".to_owned(); parts.len()]),
            "{name}"
        );
        for part in parts {
            assert_eq!(read(&path.join(part).join("pid")), "", "{name}");
            let status = fs::read(path.join(part).join("status")).unwrap();
            assert_eq!(status[12..], *b"\0\0\0\0\0d\0\0", "{name}");
        }
        if file == "finish" {
            assert_ne!(read(&path.join("seen")), late, "it can see where it comes from");
        }
    }
}

/// Lets a service handle what has come.
fn turn(service: &mut Supervised, show: Show) -> Next {
    let mut its = [watch(-1, 0); FIXED_FDS];
    service.watch(&mut its, Now::read());
    poll::poll(&mut its, Some(0)).unwrap();
    assert_eq!(service.ready(&its, Now::read()), None);
    service.fire_timers(Now::read());
    loop {
        match service.settle(show, Now::read()) {
            Next::Again => {}
            next => return next,
        }
    }
}

/// It runs, with its logger, and announces that it is ready.
fn one_without_a_place_for_its_state(directory: &Path) {
    let path = directory.join("third");
    fs::create_dir_all(path.join("log")).unwrap();
    fs::write(path.join("notification-fd"), "3\n").unwrap();
    script(&path.join("run"), "echo began\necho >&3\nexec sleep 300");
    script(&path.join("log/run"), "exec cat >>../log.text");
    let mut held = [Some(open_with(&path, Some(Path::new(NO_PLACE)), options()))];
    let mut request = |text: &str| {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        theirs.write_all(text.as_bytes()).unwrap();
        assert!(held[0].as_mut().unwrap().add_client(ours.into(), Rights::Control, Now::read()));
        let mut answer = Vec::new();
        hold(&mut held, |_| {
            // It is not at its end: what has come so far.
            let _ = theirs.read_to_end(&mut answer);
            answer.ends_with(b"\n")
        });
        String::from_utf8(answer).unwrap()
    };
    assert!(request("wait ready\n").contains("\"state\":\"run\""));
    assert!(request("upgrade\n").contains("this service cannot be adopted"), "it would be started again");
    held[0].as_mut().unwrap().stop();
    hold(&mut held, |endings| endings == [Some(Ending::Asked)]);
    assert_eq!(fs::read_to_string(path.join("log.text")).unwrap(), "began\n");
    assert!(!path.join("supervise").exists() && !path.join("log/supervise").exists());
}
