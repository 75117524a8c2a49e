//! softlimit.

use std::fs;

use std::collections::BTreeMap;

use nix::errno::Errno;

use crate::needs;
use crate::support::*;

/// Soft and hard limits to start from, in prlimit's words.
const START: [&str; 10] = [
    "--as=1099511627776:2199023255552",
    "--core=1000:2000",
    "--cpu=1000:2000",
    "--data=1099511627776:2199023255552",
    "--fsize=1000000:2000000",
    "--memlock=1000:2000",
    "--nofile=500:1000",
    "--nproc=5000:6000",
    "--rss=1000000:2000000",
    "--stack=8388608:67108864",
];

/// Limits that [`START`] is within: only with a privilege that even root may lack can they be raised.
fn room() -> Result<(), String> {
    tool("prlimit")?;
    let possible = run(prepared("prlimit").args(START).arg("true")).status == 0;
    if possible { Ok(()) } else { Err("hard limits above those that the tests start from".into()) }
}

/// All limits of what `words` execute, by name: "soft hard".
fn limits(words: &[&str]) -> BTreeMap<String, String> {
    let outcome = run(prepared("prlimit").args(START).args(words).args(["cat", "/proc/self/limits"]));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{words:?}");
    let limit = |line: &str| {
        let (name, limits) = line.split_at(26);
        let limits = limits.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        (name.trim().trim_start_matches("Max ").to_owned(), limits)
    };
    outcome.stdout.lines().skip(1).map(limit).collect()
}

/// The limits that softlimit with these words changes, by name: "soft hard" as they are then.
fn changes(words: &[&str]) -> Vec<(String, String)> {
    let before = limits(&[]);
    let after = limits(&[&["softlimit"], words].concat());
    assert_eq!(before.len(), after.len());
    after.into_iter().filter(|(name, limits)| before[name] != *limits).collect()
}

fn are(limits: &[(&str, &str)]) -> Vec<(String, String)> {
    limits.iter().map(|(name, limits)| ((*name).to_owned(), (*limits).to_owned())).collect()
}

/// Runs softlimit with these words from the same start, without the privilege to raise a hard limit.
fn unprivileged(words: &[&str]) -> Outcome {
    let without: &[&str] = if root().is_ok() { &["setpriv", "--bounding-set=-sys_resource"] } else { &[] };
    run(prepared("prlimit").args(START).args(without).arg("softlimit").args(words).args(["echo", "ran"]))
}

fn refused(resource: &str) -> Outcome {
    let hint = "only CAP_SYS_RESOURCE raises a hard limit, which root may lack in a container: put softlimit right \
        after setuidgid, which lends it, or before it";
    refused_with(resource, hint)
}

fn refused_with(resource: &str, hint: &str) -> Outcome {
    let reason = says(Errno::EPERM);
    fails(111, format!("softlimit: fatal: unable to set {resource}: {reason}\nsoftlimit: hint: {hint}\n"))
}

#[test]
fn without_options_nothing_changes() {
    needs!(room());
    for words in [&[][..], &["--"], &["-H"], &["-h"]] {
        assert_eq!(changes(words), are(&[]));
    }
}

#[test]
fn each_letter_sets_the_soft_limit_of_one_resource() {
    needs!(room());
    for (letter, value, name, limits) in [
        ("-a", "1099511627777", "address space", "1099511627777 2199023255552"),
        ("-c", "1001", "core file size", "1001 2000"),
        ("-d", "1099511627777", "data size", "1099511627777 2199023255552"),
        ("-f", "1000001", "file size", "1000001 2000000"),
        ("-l", "1001", "locked memory", "1001 2000"),
        ("-o", "501", "open files", "501 1000"),
        ("-p", "5001", "processes", "5001 6000"),
        ("-r", "1000001", "resident set", "1000001 2000000"),
        ("-s", "8388609", "stack size", "8388609 67108864"),
        ("-t", "1001", "cpu time", "1001 2000"),
    ] {
        assert_eq!(changes(&[letter, value]), are(&[(name, limits)]), "{letter}");
        assert_eq!(changes(&[&format!("{letter}{value}")]), are(&[(name, limits)]), "{letter}");
    }
}

#[test]
fn the_letter_p_in_upper_case_is_the_real_time_priority() {
    needs!(room(), tool("setpriv"));
    // The hard limit is mostly 0, and so is the soft one then.
    let hard = limits(&[])["realtime priority"].split(' ').next_back().unwrap().to_owned();
    let after = limits(&["softlimit", "-P", "99"]);
    let expected = if hard == "0" { "0" } else { "99" };
    assert_eq!(after["realtime priority"], format!("{expected} {hard}"));
    if hard == "0" {
        assert_eq!(unprivileged(&["-H", "-P", "1"]), refused("RLIMIT_RTPRIO"));
    }
}

#[test]
fn m_is_data_stack_locked_memory_and_address_space_each_up_to_its_hard_limit() {
    needs!(room());
    assert_eq!(
        changes(&["-m", "2147483648"]),
        are(&[
            ("address space", "2147483648 2199023255552"),
            ("data size", "2147483648 2199023255552"),
            ("locked memory", "2000 2000"),
            ("stack size", "67108864 67108864"),
        ])
    );
    assert_eq!(
        changes(&["-m", "="]),
        are(&[
            ("address space", "2199023255552 2199023255552"),
            ("data size", "2199023255552 2199023255552"),
            ("locked memory", "2000 2000"),
            ("stack size", "67108864 67108864"),
        ])
    );
}

#[test]
fn a_value_is_a_number_the_hard_limit_or_unlimited() {
    needs!(room());
    for (value, limits) in [
        ("0", "0 2000"),
        ("7", "7 2000"),
        ("010", "10 2000"), // decimal all the same
        ("2000", "2000 2000"),
        ("=", "2000 2000"),
        ("unlimited", "2000 2000"),
    ] {
        assert_eq!(changes(&["-c", value]), are(&[("core file size", limits)]), "{value}");
        assert_eq!(changes(&[&format!("-c{value}")]), are(&[("core file size", limits)]), "{value}");
    }
}

#[test]
fn above_the_hard_limit_it_is_the_hard_limit() {
    needs!(room());
    for value in ["1001", "4294967296", "18446744073709551614", "18446744073709551615", "unlimited"] {
        assert_eq!(changes(&["-o", value]), are(&[("open files", "1000 1000")]), "{value}");
    }
}

#[test]
fn unlimited_is_no_limit_where_the_hard_one_is_none() {
    needs!(tool("prlimit"));
    let hard = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_CPU).unwrap().1;
    if hard != nix::sys::resource::RLIM_INFINITY {
        return skip("no hard limit of CPU time");
    }
    for value in ["unlimited", "=", "18446744073709551615"] {
        let show = ["prlimit", "--cpu", "--noheadings", "--output=SOFT,HARD"];
        let outcome =
            run(prepared("prlimit").args(["--cpu=1000:unlimited", "softlimit", "-t", value]).args(show));
        let columns = outcome.stdout.split_whitespace().collect::<Vec<_>>();
        assert_eq!(columns, ["unlimited", "unlimited"], "{value}: {outcome:?}");
    }
}

#[test]
fn after_a_capital_h_it_is_the_soft_and_the_hard_limit() {
    needs!(room());
    for (words, limits) in [
        (&["-H", "-o", "700"][..], "700 700"),
        (&["-Ho700"], "700 700"),
        (&["-H", "-o", "300"], "300 300"),
        (&["-H", "-o", "1000"], "1000 1000"),
        (&["-H", "-o", "="], "1000 1000"),
    ] {
        assert_eq!(changes(words), are(&[("open files", limits)]), "{words:?}");
    }
}

#[test]
fn after_a_small_h_it_is_the_hard_limit_and_the_soft_one_where_it_was_above() {
    needs!(room());
    for (words, limits) in [
        (&["-h", "-o", "700"][..], "500 700"),
        (&["-ho700"], "500 700"),
        (&["-h", "-o", "500"], "500 500"),
        (&["-h", "-o", "300"], "300 300"),
    ] {
        assert_eq!(changes(words), are(&[("open files", limits)]), "{words:?}");
    }
    assert_eq!(changes(&["-h", "-o", "="]), are(&[]));
    assert_eq!(changes(&["-h", "-o", "1000"]), are(&[]));
}

#[test]
fn either_h_is_for_what_follows() {
    needs!(room());
    let open = |limits| are(&[("open files", limits)]);
    assert_eq!(changes(&["-o", "700", "-H"]), open("700 1000"));
    assert_eq!(changes(&["-o", "700", "-h"]), open("700 1000"));
    assert_eq!(changes(&["-H", "-h", "-o", "700"]), open("500 700"));
    assert_eq!(changes(&["-h", "-H", "-o", "700"]), open("700 700"));
    assert_eq!(changes(&["-H", "-o", "700", "-h", "-o", "600"]), open("600 600"));
    assert_eq!(
        changes(&["-c", "300", "-h", "-o", "700", "-t", "1500", "-H", "-f", "1500000"]),
        are(&[
            ("core file size", "300 2000"),
            ("cpu time", "1000 1500"),
            ("file size", "1500000 1500000"),
            ("open files", "500 700"),
        ])
    );
}

#[test]
fn they_are_set_in_the_order_given_and_the_last_wins() {
    needs!(room());
    let open = |limits| are(&[("open files", limits)]);
    assert_eq!(changes(&["-o", "300", "-o", "400"]), open("400 1000"));
    assert_eq!(changes(&["-o", "400", "-o", "300"]), open("300 1000"));
    assert_eq!(changes(&["-h", "-o", "700", "-o", "="]), open("500 700"));
    assert_eq!(changes(&["-o", "=", "-h", "-o", "700"]), open("700 700"));
    let stack = |words: &[&str]| changes(words).into_iter().find(|(name, _)| name == "stack size").unwrap().1;
    assert_eq!(stack(&["-m", "2147483648", "-s", "4000000"]), "4000000 67108864");
    assert_eq!(stack(&["-s", "4000000", "-m", "2147483648"]), "67108864 67108864");
}

#[test]
fn a_hard_limit_is_not_raised_without_privilege_and_nothing_runs() {
    needs!(room(), tool("setpriv"));
    for words in [
        &["-H", "-o", "1001"][..],
        &["-h", "-o", "1001"],
        &["-H", "-o", "unlimited"],
        &["-h", "-o", "unlimited"],
        &["-c", "300", "-H", "-o", "1001", "-t", "300"],
        &["-H", "-o", "700", "-o", "701"], // the first took it down
    ] {
        let most = fs::read_to_string("/proc/sys/fs/nr_open").unwrap();
        let hint = format!("the hard limit would be more than fs.nr_open, which is {}", most.trim());
        let too_many = words.contains(&"unlimited");
        let expected = if too_many { refused_with("RLIMIT_NOFILE", &hint) } else { refused("RLIMIT_NOFILE") };
        assert_eq!(unprivileged(words), expected, "{words:?}");
    }
    for (letter, resource) in [
        ("-a", "RLIMIT_AS"),
        ("-c", "RLIMIT_CORE"),
        ("-d", "RLIMIT_DATA"),
        ("-f", "RLIMIT_FSIZE"),
        ("-l", "RLIMIT_MEMLOCK"),
        ("-p", "RLIMIT_NPROC"),
        ("-r", "RLIMIT_RSS"),
        ("-s", "RLIMIT_STACK"),
        ("-t", "RLIMIT_CPU"),
    ] {
        assert_eq!(unprivileged(&["-H", letter, "unlimited"]), refused(resource), "{letter}");
        assert_eq!(unprivileged(&["-h", letter, "unlimited"]), refused(resource), "{letter}");
    }
    // -m as far as it comes: what one of its four is refused for is the end.
    assert_eq!(unprivileged(&["-H", "-m", "2147483648"]), refused("RLIMIT_STACK"));
}

#[test]
fn a_hard_limit_is_raised_where_the_system_allows_it() {
    needs!(room());
    // Whether it does is for the kernel to say: prlimit tries the same.
    let allowed =
        run(prepared("prlimit").args(START).args(["prlimit", "--core=3000:3000", "true"])).status == 0;
    if allowed {
        assert_eq!(changes(&["-H", "-c", "3000"]), are(&[("core file size", "3000 3000")]));
        assert_eq!(changes(&["-h", "-c", "3000"]), are(&[("core file size", "1000 3000")]));
        assert_eq!(changes(&["-H", "-P", "5"]), are(&[("realtime priority", "5 5")]));
    } else {
        let raise = ["softlimit", "-H", "-c", "3000", "echo", "ran"];
        assert_eq!(run(prepared("prlimit").args(START).args(raise)), refused("RLIMIT_CORE"));
    }
}

#[test]
fn more_open_files_than_the_system_allows_anybody_are_refused_with_how_many_it_allows() {
    needs!(root());
    let most = fs::read_to_string("/proc/sys/fs/nr_open").unwrap();
    let most: u64 = most.trim().parse().unwrap();
    let hint = format!("the hard limit would be more than fs.nr_open, which is {most}");
    for which in ["-H", "-h"] {
        let outcome = run(link("softlimit").args([which, "-o", &(most + 1).to_string(), "echo", "ran"]));
        assert_eq!(outcome, refused_with("RLIMIT_NOFILE", &hint), "{which}");
        let outcome = run(link("softlimit").args([which, "-o", &most.to_string(), "echo", "ran"]));
        assert!(outcome == prints("ran\n") || outcome == refused("RLIMIT_NOFILE"), "{which}: {outcome:?}");
    }
}

#[test]
fn an_invalid_limit_is_a_usage_error() {
    let bad = "- -1 +5 1k 1K 0x10 1.5 1e3 hard Unlimited infinity == =1 1= ٣ 18446744073709551616";
    for bad in ["", " ", " 7", "7 ", "7\n"].into_iter().chain(bad.split(' ')) {
        let problem = format!("invalid limit: {}", given(bad));
        for letter in ["-a", "-c", "-d", "-f", "-l", "-m", "-o", "-p", "-r", "-s", "-t", "-P"] {
            let outcome = run(link("softlimit").args([letter, bad, "echo", "ran"]));
            assert_eq!(outcome, misuse("softlimit", &problem), "{letter} {bad:?}");
        }
        let outcome = run(link("softlimit").args(["-H", "-o", "300", "-c", bad, "echo", "ran"]));
        assert_eq!(outcome, misuse("softlimit", &problem), "{bad:?}");
    }
}

#[test]
fn a_missing_value_is_a_usage_error() {
    for letter in ["-a", "-c", "-d", "-f", "-l", "-m", "-o", "-p", "-r", "-s", "-t", "-P"] {
        let problem = format!("missing argument for option '{letter}'");
        assert_eq!(run(link("softlimit").arg(letter)), misuse("softlimit", &problem));
        assert_eq!(run(link("softlimit").args(["-H", "-o", "5", letter])), misuse("softlimit", &problem));
    }
    // Two dashes there are a value, and none that is one.
    let outcome = run(link("softlimit").args(["-o", "--", "echo", "ran"]));
    assert_eq!(outcome, misuse("softlimit", "invalid limit: --"));
}
