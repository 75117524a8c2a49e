//! svtree by the name svrun: an image has both in one file.

use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;

use nix::sys::signal::Signal::SIGTERM;

use crate::support::*;
use crate::svrun::harness::{FINISH, LOGGER, PUPPET, Service, field};

#[test]
fn it_answers_and_complains_as_svrun_does() {
    let scratch = open_directory();
    for name in ["svrun", "x-svrun", "/opt/bin/svrun", "runsv"] {
        for words in
            ["--help", "--version", "", "-p dir", "-n dir", "dir dir", "-s state", "nowhere", "-s none/x ."]
        {
            let [seen, alone] = ["svtree", "svrun"].map(|program| {
                run(link(program).arg0(name).args(words.split_whitespace()).current_dir(scratch.path()))
            });
            assert_eq!(seen, alone, "{name} {words}");
        }
    }
}

/// Replaced by itself it goes on as svrun, whatever the file is called.
#[test]
fn it_runs_a_service_becomes_the_next_program_and_ends_as_svrun() {
    let files = [("run", PUPPET), ("log/run", LOGGER), ("finish", FINISH), ("restart-delay", "0")];
    for (name, options, status) in [("svrun", &[][..], 0), ("x-svrun", &["-1"], 7)] {
        let mut service = Service::prepare(Svrun, &files);
        let install_tree = |name: &str| install(&bin().join("svtree"), &service.path(name));
        install_tree("svtree");
        symlink("svtree", service.path(name)).unwrap();
        install_tree("new");
        let mut command = service.adopt(prepared(service.path(name)));
        command.args(options).arg("service");
        service.supervise_by(command);
        let pid = service.started(1);
        std::fs::rename(service.path("new"), service.path("svtree")).unwrap();
        assert_eq!(service.connect().ask("upgrade"), "");
        // A client that connects in the instant of the change is turned away.
        service.until("an answer", || !service.ask("status").is_empty());
        assert_eq!(field(&service.ask("status"), "pid"), pid.to_string(), "{}", service.report());
        service.tell("kill -KILL $$");
        service.started(2);
        assert_eq!(service.nth(1, "finish "), "-1 9");
        service.until("the end in the log", || {
            service.text("logged").starts_with("warning: svrun: run killed by SIGKILL")
        });
        if status == 0 {
            service.signal(SIGTERM);
        } else {
            service.send("o");
            service.tell(&format!("exit {status}"));
        }
        assert_eq!(service.ended(), status, "{}", service.report());
        service.assert_nothing_left();
        assert_eq!(service.count("log start "), 1);
        assert_eq!(service.stderr(), "");
    }
}
