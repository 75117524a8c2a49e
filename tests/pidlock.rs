//! pidlock. Setlock's tests cover part of it: the two share the code.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::errno::Errno;

use crate::needs;
use crate::support::locks::*;
use crate::support::*;

/// What pidlock says where the lock on `f` is taken.
fn locked() -> Outcome {
    fails(111, "pidlock: fatal: unable to lock f: it is locked\n")
}

/// What `pidlock -c f` says where `pid` holds the lock.
fn held_by(pid: u32) -> Outcome {
    Outcome { status: 1, ..prints(format!("{pid}\n")) }
}

fn content(directory: &Path) -> String {
    fs::read_to_string(directory.join("f")).unwrap()
}

exclusion!("pidlock");

#[test]
fn the_pid_is_that_of_the_program() {
    let directory = tempfile::tempdir().unwrap();
    for before in ["", "1", "1\n", "99999999999\n", "12345678901234567890\nand\nlines\n"] {
        fs::write(directory.path().join("f"), before).unwrap();
        let outcome = run_in(&directory, "pidlock f sh -c 'echo $$; cat f'");
        let pid = outcome.stdout.lines().next().unwrap_or_default().to_owned();
        assert_eq!(outcome, prints(format!("{pid}\n{pid}\n")), "{before:?}");
    }
    fs::remove_file(directory.path().join("f")).unwrap();
    let holder = Holder::holding(directory.path(), &["pidlock", "f"]);
    assert_eq!(content(directory.path()), format!("{}\n", holder.pid()));
    holder.release();
}

#[test]
fn the_pid_is_that_of_the_program_at_the_end_of_a_chain() {
    let directory = tempfile::tempdir().unwrap();
    let outcome = run_in(&directory, "pidlock f fdclose 9 $B/umask 22 sh -c 'echo $$; cat f'");
    let pid = outcome.stdout.lines().next().unwrap_or_default().to_owned();
    assert_eq!(outcome, prints(format!("{pid}\n{pid}\n")));
}

#[test]
fn the_file_is_written_over_and_then_cut_and_never_removed() {
    needs!(tool("strace"));
    let directory = tempfile::tempdir().unwrap();
    let calls = "write,writev,pwrite64,truncate,/^ftruncate,unlink,unlinkat,rename,renameat,renameat2";
    for before in ["", "1", "12345678901234567890\n"] {
        fs::write(directory.path().join("f"), before).unwrap();
        let script = format!("strace -o log -e trace={calls},execve -e signal=none pidlock f true");
        assert_eq!(run_in(&directory, &script), prints(""));
        let pid = content(directory.path()).trim_end().to_owned();
        let length = pid.len() + 1;
        let log = fs::read_to_string(directory.path().join("log")).unwrap();
        let log = log.replace("ftruncate64", "ftruncate"); // i386's name
        let log: Vec<_> = log
            .lines()
            .filter(|line| !line.starts_with("execve(") && !line.starts_with("[ Process"))
            .collect();
        let expected = [
            format!(r#"pwrite64(3, "{pid}\n", {length}, 0) = {length}"#),
            format!("ftruncate(3, {length}) = 0"),
            "+++ exited with 0 +++".into(),
        ];
        let log: Vec<_> = log.iter().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(log, expected);
    }
}

#[test]
fn the_file_stays_the_same_one_and_keeps_its_mode() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    assert_eq!(run_in(&directory, "umask 0; pidlock f stat -c %a f"), prints("600\n"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let before = file.metadata().unwrap();
    assert_eq!(
        run_in(&directory, "pidlock f true; pidlock -c f; pidlock f no-such-program 2>&-"),
        fails(127, "")
    );
    let after = file.metadata().unwrap();
    assert_eq!((after.ino(), after.mode()), (before.ino(), before.mode()));
}

#[test]
fn a_contender_that_fails_leaves_the_content() {
    let directory = tempfile::tempdir().unwrap();
    let holder = Holder::holding(directory.path(), &["pidlock", "f"]);
    let pid = format!("{}\n", holder.pid());
    assert_eq!(contend(&directory, "pidlock -n f echo x"), locked());
    assert_eq!(contend(&directory, "pidlock -t 0.01 f echo x"), locked());
    assert_eq!(run_in(&directory, "pidlock -xn f echo x"), prints(""));
    assert_eq!(content(directory.path()), pid);
    let mut waiter = Holder::start(directory.path(), &["pidlock", "-n", "-N", "f"]);
    waiter.wait_until_blocked();
    assert_eq!(content(directory.path()), pid);
    let next = format!("{}\n", waiter.pid());
    holder.release();
    waiter.wait_for_program();
    assert_eq!(content(directory.path()), next);
    waiter.release();
    assert_eq!(content(directory.path()), next, "nobody removes it");
}

#[test]
fn t_gets_a_lock_that_is_freed_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let holder = Holder::holding(directory.path(), &["pidlock", "f"]);
    let mut waiter = Holder::start(directory.path(), &["pidlock", "-t600", "f"]);
    waiter.wait_until_blocked();
    holder.release();
    waiter.wait_for_program();
    assert_eq!(run_in(&directory, "pidlock -c f"), held_by(waiter.pid()));
    waiter.release();
}

#[test]
fn d_keeps_the_lock_there() {
    let directory = tempfile::tempdir().unwrap();
    let nested = |close: &str| format!("pidlock -d 9 f sh -c 'exec {close}; pidlock -n f echo free'");
    assert_eq!(contend(&directory, &nested("3<&-")), locked());
    assert_eq!(run_in(&directory, &nested("9<&-")), prints("free\n"));
}

#[test]
fn c_prints_the_pid_of_the_lock_holder() {
    let directory = tempfile::tempdir().unwrap();
    let holder = Holder::holding(directory.path(), &["pidlock", "f"]);
    assert_eq!(run_in(&directory, "pidlock -c f"), held_by(holder.pid()));
    holder.release();
    assert_eq!(run_in(&directory, "pidlock -c f"), prints(""), "free, though the old pid is in it");
    assert_eq!(run_in(&directory, "pidlock -c g"), prints(""), "no file");
    assert_eq!(run_in(&directory, "ls"), prints("f\n"), "and none made");
}

#[test]
fn c_reports_a_holder_that_wrote_no_pid() {
    let directory = tempfile::tempdir().unwrap();
    for before in ["", "no number\n", "-1\n", "4294967296\n"] {
        fs::write(directory.path().join("f"), before).unwrap();
        let holder = Holder::holding(directory.path(), &["setlock", "f"]);
        assert_eq!(run_in(&directory, "pidlock -c f"), fails(1, ""), "{before:?}");
        holder.release();
    }
}

#[test]
fn c_prints_the_pid_of_a_process_lock_of_s6() {
    needs!(peer("s6-setlock"));
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("f"), "1\n").unwrap();
    let holder = Holder::holding(directory.path(), &[&peer("s6-setlock").unwrap(), "f"]);
    assert_eq!(run_in(&directory, "pidlock -c f"), held_by(holder.pid()));
    holder.release();
    assert_eq!(run_in(&directory, "pidlock -c f"), prints(""));
}

#[test]
fn c_knows_nothing_of_a_lock_of_flock_alone() {
    needs!(peer("flock"));
    let directory = tempfile::tempdir().unwrap();
    let holder = Holder::holding(directory.path(), &[&peer("flock").unwrap(), "f"]);
    assert_eq!(run_in(&directory, "pidlock -c f"), prints("")); // F_OFD_GETLK does not see it
    holder.release();
}

#[test]
fn c_never_takes_the_lock() {
    needs!(tool("strace"));
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("f"), "").unwrap();
    let script = "strace -o log -e trace=flock,/^fcntl pidlock -c f; grep -oE 'flock|F_[A-Z_]*LKW?' log";
    assert_eq!(run_in(&directory, script), prints("F_OFD_GETLK\n"));
    // Where it may only be read, it could not be taken.
    let outcome = run(mortal("chmod 400 f; pidlock -c f").current_dir(&directory));
    assert_eq!(outcome, prints(""));
}

#[test]
fn c_names_a_file_that_it_cannot_check() {
    let directory = tempfile::tempdir().unwrap();
    let failed =
        |file: &str, errno| fails(111, format!("pidlock: fatal: unable to open {file}: {}\n", says(errno)));
    let outcome = run(mortal(">f; chmod 0 f; exec pidlock -c f").current_dir(&directory));
    assert_eq!(outcome, failed("f", Errno::EACCES));
    assert_eq!(run_in(&directory, "pidlock -c f/g"), failed("f/g", Errno::ENOTDIR));
    assert_eq!(run_in(&directory, "mkfifo p; pidlock -c p"), prints(""), "without waiting for a writer");
}

#[test]
fn a_usage_error_makes_no_file() {
    let directory = tempfile::tempdir().unwrap();
    for (words, problem) in [
        ("", "missing file"),
        ("-c", "missing file"),
        ("f", "missing prog"),
        ("-r f echo x", "invalid option '-r'"),
        ("-t", "missing argument for option '-t'"),
        ("-t x f echo x", "not a number of seconds: x"),
        ("-d 0 f echo x", "a lock on fd 0 would be lost with it: use 3 or above"),
        ("-d 1 f echo x", "a lock on fd 1 would be lost with it: use 3 or above"),
        ("-d 2 f echo x", "a lock on fd 2 would be lost with it: use 3 or above"),
        ("-d x f echo x", "not a file descriptor: x"),
        ("-c f echo x", "-c takes no prog"),
    ] {
        assert_eq!(run_in(&directory, &format!("pidlock {words}")), misuse("pidlock", problem), "{words}");
    }
    assert_eq!(run_in(&directory, "ls"), prints(""));
}

#[test]
fn a_file_that_is_not_regular_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let open = |file: &str, errno| format!("pidlock: fatal: unable to open {file}: {}\n", says(errno));
    let link = open("link", Errno::ELOOP) + "pidlock: hint: a lock file may not be a symbolic link\n";
    assert_eq!(run_in(&directory, "mkfifo p; ln -s f link"), prints(""));
    for (file, message) in [
        ("p", open("p", Errno::ENXIO)),
        (".", open(".", Errno::EISDIR)),
        ("no/f", open("no/f", Errno::ENOENT)),
        ("link", link),
    ] {
        assert_eq!(run_in(&directory, &format!("pidlock {file} echo x")), fails(111, message));
        assert_eq!(run_in(&directory, &format!("pidlock -x {file} echo x")), prints(""));
    }
    assert_eq!(
        run_in(&directory, "pidlock /dev/null echo x"),
        fails(111, format!("pidlock: fatal: unable to write /dev/null: {}\n", says(Errno::EINVAL)))
    );
    assert_eq!(run_in(&directory, "ls"), prints("link\np\n"), "nothing was made");
}

#[test]
fn x_does_not_hide_a_program_that_cannot_be_executed() {
    let directory = tempfile::tempdir().unwrap();
    let says = says(Errno::ENOENT);
    assert_eq!(
        run_in(&directory, "pidlock -x f no-such-program"),
        fails(127, format!("pidlock: fatal: unable to run no-such-program: {says}\n"))
    );
}

#[test]
fn without_room_for_the_pid_nothing_is_executed() {
    needs!(root(), tool("unshare"));
    let directory = tempfile::tempdir().unwrap();
    // A file system of one page, and a file that fills it.
    let full = "mount -t tmpfs -o size=4k,nr_inodes=9 tmpfs . && cd \"$PWD\" && head -c 4096 /dev/zero >fill";
    let message = format!("pidlock: fatal: unable to write f: {}\n", says(Errno::ENOSPC));
    for words in ["pidlock f", "pidlock -x f", "pidlock -n f", "pidlock -t 1 f"] {
        let script = format!("{full} && {words} echo executed; echo $?; ls");
        let outcome = run(prepared("unshare").args(["-m", "sh", "-c", &script]).current_dir(&directory));
        assert_eq!(outcome, Outcome { stderr: message.clone(), ..prints("111\nf\nfill\n") });
    }
}

#[test]
fn where_the_pid_may_not_be_written_whole_nothing_is_executed() {
    needs!(tool("prlimit"));
    let directory = tempfile::tempdir().unwrap();
    let message = format!("pidlock: fatal: unable to write f: {}\n", says(Errno::ENOSPC));
    assert_eq!(run_in(&directory, "prlimit --fsize=1 pidlock f echo executed"), fails(111, message));
    let message = format!("pidlock: fatal: unable to write f: {}\n", says(Errno::EFBIG));
    assert_eq!(
        run_in(&directory, "trap '' XFSZ; prlimit --fsize=0 pidlock f echo executed"),
        fails(111, message)
    );
}
