//! The state that the supervisor's children start with.

use std::fs;

use super::harness::*;
use crate::support::*;

both!(svrun;
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

/// Waits for the state that was noted under this name, without its directory, its fds and its process
/// group.
fn noted(service: &Service, name: &str) -> String {
    let own = ["cwd ", "directory ", "fd ", "group ", "env PWD=", "env OLDPWD=", "env _="];
    let file = format!("state-{name}");
    service.until(name, || service.path(&file).exists());
    let text = service.text(&file);
    let lines = text.lines().filter(|line| !own.iter().any(|start| line.starts_with(start)));
    lines.fold(String::new(), |text, line| text + line + "\n")
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
    let mut expected = noted(&service, "run");
    if matches!(of, Svrun) {
        // Ours resets what is ignored, which is one where glibc's posix_spawn was at work.
        let reset = |line: &str| {
            if line.starts_with("SigIgn") { "SigIgn 0000000000000000\n".into() } else { format!("{line}\n") }
        };
        expected = expected.lines().map(reset).collect::<Vec<_>>().concat();
    }
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
    let service = Service::start(of, &[("run", SLEEPER), ("log/run", LOGGER)]);
    let run = service.started(1);
    service.until_log_stat("run");
    let log = service.log_status_now().unwrap().pid;
    let fields = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ').skip(1).take(3);
        fields.map(|field| field.parse::<u32>().unwrap()).collect::<Vec<_>>()
    };
    let supervisor = service.supervisor();
    assert_eq!((fields(run)[0], fields(log)[0]), (supervisor, supervisor));
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

/// The fds of a process from 3 up.
fn fds(pid: u32) -> Vec<u32> {
    let all = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let numbers = all.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap());
    let mut fds: Vec<u32> = numbers.filter(|fd| *fd > 2).collect();
    fds.sort_unstable();
    fds
}

/// Starts ours with options, fds 5 and 9, and the state that `prefix` makes.
fn with(options: &[&str], prefix: &str) -> Service {
    let mut service = Service::prepare(Svrun, &[("run", SLEEPER), ("log/run", LOGGER)]);
    service.set_options(options);
    let words = service.command();
    let mut command = service.adopt(sh(&format!("exec 5</dev/null 9>>$D/lines; exec {prefix} \"$@\"")));
    command.arg("sh").arg(words.get_program()).args(words.get_args());
    service.supervise_by(command);
    let log: u32 = service.nth(1, "log start ").parse().unwrap();
    let run = service.started(1);
    service.until_log_stat("run");
    service.until("the programs", || cmdline(run) == "sleep 1000000" && cmdline(log) == "cat");
    service
}

#[test]
fn inherited_descriptors_are_not_handed_on() {
    let mut service = with(&[], "");
    let pids = [service.status().pid, service.log_status_now().unwrap().pid];
    // While it is loaded a program has its libraries open.
    service.until("no fds", || pids.map(fds) == [[], []]);
    service.exit();
}

#[test]
fn k_keeps_inherited_descriptors() {
    let mut service = with(&["-k"], "");
    for pid in [service.status().pid, service.log_status_now().unwrap().pid] {
        let fds = fds(pid);
        // What the test itself was started with comes along.
        assert!(fds.contains(&5) && fds.contains(&9), "{fds:?}");
        // One of a library is closed meanwhile.
        let file = |fd: u32| fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap_or_default();
        let inside: Vec<u32> = fds
            .iter()
            .copied()
            .filter(|fd| file(*fd).starts_with(service.scratch.path().join("service")))
            .collect();
        assert!(inside.is_empty(), "of the supervisor itself: {inside:?}");
        assert_eq!(file(5), std::path::Path::new("/dev/null"));
    }
    service.exit();
}

/// Signals 32 and 33, which a C library keeps for itself: `posix_spawn` of glibc leaves them ignored.
const OF_LIBC: u64 = 3 << 31;

#[test]
fn ignored_signals_and_the_mask_are_reset_for_children() {
    let signals = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let lines = status.lines().filter(|line| line.starts_with("SigBlk") || line.starts_with("SigIgn"));
        let sets =
            lines.map(|line| u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap());
        sets.map(|set| set & !OF_LIBC).collect::<Vec<_>>()
    };
    for state in ["env --block-signal", "env --ignore-signal"] {
        let mut service = with(&[], state);
        for pid in [service.status().pid, service.log_status_now().unwrap().pid] {
            assert_eq!(signals(pid), [0, 0], "{state}");
        }
        service.exit();
    }
}

#[test]
fn closed_stdio_is_no_hindrance() {
    // What is opened for the supervisor itself must not become the service's stdin, stdout or stderr.
    let mut service = Service::prepare(Svrun, &[("run", PUPPET), ("log/run", LOGGER), ("finish", FINISH)]);
    let words = service.command();
    let mut command = service.adopt(sh("exec \"$@\" <&- >&- 2>&-"));
    command.arg("sh").arg(words.get_program()).args(words.get_args());
    service.supervise_by(command);
    let run = service.started(1);
    service.tell("echo said");
    service.until("the log", || service.text("logged") == "said\n");
    for fd in [0, 2] {
        let file = fs::read_link(format!("/proc/{run}/fd/{fd}"));
        assert!(!file.as_ref().is_ok_and(|file| file.starts_with(service.at(""))), "{fd}: {file:?}");
    }
    service.exit();
}

#[test]
fn nothing_is_done_while_nothing_happens() {
    let mut service = Service::start(Svrun, &[("run", SLEEPER), ("log/run", LOGGER)]);
    service.started(1);
    service.nth(1, "log start ");
    service.until_log_stat("run");
    service.until_stat("run");
    service.until("it sleeps", || state(service.supervisor()) == Some('S'));
    let wakeups = || {
        let status = fs::read_to_string(format!("/proc/{}/status", service.supervisor())).unwrap();
        let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    // That nothing happens is seen by waiting alone: for two seconds, in which a timer of a second would have to
    // show. Not at once: it gives back what it does not need, once after a quiet second.
    service.until("two quiet seconds", || {
        let before = wakeups();
        std::thread::sleep(std::time::Duration::from_secs(2));
        wakeups() == before
    });
    service.exit();
}
