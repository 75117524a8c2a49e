//! A supervisor with a logger of ours beside the service: what neither of the two shows alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use crate::needs;
use crate::sissylog::harness::{Kind, MOUNT, Syslogd};
use crate::support::*;
use crate::svlog::harness::archives;
use crate::svrun::harness::{PUPPET, Service};

both!(svrun; a_logger_knows_the_pid_of_its_service);

fn a_logger_knows_the_pid_of_its_service(of: Program) {
    needs!(mounts());
    let logger = "#!/bin/sh\nexec \"$B/sissylog\" -p web local0\n";
    let mut service = Service::prepare(of, &[("run", PUPPET), ("log/run", logger)]);
    // The socket is in the service's directory, which the test sees where it is.
    let directory = service.scratch.path().to_owned();
    assert_eq!(run_in(&directory, "mkdir dev; >dev/null"), prints(""));
    let mut syslogd = Syslogd::start(directory.join("dev/log"), Kind::Datagrams);
    let mut command = service.command_after(MOUNT);
    command.env("B", bin());
    service.supervise_by(command);
    for count in 1..=3 {
        let pid = service.started(count);
        service.tell("echo 'warn: hello'; echo there");
        for (level, text) in [(4, "warn: hello"), (6, "there")] {
            let message = syslogd.next();
            let found = (message.facility, message.level, &*message.ident, &*message.text);
            assert_eq!(found, (16, level, &*format!("web[{pid}]: "), text));
        }
        service.tell("exit 0");
    }
    service.started(4);
    service.exit();
}

/// A service whose logger is svlog, restarted in the middle of a line.
fn restarted_in_a_line(of: Program, account: &str) {
    let run = format!("#!/bin/sh\necho logger $$ >>$D/lines\nexec {account} $D/svlog $D/log\n");
    let service = Service::prepare(of, &[("run", PUPPET), ("log/run", &run)]);
    install(&bin().join("svlog"), &service.path("svlog"));
    fs::create_dir(service.path("log")).unwrap();
    fs::set_permissions(service.path("log"), PermissionsExt::from_mode(0o777)).unwrap();
    let mut service = service;
    service.supervise();
    service.started(1);
    service.nth(1, "logger ");
    service.tell("printf 'one\\ntw'");
    service.until("the first line", || service.text("log/current") == "one\n");
    service.send_log("t");
    service.nth(2, "logger ");
    service.tell("echo o; echo three");
    service.until("the last line", || service.text("log/current").ends_with("three\n"));
    assert_eq!(service.text("log/current"), "one\ntwo\nthree\n", "{}", service.stderr());
    service.exit();
    assert_eq!(service.text("log/current"), "one\ntwo\nthree\n");
}

#[test]
fn under_a_supervisor_no_line_is_cut_by_a_restart() {
    needs!(Runsv.there());
    for of in [Runsv, Svrun] {
        restarted_in_a_line(of, "");
    }
}

#[test]
fn under_a_supervisor_no_line_is_cut_by_a_restart_of_a_logger_with_an_account() {
    // The pipe is root's, and may not be opened by another account.
    needs!(root(), Runsv.there());
    for of in [Runsv, Svrun] {
        restarted_in_a_line(of, "$B/setuidgid nobody");
    }
}

#[test]
fn kills_under_the_supervisor_lose_and_double_nothing() {
    needs!(tool("seq"));
    let run = "#!/bin/sh\nexec seq 1 100000000\n";
    let svlog = link("svlog").get_program().to_str().unwrap().to_owned();
    let log = format!("#!/bin/sh\nmkdir -p main && echo n0 >main/config && exec {svlog} ./main\n");
    let mut service = Service::start(Svrun, &[("run", run), ("log/run", &log)]);
    let main = service.at("log/main");
    let mut killed = 0;
    for _ in 0..4 {
        // The logger, not the shell that becomes it.
        let logger = || service.log_status_now().map_or(0, |status| status.pid);
        let ready = || files_of(logger()).iter().any(|file| file.ends_with("/current"));
        service.until("another logger", || logger() != killed && ready());
        killed = logger();
        send_signal(killed, Signal::SIGKILL);
    }
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    service.exit(); // the log is read to its end
    let archives = archives(&main).into_iter().chain(["current".into()]);
    let all: String = archives.map(|name| text(&main.join(name))).collect();
    let wrong = all.lines().zip(1u64..).find(|(line, number)| *line != number.to_string());
    let count = all.lines().count();
    let last = all.lines().next_back().unwrap();
    // TERM has come to the writer in the middle of its last line.
    let right =
        wrong.is_none_or(|(line, number)| number == count as u64 && number.to_string().starts_with(line));
    assert!(right, "{wrong:?} of {count}, {last}");
}
