//! `catena explain`, and the program that it executes.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use tempfile::TempDir;

use crate::needs;
use crate::support::*;

/// A chain, explained by name.
fn explain(words: &[&str]) -> Outcome {
    run(link("catena").arg("explain").args(words).env("HOME", "/"))
}

/// Its lines, of which the last is about the program.
fn lines(outcome: &Outcome) -> Vec<&str> {
    assert_eq!(outcome.stderr, "", "{}", outcome.stdout);
    outcome.stdout.lines().collect()
}

/// The lines of a chain whose program is `true`, but for that.
fn of_links(words: &[&str]) -> Vec<String> {
    let outcome = explain(&[words, &["true"]].concat());
    let mut lines: Vec<_> = lines(&outcome).into_iter().map(str::to_owned).collect();
    let last = lines.pop().unwrap();
    assert!(last.starts_with("true: would be executed: /"), "{last}");
    assert_eq!(outcome.status, 0);
    lines
}

#[test]
fn each_link_has_a_line_with_what_it_changes() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    fs::create_dir(at("env")).unwrap();
    fs::write(at("env/NAME"), "secret\n").unwrap();
    fs::write(at("env/HOME"), "/elsewhere\n").unwrap();
    let chain = format!(
        "envdir {} unexport LANG umask 027 umask 027 fdclose 0 redirfd -r 0 /dev/zero setlock -d 9 {} nice -n 0",
        at("env"),
        at("lock")
    );
    let words: Vec<&str> = chain.split(' ').collect();
    let outcome =
        run(link("catena").arg("explain").args(&words).arg("true").env("HOME", "/").env("LANG", "C"));
    let found = lines(&outcome);
    assert_eq!(
        found[..found.len() - 1],
        [
            format!("envdir {}: environment set NAME; environment changed HOME=/elsewhere", at("env")),
            "unexport LANG: environment removed LANG".into(),
            "umask 027: umask 022 -> 027".into(),
            "umask 027: changes nothing".into(),
            "fdclose 0: fd 0 closed".into(),
            "redirfd -r 0 /dev/zero: fd 0 read /dev/zero".into(),
            format!("setlock -d 9 {}: fd 9 write nonblocking locked {}", at("lock"), at("lock")),
            "nice -n 0: changes nothing".into(),
        ]
    );
    assert_eq!(run(link("setlock").args(["-n", &at("lock"), "echo", "free"])), prints("free\n"));
}

#[test]
fn the_status_is_that_of_the_chain() {
    let directory = tempfile::tempdir().unwrap();
    let plain = directory.path().join("plain").display().to_string();
    fs::write(&plain, "echo ran\n").unwrap();
    let script = |name: &str, text: &str| {
        let file = directory.path().join(name);
        script(&file, text);
        file.display().to_string()
    };
    let (none, no_shell) = (script("none", "#!/no/such/interpreter\n"), script("text", "echo ran\n"));
    for words in [
        &["umask", "022", "true"][..],
        &["true"],
        &["umask", "999", "true"],
        &["umask"],
        &["umask", "022"],
        &["umask", "022", "no-such-program"],
        &["umask", "022", &plain],
        &["umask", "022", "/"],
        &["umask", "022", ""],
        &["umask", "022", &none],
        &["umask", "022", &no_shell],
        &["envdir", "/no/such", "true"],
        &["fdmove", "9", "88", "true"],
        &["umask", "022", "argv0", "true", "name"],
        &["umask", "022", "argv0", "no-such-program", "name"],
    ] {
        let real = if words == ["true"] { prints("") } else { run(link("catena").args(words)) };
        let explained = explain(words);
        assert_eq!(explained.status, real.status, "{words:?} {explained:?} {real:?}");
        // The words of the error are the same.
        if let Some((_, why)) = real.stderr.lines().next().unwrap_or_default().split_once("fatal: ") {
            assert!(explained.stdout.contains(why), "{words:?} {explained:?} {real:?}");
        }
    }
}

#[test]
fn the_program_is_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let interpreted = directory.path().join("interpreted");
    script(&interpreted, "#!/bin/sh\n");
    let last = |words: &[&str]| lines(&explain(words)).last().unwrap().to_string();
    let found = last(&[interpreted.to_str().unwrap(), "x"]);
    assert!(found.contains("its interpreter /bin/sh is there, "), "{found}");
    let missing = last(&["umask", "22", "no-such-program"]);
    let expected = format!(
        "no-such-program: would not be executed: unable to run no-such-program: {}",
        says(Errno::ENOENT)
    );
    assert_eq!(missing, expected);
    script(&interpreted, "#!/no/such\n");
    let found = last(&[interpreted.to_str().unwrap(), "x"]);
    assert!(found.ends_with("the file is there: the interpreter in its first line is not"), "{found}");
}

#[test]
fn ids_and_roots_are_told_and_links_that_another_one_applies_too() {
    needs!(root(), crate::nice::lowered());
    let root = open_directory();
    install_root(root.path(), &[&program("state")]);
    let at = root.path().display().to_string();
    let outcome =
        explain(&["setuidgid", ":65534:65533", "nice", "-n", "-3", "chroot", &at, "umask", "027", "/state"]);
    let found = lines(&outcome);
    let starts = [
        "setuidgid :65534:65533: uid 0 -> 65534; gid 0 -> 65533; groups ",
        "nice -n -3: nice ",
        &format!("chroot {at}: "),
        "umask 027: umask 022 -> 027",
        "/state: would be executed: /state, as uid 65534, gid 65533, in the root ",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (line, start) in found.iter().zip(starts) {
        assert!(line.starts_with(start), "{found:#?}");
    }
    assert!(
        found[0].contains("capabilities permitted, effective ") && found[0].ends_with(" -> none"),
        "{found:#?}"
    );
    assert!(found[2].contains(&format!("root is {at}")), "{found:#?}");
    assert_eq!(outcome.status, 0);
}

#[test]
fn a_link_that_waits_is_waited_for_until_a_signal_comes() {
    let directory = tempfile::tempdir().unwrap();
    let lock = directory.path().join("lock");
    let holder = locks::Holder::holding(directory.path(), &["setlock", "lock"]);
    let waiting = Background::start(
        link("catena").arg("explain").arg("pgrphack").arg("setlock").arg(&lock).arg("true"),
    );
    let child = child(waiting.pid());
    until("the child waits", || {
        fs::read_to_string(format!("/proc/{child}/syscall"))
            .is_ok_and(|call| call.starts_with(&nix::libc::SYS_flock.to_string()) || call.contains("0x2"))
    });
    send_signal(waiting.pid(), nix::sys::signal::Signal::SIGINT);
    assert_eq!(waiting.finish().status, 130);
    assert!(!lives(child));
    holder.release();
}

#[test]
fn what_waits_is_gone_with_the_process_that_prints_however_that_ends() {
    let directory = tempfile::tempdir().unwrap();
    let lock = directory.path().join("lock");
    let holder = locks::Holder::holding(directory.path(), &["setlock", "lock"]);
    for (signal, links) in [
        (nix::sys::signal::Signal::SIGKILL, &["setlock"][..]),
        (nix::sys::signal::Signal::SIGTERM, &["fghack", "setlock"]),
        (nix::sys::signal::Signal::SIGKILL, &["fghack", "umask", "022", "setlock"]),
    ] {
        let waiting = Background::start(
            link("catena").arg("explain").args(links).arg(&lock).args(["umask", "022", "true"]),
        );
        let mut last = child(waiting.pid());
        if links.len() > 1 {
            last = child(last);
        }
        until("it waits", || {
            fs::read_to_string(format!("/proc/{last}/wchan")).is_ok_and(|place| place.contains("lock"))
                || fs::read_to_string(format!("/proc/{last}/syscall"))
                    .is_ok_and(|call| call.starts_with(&nix::libc::SYS_flock.to_string()))
        });
        send_signal(waiting.pid(), signal);
        waiting.finish();
        until("nothing is left", || !lives(last));
    }
    holder.release();
}

#[test]
fn the_state_at_the_end_is_printed_if_asked_for() {
    let outcome = explain(&["-s", "umask", "027", "env"]);
    let found = lines(&outcome);
    assert!(found.contains(&"umask 027") && found.contains(&"env HOME=/"), "{}", outcome.stdout);
    let plain = explain(&["umask", "027", "env"]);
    assert!(!lines(&plain).contains(&"umask 027"), "{}", plain.stdout);
}

#[test]
fn usage_errors_are_those_of_a_program() {
    for (words, problem) in
        [(&[][..], "missing prog"), (&["--"], "missing prog"), (&["-x", "true"], "invalid option '-x'")]
    {
        assert_eq!(explain(words), misuse("catena-explain", problem), "{words:?}");
    }
}

// Scripts.

#[test]
fn a_script_that_only_a_shell_can_know_is_refused_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    script(&run, "#!/bin/sh\n. ./conf\nexec mydaemon $OPTS\n");
    let at = run.display().to_string();
    let why = "it has $OPTS, whose value is not known from line 2 on";
    let problem = format!("{at}: line 3 cannot be explained: {why}");
    assert_eq!(explain(&[&at]), misuse("catena-explain", &problem));
    script(&run, "#!/bin/sh\nexec 2>&1\nmydaemon\n");
    let problem = format!("{at}: there is no line that begins with exec and a program");
    assert_eq!(explain(&[&at]), misuse("catena-explain", &problem));
    script(&run, "#!/usr/bin/env python3\nexec x\n");
    assert_eq!(explain(&[&at]), misuse("catena-explain", &format!("{at} is no script of a shell")));
    script(&run, "#!/bin/sh\r\nexec true\r\n");
    let problem = format!("{at}: its first line ends with a carriage return");
    assert_eq!(explain(&[&at]), misuse("catena-explain", &problem));
    fs::write(&run, "#!/bin/sh\nexec true\0x\n").unwrap();
    let problem = format!("{at} has a NUL byte, which each shell reads in its own way");
    assert_eq!(explain(&[&at]), misuse("catena-explain", &problem));
    fs::write(&run, format!("#!/bin/sh\n{}exec true\n", "#\n".repeat(1 << 19))).unwrap();
    let problem = format!("{at} is longer than {} bytes", 1 << 20);
    assert_eq!(explain(&[&at]), misuse("catena-explain", &problem));
}

#[test]
fn what_a_script_has_in_it_is_printed_without_its_control_characters() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    script(&run, "#!/bin/sh\nmkdir \"\x1b[31mred\"\nexec true\n");
    let outcome = explain(&[run.to_str().unwrap()]);
    assert_eq!(lines(&outcome)[1], "note: line 2 is not run: mkdir \\x1b[31mred");
}

#[test]
fn words_that_are_too_long_for_an_exec_are_found_to_be_so() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    fs::write(&run, format!("#!/bin/sh\nexec umask 022 true {}\n", "x".repeat(1 << 19))).unwrap();
    let outcome = explain(&[run.to_str().unwrap()]);
    let expected = format!(": would not be executed: unable to run true: {}", says(Errno::E2BIG));
    assert!(lines(&outcome).last().unwrap().ends_with(&expected));
    assert_eq!(outcome.status, 126);
}

#[test]
fn lines_that_are_not_run_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    script(&run, "#!/bin/sh\nexec 2>&1\nmkdir -p made\nif true; then\n\texec umask 027 \\\n\ttrue\nfi\n");
    let outcome = explain(&[directory.path().to_str().unwrap()]);
    let found = lines(&outcome);
    let at = run.display();
    assert_eq!(found[0], format!("{at}: line 5: umask 027 true"));
    assert_eq!(found[1], "note: that line is executed under a condition, which is taken for true");
    assert_eq!(found[2], "note: line 3 is not run: mkdir -p");
    assert_eq!(found[3], "umask 027: umask 022 -> 027");
    assert!(!directory.path().join("made").exists());
}

#[test]
fn a_link_of_another_package_is_named_in_a_script() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    fs::create_dir(directory.path().join("bin")).unwrap();
    let other = directory.path().join("bin/nice");
    script(&other, "#!/bin/sh\n");
    script(&run, "#!/bin/sh\nPATH=./bin:$PATH\nexec nice -n 0 true\n");
    let outcome = explain(&[run.to_str().unwrap()]);
    let note = format!(
        "note: nice is {}, which is not of catena: it is taken as if it were ours",
        other.canonicalize().unwrap().display()
    );
    assert_eq!(lines(&outcome)[1], note);
}

#[test]
fn a_program_whose_name_only_ends_as_a_links_is_no_link_in_a_script() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    script(&directory.path().join("my-chroot"), "#!/bin/sh\n");
    script(&run, "#!/bin/sh\nexec umask 027 ./my-chroot /\n");
    let outcome = explain(&[run.to_str().unwrap()]);
    assert!(
        lines(&outcome).last().unwrap().starts_with("./my-chroot /: would be executed: "),
        "{}",
        outcome.stdout
    );
}

/// Services of the corpus, with stand-ins for what they run, and the programs that they call.
struct Corpus {
    directory: TempDir,
    accounts: Accounts,
}

/// What the scripts run at their ends; it prints what it inherits.
const DAEMONS: &str = "agetty anacrond auditd bluetoothd boinc busyd catalina chronyd controlled cronie-crond dbus-daemon dhclient
    dnscache elogind fah-client git-daemon inetd lockedd mailingd memcached mingetty minid multilog mysqld nginx numberd
    pause pppd prefixed puma quietd redis-server rpc-statd setenvd sgetty socklog stamped statusd tinydns tor umasked
    waiterd waits-upd qmail-start named";
/// What they run before.
const HELPERS: &str =
    "sv svc svok svstat svwaitup install dbus-uuidgen alsactl iptables-restore nginx-test nft sleep";

/// How the links are installed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Links {
    /// Each a program of its own.
    Files,
    /// As links to catena.
    InOne,
}

impl Corpus {
    fn new(how: Links) -> Self {
        let mut users = "root:x:0:0:root:/root:/bin/sh\n".to_owned();
        let mut groups = "root:x:0:\n".to_owned();
        let names = "nobody git gitdaemon jail log memcache mysql redis tinydns tomcat tor www opscode alice bind dnscache";
        for (name, id) in names.split(' ').zip(4001..) {
            writeln!(users, "{name}:x:{id}:{id}::/home/{name}:/bin/sh").unwrap();
            writeln!(groups, "{name}:x:{id}:").unwrap();
        }
        groups += "nogroup:x:4100:\nbackup:x:4101:\nssl-cert:x:4102:\nusers:x:4103:\n";
        let accounts = Accounts::of(&users, &groups);
        let directory = open_directory();
        let at = |name: &str| directory.path().join(name);
        for name in ["stand", "bin"] {
            fs::create_dir(at(name)).unwrap();
        }
        let inherits = at("inherits");
        install(&example("inherits"), &inherits);
        for name in DAEMONS.split_whitespace() {
            fs::hard_link(&inherits, at("stand").join(name)).unwrap();
        }
        for name in HELPERS.split_whitespace() {
            script(&at("stand").join(name), "#!/bin/sh\n");
        }
        for name in ["catena", "catena-explain"] {
            install(&program(name), &at("bin").join(name));
        }
        let links = "chpst envdir envuidgid fghack nice pgrphack setlock setuidgid softlimit";
        for name in links.split(' ') {
            match how {
                Links::Files => install(&program(name), &at("bin").join(name)),
                Links::InOne => std::os::unix::fs::symlink("catena", at("bin").join(name)).unwrap(),
            }
        }
        let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/services");
        assert_eq!(run(sh("cp -R \"$1\" \"$2\"").arg("sh").arg(services).arg(at("sv"))), prints(""));
        Self { directory, accounts }
    }

    fn services(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.at("sv"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// In the directory of a service, with its files of output, fd 7 being one of them.
    fn command(&self, service: &str, words: &[&str]) -> Command {
        let line = "cd \"$1\" && shift && exec \"$@\" </dev/null >../../out 2>../../err 7>../../state";
        let mut words: Vec<String> = words.iter().map(ToString::to_string).collect();
        words.splice(0..0, ["sh", "-c", line, "sh"].map(str::to_owned));
        words.insert(4, self.at("sv").join(service).display().to_string());
        let mut command = self.accounts.command(words);
        let path = format!("{}:{}:/usr/bin:/bin", self.at("stand").display(), self.at("bin").display());
        command.env_clear().env("PATH", path);
        command
    }

    fn explained(&self, service: &str) -> (i32, String, String) {
        let catena = self.at("bin/catena").display().to_string();
        let outcome = run(&mut self.command(service, &[&catena, "explain", "-s", "./run"]));
        (outcome.status, text(&self.at("out")), text(&self.at("err")))
    }
}

/// A state as it can be compared: without what each process has of its own, its pid as `own`, and pipes without their
/// numbers.
fn comparable(text: &str) -> Vec<String> {
    let pid = text.lines().find_map(|line| line.strip_prefix("pid ")).unwrap_or_default().to_owned();
    let keys = ["pid ", "parent ", "namespace mnt ", "env PWD=", "env OLDPWD=", "env _=", "env SHLVL="];
    let lines = text.lines().filter(|line| !keys.iter().any(|key| line.starts_with(key)));
    let mut lines: Vec<String> = lines
        .map(|line| match line.split_once(' ') {
            Some((key @ ("group" | "session"), id)) if id == pid => format!("{key} own"),
            _ => line.split("pipe:[").next().unwrap().to_owned(),
        })
        .collect();
    lines.sort();
    lines
}

/// Those whose chains are known without a shell, and what they run is a stand-in.
const SIMPLE: [&str; 26] = [
    "alsa",
    "anacron",
    "bluetoothd",
    "boinc",
    "control",
    "cronie",
    "dbus",
    "dhclient",
    "elogind",
    "folding",
    "getty-5",
    "getty-ttyS0",
    "git-daemon",
    "inetd",
    "locked",
    "mini",
    "nginx",
    "numbers",
    "pppd",
    "quiet",
    "setenv",
    "socklog-unix",
    "stamped",
    "tinydns",
    "tomcat",
    "tor",
];

#[test]
fn what_is_said_of_scripts_is_what_happens() {
    needs!(root(), mounts(), namespaces());
    let mut wrong = Vec::new();
    for how in [Links::Files, Links::InOne] {
        let corpus = Corpus::new(how);
        for service in SIMPLE {
            wrong.extend(said_wrongly(&corpus, service).map(|what| format!("{how:?} {what}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is said of a service and does not happen.
fn said_wrongly(corpus: &Corpus, service: &str) -> Option<String> {
    let (status, report, errors) = corpus.explained(service);
    if (status, &*errors) != (0, "") || !report.contains(": would be executed: ") {
        return Some(format!("{service}: {status} {errors}{report}"));
    }
    let said: Vec<&str> = report.lines().skip_while(|line| !line.starts_with("pid ")).collect();
    let outcome = run(&mut corpus.command(service, &["./run"]));
    let happened = text(&corpus.at("state"));
    let (said, happened) = (comparable(&said.join("\n")), comparable(&happened));
    let differences = differences(&happened.join("\n"), &said.join("\n"));
    let right = outcome.status == 0 && !happened.is_empty() && said == happened;
    (!right).then(|| format!("{service}: {outcome:?} {}\n{differences}", text(&corpus.at("err"))))
}

#[test]
fn no_script_is_warned_of_without_a_reason() {
    needs!(root(), mounts(), namespaces());
    let corpus = Corpus::new(Links::Files);
    let mut warned = Vec::new();
    let mut statuses = Vec::new();
    for service in corpus.services() {
        let (status, report, _) = corpus.explained(&service);
        statuses.push(status);
        for line in report.lines().filter_map(|line| line.strip_prefix("warning: ")) {
            warned.push((service.clone(), line.split(' ').take(3).collect::<Vec<_>>().join(" ")));
        }
    }
    let expected = [("axfrdns", "sh stands between")];
    let expected = expected.map(|(service, text)| (service.to_owned(), text.to_owned()));
    assert_eq!(warned, expected);
    assert!(statuses.iter().all(|status| [0, 100, 111, 126, 127].contains(status)), "{statuses:?}");
}

// Traps, each in a chain that goes into it; tests/explain/traps beside the code has those that do not.

#[test]
fn each_trap_is_found() {
    let directory = open_directory();
    let at = |name: &str| directory.path().join(name).display().to_string();
    for name in ["node", "nginx"] {
        install(&example("inherits"), Path::new(&at(name)));
    }
    let lock = at("lock");
    for (chain, warning) in [
        (format!("softlimit -m 900000000 {}", at("node")), "node reserves much more address space"),
        ("nice -n 0 sh -c x".to_owned(), "sh stands between the links and what it runs"),
        (format!("setlock -d 9 {lock} fdclose 9 true"), "is released before the program begins"),
        (format!("nice -n 0 {} -c /etc/nginx.conf", at("nginx")), "nginx puts itself into the background"),
    ] {
        let outcome = explain(&chain.split(' ').collect::<Vec<_>>());
        let warnings: Vec<_> =
            lines(&outcome).into_iter().filter(|line| line.starts_with("warning: ")).collect();
        assert!(warnings.len() == 1 && warnings[0].contains(warning), "{chain}: {}", outcome.stdout);
    }
    assert_eq!(of_links(&["fghack"]).len(), 1);
    needs!(root());
    let outcome =
        run(link("catena").args(["explain", "setuidgid", ":65534:65534", "true"]).env("HOME", "/root"));
    assert!(
        outcome
            .stdout
            .ends_with("\nwarning: HOME is still /root, root's: use setuidgid -e, or set it in an envdir\n")
    );
    fs::create_dir(at("secret")).unwrap();
    fs::set_permissions(at("secret"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let outcome = explain(&["setuidgid", ":65534:65534", "envdir", &at("secret"), "true"]);
    let warning = "warning: envdir opens files as the account of 'setuidgid :65534:65534', which may not: put envdir in front of it";
    assert_eq!((outcome.status, lines(&outcome).last().copied()), (111, Some(warning)));
    needs!(tool("setpriv"));
    let set_id = at("set-id");
    install(&example("inherits"), Path::new(&set_id));
    fs::set_permissions(&set_id, std::os::unix::fs::PermissionsExt::from_mode(0o4755)).unwrap();
    let mut command = prepared("setpriv");
    command.args(["--no-new-privs", "catena", "explain", "nice", "-n", "0", &set_id]).env("HOME", "/");
    let outcome = run(&mut command);
    let expected = format!(
        "warning: {set_id} is set-id or has capabilities, which it does not get after no-new-privs or landlock"
    );
    assert_eq!(lines(&outcome).last().copied(), Some(&*expected));
}
