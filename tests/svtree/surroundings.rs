//! A tree in the bare surroundings that images have: nothing to write to, no account of its uid, no /dev, no /proc.

use std::fs;
use std::process::Command;

use super::harness::*;
use crate::needs;
use crate::support::*;

fn images() -> Result<(), String> {
    namespaces()?;
    mounts()?;
    tool("busybox")
}

/// The services of the image, which write where the tree does.
const SERVICES: [(&str, &str); 5] = [
    ("db/run", "echo db; exec /busybox sleep 1000000"),
    ("shot/setup", "echo shot"),
    ("web/run", "echo web $(/busybox id -u); exec /busybox sleep 1000000"),
    ("web/log/run", "exec /busybox cat"),
    (".tree/finish", "echo last $1"),
];

/// A tree whose root directory is `root`, with `service`.
fn image() -> Tree {
    let tree = Tree::prepare(&[]);
    let root = tree.path("root");
    for directory in ["run", "proc", "service/db", "service/shot", "service/web/log", "service/.tree"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    install_root(&root, &[&bin().join("svtree"), "/bin/busybox".as_ref()]);
    for (name, lines) in SERVICES {
        script(&root.join("service").join(name), &format!("#!/busybox sh\n{lines}\n"));
    }
    fs::write(root.join("service/web/needs"), "db\nshot\n").unwrap();
    tree
}

/// svtree as process 1 in the image, as uid 12345, after these mounts: its root directory is read-only.
fn inside(tree: &Tree, mounts: &str, words: &str) -> Command {
    let script = format!(
        "mount --make-rprivate /; mount --bind root root; {mounts}; mount -o remount,bind,ro root
        exec /usr/sbin/chroot --userspec=12345:12345 root /svtree {words}"
    );
    let mut command = tree.adopt(prepared("unshare"));
    command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", &script]);
    command
}

/// What was written, in the order of the alphabet, without the line about the death of a run.
fn written(tree: &Tree) -> Vec<String> {
    let text = tree.text("stdout");
    let mut lines: Vec<_> = text.lines().filter(|line| !line.contains("killed")).map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Waits until all run, kills one, waits until it runs again, and stops the tree.
fn lives_and_ends(tree: &mut Tree, surroundings: &str) {
    let process_1 = child(tree.supervisor());
    let up = |tree: &Tree, count| {
        let found = || tree.text("stdout").matches("web 12345\n").count();
        tree.until(surroundings, || found() == count && tree.text("stdout").contains("db\n"));
    };
    up(tree, 1);
    let sleepers = || -> Vec<u32> {
        let children = text(format!("/proc/{process_1}/task/{process_1}/children").as_ref());
        let children = children.split_whitespace().map(|pid| pid.parse().unwrap());
        children.filter(|pid| cmdline(*pid).contains("sleep")).collect()
    };
    tree.until("the shells have become what they execute", || sleepers().len() == 2);
    // That of web was started last.
    send(sleepers()[1], "KILL");
    up(tree, 2);
    send(process_1, "QUIT");
    assert_eq!(tree.ended(), 0, "{surroundings}: {}", tree.report());
    assert_eq!(written(tree), ["db", "last 0", "shot", "web 12345", "web 12345"], "{surroundings}");
    tree.assert_nothing_left();
    // The next surroundings begin anew.
    assert_eq!(run_in(tree.scratch.path(), ": >stdout"), prints(""));
}

#[test]
fn a_directory_for_the_state_is_all_it_needs() {
    needs!(images());
    let mut tree = image();
    for (mounts, words) in [
        ("mount -t tmpfs -o mode=1777 tmpfs root/run", "-s /run/state /service"),
        // Of root, and every program is refused there.
        ("mount -t tmpfs -o mode=0777,noexec,nosuid,nodev tmpfs root/run", "-s /run /service"),
        // /proc with the own processes alone, and one of another pid namespace, where numbers mean others.
        (
            "mount -t tmpfs -o mode=0777 tmpfs root/run; mount -t proc -o hidepid=2 proc root/proc",
            "-s /run /service",
        ),
        ("mount -t tmpfs -o mode=0777 tmpfs root/run; mount --bind /proc root/proc", "-s /run /service"),
    ] {
        tree.spawn(inside(&tree, mounts, words));
        lives_and_ends(&mut tree, mounts);
        assert_eq!(tree.stderr(), "", "{mounts}");
    }
}

#[test]
fn without_any_place_to_write_it_works_and_says_what_it_lacks() {
    needs!(images());
    let mut tree = image();
    tree.spawn(inside(&tree, "true", "/service"));
    lives_and_ends(&mut tree, "nothing to write to");
    let why = "Read-only file system";
    let service = |name| {
        format!("svtree {name}: warning: unable to make supervise: {why}; this service cannot be adopted\n")
    };
    let mut said: Vec<_> = tree.stderr().lines().map(|line| format!("{line}\n")).collect();
    said.sort();
    let own =
        format!("svtree /service: warning: unable to open .tree/lock: {why}; going on without a socket\n");
    assert_eq!(said, [own, service("db"), service("shot"), service("web")]);
}

#[test]
fn a_state_directory_that_was_asked_for_and_cannot_be_made_is_fatal() {
    needs!(images());
    let mut tree = image();
    tree.spawn(inside(&tree, "true", "-s /run/state /service"));
    assert_eq!(tree.ended(), 111);
    assert_eq!(tree.stderr(), "svtree: fatal: unable to make /run/state: Read-only file system\n");
    assert_eq!(tree.text("stdout"), "");
}

#[test]
fn a_program_alone_needs_nothing() {
    needs!(images());
    let mut tree = image();
    for (words, status) in [("-- /busybox sh -c 'echo said; exit 7'", 7), ("-- /none", 127)] {
        tree.spawn(inside(&tree, "true", words));
        assert_eq!(tree.ended(), status, "{words}: {}", tree.report());
    }
    assert_eq!(tree.text("stdout"), "said\n");
    assert_eq!(tree.stderr(), "svtree: fatal: unable to run /none: No such file or directory\n");
}

/// As a container's filter has it that knows no newer system calls, or forbids some: EPERM is that of older runtimes.
#[test]
fn system_calls_that_a_filter_refuses_are_not_missed() {
    needs!(tool("strace"));
    for (call, errno, said) in [
        ("pidfd_open", "ENOSYS", ""),
        ("pidfd_open", "EPERM", ""),
        ("clone3", "ENOSYS", ""),
        ("close_range", "EPERM", ""),
        ("epoll_pwait2", "EPERM", ""),
        ("name_to_handle_at", "EPERM", ""),
        ("inotify_init1", "ENOSYS", "unable to watch the scan directory"),
    ] {
        let mut tree = Tree::prepare(&[("web/run", PUPPET), ("web/log/run", LOGGER), ("web/finish", FINISH)]);
        tree.set_options(&["-1"]);
        let inject = format!("inject={call}:error={errno}");
        tree.spawn(tree.command_behind(&["strace", "-f", "-o", "/dev/null", "-e", &inject, "--"]));
        tree.started(1, "web");
        tree.tell("web", "(setsid sleep 1000000 >>$D/stdout 2>&1 &); exit 3");
        tree.nth(1, "finish web 3 0");
        tree.started(2, "web");
        send(child(tree.supervisor()), "QUIT");
        assert_eq!(tree.ended(), 0, "{call} {errno}: {}", tree.report());
        tree.assert_nothing_left();
        let lines = usize::from(!said.is_empty());
        assert_eq!(
            (tree.stderr().lines().count(), tree.said(said)),
            (lines, lines),
            "{call}: {}",
            tree.stderr()
        );
    }
}
