//! cgroup.

use std::fs;

use nix::errno::Errno;

use crate::needs;
use crate::support::*;

/// Shows the group in which it is.
const SHOW: [&str; 3] = ["sed", "-n", "s/^0:://p"];

/// What the program sees behind cgroup with these words, of which `%` is the group.
fn shows(group: &OwnGroup, words: &str) -> Outcome {
    let words = words.replace('%', &group.0);
    run(link("cgroup").args(words.split(' ')).args(SHOW).arg("/proc/self/cgroup"))
}

fn refused(action: &str, errno: Errno, hint: &str) -> Outcome {
    let hint = if hint.is_empty() { String::new() } else { format!("cgroup: hint: {hint}\n") };
    fails(111, format!("cgroup: fatal: unable to {action}: {}\n{hint}", says(errno)))
}

#[test]
fn the_program_is_in_a_group_that_was_made_for_it() {
    needs!(cgroups());
    let group = OwnGroup::new("made");
    let inside = |below: &str| prints(format!("/{}{below}\n", group.0));
    assert_eq!(shows(&group, "/%"), inside(""));
    assert!(group.path().is_dir());
    assert_eq!(shows(&group, "/%"), inside(""), "it is there already");
    assert_eq!(shows(&group, "./%"), inside(""), "beside the topmost one means below it");
    assert_eq!(shows(&group, "-- ./%/one"), inside("/one"));
    assert_eq!(shows(&group, "/%/one cgroup ./two"), inside("/two"), "beside the first");
    assert_eq!(shows(&group, "/%/one cgroup ./two/three"), inside("/two/three"));
}

#[test]
fn knobs_are_written_before_it_is_there() {
    needs!(cgroups());
    let group = OwnGroup::new("knobs");
    let knobs = "-k cgroup.max.depth=3 -kcgroup.max.descendants=17 -k cgroup.max.depth=4";
    assert_eq!(shows(&group, &format!("{knobs} /%")), prints(format!("/{}\n", group.0)));
    let knob = |file: &str| fs::read_to_string(group.path().join(file)).unwrap();
    assert_eq!((knob("cgroup.max.depth"), knob("cgroup.max.descendants")), ("4\n".into(), "17\n".into()));
}

#[test]
fn a_group_that_cannot_be_had_whole_is_not_made() {
    needs!(cgroups());
    let group = OwnGroup::new("whole");
    let name = &group.0;
    for (words, outcome) in [
        (
            "-k cgroup.max.depth=3 -k cgroup.max.descendants=x /%",
            refused(&format!("write x to cgroup.max.descendants of /{name}"), Errno::EINVAL, ""),
        ),
        (
            "-k none.max=5 ./%",
            refused(
                &format!("write 5 to none.max of ./{name}"),
                Errno::ENOENT,
                "a controller has to be in cgroup.subtree_control of the group above",
            ),
        ),
        ("/%/below", refused(&format!("open the cgroup {name}"), Errno::ENOENT, "")),
    ] {
        assert_eq!(shows(&group, words), outcome, "{words}");
        assert!(!group.path().exists(), "{words}");
    }
    // One that was there stays.
    fs::create_dir(group.path()).unwrap();
    assert_eq!(shows(&group, "-k cgroup.max.depth=x /%").status, 111);
    assert!(group.path().is_dir());
}

#[test]
fn a_threaded_group_takes_no_process_from_outside() {
    needs!(cgroups());
    let group = OwnGroup::new("threaded");
    let part = group.path().join("part");
    fs::create_dir_all(&part).unwrap();
    fs::write(part.join("cgroup.type"), "threaded").unwrap();
    let path = format!("/{}/part/below", group.0);
    let hint = "the group is threaded, or below one that is: it takes no processes from outside";
    let action = format!("move this process to {path}");
    assert_eq!(shows(&group, "/%/part/below"), refused(&action, Errno::EOPNOTSUPP, hint));
    assert!(!part.join("below").exists());
}

#[test]
fn where_no_more_groups_may_be_made_the_limits_are_named() {
    needs!(cgroups());
    let group = OwnGroup::new("limits");
    fs::create_dir(group.path()).unwrap();
    fs::write(group.path().join("cgroup.max.descendants"), "0").unwrap();
    let hint =
        "there may be no more groups here: cgroup.max.descendants or cgroup.max.depth of a group above";
    let action = format!("make /{}/below", group.0);
    assert_eq!(shows(&group, "/%/below"), refused(&action, Errno::EAGAIN, hint));
}

#[test]
fn an_account_is_told_to_put_it_before_setuidgid() {
    needs!(cgroups());
    let directory = open_directory();
    let ours = directory.path().join("cgroup");
    install(&program("cgroup"), &ours);
    let group = OwnGroup::new("account");
    let path = format!("/{}", group.0);
    let account = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let outcome = run(prepared("setpriv").args(account).arg(ours).args([&path, "echo", "ran"]));
    let hint = "only root may, or whom the groups above are given to: put cgroup before setuidgid";
    assert_eq!(outcome, refused(&format!("make {path}"), Errno::EACCES, hint));
    let chain = ["setuidgid", ":65534:65533"];
    let outcome = run(link("cgroup").arg(&path).args(chain).args(SHOW).arg("/proc/self/cgroup"));
    assert_eq!(outcome, prints(format!("{path}\n")));
}

/// The chain in a mount namespace, after this.
fn among(mounts: &str, chain: &str) -> Outcome {
    let top = hierarchy().unwrap();
    let script = format!("{mounts} && exec {chain}");
    run(prepared("unshare").args(["-m", "sh", "-c", &script]).arg(top).env("SHOW", SHOW.join(" ")))
}

#[test]
fn cgroups_are_found_wherever_they_are_mounted_and_as_they_are() {
    needs!(cgroups(), mounts());
    let group = OwnGroup::new("mounts");
    let (name, scratch) = (&group.0, open_directory());
    let there = scratch.path().join("a b\\c");
    fs::create_dir(&there).unwrap();
    let elsewhere = format!("mount --bind \"$0\" '{}' && umount \"$0\"", there.display());
    let show = "sed -n 's/^0:://p' /proc/self/cgroup";
    assert_eq!(among(&elsewhere, &format!("cgroup /{name} {show}")), prints(format!("/{name}\n")));
    let hint =
        "cgroups are read-only here, as in a container: it has to be started with the right to write them";
    let outcome = among("mount -o remount,bind,ro \"$0\"", &format!("cgroup /{name}/x echo ran"));
    assert_eq!(outcome, refused(&format!("make /{name}/x"), Errno::EROFS, hint));
    let none = "cgroup: fatal: no cgroup2 file system is mounted\n\
                cgroup: hint: mount -t cgroup2 cgroup2 /sys/fs/cgroup, or start the container with its cgroups\n";
    assert_eq!(among("umount \"$0\"", &format!("cgroup /{name}/x echo ran")), fails(111, none));
    let other = "cgroup: fatal: another file system is mounted on that of the cgroups\n";
    let outcome = among("mount -t tmpfs tmpfs \"$0\"", &format!("cgroup /{name}/x echo ran"));
    assert_eq!(outcome, fails(111, other));
}

#[test]
fn in_a_cgroup_namespace_a_path_begins_at_its_root() {
    needs!(cgroups(), mounts());
    let group = OwnGroup::new("namespace");
    fs::create_dir(group.path()).unwrap();
    let mount = "umount \"$0\" && mount -t cgroup2 cgroup2 \"$0\"";
    let inside =
        format!("unshare -C sh -c '{mount} && exec cgroup /in sed -n s/^0:://p /proc/self/cgroup' \"$0\"");
    let outcome = among("true", &format!("cgroup /{} {inside}", group.0));
    assert_eq!(outcome, prints("/in\n"));
    assert!(group.path().join("in").is_dir());
}

#[test]
fn what_is_no_cgroup_and_no_knob_is_a_usage_error() {
    let begins = "a cgroup begins with / or ./";
    let (name, knob) = ("not the name of a cgroup", "not a knob with its value");
    for (words, problem) in [
        ("web", format!("{begins}: web")),
        ("../web", format!("{begins}: ../web")),
        ("/", format!("{name}: /")),
        ("./", format!("{name}: ./")),
        ("/a//b", format!("{name}: /a//b")),
        ("/a/../b", format!("{name}: /a/../b")),
        ("./../b", format!("{name}: ./../b")),
        ("/a/.", format!("{name}: /a/.")),
        ("/a/", format!("{name}: /a/")),
        ("-k memory.max /a", format!("{knob}: memory.max")),
        ("-k memory=5 /a", format!("{knob}: memory=5")),
        ("-k ../cgroup.freeze=1 /a", format!("{knob}: ../cgroup.freeze=1")),
        ("-k .max=1 /a", format!("{knob}: .max=1")),
        ("-k a/b.max=1 /a", format!("{knob}: a/b.max=1")),
        ("-k =1 /a", format!("{knob}: =1")),
        ("-k cgroup.procs=1 /a", "not a knob: cgroup.procs".into()),
        ("-k cgroup.kill=1 /a", "not a knob: cgroup.kill".into()),
        ("-k memory.max= /a", "the value of memory.max is empty".into()),
    ] {
        let outcome = run(link("cgroup").args(words.split(' ')).args(["echo", "ran"]));
        assert_eq!(outcome, misuse("cgroup", &problem), "{words}");
    }
}
