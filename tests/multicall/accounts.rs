//! Chains that change the account, and capabilities.

use nix::errno::Errno;

use super::harness::*;
use crate::common_rules::{refusal, set_id};
use crate::needs;
use crate::support::*;

#[test]
fn a_link_that_the_account_may_not_execute_is_not_applied_for_it() {
    needs!(root());
    let line = "setuidgid :65534:65533 umask 022 @/state";
    let handed = "setuidgid :65534:65533 chroot / @/state";
    for (closed, hint) in [
        (
            &["Separate", "Symbolic", "Hard"][..],
            "a directory on the way to it may not be searched by this account",
        ),
        (
            &["Separate/umask", "Separate/chroot", "Symbolic/catena", "Hard/catena"],
            "this account may not execute it, or its file system is mounted noexec",
        ),
    ] {
        let house = House::new();
        for file in closed {
            house.mode(file, 0o700);
        }
        for (line, next) in [(line, "umask"), (handed, "chroot")] {
            // Of a name that others have too, theirs is found.
            if next == "chroot" {
                let (expected, files) = house.run(Separate, line);
                assert_eq!(expected.status, 125, "coreutils has its own: {expected:?}");
                for way in LINKED {
                    assert_eq!(house.run(way, line), (expected.clone(), files.clone()), "{way:?}");
                }
                continue;
            }
            let outcome = house.executes(&LINKED, line, &[]);
            let message = unable_to_run("setuidgid", next, Errno::EACCES);
            assert_eq!(outcome, fails(126, format!("{message}setuidgid: hint: {hint}\n")));
        }
        // By name there is no file to execute.
        assert_eq!(house.run(Named, line).1, ["@/state"]);
        assert_eq!(house.run(Named, handed).1, ["@/state"]);
    }
}

#[test]
fn a_change_to_root_goes_through_an_exec() {
    needs!(root(), tool("setpriv"));
    let house = House::new().behind(LENT);
    let line = "umask 077 setuidgid root softlimit -c 0 umask 022 @/state";
    let outcome = house.executes(&LINKED, line, &["@/bin/softlimit", "@/state"]);
    assert!(outcome.stdout.contains("\nuids 0 0 0\n"), "{outcome:?}");
    assert_eq!(house.executes(&[Named], line, &["/proc/self/exe", "@/state"]), outcome);
    // There and back.
    let line = "setuidgid root setuidgid :65534:65533 umask 022 @/state";
    assert_eq!(house.executes(&LINKED, line, &["@/bin/setuidgid", "@/state"]).status, 0);
    house.executes(&[Named], line, &["/proc/self/exe", "@/state"]);
    // At the end of a chain it is the program that is executed.
    for line in ["umask 077 setuidgid :0:0 @/state", "setuidgid :65534:65533 umask 022 @/state"] {
        assert_eq!(house.fused(&EACH, line).status, 0);
    }
    for bits in ["+noroot", "+no_setuid_fixup", "+noroot,+no_setuid_fixup,+keep_caps_locked"] {
        let before = format!("{LENT} setpriv --securebits={bits}");
        let house = House::new().behind(&before);
        let line = "umask 077 setuidgid root umask 022 @/state";
        house.executes(&LINKED, line, &["@/bin/umask", "@/state"]);
        house.executes(&[Named], line, &["/proc/self/exe", "@/state"]);
    }
}

#[test]
fn the_capabilities_are_those_that_an_exec_would_have_left() {
    needs!(root(), tool("setpriv"));
    let caps = "+setuid,+setgid,+sys_chroot,+chown,+net_raw";
    let lent =
        format!("setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps={caps} --ambient-caps={caps}");
    for before in [&*lent, "setpriv --inh-caps=+chown", "@/pose ambient", "@/pose no-root", "@/pose bounding"]
    {
        let house = House::new().behind(before);
        for line in [
            "chroot / umask 022 @/state",
            "chroot / setuidgid :65534:65533 umask 022 @/state",
            "setuidgid :65534:65534 umask 022 @/state",
            "setuidgid :65534:65533 chroot / umask 022 @/state",
            "chroot / chroot / @/state",
            "umask 022 setuidgid :5:6 setuidgid :5:6 @/state",
        ] {
            house.fused(&EACH, line);
        }
    }
}

#[test]
fn where_the_real_and_effective_ids_differ_the_end_is_the_same() {
    needs!(root(), tool("setpriv"));
    for ids in ["--ruid=65534", "--euid=65534", "--rgid=65534", "--egid=65534"] {
        let house = House::new().behind(&format!("setpriv {ids} --clear-groups"));
        let outcome =
            house.executes(&LINKED, "umask 022 softlimit -c 0 @/state", &["@/bin/softlimit", "@/state"]);
        assert_eq!(house.run(Named, "umask 022 softlimit -c 0 @/state").0, outcome);
        // Here the C library of each program that is executed opens a file on a closed fd 0. By name fd 0 stays
        // closed until the program.
        house.executes(&LINKED, "fdclose 0 umask 022 @/state", &["@/bin/umask", "@/state"]);
        let line = "setuidgid :65534:65533 umask 022 softlimit -c 0 @/state";
        if ids == "--euid=65534" {
            assert_eq!(house.fused(&EACH, line).status, 111);
        } else {
            let outcome = house.executes(&LINKED, line, &["@/bin/umask", "@/state"]);
            assert_eq!((outcome.status, house.run(Named, line).0), (0, outcome));
        }
    }
}

#[test]
fn a_set_id_copy_or_one_with_capabilities_is_never_fused() {
    let house = House::new();
    needs!(set_id(house.directory.path()), tool("setcap"));
    let line = "setuidgid :65534:65533 umask 022 @/state";
    let direct = "umask 022 softlimit -c 0 @/state";
    let files = || [&["Symbolic/catena", "Hard/catena"][..]].concat();
    let setcap = |file: &str, what: &str| {
        assert_eq!(run(prepared("setcap").arg(what).arg(house.at(file))), prints(""));
    };
    for kind in ["4755", "2755", "cap_chown=ep", "cap_setuid=p"] {
        for file in files() {
            house.mode(file, 0o755);
            match u32::from_str_radix(kind, 8) {
                Ok(mode) => house.mode(file, mode),
                Err(_) => setcap(file, kind),
            }
        }
        // Root may run it: the ids are its own already. The account may not.
        for way in LINKED {
            let (outcome, executed) = house.run(way, line);
            assert_eq!((outcome, &*executed), (refusal("catena"), &["@/bin/umask".to_owned()][..]), "{kind}");
            let (outcome, executed) = house.run(way, direct);
            assert_eq!((outcome.status, executed.len()), (0, 2), "{kind}: {outcome:?}");
        }
        // By name nothing of the file's is executed after the change of ids.
        let (outcome, executed) = house.run(Named, line);
        assert_eq!((outcome, &*executed), (house.run(Separate, line).0, &["@/state".to_owned()][..]));
        // Anybody else may not run it in any way.
        let lent = "setpriv --reuid=65534 --regid=65534 --clear-groups";
        let words = format!("{lent} @/Symbolic/catena umask 022 @/state");
        let words: Vec<_> = words.split_whitespace().map(|word| house.text(word)).collect();
        assert_eq!(run(prepared(&words[0]).args(&words[1..])), refusal("catena"), "{kind}");
        for file in files() {
            if kind.starts_with("cap") {
                setcap(file, "-r");
            }
        }
    }
}
