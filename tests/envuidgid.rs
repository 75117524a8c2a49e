//! envuidgid.

use crate::needs;
use crate::support::*;

/// envuidgid with these words in a known environment, and what `env` shows behind it.
fn environment(accounts: &Accounts, words: &[&str]) -> Outcome {
    let variables = ["A=1", "GID=x", "B=2", "UID=y", "GIDLIST=z", "C=3"];
    let path = bin().join("envuidgid").display().to_string();
    accounts.run([&["env", "-i"], &variables[..], &[&path], words, &["/usr/bin/env"]].concat())
}

fn ids(uid: u32, gid: u32) -> Outcome {
    prints(format!("A=1\nGID={gid}\nB=2\nUID={uid}\nGIDLIST=z\nC=3\n"))
}

fn ids_and_list(uid: u32, gid: u32, list: &str) -> Outcome {
    prints(format!("A=1\nGID={gid}\nB=2\nUID={uid}\nGIDLIST={list}\nC=3\n"))
}

fn fatal(message: &str) -> Outcome {
    fails(111, format!("envuidgid: fatal: {message}\n"))
}

fn hinted(message: &str, hint: &str) -> Outcome {
    fails(111, format!("envuidgid: fatal: {message}\nenvuidgid: hint: {hint}\n"))
}

#[test]
fn sets_the_uid_and_the_gid() {
    needs!(mounts());
    let accounts = Accounts::new();
    assert_eq!(environment(&accounts, &["alice"]), ids(5001, 5001));
    assert_eq!(environment(&accounts, &["bob"]), ids(5002, 5001));
    assert_eq!(environment(&accounts, &["1234"]), ids(5003, 5003));
    assert_eq!(environment(&accounts, &["root"]), ids(0, 0));
    assert_eq!(environment(&accounts, &["stray"]), ids(5005, 7777));
}

#[test]
fn the_gid_is_the_first_of_listed_groups() {
    needs!(mounts());
    let accounts = Accounts::new();
    assert_eq!(environment(&accounts, &["alice:staff"]), ids(5001, 5100));
    assert_eq!(environment(&accounts, &["alice:audio:staff"]), ids(5001, 5050));
    assert_eq!(environment(&accounts, &[":5002:8003:8002"]), ids(5002, 8003));
    assert_eq!(environment(&accounts, &[":8001:8002"]), ids(8001, 8002));
    assert_eq!(environment(&accounts, &[":0:0"]), ids(0, 0));
    assert_eq!(environment(&accounts, &[":007:08"]), ids(7, 8));
    assert_eq!(environment(&accounts, &[":4294967294:4294967294"]), ids(4_294_967_294, 4_294_967_294));
}

#[test]
fn s_lists_the_other_groups_without_the_primary_one() {
    needs!(mounts());
    let accounts = Accounts::new();
    for (spec, uid, gid, list) in [
        ("alice", 5001, 5001, "5050,5100"),
        ("alice:staff", 5001, 5100, "5001,5050"),
        ("alice:wheel:audio", 5001, 5000, "5001,5050,5100"),
        ("bob", 5002, 5001, "5100"),
        ("bare", 5004, 5004, ""), // there are none, and what somebody else's were does not stay
        ("root", 0, 0, "5000"),
        (":5001:8002", 5001, 8002, "5001,5050,5100"),
        (":8001:8002", 8001, 8002, ""),
        (":8001:8003:8002:8004", 8001, 8003, "8002,8004"),
    ] {
        assert_eq!(environment(&accounts, &["-s", spec]), ids_and_list(uid, gid, list), "{spec}");
    }
    let list = (6000..6099).map(|gid| gid.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(environment(&accounts, &["-s", "many"]), ids_and_list(5006, 5006, &list));
}

#[test]
fn variables_that_are_not_there_are_added() {
    needs!(mounts());
    let accounts = Accounts::new();
    let path = bin().join("envuidgid").display().to_string();
    let outcome = accounts.run(["env", "-i", &path, "-s", "alice", "/usr/bin/env"]);
    assert_eq!(outcome, prints("UID=5001\nGID=5001\nGIDLIST=5050,5100\n"));
    let outcome = accounts.run(["env", "-i", &path, "alice", "/usr/bin/env"]);
    assert_eq!(outcome, prints("UID=5001\nGID=5001\n"));
}

#[test]
fn it_changes_no_id_and_needs_no_privilege() {
    needs!(mounts(), tool("setpriv"));
    let accounts = Accounts::new();
    let copy = accounts.copy("envuidgid");
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--groups=65534"];
    let words = [copy.to_str().unwrap(), "-s", "root", "sh", "-c", "echo $UID $GID $GIDLIST; id -u; id -G"];
    assert_eq!(accounts.run([&nobody[..], &words].concat()), prints("0 0 5000\n65534\n65534\n"));
    let line = "sh -c 'id -u; id -G'";
    assert_eq!(run(&mut sh(&format!("envuidgid :7:8 {line}"))), run(&mut sh(line)));
}

#[test]
fn an_unknown_account_or_group_is_refused_and_never_0() {
    needs!(mounts());
    let accounts = Accounts::new();
    for words in [&["carol"][..], &["-s", "carol"], &["carol:staff"], &["carol:nogroups"]] {
        let message = "unable to find account carol: no such user";
        assert_eq!(environment(&accounts, words), fatal(message), "{words:?}");
    }
    for words in [&["alice:nogroups"][..], &["-s", "alice:staff:nogroups"]] {
        let message = "unable to find group nogroups: no such group";
        assert_eq!(environment(&accounts, words), fatal(message), "{words:?}");
    }
    assert_eq!(environment(&accounts, &["ali\nce"]), fatal("unable to find account ali\\nce: no such user"));
    assert_eq!(
        environment(&accounts, &["5001"]),
        hinted(
            "unable to find account 5001: no such user",
            "a bare number is taken for a name: for numbers write :uid:gid"
        )
    );
    assert_eq!(
        environment(&accounts, &["alice:5100"]),
        hinted(
            "unable to find group 5100: no such group",
            "names and numbers do not mix: for numbers write :uid:gid[:gid...]"
        )
    );
}

#[test]
fn an_account_of_every_machine_is_found_without_any_of_ours() {
    let show = ["sh", "-c", "echo $UID $GID"];
    assert_eq!(run(link("envuidgid").arg("root").args(show)), prints("0 0\n"));
    let message = "unable to find account no-such-account: no such user";
    assert_eq!(run(link("envuidgid").arg("no-such-account").args(show)), fatal(message));
}

#[test]
fn without_an_account_database_nobody_is_known() {
    needs!(mounts());
    let empty = "mount --bind /dev/null /etc/passwd && exec envuidgid alice env";
    let message = "unable to find account alice: no such user";
    assert_eq!(Accounts::new().run(["sh", "-c", empty]), fatal(message));
}
