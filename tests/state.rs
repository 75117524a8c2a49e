//! state.

use std::fs;

use nix::errno::Errno;

use crate::needs;
use crate::support::*;

/// The line of this key, of state behind these words.
fn line(words: &[&str], key: &str) -> String {
    let mut command = prepared(words.first().map_or_else(|| program("state"), |word| program_or_tool(word)));
    command.args(words.iter().skip(1));
    if !words.is_empty() {
        command.arg("state");
    }
    let outcome = run(&mut command);
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{words:?}");
    let found: Vec<_> =
        outcome.stdout.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(' ')).collect();
    assert_eq!(found.len(), 1, "{key}: {}", outcome.stdout);
    found[0].to_owned()
}

fn program_or_tool(name: &str) -> std::path::PathBuf {
    let own = program(name);
    if own.exists() { own } else { name.into() }
}

#[test]
fn each_key_says_what_was_inherited() {
    let pid = std::process::id().to_string();
    for (words, key, value) in [
        (&["umask", "027"][..], "umask", "027"),
        (&["umask", "777"], "umask", "777"),
        (&["softlimit", "-c", "4096"], "limit core", "4096 unlimited"),
        (&["softlimit", "-H", "-o", "50"], "limit nofile", "50 50"),
        (&["chdir", "/usr"], "cwd", "/usr"),
        (&["redirfd", "-a", "9", "/dev/null"], "fd 9", "write append /dev/null"),
        (&["redirfd", "-r", "9", "/dev/null"], "fd 9", "read /dev/null"),
        (&["redirfd", "-u", "9", "/dev/null"], "fd 9", "read-write /dev/null"),
        (&[], "parent", &pid),
        (&[], "terminal", "none"),
    ] {
        if key == "limit core" && run(&mut sh("ulimit -Hc")).stdout != "unlimited\n" {
            continue;
        }
        if key == "terminal" && fs::File::open("/dev/tty").is_ok() {
            continue;
        }
        assert_eq!(line(words, key), value, "{words:?} {key}");
    }
}

#[test]
fn signals_are_named() {
    let words = ["env", "--ignore-signal=PIPE", "--block-signal=HUP,40"];
    // The tests may be started with others.
    let has = |key: &str, name: &str| line(&words, key).split(' ').any(|word| word == name);
    assert!(has("signals ignored", "PIPE"));
    assert!(has("signals blocked", "HUP") && has("signals blocked", "40"));
    assert!(!has("signals ignored", "HUP"));
}

#[test]
fn a_lock_and_a_socket_are_told_from_other_files() {
    let directory = tempfile::tempdir().unwrap();
    let lock = directory.path().join("lock").display().to_string();
    assert_eq!(line(&["setlock", "-d", "9", &lock], "fd 9"), format!("write nonblocking locked {lock}"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut command = link("state");
    command.stdin(std::os::fd::OwnedFd::from(listener));
    let outcome = run(&mut command);
    let found = outcome.stdout.lines().find(|line| line.starts_with("fd 0 ")).unwrap();
    assert!(found.starts_with("fd 0 read-write listening socket:["), "{found}");
    assert!(found.ends_with(&format!("] tcp:{address}")), "{found}");
}

#[test]
fn a_file_with_a_tab_in_its_name_has_no_address() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a\tb").display().to_string();
    let found = line(&["redirfd", "-w", "9", &file], "fd 9");
    assert!(found.starts_with("write /") && found.ends_with("/a\\x09b"), "{found}");
    let json = run(link("redirfd").args(["-w", "9", &file, "state", "-j"])).stdout;
    let expected = format!(
        "\"9\":{{\"access\":\"write\",\"flags\":[],\"file\":\"{}\",\"address\":null}}",
        file.replace('\t', "\\t")
    );
    assert!(json.contains(&expected) || json.contains(&expected.replace("\\t", "\\u0009")), "{json}");
}

#[test]
fn an_account_has_its_ids_and_no_capabilities() {
    needs!(root());
    let directory = open_directory();
    install(&program("state"), &directory.path().join("state"));
    let mut command = link("setuidgid");
    command.arg(":65534:65533:65532").arg(directory.path().join("state"));
    let outcome = run(&mut command);
    let lines: Vec<_> = outcome.stdout.lines().collect();
    for expected in [
        "uid 65534",
        "gid 65533",
        "groups 65532 65533",
        "capabilities permitted none",
        "capabilities effective none",
        "capabilities ambient none",
    ] {
        assert!(lines.contains(&expected), "{expected}: {}", outcome.stdout);
    }
}

#[test]
fn json_has_the_same_keys_and_jq_reads_it() {
    needs!(tool("jq"));
    for (filter, expected) in [
        (".umask", "\"027\"\n"),
        (".limit.nofile", "{\"soft\":50,\"hard\":50}\n"),
        (".limit | keys | length", "16\n"),
        (".signals.ignored == [] or (.signals.ignored | length) > 0", "true\n"),
        ("[.uid.real, .uid.effective, .uid.saved] | unique | length", "1\n"),
        (".capabilities | keys", "[\"ambient\",\"bounding\",\"effective\",\"inheritable\",\"permitted\"]\n"),
        (".fd[\"9\"]", "{\"access\":\"read\",\"flags\":[],\"file\":\"/dev/null\",\"address\":null}\n"),
        (".[\"no-new-privs\"] | type", "\"boolean\"\n"),
        (".namespace.net | type", "\"number\"\n"),
        (".timer.real", "null\n"),
    ] {
        let chain = "softlimit -H -o 50 redirfd -r 9 /dev/null \"$B/umask\" 027 state -j";
        let outcome = run(sh(&format!("{chain} | jq -c \"$1\"")).args(["sh", filter]));
        assert_eq!(outcome, prints(expected), "{filter}");
    }
    let keys = |outcome: Outcome| {
        let mut keys: Vec<_> =
            outcome.stdout.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
        keys.dedup();
        keys
    };
    let of_lines = keys(run(&mut link("state")));
    let of_json = keys(run(&mut sh("state -j | jq -r keys_unsorted[]")));
    assert_eq!(of_lines, of_json);
}

#[test]
fn names_of_files_stay_in_their_line_and_their_string() {
    needs!(tool("jq"));
    let directory = tempfile::tempdir().unwrap();
    let odd = directory.path().join("a\n\"b\\");
    fs::create_dir(&odd).unwrap();
    let outcome = run(link("state").current_dir(&odd));
    let end = "/a\\n\"b\\";
    assert!(
        outcome.stdout.lines().any(|line| line.starts_with("cwd /") && line.ends_with(end)),
        "{}",
        outcome.stdout
    );
    let outcome = run(sh("state -j | jq -j .cwd").current_dir(&odd));
    assert_eq!(outcome, prints(odd.to_str().unwrap()));
}

#[test]
fn with_a_program_it_prints_on_stderr_and_goes_on() {
    for option in ["", "-j"] {
        let outcome = run(&mut sh(&format!("state {option} echo ran")));
        assert_eq!((outcome.status, &*outcome.stdout), (0, "ran\n"), "{option}");
        assert!(outcome.stderr.starts_with(if option.is_empty() { "pid " } else { "{\"pid\":" }), "{option}");
    }
    assert_eq!(run(&mut sh("state echo ran 2>&-")), prints("ran\n"));
    let outcome = run(&mut sh("state echo ran 2>/dev/full"));
    assert_eq!(outcome, fails(111, ""));
    let outcome = run(&mut sh("state no-such-program 2>&1 | tail -n 1"));
    let missing = format!("state: fatal: unable to run no-such-program: {}\n", says(Errno::ENOENT));
    assert_eq!(outcome, prints(missing));
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let error = format!("state: fatal: unable to write: {}\n", says(Errno::ENOSPC));
    assert_eq!(run(&mut sh("state >/dev/full")), fails(111, error));
}

#[test]
fn an_option_that_it_has_not_is_a_usage_error() {
    assert_eq!(run(link("state").arg("-x")), misuse("state", "invalid option '-x'"));
}

#[test]
fn where_there_is_no_proc_the_rest_is_there() {
    needs!(root());
    let root = tempfile::tempdir().unwrap();
    install_root(root.path(), &[&program("state")]);
    let outcome = run(link("chroot").arg(root.path()).arg("/state"));
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""));
    let lines: Vec<_> = outcome.stdout.lines().collect();
    let unknown = format!("unknown: {}", says(Errno::ENOENT));
    for expected in [
        "cwd /",
        "fd 0 read device",
        "fd 1 write pipe",
        &format!("oom {unknown}"),
        &format!("namespace mnt {unknown}"),
    ] {
        assert!(lines.contains(&expected), "{expected}: {}", outcome.stdout);
    }
}

#[test]
fn what_stands_behind_it_inherits_what_stood_in_front_of_it() {
    let behind = |words: &[&str], pose: &str| {
        let mut command = prepared(example("pose"));
        command.arg(pose).args(words).arg(example("state"));
        let outcome = run(&mut command);
        assert_eq!(outcome.status, 0, "{pose}: {}", outcome.stderr);
        // Its stderr is a pipe of its own, of which the number is another each time, and is not printed.
        outcome.stdout
    };
    for pose in [
        "all-ignored",
        "all-blocked",
        "pending",
        "timers",
        "death",
        "closed=0",
        "closed=02",
        "closed=2",
        "open=9",
        "umask=777",
        "limits",
        "no-new-privs",
        "env=odd",
        "thp",
    ] {
        assert_eq!(behind(&["state"], pose), behind(&[], pose), "{pose}");
        assert_eq!(behind(&["state", "-j"], pose), behind(&[], pose), "{pose}");
    }
}
