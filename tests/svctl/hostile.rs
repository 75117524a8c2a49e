//! State directories that belong to others: what they put there gets no byte of ours, and shows nothing.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::supervise::json::Value;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// What the owner of a state directory may put in the place of a FIFO.
const TRICKS: [&str; 4] = ["link", "hard link", "file", "link to a FIFO"];

/// A service whose owner has replaced a file of its state; the target's content is to stay.
fn tricked(trick: &str, file: &str) -> (House, Fake) {
    let house = House::new();
    house.write("a/run", STAYS);
    let fake = Fake::new(&house, "a");
    fake.status(77, [0, b'd', 0, 1]);
    house.write("target", "precious");
    let path = house.at("a/supervise").join(file);
    fs::remove_file(&path).unwrap();
    match trick {
        "link" => symlink(house.at("target"), &path).unwrap(),
        "hard link" => fs::hard_link(house.at("target"), &path).unwrap(),
        "file" => fs::write(&path, "").unwrap(),
        _ => {
            mkfifo(&house.at("fifo"), Mode::from_bits_truncate(0o600)).unwrap();
            symlink(house.at("fifo"), &path).unwrap();
        }
    }
    (house, fake)
}

#[test]
fn no_byte_is_written_to_what_is_no_fifo_of_a_supervisor() {
    for trick in TRICKS {
        let (house, _fake) = tricked(trick, "control");
        let keep = fs::OpenOptions::new().read(true).write(true).open(house.at("fifo"));
        for name in ["svctl", "sv"] {
            for words in
                ["up", "start", "restart", "-v down", "once", "reload", "exit", "1", "-w 0 force-stop"]
            {
                let outcome = run(&mut house.command(house.called(name), &format!("{words} a")));
                let said = "warning: a: unable to open supervise/control: not what a supervisor has made\n";
                assert_eq!((outcome.status, &*outcome.stdout), (1, said), "{trick}: {name} {words}");
            }
        }
        let said = house.svctl("signal TERM a").stdout;
        assert!(said.contains("supervise/control"), "{trick}: {said}");
        assert_eq!(house.text("target"), "precious", "{trick}");
        if let Ok(fifo) = keep {
            let flags = nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK);
            nix::fcntl::fcntl(&fifo, flags).unwrap();
            let read = nix::unistd::read(&fifo, &mut [0; 8]);
            assert_eq!(read, Err(nix::errno::Errno::EAGAIN), "{trick}");
        }
    }
}

#[test]
fn a_file_that_no_supervisor_made_is_not_read() {
    for file in ["ok", "status"] {
        for trick in TRICKS.into_iter().filter(|trick| (file, *trick) != ("status", "file")) {
            let (house, _fake) = tricked(trick, file);
            let outcome = house.svctl("status a");
            let said =
                format!("warning: a: unable to open supervise/{file}: not what a supervisor has made\n");
            assert_eq!((outcome.status, outcome.stdout), (1, said), "{trick}");
            assert_eq!(house.svctl("start a").status, 1);
            assert_eq!(house.text("target"), "precious");
        }
    }
    // A FIFO in the place of the file is not waited for.
    let (house, _fake) = tricked("file", "status");
    fs::remove_file(house.at("a/supervise/status")).unwrap();
    mkfifo(&house.at("a/supervise/status"), Mode::from_bits_truncate(0o600)).unwrap();
    assert_eq!(house.svctl("status a").status, 1);
}

#[test]
fn a_socket_that_is_a_link_is_not_connected_to() {
    let house = House::new();
    let fake = Fake::new(&house, "a");
    fake.status(77, [0, b'u', 0, 1]);
    let other = UnixListener::bind(house.at("other")).unwrap();
    other.set_nonblocking(true).unwrap();
    symlink(house.at("other"), house.at("a/supervise/socket")).unwrap();
    // The files say how it is.
    for words in ["status a", "start a", "list a"] {
        assert_eq!(house.svctl(words).status, 0, "{words}");
    }
    assert_eq!(house.svctl("up a"), prints(""));
    assert_eq!(house.svctl("events a").status, 1);
    let refused = other.accept().map(drop).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_supervisor_that_talks_without_end_does_not_keep_the_time_from_being_up() {
    let house = House::new();
    house.write("a/supervise/deaths", "");
    let listener = UnixListener::bind(house.at("a/supervise/socket")).unwrap();
    let floods = Arc::new(AtomicBool::new(true));
    let goes_on = floods.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, goes_on) = (stream.unwrap(), goes_on.clone());
            std::thread::spawn(move || {
                let events = "{\"event\":\"want\",\"want\":\"up\"}\n".repeat(1000);
                let mut said = writeln!(stream, "{}", super::harness::said("down", 0, "up", false));
                // A reader that never stops gets this in place of the rest.
                let end = Instant::now() + Duration::from_secs(30);
                while said.is_ok() && goes_on.load(Ordering::Relaxed) && Instant::now() < end {
                    said = stream.write_all(events.as_bytes());
                }
            });
        }
    });
    for words in ["-w 0.3 start a", "-w 0.3 check a", "-w 0.3 wait ready a"] {
        let outcome = house.svctl(words);
        assert_eq!((outcome.status, &outcome.stdout[..9]), (1, "timeout: "), "{words}");
    }
    floods.store(false, Ordering::Relaxed);
}

#[test]
fn a_tree_that_is_not_let_in_by_a_service_is_asked_again() {
    let house = House::new();
    house.write("a/run", STAYS);
    house.write(".tree/deaths", "");
    let listener = UnixListener::bind(house.at(".tree/socket")).unwrap();
    let tree = std::thread::spawn(move || {
        let error = |error: &str| format!("{{\"name\":\"a\",\"ok\":false,\"error\":\"{error}\"}}");
        let up = super::harness::said("run", 77, "up", false);
        let busy = nix::errno::Errno::EBUSY.desc();
        for said in [error("the service has left"), error(busy), up.clone(), error(busy), up] {
            let mut stream = listener.accept().unwrap().0;
            let mut request = [0; 64];
            let length = stream.read(&mut request).unwrap();
            assert_eq!(&request[..length], b"@a status\n");
            writeln!(stream, "{said}").unwrap();
        }
    });
    assert_eq!(house.svctl("-w 60 check a").status, 0);
    assert_eq!(house.svctl("-w 60 wait ready a").status, 0);
    tree.join().unwrap();
}

#[test]
fn an_object_that_is_printed_is_json_and_names_its_own_service_whatever_a_supervisor_says() {
    let house = House::new();
    house.write("a/supervise/deaths", "");
    let path = house.at("a/supervise/socket");
    for said in [
        "no object",
        "{}}",
        "[1]",
        "",
        "{\"ok\":true,\"state\":\"run\",\"service\":\"b\"}",
        "{\"event\":\"death\",\"service\":\"b\"}",
        "{\"event\":\"death\",\"time\":--1}",
        "{\"ok\":true,\"state\":\"run\",\t\"pid\":7}",
        "{\"ok\":true,\"state\":\"run\",\"pid\":1..2}",
        &"1".repeat(70_000),
    ] {
        let listener = UnixListener::bind(&path).unwrap();
        let line = format!("{said}\n");
        let speaker = std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut request = [0; 64];
                if stream.read(&mut request).unwrap_or(0) == 0 {
                    break;
                }
                let _ = stream.write_all(line.as_bytes()); // it may have heard enough
            }
        });
        for words in ["events", "status", "list", "up"] {
            let outcome = house.svctl(&format!("--json {words} a"));
            for line in outcome.stdout.lines() {
                let object = Value::parse(line).unwrap_or_else(|| panic!("{words}: {said}: {line}"));
                let Value::Object(members) = &object else { panic!("{words}: {said}: {line}") };
                let services: Vec<_> = members.iter().filter(|(key, _)| key == "service").collect();
                assert!(matches!(&services[..], [(_, Value::Text(name))] if name == "a"), "{words}: {line}");
                assert!(!line.contains(char::is_control), "{words}: {line}");
            }
        }
        drop(UnixStream::connect(&path).unwrap()); // the end of the speaker
        speaker.join().unwrap();
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_state_directory_may_be_reached_through_a_link() {
    needs!(peer("runsv"));
    let mut house = House::new();
    fs::create_dir(house.at("state")).unwrap();
    house.write("a/run", STAYS);
    symlink(house.at("state"), house.at("a/supervise")).unwrap();
    house.serve(&peer("runsv").unwrap(), "a");
    assert_eq!(house.svctl("start a").status, 0);
    assert_eq!(house.svctl("exit a").status, 0);
    let mut house = House::new();
    fs::create_dir(house.at("state")).unwrap();
    house.write("a/run", STAYS);
    symlink(house.at("state"), house.at("a/supervise")).unwrap();
    house.serve(&bin().join("svrun").display().to_string(), "a");
    assert!(house.svctl("--json start a").stdout.contains("\"restarts\":0"));
}
