//! The socket of the tree: its requests, and clients of every kind.

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::{fs, thread};

use common::fds::unread;
use nix::sys::signal::Signal;

use super::harness::*;
use crate::support::*;

/// How many clients there can be.
const CLIENTS: usize = 32;

#[test]
fn any_name_can_be_addressed() {
    let mut tree = Tree::start(&[]);
    let long = " ".repeat(255);
    let names = ["a", "a up", "my  web", "back\\slash", "gr\u{f6}\u{df}e", &long];
    for name in names {
        fs::create_dir(tree.at(name)).unwrap();
        fs::write(tree.at(name).join("down"), "").unwrap();
    }
    tree.write(&[("model/run", SLEEPER)]);
    for name in names {
        let made = run(prepared("cp").arg("-p").arg(tree.at("model/run")).arg(tree.at(name)));
        assert_eq!(made, prints(""));
    }
    tree.until("all", || field(&tree.ask("status"), "services") == "7");
    let mut client = tree.connect();
    for name in names {
        let word = common::supervise::address(name.as_bytes());
        let answer = client.ask(&format!("@{word} status"));
        let shown = format!("{{\"name\":\"{}\",\"ok\":true,", name.replace('\\', "\\\\"));
        assert!(answer.starts_with(&shown), "{word}: {answer}");
    }
    assert_eq!(field(&client.ask("@a\\x20up up alone"), "name"), "\"a up\"");
    assert_eq!(field(&client.ask("@a up"), "name"), "\"a\"");
    for (word, name) in
        [("my", "my"), ("back\\slash", "back\\\\slash"), ("x\\x2", "x\\\\x2"), ("x\\x20y", "x y")]
    {
        let expected = format!("{{\"name\":\"{name}\",\"ok\":false,\"error\":\"no such service\"}}");
        assert_eq!(client.ask(&format!("@{word} status")), expected);
    }
    tree.stop();
}

#[test]
fn each_request_has_its_answer() {
    let mut tree = Tree::start(&[
        ("a/run", PUPPET),
        ("a/log/run", LOGGER),
        ("b/run", PUPPET),
        ("b/notification-fd", "3\n"),
        ("c/run", PUPPET),
        ("c/down", ""),
    ]);
    let pid = tree.started(1, "a");
    tree.started(1, "b");
    let logger = tree.until_log("a");
    tree.until("all of them", || field(&tree.ask("status"), "services") == "3");
    let own = tree.supervisor();
    tree.until("a is ready", || {
        tree.ask("status")
            == format!(
                "{{\"tree\":\"tree\",\"state\":\"up\",\"services\":3,\"ready\":1,\"failed\":0,\"supervisor\":{own}}}"
            )
    });
    tree.tell("b", "echo >&3");
    tree.until("b is ready", || field(&tree.ask("status"), "ready") == "2");
    let mut client = tree.connect();
    client.say("list log\n").unwrap();
    let line = client.line();
    assert_eq!((field(&line, "name"), field(&line, "pid")), ("\"a\"", &*logger.to_string()));
    assert_eq!(client.line(), r#"{"ok":true,"services":1}"#);
    assert_eq!(client.ask("rescan"), r#"{"ok":true,"services":3}"#);
    // Many requests at once are answered in order.
    client.say("@a status\n@a log status\n@c status\n@nobody status\nstatus\n").unwrap();
    let answers: Vec<String> = (0..5).map(|_| client.line()).collect();
    let found = answers[..3].iter().map(|line| format!("{} {}", field(line, "name"), field(line, "pid")));
    assert_eq!(
        found.collect::<Vec<_>>(),
        [format!("\"a\" {pid}"), format!("\"a\" {logger}"), "\"c\" null".to_owned()]
    );
    assert_eq!(answers[3], r#"{"name":"nobody","ok":false,"error":"no such service"}"#);
    assert_eq!(field(&answers[4], "services"), "3");
    // Any request of a service.
    assert_eq!(field(&client.ask("@c wait up 0.01"), "error"), "\"timeout\"");
    assert_eq!(field(&client.ask("@b log status"), "error"), "\"no log\"");
    assert_eq!(field(&client.ask("@b nonsense"), "error"), "\"unknown command\"");
    assert_eq!(field(&client.ask("@c once"), "state"), "\"run\"");
    tree.started(1, "c");
    assert_eq!(client.ask("nonsense"), r#"{"ok":false,"error":"unknown command"}"#);
    assert_eq!(client.rest(), "");
    for line in ["", " ", "@", "list logs", "status 1", "@ status"] {
        let mut client = tree.connect();
        assert_eq!(client.ask(line), r#"{"ok":false,"error":"unknown command"}"#, "{line:?}");
        assert_eq!(client.rest(), "", "{line:?}");
    }
    tree.stop();
}

#[test]
fn events_are_all_states_and_then_what_happens_to_any_service() {
    let mut tree = Tree::start(&[("a/run", PUPPET), ("a/restart-delay", "0\n"), ("b/run", PUPPET)]);
    tree.started(1, "a");
    tree.started(1, "b");
    tree.until_names(&["a", "b"]);
    let mut client = tree.connect();
    client.say("events\n").unwrap();
    let states = [client.line(), client.line()];
    assert_eq!(states.map(|line| field(&line, "name").to_owned()), ["\"a\"", "\"b\""]);
    tree.tell("a", "exit 3");
    let next = |client: &mut Client| {
        let line = client.line();
        format!("{} {}", field(&line, "name"), field(&line, "event"))
    };
    assert_eq!([next(&mut client), next(&mut client)], ["\"a\" \"death\"", "\"a\" \"start\""]);
    tree.add("new", &[("run", PUPPET)]);
    // A service that appears is there with its state, as those were that were there before.
    let state = client.line();
    assert_eq!((field(&state, "name"), field(&state, "want")), ("\"new\"", "\"up\""), "{state}");
    tree.started(1, "new");
    tree.signal(nix::sys::signal::Signal::SIGTERM);
    let rest = client.rest();
    for service in ["a", "b", "new"] {
        let mark = format!("{{\"name\":\"{service}\",\"event\":\"death\"");
        assert_eq!(rest.matches(&mark).count(), 1, "{rest}");
    }
    assert_eq!(tree.ended(), 0);
}

#[test]
fn a_client_that_asks_for_a_service_that_leaves_is_answered() {
    let mut tree = Tree::start(&[("a/run", PUPPET)]);
    tree.started(1, "a");
    tree.until_names(&["a"]);
    let mut client = tree.connect();
    client.say("@a wait finished\nstatus\n").unwrap();
    tree.shell("mv a $T/gone");
    let answer = client.line();
    assert_eq!(field(&answer, "name"), "\"a\"");
    assert_eq!(field(&client.line(), "state"), "\"up\"");
    tree.stop();
}

#[test]
fn many_clients_are_served_side_by_side_and_one_too_many_is_turned_away() {
    let mut tree = Tree::start(&[("a/run", PUPPET)]);
    tree.started(1, "a");
    tree.until_names(&["a"]);
    // Each waits for something that does not come.
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| tree.connect()).collect();
    for client in &mut clients {
        assert_eq!(field(&client.ask("status"), "state"), "\"up\"");
    }
    assert_eq!(tree.connect().rest(), "", "there is no place for it");
    drop(clients.pop());
    tree.until("a place", || tree.connect().ask("status").contains("\"up\""));
    // Those that wait hold up nobody.
    for client in clients.iter_mut().take(8) {
        client.say("@a wait down\n").unwrap();
    }
    assert_eq!(field(&clients[20].ask("@a status"), "state"), "\"run\"");
    tree.ask("@a down");
    for client in clients.iter_mut().take(8) {
        assert_eq!(field(&client.line(), "state"), "\"down\"");
    }
    thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(move || {
                for _ in 0..100 {
                    assert_eq!(field(&client.ask("@a status"), "name"), "\"a\"");
                }
            });
        }
    });
    tree.stop();
}

#[test]
fn those_that_have_gone_make_place_for_those_that_come_in_the_same_moment() {
    let mut tree = Tree::start(&[("a/run", PUPPET)]);
    tree.started(1, "a");
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| tree.connect()).collect();
    for client in &mut clients {
        assert_eq!(field(&client.ask("status"), "state"), "\"up\"");
    }
    for gone in [1, 5, 16] {
        // It learns of both at once. No more than 16 wait to be let in.
        tree.signal(Signal::SIGSTOP);
        clients.truncate(CLIENTS - gone);
        let mut new: Vec<Client> = (0..gone).map(|_| tree.connect()).collect();
        for client in &mut new {
            client.say("status\n").unwrap();
        }
        tree.signal(Signal::SIGCONT);
        for client in &mut new {
            assert_eq!(field(&client.line(), "state"), "\"up\"", "{gone}");
        }
        clients.append(&mut new);
    }
    drop(clients);
    tree.stop();
}

#[test]
fn lines_that_are_too_long_or_come_in_parts() {
    let mut tree = Tree::start(&[("a/run", PUPPET)]);
    tree.started(1, "a");
    tree.until_names(&["a"]);
    let mut client = tree.connect();
    client.say("x".repeat(10_000)).unwrap();
    assert_eq!(client.rest(), "{\"ok\":false,\"error\":\"too long\"}\n");
    // The longest name there can be fits, with a request.
    let name = "n".repeat(255);
    let answer = tree.ask(&format!("@{name} wait finished 10.000"));
    assert_eq!(field(&answer, "error"), "\"no such service\"");
    let mut client = tree.connect();
    for part in ["sta", "t", "us\n@a sta"] {
        client.say(part).unwrap();
        assert_eq!(field(&tree.ask("status"), "state"), "\"up\"", "others are served meanwhile");
    }
    assert_eq!(field(&client.line(), "state"), "\"up\"");
    client.say("tus\n").unwrap();
    assert_eq!(field(&client.line(), "name"), "\"a\"");
    // A half line at the end is no request.
    client.say("@a down").unwrap();
    client.shut();
    assert_eq!(client.rest(), "");
    assert_eq!(field(&tree.ask("@a status"), "want"), "\"up\"");
    // One that has shut down its sending side is answered.
    let mut client = tree.connect();
    client.say("@a status\nlist\n").unwrap();
    client.shut();
    assert_eq!(client.rest().lines().count(), 3);
    tree.stop();
}

#[test]
fn a_client_that_reads_nothing_holds_up_nobody_and_is_dropped() {
    let mut tree = Tree::start(&[("a/run", PUPPET), ("a/down", "")]);
    tree.until_names(&["a"]);
    let mut slow = tree.connect();
    slow.say("events\n").unwrap();
    let mut lists = tree.connect();
    // Its answers fill the socket, and what is kept for it; it is read no further then.
    let flood = thread::spawn(move || {
        let mut sent = 0;
        while sent < 200_000 && lists.say("list\n".repeat(100)).is_ok() {
            sent += 100;
        }
    });
    let mut client = tree.connect();
    for _ in 0..2000 {
        // Two events each.
        assert_eq!(field(&client.ask("@a up"), "state"), "\"run\"");
        assert_eq!(field(&client.ask("@a signal KILL"), "ok"), "true");
        assert_eq!(field(&client.ask("@a down"), "want"), "\"down\"");
        assert_eq!(field(&client.ask("@a wait down"), "state"), "\"down\"");
    }
    assert_eq!(field(&client.ask("status"), "state"), "\"up\"");
    assert!(memory(tree.supervisor()) < 40_000, "{}", memory(tree.supervisor()));
    tree.stop();
    flood.join().unwrap();
    assert!(slow.rest().len() < 2 << 20);
}

#[test]
fn a_client_that_is_gone_leaves_nothing_behind_and_what_it_has_sent_is_carried_out() {
    let mut tree = Tree::start(&[("a/run", PUPPET), ("b/run", PUPPET), ("b/down", "")]);
    tree.started(1, "a");
    tree.until("both of them", || field(&tree.ask("status"), "services") == "2");
    let files = || fs::read_dir(format!("/proc/{}/fd", tree.supervisor())).unwrap().count();
    let mut before = 0;
    tree.until("no client", || std::mem::replace(&mut before, files()) == files());
    // Each is carried out though nobody waits for its answer; of the half line nothing comes.
    tree.connect().say("@a wait down\n@b up\n").unwrap();
    tree.started(1, "b");
    // It is down in its status until that is written, after the fork.
    tree.until_run("b");
    tree.connect().say("events\n@b down\n").unwrap();
    tree.until_stat("b", "down");
    tree.connect().say("@b u").unwrap();
    tree.connect().say("list\n@a wait down\n@b up\n").unwrap();
    tree.started(2, "b");
    // One that leaves an answer unread resets the connection.
    let mut client = UnixStream::connect(tree.socket()).unwrap();
    client.write_all(b"list\n@a wait down\n@b down\n").unwrap();
    tree.until("an answer", || unread(client.as_fd()).unwrap() > 0);
    drop(client);
    tree.until_stat("b", "down");
    tree.until("their end", || files() <= before);
    // Nothing is left to be told again and again.
    let switches = || {
        let status = fs::read_to_string(format!("/proc/{}/status", tree.supervisor())).unwrap();
        status.lines().filter(|line| line.contains("ctxt")).map(str::to_owned).collect::<Vec<_>>()
    };
    tree.until("two quiet seconds", || {
        let before = switches();
        thread::sleep(std::time::Duration::from_secs(2));
        switches() == before
    });
    tree.stop();
}

#[test]
fn what_follows_a_request_that_was_refused_later_is_answered() {
    let mut tree = Tree::prepare(&[("a/run", PUPPET)]);
    tree.set_program(&["sleep", "1000000"]);
    tree.supervise();
    let mut client = tree.connect();
    client.say("upgrade\nstatus\n").unwrap();
    assert!(client.line().contains("unable to upgrade"));
    assert_eq!(field(&client.line(), "services"), "1");
    tree.stop();
}

#[test]
fn clients_for_whom_there_is_no_fd_are_let_in_when_there_is() {
    let mut tree = Tree::prepare(&[("a/run", SLEEPER)]);
    tree.supervise_by(tree.command_behind(&["prlimit", "--nofile=40"]));
    tree.until_run("a");
    let mut clients: Vec<Client> = (0..24).map(|_| tree.connect()).collect();
    let cpu = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", tree.supervisor())).unwrap();
        let fields: Vec<u64> = stat.split(' ').skip(13).take(2).map(|field| field.parse().unwrap()).collect();
        fields[0] + fields[1]
    };
    // It takes a tick a second at most while they wait.
    tree.until("a quiet second", || {
        let before = cpu();
        thread::sleep(std::time::Duration::from_secs(1));
        cpu() - before <= 1
    });
    let mut last = clients.pop().unwrap();
    drop(clients);
    assert_eq!(field(&last.ask("status"), "services"), "1");
    tree.stop();
}
