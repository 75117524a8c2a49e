//! chrt.

use nix::errno::Errno;

use crate::needs;
use crate::support::*;

/// Policy, priority and whether children get another one, of what chrt with these words executes.
fn policy(words: &[&str]) -> Outcome {
    let outcome = run(link("chrt").args(words).arg(example("state")));
    let of = |name: &str| outcome.stdout.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let stdout = format!("{} {} {}\n", of("policy "), of("priority "), of("reset-on-fork "));
    Outcome { stdout, ..outcome }
}

/// Whether the tests may ask for a real-time policy: root in a container may not, nor in a cgroup without real time.
pub(crate) fn real_time() -> Result<(), String> {
    let possible = run(prepared(peer("chrt")?).args(["-f", "1", "true"])).status == 0;
    if possible { Ok(()) } else { Err("the right to a real-time policy".into()) }
}

fn refused(policy: &str, hint: &str) -> Outcome {
    let message = format!("unable to set policy {policy}: {}", says(Errno::EPERM));
    fails(111, format!("chrt: fatal: {message}\nchrt: hint: {hint}\n"))
}

#[test]
fn policies_that_anybody_may_have() {
    for (words, expected) in [
        (&["-o", "0"][..], "0 0 false"),
        (&["-b", "0"], "3 0 false"),
        (&["-b", "--", "00"], "3 0 false"),
        (&["-i", "0"], "5 0 false"),
        (&["-R", "-o", "0"], "0 0 true"),
        (&["-Rb", "0"], "3 0 true"),
        (&["-f", "-i", "-b", "0"], "3 0 false"),
    ] {
        assert_eq!(policy(words), prints(format!("{expected}\n")), "{words:?}");
    }
}

#[test]
fn policies_in_real_time() {
    needs!(real_time());
    for (words, expected) in [
        (&["5"][..], "2 5 false"),
        (&["-r", "1"], "2 1 false"),
        (&["-f", "99"], "1 99 false"),
        (&["-fR", "7"], "1 7 true"),
        (&["-f", "-r", "7"], "2 7 false"),
        (&["-f", "7", "chrt", "-o", "0"], "0 0 false"),
    ] {
        assert_eq!(policy(words), prints(format!("{expected}\n")), "{words:?}");
    }
}

#[test]
fn what_a_program_with_a_policy_of_its_own_starts_has_the_usual_one() {
    needs!(real_time());
    let state = example("state").display().to_string();
    let child = |words: &[&str]| {
        let script = format!("{state} | grep -E '^(policy|priority) '; true");
        run(link("chrt").args(words).args(["sh", "-c", &script]))
    };
    assert_eq!(child(&["-f", "3"]), prints("priority 3\npolicy 1\n"));
    assert_eq!(child(&["-fR", "3"]), prints("priority 0\npolicy 0\n"));
}

#[test]
fn who_may_not_runs_nothing_and_is_told_where_to_put_it() {
    let directory = open_directory();
    let ours = directory.path().join("chrt");
    install(&bin().join("chrt"), &ours);
    let by = |words: &[&str]| {
        let mut command = prepared(if root().is_ok() { "setpriv" } else { "env" });
        let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
        command.args(nobody.iter().filter(|_| root().is_ok()));
        run(command.arg(&ours).args(words).args(["echo", "ran"]))
    };
    let hint = "only root may: put chrt before or right behind setuidgid";
    assert_eq!(by(&["5"]), refused("SCHED_RR 5", hint));
    assert_eq!(by(&["-f", "99"]), refused("SCHED_FIFO 99", hint));
    assert_eq!(by(&["-i", "0"]), prints("ran\n"));
    let script = format!("exec {0} -R -b 0 {0} -o 0 echo ran", ours.display());
    let mut command = prepared("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", &script]);
    needs!(root());
    assert_eq!(run(&mut command), refused("SCHED_OTHER 0", hint), "-R is not taken back");
}

#[test]
fn root_without_the_capability_is_told_so() {
    needs!(root());
    let mut command = prepared("setpriv");
    command.args(["--bounding-set=-sys_nice", "chrt", "-f", "1", "echo", "ran"]);
    let hint = "root has no CAP_SYS_NICE here, as in a container that was started without it";
    assert_eq!(run(&mut command), refused("SCHED_FIFO 1", hint));
}

#[test]
fn a_priority_that_the_policy_has_not_is_a_usage_error() {
    let mistaken = |option: &str, bad: &str, problem: &str| {
        let outcome = run(link("chrt").args([option, "--", bad, "echo", "ran"]));
        assert_eq!(outcome, misuse("chrt", &format!("{problem}: {}", given(bad))), "{option} {bad}");
    };
    for option in ["-f", "-r", "-R"] {
        for bad in ["0", "100", "-5", "+5", "5x", " 5", "0x5", "1.0", "4294967297", "x"] {
            mistaken(option, bad, "not a priority from 1 to 99");
        }
    }
    for option in ["-o", "-b", "-i"] {
        for bad in ["1", "-0", "x", "256"] {
            mistaken(option, bad, "not 0, the only priority of this policy");
        }
    }
    for option in ["-d", "-p", "-m", "-v", "-a"] {
        let outcome = run(link("chrt").args([option, "1", "echo", "ran"]));
        assert_eq!(outcome, misuse("chrt", &format!("invalid option '{option}'")));
    }
}
