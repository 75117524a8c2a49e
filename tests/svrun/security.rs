//! State directories that others own or can read, and services that do not trust each of their parts: what an
//! attacker does is written out.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use nix::sys::signal::Signal;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// Root, and a way to be somebody else.
fn attack() -> Result<(), String> {
    root().and_then(|()| tool("setpriv"))
}

/// A shell script of nobody's in the state directory, with the test's directory as `$D`.
fn nobody(service: &Service, script: &str) -> Command {
    let mut command = prepared("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", script]);
    command.current_dir(service.at("supervise")).env("D", service.scratch.path());
    command
}

/// A command that goes on until it is dropped.
struct Attacker(Child);

impl Attacker {
    fn start(mut command: Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended
        let _ = self.0.wait();
    }
}

/// A file of root's that nobody else may read or write.
fn secret(service: &Service) -> Secret {
    let path = service.path("secret");
    fs::write(&path, "secret\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    Secret(path)
}

struct Secret(std::path::PathBuf);

impl Secret {
    fn assert_untouched(&self, what: &str) {
        let data = fs::metadata(&self.0).unwrap();
        let owners = (data.uid(), data.gid(), data.permissions().mode() & 0o7777);
        assert_eq!(owners, (0, 0, 0o600), "{what}");
        assert_eq!(fs::read_to_string(&self.0).unwrap(), "secret\n", "{what}");
    }
}

fn give_away(service: &Service) {
    if service.alive() {
        service.rest();
    }
    assert_eq!(run_in(service.at(""), "chown -R 65534 supervise"), prints(""));
}

fn assert_private(directory: &Path) {
    let data = directory.symlink_metadata().unwrap();
    assert_eq!((data.is_dir(), data.uid(), data.mode() & 0o7777), (true, 0, 0o700));
}

#[test]
fn the_owner_of_a_state_directory_cannot_lead_what_the_service_says_elsewhere() {
    needs!(attack());
    for script in [
        ":",
        "sleep 1000 <>pipe/fifo >/dev/null 2>&1 & :",
        "rm pipe/fifo; ln -s $D/secret pipe/fifo",
        "rm pipe/fifo; mkfifo pipe/fifo",
        "rm pipe/fifo; mkfifo -m 666 pipe/fifo; sleep 1000 <>pipe/fifo >/dev/null 2>&1 & :",
        "rm pipe/fifo; mkdir -p pipe/fifo/d",
        "rm -r pipe; ln -s $D pipe",
        "rm -r pipe; >pipe",
        "mv pipe old; mkdir -m 777 pipe; ln -s $D/secret pipe/fifo",
    ] {
        let files = [("run", PUPPET), ("log/run", LOGGER), ("restart-delay", "0")];
        let mut service = Service::start(Svrun, &files);
        let secret = secret(&service);
        service.started(1);
        service.until_log_stat("run");
        give_away(&service);
        let script = format!("{script}; printf t >control");
        assert_eq!(run(nobody(&service, &script).stdout(Stdio::null())).status, 0, "{script}");
        service.started(2);
        service.tell("echo said");
        service.until("it is in the log", || service.text("logged").contains("said\n"));
        secret.assert_untouched(&script);
        assert_private(&service.at("supervise/pipe"));
        // And from the start of a supervisor.
        service.send("x");
        assert_eq!(service.ended(), 0, "{script}");
        give_away(&service);
        assert_eq!(
            run(nobody(&service, &script.replace("printf t >control", ":")).stdout(Stdio::null())).status,
            0
        );
        service.supervise();
        service.started(3);
        service.tell("echo again");
        service.until("it is in the log", || service.text("logged").contains("again\n"));
        secret.assert_untouched(&script);
        service.send("x");
        assert_eq!(service.ended(), 0, "{script}");
    }
}

#[test]
fn the_owner_of_a_state_directory_cannot_lead_the_notification_elsewhere() {
    needs!(attack());
    for script in ["rm pipe/notify; ln -s $D/secret pipe/notify", "rm pipe/notify; mkfifo pipe/notify"] {
        let files = [("run", PUPPET), ("notification-fd", "7"), ("restart-delay", "0")];
        let mut service = Service::start(Svrun, &files);
        let secret = secret(&service);
        service.started(1);
        give_away(&service);
        assert_eq!(run(&mut nobody(&service, &format!("{script}; printf t >control"))), prints(""));
        service.started(2);
        service.tell("echo ready >&7");
        assert_eq!(field(&service.ask("wait ready 30"), "ok"), "true");
        secret.assert_untouched(script);
        assert_private(&service.at("supervise/pipe"));
        service.exit();
    }
}

/// The files of a state directory that the supervisor makes or writes, but for the lock.
const STATE: [&str; 15] = [
    "control",
    "ok",
    "socket",
    "status",
    "status.new",
    "stat",
    "stat.new",
    "pid",
    "pid.new",
    "ready",
    "ready.new",
    "deaths",
    "deaths.new",
    "record",
    "pipe",
];

#[test]
fn files_planted_by_the_owner_of_a_state_directory_are_replaced_and_never_followed() {
    needs!(attack());
    for (what, make) in [
        ("a link", "ln -s $D/secret $name"),
        ("a link to nothing", "ln -s $D/nothing $name"),
        ("a second name", "cp -l $D/own $name"),
        ("a FIFO", "mkfifo $name"),
        ("a file", "echo text >$name"),
    ] {
        let mut service =
            Service::prepare(Svrun, &[("run", PUPPET), ("notification-fd", "7"), ("restart-delay", "0")]);
        service.supervise();
        let secret = secret(&service);
        service.started(1);
        service.exit();
        give_away(&service);
        fs::write(service.path("own"), "own\n").unwrap();
        std::os::unix::fs::chown(service.path("own"), Some(65534), Some(65534)).unwrap();
        let script = format!("for name in {}; do rm -rf $name; {make} || exit; done", STATE.join(" "));
        assert_eq!(run(&mut nobody(&service, &script)), prints(""), "{what}");
        service.supervise();
        service.started(2);
        service.until_stat("run");
        service.tell("echo ready >&7");
        assert_eq!(field(&service.ask("wait ready 30"), "ok"), "true", "{what}");
        service.tell("exit 3");
        service.started(3);
        service.until("the death is recorded", || service.read("supervise/deaths").ends_with("s\n"));
        secret.assert_untouched(what);
        assert_eq!(service.text("own"), "own\n", "{what}");
        assert!(!service.path("nothing").exists(), "{what}");
        // Its owner may control it by a FIFO of its own.
        let script = "rm control; mkfifo control; chmod 600 control";
        assert_eq!(run(&mut nobody(&service, script)), prints(""), "{what}");
        service.kill_supervisor();
        send_signal(service.status().pid, Signal::SIGKILL);
        service.supervise();
        service.started(4);
        assert_eq!(run(&mut nobody(&service, "printf d >control")), prints(""), "{what}");
        service.until_flags((0, 'd', 0, 0));
        service.exit();
    }
}

#[test]
fn a_file_that_cannot_be_replaced_is_named() {
    for name in ["control", "status", "deaths", "socket"] {
        let mut service = Service::start(Svrun, &[("run", PUPPET), ("restart-delay", "0")]);
        service.started(1);
        service.exit();
        let make = format!("rm -f supervise/{name}; mkdir -p supervise/{name}/d");
        assert_eq!(run_in(service.at(""), &make), prints(""));
        service.spawn(service.command());
        service.nth(2, "start ");
        service.tell("exit 3");
        service.nth(3, "start ");
        let said = format!("supervise/{name}");
        service.until("it is named", || service.stderr().contains(&said));
        assert!(service.stderr().contains(says(nix::errno::Errno::EISDIR)), "{}", service.stderr());
        service.signal(Signal::SIGTERM);
        assert_eq!(service.ended(), 0);
    }
}

#[test]
fn a_lock_that_is_no_file_of_its_own_is_refused() {
    for (make, errno) in [
        ("ln -s ../../secret supervise/lock", nix::errno::Errno::ELOOP),
        ("ln supervise/status supervise/lock", nix::errno::Errno::EEXIST),
        ("mkfifo supervise/lock", nix::errno::Errno::ENXIO),
    ] {
        let mut service = Service::start(Svrun, &[("run", PUPPET)]);
        service.started(1);
        service.exit();
        assert_eq!(run_in(service.at(""), &format!("rm supervise/lock; {make}")), prints(""));
        service.spawn(service.command());
        assert_eq!(service.ended(), 111);
        let expected = format!("svrun service: fatal: unable to open supervise/lock: {}\n", says(errno));
        assert_eq!(service.stderr(), expected);
    }
}

#[test]
fn no_fifo_in_a_service_directory_is_waited_for() {
    for name in [
        "down",
        "finish",
        "operators",
        "notification-fd",
        "sd-notify",
        "leftovers",
        "restart-delay",
        "restart-reset",
        "restart-max",
        "down-signal",
        "timeout-kill",
        "timeout-finish",
        "control",
        "control/u",
        "control/t",
        "log",
        "log/down",
        "log/run",
        "env",
        "check",
    ] {
        let mut service = Service::prepare(Svrun, &[("run", PUPPET), ("restart-delay", "0")]);
        let parent = Path::new(name).parent().unwrap().display().to_string();
        let make = format!("mkdir -p ./{parent}; rm -f {name}; mkfifo -m 777 {name}");
        assert_eq!(run_in(service.at(""), &make), prints(""), "{name}");
        service.spawn(service.command());
        service.until("it serves", || service.alive());
        service.send("u");
        service.nth(1, "start ");
        service.tell("exit 1");
        service.nth(2, "start ");
        service.signal(Signal::SIGTERM);
        assert_eq!(service.ended(), 0, "{name}: {}", service.stderr());
    }
}

#[test]
fn of_a_file_of_the_state_no_more_is_read_than_is_needed() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("restart-delay", "0")]);
    service.started(1);
    assert_eq!(run_in(service.at("supervise"), "truncate -s 4T deaths record"), prints(""));
    service.tell("exit 3");
    service.started(2);
    service.until("the death is recorded", || {
        let size = service.at("supervise/deaths").metadata().unwrap().len();
        size < 1000 && service.read("supervise/deaths").lines().count() == 1
    });
    service.exit();
}

/// The owner of a state directory can come by a private file of root's: by its name in a directory of theirs, or by
/// a second name, made where `fs.protected_hardlinks` is 0, once the first one is gone.
#[test]
fn a_file_that_was_moved_to_the_place_of_deaths_is_neither_shown_nor_changed() {
    needs!(attack());
    for lines in [1, 100] {
        let mut service = Service::start(Svrun, &[("run", PUPPET), ("restart-delay", "0")]);
        service.started(1);
        give_away(&service);
        let text = "secret\n".repeat(lines);
        let moved = service.path("moved");
        fs::write(&moved, &text).unwrap();
        fs::set_permissions(&moved, fs::Permissions::from_mode(0o600)).unwrap();
        let mut file = fs::File::open(&moved).unwrap();
        fs::rename(&moved, service.at("supervise/deaths")).unwrap();
        service.tell("exit 3");
        service.started(2);
        service.until("the death is recorded", || service.read("supervise/deaths").ends_with("s\n"));
        let shown = run(&mut nobody(&service, "cat deaths"));
        assert!(!shown.stdout.contains("secret"), "{}", shown.stdout);
        let mut kept = String::new();
        std::io::Read::read_to_string(&mut file, &mut kept).unwrap();
        assert_eq!(kept, text);
        service.exit();
    }
}

#[test]
fn no_mode_or_group_is_given_to_what_has_taken_the_name_of_a_file() {
    needs!(attack(), tool("strace"));
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("log/run", LOGGER)]);
    service.started(1);
    service.exit();
    service.write(&[("operators", "daemon\n"), ("notification-fd", "7")]);
    let secret = secret(&service);
    give_away(&service);
    let script = "while :; do for name in control ok socket pipe/fifo pipe/notify; do \
                  [ -L $name ] || { [ -e $name ] && ln -sf $D/secret $name; }; done; done";
    let attacker = Attacker::start(nobody(&service, script));
    // All that could give something away comes late.
    let words = service.command();
    let mut command = service.adopt(prepared("strace"));
    let late = "--inject=fchmod,fchmodat,fchown,fchownat,chmod,chown:delay_enter=30000";
    let made = "--inject=bind,mknodat:delay_exit=30000";
    command.args(["-o", "trace", late, made]).arg(words.get_program()).args(words.get_args());
    let mut supervisor = command.spawn().unwrap();
    service.nth(2, "start ");
    // The socket comes behind all others. It is given to the group; or the attacker was quicker, and it is made again.
    let tried = || {
        let trace = service.text("trace");
        let made = trace.rsplit_once("\"socket\", O_");
        let given =
            |after: &str| after.lines().any(|line| line.starts_with("fchown") && line.contains(" = "));
        trace.matches("\"socket\"").count() >= 3 || made.is_some_and(|(_, after)| given(after))
    };
    service.until("the socket was made", tried);
    drop(attacker);
    let pid = parent(service.processes().into_iter().find(|pid| cmdline(*pid) == "/bin/sh ./run").unwrap());
    send_signal(pid, Signal::SIGTERM);
    assert!(supervisor.wait().unwrap().success());
    secret.assert_untouched("a race");
}

#[test]
fn readers_of_a_state_directory_cannot_keep_the_supervisor_out() {
    needs!(attack(), tool("flock"));
    let mut service = Service::prepare(Svrun, &[("run", PUPPET), ("log/run", LOGGER)]);
    service.supervise();
    service.started(1);
    service.exit();
    assert_eq!(run_in(service.at(""), "chmod 755 supervise log/supervise"), prints(""));
    let lock = |service: &Service, name: &str, kind: &str| {
        let script = format!("exec flock -F {kind} {name} sleep 1000");
        let attacker = Attacker::start(nobody(service, &script));
        service.until("it tries", || {
            let words = cmdline(attacker.0.id());
            words == "sleep 1000" || words.starts_with("flock") && state(attacker.0.id()) == Some('S')
        });
        attacker
    };
    let attackers = [lock(&service, ".", "-s"), lock(&service, "../log/supervise", "-x")];
    let held = |name: &str| run_in(service.at(""), &format!("flock -n {name} true")).status == 1;
    service.until("both are locked", || held("supervise") && held("log/supervise"));
    // Nor can they open the file itself.
    assert_eq!(run(&mut nobody(&service, "flock -s lock true 2>/dev/null")).status, 66);
    service.supervise();
    let pid = service.started(2);
    service.until_log_stat("run");
    // Those who wait for it do not get it where the supervisor makes way for another program.
    let waiting: Vec<_> = (0..8).map(|_| lock(&service, ".", "-x")).collect();
    assert_eq!(field(&service.connect().ask("status"), "pid"), pid.to_string());
    assert_eq!(service.ask("upgrade"), "");
    service.until("the new program", || {
        let mut client = service.connect();
        client.say("status\n").is_ok() && client.line().contains("\"ok\":true")
    });
    service.assert_supervised();
    assert_eq!(service.status().pid, pid);
    drop((attackers, waiting));
    service.exit();
}

#[test]
fn a_lock_that_was_removed_lets_no_second_supervisor_in() {
    for mode in ["700", "755"] {
        let mut service = Service::start(Svrun, &[("run", PUPPET)]);
        service.started(1);
        service.until_stat("run");
        assert_eq!(run_in(service.at(""), &format!("chmod {mode} supervise; rm supervise/lock")), prints(""));
        let second = run(service.command().stdout(Stdio::piped()).stderr(Stdio::piped()));
        assert_eq!(second.status, 111, "{mode}: {second:?}");
        service.exit();
        assert_eq!(service.count("start "), 1);
    }
}

#[test]
fn a_log_pipe_whose_name_is_removed_does_not_hold_the_service_back() {
    for remove in ["rm supervise/pipe/fifo", "rm -r supervise/pipe"] {
        let files = [
            ("run", PUPPET),
            ("log/run", LOGGER),
            ("restart-delay", "0"),
            ("finish", "#!/bin/sh\necho finish\n"),
        ];
        let mut service = Service::start(Svrun, &files);
        service.started(1);
        service.until_log_stat("run");
        assert_eq!(run_in(service.at(""), remove), prints(""));
        // What runs goes on with the old one, and so does a new logger of it.
        let log: u32 = service.nth(1, "log start ").parse().unwrap();
        service.until("the logger", || cmdline(log) == "cat");
        send_signal(log, Signal::SIGKILL);
        service.nth(2, "log start ");
        service.tell("echo one; exit 0");
        service.started(2);
        service.tell("echo two");
        service.until("all is in the log", || service.text("logged") == "one\nfinish\ntwo\n");
        assert_private(&service.at("supervise/pipe"));
        // The new one is found by the next supervisor.
        service.kill_supervisor();
        service.supervise();
        service.tell("echo three");
        service.until("all is in the log", || service.text("logged").ends_with("two\nthree\n"));
        service.exit();
        assert_eq!(service.count("start "), 2);
        assert_eq!(service.stderr().matches("supervise/pipe/fifo is gone; made a new one\n").count(), 1);
    }
}

#[test]
fn a_record_that_was_removed_is_made_anew() {
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("log/run", LOGGER)]);
    service.started(1);
    service.until_log_stat("run");
    fs::remove_file(service.at("supervise/record")).unwrap();
    fs::remove_file(service.at("log/supervise/record")).unwrap();
    // By the next change.
    service.send("p");
    service.until_flags((1, 'u', 0, 1));
    service.send("c");
    service.until_flags((0, 'u', 0, 1));
    service.send_log("p");
    service.until_log_stat("run, paused");
    service.send_log("c");
    service.until_log_stat("run");
    service.kill_supervisor();
    service.supervise();
    service.send("1");
    service.nth(1, "got USR1");
    service.exit();
    assert_eq!((service.count("start "), service.count("log start ")), (1, 1));
}

#[test]
fn a_part_of_the_service_cannot_take_lines_out_of_the_log_pipe() {
    needs!(attack());
    // What it runs with less rights reads from the fd that all of it has.
    let thief = "setpriv --reuid=65534 --regid=65534 --clear-groups sh -c";
    let files = [("run", PUPPET), ("log/run", LOGGER), ("notification-fd", "7")];
    let mut service = Service::start(Svrun, &files);
    let pid = service.started(1);
    service.until_log_stat("run");
    for fd in [1, 7] {
        let information = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).unwrap();
        let flags = information.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
        let access = u32::from_str_radix(flags, 8).unwrap() & 3;
        assert_eq!(access, 1, "fd {fd} is open for writing alone");
        service.tell(&format!("{thief} 'cat <&{fd}; echo cat $? >>$D/stolen'"));
    }
    assert_eq!(run_in(service.scratch.path(), "touch stolen; chmod 666 stolen"), prints(""));
    service.tell("n=0; while [ $n -lt 400 ]; do n=$((n+1)); echo line $n; done; echo done >>$D/lines");
    service.nth(1, "done");
    // But it may open its standard output again, to write to it.
    service.tell(&format!("{thief} 'echo reopened >/dev/stdout; echo and >>/proc/self/fd/1'"));
    let expected: String =
        (1..=400).map(|n| format!("line {n}\n")).chain(["reopened\nand\n".into()]).collect();
    service.until("all is in the log", || service.text("logged") == expected);
    service.exit();
}

#[test]
fn an_upgrade_leaves_no_pipe_without_a_reader() {
    // The supervisor is the only reader: the logger is down.
    let files = [("run", PUPPET), ("log/run", LOGGER), ("log/down", ""), ("notification-fd", "7")];
    let mut service = Service::start(Svrun, &files);
    let pid = service.started(1);
    service.tell(
        "until [ -e $D/enough ]; do printf x >&7; printf .; printf x >&7; done; echo enough >>$D/lines",
    );
    for _ in 0..20 {
        assert_eq!(service.ask("upgrade"), "");
        service.until("the new program", || {
            let mut client = service.connect();
            client.say("status\n").is_ok() && client.line().contains("\"ok\":true")
        });
    }
    fs::write(service.path("enough"), "").unwrap();
    // By now the pipe may be full, and the service wait for a reader.
    service.send_log("u");
    service.nth(1, "enough");
    assert_eq!(service.status().pid, pid);
    service.until("the log", || service.text("logged").len() > 20);
    assert_eq!(service.count("start "), 1);
    assert!(service.text("logged").bytes().all(|byte| byte == b'.'));
    // And the program that it has become works as before.
    service.tell("exit 0");
    service.started(2);
    service.exit();
}

#[test]
fn a_message_about_a_long_path_keeps_its_text_and_its_newline() {
    let directory = open_directory();
    let path = format!("{}/end", vec!["directory"; 60].join("/"));
    assert_eq!(run_in(directory.path(), &format!("mkdir -p {path}/log; >{path}/log/down")), prints(""));
    let stderr = directory.path().join("stderr");
    let mut command = link("svrun");
    command.arg(&path).current_dir(directory.path()).stderr(fs::File::create(&stderr).unwrap());
    let mut supervisor = command.spawn().unwrap();
    let line = || fs::read_to_string(&stderr).unwrap();
    let said = in_time(|| !line().is_empty());
    send_signal(supervisor.id(), Signal::SIGTERM);
    assert!(supervisor.wait().unwrap().success() && said);
    let line = line();
    let text = format!("/end: warning: unable to start ./run: {}\n", says(nix::errno::Errno::ENOENT));
    assert!(line.starts_with("svrun ...") && line.ends_with(&text), "{line:?}");
}

/// The time that a process has had of a processor, in ticks of 10 ms.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn a_flood_of_notifications_takes_little_time_and_keeps_no_readiness_back() {
    needs!(attack(), tool("perl"));
    let mut service = Service::start(Svrun, &[("run", PUPPET), ("sd-notify", "")]);
    let pid = service.started(1);
    service.until_stat("run");
    let environ = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    let name = environ.split('\0').find_map(|entry| entry.strip_prefix("NOTIFY_SOCKET=@")).unwrap();
    // Nobody finds the name in /proc/net/unix.
    let flood = format!(
        "exec perl -MSocket -e 'socket(S, AF_UNIX, SOCK_DGRAM, 0); $to = pack(\"S a*\", AF_UNIX, \"\\0{name}\"); \
         while (1) {{ defined(send(S, \"READY=1\", 0, $to)) or die \"$!\"; }}'"
    );
    let mut command = nobody(&service, &flood);
    command.current_dir("/");
    let mut flood = command.spawn().unwrap();
    let supervisor = service.supervisor();
    let (before, moment) = (ticks(supervisor), Instant::now());
    service.until("two seconds", || moment.elapsed().as_secs() >= 2);
    let used = ticks(supervisor) - before;
    let all = moment.elapsed().as_millis() / 10;
    assert!(flood.try_wait().unwrap().is_none(), "the flood goes on");
    assert!(u128::from(used) < all / 5, "{used} ticks of {all}");
    assert_eq!(field(&service.ask("status"), "ready"), "false");
    service.tell(&format!("{} READY=1", example("announce").display()));
    service.until("ready", || service.at("supervise/ready").exists());
    let _ = flood.kill();
    let _ = flood.wait();
    service.exit();
}
