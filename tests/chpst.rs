//! chpst.

use std::fs;
use std::path::Path;

use nix::errno::Errno;
use tempfile::TempDir;

use crate::needs;
use crate::support::locks::*;
use crate::support::*;

/// chpst with these words.
fn chpst(words: &[&str]) -> Outcome {
    run(link("chpst").args(words))
}

fn fatal(text: &str) -> Outcome {
    fails(111, format!("chpst: fatal: {text}\n"))
}

/// A directory with a directory `env` of variables.
fn with_env(files: &[(&str, &str)]) -> TempDir {
    let directory = open_directory();
    fs::create_dir(directory.path().join("env")).unwrap();
    for (name, content) in files {
        fs::write(directory.path().join("env").join(name), content).unwrap();
    }
    directory
}

/// The system calls of chpst with these words, in their order: of those that change its state.
fn order(directory: &Path, words: &str) -> Vec<String> {
    const CALLS: &str = "trace=setsid,chdir,fchdir,chroot,setpriority,setgroups,setresgid,setresuid,?setgroups32,?setresgid32,?setresuid32,flock,close,prlimit64,execve,openat,open";
    let mut command = prepared("strace");
    command.args(["-qq", "-e", CALLS, "-e", "signal=none", "-o", "log", "chpst"]);
    command.args(words.split(' ')).current_dir(directory);
    let outcome = run(&mut command);
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{words}");
    let log = text(&directory.join("log"));
    let deed = |line: &str| {
        let call = line.split('(').next()?.trim_end_matches("32"); // those of i386 with ids of 32 bits
        let deed = match call {
            "setsid" | "chroot" | "setgroups" | "setresgid" | "flock" | "setpriority" => call,
            "setresuid" if line.ends_with("= 0") => call, // not the proof that root cannot be regained
            "chdir" => "-C",
            "openat" | "open" if line.contains("\"env\"") => "-e",
            "openat" | "open" if line.contains("\"lock\"") => "open lock",
            "close" if line.starts_with("close(0)") => "-0",
            "prlimit64" if line.contains("RLIMIT_CORE, {") => "-c",
            "execve" if line.starts_with("execve(\"/bin/true\"") => "exec",
            _ => return None,
        };
        Some(deed.to_owned())
    };
    let mut deeds: Vec<String> = log.lines().filter_map(deed).collect();
    deeds.truncate(deeds.iter().position(|deed| deed == "exec").unwrap() + 1); // then come the program's
    deeds
}

#[test]
fn the_deeds_are_done_in_runits_order_whatever_the_order_on_the_line() {
    needs!(root(), tool("strace"));
    let directory = with_env(&[("A", "a")]);
    std::os::unix::fs::chown(directory.path(), Some(65534), None).unwrap(); // whose lock it will be
    let at = directory.path().display();
    let options = [
        "-P".to_owned(),
        "-e env".into(),
        "-/ /".into(),
        format!("-C {at}"),
        "-n 1".into(),
        "-U :5:6".into(),
        "-u :65534:65533".into(),
        "-l lock".into(),
        "-0".into(),
        "-c 0".into(),
        "-b name".into(),
    ];
    let backwards = options.iter().rev().cloned().collect::<Vec<_>>();
    let deeds = [
        "setsid",
        "-e",
        "chroot",
        "-C",
        "setpriority",
        "setgroups",
        "setresgid",
        "setresuid",
        "open lock",
        "flock",
        "-0",
        "-c",
        "exec",
    ];
    for line in [&options[..], &backwards] {
        assert_eq!(order(directory.path(), &format!("{} /bin/true", line.join(" "))), deeds);
        fs::remove_file(directory.path().join("lock")).unwrap();
    }
}

#[test]
fn without_options_it_executes_the_program() {
    assert_eq!(chpst(&["echo", "ran"]), prints("ran\n"));
}

// -u and -U

#[test]
fn an_account_has_the_groups_that_are_listed_and_no_others() {
    needs!(root());
    for (account, ids) in [
        (":5:6", "5 6 6\n"),
        (":5:6:7:8", "5 6 6 7 8\n"),
        ("nobody", "65534 65534 65534\n"),
        ("nobody:daemon:bin", "65534 1 1 2\n"),
        (":0:0", "0 0 0\n"),
    ] {
        let show =
            "echo $(id -u) $(id -G | tr ' ' '\\n' | head -n 1) $(grep ^Groups: /proc/self/status | cut -f 2)";
        assert_eq!(chpst(&["-u", account, "sh", "-c", show]), prints(ids), "{account}");
    }
}

#[test]
fn of_several_accounts_the_last_counts() {
    needs!(root());
    assert_eq!(chpst(&["-u", ":5:6", "-u", ":7:8", "id", "-u"]), prints("7\n"));
}

#[test]
fn an_account_that_is_not_well_formed_is_an_error_and_never_root() {
    let numbers = "not all of its ids are numbers from 0 to 4294967294";
    let (field, form) = ("an empty field", "the numeric form is :uid:gid[:gid...]");
    for (account, problem) in [
        (":", field),
        ("::", field),
        (":5001:", field),
        ("::5001", field),
        (":5:6:", field),
        ("root:", field),
        ("root::root", field),
        (":_lprng", numbers),
        (":root:root", numbers),
        (":5:-1", numbers),
        (":99999999999:1", numbers),
        (":1:99999999999", numbers),
        (":4294967295:1", numbers),
        (":1:4294967295", numbers),
        (":5", form),
    ] {
        for letter in ["-u", "-U"] {
            let expected = fatal(&format!("invalid account {account}: {problem}"));
            assert_eq!(chpst(&[letter, account, "echo", "ran"]), expected, "{letter}");
        }
    }
    for letter in ["-u", "-U"] {
        let outcome = run(&mut sh(&format!("unset ACCOUNT; exec chpst {letter} \"$ACCOUNT\" echo ran")));
        assert_eq!(outcome, fatal("invalid account: the value is empty"));
    }
}

#[test]
fn an_account_or_a_group_that_is_not_there_is_an_error() {
    for letter in ["-u", "-U"] {
        let refused = |account: &str, text: &str| {
            let outcome = chpst(&[letter, account, "echo", "ran"]);
            assert_eq!(outcome, fatal(&format!("unable to find {text}")), "{letter} {account}");
        };
        refused("no-such-account", "account no-such-account: no such user");
        refused("root:no-such-group", "group no-such-group: no such group");
        let hint = "chpst: hint: a bare number is taken for a name: for numbers write :uid:gid\n";
        refused("4711", &format!("account 4711: no such user\n{}", hint.trim_end()));
    }
}

#[test]
fn ids_are_exported_as_envuidgid_does() {
    let show = ["sh", "-c", "echo \"$UID $GID ${GIDLIST-none}\""];
    for (account, ids) in [(":5:6", "5 6 none\n"), (":5:6:7", "5 6 none\n"), ("root", "0 0 none\n")] {
        let outcome = run(link("chpst").args(["-U", account]).args(show).env_remove("GIDLIST"));
        assert_eq!(outcome, prints(ids));
    }
}

#[test]
fn exported_ids_come_after_those_of_a_directory() {
    let directory = with_env(&[("UID", "1"), ("GID", "2"), ("A", "a")]);
    let script = "chpst -U :5:6 -e env sh -c 'echo $UID $GID $A'";
    assert_eq!(run_in(&directory, script), prints("5 6 a\n"));
}

// -e

#[test]
fn variables_are_those_of_envdir() {
    let directory =
        with_env(&[("A", "a \t\nb\n"), ("EMPTY", ""), ("LINE", "\n"), ("NUL", "a\0b"), (".dot", "x")]);
    let show = "printf \"<%s>\" \"$A\" \"${EMPTY-unset}\" \"${LINE-unset}\" \"$NUL\"";
    let outcome = run_in(&directory, &format!("EMPTY=x exec chpst -e env sh -c '{show}'"));
    assert_eq!(outcome, prints("<a><unset><><a\nb>"));
}

#[test]
fn a_subdirectory_is_skipped_and_with_v_there_is_a_warning() {
    let directory = with_env(&[("A", "a")]);
    fs::create_dir(directory.path().join("env/sub")).unwrap();
    std::os::unix::fs::symlink(".", directory.path().join("env/dot")).unwrap();
    assert_eq!(run_in(&directory, "chpst -e env printenv A"), prints("a\n"));
    let outcome = run_in(&directory, "chpst -v -e env printenv A");
    assert_eq!((outcome.status, &*outcome.stdout), (0, "a\n"));
    let warning =
        |file: &str| format!("chpst: warning: unable to read env/{file}: {}\n", says(Errno::EISDIR));
    let (one, other) = (warning("sub"), warning("dot"));
    assert!(outcome.stderr == one.clone() + &other || outcome.stderr == other + &one, "{outcome:?}");
    // Where nobody can read it, it is passed over in silence.
    assert_eq!(run_in(&directory, "chpst -v -e env printenv A 2>&-"), prints("a\n"));
}

#[test]
fn a_file_that_cannot_be_a_variable_is_an_error() {
    let unable = |what: &str| fatal(&format!("unable to {what}"));
    for (make, expected) in [
        ("ln -s no env/A", unable(&format!("read env/A: {}", says(Errno::ENOENT)))),
        ("mkfifo env/A", unable("read env/A: not a regular file")),
        (">env/A=B", unable("use env/A=B: not a variable name")),
        ("rm -r env", unable(&format!("open directory env: {}", says(Errno::ENOENT)))),
        ("rm -r env; >env", unable(&format!("open directory env: {}", says(Errno::ENOTDIR)))),
    ] {
        let directory = with_env(&[]);
        assert_eq!(run_in(&directory, make), prints(""));
        assert_eq!(run_in(&directory, "exec chpst -e env echo ran"), expected, "{make}");
    }
}

#[test]
fn the_program_is_searched_in_the_path_that_chpst_was_started_with() {
    let directory = with_env(&[("PATH", "/no/such/directory")]);
    let outcome = run_in(&directory, "exec chpst -e env sh -c 'echo $PATH'");
    assert_eq!(outcome, prints("/no/such/directory\n"));
    script(&directory.path().join("only"), "#!/bin/sh\necho found\n");
    fs::write(directory.path().join("env/PATH"), format!("{}:/bin", directory.path().display())).unwrap();
    let missing = fails(127, format!("chpst: fatal: unable to run only: {}\n", says(Errno::ENOENT)));
    assert_eq!(run_in(&directory, "exec chpst -e env only"), missing);
    assert_eq!(run_in(&directory, "exec chpst -e env env only"), prints("found\n"));
}

// -/ and -C

#[test]
fn a_working_directory_is_one_in_the_new_root() {
    needs!(root());
    let directory = open_directory();
    let root = directory.path().join("root");
    fs::create_dir_all(root.join("inside")).unwrap();
    install_root(&root, &[&example("state")]);
    let cwd = |words: &str| {
        let outcome = run_in(&directory, &format!("exec chpst {words} /state"));
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{words}");
        let mut lines = outcome.stdout.lines();
        lines.find_map(|line| line.strip_prefix("cwd ")).unwrap().to_owned()
    };
    assert_eq!(cwd("-/ root"), "/");
    assert_eq!(cwd("-C inside -/ root"), "/inside");
    assert_eq!(cwd("-/ root -C /inside"), "/inside");
    let outcome = run_in(&directory, "exec chpst -C root -/ root /state");
    assert_eq!(outcome, fatal(&format!("unable to enter root: {}", says(Errno::ENOENT))));
    let outcome = run_in(&directory, "exec chpst -/ root /no/program");
    let missing = format!("chpst: fatal: unable to run /no/program inside root: {}\n", says(Errno::ENOENT));
    assert_eq!(outcome, fails(127, missing));
}

#[test]
fn a_working_directory_changes_no_variable() {
    let outcome = run(link("chpst").args(["-C", "/", "sh", "-c", "printenv PWD; pwd -P"]).env("PWD", "/x"));
    assert_eq!(outcome.stdout.lines().last(), Some("/"));
    let outcome = run(link("chpst").args(["-C", "/", "printenv", "PWD"]).env("PWD", "/x"));
    assert_eq!(outcome, prints("/x\n"));
}

#[test]
fn names_of_accounts_are_those_of_the_new_root() {
    needs!(root());
    let directory = open_directory();
    let root = directory.path().join("root");
    fs::create_dir_all(root.join("etc")).unwrap();
    install_root(&root, &[&example("state")]);
    fs::write(root.join("etc/passwd"), "inside:x:4001:4002::/:/bin/sh\n").unwrap();
    fs::write(root.join("etc/group"), "g:x:4003:\n").unwrap();
    for (account, ids) in [("inside", ["uids 4001", "gids 4002"]), ("inside:g", ["uids 4001", "gids 4003"])] {
        let outcome = run_in(&directory, &format!("exec chpst -u {account} -/ root /state"));
        for ids in ids {
            assert!(outcome.stdout.lines().any(|line| line.starts_with(ids)), "{outcome:?}");
        }
    }
    let outcome = run_in(&directory, "exec chpst -u root -/ root /state");
    let hint = "chpst: hint: names are those of the new root: for numbers write :uid:gid";
    assert_eq!(outcome, fatal(&format!("unable to find account root: no such user\n{hint}")));
}

#[test]
fn a_root_that_may_not_be_changed_gets_a_hint() {
    needs!(root(), tool("setpriv"));
    let words = ["--bounding-set=-sys_chroot", "chpst", "-/", "/", "echo", "ran"];
    let message = format!("unable to change root to /: {}", says(Errno::EPERM));
    let hint = "only root may: use -u, or put chpst before setuidgid";
    let expected = fails(111, format!("chpst: fatal: {message}\nchpst: hint: {hint}\n"));
    assert_eq!(run(prepared("setpriv").args(words)), expected);
    // The loan of setuidgid is for chroot alone.
    let outcome = run(&mut sh("exec setuidgid :65534:65534 \"$B/chpst\" -/ / echo ran"));
    assert!(outcome.status == 111 || outcome.status == 126, "{outcome:?}");
}

// -l and -L

#[test]
fn a_lock_is_the_accounts_and_is_kept_by_the_program() {
    needs!(root());
    let directory = open_directory();
    fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let script = "chpst -u :65534:65533 -l lock sh -c 'stat -c %u:%g:%a lock; echo /proc/$$/fd/3 -ef lock; \
                  [ /proc/$$/fd/3 -ef lock ] && echo open'";
    let outcome = run_in(&directory, script);
    assert!(
        outcome.stdout.starts_with("65534:65533:600\n") && outcome.stdout.ends_with("open\n"),
        "{outcome:?}"
    );
    fs::write(directory.path().join("roots"), "").unwrap();
    let outcome = run_in(&directory, "exec chpst -l roots -u :65534:65533 echo ran");
    assert_eq!(outcome, fatal(&format!("unable to open roots: {}", says(Errno::EACCES))));
}

#[test]
fn a_lock_that_is_taken_is_waited_for_or_not() {
    let directory = open_directory();
    let outcome = run_in(&directory, "chpst -l lock chpst -L lock echo ran");
    let hint = "this process holds it itself, by a descriptor that it has already";
    let message = format!("chpst: fatal: unable to lock lock: it is locked\nchpst: hint: {hint}\n");
    assert_eq!(outcome, fails(111, message));
    let holder = Holder::holding(directory.path(), &["chpst", "-L", "lock"]);
    let outcome = run_in(&directory, "chpst -L lock echo ran");
    assert!(
        outcome.status == 111 && outcome.stderr.contains("unable to lock lock: it is locked\n"),
        "{outcome:?}"
    );
    assert!(!outcome.stderr.contains("-d"), "{outcome:?}");
    let waiter = Background::start(link("chpst").args(["-l", "lock", "echo", "ran"]).current_dir(&directory));
    waiter.wait_until_in(WAITING);
    holder.release();
    assert_eq!(waiter.finish(), prints("ran\n"));
}

#[test]
fn two_locks_are_a_usage_error() {
    for words in [&["-l", "a", "-L", "b"][..], &["-L", "a", "-l", "b"], &["-l", "a", "-l", "a"]] {
        assert_eq!(chpst(&[words, &["echo", "ran"]].concat()), misuse("chpst", "more than one lock"));
    }
}

#[test]
fn a_lock_is_never_among_the_standard_descriptors() {
    let directory = open_directory();
    assert_eq!(descriptors(&directory, "chpst -l lock", "0<&- 1>&- 2>&-"), ["3 lock"]);
    assert_eq!(descriptors(&directory, "chpst -012 -l lock", "0<&-"), ["3 lock"]);
}

// -0 -1 -2

#[test]
fn descriptors_are_closed_whether_they_are_open_or_not() {
    let directory = open_directory();
    assert_eq!(descriptors(&directory, "chpst -0", ""), ["1 null", "2 null"]);
    assert_eq!(descriptors(&directory, "chpst -12", ""), ["0 null"]);
    assert_eq!(descriptors(&directory, "chpst -012", "1>&-"), [""; 0]);
    assert_eq!(run_in(&directory, "exec chpst -2 no-such-program"), fails(127, ""));
}

// -n and limits

#[test]
fn an_increment_is_a_number_with_or_without_a_sign() {
    for bad in ["", "-", "+", "x", "1x", "--1", " 1"] {
        let problem = format!("invalid increment: {}", given(bad));
        assert_eq!(chpst(&["-n", bad, "echo", "ran"]), misuse("chpst", &problem));
    }
    let show = ["cut", "-d", " ", "-f", "19", "/proc/self/stat"];
    for increment in ["1", "+1", "001", "-0"] {
        let niceness = |words: &[&str]| run(sh("exec \"$@\"").arg("sh").args(words).args(show)).stdout;
        let [before, after] = [niceness(&[]), niceness(&["chpst", "-n", increment])]
            .map(|text| text.trim().parse::<i32>().unwrap());
        assert_eq!(after, (before + i32::from(increment != "-0")).min(19));
    }
}

#[test]
fn a_limit_is_a_number_and_nothing_else() {
    for letter in ["-m", "-d", "-o", "-p", "-f", "-c", "-r", "-t"] {
        for bad in ["", "=", "-", "unlimited", "-1", "+1", "1k", "0x10", " 1", "18446744073709551616"] {
            let problem = format!("invalid limit: {}", given(bad));
            let outcome = chpst(&[letter, bad, "echo", "ran"]);
            assert_eq!(outcome, misuse("chpst", &problem), "{letter}");
        }
    }
}

#[test]
fn each_letter_sets_the_soft_limit_of_its_resources() {
    needs!(tool("prlimit"));
    let limits = |words: &[&str]| {
        let start = ["--core=1000:2000", "--nofile=50:60"];
        let outcome =
            run(prepared("prlimit").args(start).arg("chpst").args(words).args(["cat", "/proc/self/limits"]));
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{words:?}");
        outcome.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let before = limits(&[]);
    for (letter, value, names) in [
        ("-d", "1000000000", &["data size"][..]),
        ("-o", "40", &["open files"]),
        ("-p", "4000", &["processes"]),
        ("-f", "1000000", &["file size"]),
        ("-c", "100", &["core file size"]),
        ("-r", "1000000", &["resident set"]),
        ("-t", "1000", &["cpu time"]),
        ("-m", "1000000", &[]),
    ] {
        if letter == "-m" {
            continue; // below: with so little memory no cat runs
        }
        let after = limits(&[letter, value]);
        let changed = after.iter().zip(&before).filter(|(after, before)| after != before);
        let changed = changed.map(|(line, _)| line).collect::<Vec<_>>();
        assert_eq!(changed.len(), names.len(), "{letter}: {changed:?}");
        for (line, name) in changed.iter().zip(names) {
            assert!(line.starts_with(&format!("Max {name} ")) && line.contains(value), "{letter}: {line}");
        }
    }
    let after = limits(&["-m", "1000000000"]);
    for name in ["data size", "stack size", "address space"] {
        let line = after.iter().find(|line| line.starts_with(&format!("Max {name} "))).unwrap();
        assert!(line.contains("1000000000"), "{line}");
    }
    // Above the hard limit it is that.
    let nofile = |words: &[&str]| {
        let lines = limits(words);
        let line = lines.iter().find(|line| line.starts_with("Max open files")).unwrap();
        line.split_whitespace().nth(3).unwrap().to_owned()
    };
    assert_eq!(nofile(&["-o", "61"]), "60");
    assert_eq!(nofile(&["-o", "18446744073709551615"]), "60");
    assert_eq!(nofile(&["-o", "20", "-o", "30"]), "30");
}

#[test]
fn of_several_limits_only_the_last_is_set() {
    // The first would be the end of this process.
    assert_eq!(
        chpst(&["-m", "1000", "-o", "0", "-o", "64", "-m", "1000000000", "echo", "ran"]),
        prints("ran\n")
    );
    let show = ["sh", "-c", "ulimit -d; ulimit -s"];
    let outcome = run(link("chpst").args(["-m", "1024000000", "-d", "512000000"]).args(show));
    assert_eq!(outcome, prints("500000\n1000000\n"));
    let outcome = run(link("chpst").args(["-d", "512000000", "-m", "1024000000"]).args(show));
    assert_eq!(outcome, prints("1000000\n1000000\n"));
}

#[test]
fn limits_bind_the_program_and_nothing_before_it() {
    let directory = with_env(&[("A", "a")]);
    // An env directory, a lock and a message need descriptors.
    let outcome = run_in(&directory, "exec chpst -o 3 -e env -l lock /no/program");
    assert_eq!(outcome.status, 127, "{outcome:?}");
    assert!(outcome.stderr.starts_with("chpst: fatal: unable to run /no/program: "), "{outcome:?}");
}

// -b, -v, -V and usage

#[test]
fn argument_0_is_the_programs_alone() {
    for name in ["name", "", "-name", "a b"] {
        let outcome = chpst(&["-b", name, "sh", "-c", "tr '\\0' '\\n' </proc/$$/cmdline | head -n 1"]);
        assert_eq!(outcome, prints(format!("{name}\n")));
    }
    assert_eq!(chpst(&["-b", "one", "-b", "two", "sh", "-c", "echo $0"]), prints("two\n"));
    // The message names the program.
    let missing = fails(127, format!("chpst: fatal: unable to run no-such: {}\n", says(Errno::ENOENT)));
    assert_eq!(chpst(&["-b", "name", "no-such"]), missing);
}

#[test]
fn behind_argument_0_no_link_is_applied_in_the_same_process() {
    needs!(tool("strace"));
    let outcome = run(&mut sh("exec strace -qq -e trace=execve -e signal=none -o /dev/stdout \
                          catena chpst -b name fdclose 9 true | grep -c 'execve(.*= 0'"));
    assert_eq!(outcome, prints("3\n"));
}

#[test]
fn the_version_goes_to_stderr_where_v_asks_for_it() {
    let version = format!("chpst (catena) {}\n", env!("CARGO_PKG_VERSION"));
    for words in [&["-V"][..], &["-V", "echo", "ran"], &["-vV"], &["-o", "1", "-V", "-Z"]] {
        assert_eq!(chpst(words), fails(0, &*version), "{words:?}");
    }
}

#[test]
fn usage_errors_come_before_every_deed() {
    let directory = with_env(&[("A", "a")]);
    for words in ["-l lock", "-l lock -o x echo ran", "-l lock -Z echo ran", "-l lock -n x echo ran", "-l"] {
        assert_eq!(run_in(&directory, &format!("exec chpst {words}")).status, 100, "{words}");
        assert!(!directory.path().join("lock").exists(), "{words}");
    }
}

#[test]
fn lines_of_run_scripts_run() {
    needs!(root());
    let directory = with_env(&[("A", "a")]);
    for (script, expected) in [
        ("exec chpst -u nobody:nogroup id -un", "nobody\n"),
        ("exec chpst -e ./env -u nobody printenv A", "a\n"),
        ("exec chpst -P -b getty sh -c 'echo $0'", "getty\n"),
        ("USER=nobody; exec chpst -u \"$USER\" -U \"$USER\" sh -c 'echo $UID'", "65534\n"),
        ("exec chpst -unobody -o64 sh -c 'ulimit -n'", "64\n"),
        ("exec chpst -Pvu nobody -n+5 -m 1000000000 -- echo ran", "ran\n"),
        ("exec chpst -1 sh -c '[ -e /proc/$$/fd/1 ] || exit 7'; :", ""),
    ] {
        let expected = if expected.is_empty() { fails(7, "") } else { prints(expected) };
        assert_eq!(run_in(&directory, script), expected, "{script}");
    }
}
