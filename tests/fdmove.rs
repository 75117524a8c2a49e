//! fdmove.

use nix::errno::Errno;

use crate::support::*;

#[test]
fn moves_a_descriptor() {
    assert_eq!(
        run(link("fdmove").args(["9", "1", "sh", "-c", "echo moved >&9; echo gone"])).stdout,
        "moved\n"
    );
}

#[test]
fn copies_a_descriptor_with_c() {
    assert_eq!(
        run(link("fdmove").args(["-c", "9", "1", "sh", "-c", "echo to; echo from >&9"])),
        prints("to\nfrom\n")
    );
}

#[test]
fn an_open_descriptor_on_itself_is_left_alone() {
    for words in [&["1", "1"][..], &["-c", "1", "1"]] {
        assert_eq!(run(link("fdmove").args(words).args(["echo", "x"])), prints("x\n"));
    }
}

#[test]
fn a_descriptor_that_is_not_open_cannot_be_moved() {
    for (to, from) in [("1", "5"), ("5", "5"), ("99999999", "1")] {
        let says = says(Errno::EBADF);
        let message = format!("fdmove: fatal: unable to move fd {from} to fd {to}: {says}\n");
        assert_eq!(run(link("fdmove").args([to, from, "echo", "x"])), fails(111, message));
    }
}

#[test]
fn an_invalid_descriptor_is_a_usage_error() {
    for bad in ["x", "", "+1", "1x", "4294967296", "2147483648"] {
        assert_eq!(
            run(link("fdmove").args([bad, "1", "echo"])),
            misuse("fdmove", &format!("not a file descriptor: {}", given(bad)))
        );
        assert_eq!(
            run(link("fdmove").args(["1", bad, "echo"])),
            misuse("fdmove", &format!("not a file descriptor: {}", given(bad)))
        );
    }
    assert_eq!(run(link("fdmove").args(["-1", "1", "echo"])), misuse("fdmove", "invalid option '-1'"));
}

#[test]
fn only_these_two_descriptors_change() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("f"), "").unwrap();
    for (chain, redirections, left) in [
        ("fdmove 8 7", "7<f", &["0 null", "1 null", "2 null", "8 f"][..]),
        ("fdmove -c 8 7", "7<f", &["0 null", "1 null", "2 null", "7 f", "8 f"]),
        ("fdmove 0 7", "7<f", &["0 f", "1 null", "2 null"]),
        ("fdmove 7 7", "7<f", &["0 null", "1 null", "2 null", "7 f"]),
        ("fdmove 2 7", "<&- >&- 2>&- 7<f", &["2 f"]),
        ("fdmove -c 0 7", "<&- >&- 2>&- 7<f 9</dev/null", &["0 f", "7 f", "9 null"]),
    ] {
        assert_eq!(descriptors(&directory, chain, redirections), left, "{chain} {redirections}");
    }
}

#[test]
fn each_operand_is_needed() {
    for (words, problem) in [
        (&[][..], "missing to"),
        (&["-c"], "missing to"),
        (&["9"], "missing from"),
        (&["9", "1"], "missing prog"),
        (&["-cq", "9", "1", "echo"], "invalid option '-q'"),
    ] {
        assert_eq!(run(link("fdmove").args(words)), misuse("fdmove", problem));
    }
    assert_eq!(run(link("fdmove").args(["--", "1", "1", "echo", "x"])), prints("x\n"));
}
