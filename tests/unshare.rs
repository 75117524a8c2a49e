//! unshare.

use nix::errno::Errno;

use crate::needs;
use crate::support::*;
use crate::{all_or_nothing, transparency};

const KINDS: [(&str, &str); 5] =
    [("-C", "cgroup"), ("-i", "ipc"), ("-m", "mnt"), ("-n", "net"), ("-u", "uts")];

/// Whether the tests may make namespaces: root in a container may not.
pub(crate) fn namespaces() -> Result<(), String> {
    mounts()?;
    let possible = run(prepared("unshare").args(["-C", "-i", "-n", "-u", "true"])).status == 0;
    if possible { Ok(()) } else { Err("new namespaces".into()) }
}

/// The kinds of namespaces in which a chain with these words is apart from the tests.
fn apart(words: &[&str]) -> String {
    let show = "for kind in cgroup ipc mnt net pid time user uts; do readlink /proc/self/ns/$kind; done";
    let kinds = |words: &[&str]| {
        let outcome = run(prepared("env").args(words).args(["sh", "-c", show]));
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""), "{words:?}");
        outcome.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (ours, theirs) = (kinds(&[]), kinds(words));
    let other = theirs.iter().filter(|kind| !ours.contains(kind));
    other.map(|kind| kind.split(':').next().unwrap()).collect::<Vec<_>>().join(" ")
}

fn ours() -> String {
    bin().join("unshare").display().to_string()
}

#[test]
fn each_option_makes_one_and_no_option_none() {
    assert_eq!(apart(&[&ours()]), "");
    assert_eq!(apart(&[&ours(), "--"]), "");
    needs!(namespaces());
    for (option, kind) in KINDS {
        assert_eq!(apart(&[&ours(), option]), kind);
    }
    assert_eq!(apart(&[&ours(), "-mu"]), "mnt uts");
    assert_eq!(apart(&[&ours(), "-u", "-n", "-m", "-i", "-C"]), "cgroup ipc mnt net uts");
    assert_eq!(apart(&[&ours(), "-u", &ours(), "-i"]), "ipc uts");
}

#[test]
fn it_is_the_same_process() {
    needs!(namespaces());
    let outcome = run(&mut sh("echo $$; exec $B/unshare -Cimnu sh -c 'echo $$'"));
    let pids: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!((outcome.status, pids.len(), pids[0] == pids[1]), (0, 2, true), "{outcome:?}");
}

#[test]
fn what_is_mounted_inside_is_not_seen_outside_nor_the_other_way_round() {
    needs!(namespaces());
    let directory = open_directory();
    // In a namespace of its own, where all mounts are shared first.
    let script = "mkdir a b; mount --make-rshared / && mount -t tmpfs none a && mount --make-shared a || exit
        mkdir a/below; mkfifo up go
        $B/unshare -m sh -c 'mount -t tmpfs none a/below && >a/below/inside; >up; <go; ls a/below b' &
        <up; ls a/below; mount -t tmpfs none b && >b/outside; >go; wait";
    let mut command = prepared("unshare");
    command.args(["--mount", "sh", "-c", script]).current_dir(&directory);
    assert_eq!(run(&mut command), prints("a/below:\ninside\n\nb:\n"));
}

#[test]
fn in_a_new_network_nothing_is_up() {
    needs!(namespaces(), tool("ip"));
    let outcome = run(&mut sh("exec $B/unshare -n ip -o link show up"));
    assert_eq!(outcome, prints(""));
}

#[test]
fn the_name_of_the_host_is_its_own() {
    needs!(namespaces(), tool("hostname"));
    let outcome =
        run(&mut sh("$B/unshare -u sh -c 'hostname other && hostname'; [ \"$(hostname)\" != other ]"));
    assert_eq!(outcome, prints("other\n"));
}

fn refused(errno: Errno, hint: &str) -> Outcome {
    let message = format!("unable to make new namespaces: {}", says(errno));
    fails(111, format!("unshare: fatal: {message}\nunshare: hint: {hint}\n"))
}

#[test]
fn who_may_not_runs_nothing_and_is_told_where_to_put_it() {
    let directory = open_directory();
    let ours = directory.path().join("unshare");
    install(&bin().join("unshare"), &ours);
    let by = |option: &str| {
        let mut command = prepared(if root().is_ok() { "setpriv" } else { "env" });
        let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
        command.args(nobody.iter().filter(|_| root().is_ok()));
        run(command.arg(&ours).args([option, "echo", "ran"]))
    };
    for (option, _) in KINDS {
        let hint = "only root may: put unshare before setuidgid";
        assert_eq!(by(option), refused(Errno::EPERM, hint), "{option}");
    }
    assert_eq!(by("--"), prints("ran\n"));
}

#[test]
fn root_without_the_capability_is_told_so() {
    needs!(root());
    let mut command = prepared("setpriv");
    command.args(["--bounding-set=-sys_admin"]).arg(ours()).args(["-u", "echo", "ran"]);
    let hint = "root has no CAP_SYS_ADMIN here, as in a container that was started without it";
    assert_eq!(run(&mut command), refused(Errno::EPERM, hint));
}

#[test]
fn where_there_may_be_no_more_of_them_it_says_so() {
    needs!(namespaces());
    // In a user namespace the limit is its own.
    let script = "echo 0 >/proc/sys/user/max_uts_namespaces && exec $B/unshare -u echo ran";
    let mut command = prepared("unshare");
    let outcome = run(command.args(["--user", "--map-root-user", "sh", "-c", script]));
    assert_eq!(outcome, refused(Errno::ENOSPC, "there are as many as a limit in /proc/sys/user allows"));
}

#[test]
fn behind_a_chroot_to_what_is_no_mount_the_mounts_cannot_be_made_private() {
    needs!(namespaces());
    let directory = open_directory();
    install_root(directory.path(), &[&bin().join("catena"), &example("state")]);
    let root = directory.path().to_str().unwrap();
    let outcome = run(link("catena").args(["chroot", root, "unshare", "-m", "/state"]));
    let message = format!("unable to make all mounts private: {}", says(Errno::EINVAL));
    let hint = "the root directory is none that is mounted: put unshare before chroot";
    assert_eq!(outcome, fails(111, format!("unshare: fatal: {message}\nunshare: hint: {hint}\n")));
}

#[test]
fn options_of_the_other_unshare_are_usage_errors() {
    for option in ["-p", "-U", "-f", "-r", "-T", "-c", "-R", "-w", "-S", "-G", "--mount", "--fork"] {
        let outcome = run(link("unshare").args([option, "echo", "ran"]));
        assert_eq!(outcome, misuse("unshare", &format!("invalid option '{option}'")));
    }
}

/// Here, because the tables of all links hold for root in a container too.
#[test]
fn with_options_it_hands_on_every_state_but_the_namespaces() {
    needs!(namespaces());
    let line = ("unshare -Cimnu", "namespace, cgroup", transparency::Caller::Root);
    let verdicts = transparency::under_every_state(&[line], transparency::furnished);
    let wrong: Vec<_> = verdicts.iter().filter_map(|verdict| verdict.as_ref().err()).cloned().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(of_all(verdicts.len()) >= 45, "{}", verdicts.len());
}

#[test]
fn with_options_the_program_runs_as_promised_or_not_at_all() {
    needs!(namespaces(), all_or_nothing::injections());
    let line = (all_or_nothing::Caller::Root, "unshare -Cimnu @/bin/state");
    let verdicts = all_or_nothing::inject_everywhere(&[line], all_or_nothing::furnished);
    let wrong: Vec<_> = verdicts.iter().filter_map(|verdict| verdict.as_ref().err()).cloned().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(of_all(verdicts.len()) >= 12, "{}", verdicts.len());
}
