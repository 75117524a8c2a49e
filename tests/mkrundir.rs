//! mkrundir.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::{getegid, geteuid, mkfifo};

use crate::needs;
use crate::support::*;

/// mkrundir with these words, in a directory.
fn mkrundir(directory: &Path, words: &[&str]) -> Outcome {
    run(link("mkrundir").current_dir(directory).args(words).args(["echo", "ran"]))
}

/// The same by an account that is neither root nor in any group of its.
fn as_nobody(directory: &Path, words: &[&str]) -> Outcome {
    let program = open_directory();
    let ours = program.path().join("mkrundir");
    install(&bin().join("mkrundir"), &ours);
    let mut command = prepared("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(ours);
    run(command.current_dir(directory).args(words).args(["echo", "ran"]))
}

fn ran() -> Outcome {
    prints("ran\n")
}

fn refused(text: &str) -> Outcome {
    fails(111, format!("mkrundir: fatal: {text}\n"))
}

/// What to do where another account owns what is on the way, where the mode of a directory is to blame, or a link.
const AS_THAT_ACCOUNT: &str =
    "that account could lead it elsewhere: put mkrundir after setuidgid, to act as that account";
const MODE: &str = "its mode lets others put anything there: chmod go-w ends that, or chmod +t";
const LINK: &str = "others could lead it elsewhere: write where the link leads instead";

/// Refused because others could lead it elsewhere.
fn unsafe_way(text: &str, hint: &str) -> Outcome {
    fails(111, format!("mkrundir: fatal: {text}\nmkrundir: hint: {hint}\n"))
}

/// Owner, group and permissions of what has a name.
fn state(file: impl AsRef<Path>) -> (u32, u32, u32) {
    let file = file.as_ref();
    let found = file.symlink_metadata().unwrap();
    (found.uid(), found.gid(), mode(file))
}

/// What a directory is that the tests themselves have made so.
fn ours(mode: u32) -> (u32, u32, u32) {
    (geteuid().as_raw(), getegid().as_raw(), mode)
}

/// A directory of another account's.
fn foreign(directory: &Path, mode: u32) {
    fs::create_dir(directory).unwrap();
    chown(directory, Some(65534), Some(65534)).unwrap();
    fs::set_permissions(directory, Permissions::from_mode(mode)).unwrap();
}

// What it is there for.

#[test]
fn a_directory_is_the_callers_with_mode_755_whatever_the_umask() {
    let scratch = open_directory();
    for umask in ["0", "022", "077", "777"] {
        let script = "umask \"$1\"; exec mkrundir \"$0\" sh -c umask";
        let directory = scratch.path().join(umask);
        assert_eq!(run(sh(script).arg(&directory).arg(umask)), prints(format!("{umask:0>4}\n")));
        assert_eq!(state(&directory), ours(0o755), "umask {umask}");
    }
}

#[test]
fn a_mode_is_octal_or_symbolic_from_755() {
    let scratch = open_directory();
    for (text, mode) in [
        ("700", 0o700),
        ("0750", 0o750),
        ("2775", 0o2775),
        ("1777", 0o1777),
        ("7777", 0o7777),
        ("711", 0o711),
        ("g+w", 0o775),
        ("o=", 0o750),
        ("u=rwx,g=rx,o=", 0o750),
        ("go-rwx", 0o700),
        ("a=rwx", 0o777),
    ] {
        for umask in ["0", "077"] {
            let script = "umask \"$2\"; exec mkrundir -m \"$1\" \"$0\" true";
            let directory = scratch.path().join(umask);
            assert_eq!(run(sh(script).arg(&directory).args([text, umask])), prints(""));
            assert_eq!(state(&directory), ours(mode), "{text} with umask {umask}");
        }
    }
}

#[test]
fn an_invalid_mode_is_a_usage_error() {
    let scratch = open_directory();
    for bad in
        ["", "8", "758", "10000", "0o755", "+7", "rwx", "u", "u+s", "g=rxs", "+t", "755 ", "u=rwx;o=", "é"]
    {
        let outcome = mkrundir(scratch.path(), &["-m", bad, "d"]);
        assert_eq!(outcome, misuse("mkrundir", &format!("invalid mode: {}", given(bad))), "{bad:?}");
        assert!(!scratch.path().join("d").exists());
    }
}

#[test]
fn it_is_given_to_an_account_with_the_group_of_that_or_another() {
    needs!(mounts());
    let (accounts, scratch) = (Accounts::new(), open_directory());
    for (text, uid, gid) in [
        ("alice", 5001, 5001),
        ("bob", 5002, 5001),
        ("alice:staff", 5001, 5100),
        ("alice:staff:staff", 5001, 5100),
        ("1234", 5003, 5003),
        (":7:8", 7, 8),
        ("root", 0, 0),
    ] {
        for name in [text, "again"] {
            let directory = scratch.path().join(name);
            let outcome = accounts.run([
                "mkrundir",
                "-m",
                "750",
                "-o",
                text,
                directory.to_str().unwrap(),
                "echo",
                "ran",
            ]);
            assert_eq!(outcome, ran(), "{text}");
            assert_eq!(state(&directory), (uid, gid, 0o750), "{text}");
        }
    }
    let new = scratch.path().join("new").display().to_string();
    let of = |account: &str| accounts.run(["mkrundir", "-o", account, &new, "echo", "ran"]);
    assert_eq!(of("carol"), refused("unable to find account carol: no such user"));
    assert_eq!(of("alice:no"), refused("unable to find group no: no such group"));
    let two = "a directory has one group: alice:staff:audio";
    assert_eq!(of("alice:staff:audio"), misuse("mkrundir", two));
    assert_eq!(of(""), misuse("mkrundir", "invalid account: the value is empty"));
    assert_eq!(of("alice:"), misuse("mkrundir", "invalid account alice:: an empty field"));
    assert!(!Path::new(&new).exists());
}

#[test]
fn of_a_directory_that_is_there_owner_and_mode_are_made_right_and_what_is_in_it_stays() {
    needs!(root());
    let scratch = open_directory();
    let (directory, file) = (scratch.path().join("d"), scratch.path().join("d/file"));
    foreign(&directory, 0o777);
    fs::write(&file, "content").unwrap();
    chown(&file, Some(7), Some(8)).unwrap();
    let before = state(&file);
    for (words, after) in [
        (&["-o", ":5:6", "d"][..], (5, 6, 0o755)),
        (&["-m", "2770", "-o", ":5:6", "d"], (5, 6, 0o2770)),
        (&["-m", "2770", "-o", ":5:6", "d"], (5, 6, 0o2770)),
        (&["-m", "2770", "-o", ":9:10", "d"], (9, 10, 0o2770)),
        (&["d"], (0, getegid().as_raw(), 0o755)),
    ] {
        assert_eq!(mkrundir(scratch.path(), words), ran(), "{words:?}");
        assert_eq!(state(&directory), after, "{words:?}");
        assert_eq!(state(&file), before);
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "content");
}

#[test]
fn a_directory_that_may_not_be_read_is_good_if_it_is_right() {
    needs!(root());
    let scratch = open_directory();
    // As in a container with few capabilities, the second time.
    for _ in 0..2 {
        let mut command = mortal("exec mkrundir -m 700 -o :65534:65534 d echo ran");
        assert_eq!(run(command.current_dir(&scratch)), ran());
        assert_eq!(state(scratch.path().join("d")), (65534, 65534, 0o700));
    }
    // What is its own an account can also make right, whatever of reading and searching it may.
    foreign(&scratch.path().join("own"), 0o755);
    for mode in [0o300, 0o300, 0o600, 0o600, 0o311, 0o755] {
        let outcome = as_nobody(&scratch.path().join("own"), &["-m", &format!("{mode:o}"), "d"]);
        assert_eq!(outcome, ran(), "{mode:o}");
        assert_eq!(state(scratch.path().join("own/d")), (65534, 65534, mode));
    }
}

#[test]
fn no_group_may_more_in_between_than_before_or_after() {
    needs!(root());
    let scratch = open_directory();
    let directory = scratch.path().join("d");
    // An account that is not in the group that is asked for comes as far as that.
    for (before, line, left) in
        [(0o700, "770", 0o700), (0o770, "700", 0o700), (0o2750, "2707", 0o2700), (0o757, "775", 0o755)]
    {
        foreign(&directory, before);
        let outcome = as_nobody(scratch.path(), &["-m", line, "-o", ":65534:5", "d"]);
        assert_eq!((outcome.status, &*outcome.stdout), (111, ""), "{outcome:?}");
        assert_eq!(state(&directory), (65534, 65534, left), "from {before:o} to {line}");
        fs::remove_dir(&directory).unwrap();
    }
}

#[test]
fn missing_directories_on_the_way_are_the_callers_with_mode_755() {
    needs!(root());
    let scratch = open_directory();
    let script = "umask 077; exec mkrundir -m 700 -o :5:6 a/b/c true";
    assert_eq!(run_in(&scratch, script), prints(""));
    for (name, expected) in [("a", ours(0o755)), ("a/b", ours(0o755)), ("a/b/c", (5, 6, 0o700))] {
        assert_eq!(state(scratch.path().join(name)), expected, "{name}");
    }
}

#[test]
fn slashes_and_dots_are_as_in_any_path() {
    for path in ["d", "./d", "d/", "d///", ".//d/.", "e/../d", "/@/d", "//@//d/./"] {
        let scratch = open_directory();
        fs::create_dir(scratch.path().join("e")).unwrap();
        let path = path.replace('@', scratch.path().strip_prefix("/").unwrap().to_str().unwrap());
        assert_eq!(mkrundir(scratch.path(), &["-m", "710", &path]), ran(), "{path}");
        assert_eq!(state(scratch.path().join("d")), ours(0o710), "{path}");
    }
    for path in ["", "/", "//", ".", "..", "/..", "./", "d/.."] {
        let scratch = open_directory();
        let outcome = mkrundir(scratch.path(), &[path]);
        let problem = format!("not the name of a directory: {}", given(path));
        assert_eq!(outcome, misuse("mkrundir", &problem), "{path}");
    }
}

#[test]
fn where_no_name_is_the_last_nothing_is_made_on_the_way() {
    let scratch = open_directory();
    for path in ["a/..", "a/b/..", "a/b/../.", "a/.././../"] {
        let problem = format!("not the name of a directory: {path}");
        assert_eq!(mkrundir(scratch.path(), &[path]), misuse("mkrundir", &problem));
    }
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
}

#[test]
fn a_way_of_many_names_takes_no_more_memory_than_itself() {
    let scratch = open_directory();
    let script = "ulimit -v 60000; exec mkrundir $(printf '../%.0s' $(seq 40000))$PWD/d true";
    assert_eq!(run_in(&scratch, script), prints(""));
    assert_eq!(state(scratch.path().join("d")), ours(0o755));
}

#[test]
fn what_is_no_directory_is_an_error_and_stays_as_it_is() {
    let scratch = open_directory();
    let at = |name: &str| scratch.path().join(name);
    fs::write(at("file"), "content").unwrap();
    mkfifo(&at("fifo"), Mode::from_bits_truncate(0o600)).unwrap();
    drop(std::os::unix::net::UnixListener::bind(at("socket")).unwrap());
    let no_directory = says(Errno::ENOTDIR);
    for name in ["file", "fifo", "socket"] {
        let before = state(at(name));
        let outcome = mkrundir(scratch.path(), &["-m", "711", name]);
        assert_eq!(outcome, refused(&format!("unable to open directory {name}: {no_directory}")));
        let below = format!("{name}/d");
        let outcome = mkrundir(scratch.path(), &[&below]);
        assert_eq!(outcome, refused(&format!("unable to make {below}: {no_directory}")));
        assert_eq!(state(at(name)), before, "{name}");
    }
}

/// The words of the two that say the same, and the umask.
const INSTALL: [(&str, &str, &str); 8] = [
    ("d", "d", "022"),
    ("d", "d", "077"),
    ("-m 700 a/b/c", "-m 700 a/b/c", "0"),
    ("-m 2750 -o :5:6 a/b", "-m 2750 -o 5 -g 6 a/b", "027"),
    ("-m 1777 e", "-m 1777 e", "077"),
    ("-o :5:6 e/d", "-o 5 -g 6 e/d", "077"),
    ("-o :5:6 e", "-o 5 -g 6 e", "777"),
    ("-m u=rwx,g=rx,o= d", "-m u=rwx,g=rx,o= d", "777"),
];

#[test]
fn it_leaves_what_install_leaves() {
    needs!(root());
    for (ours, theirs, umask) in INSTALL {
        let left = |command: &str| {
            let scratch = open_directory();
            fs::create_dir(scratch.path().join("e")).unwrap();
            fs::write(scratch.path().join("e/file"), "").unwrap();
            let list = "find . -mindepth 1 -printf '%p %M %U %G\\n' | sort";
            run_in(&scratch, &format!("umask {umask}; {command} && {list}"))
        };
        let outcome = left(&format!("mkrundir {ours} true"));
        assert_eq!(outcome, left(&format!("install -d {theirs}")), "{ours} with umask {umask}");
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""));
    }
}

#[test]
fn what_is_mounted_when_it_is_used_is_on_the_way() {
    needs!(root(), tool("unshare"));
    let scratch = open_directory();
    fs::create_dir(scratch.path().join("d")).unwrap();
    // The kernel's own mount of this kind, each time in a new namespace, where it has not been used.
    let with = |rest: &str| {
        run_in(&scratch, &format!("exec /usr/bin/unshare -m sh -c 'mount -t debugfs none d && exec {rest}'"))
    };
    let found = with("stat -c \"-o :%u:%g -m %a\" d/tracing/options");
    needs!(if found.status == 0 { Ok(()) } else { Err(String::from("debugfs with tracefs")) });
    assert_eq!(with(&format!("mkrundir {} d/tracing/options echo ran", found.stdout.trim())), ran());
}

// Symbolic links.

#[test]
fn a_link_that_root_has_made_where_only_root_may_is_followed() {
    let scratch = open_directory();
    let at = |name: &str| scratch.path().join(name);
    fs::create_dir_all(at("real/there")).unwrap();
    symlink("real", at("relative")).unwrap();
    symlink(at("real"), at("absolute")).unwrap();
    symlink("relative/there", at("last")).unwrap();
    symlink("real/new", at("dangling")).unwrap();
    for (path, made) in [
        ("relative/a", "real/a"),
        ("absolute/b", "real/b"),
        ("relative/c/d", "real/c/d"),
        ("last", "real/there"),
        ("last/", "real/there"),
        ("dangling", "real/new"),
    ] {
        assert_eq!(mkrundir(scratch.path(), &["-m", "711", path]), ran(), "{path}");
        assert_eq!(state(at(made)), ours(0o711), "{path}");
        assert!(
            !at(path).symlink_metadata().unwrap().is_dir() || path.contains('/'),
            "{path} is still a link"
        );
    }
    symlink("b", at("a")).unwrap();
    symlink("a", at("b")).unwrap();
    let outcome = mkrundir(scratch.path(), &["a/d"]);
    assert_eq!(outcome, refused(&format!("unable to make a/d: {}", says(Errno::ELOOP))));
}

#[test]
fn a_link_of_another_account_is_not_followed() {
    needs!(root());
    let scratch = open_directory();
    let at = |name: &str| scratch.path().join(name);
    fs::create_dir(at("victim")).unwrap();
    symlink("victim", at("link")).unwrap();
    std::os::unix::fs::lchown(at("link"), Some(65534), Some(65534)).unwrap();
    for path in ["link", "link/d"] {
        let outcome = mkrundir(scratch.path(), &["-o", ":5:6", path]);
        assert_eq!(
            outcome,
            unsafe_way(
                &format!("unable to make {path}: the link link in . is another account's"),
                AS_THAT_ACCOUNT
            )
        );
    }
    assert_eq!(state(at("victim")), ours(0o755));
    assert!(!at("victim/d").exists());
}

#[test]
fn in_a_directory_where_everybody_may_make_files_no_link_is_followed() {
    let scratch = open_directory();
    let at = |name: &str| scratch.path().join(name);
    fs::create_dir(at("victim")).unwrap();
    fs::create_dir(at("tmp")).unwrap();
    fs::set_permissions(at("tmp"), Permissions::from_mode(0o1777)).unwrap();
    symlink("../victim", at("tmp/link")).unwrap();
    for path in ["tmp/link", "tmp/link/d"] {
        let outcome = mkrundir(scratch.path(), &["-m", "700", path]);
        let text = format!("unable to make {path}: the link link in ./tmp may be another account's");
        assert_eq!(outcome, unsafe_way(&text, LINK));
    }
    assert_eq!(state(at("victim")), ours(0o755));
    // A directory can be made there, and used for more.
    assert_eq!(mkrundir(scratch.path(), &["tmp/a/b"]), ran());
    assert_eq!(state(at("tmp/a/b")), ours(0o755));
}

// Directories of others.

#[test]
fn in_a_directory_that_another_account_may_change_nothing_is_made_or_given_away() {
    needs!(root());
    for (owner, group, mode, hint) in [
        (65534, 0, 0o755, AS_THAT_ACCOUNT),
        (0, 65534, 0o775, MODE),
        (0, 0, 0o777, MODE),
        (65534, 0, 0o1755, AS_THAT_ACCOUNT),
    ] {
        let scratch = open_directory();
        let at = |name: &str| scratch.path().join(name);
        fs::create_dir(at("a")).unwrap();
        fs::create_dir(at("a/roots")).unwrap();
        chown(at("a"), Some(owner), Some(group)).unwrap();
        fs::set_permissions(at("a"), Permissions::from_mode(mode)).unwrap();
        for path in ["a/new", "a/roots", "a/new/deeper", "a/roots/deeper", "a/../new"] {
            let outcome = mkrundir(scratch.path(), &["-o", ":65534:65534", path]);
            let text = format!("unable to make {path}: another account may change ./a");
            assert_eq!(outcome, unsafe_way(&text, hint), "{mode:o}");
        }
        assert_eq!(state(at("a/roots")), ours(0o755));
        assert_eq!(fs::read_dir(at("a")).unwrap().count(), 1);
        // But that directory itself is in good hands.
        assert_eq!(mkrundir(scratch.path(), &["a"]), ran());
        assert_eq!(mkrundir(scratch.path(), &["a/new"]), ran());
    }
}

#[test]
fn what_the_hint_says_about_a_mode_helps_an_account_too() {
    needs!(root());
    let scratch = open_directory();
    let shared = scratch.path().join("shared");
    foreign(&shared, 0o775);
    let refused = unsafe_way("unable to make shared/d: another account may change ./shared", MODE);
    assert_eq!(as_nobody(scratch.path(), &["shared/d"]), refused);
    for mode in [0o1775, 0o755] {
        fs::set_permissions(&shared, Permissions::from_mode(mode)).unwrap();
        assert_eq!(as_nobody(scratch.path(), &["shared/d"]), ran());
    }
}

#[test]
fn what_others_have_made_in_a_directory_for_everybody_is_not_taken_over() {
    needs!(root());
    let scratch = open_directory();
    let at = |name: &str| scratch.path().join(name);
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o1777)).unwrap();
    foreign(&at("theirs"), 0o777);
    for words in [&["theirs"][..], &["-o", ":5:6", "theirs"]] {
        let outcome = mkrundir(scratch.path(), words);
        assert_eq!(outcome, refused("unable to use theirs: uid 65534 has made it"));
    }
    assert_eq!(state(at("theirs")), (65534, 65534, 0o777));
    assert_eq!(mkrundir(scratch.path(), &["-o", ":65534:5", "theirs"]), ran());
    assert_eq!(state(at("theirs")), (65534, 5, 0o755));
}

#[test]
fn an_account_makes_directories_in_its_own() {
    needs!(root());
    let scratch = open_directory();
    let at = |name: &str| scratch.path().join(name);
    foreign(&at("own"), 0o755);
    assert_eq!(as_nobody(&at("own"), &["-m", "711", "a/b"]), ran());
    assert_eq!(state(at("own/a/b")), (65534, 65534, 0o711));
    assert_eq!(as_nobody(scratch.path(), &["-o", ":65534:65534", "own/c"]), ran());
    // The line that the hint asks for.
    let directory = open_directory();
    for name in ["catena", "mkrundir"] {
        install(&bin().join(name), &directory.path().join(name));
    }
    let path = format!("{}:/usr/bin:/bin", directory.path().display());
    let mut command = link("catena");
    command.env("PATH", path).current_dir(scratch.path()).args([
        "mkrundir",
        "-o",
        ":7:8",
        "run",
        "setuidgid",
        ":7:8",
        "mkrundir",
        "run/below",
        "echo",
        "ran",
    ]);
    assert_eq!(run(&mut command), ran());
    assert_eq!((state(at("run")), state(at("run/below"))), ((7, 8, 0o755), (7, 8, 0o755)));
}

#[test]
fn in_a_user_namespace_the_owner_of_the_root_directory_is_trusted_as_root_is() {
    needs!(root(), tool("unshare"));
    let scratch = open_directory();
    let own = scratch.path().join("own");
    foreign(&own, 0o755);
    let program = open_directory();
    install(&bin().join("mkrundir"), &program.path().join("mkrundir"));
    let mut command = prepared("setpriv");
    command.args([
        "--reuid=65533",
        "--regid=65533",
        "--clear-groups",
        BASE_UNSHARE,
        "--user",
        "--map-root-user",
    ]);
    chown(&own, Some(65533), Some(65533)).unwrap();
    command.arg(program.path().join("mkrundir")).arg(own.join("d")).args(["stat", "-c", "%u:%g %a"]);
    assert_eq!(run(command.arg(own.join("d"))), prints("0:0 755\n"));
    assert_eq!(state(own.join("d")), (65533, 65533, 0o755));
}

// What fails.

#[test]
fn a_directory_that_could_not_be_given_away_is_removed_again() {
    needs!(root());
    let scratch = open_directory();
    let at = |name: &str| scratch.path().join(name);
    foreign(&at("own"), 0o755);
    let outcome = as_nobody(&at("own"), &["-o", ":5:6", "a/b"]);
    let action = format!("unable to give a/b to uid 5, gid 6: {}", says(Errno::EPERM));
    let hint = "mkrundir: hint: only root may: put mkrundir before setuidgid\n";
    assert_eq!(outcome, fails(111, format!("mkrundir: fatal: {action}\n{hint}")));
    assert!(!at("own/a/b").exists());
    assert_eq!(state(at("own/a")), (65534, 65534, 0o755), "the one on the way stays");
    // One that was there stays.
    assert_eq!(as_nobody(&at("own"), &["there"]), ran());
    assert_eq!(as_nobody(&at("own"), &["-o", ":5:6", "there"]).status, 111);
    assert_eq!(state(at("own/there")), (65534, 65534, 0o755));
}

#[test]
fn a_mode_that_the_kernel_takes_something_from_is_an_error() {
    needs!(root());
    let scratch = open_directory();
    let directory = scratch.path().join("d");
    foreign(&directory, 0o755);
    // The set-group-id bit, silently, for an account that is not in the group.
    chown(&directory, None, Some(5)).unwrap();
    let outcome = as_nobody(scratch.path(), &["-m", "2755", "-o", ":65534:5", "d"]);
    assert_eq!(outcome, refused("d has not the owner and the mode that were set"));
}

// The attackers: accounts that change names while root works on them.

/// A process of another account that runs a script over and over, until it is dropped.
struct Attacker(Child);

impl Attacker {
    fn start(directory: &Path, script: &str) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "perl", "-e"]);
        let child = command.arg(script).current_dir(directory).stdin(Stdio::null()).spawn().unwrap();
        Self(child)
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

const SWAPS: &str =
    "while (1) { mkdir 'x'; rename 'x', 'y'; symlink '../victim', 'x'; unlink 'x'; rmdir 'y' }";

#[test]
fn whoever_swaps_links_and_directories_gets_nothing() {
    needs!(root(), tool("perl"));
    let scratch = open_directory();
    let at = |name: &str| scratch.path().join(name);
    fs::create_dir(at("victim")).unwrap();
    fs::set_permissions(at("victim"), Permissions::from_mode(0o700)).unwrap();
    foreign(&at("theirs"), 0o755);
    fs::create_dir(at("everybodys")).unwrap();
    fs::set_permissions(at("everybodys"), Permissions::from_mode(0o1777)).unwrap();
    let (mut made, mut refused) = (0, 0);
    for parent in ["theirs", "everybodys"] {
        let attacker = Attacker::start(&at(parent), SWAPS);
        let mine = at(parent).join("x");
        until("the attacker works", || mine.symlink_metadata().is_ok());
        for turn in 0..300 {
            let path = format!("{parent}/{}", ["x", "x/below"][turn % 2]);
            let outcome = mkrundir(scratch.path(), &["-m", "755", "-o", ":5:6", &path]);
            if outcome == ran() {
                assert_eq!(parent, "everybodys");
                assert_eq!(state(at(&path)), (5, 6, 0o755), "{path}");
                made += 1;
                fs::remove_dir(at(&path)).unwrap();
                let _ = fs::remove_dir(&mine); // where it is the one on the way
            } else {
                assert_eq!((outcome.status, &*outcome.stdout), (111, ""), "{outcome:?}");
                refused += 1;
            }
            assert_eq!(state(at("victim")), (0, getegid().as_raw(), 0o700));
            assert_eq!(fs::read_dir(at("victim")).unwrap().count(), 0);
        }
        drop(attacker);
    }
    assert!(refused >= 300, "{made} were made and {refused} refused");
}

#[test]
fn the_operands_are_checked_before_anything_is_made() {
    let scratch = open_directory();
    assert_eq!(run(link("mkrundir").current_dir(&scratch).arg("d")), misuse("mkrundir", "missing prog"));
    assert!(!scratch.path().join("d").exists());
    assert_eq!(mkrundir(scratch.path(), &["--", "-d"]), ran());
}
