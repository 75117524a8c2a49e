//! nice.

use nix::errno::Errno;

use crate::needs;
use crate::support::*;

/// Shows the niceness that it has itself.
const SHOW: [&str; 3] = ["sh", "-c", "cut -d ' ' -f 19 /proc/self/stat"];

/// The niceness of what nice with these words executes, more than the tests' own.
fn more(words: &[&str]) -> i32 {
    let niceness = |outcome: Outcome| {
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{words:?}");
        outcome.stdout.trim().parse::<i32>().unwrap()
    };
    niceness(run(link("nice").args(words).args(SHOW))) - own()
}

/// The niceness of the tests themselves.
pub(crate) fn own() -> i32 {
    run(prepared(SHOW[0]).args(&SHOW[1..])).stdout.trim().parse().unwrap()
}

/// Words in front of a command that is executed by an account that may not lower the niceness.
const NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/// nice with these words, executed by such an account.
fn unprivileged(words: &[&str]) -> Outcome {
    let directory = open_directory();
    let ours = directory.path().join("nice");
    install(&bin().join("nice"), &ours);
    let without = if root().is_ok() { &NOBODY[..] } else { &[] };
    run(prepared("env").args(without).arg(ours).args(words))
}

fn refused(to: i32, hint: &str) -> Outcome {
    let (own, denied) = (own(), says(Errno::EACCES));
    let message = format!("unable to change the niceness from {own} to {to}: {denied}");
    fails(111, format!("nice: fatal: {message}\nnice: hint: {hint}\n"))
}

#[test]
fn ten_is_added_if_no_increment_is_given() {
    let most = 19 - own();
    assert_eq!(more(&[]), 10.min(most));
    assert_eq!(more(&["--"]), 10.min(most));
}

#[test]
fn an_increment_is_added_as_far_as_there_is_a_niceness() {
    let most = 19 - own();
    for (increment, added) in [
        ("0", 0),
        ("-0", 0),
        ("+0", 0),
        ("1", 1),
        ("+2", 2),
        ("003", 3),
        ("19", 19),
        ("20", 20),
        ("40", 40),
        ("2147483647", 40),
        ("2147483648", 40), // chpst takes it for a negative one
        ("4294967295", 40),
        ("18446744073709551617", 40),
    ] {
        assert_eq!(more(&["-n", increment]), added.min(most), "{increment}");
        assert_eq!(more(&[&format!("-n{increment}")]), added.min(most), "{increment}");
        assert_eq!(more(&["-n", increment, "--"]), added.min(most), "{increment}");
    }
}

#[test]
fn the_last_of_several_increments_counts() {
    assert_eq!(more(&["-n", "7", "-n", "1"]), 1);
    assert_eq!(more(&["-n1", "-n", "0"]), 0);
}

#[test]
fn two_in_a_chain_add_up() {
    let most = 19 - own();
    assert_eq!(more(&["-n", "1", "nice", "-n", "2"]), 3.min(most));
    assert_eq!(more(&["nice"]), 20.min(most));
}

#[test]
fn a_negative_increment_lowers_the_niceness() {
    needs!(lowered());
    let least = -20 - own();
    for (increment, added) in [
        ("-1", -1),
        ("-5", -5),
        ("-20", -20),
        ("-21", -21),
        ("-2147483648", -40),
        ("-99999999999999999999", -40),
    ] {
        assert_eq!(more(&["-n", increment]), added.max(least), "{increment}");
        assert_eq!(more(&[&format!("-n{increment}")]), added.max(least), "{increment}");
    }
    assert_eq!(more(&["-n", "5", "nice", "-n", "-3"]), 2);
}

/// Whether the tests may lower the niceness: root in a container may not.
pub(crate) fn lowered() -> Result<(), String> {
    tool("renice")?;
    let possible = run(prepared("sh").args(["-c", "renice -n -20 -p $$"])).status == 0;
    if possible { Ok(()) } else { Err("the right to lower the niceness".into()) }
}

#[test]
fn who_may_not_lower_the_niceness_runs_nothing_and_is_told_where_to_put_it() {
    let hint =
        "only root may lower it: put nice right after setuidgid, which lends it the right, or before it";
    for (increment, to) in [("-1", own() - 1), ("-3", own() - 3), ("-60", -20)] {
        let outcome = unprivileged(&["-n", increment, "echo", "ran"]);
        assert_eq!(outcome, refused(to, hint), "{increment}");
    }
    for increment in ["0", "-0", "1", "99"] {
        assert_eq!(unprivileged(&["-n", increment, "echo", "ran"]), prints("ran\n"), "{increment}");
    }
}

#[test]
fn root_without_the_capability_is_told_so() {
    needs!(root());
    let mut command = prepared("setpriv");
    command.args(["--bounding-set=-sys_nice", "nice", "-n", "-1", "echo", "ran"]);
    let hint = "root has no CAP_SYS_NICE here, as in a container that was started without it";
    assert_eq!(run(&mut command), refused(own() - 1, hint));
}

#[test]
fn an_account_with_the_capability_for_it_may_lower_the_niceness() {
    needs!(root(), lowered());
    let directory = open_directory();
    let ours = directory.path().join("nice");
    install(&bin().join("nice"), &ours);
    let capable = ["--inh-caps=+sys_nice", "--ambient-caps=+sys_nice"];
    let mut command = prepared(NOBODY[0]);
    command.args(&NOBODY[1..]).args(capable).arg(ours).args(["-n", "-8"]).args(SHOW);
    assert_eq!(run(&mut command), prints(format!("{}\n", own() - 8)));
}

#[test]
fn right_after_setuidgid_or_before_it_the_niceness_can_be_lowered() {
    needs!(root(), lowered());
    let line = |words: &str| run(link("catena").args(words.split(' ')).args(SHOW));
    assert_eq!(line("nice -n -5 setuidgid :65534:65533"), prints(format!("{}\n", own() - 5)));
    let hint =
        "only root may lower it: put nice right after setuidgid, which lends it the right, or before it";
    assert_eq!(line("setuidgid :65534:65533 nice -n -5"), prints(format!("{}\n", own() - 5)));
    assert_eq!(line("setuidgid :65534:65533 umask 022 nice -n -5"), refused(own() - 5, hint));
}

#[test]
fn an_increment_that_is_no_number_is_a_usage_error() {
    for bad in
        ["", "-", "+", "--", "--5", "+-5", "-+5", " 5", "5 ", "5\n", "5x", "0x5", "1.0", "1k", "five", "é"]
    {
        let outcome = run(link("nice").args(["-n", bad, "echo", "ran"]));
        assert_eq!(outcome, misuse("nice", &format!("invalid increment: {}", given(bad))), "{bad:?}");
    }
    assert_eq!(run(link("nice").arg("-n")), misuse("nice", "missing argument for option '-n'"));
}

#[test]
fn the_old_forms_of_coreutils_are_usage_errors() {
    for (word, option) in [("-5", "-5"), ("--5", "--5"), ("--adjustment=5", "--adjustment")] {
        let outcome = run(link("nice").args([word, "echo", "ran"]));
        assert_eq!(outcome, misuse("nice", &format!("invalid option '{option}'")), "{word}");
    }
}
