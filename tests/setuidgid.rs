//! setuidgid, but for what it does before our own chroot: that is in handover.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;

use nix::errno::Errno;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use crate::needs;
use crate::support::*;

impl Accounts {
    /// setuidgid with these words and a program that shows what it runs as.
    fn state(&self, words: &[&str]) -> Outcome {
        self.run([&["setuidgid"], words, &SHOW].concat())
    }

    /// The same, started by setpriv with these options.
    fn state_under_setpriv(&self, options: &[&str], words: &[&str]) -> Outcome {
        let copy = self.copy("setuidgid");
        let setuidgid = [copy.to_str().unwrap()];
        self.run([&["setpriv"], options, &setuidgid, words, &SHOW].concat())
    }
}

const SHOW: [&str; 4] = ["grep", "-E", "^(Uid|Gid|Groups|Cap(Inh|Prm|Eff|Amb)):", "/proc/self/status"];

/// What it shows: real, effective, saved and file system id, the groups, and four empty sets.
fn is(uid: u32, gid: u32, groups: &[u32]) -> Outcome {
    let mut text = format!("Uid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{gid}\t{gid}\t{gid}\t{gid}\nGroups:\t");
    let groups = groups.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    writeln!(text, "{groups} ").unwrap();
    for set in ["Inh", "Prm", "Eff", "Amb"] {
        writeln!(text, "Cap{set}:\t{:016x}", 0).unwrap();
    }
    prints(text)
}

fn fatal(message: &str) -> Outcome {
    fails(111, format!("setuidgid: fatal: {message}\n"))
}

fn hinted(message: &str, hint: &str) -> Outcome {
    fails(111, format!("setuidgid: fatal: {message}\nsetuidgid: hint: {hint}\n"))
}

/// The message where the system refuses one of the three changes.
fn refused(action: &str) -> Outcome {
    hinted(&format!("unable to {action}: {}", says(Errno::EPERM)), "only root may become another account")
}

// Which ids.

#[test]
fn a_name_gives_the_uid_and_the_primary_group_alone() {
    needs!(mounts());
    let accounts = Accounts::new();
    assert_eq!(accounts.state(&["alice"]), is(5001, 5001, &[5001]));
    assert_eq!(accounts.state(&["bob"]), is(5002, 5001, &[5001]));
    assert_eq!(accounts.state(&["many"]), is(5006, 5006, &[5006]));
    assert_eq!(accounts.state(&["stray"]), is(5005, 7777, &[7777]));
}

#[test]
fn listed_groups_are_the_groups_and_the_first_is_the_gid() {
    needs!(mounts());
    let accounts = Accounts::new();
    assert_eq!(accounts.state(&["alice:staff"]), is(5001, 5100, &[5100]));
    assert_eq!(accounts.state(&["alice:staff:wheel:audio"]), is(5001, 5100, &[5000, 5050, 5100]));
    assert_eq!(accounts.state(&["alice:staff:staff"]), is(5001, 5100, &[5100]));
    assert_eq!(accounts.state(&["bob:5200"]), is(5002, 5201, &[5201]));
}

#[test]
fn the_numeric_form_needs_no_entry_anywhere() {
    needs!(mounts());
    let accounts = Accounts::new();
    assert_eq!(accounts.state(&[":8001:8002"]), is(8001, 8002, &[8002]));
    assert_eq!(accounts.state(&[":8001:8003:8002:8003"]), is(8001, 8003, &[8002, 8003]));
    assert_eq!(accounts.state(&[":5001:5002"]), is(5001, 5002, &[5002]));
    assert_eq!(accounts.state(&[":008001:08002"]), is(8001, 8002, &[8002]));
}

#[test]
fn the_greatest_id_is_4294967294() {
    needs!(mounts());
    let all =
        fs::read_to_string("/proc/self/uid_map").unwrap().split_whitespace().eq(["0", "0", "4294967295"]);
    let expected = if all {
        is(4_294_967_294, 4_294_967_294, &[4_294_967_294])
    } else {
        // This user namespace has no such id.
        fatal(&format!("unable to set supplementary groups: {}", says(Errno::EINVAL)))
    };
    assert_eq!(Accounts::new().state(&[":4294967294:4294967294"]), expected);
}

#[test]
fn s_adds_all_groups_that_the_database_gives_the_account() {
    needs!(mounts());
    let accounts = Accounts::new();
    assert_eq!(accounts.state(&["-s", "alice"]), is(5001, 5001, &[5001, 5050, 5100]));
    assert_eq!(accounts.state(&["-s", "bob"]), is(5002, 5001, &[5001, 5100]));
    assert_eq!(accounts.state(&["-s", "bare"]), is(5004, 5004, &[5004]));
    assert_eq!(accounts.state(&["-s", "stray"]), is(5005, 7777, &[7777]));
    // Listed ones, of which the first is the gid, and those.
    assert_eq!(accounts.state(&["-s", "alice:wheel"]), is(5001, 5000, &[5000, 5001, 5050, 5100]));
    assert_eq!(accounts.state(&["-s", "alice:audio:wheel"]), is(5001, 5050, &[5000, 5001, 5050, 5100]));
    // A number with an entry has its groups, one without only what is listed.
    assert_eq!(accounts.state(&["-s", ":5001:8002"]), is(5001, 8002, &[5001, 5050, 5100, 8002]));
    assert_eq!(accounts.state(&["-s", ":8001:8002:8003"]), is(8001, 8002, &[8002, 8003]));
}

#[test]
fn an_account_may_be_in_100_groups() {
    needs!(mounts());
    let groups = [5006].into_iter().chain(6000..6099).collect::<Vec<u32>>();
    assert_eq!(groups.len(), 100);
    let accounts = Accounts::new();
    assert_eq!(accounts.state(&["-s", "many"]), is(5006, 5006, &groups));
    assert_eq!(accounts.state(&["-s", "many:many98"]), is(5006, 6098, &groups));
    let listed = (0..99).map(|i| format!(":many{i}")).collect::<Vec<_>>();
    let groups = (6000..6099).collect::<Vec<u32>>();
    assert_eq!(accounts.state(&[&format!("many{}", listed.concat())]), is(5006, 6000, &groups));
}

#[test]
fn a_bare_number_is_a_name() {
    needs!(mounts());
    assert_eq!(Accounts::new().state(&["1234"]), is(5003, 5003, &[5003]));
}

#[test]
fn root_is_an_account_too() {
    needs!(mounts());
    let accounts = Accounts::new();
    let ids = "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t0 \n";
    // It keeps what root has, also in the inheritable set.
    let options = ["--groups=0", "--inh-caps=+chown"];
    let control = accounts.run([&["setpriv"], &options[..], &SHOW].concat());
    assert!(control.stdout.starts_with(ids), "{control:?}");
    for spec in ["root", ":0:0", "root:root"] {
        assert_eq!(accounts.state_under_setpriv(&options, &[spec]), control);
        assert_eq!(accounts.state_under_setpriv(&["--groups=7,8", options[1]], &[spec]), control);
        let gid = ["--regid=5", "--groups=5", options[1]];
        assert_eq!(accounts.state_under_setpriv(&gid, &[spec]), control);
    }
    let with_group = accounts.state_under_setpriv(&options, &["-s", "root"]);
    assert_eq!(with_group, prints(control.stdout.replace("Groups:\t0 ", "Groups:\t0 5000 ")));
}

#[test]
fn all_three_ids_change_whichever_differed() {
    needs!(mounts(), tool("setpriv"));
    let accounts = Accounts::new();
    for ids in [
        &["--ruid=5001", "--groups=5001"][..],
        &["--rgid=5001", "--groups=5001"],
        &["--egid=5001", "--groups=5001"],
        &["--ruid=5001", "--regid=5001", "--groups=5001"],
        &["--groups=1,2,3"],
    ] {
        assert_eq!(accounts.state_under_setpriv(ids, &["alice"]), is(5001, 5001, &[5001]), "{ids:?}");
    }
}

// -e.

/// setuidgid with these words in a known environment, and what `env` shows behind it.
fn environment(accounts: &Accounts, words: &[&str]) -> Outcome {
    let variables = ["A=1", "HOME=/root", "LOGNAME=root", "B=2", "USER=root", "SHELL=/bin/bash", "C=3"];
    let path = bin().join("setuidgid").display().to_string();
    accounts.run([&["env", "-i"], &variables[..], &[&path], words, &["/usr/bin/env"]].concat())
}

#[test]
fn without_e_the_environment_stays() {
    needs!(mounts());
    for spec in ["alice", ":5001:5001", ":8001:8001"] {
        let whole = "A=1\nHOME=/root\nLOGNAME=root\nB=2\nUSER=root\nSHELL=/bin/bash\nC=3\n";
        assert_eq!(environment(&Accounts::new(), &[spec]), prints(whole));
    }
}

#[test]
fn e_sets_home_user_logname_and_shell() {
    needs!(mounts());
    let accounts = Accounts::new();
    let whole = "A=1\nHOME=/home/alice\nLOGNAME=alice\nB=2\nUSER=alice\nSHELL=/bin/zsh\nC=3\n";
    for words in [&["-e", "alice"][..], &["-e", "alice:staff"], &["-se", "alice"], &["-e", "-s", "alice"]] {
        assert_eq!(environment(&accounts, words), prints(whole), "{words:?}");
    }
    let whole = "A=1\nHOME=/root\nLOGNAME=root\nB=2\nUSER=root\nSHELL=/bin/bash\nC=3\n";
    assert_eq!(environment(&accounts, &["-e", "root"]), prints(whole));
}

#[test]
fn e_sets_them_where_they_were_not_there() {
    needs!(mounts());
    let accounts = Accounts::new();
    let path = bin().join("setuidgid").display().to_string();
    let mut command = accounts.command(["env", "-i", &path, "-e", "alice", "/usr/bin/env"]);
    assert_eq!(run(&mut command), prints("HOME=/home/alice\nUSER=alice\nLOGNAME=alice\nSHELL=/bin/zsh\n"));
}

#[test]
fn e_with_a_number_takes_its_entry_or_the_least_there_is() {
    needs!(mounts());
    let accounts = Accounts::new();
    let whole = "A=1\nHOME=/home/bob\nLOGNAME=bob\nB=2\nUSER=bob\nSHELL=/bin/ksh\nC=3\n";
    assert_eq!(environment(&accounts, &["-e", ":5002:8002"]), prints(whole));
    assert_eq!(environment(&accounts, &["-es", ":5002:8002"]), prints(whole));
    // The names of somebody else do not stay.
    let whole = "A=1\nHOME=/\nB=2\nSHELL=/bin/sh\nC=3\n";
    assert_eq!(environment(&accounts, &["-e", ":8001:8002"]), prints(whole));
    assert_eq!(environment(&accounts, &["-es", ":8001:8002"]), prints(whole));
}

#[test]
fn e_with_an_empty_home_or_shell_in_the_entry_takes_the_least_there_is() {
    needs!(mounts());
    let whole = "A=1\nHOME=/\nLOGNAME=bare\nB=2\nUSER=bare\nSHELL=/bin/sh\nC=3\n";
    assert_eq!(environment(&Accounts::new(), &["-e", "bare"]), prints(whole));
}

// What is refused.

#[test]
fn an_unknown_account_is_refused() {
    needs!(mounts());
    let accounts = Accounts::new();
    for (spec, shown) in [
        ("carol", "carol"),
        ("Alice", "Alice"),
        (" alice", " alice"),
        ("alice ", "alice "),
        ("carol:staff", "carol"),
        ("+5001", "+5001"),
        ("-5001", "-5001"),
        ("ali\nce\x1b", "ali\\nce\\x1b"),
    ] {
        let message = format!("unable to find account {shown}: no such user");
        for options in [&["--"][..], &["-s", "-e", "--"]] {
            assert_eq!(accounts.state(&[options, &[spec]].concat()), fatal(&message));
        }
    }
    let name = <OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"caf\xe9");
    let outcome = accounts.run([OsStr::new("setuidgid"), name, OsStr::new("echo"), OsStr::new("ran")]);
    assert_eq!(outcome, fatal("unable to find account caf\\xe9: no such user"));
}

#[test]
fn an_unknown_number_is_refused_and_the_message_tells_of_the_numeric_form() {
    needs!(mounts());
    let accounts = Accounts::new();
    for spec in ["5001", "0", "00", "4294967295", "4294967296", "18446744073709551615"] {
        let message = format!("unable to find account {spec}: no such user");
        let hint = "a bare number is taken for a name: for numbers write :uid:gid";
        assert_eq!(accounts.state(&[spec]), hinted(&message, hint));
        assert_eq!(accounts.state(&[&format!("{spec}:5001")]), hinted(&message, hint));
    }
}

#[test]
fn an_unknown_group_is_refused() {
    needs!(mounts());
    let accounts = Accounts::new();
    for spec in ["alice:nogroups", "alice:staff:nogroups", "alice:nogroups:staff"] {
        assert_eq!(accounts.state(&[spec]), fatal("unable to find group nogroups: no such group"));
    }
    for spec in ["alice:5100", "alice:staff:5100"] {
        let hint = "names and numbers do not mix: for numbers write :uid:gid[:gid...]";
        assert_eq!(accounts.state(&[spec]), hinted("unable to find group 5100: no such group", hint));
    }
}

#[test]
fn an_impossible_account_is_a_usage_error() {
    const EMPTY: &str = "an empty field";
    const FORM: &str = "the numeric form is :uid:gid[:gid...]";
    const NUMBERS: &str = "not all of its ids are numbers from 0 to 4294967294";
    for (spec, problem) in [
        (":", EMPTY),
        ("::", EMPTY),
        (":5001:", EMPTY),
        ("::5001", EMPTY),
        (":5001::5002", EMPTY),
        ("alice:", EMPTY),
        ("alice::staff", EMPTY),
        ("alice:staff:", EMPTY),
        (":5001", FORM),
        (":alice:staff", NUMBERS),
        (":alice", NUMBERS),
        (":5001:staff", NUMBERS),
        (":5001:5001:staff", NUMBERS),
        (":-1:5001", NUMBERS),
        (":5001:-1", NUMBERS),
        (":+5001:5001", NUMBERS),
        (": 5001:5001", NUMBERS),
        (":5001:5001 ", NUMBERS),
        (":0x10:5001", NUMBERS),
        (":1.5:5001", NUMBERS),
        // To the kernel this one means "leave it as it is", and what is above would be cut.
        (":4294967295:5001", NUMBERS),
        (":5001:4294967295", NUMBERS),
        (":5001:5001:4294967295", NUMBERS),
        (":4294967295:4294967295", NUMBERS),
        (":4294967296:5001", NUMBERS),
        (":5001:4294967296", NUMBERS),
        (":99999999999:5001", NUMBERS),
        (":18446744073709551616:5001", NUMBERS),
        (":5001\n:5001", NUMBERS),
    ] {
        let shown = spec.replace('\n', "\\n");
        for name in ["setuidgid", "envuidgid"] {
            let outcome = run(link(name).args([spec, "echo", "ran"]));
            assert_eq!(outcome, misuse(name, &format!("invalid account {shown}: {problem}")), "{spec}");
        }
    }
}

#[test]
fn an_empty_account_is_refused_as_such() {
    for name in ["setuidgid", "envuidgid"] {
        let outcome = run(link(name).args(["", "echo", "ran"]));
        assert_eq!(outcome, misuse(name, "invalid account: the value is empty"));
    }
}

#[test]
fn an_entry_with_the_uid_that_means_none_is_refused() {
    needs!(mounts());
    let why = if musl() {
        "line 8 of /etc/passwd is not well formed"
    } else {
        "the database's answer cannot be right"
    };
    assert_eq!(Accounts::new().state(&["nil"]), fatal(&format!("unable to find account nil: {why}")));
}

// Privilege.

#[test]
fn without_root_every_change_of_an_id_is_refused() {
    needs!(mounts(), tool("setpriv"));
    let accounts = Accounts::new();
    for (ids, action) in [
        (["--reuid=5001", "--regid=5001", "--groups=5001,5100"], "set supplementary groups"),
        (["--reuid=5001", "--regid=5100", "--groups=5001"], "set gid to 5001"),
        (["--reuid=5002", "--regid=5001", "--groups=5001"], "set uid to 5001"),
        (["--reuid=5002", "--regid=5002", "--groups=5002"], "set supplementary groups"),
    ] {
        for spec in ["alice", ":5001:5001"] {
            assert_eq!(accounts.state_under_setpriv(&ids, &[spec]), refused(action), "{ids:?}");
        }
    }
    // Nor may it become root.
    let alice = ["--reuid=5001", "--regid=5001", "--groups=0"];
    assert_eq!(accounts.state_under_setpriv(&alice, &["root"]), refused("set gid to 0"));
}

#[test]
fn without_root_it_is_refused_with_one_id_too() {
    let other = if root().is_ok() { 1 } else { nix::unistd::getuid().as_raw() + 1 };
    let mut setuidgid = if root().is_ok() {
        needs!(tool("setpriv"));
        let mut command = prepared("setpriv");
        command.arg("--bounding-set=-setuid,-setgid").arg(bin().join("setuidgid"));
        command
    } else {
        link("setuidgid")
    };
    let outcome = run(setuidgid.arg(format!(":{other}:{other}:777")).args(["echo", "ran"]));
    assert_eq!(outcome, refused("set supplementary groups"));
}

#[test]
fn a_process_with_the_ids_of_the_account_needs_no_privilege() {
    needs!(mounts(), tool("setpriv"));
    let accounts = Accounts::new();
    let alice = ["--reuid=5001", "--regid=5001", "--groups=5001"];
    for spec in ["alice", "alice:alice", ":5001:5001"] {
        assert_eq!(accounts.state_under_setpriv(&alice, &[spec]), is(5001, 5001, &[5001]));
    }
    let staff = ["--reuid=5001", "--regid=5001", "--groups=5100,5001,5050"];
    for words in [&["-s", "alice"][..], &["alice:alice:audio:staff"], &[":5001:5001:5050:5100"]] {
        let outcome = accounts.state_under_setpriv(&staff, words);
        assert_eq!(outcome, is(5001, 5001, &[5001, 5050, 5100]), "{words:?}");
    }
    let nobody = ["--reuid=65534", "--regid=65534", "--groups=65534"];
    let outcome = accounts.state_under_setpriv(&nobody, &[":65534:65534"]);
    assert_eq!(outcome, is(65534, 65534, &[65534]));
}

#[test]
fn a_process_with_the_ids_of_the_account_and_no_supplementary_group_needs_no_privilege() {
    needs!(mounts(), tool("setpriv"));
    // As a container runs with "--user 5001:5001": the gid is in no list, and what it gives is the same.
    let alice = ["--reuid=5001", "--regid=5001", "--clear-groups"];
    for spec in ["alice", ":5001:5001"] {
        assert_eq!(Accounts::new().state_under_setpriv(&alice, &[spec]), is(5001, 5001, &[]));
    }
}

#[test]
fn the_rest_of_the_chain_sees_no_capability_whatever_there_was() {
    needs!(mounts(), tool("setpriv"));
    let accounts = Accounts::new();
    let inheritable = "--inh-caps=+chown,+sys_chroot,+setuid,+net_bind_service";
    let ambient = "--ambient-caps=+chown,+sys_chroot,+setuid,+net_bind_service";
    for options in [
        &[inheritable][..],
        &[inheritable, ambient],
        &["--securebits=+no_setuid_fixup"],
        &["--securebits=+no_setuid_fixup", inheritable, ambient],
        // A process of the account itself, but with capabilities:
        &["--reuid=5001", "--regid=5001", "--groups=5001", inheritable],
        &["--reuid=5001", "--regid=5001", "--groups=5001", inheritable, ambient],
        &["--securebits=+noroot", "--inh-caps=+setuid,+setgid", "--ambient-caps=+setuid,+setgid"],
    ] {
        for spec in ["alice", ":5001:5001"] {
            let outcome = accounts.state_under_setpriv(options, &[spec]);
            assert_eq!(outcome, is(5001, 5001, &[5001]), "{options:?}");
        }
    }
}

#[test]
fn capabilities_are_privilege_enough_and_go() {
    needs!(mounts(), tool("setpriv"));
    let accounts = Accounts::new();
    let bob = ["--reuid=5002", "--regid=5100", "--groups=7"];
    let with = |capabilities: &str| {
        let sets = [format!("--inh-caps={capabilities}"), format!("--ambient-caps={capabilities}")];
        accounts.state_under_setpriv(&[&bob[..], &[&sets[0], &sets[1]]].concat(), &["alice"])
    };
    assert_eq!(with("+setuid,+setgid"), is(5001, 5001, &[5001]));
    assert_eq!(with("+setuid,+setgid,+chown"), is(5001, 5001, &[5001]));
    // One of them alone is not enough, and what could be done is not half done.
    assert_eq!(with("+setuid"), refused("set supplementary groups"));
    assert_eq!(with("+setgid"), refused("set uid to 5001"));
}

#[test]
fn root_without_the_capabilities_is_refused() {
    needs!(mounts(), tool("setpriv"));
    let accounts = Accounts::new();
    for (options, action) in [
        ("--bounding-set=-setgid", "set supplementary groups"),
        ("--bounding-set=-setuid", "set uid to 5001"),
        ("--securebits=+noroot", "set supplementary groups"),
    ] {
        assert_eq!(accounts.state_under_setpriv(&[options], &["alice"]), refused(action), "{options}");
    }
    // The effective uid alone does not make it root.
    let ids = ["--euid=5001", "--regid=5001", "--groups=5001"];
    assert_eq!(accounts.state_under_setpriv(&ids, &["alice"]), is(5001, 5001, &[5001]));
}

#[test]
fn root_of_a_user_namespace_becomes_what_it_has_ids_for() {
    needs!(mounts());
    let accounts = Accounts::new();
    // Ids 0 to 9999, under the same numbers outside.
    let start = "mkfifo up go
        /usr/bin/unshare --user sh -c 'echo $$ >up; read go <go; exec \"$@\"' sh \"$@\" &
        read pid <up
        echo 0 0 10000 >/proc/$pid/uid_map && echo 0 0 10000 >/proc/$pid/gid_map && echo >go
        wait $!";
    let inside = |words: &[&str]| {
        let scratch = TempDir::new().unwrap();
        let line = [&["sh", "-c", start, "sh", "setuidgid"], words, &SHOW].concat();
        run(accounts.command(line).current_dir(scratch.path()))
    };
    assert_eq!(inside(&["alice"]), is(5001, 5001, &[5001]));
    assert_eq!(inside(&["-s", "alice:wheel"]), is(5001, 5000, &[5000, 5001, 5050, 5100]));
    let no_such_id = |action: &str| fatal(&format!("unable to {action}: {}", says(Errno::EINVAL)));
    assert_eq!(inside(&[":20000:20000"]), no_such_id("set supplementary groups"));
    assert_eq!(inside(&[":5001:5001:20000"]), no_such_id("set supplementary groups"));
    assert_eq!(inside(&[":20000:5001"]), no_such_id("set uid to 20000"));
}

#[test]
fn root_of_a_user_namespace_with_one_id_is_root_and_nobody_else() {
    needs!(mounts(), tool("setpriv"));
    let accounts = Accounts::new();
    let inside = |words: &[&str]| {
        let namespace = ["setpriv", "--groups=0", BASE_UNSHARE, "--user", "--map-root-user", "setuidgid"];
        accounts.run([&namespace, words, &["id", "-G"]].concat())
    };
    assert_eq!(inside(&["root"]), prints("0\n"));
    assert_eq!(inside(&[":0:0"]), prints("0\n"));
    assert_eq!(inside(&["alice"]), refused("set supplementary groups"));
    assert_eq!(inside(&[":5001:0"]), fatal(&format!("unable to set uid to 5001: {}", says(Errno::EINVAL))));
}

// What passes.

#[test]
fn the_parent_death_signal_is_kept() {
    needs!(mounts(), tool("setpriv"));
    let accounts = Accounts::new();
    let line = |dump: &Outcome| dump.stdout.lines().find(|line| line.contains("death")).unwrap().to_owned();
    for signal in ["TERM", "RTMIN+3"] {
        let armed = ["setpriv", "--pdeathsig", signal];
        let control = accounts.run([&armed[..], &["setpriv", "--dump"]].concat());
        for spec in ["alice", "root", ":8001:8002"] {
            let words = ["setuidgid", spec, "setpriv", "--dump"];
            assert_eq!(line(&accounts.run([&armed[..], &words].concat())), line(&control), "{spec}");
        }
    }
    let none = accounts.run(["setuidgid", "alice", "setpriv", "--dump"]);
    assert_eq!(line(&none), "Parent death signal: [none]");
}

#[test]
fn the_parents_death_still_reaches_the_program() {
    needs!(mounts(), tool("setpriv"));
    let accounts = Accounts::new();
    let scratch = open_directory();
    let up = scratch.path().join("up");
    mkfifo(&up, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // All that holds stdout open is the program, so the run ends when it does.
    let parent = "setpriv --pdeathsig KILL setuidgid alice sh -c 'echo >&3; sleep 30 >/dev/null 2>&1; echo survived' 3>up &
        read line <up";
    let mut command = accounts.command(["sh", "-c", parent]);
    assert_eq!(run(command.current_dir(scratch.path())), prints(""));
}

#[test]
fn ids_that_a_user_namespace_does_not_map_are_not_taken_for_nobody() {
    needs!(tool("unshare"));
    // Without any map every id looks like 65534, which is nobody's: the host's root must not pass for it.
    let mut command = prepared("unshare");
    command.arg("-U").arg(bin().join("setuidgid")).args([":65534:65534", "echo", "ran"]);
    let outcome = run(&mut command);
    assert_eq!((outcome.status, &*outcome.stdout), (111, ""), "{}", outcome.stderr);
}

#[test]
fn no_call_is_left_out_for_ids_that_look_right() {
    needs!(root(), tool("setpriv"), tool("strace"));
    // A group that is not mapped looks like 65534 too: only setgroups is sure to replace it.
    let mut command = prepared("setpriv");
    command.args(["--reuid=0", "--regid=65534", "--groups=65534", "strace", "-qq"]);
    command.args(["-e", "trace=/^set(groups|res[gu]id)", "-o", "/dev/stdout"]);
    let outcome = run(command.arg(bin().join("setuidgid")).args([":65534:65534", "true"]));
    let stdout = outcome.stdout.replace("32(", "("); // i386's names
    let calls = stdout.lines().filter(|line| line.starts_with("set"));
    let calls: Vec<&str> = calls.map(|line| line.split(')').next().unwrap()).collect();
    let all =
        "setgroups(1, [65534]|setresgid(65534, 65534, 65534|setresuid(65534, 65534, 65534|setresuid(0, 0, 0";
    assert_eq!(calls.join("|"), all, "{}", outcome.stderr);
}
