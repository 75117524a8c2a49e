//! svctl-lint: a service directory as it should be has no finding, and each mistake has one that says what to write.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// Writes files, each as its name and its text; a script can be executed.
fn write(house: &House, files: &[(&str, &str)]) {
    for (file, text) in files {
        house.write(file, text);
    }
}

fn lint(house: &House, words: &str) -> Outcome {
    run(&mut house.command("svctl-lint", words))
}

/// What is found, strictly, by us alone.
fn found(house: &House, words: &str) -> String {
    let outcome = lint(house, &format!("-s --no-shellcheck {words}"));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (i32::from(!outcome.stdout.is_empty()), ""));
    outcome.stdout
}

/// A service that only stays.
const RUN: (&str, &str) = ("web/run", STAYS);

/// What is found in the service web of these files.
fn found_in(files: &[(&str, &str)]) -> String {
    let house = House::new();
    write(&house, files);
    found(&house, "./web")
}

#[test]
fn a_service_as_it_should_be_has_no_finding() {
    let house = House::new();
    write(
        &house,
        &[
            ("web/run", "#!/bin/sh\nexec 2>&1\nexec envdir ./env setuidgid daemon sleep 1000\n"),
            ("web/env/LISTEN", "127.0.0.1:8080\n"),
            ("web/finish", "#!/bin/sh\nrm -f /tmp/no-such-file\n"),
            ("web/check", "#!/bin/sh\ntrue\n"),
            ("web/control/t", "#!/bin/sh\nkill -INT \"$1\"\n"),
            ("web/restart-delay", "1 2 4 8 30\n"),
            ("web/timeout-kill", "5s\n"),
            ("web/notification-fd", "3\n"),
            ("web/timeout-ready", "30s continue\n"),
            ("web/leftovers", "term 2s kill\n"),
            ("web/operators", "daemon\n"),
            ("web/needs", "db\n"),
            ("web/essential", ""),
            ("web/README", "not ours\n"),
            ("web/log/run", "#!/bin/sh -e\nexec setuidgid daemon svlog -tt ./main\n"),
            ("web/log/main/config", "s10M\nn3\n-*: debug: *\n"),
            ("db/leftovers", "cgroup /services/db\n"),
            ("db/setup", "#!/bin/sh\ntouch made\n"),
            ("db/finish", "#!/bin/sh\nrm -f made\n"),
        ],
    );
    if root().is_ok() {
        assert_eq!(run_in(house.at("."), "chown daemon web/log/main"), prints(""));
    } else {
        fs::set_permissions(house.at("web/log/main"), fs::Permissions::from_mode(0o777)).unwrap();
    }
    for words in ["-s", "-s .", "-s ./web ./db", "-s web", "-s --json", "--no-shellcheck web -s"] {
        assert_eq!(lint(&house, words), prints(""), "{words}");
    }
}

#[test]
fn what_cannot_be_executed_is_found() {
    let house = House::new();
    write(
        &house,
        &[
            ("a/run", "exec sleep 1000\n"),
            ("b/run", "#!/bin/sh\r\nexec sleep 1000\r\n"),
            ("c/run", "#!/no/such/sh\nexec sleep 1000\n"),
            ("d/run", "#!sh\nexec sleep 1000\n"),
            ("e/run", "#!/etc/passwd\n"),
            ("f/run", &format!("#!/bin/{}sh\n", "./".repeat(130))),
            ("g/run", "#!/bin/sh -e -u\nexec sleep 1000\n"),
            ("h/run", "#!/usr/bin/env no-such-shell\n"),
            ("i/run", "#!\n"),
            ("j/run", "#!/bin/sh\nexec 2>&1\r\nexec sleep 1000\n"),
            ("k/log/run", STAYS),
            ("k/run", STAYS),
            ("k/log/run", "exec sleep 1000\n"),
        ],
    );
    for name in ["d", "k/log"] {
        fs::set_permissions(house.at(name).join("run"), fs::Permissions::from_mode(0o644)).unwrap();
    }
    for name in ["a", "k/log"] {
        fs::write(house.at(name).join("run"), "").unwrap();
    }
    for name in ["a", "e"] {
        fs::set_permissions(house.at(name).join("run"), fs::Permissions::from_mode(0o757)).unwrap();
    }
    fs::create_dir_all(house.at("l/run")).unwrap();
    symlink("nowhere", house.at("m")).unwrap();
    let here = house.at("").display().to_string();
    let text = found(&house, "");
    let expected = "
a/run: error: everybody may change what is executed; chmod o-w @a/run
a/run:1: error: it is empty; begin with #!/bin/sh
b/run:1: error: the line ends in a carriage return, which becomes part of the interpreter's name; remove the line ends of DOS: sed -i 's/\\r$//'
c/run:1: error: the interpreter /no/such/sh does not exist; name one that is installed
d/run: error: it is not executable; chmod +x @d/run
d/run:1: error: the interpreter sh is no absolute path, and searched nowhere; write its whole path, as #!/bin/sh
e/run: error: everybody may change what is executed; chmod o-w @e/run
e/run:1: error: the interpreter /etc/passwd cannot be executed; name one that is installed
f/run:1: error: the line is longer than 255 bytes, of which the kernel reads no more; name a short path, and do the rest in the script
g/run:1: error: the kernel gives all that follows the interpreter to it as one argument; write one word there, and the other options with set in the next line
h/run:1: error: env will not find the interpreter no-such-shell; name one that is installed
i/run:1: error: it names no interpreter; begin with #!/bin/sh
j/run:2: error: the line ends in a carriage return, which becomes part of its last word; remove the line ends of DOS: sed -i 's/\\r$//'
k/log/run: error: it is not executable; chmod +x @k/log/run
k/log/run:1: error: it is empty; begin with #!/bin/sh
l/run: error: it is a directory; write an executable file here
m: warning: it is a link that leads nowhere; remove it, or make what it leads to
";
    let text = text.replace(&here, "@");
    let mut lines: Vec<&str> = text.lines().map(|line| line.strip_prefix('@').unwrap_or(line)).collect();
    lines.sort_unstable();
    let mut expected: Vec<&str> = expected.trim().lines().collect();
    expected.sort_unstable();
    assert_eq!(lines, expected);
}

#[test]
fn the_end_of_a_run_script_is_looked_at() {
    let background = "the last command is in the background: the script ends at once, and is started again; \
                      write exec in front of it, and no & behind it";
    let shell = "the shell waits for sleep-long, and gets the signals and the supervision in its place; \
                 write exec in front of sleep-long";
    let path = "sleep-long() { :; }\nunset -f sleep-long\nPATH=/x\n";
    let cases = [
        (format!("#!/bin/sh\n{path}exec sleep 1000 &\n"), format!("./web/run:5: error: {background}\n")),
        ("#!/bin/sh\nPATH=/x\nexec 2>&1\nsleep-long -f\n".into(), format!("./web/run:4: warning: {shell}\n")),
        ("#!/bin/sh\nmain() { exec sleep 1000; }\nmain\n".into(), String::new()),
        ("#!/bin/sh\nif [ \"$1\" ]; then exec sleep 10; else exec sleep 20; fi\n".into(), String::new()),
        ("#!/bin/sh\ntrap : TERM\nsleep 1000 &\nwait\n".into(), String::new()),
        ("#!/usr/bin/perl\nsystem 'sleep 1000 &'\n".into(), String::new()),
    ];
    for (text, expected) in cases {
        assert_eq!(found_in(&[("web/run", &text)]), expected, "{text}");
    }
    // What ends is no matter for exec.
    assert_eq!(found_in(&[("web/setup", "#!/bin/sh\nsed -n p /dev/null &\n/bin/ls\n")]), "");
}

#[test]
fn accounts_programs_and_directories_that_a_chain_names_are_looked_up() {
    let script = "#!/bin/sh
exec 2>&1
[ -x /usr/sbin/known-here ] || exit 0
mkdir -p ./made
id no-such-known >/dev/null || exit 1
chpst -e ./made -u no-such-known /usr/sbin/known-here
no-such-first || no-such-second
if true; then exec no-such-branch; fi
exec envdir ./env setuidgid no-such-account chpst -U 12 no-such-program -u x
";
    let expected = "\
./web/run:9: error: there is no directory ./env; make it, or leave out what reads it
./web/run:9: error: unable to find account no-such-account: no such user; make the account, or name another one
./web/run:9: error: unable to find account 12: no such user; a bare number is taken for a name: for numbers write :uid:gid
./web/run:9: warning: there is no program no-such-program in PATH; install it, or write its whole path
";
    assert_eq!(found_in(&[("web/run", script)]), expected);
    let expected = "\
./web/finish:2: error: there is no program /no/such/program; install it, or correct the path
./web/run:2: error: there is no ./program in ./web; make it, or write the path of another program
";
    let finish = ("web/finish", "#!/bin/sh\n/no/such/program\n");
    assert_eq!(found_in(&[("web/run", "#!/bin/sh\nexec ./program\n"), finish]), expected);
    for rest in [
        "exec env -i PATH=/x no-such-program",
        "exec chpst -/ /srv no-such-program",
        "cd /srv || exit 1\nexec ./program",
        "exit 0\nexec no-such-program",
        "exec \"$program\" no-such-program",
        "PATH=$PATH:/x\nexec no-such-program",
        ". ./conf\nexec no-such-program",
        "exec envdir ./env setuidgid daemon no-such-program",
    ] {
        let script = format!("#!/bin/sh\n{rest}\n");
        assert_eq!(found_in(&[("web/run", &script), ("web/env/PATH", "/x")]), "", "{rest}");
    }
}

#[test]
fn names_and_values_are_read_as_a_supervisor_reads_them() {
    let files = [
        RUN,
        ("web/timeout_kill", "5s"),
        ("web/max-death-tally", "3"),
        ("web/finsh", "#!/bin/sh\n"),
        ("web/restart-max", "many"),
        ("web/timeout-kill", "5"),
        ("web/timeout-ready", "5s"),
        ("web/watchdog", "5s"),
        ("web/operators", "no-such-group"),
        ("web/leftovers/file", ""),
        ("web/control/z", "#!/bin/sh\n"),
    ];
    let expected = "\
./web/control/z: warning: no command has a control script of this name; it may be t, k, p, c, h, a, i, q, 1, 2, d, x or u
./web/finsh: warning: this file has no meaning; did you mean finish?
./web/leftovers: error: it is a directory; write a file with the value
./web/timeout-ready: warning: this file has no meaning here; it needs notification-fd or sd-notify
./web/watchdog: warning: this file has no meaning here; it needs sd-notify
";
    assert_eq!(found_in(&files), expected, "nothing is read while one of them is a directory");
    let files: Vec<_> = files.into_iter().filter(|(file, _)| !file.contains("leftovers/")).collect();
    let expected = "\
./web/control/z: warning: no command has a control script of this name; it may be t, k, p, c, h, a, i, q, 1, 2, d, x or u
./web/finsh: warning: this file has no meaning; did you mean finish?
./web/max-death-tally: warning: this file has no meaning; the nearest is restart-max
./web/operators: error: unable to find group no-such-group: no such group; only root and this user may control the service
./web/restart-max: error: invalid value \"many\"; write a number
./web/timeout-kill: warning: 5 milliseconds leave no time to stop in; write 5s if seconds are meant
./web/timeout-ready: warning: this file has no meaning here; it needs notification-fd or sd-notify
./web/timeout_kill: warning: this file has no meaning; the file is called timeout-kill
./web/watchdog: warning: this file has no meaning here; it needs sd-notify
";
    assert_eq!(found_in(&files), expected);
    let expected = "\
./web/leftovers: error: invalid value \"cgroup web\"; write signals by name, and times to wait before them, as kill or \
term 2s kill; or cgroup, maybe with its path
";
    assert_eq!(found_in(&[RUN, ("web/leftovers", "cgroup web")]), expected);
    let house = House::new();
    write(&house, &[RUN, ("web/timeout-kill", "5")]);
    assert_eq!(lint(&house, "web").status, 0, "a warning does not count");
    assert_eq!(lint(&house, "-s web").status, 1, "but strictly");
    let house = House::new();
    fs::create_dir(house.at("web")).unwrap();
    let expected = "web: error: there is neither run nor setup; write run, an executable script that ends in exec and the program\n";
    assert_eq!(found(&house, "./web"), format!("./{expected}"));
}

#[test]
fn the_directories_of_a_logger_and_their_settings_are_looked_at() {
    needs!(root());
    let logger = "#!/bin/sh\nexec setuidgid daemon svlog -tt -r _ ./main ./none\n";
    let files = [
        RUN,
        ("web/log/run", logger),
        ("web/log/finish", STAYS),
        ("web/log/main/config", "s1x\n+*error*\n-*\n-\u{e9}\nzzz\n"),
    ];
    let expected = "\
./web/log/finish: warning: this file has no meaning; a logger has none
./web/log/main/config:1: error: invalid value s1x; write bytes, or a size with its unit: 512K, 10M, 1G
./web/log/main/config:2: warning: +*error* never decides: -* in line 3 does; the last one that matches counts: put it behind that line
./web/log/main/config:4: warning: -é matches no line: -r replaces bytes of it before; write * in their place
./web/log/main/config:5: warning: no setting begins with z; see config in svlog(8), or begin a comment with #
./web/log/run:2: error: daemon may not write to the log directory ./main; chown daemon ./web/log/main
./web/log/run:2: error: there is no log directory ./none; mkdir -p ./web/log/none && chown daemon ./web/log/none
";
    assert_eq!(found_in(&files), expected);
    for run in [
        "mkdir -p ./none\nexec setuidgid daemon svlogd ./none",
        "exec catena mkrundir -o daemon -m 750 ./none setuidgid daemon svlog ./none",
        "exec setuidgid daemon multilog t ./none",
        "exec svlog -tt -",
        "exec svlogd -tt \"$LOG\"",
        "cd /var/log || exit 1\nexec svlog ./none",
        "tai64n | exec setuidgid daemon multilog ./none",
    ] {
        let logger = format!("#!/bin/sh\n{run}\n");
        assert_eq!(found_in(&[RUN, ("web/log/run", &logger)]), "", "{run}");
    }
    let expected = "./web/log/run: error: it is missing, so that nothing reads the log; \
                    write run of the logger, or remove the directory log\n";
    assert_eq!(found_in(&[RUN, ("web/log/main/config", "")]), expected);
}

#[test]
fn a_tree_is_known_by_its_services_and_their_needs_are_those_of_svtree() {
    let house = House::new();
    write(
        &house,
        &[
            RUN,
            ("web/needs", "db\n\nno-such\n"),
            ("db/run", STAYS),
            ("db/needs", "cache\n"),
            ("cache/run", STAYS),
            ("cache/needs", "db\n"),
            ("own/run", STAYS),
            ("own/needs", "own\n"),
            (".tree/setup", "#!/no/such/sh\n"),
            (".tree/timeout", "soon\n"),
            ("plain file", ""),
        ],
    );
    symlink("web", house.at("www")).unwrap();
    fs::create_dir(house.at("empty")).unwrap();
    let expected = "\
./.tree/setup:1: error: the interpreter /no/such/sh does not exist; name one that is installed
./.tree/timeout: error: invalid value \"soon\"; write milliseconds, or a time with its unit: 500ms, 5s, 2m, 1h
./cache/needs:1: error: none of these ever starts: cache -> db -> cache; remove one of these needs
./empty: error: there is neither run nor setup; write run, an executable script that ends in exec and the program
./own/needs:1: error: the service needs itself, and never starts; remove the line
./web/needs:3: error: there is no service no-such; correct the name, or remove the line
./www: warning: it is the same directory as web, and hosted once; remove one of them
";
    assert_eq!(found(&house, "."), expected);
    let expected = "./web/needs:3: warning: there is no service no-such beside it or in SVDIR; correct the name, or remove the line\n";
    assert_eq!(found(&house, "./web"), expected);
}

#[test]
fn each_finding_is_an_object_too() {
    needs!(tool("jq"));
    let house = House::new();
    write(
        &house,
        &[("web/run", "#!/bin/sh\nexec 2>&1\n\"$1\"\nexec no-such-program\n"), ("web/watchdog", "x")],
    );
    let outcome = lint(&house, "--json -s --no-shellcheck web");
    fs::write(house.at("out"), outcome.stdout).unwrap();
    let jq = run_in(
        house.at("."),
        "jq -r '[(.file|split(\"/\")|.[-1]), .line, .severity, .what, .instead] | @csv' out",
    );
    let expected = "\
\"run\",4,\"warning\",\"there is no program no-such-program in PATH\",\"install it, or write its whole path\"
\"watchdog\",,\"warning\",\"this file has no meaning here\",\"it needs sd-notify\"
";
    assert_eq!(jq, prints(expected));
}

#[test]
fn shellcheck_is_asked_if_it_is_there() {
    needs!(tool("shellcheck"));
    let house = House::new();
    let script = "#!/bin/sh\n. ./conf\ncd /srv\nulimit -n 100\nexec sleep $SECONDS_TO_SLEEP\n";
    write(&house, &[("web/run", script), ("web/conf", ""), ("web/.shellcheckrc", "disable=all\n")]);
    let expected = "./web/run:3: warning: Use 'cd ... || exit' or 'cd ... || return' in case cd fails. [SC2164] (shellcheck)\n";
    let mut command = house.command("svctl-lint", "-s ./web");
    assert_eq!(run(&mut command), Outcome { status: 1, ..prints(expected) });
    assert_eq!(lint(&house, "-s ./web --no-shellcheck"), prints(""));
    // One that is found in a relative directory of PATH is not meant.
    write(&house, &[("shellcheck", "#!/bin/sh\necho '-:1:1: error: not this one'\n")]);
    let mut command = house.command(program("svctl-lint"), "-s ./web");
    assert_eq!(run(command.env("PATH", ".:")).stdout, expected);
}

#[test]
fn nothing_of_the_directory_is_executed_waited_for_or_shown_to_those_who_may_not_read_it() {
    needs!(root());
    let house = House::new();
    write(
        &house,
        &[
            ("web/run", "#!/bin/sh\ntouch executed\nexec sleep 1000\n"),
            ("web/check", "#!/bin/sh\ntouch executed\n"),
            ("web/log/run", "#!/bin/sh\nexec svlog ./main\n"),
            ("secret", "precious\n"),
        ],
    );
    fs::set_permissions(house.at("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir(house.at("web/log/main")).unwrap();
    for fifo in ["finish", "timeout-kill", "needs", "log/main/config", "control"] {
        mkfifo(&house.at("web").join(fifo), Mode::from_bits_truncate(0o666)).unwrap();
    }
    symlink("/dev/zero", house.at("web/setup")).unwrap();
    symlink("../secret", house.at("web/restart-max")).unwrap();
    fs::write(house.at("web/watchdog"), vec![b'1'; 1 << 20]).unwrap();
    assert_eq!(run_in(house.at("."), "chown -R daemon web"), prints(""));
    let text = found(&house, "./web");
    assert!(!text.contains("precious"), "{text}");
    assert!(!house.at("web/executed").exists());
    let expected = "\
./web/control: error: it cannot be opened as a directory; make it one
./web/finish: error: it is a FIFO; write an executable file here
./web/log/main/config: error: it is a FIFO; write a file, or nothing
./web/needs: error: it is a FIFO; write a file with the value
./web/restart-max: error: it leads to a file of another owner, which not everybody may read; write a file with the value
./web/setup: error: it is a device; write an executable file here
./web/timeout-kill: error: it is a FIFO; write a file with the value
./web/watchdog: warning: this file has no meaning here; it needs sd-notify
";
    assert_eq!(text, expected);
    // A script that is a link to such a file is not read either.
    fs::remove_file(house.at("web/finish")).unwrap();
    symlink("../secret", house.at("web/finish")).unwrap();
    let text = found(&house, "./web");
    assert!(text.contains("./web/finish: warning: it was not looked at: a file of another owner"), "{text}");
    // A link of root's own is followed.
    assert_eq!(run_in(house.at("."), "chown -h root web web/restart-max"), prints(""));
    fs::remove_file(house.at("web/timeout-kill")).unwrap();
    fs::remove_file(house.at("web/needs")).unwrap();
    assert!(found(&house, "./web").contains("invalid value \"precious\""));
}

#[test]
fn scripts_as_people_write_them_have_no_finding_but_what_is_not_installed_here() {
    let services = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/services");
    let outcome = run(prepared("svctl-lint").args(["-s", services]));
    let is_of_the_machine = |line: &&str| {
        [
            "there is no program",
            "unable to find account",
            "there is no log directory",
            "there is no directory",
        ]
        .iter()
        .any(|text| line.contains(text))
    };
    let left: Vec<&str> = outcome.stdout.lines().filter(|line| !is_of_the_machine(line)).collect();
    // Its logger is a link to sissylog where that is installed for all.
    let expected = format!(
        "{services}/sshd-audit/log/run: error: it is a link that leads nowhere; write an executable file here"
    );
    assert!(left.iter().all(|line| *line == expected), "{left:?}");
}

#[test]
fn a_wrong_command_line_or_directory_is_an_error() {
    let house = House::new();
    let outcome = lint(&house, "-x");
    assert_eq!(outcome, misuse("svctl-lint", "invalid option '-x'"));
    let no = says(nix::errno::Errno::ENOENT);
    let at = house.at("no").display().to_string();
    assert_eq!(lint(&house, "no"), fails(111, format!("svctl-lint: fatal: unable to open {at}: {no}\n")));
    write(&house, &[("other/web/run", STAYS)]);
    let mut command = house.command("svctl-lint", "web");
    let outcome = run(command.current_dir(house.at("other")));
    assert_eq!(
        outcome.stderr.lines().nth(1),
        Some("svctl-lint: hint: a path begins with a dot or a slash: ./web")
    );
    let mut command = house.command("svctl-lint", "");
    let outcome = run(command.env("SVDIR", house.at("no")));
    let expected = format!(
        "svctl-lint: fatal: unable to open {at}: {no}\nsvctl-lint: hint: SVDIR says where services are\n"
    );
    assert_eq!(outcome, fails(111, expected));
    assert_eq!(lint(&House::new(), ""), prints(""), "there are no services");
}
