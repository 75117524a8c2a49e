//! choom.

use nix::errno::Errno;

use crate::needs;
use crate::support::*;

/// Shows its own adjustment.
const SHOW: [&str; 2] = ["cat", "/proc/self/oom_score_adj"];

fn adjusted(words: &[&str]) -> Outcome {
    run(link("choom").args(words).args(SHOW))
}

/// The tests' own.
fn own() -> i32 {
    run(prepared(SHOW[0]).arg(SHOW[1])).stdout.trim().parse().unwrap()
}

/// Whether a shell can have this adjustment: most may only raise their own, and lower it again to the least that it has
/// been set to with the right to.
fn is_allowed(adjustment: i32) -> bool {
    run(&mut sh(&format!("{{ echo {adjustment} >/proc/self/oom_score_adj; }} 2>/dev/null"))).status == 0
}

fn refused(adjustment: i32, hint: &str) -> Outcome {
    let message = format!("unable to change oom_score_adj to {adjustment}: {}", says(Errno::EACCES));
    fails(111, format!("choom: fatal: {message}\nchoom: hint: {hint}\n"))
}

const NOBODY: [&str; 3] = ["--reuid=65534", "--regid=65534", "--clear-groups"];

#[test]
fn an_adjustment_can_be_raised_by_anybody() {
    let own = own();
    for (text, adjustment) in [("1000", 1000), ("999", 999), ("+998", 998), ("00997", 997)] {
        if adjustment > own {
            assert_eq!(adjusted(&["-n", text]), prints(format!("{adjustment}\n")), "{text}");
            assert_eq!(adjusted(&[&format!("-n{text}"), "--"]), prints(format!("{adjustment}\n")), "{text}");
        }
    }
    assert_eq!(adjusted(&["-n", &own.to_string()]), prints(format!("{own}\n")));
    assert_eq!(adjusted(&["-n", "5x"]).status, 100);
    assert_eq!(adjusted(&["-n", "1000", "-n", "999"]), prints("999\n"), "the last one counts");
}

#[test]
fn it_can_be_lowered_by_those_who_may() {
    let hint = if root().is_ok() {
        "root has no CAP_SYS_RESOURCE here, as in a container that was started without it"
    } else {
        "only root may: put choom before or right behind setuidgid"
    };
    for text in ["-1000", "-1", "0", "-0", "-007"] {
        let adjustment = text.parse::<i32>().unwrap();
        // Who may is for the kernel to say.
        let expected = if is_allowed(adjustment) {
            prints(format!("{adjustment}\n"))
        } else {
            refused(adjustment, hint)
        };
        assert_eq!(adjusted(&["-n", text]), expected, "{text}");
    }
}

#[test]
fn an_account_raises_its_own() {
    needs!(root());
    let line = |words: &str| run(link("catena").args(words.split(' ')).args(SHOW));
    assert_eq!(line("setuidgid :65534:65533 choom -n 1000"), prints("1000\n"));
    assert_eq!(line("setuidgid :65534:65533 umask 022 choom -n 999"), prints("999\n"));
    assert_eq!(line("choom -n 998 setuidgid :65534:65533"), prints("998\n"));
    let directory = open_directory();
    let ours = directory.path().join("choom");
    install(&bin().join("choom"), &ours);
    let outcome = run(prepared("setpriv").args(NOBODY).arg(ours).args(["-n", "1000"]).args(SHOW));
    assert_eq!(outcome, prints("1000\n"));
}

#[test]
fn who_may_not_lower_it_runs_nothing_and_is_told_where_to_put_it() {
    let directory = open_directory();
    let ours = directory.path().join("choom");
    install(&bin().join("choom"), &ours);
    let mut command = prepared(if root().is_ok() { "setpriv" } else { "env" });
    command.args(NOBODY.iter().filter(|_| root().is_ok()));
    command.arg(&ours).args(["-n", "-1000", "echo", "ran"]);
    let hint = "only root may: put choom before or right behind setuidgid";
    assert_eq!(run(&mut command), refused(-1000, hint));
}

#[test]
fn root_without_the_capability_is_told_so() {
    needs!(root());
    let mut command = prepared("setpriv");
    command.args(["--bounding-set=-sys_resource", "choom", "-n", "-1000", "echo", "ran"]);
    let hint = "root has no CAP_SYS_RESOURCE here, as in a container that was started without it";
    assert_eq!(run(&mut command), refused(-1000, hint));
}

#[test]
fn a_file_that_is_not_on_a_procfs_is_not_written() {
    needs!(mounts());
    let script = "mount -t tmpfs none /proc && mkdir /proc/self && echo 7 >/proc/self/oom_score_adj || exit
        choom -n 1000 echo ran
        echo $? \"$(cat /proc/self/oom_score_adj)\"";
    let mut command = prepared("unshare");
    let outcome = run(command.args(["--mount", "--propagation=private", "sh", "-c", script]));
    let message = format!("unable to open /proc/self/oom_score_adj: {}", says(Errno::ENOENT));
    let hint = "it needs a /proc, which a new root directory may not have";
    let stderr = format!("choom: fatal: {message}\nchoom: hint: {hint}\n");
    assert_eq!(outcome, Outcome { stderr, ..prints("111 7\n") });
}

#[test]
fn what_is_no_adjustment_is_a_usage_error() {
    for bad in ["-", "+", "1001", "-1001", "--5", " 5", "5 ", "5\n", "5x", "0x5", "1.0", "2147483648", "é"] {
        let outcome = run(link("choom").args(["-n", bad, "echo", "ran"]));
        let problem = format!("not a number from -1000 to 1000: {}", given(bad));
        assert_eq!(outcome, misuse("choom", &problem), "{bad:?}");
    }
    assert_eq!(run(link("choom").args(["echo", "ran"])), misuse("choom", "missing -n"));
    assert_eq!(run(link("choom").arg("-n")), misuse("choom", "missing argument for option '-n'"));
    let outcome = run(link("choom").args(["-p", "1", "-n", "5"]));
    assert_eq!(outcome, misuse("choom", "invalid option '-p'"));
}
