//! ionice.

use nix::errno::Errno;

use crate::needs;
use crate::support::*;

/// The I/O priority that ionice with these words gives, as the base system's ionice shows it.
fn priority(words: &[&str]) -> Outcome {
    run(link("ionice").args(words).arg(SHOW))
}

const SHOW: &str = "/usr/bin/ionice";

fn shown() -> Result<String, String> {
    peer("ionice")
}

/// Whether the tests may ask for the class realtime: root in a container may not.
pub(crate) fn realtime() -> Result<(), String> {
    let possible = run(prepared(shown()?).args(["-c", "1", "true"])).status == 0;
    if possible { Ok(()) } else { Err("the right to the I/O class realtime".into()) }
}

const NOBODY: [&str; 3] = ["--reuid=65534", "--regid=65534", "--clear-groups"];

fn refused(priority: u8, hint: &str) -> Outcome {
    let denied = says(Errno::EPERM);
    let message = format!("unable to set priority realtime {priority}: {denied}");
    fails(111, format!("ionice: fatal: {message}\nionice: hint: {hint}\n"))
}

#[test]
fn a_class_has_a_number_or_a_name_and_a_priority() {
    needs!(shown());
    for (words, expected) in [
        (&[][..], "best-effort: prio 4"),
        (&["--"], "best-effort: prio 4"),
        (&["-n", "7"], "best-effort: prio 7"),
        (&["-c", "2"], "best-effort: prio 4"),
        (&["-c2", "-n0"], "best-effort: prio 0"),
        (&["-n", "01", "-c", "best-effort"], "best-effort: prio 1"),
        (&["-c", "Best-Effort"], "best-effort: prio 4"),
        (&["-c", "3"], "idle"),
        (&["-c", "idle"], "idle"),
        (&["-c", "0"], "none: prio 0"),
        (&["-c", "none"], "none: prio 0"),
    ] {
        assert_eq!(priority(words), prints(format!("{expected}\n")), "{words:?}");
    }
}

#[test]
fn a_priority_means_nothing_to_the_classes_that_have_one_alone() {
    needs!(shown());
    assert_eq!(priority(&["-c", "3", "-n", "2"]), prints("idle\n"));
    assert_eq!(priority(&["-n", "2", "-c", "none"]), prints("none: prio 0\n"));
}

#[test]
fn the_last_of_several_counts() {
    needs!(shown());
    assert_eq!(priority(&["-c", "3", "-c", "2", "-n", "1", "-n", "6"]), prints("best-effort: prio 6\n"));
    assert_eq!(priority(&["-c", "3", "ionice", "-n", "5"]), prints("best-effort: prio 5\n"));
}

#[test]
fn the_class_realtime_is_for_those_who_may() {
    needs!(shown(), realtime());
    assert_eq!(priority(&["-c", "realtime"]), prints("realtime: prio 4\n"));
    assert_eq!(priority(&["-c1", "-n0"]), prints("realtime: prio 0\n"));
}

#[test]
fn who_may_not_runs_nothing_and_is_told_where_to_put_it() {
    let directory = open_directory();
    let ours = directory.path().join("ionice");
    install(&bin().join("ionice"), &ours);
    let by = |words: &[&str]| {
        let mut command = prepared(if root().is_ok() { "setpriv" } else { "env" });
        command.args(NOBODY.iter().filter(|_| root().is_ok()));
        run(command.arg(&ours).args(words).args(["echo", "ran"]))
    };
    let hint = "only root may: put ionice before or right behind setuidgid";
    assert_eq!(by(&["-c", "1"]), refused(4, hint));
    assert_eq!(by(&["-c", "realtime", "-n", "7"]), refused(7, hint));
    assert_eq!(by(&["-c", "3"]), prints("ran\n"));
}

#[test]
fn root_without_the_capability_is_told_so() {
    needs!(root());
    let mut command = prepared("setpriv");
    command.args(["--bounding-set=-sys_nice,-sys_admin", "ionice", "-c", "1", "echo", "ran"]);
    let hint = "root has no CAP_SYS_NICE here, as in a container that was started without it";
    assert_eq!(run(&mut command), refused(4, hint));
}

#[test]
fn what_is_no_class_or_no_priority_is_a_usage_error() {
    for bad in ["4", "9", "-1", "+2", "2x", " 2", "rt", "idl", "best effort", "4294967298", "é"] {
        let outcome = run(link("ionice").args(["-c", bad, "echo", "ran"]));
        assert_eq!(outcome, misuse("ionice", &format!("unknown class: {}", given(bad))), "{bad}");
    }
    for bad in ["8", "9", "-1", "+1", "1x", " 1", "0x1", "263"] {
        let outcome = run(link("ionice").args(["-n", bad, "echo", "ran"]));
        assert_eq!(
            outcome,
            misuse("ionice", &format!("not a priority from 0 to 7: {}", given(bad))),
            "{bad}"
        );
    }
    for option in ["-t", "-p", "-P", "-u"] {
        let outcome = run(link("ionice").args([option, "1", "echo", "ran"]));
        assert_eq!(outcome, misuse("ionice", &format!("invalid option '{option}'")));
    }
}
