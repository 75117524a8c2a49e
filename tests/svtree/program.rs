//! The program behind `--`, the scripts of the tree, and what is left at its end.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::needs;
use crate::support::*;

/// A directory with a scan directory `tree`. When this is dropped, no process of it is left.
struct Ground(tempfile::TempDir);

impl Drop for Ground {
    fn drop(&mut self) {
        kill_processes_of(self.0.path());
    }
}

impl Ground {
    fn new() -> Self {
        let ground = Self(open_directory());
        fs::create_dir(ground.path("tree")).unwrap();
        ground
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        text(&self.path(name))
    }

    /// Writes a script of the shell, whose working directory is `$D`'s child; it finds the ground by `$D`.
    fn script(&self, name: &str, lines: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        script(&self.path(name), &format!("#!/bin/sh\n{lines}\n"));
    }

    fn fifo(&self, name: &str) {
        mkfifo(&self.path(name), Mode::from_bits_truncate(0o600)).unwrap();
    }

    /// Writes a line into a FIFO, once there is a reader.
    fn release(&self, fifo: &str) {
        fs::OpenOptions::new().write(true).open(self.path(fifo)).unwrap().write_all(b"\n").unwrap();
    }

    fn until(&self, name: &str, expected: &str) {
        assert!(in_time(|| self.text(name) == expected), "{name}: {:?}, not {expected:?}", self.text(name));
    }

    /// svtree with these words, and what is executed by the shell behind `--`, if anything.
    fn svtree(&self, words: &[&str], program: Option<&str>) -> Command {
        let mut command = link("svtree");
        command.args(words).current_dir(self.0.path()).env("D", self.0.path());
        if let Some(program) = program {
            command.args(["--", "sh", "-c", program]);
        }
        command
    }

    /// The same, run to its end.
    fn run(&self, words: &[&str], program: Option<&str>) -> Outcome {
        run(&mut self.svtree(words, program))
    }
}

/// The end of a child.
#[track_caller]
fn ended(child: &mut Child) -> i32 {
    status_of(child).expect("it does not end")
}

/// A command line of the shell on a terminal.
fn terminal(ground: &Ground, line: &str) -> Terminal {
    let mut command = prepared("setsid");
    command.args(["--ctty", "sh", "-c", line]).current_dir(ground.0.path()).env("D", ground.0.path());
    Terminal::of(80, command)
}

/// The number behind this word.
fn number(terminal: &Terminal, word: &str) -> u32 {
    let (_, rest) = terminal.seen.split_once(word).unwrap();
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn the_status_is_that_of_the_program() {
    let ground = Ground::new();
    for (program, status) in [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill $$", 143)] {
        for words in [&[][..], &["tree"]] {
            let expected = Outcome { status, ..prints("") };
            assert_eq!(ground.run(words, Some(program)), expected, "{words:?} {program}");
        }
    }
}

#[test]
fn a_program_that_cannot_be_executed_is_reported_as_a_link_reports_it() {
    let ground = Ground::new();
    fs::write(ground.path("plain"), "").unwrap();
    for (program, status, errno, hint) in [
        ("none-of-this-name", 127, Errno::ENOENT, ""),
        ("./plain", 126, Errno::EACCES, "svtree: hint: it is not executable: chmod +x\n"),
    ] {
        let outcome = run(ground.svtree(&[], None).args(["--", program]));
        let message = format!("svtree: fatal: unable to run {program}: {}\n{hint}", says(errno));
        assert_eq!(outcome, fails(status, message));
    }
}

#[test]
fn the_program_has_our_standard_fds_and_services_have_no_stdin() {
    let ground = Ground::new();
    ground.fifo("went");
    ground.script("tree/web/run", "readlink /proc/$$/fd/0 >$D/service; echo >$D/went; exec sleep 600");
    let mut command =
        ground.svtree(&["tree"], Some("read line; echo $line; echo error >&2; read went <went"));
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"line\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "line\n");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "error\n");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(ground.text("service"), "/dev/null\n");
}

#[test]
fn closed_fds_are_closed_for_the_program() {
    for (closed, left) in [("<&-", [1, 2]), (">&-", [0, 2]), ("2>&-", [0, 1])] {
        let ground = Ground::new();
        let line = format!("exec svtree -- sleep 600 </dev/null >/dev/null 2>/dev/null {closed}");
        let mut child = sh(&line).current_dir(ground.0.path()).spawn().unwrap();
        let sleeps = |pid: &u32| cmdline(*pid) == "sleep 600";
        let program = || processes_of(ground.0.path()).into_iter().find(sleeps);
        until("the program", || program().is_some());
        wait_until_in(program().unwrap(), ASLEEP); // what loads it has libraries open before
        let open = |fd: &i32| Path::new(&format!("/proc/{}/fd/{fd}", program().unwrap())).exists();
        assert_eq!((0..3).filter(open).collect::<Vec<_>>(), left, "{closed}");
        send_signal(child.id(), Signal::SIGTERM);
        assert_eq!(ended(&mut child), 0);
    }
}

#[test]
fn signals_limits_and_the_directory_are_as_svtree_was_given_them() {
    needs!(tool("env"));
    let ground = Ground::new();
    let look = "grep -E 'Sig(Blk|Ign)' /proc/self/status; ulimit -Sn; pwd";
    let given = "ulimit -Sn 99; exec env --block-signal=USR1 --ignore-signal=USR2,PIPE";
    let with = |chain: &str| {
        let mut command = sh(&format!("{given} {chain} sh -c \"$1\""));
        run(command.args(["sh", look]).current_dir(ground.0.path()))
    };
    let (control, seen) = (with(""), with("svtree tree --"));
    assert_eq!(control.status, 0, "{control:?}");
    assert!(control.stdout.contains("\n99\n"), "{control:?}");
    assert_eq!(seen, control);
}

#[test]
fn the_program_is_stopped_first_and_then_the_services() {
    for (signal, name) in [(Signal::SIGTERM, "TERM"), (Signal::SIGINT, "TERM"), (Signal::SIGQUIT, "QUIT")] {
        let ground = Ground::new();
        ground.fifo("go");
        ground.script(
            "tree/web/run",
            "trap 'echo service >>$D/log; exit' TERM; : >$D/service; while :; do sleep 600 & wait; done",
        );
        let program = "trap 'echo TERM >>$D/log; read x <$D/go; exit 5' TERM
            trap 'echo QUIT >>$D/log; read x <$D/go; exit 5' QUIT; : >$D/up; while :; do sleep 600 & wait; done";
        let mut child = ground.svtree(&["-t", "600000", "tree"], Some(program)).spawn().unwrap();
        until("both", || ground.path("up").exists() && ground.path("service").exists());
        send_signal(child.id(), signal);
        ground.until("log", &format!("{name}\n"));
        ground.release("go");
        assert_eq!(ended(&mut child), 0, "it was asked to stop");
        assert_eq!(ground.text("log"), format!("{name}\nservice\n"));
    }
}

#[test]
fn a_program_that_does_not_end_is_killed_when_the_time_is_over_or_at_the_second_signal() {
    for limit in ["100", "600000"] {
        let ground = Ground::new();
        let program =
            "trap '' TERM; trap 'echo here >$D/stop' CONT; : >$D/up; while :; do sleep 600 & wait; done";
        let mut child = ground.svtree(&["-t", limit], Some(program)).spawn().unwrap();
        until("the program", || ground.path("up").exists());
        send_signal(child.id(), Signal::SIGTERM);
        if limit != "100" {
            ground.until("stop", "here\n");
            send_signal(child.id(), Signal::SIGTERM);
        }
        assert_eq!(ended(&mut child), 0);
    }
}

#[test]
fn the_program_is_in_the_foreground_of_the_terminal_and_gives_it_back() {
    needs!(tool("setsid"));
    let ground = Ground::new();
    ground.fifo("never");
    ground.script("tree/.tree/finish", "echo finish $1; read x <$D/never");
    let program = "trap \"echo interrupted; exit 5\" INT; echo program $$; while :; do sleep 1; done";
    let mut terminal = terminal(&ground, &format!("exec svtree -t 600000 tree -- sh -c '{program}'"));
    terminal.until_words("program ");
    terminal.until_words("\n");
    assert_eq!(terminal.foreground(), number(&terminal, "program "));
    terminal.types("\x03");
    terminal.until_words("interrupted");
    terminal.until_words("finish 5");
    assert_eq!(terminal.foreground(), terminal.child.id());
    // Now it means the tree, which is at its end and waits no longer.
    terminal.types("\x03");
    assert_eq!(ended(&mut terminal.child), 5);
}

#[test]
fn a_tree_in_the_background_leaves_the_terminal_to_the_foreground() {
    needs!(tool("setsid"));
    let ground = Ground::new();
    let job = "svtree -- sh -c 'echo program $$; read x <$D/go'";
    ground.fifo("go");
    let mut terminal = terminal(&ground, &format!("set -m; {job} & wait $!; echo status $?"));
    terminal.until_words("program ");
    terminal.until_words("\n");
    assert_eq!(terminal.foreground(), terminal.child.id());
    ground.release("go");
    terminal.until_words("status 0");
    assert_eq!(ended(&mut terminal.child), 0);
}

#[test]
fn below_an_unshare_without_a_session_it_has_the_terminal_in_the_foreground_alone() {
    needs!(root(), tool("unshare"), tool("setsid"));
    // Not a read, behind which a signal would be noted that comes just before it.
    let program =
        "trap \"echo interrupted\" INT; echo program; until test -e $D/go; do sleep 0.1; done; exit 0";
    for (line, foreground) in [("unshare ...", true), ("set -m; unshare ... & wait $!", false)] {
        let ground = Ground::new();
        // The process groups of the outer namespace have no numbers in the inner one.
        let tree = format!("--fork --pid --mount-proc --kill-child svtree -- sh -c '{program}'");
        let line = line.replace("unshare ...", &format!("{BASE_UNSHARE} {tree}"));
        let line = format!("{line}; echo status $?");
        let mut terminal = terminal(&ground, &line);
        terminal.until_words("program");
        assert_eq!(terminal.foreground() == terminal.child.id(), !foreground, "{line}");
        if foreground {
            terminal.types("\x03");
            terminal.until_words("interrupted");
        }
        fs::write(ground.path("go"), "").unwrap();
        terminal.until_words("status 0");
        assert_eq!(ended(&mut terminal.child), 0);
    }
}

#[test]
fn a_terminal_that_is_not_ours_is_left_alone() {
    let ground = Ground::new();
    let pty = Pty::new(80);
    let mut command = ground.svtree(&[], Some("test -t 0 && exit 3"));
    let outcome = run(command.stdin(pty.slave));
    assert_eq!(outcome, Outcome { status: 3, ..prints("") });
    drop(pty.master);
}

#[test]
fn a_setup_that_fails_is_the_end_before_anything_has_started() {
    for (lines, status, message) in [
        ("exit 3", 3, "exited 3"),
        ("kill -9 $$", 137, "was killed by SIGKILL"),
        ("kill -15 $$", 143, "was killed by SIGTERM"),
    ] {
        let ground = Ground::new();
        ground.script("tree/.tree/setup", lines);
        ground.script("tree/web/run", "echo service >>$D/log");
        let outcome = ground.run(&["tree"], Some("echo program >>$D/log"));
        let message = format!("svtree tree: warning: .tree/setup {message}\n");
        assert_eq!((outcome, &*ground.text("log")), (fails(status, message), ""), "{lines}");
    }
}

#[test]
fn a_setup_that_cannot_be_executed_is_the_end_with_111() {
    let ground = Ground::new();
    ground.script("tree/.tree/setup", "");
    fs::set_permissions(ground.path("tree/.tree/setup"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .unwrap();
    let message = format!(
        "svtree tree: warning: unable to start .tree/setup: {}\nsvtree tree: hint: it is not executable: chmod +x\n",
        says(Errno::EACCES)
    );
    assert_eq!(ground.run(&["tree"], Some("exit 5")), fails(111, message));
}

#[test]
fn a_stop_ends_a_setup_that_runs_and_kills_it_when_the_time_is_over() {
    for (lines, limit) in [("", None), ("trap '' TERM; ", Some("100"))] {
        let ground = Ground::new();
        ground.script("tree/.tree/setup", &format!("{lines}: >$D/up; while :; do sleep 600 & wait; done"));
        if let Some(limit) = limit {
            fs::write(ground.path("tree/.tree/timeout"), limit).unwrap();
        } else {
            fs::write(ground.path("tree/.tree/timeout"), "10m\n").unwrap();
        }
        let mut command = ground.svtree(&["tree"], Some("exit 5"));
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        until("setup", || ground.path("up").exists());
        send_signal(child.id(), Signal::SIGTERM);
        assert_eq!(ended(&mut child), 0, "{limit:?}");
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "", "its end was asked for");
    }
}

#[test]
fn a_time_limit_that_is_none_is_reported() {
    let ground = Ground::new();
    fs::create_dir(ground.path("tree/.tree")).unwrap();
    fs::write(ground.path("tree/.tree/timeout"), "soon\n").unwrap();
    let expected = "svtree tree: warning: .tree/timeout: invalid value \"soon\": expected milliseconds, or a time with \
                    its unit: 500ms, 5s, 2m, 1h; using the default\n";
    assert_eq!(ground.run(&["tree"], Some("exit 0")).stderr, expected);
}

/// The pid, out here, of process 1 of a pid namespace that this child has made.
fn process_1(child: &Child) -> u32 {
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    until("process 1", || !text(Path::new(&children)).is_empty());
    text(Path::new(&children)).trim().parse().unwrap()
}

impl Ground {
    /// svtree as process 1 of a pid namespace, whose status is that of the command.
    fn contained(&self, words: &[&str], program: &str) -> Command {
        let mut command = prepared("unshare");
        command.args(["--fork", "--pid", "--mount-proc", "--kill-child", "svtree"]).args(words);
        command.args(["--", "sh", "-c", program]).current_dir(self.0.path()).env("D", self.0.path());
        command
    }
}

/// What a program leaves behind: a process that ends at TERM, and says so, and one that ignores it.
const LEFTOVERS: &str = "
    setsid sh -c 'trap \"echo asked >>$D/log; exit\" TERM; : >$D/one; while :; do sleep 600 & wait; done' &
    setsid sh -c 'trap \"\" TERM; : >$D/two; while :; do sleep 600 & wait; done' &
    until test -e $D/one && test -e $D/two; do sleep 0.01; done; exit 6";

#[test]
fn as_process_1_it_ends_what_is_left() {
    needs!(root(), tool("unshare"), tool("setsid"));
    let ground = Ground::new();
    ground.script("tree/.tree/finish", "ps -A -o comm= | grep -c sleep >$D/left; exit 0");
    let outcome = run(&mut ground.contained(&["-t", "10000", "tree"], LEFTOVERS));
    assert_eq!(outcome, Outcome { status: 6, ..prints("") });
    assert_eq!((&*ground.text("log"), &*ground.text("left")), ("asked\n", "0\n"));
}

#[test]
fn in_the_place_of_process_1_it_ends_all_that_descends_from_it() {
    needs!(tool("setsid"));
    let ground = Ground::new();
    let outcome = ground.run(&["-1", "-t", "10000"], Some(LEFTOVERS));
    assert_eq!(outcome, Outcome { status: 6, ..prints("") });
    assert_eq!(ground.text("log"), "asked\n");
    assert_eq!(processes_of(ground.0.path()), [0; 0]);
}

#[test]
fn as_process_1_every_stop_signal_is_a_stop() {
    needs!(root(), tool("unshare"));
    for (signal, asked) in
        [("TERM", "TERM"), ("INT", "TERM"), ("QUIT", "QUIT"), ("PWR", "TERM"), ("37", "TERM")]
    {
        let ground = Ground::new();
        let traps: String =
            ["TERM", "QUIT"].map(|name| format!("trap 'echo {name} >$D/seen; exit 5' {name}; ")).concat();
        let program = format!("{traps}: >$D/up; while :; do sleep 600 & wait; done");
        let mut child = ground.contained(&[], &program).spawn().unwrap();
        until("the program", || ground.path("up").exists());
        assert_eq!(run(sh("kill -$0 $1").args([signal, &process_1(&child).to_string()])), prints(""));
        assert_eq!(ended(&mut child), 0, "{signal}");
        assert_eq!(ground.text("seen"), format!("{asked}\n"), "{signal}");
    }
}

#[test]
fn as_process_1_it_passes_signals_on_and_reaps_orphans() {
    needs!(root(), tool("unshare"), tool("setsid"));
    let ground = Ground::new();
    let program = "trap 'exit 8' USR1; setsid sh -c 'exit 1' & sh -c 'setsid true & exit' ; : >$D/up; while :; do sleep 1; done";
    let mut child = ground.contained(&[], program).spawn().unwrap();
    until("the program", || ground.path("up").exists());
    let tree = process_1(&child);
    let children = format!("/proc/{tree}/task/{tree}/children");
    until("no orphan", || text(Path::new(&children)).split_whitespace().count() == 1);
    send_signal(tree, Signal::SIGUSR1);
    assert_eq!(ended(&mut child), 8);
}
