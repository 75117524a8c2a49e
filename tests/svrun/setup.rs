//! What the supervisor's children start with.

use std::fs;

use super::service::*;
use crate::needs;
use crate::support::*;

both!(
    children_have_the_state_that_the_supervisor_was_started_with,
    children_are_in_the_session_and_the_process_group_of_the_supervisor,
    run_gets_one_word,
    stdin_and_stderr_are_the_supervisors,
);

/// All files of a service and its logger, each of which notes the state of its process in a file.
fn noting() -> Vec<(&'static str, String)> {
    let note = |name: &str, then: &str| {
        let state = example("state").display().to_string();
        format!("#!/bin/sh\n{state} >$D/{name}.new\nmv $D/{name}.new $D/state-{name}\n{then}\n")
    };
    vec![
        ("run", note("run", "exec sleep 1000000")),
        ("finish", note("finish", "")),
        ("control/h", note("control", "exit 0")),
        ("log/run", note("log", "exec cat")),
    ]
}

/// Waits for the state that was noted under this name, without its folder and its fds.
fn noted(service: &Service, name: &str) -> String {
    let own = ["cwd ", "fd ", "env PWD=", "env OLDPWD=", "env _="];
    let file = format!("state-{name}");
    service.until(name, || service.path(&file).exists());
    let text = service.text(&file);
    let lines = text.lines().filter(|line| !own.iter().any(|start| line.starts_with(start)));
    lines.map(|line| format!("{line}\n")).collect()
}

fn children_have_the_state_that_the_supervisor_was_started_with(of: Program) {
    let files = noting();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, &**text)).collect();
    let mut service = Service::prepare(of, &files);
    let prefix =
        "umask 027; ulimit -Sn 77; ulimit -Sc 0; export ODD='a=b\n\u{1}' EMPTY=; exec nice -n 3 \"$@\"";
    // The state of a script that is started right here.
    let mut control = service.adopt(sh(prefix));
    let mut control = control.arg("sh").arg("./run").current_dir(service.at("")).spawn().unwrap();
    let expected = noted(&service, "run");
    control.kill().unwrap();
    control.wait().unwrap();
    assert!(expected.contains("umask 027\n") && expected.contains("env EMPTY=\n"), "{expected}");
    fs::remove_file(service.path("state-run")).unwrap();
    let words = service.command();
    let mut command = service.adopt(sh(prefix));
    command.arg("sh").arg(words.get_program()).args(words.get_args());
    service.supervise_by(command);
    for name in ["run", "log", "control", "finish"] {
        match name {
            "control" => service.send("h"),
            "finish" => service.exit(),
            _ => {}
        }
        assert_eq!(differences(&expected, &noted(&service, name)), "", "{name}");
    }
}

fn children_are_in_the_session_and_the_process_group_of_the_supervisor(of: Program) {
    let mut service = Service::prepare(of, &[("run", SLEEPER), ("log/run", LOGGER)]);
    needs!(tool("setsid"));
    let words = service.command();
    let mut command = service.adopt(prepared("setsid"));
    command.arg(words.get_program()).args(words.get_args());
    service.supervise_by(command);
    let run = service.started(1);
    service.until_log_stat("run");
    let log = service.log_status_now().unwrap().pid;
    let fields = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ').skip(1).take(3);
        fields.map(|field| field.parse::<u32>().unwrap()).collect::<Vec<_>>()
    };
    let supervisor = fields(run)[0];
    assert_eq!(fields(log)[0], supervisor);
    let own = fields(supervisor);
    assert_eq!(fields(run)[1..], own[1..]);
    assert_eq!(fields(log)[1..], own[1..]);
}

fn run_gets_one_word(of: Program) {
    let notes = "#!/bin/sh\necho \"$(tr '\\0' , </proc/$$/cmdline)\" >>$D/lines\n";
    let run = format!("{notes}exec sleep 1000000\n");
    let log = format!("{}exec cat\n", notes.replace("echo ", "echo log "));
    let mut service = Service::start(of, &[("run", &run), ("log/run", &log), ("finish", notes)]);
    assert_eq!(service.nth(1, "/bin/sh,./run,"), "");
    assert_eq!(service.nth(1, "log /bin/sh,./run,"), "");
    service.exit();
    assert_eq!(service.nth(1, "/bin/sh,./finish,-1,15,"), "");
}

fn stdin_and_stderr_are_the_supervisors(of: Program) {
    let run = "#!/bin/sh\nread -r line; echo run read $line >>$D/lines; echo loud >&2; exec sleep 1000000\n";
    let log = "#!/bin/sh\necho quiet; echo loud log >&2; exec cat\n";
    let mut service = Service::prepare(of, &[("run", run), ("log/run", log)]);
    fs::write(service.path("input"), "first\nsecond\n").unwrap();
    let mut command = service.command();
    command.stdin(fs::File::open(service.path("input")).unwrap());
    service.supervise_by(command);
    assert_eq!(service.nth(1, "run read "), "first");
    service
        .until("stderr", || service.stderr().contains("loud\n") && service.stderr().contains("loud log\n"));
    service.until("stdout", || service.text("stdout") == "quiet\n");
    service.exit();
}
