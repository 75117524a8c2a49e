//! pgrphack.

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

/// The two that make a session, which do the same.
const BOTH: [&[&str]; 2] = [&["pgrphack"], &["chpst", "-P"]];

/// What it shows.
fn state(line: &str) -> [i32; 4] {
    let fields = line.split_whitespace().map(|field| field.parse().unwrap());
    fields.collect::<Vec<_>>().try_into().unwrap()
}

/// The process state of what `command` executes: it leads a session without a terminal.
fn assert_leads(outcome: &Outcome) {
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{outcome:?}");
    let [pid, group, session, terminal] = state(&outcome.stdout);
    assert_eq!([group, session, terminal], [pid, pid, 0]);
}

fn of(words: &[&str]) -> Command {
    let mut command = link(words[0]);
    command.args(&words[1..]);
    command
}

/// Runs a script in a shell that leads the session of a terminal of its own, and returns what it writes to its fd 3.
fn on_a_terminal(script: &str) -> String {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("text"), script).unwrap();
    let line = ["-qec", "exec bash text 3>out", "/dev/null"];
    let outcome = run(prepared("script").args(line).env("SHELL", "/bin/sh").current_dir(directory.path()));
    assert_eq!(outcome.status, 0, "{script}: {outcome:?}");
    fs::read_to_string(directory.path().join("out")).unwrap()
}

fn refused(name: &str) -> String {
    let hint = "this process leads its process group, which it cannot leave, or in which there are others: \
                let a shell start it as its child, as in sh -c '...; exit $?'";
    let denied = says(Errno::EPERM);
    format!("{name}: fatal: unable to make a session: {denied}\n{name}: hint: {hint}\n")
}

#[test]
fn the_program_leads_a_session_and_keeps_its_pid() {
    for words in BOTH {
        assert_leads(&run(of(words).args(SHOW)));
        let outcome = run(sh("echo $$; exec \"$@\"").arg("sh").args(words).args(SHOW));
        let (pid, rest) = outcome.stdout.split_once('\n').unwrap();
        assert!(rest.starts_with(&format!("{pid} {pid} {pid} ")), "{outcome:?}");
    }
}

#[test]
fn the_leader_of_a_process_group_leads_a_session_too() {
    for words in BOTH {
        assert_leads(&run(of(words).args(SHOW).process_group(0)));
    }
}

#[test]
fn the_leader_of_a_session_stays_its_leader() {
    needs!(tool("setsid"));
    for words in BOTH {
        let outcome = run(prepared("setsid").arg("-w").args(words).args(SHOW));
        assert_leads(&outcome);
        let outcome = run(sh("exec setsid -w \"$@\"").arg("sh").args(words).args(words).args(SHOW));
        assert_leads(&outcome);
    }
}

#[test]
fn a_session_leader_keeps_its_terminal() {
    needs!(tool("script"), tool("bash"));
    for words in BOTH.map(|words| words.join(" ")) {
        let text = on_a_terminal(&format!("exec {words} {} >&3", quoted()));
        let [pid, group, session, terminal] = state(&text);
        assert_eq!([group, session], [pid, pid]);
        assert_ne!(terminal, 0);
    }
}

fn quoted() -> String {
    SHOW.map(|word| format!("'{word}'")).join(" ")
}

#[test]
fn a_command_of_an_interactive_shell_leads_a_session_without_its_terminal() {
    needs!(tool("script"), tool("bash"));
    for words in BOTH.map(|words| words.join(" ")) {
        // With job control each command leads a process group, in front and in the background.
        for end in ["", " & wait $!"] {
            let text = on_a_terminal(&format!("set -m; {words} {} >&3{end}", quoted()));
            let [pid, group, session, terminal] = state(&text);
            assert_eq!([group, session, terminal], [pid, pid, 0], "{words}{end}");
        }
        // The shell goes on, and its next command has the terminal.
        let text = on_a_terminal(&format!("set -m; {words} true; {} >&3", quoted()));
        assert_ne!(state(&text)[3], 0);
    }
}

#[test]
fn a_terminal_that_the_program_opens_becomes_the_controlling_one() {
    needs!(tool("perl"));
    // A new terminal that belongs to no session, unlocked and named as ioctl_tty(2) says.
    let terminal = "open(my $master, '+<', '/dev/ptmx') or die $!;
        my $number = pack('i', 0);
        ioctl($master, 0x40045431, $number) or die $!;
        ioctl($master, 0x80045430, $number) or die $!;
        $ENV{TERMINAL} = '/dev/pts/' . unpack 'i', $number;
        exit 1 if system @ARGV;";
    let open = "exec 3<>\"$TERMINAL\" && exec cut -d' ' -f1,5,6,7 /proc/self/stat";
    for words in BOTH {
        let outcome = run(prepared("perl").args(["-e", terminal]).args(words).args(["sh", "-c", open]));
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""));
        let [pid, _, session, terminal] = state(&outcome.stdout);
        assert_eq!(session, pid);
        assert_ne!(terminal, 0);
    }
}

#[test]
fn without_a_way_to_a_session_nothing_runs() {
    for words in BOTH {
        let name = words[0];
        // Another process is in the group that it leads.
        let others = "use POSIX;
            setpgid(0, 0);
            pipe(my $end, my $open);
            if (!fork) { close $open; read $end, my $byte, 1; exit }
            close $end;
            $^F = 99; open(my $kept, '>&', $open); close $open;
            exec @ARGV";
        let outcome = run(prepared("perl").args(["-e", others]).args(words).args(["echo", "ran"]));
        assert_eq!(outcome, fails(111, refused(name)));
    }
}

#[test]
fn without_a_parent_in_its_session_nothing_runs() {
    needs!(root(), tool("unshare"));
    // The first process of a pid namespace, whose parent is out of sight.
    for words in BOTH {
        let shell = "exec /usr/bin/unshare --pid --fork \"$@\"";
        let first = "use POSIX; setpgid(0, 0); exec @ARGV";
        let outcome = run(sh(shell).args(["sh", "perl", "-e", first]).args(words).args(["echo", "ran"]));
        assert_eq!(outcome, fails(111, refused(words[0])));
    }
}

#[test]
fn a_run_script_that_leads_a_process_group_gets_its_session() {
    // As svrun starts it where the service directory has a file `leftovers`.
    for words in BOTH {
        let mut command = sh("exec \"$@\"");
        command.arg("sh").args(words).args(["setuidgid", &own()]).args(SHOW).process_group(0);
        assert_leads(&run(&mut command));
    }
}

/// The account that the tests run as.
fn own() -> String {
    format!(":{}:{}", nix::unistd::getuid(), nix::unistd::getgid())
}

#[test]
fn there_are_no_options() {
    assert_eq!(run(link("pgrphack").args(["-v", "echo", "ran"])), misuse("pgrphack", "invalid option '-v'"));
    assert_eq!(run(link("pgrphack").args(["--", "echo", "ran"])), prints("ran\n"));
    assert_eq!(run(&mut link("pgrphack")), misuse("pgrphack", "missing prog"));
}
