//! The lines of `config`.

use super::harness::*;
use crate::support::*;

both!(svlog;
    a_config_that_cannot_be_read_is_reported_and_ignored,
    a_long_config_is_read_to_its_end,
    a_prefix_is_all_of_the_line,
    a_size_may_be_in_k_and_m,
    an_invalid_address_is_reported,
    every_directory_has_its_own_config,
    the_last_line_counts_and_needs_no_newline,
    lines_of_unknown_letters_are_ignored,
);

fn lines_of_unknown_letters_are_ignored(of: Program) {
    let config =
        "# a comment\n#pno\n\nzunknown\no block\nooldest\n pindented\n\tpindented\n?\n\u{e4}\npyes \n";
    let log = fed(of, &[], config, "x\n");
    assert_eq!((log.all().as_str(), log.stderr().as_str()), ("yes x\n", ""));
}

fn the_last_line_counts_and_needs_no_newline(of: Program) {
    assert_eq!(fed(of, &[], "pA\npB", "x\n").all(), "Bx\n");
    assert_eq!(fed(of, &[], "-*\n+a*", "a\nb\n").all(), "a\n");
    let log = fed(of, &["-l", "20"], "s9000\ns2k\nn5\nn0", lines(1, 600));
    assert_eq!((log.archives().len(), log.all()), (3, lines(1, 600)));
}

fn a_prefix_is_all_of_the_line(of: Program) {
    assert_eq!(fed(of, &[], "pA\r\n!\n", "x\n").all(), "A\rx\n");
    assert_eq!(fed(of, &[], "pA\np +#*\\n\n", "x\n").all(), " +#*\\nx\n");
}

fn a_long_config_is_read_to_its_end(of: Program) {
    let config = "# a comment of some length\n".repeat(5000) + "-*\n+*b\npEND ";
    assert_eq!(fed(of, &[], &config, "a\nb\n").all(), "END b\n");
}

fn every_directory_has_its_own_config(of: Program) {
    let mut log = Log::prepare(of, "pone \n-b\n");
    log.add("two", "ptwo \n-a\n");
    log.add("three", "");
    log.run();
    log.write("a\nb\nc\n");
    log.finish();
    assert_eq!(log.all(), "one a\none c\n");
    assert_eq!(log.all_of("two"), "two b\ntwo c\n");
    assert_eq!(log.all_of("three"), "a\nb\nc\n");
}

fn a_size_may_be_in_k_and_m(of: Program) {
    let log = fed(of, &["-l", "20"], "s1k\nn0\n", lines(1, 300));
    let size = |name: &String| log.read(name).len();
    let sizes: Vec<usize> = log.archives().iter().map(size).collect();
    assert_eq!(sizes.len(), 3);
    assert!(sizes.iter().all(|size| (1004..1024 + 11).contains(size)), "{sizes:?}");
    let log = fed(of, &["-l", "20"], "s1m\n", lines(1, 100_000));
    assert_eq!(log.archives().len(), 1);
    let size = log.read(&log.archives()[0]).len();
    assert!(((1 << 20) - 20..(1 << 20) + 11).contains(&size), "{size}");
}

#[test]
fn the_last_of_two_sizes_counts_and_zero_is_without_end() {
    for config in ["s2000\ns0\n", "s2000\ns0k\n"] {
        let log = fed(Svlog, &[], config, lines(1, 300));
        assert_eq!((log.archives().len(), log.all()), (0, lines(1, 300)), "{config:?}");
    }
    let log = fed(Svlog, &[], "s2000\nn1\nn0\n", lines(1, 2000));
    assert_eq!(log.archives().len(), 21);
}

// svlogd knows k and m in lower case, and takes what it does not know for bytes: a log of 10 bytes with 3 archives.
#[test]
fn sizes_have_units_in_either_case() {
    for (config, archives) in
        [("s2K\n", 2), ("s2k\n", 2), ("s1.5K\n", 3), ("s1M\n", 0), ("s10M\n", 0), ("s1g\n", 0)]
    {
        let log = fed(Svlog, &["-l", "20"], &format!("{config}n0\n"), lines(1, 450));
        assert_eq!((log.archives().len(), log.all()), (archives, lines(1, 450)), "{config}");
        assert_eq!(log.stderr(), "", "{config}");
    }
}

#[test]
fn trailing_text_makes_a_line_invalid_and_the_message_says_what_is_expected() {
    let bytes = "bytes, or a size with its unit: 512K, 10M, 1G";
    let age = "seconds, or a time with its unit: 30s, 10m, 12h, 1d";
    for (line, expected) in [
        ("s10q", bytes),
        ("s10 M", bytes),
        ("s10M # ten", bytes),
        ("s10MB", bytes),
        ("n5x", "a number"),
        ("n5k", "a number"),
        ("N2 ", "a number"),
        ("t3w", age),
        ("t1m30s", age),
        ("onewest", "block, oldest or new"),
        ("u192.0.2", "an IPv4 address, and a port: 192.0.2.1:514"),
    ] {
        let log = fed(Svlog, &[], &format!("{line}\npP\n"), lines(1, 2000));
        assert_eq!((log.archives().len(), log.all().lines().count()), (0, 2000), "{line}");
        let said = format!(
            "svlog log: warning: config: invalid value \"{line}\": expected {expected}; using the default\n"
        );
        assert_eq!(log.stderr(), said);
    }
}

// To svlogd it is a zero: no rotation, or no end of archives.
#[test]
fn an_invalid_number_is_reported_and_changes_nothing() {
    for bad in [
        "sx",
        "s",
        "s-1",
        "s 1500",
        "nx",
        "n",
        "n-1",
        "tx",
        "t",
        "N",
        "N-",
        "s10q",
        "n2y",
        "t3w",
        "s99999999999999999999",
    ] {
        let log = fed(Svlog, &[], &format!("s2000\nn2\n{bad}\n"), lines(1, 300));
        assert_eq!((log.archives().len(), log.all()), (2, lines(92, 300)), "{bad}");
        let stderr = log.stderr();
        assert!(log.warns(&stderr, &[bad]) && stderr.lines().count() == 1, "{bad}: {stderr}");
    }
    let log = fed(Svlog, &[], "oblock\no block\nonew\no oldest\nofoo\n", "one\n");
    assert_eq!(log.all(), "one\n");
    assert!(log.warns(&log.stderr(), &["ofoo"]) && log.stderr().lines().count() == 1, "{}", log.stderr());
}

fn an_invalid_address_is_reported(of: Program) {
    for (line, value) in [
        ("u1.2.3", "1.2.3"),
        ("uhost", "host"),
        ("u 1.2.3.4", " 1.2.3.4"),
        ("u", ""),
        ("u127.0.0.1:x", "x"),
        ("u127.0.0.1:0", "0"),
        ("u127.0.0.1:", ""),
    ] {
        let log = fed(of, &[], &format!("{line}\npP\n"), "x\n");
        assert_eq!(log.all(), "Px\n", "{line}");
        let stderr = log.stderr();
        assert!(log.warns(&stderr, &[value]), "{line}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{line}: {stderr}");
    }
}

fn a_config_that_cannot_be_read_is_reported_and_ignored(of: Program) {
    let mut log = Log::prepare(of, "");
    std::fs::create_dir(log.at("config")).unwrap();
    log.run();
    log.says("x\n", "x\n");
    log.finish();
    let stderr = log.stderr();
    assert!(log.warns(&stderr, &["config"]), "{stderr}");
}
