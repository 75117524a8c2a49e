//! The lines of `config`.

use super::log::*;

both!(
    a_bad_value_counts_as_far_as_it_goes,
    a_config_that_cannot_be_read_is_said_and_left_out,
    a_long_config_is_read_to_its_end,
    a_size_may_be_in_k_and_m,
    an_address_that_is_none_is_said,
    empty_values_change_nothing_where_there_is_no_number,
    every_directory_has_its_own_config,
    the_last_line_counts_and_needs_no_newline,
    what_is_no_letter_of_ours_is_left_out,
);

fn what_is_no_letter_of_ours_is_left_out(of: Logger) {
    let config = "# a comment\n#pno\n\nzunknown\n pindented\n\tpindented\n?\n\u{e4}\npyes \n";
    let log = fed(of, &[], config, "x\n");
    assert_eq!((log.all().as_str(), log.stderr().as_str()), ("yes x\n", ""));
}

fn the_last_line_counts_and_needs_no_newline(of: Logger) {
    assert_eq!(fed(of, &[], "pA\npB", "x\n").all(), "Bx\n");
    assert_eq!(fed(of, &[], "-*\n+a*", "a\nb\n").all(), "a\n");
    let log = fed(of, &["-l", "20"], "s9000\ns2k\nn5\nn0", lines(1, 600));
    assert_eq!((log.archives().len(), log.all()), (3, lines(1, 600)));
}

fn empty_values_change_nothing_where_there_is_no_number(of: Logger) {
    assert_eq!(fed(of, &[], "pA\np\n!\n", "x\n").all(), "Ax\n");
    assert!(fed(of, &[], "pA\r\n", "x\n").all() == "A\rx\n");
}

fn a_long_config_is_read_to_its_end(of: Logger) {
    let config = "# a comment of some length\n".repeat(5000) + "-*\n+*b\npEND ";
    assert_eq!(fed(of, &[], &config, "a\nb\n").all(), "END b\n");
}

fn every_directory_has_its_own_config(of: Logger) {
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

fn a_size_may_be_in_k_and_m(of: Logger) {
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

fn a_bad_value_counts_as_far_as_it_goes(of: Logger) {
    // Nothing is a zero: no rotation.
    for config in ["s2000\nsx\n", "s2000\ns\n", "s2000\ns-1\n", "s2000\ns 1500\n", "s0\n", "s0k\n"] {
        let log = fed(of, &[], config, lines(1, 300));
        assert_eq!((log.archives().len(), log.all()), (0, lines(1, 300)), "{config:?}");
    }
    for config in ["s2000x\n", "s2000 # so\n", "s1500\ns2000 m\n"] {
        let log = fed(of, &[], config, lines(1, 300));
        assert_eq!((log.archives().len(), log.all()), (3, lines(1, 300)), "{config:?}");
    }
    // And a zero here: all are kept.
    for config in ["s2000\nn1\nnx\n", "s2000\nn1\nn\n"] {
        let log = fed(of, &[], config, lines(1, 2000));
        assert_eq!((log.archives().len(), log.all()), (21, lines(1, 2000)), "{config:?}");
    }
    let log = fed(of, &[], "s2000\nn2y\ntx\nNx\n", lines(1, 600));
    assert_eq!(log.archives().len(), 2);
}

fn an_address_that_is_none_is_said(of: Logger) {
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
        let warning = format!("{}: warning: ", of.name());
        assert!(stderr.starts_with(&warning) && stderr.contains(value), "{line}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{line}: {stderr}");
    }
}

fn a_config_that_cannot_be_read_is_said_and_left_out(of: Logger) {
    let mut log = Log::prepare(of, "");
    std::fs::create_dir(log.at("config")).unwrap();
    log.run();
    log.says("x\n", "x\n");
    log.finish();
    let stderr = log.stderr();
    assert!(stderr.contains("warning: ") && stderr.contains("config"), "{stderr}");
}
