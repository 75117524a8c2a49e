//! The file readers: the accounts that may see a service, and control nothing.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// The groups of the readers and of the operators, which have no names.
const READERS: &str = "4242";
const OPERATORS: &str = "4241";

/// Every request that changes something, of the service and of its logger.
const CONTROLS: [&str; 16] = [
    "up",
    "down",
    "once",
    "exit",
    "restart",
    "reload",
    "pause",
    "continue",
    "signal HUP",
    "signal KILL",
    "signal 10",
    "upgrade",
    "log down",
    "log signal TERM",
    "log restart",
    " down",
];

/// Every byte that changes something.
const BYTES: &str = "u d o x t k p c h a i q 1 2";

const PROMISED: &str = r#"{"ok":false,"error":"not permitted"}"#;

/// A service that has died once, with a logger, and these files; and the program ask in its scratch directory.
fn service(files: &[(&str, &str)]) -> Service {
    let files = [&[("run", PUPPET), ("log/run", LOGGER), ("restart-delay", "0")], files].concat();
    let service = Service::start(Svrun, &files);
    install(&example("ask"), &service.path("ask"));
    service.started(1);
    service.tell("exit 3");
    service.started(2);
    service.until_log_stat("run");
    service.connect();
    service
}

/// A command of an account with one supplementary group, in the state directory.
fn member(service: &Service, group: &str, script: &str) -> Command {
    let mut command = in_group(group, script);
    command.current_dir(service.at("supervise")).env("D", service.scratch.path());
    command
}

/// What a member of a group is answered over the socket.
fn answers(service: &Service, group: &str, requests: &[&str]) -> Vec<String> {
    answers_to(&mut member(service, group, "exec $D/ask socket \"$@\""), requests)
}

/// Asserts that a member of a group can control nothing, by the socket or by a FIFO.
fn assert_no_control(service: &Service, group: &str) {
    let before =
        (service.status(), service.log_status_now().map(|status| status.pid), service.read("supervise/stat"));
    for (request, answer) in CONTROLS.iter().zip(answers(service, group, &CONTROLS)) {
        assert_eq!(answer, PROMISED, "{request}");
    }
    let write = "for fifo in control ../log/supervise/control; do for byte in $BYTES; do \
                 (printf $byte >$fifo) 2>/dev/null && echo $fifo $byte; \
                 (printf $byte 1<>$fifo) 2>/dev/null && echo $fifo $byte; done; done";
    assert_eq!(run(member(service, group, write).env("BYTES", BYTES)).stdout, "");
    // Nor may it put anything there, or take anything away.
    let change = "for name in control ok status socket deaths lock new; do \
                  (>$name) 2>/dev/null && [ $name != ok ] && echo $name; rm -f $name 2>/dev/null && echo $name; \
                  ln -s x $name 2>/dev/null && echo $name; chmod 666 $name 2>/dev/null && echo $name; done; :";
    assert_eq!(run(&mut member(service, group, change)).stdout.replace("new\n", ""), "");
    let after =
        (service.status(), service.log_status_now().map(|status| status.pid), service.read("supervise/stat"));
    assert_eq!(before, after);
}

/// Asserts that a member of a group can see all that there is to see.
fn assert_sees(service: &Service, group: &str) {
    let seen = answers(service, group, &["status", "log status", "events", "wait up", "log wait up 5"]);
    assert!(seen.iter().all(|line| field(line, "state") == "\"run\""), "{seen:?}");
    let look =
        "cat pid deaths stat ../log/supervise/pid ../log/supervise/stat && wc -c <status && ls >/dev/null";
    let outcome = run(&mut member(service, group, look));
    let pid = service.status().pid;
    assert!(outcome.status == 0 && outcome.stdout.starts_with(&format!("{pid}\n")), "{outcome:?}");
    assert!(outcome.stdout.contains(" exit 3 after ") && outcome.stdout.ends_with("20\n"), "{outcome:?}");
    let sv = run(&mut member(service, group, "cd $D && exec sv status ./service"));
    assert!(sv.stdout.starts_with(&format!("run: ./service: (pid {pid}) ")), "{sv:?}");
    let svctl = run(&mut member(service, group, "cd $D && exec svctl status ./service"));
    assert!(svctl.stdout.contains("; run: log: "), "{svctl:?}");
    let down = run(&mut member(service, group, "cd $D && exec svctl down ./service"));
    assert_eq!((down.status, down.stdout.as_str()), (1, "fail: ./service: not permitted\n"));
}

/// Asserts that a member of no group sees nothing.
fn assert_sees_nothing(service: &Service) {
    let [other, nobody] = ["4299", "65534"];
    for group in [other, nobody] {
        let requests = ["status", "down", "events", "log status"];
        for answer in answers(service, group, &requests) {
            assert!(answer == "PermissionDenied" || answer == PROMISED, "{answer}");
        }
        let look = "for name in pid deaths stat status ready record lock control; do cat $name 2>/dev/null; \
                    cat ../log/supervise/$name 2>/dev/null; done; ls 2>/dev/null; printf d 2>/dev/null >control";
        assert_eq!(run(&mut member(service, group, look)).stdout, "");
    }
}

/// The modes and the groups of the files, in this order.
fn modes(service: &Service, directory: &str, names: &[&str]) -> Vec<(u32, u32)> {
    let at = |name: &&str| service.at(directory).join(name).metadata().unwrap();
    names.iter().map(at).map(|file| (file.mode() & 0o7777, file.gid())).collect()
}

const NAMES: [&str; 8] = ["", "control", "ok", "pid", "stat", "status", "lock", "record"];

#[test]
fn readers_see_everything_and_control_nothing() {
    needs!(root(), tool("setpriv"));
    let mut service = service(&[("readers", "4242\n")]);
    for directory in ["supervise", "log/supervise"] {
        let expected = [
            (0o750, 4242),
            (0o600, 0),
            (0o620, 4242),
            (0o644, 0),
            (0o644, 0),
            (0o644, 0),
            (0o600, 0),
            (0o600, 0),
        ];
        assert_eq!(modes(&service, directory, &NAMES), expected, "{directory}");
    }
    assert_eq!(
        modes(&service, "supervise", &["socket", "deaths", "pipe"]),
        [(0o660, 4242), (0o644, 0), (0o700, 0)]
    );
    assert_sees(&service, READERS);
    assert_no_control(&service, READERS);
    assert_sees_nothing(&service);
    service.exit();
}

#[test]
fn operators_who_are_no_readers_may_do_both() {
    needs!(root(), tool("setpriv"));
    let mut service = service(&[("readers", "4242\n"), ("operators", "4241\n")]);
    for directory in ["supervise", "log/supervise"] {
        let expected = [
            (0o751, 4242),
            (0o620, 4241),
            (0o622, 0),
            (0o640, 4242),
            (0o640, 4242),
            (0o640, 4242),
            (0o600, 0),
            (0o600, 0),
        ];
        let found = modes(&service, directory, &NAMES);
        assert_eq!(
            (&found[..2], found[2].0, &found[3..]),
            (&expected[..2], 0o622, &expected[3..]),
            "{directory}"
        );
    }
    let found = modes(&service, "supervise", &["socket", "deaths", "pipe"]);
    assert_eq!((found[0].0, found[1], found[2].0), (0o666, (0o640, 4242), 0o700));
    assert_sees(&service, READERS);
    assert_no_control(&service, READERS);
    assert_sees_nothing(&service);
    let seen = answers(&service, OPERATORS, &["status", "log status", "reload"]);
    assert!(seen.iter().all(|line| field(line, "state") == "\"run\""), "{seen:?}");
    service.nth(1, "got HUP");
    assert_eq!(run(&mut member(&service, OPERATORS, "printf d >control")).status, 0);
    service.until_stat("down");
    let up = answers(&service, OPERATORS, &["up"]);
    assert_eq!(field(&up[0], "state"), "\"run\"");
    service.started(3);
    service.exit();
}

#[test]
fn everybody_may_be_a_reader() {
    needs!(root(), tool("setpriv"));
    let mut service =
        Service::prepare(Svrun, &[("run", PUPPET), ("log/run", LOGGER), ("restart-delay", "0")]);
    service.write(&[("readers", "*\n"), ("operators", "4241\n")]);
    // Whatever the umask is.
    let words = service.command();
    let mut command = service.adopt(sh("umask 077; exec \"$@\""));
    command.arg("sh").arg(words.get_program()).args(words.get_args());
    service.supervise_by(command);
    install(&example("ask"), &service.path("ask"));
    service.started(1);
    service.tell("exit 3");
    service.started(2);
    service.until_log_stat("run");
    service.connect();
    for directory in ["supervise", "log/supervise"] {
        let found: Vec<u32> = modes(&service, directory, &NAMES).iter().map(|(mode, _)| *mode).collect();
        assert_eq!(found, [0o755, 0o620, 0o622, 0o644, 0o644, 0o644, 0o600, 0o600], "{directory}");
    }
    assert_sees(&service, "4299");
    assert_no_control(&service, "4299");
    assert_eq!(field(&answers(&service, OPERATORS, &["down"])[0], "want"), "\"down\"");
    service.exit();
}

#[test]
fn the_user_that_stands_for_all_unknown_ones_controls_nothing() {
    needs!(root(), tool("setpriv"));
    let mut service = Service::prepare(Svrun, &[("run", PUPPET), ("readers", "*\n")]);
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    install(&example("ask"), &service.path("ask"));
    assert_eq!(run_in(service.scratch.path(), "chown -R 65534 ."), prints(""));
    let words = service.command();
    let mut command = service.adopt(prepared("setpriv"));
    command.args(nobody).arg(words.get_program()).args(words.get_args());
    service.supervise_by(command);
    service.started(1);
    service.connect();
    let mut command = prepared("setpriv");
    command.args(nobody).arg(service.path("ask")).args(["socket", "status", "down", "reload"]);
    let outcome = run(command.current_dir(service.at("supervise")));
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!((field(lines[0], "state"), &lines[1..]), ("\"run\"", &[PROMISED; 2][..]));
    service.exit();
}

#[test]
fn a_group_that_was_of_operators_controls_nothing_once_it_reads() {
    needs!(root(), tool("setpriv"));
    let mut service = service(&[("operators", "4242\n"), ("notification-fd", "7")]);
    assert_eq!(modes(&service, "supervise", &["control"]), [(0o620, 4242)]);
    service.tell("echo >&7; echo done >>$D/lines");
    service.nth(1, "done");
    until("word of it", || service.at("supervise/ready").exists());
    // What an earlier time has left is for the new readers, and not for those who may get into the directory.
    service.kill_supervisor();
    std::fs::remove_file(service.at("operators")).unwrap();
    service.write(&[("readers", "4242\n"), ("operators", "4241\n")]);
    service.supervise();
    service.connect();
    assert_eq!(modes(&service, "supervise", &["deaths", "ready"]), [(0o640, 4242); 2]);
    service.kill_supervisor();
    std::fs::remove_file(service.at("operators")).unwrap();
    service.supervise();
    service.connect();
    assert_eq!(modes(&service, "supervise", &["control"])[0].0, 0o600);
    assert_no_control(&service, READERS);
    service.exit();
}

#[test]
fn a_file_that_names_no_group_opens_nothing() {
    for (text, why) in [
        ("no-such-group\n", "unable to find group no-such-group: no such group"),
        ("* *\n", "unable to find group * *: no such group"),
        (&"r".repeat(80), "it is too long"),
    ] {
        let mut service = Service::start(Svrun, &[("run", PUPPET), ("readers", text)]);
        service.started(1);
        service.connect();
        let warning = format!("readers: {why}; nobody else may see the state\n");
        assert!(service.stderr().contains(&warning), "{warning}: {}", service.stderr());
        assert_eq!((mode(&service.at("supervise")), mode(&service.at("supervise/socket"))), (0o700, 0o600));
        service.exit();
    }
}

#[test]
fn readers_cannot_keep_others_out() {
    needs!(root(), tool("setpriv"));
    let mut service = service(&[("readers", "4242\n")]);
    // All places that it can get, and clients that have no place, again and again.
    let flood = "while :; do for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do \
                 $D/ask socket 'wait down 1' >/dev/null & done; wait; done";
    let mut attacker = member(&service, READERS, flood).spawn().unwrap();
    let mut waiting = Vec::new();
    // With the one that asks they have all places that are not for readers.
    for _ in 0..7 {
        let mut client = service.connect();
        client.say("wait down\n").unwrap();
        waiting.push(client);
        assert_eq!(field(&service.ask("status"), "state"), "\"run\"");
    }
    attacker.kill().unwrap();
    attacker.wait().unwrap();
    drop(waiting);
    service.exit();
}
