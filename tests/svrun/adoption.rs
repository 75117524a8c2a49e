//! A supervisor that is killed, and the next one.

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// Whether a finish script gets the status of an adopted service, or that of an unknown one: the kernel
/// shows it to others than the parent only once the process is reaped, which process 1 may take its time for.
fn status_or_unknown(seen: &str, status: &str) -> bool {
    seen == status || seen == "-1 0"
}

#[test]
fn the_status_of_an_adopted_service_reaches_finish() {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse().unwrap_or(0_u32));
    // PIDFD_INFO_EXIT is there since Linux 6.15.
    let known = (numbers.next(), numbers.next()) >= (Some(6), Some(15));
    for (end, status) in [("exit 7", "7 0"), ("kill -9 $$", "-1 9"), ("exit 0", "0 0")] {
        let mut service = Service::prepare(Svrun, &[("run", PUPPET), ("finish", FINISH), ("down", "")]);
        // Under a reaper that reaps at once what the first supervisor leaves behind.
        let words = service.command();
        let mut reaper = service.adopt(prepared(example("reap")));
        reaper.arg(words.get_program()).args(words.get_args());
        let mut reaper = reaper.spawn().unwrap();
        service.until("the first one", || service.alive());
        service.send("o");
        let run = service.started(1);
        send_signal(parent(run), Signal::SIGKILL);
        service.until("its end", || !service.alive());
        service.supervise();
        service.tell(end);
        assert_eq!(service.nth(1, "finish "), if known { status } else { "-1 0" });
        service.exit();
        assert!(reaper.wait().unwrap().success());
    }
}

#[test]
fn a_running_service_and_its_logger_are_adopted() {
    let mut service = Service::start(
        Svrun,
        &[("run", PUPPET), ("log/run", LOGGER), ("finish", FINISH), ("restart-delay", "0")],
    );
    let run = service.started(1);
    let log: u32 = service.nth(1, "log start ").parse().unwrap();
    service.until_log_stat("run");
    service.until_stat("run");
    let (status, log_status) = (service.status(), service.log_status_now());
    service.kill_supervisor();
    service.tell("echo meanwhile");
    service.supervise();
    assert_eq!((service.status(), service.log_status_now()), (status, log_status));
    service.send("1");
    service.nth(1, "got USR1");
    service.tell("echo later");
    service.until("the log", || service.text("logged") == "meanwhile\nlater\n");
    // Its status reaches finish.
    service.tell("exit 7");
    let second = service.started(2);
    assert_ne!(second, run);
    assert!(status_or_unknown(&service.nth(1, "finish "), "7 0"), "{:?}", service.lines());
    // The logger is the same; it is started again when it dies.
    assert_eq!(service.count("log start "), 1);
    send_signal(log, Signal::SIGKILL);
    service.nth(2, "log start ");
    service.kill_supervisor();
    service.supervise();
    service.exit();
    assert_eq!((service.count("start "), service.count("log start ")), (2, 2));
}

#[test]
fn a_service_whose_state_was_removed_and_made_anew_is_adopted() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("restart-delay", "0")]);
    service.started(1);
    service.rest();
    fs::remove_dir_all(service.at("supervise")).unwrap();
    service.tell("exit 3");
    let run = service.started(2);
    service.until("the new state", || service.status_now().is_some_and(|status| status.pid == run));
    service.kill_supervisor();
    service.supervise();
    assert_eq!(service.status().pid, run);
    service.exit();
    assert_eq!(service.count("start "), 2);
}

#[test]
fn d_and_x_stop_an_adopted_service() {
    for byte in ["d", "x", "k", "t"] {
        let files = [("run", PUPPET), ("log/run", LOGGER), ("finish", FINISH), ("restart-delay", "0")];
        let mut service = Service::start(Svrun, &files);
        service.started(1);
        service.until_log_stat("run");
        service.until_stat("run");
        service.kill_supervisor();
        service.supervise();
        service.send(byte);
        match byte {
            "d" => drop(service.until_flags((0, 'd', 0, 0))),
            "x" => assert_eq!(service.ended(), 0),
            _ => drop(service.started(2)),
        }
        let finish = service.nth(1, "finish ");
        assert!(status_or_unknown(&finish, if byte == "k" { "-1 9" } else { "0 0" }), "{byte}: {finish}");
        if byte != "x" {
            service.exit();
        }
        service.assert_nothing_left();
    }
}

#[test]
fn flags_and_wants_are_as_before() {
    let mut service = Service::start(Svrun, &[("run", STUBBORN), ("finish", FINISH)]);
    service.started(1);
    for (bytes, flags) in
        [("p", (1, 'u', 0, 1)), ("c", (0, 'u', 0, 1)), ("o", (0, 'd', 0, 1)), ("d", (0, 'd', 1, 1))]
    {
        service.send(bytes);
        let before = service.until_flags(flags);
        service.kill_supervisor();
        service.supervise();
        assert_eq!(service.status(), before, "{bytes}");
    }
    // It is being stopped, and is down when it has ended.
    service.tell("exit 0");
    service.until_flags((0, 'd', 0, 0));
    assert_eq!(service.count("finish "), 1);
    service.exit();
    assert_eq!(service.count("start "), 1);
}

#[test]
fn a_killed_supervisor_that_was_to_exit_is_followed_by_one_that_stops_the_service_and_runs_it() {
    for short in [true, false] {
        let files = [("run", STUBBORN), ("log/run", LOGGER), ("finish", FINISH)];
        let mut service = Service::start(Svrun, &files);
        service.started(1);
        service.until_log_stat("run");
        if !short {
            let start = service.status().time();
            service
                .until("it has run for more than a second", || now() > start + Duration::from_millis(1100));
        }
        service.send("x");
        service.until_stat("run, got TERM, want exit");
        service.kill_supervisor();
        service.supervise();
        // Whoever has started it wants the service to run: the stop is carried out, the exit is over.
        service.until_stat("run, got TERM");
        service.nth(1, "got TERM");
        service.tell("exit 0");
        service.started(2);
        assert_eq!((service.count("start "), service.count("finish ")), (2, 1), "{short}");
        service.send("x");
        service.nth(2, "got TERM");
        service.tell("exit 0");
        assert_eq!(service.ended(), 0);
        service.assert_nothing_left();
    }
}

#[test]
fn of_a_service_that_is_normally_down_nothing_says_that_its_former_supervisor_was_to_exit() {
    let mut service = Service::start(Svrun, &[("run", STUBBORN), ("down", "")]);
    service.connect().ask("up");
    service.started(1);
    service.send("x");
    service.until_stat("run, got TERM, want exit");
    service.kill_supervisor();
    service.supervise();
    // What is wanted of it has the same byte in `status` as before.
    service.until_stat("run, got TERM, want down");
    service.tell("exit 0");
    service.until_stat("down");
    service.exit();
}

#[test]
fn a_service_that_died_meanwhile_has_its_finish() {
    let files = [("run", PUPPET), ("log/run", LOGGER), ("finish", FINISH), ("restart-delay", "0")];
    let mut service = Service::start(Svrun, &files);
    let run = service.started(1);
    service.until_log_stat("run");
    service.until_stat("run");
    service.kill_supervisor();
    service.tell("exit 7");
    service.until("it has ended", || !lives(run));
    service.supervise();
    service.started(2);
    let finish = service.nth(1, "finish ");
    assert!(finish == "-1 0" || finish == "7 0", "{finish}");
    service.exit();
    assert_eq!(service.count("finish "), 2);
}

#[test]
fn a_logger_that_died_meanwhile_is_started() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("log/run", LOGGER)]);
    let run = service.started(1);
    let log: u32 = service.nth(1, "log start ").parse().unwrap();
    service.until_log_stat("run");
    service.until("the logger", || cmdline(log) == "cat");
    // What nobody has read stays in the pipe as long as the service has it open.
    send_signal(log, Signal::SIGSTOP);
    service.until("it reads nothing", || state(log) == Some('T'));
    service.tell("echo said; echo said >>$D/lines");
    service.nth(1, "said");
    service.kill_supervisor();
    send_signal(log, Signal::SIGKILL);
    service.until("it has ended", || !lives(log));
    // It must not write now, when nobody is there who could read, or has to ignore SIGPIPE and say it again.
    service.tell("trap '' PIPE; echo lost 2>/dev/null || echo refused >>$D/lines");
    service.nth(1, "refused");
    service.supervise();
    service.nth(2, "log start ");
    service.until("the line", || service.text("logged") == "said\n");
    assert_eq!(service.status().pid, run);
    service.exit();
}

#[test]
fn a_finish_that_runs_is_adopted() {
    let mut service =
        Service::start(Svrun, &[("run", PUPPET), ("finish", SLOW_FINISH), ("restart-delay", "0")]);
    service.started(1);
    service.tell("exit 5");
    let finish: u32 = service.nth(1, "finish waits ").parse().unwrap();
    let status = service.until_flags((0, 'u', 0, 2));
    assert_eq!(status.pid, finish);
    service.kill_supervisor();
    service.supervise();
    assert_eq!(service.status(), status);
    service.send("1");
    service.nth(1, "finish got USR1");
    service.tell_finish("exit 0");
    service.started(2);
    assert_eq!(service.count("finish waits"), 1);
    // And one that ends meanwhile is not run again.
    service.tell("exit 5");
    let finish: u32 = service.nth(2, "finish waits ").parse().unwrap();
    service.until_flags((0, 'u', 0, 2));
    service.kill_supervisor();
    service.tell_finish("exit 0");
    service.until("it has ended", || !lives(finish));
    service.supervise();
    service.started(3);
    assert_eq!(service.count("finish waits"), 2);
}

#[test]
fn a_supervisor_that_is_killed_while_it_waits_is_followed_by_one_that_starts_or_waits() {
    // Whether the rest of the wait is kept or the service started at once: it is there once.
    let mut service =
        Service::start(Svrun, &[("run", PUPPET), ("finish", FINISH), ("restart-delay", "1000")]);
    service.started(1);
    service.tell("exit 5");
    service.until_stat("down, backing off");
    service.kill_supervisor();
    service.supervise();
    service.send("u");
    service.started(2);
    service.send("1");
    service.nth(1, "got USR1");
    assert_eq!(service.count("finish "), 1);
    service.exit();
    assert_eq!(service.count("start "), 2);
}

#[test]
fn a_service_that_is_down_stays_down() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("log/run", LOGGER)]);
    service.started(1);
    service.until_log_stat("run");
    service.send("d");
    let down = service.until_flags((0, 'd', 0, 0));
    service.kill_supervisor();
    service.supervise();
    // As runsv starts a service that is not normally down.
    let status = service.status();
    if status.want == 'd' {
        assert_eq!(status, down);
    } else {
        service.started(2);
    }
    // The logger was alone with its pipe and is started again, unless it is adopted before it has seen that.
    service.until_log_stat("run");
    assert!(matches!(service.count("log start "), 1 | 2));
    service.exit();
}

#[test]
fn a_supervisor_that_is_killed_while_the_start_is_prepared_leaves_one_service() {
    let hangs = "#!/bin/sh\necho $0 $$ >>$D/lines\nexec 3<>$D/tell-finish\nuntil read -r words <&3 && [ \"$words\" ]; do :; done\n";
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("control/u", hangs)]);
    service.nth(1, "control/u ");
    service.kill_supervisor();
    service.spawn(service.command());
    service.until("an answer", || service.alive());
    // Both read here, byte by byte: a line may be torn between them.
    service.until("the service", || {
        service.tell_finish(":");
        service.count("start ") == 1
    });
    service.send("1");
    service.nth(1, "got USR1");
    assert_eq!(service.count("start "), 1);
}

#[test]
fn readiness_is_kept_and_comes_through() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("notification-fd", "7")]);
    service.started(1);
    service.until_stat("run");
    service.kill_supervisor();
    // Nobody can read it now, and it gets an error.
    service.tell("trap '' PIPE; echo ready >&7 2>/dev/null || echo refused >>$D/lines");
    service.nth(1, "refused");
    service.supervise();
    service.tell("echo ready >&7");
    assert_eq!(field(&service.ask("wait ready 30"), "ok"), "true");
    assert!(service.at("supervise/ready").exists());
    service.kill_supervisor();
    service.supervise();
    assert_eq!(field(&service.ask("status"), "ready"), "true");
    service.exit();
    assert!(!service.at("supervise/ready").exists());
}

#[test]
fn records_that_others_may_write_are_not_obeyed() {
    let mut service = Service::start(Svrun, &[("run", SLEEPER)]);
    let run = service.started(1);
    service.until_stat("run");
    service.kill_supervisor();
    assert_eq!(run_in(service.at("supervise"), "chmod -R go+w record"), prints(""));
    service.spawn(service.command());
    // Not taken over, and nothing is started beside it while it lives.
    assert_eq!(service.ended(), 111);
    assert!(service.stderr().contains("others may write"), "{}", service.stderr());
    assert!(lives(run));
    assert_eq!(service.count("start "), 1);
    send_signal(run, Signal::SIGKILL);
    service.until("it has ended", || !lives(run));
    service.supervise();
    service.started(2);
    service.exit();
}

/// The supervisor, with the first call of this kind that names one of these files made to fail.
fn failing(service: &Service, files: &[&str], call: &str, errno: &str) -> std::process::Command {
    let words = service.command();
    let mut command = service.adopt(prepared("strace"));
    command.args(["-o", "/dev/null", "-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:error={errno}:when=1")]);
    command.args(files.iter().flat_map(|file| ["-P", file]));
    command.arg("--").arg(words.get_program()).args(words.get_args());
    command
}

#[test]
fn a_record_that_cannot_be_opened_or_read_is_not_taken_for_none() {
    needs!(tool("strace"));
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("finish", FINISH), ("log/run", LOGGER)]);
    let run = service.started(1);
    service.until_stat("run");
    service.until_log_stat("run");
    service.kill_supervisor();
    for (files, call) in [
        (&["record"][..], "openat"),
        (&["record", "service/supervise/record"], "pread64"),
        (&["/proc/sys/kernel/random/boot_id"], "openat"),
        (&["log"], "openat"),
        (&["/proc/self/ns/pid", "ns/pid"], "?newfstatat,?fstatat64,?statx"),
    ] {
        for errno in ["EMFILE", "ENFILE", "EIO", "ENOMEM", "EINTR"] {
            service.spawn(failing(&service, files, call, errno));
            assert_eq!(service.ended(), 111, "{call} {files:?} {errno}: {}", service.stderr());
            assert!(lives(run), "{call} {errno}");
        }
    }
    assert_eq!((service.count("start "), service.count("log start ")), (1, 1), "no second copy");
    // Nor is what is due forgotten.
    service.tell("exit 3");
    service.until("it has ended", || !lives(run));
    for errno in ["EMFILE", "EIO"] {
        service.spawn(failing(&service, &["record"], "openat", errno));
        assert_eq!(service.ended(), 111, "{errno}: {}", service.stderr());
    }
    assert_eq!(service.count("finish "), 0);
    service.supervise();
    service.started(2);
    assert_eq!(service.count("finish "), 1);
    service.exit();
}

#[test]
fn too_few_files_at_the_start_make_no_second_copy() {
    let mut service = Service::start(Svrun, &[("run", SLEEPER), ("log/run", LOGGER)]);
    let run = service.started(1);
    service.until_stat("run");
    service.until_log_stat("run");
    service.kill_supervisor();
    let svrun = bin().join("svrun");
    for files in 3..24 {
        let mut command = service.adopt(sh(r#"ulimit -n $0; exec "$@""#));
        service.spawn({
            command.arg(files.to_string()).arg(&svrun).arg("service");
            command
        });
        // It has refused, or has adopted what it could and goes on.
        let supervisor = service.supervisor();
        service.until("an end or an answer", || service.alive() || !lives(supervisor));
        if lives(supervisor) {
            service.kill_supervisor();
        } else {
            let status = service.ended();
            assert!(status == 111 || files < 6, "{files}: {status}"); // the loader needs some, where there is one
        }
        assert!(lives(run));
        assert_eq!(service.count("start "), 1, "{files}: no second copy");
    }
    service.supervise();
    assert_eq!(service.status().pid, run);
    service.exit();
}

#[test]
fn a_record_on_a_file_system_that_became_read_only_is_obeyed() {
    needs!(mounts());
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("finish", FINISH)]);
    let run = service.started(1);
    service.until_stat("run");
    service.kill_supervisor();
    let command = service.command_after("mount --bind service service; mount -o remount,bind,ro service");
    service.spawn(command);
    service.until("a warning", || service.stderr().contains(says(nix::errno::Errno::EROFS)));
    service.signal(Signal::SIGTERM);
    assert_eq!(service.ended(), 0);
    assert!(!lives(run), "it was adopted, and stopped");
    assert_eq!((service.count("start "), service.count("finish ")), (1, 1));
}

/// The address of its notification socket, as the service has it.
fn notify_address(run: u32) -> String {
    let environ = fs::read_to_string(format!("/proc/{run}/environ")).unwrap();
    environ.split('\0').find_map(|entry| entry.strip_prefix("NOTIFY_SOCKET=@")).unwrap().to_owned()
}

/// Binds the address, which /proc/net/unix shows to everybody.
fn impostor(address: &str) -> std::io::Result<UnixDatagram> {
    UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(address)?)
}

/// A thread that binds an address again and again, until it is dropped.
struct Attack(Arc<AtomicBool>, Option<JoinHandle<usize>>);

impl Attack {
    fn start(address: &str) -> Self {
        let (over, address) = (Arc::new(AtomicBool::new(false)), address.to_owned());
        let flag = over.clone();
        let attack = move || {
            let mut taken = 0;
            while !flag.load(Ordering::Relaxed) {
                taken += usize::from(impostor(&address).is_ok());
                std::thread::yield_now();
            }
            taken
        };
        Self(over, Some(std::thread::spawn(attack)))
    }

    /// How often the address was to be had.
    fn end(mut self) -> usize {
        self.0.store(true, Ordering::Relaxed);
        self.1.take().unwrap().join().unwrap()
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn the_notification_socket_lives_across_an_upgrade() {
    for options in [&[][..], &["-k"]] {
        let mut service = Service::prepare(Svrun, &[("run", PUPPET), ("sd-notify", "")]);
        service.set_options(options);
        service.supervise();
        let run = service.started(1);
        let address = notify_address(run);
        let attack = Attack::start(&address);
        for _ in 0..10 {
            assert_eq!(service.ask("upgrade"), "");
            // A client that connects in the instant of the change is turned away.
            service.until("an answer", || {
                let mut client = service.connect();
                client.say("status\n").is_ok() && !client.line().is_empty()
            });
        }
        assert_eq!(attack.end(), 0, "the name was free");
        let announce = example("announce").display().to_string();
        service.tell(&format!("{announce} READY=1 && echo done >>$D/lines"));
        service.nth(1, "done");
        assert_eq!(field(&service.ask("status"), "ready"), "true");
        // It is the supervisor's alone.
        service.tell("exit 0");
        let second = service.started(2);
        assert_eq!(notify_address(second), address);
        let open = fs::read_dir(format!("/proc/{second}/fd")).unwrap().flatten();
        let sockets = open.filter_map(|fd| fs::read_link(fd.path()).ok());
        assert_eq!(sockets.filter(|to| to.to_string_lossy().starts_with("socket:")).count(), 0);
        assert_eq!(service.stderr(), "");
        service.exit();
    }
}

#[test]
fn a_failed_upgrade_leaves_everything_as_it_was() {
    let mut service = Service::prepare(Svrun, &[("run", PUPPET), ("sd-notify", "")]);
    let program = service.path("svrun");
    install(&bin().join("svrun"), &program);
    let mut command = service.adopt(prepared(&program));
    command.arg("service");
    service.supervise_by(command);
    service.started(1);
    fs::remove_file(&program).unwrap();
    let fds = || {
        let fd = |fd: fs::DirEntry| (fd.file_name(), fs::read_link(fd.path()).unwrap_or_default());
        let mut all: Vec<_> =
            fs::read_dir(format!("/proc/{}/fd", service.supervisor())).unwrap().flatten().map(fd).collect();
        all.sort();
        all
    };
    let mut client = service.connect();
    assert_eq!(field(&client.ask("status"), "ready"), "false");
    let before = fds();
    assert_eq!(field(&client.ask("upgrade"), "ok"), "false");
    // What it has opened to find out may be closed after the answer.
    service.until("its files as before", || fds() == before);
    service.tell(&format!("{} READY=1 && echo done >>$D/lines", example("announce").display()));
    service.nth(1, "done");
    assert_eq!(field(&client.ask("status"), "ready"), "true");
    drop(client);
    service.exit();
}

#[test]
fn a_notification_name_that_another_has_taken_is_replaced_at_the_next_start() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("sd-notify", ""), ("restart-delay", "0")]);
    let run = service.started(1);
    let address = notify_address(run);
    service.kill_supervisor();
    // In the time without a supervisor anybody can take it.
    let impostor = impostor(&address).unwrap();
    service.supervise();
    assert_eq!(service.status().pid, run);
    service.until("a warning", || service.stderr().contains("notification socket"));
    let announce = example("announce").display().to_string();
    service.tell(&format!("{announce} READY=1 & echo done >>$D/lines"));
    service.nth(1, "done");
    impostor.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut message = [0; 64];
    let count = uninterrupted(|| impostor.recv(&mut message)).unwrap();
    assert_eq!(&message[..count], b"READY=1", "what is sent there is lost");
    assert_eq!(field(&service.ask("status"), "ready"), "false");
    service.tell("exit 0");
    let second = service.started(2);
    assert_ne!(notify_address(second), address);
    service.tell(&format!("{announce} READY=1 && echo done >>$D/lines"));
    service.nth(2, "done");
    assert_eq!(field(&service.ask("status"), "ready"), "true");
    drop(impostor);
    service.exit();
}

#[test]
fn upgrade_executes_the_program_that_is_there_now() {
    let mut service = Service::prepare(
        Svrun,
        &[("run", PUPPET), ("log/run", LOGGER), ("finish", FINISH), ("restart-delay", "0")],
    );
    let program = service.path("svrun");
    install(&bin().join("svrun"), &program);
    let mut command = service.adopt(prepared(&program));
    command.arg("service");
    service.supervise_by(command);
    service.started(1);
    service.until_log_stat("run");
    service.until_stat("run");
    let status = service.status();
    let exe = || fs::metadata(format!("/proc/{}/exe", service.supervisor()));
    let inode = |metadata: fs::Metadata| std::os::unix::fs::MetadataExt::ino(&metadata);
    let before = inode(exe().unwrap());
    install(&bin().join("svrun"), &service.path("new"));
    fs::rename(service.path("new"), &program).unwrap();
    assert_eq!(service.connect().ask("upgrade"), "");
    service.until("the new program", || exe().is_ok_and(|exe| inode(exe) != before));
    // A client that connects in the instant of the change is turned away.
    service.until("an answer", || !service.ask("status").is_empty());
    service.send("1");
    service.nth(1, "got USR1");
    assert_eq!(service.status(), status);
    service.tell("echo said; exit 7");
    service.started(2);
    assert_eq!(service.nth(1, "finish "), "7 0"); // its child as before
    service.until("the log", || service.text("logged").starts_with("said\n"));
    service.exit();
    assert_eq!((service.count("start "), service.count("log start ")), (2, 1));
    // The program is gone: that is said, and all goes on.
    let mut command = service.adopt(prepared(&program));
    command.arg("service");
    service.supervise_by(command);
    service.started(3);
    fs::remove_file(&program).unwrap();
    let answer = service.ask("upgrade");
    assert_eq!(field(&answer, "ok"), "false", "{answer}");
    service.send("2");
    service.nth(1, "got USR2");
    service.exit();
}

#[test]
fn a_copy_of_a_living_service_is_another_one_and_a_renamed_one_is_the_same() {
    let mut service = Service::start(Svrun, &[("run", SLEEPER), ("log/run", LOGGER)]);
    let original = service.started(1);
    let copy = |from: &str, to: &str| {
        assert_eq!(run_in(service.scratch.path(), &format!("cp -r {from} {to}")), prints(""));
    };
    service.until_stat("run");
    service.until_log_stat("run");
    service.rest();
    copy("service", "copy");
    let spawn = |directory: &str| service.adopt(link("svrun")).arg(directory).spawn().unwrap();
    let mut other = spawn("copy");
    let copied: u32 = service.nth(2, "start ").parse().unwrap();
    assert!(lives(original) && lives(copied) && copied != original);
    // Nor is one the same that was made while nobody was there, as of a backup.
    other.kill().unwrap();
    other.wait().unwrap();
    copy("copy", "backup");
    let mut backup = spawn("backup");
    service.nth(3, "start ");
    service.kill_supervisor();
    assert_eq!(run_in(service.scratch.path(), "mv service old; mv copy service"), prints(""));
    service.supervise();
    service.until_status("the copy", |status| status.pid == copied);
    let mut old = service.adopt(link("svrun")).arg("old").spawn().unwrap();
    let pid = || text(&service.path("old/supervise/pid"));
    service.until("the original", || {
        pid() == format!("{original}\n") && opens(&service.path("old/supervise/ok"))
    });
    service.nth(3, "log start ");
    assert_eq!((service.count("start "), service.count("log start ")), (3, 3));
    for supervisor in [&mut old, &mut backup] {
        send_signal(supervisor.id(), Signal::SIGTERM);
        assert_eq!(status_of(supervisor), Some(0));
    }
    assert_eq!(service.stderr(), "");
    service.exit();
}

#[test]
fn no_line_is_lost_or_doubled_and_nothing_runs_twice_over_200_kills() {
    const KILLS: usize = 200;
    const SERVICES: usize = 4;
    let count = &example("count").display().to_string();
    let test = |seed: usize| {
        let run = format!("#!/bin/sh\necho start $$ >>$D/lines\nexec {count}\n");
        let files = [
            ("run", &*run),
            ("log/run", LOGGER),
            ("finish", FINISH),
            ("restart-delay", "0"),
            ("restart-reset", "0"),
        ];
        let mut service = Service::start(Svrun, &files);
        let mut random = Random::new(seed as u64 + 11);
        for kill in 0..KILLS / SERVICES {
            // Something happens, and then the supervisor is killed at any point of it.
            match random.below(6) {
                0 => service.send("k"),
                1 => service.send("t"),
                2 => service.send("du"),
                3 => service.send("pc"),
                _ => {}
            }
            let moment = Instant::now();
            let pause = u128::try_from(random.below(4000)).unwrap();
            while moment.elapsed().as_micros() < pause {
                std::hint::spin_loop();
            }
            service.kill_supervisor();
            service.supervise();
            let copies = |name: &str| {
                let own = service.processes();
                own.iter().filter(|pid| cmdline(**pid).starts_with(name)).count()
            };
            assert!(copies(count) <= 1, "kill {kill} of {seed}");
            assert!(copies("cat") <= 1, "kill {kill} of {seed}");
            if random.below(4) == 0 {
                service.send("u");
                service.until_status("it runs", |status| {
                    status.state == 1
                        && status.want == 'u'
                        && cmdline(status.pid) == *count
                        && copies(count) == 1
                });
            }
        }
        service.send("u");
        service.until_status("it runs", |status| status.state == 1 && lives(status.pid));
        // A logger that had nobody to read from has come to its end, and waits for its next start.
        service.until("the log", || !service.text("logged").is_empty());
        service.exit();
        assert_counted(&service.text("logged"), "svrun", &format!("service {seed}"));
    };
    std::thread::scope(|scope| {
        for seed in 0..SERVICES {
            scope.spawn(move || test(seed));
        }
    });
}
