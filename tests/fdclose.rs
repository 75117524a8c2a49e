//! fdclose.

use nix::errno::Errno;

use crate::support::*;

#[test]
fn closes_a_descriptor_and_no_other() {
    for (chain, left) in [
        ("fdclose 0", &["1 null", "2 null", "7 null", "8 null"][..]),
        ("fdclose 1", &["0 null", "2 null", "7 null", "8 null"]),
        ("fdclose 2", &["0 null", "1 null", "7 null", "8 null"]),
        ("fdclose 7", &["0 null", "1 null", "2 null", "8 null"]),
        ("fdclose 9", &["0 null", "1 null", "2 null", "7 null", "8 null"]),
        ("fdclose 0 fdclose 1 fdclose 2 fdclose 7 fdclose 8", &[]),
    ] {
        assert_eq!(descriptors(".", chain, "7</dev/null 8</dev/null"), left, "{chain}");
    }
}

#[test]
fn a_closed_descriptor_is_no_error() {
    assert_eq!(run(&mut sh("fdclose 9 echo x 9<&-")), prints("x\n"));
    for fd in ["009", "1000000", "2147483647"] {
        assert_eq!(run(link("fdclose").args([fd, "echo", "x"])), prints("x\n"), "fd {fd}");
    }
    assert_eq!(run(link("fdclose").args(["9", "fdclose", "9", "echo", "x"])), prints("x\n"));
}

#[test]
fn options_end_at_the_descriptor_and_at_two_dashes() {
    assert_eq!(run(link("fdclose").args(["--", "9", "echo", "--", "-x"])), prints("-- -x\n"));
    let says = says(Errno::ENOENT);
    assert_eq!(
        run(link("fdclose").args(["9", "--", "echo"])),
        fails(127, format!("fdclose: fatal: unable to run --: {says}\n"))
    );
}

#[test]
fn an_invalid_descriptor_is_a_usage_error() {
    for bad in ["x", "", "+1", " 1", "1 ", "1x", "0x1", "1,2", "2147483648", "4294967296"] {
        assert_eq!(
            run(link("fdclose").args([bad, "echo", "x"])),
            misuse("fdclose", &format!("not a file descriptor: {}", given(bad)))
        );
    }
    assert_eq!(run(link("fdclose").args(["-1", "echo", "x"])), misuse("fdclose", "invalid option '-1'"));
    assert_eq!(
        run(link("fdclose").args(["--", "-1", "echo"])),
        misuse("fdclose", "not a file descriptor: -1")
    );
    assert_eq!(run(&mut link("fdclose")), misuse("fdclose", "missing fd"));
    assert_eq!(run(link("fdclose").arg("1")), misuse("fdclose", "missing prog"));
}

#[test]
fn a_message_is_lost_with_the_descriptor_and_the_status_is_not() {
    assert_eq!(run(link("fdclose").args(["2", "no-such-program"])), fails(127, ""));
}
