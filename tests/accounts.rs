//! The user and group databases: entries that are refused, and beside glibc those that are found.

use nix::errno::Errno;

use crate::needs;
use crate::support::*;

#[cfg(target_env = "gnu")]
mod glibc;
#[cfg(target_env = "gnu")]
mod random;

/// What a static program says of a line, and what one of glibc's says, whose parser has passed it over.
fn refused(link: &str, thing: &str, name: &str, line: u32) -> Outcome {
    let (file, what) = if thing == "group" { ("group", "group") } else { ("passwd", "user") };
    let why = if musl() {
        format!("line {line} of /etc/{file} is not well formed")
    } else {
        format!("no such {what}")
    };
    fails(111, format!("{link}: fatal: unable to find {thing} {name}: {why}\n"))
}

// Lines of which musl's parser makes uid 0, gid 0, or another account.

#[test]
fn a_line_that_is_not_well_formed_is_no_account() {
    needs!(mounts());
    let users = "root:x:0:0::/root:/bin/sh
empty:x::100::/:/bin/sh
big:x:4294967296:100::/:/bin/sh
emptygid:x:501:::/:/bin/sh
biggid:x:502:4294967296::/:/bin/sh
+nis:x:503:503::/:/bin/sh
word:x:root:504::/:/bin/sh
trailing:x:505 :505::/:/bin/sh
hex:x:0x0:506::/:/bin/sh
minus:x:-0x1:507::/:/bin/sh
short:x:508
";
    let accounts = Accounts::of(users, "root:x:0:\n");
    let names = ["empty", "big", "emptygid", "biggid", "+nis", "word", "trailing", "hex", "minus", "short"];
    for (name, line) in names.into_iter().zip(2..) {
        for (link, program) in [("setuidgid", "id"), ("envuidgid", "env")] {
            let outcome = accounts.run([link, name, program]);
            assert_eq!(outcome, refused(link, "account", name, line), "{name}");
        }
    }
    // A comment and a NIS line alone are nobody's line.
    let accounts = Accounts::of("#gone:x:0:0::/:/bin/sh\n+\n+::::::\n", "");
    for name in ["gone", "#gone"] {
        let outcome = accounts.run(["setuidgid", name, "id"]);
        assert_eq!(
            outcome,
            fails(111, format!("setuidgid: fatal: unable to find account {name}: no such user\n"))
        );
    }
}

#[test]
fn a_malformed_account_that_glibc_accepts_is_none_in_a_static_program() {
    needs!(mounts());
    let users = "few:x:5001:5001
 blank:x:5001:5001::/:/bin/sh
plus:x:+5001:5001::/:/bin/sh
space:x: 5001:5001::/:/bin/sh
more:x:5001:5001::/:/bin/sh:more
";
    let accounts = Accounts::of(users, "");
    for (name, line) in ["few", "blank", "plus", "space", "more"].into_iter().zip(1..) {
        let outcome = accounts.run(["setuidgid", name, "id", "-u"]);
        let expected = if musl() { refused("setuidgid", "account", name, line) } else { prints("5001\n") };
        assert_eq!(outcome, expected, "{name}");
    }
}

#[test]
fn a_group_whose_line_is_not_well_formed_is_no_group() {
    needs!(mounts());
    let groups = "root:x:0:
empty:x::
big:x:4294967296:
+nis:x:5:
word:x:root:
short:x
";
    let accounts = Accounts::of("alice:x:5001:5001::/:/bin/sh\n", groups);
    for (name, line) in ["empty", "big", "+nis", "word", "short"].into_iter().zip(2..) {
        for spec in [format!("alice:{name}"), format!("alice:root:{name}")] {
            let outcome = accounts.run(["setuidgid", &spec, "id"]);
            assert_eq!(outcome, refused("setuidgid", "group", name, line), "{spec}");
            assert_eq!(accounts.run(["envuidgid", &spec, "env"]), refused("envuidgid", "group", name, line));
        }
    }
}

#[test]
fn a_group_line_that_names_the_account_and_is_not_well_formed_gives_nobody_a_group_in_silence() {
    needs!(mounts());
    // Of each of these getgrouplist(3) of some libc makes a group, of most of them group 0.
    for line in [
        "+nis:x::alice",
        "-nis:::bob,alice",
        "+:::alice",
        "+nis:x:0:alice",
        "#audio:x:5050:alice",
        "big:x:4294967296:alice",
        "plus:x:+0:alice",
        "space:x: 0:alice",
        " blank:x:0:alice",
        ":x:0:alice",
    ] {
        let groups = format!("alice:x:5001:\nstaff:x:5100:alice\n{line}\n");
        let accounts = Accounts::of("alice:x:5001:5001::/:/bin/sh\nbob2:x:5002:5001::/:/bin/sh\n", &groups);
        let message = "unable to find the groups of alice: line 3 of /etc/group is not well formed";
        let outcome = accounts.run(["setuidgid", "-s", "alice", "id", "-G"]);
        assert_eq!(outcome, fails(111, format!("setuidgid: fatal: {message}\n")), "{line}");
        let outcome = accounts.run(["envuidgid", "-s", ":5001:5001", "env"]);
        assert_eq!(outcome, fails(111, format!("envuidgid: fatal: {message}\n")), "{line}");
        // Whom it does not name it does not concern.
        assert_eq!(accounts.run(["setuidgid", "-s", "bob2", "id", "-G"]), prints("5001\n"), "{line}");
    }
    // What is no group to anybody is passed over.
    let groups = "# staff: alice\n#\n+\n+:::\nword:x:root:alice\nempty:x::alice\nstaff:x:5100:alice\n";
    let accounts = Accounts::of("alice:x:5001:5001::/:/bin/sh\n", groups);
    assert_eq!(accounts.run(["setuidgid", "-s", "alice", "id", "-G"]), prints("5001 5100\n"));
}

// The last line.

#[test]
fn a_last_line_without_a_newline_is_as_one_with_it() {
    needs!(mounts());
    for end in ["", "\n"] {
        let users = format!("las:x:300:300::/:/bin/sh\nlast:x:301:301::/:/bin/false{end}");
        let accounts = Accounts::of(&users, &format!("first:x:199:\nlastg:x:200:last{end}"));
        assert_eq!(accounts.run(["setuidgid", "-s", "last", "id", "-G"]), prints("301 200\n"));
        assert_eq!(accounts.run(["setuidgid", "-s", "las", "id", "-G"]), prints("300\n"));
        assert_eq!(accounts.run(["setuidgid", "last:lastg", "id", "-G"]), prints("200\n"));
        let shell = accounts.run(["setuidgid", "-e", "last", "sh", "-c", "echo $SHELL"]);
        assert_eq!(shell, prints("/bin/false\n"));
        let accounts = Accounts::of("last:x:301:301::/:/bin/sh\n", &format!("first:x:199:\nlastg:x:20{end}"));
        let refused = accounts.run(["setuidgid", "last:lastg", "id", "-G"]);
        assert_eq!(refused.status, if musl() { 111 } else { 0 }, "a field is missing: {refused:?}");
    }
}

#[test]
fn a_line_of_any_length_is_read_whole() {
    needs!(mounts());
    let members = "member,".repeat(100_000);
    let groups = format!("first:x:199:{members}last\nlong:x:200:{members}\nlastg:x:201:{members}last");
    let gecos = "x".repeat(200_000);
    let users = format!("long:x:300:300:{gecos}:/:/bin/sh\nlast:x:301:301:{gecos}:/:/bin/false");
    let accounts = Accounts::of(&users, &groups);
    assert_eq!(accounts.run(["setuidgid", "-s", "last", "id", "-G"]), prints("301 199 201\n"));
    assert_eq!(accounts.run(["setuidgid", "last:lastg", "id", "-G"]), prints("201\n"));
}

// What cannot be read.

#[test]
fn a_database_that_cannot_be_read_is_never_one_without_the_account() {
    needs!(mounts(), tool("strace"));
    let accounts = Accounts::of("alice:x:5001:5001::/:/bin/sh\n", "staff:x:5100:alice\n");
    if !musl() {
        return; // glibc goes on to the next source, and does not say so
    }
    for (call, errno) in [("openat,open", Errno::EMFILE), ("read,readv", Errno::EIO)] {
        for (words, thing, file) in [
            (&["nobody-at-all"][..], "account nobody-at-all", "/etc/passwd"),
            (&["alice:staff"], "group staff", "/etc/group"),
            (&["-s", "alice"], "the groups of alice", "/etc/group"),
            (&["-e", ":5001:5001"], "uid 5001", "/etc/passwd"),
        ] {
            let inject = format!("inject={call}:error={errno:?}");
            let strace = ["strace", "-o", "/dev/null", "-P", file, "-e", &inject, "setuidgid"];
            let outcome = accounts.run([&strace[..], words, &["echo", "ran"]].concat());
            let message = format!("setuidgid: fatal: unable to look up {thing}: {}\n", says(errno));
            assert_eq!(outcome, fails(111, message), "{call}");
        }
    }
}
