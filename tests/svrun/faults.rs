//! Faults around a supervisor: full disks, scripts that hang, floods.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use nix::sys::signal::Signal;

use super::harness::*;
use crate::needs;
use crate::support::*;

const TMPFS: &str = "mkdir -p state; mount -t tmpfs -o size=128k,mode=700 tmpfs state";

/// Fills the file system of the state.
fn fill(service: &Service) {
    let mut file = File::create(service.path("state/filler")).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}

/// Asserts that nothing about files is said twice.
fn assert_once(stderr: &str) {
    let mut lines: Vec<&str> = stderr.lines().filter(|line| line.contains("unable to ")).collect();
    lines.sort_unstable();
    let all = lines.len();
    lines.dedup();
    assert_eq!(lines.len(), all, "{stderr}");
}

#[test]
fn a_disk_that_fills_up_leaves_the_old_files_and_is_caught_up_with() {
    needs!(mounts());
    let mut service =
        Service::prepare(Svrun, &[("run", PUPPET), ("log/run", LOGGER), ("restart-delay", "0")]);
    service.keep_state_apart();
    let command = service.command_after(TMPFS);
    service.supervise_by(command);
    service.started(1);
    service.until_stat("run");
    service.until_log_stat("run");
    fill(&service);
    service.send("h");
    service.nth(1, "got HUP");
    // Whatever happens, there is a whole status, and the service obeys.
    service.send("t");
    service.until("another start", || service.count("start ") == 2);
    service.send("d");
    service.nth(2, "got TERM");
    let pid =
        service.lines().iter().rev().find_map(|line| line.strip_prefix("start ")?.parse().ok()).unwrap();
    service.until("it has ended", || !lives(pid));
    assert!(service.status_now().is_some());
    assert!(
        ["run\n", "down\n", "run, got TERM\n"].contains(&&*service.read("supervise/stat")),
        "{}",
        service.read("supervise/stat")
    );
    let warnings = service.stderr();
    assert!(warnings.contains(says(nix::errno::Errno::ENOSPC)), "{warnings}");
    assert_once(&warnings);
    // When there is room again it is made good, without another command.
    fs::remove_file(service.path("state/filler")).unwrap();
    service.until_flags((0, 'd', 0, 0));
    service.until_stat("down");
    assert_eq!(service.read("supervise/pid"), "");
    service.send("x");
    assert_eq!(service.ended(), 0);
}

#[test]
fn a_full_disk_at_the_start_does_not_keep_the_service_down() {
    needs!(mounts());
    let mut service = Service::prepare(Svrun, &[("run", PUPPET)]);
    service.keep_state_apart();
    let filled = format!("{TMPFS}; cat /dev/zero >state/filler 2>/dev/null || true");
    let command = service.command_after(&filled);
    service.spawn(command);
    service.nth(1, "start ");
    service.until("a warning", || service.stderr().contains(says(nix::errno::Errno::ENOSPC)));
    fs::remove_file(service.path("state/filler")).unwrap();
    service.until_flags((0, 'u', 0, 1));
    service.send("1");
    service.nth(1, "got USR1");
    service.send("x");
    assert_eq!(service.ended(), 0);
}

#[test]
fn a_state_that_is_read_only_does_not_keep_the_service_down() {
    needs!(mounts());
    let mut service = Service::prepare(Svrun, &[("run", PUPPET), ("finish", FINISH)]);
    service.supervise();
    service.started(1);
    service.exit();
    let command = service.command_after("mount --bind service service; mount -o remount,bind,ro service");
    service.spawn(command);
    service.nth(2, "start ");
    service.until("a warning", || service.stderr().contains(says(nix::errno::Errno::EROFS)));
    service.tell("exit 1");
    service.nth(3, "start ");
    assert_once(&service.stderr());
    // And it is the only one there.
    let mount = format!("--mount=/proc/{}/ns/mnt", service.supervisor());
    for program in [&["timeout", "60"][..], &["nsenter", &mount, "timeout", "60"]] {
        let words = service.command();
        let mut second = service.adopt(prepared(program[0]));
        second.args(&program[1..]).arg(words.get_program()).args(words.get_args());
        assert_eq!(second.status().unwrap().code(), Some(111), "{program:?}: {}", service.stderr());
    }
    service.signal(Signal::SIGTERM);
    assert_eq!(service.ended(), 0);
    service.assert_nothing_left();
    assert_eq!(service.count("finish "), 3);
}

#[test]
fn a_state_directory_that_is_deleted_does_not_end_the_service() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("log/run", LOGGER), ("restart-delay", "0")]);
    let pid = service.started(1);
    service.until_log_stat("run");
    service.rest();
    fs::remove_dir_all(service.at("supervise")).unwrap();
    assert!(lives(pid));
    service.tell("exit 3");
    service.nth(2, "start ");
    service.until("a warning", || service.stderr().contains("warning: "));
    service.tell("exit 3");
    service.nth(3, "start ");
    service.assert_supervised();
    assert!(service.stderr().lines().count() < 8, "{}", service.stderr());
    service.signal(Signal::SIGTERM);
    assert_eq!(service.ended(), 0);
    service.assert_nothing_left();
}

/// A service that leaves a process behind each time that it starts.
const LEAVES: &str = r#"#!/bin/sh
exec 3<>$D/tell
(trap 'echo left got TERM >>$D/lines' TERM; echo remains >>$D/lines; exec 4<>$D/tell-finish 3<&- >/dev/null; while :; do read -r x <&4; done) &
trap 'exit 0' TERM
echo start $$ >>$D/lines
while :; do read -r words <&3 && eval "$words"; done
"#;

#[test]
fn a_new_state_file_that_is_removed_before_it_has_its_name_is_no_lost_state() {
    let mut service = Service::start(Svrun, &[("run", SLEEPER)]);
    let run = service.started(1);
    let (new, over) = (service.at("supervise/status.new"), AtomicBool::new(false));
    let removed = thread::scope(|scope| {
        let remover = scope.spawn(|| {
            let mut count = 0;
            while !over.load(Ordering::Relaxed) {
                count += usize::from(fs::remove_file(&new).is_ok());
            }
            count
        });
        for _ in 0..1000 {
            service.ask("pause");
            service.ask("continue");
        }
        over.store(true, Ordering::Relaxed);
        remover.join().unwrap()
    });
    assert!(!service.stderr().contains("gone"), "{removed}: {}", service.stderr());
    service.until_flags((0, 'u', 0, 1));
    assert_eq!(service.status().pid, run);
    service.exit();
}

#[test]
fn leftovers_of_a_service_are_counted_and_named_once() {
    let service = Service::start(Svrun, &[("run", LEAVES), ("log/run", LOGGER), ("restart-delay", "0")]);
    for count in 1..=3 {
        service.started(count);
        service.nth(count, "remains");
        service.tell("exit 0");
    }
    service.started(4);
    let said = || {
        let text = service.text("logged");
        text.lines()
            .filter(|line| line.starts_with("warning: svrun: run left "))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    service.until("it is said", || !said().is_empty());
    assert_eq!(service.processes().iter().filter(|pid| cmdline(**pid) == "/bin/sh ./run").count(), 5);
    service.tell("echo last");
    service.until("the last line", || service.text("logged").ends_with("last\n"));
    let said = said();
    // Once for each that is left, and not again for those of before.
    for line in &said {
        assert!(line.contains("run"), "{line}");
    }
    assert!(said.len() <= 3, "{said:?}");
}

#[test]
fn leftovers_are_ended_before_the_next_start_and_at_the_stop() {
    for (what, signal) in [("kill\n", false), ("term\n", true)] {
        let leaves = if signal { LEAVES.replace("lines' TERM", "lines; exit' TERM") } else { LEAVES.into() };
        let files = [("run", &*leaves), ("leftovers", what), ("restart-delay", "0"), ("finish", FINISH)];
        let mut service = Service::start(Svrun, &files);
        let scripts = |service: &Service| {
            service.processes().iter().filter(|pid| cmdline(**pid) == "/bin/sh ./run").count()
        };
        for count in 1..=3 {
            service.started(count);
            service.nth(count, "remains");
            service.until("run and its child", || scripts(&service) == 2);
            service.tell("exit 0");
        }
        service.started(4);
        service.nth(4, "remains");
        service.until("run and its child", || scripts(&service) == 2);
        service.send("d");
        service.until_flags((0, 'd', 0, 0));
        service.until("nothing of it", || scripts(&service) == 0);
        if signal {
            assert!(service.count("left got TERM") >= 4);
        }
        service.exit();
    }
}

#[test]
fn a_leftover_that_holds_the_log_pipe_does_not_keep_the_supervisor() {
    let run = "#!/bin/sh\nsleep 1000001 &\necho start $$ >>$D/lines\nexec sleep 1000000\n";
    let mut service = Service::start(Svrun, &[("run", run), ("log/run", LOGGER)]);
    service.started(1);
    service.until_log_stat("run");
    service.send("x");
    assert_eq!(service.ended(), 0);
    // The logger, whose input has not ended, goes on too.
    let left = |pid: &u32| Some(cmdline(*pid)).filter(|words| words != "cat");
    service.until("the leftover alone, once it has become what it executes", || {
        service.processes().iter().filter_map(left).collect::<Vec<_>>() == ["sleep 1000001"]
    });
}

/// A control script that hangs.
const HANGS: &str = "#!/bin/sh\necho $0 $$ >>$D/lines\nexec 3<>$D/tell-finish\nuntil read -r words <&3 && [ \"$words\" ]; do :; done\neval \"$words\"\n";

#[test]
fn a_control_script_that_hangs_blocks_nothing_else_and_ends_by_k() {
    let files = [
        ("run", PUPPET),
        ("log/run", LOGGER),
        ("control/h", HANGS),
        ("restart-delay", "0"),
        ("finish", FINISH),
    ];
    let mut service = Service::start(Svrun, &files);
    let run = service.started(1);
    let log: u32 = service.nth(1, "log start ").parse().unwrap();
    service.until_log_stat("run");
    service.send("h");
    let script: u32 = service.nth(1, "control/h ").parse().unwrap();
    // The logger is started again, and the clients are answered.
    send_signal(log, Signal::SIGKILL);
    service.nth(2, "log start ");
    assert_eq!(field(&service.ask("status"), "pid"), run.to_string());
    assert!(service.sv("status").stdout.starts_with("run: "));
    service.send("k");
    service.until("the script has ended", || !lives(script));
    service.started(2);
    assert_eq!(service.nth(1, "finish "), "-1 9");
    assert_eq!(service.count("got HUP"), 0);
    // A service that dies meanwhile is started again all the same.
    service.send("h");
    service.nth(2, "control/h ");
    service.tell("exit 4");
    service.started(3);
    service.tell_finish("exit 0");
    service.exit();
}

#[test]
fn a_control_script_that_hangs_before_the_start_is_in_nobodys_way() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("control/u", HANGS)]);
    let ends = |count: usize| {
        let script: u32 = service.nth(count, "control/u ").parse().unwrap();
        let asked = Instant::now();
        service.send("k");
        service.until("the script is reaped", || state(script).is_none());
        assert!(asked.elapsed().as_secs() < 10, "by its own time limit");
    };
    // k ends it while the start is due, and where it is not due any more.
    ends(1);
    service.started(1);
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    service.send("u");
    service.nth(2, "control/u ");
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    ends(2);
    service.send("u");
    service.nth(3, "control/u ");
    service.tell_finish("exit 0");
    service.started(2);
    service.exit();
}

#[test]
fn a_supervisor_whose_stop_script_hangs_ends_by_k() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("control/t", HANGS), ("finish", FINISH)]);
    service.started(1);
    service.signal(Signal::SIGTERM);
    service.nth(1, "control/t ");
    service.assert_supervised();
    service.send("k");
    assert_eq!(service.ended(), 0);
    service.assert_nothing_left();
    assert_eq!(service.nth(1, "finish "), "-1 9");
}

#[test]
fn random_bytes_do_it_no_harm() {
    let notes = "#!/bin/sh\necho $0 >>$D/lines\n";
    let files = [
        ("run", SLEEPER),
        ("log/run", LOGGER),
        ("restart-delay", "0"),
        ("restart-reset", "0"),
        ("control/h", notes),
    ];
    let mut service = Service::start(Svrun, &files);
    service.started(1);
    let mut random = Random::new(7);
    let mut bytes: Vec<u8> = (0..100_000).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
    let mut socket = service.connect();
    for part in bytes.chunks(5000) {
        // It gets an error and is disconnected.
        if socket.say(part).is_err() {
            socket = service.connect();
        }
    }
    // On the FIFO all of them count, so not the one that ends it, nor the one that tells that all is read.
    bytes.iter_mut().filter(|byte| b"xh".contains(byte)).for_each(|byte| *byte = b'y');
    let mut control = OpenOptions::new().write(true).open(service.at("supervise/control")).unwrap();
    control.write_all(&bytes).unwrap();
    drop(control);
    service.until("all is read", || {
        service.send("cuh");
        service.count("control/h") > 0
    });
    service.until_status("up", |status| {
        let copies = service.processes().iter().filter(|pid| cmdline(**pid) == "sleep 1000000").count();
        (status.paused, status.want, status.state, copies) == (0, 'u', 1, 1)
    });
    let status = service.ask("status");
    assert_eq!(
        (field(&status, "ok"), field(&status, "state"), field(&status, "want")),
        ("true", "\"run\"", "\"up\"")
    );
    service.exit();
}

#[test]
fn the_17th_client_displaces_the_longest_idle() {
    let service = Service::start(Svrun, &[("run", PUPPET)]);
    service.started(1);
    service.until_stat("run");
    let mut clients: Vec<Client> = (0..16).map(|_| service.connect()).collect();
    // The first one waits; then the second is the longest idle, and then the fourth. Their turns are apart,
    // whatever clock they are measured by.
    clients[0].say("wait down\n").unwrap();
    for index in [1, 3, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15] {
        assert_eq!(field(&clients[index].ask("status"), "ok"), "true");
        let turn = Instant::now();
        service.until("the next turn", || turn.elapsed().as_millis() > 10);
    }
    let mut more = service.connect();
    assert_eq!(field(&more.ask("status"), "ok"), "true");
    assert_eq!(clients[1].line(), ""); // closed
    let mut another = service.connect();
    assert_eq!(field(&another.ask("status"), "ok"), "true");
    assert_eq!(clients[3].line(), "");
    for index in [2, 4, 15] {
        assert_eq!(field(&clients[index].ask("status"), "ok"), "true", "{index}");
    }
    service.send("d");
    assert_eq!(field(&clients[0].line(), "state"), "\"down\"");
}

#[test]
fn idle_clients_and_slow_ones_do_not_keep_it() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("restart-delay", "0")]);
    service.started(1);
    let idle = service.connect();
    let mut slow = service.connect();
    slow.say("events\n").unwrap();
    // More than its buffers take, and it reads nothing.
    for _ in 0..3000 {
        service.send("pc");
    }
    service.send("1");
    service.nth(1, "got USR1");
    assert_eq!(field(&service.ask("status"), "ok"), "true");
    service.exit();
    drop((idle, slow));
}

#[test]
fn a_log_that_is_added_later_is_noticed_at_the_next_start() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("restart-delay", "0")]);
    service.started(1);
    service.write(&[("log/run", LOGGER)]);
    service.tell("echo to stdout; exit 0");
    service.started(2);
    service.nth(1, "log start ");
    service.tell("echo to the log");
    service.until("the log", || service.text("logged") == "to the log\n");
    service.until_log_stat("run");
    assert_eq!(service.text("stdout"), "to stdout\n");
    service.exit();
    assert_eq!(service.read("log/supervise/stat"), "down\n");
}

#[test]
fn a_log_directory_that_two_share_is_reported_and_taken_when_it_is_free() {
    let mut first = Service::start(Svrun, &[("run", PUPPET), ("log/run", LOGGER)]);
    first.started(1);
    first.until_log_stat("run");
    let mut second = Service::prepare(Svrun, &[("run", PUPPET)]);
    symlink(first.at("log").canonicalize().unwrap(), second.at("log")).unwrap();
    second.supervise();
    second.started(1);
    // It serves its clients, and what its service says waits.
    second.tell("echo said by the second; echo said >>$D/lines");
    second.nth(1, "said");
    second.until("a warning", || second.stderr().contains("lock"));
    assert_eq!(second.status().flags(), (0, 'u', 0, 1));
    first.send("x");
    assert_eq!(first.ended(), 0);
    // The logger is the first's script, with the second's environment.
    second.until("its own logger", || second.count("log start ") == 1);
    second.until("what waited", || second.text("logged") == "said by the second\n");
    assert_eq!(second.stderr().lines().count(), 1, "{}", second.stderr());
    second.exit();
}

#[test]
fn a_log_directory_that_two_share_does_not_hinder_the_exit() {
    let first = Service::start(Svrun, &[("run", PUPPET), ("log/run", LOGGER)]);
    first.until_log_stat("run");
    let mut second = Service::prepare(Svrun, &[("run", PUPPET)]);
    symlink(first.at("log").canonicalize().unwrap(), second.at("log")).unwrap();
    second.supervise();
    second.started(1);
    second.signal(Signal::SIGTERM);
    assert_eq!(second.ended(), 0);
}

#[test]
fn u_after_x_takes_the_exit_back() {
    // While the service stops, and while the logger is waited for.
    let log = "#!/bin/sh\necho log start $$ >>$D/lines\nexec 3<>$D/tell-finish\ncat >>$D/logged\necho log waits >>$D/lines\nuntil read -r words <&3 && [ \"$words\" ]; do :; done\n";
    let mut service = Service::start(Svrun, &[("run", STUBBORN), ("log/run", log), ("restart-delay", "0")]);
    let run = service.started(1);
    service.nth(1, "log start ");
    service.until_log_stat("run");
    service.send("x");
    service.until_stat("run, got TERM, want exit");
    service.send("u");
    service.until_stat("run, got TERM");
    assert_eq!(service.status().pid, run);
    service.send("x");
    service.until_stat("run, got TERM, want exit");
    service.tell("exit 0");
    service.nth(1, "log waits");
    service.until_stat("down");
    service.send("u");
    service.started(2);
    service.tell("echo said");
    service.tell_finish(":"); // the first logger ends
    service.nth(2, "log start ");
    service.until("the log", || service.text("logged") == "said\n");
    service.until_log_stat("run");
    service.assert_supervised();
    service.send("x");
    service.until_stat("run, got TERM, want exit");
    service.tell("exit 0");
    service.nth(2, "log waits");
    service.tell_finish(":");
    assert_eq!(service.ended(), 0);
    service.assert_nothing_left();
}

#[test]
fn operators_may_control_the_service_and_others_not() {
    needs!(root(), tool("setpriv"));
    let files = [("run", PUPPET), ("log/run", LOGGER), ("operators", "daemon\n")];
    let mut service = Service::start(Svrun, &files);
    service.started(1);
    service.until_log_stat("run");
    // The status is there before the FIFOs, and these before they have their modes.
    service.rest();
    for directory in ["supervise", "log/supervise"] {
        let at = |name: &str| service.at(directory).join(name);
        assert_eq!(mode(&service.at(directory)), 0o710);
        assert_eq!((mode(&at("control")), mode(&at("ok"))), (0o620, 0o620));
        for name in ["", "control", "ok"] {
            assert_eq!(std::os::unix::fs::MetadataExt::gid(&at(name).metadata().unwrap()), 1, "{name}");
        }
    }
    assert_eq!(mode(&service.at("supervise/socket")), 0o660);
    let sv = |group: &str| {
        let ids =
            ["--reuid=4242", &format!("--regid={group}"), "--clear-groups", "sv", "status", "./service"];
        run(prepared("setpriv").args(ids).current_dir(service.scratch.path()))
    };
    assert_eq!(sv("1").status, 0, "{:?}", sv("1"));
    assert_eq!(sv("4242").status, 1);
    service.exit();
}

#[test]
fn without_operators_the_socket_is_for_its_owner_alone() {
    let service = Service::start(Svrun, &[("run", PUPPET), ("log/run", LOGGER)]);
    service.until_log_stat("run");
    service.connect();
    assert_eq!(mode(&service.at("supervise/socket")), 0o600);
    assert_eq!(mode(&service.at("supervise/pipe")), 0o700);
    let long = format!("{}\n", "daemon".repeat(12));
    for (operators, why) in [
        ("no-such-group\n", "unable to find group no-such-group: no such group"),
        ("", "unable to find group : no such group"),
        // To chown(2) it means "leave as it is".
        ("4294967295\n", "unable to find group 4294967295: no such group"),
        (&long, "it is too long"),
    ] {
        let bad = Service::start(Svrun, &[("run", PUPPET), ("operators", operators)]);
        bad.started(1);
        bad.connect();
        assert_eq!((mode(&bad.at("supervise")), mode(&bad.at("supervise/socket"))), (0o700, 0o600));
        let warning = format!("operators: {why}; only root and this user may control the service\n");
        assert!(bad.stderr().contains(&warning), "{warning}: {}", bad.stderr());
    }
}

#[test]
fn a_flood_of_deaths_is_bounded() {
    // Without delays, a service that ends at once: the supervisor still has an ear for its clients.
    let files = [("run", "#!/bin/sh\nexit 0\n"), ("restart-delay", "0")];
    let mut service = Service::start(Svrun, &files);
    let asked = Instant::now();
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    assert!(asked.elapsed() < DEADLINE / 2);
    service.exit();
}
