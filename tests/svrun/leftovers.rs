//! Processes that a run leaves behind, and the file `leftovers`.

use std::fs;
use std::time::{Duration, Instant};

use super::harness::*;
use crate::needs;
use crate::support::*;

/// A service that leaves a process behind: `sleep 1000001`.
const LEAVES: &str = "#!/bin/sh\nsleep 1000001 >/dev/null &\necho start $$ >>$D/lines\nexec sleep 1000000\n";

/// A service whose child stays until a line comes, or a signal.
const HELPED: &str = r#"#!/bin/sh
help() {
    trap : TERM
    exec 3<>$D/tell-finish >/dev/null
    read -r pid rest </proc/self/stat # a child that said it would be counted, too
    echo helper $pid >>$D/lines
    until read -r word <&3 && [ "$word" ]; do :; done
    echo cleaned >>$D/lines
}
trap 'help & exit 0' TERM
echo start $$ >>$D/lines
exec 4<>$D/tell
while :; do read -r words <&4 && eval "$words"; done
"#;

/// How many processes of the service have this command line.
fn copies(service: &Service, words: &str) -> usize {
    service.processes().iter().filter(|pid| cmdline(**pid) == words).count()
}

/// The lines of the supervisor about what is left.
fn said(service: &Service) -> Vec<String> {
    let text = service.text("logged");
    let ours = text.lines().filter(|line| line.contains(" left ") || line.contains(" still there"));
    ours.map(str::to_owned).collect()
}

#[test]
fn leftovers_that_is_written_after_the_start_counts_at_the_next_death() {
    let mut service = Service::start(Svrun, &[("run", LEAVES), ("log/run", LOGGER)]);
    service.started(1);
    service.until("its child", || copies(&service, "sleep 1000001") == 1);
    service.write(&[("leftovers", "term\n")]);
    let left = service.processes().into_iter().find(|pid| cmdline(*pid) == "sleep 1000001").unwrap();
    service.send("k");
    service.started(2);
    service.until("what was left is gone", || !lives(left));
    service.until("a line", || !said(&service).is_empty());
    let line = format!("warning: svrun: run left 1 process behind: {left} (sleep); sent TERM");
    assert_eq!(said(&service), [line]);
    service.until("its child", || copies(&service, "sleep 1000001") == 1);
    // The run that was started with the file leads a process group, and so all of it is reached.
    service.exit();
}

#[test]
fn the_log_says_what_was_done_about_each_leftover() {
    const ROUNDS: usize = 100;
    let mut service = Service::start(
        Svrun,
        &[("run", LEAVES), ("log/run", LOGGER), ("restart-delay", "0"), ("leftovers", "kill")],
    );
    for count in 1..=ROUNDS {
        let pid = service.started(count);
        service.until("its child", || copies(&service, "sleep 1000001") == 1);
        send_signal(pid, nix::sys::signal::Signal::SIGKILL);
    }
    service.started(ROUNDS + 1);
    service.until("the lines", || said(&service).len() >= ROUNDS);
    // Also where the kernel is faster than we are: they are counted before they are killed.
    for line in said(&service) {
        assert!(
            line.contains("run left 1 process behind: ") && line.ends_with(" (sleep); sent KILL"),
            "{line}"
        );
    }
    service.until("its child", || copies(&service, "sleep 1000001") == 1);
    service.exit();
}

#[test]
fn a_time_before_the_signal_lets_a_helper_end_its_work_and_finish_comes_after_it() {
    let files = [("run", HELPED), ("log/run", LOGGER), ("leftovers", "10m kill\n"), ("finish", FINISH)];
    let mut service = Service::start(Svrun, &files);
    service.started(1);
    service.send("d");
    service.nth(1, "helper ");
    service.until("a line", || !said(&service).is_empty());
    assert!(said(&service)[0].ends_with("(run); waiting 600000 ms"), "{:?}", said(&service));
    // Nobody waits for it but finish and the next start.
    service.until_stat("finish, want down");
    assert_eq!(field(&service.ask("status"), "state"), "\"finish\"");
    service.send("u");
    service.until_stat("finish");
    assert_eq!((service.count("finish "), service.count("start ")), (0, 1));
    service.tell_finish("done");
    // At once, and not after ten minutes.
    service.started(2);
    let order: Vec<String> =
        service.lines().iter().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect();
    let order: Vec<&str> = order.iter().map(String::as_str).filter(|word| *word != "log").collect();
    assert_eq!(order, ["start", "helper", "cleaned", "finish", "start"]);
    service.send("x");
    service.nth(2, "helper ");
    service.tell_finish("done");
    assert_eq!(service.ended(), 0);
    service.assert_nothing_left();
}

#[test]
fn a_process_that_ignores_a_signal_gets_the_next_one_after_a_pause() {
    let stubborn = HELPED.replace("trap 'help & exit 0' TERM", "trap 'exit 0' TERM; help &");
    let files =
        [("run", &*stubborn), ("log/run", LOGGER), ("leftovers", "term 200ms kill\n"), ("finish", FINISH)];
    let mut service = Service::start(Svrun, &files);
    service.started(1);
    let helper: u32 = service.nth(1, "helper ").parse().unwrap();
    let asked = Instant::now();
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    assert!(asked.elapsed() >= Duration::from_millis(200));
    assert!(!lives(helper), "finish and what follows it come after the last signal");
    assert_eq!((service.count("cleaned"), service.count("finish ")), (0, 1));
    service.until("the lines", || said(&service).len() == 2);
    let left =
        format!("warning: svrun: run left 1 process behind: {helper} (run); sent TERM; waiting 200 ms");
    let still = format!("warning: svrun: 1 process is still there: {helper} (run); sent KILL");
    assert_eq!(said(&service), [left, still]);
    service.exit();
}

#[test]
fn the_children_of_what_is_left_are_ended_too_where_run_leads_no_group() {
    let run = "#!/bin/sh\n(sleep 1000001 >/dev/null & sleep 1000002 >/dev/null; wait) >/dev/null &\n\
        echo start $$ >>$D/lines\nexec sleep 1000000\n";
    let mut service = Service::start(Svrun, &[("run", run)]);
    service.started(1);
    let left = || copies(&service, "sleep 1000001") + copies(&service, "sleep 1000002");
    service.until("its children", || left() == 2);
    service.write(&[("leftovers", "kill\n")]);
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    assert_eq!(left(), 0);
    service.exit();
}

#[test]
fn a_supervisor_that_is_killed_while_leftovers_have_their_time_leaves_finish_to_the_next_one() {
    let files = [("run", HELPED), ("leftovers", "10m kill\n"), ("finish", FINISH)];
    let mut service = Service::start(Svrun, &files);
    service.started(1);
    service.send("d");
    service.nth(1, "helper ");
    service.until_stat("finish, want down");
    service.until("the record", || service.status().flags() == (0, 'd', 0, 2));
    service.kill_supervisor();
    assert_eq!(service.count("finish "), 0);
    service.supervise();
    service.nth(1, "finish ");
    service.until_flags((0, 'd', 0, 0));
    service.tell_finish("done");
    service.exit();
}

/// Leaves behind what has nothing in common with it but the cgroup: other sessions, without a parent, one of them another
/// process at each look.
const SCATTERS: &str = "#!/bin/sh
(setsid sh -c 'sleep 1000001 & sleep 1000002; :' >/dev/null 2>&1 &)
(setsid ./chase >/dev/null 2>&1 &)
echo start $$ >>$D/lines
exec sleep 1000000
";
const CHASE: &str = "#!/bin/sh\n./chase &\n";

/// The processes in a group.
fn members(group: &OwnGroup) -> Vec<String> {
    let procs = fs::read_to_string(group.path().join("cgroup.procs")).unwrap_or_default();
    procs.lines().map(|pid| cmdline(pid.parse().unwrap())).collect()
}

/// Whether all that [`SCATTERS`] leaves behind is there.
fn is_scattered(group: &OwnGroup) -> bool {
    let members = members(group);
    ["sleep 1000001", "sleep 1000002"].iter().all(|words| members.iter().any(|member| member == words))
        && members.iter().any(|member| member.ends_with("./chase"))
}

/// A service in a group, whose finish notes whether anything is in that.
fn in_group(group: &OwnGroup) -> Service {
    let (name, events) = (&group.0, group.path().join("cgroup.events"));
    let finish = format!("#!/bin/sh\ngrep populated {} >>$D/lines\n", events.display());
    Service::prepare(
        Svrun,
        &[
            ("run", &format!("#!/bin/sh\nexec cgroup /{name} ./daemon\n")),
            ("daemon", SCATTERS),
            ("chase", CHASE),
            ("log/run", LOGGER),
            ("finish", &finish),
            ("restart-delay", "0"),
            ("leftovers", &format!("cgroup /{name}\n")),
        ],
    )
}

#[test]
fn what_is_in_the_cgroup_of_run_ends_before_finish_wherever_it_has_gone() {
    needs!(cgroups());
    let group = OwnGroup::new("left");
    let mut service = in_group(&group);
    service.supervise();
    for count in 1..=3 {
        let run = service.started(count);
        service.until("all it leaves", || is_scattered(&group));
        send_signal(run, nix::sys::signal::Signal::SIGKILL);
        assert_eq!(service.nth(count, "populated "), "0");
    }
    service.started(4);
    service.until("all it leaves", || is_scattered(&group));
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    assert_eq!((service.nth(4, "populated "), members(&group)), ("0".to_owned(), vec![]));
    service.until("the lines", || said(&service).len() >= 4);
    let begins = format!("warning: svrun: run left processes behind in the cgroup /{}: ", group.0);
    for line in said(&service) {
        assert!(line.starts_with(&begins) && line.ends_with("; killing them"), "{line}");
    }
    assert_eq!((said(&service).len(), service.stderr()), (4, String::new()));
    service.exit();
}

#[test]
fn finish_waits_until_the_last_of_many_in_the_cgroup_has_gone() {
    needs!(cgroups());
    let group = OwnGroup::new("many");
    let pause = bin().join("pause").display().to_string();
    let daemon = format!(
        "#!/bin/sh\ni=0\nwhile [ $i -lt 1000 ]; do {pause} & i=$((i+1)); done\necho start $$ >>$D/lines\nexec {pause}\n"
    );
    let events = group.path().join("cgroup.events");
    let finish = format!("#!/bin/sh\nread -r line <{}\necho $line >>$D/lines\n", events.display());
    let mut service = in_group(&group);
    service.write(&[("daemon", &daemon), ("finish", &finish)]);
    service.supervise();
    service.started(1);
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    assert_eq!((service.nth(1, "populated "), members(&group)), ("0".to_owned(), vec![]));
    service.exit();
}

#[test]
fn the_next_supervisor_ends_what_is_in_the_cgroup() {
    needs!(cgroups());
    let group = OwnGroup::new("adopted");
    let mut service = in_group(&group);
    service.supervise();
    let run = service.started(1);
    service.until("all it leaves", || is_scattered(&group));
    service.kill_supervisor();
    send_signal(run, nix::sys::signal::Signal::SIGKILL);
    // No supervisor learns of the death of this one, whose parent is somebody else.
    let mut other = std::process::Command::new("sleep").arg("1000003").spawn().unwrap();
    fs::write(group.path().join("cgroup.procs"), other.id().to_string()).unwrap();
    service.until("all it leaves", || is_scattered(&group));
    service.supervise();
    assert_eq!(service.nth(1, "populated "), "0");
    assert!(!other.wait().unwrap().success());
    // A run that was adopted is one like any other.
    service.started(2);
    service.until("all it leaves", || is_scattered(&group));
    service.kill_supervisor();
    service.supervise();
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    assert_eq!((service.nth(2, "populated "), members(&group)), ("0".to_owned(), vec![]));
    service.exit();
}

/// What the supervisor says of a group that it cannot kill.
fn refusals(service: &Service) -> Vec<String> {
    let text = service.text("logged");
    text.lines().filter(|line| line.contains("unable to kill")).map(str::to_owned).collect()
}

/// Two ends of run that leave [`LEAVES`]'s child behind, in a group that is not killed. What is said of that.
fn spared(service: &Service, prepare: impl Fn(u32)) -> Vec<String> {
    for count in 1..=2 {
        let run = service.started(count);
        service.until("its child", || copies(service, "sleep 1000001") == count);
        let left = service.processes().into_iter().filter(|pid| cmdline(*pid) == "sleep 1000001");
        left.for_each(&prepare);
        send_signal(run, nix::sys::signal::Signal::SIGKILL);
    }
    service.started(3);
    service.until("its children", || copies(service, "sleep 1000001") == 3);
    // They are named, as without the file.
    service.until("lines", || said(service).len() == 2);
    assert!(said(service).iter().all(|line| line.ends_with(" (sleep)")), "{:?}", said(service));
    refusals(service)
}

#[test]
fn a_cgroup_with_the_supervisor_in_it_is_never_killed() {
    needs!(cgroups());
    for below in ["", "/below"] {
        let group = OwnGroup::new("ours");
        let path = format!("/{}", group.0);
        let files = [
            ("run", LEAVES),
            ("log/run", LOGGER),
            ("restart-delay", "0"),
            ("leftovers", &format!("cgroup {path}")),
        ];
        let mut service = Service::prepare(Svrun, &files);
        fs::create_dir(group.path()).unwrap();
        let own = service.command();
        let mut command = service.adopt(link("cgroup"));
        command.arg(format!("{path}{below}")).arg(own.get_program()).args(own.get_args());
        service.supervise_by(command);
        let line =
            format!("warning: svrun: unable to kill the cgroup {path}: the supervisor itself is in it");
        assert_eq!(spared(&service, |_| {}), [line]);
        service.assert_supervised();
    }
}

#[test]
fn a_threaded_cgroup_cannot_be_killed_which_is_said_once() {
    needs!(cgroups());
    let group = OwnGroup::new("part");
    let (name, part) = (&group.0, group.path().join("part"));
    fs::create_dir_all(&part).unwrap();
    fs::write(part.join("cgroup.type"), "threaded").unwrap();
    let daemon = LEAVES.replacen('\n', &format!("\necho $$ >{}/cgroup.threads\n", part.display()), 1);
    let service = Service::start(
        Svrun,
        &[
            ("daemon", &daemon),
            ("run", &format!("#!/bin/sh\nexec cgroup /{name} ./daemon\n")),
            ("log/run", LOGGER),
            ("restart-delay", "0"),
            ("leftovers", &format!("cgroup /{name}/part")),
        ],
    );
    let line = format!(
        "warning: svrun: unable to kill the cgroup /{name}/part: {}; it is threaded, and cannot be killed as a whole",
        says(nix::errno::Errno::EOPNOTSUPP)
    );
    assert_eq!(spared(&service, |_| {}), [line]);
}

#[test]
fn where_cgroups_cannot_be_written_or_found_that_is_said_once() {
    needs!(cgroups(), mounts());
    let top = hierarchy().unwrap().display().to_string();
    let read_only = format!("{}; cgroups are read-only here", says(nix::errno::Errno::EROFS));
    for (mount, reason) in [
        (format!("mount -o remount,bind,ro {top}"), &*read_only),
        (format!("umount {top}"), "no cgroup2 file system is mounted"),
    ] {
        let group = OwnGroup::new("closed");
        fs::create_dir(group.path()).unwrap();
        let path = format!("/{}", group.0);
        let files = [
            ("run", LEAVES),
            ("log/run", LOGGER),
            ("restart-delay", "0"),
            ("leftovers", &format!("cgroup {path}")),
        ];
        let mut service = Service::prepare(Svrun, &files);
        let command = service.command_after(&mount);
        service.supervise_by(command);
        let line = format!("warning: svrun: unable to kill the cgroup {path}: {reason}");
        let enter = |pid: u32| fs::write(group.path().join("cgroup.procs"), pid.to_string()).unwrap();
        assert_eq!(spared(&service, enter), [line]);
    }
}

#[test]
fn a_cgroup_that_is_not_there_holds_nothing() {
    needs!(cgroups());
    let files =
        [("run", LEAVES), ("log/run", LOGGER), ("finish", FINISH), ("leftovers", "cgroup ./catena-none/x\n")];
    let service = Service::start(Svrun, &files);
    service.started(1);
    service.until("its child", || copies(&service, "sleep 1000001") == 1);
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    service.nth(1, "finish ");
    // What is elsewhere is named, as without the file, and lives on.
    service.until("a line", || said(&service).len() == 1);
    assert!(said(&service)[0].ends_with(" (sleep)"), "{:?}", said(&service));
    assert_eq!((refusals(&service), copies(&service, "sleep 1000001")), (vec![], 1));
}
