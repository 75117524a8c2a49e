//! taskset.

use std::fs;

use nix::errno::Errno;

use crate::needs;
use crate::support::*;

/// The CPUs of what taskset with these words executes.
fn cpus(words: &[&str]) -> Outcome {
    let outcome = run(link("taskset").args(words).args(["cat", "/proc/self/status"]));
    Outcome { stdout: format!("{}\n", list(&outcome.stdout)), ..outcome }
}

fn list(status: &str) -> String {
    let found = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    found.unwrap_or_default().trim().to_owned()
}

/// The first and the last CPU that the tests may use.
fn own() -> (usize, usize) {
    let list = list(&fs::read_to_string("/proc/self/status").unwrap());
    let numbers = list.split([',', '-']).map(|number| number.parse().unwrap());
    let numbers: Vec<usize> = numbers.collect();
    (numbers[0], numbers[numbers.len() - 1])
}

/// The first CPU that the tests may use.
pub(crate) fn first() -> String {
    own().0.to_string()
}

/// More CPUs than one, all from the first to the last.
fn several() -> Result<(), String> {
    let (first, last) = own();
    let all = list(&fs::read_to_string("/proc/self/status").unwrap()) == format!("{first}-{last}");
    if all { Ok(()) } else { Err("two CPUs".into()) }
}

/// CPUs 0 and 1 alone.
pub(crate) fn two() -> Result<(), String> {
    several()?;
    if own() == (0, 1) { Ok(()) } else { Err("a machine with two CPUs".into()) }
}

fn mask(cpu: usize) -> String {
    format!("{:x}{}", 1 << (cpu % 4), "0".repeat(cpu / 4))
}

#[test]
fn a_list_has_numbers_and_ranges() {
    let (first, last) = own();
    for (list, expected) in [
        (format!("{first}"), first),
        (format!("0{last}"), last),
        (format!("{first},{first}"), first),
        (format!("{last}-{last}"), last),
        (format!("{last},8000"), last),
        (format!("{last}-4294967296:8192"), last),
        (format!("{first},99999999999"), first),
    ] {
        assert_eq!(cpus(&["-c", &list]), prints(format!("{expected}\n")), "{list}");
        assert_eq!(cpus(&["-c", "--", &list]), prints(format!("{expected}\n")), "{list}");
    }
}

#[test]
fn a_mask_has_a_bit_for_each() {
    let (first, last) = own();
    for cpu in [first, last] {
        for mask in [mask(cpu), format!("0x{}", mask(cpu)), format!("1{:0>2000}", mask(cpu))] {
            assert_eq!(cpus(&[&mask]), prints(format!("{cpu}\n")), "{mask}");
        }
    }
    assert_eq!(cpus(&[&format!("0x{}", "f".repeat(2048))]).status, 0);
}

#[test]
fn of_those_named_all_that_are_there_count() {
    needs!(several());
    let (first, last) = own();
    let all = prints(format!("{first}-{last}\n"));
    assert_eq!(cpus(&["-c", &format!("{first}-{last}")]), all);
    assert_eq!(cpus(&["-c", "0-99999999"]), all);
    assert_eq!(cpus(&["ffffffff,ffffffff,ffffffff,ffffffff"]), all);
    let second = first + 1;
    let every = cpus(&["-c", &format!("{first}-{second}:2,{second}-{second}:7")]);
    assert_eq!(every, prints(format!("{first}-{second}\n")));
    assert_eq!(cpus(&["-c", &format!("{first}-{second}:2")]), prints(format!("{first}\n")));
    let back = cpus(&["-c", &first.to_string(), "taskset", "-c", &second.to_string()]);
    assert_eq!(back, prints(format!("{second}\n")), "the last one counts");
}

#[test]
fn with_none_that_is_there_nothing_runs() {
    for (words, asked) in [(&["-c", "8191"][..], "8191"), (&["-c", "8192-99999999999"], "8192-99999999999")] {
        let outcome = run(link("taskset").args(words).args(["echo", "ran"]));
        let message = format!("unable to run on the CPUs {asked} alone: {}", says(Errno::EINVAL));
        let hint = "none of them is there, or the cpuset of the cgroup has none of them";
        let expected = fails(111, format!("taskset: fatal: {message}\ntaskset: hint: {hint}\n"));
        assert_eq!(outcome, expected, "{words:?}");
    }
}

#[test]
fn what_is_no_list_or_no_mask_is_a_usage_error() {
    let bad_lists = [
        ",", "0,", ",0", "0,,1", "1-0", "0-", "-1", "0:2", "0-3:0", "0-3:1:1", "0-1-2", "x", "0x1", "+1",
        " 0", "0, 1", "0-é",
    ];
    for bad in bad_lists {
        let outcome = run(link("taskset").args(["-c", "--", bad, "echo", "ran"]));
        assert_eq!(outcome, misuse("taskset", &format!("invalid list of CPUs: {}", given(bad))), "{bad}");
    }
    for bad in ["0x", "0X1", "0x0", "x", "3g", "3,", ",00000001", "+1", " 1", "é"] {
        let outcome = run(link("taskset").args([bad, "echo", "ran"]));
        assert_eq!(outcome, misuse("taskset", &format!("invalid mask of CPUs: {}", given(bad))), "{bad}");
    }
    for option in ["-p", "-a"] {
        let outcome = run(link("taskset").args([option, "1", "echo", "ran"]));
        assert_eq!(outcome, misuse("taskset", &format!("invalid option '{option}'")));
    }
}

#[test]
fn a_list_without_its_option_is_told_of_it() {
    for list in ["0", "0,3", "1-3", "0-3:2"] {
        let outcome = run(link("taskset").args([list, "echo", "ran"]));
        let mut expected = misuse("taskset", &format!("invalid mask of CPUs: {list}"));
        expected.stderr.push_str("taskset: hint: a list needs -c in front of it\n");
        assert_eq!(outcome, expected, "{list}");
    }
}
