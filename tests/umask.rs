//! umask.

use crate::support::*;

/// What the mask is behind umask with these words, where it was `before`.
fn umask_from(before: &str, words: &[&str]) -> Outcome {
    let mut command = sh("umask \"$0\"; exec \"$B/umask\" \"$@\" grep Umask /proc/self/status");
    run(command.arg(before).args(words))
}

fn is(mask: &str) -> Outcome {
    prints(format!("Umask:\t{mask}\n"))
}

#[test]
fn an_octal_mask_is_set_whatever_it_was() {
    for (mask, shown) in [
        ("0", "0000"),
        ("7", "0007"),
        ("22", "0022"),
        ("022", "0022"),
        ("0022", "0022"),
        ("077", "0077"),
        ("777", "0777"),
        ("0777", "0777"),
        ("000000000000000000000777", "0777"),
        ("123", "0123"),
    ] {
        for before in ["0", "022", "777"] {
            assert_eq!(umask_from(before, &[mask]), is(shown), "{mask}");
            assert_eq!(umask_from(before, &["--", mask]), is(shown), "{mask}");
        }
    }
}

/// Masks, what each was before and is then. A symbolic mask names what files may get.
const SYMBOLIC: [(&str, &str, &str); 38] = [
    ("022", "u=rwx,g=rx,o=rx", "0022"),
    ("777", "u=rwx,g=rx,o=rx", "0022"),
    ("022", "u=rwx,g=rx,o=", "0027"),
    ("022", "u=rwx,go=", "0077"), // execline's posix-umask leaves it as it was
    ("022", "a=rwx", "0000"),
    ("022", "ugo=rwx", "0000"),
    ("022", "=rwx", "0000"),
    ("022", "a=", "0777"),
    ("022", "=", "0777"),
    ("022", "u=", "0722"),
    ("022", "o=r", "0023"),
    ("022", "g=w", "0052"),
    ("022", "ug=x", "0662"),
    ("022", "g+w", "0002"),
    ("022", "go+w", "0000"),
    ("022", "+w", "0000"),
    ("022", "a+r", "0022"),
    ("777", "u+r", "0377"),
    ("777", "+rwx", "0000"),
    ("000", "o-w", "0002"),
    ("000", "go-rwx", "0077"),
    ("022", "a-rwx", "0777"),
    ("022", "u-", "0022"),
    ("022", "u+", "0022"),
    ("022", "a+rrr", "0022"),
    ("022", "uuu=r", "0322"),
    // Several in a row work on what the one before has left.
    ("022", "u=r,u+w", "0122"),
    ("022", "a=,u+rwx", "0077"),
    ("022", "u-w,g+w,o-r", "0206"),
    ("777", "u=rwx,g=rx,o=x", "0026"),
    // Several operators for one class.
    ("022", "g=r+w", "0012"),
    ("022", "u-w+x", "0222"),
    ("022", "ug+w-x", "0112"),
    // What another class has.
    ("022", "g=u", "0002"),
    ("022", "o=g", "0022"),
    ("027", "u=g", "0227"),
    ("027", "g+u", "0007"),
    ("022", "u-o", "0522"),
];

#[test]
fn a_symbolic_mask_names_what_is_allowed() {
    for (before, mask, after) in SYMBOLIC {
        assert_eq!(umask_from(before, &[mask]), is(after), "{mask} from {before}");
    }
}

#[test]
fn a_symbolic_mask_may_begin_with_a_dash_after_two() {
    assert_eq!(umask_from("022", &["--", "-r"]), is("0466"));
    assert_eq!(umask_from("022", &["--", "-rwx"]), is("0777"));
    assert_eq!(umask_from("022", &["-r"]), misuse("umask", "invalid option '-r'"));
}

#[test]
fn letters_that_a_mask_has_no_bit_for_change_nothing() {
    for (mask, after) in [("u+s", "0022"), ("+t", "0022"), ("g+sw", "0002"), ("a+X", "0022")] {
        assert_eq!(umask_from("022", &[mask]), is(after), "{mask}");
    }
    assert_eq!(umask_from("777", &["a+X"]), is("0777"));
    assert_eq!(umask_from("677", &["a+X"]), is("0666"));
}

#[test]
fn the_mask_is_that_of_files() {
    let directory = tempfile::TempDir::new().unwrap();
    let script = "umask 0; $B/umask 027 sh -c '>file; mkdir directory'; stat -c '%a %n' file directory";
    assert_eq!(run_in(directory.path(), script), prints("640 file\n750 directory\n"));
}

#[test]
fn an_invalid_mask_is_a_usage_error() {
    let numbers = "8 08 078 9 1000 7777 01000 0o77 0x1f +022 022, 22.0 99999999999999999999999";
    let symbols = "u ug rwx u=rwx, ,u=r u=r,,g=r u+q z=r u:r u=ug u=gr u=rg u=7 U=r u=R é u=é =, u==z";
    for bad in ["", " ", "022 ", " 022", "u=rwx g=r", "a=rwx\n"]
        .into_iter()
        .chain(numbers.split(' '))
        .chain(symbols.split(' '))
    {
        let outcome = umask_from("022", &["--", bad]);
        assert_eq!(outcome, misuse("umask", &format!("invalid mask: {}", given(bad))), "{bad:?}");
    }
}
