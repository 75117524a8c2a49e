//! The rules of every link: its options, statuses and messages, and how it finds the program.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use catena::LINKS;
use common::Link;
use nix::errno::Errno;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{getgid, getgroups, getuid};
use tempfile::TempDir;

use crate::landlock::landlock;
use crate::needs;
use crate::support::*;

const NOBODY: u32 = 65534;

/// Valid options and operands of the link `name`, to stand before prog. They work with and without root,
/// but for chroot's, which need it, and cgroup's, where groups can be made; they change something that tests/programs/state.rs prints, if they can, and
/// work twice in a chain. `scratch` is an empty directory for the files among them.
pub(crate) fn options_and_operands(name: &str, scratch: &Path) -> (Vec<String>, Vec<String>) {
    let file = |name: &str| scratch.join(name).display().to_string();
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    match name {
        "caps" => (words(&["-B"]), words(&["none"])),
        // What argv0 executes is for prog to say; unshare with an option is for root, where that may.
        "argv0" | "fghack" | "no-new-privs" | "pgrphack" | "setsid-free" | "unshare" => (vec![], vec![]),
        "cgroup" => (vec![], vec![with_group("./catena-tests")]),
        "chdir" | "chroot" => (vec![], words(&["/"])),
        "choom" => (words(&["-n", "1000"]), vec![]),
        "chpst" => {
            fs::create_dir_all(scratch.join("vars")).unwrap();
            fs::write(scratch.join("vars/CHPST"), "value\n").unwrap();
            (vec!["-e".into(), file("vars"), "-n".into(), "1".into()], vec![])
        }
        "chrt" => (words(&["-b"]), words(&["0"])),
        "emptyenv" => (words(&["-p"]), vec![]),
        "envdir" => {
            fs::create_dir_all(scratch.join("env")).unwrap();
            fs::write(scratch.join("env/CATENA"), "value\n").unwrap();
            (words(&["-f"]), vec![file("env")])
        }
        "envfile" => {
            fs::write(scratch.join("conf"), "CATENA = value\n").unwrap();
            (words(&["-d", "systemd"]), vec![file("conf")])
        }
        "envuidgid" => (words(&["-s"]), words(&["root"])),
        "export" => (vec![], words(&["CATENA", "value"])),
        "fdclose" => (vec![], words(&["9"])),
        "fdmove" => (words(&["-c"]), words(&["9", "0"])),
        "fdown" => (vec![], vec!["1".into(), format!(":{}:{}", getuid(), getgid())]),
        "ionice" => (words(&["-c", "idle"]), vec![]),
        "landlock" => (words(&["-W", "/"]), vec![]),
        "listen" => (words(&["-n", "web"]), words(&["tcp:0.0.0.0:0"])),
        "mkrundir" => (words(&["-m", "700"]), vec![file("run")]),
        "nice" => (words(&["-n", "1"]), vec![]),
        "pdeathsig" => (vec![], words(&["CONT"])),
        "pidlock" => (words(&["-n"]), vec![file("pid")]),
        "redirfd" => (words(&["-w"]), vec!["9".into(), file("out")]),
        "setlock" => (words(&["-n"]), vec![file("lock")]),
        "setuidgid" => (words(&["-e"]), vec![own_account()]),
        "sigclean" => (words(&["-k"]), vec![]),
        "softlimit" => (words(&["-c", "0"]), vec![]),
        "taskset" => (words(&["-c"]), vec![crate::taskset::first()]),
        "umask" => (vec![], words(&["077"])),
        "unexport" => (vec![], words(&["B"])),
        other => panic!("tests/common_rules.rs: say in options_and_operands what {other} can be called with"),
    }
}

/// These words as what the link `name` executes. argv0 takes the first twice: as the file, and as the name that the
/// program gets, which here is that of the file. Nothing behind argv0 is ever a link.
pub(crate) fn prog<W: AsRef<OsStr>>(name: &str, words: impl IntoIterator<Item = W>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
    if name == "argv0" {
        words.insert(0, words[0].clone());
    }
    words
}

/// The two in one.
pub(crate) fn before_prog(name: &str, scratch: &Path) -> Vec<String> {
    let (options, operands) = options_and_operands(name, scratch);
    [options, operands].concat()
}

/// The account that the tests run as, in setuidgid's words.
fn own_account() -> String {
    let groups = getgroups().unwrap().into_iter().map(|gid| format!(":{gid}")).collect::<Vec<_>>();
    format!(":{}:{}{}", getuid(), getgid(), groups.concat())
}

/// The links that can work here: without root all but chroot, without cgroups all but that, and all but landlock where
/// the kernel has none; each is counted as skipped then, once for all of these tests.
fn links() -> impl Iterator<Item = &'static Link> {
    static SKIPPED: Once = Once::new();
    let root = root();
    if let Err(what) = &root {
        SKIPPED.call_once(|| skip(&format!("{what} for what holds for every link to be seen in chroot")));
    }
    let landlock = landlock();
    if let Err(what) = &landlock {
        static SKIPPED: Once = Once::new();
        SKIPPED.call_once(|| skip(&format!("{what} for what holds for every link to be seen in landlock")));
    }
    if let Err(what) = cgroups() {
        static SKIPPED: Once = Once::new();
        SKIPPED.call_once(|| skip(&format!("{what} for what holds for every link to be seen in cgroup")));
    }
    LINKS.iter().filter(move |link| match link.name {
        "chroot" => root.is_ok(),
        "landlock" => landlock.is_ok(),
        name => is_possible(name),
    })
}

/// The link `name` with valid arguments, and no prog yet.
fn working(name: &str, scratch: &Path) -> Command {
    let mut command = link(name);
    command.args(before_prog(name, scratch));
    command
}

/// A shell script that has `command` as its `"$@"`, with the same environment and directory.
fn under(script: &str, command: &Command) -> Command {
    let mut shell = sh(script);
    shell.arg("sh").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        shell.current_dir(directory);
    }
    shell
}

fn unable_to_run(name: &str, program: &str, errno: Errno) -> String {
    format!("{name}: fatal: unable to run {program}: {}\n", says(errno))
}

const NO_SHELL: &str = "a script needs a first line such as #!/bin/sh";
const NO_WAY: &str = "a directory on the way to it may not be searched by this account";
const NO_X: &str = "it is not executable: chmod +x";
const NO_INTERPRETER: &str = "the file is there: the interpreter in its first line is not";

// The options that all have.

#[test]
fn help_goes_to_stdout_with_status_0() {
    for Link { name, usage, summary, options, .. } in LINKS {
        let width = options.rows().map(|(option, _)| option.len()).max().unwrap_or(0);
        let lines = options.rows().map(|(option, meaning)| format!("  {option:width$}  {meaning}\n"));
        let help = format!("usage: {name} {usage}\n{summary}\n{}", lines.collect::<String>());
        assert_eq!(run(link(name).arg("--help")), prints(help.as_str()), "{name}");
        assert_eq!(
            run(link(name).args(["--help", "--frob"])),
            prints(help),
            "{name}: what follows is not read"
        );
    }
}

#[test]
fn the_version_goes_to_stdout_with_status_0() {
    for Link { name, .. } in LINKS {
        let version = format!("{name} (catena) {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(run(link(name).arg("--version")), prints(version), "{name}");
    }
}

#[test]
fn help_and_version_may_follow_other_options() {
    let scratch = TempDir::new().unwrap();
    for Link { name, .. } in LINKS {
        let (options, _) = options_and_operands(name, scratch.path());
        for answer in ["--help", "--version"] {
            let alone = run(link(name).arg(answer));
            assert_eq!(run(link(name).args(&options).arg(answer)), alone, "{name} {answer}");
        }
    }
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    let broken = "mkfifo pipe; exec 3<>pipe 4>pipe 3<&-; rm pipe; exec \"$@\" >&4 4>&-";
    for Link { name, .. } in LINKS {
        for answer in ["--help", "--version"] {
            for (script, reason) in [
                ("exec \"$@\" >/dev/full", says(Errno::ENOSPC)),
                ("exec \"$@\" >&-", says(Errno::EBADF)),
                (broken, "Broken pipe"),
            ] {
                let directory = TempDir::new().unwrap();
                let outcome = run(under(script, link(name).arg(answer)).current_dir(directory.path()));
                let message = format!("{name}: fatal: unable to write: {reason}\n");
                assert_eq!(outcome, fails(111, message), "{name} {answer}: {script}");
            }
        }
    }
}

// Usage errors.

#[test]
fn an_unknown_option_is_a_usage_error() {
    let scratch = TempDir::new().unwrap();
    for Link { name, .. } in LINKS {
        for option in ["-Z", "-5", "-é", "--frob", "--Help", "--hel"] {
            let problem = format!("invalid option '{option}'");
            assert_eq!(run(link(name).arg(option)), misuse(name, &problem), "{name}");
            let (options, operands) = options_and_operands(name, scratch.path());
            let line = options.iter().map(String::as_str).chain([option]);
            let outcome = run(link(name).args(line).args(&operands).args(["echo", "ran"]));
            assert_eq!(outcome, misuse(name, &problem), "{name}: between its options and its operands");
        }
        assert_eq!(run(link(name).arg("-Zn")), misuse(name, "invalid option '-Z'"), "{name}");
    }
}

/// Where the value of an option or operand of the link can be empty, as from a variable that is not set: the words
/// with an empty one, and what the message says of it. A link without one has none to be empty.
fn with_an_empty_value(name: &str) -> &'static [(&'static [&'static str], &'static str)] {
    match name {
        "argv0" | "chroot" | "emptyenv" | "envdir" | "envfile" | "export" | "fghack" | "no-new-privs"
        | "pgrphack" | "setsid-free" | "sigclean" | "unexport" | "unshare" => &[],
        "caps" => &[(&[""], "unknown capability"), (&["-i", ""], "unknown capability")],
        "cgroup" => {
            &[(&["-k", "", "/x"], "not a knob with its value"), (&[""], "a cgroup begins with / or ./")]
        }
        "chdir" => &[(&[""], "invalid directory")],
        "choom" => &[(&["-n", ""], "not a number from -1000 to 1000")],
        "chpst" => &[(&["-n", ""], "invalid increment"), (&["-o", "64", "-m", ""], "invalid limit")],
        "chrt" => &[
            (&[""], "not a priority from 1 to 99"),
            (&["-b", ""], "not 0, the only priority of this policy"),
        ],
        "envuidgid" | "setuidgid" => &[(&[""], "invalid account"), (&["-s", ""], "invalid account")],
        "fdclose" => &[(&[""], "not a file descriptor")],
        "fdmove" => &[(&["", "1"], "not a file descriptor"), (&["1", ""], "not a file descriptor")],
        "fdown" => &[(&["", "root"], "not a file descriptor"), (&["1", ""], "invalid account")],
        "ionice" => &[(&["-c", ""], "unknown class"), (&["-n", ""], "not a priority from 0 to 7")],
        "landlock" => &[
            (&["-r", ""], "invalid path"),
            (&["-W", ""], "invalid path"),
            (&["-f", ""], "invalid file"),
            (&["-B", ""], "invalid port"),
            (&["-C", ""], "invalid port"),
        ],
        "listen" => &[
            (&["-b", "", "unix:@x"], "invalid backlog"),
            (&["-m", "", "unix:@x"], "invalid mode"),
            (&["-n", "", "unix:@x"], "invalid name"),
            (&["-o", "", "unix:/x"], "invalid account"),
            (&[""], "invalid address"),
        ],
        "mkrundir" => &[(&["-m", "", "d"], "invalid mode"), (&["-o", "", "d"], "invalid account")],
        "nice" => &[(&["-n", ""], "invalid increment")],
        "pdeathsig" => &[(&[""], "invalid signal")],
        "pidlock" | "setlock" => &[
            (&["-t", "", "file"], "not a number of seconds"),
            (&["-d", "", "file"], "not a file descriptor"),
        ],
        "redirfd" => &[(&["-r", "", "/dev/null"], "not a file descriptor")],
        "softlimit" => &[
            (&["-m", ""], "invalid limit"),
            (&["-o", ""], "invalid limit"),
            (&["-c", "0", "-H", "-f", ""], "invalid limit"),
        ],
        "taskset" => &[(&[""], "invalid mask of CPUs"), (&["-c", ""], "invalid list of CPUs")],
        "umask" => &[(&[""], "invalid mask")],
        other => panic!("tests/common_rules.rs: say in with_an_empty_value which values {other} takes"),
    }
}

#[test]
fn an_empty_value_is_reported_as_such_and_nothing_runs() {
    let scratch = TempDir::new().unwrap();
    for Link { name, .. } in LINKS {
        for (words, problem) in with_an_empty_value(name) {
            let outcome = run(link(name).args(*words).args(["echo", "ran"]).current_dir(&scratch));
            assert_eq!(outcome, misuse(name, &format!("{problem}: the value is empty")), "{name} {words:?}");
        }
    }
    assert_eq!(files(scratch.path()), []);
}

#[test]
fn help_and_version_take_no_value() {
    for Link { name, .. } in LINKS {
        for option in ["--help", "--version"] {
            let problem = format!("invalid option '{option}=x'");
            assert_eq!(run(link(name).arg(format!("{option}=x"))), misuse(name, &problem));
        }
    }
}

#[test]
fn a_missing_operand_is_a_usage_error() {
    let operands: &[(&str, &[&str])] = &[
        ("argv0", &[]), // realprog and name are for tests/argv0.rs to leave out
        ("caps", &["set"]),
        ("cgroup", &["path"]),
        ("chdir", &["dir"]),
        ("choom", &[]),
        ("chpst", &[]),
        ("chroot", &["root"]),
        ("chrt", &["priority"]),
        ("emptyenv", &[]),
        ("envdir", &["dir"]),
        ("envfile", &["file"]),
        ("envuidgid", &["account"]),
        ("export", &["name", "value"]),
        ("fdclose", &["fd"]),
        ("fdmove", &["to", "from"]),
        ("fdown", &["fd", "account"]),
        ("fghack", &[]),
        ("ionice", &[]),
        ("landlock", &[]),
        ("listen", &["address"]),
        ("mkrundir", &["dir"]),
        ("nice", &[]),
        ("no-new-privs", &[]),
        ("pdeathsig", &["signal"]),
        ("pgrphack", &[]),
        ("pidlock", &["file"]),
        ("redirfd", &["fd", "file"]),
        ("setlock", &["file"]),
        ("setsid-free", &[]),
        ("setuidgid", &["account"]),
        ("sigclean", &[]),
        ("softlimit", &[]),
        ("taskset", &["cpus"]),
        ("umask", &["mask"]),
        ("unexport", &["name"]),
        ("unshare", &[]),
    ];
    let names: Vec<_> = LINKS.iter().map(|link| link.name).collect();
    assert_eq!(operands.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    for (name, missing) in operands {
        let scratch = TempDir::new().unwrap();
        let (options, operands) = options_and_operands(name, scratch.path());
        let before = files(scratch.path());
        assert_eq!(operands.len(), missing.len(), "{name}");
        for (i, missing) in missing.iter().enumerate() {
            let outcome = run(link(name).args(&options).args(&operands[..i]));
            assert_eq!(outcome, misuse(name, &format!("missing {missing}")), "{name}");
        }
        assert_eq!(files(scratch.path()), before, "{name}");
    }
}

#[test]
fn a_line_without_prog_is_a_usage_error_and_touches_nothing() {
    for Link { name, .. } in LINKS.iter().filter(|link| !["argv0", "chroot"].contains(&link.name)) {
        for end in [&[][..], &["--"]] {
            let scratch = TempDir::new().unwrap();
            let (options, operands) = options_and_operands(name, scratch.path());
            let before = files(scratch.path());
            let outcome = run(link(name).args(options).args(end).args(operands));
            assert_eq!(outcome, misuse(name, "missing prog"), "{name}");
            assert_eq!(files(scratch.path()), before, "{name}");
        }
    }
}

#[test]
fn without_prog_the_content_of_no_file_changes() {
    let scratch = TempDir::new().unwrap();
    let file = scratch.path().join("file");
    fs::write(&file, "content\n").unwrap();
    let file = file.to_str().unwrap();
    let before = files(scratch.path());
    for line in [
        &["redirfd", "-w", "9", file][..],
        &["redirfd", "-a", "9", file],
        &["redirfd", "-u", "9", file],
        &["redirfd", "-r", "9", file],
        &["redirfd", "-x", "9", file],
        &["setlock", file],
        &["setlock", "-nx", file],
        &["setlock", "-r", file],
        &["pidlock", file],
        &["pidlock", "-nx", file],
        &["pidlock", "-t", "0.1", file],
    ] {
        assert_eq!(run(link(line[0]).args(&line[1..])), misuse(line[0], "missing prog"), "{line:?}");
        assert_eq!(files(scratch.path()), before, "{line:?}");
    }
}

/// All below a directory: the path of each, and of files the content.
fn files(directory: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
            found.push((path, None));
        } else {
            found.push((path.clone(), Some(fs::read(path).unwrap())));
        }
    }
    found.sort();
    found
}

// What passes to the program.

#[test]
fn two_dashes_end_the_options() {
    let scratch = TempDir::new().unwrap();
    for Link { name, .. } in links() {
        let (options, operands) = options_and_operands(name, scratch.path());
        let mut command = link(name);
        command.args(&options).arg("--").args(&operands);
        assert_eq!(run(command.args(prog(name, ["echo", "ran"]))), prints("ran\n"), "{name}");
    }
}

#[test]
fn after_two_dashes_an_operand_may_begin_with_one() {
    let scratch = TempDir::new().unwrap();
    script(&scratch.path().join("-Z"), "#!/bin/sh\necho -Z runs\n");
    let path = format!("{}:/usr/bin:/bin", scratch.path().display());
    for Link { name, .. } in links() {
        let (options, operands) = options_and_operands(name, scratch.path());
        let mut command = link(name);
        command.env("PATH", &path).args(options).arg("--").args(operands).args(prog(name, ["-Z"]));
        assert_eq!(run(&mut command), prints("-Z runs\n"), "{name}");
    }
}

#[test]
fn the_second_of_two_dashes_is_the_program() {
    let scratch = TempDir::new().unwrap();
    for Link { name, .. } in links() {
        let (options, operands) = options_and_operands(name, scratch.path());
        let mut command = link(name);
        command.args(options).arg("--").args(operands).args(prog(name, ["--", "echo", "ran"]));
        assert_eq!(run(&mut command), fails(127, unable_to_run(name, "--", Errno::ENOENT)), "{name}");
    }
}

#[test]
fn options_after_the_first_operand_are_the_programs() {
    let scratch = TempDir::new().unwrap();
    let show = ["sh", "-c", "printf '%s\\n' \"$@\"", "sh"];
    let options = ["--help", "--version", "-Z", "-c", "--", "-", "-n"];
    for Link { name, .. } in links() {
        let outcome = run(working(name, scratch.path()).args(prog(name, show)).args(options));
        assert_eq!(outcome, prints(options.map(|option| format!("{option}\n")).concat()), "{name}");
    }
}

#[test]
fn arguments_reach_the_program_byte_for_byte() {
    let scratch = TempDir::new().unwrap();
    let show = ["sh", "-c", "printf '%s/' \"$@\" | od -An -v -tx1", "sh"];
    let bytes = [&b"\xff\xfe"[..], b"", b"caf\xe9", b"a\nb", b"\x1b\x7f", b""].map(OsStr::from_bytes);
    for Link { name, .. } in links() {
        let outcome = run(working(name, scratch.path()).args(prog(name, show)).args(bytes));
        let hex = " ff fe 2f 2f 63 61 66 e9 2f 61 0a 62 2f 1b 7f 2f\n 2f\n";
        assert_eq!(outcome, prints(hex), "{name}");
    }
}

#[test]
fn the_programs_status_is_its_own() {
    let scratch = TempDir::new().unwrap();
    for Link { name, .. } in links() {
        for status in [0, 1, 100, 111, 126, 127, 255] {
            let script = format!("exit {status}");
            let outcome = run(working(name, scratch.path()).args(prog(name, ["sh", "-c", &script])));
            assert_eq!(outcome, fails(status, ""), "{name}");
        }
        let outcome = run(working(name, scratch.path()).args(prog(name, ["sh", "-c", "kill -KILL $$"])));
        assert_eq!(outcome, fails(128 + 9, ""), "{name}");
    }
}

// How the program is found.

#[test]
fn a_program_that_is_not_there_gives_127() {
    let scratch = TempDir::new().unwrap();
    for Link { name, .. } in links() {
        for program in ["no-such-program", "/no/such/program", "/etc/passwd/program", ""] {
            let outcome = run(working(name, scratch.path()).args(prog(name, [program])));
            assert_eq!(outcome, fails(127, unable_to_run(name, program, Errno::ENOENT)), "{name}");
        }
    }
}

#[test]
fn a_program_that_may_not_be_executed_gives_126() {
    let scratch = TempDir::new().unwrap();
    fs::write(scratch.path().join("plain"), "#!/bin/sh\necho ran\n").unwrap();
    let plain = scratch.path().join("plain").display().to_string();
    let directory = scratch.path().display().to_string();
    for Link { name, .. } in links() {
        for (program, hint) in [(&*plain, NO_X), (&*directory, "it is a directory"), ("plain", NO_X)] {
            let outcome =
                run(working(name, scratch.path()).args(prog(name, [program])).env("PATH", &directory));
            let message = unable_to_run(name, program, Errno::EACCES);
            assert_eq!(outcome, fails(126, format!("{message}{name}: hint: {hint}\n")), "{name}");
        }
    }
}

#[test]
fn a_file_that_the_kernel_cannot_run_gives_126_and_goes_to_no_shell() {
    let scratch = TempDir::new().unwrap();
    let ran = scratch.path().join("ran");
    script(&scratch.path().join("script"), &format!("echo ran >{}\n", ran.display()));
    script(&scratch.path().join("empty"), "");
    for Link { name, .. } in links() {
        for (program, hint) in [("script", NO_SHELL), ("empty", "it is empty")] {
            let program = scratch.path().join(program).display().to_string();
            let outcome = run(working(name, scratch.path()).args(prog(name, [&program])));
            let message = unable_to_run(name, &program, Errno::ENOEXEC);
            assert_eq!(outcome, fails(126, format!("{message}{name}: hint: {hint}\n")), "{name}");
            assert!(!ran.exists(), "{name} gave it to a shell");
        }
    }
}

#[test]
fn a_missing_interpreter_gives_127_and_says_that_the_file_is_there() {
    let scratch = TempDir::new().unwrap();
    script(&scratch.path().join("script"), "#!/no/such/interpreter\n");
    let program = scratch.path().join("script").display().to_string();
    for Link { name, .. } in links() {
        for (program, path) in [(program.as_str(), "/bin"), ("script", scratch.path().to_str().unwrap())] {
            let outcome = run(working(name, scratch.path()).args(prog(name, [program])).env("PATH", path));
            let message = unable_to_run(name, program, Errno::ENOENT);
            assert_eq!(outcome, fails(127, format!("{message}{name}: hint: {NO_INTERPRETER}\n")), "{name}");
        }
    }
}

#[test]
fn any_other_reason_gives_126() {
    let scratch = TempDir::new().unwrap();
    symlink("loop", scratch.path().join("loop")).unwrap();
    let endless = scratch.path().join("loop").display().to_string();
    let long = format!("/{}", "x".repeat(256));
    for Link { name, .. } in links() {
        for (program, errno) in [(&endless, Errno::ELOOP), (&long, Errno::ENAMETOOLONG)] {
            let outcome = run(working(name, scratch.path()).args(prog(name, [program])));
            assert_eq!(outcome, fails(126, unable_to_run(name, program, errno)), "{name}");
        }
    }
}

/// A directory with the directories `first` and `second`, and of each the program `both`, which says where it is.
fn two_directories() -> TempDir {
    let scratch = TempDir::new().unwrap();
    for directory in ["first", "second"] {
        fs::create_dir(scratch.path().join(directory)).unwrap();
        script(&scratch.path().join(directory).join("both"), &format!("#!/bin/sh\necho {directory}\n"));
    }
    scratch
}

#[test]
fn the_first_directory_of_the_path_that_has_the_program_wins() {
    let scratch = two_directories();
    let directory = |name: &str| scratch.path().join(name).display().to_string();
    let (first, second, file) = (directory("first"), directory("second"), directory("first/both"));
    for Link { name, .. } in links() {
        for (path, ran) in [
            (format!("{first}:{second}"), "first\n"),
            (format!("{second}:{first}"), "second\n"),
            (format!("/no/such/directory:{second}:{first}"), "second\n"),
            (format!("{file}:{second}:{first}"), "second\n"), // an element that is no directory
            (format!("{first}/:{second}"), "first\n"),
        ] {
            let outcome = run(working(name, scratch.path()).args(prog(name, ["both"])).env("PATH", &path));
            assert_eq!(outcome, prints(ran), "{name} in {path}");
        }
    }
}

#[test]
fn an_element_of_the_path_that_is_no_directory_is_not_there() {
    let scratch = two_directories();
    let file = scratch.path().join("first/both").display().to_string();
    for Link { name, .. } in links() {
        let outcome = run(working(name, scratch.path()).args(prog(name, ["both"])).env("PATH", &file));
        assert_eq!(outcome, fails(127, unable_to_run(name, "both", Errno::ENOENT)), "{name}");
    }
}

#[test]
fn a_file_that_may_not_be_executed_does_not_end_the_search_but_is_remembered() {
    let scratch = two_directories();
    let directory = |name: &str| scratch.path().join(name).display().to_string();
    let (first, second) = (directory("first"), directory("second"));
    fs::set_permissions(scratch.path().join("first/both"), Permissions::from_mode(0o644)).unwrap();
    fs::create_dir(scratch.path().join("empty")).unwrap();
    for Link { name, .. } in links() {
        let outcome = run(working(name, scratch.path())
            .args(prog(name, ["both"]))
            .env("PATH", format!("{first}:{second}")));
        assert_eq!(outcome, prints("second\n"), "{name}");
        for path in [format!("{first}:{}", directory("empty")), format!("{}:{first}", directory("empty"))] {
            let outcome = run(working(name, scratch.path()).args(prog(name, ["both"])).env("PATH", &path));
            let message = unable_to_run(name, "both", Errno::EACCES);
            let message = format!("{message}{name}: hint: {NO_X}\n");
            assert_eq!(outcome, fails(126, message), "{name} in {path}");
        }
    }
}

#[test]
fn a_directory_that_may_not_be_searched_is_remembered_too() {
    needs!(tool("setpriv"));
    let scratch = two_directories();
    let directory = |name: &str| scratch.path().join(name).display().to_string();
    let (first, second) = (directory("first"), directory("second"));
    fs::set_permissions(&first, Permissions::from_mode(0o600)).unwrap();
    // That one needs the rights of root to a directory of root's.
    for Link { name, .. } in links().filter(|link| link.name != "cgroup") {
        let mortal = |program: &str, path: &str| {
            let words = working(name, scratch.path());
            let mut command = mortal("PATH=$1; shift; exec \"$@\"");
            run(command
                .args(["sh", path])
                .arg(words.get_program())
                .args(words.get_args())
                .args(prog(name, [program])))
        };
        assert_eq!(mortal("both", &format!("{first}:{second}")), prints("second\n"), "{name}");
        for program in ["nowhere", &format!("{first}/both")] {
            let message = unable_to_run(name, program, Errno::EACCES);
            let message = format!("{message}{name}: hint: {NO_WAY}\n");
            assert_eq!(mortal(program, &format!("{first}:{second}")), fails(126, message), "{name}");
        }
    }
    fs::set_permissions(&first, Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_loop_in_the_path_ends_the_search_as_it_does_for_every_peer() {
    let scratch = two_directories();
    symlink("loop", scratch.path().join("loop")).unwrap();
    let path = format!("{0}/loop:{0}/first", scratch.path().display());
    for Link { name, .. } in links() {
        let outcome = run(working(name, scratch.path()).args(prog(name, ["both"])).env("PATH", &path));
        assert_eq!(outcome, fails(126, unable_to_run(name, "both", Errno::ELOOP)), "{name}");
    }
}

#[test]
fn an_empty_element_of_the_path_is_the_current_directory() {
    let scratch = two_directories();
    let second = scratch.path().join("second").display().to_string();
    for Link { name, .. } in links().filter(|link| !["chdir", "chroot"].contains(&link.name)) {
        for (path, ran) in [
            (String::new(), "first\n"),
            (":".into(), "first\n"),
            (format!(":{second}"), "first\n"),
            ("/no/such/directory:".into(), "first\n"),
            (format!("/no/such/directory::{second}"), "first\n"),
            (format!("{second}:"), "second\n"),
        ] {
            let mut command = working(name, scratch.path());
            command.args(prog(name, ["both"])).env("PATH", &path).current_dir(scratch.path().join("first"));
            assert_eq!(run(&mut command), prints(ran), "{name} in '{path}'");
        }
    }
}

#[test]
fn the_current_directory_is_not_searched_unless_the_path_says_so() {
    let scratch = two_directories();
    for Link { name, .. } in links() {
        for path in [None, Some("/bin:/usr/bin")] {
            let mut command = working(name, scratch.path());
            command.args(prog(name, ["both"])).current_dir(scratch.path().join("first")).env_remove("PATH");
            let outcome = run(command.envs(path.map(|path| ("PATH", path))));
            assert_eq!(outcome, fails(127, unable_to_run(name, "both", Errno::ENOENT)), "{name}");
        }
    }
}

#[test]
fn a_name_with_a_slash_is_not_searched() {
    let scratch = two_directories();
    let path = scratch.path().display().to_string();
    for Link { name, .. } in links().filter(|link| !["chdir", "chroot"].contains(&link.name)) {
        for program in ["first/both", "./first/both", "second/../first/both"] {
            let mut command = working(name, scratch.path());
            command.args(prog(name, [program])).current_dir(scratch.path()).env("PATH", "/bin");
            assert_eq!(run(&mut command), prints("first\n"), "{name} {program}");
            let mut command = working(name, scratch.path());
            command.args(prog(name, [program])).current_dir("/").env("PATH", &path);
            let message = unable_to_run(name, program, Errno::ENOENT);
            assert_eq!(run(&mut command), fails(127, message), "{name} {program}");
        }
    }
}

#[test]
fn an_unset_path_is_bin_and_usr_bin() {
    needs!(tool("strace"));
    let scratch = TempDir::new().unwrap();
    let log = scratch.path().join("log");
    for Link { name, .. } in links() {
        let command = working(name, scratch.path());
        let mut traced = prepared("strace");
        traced.args(["-qq", "-f", "-e", "trace=execve", "-e", "signal=none", "-o"]).arg(&log);
        // Not removed from strace's own environment, which needs it.
        traced
            .args(["-E", "PATH"])
            .arg(command.get_program())
            .args(command.get_args())
            .args(prog(name, ["no-such-program"]));
        let outcome = run(&mut traced);
        assert_eq!(outcome, fails(127, unable_to_run(name, "no-such-program", Errno::ENOENT)));
        let log = fs::read_to_string(&log).unwrap();
        let tried = log.lines().filter(|line| line.contains("execve(\"")).skip(1);
        let tried = tried.map(|line| line.split('"').nth(1).unwrap()).collect::<Vec<_>>();
        assert_eq!(tried, ["/bin/no-such-program", "/usr/bin/no-such-program"], "{name}");
        assert_eq!(
            run(working(name, scratch.path()).args(prog(name, ["echo", "ran"])).env_remove("PATH")),
            prints("ran\n")
        );
    }
}

// Messages.

/// Lines that fail, each with another status and text: usage errors, and what exec refuses.
fn failing(name: &str, scratch: &Path) -> Vec<(i32, Command)> {
    script(&scratch.join("script"), "no first line\n");
    let with = |program: &str| {
        let mut command = working(name, scratch);
        command.args(prog(name, [program]));
        command
    };
    let mut wrong = link(name);
    wrong.args(["-Z", "x"]);
    let full = under("exec \"$@\" >/dev/full", link(name).arg("--help"));
    vec![
        (100, wrong),
        (111, full),
        (126, with(scratch.join("script").to_str().unwrap())),
        (127, with("no-such-program")),
    ]
}

#[test]
fn a_message_is_one_write() {
    needs!(tool("strace"));
    let scratch = TempDir::new().unwrap();
    let log = scratch.path().join("log");
    for Link { name, .. } in links() {
        for (status, command) in failing(name, scratch.path()) {
            let trace =
                "exec strace -f -qq -e trace=write,writev,pwrite64,sendto -e signal=none -o \"$LOG\" \"$@\"";
            let outcome = run(under(trace, &command).env("LOG", &log));
            assert_eq!(outcome.status, status, "{name}: {outcome:?}");
            let log = fs::read_to_string(&log).unwrap();
            let to_stderr = log.lines().filter(|line| line.contains("(2, ")).collect::<Vec<_>>();
            assert_eq!(to_stderr.len(), 1, "{name} {status}: {log}");
            assert!(
                to_stderr[0].ends_with(&format!(" = {}", outcome.stderr.len())),
                "{name} {status}: {log}"
            );
        }
    }
}

#[test]
fn without_stderr_the_status_alone_tells() {
    for Link { name, .. } in links() {
        let scratch = TempDir::new().unwrap();
        for (status, command) in failing(name, scratch.path()) {
            for script in [
                "exec \"$@\" 2>&-",
                "exec \"$@\" 2>/dev/full",
                // A pipe that nobody reads: the message must not be the death of the process.
                "mkfifo pipe; exec 3<>pipe 4>pipe 3<&-; rm pipe; exec \"$@\" 2>&4 4>&-",
            ] {
                let outcome = run(under(script, &command).current_dir(scratch.path()));
                assert_eq!(outcome, fails(status, ""), "{name}: {script}");
            }
        }
    }
}

#[test]
fn a_program_that_fails_with_stdout_closed_keeps_its_status() {
    let scratch = TempDir::new().unwrap();
    // But for fdown, which here is to give its stdout to somebody.
    for Link { name, .. } in links().filter(|link| link.name != "fdown") {
        let mut command = working(name, scratch.path());
        let outcome = run(&mut under("exec \"$@\" >&-", command.args(prog(name, ["no-such-program"]))));
        assert_eq!(outcome, fails(127, unable_to_run(name, "no-such-program", Errno::ENOENT)), "{name}");
    }
}

#[test]
fn the_name_of_a_program_is_shown_on_one_line_whatever_it_is() {
    let scratch = TempDir::new().unwrap();
    let program = OsStr::from_bytes(b"new\nline\r\x1b[31m\x7f\xc2\x9b caf\xe9 caf\xc3\xa9");
    let shown = "new\\nline\\x0d\\x1b[31m\\x7f\\xc2\\x9b caf\\xe9 café";
    for Link { name, .. } in links() {
        let outcome = run(working(name, scratch.path()).args(prog(name, [program])));
        assert_eq!(outcome, fails(127, unable_to_run(name, shown, Errno::ENOENT)), "{name}");
    }
}

#[test]
fn an_unknown_option_is_shown_on_one_line_whatever_it_is() {
    for Link { name, .. } in LINKS {
        for (option, shown) in
            [("--new\nline", "--new\\nline"), ("--\x1b[31m", "--\\x1b[31m"), ("-\n", "-\\n")]
        {
            let problem = format!("invalid option '{shown}'");
            assert_eq!(run(link(name).arg(option)), misuse(name, &problem));
        }
    }
}

// Never a way up.

/// Root, who may make set-id files, on a file system that honours them.
pub(crate) fn set_id(directory: &Path) -> Result<(), String> {
    root()?;
    let without = statvfs(directory).unwrap().flags().contains(FsFlags::ST_NOSUID);
    if without { Err("a directory for temporary files without nosuid".into()) } else { Ok(()) }
}

/// `program` with valid arguments and `echo ran` at its end, started by setpriv with `ids`.
fn by_setpriv(ids: &[&str], program: &Path, words: &[String]) -> Command {
    let mut command = prepared("setpriv");
    let name = program.file_name().unwrap().to_str().unwrap();
    command.args(ids).arg("--clear-groups").arg(program).args(words).args(prog(name, ["echo", "ran"]));
    command
}

const AS_NOBODY: &[&str] = &["--reuid=65534", "--regid=65534"];
const AS_ROOT: &[&str] = &["--reuid=0", "--regid=0"];

/// What `copy` says of itself when it refuses to work.
pub(crate) fn refusal(name: &str) -> Outcome {
    let message = "this program's file is set-id or has file capabilities";
    let hint = "it would give them to anybody: remove them with 'chmod ug-s' and 'setcap -r'";
    fails(111, format!("{name}: fatal: {message}\n{name}: hint: {hint}\n"))
}

#[test]
fn a_set_id_copy_refuses_to_work() {
    let directory = open_directory();
    needs!(set_id(directory.path()), tool("setpriv"));
    for Link { name, .. } in links() {
        let copy = directory.path().join(name);
        install(&bin().join(name), &copy);
        let scratch = TempDir::new().unwrap();
        let words = before_prog(name, scratch.path());
        let before = files(scratch.path());
        for (uid, gid, mode, as_whom) in [
            (0, 0, 0o4755, AS_NOBODY),
            (0, 0, 0o2755, AS_NOBODY),
            (0, 0, 0o6755, AS_NOBODY),
            (NOBODY, NOBODY, 0o4755, AS_ROOT),
            (NOBODY, NOBODY, 0o2755, AS_ROOT),
        ] {
            chown(&copy, Some(uid), Some(gid)).unwrap();
            fs::set_permissions(&copy, Permissions::from_mode(mode)).unwrap();
            let outcome = run(&mut by_setpriv(as_whom, &copy, &words));
            assert_eq!(outcome, refusal(name), "{name} {uid}:{gid} {mode:o} {as_whom:?}");
            let outcome = run(&mut by_setpriv(as_whom, &copy, &["--version".into()]));
            assert_eq!(outcome, refusal(name), "{name} {uid}:{gid} {mode:o} {as_whom:?}");
        }
        assert_eq!(files(scratch.path()), before, "{name}");
        chown(&copy, Some(0), Some(0)).unwrap();
        fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(run(&mut by_setpriv(AS_ROOT, &copy, &words)), prints("ran\n"), "{name}: the copy is good");
    }
}

#[test]
fn a_copy_with_file_capabilities_refuses_to_work() {
    let directory = open_directory();
    needs!(set_id(directory.path()), tool("setpriv"), tool("setcap"));
    for Link { name, .. } in LINKS {
        let copy = directory.path().join(name);
        install(&bin().join(name), &copy);
        let scratch = TempDir::new().unwrap();
        let words = before_prog(name, scratch.path());
        let before = files(scratch.path());
        for capabilities in ["cap_chown=ep", "cap_chown=p", "cap_sys_chroot,cap_setuid,cap_setgid=ep"] {
            assert_eq!(run(prepared("setcap").arg(capabilities).arg(&copy)), prints(""));
            let outcome = run(&mut by_setpriv(AS_NOBODY, &copy, &words));
            assert_eq!(outcome, refusal(name), "{name} {capabilities}");
        }
        assert_eq!(files(scratch.path()), before, "{name}");
    }
}

#[test]
fn a_set_id_copy_refuses_to_work_whatever_the_owner_of_its_root_puts_in_the_place_of_proc() {
    let directory = open_directory();
    needs!(set_id(directory.path()), mounts());
    // The attacker may write in the root directory, has a set-id copy of catena there, and no true /proc but where
    // the system has bound it: he makes one that shows a file without set-id bits, or another process's.
    let root = directory.path().join("root");
    for name in ["root", "root/bound", "root/attacker", "root/attacker/self", "root/lies"] {
        fs::create_dir(directory.path().join(name)).unwrap();
    }
    install_root(&root, &[&example("state"), &bin().join("catena")]);
    fs::write(root.join("attacker/self/exe"), "").unwrap();
    symlink("/bound/1", root.join("lies/self")).unwrap();
    let copy = root.join("catena");
    assert_eq!(run(prepared("chown").args(["-R", "65534:65534"]).arg(&root)), prints(""));
    chown(&copy, Some(0), Some(0)).unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(0o4755)).unwrap();
    let missing = format!("unable to look at this program's own file: {}", says(Errno::ENOENT));
    let missing = fails(111, format!("catena: fatal: {missing}\n"));
    for (proc, expected) in
        [("attacker", &missing), ("lies", &missing), ("none", &missing), ("bound", &refusal("catena"))]
    {
        let _ = fs::remove_file(root.join("proc")); // the last one's, if there was one
        symlink(proc, root.join("proc")).unwrap();
        let script = "mount --bind /proc \"$0/bound\" &&
            exec chroot --userspec=65534:65534 --groups= \"$0\" /catena setuidgid :0:0 /state";
        let mut chroot = prepared("unshare");
        chroot.env("PATH", BASE_PATH); // whose chroot has the option
        chroot.args(["--mount", "sh", "-c", script]).arg(&root);
        assert_eq!(&run(&mut chroot), expected, "{proc}");
    }
}

#[test]
fn a_plain_file_works_in_secure_execution_mode() {
    let directory = open_directory();
    needs!(root(), tool("setpriv"));
    for Link { name, .. } in links() {
        let copy = directory.path().join(name);
        install(&bin().join(name), &copy);
        let scratch = open_directory();
        fs::set_permissions(scratch.path(), Permissions::from_mode(0o1777)).unwrap();
        let words = before_prog(name, scratch.path());
        for ids in [&["--ruid=65534"][..], &["--rgid=65534"], &["--euid=65534"], &["--egid=65534"]] {
            // Without privilege these have another reason to fail.
            if ids[0].starts_with("--euid")
                && ["cgroup", "choom", "chroot", "fdown", "setuidgid"].contains(name)
            {
                continue;
            }
            let outcome = run(&mut by_setpriv(ids, &copy, &words));
            assert_eq!(outcome, prints("ran\n"), "{name} {ids:?}");
            for file in ["out", "lock", "pid"].map(|file| scratch.path().join(file)) {
                let _ = fs::remove_file(file); // the next one may be another account
            }
            let _ = fs::remove_dir(scratch.path().join("run"));
        }
    }
    let mut mode = prepared("setpriv");
    mode.args(["--ruid=65534", "--clear-groups", "od", "-An", "-v", "-tuL", "-w16", "/proc/self/auxv"]);
    let auxv = run(&mut mode).stdout;
    let secure =
        auxv.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).any(|pair| pair == ["23", "1"]);
    assert!(secure, "AT_SECURE was set: {auxv}");
}
