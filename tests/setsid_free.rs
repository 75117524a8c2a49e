//! setsid-free.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use tempfile::TempDir;

use crate::needs;
use crate::support::*;

/// Shows pid, process group, session and controlling terminal, which are fields of /proc/self/stat; 0 is no
/// terminal.
const SHOW: [&str; 5] = ["cut", "-d", " ", "-f1,5,6,7", "/proc/self/stat"];

/// What it shows.
fn state(line: &str) -> [i32; 4] {
    let fields = line.split_whitespace().map(|field| field.parse().unwrap());
    fields.collect::<Vec<_>>().try_into().unwrap()
}

/// Runs a script in a shell on a terminal of its own, and returns what it writes to its fd 3.
fn on_a_terminal(text: &str) -> String {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("text"), text).unwrap();
    // What script(1) starts leads the session: a shell that waits for the one that reads the text.
    let line = ["-qec", "sh text 3>out; exit $?", "/dev/null"];
    let outcome = run(prepared("script").args(line).env("SHELL", "/bin/sh").current_dir(directory.path()));
    assert_eq!(outcome, prints(""), "{text}");
    fs::read_to_string(directory.path().join("out")).unwrap()
}

/// A shell script that leads a session without terminal.
fn leader(script: &str) -> Command {
    let mut command = prepared("setsid");
    command.args(["-w", "sh", "-c", script]);
    command
}

fn refused() -> Outcome {
    let hint = "a leader stays one until it forks: leave out setsid, pgrphack or chpst -P; \
                under s6-supervise leave out setsid-free";
    let message = "unable to leave the session: this process leads it";
    fails(111, format!("setsid-free: fatal: {message}\nsetsid-free: hint: {hint}\n"))
}

#[test]
fn the_program_has_its_own_group_and_no_terminal_but_its_pid_and_session() {
    needs!(tool("script"));
    let show = SHOW.map(|word| format!("'{word}'")).join(" ");
    let text = format!("sh -c 'echo $$ >&3; exec setsid-free \"$@\" >&3' sh {show}; {show} >&3");
    let text = on_a_terminal(&text);
    let lines = text.lines().collect::<Vec<_>>();
    let pid = lines[0].parse::<i32>().unwrap();
    let [_, group, session, terminal] = state(lines[2]); // of the shell before it, which keeps its own
    assert_eq!(state(lines[1]), [pid, pid, session, 0]);
    assert!(terminal != 0 && session != pid && group != pid, "{text}");
}

#[test]
fn children_of_the_program_have_no_terminal_either() {
    needs!(tool("script"));
    let try_it = "if (: <>/dev/tty) 2>/dev/null; then echo opened; else echo none; fi >&3";
    assert_eq!(on_a_terminal(&format!("sh -c '{try_it}'")), "opened\n");
    assert_eq!(on_a_terminal(&format!("setsid-free sh -c '{try_it}'")), "none\n");
    assert_eq!(on_a_terminal(&format!("setsid-free sh -c \"sh -c '{try_it}'; :\"")), "none\n");
}

#[test]
fn a_terminal_opened_later_does_not_become_the_controlling_one() {
    needs!(tool("perl"), tool("setsid"));
    // A new terminal that belongs to no session, unlocked and named as ioctl_tty(2) says.
    let terminal = "open(my $master, '+<', '/dev/ptmx') or die $!;
        my $number = pack('i', 0);
        ioctl($master, 0x40045431, $number) or die $!;
        ioctl($master, 0x80045430, $number) or die $!;
        $ENV{TERMINAL} = '/dev/pts/' . unpack 'i', $number;
        exit 1 if system @ARGV;";
    let open = "exec 3<>\"$TERMINAL\" && exec cut -d' ' -f1,5,6,7 /proc/self/stat";
    let on_new_terminal = |words: &[&str]| {
        let outcome = run(prepared("perl").args(["-e", terminal]).args(words).args(["sh", "-c", open]));
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
        state(&outcome.stdout)
    };
    let [pid, group, session, terminal] = on_new_terminal(&["setsid-free"]);
    assert_eq!((group, terminal), (pid, 0));
    assert_ne!(session, pid);
    // It would have, for the leader of a session.
    let [pid, group, session, terminal] = on_new_terminal(&["setsid", "-w"]);
    assert_eq!((group, session), (pid, pid));
    assert_ne!(terminal, 0);
}

#[test]
fn without_a_terminal_there_is_just_the_group() {
    needs!(tool("setsid"));
    let show = SHOW.map(|word| format!("'{word}'")).join(" ");
    let script = format!("{show}; setsid-free {show}; exit 0");
    let outcome = run(&mut leader(&script));
    let lines = outcome.stdout.lines().map(state).collect::<Vec<_>>();
    let [[_, _, session, terminal], free] = lines[..] else { panic!("{outcome:?}") };
    assert_eq!(terminal, 0);
    assert_eq!(free, [free[0], free[0], session, 0]);
    assert_ne!(free[0], session);
}

#[test]
fn the_leader_of_a_process_group_stays_its_leader() {
    let outcome = run(link("setsid-free").args(SHOW).process_group(0));
    let [pid, group, session, terminal] = state(&outcome.stdout);
    assert_eq!((group, terminal), (pid, 0));
    assert_ne!(session, pid);
}

#[test]
fn it_may_stand_twice_in_a_chain() {
    let outcome = run(link("setsid-free").arg("setsid-free").args(SHOW));
    let [pid, group, _, terminal] = state(&outcome.stdout);
    assert_eq!((group, terminal), (pid, 0));
}

#[test]
fn the_leader_of_a_session_cannot_be_freed_and_gets_a_hint() {
    needs!(tool("setsid"), tool("script"));
    assert_eq!(run(prepared("setsid").args(["-w", "setsid-free", "echo", "ran"])), refused());
    assert_eq!(run(&mut leader("exec setsid-free echo ran")), refused());
    // With a terminal too, where stdout and stderr are one.
    let line = ["-qec", "exec setsid-free echo ran", "/dev/null"];
    let outcome = run(prepared("script").args(line).env("SHELL", "/bin/sh"));
    assert_eq!(outcome.status, 111);
    assert_eq!(outcome.stdout.replace('\r', ""), refused().stderr);
}

#[test]
fn where_nobody_can_say_whether_there_is_a_terminal_nothing_runs() {
    needs!(mounts());
    let hide = "mount -t tmpfs none /dev && exec setsid-free echo ran";
    let doing = "unable to open /dev/tty to see whether there is a controlling terminal";
    assert_eq!(
        run(prepared("unshare").args(["--mount", "sh", "-c", hide])),
        fails(111, format!("setsid-free: fatal: {doing}: {}\n", says(Errno::ENOENT)))
    );
}
