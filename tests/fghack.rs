//! fghack.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;

use nix::libc::SYS_ppoll;
use nix::sys::signal::Signal;

use crate::needs;
use crate::support::*;

/// fghack with a shell script as its program, in this directory, which has a FIFO `end` for the script to wait at.
fn fghack(directory: &Path, script: &str) -> Background {
    behind(directory, "exec \"$@\"", &["sh", "-c", script])
}

/// The same with another program, and started by a shell script that executes its `"$@"`.
fn behind(directory: &Path, before: &str, program: &[&str]) -> Background {
    let _ = nix::unistd::mkfifo(&directory.join("end"), nix::sys::stat::Mode::S_IRWXU); // once
    let mut command = sh(before);
    // In a group of its own: the signals of a terminal stop none whose parents are all in it or in other sessions.
    command.args(["sh", "fghack"]).args(program).current_dir(directory).process_group(0);
    Background::start(&mut command)
}

/// What perl runs with these lines: it says in the file `ready` that it has begun, and then waits for signals. A second
/// at a time: it looks for one that came just before a sleep when that is over.
fn perl(lines: &str) -> [String; 3] {
    let wait =
        "open my $f, '>', 'ready~' or die; print $f $$; close $f; rename 'ready~', 'ready'; sleep 1 while 1";
    ["perl".into(), "-e".into(), format!("use POSIX (); $| = 1; {lines}; {wait}")]
}

/// fghack with perl as its program, once that waits; and its pid.
fn ready(directory: &Path, before: &str, lines: &str) -> (Background, u32) {
    let words = perl(lines);
    let program = behind(directory, before, &words.each_ref().map(String::as_str));
    until("the program waits", || directory.join("ready").exists());
    let pid = text(&directory.join("ready")).parse().unwrap();
    (program, pid)
}

/// The child of a process.
fn child(pid: u32) -> Option<u32> {
    text(Path::new(&format!("/proc/{pid}/task/{pid}/children"))).split_whitespace().next()?.parse().ok()
}

/// Waits until the program has ended and fghack waits for others.
fn wait_until_alone(fghack: &Background) {
    until("fghack waits alone", || call_of(fghack.pid()) == Some(SYS_ppoll) && child(fghack.pid()).is_none());
}

// What it waits for, and its status.

#[test]
fn the_status_is_the_programs_or_128_and_the_signal_that_ended_it() {
    for status in [0, 1, 7, 100, 111, 255] {
        assert_eq!(run(link("fghack").args(["sh", "-c", &format!("exit {status}")])), fails(status, ""));
    }
    for signal in [1, 2, 9, 15] {
        let outcome = run(link("fghack").args(["sh", "-c", &format!("kill -{signal} $$")]));
        assert_eq!(outcome, fails(128 + signal, ""), "{signal}");
    }
}

#[test]
fn it_waits_for_what_the_program_leaves_in_the_background_and_keeps_the_status() {
    let directory = open_directory();
    let program = fghack(directory.path(), "(read -r x <end; echo late) & exit 3");
    wait_until_alone(&program);
    assert!(lives(program.pid()));
    fs::write(directory.path().join("end"), "\n").unwrap();
    let outcome = Outcome { status: 3, ..prints("late\n") };
    assert_eq!(program.finish(), outcome);
}

#[test]
fn a_program_that_closes_its_first_files_is_still_waited_for() {
    needs!(tool("perl"));
    let directory = open_directory();
    let script = "POSIX::close($_) for 3..600; exit 4 if fork; open F, '<', 'end'; <F>; print qq(late\\n)";
    let program =
        behind(directory.path(), "exec \"$@\"", &["perl", "-e", &format!("use POSIX (); {script}")]);
    wait_until_alone(&program);
    fs::write(directory.path().join("end"), "\n").unwrap();
    assert_eq!(program.finish(), Outcome { status: 4, ..prints("late\n") });
}

#[test]
fn a_program_that_closes_all_files_is_waited_for_in_the_foreground_alone() {
    needs!(tool("perl"));
    let directory = open_directory();
    let (program, pid) = ready(directory.path(), "exec \"$@\"", "POSIX::close($_) for 3..1100");
    program.wait_until_in(&[SYS_ppoll]);
    send_signal(pid, Signal::SIGKILL);
    assert_eq!(program.finish(), fails(137, ""));
    let script = "POSIX::close($_) for 3..1100; exit 5 if fork; open F, '<', 'end'; <F>";
    let program =
        behind(directory.path(), "exec \"$@\"", &["perl", "-e", &format!("use POSIX (); {script}")]);
    until("it has ended", || !lives(program.pid()));
    fs::write(directory.path().join("end"), "\n").unwrap();
    assert_eq!(program.finish(), fails(5, ""));
}

#[test]
fn a_program_that_writes_into_the_pipe_does_not_wait_for_a_reader() {
    let script = "head -c 300000 /dev/zero >/proc/self/fd/1023 && echo done";
    assert_eq!(run(link("fghack").args(["sh", "-c", script])), prints("done\n"));
}

#[test]
fn a_program_that_does_not_run_gives_its_status_and_one_message() {
    let directory = open_directory();
    fs::write(directory.path().join("plain"), "").unwrap();
    for (program, status) in [("./none", 127), ("./plain", 126)] {
        let outcome = run(link("fghack").arg(program).current_dir(&directory));
        assert_eq!(outcome.status, status);
        assert!(
            outcome.stderr.starts_with(&format!("fghack: fatal: unable to run {program}: ")),
            "{outcome:?}"
        );
        assert_eq!(outcome.stderr.matches("fatal").count(), 1, "{outcome:?}");
    }
    let outcome = run(sh("fghack umask 888 echo ran").env("PATH", format!("{}:/bin", bin().display())));
    assert_eq!(outcome, misuse("umask", "invalid mask: 888"));
}

// What the program gets.

#[test]
fn the_pipe_is_on_the_highest_free_number_and_nothing_else_is_left_open() {
    let directory = open_directory();
    for (before, number) in [
        ("exec \"$@\"", 1023),
        ("exec 0<&- \"$@\"", 1023),
        ("ulimit -n 5000; exec \"$@\"", 1023),
        ("ulimit -n 20; exec \"$@\"", 19),
        ("exec 9</dev/null; ulimit -n 10; exec \"$@\"", 8),
    ] {
        let close = "exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-; ";
        let program = behind(directory.path(), &format!("{close}{before}"), &["sleep", "600"]);
        let mut pid = 0;
        until("the program runs", || {
            pid = child(program.pid()).unwrap_or(0);
            // Past its loader, which opens files.
            cmdline(pid) == "sleep 600" && is_one_of(call_of(pid), ASLEEP)
        });
        let names = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let mut numbers: Vec<u32> =
            names.map(|name| name.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
        numbers.sort_unstable();
        numbers.retain(|fd| (3..10).contains(fd) || *fd == number); // others are from whoever runs the tests
        let other = before.contains("9</dev/null").then_some(9);
        assert_eq!(numbers, [vec![number], other.into_iter().collect()].concat(), "{before}");
        send_signal(program.pid(), Signal::SIGTERM);
        assert_eq!(program.finish(), fails(143, ""));
    }
}

#[test]
fn without_a_free_number_nothing_runs() {
    let script = "exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-; ulimit -n 5; exec fghack echo ran";
    let outcome = run(&mut sh(script));
    let message = format!("fghack: fatal: unable to create a pipe: {}\n", says(nix::errno::Errno::EMFILE));
    assert_eq!(outcome, fails(111, message));
}

#[test]
fn an_ignored_sigchld_reaches_the_program_and_its_status_reaches_fghack() {
    needs!(tool("env"));
    let ignored =
        |program: &[&str]| run(prepared("env").args(["--ignore-signal=CHLD", "fghack"]).args(program));
    assert_eq!(ignored(&["sh", "-c", "exit 6"]), fails(6, ""));
    let seen = ignored(&[example("state").to_str().unwrap()]).stdout;
    let mask = seen.lines().find_map(|line| line.strip_prefix("SigIgn ")).unwrap();
    assert_eq!(u64::from_str_radix(mask, 16).unwrap() >> 16 & 1, 1, "{mask}");
}

#[test]
fn it_stays_in_its_group_and_session() {
    let script =
        "exec fghack sh -c 'cut -d \" \" -f 5,6 /proc/$$/stat; cut -d \" \" -f 5,6 /proc/$PPID/stat'";
    let outcome = run(&mut sh(script));
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert!(lines.len() == 2 && lines[0] == lines[1], "{outcome:?}");
}

// Signals.

#[test]
fn every_signal_that_can_be_caught_is_handed_on() {
    needs!(tool("perl"));
    let names =
        ["HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "TERM", "CONT", "WINCH", "PIPE", "URG", "IO", "XCPU"];
    let directory = open_directory();
    let handlers: Vec<_> =
        names.iter().map(|name| format!("$SIG{{{name}}} = sub {{ print qq({name}\\n) }}")).collect();
    let last = "$SIG{NUM36} = sub { exit 9 }"; // a real-time one
    let (program, _) =
        ready(directory.path(), "exec \"$@\" >out", &format!("{}; {last}", handlers.join("; ")));
    let out = || text(&directory.path().join("out"));
    let mut expected = String::new();
    for name in names {
        assert_eq!(run(&mut sh(&format!("kill -{name} {}", program.pid()))), prints(""));
        expected.extend([name, "\n"]);
        until(name, || out() == expected);
    }
    assert_eq!(run(&mut sh(&format!("kill -36 {}", program.pid()))), prints(""));
    assert_eq!(program.finish(), fails(9, ""));
    assert_eq!(out(), expected, "each once");
}

#[test]
fn a_signal_that_ends_the_program_ends_fghack_with_128_and_its_number() {
    let directory = open_directory();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1] {
        let program = behind(directory.path(), "exec \"$@\"", &["sleep", "600"]);
        let mut pid = None;
        until("the program runs", || {
            pid = child(program.pid());
            pid.is_some_and(|pid| cmdline(pid) == "sleep 600")
        });
        send_signal(program.pid(), signal);
        assert_eq!(program.finish(), fails(128 + signal as i32, ""));
        assert!(!lives(pid.unwrap()));
    }
}

#[test]
fn no_signal_is_lost_whenever_it_comes() {
    let directory = open_directory();
    for _ in 0..60 {
        let program = behind(directory.path(), "exec \"$@\"", &["env", "D=x", "sleep", "600"]);
        send_signal(program.pid(), Signal::SIGTERM);
        assert_eq!(program.finish(), fails(143, ""));
    }
    assert_eq!(processes_of(directory.path()), [0; 0], "no program is left without its parent");
}

#[test]
fn a_signal_that_was_ignored_reaches_the_program_which_ignores_it() {
    needs!(tool("perl"));
    let directory = open_directory();
    let (program, pid) =
        ready(directory.path(), "trap '' TERM HUP; exec \"$@\"", "$SIG{USR1} = sub { exit 8 }");
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGUSR1] {
        send_signal(program.pid(), signal);
    }
    assert_eq!(program.finish(), fails(8, ""));
    assert!(!lives(pid));
}

#[test]
fn a_signal_that_waits_at_the_start_is_handed_on() {
    needs!(tool("perl"), tool("env"));
    let directory = open_directory();
    let before = "exec env --block-signal=USR1 sh -c 'kill -USR1 $$; exec \"$@\"' sh \"$@\"";
    let lines = "my $set = POSIX::SigSet->new(10); $SIG{USR1} = sub { print qq(caught\\n); exit 2 }; \
                 POSIX::sigprocmask(POSIX::SIG_UNBLOCK(), $set)";
    let words = perl(lines);
    let program = behind(directory.path(), before, &words.each_ref().map(String::as_str));
    assert_eq!(program.finish(), Outcome { status: 2, ..prints("caught\n") });
}

#[test]
fn when_the_program_is_gone_signals_are_for_fghack_itself() {
    let directory = open_directory();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1] {
        let program = fghack(directory.path(), "(read -r x <end) </dev/null >/dev/null 2>&1 & exit 3");
        wait_until_alone(&program);
        send_signal(program.pid(), Signal::SIGWINCH); // for which nobody ends
        send_signal(program.pid(), signal);
        assert_eq!(program.finish(), fails(128 + signal as i32, ""));
        kill_processes_of(directory.path());
    }
    // What was ignored at the start is ignored, and what was blocked waits.
    let before = "trap '' TERM; exec env --block-signal=USR1 \"$@\"";
    let program = behind(directory.path(), before, &["sh", "-c", "(read -r x <end) & exit 3"]);
    wait_until_alone(&program);
    for signal in [Signal::SIGTERM, Signal::SIGUSR1] {
        send_signal(program.pid(), signal);
    }
    program.wait_until_in(&[SYS_ppoll]);
    fs::write(directory.path().join("end"), "\n").unwrap();
    assert_eq!(program.finish(), fails(3, ""));
}

#[test]
fn a_stop_as_the_program_exits_of_itself_ends_fghack_though_its_daemon_is_left() {
    needs!(tool("perl"));
    // With that much memory it takes the kernel a moment to end it.
    let exits = "use POSIX; if (!fork) { close STDOUT; close STDERR; open F, '<', 'end'; <F>; exit } \
                 $x = 'x' x 100_000_000; open F, '>', 'exits'; close F; POSIX::_exit(0)";
    for _ in 0..5 {
        let directory = open_directory();
        let program = behind(directory.path(), "exec \"$@\"", &["perl", "-e", exits]);
        until("the program exits", || directory.path().join("exits").exists());
        send_signal(program.pid(), Signal::SIGTERM);
        assert_eq!(program.finish(), fails(143, ""));
        kill_processes_of(directory.path());
    }
}

#[test]
fn a_signal_that_ends_the_program_ends_fghack_too_whatever_is_left_behind() {
    needs!(tool("perl"));
    let left = "if (!fork) { close STDOUT; close STDERR; open F, '<', 'end'; <F>; exit }";
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1] {
        let directory = open_directory();
        let (program, _) = ready(directory.path(), "exec \"$@\"", left);
        send_signal(program.pid(), signal);
        assert_eq!(program.finish(), fails(128 + signal as i32, ""), "{signal}");
        assert_eq!(processes_of(directory.path()).len(), 1, "what the program has left is left");
        kill_processes_of(directory.path());
    }
    // One that it catches says nothing about the others; nor does one that comes from elsewhere.
    for signal in [Some(Signal::SIGTERM), None] {
        let directory = open_directory();
        let caught = "$SIG{TERM} = sub { exit 3 }";
        let (program, pid) = ready(directory.path(), "exec \"$@\"", &format!("{left} {caught}"));
        match signal {
            Some(signal) => send_signal(program.pid(), signal),
            None => send_signal(pid, Signal::SIGUSR1),
        }
        wait_until_alone(&program);
        fs::write(directory.path().join("end"), "\n").unwrap();
        assert_eq!(program.finish(), fails(if signal.is_some() { 3 } else { 138 }, ""), "{signal:?}");
    }
}

#[test]
fn a_program_that_has_caught_a_signal_gives_its_status_though_its_handler_is_gone_as_it_exits() {
    needs!(tool("strace"), tool("perl"));
    let directory = open_directory();
    // strace holds fghack up before it looks at the program again.
    let before = "exec strace -qq -o log -e trace=kill -e inject=kill:delay_exit=500000 \"$@\"";
    let left = "if (!fork) { close STDOUT; close STDERR; open F, '<', 'end'; <F>; exit }";
    let caught = "$SIG{TERM} = sub { $SIG{TERM} = 'DEFAULT'; exit 3 }";
    let (program, pid) = ready(directory.path(), before, &format!("{left} {caught}"));
    let fghack = parent(pid);
    send_signal(fghack, Signal::SIGTERM);
    until("the program has ended", || child(fghack).is_none());
    fs::write(directory.path().join("end"), "\n").unwrap();
    assert_eq!(program.finish(), fails(3, ""));
}

#[test]
fn a_stopped_fghack_goes_on_with_its_continuation() {
    let directory = open_directory();
    for signal in [Signal::SIGSTOP, Signal::SIGTSTP] {
        let program = fghack(directory.path(), "read -r x <end; exit 3");
        program.wait_until_in(&[SYS_ppoll]);
        send_signal(program.pid(), signal);
        until("stopped", || state(program.pid()) == Some('T'));
        send_signal(program.pid(), Signal::SIGCONT);
        program.wait_until_in(&[SYS_ppoll]);
        fs::write(directory.path().join("end"), "\n").unwrap();
        assert_eq!(program.finish(), fails(3, ""), "{signal}");
    }
}

#[test]
fn a_signal_that_cannot_be_handed_on_is_reported() {
    needs!(tool("strace"), tool("perl"));
    let directory = open_directory();
    let before = "exec strace -qq -o log -e trace=kill -e inject=kill:error=EPERM:when=1 \"$@\"";
    let (program, pid) = ready(directory.path(), before, "$SIG{USR1} = sub { exit 2 }");
    let fghack = parent(pid);
    send_signal(fghack, Signal::SIGTERM);
    until("it was tried", || text(&directory.path().join("log")).contains("INJECTED"));
    send_signal(fghack, Signal::SIGUSR1);
    let message = format!("fghack: warning: unable to hand SIGTERM on: {}\n", says(nix::errno::Errno::EPERM));
    assert_eq!(program.finish(), fails(2, message));
}

// Children.

#[test]
fn no_child_stays_a_zombie() {
    needs!(tool("perl"));
    // fghack is a subreaper, so that the orphans of the program become its children.
    let directory = open_directory();
    let pose = example("pose").display().to_string();
    let script = "(true) & (sleep 0) & (read -r x <end) & exit 3";
    let before = format!("exec {pose} subreaper \"$@\"");
    let program = behind(directory.path(), &before, &["sh", "-c", script]);
    until("the others are reaped", || {
        let children = text(Path::new(&format!("/proc/{0}/task/{0}/children", program.pid())));
        children.split_whitespace().count() == 1 && call_of(program.pid()) == Some(SYS_ppoll)
    });
    fs::write(directory.path().join("end"), "\n").unwrap();
    assert_eq!(program.finish(), fails(3, ""));
}

#[test]
fn while_it_waits_it_takes_no_time() {
    let directory = open_directory();
    let program = fghack(directory.path(), "read -r x <end");
    program.wait_until_in(&[SYS_ppoll]);
    let switches = || {
        let status = text(Path::new(&format!("/proc/{}/status", program.pid())));
        status.lines().filter(|line| line.contains("ctxt_switches")).collect::<Vec<_>>().join(" ")
    };
    // It may be woken once where it stands, as by a machine that was frozen.
    let quiet = || {
        let before = switches();
        run(prepared("sleep").arg("0.3"));
        switches() == before
    };
    assert!((0..3).any(|_| quiet()));
    fs::write(directory.path().join("end"), "\n").unwrap();
    assert_eq!(program.finish(), fails(0, ""));
}
