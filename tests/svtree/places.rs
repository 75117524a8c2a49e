//! Where a tree can live: without a place to write, with a state directory elsewhere, as any user.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::harness::*;
use crate::needs;
use crate::support::locks::{Holder, WAITING};
use crate::support::*;

/// The words of a message that are said once.
const NO_STATE: &str = "this service cannot be adopted";

/// The command line of the tree in file systems of its own, which this shell script mounts.
fn after(tree: &Tree, mount: &str) -> std::process::Command {
    let words = format!("{mount}\nexec \"$@\"");
    tree.command_behind(&[BASE_UNSHARE, "--mount", "--propagation", "private", "sh", "-ec", &words, "sh"])
}

const FILES: &[(&str, &str)] =
    &[("a/run", PUPPET), ("a/log/run", LOGGER), ("b/run", PUPPET), ("b/needs", "a\n")];

#[test]
fn a_read_only_scan_directory_with_a_state_directory_elsewhere() {
    needs!(root(), tool("unshare"));
    let mut tree = Tree::prepare(FILES);
    tree.keep_state_apart();
    let mount = "mount --bind tree tree; mount -o remount,bind,ro tree";
    tree.supervise_by(after(&tree, mount));
    let pids = [tree.started(1, "a"), tree.started(1, "b")];
    let logger = tree.until_log("a");
    assert_eq!(tree.stderr(), "");
    tree.kill();
    tree.supervise_by(after(&tree, mount));
    tree.until_names(&["a", "b"]);
    assert_eq!((["a", "b"].map(|name| tree.until_run(name)), tree.until_log("a")), (pids, logger));
    assert_eq!(tree.stderr(), "");
    tree.stop();
    assert!(!tree.at(".tree").exists() && !tree.at("a/supervise").exists());
}

#[test]
fn without_any_place_to_write_all_works_but_adoption_and_that_is_said_once() {
    needs!(root(), tool("unshare"));
    let mut tree = Tree::prepare(FILES);
    let mount = "mount --bind tree tree; mount -o remount,bind,ro tree";
    tree.spawn(after(&tree, mount));
    tree.started(1, "a");
    tree.started(1, "b");
    tree.tell("a", "echo line");
    tree.until("its log", || tree.text("logged.a") == "line\n");
    tree.tell("b", "exit 1");
    tree.started(2, "b");
    tree.shell("cp -r b .c; mv .c c"); // which the mount shows, too
    tree.started(1, "c");
    assert_eq!((tree.said(NO_STATE), tree.said("going on without a socket")), (3, 1), "{}", tree.stderr());
    tree.signal(Signal::SIGHUP);
    tree.stop();
    assert_eq!(tree.stderr().lines().filter(|line| !line.contains("svtree: run exited")).count(), 4);
    assert!(!tree.at("a/supervise").exists());
}

#[test]
fn what_nobody_can_adopt_is_stopped_when_the_tree_leaves() {
    needs!(root(), tool("unshare"));
    let mut tree = Tree::prepare(&[("a/run", PUPPET), ("a/log/run", LOGGER), ("b/run", STUBBORN)]);
    tree.spawn(after(&tree, "mount --bind tree tree; mount -o remount,bind,ro tree"));
    tree.started(1, "a");
    tree.started(1, "b");
    tree.signal(nix::sys::signal::Signal::SIGQUIT);
    tree.nth(1, "stop b");
    tree.tell("b", "exit");
    assert_eq!(tree.ended(), 0, "{}", tree.report());
    tree.assert_nothing_left();
    assert_eq!(tree.count("stop"), 2);
}

#[test]
fn a_full_file_system_does_not_keep_services_down() {
    needs!(root(), tool("unshare"));
    let mut tree = Tree::prepare(FILES);
    let mount = "cp -r tree copy; mount -t tmpfs -o size=64k none tree; cp -r copy/. tree
        cat /dev/zero >tree/.full 2>/dev/null || :";
    tree.spawn(after(&tree, mount));
    tree.started(1, "a");
    tree.started(1, "b");
    tree.stop();
}

#[test]
fn a_user_without_an_account_in_a_state_directory_that_belongs_to_root() {
    needs!(root(), tool("setpriv"));
    let mut tree = Tree::prepare(FILES);
    tree.keep_state_apart();
    // What it runs writes here, and finds its programs where everybody does.
    fs::set_permissions(tree.scratch.path(), fs::Permissions::from_mode(0o777)).unwrap();
    tree.shell("chmod 666 $T/lines; mkdir -m 0777 $T/state $T/bin; chmod 777 $T/state");
    for program in ["svtree", "svlog"] {
        install(&bin().join(program), &tree.path("bin").join(program));
    }
    let command = |tree: &Tree| {
        let own = tree.command();
        let mut command = tree.adopt(prepared("setpriv"));
        command.args(["--reuid=12345", "--regid=12345", "--clear-groups"]).arg(tree.path("bin/svtree"));
        command.args(own.get_args());
        command
    };
    tree.supervise_by(command(&tree));
    let pids = [tree.started(1, "a"), tree.started(1, "b")];
    let logger = tree.until_log("a");
    assert_eq!(fs::metadata(format!("/proc/{}", pids[0])).unwrap().uid(), 12345);
    tree.kill();
    tree.supervise_by(command(&tree));
    tree.until_names(&["a", "b"]);
    assert_eq!((["a", "b"].map(|name| tree.until_run(name)), tree.until_log("a")), (pids, logger));
    assert_eq!(tree.stderr(), "");
    tree.stop();
    assert_eq!(tree.count("start"), 2);
}

#[test]
fn a_service_that_cannot_be_read_is_reported_once_and_started_when_it_can() {
    needs!(root(), tool("setpriv"));
    let mut tree = Tree::prepare(&[("secret/run", SLEEPER), ("plain/run", SLEEPER)]);
    tree.shell("chmod 0 secret");
    let command = tree.command_behind(&["setpriv", "--bounding-set=-dac_override,-dac_read_search"]);
    tree.supervise_by(command);
    tree.started(1, "plain");
    tree.until("a word", || tree.said("unable to open secret") == 1);
    tree.add("new", &[("run", SLEEPER)]);
    tree.started(1, "new");
    assert_eq!((tree.count("start secret"), tree.said("secret")), (0, 1), "{}", tree.stderr());
    tree.shell("chmod 755 secret");
    tree.started(1, "secret");
    tree.stop();
    assert_eq!(tree.stderr().lines().count(), 1);
}

#[test]
fn a_service_whose_directory_has_gone_while_no_tree_lived_is_stopped() {
    for (apart, files) in [
        (true, &[("a/run", PUPPET), ("a/log/run", LOGGER)][..]),
        // Its state is not in its own directory, either.
        (false, &[("x@/run", PUPPET), ("a@1", "-> x@")]),
    ] {
        let (name, directory) = if apart { ("a", "a") } else { ("x@", "a@1") };
        let mut tree = Tree::prepare(&[files, &[("b/run", PUPPET), ("b/log/run", LOGGER)]].concat());
        if apart {
            tree.keep_state_apart();
        }
        tree.supervise();
        let (gone, stays) = (tree.started(1, name), tree.started(1, "b"));
        let loggers = [apart.then(|| tree.until_log("a")), Some(tree.until_log("b"))];
        tree.kill();
        tree.tell(name, "echo the last words");
        tree.until("its log", || !apart || tree.text("logged.a") == "the last words\n");
        tree.shell(&format!("rm -r {directory}"));
        tree.supervise();
        tree.nth(1, &format!("stop {name}"));
        tree.until("nothing of it", || !lives(gone) && loggers[0].is_none_or(|pid| !lives(pid)));
        tree.until_names(&["b"]);
        assert_eq!((tree.until_run("b"), Some(tree.until_log("b"))), (stays, loggers[1]));
        let said =
            || tree.said(&format!("{directory}: warning: its directory is gone; stopping what runs of it"));
        assert_eq!(said(), 1, "{}", tree.stderr());
        // That was all: the next one finds nothing of it.
        tree.kill_and_restart();
        tree.until_names(&["b"]);
        assert_eq!(tree.said("its directory is gone"), 1, "{}", tree.stderr());
        tree.stop();
        assert_eq!((tree.count("start"), tree.count("stop"), tree.count("log start b")), (2, 2, 1));
    }
}

#[test]
fn what_has_gone_is_stopped_by_a_tree_that_stops_at_once() {
    let mut tree = Tree::prepare(&[("a/run", PUPPET), ("b/run", PUPPET)]);
    tree.keep_state_apart();
    tree.supervise();
    tree.started(1, "a");
    tree.started(1, "b");
    tree.kill();
    tree.shell("rm -r a");
    tree.spawn_to_stop();
    assert_eq!(tree.ended(), 0, "{}", tree.report());
    tree.assert_nothing_left();
    assert_eq!((tree.count("stop a"), tree.count("stop b")), (1, 1));
}

/// A tree with a service `a` and a service `b`, which go on while it is killed, and whose directories are elsewhere then,
/// in `$T/real`: the next tree finds none. Also returns their pids.
fn without_directories() -> (Tree, [u32; 2]) {
    let mut tree = Tree::prepare(&[("a/run", PUPPET), ("b/run", PUPPET)]);
    tree.keep_state_apart();
    tree.supervise();
    let pids = ["a", "b"].map(|name| tree.started(1, name));
    tree.kill();
    tree.shell("mv $T/tree $T/real; mkdir $T/tree");
    tree.supervise();
    tree.until("a word", || {
        tree.said("no services in the scan directory; what runs of former ones goes on") == 1
    });
    assert!(tree.names().is_empty() && pids.into_iter().all(lives), "{}", tree.report());
    (tree, pids)
}

#[test]
fn services_whose_directories_are_not_mounted_yet_go_on_and_are_adopted_once_they_are() {
    needs!(mounts());
    own_mounts();
    let (mut tree, pids) = without_directories();
    // Which is no event: it is looked for.
    tree.shell("mount --bind $T/real $T/tree");
    tree.until_names(&["a", "b"]);
    assert_eq!(["a", "b"].map(|name| tree.until_run(name)), pids);
    assert_eq!((tree.count("start"), tree.count("stop"), tree.said("gone")), (2, 0, 0), "{}", tree.report());
    tree.stop();
    assert_eq!(tree.said("no services"), 1, "{}", tree.stderr());
    tree.shell("cd ..; umount $T/tree");
}

#[test]
fn those_that_are_gone_are_stopped_once_another_is_there() {
    let (mut tree, [gone, stays]) = without_directories();
    tree.shell("mv $T/real/b b");
    tree.nth(1, "stop a");
    tree.until("its end", || !lives(gone));
    assert_eq!(tree.until_run("b"), stays);
    tree.until_names(&["b"]);
    tree.stop();
    assert_eq!((tree.count("start"), tree.count("stop")), (2, 2));
}

#[test]
fn a_stop_ends_those_whose_directories_are_not_there() {
    let (mut tree, _) = without_directories();
    tree.stop();
    assert_eq!((tree.count("stop a"), tree.count("stop b")), (1, 1));
}

#[test]
fn a_directory_beside_its_own_that_another_supervisor_uses_is_left_alone() {
    let mut tree = Tree::prepare(&[("b/run", SLEEPER), (".c/run", SLEEPER)]);
    tree.keep_state_apart();
    tree.shell("mkdir $T/state");
    let mut other = tree.adopt(link("svrun")).args(["-s", "state/c", "tree/.c"]).spawn().unwrap();
    let pid = tree.until_run("c");
    tree.supervise();
    tree.started(1, "b");
    tree.until("a word", || tree.said("svtree c: warning: unable to lock supervise/lock") == 1);
    tree.until_names(&["b"]);
    assert!(lives(pid) && tree.said("gone") == 0, "{}", tree.report());
    tree.signal(Signal::SIGTERM);
    assert_eq!(tree.ended(), 0);
    assert!(lives(pid));
    send_signal(other.id(), Signal::SIGTERM);
    assert_eq!(status_of(&mut other), Some(0));
    tree.assert_nothing_left();
}

#[test]
fn a_copy_of_a_service_that_runs_is_another_service() {
    let mut tree = Tree::start(&[("a/run", SLEEPER), ("a/log/run", LOGGER)]);
    let (original, logger) = (tree.started(1, "a"), tree.until_log("a"));
    assert_eq!(tree.until_run("a"), original);
    tree.rest();
    tree.shell("cp -r a .b; mv .b b");
    let copy = tree.started(1, "b");
    // The files that it was copied with say what they said.
    tree.until("its state", || tree.status_now("b").is_some_and(|status| status.pid == copy));
    tree.until("its logger", || tree.count("log start") == 2);
    assert_eq!((tree.until_run("a"), tree.until_log("a")), (original, logger));
    // A rename changes nothing.
    tree.kill();
    tree.shell("mv a c; cp -r b .d; mv .d d");
    tree.supervise();
    tree.started(1, "d");
    tree.until_names(&["b", "c", "d"]);
    assert_eq!((tree.until_run("b"), tree.until_run("c"), tree.until_log("c")), (copy, original, logger));
    tree.stop();
    assert_eq!((tree.count("start"), tree.count("log start")), (3, 3), "{}", tree.report());
    assert_eq!(tree.stderr(), "");
}

#[test]
fn only_one_tree_runs_a_directory() {
    for apart in [false, true] {
        let mut tree = Tree::prepare(&[("a/run", SLEEPER)]);
        if apart {
            tree.keep_state_apart();
        }
        tree.supervise();
        tree.started(1, "a");
        let second = run(&mut tree.command_behind(&["env"]));
        assert_eq!(second.status, 111);
        let words = "svtree: fatal: unable to lock .tree/lock: another svtree runs this directory";
        assert_eq!(tree.said(words), 1, "{}", tree.stderr());
        tree.stop();
        assert_eq!(tree.count("start"), 1);
    }
}

#[test]
fn a_lock_that_a_child_of_a_killed_tree_still_has_is_waited_for() {
    let mut tree = Tree::prepare(&[("a/run", SLEEPER), (".tree/lock", "")]);
    let child = Holder::holding(&tree.at(""), &["setlock", ".tree/lock"]);
    tree.spawn(tree.command());
    wait_until_in(tree.supervisor(), WAITING);
    // Longer than most children take to execute, though not as long as some on a busy machine.
    thread::sleep(Duration::from_millis(600));
    tree.assert_supervised();
    child.release();
    tree.started(1, "a");
    tree.stop();
}

#[test]
fn a_service_that_another_supervisor_has_is_reported_once_and_taken_when_it_is_free() {
    let mut tree = Tree::prepare(&[("a/run", SLEEPER), ("b/run", SLEEPER)]);
    let mut other = tree.adopt(link("svrun")).arg("tree/a").spawn().unwrap();
    let pid = tree.until_run("a");
    tree.supervise();
    tree.started(1, "b");
    tree.until("a word", || {
        tree.said("svtree a: warning: supervise/lock is held") + tree.said("svtree a: ") > 0
    });
    send_signal(other.id(), Signal::SIGQUIT);
    assert_eq!(status_of(&mut other), Some(0));
    tree.until_names(&["a", "b"]);
    assert_eq!((tree.until_run("a"), tree.said("svtree a: ")), (pid, 1));
    tree.stop();
    assert_eq!(tree.count("start a"), 1);
}

#[test]
fn the_links_beside_a_state_directory_follow_a_service_that_is_renamed() {
    let mut tree = Tree::prepare(&[("a/run", PUPPET)]);
    tree.keep_state_apart();
    tree.supervise();
    tree.started(1, "a");
    fs::rename(tree.at("a"), tree.at("b")).unwrap();
    tree.until_names(&["b"]);
    for file in ["down", "check"] {
        let leads = || fs::read_link(tree.path("state/b").join(file));
        tree.until(file, || leads().is_ok_and(|path| path.ends_with(format!("tree/b/{file}"))));
    }
    tree.stop();
}

#[test]
fn the_scan_directory_can_be_the_state_directory() {
    let mut tree = Tree::prepare(&[("a/run", PUPPET), ("a/check", "#!/bin/sh\n")]);
    tree.set_options(&["-s", "tree"]);
    tree.supervise();
    tree.started(1, "a");
    tree.stop();
    assert!(tree.at("a/down").symlink_metadata().is_err());
    tree.supervise();
    tree.started(2, "a");
    tree.stop();
}

#[test]
fn a_link_of_another_user_does_not_lead_the_state_elsewhere() {
    needs!(root());
    let mut tree = Tree::prepare(&[("a/run", PUPPET), ("b/run", PUPPET)]);
    tree.keep_state_apart();
    let state = tree.path("state");
    tree.shell(
        "cd ..; mkdir state away; ln -s ../away state/a; ln -s ../away state/b; chown -h 12345 state/a",
    );
    assert!(state.join("a").is_symlink());
    tree.spawn(tree.command());
    tree.started(1, "b"); // whose link is root's
    tree.until("the message", || tree.said("a: warning: unable to make its state directory") == 1);
    assert!(!tree.lines().iter().any(|line| line.starts_with("start a ")), "{}", tree.report());
    tree.stop();
}
