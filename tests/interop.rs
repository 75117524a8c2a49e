//! Our links in the service directories and the command lines of others: runit, daemontools, s6, execline.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use tempfile::TempDir;

use crate::needs;
use crate::support::*;

both!(svrun;
    a_run_script_in_execline_may_name_our_links,
    a_run_script_of_our_links_is_started_and_stopped_by_runits_sv,
    the_promised_line_runs_and_svlogd_reads_what_it_says,
);

/// A service directory `service` in a directory, under runit's own runsv or our svrun.
struct Service {
    directory: TempDir,
    supervisor: Child,
}

impl Service {
    /// Puts the scripts in place and starts the supervisor, which starts the service.
    fn start(of: Program, directory: TempDir, scripts: &[(&str, &str)]) -> Self {
        let at = |name: &str| directory.path().join("service").join(name);
        fs::create_dir_all(at("env")).unwrap();
        fs::write(at("env/GREETING"), "hello\n").unwrap();
        for (name, text) in scripts {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            script(&at(name), text);
        }
        let mut supervisor = of.command();
        supervisor.arg("service").current_dir(directory.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let service = Self { supervisor: supervisor.spawn().unwrap(), directory };
        until("the supervisor", || service.sv("status").status == 0);
        service
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join("service").join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }

    /// Has runit's sv do something and wait for it.
    fn sv(&self, what: &str) -> Outcome {
        run(prepared("sv").args(["-w", "30", what, "./service"]).current_dir(self.directory.path()))
    }

    /// Asserts that sv starts the service, which is the process `program` then; returns its pid.
    fn assert_started(&self, program: &str) -> u32 {
        let answer = self.sv("start");
        let pid =
            answer.stdout.strip_prefix("ok: run: ./service: (pid ").and_then(|rest| rest.split(')').next());
        let pid = pid.and_then(|pid| pid.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"));
        assert_eq!((answer.status, &*answer.stderr), (0, ""));
        // The chain is still on its way there when sv is content, and has the name before it has the rest.
        until(program, || {
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == program)
        });
        wait_until_in(pid, ASLEEP);
        until("the pid in its file", || self.read("supervise/pid") == format!("{pid}\n"));
        let status = self.sv("status").stdout;
        assert!(status.starts_with(&format!("run: ./service: (pid {pid}) ")), "{status}");
        pid
    }

    /// Asserts that sv stops the service and that its process is gone.
    fn assert_stopped(&self, pid: u32) {
        let answer = self.sv("stop");
        assert!(answer.status == 0 && answer.stdout.starts_with("ok: down: ./service: "), "{answer:?}");
        assert!(!PathBuf::from(format!("/proc/{pid}")).exists());
    }

    /// Ends it all, and asserts that no process of it is left.
    fn end(mut self) {
        assert_eq!(self.sv("exit").status, 0);
        assert_eq!(self.supervisor.wait().unwrap().code(), Some(0));
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let inside = processes.filter(|process| {
            fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(self.directory.path()))
        });
        let inside: Vec<PathBuf> = inside.map(|process| process.path()).collect();
        assert!(inside.is_empty(), "{inside:?}");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.supervisor.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.sv("force-shutdown"); // a test has failed
            let _ = self.supervisor.kill();
            let _ = self.supervisor.wait();
        }
    }
}

fn a_run_script_of_our_links_is_started_and_stopped_by_runits_sv(of: Program) {
    needs!(tool("sv"), peer("chpst"));
    let run_script = "#!/bin/sh
exec 2>&1
exec pidlock -n pid setlock -n lock envdir ./env umask 027 softlimit -o 64 setsid-free fdclose 0 sleep 1000000
";
    let service = Service::start(of, TempDir::new().unwrap(), &[("run", run_script)]);
    let pid = service.assert_started("sleep");
    // It is one process from run to the program: sv's pid is the program's and that of the pid file.
    assert_eq!(service.read("pid"), format!("{pid}\n"));
    let seen = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    assert!(seen("status").contains("\nUmask:\t0027\n"));
    assert!(seen("limits").contains("\nMax open files            64 "));
    assert!(seen("environ").split('\0').any(|entry| entry == "GREETING=hello"));
    let stat = seen("stat"); // ... (sleep) S parent group ...
    let relatives: Vec<&str> = stat.split(' ').skip(3).take(2).collect();
    assert_eq!(relatives, [service.supervisor.id().to_string(), pid.to_string()]);
    assert!(fs::read_link(format!("/proc/{pid}/fd/0")).is_err());
    let locks = |command: &str| run(sh(command).current_dir(service.at(""))).status;
    assert_eq!(locks("/usr/bin/chpst -L lock true"), 111);
    assert_eq!(locks("flock -n lock true"), 1);
    assert_eq!(
        run(link("pidlock").arg("-c").arg(service.at("pid"))),
        Outcome { status: 1, ..prints(format!("{pid}\n")) }
    );
    service.assert_stopped(pid);
    assert_eq!(locks("/usr/bin/chpst -L lock true"), 0);
    assert_eq!(run(link("pidlock").arg("-c").arg(service.at("pid"))), prints(""));
    let next = service.assert_started("sleep");
    assert_ne!(next, pid);
    assert_eq!(service.read("pid"), format!("{next}\n"));
    assert_eq!(service.sv("restart").status, 0);
    until("a new process", || {
        service.sv("status").stdout.starts_with("run:") && service.read("pid") != format!("{next}\n")
    });
    let last = service.assert_started("sleep");
    assert_ne!(last, next);
    service.assert_stopped(last);
    service.end();
}

fn a_run_script_in_execline_may_name_our_links(of: Program) {
    needs!(tool("sv"), tool("execlineb"));
    let run_script = "#!/usr/bin/execlineb -P
fdmove -c 2 1
envdir ./env
setlock -n -d 7 lock
sleep 1000000
";
    let service = Service::start(of, TempDir::new().unwrap(), &[("run", run_script)]);
    let pid = service.assert_started("sleep");
    assert_eq!(
        fs::read_link(format!("/proc/{pid}/fd/7")).unwrap(),
        service.at("lock").canonicalize().unwrap()
    );
    service.assert_stopped(pid);
    service.end();
}

fn the_promised_line_runs_and_svlogd_reads_what_it_says(of: Program) {
    needs!(mounts(), tool("sv"), tool("svlogd"), tool("busybox"));
    let directory = open_directory();
    let root = directory.path().join("root");
    fs::create_dir(&root).unwrap();
    let busybox = ["/usr/bin/busybox", "/bin/busybox"].map(PathBuf::from);
    let busybox = busybox.iter().find(|file| file.exists()).unwrap();
    install_root(&root, &[busybox, &example("state")]);
    let program = "/state; echo \"$GREETING\"; echo trouble >&2; exec /busybox sleep 1000000";
    let chain = "envdir ./env setuidgid :8001:8002 chroot ../root";
    let run_script = format!("#!/bin/sh\nexec 2>&1\nexec {chain} /busybox sh -c '{program}'\n");
    let log_script = "#!/bin/sh\nexec svlogd ./main\n";
    fs::create_dir_all(directory.path().join("service/log/main")).unwrap();
    let service = Service::start(of, directory, &[("run", &run_script), ("log/run", log_script)]);
    let pid = service.assert_started("busybox");
    until("the log", || service.read("log/main/current").ends_with("\nhello\ntrouble\n"));
    let log = service.read("log/main/current");
    let root = service.directory.path().join("root");
    for item in [
        "argv /state",
        "cwd /",
        "uids 8001 8001 8001",
        "gids 8002 8002 8002",
        "groups 8002",
        "inheritable 0000000000000000",
        "permitted 0000000000000000",
        "effective 0000000000000000",
        "ambient 0000000000000000",
        "securebits 0x0",
        "keepcaps false",
    ] {
        assert!(log.lines().any(|line| line == item), "{item} in {log}");
    }
    // The daemon itself, from outside.
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    for line in ["Uid:\t8001\t8001\t8001\t8001", "Gid:\t8002\t8002\t8002\t8002", "CapPrm:\t0000000000000000"]
    {
        assert!(status.lines().any(|other| other == line), "{line} in {status}");
    }
    assert_eq!(fs::read_link(format!("/proc/{pid}/root")).unwrap(), root.canonicalize().unwrap());
    service.assert_stopped(pid);
    service.end();
}

#[test]
fn our_links_before_and_after_chpst_in_one_line() {
    needs!(peer("chpst"));
    let directory = TempDir::new().unwrap();
    fs::create_dir(directory.path().join("env")).unwrap();
    fs::write(directory.path().join("env/OURS"), "1\n").unwrap();
    let items = |line: &str| {
        let seen = run_in(&directory, &line.replace("STATE", example("state").to_str().unwrap()));
        assert_eq!((seen.status, &*seen.stderr), (0, ""), "{line}");
        seen.stdout
    };
    let without =
        items("umask 027; ulimit -Sc 0; export OURS=1; ulimit -Sn 77; exec /usr/bin/nice -n 3 STATE");
    for line in [
        "exec envdir env umask 027 softlimit -c 0 /usr/bin/chpst -n 3 -o 77 STATE",
        "exec /usr/bin/chpst -n 3 -o 77 envdir env umask 027 softlimit -c 0 STATE",
        "exec envdir env nice -n 1 /usr/bin/chpst -n 1 umask 027 nice -n 1 softlimit -c 0 /usr/bin/chpst -o 77 STATE",
        "exec envdir env /usr/bin/chpst -n 3 umask 027 /usr/bin/chpst -o 77 softlimit -c 0 STATE",
        "exec softlimit -o 77 umask 027 /usr/bin/chpst -e env -n 3 softlimit -c 0 STATE",
    ] {
        // Where in the environment a new variable stands is each one's own affair.
        assert_eq!(differences(&sorted(&without), &sorted(&items(line))), "", "{line}");
    }
}

fn sorted(state: &str) -> String {
    let mut lines: Vec<&str> = state.lines().filter(|line| !line.starts_with("namespace mnt:")).collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[test]
fn one_line_may_mix_all_toolboxes() {
    needs!(mounts(), peer("chpst"), tool("s6-softlimit"), tool("svc"), tool("execlineb"));
    let accounts = Accounts::new();
    let directory = open_directory();
    let state = directory.path().join("state");
    install(&example("state"), &state);
    fs::create_dir(directory.path().join("env")).unwrap();
    fs::write(directory.path().join("env/GREETING"), "hello\n").unwrap();
    // Each place of the line has ours first.
    let places: [&[&str]; 5] = [
        &["envdir env", "/usr/bin/envdir env", "s6-envdir env", "/usr/bin/chpst -e env"],
        &["umask 027", "/usr/lib/execline/bin/umask 027"],
        &["softlimit -o 77", "/usr/bin/softlimit -o 77", "s6-softlimit -o 77", "/usr/bin/chpst -o 77"],
        &["fdmove -c 9 1", "/usr/lib/execline/bin/fdmove -c 9 1"],
        &[
            "setuidgid alice",
            "/usr/bin/setuidgid alice",
            "s6-applyuidgid -u 5001 -g 5001 -G 5001",
            "/usr/bin/chpst -u alice",
        ],
    ];
    let links: Vec<PathBuf> =
        ["envdir", "umask", "softlimit", "fdmove", "setuidgid"].map(|name| accounts.copy(name)).into();
    let mut lines = vec![String::new()];
    for place in places {
        lines =
            lines.iter().flat_map(|line| place.iter().map(move |link| format!("{line} {link}"))).collect();
    }
    assert_eq!(lines.len(), 256);
    // All in one mount namespace, the states apart by a line.
    let path = links[0].parent().unwrap().display();
    let chains = lines.iter().fold(String::new(), |text, line| text + "env" + line + " ./state\necho END\n");
    let script = format!("PATH={path}:{BASE_PATH}\n{chains}");
    let seen = run(accounts.command(["sh", "-c", &script]).current_dir(&directory));
    assert_eq!((seen.status, &*seen.stderr), (0, ""));
    let states: Vec<String> = seen.stdout.split("END\n").map(sorted).collect();
    assert_eq!(states.len(), 257); // and nothing after the last
    for item in ["env GREETING=hello", "umask 027", "uids 5001 5001 5001", "groups 5001"] {
        assert!(states[0].lines().any(|line| line == item), "{item} in {}", states[0]);
    }
    for (line, state) in lines.iter().zip(&states) {
        assert!(*state == states[0], "{line}:{}", differences(&states[0], state));
    }
}

#[test]
fn locks_of_setlock_and_chpst_stand_side_by_side() {
    needs!(peer("chpst"));
    let directory = TempDir::new().unwrap();
    let inside = "/usr/bin/chpst -L a true 2>/dev/null; echo $?; setlock -n b true 2>/dev/null; echo $?; \
                  /usr/bin/chpst -L c true; echo $?; setlock -n c true; echo $?";
    for line in [
        "setlock a /usr/bin/chpst -l b",
        "/usr/bin/chpst -l a setlock b",
        "setlock a setlock b",
        "/usr/bin/chpst -l a /usr/bin/chpst -l b",
    ] {
        let script = format!("{line} sh -c '{inside}' && /usr/bin/chpst -L a setlock -n b true");
        assert_eq!(run_in(&directory, &script), prints("111\n111\n0\n0\n"), "{line}");
    }
}
