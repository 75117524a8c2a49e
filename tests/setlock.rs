//! setlock.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::needs;
use crate::support::locks::*;
use crate::support::*;

exclusion!("setlock");

/// What setlock says where the lock on `file` is taken.
fn locked(file: &str) -> Outcome {
    locked_by("setlock", file)
}

#[test]
fn a_shared_lock_is_shared_with_shared_ones_and_keeps_exclusive_ones_out() {
    let directory = tempfile::tempdir().unwrap();
    let one = Holder::holding(directory.path(), &["setlock", "-r", "f"]);
    let other = Holder::holding(directory.path(), &["setlock", "-r", "f"]);
    for exclusive in ["setlock", "pidlock"] {
        assert_eq!(contend(&directory, &format!("{exclusive} -n f echo x")), locked_by(exclusive, "f"));
    }
    let mut exclusive = Holder::start(directory.path(), &["setlock", "f"]);
    exclusive.wait_until_blocked();
    one.release();
    exclusive.wait_until_blocked();
    other.release();
    exclusive.wait_for_program();
    assert_eq!(contend(&directory, "setlock -rn f echo x"), locked("f"));
    exclusive.release();
    assert_eq!(run_in(&directory, "setlock -rn f echo x"), prints("x\n"));
}

#[test]
fn a_shared_lock_is_shared_with_those_of_flock_and_s6_alone() {
    needs!(peer("flock"), peer("s6-setlock"));
    let directory = tempfile::tempdir().unwrap();
    for (peer, shared) in [(peer("flock").unwrap(), "-s"), (peer("s6-setlock").unwrap(), "-r")] {
        let ours = Holder::holding(directory.path(), &["setlock", "-r", "f"]);
        assert_eq!(run_in(&directory, &format!("{peer} {shared} -n f echo shared")), prints("shared\n"));
        let refused = run_in(&directory, &format!("{peer} -n f echo x"));
        assert_eq!((refused.status, &*refused.stdout), (1, ""), "{peer}");
        ours.release();
        let theirs = Holder::holding(directory.path(), &[&peer, shared, "f"]);
        assert_eq!(run_in(&directory, "setlock -rn f echo shared"), prints("shared\n"));
        assert_eq!(contend(&directory, "setlock -n f echo x"), locked("f"));
        theirs.release();
        let theirs = Holder::holding(directory.path(), &[&peer, "f"]);
        assert_eq!(contend(&directory, "setlock -rn f echo x"), locked("f"));
        theirs.release();
    }
}

#[test]
fn of_n_capital_n_and_t_the_last_wins() {
    let directory = tempfile::tempdir().unwrap();
    let holder = Holder::holding(directory.path(), &["setlock", "f"]);
    assert_eq!(contend(&directory, "setlock -N -t 9999 -n f echo x"), locked("f"));
    assert_eq!(contend(&directory, "setlock -Nn -t0 f echo x"), locked("f"));
    let waiters = [&["setlock", "-n", "-N", "f"][..], &["setlock", "-nt0", "-N", "f"]]
        .map(|words| Holder::start(directory.path(), words));
    waiters.iter().for_each(Holder::wait_until_blocked);
    holder.release();
    // Which of the two comes first is the kernel's choice, and the other waits for its end.
    let waiters = waiters.map(|mut waiter| {
        waiter.let_end();
        waiter
    });
    for mut waiter in waiters {
        waiter.wait_for_program();
        waiter.release();
    }
}

#[test]
fn t_limits_the_wait() {
    let directory = tempfile::tempdir().unwrap();
    let holder = Holder::holding(directory.path(), &["setlock", "f"]);
    let start = Instant::now();
    assert_eq!(contend(&directory, "setlock -t 0.25 f echo x"), locked("f"));
    assert!(start.elapsed() >= Duration::from_millis(250));
    assert_eq!(contend(&directory, "setlock -t 0 f echo x"), locked("f"));
    assert_eq!(contend(&directory, "setlock -t 0.0 f echo x"), locked("f"));
    holder.release();
    assert_eq!(run_in(&directory, "setlock -t 0 f echo free"), prints("free\n"));
}

#[test]
fn t_gets_a_lock_that_is_freed_in_time() {
    let directory = tempfile::tempdir().unwrap();
    for time in ["600", "600.5", "99999999999999"] {
        let holder = Holder::holding(directory.path(), &["setlock", "f"]);
        let mut waiter = Holder::start(directory.path(), &["setlock", "-t", time, "f"]);
        waiter.wait_until_blocked();
        holder.release();
        waiter.wait_for_program();
        assert_eq!(contend(&directory, "setlock -n f echo x"), locked("f"));
        waiter.release();
    }
}

#[test]
fn t_ends_the_wait_for_a_lock_of_s6_too() {
    needs!(peer("s6-setlock"));
    let directory = tempfile::tempdir().unwrap();
    let holder = Holder::holding(directory.path(), &[&peer("s6-setlock").unwrap(), "f"]);
    assert_eq!(contend(&directory, "setlock -t 0.05 f echo x"), locked("f"));
    holder.release();
}

#[test]
fn t_ends_the_wait_where_every_signal_is_blocked_or_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let holder = Holder::holding(directory.path(), &["setlock", "f"]);
    for state in ["--block-signal", "--ignore-signal", "--block-signal --ignore-signal"] {
        assert_eq!(contend(&directory, &format!("env {state} setlock -t 0.05 f echo x")), locked("f"));
    }
    holder.release();
}

#[test]
fn t_hands_the_signals_on_as_they_were() {
    needs!(tool("perl"));
    // A shell would clear the mask, so nothing here is one. From 34 on they are real-time signals, and 34
    // is one that musl thinks its own.
    let pending = "perl -e 'kill $_, $$ for qw(ALRM 34 63 64); exec @ARGV'";
    let pending = &format!("env --block-signal {pending}");
    for state in ["env --ignore-signal", "env --block-signal=ALRM,34,64", "env --block-signal", pending] {
        let directory = tempfile::tempdir().unwrap();
        let signals = |outcome: &Outcome| {
            let lines =
                outcome.stdout.lines().filter(|line| line.starts_with("Sig") || line.starts_with("Shd"));
            lines.filter(|line| !line.starts_with("SigQ")).map(str::to_owned).collect::<Vec<_>>()
        };
        let expected = signals(&run_in(&directory, &format!("{state} cat /proc/self/status")));
        assert_eq!(expected.len(), 5, "{state}");
        let chain = format!("{state} setlock -t 600 f cat /proc/self/status");
        assert_eq!(signals(&run_in(&directory, &chain)), expected, "{state}");
        // And after a wait.
        let holder = Holder::holding(directory.path(), &["setlock", "f"]);
        let waiter = Background::start(sh(&format!("exec {chain}")).current_dir(&directory));
        waiter.wait_until_in(WAITING);
        holder.release();
        assert_eq!(signals(&waiter.finish()), expected, "{state}");
    }
}

#[test]
fn without_t_no_clock_is_asked() {
    needs!(tool("perl"));
    // To a process that may not read the time stamp counter (PR_SET_TSC of prctl(2)) a clock is death, where the
    // C library reads it without a system call; so is the loader of a dynamic program.
    if !(musl() && cfg!(target_arch = "x86_64")) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let without = "perl -e 'syscall(157, 26, 2) == 0 or die; exec @ARGV'";
    for words in ["setlock", "setlock -n", "setlock -r", "pidlock", "pidlock -n"] {
        assert_eq!(
            run_in(&directory, &format!("{without} {words} f pidlock -c free")),
            prints(""),
            "{words}"
        );
    }
}

#[test]
fn t_leaves_the_alarm_clock_alone() {
    needs!(tool("perl"));
    let directory = tempfile::tempdir().unwrap();
    let show = "perl -e 'print alarm(0) > 500 ? \"set\" : \"lost\"'";
    assert_eq!(
        run_in(&directory, &format!("perl -e 'alarm 1000; exec @ARGV' setlock -t 600 f {show}")),
        prints("set")
    );
    assert_eq!(run_in(&directory, &format!("setlock -t 600 f {show}")), prints("lost"));
}

#[test]
fn an_invalid_time_is_a_usage_error() {
    let directory = tempfile::tempdir().unwrap();
    for bad in ["", "x", "-1", "+1", "1s", "1e3", "1.", ".5", "1.5.5", "0x1", " 1", "18446744073709551616"] {
        assert_eq!(
            run(link("setlock").args(["-t", bad, "f", "echo", "x"]).current_dir(&directory)),
            misuse("setlock", &format!("not a number of seconds: {}", given(bad))),
        );
    }
    assert_eq!(run_in(&directory, "ls"), prints(""));
}

#[test]
fn a_usage_error_makes_no_file() {
    let directory = tempfile::tempdir().unwrap();
    for (words, problem) in [
        ("", "missing file"),
        ("-n", "missing file"),
        ("f", "missing prog"),
        ("-t", "missing argument for option '-t'"),
        ("-d", "missing argument for option '-d'"),
        ("-q f echo x", "invalid option '-q'"),
        ("-c f", "invalid option '-c'"),
        ("-d 0 f echo x", "a lock on fd 0 would be lost with it: use 3 or above"),
        ("-d 1 f echo x", "a lock on fd 1 would be lost with it: use 3 or above"),
        ("-d2 f echo x", "a lock on fd 2 would be lost with it: use 3 or above"),
        ("-d x f echo x", "not a file descriptor: x"),
        ("-d -1 f echo x", "not a file descriptor: -1"),
        ("-d '' f echo x", "not a file descriptor: the value is empty"),
        ("-d 2147483648 f echo x", "not a file descriptor: 2147483648"),
        // A lock that is not to be had is hidden by -x, and nothing else is.
        ("-x f", "missing prog"),
        ("-xd 1 f echo x", "a lock on fd 1 would be lost with it: use 3 or above"),
    ] {
        assert_eq!(run_in(&directory, &format!("setlock {words}")), misuse("setlock", problem), "{words}");
    }
    assert_eq!(run_in(&directory, "ls"), prints(""));
}

#[test]
fn options_end_at_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let says = says(Errno::ENOENT);
    assert_eq!(
        run_in(&directory, "setlock f -n echo x"),
        fails(127, format!("setlock: fatal: unable to run -n: {says}\n"))
    );
    assert_eq!(run_in(&directory, "setlock -- -n echo x; ls ./-n"), prints("x\n./-n\n"));
}

#[test]
fn x_hides_a_lock_that_cannot_be_acquired() {
    let directory = tempfile::tempdir().unwrap();
    let holder = Holder::holding(directory.path(), &["setlock", "f"]);
    for words in ["-xn", "-nx", "-x -t 0.01", "-x -t 0", "-X -xn"] {
        assert_eq!(run_in(&directory, &format!("setlock {words} f echo x")), prints(""), "{words}");
    }
    assert_eq!(contend(&directory, "setlock -xnX f echo x"), locked("f"));
    holder.release();
    assert_eq!(run_in(&directory, "setlock -xn f echo free"), prints("free\n"));
}

#[test]
fn x_hides_a_file_that_cannot_be_opened() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(run_in(&directory, "ln -s f link; mkfifo fifo; >g"), prints(""));
    for file in ["no/f", ".", "g/f", "link", "fifo", ""] {
        let mut command = link("setlock");
        assert_eq!(
            run(command.args(["-x", file, "echo", "x"]).current_dir(&directory)),
            prints(""),
            "{file}"
        );
    }
}

#[test]
fn x_does_not_hide_a_program_that_cannot_be_executed() {
    let directory = tempfile::tempdir().unwrap();
    let says = says(Errno::ENOENT);
    assert_eq!(
        run_in(&directory, "setlock -x f no-such-program"),
        fails(127, format!("setlock: fatal: unable to run no-such-program: {says}\n"))
    );
}

#[test]
fn a_file_that_cannot_be_opened_stops_the_chain() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    for (file, errno) in
        [("no/f", Errno::ENOENT), (".", Errno::EISDIR), ("file/f", Errno::ENOTDIR), ("", Errno::ENOENT)]
    {
        for option in ["-N", "-n", "-r"] {
            assert_eq!(
                run(link("setlock").args([option, file, "echo", "x"]).current_dir(&directory)),
                fails(111, format!("setlock: fatal: unable to open {file}: {}\n", says(errno)))
            );
        }
    }
}

#[test]
fn a_file_that_may_not_be_written_can_be_shared_alone() {
    let directory = tempfile::tempdir().unwrap();
    let says = says(Errno::EACCES);
    assert_eq!(
        run(mortal("umask 277; >f; setlock -n f echo x; setlock -rn f echo shared").current_dir(&directory)),
        Outcome {
            status: 0,
            stdout: "shared\n".into(),
            stderr: format!("setlock: fatal: unable to open f: {says}\n")
        }
    );
}

#[test]
fn a_symbolic_link_is_refused_with_a_hint() {
    let directory = tempfile::tempdir().unwrap();
    let says = says(Errno::ELOOP);
    let message = format!(
        "setlock: fatal: unable to open link: {says}\nsetlock: hint: a lock file may not be a symbolic link\n"
    );
    assert_eq!(run_in(&directory, "ln -s f link; setlock link echo x"), fails(111, &*message));
    assert_eq!(run_in(&directory, "[ -e f ] && echo made; >f; setlock -r link echo x"), fails(111, message));
}

#[test]
fn a_fifo_is_refused_without_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let message = format!("setlock: fatal: unable to open p: {}\n", says(Errno::ENXIO));
    assert_eq!(run_in(&directory, "mkfifo p; setlock p echo x"), fails(111, message));
}

#[test]
fn a_new_file_is_for_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(
        run_in(&directory, "umask 0; setlock f stat -c '%a %s' f; setlock -r g stat -c '%a %s' g"),
        prints("600 0\n600 0\n")
    );
}

#[test]
fn content_and_mode_of_the_file_stay() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f");
    fs::write(&file, "content\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o664)).unwrap();
    let all = |file: &Path| {
        let data = file.metadata().unwrap();
        (data.ino(), data.mode(), data.size(), data.mtime(), data.mtime_nsec(), data.ctime_nsec())
    };
    let before = all(&file);
    for option in ["-N", "-n", "-r", "-x", "-t1", "-d9"] {
        assert_eq!(run_in(&directory, &format!("setlock {option} f cat f")), prints("content\n"));
        assert_eq!(all(&file), before);
    }
}

#[test]
fn the_lock_is_on_the_lowest_free_descriptor_from_3() {
    let directory = tempfile::tempdir().unwrap();
    for (words, redirections, expected) in [
        ("setlock f", "<&- >&- 2>&-", &["3 f"][..]),
        ("setlock -r -t 600 f", "<&- >&- 2>&-", &["3 f"]),
        ("pidlock -n f", "<&- >&- 2>&-", &["3 f"]),
        ("setlock f", "<&- >/dev/null 2>&-", &["1 null", "3 f"]),
        ("setlock f", "<&- >&- 2>&- 3</dev/null", &["3 null", "4 f"]),
        ("setlock f", "3</dev/null 5</dev/null", &["0 null", "1 null", "2 null", "3 null", "4 f", "5 null"]),
        // Or where it is asked for, whatever is there, and there alone.
        ("setlock -d 7 f", "<&- >&- 2>&-", &["7 f"]),
        ("setlock -d 3 f", "<&- >&- 2>&-", &["3 f"]),
        ("setlock -d 8 f", "<&- >&- 2>&- 8</dev/null", &["8 f"]),
        ("pidlock -d 8 f", "<&- >&- 2>&-", &["8 f"]),
        ("setlock f setlock -r g", "<&- >&- 2>&-", &["3 f", "4 g"]),
    ] {
        assert_eq!(descriptors(&directory, words, redirections), expected, "{words} {redirections}");
    }
}

#[test]
fn a_descriptor_that_cannot_be_had_stops_the_chain() {
    let directory = tempfile::tempdir().unwrap();
    let says = says(Errno::EBADF);
    assert_eq!(
        run_in(&directory, "setlock -d 99999999 f echo x"),
        fails(111, format!("setlock: fatal: unable to keep the lock on f: {says}\n"))
    );
}

#[test]
fn d_keeps_the_lock_there() {
    let directory = tempfile::tempdir().unwrap();
    let nested = |close: &str| format!("setlock -d 9 f sh -c 'exec {close}; setlock -n f echo free'");
    assert_eq!(contend(&directory, &nested("3<&-")), locked("f"));
    assert_eq!(run_in(&directory, &nested("9<&-")), prints("free\n"));
}

#[test]
fn a_program_that_opens_and_closes_the_file_keeps_the_lock() {
    let directory = tempfile::tempdir().unwrap();
    let script =
        |contender: &str| format!("setlock f sh -c ': <f; : >>f; cat f; {contender} -n f echo free'");
    assert_eq!(contend(&directory, &script("setlock")), locked("f"));
    if let Ok(s6) = peer("s6-setlock") {
        assert_eq!(run_in(&directory, &script(&s6)).status, 1);
    }
}

#[test]
fn the_lock_lives_as_long_as_a_child_that_holds_the_descriptor() {
    let directory = tempfile::tempdir().unwrap();
    // The program leaves a child behind that reads from the test, and ends.
    let mut program = sh("exec setlock f sh -c 'read line <&8 & echo $!' 8<&0")
        .current_dir(&directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let release = program.stdin.take().unwrap();
    let mut child = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut child).unwrap();
    assert!(program.wait().unwrap().success());
    let refused = run_in(&directory, "setlock -n f echo x");
    // The kernel's list of locks has the one that took it, which is gone.
    let hint =
        format!("process {} (sh) holds it, as does each that inherits its descriptor: see -d", child.trim());
    assert!(refused.stderr.ends_with(&format!("\nsetlock: hint: {hint}\n")), "{hint}: {refused:?}");
    assert_eq!(without_holder(refused), locked("f"));
    let mut waiter = Holder::start(directory.path(), &["setlock", "f"]);
    waiter.wait_until_blocked();
    drop(release);
    waiter.wait_for_program();
    waiter.release();
}

#[test]
fn a_file_that_was_replaced_meanwhile_is_opened_again() {
    for replace in ["mv new f", "rm f"] {
        for words in [&["setlock", "f"][..], &["setlock", "-t", "600", "f"], &["setlock", "-r", "f"]] {
            let directory = tempfile::tempdir().unwrap();
            let holder = Holder::holding(directory.path(), &["setlock", "f"]);
            let mut waiter = Holder::start(directory.path(), words);
            waiter.wait_until_blocked();
            assert_eq!(run_in(&directory, &format!(">new; {replace}")), prints(""));
            holder.release();
            waiter.wait_for_program();
            // The lock is on what has the name now, and so excludes others.
            assert_eq!(contend(&directory, "setlock -n f echo x"), locked("f"), "{replace}");
            let held = fs::read_link(format!("/proc/{}/fd/3", waiter.pid())).unwrap();
            assert_eq!(held, directory.path().canonicalize().unwrap().join("f"));
            waiter.release();
        }
    }
}

#[test]
fn a_file_that_became_a_link_meanwhile_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let holder = Holder::holding(directory.path(), &["setlock", "f"]);
    let waiter = Background::start(link("setlock").args(["f", "echo", "x"]).current_dir(&directory));
    waiter.wait_until_in(WAITING);
    assert_eq!(run_in(&directory, "mv f g; ln -s g f"), prints(""));
    holder.release();
    let says = says(Errno::ELOOP);
    let message = format!(
        "setlock: fatal: unable to open f: {says}\nsetlock: hint: a lock file may not be a symbolic link\n"
    );
    assert_eq!(waiter.finish(), fails(111, message));
}

#[test]
fn a_signal_ends_the_wait() {
    let directory = tempfile::tempdir().unwrap();
    let holder = Holder::holding(directory.path(), &["setlock", "f"]);
    for words in ["setlock f", "setlock -t 600 f"] {
        let waiter = Background::start(sh(&format!("exec {words} echo x")).current_dir(&directory));
        waiter.wait_until_in(WAITING);
        assert_eq!(run(&mut sh(&format!("kill {}", waiter.pid()))), prints(""));
        assert_eq!(waiter.finish(), fails(128 + 15, ""));
    }
    holder.release();
}

#[test]
fn a_stop_does_not_end_the_wait() {
    let directory = tempfile::tempdir().unwrap();
    let holder = Holder::holding(directory.path(), &["setlock", "f"]);
    let mut waiter = Holder::start(directory.path(), &["setlock", "-t", "600", "f"]);
    waiter.wait_until_blocked();
    let pid = waiter.pid();
    let script = format!(
        "kill -STOP {pid}; until grep -q '^State:.T' /proc/{pid}/status; do :; done; kill -CONT {pid}"
    );
    assert_eq!(run(&mut sh(&script)), prints(""));
    waiter.wait_until_blocked();
    holder.release();
    waiter.wait_for_program();
    waiter.release();
}
