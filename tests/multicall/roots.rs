//! Chains that change the root directory.

use nix::errno::Errno;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::harness::*;
use crate::needs;
use crate::support::*;

/// A house with a root directory `@/root` that has `/state`.
fn with_root() -> House {
    let house = House::new();
    for directory in ["root", "root/bin"] {
        fs::create_dir(house.at(directory)).unwrap();
    }
    install_root(&house.at("root"), &[&example("state"), &bin().join("catena"), &bin().join("umask")]);
    for file in ["umask", "catena"] {
        fs::remove_file(house.at("root").join(file)).unwrap(); // the libraries stay
    }
    house
}

#[test]
fn behind_chroot_a_link_is_ours_if_the_new_root_has_our_file() {
    needs!(root());
    let house = with_root();
    let line = "softlimit -c 0 chroot @/root umask 027 /state";
    let inside = house.at("root/bin/umask");
    // Nothing there.
    let outcome = house.executes(&LINKED, line, &[]);
    let program = house.text("umask inside @/root");
    assert_eq!(outcome, fails(127, unable_to_run("chroot", &program, Errno::ENOENT)));
    // The single-purpose program.
    install(&bin().join("umask"), &inside);
    let expected = house.executes(&LINKED, line, &["/bin/umask", "/state"]);
    assert!(expected.stdout.contains("umask 027\n") && expected.status == 0, "{expected:?}");
    // A copy of ours.
    fs::remove_file(&inside).unwrap();
    install(&bin().join("catena"), &inside);
    assert_eq!(house.executes(&LINKED, line, &["/bin/umask", "/state"]), expected);
    // Our file under one more name.
    for way in LINKED {
        fs::remove_file(&inside).unwrap();
        fs::hard_link(house.at(&format!("{way:?}/catena")), &inside).unwrap();
        assert_eq!(house.run(way, line), (expected.clone(), vec!["/state".into()]));
    }
    // By name the links need no file.
    fs::remove_file(&inside).unwrap();
    assert_eq!(house.run(Named, line), (expected, vec!["/state".into()]));
}

#[test]
fn our_file_mounted_into_the_new_root_is_ours_unless_it_may_not_be_executed_there() {
    needs!(root(), tool("unshare"));
    let house = with_root().behind("/usr/bin/unshare --mount --propagation=private @/mounted");
    let line = "softlimit -c 0 chroot @/root umask 027 /state";
    house.write("root/bin/umask", "");
    for way in LINKED {
        let mount = format!("mount --bind @/{way:?}/catena @/root/bin/umask");
        house.script("mounted", &format!("#!/bin/sh\n{mount} && exec $*\n"));
        let (outcome, files) = house.run(way, line);
        assert_eq!((outcome.status, &*files), (0, &["/state".to_owned()][..]), "{outcome:?}");
        let noexec = "mount -o remount,bind,noexec @/root/bin/umask";
        house.script("mounted", &format!("#!/bin/sh\n{mount} && {noexec} && exec $*\n"));
        let outcome = house.run(way, line);
        let program = house.text("umask inside @/root");
        let message = unable_to_run("chroot", &program, Errno::EACCES);
        let hint = "chroot: hint: this account may not execute it, or its file system is mounted noexec\n";
        assert_eq!(outcome, (fails(126, format!("{message}{hint}")), vec![]));
    }
}

#[test]
fn a_chroot_lent_to_the_account_may_stand_in_the_middle() {
    needs!(root(), tool("setpriv"));
    for before in ["", "@/pose ambient", "@/pose death", "setpriv --securebits=+no_setuid_fixup"] {
        let house = with_root().behind(before);
        house.write("env/NAME", "value");
        let line = "envdir @/env softlimit -c 0 setuidgid :65534:65533 chroot @/root umask 027 /state";
        install(&bin().join("umask"), &house.at("root/bin/umask"));
        let expected = house.run(Separate, line).0;
        for item in ["uids 65534 65534 65534", "cwd /", "umask 027", "keepcaps false"] {
            assert!(expected.stdout.lines().any(|line| line == item), "{item}: {expected:?}");
        }
        for set in ["permitted", "effective", "inheritable", "ambient"] {
            assert!(expected.stdout.contains(&format!("\n{set} 0000000000000000\n")), "{set}: {expected:?}");
        }
        for way in EACH {
            let _ = fs::remove_file(house.at("root/bin/umask"));
            if way != Named {
                fs::hard_link(house.at(&format!("{way:?}/catena")), house.at("root/bin/umask")).unwrap();
            }
            assert_eq!(house.run(way, line), (expected.clone(), vec!["/state".into()]), "{way:?}: {before}");
        }
    }
}

#[test]
fn another_chroot_is_executed_and_gets_nothing() {
    needs!(root());
    let house = with_root().searching("/usr/sbin:/usr/bin:/sbin:/bin:@/bin");
    let line = "@/bin/setuidgid :65534:65533 chroot @/root @/bin/state";
    let (expected, files) = house.run(Separate, &line.replace("@/bin/", ""));
    assert_eq!(expected.status, 125, "coreutils has its own: {expected:?}");
    for way in LINKED {
        assert_eq!(house.run(way, &line.replace("@/bin/", "")), (expected.clone(), files.clone()));
    }
}

#[test]
fn what_is_known_of_the_ids_and_of_proc_ends_with_them() {
    needs!(root());
    let directory = open_directory();
    let at = |name: &str| directory.path().join(name);
    for name in ["open", "bare"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::set_permissions(at("open"), PermissionsExt::from_mode(0o777)).unwrap();
    install_root(&at("bare"), &[&example("state")]);
    let run_line = |line: &str| {
        for stale in ["old", "bare/old"] {
            let _ = fs::remove_file(at(stale)); // there only from the second time on
            leave_a_socket(at(stale));
        }
        let line = line.replace('@', directory.path().to_str().unwrap());
        let outcome = run(link("catena").args(line.split(' ')));
        (outcome.status, outcome.stderr)
    };
    let none = (0, String::new());
    let ours = "listen -o :8001:8002 unix:@/open/";
    assert_eq!(run_line(&format!("{ours}a setuidgid :8001:8002 {ours}b echo")), none);
    // There is no /proc in the new root.
    assert_eq!(run_line("listen -r unix:@/old chroot @/bare listen -r unix:/old /state"), none);
}
