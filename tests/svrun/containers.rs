//! Supervisors in pid namespaces, as in a container: as process 1 and below it, started again with what they had
//! left, and in the bare surroundings that images have.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use super::harness::*;
use crate::needs;
use crate::support::*;

/// A command of this service in a pid namespace of its own, of which it is process 1.
fn first_of(service: &Service, command: &Command) -> Command {
    service.adopt(contained(command))
}

/// The supervisor as process 1, with these options.
fn first(service: &Service, options: &[&str]) -> Command {
    let mut command = link("svrun");
    first_of(service, command.args(options).arg("service"))
}

/// A pid namespace that stays, whose process 1 is a shell that executes the lines it gets, and its pid.
struct Kept(Background, u32);

impl Kept {
    fn start() -> Self {
        let mut command = prepared("unshare");
        let unshare = Background::start(command.args(CONTAINER).args(["sleep", "1000000"]).current_dir("/"));
        let process_1 = child(unshare.pid());
        Self(unshare, process_1)
    }

    /// A command in it.
    fn inside(&self, service: &Service) -> Command {
        let mut command = service.adopt(prepared("nsenter"));
        command.args(["--target", &self.1.to_string(), "--pid", "--mount"]);
        command.arg(format!("--wd={}", service.scratch.path().display()));
        command
    }

    fn end(self) {
        assert_eq!(run(prepared("kill").args(["-9", &self.1.to_string()])).status, 0);
        self.0.finish();
    }
}

/// The supervisor's pid here, whose parent is unshare.
fn supervisor(service: &Service) -> u32 {
    child(service.supervisor())
}

#[test]
fn as_process_1_each_stop_signal_is_an_orderly_stop() {
    needs!(namespaces());
    for signal in ["TERM", "INT", "HUP", "QUIT", "PWR", "37"] {
        let files = [("run", PUPPET), ("finish", FINISH), ("log/run", LOGGER)];
        let mut service = Service::prepare(Svrun, &files);
        service.spawn(first(&service, &[]));
        service.started(1);
        send(supervisor(&service), signal);
        assert_eq!(service.ended(), 0, "{signal}");
        assert_eq!((service.count("got TERM"), service.count("finish 0 0")), (1, 1), "{signal}");
        service.assert_nothing_left();
    }
}

#[test]
fn below_process_1_the_engines_signals_are_nothing_without_an_option() {
    let mut service = Service::start(Svrun, &[("run", PUPPET)]);
    service.started(1);
    for signal in ["PWR", "37"] {
        send(service.supervisor(), signal);
    }
    service.send("1");
    service.nth(1, "got USR1");
    assert_eq!(service.count("got TERM"), 0);
    service.exit();
    service.set_options(&["-1"]);
    for (i, signal) in ["QUIT", "PWR", "37"].iter().enumerate() {
        service.supervise();
        service.started(i + 2);
        send(service.supervisor(), signal);
        assert_eq!(service.ended(), 0, "{signal}");
        assert_eq!(service.count("got TERM"), i + 2, "{signal}");
        service.assert_nothing_left();
    }
}

const GIVES_UP: &str = "#!/bin/sh\necho finish \"$@\" >>$D/lines\nexit 125\n";

#[test]
fn it_leaves_with_the_status_of_a_service_that_was_given_up() {
    for (run, last, status) in [
        ("exit 3", ("finish", GIVES_UP), 3),
        ("kill -9 $$", ("finish", GIVES_UP), 128 + 9),
        ("exit 0", ("finish", GIVES_UP), 0),
        ("exit 7", ("restart-max", "1"), 7),
    ] {
        let run = format!("#!/bin/sh\necho start $$ >>$D/lines\necho said\n{run}\n");
        let files = [("run", &*run), last, ("log/run", LOGGER)];
        for process_1 in [true, false] {
            if process_1 {
                needs!(namespaces());
            }
            let mut service = Service::prepare(Svrun, &files);
            let command = if process_1 {
                first(&service, &[])
            } else {
                service.set_options(&["-1"]);
                service.command()
            };
            service.spawn(command);
            assert_eq!(service.ended(), status, "{run}: {}", service.stderr());
            assert_eq!(service.count("start "), 1);
            assert!(service.text("logged").starts_with("said\n"), "the logger has read all");
            service.assert_nothing_left();
        }
    }
    // Below process 1 it stays, and starts it again on command.
    let mut service = Service::start(Svrun, &[("run", "#!/bin/sh\nexit 3\n"), ("finish", GIVES_UP)]);
    service.until_stat("down, gave up");
    service.send("u");
    service.nth(2, "finish 3 0");
    service.exit();
}

#[test]
fn it_leaves_with_the_status_of_a_service_that_ran_for_once_but_stays_where_one_was_stopped() {
    let mut service = Service::prepare(Svrun, &[("run", PUPPET), ("finish", FINISH)]);
    service.set_options(&["-1"]);
    service.supervise();
    service.started(1);
    service.send("d");
    service.until_flags((0, 'd', 0, 0));
    service.nth(1, "finish 0 0");
    service.send("u");
    service.started(2);
    // What is wanted again runs on.
    service.send("ou");
    service.tell("exit 5");
    service.started(3);
    service.send("o");
    service.until_flags((0, 'd', 0, 1));
    // That it was for once is known to the next one.
    assert_eq!(service.ask("upgrade"), "");
    service.until("the new program", || !service.ask("status").is_empty());
    service.tell("exit 6");
    let finish = service.nth(1, "finish 6 0");
    assert_eq!((finish.as_str(), service.ended()), ("", 6));
    // On command it leaves with 0.
    service.supervise();
    service.started(4);
    service.exit();
}

#[test]
fn the_remains_of_a_container_that_is_gone_are_no_reason_to_refuse() {
    needs!(namespaces(), tool("runsvdir"));
    for files in [&[("run", SLEEPER)][..], &[("run", SLEEPER), ("log/run", LOGGER)]] {
        let mut service = Service::prepare(Svrun, files);
        let directory = service.scratch.path().to_owned();
        fs::create_dir_all(directory.join("rn")).unwrap();
        fs::create_dir_all(directory.join("sv")).unwrap();
        symlink(bin().join("svrun"), directory.join("rn/runsv")).unwrap();
        symlink("../service", directory.join("sv/web")).unwrap();
        let mut other = None;
        for life in 1..=3 {
            let mut command = first_of(&service, prepared("/usr/bin/runsvdir").args(["-P", "sv"]));
            let path = format!("{}:/usr/bin:/bin", directory.join("rn").display());
            service.spawn({
                command.env("PATH", path);
                command
            });
            service.started(life);
            send(supervisor(&service), "TERM");
            service.ended();
            service.assert_nothing_left();
            // The first time the kernel may give the same number again, then another has got it.
            if life == 2 {
                other = Some(Kept::start());
            }
        }
        assert_eq!(service.stderr(), "");
        other.unwrap().end();
    }
}

#[test]
fn process_1_that_was_killed_is_followed_by_one_that_starts_anew() {
    needs!(namespaces());
    for (option, signal) in [("", "KILL"), ("-1", "TERM")] {
        let options: &[&str] = if option.is_empty() { &[] } else { &["-1"] };
        let mut service = Service::prepare(Svrun, &[("run", SLEEPER), ("finish", FINISH)]);
        for life in 1..=3 {
            service.spawn(first(&service, options));
            service.started(life);
            send(supervisor(&service), signal);
            service.ended();
            service.assert_nothing_left();
        }
        assert!(!service.stderr().contains("unable"), "{}", service.stderr());
    }
}

/// A command under a kernel that does not tell whether a pid namespace lives.
fn without_numbers(service: &Service, words: &[&str]) -> Command {
    let mut command = service.adopt(prepared("strace"));
    command.args(["-f", "-o", "/dev/null", "-e", "trace=name_to_handle_at"]);
    command.args(["-e", "inject=name_to_handle_at:error=EOPNOTSUPP", "--"]).args(words);
    command
}

#[test]
fn a_service_that_lives_in_another_pid_namespace_is_not_started_a_second_time() {
    needs!(namespaces(), tool("nsenter"), tool("strace"));
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse().unwrap_or(0_u32));
    // Since then the kernel tells which namespaces live.
    let known = (numbers.next(), numbers.next()) >= (Some(6), Some(18));
    let svrun = bin().join("svrun").display().to_string();
    for (files, log) in [(&[("run", SLEEPER)][..], false), (&[("run", SLEEPER), ("log/run", LOGGER)], true)] {
        let mut service = Service::prepare(Svrun, files);
        let kept = Kept::start();
        let mut command = kept.inside(&service);
        command.arg(&svrun).arg("service");
        service.spawn(command);
        service.started(1);
        // nsenter has a child in the namespace, which alone is killed.
        send(supervisor(&service), "KILL");
        service.ended();
        // From above it the namespace is seen; from beside it the log pipe is a sign, or the kernel is asked.
        let mut commands = vec![service.command(), without_numbers(&service, &[&svrun, "service"])];
        if known || log {
            commands.push(first(&service, &[]));
        }
        if log {
            commands.push(first_of(&service, &without_numbers(&service, &[&svrun, "service"])));
        }
        for command in commands {
            let said = service.stderr().len();
            service.spawn(command);
            assert_eq!(service.ended(), 111, "{}", service.stderr());
            assert!(service.stderr()[said..].contains("another pid namespace"), "{}", service.stderr());
        }
        assert_eq!(service.count("start "), 1);
        // With that namespace it is over.
        kept.end();
        service.spawn(first(&service, &[]));
        service.started(2);
        send(supervisor(&service), "TERM");
        assert_eq!(service.ended(), 0, "{}", service.stderr());
    }
}

#[test]
fn a_proc_of_another_pid_namespace_tells_nothing() {
    needs!(namespaces(), tool("nsenter"));
    let mut service = Service::prepare(Svrun, &[("run", SLEEPER), ("finish", FINISH)]);
    let mut command = service.adopt(prepared("unshare"));
    command.args(["--pid", "--fork", "--kill-child", "sleep", "1000000"]);
    let unshare = Background::start(command.stdin(Stdio::null()));
    let process_1 = child(unshare.pid()).to_string();
    let inside = |service: &Service| {
        let mut command = service.adopt(prepared("nsenter"));
        command.args(["--target", &process_1, "--pid"]).arg(bin().join("svrun")).arg("service");
        command
    };
    service.spawn(inside(&service));
    let run = service.started(1);
    send(supervisor(&service), "KILL");
    service.ended();
    service.spawn(inside(&service));
    assert_eq!(service.ended(), 111, "{}", service.stderr());
    assert_eq!(service.count("start "), 1, "no second copy");
    // Once it is gone, its pid tells that.
    let kill = ["--target", &process_1, "--pid", "kill", "-9", &run.to_string()];
    assert_eq!(crate::support::run(prepared("nsenter").args(kill)), prints(""));
    service.until("its end", || service.processes().len() == 2); // unshare, and process 1
    service.spawn(inside(&service));
    service.nth(2, "start ");
    send(supervisor(&service), "TERM");
    assert_eq!(service.ended(), 0, "{}", service.stderr());
    send(process_1.parse().unwrap(), "KILL");
    unshare.finish();
}

#[test]
fn start_times_of_another_time_namespace_are_not_compared() {
    needs!(root(), tool("unshare"));
    let shifted = ["--time", "--boottime", "100000", "--monotonic", "100000"];
    needs!(if run(prepared("unshare").args(shifted).arg("true")).status == 0 {
        Ok(())
    } else {
        Err::<(), String>("a time namespace".into())
    });
    let mut service = Service::start(Svrun, &[("run", SLEEPER), ("finish", FINISH)]);
    let run = service.started(1);
    service.until_stat("run");
    let elsewhere = |service: &Service| {
        let mut command = service.adopt(prepared("unshare"));
        command.args(shifted).arg("--fork").arg("--kill-child").arg(bin().join("svrun")).arg("service");
        command
    };
    service.kill_supervisor();
    service.spawn(elsewhere(&service));
    assert_eq!(service.ended(), 111, "{}", service.stderr());
    assert!(lives(run));
    assert_eq!(service.count("start "), 1);
    // Once it is gone, its pid tells that, and finish, which is due, is run.
    send(run, "KILL");
    service.until("it has ended", || !lives(run));
    service.spawn(elsewhere(&service));
    service.nth(1, "finish -1 ");
    service.started(2);
    send(supervisor(&service), "TERM");
    assert_eq!(service.ended(), 0, "{}", service.stderr());
}

#[test]
fn dev_stdout_that_is_a_pipe_can_be_opened_by_a_service_that_has_changed_its_user() {
    needs!(root());
    let says = "#!/bin/sh\nexec setuidgid nobody sh -c 'echo out >/dev/stdout; echo err >/dev/stderr'\n";
    let service = Service::prepare(Svrun, &[("run", says), ("finish", GIVES_UP)]);
    let mut command = service.adopt(Svrun.command());
    command.args(["-1", "service"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let gave_up = "err\nservice: warning: svrun: finish exited 125: gave up\n";
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("out\n".into(), gave_up.into()));
    // One that has a name stays as its owner wants it.
    let script = format!(
        "D={}; export D; mkfifo -m 600 named; exec 3<>named; svrun -1 service >named 2>&1",
        service.scratch.path().display()
    );
    assert_eq!(run_in(service.scratch.path(), &script).status, 2);
    assert_eq!(mode(&service.path("named")), 0o600);
}

#[test]
fn a_bare_image_is_enough() {
    needs!(namespaces(), tool("busybox"), mounts());
    let mut service = Service::prepare(Svrun, &[]);
    let root = service.path("root");
    for directory in ["run", "service/log"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    install_root(&root, &[&bin().join("svrun"), "/bin/busybox".as_ref()]);
    script(&root.join("service/run"), "#!/busybox sh\n/busybox id -u\nexec /busybox sleep 1000000\n");
    script(&root.join("service/log/run"), "#!/busybox sh\nexec /busybox cat >/run/logged\n");
    // No /dev, no /proc, no account of this uid, and nothing to write to but what is made for it.
    let mounts = "mount --make-rprivate /; mount --bind root root
        mount -t tmpfs -o mode=1777 tmpfs root/run; mount -o remount,bind,ro root
        exec /usr/sbin/chroot --userspec=12345:12345 root /svrun -s /run/web /service";
    let mut command = service.adopt(prepared("unshare"));
    command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", mounts]);
    service.spawn(command);
    let supervisor = supervisor(&service);
    let read = |file| fs::read_to_string(format!("/proc/{supervisor}/root/run/{file}")).unwrap_or_default();
    service.until("the log", || read("logged") == "12345\n");
    service.until("the status", || read("web/supervise/stat") == "run\n");
    send(supervisor, "QUIT");
    assert_eq!(service.ended(), 0, "{}", service.stderr());
    assert_eq!(service.stderr(), "");
    service.assert_nothing_left();
}
