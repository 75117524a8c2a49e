//! `-s`: the state kept apart from the service directory.

use std::fs;

use super::harness::*;
use crate::needs;
use crate::support::*;

const READ_ONLY: &str = "mount --bind service service; mount -o remount,bind,ro service";

#[test]
fn a_service_directory_may_be_read_only() {
    needs!(mounts(), tool("sv"));
    let files = [("run", PUPPET), ("log/run", LOGGER), ("finish", FINISH), ("check", "#!/bin/sh\nexit 0\n")];
    let mut service = Service::prepare(Svrun, &files);
    service.keep_state_apart();
    let command = service.command_after(READ_ONLY);
    service.supervise_by(command);
    service.started(1);
    service.until_log_stat("run");
    assert!(!service.path("service/supervise").exists());
    assert!(!service.path("service/log/supervise").exists());
    // All is seen from outside too, for the state is not on what was mounted.
    let sv = |words: &[&str]| service.client("/usr/bin/sv", words);
    let status = sv(&["status", "./state"]);
    assert!(
        status.stdout.starts_with("run: ./state: (pid ") && status.stdout.contains("; run: log: (pid "),
        "{status:?}"
    );
    assert_eq!(status.stderr, "");
    assert_eq!(sv(&["-w30", "stop", "./state"]).status, 0);
    assert_eq!(service.nth(1, "finish "), "0 0");
    assert_eq!(sv(&["-w30", "start", "./state"]).status, 0);
    service.started(2);
    assert_eq!(sv(&["-w30", "stop", "./state/log"]).status, 0);
    service.until_log_stat("down");
    assert_eq!(sv(&["-w30", "start", "./state/log"]).status, 0);
    assert_eq!(sv(&["-w30", "exit", "./state"]).status, 0);
    assert_eq!(service.ended(), 0);
    service.assert_nothing_left();
    let mut names: Vec<_> = fs::read_dir(service.path("state"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["check", "down", "log", "supervise"]);
}

#[test]
fn down_and_check_of_the_service_directory_count() {
    let mut service = Service::prepare(Svrun, &[("run", PUPPET), ("down", "")]);
    service.keep_state_apart();
    service.supervise();
    service.until_flags((0, 'd', 0, 0));
    assert!(service.at("supervise/status").exists() && !service.path("service/supervise").exists());
    let status = service.client("/usr/bin/sv", &["status", "./state"]);
    assert!(
        status.stdout.starts_with("down: ./state: ") && !status.stdout.contains("normally up"),
        "{status:?}"
    );
    service.send("u");
    service.started(1);
    let check = "#!/bin/sh\necho checked >>$D/lines\nexit 1\n";
    service.write(&[("check", check)]);
    let mut sv = prepared("/usr/bin/sv");
    let sv = sv
        .args(["-w1", "check", "./state"])
        .current_dir(service.scratch.path())
        .env("D", service.scratch.path());
    assert_eq!(run(sv).status, 1);
    assert!(service.count("checked") > 0);
    service.exit();
}

#[test]
fn a_read_only_service_directory_without_s_is_fatal() {
    needs!(mounts());
    let mut service = Service::prepare(Svrun, &[("run", PUPPET)]);
    let command = service.command_after(READ_ONLY);
    service.spawn(command);
    assert_eq!(service.ended(), 111);
    let stderr = service.stderr();
    assert!(stderr.contains("fatal: unable to ") && stderr.contains("supervise"), "{stderr}");
    assert!(stderr.contains(says(nix::errno::Errno::EROFS)), "{stderr}");
    assert_eq!(service.lines().len(), 0);
}

#[test]
fn a_second_supervisor_with_the_same_state_is_refused() {
    let mut service = Service::prepare(Svrun, &[("run", PUPPET)]);
    service.keep_state_apart();
    service.supervise();
    service.started(1);
    assert_eq!(run(service.command().stdout(std::process::Stdio::piped())).status, 111);
    service.assert_supervised();
    service.exit();
}
