//! Scripts that cannot be executed, and the hints about them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use super::harness::*;
use crate::support::*;

/// What is wrong with a script, how it is made so, and what the hint says.
const WRONGS: [(&str, &str); 7] = [
    (
        r"printf '#!/bin/sh\r\nexit 0\r\n' >x",
        "its first line ends in a carriage return: its line ends are those of DOS",
    ),
    ("printf '#!/no/sh\n' >x", "the file is there: the interpreter in its first line is not"),
    ("echo exit >x", "a script needs a first line such as #!/bin/sh"),
    (": >x", "it is empty"),
    ("printf '#!/bin/sh\n' >x; chmod 644 x", "it is not executable: chmod +x"),
    ("rm x; mkdir x", "it is a directory"),
    ("rm x; ln -s nowhere x", "it is a symbolic link that leads nowhere"),
];

/// Makes of a script of the service one with something wrong.
fn spoil(service: &Service, script: &str, how: &str) {
    let (directory, name) = script.rsplit_once('/').unwrap_or((".", script));
    let words = how.replace(" x", &format!(" {name}")).replace(">x", &format!(">{name}"));
    let words = format!("mkdir -p {directory} && cd {directory} && : >{name} && chmod 755 {name} && {words}");
    assert_eq!(run_in(service.at(""), &words), prints(""));
}

/// The lines on stderr that follow one which begins so.
fn hints(service: &Service, begin: &str) -> Vec<String> {
    let text = service.stderr();
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.windows(2).filter(|two| two[0].starts_with(begin) && two[1].contains(": hint: "));
    at.map(|two| two[1].split_once(": hint: ").unwrap().1.to_owned()).collect()
}

#[test]
fn a_run_that_cannot_be_executed_is_reported_with_the_reason() {
    for (how, hint) in WRONGS {
        let mut service = Service::prepare(Svrun, &[("log/run", LOGGER)]);
        spoil(&service, "run", how);
        service.supervise();
        let begin = "svrun service: warning: unable to start ./run: ";
        service.until(how, || !hints(&service, begin).is_empty());
        assert_eq!(hints(&service, begin), [hint], "{how}");
        // The log is where people look.
        let said = format!(" ({hint}), starting again in 1 s\n");
        service.until("the log", || service.text("logged").contains("warning: svrun: run could not be "));
        assert!(service.text("logged").contains(&said), "{how}: {}", service.text("logged"));
        service.exit();
    }
}

#[test]
fn so_are_finish_the_logger_and_control_scripts() {
    for (how, hint) in WRONGS {
        let link = how.contains("ln -s"); // a finish that leads nowhere is none, and so is a control script
        let mut service = Service::prepare(Svrun, &[("run", PUPPET), ("restart-delay", "0")]);
        for script in ["finish", "log/run", "control/h"] {
            spoil(&service, script, how);
        }
        service.supervise();
        service.started(1);
        service.send("h");
        service.nth(1, "got HUP");
        service.send("t");
        service.started(2);
        let start =
            |who: &str, script: &str| format!("svrun service{who}: warning: unable to start {script}: ");
        let log = start("/log", "./run");
        service.until("the logger's", || !hints(&service, &log).is_empty());
        assert_eq!(hints(&service, &log), [hint], "{how}");
        let unless = |none: bool| if none { vec![] } else { vec![hint] };
        let finish = hints(&service, &start("", "./finish"));
        assert_eq!(finish, unless(link), "{how}");
        // A control script that is not executable is none.
        let control = hints(&service, &start("", "control/h"));
        assert_eq!(control, unless(link || how.contains("644")), "{how}");
        service.send("x");
        assert_eq!(service.ended(), 0);
    }
}

#[test]
fn a_finish_that_cannot_be_started_is_reported_once_and_again_when_it_has_changed() {
    let files = [("run", PUPPET), ("finish", ""), ("restart-delay", "0")];
    let mut service = Service::start(Svrun, &files);
    let reports = || {
        let text = service.stderr();
        text.lines()
            .filter(|line| line.contains("unable to start ./finish: "))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    for count in 1..=4 {
        service.started(count);
        service.send("t");
    }
    service.started(5);
    assert_eq!(reports().len(), 1, "{:?}", reports());
    assert!(reports()[0].ends_with(says(nix::errno::Errno::EACCES)), "{:?}", reports());
    // Another reason, and another file with the same one.
    fs::set_permissions(service.at("finish"), Permissions::from_mode(0o755)).unwrap();
    service.send("t");
    service.started(6);
    assert_eq!(reports().len(), 2, "{:?}", reports());
    assert!(reports()[1].ends_with(says(nix::errno::Errno::ENOEXEC)), "{:?}", reports());
    service.write(&[("finish", "exit\n")]);
    fs::set_permissions(service.at("finish"), Permissions::from_mode(0o755)).unwrap();
    for count in 7..=8 {
        service.send("t");
        service.started(count);
    }
    assert_eq!(reports().len(), 3, "{:?}", reports());
    service.exit();
}

#[test]
fn the_log_and_the_state_say_which_file_gave_it_up() {
    let finish = "#!/bin/sh\nexit 125\n";
    let files = [("run", PUPPET), ("log/run", LOGGER), ("finish", finish)];
    let mut service = Service::start(Svrun, &files);
    service.started(1);
    service.tell("exit 9");
    service.until_stat("down, gave up");
    service.until("the log", || service.text("logged").lines().count() == 2);
    assert_eq!(service.text("logged").lines().last(), Some("warning: svrun: finish exited 125: gave up"));
    let status = service.ask("status");
    assert_eq!((field(&status, "hold"), field(&status, "reason")), ("\"gave up\"", "\"finish\""));
    // A new supervisor knows it too.
    service.kill_supervisor();
    service.supervise();
    service.until_stat("down, gave up");
    assert_eq!(field(&service.ask("status"), "reason"), "\"finish\"");
    fs::remove_file(service.at("finish")).unwrap();
    service.write(&[("restart-max", "1")]);
    service.send("u");
    service.started(2);
    assert_eq!(field(&service.ask("status"), "reason"), "null");
    service.tell("exit 9");
    service.until_stat("down, gave up");
    assert_eq!(field(&service.ask("status"), "reason"), "\"restart-max\"");
    assert!(!service.text("logged").contains("finish exited 125: gave up\nwarning: svrun: finish"));
    service.exit();
}
